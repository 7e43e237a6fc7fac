/* Numbers, workers and saved images for the programs in tests/gate/. */
#include "support/gate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS_MAX 64
#define NOTES "notes"
#define PIECE_BYTES 4096

uint64_t gate_number(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);

    return text != NULL && text[0] != '\0' ? strtoull(text, NULL, 0) : otherwise;
}

uint32_t gate_workers(void) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t workers = gate_number("WORKERS", processors > 0 ? (uint64_t)processors : 1);

    return workers == 0 ? 1 : workers > WORKERS_MAX ? WORKERS_MAX : (uint32_t)workers;
}

bool gate_run(uint32_t workers, bool (*work)(const struct gate_part *part),
              uint64_t counters[GATE_COUNTERS_MAX]) {
    size_t bytes = (size_t)workers * GATE_COUNTERS_MAX * sizeof *counters;
    pid_t children[WORKERS_MAX];
    bool right = true;

    uint64_t *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        return false;
    }
    (void)fflush(NULL);
    for (uint32_t i = 0; i < workers; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            struct gate_part part = {i, workers, shared + (size_t)i * GATE_COUNTERS_MAX};
            (void)setvbuf(stdout, NULL, _IOLBF, 0);
            bool fine = work(&part);
            (void)fflush(NULL);
            _exit(fine ? 0 : 1);
        }
    }
    memset(counters, 0, GATE_COUNTERS_MAX * sizeof *counters);
    for (uint32_t i = 0; i < workers; i++) {
        int status = -1;
        if (children[i] < 0 || waitpid(children[i], &status, 0) < 0 || status != 0) {
            (void)printf("# worker %u: wait status %d\n", i, status);
            right = false;
        }
        for (uint32_t k = 0; k < GATE_COUNTERS_MAX; k++) {
            counters[k] += shared[(size_t)i * GATE_COUNTERS_MAX + k];
        }
    }
    (void)munmap(shared, bytes);
    return right;
}

/* ---- Images as files ---- */

_Noreturn static void gate_give_up(const char *path) {
    (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
    exit(2);
}

static FILE *gate_open(const char *directory, const char *name, const char *mode) {
    char path[GATE_PATH_BYTES + 80];

    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, mode);
    if (file == NULL) {
        gate_give_up(path);
    }
    return file;
}

static void gate_save_file(struct memory_disk *disk, const char *from, const char *to,
                           const char *name) {
    unsigned char piece[PIECE_BYTES];
    char path[GATE_PATH_BYTES];

    (void)snprintf(path, sizeof path, "%s/%s", from, name);
    int64_t bytes = memory_disk_file_bytes(disk, path);
    FILE *file = gate_open(to, name, "w");
    for (int64_t at = 0; at < bytes; at += PIECE_BYTES) {
        size_t part = (size_t)(bytes - at < PIECE_BYTES ? bytes - at : PIECE_BYTES);
        memory_disk_peek(disk, path, (uint64_t)at, piece, part);
        (void)fwrite(piece, 1, part, file);
    }
    (void)fclose(file);
}

void gate_save(struct memory_disk *disk, const char *directory, const void *notes,
               size_t notes_bytes, char path[GATE_PATH_BYTES]) {
    const char *root = getenv("TMPDIR");
    char name[64];

    (void)snprintf(path, GATE_PATH_BYTES, "%s/image-XXXXXX", root != NULL ? root : "build");
    if (mkdtemp(path) == NULL) {
        gate_give_up(path);
    }
    for (uint64_t i = 0; memory_disk_entry(disk, directory, i, name); i++) {
        gate_save_file(disk, directory, path, name);
    }
    if (notes != NULL) {
        FILE *file = gate_open(path, NOTES, "w");
        (void)fwrite(notes, 1, notes_bytes, file);
        (void)fclose(file);
    }
}

static void gate_load_file(struct memory_disk *disk, const char *from, const char *to,
                           const char *name) {
    const struct io *io = memory_disk_io(disk);
    unsigned char piece[PIECE_BYTES];
    char path[GATE_PATH_BYTES];
    uint64_t at = 0;
    size_t got;

    (void)snprintf(path, sizeof path, "%s/%s", to, name);
    int handle = io->open(io->context, path, O_RDWR | O_CREAT);
    FILE *file = gate_open(from, name, "r");
    while ((got = fread(piece, 1, sizeof piece, file)) > 0) {
        (void)io_write_all(io, handle, piece, got, at);
        at += got;
    }
    (void)fclose(file);
    (void)io->fdatasync(io->context, handle);
    (void)io->close(io->context, handle);
}

struct memory_disk *gate_load(const char *path, const char *directory, void *notes,
                              size_t notes_bytes) {
    struct memory_disk *disk = memory_disk_create();
    const struct io *io = memory_disk_io(disk);
    const struct dirent *entry;

    DIR *listing = opendir(path);
    if (listing == NULL) {
        gate_give_up(path);
    }
    (void)io->make_directory(io->context, directory);
    (void)io->sync_directory(io->context, "/");
    while ((entry = readdir(listing)) != NULL) {
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, NOTES) != 0) {
            gate_load_file(disk, path, directory, entry->d_name);
        }
    }
    (void)closedir(listing);
    (void)io->sync_directory(io->context, directory);
    FILE *file = gate_open(path, NOTES, "r");
    if (fread(notes, 1, notes_bytes, file) != notes_bytes) {
        gate_give_up(path);
    }
    (void)fclose(file);
    return disk;
}
