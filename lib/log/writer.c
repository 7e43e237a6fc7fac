/* The writer thread. */
#include "log/writer.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/probe.h"
#include "base/thread.h"
#include "log/report.h"
#include "log/state.h"

#include <sched.h>
#include <string.h>

/* A batch smaller than this cost more to sync than to write: when nobody waits, the next may grow.
 */
#define WRITER_SMALL_BYTES (UINT64_C(256) << 10)

/* Why no more was added to the batch. */
enum writer_gathered {
    WRITER_IDLE,        /* nothing is reserved */
    WRITER_UNPUBLISHED, /* the next record is reserved but not published */
    WRITER_ENOUGH,      /* all that was reserved when the batch began, or the buffer is full */
    WRITER_SEGMENT_END  /* the next record needs a new segment */
};

bool writer_allocate(struct log *log) {
    struct writer *writer = &log->writer;

    histogram_reset(&writer->sync_ns);
    histogram_reset(&writer->lag_ns);
    histogram_reset(&writer->group_records);
    writer->batch.bytes_max = log->batch_bytes;
    writer->batch.bytes =
        memory_allocate_aligned(log->memory, MEMORY_LOG, SEGMENT_HEADER_BYTES, log->batch_bytes);
    return writer->batch.bytes != NULL;
}

void writer_destroy(struct log *log) {
    ASSERT(!log->writer.running);
    memory_release(log->memory, MEMORY_LOG, log->writer.batch.bytes, log->batch_bytes);
}

/* ---- Gathering a batch ---- */

static void writer_advance_decided(struct log *log, uint64_t space) {
    log->writer.decided_lsn += space;
    log->writer.stuck_lsn = 0;
    /* Release: pairs with the acquire in commit_snapshot(); who reads it sees all below decided. */
    ATOMIC_STORE(&log->commit->decided.lsn, log->writer.decided_lsn, release);
}

/* Guarantee D: reserved, but not published. Remembers since when. */
static void writer_note_stuck(struct writer *writer) {
    if (writer->stuck_lsn != writer->decided_lsn) {
        writer->stuck_lsn = writer->decided_lsn;
        writer->stuck_since_ns = clock_monotonic_ns();
    }
}

/* True when what was reserved there is now padding. */
static bool writer_pass_over(struct log *log) {
    struct writer *writer = &log->writer;

    if (clock_monotonic_ns() - writer->stuck_since_ns < WRITER_PATIENCE_NS) {
        return false;
    }
    uint64_t gap = commit_pass_over(log->commit, writer->decided_lsn);
    if (gap == 0) {
        /* It has been published meanwhile. */
        return false;
    }
    writer_advance_decided(log, gap);
    return true;
}

/* Takes the next record, if there is room for it. */
static enum writer_gathered writer_take(struct log *log, const struct record_header *record,
                                        uint64_t space) {
    struct batch *batch = &log->writer.batch;

    ASSERT(space <= log->record_space_max);
    if (!batch_segment_has_room(batch, space)) {
        return WRITER_SEGMENT_END;
    }
    if (batch_has_room(batch, space)) {
        batch_add(batch, record);
        writer_advance_decided(log, space);
    }
    return WRITER_ENOUGH;
}

/* Adds the padding that is owed, as far as there is room. */
static enum writer_gathered writer_pad(struct log *log) {
    struct batch *batch = &log->writer.batch;
    uint64_t owed = log->writer.decided_lsn - batch_end(batch);

    owed -= batch_pad(batch, owed);
    return owed != 0 && !batch_segment_has_room(batch, owed) && batch->used == 0
               ? WRITER_SEGMENT_END
               : WRITER_ENOUGH;
}

/* One record or gap. Returns ENOUGH when the batch may go on. */
static enum writer_gathered writer_gather_one(struct log *log) {
    struct writer *writer = &log->writer;
    const struct record_header *record;
    uint64_t space;

    switch (commit_decide(log->commit, writer->decided_lsn, &record, &space)) {
    case COMMIT_NOTHING:
        return WRITER_IDLE;
    case COMMIT_UNPUBLISHED:
        writer_note_stuck(writer);
        /* What is in hand is written first. */
        if (writer->batch.used != 0 || !writer_pass_over(log)) {
            return WRITER_UNPUBLISHED;
        }
        return writer_pad(log);
    case COMMIT_TAKE:
        return writer_take(log, record, space);
    case COMMIT_PAD:
        writer_advance_decided(log, space);
        return writer_pad(log);
    }
    return WRITER_IDLE;
}

