/* A disk in memory under struct io, for tests: it knows what has been synced and what has not, can
 * fail, tear, fill up and die, and tells what may be left of it after a power cut.
 *
 * The model is harsher than most file systems. What is not synced may be kept or lost piece by
 * piece, in any combination, when the power is cut:
 *   - each 512-byte sector of a file that was written since the file's last successful fdatasync
 *   - the change of a file's size since then (a sector kept beyond the old size takes the size
 * along)
 *   - each creation, renaming and removal since the directory's last sync_directory
 * A failed fdatasync drops what was unsynced from the list of what will ever be synced, as Linux
 * does: it is still read from the file, but is lost at the next power cut unless it is written
 * again.
 *
 * Any thread may call anything. Paths begin with "/"; a directory must be made before it is used.
 */
#ifndef CELLAR_TESTS_SUPPORT_MEMORY_IO_H
#define CELLAR_TESTS_SUPPORT_MEMORY_IO_H

#include "base/io.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY_IO_SECTOR_BYTES 512

struct memory_disk;

struct memory_disk *memory_disk_create(void);
/* Forgets the disk; handles that are still open with it. */
void memory_disk_destroy(struct memory_disk *disk);
/* Valid as long as the disk. */
const struct io *memory_disk_io(struct memory_disk *disk);

/* ---- Faults ---- */

enum memory_call {
    MEMORY_OPEN = 1 << 0,
    MEMORY_CLOSE = 1 << 1,
    MEMORY_PREAD = 1 << 2,
    MEMORY_PWRITE = 1 << 3,
    MEMORY_FDATASYNC = 1 << 4,
    MEMORY_TRUNCATE = 1 << 5,
    MEMORY_SIZE = 1 << 6,
    MEMORY_RENAME = 1 << 7,
    MEMORY_UNLINK = 1 << 8,
    MEMORY_MAKE_DIRECTORY = 1 << 9,
    MEMORY_SYNC_DIRECTORY = 1 << 10,
    MEMORY_LIST = 1 << 11,
    MEMORY_LOCK = 1 << 12,
    MEMORY_FREE_BYTES = 1 << 13,
    MEMORY_ANY = (1 << 14) - 1,
    MEMORY_CHANGING = MEMORY_OPEN | MEMORY_PWRITE | MEMORY_FDATASYNC | MEMORY_TRUNCATE |
                      MEMORY_RENAME | MEMORY_UNLINK | MEMORY_MAKE_DIRECTORY | MEMORY_SYNC_DIRECTORY
};

/* Of the calls in `calls` (a set of enum memory_call), the one number `countdown` from now (0: the
 * next) fails with -error and does nothing; all later ones too when `for_good`. A negative
 * countdown switches this off. A close that fails closes all the same. */
void memory_disk_fail_after(struct memory_disk *disk, unsigned calls, int64_t countdown, int error,
                            bool for_good);
/* True when such a call has failed. */
bool memory_disk_has_failed(struct memory_disk *disk);
/* The power is cut when the changing call number `countdown` from now has been carried out: that
 * call and all later ones return -EIO, the later ones without effect. What may be left:
 * memory_disk_power_cut(). */
void memory_disk_die_after(struct memory_disk *disk, int64_t countdown);
/* The same, but before that call: it has no effect either. */
void memory_disk_die_before(struct memory_disk *disk, int64_t countdown);
bool memory_disk_is_dead(struct memory_disk *disk);
/* How many calls in `calls` there have been. */
uint64_t memory_disk_calls(struct memory_disk *disk, unsigned calls);
/* No more than this is ever in all files together; beyond, writes are cut short and then -ENOSPC.
 * UINT64_MAX: no limit. */
void memory_disk_set_capacity(struct memory_disk *disk, uint64_t bytes);
/* Reads and writes move at most `bytes_max` bytes (0: no limit), and every second one is -EINTR
 * first. */
void memory_disk_set_short(struct memory_disk *disk, size_t bytes_max);
/* While set, fdatasync does not return; what was written before it began is synced when it does. */
void memory_disk_hold_syncs(struct memory_disk *disk, bool hold);
/* While set, pwrite does not begin: one that is to fail from now on fails even if it came before.
 */
void memory_disk_hold_writes(struct memory_disk *disk, bool hold);

/* Called at the beginning of every changing call, before it has any effect and before it fails, on
 * the caller's thread. Of the disk it may use memory_disk_kill(), to keep it as it was then. NULL
 * switches it off. Nothing is told once the power is cut. */
typedef void memory_watch_function(void *context, struct memory_disk *disk);
void memory_disk_watch(struct memory_disk *disk, memory_watch_function *watch, void *context);

/* ---- What is left ---- */

/* Number of pieces that a power cut now may keep or lose. */
uint64_t memory_disk_unsynced(struct memory_disk *disk);
/* Is piece `item` (from 0, in a fixed order: directory entries first) kept? */
typedef bool memory_keep_function(void *context, uint64_t item);
/* A new disk, without faults, with what is left; all of it synced. NULL keeps nothing unsynced. */
struct memory_disk *memory_disk_power_cut(struct memory_disk *disk, memory_keep_function *keep,
                                          void *context);
/* The same on a disk whose blocks were used before: where a file's size was kept but its content
 * was not, and had never been synced, there may be what another file has, or had, at the same
 * place. `stale_seed` chooses which. */
struct memory_disk *memory_disk_power_cut_stale(struct memory_disk *disk,
                                                memory_keep_function *keep, void *context,
                                                uint64_t stale_seed);
/* A new disk, without faults and locks, that holds what a program started after this one was killed
 * would find: everything, unsynced or not, and still as unsynced as before. */
struct memory_disk *memory_disk_kill(struct memory_disk *disk);

/* ---- Looking and damaging ---- */

/* Size of a file, -1 when there is none. */
int64_t memory_disk_file_bytes(struct memory_disk *disk, const char *path);
/* Copies a part of a file, as it reads now; what lies beyond its end is zero. */
void memory_disk_peek(struct memory_disk *disk, const char *path, uint64_t offset, void *buffer,
                      size_t bytes);
/* Changes a part of a file behind everyone's back, on disk and in the cache. */
void memory_disk_poke(struct memory_disk *disk, const char *path, uint64_t offset,
                      const void *buffer, size_t bytes);
/* A checksum over all names and contents, synced or not. */
uint64_t memory_disk_fingerprint(struct memory_disk *disk);
/* The name of entry `index` of a directory, in the order of their making. False beyond the last. */
bool memory_disk_entry(struct memory_disk *disk, const char *directory, uint64_t index,
                       char name[64]);

#endif
