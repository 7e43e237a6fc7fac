/* Files and directories of the disk in memory: what they hold now, and what of it is on disk. */
#include "support/memory_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void disk_abort(const char *what) {
    (void)fprintf(stderr, "memory_io: %s\n", what);
    abort();
}

void *disk_grow(void *old, size_t bytes) {
    void *memory = realloc(old, bytes != 0 ? bytes : 1);

    if (memory == NULL) {
        disk_abort("no memory");
    }
    return memory;
}

/* ---- Contents ---- */

void disk_content_resize(struct content *content, uint64_t bytes) {
    if (bytes > content->allocated) {
        uint64_t allocated = content->allocated != 0 ? content->allocated : 4096;
        while (allocated < bytes) {
            allocated *= 2;
        }
        content->data = disk_grow(content->data, allocated);
        content->allocated = allocated;
    }
    if (bytes > content->bytes) {
        memset(content->data + content->bytes, 0, bytes - content->bytes);
    }
    content->bytes = bytes;
}

void disk_content_copy(struct content *to, const struct content *from) {
    disk_content_resize(to, from->bytes);
    if (from->bytes != 0) {
        memcpy(to->data, from->data, from->bytes);
    }
}

/* Copies one sector, or the part of it that `from` has, into `to`, which grows if it must. */
void disk_content_copy_sector(struct content *to, const struct content *from, uint64_t sector) {
    uint64_t start = sector * MEMORY_IO_SECTOR_BYTES;

    if (start >= from->bytes) {
        return;
    }
    uint64_t bytes = from->bytes - start;
    if (bytes > MEMORY_IO_SECTOR_BYTES) {
        bytes = MEMORY_IO_SECTOR_BYTES;
    }
    if (to->bytes < start + bytes) {
        disk_content_resize(to, start + bytes);
    }
    memcpy(to->data + start, from->data + start, bytes);
}

bool disk_content_sector_equal(const struct content *a, const struct content *b, uint64_t sector) {
    for (uint64_t i = 0; i < MEMORY_IO_SECTOR_BYTES; i++) {
        uint64_t at = sector * MEMORY_IO_SECTOR_BYTES + i;
        unsigned char left = at < a->bytes ? a->data[at] : 0;
        unsigned char right = at < b->bytes ? b->data[at] : 0;
        if (left != right) {
            return false;
        }
    }
    return true;
}

uint64_t disk_sectors(uint64_t bytes) {
    return (bytes + MEMORY_IO_SECTOR_BYTES - 1) / MEMORY_IO_SECTOR_BYTES;
}

void disk_node_resize(struct node *node, uint64_t bytes) {
    uint64_t before = disk_sectors(node->now.allocated);

    disk_content_resize(&node->now, bytes);
    uint64_t after = disk_sectors(node->now.allocated);
    if (after > before) {
        node->dirty = disk_grow(node->dirty, after);
        memset(node->dirty + before, 0, after - before);
    }
}

void disk_node_mark(struct node *node, uint64_t from, uint64_t to) {
    for (uint64_t sector = from / MEMORY_IO_SECTOR_BYTES; sector < disk_sectors(to); sector++) {
        node->dirty[sector] = 1;
    }
}

int disk_node_create(struct memory_disk *disk, bool directory) {
    if (disk->node_count == NODES_MAX) {
        disk_abort("too many files");
    }
    struct node *node = calloc(1, sizeof *node);
    if (node == NULL) {
        disk_abort("no memory");
    }
    node->directory = directory;
    node->lock_handle = -1;
    disk->nodes[disk->node_count] = node;
    return disk->node_count++;
}

/* ---- Directories ---- */

struct entry *disk_entries_find(const struct entries *entries, const char *name) {
    for (size_t i = 0; i < entries->count; i++) {
        if (strcmp(entries->list[i].name, name) == 0) {
            return &entries->list[i];
        }
    }
    return NULL;
}

