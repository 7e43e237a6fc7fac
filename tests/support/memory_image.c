/* What is left of the disk in memory after a power cut or a kill, and looking at it. */
#include "support/memory_disk.h"

#include "support/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What is left ---- */

/* Goes through all pieces in their fixed order. With `image`, applies those that `keep` keeps, to
 * its nodes, which have what was synced. Returns how many there are. */
static uint64_t disk_pieces(const struct memory_disk *disk, struct memory_disk *image,
                            memory_keep_function *keep, void *context) {
    uint64_t item = 0;

    for (int i = 0; i < disk->node_count; i++) {
        const struct node *node = disk->nodes[i];
        for (size_t k = 0; k < node->operation_count; k++, item++) {
            if (image != NULL && keep(context, item)) {
                disk_operation_apply(&image->nodes[i]->current, &node->operations[k]);
            }
        }
    }
    for (int i = 0; i < disk->node_count; i++) {
        const struct node *node = disk->nodes[i];
        if (node->size_dirty) {
            if (image != NULL && keep(context, item)) {
                disk_node_resize(image->nodes[i], node->now.bytes);
            }
            item++;
        }
        for (uint64_t sector = 0; sector < disk_sectors(node->now.bytes); sector++) {
            /* Zeros beyond the end on disk are a matter of size alone. */
            if (node->dirty[sector] == 0 ||
                disk_content_sector_equal(&node->now, &node->disk, sector)) {
                continue;
            }
            if (image != NULL && keep(context, item)) {
                struct content *to = &image->nodes[i]->now;
                uint64_t end = (sector + 1) * MEMORY_IO_SECTOR_BYTES;
                if (end > node->now.bytes) {
                    end = node->now.bytes;
                }
                if (to->bytes < end) {
                    disk_node_resize(image->nodes[i], end);
                }
                disk_content_copy_sector(to, &node->now, sector);
            }
            item++;
        }
    }
    return item;
}

uint64_t memory_disk_unsynced(struct memory_disk *disk) {
    pthread_mutex_lock(&disk->lock);
    uint64_t count = disk_pieces(disk, NULL, NULL, NULL);
    pthread_mutex_unlock(&disk->lock);
    return count;
}

static bool keep_nothing(void *context, uint64_t item) {
    (void)context;
    (void)item;
    return false;
}

/* Sectors that the size covers, but that never came to the disk: each may show what another file
 * has, or had, at the same place. */
static void disk_fill_stale(const struct memory_disk *disk, struct memory_disk *image,
                            uint64_t seed) {
    static const unsigned char zeros[MEMORY_IO_SECTOR_BYTES];
    struct random random = {seed};

    for (int i = 0; i < disk->node_count; i++) {
        const struct node *node = disk->nodes[i];
        struct content *to = &image->nodes[i]->now;
        for (uint64_t sector = disk_sectors(node->disk.bytes);
             (sector + 1) * MEMORY_IO_SECTOR_BYTES <= to->bytes; sector++) {
            unsigned char *at = to->data + sector * MEMORY_IO_SECTOR_BYTES;
            const struct node *other =
                disk->nodes[random_below(&random, (uint64_t)disk->node_count)];
            if (memcmp(at, zeros, sizeof zeros) == 0) {
                disk_content_copy_sector(to, &other->now, sector);
            }
        }
    }
}

struct memory_disk *memory_disk_power_cut(struct memory_disk *disk, memory_keep_function *keep,
                                          void *context) {
    return memory_disk_power_cut_stale(disk, keep, context, 0);
}

struct memory_disk *memory_disk_power_cut_stale(struct memory_disk *disk,
                                                memory_keep_function *keep, void *context,
                                                uint64_t stale_seed) {
    struct memory_disk *image = disk_create_bare();

    pthread_mutex_lock(&disk->lock);
    for (int i = 0; i < disk->node_count; i++) {
        const struct node *node = disk->nodes[i];
        struct node *copy = image->nodes[disk_node_create(image, node->directory)];
        disk_entries_copy(&copy->current, &node->synced);
        disk_node_resize(copy, node->disk.bytes);
        disk_content_copy(&copy->now, &node->disk);
    }
    disk_pieces(disk, image, keep != NULL ? keep : keep_nothing, context);
    if (stale_seed != 0) {
        disk_fill_stale(disk, image, stale_seed);
    }
    pthread_mutex_unlock(&disk->lock);
    for (int i = 0; i < image->node_count; i++) {
        disk_entries_copy(&image->nodes[i]->synced, &image->nodes[i]->current);
        disk_content_copy(&image->nodes[i]->disk, &image->nodes[i]->now);
    }
    return image;
}

struct memory_disk *memory_disk_kill(struct memory_disk *disk) {
    struct memory_disk *image = disk_create_bare();

