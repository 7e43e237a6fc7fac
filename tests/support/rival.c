#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/rival.h"

#include "support/commit_gate.h"

#include <pthread.h>

#define CALLER 1

static void *rival_run(void *context) {
    struct rival *rival = context;
    rival->act(rival->shop);
    return NULL;
}

static void rival_let(void *context) {
    struct rival *rival = context;
    pthread_t thread;
    if (rival->times == 0) {
        return;
    }
    rival->times--;
    rival->done = true;
    assert_int_equal(pthread_create(&thread, NULL, rival_run, rival), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

void rival_await_times(struct rival *rival, struct shop *shop, const char *point,
                       void (*act)(struct shop *shop), int times) {
    *rival = (struct rival){.shop = shop, .act = act, .times = times};
    commit_gate_reset();
    commit_gate_name(CALLER);
    commit_gate_call(CALLER, point, rival_let, rival);
}

void rival_await(struct rival *rival, struct shop *shop, const char *point,
                 void (*act)(struct shop *shop)) {
    rival_await_times(rival, shop, point, act, 1);
}

void rival_has_come(const struct rival *rival) {
    commit_gate_name(0);
    commit_gate_remove();
    assert_true(rival->done);
}