/* Fills the batch with what is reserved by now: what comes later is for the next one. Ends because
 * every round adds to the batch, or returns. */
static enum writer_gathered writer_gather(struct log *log) {
    struct writer *writer = &log->writer;
    struct batch *batch = &writer->batch;
    /* Acquire: pairs with the reservation, as in commit_decide(). */
    uint64_t target = ATOMIC_LOAD(&log->commit->reserved.lsn, acquire);
    enum writer_gathered gathered = WRITER_ENOUGH;

    if (batch_end(batch) < writer->decided_lsn) {
        gathered = writer_pad(log);
    }
    do {
        uint64_t before = batch->used;
        if (gathered != WRITER_ENOUGH || batch_end(batch) < writer->decided_lsn) {
            return gathered;
        }
        gathered = writer_gather_one(log);
        if (batch->used == before) {
            return gathered;
        }
    } while (batch_end(batch) < target);
    return gathered;
}

/* ---- Writing it ---- */

static void writer_count(struct writer *writer, int64_t began_ns, int64_t synced_ns) {
    const struct batch *batch = &writer->batch;

    histogram_record(&writer->sync_ns, synced_ns - began_ns);
    histogram_record(&writer->lag_ns, synced_ns - writer->taken_ns);
    histogram_record(&writer->group_records, (int64_t)batch->records);
    ATOMIC_ADD(&writer->syncs, 1, relaxed);
    ATOMIC_ADD(&writer->bytes_written, batch->used, relaxed);
    ATOMIC_ADD(&writer->records, batch->records, relaxed);
    ATOMIC_ADD(&writer->padding_bytes, batch->padding_bytes, relaxed);
}

/* Writes and syncs the batch and begins the next one. False when the log has failed. */
static bool writer_flush(struct log *log) {
    struct writer *writer = &log->writer;
    struct batch *batch = &writer->batch;
    uint64_t end = batch_end(batch);
    uint64_t segment_lsn = batch->segment_end_lsn - (log->segment_bytes - SEGMENT_HEADER_BYTES);

    int result = io_write_all(log->io, writer->file, batch->bytes, batch->used,
                              segment_offset(segment_lsn, batch->lsn));
    if (result < 0) {
        fail_log(log, "the log", "write", result);
        return false;
    }
    /* From here on the records are read from the file. */
    commit_advance_written(log->commit, end);
    PROBE("log-written", end);
    int64_t began_ns = clock_monotonic_ns();
    result = log->io->fdatasync(log->io->context, writer->file);
    if (result < 0) {
        fail_log(log, "the log", "sync", result);
        return false;
    }
    PROBE("log-synced", end);
    /* Acquire: pairs with the exchange in fail_log(). Whoever failed elsewhere: nothing is
     * published any more (guarantee C). */
    if (ATOMIC_LOAD(&log->failed, acquire) != 0) {
        return false;
    }
    writer_count(writer, began_ns, clock_monotonic_ns());
    writer->proven_lsn = batch->durable_lsn;
    if (batch->commit_end_lsn != 0) {
        writer->commit_end_lsn = batch->commit_end_lsn;
    }
    writer->crowd = wait_crowd(&log->wait);
    wait_publish(log, batch->lsn, end);
    PROBE("log-durable", end);
    batch_begin(batch, end);
    return true;
}

/* Goes on in a new segment. Everything in the old one is on disk. */
static bool writer_roll(struct log *log) {
    struct writer *writer = &log->writer;
    struct batch *batch = &writer->batch;
    struct segment segment;
    const char *verb;

    ASSERT(batch->used == 0);
    ASSERT(batch->durable_lsn == batch->lsn);
    bool found = catalog_last(log, &segment);
    ASSERT(found);
    segment.previous_end_lsn = batch->lsn;
    segment.first_lsn = batch->lsn;
    segment.created_ns = clock_wall_ns();
    segment.closed_end_lsn = 0;
    segment.file_bytes = 0;
    int result = prepare_roll(log, &segment, &verb);
    if (result < 0) {
        fail_log(log, "the next segment", verb, result);
        return false;
    }
    writer->file = prepare_active_file(log);
    batch->segment_end_lsn = segment.first_lsn + segment.capacity_bytes;
    PROBE("log-rolled", segment.first_lsn);
    return true;
}

