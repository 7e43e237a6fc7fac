/* The scheduler, and what blocks and wakes simulated threads: futexes, grace periods, sleep. */
#include "sim/point.h"
#include "sim/sim.h"

#include "sim/access.h"
#include "sim/buffer.h"
#include "sim/switch.h"

#include "base/clock.h"
#include "base/futex.h"
#include "base/hash.h"
#include "commit/commit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Time passes with the steps, so that it is the same in each repetition. */
#define SIM_STEP_NS 2000
#define SIM_START_NS (NANOSECONDS_PER_SECOND * 1000)

static struct {
    struct sim_thread threads[SIM_THREADS_MAX];
    unsigned count;
    struct sim_thread *current;
    void *scheduler; /* saved stack pointer of the real thread */
    uint32_t runnable;
    uint32_t section_count;
    uint64_t steps;
    uint64_t decide_at;
    int64_t skipped_ns; /* time that passed while all were asleep */
    const struct sim_strategy *strategy;
    bool failed;
    bool traced;
    char failure[320];
} sim;

static unsigned char *sim_stacks;

void sim_reset(void) {
    if (sim_stacks == NULL) {
        sim_stacks = aligned_alloc(4096, SIM_THREADS_MAX * SIM_STACK_BYTES);
        if (sim_stacks == NULL) {
            abort();
        }
    }
    bool traced = sim.traced;
    memset(&sim, 0, sizeof sim);
    sim.traced = traced;
    sim.failure[0] = '\0';
}

static void sim_thread_body(void) {
    struct sim_thread *thread = sim.current;

    thread->run(thread->argument);
    access_fence();
    thread->state = SIM_DONE;
    sim.runnable &= ~(1u << sim_thread_number(thread));
    sim_wake_all(&thread->state);
    void *unused;
    switch_stacks(&unused, sim.scheduler);
    abort();
}

struct sim_thread *sim_spawn(const char *name, sim_function *run, void *argument, bool daemon) {
    if (sim.count == SIM_THREADS_MAX) {
        abort();
    }
    struct sim_thread *thread = &sim.threads[sim.count];
    thread->stack = sim_stacks + sim.count * SIM_STACK_BYTES;
    /* So that equal states have equal stacks. */
    memset(thread->stack + SIM_STACK_BYTES - 4096, 0, 4096);
    thread->saved = switch_prepare(thread->stack, SIM_STACK_BYTES, sim_thread_body);
    thread->name = name;
    thread->run = run;
    thread->argument = argument;
    thread->daemon = daemon;
    thread->file = "start";
    sim.runnable |= 1u << sim.count;
    sim.count++;
    return thread;
}

struct sim_thread *sim_thread_at(unsigned number) {
    return &sim.threads[number];
}

unsigned sim_thread_count(void) {
    return sim.count;
}

unsigned sim_thread_number(const struct sim_thread *thread) {
    return (unsigned)(thread - sim.threads);
}

struct sim_thread *sim_current(void) {
    return sim.current;
}

uint32_t sim_runnable(void) {
    return sim.runnable;
}

uint64_t sim_steps(void) {
    return sim.steps;
}

const char *sim_failure(void) {
    return sim.failed ? sim.failure : NULL;
}

void sim_trace(bool on) {
    sim.traced = on;
}

bool sim_is_traced(void) {
    return sim.traced;
}

bool sim_actors_are_done(void) {
    for (unsigned i = 0; i < sim.count; i++) {
        const struct sim_thread *thread = &sim.threads[i];
        if (!thread->daemon && thread->state != SIM_DONE && thread->state != SIM_DEAD) {
            return false;
        }
    }
    return true;
}

void sim_note(const char *format, ...) {
    if (!sim.traced) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    printf("# %6llu  %-9s ", (unsigned long long)sim.steps,
           sim.current != NULL ? sim.current->name : "-");
    (void)vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
}

/* To the scheduler; returns when the thread is chosen again. */
static void sim_give_up_processor(struct sim_thread *thread) {
    switch_stacks(&thread->saved, sim.scheduler);
}

void sim_fail(const char *format, ...) {
    if (!sim.failed) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(sim.failure, sizeof sim.failure, format, arguments);
        va_end(arguments);
        sim.failed = true;
        sim_note("WRONG: %s", sim.failure);
    }
    while (sim.current != NULL) {
        sim_give_up_processor(sim.current);
    }
}

