/* Does the commit do what it promises under every order in which its threads can be run?
 *
 *   cellar-sim               all of it: SCHEDULES random schedules from SEED on, a quarter as many
 *                            of the crowd, an eighth of sleepers, a hundredth with the real log
 *   cellar-sim KIND          scenes, random, crowd, sleepers or log only
 *   cellar-sim scene NAME    one scene; NAME PATH repeats one schedule of it
 *
 * DEEPER=k allows k more preemptions in the scenes that bound them, SCENE_SCHEDULES=n stops each
 * after so many. A schedule that is wrong is printed with its switches and the command that repeats
 * it. */
#include "sim/log_runs.h"
#include "sim/random_runs.h"
#include "sim/scenes.h"
#include "sim/sim.h"
#include "sim/sleeper_runs.h"
#include "sim/world.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SCHEDULES_DEFAULT 800000
/* A schedule with the log takes that much longer. */
#define LOG_SHARE 100
/* A quarter as many of the crowd. */
#define CROWD_SHARE 4
/* An eighth as many of sleepers. */
#define SLEEPER_SHARE 8
/* Seeds that are run twice. */
#define REPEATED 500
#define SEED_DEFAULT 20110917
#define PATH_TEXT_BYTES 4096

static unsigned cases;
/* For the handler of signals. */
static char running[128];

static uint64_t number_of(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);

    return text != NULL && *text != '\0' ? strtoull(text, NULL, 0) : otherwise;
}

