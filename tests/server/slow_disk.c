/* Put before a server by LD_PRELOAD: makes fdatasync() slow, or slow and then fail, as the file
 * named by SLOW_DISK says at that moment ('s' or 'f' as its first byte; else it is as ever). Are
 * answers held back until the disk has them, and is nothing else held back with them? */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SLOW_NS 300000000

static int slow_disk_mode(void) {
    const char *path = getenv("SLOW_DISK");
    FILE *file = path == NULL ? NULL : fopen(path, "re");
    int mode = 0;
    if (file != NULL) {
        mode = fgetc(file);
        (void)fclose(file);
    }
    return mode;
}

int fdatasync(int fd) {
    const struct timespec pause = {.tv_nsec = SLOW_NS};
    int mode = slow_disk_mode();
    if (mode == 's' || mode == 'f') {
        (void)nanosleep(&pause, NULL);
    }
    if (mode == 'f') {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}
