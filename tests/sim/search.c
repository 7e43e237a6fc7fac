/* Depth-first over the scheduler's choices. Each schedule runs from the start: the choices of the
 * one before are repeated up to the last that has an alternative, and that one is taken.
 *
 * At a point the thread that runs may go on, which costs nothing, or another may, which is a
 * preemption; when it blocks or ends, the choice of the next is free. All schedules with at most
 * `bound` preemptions are covered (M. Musuvathi, S. Qadeer, "Iterative Context Bounding for
 * Systematic Testing of Multithreaded Programs", PLDI 2007), or all there are.
 *
 * A schedule that comes to a state from which everything has been tried is cut short there. A state
 * is all that the future depends on, compared by a 64-bit hash: stacks and saved registers of the
 * threads, the commit with cells, ring and states, who waits for whom, what the scenario and its
 * oracle remember; plus the thread that runs and the preemptions left. Stacks hold remains of
 * earlier calls, so equal states may look different; that costs time only. Orders between accesses
 * (access.h) are not part of a state: they are checked on the schedules that are run. */
#include "sim/search.h"

#include "sim/sim.h"
#include "sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_CHOICES 8192
#define VISITED_SLOTS ((size_t)1 << 23)
#define VISITED_MAX (VISITED_SLOTS / 4 * 3)

struct choice {
    uint8_t taken;
    uint8_t count;
};

static struct {
    unsigned bound;
    const uint64_t *head_starts;
    unsigned preemptions;
    uint32_t depth;    /* choices made in this run */
    uint32_t length;   /* of `path`: beyond, the first alternative is taken */
    uint32_t repeated; /* choices up to here lead to states that are known to be new */
    bool prune;
    bool pruned;
    struct choice path[PATH_MAX_CHOICES];
    uint64_t *visited; /* hash, its low byte replaced by the preemptions left */
    uint64_t visited_count;
} search;

/* True when this state was met before with as many preemptions left. */
static bool search_was_here(uint64_t hash, unsigned left) {
    uint64_t key = hash | 0xff;
    size_t slot = (size_t)(hash >> 8) % VISITED_SLOTS;

    while (search.visited[slot] != 0) {
        if ((search.visited[slot] | 0xff) == key) {
            if ((search.visited[slot] & 0xff) >= left) {
                return true;
            }
            search.visited[slot] = (key & ~UINT64_C(0xff)) | left;
            return false;
        }
        slot = (slot + 1) % VISITED_SLOTS;
    }
    if (search.visited_count < VISITED_MAX) {
        search.visited[slot] = (key & ~UINT64_C(0xff)) | left;
        search.visited_count++;
    }
    return false;
}

static struct sim_thread *search_pick(uint32_t runnable, unsigned pick,
                                      struct sim_thread *current) {
    if (current != NULL && (runnable >> sim_thread_number(current) & 1) != 0) {
        if (pick == 0) {
            return current;
        }
        runnable &= ~(1u << sim_thread_number(current));
        pick--;
    }
    for (; pick > 0; pick--) {
        runnable &= runnable - 1;
    }
    return sim_thread_at((unsigned)__builtin_ctz(runnable));
}

/* A new choice: gives up when all that follows has been tried. */
static bool search_is_known(const struct sim_thread *current, bool goes_on) {
    unsigned left = search.bound == SEARCH_UNBOUNDED ? 0 : search.bound - search.preemptions;
    uint64_t seed =
        goes_on && search.bound != SEARCH_UNBOUNDED ? sim_thread_number(current) + 1 : 0;

    return search_was_here(world_hash(sim_hash(seed)), left);
}

