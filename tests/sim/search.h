/* All schedules of a small scene. */
#ifndef CELLAR_TESTS_SIM_SEARCH_H
#define CELLAR_TESTS_SIM_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEARCH_UNBOUNDED 255

/* A scene: spawns its threads, after search has reset the simulation. */
struct search_scene {
    const char *name;
    void (*begin)(void);
    void (*end)(void); /* spawns who finishes the run, without choices; NULL: all are there */
    unsigned bound;    /* preemptions, or SEARCH_UNBOUNDED */
    /* The threads spawned first and second run alone until these steps; the search begins there. */
    uint64_t head_starts[2];
};

struct search_totals {
    uint64_t schedules; /* executed */
    uint64_t pruned;    /* of them cut short at a state seen before */
    uint64_t states;    /* told apart at points with a choice */
    uint64_t steps;
    bool complete; /* false: the limit of schedules came first */
};

/* Runs schedules until all are done, `schedules_max` were run (0: no limit), or one is wrong: then
 * false, and search_path() tells which. */
bool search_run(const struct search_scene *scene, uint64_t schedules_max,
                struct search_totals *totals);
/* The choices of the last schedule other than the first of each: "12:1,40:2". */
void search_path(char *text, size_t bytes);
/* Runs exactly that one. False when it is wrong. */
bool search_replay(const struct search_scene *scene, const char *path);

#endif
