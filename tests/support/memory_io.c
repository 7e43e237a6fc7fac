/* The table of file functions over the disk in memory. One mutex over everything; speed is not its
 * purpose. */
#include "support/memory_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* ---- Faults ---- */

/* Is this changing call the one at which the power is cut? */
static bool call_dies(struct memory_disk *disk, enum memory_call call) {
    bool dies =
        (MEMORY_CHANGING & call) != 0 && disk->die_countdown >= 0 && disk->die_countdown-- == 0;
    if (dies) {
        disk->dead = true;
        pthread_cond_broadcast(&disk->released);
    }
    return dies;
}

/* Begins a call, under the lock: 0, or the error it is to return. */
static int call_begin(struct memory_disk *disk, enum memory_call call) {
    pthread_mutex_lock(&disk->lock);
    disk->calls[__builtin_ctz(call)]++;
    while (call == MEMORY_PWRITE && disk->hold_writes && !disk->dead) {
        pthread_cond_wait(&disk->released, &disk->lock);
    }
    if (disk->dead) {
        return -EIO;
    }
    if (disk->watch != NULL && (MEMORY_CHANGING & call) != 0) {
        disk->watch(disk->watch_context, disk);
    }
    if (disk->die_before && call_dies(disk, call)) {
        return -EIO;
    }
    if ((disk->fail_calls & call) != 0 && disk->fail_countdown >= 0 &&
        disk->fail_countdown-- == 0) {
        disk->fail_happened = true;
        if (disk->fail_for_good) {
            disk->fail_countdown = 0;
        }
        return -disk->fail_error;
    }
    return 0;
}

/* Ends it: the result, unless the power has just been cut. */
static int64_t call_end(struct memory_disk *disk, enum memory_call call, int64_t result) {
    if (!disk->dead && !disk->die_before && call_dies(disk, call)) {
        result = -EIO;
    }
    pthread_mutex_unlock(&disk->lock);
    return result;
}

/* How much a transfer moves; -EINTR before every second one. */
static int64_t transfer_bytes(struct memory_disk *disk, size_t bytes) {
    if (disk->short_max == 0) {
        return (int64_t)bytes;
    }
    disk->interrupt_next = !disk->interrupt_next;
    if (disk->interrupt_next) {
        return -EINTR;
    }
    return (int64_t)(bytes < disk->short_max ? bytes : disk->short_max);
}

/* ---- The table ---- */

static struct node *handle_node(struct memory_disk *disk, int file) {
    if (file < 0 || file >= HANDLES_MAX || !disk->handles[file].open) {
        disk_abort("a handle that is not open was used");
    }
    return disk->nodes[disk->handles[file].node];
}

static int open_handle(struct memory_disk *disk, int node) {
    for (int i = 0; i < HANDLES_MAX; i++) {
        if (!disk->handles[i].open) {
            disk->handles[i] = (struct handle){.open = true, .node = node};
            return i;
        }
    }
    return -EMFILE;
}

static int open_path(struct memory_disk *disk, const char *path, int flags) {
    char name[NAME_MAX_BYTES];
    int parent = disk_path_parent(disk, path, name);

    if (parent < 0) {
        return -ENOENT;
    }
    const struct entry *entry = disk_entries_find(&disk->nodes[parent]->current, name);
    if (entry != NULL) {
        if ((flags & O_EXCL) != 0) {
            return -EEXIST;
        }
        return disk->nodes[entry->node]->directory ? -EISDIR : open_handle(disk, entry->node);
    }
    if ((flags & O_CREAT) == 0) {
        return -ENOENT;
    }
    int node = disk_node_create(disk, false);
    disk_directory_change(disk->nodes[parent], "", name, node);
    return open_handle(disk, node);
}

static int memory_open(void *context, const char *path, int flags) {
    struct memory_disk *disk = context;
    int64_t result = call_begin(disk, MEMORY_OPEN);

    if (result == 0) {
        result = open_path(disk, path, flags);
        if (!disk->die_before && disk->die_countdown == 0 && result >= 0) {
            disk->handles[result].open = false;
        }
    }
    return (int)call_end(disk, MEMORY_OPEN, result);
}

static int memory_close(void *context, int file) {
    struct memory_disk *disk = context;
    int64_t result = call_begin(disk, MEMORY_CLOSE);
    struct node *node = handle_node(disk, file);

    if (node->lock_handle == file) {
        node->lock_handle = -1;
    }
    disk->handles[file].open = false;
    disk_node_reap(disk, disk->handles[file].node);
    return (int)call_end(disk, MEMORY_CLOSE, result);
}

