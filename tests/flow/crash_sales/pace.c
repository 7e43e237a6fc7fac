/* Where the writer stands, and who lets it go. */
#include "flow/crash_sales/pace.h"

#include "base/atomic.h"
#include "base/hash.h"
#include "base/probe.h"
#include "log/state.h"
#include "support/random.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define LOOK_NS 10000
#define WALL_NS INT64_C(1700000000000000000)

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under the lock: */
    bool held;      /* the writer is to stand */
    bool asleep_ok; /* it may sleep: it has stood once since the opening */
    bool standing;
    bool released;                    /* for one round */
    bool opened;                      /* from here on what is due is handed over in sweeps */
    struct commit_deferred *deferred; /* given back between two calls */
    bool swept;                       /* what was refused has been swept since this was false */
    atomic_bool stopped;              /* the log has failed */
    /* The thread's that calls: */
    cellar *store; /* NULL: goes by itself */
    struct random random;
} pace = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- On the writer's thread ---- */

static void pace_stand(void) {
    pthread_mutex_lock(&pace.lock);
    pace.standing = true;
    pace.asleep_ok = true;
    pthread_cond_broadcast(&pace.changed);
    while (pace.held && !pace.released) {
        pthread_cond_wait(&pace.changed, &pace.lock);
    }
    pace.released = false;
    pace.standing = false;
    pthread_mutex_unlock(&pace.lock);
}

static void pace_probe(const char *point, uint64_t argument) {
    (void)argument;
    if (strcmp(point, "log-durable") == 0) {
        pace_stand();
    }
}

/* ---- On the thread that calls ---- */

/* So far that nothing is committed any more. */
static bool pace_has_failed(void) {
    /* Acquire: pairs with the release in __wrap_commit_stop(). */
    return atomic_load_explicit(&pace.stopped, memory_order_acquire);
}

/* Until the writer stands again, or will not any more. */
static void pace_wait_standing(void) {
    pthread_mutex_lock(&pace.lock);
    while ((!pace.standing || pace.released) && !pace_has_failed()) {
        pthread_mutex_unlock(&pace.lock);
        clock_sleep_ns(LOOK_NS);
        pthread_mutex_lock(&pace.lock);
    }
    pthread_mutex_unlock(&pace.lock);
}

static void pace_let_go(void) {
    pthread_mutex_lock(&pace.lock);
    pace.released = true;
    pthread_cond_broadcast(&pace.changed);
    pthread_mutex_unlock(&pace.lock);
    pace_wait_standing();
}

/* What a call decides must not depend on how far the lists have followed. */
static void pace_wait_listed(void) {
    const struct commit *commit = pace.store->commit;
    while (ATOMIC_LOAD(&commit->projected.lsn, acquire) <
           ATOMIC_LOAD(&commit->written.lsn, acquire)) {
        clock_sleep_ns(LOOK_NS);
    }
}

void pace_begin(uint64_t seed) {
    pace.random.state = seed;
    /* Sleeps of this thread are not to be longer than they say. */
    (void)prctl(PR_SET_TIMERSLACK, 1000UL);
    atomic_store(&probe_installed, pace_probe);
}

void pace_hold(void) {
    pace.store = NULL;
    atomic_store(&pace.stopped, false);
    pthread_mutex_lock(&pace.lock);
    pace.held = true;
    pace.asleep_ok = false;
    pace.standing = false;
    pace.released = false;
    pace.opened = false;
    pace.swept = true;
    pthread_mutex_unlock(&pace.lock);
}

/* Numbers of what is given back are taken again, so it must not be a matter of time when that is.
 */
static void pace_release(struct commit *commit) {
    pthread_mutex_lock(&pace.lock);
    struct commit_deferred *deferred = pace.deferred;
    pace.deferred = NULL;
    pthread_mutex_unlock(&pace.lock);
    if (deferred != NULL) {
        commit_grace_period();
    }
    while (deferred != NULL) {
        struct commit_deferred *next = deferred->next;
        deferred->release(deferred, commit->memory);
        deferred = next;
    }
}