/* ---- Having nothing to do ---- */

/* Guarantee E: is there an acknowledged record that no other record proves? */
static bool writer_mark_is_due(const struct writer *writer) {
    return writer->mark_is_owed || writer->commit_end_lsn > writer->proven_lsn;
}

/* Reserves a mark like any commit; it is taken like any other. False when there is no space. */
static bool writer_mark_reserve(struct log *log, uint64_t payload_bytes) {
    static const unsigned char zeros[WRITER_SECTOR_BYTES];
    const struct commit_request request = {.kind = RECORD_MARK,
                                           .payload = zeros,
                                           .payload_bytes = (uint32_t)payload_bytes,
                                           .time_ns = log->writer.batch.time_ns};
    uint64_t lsn;

    commit_enter();
    enum commit_outcome outcome = commit_try(log->commit, &request, &lsn);
    commit_leave();
    return outcome == COMMIT_DONE;
}

/* A mark that stood in one sector with the record it proves would be lost together with it. So what
 * is left of the sector is filled first, with a mark as well; and two follow, in a sector each, so
 * that two sectors that change places do not take all with them. Whoever commits meanwhile may move
 * them elsewhere: then others are due. */
static bool writer_mark(struct log *log) {
    struct writer *writer = &log->writer;
    const struct batch *batch = &log->writer.batch;
    uint64_t segment_lsn = batch->segment_end_lsn - (log->segment_bytes - SEGMENT_HEADER_BYTES);
    uint64_t used = segment_offset(segment_lsn, batch_end(batch)) % WRITER_SECTOR_BYTES;

    if (used != 0 &&
        !writer_mark_reserve(log, WRITER_SECTOR_BYTES - used - sizeof(struct record_header))) {
        return false;
    }
    /* What has been reserved proves everything by itself, but in the record's own sector. */
    writer->mark_is_owed =
        !writer_mark_reserve(log, WRITER_SECTOR_BYTES - sizeof(struct record_header)) ||
        !writer_mark_reserve(log, 0);
    return !writer->mark_is_owed;
}

static bool writer_is_stopping(const struct log *log) {
    /* Acquire: pairs with the release in writer_stop(); what was reserved before it is seen. */
    return ATOMIC_LOAD(&log->writer.stopping, acquire) != 0;
}

/* Nothing is reserved. False when the thread is to end. */
static bool writer_rest(struct log *log) {
    struct writer *writer = &log->writer;
    bool due = writer_mark_is_due(writer);
    uint64_t seen = writer->decided_lsn;

    if (writer_is_stopping(log)) {
        /* One more round with a mark, or with the part of it that has found space. */
        if (due) {
            (void)writer_mark(log);
        }
        return ATOMIC_LOAD(&log->commit->reserved.lsn, relaxed) != seen;
    }
    int64_t began_ns = clock_monotonic_ns();
    commit_writer_sleep(log->commit, seen, due ? WRITER_IDLE_NS : WRITER_SLEEP_NS);
    if (!due || clock_monotonic_ns() - began_ns < WRITER_IDLE_NS ||
        ATOMIC_LOAD(&log->commit->reserved.lsn, relaxed) != seen) {
        return true;
    }
    if (!writer_mark(log) && !writer_is_stopping(log)) {
        commit_writer_sleep(log->commit, seen, WRITER_MARK_RETRY_NS);
    }
    return true;
}

/* ---- Between two batches ---- */

/* How many records the next batch should begin with, as most of those whom the last sync answered
 * soon come back with one, and a sync for each handful would take the processors from those who
 * commit (docs/ARCHITECTURE.md). A host that has the event descriptor waits for many commits at
 * once: nearly as many as the last batch held. Of threads that wait each by itself half: the other
 * half works meanwhile, and where they do not come back at once, half of those who wait is less
 * each time. */