static struct sim_thread *search_choose(void *context, struct sim_thread *current,
                                        uint64_t *decide_at) {
    uint32_t runnable = sim_runnable();
    /* Whom the head start has brought so far does not go on by itself. */
    bool goes_on = current != NULL && sim_steps() != search.head_starts[1] &&
                   (runnable >> sim_thread_number(current) & 1) != 0;
    bool spent = search.bound != SEARCH_UNBOUNDED && search.preemptions >= search.bound;

    (void)context;
    for (unsigned i = 0; i < 2; i++) {
        if (sim_steps() < search.head_starts[i]) {
            *decide_at = search.head_starts[i];
            return sim_thread_at(i);
        }
    }
    /* Nobody is left to see in which order the daemons do the rest. */
    if (sim_actors_are_done()) {
        return search_pick(runnable, 0, current);
    }
    unsigned count = goes_on && spent ? 1 : (unsigned)__builtin_popcount(runnable);
    *decide_at = spent ? UINT64_MAX : sim_steps() + 1;
    if (count == 1) {
        return search_pick(runnable, 0, current);
    }
    if (search.depth == PATH_MAX_CHOICES) {
        sim_fail("more than %d choices", PATH_MAX_CHOICES);
        return search_pick(runnable, 0, current);
    }
    if (search.depth >= search.length) {
        if (search.prune && search_is_known(current, goes_on)) {
            search.pruned = true;
            return NULL;
        }
        search.path[search.depth].taken = 0;
        search.length = search.depth + 1;
    }
    struct choice *choice = &search.path[search.depth++];
    choice->count = (uint8_t)count;
    search.preemptions += goes_on && choice->taken != 0;
    return search_pick(runnable, choice->taken, current);
}

/* One schedule along `path`. */
static bool search_one(const struct search_scene *scene) {
    const struct sim_strategy strategy = {search_choose, NULL, NULL};

    search.bound = scene->bound;
    search.head_starts = scene->head_starts;
    search.preemptions = 0;
    search.depth = 0;
    search.pruned = false;
    sim_reset();
    scene->begin();
    enum sim_end end = sim_run(&strategy);
    if (end == SIM_END_QUIET) {
        if (scene->end != NULL) {
            scene->end();
        } else {
            world_judge_rest();
        }
        commit_writer_kick(world_get()->commit);
        end = sim_run(&strategy);
    }
    if (end == SIM_END_QUIET) {
        world_judge();
    }
    return sim_failure() == NULL;
}

/* The next path; false when that was the last. */
static bool search_advance(void) {
    search.length = search.depth;
    while (search.length > 0) {
        struct choice *choice = &search.path[search.length - 1];
        if (choice->taken + 1 < choice->count) {
            choice->taken++;
            return true;
        }
        search.length--;
    }
    return false;
}

bool search_run(const struct search_scene *scene, uint64_t schedules_max,
                struct search_totals *totals) {
    if (search.visited == NULL) {
        search.visited = calloc(VISITED_SLOTS, sizeof *search.visited);
    } else {
        memset(search.visited, 0, VISITED_SLOTS * sizeof *search.visited);
    }
    if (search.visited == NULL) {
        abort();
    }
    memset(totals, 0, sizeof *totals);
    search.visited_count = 0;
    search.length = 0;
    search.prune = true;
    do {
        bool right = search_one(scene);
        totals->schedules++;
        totals->steps += sim_steps();
        totals->pruned += search.pruned;
        totals->states = search.visited_count;
        if (!right) {
            return false;
        }
        if (schedules_max != 0 && totals->schedules >= schedules_max) {
            return true;
        }
    } while (search_advance());
    totals->complete = true;
    return true;
}

void search_path(char *text, size_t bytes) {
    size_t used = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < search.depth; i++) {
        if (search.path[i].taken != 0 && used + 16 < bytes) {
            used += (size_t)snprintf(text + used, bytes - used, "%s%u:%u", used == 0 ? "" : ",", i,
                                     search.path[i].taken);
        }
    }
}

bool search_replay(const struct search_scene *scene, const char *path) {
    memset(search.path, 0, sizeof search.path);
    search.length = 0;
    search.prune = false;
    while (*path != '\0') {
        char *end;
        unsigned long at = strtoul(path, &end, 10);
        if (*end != ':' || at >= PATH_MAX_CHOICES) {
            break;
        }
        search.path[at].taken = (uint8_t)strtoul(end + 1, &end, 10);
        search.length = (uint32_t)at + 1;
        path = *end == ',' ? end + 1 : end;
    }
    return search_one(scene);
}
