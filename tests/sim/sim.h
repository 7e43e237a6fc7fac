/* Simulated threads: coroutines on one real thread, and a scheduler that decides at every schedule
 * point of the library who goes on. Nothing else is random, so a run is a function of the
 * decisions, and the decisions are a function of a seed or a list of choices.
 *
 * The scheduler runs on the real thread's own stack. There (sim_current() == NULL) schedule points
 * do nothing, so a world can be set up and judged with the library's own functions. */
#ifndef CELLAR_TESTS_SIM_SIM_H
#define CELLAR_TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_THREADS_MAX 8
#define SIM_STACK_BYTES ((size_t)32 << 10)
/* Points of one run; more means that nobody makes progress. */
#define SIM_STEPS_MAX 50000
#define SIM_NEVER INT64_MAX

enum sim_state {
    SIM_RUNNABLE,
    SIM_WAITS_FUTEX,
    SIM_WAITS_GRACE,
    SIM_SLEEPS,
    SIM_DONE,
    SIM_DEAD /* stopped for ever where it stood */
};

typedef void sim_function(void *argument);

struct sim_thread {
    void *saved;
    unsigned char *stack;
    const char *name;
    sim_function *run;
    void *argument;
    bool daemon; /* the run may end while it waits */
    enum sim_state state;
    const char *file; /* where it stands */
    int line;
    const volatile void *futex;
    int64_t wake_ns; /* SIM_NEVER: no limit */
    uint32_t section_depth;
    uint32_t section_number;               /* of the section it is in; changes with each */
    uint32_t grace_waits[SIM_THREADS_MAX]; /* sections to be left; 0: none */
};

/* ---- What strategies decide ---- */

struct sim_strategy {
    /* Who goes on, `current` being the one that came to a point, blocked or ended (NULL at the
     * start); at least one is runnable. Sets *decide_at_out to the step at which it wants to be
     * asked again. NULL gives the run up. */
    struct sim_thread *(*choose)(void *context, struct sim_thread *current,
                                 uint64_t *decide_at_out);
    /* The thread asked to be run later (a sleep, a yield). */
    void (*yielded)(void *context, struct sim_thread *thread);
    void *context;
};

enum sim_end {
    SIM_END_QUIET,    /* all are done, dead, or daemons that wait */
    SIM_END_GIVEN_UP, /* by the strategy */
    SIM_END_FAILED    /* sim_failure() says why */
};

/* Forgets all threads. */
void sim_reset(void);
struct sim_thread *sim_spawn(const char *name, sim_function *run, void *argument, bool daemon);
enum sim_end sim_run(const struct sim_strategy *strategy);

struct sim_thread *sim_thread_at(unsigned number);
unsigned sim_thread_count(void);
unsigned sim_thread_number(const struct sim_thread *thread);
struct sim_thread *sim_current(void);
/* Bit n: thread n can go on. */
uint32_t sim_runnable(void);
uint64_t sim_steps(void);
/* All that are no daemons are done or dead. */
bool sim_actors_are_done(void);
/* Blocks the current thread until sim_wake_all() is called with the same address. */
void sim_wait_on(const volatile void *address);
void sim_wake_all(const volatile void *address);
/* Stops a thread for ever. It keeps its section. */
void sim_kill(struct sim_thread *thread);
/* The sleeper whose time is up first wakes now. False when nobody sleeps with a limit. */
bool sim_wake_sleeper(void);
/* What the threads are doing, for telling equal states apart from others. */
uint64_t sim_hash(uint64_t seed);

/* ---- What simulated threads call ---- */

/* Gives way to others; the thread stays runnable. */
void sim_yield(void);
/* The run is wrong. On a simulated thread this does not return. */
__attribute__((format(printf, 1, 2))) void sim_fail(const char *format, ...);
/* NULL: nothing is wrong. */
const char *sim_failure(void);
void sim_trace(bool on);
/* A line of the trace. */
__attribute__((format(printf, 1, 2))) void sim_note(const char *format, ...);
bool sim_is_traced(void);

/* Threads that the library has started since the start of the program, in order: the simulation
 * spawns them anew in each run. */
struct sim_library_thread {
    const char *name;
    void *(*run)(void *argument);
    void *argument;
};
unsigned sim_library_threads(const struct sim_library_thread **threads_out);
/* Forgets all but the first `count`. */
void sim_library_threads_keep(unsigned count);

#endif
