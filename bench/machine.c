#include "machine.h"

#include "data.h"

#include <limits.h>
#include <mntent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* The first line "key : value" of /proc/cpuinfo; not every machine has one. */
static void look_at_processor(struct machine *machine) {
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[256];

    snprintf(machine->processor, sizeof machine->processor, "unknown processor");
    if (file == NULL) {
        return;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        char *value = strchr(line, ':');
        if (value != NULL && strncmp(line, "model name", strlen("model name")) == 0) {
            value += strspn(value, ": \t");
            value[strcspn(value, "\n")] = '\0';
            snprintf(machine->processor, sizeof machine->processor, "%.100s", value);
            break;
        }
    }
    fclose(file);
}

/* The mount with the longest path above the data directory. */
static void look_at_file_system(struct machine *machine) {
    char here[PATH_MAX];
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    size_t longest = 0;

    snprintf(machine->file_system, sizeof machine->file_system, "unknown file system");
    if (mounts == NULL || realpath(DATA_ROOT, here) == NULL) {
        if (mounts != NULL) {
            endmntent(mounts);
        }
        return;
    }
    for (const struct mntent *mount = getmntent(mounts); mount != NULL; mount = getmntent(mounts)) {
        size_t bytes = strlen(mount->mnt_dir);
        bool above = strncmp(here, mount->mnt_dir, bytes) == 0 &&
                     (bytes == 1 || here[bytes] == '/' || here[bytes] == '\0');
        if (above && bytes >= longest) {
            longest = bytes;
            snprintf(machine->file_system, sizeof machine->file_system, "%.60s (%.100s)",
                     mount->mnt_type, mount->mnt_fsname);
        }
    }
    endmntent(mounts);
}

void machine_look(struct machine *machine) {
    struct utsname name;
    cpu_set_t set;

    memset(machine, 0, sizeof *machine);
    look_at_processor(machine);
    look_at_file_system(machine);
    machine->cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                                 : sysconf(_SC_NPROCESSORS_ONLN);
    machine->memory_bytes = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (uname(&name) == 0) {
        snprintf(machine->kernel, sizeof machine->kernel, "%.60s %.60s %.60s", name.sysname,
                 name.release, name.machine);
    }
    machine->compiler = COMPILER;
    if (getloadavg(&machine->load, 1) != 1) {
        machine->load = 0.0;
    }
}

void machine_touch_memory(size_t bytes) {
    void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) {
        return;
    }
    (void)madvise(start, bytes, MADV_HUGEPAGE);
    memset(start, 1, bytes);
    munmap(start, bytes);
}