static void entries_set(struct entries *entries, const char *name, int node) {
    struct entry *entry = disk_entries_find(entries, name);

    if (entry == NULL) {
        entries->list = disk_grow(entries->list, (entries->count + 1) * sizeof *entry);
        entry = &entries->list[entries->count++];
        (void)snprintf(entry->name, sizeof entry->name, "%s", name);
    }
    entry->node = node;
}

static void entries_remove(struct entries *entries, const char *name) {
    struct entry *entry = disk_entries_find(entries, name);

    if (entry != NULL) {
        size_t after = entries->count - (size_t)(entry - entries->list) - 1;
        memmove(entry, entry + 1, after * sizeof *entry);
        entries->count--;
    }
}

void disk_entries_copy(struct entries *to, const struct entries *from) {
    to->list = disk_grow(to->list, from->count * sizeof *to->list);
    if (from->count != 0) {
        memcpy(to->list, from->list, from->count * sizeof *to->list);
    }
    to->count = from->count;
}

void disk_operation_apply(struct entries *entries, const struct operation *operation) {
    if (operation->remove[0] != '\0') {
        const struct entry *entry = disk_entries_find(entries, operation->remove);
        if (entry != NULL && entry->node == operation->node) {
            entries_remove(entries, operation->remove);
        }
    }
    if (operation->add[0] != '\0') {
        entries_set(entries, operation->add, operation->node);
    }
}

void disk_directory_change(struct node *directory, const char *remove, const char *add, int node) {
    struct operation operation = {.node = node};

    (void)snprintf(operation.remove, sizeof operation.remove, "%s", remove);
    (void)snprintf(operation.add, sizeof operation.add, "%s", add);
    disk_operation_apply(&directory->current, &operation);
    directory->operations =
        disk_grow(directory->operations, (directory->operation_count + 1) * sizeof operation);
    directory->operations[directory->operation_count++] = operation;
}

/* The directory a path leads to, -1 when there is none; *name_out is its last component. */
int disk_path_parent(const struct memory_disk *disk, const char *path, char *name_out) {
    int at = ROOT;

    for (;;) {
        path += strspn(path, "/");
        size_t length = strcspn(path, "/");
        if (length >= NAME_MAX_BYTES) {
            return -1;
        }
        memcpy(name_out, path, length);
        name_out[length] = '\0';
        path += length;
        if (path[strspn(path, "/")] == '\0') {
            return at;
        }
        const struct entry *entry = disk_entries_find(&disk->nodes[at]->current, name_out);
        if (entry == NULL || !disk->nodes[entry->node]->directory) {
            return -1;
        }
        at = entry->node;
    }
}

int disk_path_node(const struct memory_disk *disk, const char *path) {
    char name[NAME_MAX_BYTES];
    int parent = disk_path_parent(disk, path, name);

    if (parent < 0 || name[0] == '\0') {
        return parent;
    }
    const struct entry *entry = disk_entries_find(&disk->nodes[parent]->current, name);
    return entry != NULL ? entry->node : -1;
}

uint64_t disk_used(const struct memory_disk *disk) {
    uint64_t used = 0;

    for (int i = 0; i < disk->node_count; i++) {
        if (!disk->nodes[i]->directory && !disk->nodes[i]->freed) {
            used += disk->nodes[i]->now.bytes;
        }
    }
    return used;
}

/* A file without a name and without a handle gives its space back. */
void disk_node_reap(struct memory_disk *disk, int number) {
    struct node *node = disk->nodes[number];

    for (int i = 0; i < HANDLES_MAX; i++) {
        if (disk->handles[i].open && disk->handles[i].node == number) {
            return;
        }
    }
    for (int i = 0; i < disk->node_count; i++) {
        for (size_t k = 0; k < disk->nodes[i]->current.count; k++) {
            if (disk->nodes[i]->current.list[k].node == number) {
                return;
            }
        }
    }
    node->freed = true;
}
