/* The POSIX table of file functions, and the helpers that finish short transfers. */
#include "base/io.h"

#include "base/assert.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A transfer gives up after so many interruptions in a row without a byte moved; a host under a
 * storm of signals still gets an answer. */
#define INTERRUPTIONS_MAX 1000

#define FILE_MODE 0640
#define DIRECTORY_MODE 0750

int io_write_all(const struct io *io, int file, const void *buffer, size_t bytes, uint64_t offset) {
    const char *from = buffer;
    int interruptions = 0;

    while (bytes > 0) {
        ssize_t written = io->pwrite(io->context, file, from, bytes, offset);
        if (written == -EINTR) {
            if (++interruptions > INTERRUPTIONS_MAX) {
                return -EINTR;
            }
            continue;
        }
        if (written < 0) {
            return (int)written;
        }
        /* No progress and no reason: a further try would have no cause to fare better. */
        if (written == 0) {
            return -EIO;
        }
        ASSERT((size_t)written <= bytes);
        interruptions = 0;
        from += written;
        bytes -= (size_t)written;
        offset += (uint64_t)written;
    }
    return 0;
}

ssize_t io_read_all(const struct io *io, int file, void *buffer, size_t bytes, uint64_t offset) {
    char *into = buffer;
    size_t done = 0;
    int interruptions = 0;

    ASSERT(bytes <= SSIZE_MAX);
    while (done < bytes) {
        ssize_t count = io->pread(io->context, file, into + done, bytes - done, offset + done);
        if (count == -EINTR) {
            if (++interruptions > INTERRUPTIONS_MAX) {
                return -EINTR;
            }
            continue;
        }
        if (count < 0) {
            return count;
        }
        if (count == 0) {
            break;
        }
        ASSERT((size_t)count <= bytes - done);
        interruptions = 0;
        done += (size_t)count;
    }
    return (ssize_t)done;
}

static int status_of(int result) {
    return result >= 0 ? result : -errno;
}

static int posix_open(void *context, const char *path, int flags) {
    (void)context;
    return status_of(open(path, flags | O_CLOEXEC, FILE_MODE));
}

static int posix_close(void *context, int file) {
    struct flock whole_file = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

    (void)context;
    /* A lock belongs to the open file, which a forked child may still have: it would live on with
     * the child. Without a lock this does nothing. */
    (void)fcntl(file, F_OFD_SETLK, &whole_file);
    /* Linux has released the descriptor even when it reports an interruption; another thread may
     * own the number by now, so it counts as closed. */
    if (close(file) != 0 && errno != EINTR) {
        return -errno;
    }
    return 0;
}

static ssize_t posix_pread(void *context, int file, void *buffer, size_t bytes, uint64_t offset) {
    (void)context;
    ssize_t count = pread(file, buffer, bytes, (off_t)offset);
    return count >= 0 ? count : -errno;
}

static ssize_t posix_pwrite(void *context, int file, const void *buffer, size_t bytes,
                            uint64_t offset) {
    (void)context;
    ssize_t count = pwrite(file, buffer, bytes, (off_t)offset);
    return count >= 0 ? count : -errno;
}

static int posix_fdatasync(void *context, int file) {
    (void)context;
    return status_of(fdatasync(file));
}

static int posix_truncate(void *context, int file, uint64_t bytes) {
    (void)context;
    return status_of(ftruncate(file, (off_t)bytes));
}

static int64_t posix_size(void *context, int file) {
    struct stat status;

    (void)context;
    return fstat(file, &status) == 0 ? (int64_t)status.st_size : -errno;
}

static int posix_rename(void *context, const char *from, const char *to) {
    (void)context;
    return status_of(rename(from, to));
}

static int posix_unlink(void *context, const char *path) {
    (void)context;
    return status_of(unlink(path));
}

static int posix_make_directory(void *context, const char *path) {
    (void)context;
    return status_of(mkdir(path, DIRECTORY_MODE));
}

/* fsync, not fdatasync: a directory's entries are what has to last. */
static int posix_sync_directory(void *context, const char *path) {
    (void)context;
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        return -errno;
    }
    int status = status_of(fsync(directory));
    (void)close(directory);
    return status;
}

static int posix_list(void *context, const char *path,
                      int (*visit)(void *visitor, const char *name), void *visitor) {
    int status = 0;

    (void)context;
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return -errno;
    }
    while (status == 0) {
        /* readdir tells the end from an error only by errno. */
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL) {
            status = -errno;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        status = visit(visitor, entry->d_name);
    }
    (void)closedir(directory);
    return status;
}

/* A lock of the open file description, not of the process: a second open in the same process is
 * refused as well, and closing some other handle of the file does not drop it. */
static int posix_lock(void *context, int file) {
    struct flock whole_file = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    (void)context;
    if (fcntl(file, F_OFD_SETLK, &whole_file) == 0) {
        return 0;
    }
    /* POSIX allows either answer for a lock that is held. */
    return errno == EAGAIN || errno == EACCES ? -EWOULDBLOCK : -errno;
}

static int64_t posix_free_bytes(void *context, const char *path) {
    struct statvfs status;

    (void)context;
    if (statvfs(path, &status) != 0) {
        return -errno;
    }
    /* f_bavail leaves out what is reserved for root. */
    int64_t bytes;
    if (__builtin_mul_overflow(status.f_bavail, status.f_frsize, &bytes)) {
        return INT64_MAX;
    }
    return bytes;
}

const struct io io_posix = {
    .context = NULL,
    .open = posix_open,
    .close = posix_close,
    .pread = posix_pread,
    .pwrite = posix_pwrite,
    .fdatasync = posix_fdatasync,
    .truncate = posix_truncate,
    .size = posix_size,
    .rename = posix_rename,
    .unlink = posix_unlink,
    .make_directory = posix_make_directory,
    .sync_directory = posix_sync_directory,
    .list = posix_list,
    .lock = posix_lock,
    .free_bytes = posix_free_bytes,
};
