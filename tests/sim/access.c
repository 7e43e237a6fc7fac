/* The functions that instrumented code calls. */
#include "sim/access.h"

#include "commit/ring.h"
#include "sim/buffer.h"
#include "sim/sim.h"

#include <string.h>

#define THREADS SIM_THREADS_MAX
#define LINES_MAX (COMMIT_RING_BYTES_MIN / RECORD_LINE_BYTES)
#define COMMIT_WORDS (sizeof(struct commit) / 8)
/* Cells of each class that are told apart. */
#define CELL_SLOTS 16
#define CELL_CLASSES 4
#define OTHERS 128

struct clock {
    uint32_t at[THREADS];
};

struct line {
    bool reclaimed;
    uint8_t writer;
    uint32_t written; /* the writer's own time; 0: not in this run */
    struct clock reads;
};

static struct {
    struct commit *commit;
    bool poison;
    uint64_t reclaimed;
    uint64_t reclaimed_lines;
    struct clock of_thread[THREADS];
    struct clock at_leave[THREADS];
    struct clock at_grace_over[THREADS];
    uint64_t reserved_lsn[THREADS];
    uint64_t reserved_end[THREADS];
    struct clock of_commit[COMMIT_WORDS];
    struct clock of_cell[CELL_CLASSES * CELL_SLOTS];
    struct clock of_other[OTHERS];
    const volatile void *other[OTHERS];
    uint64_t line_count;
    struct clock of_state[LINES_MAX];
    struct line lines[LINES_MAX];
} access;

void access_watch(struct commit *commit, bool poison) {
    uint64_t lines = commit->ring_bytes / RECORD_LINE_BYTES;

    /* Without the tails of of_state and lines, which are large and mostly unused. */
    memset(&access, 0, (size_t)((char *)access.of_state - (char *)&access));
    memset(access.of_state, 0, lines * sizeof *access.of_state);
    memset(access.lines, 0, lines * sizeof *access.lines);
    access.line_count = lines;
    access.commit = commit;
    access.poison = poison;
    access.reclaimed = atomic_load_explicit(&commit->reclaimed.lsn, memory_order_relaxed);
    for (unsigned i = 0; i < THREADS; i++) {
        access.of_thread[i].at[i] = 1;
    }
}

bool access_reserved(unsigned thread, uint64_t *lsn_out, uint64_t *end_out) {
    *lsn_out = access.reserved_lsn[thread];
    *end_out = access.reserved_end[thread];
    return *lsn_out != 0;
}

void access_fence(void) {
    if (buffer_is_on() && sim_current() != NULL) {
        buffer_drain(sim_thread_number(sim_current()));
    }
}

uint64_t access_reclaimed_lines(void) {
    return access.reclaimed_lines;
}

/* ---- Who happened before whom ---- */

static void clock_join(struct clock *clock, const struct clock *other) {
    for (unsigned i = 0; i < THREADS; i++) {
        clock->at[i] = clock->at[i] > other->at[i] ? clock->at[i] : other->at[i];
    }
}

/* The clock of an atomic object: words of the commit, state words, cells (one for both halves), and
 * a few others as they come. */
static struct clock *access_clock(const volatile void *object) {
    const struct commit *commit = access.commit;
    uintptr_t at = (uintptr_t)object;
    uintptr_t in_commit = at - (uintptr_t)commit;
    uintptr_t in_states = at - (uintptr_t)commit->states;
    uintptr_t in_cells = at - (uintptr_t)commit->cells;

    if (in_commit < sizeof *commit) {
        return &access.of_commit[in_commit / 8];
    }
    if (in_states < access.line_count * 8) {
        return &access.of_state[in_states / 8];
    }
    if (in_cells < (uintptr_t)CELL_CLASSES * CELL_SLOT_COUNT * sizeof(struct cell)) {
        uint32_t cell = (uint32_t)(in_cells / sizeof(struct cell));
        return &access.of_cell[CELL_CLASS(cell) * CELL_SLOTS + CELL_SLOT(cell) % CELL_SLOTS];
    }
    unsigned i = (unsigned)(at / 8) % OTHERS;
    for (unsigned probes = 0; access.other[i] != NULL && access.other[i] != object; probes++) {
        if (probes == OTHERS) {
            sim_fail("more than %d atomic objects", OTHERS);
        }
        i = (i + 1) % OTHERS;
    }
    access.other[i] = object;
    return &access.of_other[i];
}

