/* The table of file functions and the wrapped allocation functions, with faults. */
#include "gate/fault/inject.h"

#include "base/atomic.h"
#include "base/memory.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PLACES_MAX 512
#define SHORT_BYTES 100

/* A place that calls, by its return address. Shared by all processes. */
struct place {
    _Atomic uintptr_t address;
    _Atomic uint64_t calls;
    _Atomic uint64_t failed;
    _Atomic uint32_t memory;
    _Atomic uint32_t most[INJECT_STORIES_MAX]; /* calls of a run */
};

static struct place *places;
static struct inject_plan plan;
static uint32_t story;
static _Atomic uint32_t run_calls[PLACES_MAX];
static _Atomic int64_t countdown;
static _Atomic uint32_t armed;
static _Atomic uint32_t happened;
static _Atomic int64_t open_files;
static const struct io *real;
/* Where io_write_all() or io_read_all() was called from, while one of them runs. */
static _Thread_local uintptr_t helper;

extern char executable_start __asm__("__executable_start");

void inject_create(void) {
    places = mmap(NULL, PLACES_MAX * sizeof *places, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (places == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
}

void inject_arm(const struct inject_plan *wanted, uint32_t wanted_story) {
    plan = *wanted;
    story = wanted_story;
    for (size_t i = 0; i < PLACES_MAX; i++) {
        ATOMIC_STORE(&run_calls[i], 0, relaxed);
    }
    ATOMIC_STORE(&countdown, wanted->at, seq_cst);
    ATOMIC_STORE(&happened, 0, seq_cst);
    ATOMIC_STORE(&armed, 1, seq_cst);
}

void inject_disarm(void) {
    ATOMIC_STORE(&armed, 0, seq_cst);
    for (size_t i = 0; i < inject_places(); i++) {
        uint32_t calls = ATOMIC_LOAD(&run_calls[i], relaxed);
        uint32_t most = ATOMIC_LOAD(&places[i].most[story], relaxed);
        while (calls > most &&
               !ATOMIC_CAS(&places[i].most[story], &most, calls, relaxed, relaxed)) {
        }
    }
}

bool inject_happened(void) {
    return ATOMIC_LOAD(&happened, seq_cst) != 0;
}

static struct place *place_find(uintptr_t address, bool memory) {
    for (size_t i = 0; i < PLACES_MAX; i++) {
        uintptr_t found = ATOMIC_LOAD(&places[i].address, seq_cst);
        if (found == 0 && ATOMIC_CAS(&places[i].address, &found, address, seq_cst, seq_cst)) {
            found = address;
        }
        if (found == address) {
            ATOMIC_STORE(&places[i].memory, memory, seq_cst);
            return &places[i];
        }
    }
    (void)fprintf(stderr, "inject: too many places\n");
    abort();
}

/* Is this call, to which the plan applies when `applies`, to fail? */
static bool inject_now(uintptr_t address, bool memory, bool applies) {
    /* During the scenario only: what the test itself does is no place of the library's. */
    if (ATOMIC_LOAD(&armed, seq_cst) == 0) {
        return false;
    }
    struct place *place = place_find(address, memory);
    ATOMIC_ADD(&place->calls, 1, seq_cst);
    ATOMIC_ADD(&run_calls[place - places], 1, relaxed);
    bool follows = plan.kind == INJECT_PLACE && plan.for_good && inject_happened();
    if (plan.kind == INJECT_PLACE ? !follows && place != &places[plan.place] : !applies) {
        return false;
    }
    int64_t left = ATOMIC_SUB(&countdown, 1, seq_cst);
    if (left > 0 || (left < 0 && !plan.for_good)) {
        return false;
    }
    ATOMIC_ADD(&place->failed, 1, seq_cst);
    ATOMIC_STORE(&happened, 1, seq_cst);
    return true;
}

static bool inject_file(uintptr_t address, bool needs_space) {
    return inject_now(helper != 0 ? helper : address, false,
                      plan.kind == INJECT_ERROR || (plan.kind == INJECT_FULL && needs_space));
}

static int inject_error(void) {
    return plan.kind == INJECT_FULL ? -ENOSPC : -plan.error;
}

#define CALLER ((uintptr_t)__builtin_return_address(0))

/* ---- The table ---- */

static int inject_open(void *context, const char *path, int flags) {
    (void)context;
    if (inject_file(CALLER, (flags & O_CREAT) != 0)) {
        return inject_error();
    }
    int file = real->open(real->context, path, flags);
    ATOMIC_ADD(&open_files, file >= 0, seq_cst);
    return file;
}

/* Closes even when it fails. */
static int inject_close(void *context, int file) {
    (void)context;
    bool fails = inject_file(CALLER, false);
    int result = real->close(real->context, file);
    ATOMIC_SUB(&open_files, 1, seq_cst);
    return fails ? inject_error() : result;
}

/* How many bytes a transfer may move; -errno; `bytes` when nothing is to be done to it. */
static int64_t inject_transfer(uintptr_t address, bool write, size_t bytes) {
    enum inject_kind kind = plan.kind;
    bool applies = kind == INJECT_ERROR || kind == INJECT_SHORT || kind == INJECT_INTERRUPT ||
                   (write && (kind == INJECT_FULL || kind == INJECT_EMPTY));

    if (!inject_now(helper != 0 ? helper : address, false, applies)) {
        return (int64_t)bytes;
    }
    switch (kind) {
    case INJECT_SHORT:
        return bytes < SHORT_BYTES ? (int64_t)(bytes + 1) / 2 : SHORT_BYTES;
    case INJECT_INTERRUPT:
        return -EINTR;
    case INJECT_EMPTY:
        return 0;
    default:
        return inject_error();
    }
}

static ssize_t inject_pread(void *context, int file, void *buffer, size_t bytes, uint64_t offset) {
    (void)context;
    int64_t moved = inject_transfer(CALLER, false, bytes);
    return moved < 0 ? moved : real->pread(real->context, file, buffer, (size_t)moved, offset);
}

static ssize_t inject_pwrite(void *context, int file, const void *buffer, size_t bytes,
                             uint64_t offset) {
    (void)context;
    int64_t moved = inject_transfer(CALLER, true, bytes);
    return moved <= 0 ? moved : real->pwrite(real->context, file, buffer, (size_t)moved, offset);
}

static int inject_fdatasync(void *context, int file) {
    (void)context;
    return inject_file(CALLER, true) ? inject_error() : real->fdatasync(real->context, file);
}

static int inject_truncate(void *context, int file, uint64_t bytes) {
    (void)context;
    return inject_file(CALLER, true) ? inject_error() : real->truncate(real->context, file, bytes);
}

static int64_t inject_size(void *context, int file) {
    (void)context;
    return inject_file(CALLER, false) ? inject_error() : real->size(real->context, file);
}

static int inject_rename(void *context, const char *from, const char *to) {
    (void)context;
    return inject_file(CALLER, true) ? inject_error() : real->rename(real->context, from, to);
}

static int inject_unlink(void *context, const char *path) {
    (void)context;
    return inject_file(CALLER, false) ? inject_error() : real->unlink(real->context, path);
}

static int inject_make_directory(void *context, const char *path) {
    (void)context;
    return inject_file(CALLER, true) ? inject_error() : real->make_directory(real->context, path);
}

static int inject_sync_directory(void *context, const char *path) {
    (void)context;
    return inject_file(CALLER, true) ? inject_error() : real->sync_directory(real->context, path);
}

static int inject_list(void *context, const char *path,
                       int (*visit)(void *visitor, const char *name), void *visitor) {
    (void)context;
    return inject_file(CALLER, false) ? inject_error()
                                      : real->list(real->context, path, visit, visitor);
}

static int inject_lock(void *context, int file) {
    (void)context;
    return inject_file(CALLER, false) ? inject_error() : real->lock(real->context, file);
}

static int64_t inject_free_bytes(void *context, const char *path) {
    (void)context;
    return inject_file(CALLER, false) ? inject_error() : real->free_bytes(real->context, path);
}

const struct io *inject_io(struct memory_disk *disk) {
    static const struct io faulty = {
        .open = inject_open,
        .close = inject_close,
        .pread = inject_pread,
        .pwrite = inject_pwrite,
        .fdatasync = inject_fdatasync,
        .truncate = inject_truncate,
        .size = inject_size,
        .rename = inject_rename,
        .unlink = inject_unlink,
        .make_directory = inject_make_directory,
        .sync_directory = inject_sync_directory,
        .list = inject_list,
        .lock = inject_lock,
        .free_bytes = inject_free_bytes,
    };

    real = memory_disk_io(disk);
    ATOMIC_STORE(&open_files, 0, seq_cst);
    return &faulty;
}

int64_t inject_open_files(void) {
    return ATOMIC_LOAD(&open_files, seq_cst);
}

/* ---- What the linker leads here ---- */

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names. */

#define WRAP(result, name, parameters, arguments, failure)                                         \
    result __real_##name parameters;                                                               \
    result __wrap_##name parameters;                                                               \
    result __wrap_##name parameters {                                                              \
        if (inject_now(CALLER, true, plan.kind == INJECT_MEMORY)) {                                \
            return failure;                                                                        \
        }                                                                                          \
        return __real_##name arguments;                                                            \
    }

WRAP(struct memory *, memory_create, (void), (), NULL)
WRAP(void *, memory_allocate, (struct memory * memory, enum memory_kind kind, size_t bytes),
     (memory, kind, bytes), NULL)
WRAP(void *, memory_allocate_zeroed, (struct memory * memory, enum memory_kind kind, size_t bytes),
     (memory, kind, bytes), NULL)
WRAP(void *, memory_allocate_aligned,
     (struct memory * memory, enum memory_kind kind, size_t alignment, size_t bytes),
     (memory, kind, alignment, bytes), NULL)
WRAP(void *, memory_map_lazy, (size_t bytes), (bytes), NULL)
WRAP(void *, memory_map_reserve, (size_t bytes), (bytes), NULL)
WRAP(int, memory_map_enable, (void *start, size_t bytes), (start, bytes), -1)
WRAP(void *, memory_map_twice, (size_t bytes), (bytes), NULL)
WRAP(void *, memory_map_fork_guard, (void), (), NULL)
WRAP(bool, thread_start,
     (pthread_t * thread, const char *name, void *(*run)(void *argument), void *argument),
     (thread, name, run, argument), false)

int __real_io_write_all(const struct io *io, int file, const void *buffer, size_t bytes,
                        uint64_t offset);
int __wrap_io_write_all(const struct io *io, int file, const void *buffer, size_t bytes,
                        uint64_t offset);
ssize_t __real_io_read_all(const struct io *io, int file, void *buffer, size_t bytes,
                           uint64_t offset);
ssize_t __wrap_io_read_all(const struct io *io, int file, void *buffer, size_t bytes,
                           uint64_t offset);

int __wrap_io_write_all(const struct io *io, int file, const void *buffer, size_t bytes,
                        uint64_t offset) {
    helper = CALLER;
    int result = __real_io_write_all(io, file, buffer, bytes, offset);
    helper = 0;
    return result;
}

ssize_t __wrap_io_read_all(const struct io *io, int file, void *buffer, size_t bytes,
                           uint64_t offset) {
    helper = CALLER;
    ssize_t result = __real_io_read_all(io, file, buffer, bytes, offset);
    helper = 0;
    return result;
}

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

size_t inject_places(void) {
    size_t count = 0;

    while (count < PLACES_MAX && ATOMIC_LOAD(&places[count].address, seq_cst) != 0) {
        count++;
    }
    return count;
}

uint32_t inject_most_calls(size_t place, uint32_t of_story) {
    return ATOMIC_LOAD(&places[place].most[of_story], relaxed);
}

size_t inject_write_places(const char *path) {
    FILE *file = fopen(path, "w");
    size_t count = inject_places();

    if (file == NULL) {
        perror(path);
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        const struct place *place = &places[i];
        /* Inside the call instruction, not behind it, where the next line may begin. */
        uintptr_t offset = place->address - (uintptr_t)&executable_start - 1;
        (void)fprintf(file, "%s 0x%" PRIxPTR " %" PRIu64 " %" PRIu64 "\n",
                      place->memory != 0 ? "memory" : "io", offset, place->calls, place->failed);
    }
    (void)fclose(file);
    return count;
}
