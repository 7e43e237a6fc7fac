/* Does the installed library serve a C11 program: open a store, ask what it is, close it, open it
 * again? The directory is the first argument. */
#include <cellar.h>

#include <stdio.h>
#include <string.h>

static int open_and_close(const char *directory) {
    cellar_config config = {.size = sizeof config, .directory = directory};
    cellar_problem problem = {.text = ""};
    cellar *store = NULL;

    cellar_status status = cellar_open(&config, &store, &problem);
    if (status != CELLAR_OK) {
        printf("open: %s (%s)\n", cellar_status_text(status), problem.text);
        return 1;
    }
    status = cellar_close(store);
    if (status != CELLAR_OK) {
        printf("close: %s\n", cellar_status_text(status));
        return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 2 || strcmp(cellar_version_string(), "0.1.0") != 0) {
        return 2;
    }
    for (int round = 0; round < 2; round++) {
        if (open_and_close(argv[1]) != 0) {
            return 1;
        }
    }
    return 0;
}