static bool order_acquires(int order) {
    return order != memory_order_relaxed && order != memory_order_release;
}

static bool order_releases(int order) {
    return order == memory_order_release || order == memory_order_acq_rel ||
           order == memory_order_seq_cst;
}

static void access_loaded(const volatile void *object, int order) {
    const struct sim_thread *thread = sim_current();

    if (thread != NULL && order_acquires(order)) {
        clock_join(&access.of_thread[sim_thread_number(thread)], access_clock(object));
    }
}

/* A store begins a new release sequence; a read-modify-write goes on with the one it finds. */
static void access_stored_by(unsigned number, const volatile void *object, int order,
                             bool modified) {
    struct clock *own = &access.of_thread[number];
    struct clock *clock = access_clock(object);

    if (modified && order_acquires(order)) {
        clock_join(own, clock);
    }
    if (!modified) {
        memset(clock, 0, sizeof *clock);
    }
    if (order_releases(order)) {
        clock_join(clock, own);
        own->at[number]++;
    }
}

static void access_modified(const volatile void *object, int order) {
    const struct sim_thread *thread = sim_current();

    if (thread != NULL) {
        buffer_drain(sim_thread_number(thread));
        access_stored_by(sim_thread_number(thread), object, order, true);
    }
}

void access_lock(const void *mutex, bool taken) {
    if (access.commit == NULL) {
        return;
    }
    if (taken) {
        access_loaded(mutex, memory_order_acquire);
    } else {
        access_modified(mutex, memory_order_release);
    }
}

/* A grace period comes after every section that was left before it began and after those that it
 * waited for; not after others that were left while it ran. */
void access_section_left(void) {
    unsigned number = sim_thread_number(sim_current());

    access.at_leave[number] = access.of_thread[number];
    access.of_thread[number].at[number]++;
}

void access_grace_begins(void) {
    struct clock *over = &access.at_grace_over[sim_thread_number(sim_current())];

    memset(over, 0, sizeof *over);
    for (unsigned i = 0; i < THREADS; i++) {
        clock_join(over, &access.at_leave[i]);
    }
}

void access_grace_saw_leave(unsigned waiter) {
    clock_join(&access.at_grace_over[waiter], &access.at_leave[sim_thread_number(sim_current())]);
}

void access_grace_over(void) {
    unsigned number = sim_thread_number(sim_current());

    clock_join(&access.of_thread[number], &access.at_grace_over[number]);
}

/* ---- The ring ---- */

static void access_reclaim(uint64_t reclaimed) {
    const struct commit *commit = access.commit;

    for (uint64_t lsn = access.reclaimed; lsn < reclaimed; lsn += RECORD_LINE_BYTES) {
        if (access.poison) {
            memset(ring_record(commit, lsn), 0xdb, RECORD_LINE_BYTES);
            atomic_store_explicit(ring_state(commit, lsn), 0, memory_order_relaxed);
        }
        access.lines[(lsn & commit->ring_mask) / RECORD_LINE_BYTES].reclaimed = true;
        access.reclaimed_lines++;
    }
    access.reclaimed = reclaimed;
}

static void access_race(uint64_t line, const char *what, unsigned other) {
    sim_fail("%s:%d: %s line %llu of the ring without an order after %s", sim_current()->file,
             sim_current()->line, what, (unsigned long long)line, sim_thread_at(other)->name);
}

static void access_read(uint64_t at) {
    const struct sim_thread *thread = sim_current();
    uint64_t number = at / RECORD_LINE_BYTES;
    struct line *line = &access.lines[number];
    unsigned reader = sim_thread_number(thread);
    const struct clock *own = &access.of_thread[reader];

    if (line->reclaimed) {
        sim_fail("%s:%d: reads line %llu of the ring, which was reclaimed", thread->file,
                 thread->line, (unsigned long long)number);
    }
    if (line->written > own->at[line->writer]) {
        access_race(number, "reads", line->writer);
    }
    line->reads.at[reader] = own->at[reader];
}

