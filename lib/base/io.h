/* The table of file functions under all file I/O, so that tests can fail, tear, delay and reorder
 * every write.
 *
 * Every function returns >= 0, or -errno. None retries by itself, except that io_* helpers below
 * continue after short transfers and EINTR. `context` is the table's own. */
#ifndef CELLAR_BASE_IO_H
#define CELLAR_BASE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct io {
    void *context;
    /* `flags` as for open(2): O_RDONLY, O_RDWR, O_CREAT, O_EXCL. Returns a handle. O_CLOEXEC is
     * added. */
    int (*open)(void *context, const char *path, int flags);
    int (*close)(void *context, int file);
    ssize_t (*pread)(void *context, int file, void *buffer, size_t bytes, uint64_t offset);
    ssize_t (*pwrite)(void *context, int file, const void *buffer, size_t bytes, uint64_t offset);
    int (*fdatasync)(void *context, int file);
    int (*truncate)(void *context, int file, uint64_t bytes);
    int64_t (*size)(void *context, int file);
    int (*rename)(void *context, const char *from, const char *to);
    int (*unlink)(void *context, const char *path);
    int (*make_directory)(void *context, const char *path);
    int (*sync_directory)(void *context, const char *path);
    /* Calls visit for every entry but "." and ".."; stops early when visit returns non-zero and
     * returns that. */
    int (*list)(void *context, const char *path, int (*visit)(void *visitor, const char *name),
                void *visitor);
    /* Exclusive lock on an open file, owned by the handle, gone when it is closed. -EWOULDBLOCK
     * when another holds it. */
    int (*lock)(void *context, int file);
    /* Bytes a file in this directory may still take. */
    int64_t (*free_bytes)(void *context, const char *path);
};

/* The real thing. */
extern const struct io io_posix;

/* Writes all of it: continues after short writes and EINTR; a write of 0 bytes is -EIO, and so many
 * EINTR in a row that nothing moves are -EINTR. 0, or -errno. */
int io_write_all(const struct io *io, int file, const void *buffer, size_t bytes, uint64_t offset);
/* Reads up to `bytes`, fewer only at the end of the file. Bytes read, or -errno. */
ssize_t io_read_all(const struct io *io, int file, void *buffer, size_t bytes, uint64_t offset);

#endif
