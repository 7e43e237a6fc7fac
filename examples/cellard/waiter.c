#include "waiter.h"

#include "problem.h"
#include "turn.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    POLLING_MS = 1,        /* lists and space have no event; both follow within milliseconds */
    WAITING_POLL_MS = 100, /* how soon a failed log is noticed */
    IDLE_POLL_MS = 1000
};

/* ---- The heap ---- */

static void heap_push(struct waiter *waiter, waiter_entry entry) {
    waiter_entry *heap = waiter->syncing;
    size_t at = waiter->syncing_count++;
    while (at != 0 && heap[(at - 1) / 2].lsn > entry.lsn) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = entry;
}

static struct request *heap_pop(struct waiter *waiter) {
    waiter_entry *heap = waiter->syncing;
    struct request *first = heap[0].request;
    waiter_entry last = heap[--waiter->syncing_count];
    size_t count = waiter->syncing_count;
    size_t at = 0;
    for (size_t child = 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && heap[child + 1].lsn < heap[child].lsn) {
            child++;
        }
        if (heap[child].lsn >= last.lsn) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    if (count != 0) {
        heap[at] = last;
    }
    return first;
}

/* ---- Adding ---- */

static void kick(const struct waiter *waiter) {
    /* Fails only when the counter is full: then the descriptor is readable anyway. */
    (void)eventfd_write(waiter->kick_fd, 1);
}

void waiter_add(struct waiter *waiter, struct request *request) {
    /* Its own copies: once it has been pushed the request may be answered and gone. */
    uint64_t lsn = request->sync_lsn;
    bool is_polled = request->stage != REQUEST_SYNCING;
    (void)atomic_fetch_add_explicit(&waiter->waiting, 1, memory_order_relaxed);
    MHD_suspend_connection(request->connection);
    request->next = atomic_load_explicit(&waiter->arrived, memory_order_relaxed);
    /* Sequentially consistent, as is the exchange in take_arrived(): we push and then ask for the
     * durable LSN, the waiter asks for it and then takes what was pushed. One of the two sees the
     * other; with less, a commit that became durable in between would be noticed only with the next
     * one. */
    while (!atomic_compare_exchange_weak(&waiter->arrived, &request->next, request)) {
    }
    if (is_polled || lsn < cellar_durable_lsn(waiter->store)) {
        kick(waiter);
    }
}

/* ---- The thread ---- */

static void resume(struct waiter *waiter, struct request *request, request_stage stage) {
    struct MHD_Connection *connection = request->connection;
    request->stage = stage;
    (void)atomic_fetch_sub_explicit(&waiter->waiting, 1, memory_order_relaxed);
    MHD_resume_connection(connection);
}

static void take_arrived(struct waiter *waiter) {
    struct request *taken = atomic_exchange(&waiter->arrived, NULL);
    while (taken != NULL) {
        struct request *next = taken->next;
        if (taken->stage != REQUEST_SYNCING) {
            taken->next = waiter->polling;
            waiter->polling = taken;
        } else {
            heap_push(waiter, (waiter_entry){taken->sync_lsn, taken});
        }
        taken = next;
    }
}

/* Whoever waits to be told that a commit is on disk is told that nobody knows. */
static void fail_syncing(struct waiter *waiter) {
    atomic_store(&waiter->log_failed, true);
    while (waiter->syncing_count != 0) {
        struct request *request = heap_pop(waiter);
        problem_status(request, CELLAR_OUTCOME_UNKNOWN, NULL);
        resume(waiter, request, REQUEST_READY);
    }
}

/* Resumes what need not wait any more; the handler decides what comes of it. */
static void resume_polled(struct waiter *waiter) {
    struct request **link = &waiter->polling;
    while (*link != NULL) {
        struct request *request = *link;
        request_stage stage = request->stage;
        if (stage == REQUEST_FOLLOWING &&
            cellar_wait_listed(waiter->store, request->follow_lsn, 0) == CELLAR_TIMEOUT) {
            link = &request->next;
            continue;
        }
        *link = request->next;
        resume(waiter, request, stage);
    }
}

static void drain(int fd, short events) {
    eventfd_t count = 0;
    if ((events & POLLIN) != 0) {
        (void)eventfd_read(fd, &count);
    }
}

static void *waiter_run(void *context) {
    struct waiter *waiter = context;
    struct pollfd polled[2] = {{.fd = waiter->durable_fd, .events = POLLIN},
                               {.fd = waiter->kick_fd, .events = POLLIN}};
    turn_soon();
    for (;;) {
        int timeout_ms = waiter->syncing_count != 0 ? WAITING_POLL_MS : IDLE_POLL_MS;
        bool was_kicked = poll(polled, 2, waiter->polling != NULL ? POLLING_MS : timeout_ms) > 0;
        if (was_kicked) {
            drain(polled[0].fd, polled[0].revents);
            drain(polled[1].fd, polled[1].revents);
        }
        uint64_t durable = cellar_durable_lsn(waiter->store);
        take_arrived(waiter);
        while (waiter->syncing_count != 0 && waiter->syncing[0].lsn < durable) {
            resume(waiter, heap_pop(waiter), REQUEST_READY);
        }
        resume_polled(waiter);
        if (waiter->syncing_count != 0 &&
            cellar_wait(waiter->store, waiter->syncing[0].lsn, 0) == CELLAR_OUTCOME_UNKNOWN) {
            fail_syncing(waiter);
        }
        if (atomic_load(&waiter->stopping) && waiter->syncing_count == 0 &&
            waiter->polling == NULL && atomic_load(&waiter->arrived) == NULL) {
            return NULL;
        }
    }
}

bool waiter_start(struct waiter *waiter, cellar *store, size_t capacity) {
    sigset_t all;
    sigset_t before;
    waiter->store = store;
    waiter->syncing = calloc(capacity, sizeof *waiter->syncing);
    waiter->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (waiter->syncing == NULL || waiter->kick_fd < 0 ||
        cellar_durable_fd(store, &waiter->durable_fd) != CELLAR_OK) {
        return false;
    }
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    waiter->started = pthread_create(&waiter->thread, NULL, waiter_run, waiter) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return waiter->started;
}

void waiter_stop(struct waiter *waiter) {
    if (waiter->started) {
        atomic_store(&waiter->stopping, true);
        kick(waiter);
        (void)pthread_join(waiter->thread, NULL);
    }
    if (waiter->kick_fd >= 0) {
        (void)close(waiter->kick_fd);
    }
    free(waiter->syncing);
}
