/* Several operations in one commit (D2). */
#ifndef CELLAR_STORE_COMPOSE_H
#define CELLAR_STORE_COMPOSE_H

#include "store/operation.h"

struct plan_compose_request {
    cellar_id id;
    const cellar_operation *from;
    size_t count;
    /* Filled in by the check. */
    uint64_t fingerprint;
    struct plan_operation operations[CELLAR_STEPS_MAX];
};

plan_check plan_check_compose;
plan_function plan_compose;

#endif