static double seconds_now(void) {
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A planted defect may well follow a wild pointer. */
static void on_signal(int number) {
    const char *const text = number == SIGALRM ? "no end: " : "crash: ";

    (void)!write(STDOUT_FILENO, text, strlen(text));
    (void)!write(STDOUT_FILENO, running, strlen(running));
    (void)!write(STDOUT_FILENO, "\n", 1);
    _exit(1);
}

static void catch_signals(void) {
    static unsigned char stack[16384];
    const stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_ONSTACK;
    (void)sigaltstack(&alternative, NULL);
    (void)sigaction(SIGSEGV, &action, NULL);
    (void)sigaction(SIGBUS, &action, NULL);
    (void)sigaction(SIGABRT, &action, NULL);
}

static void report(bool right, const char *name) {
    cases++;
    printf("%s %u - %s\n", right ? "ok" : "not ok", cases, name);
    (void)fflush(stdout);
}

static bool run_scene(const struct search_scene *given) {
    struct search_scene scene = *given;
    struct search_totals totals;
    char path[PATH_TEXT_BYTES];
    char bound[32] = "any number of";
    double began = seconds_now();

    (void)snprintf(running, sizeof running, "scene %s", scene.name);
    if (scene.bound != SEARCH_UNBOUNDED) {
        scene.bound += (unsigned)number_of("DEEPER", 0);
        (void)snprintf(bound, sizeof bound, "up to %u", scene.bound);
    }
    bool right = search_run(&scene, number_of("SCENE_SCHEDULES", 0), &totals);
    printf("# scene %s: %s preemptions, %llu schedules (%llu cut short), %llu states, "
           "%llu steps, %.1f s%s\n",
           scene.name, bound, (unsigned long long)totals.schedules,
           (unsigned long long)totals.pruned, (unsigned long long)totals.states,
           (unsigned long long)totals.steps, seconds_now() - began,
           totals.complete ? "" : ", not complete");
    if (!right) {
        search_path(path, sizeof path);
        printf("# WRONG after %llu schedules: %s\n", (unsigned long long)totals.schedules,
               sim_failure());
        sim_trace(true);
        (void)search_replay(&scene, path);
        sim_trace(false);
        printf("# again: build/sim/cellar-sim scene %s '%s'\n", scene.name, path);
    }
    report(right, scene.name);
    return right;
}

static const struct search_scene *find_scene(const char *name) {
    for (const struct search_scene *scene = scenes; scene->name != NULL; scene++) {
        if (strcmp(scene->name, name) == 0) {
            return scene;
        }
    }
    return NULL;
}

static bool run_scenes(void) {
    bool right = true;

    for (const struct search_scene *scene = scenes; scene->name != NULL; scene++) {
        right = run_scene(scene) && right;
    }
    return right;
}

static void print_totals(const struct random_totals *totals, double seconds) {
    printf("# %llu schedules, %.1f s, %llu steps (longest %llu)\n",
           (unsigned long long)totals->schedules, seconds, (unsigned long long)totals->steps,
           (unsigned long long)totals->steps_max);
    printf("# %llu committed, %llu refused, %llu passed over, %llu found no space; helped %llu "
           "times, %llu threads died, %llu lines reclaimed\n",
           (unsigned long long)totals->commits, (unsigned long long)totals->conflicts,
           (unsigned long long)totals->passed_over, (unsigned long long)totals->full,
           (unsigned long long)totals->helped, (unsigned long long)totals->dead,
           (unsigned long long)totals->reclaimed_lines);
}

typedef bool run_function(uint64_t seed, struct random_totals *totals);

static bool run_seeds(const char *kind, run_function *run, uint64_t schedules) {
    uint64_t seed = number_of("SEED", SEED_DEFAULT);
    struct random_totals totals = {0};
    double began = seconds_now();
    bool right = true;

    printf("# %s: SEED=%llu SCHEDULES=%llu\n", kind, (unsigned long long)seed,
           (unsigned long long)schedules);
    for (uint64_t i = 0; i < schedules && right; i++, seed++) {
        (void)snprintf(running, sizeof running, "SEED=%llu SCHEDULES=1 %s",
                       (unsigned long long)seed, kind);
        right = run(seed, &totals);
        if (!right) {
            printf("# WRONG after %llu schedules, SEED=%llu: %s\n", (unsigned long long)i + 1,
                   (unsigned long long)seed, sim_failure());
            sim_trace(true);
            (void)run(seed, &totals);
            sim_trace(false);
            printf("# again: SEED=%llu SCHEDULES=1 build/sim/cellar-sim %s\n",
                   (unsigned long long)seed, kind);
        }
    }
    print_totals(&totals, seconds_now() - began);
    report(right, kind);
    return right;
}

/* The same seed must make the same run, or a failure could not be repeated. */
static bool run_twice(const char *name, run_function *run) {
    uint64_t seed = number_of("SEED", SEED_DEFAULT);
    struct random_totals totals = {0};
    bool right = true;

    (void)snprintf(running, sizeof running, "%s", name);
    for (uint64_t i = 0; i < REPEATED && right; i++, seed++) {
        uint64_t hashes[2];
        for (unsigned k = 0; k < 2; k++) {
            /* What is wrong with a run itself is reported where it is counted. */
            (void)run(seed, &totals);
            hashes[k] = world_hash(sim_steps());
        }
        right = hashes[0] == hashes[1];
        if (!right) {
            printf("# SEED=%llu makes another run the second time\n", (unsigned long long)seed);
        }
    }
    report(right, name);
    return right;
}

static bool run_one_scene(const char *name, const char *path) {
    const struct search_scene *scene = find_scene(name);

    if (scene == NULL) {
        (void)fprintf(stderr, "cellar-sim: no such scene: %s\n", name);
        return false;
    }
    if (path == NULL) {
        return run_scene(scene);
    }
    sim_trace(true);
    bool right = search_replay(scene, path);
    report(right, name);
    return right;
}

int main(int count, char **arguments) {
    const char *what = count > 1 ? arguments[1] : "";
    bool right = true;

    catch_signals();
    world_create();
    if (strcmp(what, "scene") == 0 && count > 2) {
        right = run_one_scene(arguments[2], count > 3 ? arguments[3] : NULL);
    } else {
        bool all = *what == '\0';
        uint64_t schedules = number_of("SCHEDULES", SCHEDULES_DEFAULT);
        if (all) {
            right = run_twice("a seed repeats its run", random_run);
            right = run_twice("a seed repeats its run with the log", log_run) && right;
        }
        if (all || strcmp(what, "scenes") == 0) {
            right = run_scenes() && right;
        }
        if (all || strcmp(what, "random") == 0) {
            right = run_seeds("random", random_run, schedules) && right;
        }
        if (all || strcmp(what, "crowd") == 0) {
            right =
                run_seeds("crowd", crowd_run, all ? schedules / CROWD_SHARE : schedules) && right;
        }
        if (all || strcmp(what, "sleepers") == 0) {
            right =
                run_seeds("sleepers", sleeper_run, all ? schedules / SLEEPER_SHARE : schedules) &&
                right;
        }
        if (all || strcmp(what, "log") == 0) {
            right = run_seeds("log", log_run, all ? schedules / LOG_SHARE : schedules) && right;
        }
    }
    printf("1..%u\n", cases);
    return right ? 0 : 1;
}