static bool pace_is_prepared(struct log *log) {
    struct prepare *prepare = &log->prepare;
    bool done = true;
    pthread_mutex_lock(&prepare->lock);
    for (int i = 0; i < 2; i++) {
        done = done && prepare->places[i].prepared_bytes == log->segment_bytes;
    }
    pthread_mutex_unlock(&prepare->lock);
    return done;
}

void pace_opened(cellar *store, bool (*disk_is_dead)(void *context), void *context) {
    pace.store = store;
    while (!pace_is_prepared(store->log) && !disk_is_dead(context) && !pace_has_failed()) {
        clock_sleep_ns(LOOK_NS);
    }
    pace_wait_standing();
    pace_wait_listed();
    pthread_mutex_lock(&pace.lock);
    pace.opened = true;
    pthread_mutex_unlock(&pace.lock);
}

void pace_round(void) {
    const struct commit *commit = pace.store->commit;
    if (ATOMIC_LOAD(&commit->reserved.lsn, acquire) > ATOMIC_LOAD(&commit->durable.lsn, acquire) &&
        !pace_has_failed()) {
        pace_let_go();
    }
    pace_wait_listed();
}

void pace_idle(void) {
    /* Standing, it changes nothing of this. */
    const struct writer *writer = &pace.store->log->writer;
    if (!pace_has_failed() && writer->commit_end_lsn > writer->proven_lsn) {
        pace_let_go();
    }
    pace_wait_listed();
}

/* The follower retires what was linked for calls that were refused, by commits. */
static void pace_sweep(void) {
    bool swept = ATOMIC_LOAD(&pace.store->store->suspects, acquire) == 0;
    pthread_mutex_lock(&pace.lock);
    pace.swept = swept;
    while (!pace.swept) {
        pthread_mutex_unlock(&pace.lock);
        commit_follower_kick(pace.store->commit);
        clock_sleep_ns(LOOK_NS);
        pthread_mutex_lock(&pace.lock);
    }
    pthread_mutex_unlock(&pace.lock);
}

void pace_between_calls(void) {
    pace_sweep();
    pace_release(pace.store->commit);
}

void pace_free(void) {
    cellar *store = pace.store;
    if (store != NULL) {
        pace_between_calls();
    }
    pace.store = NULL;
    pthread_mutex_lock(&pace.lock);
    pace.held = false;
    pthread_cond_broadcast(&pace.changed);
    pthread_mutex_unlock(&pace.lock);
    if (store != NULL) {
        pace_release(store->commit);
    }
}

/* ---- What the linker leads here ---- */

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names. */

void __real_commit_writer_sleep(struct commit *commit, uint64_t decided, int64_t timeout_ns);
void __wrap_commit_writer_sleep(struct commit *commit, uint64_t decided, int64_t timeout_ns);
void __real_commit_defer(struct commit *commit, struct commit_deferred *deferred);
void __wrap_commit_defer(struct commit *commit, struct commit_deferred *deferred);
const struct record_header *__real_commit_record(const struct commit *commit, uint64_t lsn);
const struct record_header *__wrap_commit_record(const struct commit *commit, uint64_t lsn);
enum commit_decision __real_commit_follow(struct commit *commit, uint64_t lsn,
                                          const struct record_header **record_out,
                                          uint64_t *space_out);
enum commit_decision __wrap_commit_follow(struct commit *commit, uint64_t lsn,
                                          const struct record_header **record_out,
                                          uint64_t *space_out);
void __real_commit_stop(struct commit *commit);
void __wrap_commit_stop(struct commit *commit);
void __real_log_hurry(struct log *log);
void __wrap_log_hurry(struct log *log);
cellar_status __real_log_wait(struct log *log, uint64_t lsn, int64_t deadline_ns);
cellar_status __wrap_log_wait(struct log *log, uint64_t lsn, int64_t deadline_ns);
void __real_store_sweep(struct store *store, int64_t now_ns);
void __wrap_store_sweep(struct store *store, int64_t now_ns);
void __real_expiry_feed(cellar *engine);
void __wrap_expiry_feed(cellar *engine);
uint64_t __wrap_hash_random_seed(void);
int64_t __wrap_clock_wall_ns(void);

