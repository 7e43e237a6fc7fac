/* Waiters, and the event descriptor. */
#include "log/wait.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/futex.h"
#include "log/log.h"
#include "log/state.h"

#include <errno.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* See wait_rest(). A batch that comes in meanwhile at full speed is some 200 KB. */
#define WAIT_REST_NS NANOSECONDS_PER_MILLISECOND

void wait_create(struct wait *wait) {
    for (int i = 0; i < WAIT_WORDS; i++) {
        ATOMIC_STORE(&wait->words[i].epoch, 0, relaxed);
        ATOMIC_STORE(&wait->words[i].waiters, 0, relaxed);
    }
    ATOMIC_STORE(&wait->event, -1, relaxed);
    ATOMIC_STORE(&wait->waiting, 0, relaxed);
    ATOMIC_STORE(&wait->hurried, 0, relaxed);
    ATOMIC_STORE(&wait->rests, 0, relaxed);
    ATOMIC_STORE(&wait->turns_from_ns, 0, relaxed);
    ATOMIC_STORE(&wait->slowness, 0, relaxed);
}

void wait_destroy(struct wait *wait) {
    int event = ATOMIC_LOAD(&wait->event, relaxed);

    if (event >= 0) {
        (void)close(event);
    }
}

static struct wait_word *wait_word_of(struct wait *wait, uint64_t range) {
    return &wait->words[range % WAIT_WORDS];
}

static void wait_wake(struct wait_word *word) {
    /* Release: pairs with the acquire in wait_sleep(); who reads the new epoch sees why it changed.
     */
    ATOMIC_ADD(&word->epoch, 1, release);
    futex_wake(&word->epoch, FUTEX_ALL);
}

static void wait_signal_event(struct wait *wait) {
    /* Sequentially consistent, after the store of `durable`: whoever makes the descriptor and asks
     * for `durable` afterwards sees this advance, or we see the descriptor. */
    int event = ATOMIC_LOAD(&wait->event, seq_cst);

    if (event >= 0) {
        /* Fails only when the counter is full: then the descriptor is readable anyway. */
        (void)eventfd_write(event, 1);
    }
}

void wait_publish(struct log *log, uint64_t before, uint64_t durable) {
    struct wait *wait = &log->wait;
    uint64_t range = before >> WAIT_RANGE_SHIFT;
    uint64_t last = (durable - 1) >> WAIT_RANGE_SHIFT;

    ASSERT(before < durable);
    if (last - range >= WAIT_WORDS) {
        range = last - WAIT_WORDS + 1;
    }
    /* Sequentially consistent, with the load of `waiters` below: a waiter counts itself and then
     * loads `durable`, we store `durable` and then load the count. In the single order of these
     * four one of the two comes second and sees the other; with less, both could read the old
     * value, and the waiter would sleep for good. Also the release that pairs with every acquire of
     * `durable`: the batch was synced before. */
    ATOMIC_STORE(&log->commit->durable.lsn, durable, seq_cst);
    for (; range <= last; range++) {
        struct wait_word *word = wait_word_of(wait, range);
        if (ATOMIC_LOAD(&word->waiters, seq_cst) != 0) {
            wait_wake(word);
        }
    }
    wait_signal_event(wait);
}

void wait_fail(struct log *log) {
    /* `failed` was set before. Every word is woken, whether anyone is seen to wait there or not. */
    for (int i = 0; i < WAIT_WORDS; i++) {
        wait_wake(&log->wait.words[i]);
    }
    wait_signal_event(&log->wait);
}

/* Counts the caller, and ends the writer's rest. Returns how many there were before. */
static uint32_t wait_count(struct wait *wait, _Atomic uint32_t *count) {
    /* Sequentially consistent: wait_rest() says that it rests and then looks for us, we count
     * ourselves and then look whether it rests; one of the two sees the other. */
    uint32_t before = ATOMIC_ADD(count, 1, seq_cst);
    if (ATOMIC_LOAD(&wait->rests, seq_cst) != 0) {
        ATOMIC_STORE(&wait->rests, 0, seq_cst);
        futex_wake(&wait->rests, 1);
    }
    return before;
}

void log_hurry(struct log *log) {
    (void)wait_count(&log->wait, &log->wait.hurried);
}

void log_hurry_end(struct log *log) {
    ATOMIC_SUB(&log->wait.hurried, 1, relaxed);
}

bool wait_rest(struct log *log) {
    struct wait *wait = &log->wait;
    bool rested = false;

    ATOMIC_STORE(&wait->rests, 1, seq_cst);
    /* Whoever waits for ring space waits for us, too; who has the event descriptor always does. */
    if (wait_crowd(wait) == 0 && !wait_is_hurried(wait) &&
        ATOMIC_LOAD(&log->commit->space_waiters, seq_cst) == 0 && !wait_has_event(wait)) {
        futex_wait(&wait->rests, 1, WAIT_REST_NS);
        rested = true;
    }
    ATOMIC_STORE(&wait->rests, 0, relaxed);
    return rested;
}

