/* Can a program that knows nothing of cellar when it starts load the shared library, use it, unload
 * it and load it again? Arguments: the library, the directory of the store. */
#include <cellar.h>

#include <dlfcn.h>
#include <stdio.h>

static int use(void *library, const char *directory) {
    cellar_status (*open_store)(const cellar_config *, cellar **, cellar_problem *);
    cellar_status (*close_store)(cellar *);
    /* ISO C has no cast from an object pointer to a function pointer; POSIX lets it be stored. */
    *(void **)&open_store = dlsym(library, "cellar_open");
    *(void **)&close_store = dlsym(library, "cellar_close");
    if (open_store == NULL || close_store == NULL) {
        printf("cellar_open or cellar_close is missing\n");
        return 1;
    }

    cellar_config config = {.size = sizeof config, .directory = directory};
    cellar *store = NULL;
    cellar_status status = open_store(&config, &store, NULL);
    if (status != CELLAR_OK) {
        printf("open: status %d\n", (int)status);
        return 1;
    }
    status = close_store(store);
    return status != CELLAR_OK;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        return 2;
    }
    for (int round = 0; round < 2; round++) {
        void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) {
            printf("%s\n", dlerror());
            return 1;
        }
        const int failed = use(library, argv[2]);
        if (dlclose(library) != 0 || failed) {
            return 1;
        }
    }
    return 0;
}