/* The first time after an opening it stands here. */
void __wrap_commit_writer_sleep(struct commit *commit, uint64_t decided, int64_t timeout_ns) {
    pthread_mutex_lock(&pace.lock);
    bool stands = pace.held && !pace.asleep_ok;
    pthread_mutex_unlock(&pace.lock);
    if (stands) {
        pace_stand();
    } else {
        __real_commit_writer_sleep(commit, decided, timeout_ns);
    }
}

/* Recovery has no readers, and gives back at once. */
void __wrap_commit_defer(struct commit *commit, struct commit_deferred *deferred) {
    pthread_mutex_lock(&pace.lock);
    bool mine = pace.held && commit->reclaimer != NULL;
    if (mine) {
        deferred->next = pace.deferred;
        pace.deferred = deferred;
    }
    pthread_mutex_unlock(&pace.lock);
    if (!mine) {
        __real_commit_defer(commit, deferred);
    }
}

/* What is in a file is read from there, however long it stays in memory: opening a file is a call,
 * too. */
const struct record_header *__wrap_commit_record(const struct commit *commit, uint64_t lsn) {
    pthread_mutex_lock(&pace.lock);
    bool from_file = pace.held && lsn < ATOMIC_LOAD(&commit->written.lsn, acquire);
    pthread_mutex_unlock(&pace.lock);
    return from_file ? NULL : __real_commit_record(commit, lsn);
}

/* It follows the writer, whose steps are counted, and goes never ahead of it. */
enum commit_decision __wrap_commit_follow(struct commit *commit, uint64_t lsn,
                                          const struct record_header **record_out,
                                          uint64_t *space_out) {
    pthread_mutex_lock(&pace.lock);
    bool ahead = pace.held && lsn >= ATOMIC_LOAD(&commit->written.lsn, acquire);
    pthread_mutex_unlock(&pace.lock);
    return ahead ? COMMIT_UNPUBLISHED : __real_commit_follow(commit, lsn, record_out, space_out);
}

void __wrap_commit_stop(struct commit *commit) {
    __real_commit_stop(commit);
    /* Release: pairs with the acquire in pace_has_failed(). */
    atomic_store_explicit(&pace.stopped, true, memory_order_release);
}

void __wrap_log_hurry(struct log *log) {
    __real_log_hurry(log);
    if (pace.store != NULL) {
        pace_round();
    }
}

cellar_status __wrap_log_wait(struct log *log, uint64_t lsn, int64_t deadline_ns) {
    if (pace.store != NULL) {
        /* The writer does not rest between two rounds while somebody waits. */
        __real_log_hurry(log);
        pace_round();
        log_hurry_end(log);
    }
    return __real_log_wait(log, lsn, deadline_ns);
}

void __wrap_store_sweep(struct store *store, int64_t now_ns) {
    pthread_mutex_lock(&pace.lock);
    bool free = !pace.held;
    bool wanted = !pace.swept;
    pthread_mutex_unlock(&pace.lock);
    if (free) {
        __real_store_sweep(store, now_ns);
    } else if (wanted) {
        /* The follower may have looked at the clock before the latest call. */
        __real_store_sweep(store, engine_now(pace.store));
        pthread_mutex_lock(&pace.lock);
        pace.swept = true;
        pthread_mutex_unlock(&pace.lock);
    }
}

/* Nothing is due while the thread that gives it back rests (support/expiry.h), nor before it has
 * been told to. */
void __wrap_expiry_feed(cellar *engine) {
    pthread_mutex_lock(&pace.lock);
    /* Acquire: pairs with the release in expiry_resume(). */
    bool sweeps = pace.opened && ATOMIC_LOAD(&engine->expiry.stopping, acquire) == 0;
    bool feeds = !pace.held || sweeps;
    pthread_mutex_unlock(&pace.lock);
    if (feeds) {
        __real_expiry_feed(engine);
    }
}

uint64_t __wrap_hash_random_seed(void) {
    return random_next(&pace.random);
}

int64_t __wrap_clock_wall_ns(void) {
    return WALL_NS;
}

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