static void access_write(uint64_t at) {
    const struct sim_thread *thread = sim_current();
    uint64_t number = at / RECORD_LINE_BYTES;
    struct line *line = &access.lines[number];
    unsigned writer = sim_thread_number(thread);
    const struct clock *own = &access.of_thread[writer];
    uint64_t from = access.reserved_lsn[writer];

    if (((at - from) & access.commit->ring_mask) >= access.reserved_end[writer] - from) {
        sim_fail("%s:%d: writes line %llu of the ring, which it has not reserved", thread->file,
                 thread->line, (unsigned long long)number);
    }
    line->reclaimed = false;
    if (line->written > own->at[line->writer]) {
        access_race(number, "writes", line->writer);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        if (line->reads.at[i] > own->at[i]) {
            access_race(number, "writes", i);
        }
        line->reads.at[i] = 0;
    }
    line->writer = (uint8_t)writer;
    line->written = own->at[writer];
}

static void access_plain(const volatile void *from, size_t bytes, bool write) {
    const struct commit *commit = access.commit;

    if (commit == NULL || sim_current() == NULL) {
        return;
    }
    uintptr_t at = (uintptr_t)from - (uintptr_t)commit->ring;
    if (at >= 2 * commit->ring_bytes) {
        return;
    }
    uint64_t last = (at + (bytes == 0 ? 0 : bytes - 1)) / RECORD_LINE_BYTES;
    for (uint64_t line = at / RECORD_LINE_BYTES; line <= last; line++) {
        uint64_t first = line * RECORD_LINE_BYTES & commit->ring_mask;
        if (write) {
            access_write(first);
        } else {
            access_read(first);
        }
    }
}

void access_touch(const void *from, size_t bytes) {
    access_plain(from, bytes, false);
}

/* ---- Called by instrumented code ---- */

void *access_copy(void *to, const void *from, size_t bytes) {
    access_plain(from, bytes, false);
    access_plain(to, bytes, true);
    return memcpy(to, from, bytes);
}

void __tsan_init(void);
void __tsan_init(void) {}

void __tsan_acquire(void *address);
void __tsan_acquire(void *address) {
    access_loaded(address, memory_order_acquire);
}

void __tsan_release(void *address);
void __tsan_release(void *address) {
    access_modified(address, memory_order_release);
}

#define PLAIN(name, bytes, write)                                                                  \
    void __tsan_##name(void *address);                                                             \
    void __tsan_##name(void *address) {                                                            \
        access_plain(address, bytes, write);                                                       \
    }
PLAIN(read1, 1, false)
PLAIN(read2, 2, false)
PLAIN(read4, 4, false)
PLAIN(read8, 8, false)
PLAIN(read16, 16, false)
PLAIN(unaligned_read2, 2, false)
PLAIN(unaligned_read4, 4, false)
PLAIN(unaligned_read8, 8, false)
PLAIN(unaligned_read16, 16, false)
PLAIN(write1, 1, true)
PLAIN(write2, 2, true)
PLAIN(write4, 4, true)
PLAIN(write8, 8, true)
PLAIN(write16, 16, true)
PLAIN(unaligned_write2, 2, true)
PLAIN(unaligned_write4, 4, true)
PLAIN(unaligned_write8, 8, true)
PLAIN(unaligned_write16, 16, true)

void __tsan_read_range(void *address, size_t bytes);
void __tsan_read_range(void *address, size_t bytes) {
    access_plain(address, bytes, false);
}

void __tsan_write_range(void *address, size_t bytes);
void __tsan_write_range(void *address, size_t bytes) {
    access_plain(address, bytes, true);
}

static void access_watch_store(const volatile void *object, uint64_t value) {
    if (access.commit != NULL && object == (volatile void *)&access.commit->reclaimed.lsn) {
        access_reclaim(value);
    }
}