static ssize_t memory_pread(void *context, int file, void *buffer, size_t bytes, uint64_t offset) {
    struct memory_disk *disk = context;
    int64_t result = call_begin(disk, MEMORY_PREAD);
    const struct node *node = handle_node(disk, file);

    if (result == 0) {
        result = transfer_bytes(disk, bytes);
    }
    if (result > 0) {
        uint64_t left = offset < node->now.bytes ? node->now.bytes - offset : 0;
        if ((uint64_t)result > left) {
            result = (int64_t)left;
        }
        if (result > 0) {
            memcpy(buffer, node->now.data + offset, (size_t)result);
        }
    }
    return (ssize_t)call_end(disk, MEMORY_PREAD, result);
}

static ssize_t memory_pwrite(void *context, int file, const void *buffer, size_t bytes,
                             uint64_t offset) {
    struct memory_disk *disk = context;
    int64_t result = call_begin(disk, MEMORY_PWRITE);
    struct node *node = handle_node(disk, file);

    if (result == 0) {
        result = transfer_bytes(disk, bytes);
    }
    if (result > 0 && offset + (uint64_t)result > node->now.bytes) {
        uint64_t used = disk_used(disk) - node->now.bytes;
        uint64_t room = disk->capacity > used ? disk->capacity - used : 0;
        if (offset + (uint64_t)result > room) {
            uint64_t end = room > node->now.bytes ? room : node->now.bytes;
            result = end > offset ? (int64_t)(end - offset) : -ENOSPC;
        }
    }
    if (result > 0) {
        uint64_t end = offset + (uint64_t)result;
        if (end > node->now.bytes) {
            uint64_t before = node->now.bytes;
            disk_node_resize(node, end);
            disk_node_mark(node, before < offset ? before : offset, end);
            node->size_dirty = true;
        }
        memcpy(node->now.data + offset, buffer, (size_t)result);
        disk_node_mark(node, offset, end);
    }
    return (ssize_t)call_end(disk, MEMORY_PWRITE, result);
}

static void node_sync(struct node *node) {
    if (node->size_dirty) {
        disk_content_resize(&node->disk, node->now.bytes);
    }
    for (uint64_t sector = 0; sector < disk_sectors(node->now.bytes); sector++) {
        if (node->dirty[sector] != 0) {
            disk_content_copy_sector(&node->disk, &node->now, sector);
        }
    }
}

static int memory_fdatasync(void *context, int file) {
    struct memory_disk *disk = context;
    int64_t result = call_begin(disk, MEMORY_FDATASYNC);
    struct node *node = handle_node(disk, file);

    while (result == 0 && disk->hold_syncs && !disk->dead) {
        pthread_cond_wait(&disk->released, &disk->lock);
    }
    if (disk->dead) {
        result = -EIO;
    }
    if (result == 0) {
        node_sync(node);
    }
    /* Also after a failure: the pages count as clean then, though they are not on disk. */
    if (!disk->dead) {
        node->size_dirty = false;
        if (node->dirty != NULL) {
            memset(node->dirty, 0, disk_sectors(node->now.allocated));
        }
    }
    return (int)call_end(disk, MEMORY_FDATASYNC, result);
}

static int memory_truncate(void *context, int file, uint64_t bytes) {
    struct memory_disk *disk = context;
    int64_t result = call_begin(disk, MEMORY_TRUNCATE);
    struct node *node = handle_node(disk, file);

    if (result == 0 && bytes != node->now.bytes) {
        uint64_t before = node->now.bytes;
        disk_node_resize(node, bytes);
        node->size_dirty = true;
        if (bytes > before) {
            disk_node_mark(node, before, bytes);
        }
    }
    return (int)call_end(disk, MEMORY_TRUNCATE, result);
}

static int64_t memory_size(void *context, int file) {
    struct memory_disk *disk = context;
    int64_t result = call_begin(disk, MEMORY_SIZE);
    const struct node *node = handle_node(disk, file);

    if (result == 0) {
        result = (int64_t)node->now.bytes;
    }
    return call_end(disk, MEMORY_SIZE, result);
}

static int memory_rename(void *context, const char *from, const char *to) {
    struct memory_disk *disk = context;
    int64_t result = call_begin(disk, MEMORY_RENAME);
    char from_name[NAME_MAX_BYTES];
    char to_name[NAME_MAX_BYTES];

    if (result == 0) {
        int parent = disk_path_parent(disk, from, from_name);
        int node = disk_path_node(disk, from);
        int replaced = disk_path_node(disk, to);
        if (node < 0 || disk_path_parent(disk, to, to_name) != parent) {
            result = -ENOENT;
        } else {
            disk_directory_change(disk->nodes[parent], from_name, to_name, node);
            if (replaced >= 0) {
                disk_node_reap(disk, replaced);
            }
        }
    }
    return (int)call_end(disk, MEMORY_RENAME, result);
}

static int memory_unlink(void *context, const char *path) {
    struct memory_disk *disk = context;
    int64_t result = call_begin(disk, MEMORY_UNLINK);
    char name[NAME_MAX_BYTES];

    if (result == 0) {
        int parent = disk_path_parent(disk, path, name);
        int node = disk_path_node(disk, path);
        if (node < 0) {
            result = -ENOENT;
        } else {
            disk_directory_change(disk->nodes[parent], name, "", node);
            disk_node_reap(disk, node);
        }
    }
    return (int)call_end(disk, MEMORY_UNLINK, result);
}

