/* Inside tests/support/memory_io: the disk, its files and directories. */
#ifndef CELLAR_TESTS_SUPPORT_MEMORY_DISK_H
#define CELLAR_TESTS_SUPPORT_MEMORY_DISK_H

#include "support/memory_io.h"

#include <pthread.h>

#define NODES_MAX 4096
#define HANDLES_MAX 1024
#define NAME_MAX_BYTES 64
#define ROOT 0

struct entry {
    char name[NAME_MAX_BYTES];
    int node;
};

struct entries {
    struct entry *list;
    size_t count;
};

/* One unsynced change of a directory: `remove` goes if it still names the node (or `node` is -1),
 * then `add` names the node. Either may be empty. */
struct operation {
    char remove[NAME_MAX_BYTES];
    char add[NAME_MAX_BYTES];
    int node;
};

/* A file's bytes; capacity grows by doubling. */
struct content {
    unsigned char *data;
    uint64_t bytes;
    uint64_t allocated;
};

struct node {
    bool directory;
    /* A directory: */
    struct entries current;
    struct entries synced;
    struct operation *operations;
    size_t operation_count;
    /* A file: */
    struct content now;
    struct content disk;
    unsigned char *dirty; /* one byte a sector of now.allocated */
    bool size_dirty;
    bool freed;      /* no name and no handle any more; a power cut may bring it back */
    int lock_handle; /* -1: not locked */
};

struct handle {
    bool open;
    int node;
};

struct memory_disk {
    struct io io;
    pthread_mutex_t lock;
    pthread_cond_t released;
    struct node *nodes[NODES_MAX];
    int node_count;
    struct handle handles[HANDLES_MAX];
    uint64_t calls[16];
    unsigned fail_calls;
    int64_t fail_countdown; /* < 0: off */
    int fail_error;
    bool fail_for_good;
    bool fail_happened;
    int64_t die_countdown; /* < 0: off */
    bool die_before;       /* the call that it is has no effect */
    memory_watch_function *watch;
    void *watch_context;
    bool dead;
    uint64_t capacity;
    size_t short_max;
    bool interrupt_next;
    bool hold_syncs;
    bool hold_writes;
};

/* memory_disk.c. Ends the test program. */
_Noreturn void disk_abort(const char *what);
void *disk_grow(void *old, size_t bytes);

void disk_content_resize(struct content *content, uint64_t bytes);
void disk_content_copy(struct content *to, const struct content *from);
/* Copies one sector, or the part of it that `from` has, into `to`, which grows if it must. */
void disk_content_copy_sector(struct content *to, const struct content *from, uint64_t sector);
bool disk_content_sector_equal(const struct content *a, const struct content *b, uint64_t sector);
uint64_t disk_sectors(uint64_t bytes);

int disk_node_create(struct memory_disk *disk, bool directory);
void disk_node_resize(struct node *node, uint64_t bytes);
void disk_node_mark(struct node *node, uint64_t from, uint64_t to);
/* A file without a name and without a handle gives its space back. */
void disk_node_reap(struct memory_disk *disk, int number);

struct entry *disk_entries_find(const struct entries *entries, const char *name);
void disk_entries_copy(struct entries *to, const struct entries *from);
void disk_operation_apply(struct entries *entries, const struct operation *operation);
void disk_directory_change(struct node *directory, const char *remove, const char *add, int node);
/* The directory a path leads to, -1 when there is none; *name_out is its last component. */
int disk_path_parent(const struct memory_disk *disk, const char *path, char *name_out);
/* The file or directory at the path, -1 when there is none. */
int disk_path_node(const struct memory_disk *disk, const char *path);
/* Bytes in all files. */
uint64_t disk_used(const struct memory_disk *disk);

/* memory_io.c. A disk without faults and without even a root directory. */
struct memory_disk *disk_create_bare(void);

#endif