void sim_point(const char *file, int line) {
    struct sim_thread *thread = sim.current;

    if (thread == NULL) {
        return;
    }
    thread->file = file;
    thread->line = line;
    if (++sim.steps >= sim.decide_at) {
        sim_give_up_processor(thread);
    }
}

void sim_yield(void) {
    struct sim_thread *thread = sim.current;

    if (thread != NULL) {
        sim.steps++;
        if (sim.strategy->yielded != NULL) {
            sim.strategy->yielded(sim.strategy->context, thread);
        }
        sim_give_up_processor(thread);
    }
}

/* ---- Blocking ---- */

static void sim_block(struct sim_thread *thread, enum sim_state state) {
    access_fence();
    thread->state = state;
    sim.runnable &= ~(1u << sim_thread_number(thread));
    sim_give_up_processor(thread);
}

static void sim_unblock(struct sim_thread *thread) {
    thread->state = SIM_RUNNABLE;
    thread->futex = NULL;
    sim.runnable |= 1u << sim_thread_number(thread);
    /* The strategy may want it at once. */
    sim.decide_at = 0;
}

void sim_wait_on(const volatile void *address) {
    struct sim_thread *thread = sim.current;

    thread->futex = address;
    thread->wake_ns = SIM_NEVER;
    sim_block(thread, SIM_WAITS_FUTEX);
}

void sim_wake_all(const volatile void *address) {
    for (unsigned i = 0; i < sim.count; i++) {
        struct sim_thread *thread = &sim.threads[i];
        if (thread->state == SIM_WAITS_FUTEX && thread->futex == address) {
            sim_unblock(thread);
        }
    }
}

bool sim_wake_sleeper(void) {
    struct sim_thread *first = NULL;

    for (unsigned i = 0; i < sim.count; i++) {
        struct sim_thread *thread = &sim.threads[i];
        if ((thread->state == SIM_WAITS_FUTEX || thread->state == SIM_SLEEPS) &&
            thread->wake_ns != SIM_NEVER && (first == NULL || thread->wake_ns < first->wake_ns)) {
            first = thread;
        }
    }
    if (first == NULL) {
        return false;
    }
    int64_t now_ns = clock_monotonic_ns();
    sim.skipped_ns += first->wake_ns > now_ns ? first->wake_ns - now_ns : 0;
    sim_unblock(first);
    return true;
}

void sim_kill(struct sim_thread *thread) {
    buffer_drain(sim_thread_number(thread));
    thread->state = SIM_DEAD;
    sim.runnable &= ~(1u << sim_thread_number(thread));
}

int64_t clock_monotonic_ns(void) {
    return SIM_START_NS + sim.skipped_ns + (int64_t)sim.steps * SIM_STEP_NS;
}

int64_t clock_wall_ns(void) {
    return clock_monotonic_ns();
}

void clock_sleep_ns(int64_t ns) {
    struct sim_thread *thread = sim.current;

    if (thread != NULL && ns > 0) {
        thread->wake_ns = clock_monotonic_ns() + ns;
        sim_block(thread, SIM_SLEEPS);
    }
}

void futex_wait(_Atomic uint32_t *word, uint32_t value, int64_t timeout_ns) {
    struct sim_thread *thread = sim.current;

    CELLAR_SCHEDULE_POINT();
    access_fence();
    if (thread == NULL || atomic_load_explicit(word, memory_order_relaxed) != value) {
        return;
    }
    thread->futex = word;
    thread->wake_ns = timeout_ns < 0 ? SIM_NEVER : clock_monotonic_ns() + timeout_ns;
    sim_note("sleeps at %s:%d", thread->file, thread->line);
    sim_block(thread, SIM_WAITS_FUTEX);
}

void futex_wake(_Atomic uint32_t *word, int count) {
    CELLAR_SCHEDULE_POINT();
    access_fence();
    for (unsigned i = 0; i < sim.count && count > 0; i++) {
        struct sim_thread *thread = &sim.threads[i];
        if (thread->state == SIM_WAITS_FUTEX && thread->futex == word) {
            sim_unblock(thread);
            count--;
        }
    }
}

/* ---- Read sections and grace periods ---- */

void commit_enter(void) {
    struct sim_thread *thread = sim.current;

    CELLAR_SCHEDULE_POINT();
    if (thread != NULL && thread->section_depth++ == 0) {
        thread->section_number = ++sim.section_count;
    }
}