static int memory_make_directory(void *context, const char *path) {
    struct memory_disk *disk = context;
    int64_t result = call_begin(disk, MEMORY_MAKE_DIRECTORY);
    char name[NAME_MAX_BYTES];

    if (result == 0) {
        int parent = disk_path_parent(disk, path, name);
        if (parent < 0) {
            result = -ENOENT;
        } else if (disk_path_node(disk, path) >= 0) {
            result = -EEXIST;
        } else {
            disk_directory_change(disk->nodes[parent], "", name, disk_node_create(disk, true));
        }
    }
    return (int)call_end(disk, MEMORY_MAKE_DIRECTORY, result);
}

static int memory_sync_directory(void *context, const char *path) {
    struct memory_disk *disk = context;
    int64_t result = call_begin(disk, MEMORY_SYNC_DIRECTORY);

    if (result == 0) {
        int number = disk_path_node(disk, path);
        if (number < 0 || !disk->nodes[number]->directory) {
            result = -ENOENT;
        } else {
            struct node *node = disk->nodes[number];
            disk_entries_copy(&node->synced, &node->current);
            node->operation_count = 0;
        }
    }
    return (int)call_end(disk, MEMORY_SYNC_DIRECTORY, result);
}

static int memory_list(void *context, const char *path,
                       int (*visit)(void *visitor, const char *name), void *visitor) {
    struct memory_disk *disk = context;
    int64_t result = call_begin(disk, MEMORY_LIST);
    struct entries entries = {0};

    if (result == 0) {
        int node = disk_path_node(disk, path);
        if (node < 0 || !disk->nodes[node]->directory) {
            result = -ENOENT;
        } else {
            disk_entries_copy(&entries, &disk->nodes[node]->current);
        }
    }
    result = call_end(disk, MEMORY_LIST, result);
    for (size_t i = 0; i < entries.count && result == 0; i++) {
        result = visit(visitor, entries.list[i].name);
    }
    free(entries.list);
    return (int)result;
}

static int memory_lock(void *context, int file) {
    struct memory_disk *disk = context;
    int64_t result = call_begin(disk, MEMORY_LOCK);
    struct node *node = handle_node(disk, file);

    if (result == 0) {
        if (node->lock_handle >= 0 && node->lock_handle != file) {
            result = -EWOULDBLOCK;
        } else {
            node->lock_handle = file;
        }
    }
    return (int)call_end(disk, MEMORY_LOCK, result);
}

static int64_t memory_free_bytes(void *context, const char *path) {
    struct memory_disk *disk = context;
    int64_t result = call_begin(disk, MEMORY_FREE_BYTES);

    (void)path;
    if (result == 0) {
        uint64_t used = disk_used(disk);
        uint64_t left = disk->capacity > used ? disk->capacity - used : 0;
        result = left > INT64_MAX ? INT64_MAX : (int64_t)left;
    }
    return call_end(disk, MEMORY_FREE_BYTES, result);
}

/* ---- Making and forgetting ---- */

struct memory_disk *disk_create_bare(void) {
    struct memory_disk *disk = calloc(1, sizeof *disk);

    if (disk == NULL) {
        disk_abort("no memory");
    }
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    /* Recursive, because a watcher is called under the lock and looks at the disk. */
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&disk->lock, &kind);
    pthread_mutexattr_destroy(&kind);
    pthread_cond_init(&disk->released, NULL);
    disk->fail_countdown = -1;
    disk->die_countdown = -1;
    disk->capacity = UINT64_MAX;
    disk->io = (struct io){
        .context = disk,
        .open = memory_open,
        .close = memory_close,
        .pread = memory_pread,
        .pwrite = memory_pwrite,
        .fdatasync = memory_fdatasync,
        .truncate = memory_truncate,
        .size = memory_size,
        .rename = memory_rename,
        .unlink = memory_unlink,
        .make_directory = memory_make_directory,
        .sync_directory = memory_sync_directory,
        .list = memory_list,
        .lock = memory_lock,
        .free_bytes = memory_free_bytes,
    };
    return disk;
}

struct memory_disk *memory_disk_create(void) {
    struct memory_disk *disk = disk_create_bare();

    (void)disk_node_create(disk, true);
    return disk;
}

void memory_disk_destroy(struct memory_disk *disk) {
    for (int i = 0; i < disk->node_count; i++) {
        struct node *node = disk->nodes[i];
        free(node->current.list);
        free(node->synced.list);
        free(node->operations);
        free(node->now.data);
        free(node->disk.data);
        free(node->dirty);
        free(node);
    }
    pthread_cond_destroy(&disk->released);
    pthread_mutex_destroy(&disk->lock);
    free(disk);
}

const struct io *memory_disk_io(struct memory_disk *disk) {
    return &disk->io;
}
