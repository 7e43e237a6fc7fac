#include "data.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define READ_BYTES ((size_t)1 << 20)

static char data_directory[64];

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

void data_remove(const char *path) {
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT) {
        fprintf(stderr, "cellar-bench: cannot remove %s: %s\n", path, strerror(errno));
    }
}

bool data_start(void) {
    struct statvfs space;

    snprintf(data_directory, sizeof data_directory, "%s/run-%ld", DATA_ROOT, (long)getpid());
    if ((mkdir("build", 0755) != 0 && errno != EEXIST) ||
        (mkdir(DATA_ROOT, 0755) != 0 && errno != EEXIST) || mkdir(data_directory, 0755) != 0) {
        fprintf(stderr, "cellar-bench: cannot make %s: %s\n", data_directory, strerror(errno));
        return false;
    }
    if (statvfs(data_directory, &space) == 0 &&
        (uint64_t)space.f_bavail * space.f_frsize < DATA_FREE_BYTES_MIN) {
        fprintf(stderr, "cellar-bench: less than 4 GiB free below %s\n", DATA_ROOT);
        data_end();
        return false;
    }
    return true;
}

void data_end(void) {
    data_remove(data_directory);
    /* Stays when another run is using it. */
    (void)rmdir(DATA_ROOT);
}

void data_path(char path_out[DATA_PATH_BYTES], const char *name) {
    snprintf(path_out, DATA_PATH_BYTES, "%s/%s", data_directory, name);
}

/* Reads the file to its end, or only asks for its size. */
static uint64_t file_bytes(const char *path, unsigned char *buffer) {
    struct stat status;

    if (buffer == NULL) {
        return stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
    }
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return 0;
    }
    uint64_t bytes = 0;
    ssize_t part = 0;
    while ((part = read(descriptor, buffer, READ_BYTES)) > 0) {
        bytes += (uint64_t)part;
    }
    close(descriptor);
    return bytes;
}

static int is_visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static uint64_t directory_bytes(const char *directory, unsigned char *buffer) {
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_visible, alphasort);
    uint64_t bytes = 0;

    for (int i = 0; i < count; i++) {
        char path[2 * DATA_PATH_BYTES];
        snprintf(path, sizeof path, "%s/%.200s", directory, entries[i]->d_name);
        bytes += file_bytes(path, buffer);
        free(entries[i]);
    }
    free(entries);
    return bytes;
}

uint64_t data_bytes(const char *directory) {
    return directory_bytes(directory, NULL);
}

uint64_t data_read(const char *directory) {
    unsigned char *buffer = malloc(READ_BYTES);
    uint64_t bytes = buffer != NULL ? directory_bytes(directory, buffer) : 0;

    free(buffer);
    return bytes;
}
