// Does the installed library serve a C++17 program? The directory is the first argument.
#include <cellar.h>

#include <cstdio>
#include <string>

int main(int argc, char **argv) {
    if (argc != 2 || std::string(cellar_version_string()) != "0.1.0") {
        return 2;
    }
    cellar_config config{};
    config.size = sizeof config;
    config.directory = argv[1];
    cellar *store = nullptr;
    const cellar_status opened = cellar_open(&config, &store, nullptr);
    if (opened != CELLAR_OK) {
        std::printf("open: %s\n", cellar_status_text(opened));
        return 1;
    }
    return cellar_close(store) == CELLAR_OK ? 0 : 1;
}
