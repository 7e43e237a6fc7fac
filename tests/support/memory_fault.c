/* Asking the disk in memory for faults. */
#include "support/memory_disk.h"

void memory_disk_fail_after(struct memory_disk *disk, unsigned calls, int64_t countdown, int error,
                            bool for_good) {
    pthread_mutex_lock(&disk->lock);
    disk->fail_calls = calls;
    disk->fail_countdown = countdown;
    disk->fail_error = error;
    disk->fail_for_good = for_good;
    disk->fail_happened = false;
    pthread_mutex_unlock(&disk->lock);
}

bool memory_disk_has_failed(struct memory_disk *disk) {
    pthread_mutex_lock(&disk->lock);
    bool happened = disk->fail_happened;
    pthread_mutex_unlock(&disk->lock);
    return happened;
}

static void disk_die(struct memory_disk *disk, int64_t countdown, bool before) {
    pthread_mutex_lock(&disk->lock);
    disk->die_countdown = countdown;
    disk->die_before = before;
    pthread_mutex_unlock(&disk->lock);
}

void memory_disk_die_after(struct memory_disk *disk, int64_t countdown) {
    disk_die(disk, countdown, false);
}

void memory_disk_die_before(struct memory_disk *disk, int64_t countdown) {
    disk_die(disk, countdown, true);
}

bool memory_disk_is_dead(struct memory_disk *disk) {
    pthread_mutex_lock(&disk->lock);
    bool dead = disk->dead;
    pthread_mutex_unlock(&disk->lock);
    return dead;
}

void memory_disk_set_capacity(struct memory_disk *disk, uint64_t bytes) {
    pthread_mutex_lock(&disk->lock);
    disk->capacity = bytes;
    pthread_mutex_unlock(&disk->lock);
}

void memory_disk_set_short(struct memory_disk *disk, size_t bytes_max) {
    pthread_mutex_lock(&disk->lock);
    disk->short_max = bytes_max;
    pthread_mutex_unlock(&disk->lock);
}

void memory_disk_hold_syncs(struct memory_disk *disk, bool hold) {
    pthread_mutex_lock(&disk->lock);
    disk->hold_syncs = hold;
    pthread_cond_broadcast(&disk->released);
    pthread_mutex_unlock(&disk->lock);
}

void memory_disk_hold_writes(struct memory_disk *disk, bool hold) {
    pthread_mutex_lock(&disk->lock);
    disk->hold_writes = hold;
    pthread_cond_broadcast(&disk->released);
    pthread_mutex_unlock(&disk->lock);
}
