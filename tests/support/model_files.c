#include "support/model_files.h"

#include "base/assert.h"
#include "commit/commit.h"
#include "engine/engine.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void files_join(char path[MODEL_PATH_BYTES], const char *directory, const char *name) {
    int bytes = snprintf(path, MODEL_PATH_BYTES, "%s/%s", directory, name);
    ASSERT(bytes > 0);
    ASSERT(bytes < MODEL_PATH_BYTES);
}

void model_files_remove(const char *path) {
    DIR *directory = opendir(path);

    if (directory == NULL) {
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char file[MODEL_PATH_BYTES];
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            files_join(file, path, entry->d_name);
            (void)unlink(file);
        }
    }
    (void)closedir(directory);
    (void)rmdir(path);
}

void model_files_path(char path[MODEL_PATH_BYTES], const char *name) {
    const char *base = getenv("TMPDIR");

    (void)snprintf(path, MODEL_PATH_BYTES, "%s/%s-%d", base == NULL ? "/tmp" : base, name,
                   (int)getpid());
    model_files_remove(path);
}

static void files_copy_one(const char *from, const char *to) {
    static char buffer[1 << 16];
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t bytes;

    ASSERT(in >= 0);
    ASSERT(out >= 0);
    while ((bytes = read(in, buffer, sizeof buffer)) > 0) {
        ssize_t written = write(out, buffer, (size_t)bytes);
        ASSERT(written == bytes);
    }
    (void)close(in);
    (void)close(out);
}

void model_files_copy(const char *from, const char *to) {
    DIR *directory = opendir(from);

    ASSERT(directory != NULL);
    int failed = mkdir(to, 0700);
    ASSERT(failed == 0);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char source[MODEL_PATH_BYTES];
        char target[MODEL_PATH_BYTES];
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            files_join(source, from, entry->d_name);
            files_join(target, to, entry->d_name);
            files_copy_one(source, target);
        }
    }
    (void)closedir(directory);
}

cellar *model_files_open(const char *path, uint64_t ring_bytes, bool durable, bool oracle) {
    uint64_t ring = ring_bytes == 0 ? COMMIT_RING_BYTES_MIN : ring_bytes;
    const cellar_config config = {.size = sizeof config,
                                  .directory = path,
                                  .ring_bytes = ring,
                                  .segment_bytes = ring < (2U << 20) ? 1U << 20 : ring / 2,
                                  .products_max = 1U << 16,
                                  .stocks_max = 1U << 17,
                                  .accounts_max = 1U << 16,
                                  .orders_max = 1U << 20,
                                  .grants_max = 1U << 16,
                                  .customers_max = 1U << 20,
                                  .durability = durable ? CELLAR_DURABLE : CELLAR_RELAXED};
    const struct engine_options options = {.oracle = oracle};
    cellar_problem problem;
    cellar *store = NULL;

    cellar_status status = engine_open(&config, &options, &store, &problem);
    if (status != CELLAR_OK) {
        (void)fprintf(stderr, "# open %s: %s: %s\n", path, cellar_status_name(status),
                      problem.text);
    }
    ASSERT(status == CELLAR_OK);
    return store;
}

void model_files_close(cellar *store) {
    cellar_status status = cellar_close(store);
    ASSERT(status == CELLAR_OK);
}

double model_files_stress(void) {
    const char *text = getenv("STRESS");
    double factor = text == NULL ? 1 : strtod(text, NULL);

    return factor > 0 ? factor : 1;
}