void access_store_now(unsigned thread, volatile void *object, size_t bytes, uint64_t value,
                      int order) {
    access_stored_by(thread, object, order, false);
    if (bytes == sizeof(uint64_t)) {
        *(volatile uint64_t *)object = value;
    } else {
        *(volatile uint32_t *)object = (uint32_t)value;
    }
    access_watch_store(object, value);
}

static void access_store(volatile void *object, size_t bytes, uint64_t value, int order) {
    const struct sim_thread *thread = sim_current();

    if (thread == NULL) {
        memcpy((void *)(uintptr_t)object, &value, bytes);
        return;
    }
    unsigned number = sim_thread_number(thread);
    if (buffer_is_on() && order != memory_order_seq_cst) {
        buffer_store(number, object, bytes, value, order);
    } else {
        buffer_drain(number);
        access_store_now(number, object, bytes, value, order);
    }
}

static bool access_is_buffered(const volatile void *object, uint64_t *value_out) {
    const struct sim_thread *thread = sim_current();

    return buffer_is_on() && thread != NULL &&
           buffer_load(sim_thread_number(thread), object, value_out);
}

static void access_watch_swap(const volatile void *object, uint64_t from, uint64_t to) {
    if (access.commit != NULL && sim_current() != NULL &&
        object == (volatile void *)&access.commit->reserved.lsn) {
        unsigned thread = sim_thread_number(sim_current());
        access.reserved_lsn[thread] = from;
        access.reserved_end[thread] = to;
        sim_note("reserves %llu to %llu", (unsigned long long)from, (unsigned long long)to);
    }
}

/* All run on one real thread, so plain operations are atomic. */
#define ATOMIC_OPERATIONS(bits, type)                                                              \
    type __tsan_atomic##bits##_load(const volatile type *object, int order);                       \
    type __tsan_atomic##bits##_load(const volatile type *object, int order) {                      \
        uint64_t buffered;                                                                         \
        access_loaded(object, order);                                                              \
        return access_is_buffered(object, &buffered) ? (type)buffered : *object;                   \
    }                                                                                              \
    void __tsan_atomic##bits##_store(volatile type *object, type value, int order);                \
    void __tsan_atomic##bits##_store(volatile type *object, type value, int order) {               \
        access_store(object, sizeof *object, (uint64_t)value, order);                              \
    }                                                                                              \
    type __tsan_atomic##bits##_exchange(volatile type *object, type value, int order);             \
    type __tsan_atomic##bits##_exchange(volatile type *object, type value, int order) {            \
        access_modified(object, order);                                                            \
        type before = *object;                                                                     \
        *object = value;                                                                           \
        return before;                                                                             \
    }                                                                                              \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile type *object, type *expected,       \
                                                      type desired, int success, int failure);     \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile type *object, type *expected,       \
                                                      type desired, int success, int failure) {    \
        access_fence();                                                                            \
        if (*object != *expected) {                                                                \
            access_loaded(object, failure);                                                        \
            *expected = *object;                                                                   \
            return 0;                                                                              \
        }                                                                                          \
        access_modified(object, success);                                                          \
        access_watch_swap(object, (uint64_t)*expected, (uint64_t)desired);                         \
        *object = desired;                                                                         \
        return 1;                                                                                  \
    }
#define ATOMIC_MODIFY(bits, type, name, result)                                                    \
    type __tsan_atomic##bits##_fetch_##name(volatile type *object, type value, int order);         \
    type __tsan_atomic##bits##_fetch_##name(volatile type *object, type value, int order) {        \
        access_modified(object, order);                                                            \
        type before = *object;                                                                     \
        *object = (type)(result);                                                                  \
        return before;                                                                             \
    }

ATOMIC_OPERATIONS(32, uint32_t)
ATOMIC_OPERATIONS(64, uint64_t)
ATOMIC_MODIFY(32, uint32_t, add, before + value)
ATOMIC_MODIFY(32, uint32_t, sub, before - value)
ATOMIC_MODIFY(64, uint64_t, add, before + value)