static uint64_t writer_crowd(const struct log *log, uint64_t records) {
    if (wait_has_event(&log->wait)) {
        return records < 2 ? 0 : records - 1 - records / WRITER_CROWD_SHARE;
    }
    uint32_t crowd = log->writer.crowd;
    return crowd < WAIT_CROWD_MIN || wait_is_hurried(&log->wait) ? 0 : crowd / 2;
}

/* Waits until so many records are reserved, for a moment at most. */
static void writer_await(struct log *log, uint64_t records, uint64_t bytes_each) {
    uint64_t crowd_bytes = (records - 1) * bytes_each;
    uint64_t ring_share = log->commit->ring_bytes / WRITER_CROWD_RING_SHARE;
    uint64_t wakes_at =
        log->writer.decided_lsn + (crowd_bytes < ring_share ? crowd_bytes : ring_share);
    int64_t end_ns = clock_monotonic_ns() + WRITER_CROWD_NS;

    while (!writer_is_stopping(log) && ATOMIC_LOAD(&log->commit->space_waiters, relaxed) == 0 &&
           ATOMIC_LOAD(&log->commit->reserved.lsn, relaxed) <= wakes_at) {
        int64_t left_ns = end_ns - clock_monotonic_ns();
        if (left_ns <= 0) {
            return;
        }
        commit_writer_sleep(log->commit, wakes_at, left_ns);
    }
}

/* A large batch needs no rest to grow. */
static void writer_pause(struct log *log, uint64_t records, uint64_t bytes) {
    if (bytes >= WRITER_SMALL_BYTES || writer_is_stopping(log) || wait_rest(log)) {
        return;
    }
    uint64_t crowd = records == 0 ? 0 : writer_crowd(log, records);
    if (crowd != 0) {
        writer_await(log, crowd, bytes / records);
    }
}

/* ---- The thread ---- */

/* One round. False when the thread is to end. */
static bool writer_step(struct log *log) {
    struct writer *writer = &log->writer;

    writer->taken_ns = clock_monotonic_ns();
    enum writer_gathered gathered = writer_gather(log);
    if (writer->batch.used != 0) {
        uint64_t bytes = writer->batch.used;
        uint64_t records = writer->batch.records;
        if (!writer_flush(log)) {
            return false;
        }
        writer_pause(log, records, bytes);
        return true;
    }
    switch (gathered) {
    case WRITER_SEGMENT_END:
        return writer_roll(log);
    case WRITER_UNPUBLISHED:
        /* The owner may be waiting for this very processor. */
        sched_yield();
        return true;
    case WRITER_ENOUGH:
        return true;
    case WRITER_IDLE:
        return writer_rest(log);
    }
    return false;
}

static void *writer_run(void *argument) {
    struct log *log = argument;

    /* All who wait for the disk wait for this thread's turn after it. */
    thread_wake_soon();
    /* Acquire: pairs with the exchange in fail_log(). */
    while (ATOMIC_LOAD(&log->failed, acquire) == 0 && writer_step(log)) {
    }
    return NULL;
}

bool writer_start(struct log *log, uint64_t lsn) {
    struct writer *writer = &log->writer;
    struct segment segment;

    bool found = catalog_last(log, &segment);
    ASSERT(found);
    ASSERT(segment.first_lsn == lsn);
    writer->file = prepare_active_file(log);
    writer->decided_lsn = lsn;
    writer->commit_end_lsn = lsn;
    writer->proven_lsn = lsn;
    writer->batch.segment_end_lsn = lsn + segment.capacity_bytes;
    writer->batch.seed = segment.seed;
    writer->batch.time_ns = log->end_time_ns;
    batch_begin(&writer->batch, lsn);
    writer->running = thread_start(&writer->thread, "cellar-log", writer_run, log);
    return writer->running;
}

void writer_stop(struct log *log) {
    struct writer *writer = &log->writer;

    if (!writer->running) {
        return;
    }
    /* Release: pairs with the acquire in writer_is_stopping(). The kick is kept for it when it is
     * just about to sleep. */
    ATOMIC_STORE(&writer->stopping, 1, release);
    commit_writer_kick(log->commit);
    pthread_join(writer->thread, NULL);
    writer->running = false;
}