    pthread_mutex_lock(&disk->lock);
    for (int i = 0; i < disk->node_count; i++) {
        const struct node *node = disk->nodes[i];
        struct node *copy = image->nodes[disk_node_create(image, node->directory)];
        disk_entries_copy(&copy->current, &node->current);
        disk_entries_copy(&copy->synced, &node->synced);
        copy->operations = disk_grow(NULL, node->operation_count * sizeof *copy->operations);
        if (node->operation_count != 0) {
            memcpy(copy->operations, node->operations,
                   node->operation_count * sizeof *copy->operations);
        }
        copy->operation_count = node->operation_count;
        disk_node_resize(copy, node->now.bytes);
        disk_content_copy(&copy->now, &node->now);
        disk_content_copy(&copy->disk, &node->disk);
        if (node->now.bytes != 0) {
            memcpy(copy->dirty, node->dirty, disk_sectors(node->now.bytes));
        }
        copy->size_dirty = node->size_dirty;
        copy->freed = node->freed;
    }
    pthread_mutex_unlock(&disk->lock);
    return image;
}

/* ---- Looking and damaging ---- */

void memory_disk_watch(struct memory_disk *disk, memory_watch_function *watch, void *context) {
    pthread_mutex_lock(&disk->lock);
    disk->watch = watch;
    disk->watch_context = context;
    pthread_mutex_unlock(&disk->lock);
}

uint64_t memory_disk_calls(struct memory_disk *disk, unsigned calls) {
    uint64_t count = 0;

    pthread_mutex_lock(&disk->lock);
    for (int i = 0; i < 16; i++) {
        if ((calls & (1u << i)) != 0) {
            count += disk->calls[i];
        }
    }
    pthread_mutex_unlock(&disk->lock);
    return count;
}

static struct node *file_at(struct memory_disk *disk, const char *path) {
    int node = disk_path_node(disk, path);

    return node >= 0 && !disk->nodes[node]->directory ? disk->nodes[node] : NULL;
}

int64_t memory_disk_file_bytes(struct memory_disk *disk, const char *path) {
    pthread_mutex_lock(&disk->lock);
    const struct node *node = file_at(disk, path);
    int64_t bytes = node != NULL ? (int64_t)node->now.bytes : -1;
    pthread_mutex_unlock(&disk->lock);
    return bytes;
}

void memory_disk_peek(struct memory_disk *disk, const char *path, uint64_t offset, void *buffer,
                      size_t bytes) {
    unsigned char *to = buffer;

    pthread_mutex_lock(&disk->lock);
    const struct node *node = file_at(disk, path);
    for (size_t i = 0; i < bytes; i++) {
        to[i] = node != NULL && offset + i < node->now.bytes ? node->now.data[offset + i] : 0;
    }
    pthread_mutex_unlock(&disk->lock);
}

void memory_disk_poke(struct memory_disk *disk, const char *path, uint64_t offset,
                      const void *buffer, size_t bytes) {
    pthread_mutex_lock(&disk->lock);
    struct node *node = file_at(disk, path);
    if (node == NULL) {
        disk_abort("there is no such file to damage");
    }
    if (offset + bytes > node->now.bytes) {
        disk_node_resize(node, offset + bytes);
    }
    if (offset + bytes > node->disk.bytes) {
        disk_content_resize(&node->disk, offset + bytes);
    }
    memcpy(node->now.data + offset, buffer, bytes);
    memcpy(node->disk.data + offset, buffer, bytes);
    pthread_mutex_unlock(&disk->lock);
}

static uint64_t fingerprint_add(uint64_t sum, const void *data, size_t bytes) {
    const unsigned char *at = data;

    /* FNV-1a. */
    for (size_t i = 0; i < bytes; i++) {
        sum = (sum ^ at[i]) * UINT64_C(0x100000001b3);
    }
    return sum;
}

uint64_t memory_disk_fingerprint(struct memory_disk *disk) {
    uint64_t total = 0;

    pthread_mutex_lock(&disk->lock);
    for (int i = 0; i < disk->node_count; i++) {
        const struct entries *entries = &disk->nodes[i]->current;
        for (size_t k = 0; k < entries->count; k++) {
            const struct node *node = disk->nodes[entries->list[k].node];
            uint64_t sum = UINT64_C(0xcbf29ce484222325);
            sum = fingerprint_add(sum, entries->list[k].name, strlen(entries->list[k].name));
            sum = fingerprint_add(sum, &node->now.bytes, sizeof node->now.bytes);
            if (node->now.bytes != 0) {
                sum = fingerprint_add(sum, node->now.data, node->now.bytes);
            }
            total += sum;
        }
    }
    pthread_mutex_unlock(&disk->lock);
    return total;
}

bool memory_disk_entry(struct memory_disk *disk, const char *directory, uint64_t index,
                       char name[64]) {
    bool found = false;

    pthread_mutex_lock(&disk->lock);
    int node = disk_path_node(disk, directory);
    if (node >= 0 && index < disk->nodes[node]->current.count) {
        (void)snprintf(name, 64, "%s", disk->nodes[node]->current.list[index].name);
        found = true;
    }
    pthread_mutex_unlock(&disk->lock);
    return found;
}
