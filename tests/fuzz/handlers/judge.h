/* Is an answer one that the server may give? It must be as /openapi.json describes it for its route
 * and status, with the headers that docs/SERVER.md promises. */
#ifndef CELLAR_TESTS_FUZZ_HANDLERS_JUDGE_H
#define CELLAR_TESTS_FUZZ_HANDLERS_JUDGE_H

#include "stand_in.h"

#include "../../../examples/cellard/server.h"

#include <jansson.h>

/* Reads the description. Once, before any other; route_prepare() comes before it. */
void judge_prepare(void);

/* Ends the program when the answer is wrong. */
void judge_answer(struct server *server, const message *request, const stand_in_answer *answer);

/* The route of the request; NULL: there is none. */
const struct route *judge_route(const message *request);
/* The answer's JSON, which judge_answer() has found good; NULL: it is not JSON. */
json_t *judge_json(const stand_in_answer *answer);
/* Ends the program, with the request and the answer, unless it is `good`. */
void judge_require(bool good, const char *what, const message *request,
                   const stand_in_answer *answer);

/* Routes that have answered with success since the program began. */
size_t judge_reached(void);

#endif