static bool sim_grace_is_over(const struct sim_thread *thread) {
    for (unsigned i = 0; i < sim.count; i++) {
        const struct sim_thread *other = &sim.threads[i];
        if (thread->grace_waits[i] != 0 && other->section_depth != 0 &&
            other->section_number == thread->grace_waits[i]) {
            return false;
        }
    }
    return true;
}

void commit_leave(void) {
    struct sim_thread *thread = sim.current;

    CELLAR_SCHEDULE_POINT();
    if (thread == NULL || --thread->section_depth != 0) {
        return;
    }
    access_section_left();
    for (unsigned i = 0; i < sim.count; i++) {
        struct sim_thread *waiter = &sim.threads[i];
        if (waiter->state != SIM_WAITS_GRACE) {
            continue;
        }
        if (waiter->grace_waits[sim_thread_number(thread)] == thread->section_number) {
            access_grace_saw_leave(i);
        }
        if (sim_grace_is_over(waiter)) {
            sim_unblock(waiter);
        }
    }
}

void commit_grace_period(void) {
    struct sim_thread *thread = sim.current;

    CELLAR_SCHEDULE_POINT();
    if (thread == NULL) {
        return;
    }
    if (thread->section_depth != 0) {
        sim_fail("waits for a grace period inside a section");
    }
    /* A grace period puts a barrier into every thread, at its beginning and at its end; entering
     * and leaving a section is none. */
    buffer_drain_all();
    access_grace_begins();
    for (unsigned i = 0; i < sim.count; i++) {
        const struct sim_thread *other = &sim.threads[i];
        thread->grace_waits[i] = other->section_depth != 0 ? other->section_number : 0;
    }
    if (!sim_grace_is_over(thread)) {
        sim_note("waits for a grace period");
        sim_block(thread, SIM_WAITS_GRACE);
    }
    buffer_drain_all();
    access_grace_over();
    memset(thread->grace_waits, 0, sizeof thread->grace_waits);
}

/* ---- The scheduler ---- */

uint64_t sim_hash(uint64_t seed) {
    uint64_t hash = seed;

    for (unsigned i = 0; i < sim.count; i++) {
        const struct sim_thread *thread = &sim.threads[i];
        /* Section numbers grow for ever: what counts is who waits for whom. */
        uint64_t waits = 0;
        if (thread->state == SIM_WAITS_GRACE) {
            for (unsigned k = 0; k < sim.count; k++) {
                const struct sim_thread *other = &sim.threads[k];
                if (thread->grace_waits[k] != 0 && other->section_depth != 0 &&
                    other->section_number == thread->grace_waits[k]) {
                    waits |= 1u << k;
                }
            }
        }
        const uint64_t words[3] = {(uint64_t)thread->state | (uint64_t)thread->section_depth << 8,
                                   waits, (uint64_t)(uintptr_t)thread->futex};
        hash = hash_seeded(hash, words, sizeof words);
        if (thread->state != SIM_DONE) {
            const unsigned char *saved = thread->saved;
            hash = hash_seeded(hash, saved, (size_t)(thread->stack + SIM_STACK_BYTES - saved));
        }
    }
    return hash;
}

enum sim_end sim_run(const struct sim_strategy *strategy) {
    struct sim_thread *current = NULL;

    sim.strategy = strategy;
    for (;;) {
        if (sim.failed) {
            return SIM_END_FAILED;
        }
        if (sim.steps > SIM_STEPS_MAX) {
            sim_fail("no progress in %d steps", SIM_STEPS_MAX);
            continue;
        }
        if (sim.runnable == 0) {
            if (sim_actors_are_done()) {
                return SIM_END_QUIET;
            }
            if (!sim_wake_sleeper()) {
                sim_fail("all threads wait for ever");
                continue;
            }
        }
        sim.decide_at = UINT64_MAX;
        struct sim_thread *next = strategy->choose(strategy->context, current, &sim.decide_at);
        if (next == NULL && sim.runnable == 0) {
            continue; /* it has killed the last */
        }
        if (next == NULL) {
            return SIM_END_GIVEN_UP;
        }
        if (sim.decide_at > SIM_STEPS_MAX) {
            sim.decide_at = SIM_STEPS_MAX + 1;
        }
        sim.current = next;
        if (sim.traced && next != current) {
            sim_note("goes on at %s:%d", next->file, next->line);
        }
        switch_stacks(&sim.scheduler, next->saved);
        sim.current = NULL;
        current = next;
    }
}