/* Sleeps until the record is durable, the log has failed, or the deadline. */
static cellar_status wait_sleep(struct log *log, struct wait_word *word, uint64_t lsn,
                                int64_t deadline_ns) {
    for (;;) {
        /* Acquire: pairs with the release in wait_wake(). Before the two checks, so that a change
         * after them is noticed by the futex. */
        uint32_t epoch = ATOMIC_LOAD(&word->epoch, acquire);
        /* Sequentially consistent: see wait_publish(). */
        if (ATOMIC_LOAD(&log->commit->durable.lsn, seq_cst) > lsn) {
            return CELLAR_OK;
        }
        /* Acquire: pairs with the store in fail_log(). */
        if (ATOMIC_LOAD(&log->failed, acquire) != 0) {
            return CELLAR_OUTCOME_UNKNOWN;
        }
        int64_t left = -1;
        if (deadline_ns != INT64_MAX) {
            int64_t now = clock_monotonic_ns();
            if (deadline_ns <= now) {
                return CELLAR_TIMEOUT;
            }
            left = deadline_ns - now;
        }
        futex_wait(&word->epoch, epoch, left);
    }
}

/* Relaxed, without read-modify-write: an estimate, in which one turn more or less is nothing. */
static void wait_note_turn(struct wait *wait, uint32_t crowd, bool slow, int64_t now_ns) {
    uint32_t slowness = ATOMIC_LOAD(&wait->slowness, relaxed);

    if (!slow) {
        if (slowness > 0) {
            ATOMIC_STORE(&wait->slowness, slowness - 1, relaxed);
        }
    } else if (slowness < WAIT_SLOW_EACH_MAX * crowd) {
        ATOMIC_STORE(&wait->slowness, slowness + WAIT_SLOW_WEIGHT, relaxed);
    } else {
        ATOMIC_STORE(&wait->slowness, 0, relaxed);
        ATOMIC_STORE(&wait->turns_from_ns, now_ns + WAIT_NO_TURNS_NS, relaxed);
    }
}

/* To sleep and be woken costs several times what a commit does. In a crowd of waiters it is cheaper
 * to let the others have the processor: when the turn comes back, the record is mostly durable.
 * True when it is. But the kernel takes a turn for a thread's whole slice: threads that are busy
 * with something else would get all the time. Their slices show in how long a turn takes; then the
 * crowd sleeps, as fewer waiters do. */
static bool wait_turns(struct log *log, uint64_t lsn, int64_t deadline_ns, uint32_t crowd) {
    struct wait *wait = &log->wait;
    int64_t slow_ns = WAIT_TURN_NS + (int64_t)crowd * WAIT_TURN_EACH_NS;
    int64_t before_ns = clock_monotonic_ns();

    for (int turn = 0; turn < WAIT_TURNS_MAX; turn++) {
        if (before_ns >= deadline_ns || before_ns < ATOMIC_LOAD(&wait->turns_from_ns, relaxed)) {
            return false;
        }
        sched_yield();
        int64_t now_ns = clock_monotonic_ns();
        wait_note_turn(wait, crowd, now_ns - before_ns > slow_ns, now_ns);
        /* Acquire: pairs with the store in wait_publish(). */
        if (ATOMIC_LOAD(&log->commit->durable.lsn, acquire) > lsn) {
            return true;
        }
        before_ns = now_ns;
    }
    return false;
}

cellar_status log_wait(struct log *log, uint64_t lsn, int64_t deadline_ns) {
    struct wait_word *word = wait_word_of(&log->wait, lsn >> WAIT_RANGE_SHIFT);

    /* Acquire: pairs with the store in wait_publish(). */
    if (ATOMIC_LOAD(&log->commit->durable.lsn, acquire) > lsn) {
        return CELLAR_OK;
    }
    uint32_t before = wait_count(&log->wait, &log->wait.waiting);
    /* The record may have been finished by a helper, and its owner stopped before it woke the
     * writer. */
    if (ATOMIC_LOAD(&log->commit->decided.lsn, acquire) <= lsn) {
        commit_writer_wake(log->commit, lsn);
    }
    cellar_status status = CELLAR_OK;
    if (before < WAIT_CROWD_MIN || !wait_turns(log, lsn, deadline_ns, before)) {
        /* Sequentially consistent: see wait_publish(). */
        ATOMIC_ADD(&word->waiters, 1, seq_cst);
        status = wait_sleep(log, word, lsn, deadline_ns);
        ATOMIC_SUB(&word->waiters, 1, relaxed);
    }
    ATOMIC_SUB(&log->wait.waiting, 1, relaxed);
    return status;
}

int log_event_descriptor(struct log *log) {
    struct wait *wait = &log->wait;
    int current = ATOMIC_LOAD(&wait->event, relaxed);

    if (current >= 0) {
        return current;
    }
    /* Readable from the start, so that its first user asks for `durable` at once. */
    int event = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0) {
        return -errno;
    }
    /* Sequentially consistent: see wait_signal_event(). */
    if (!ATOMIC_CAS(&wait->event, &current, event, seq_cst, relaxed)) {
        (void)close(event);
        return current;
    }
    return event;
}
