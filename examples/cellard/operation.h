/* The changes that a transaction may be made of, carried out. */
#ifndef CELLARD_OPERATION_H
#define CELLARD_OPERATION_H

#include "request.h"

/* In a commit of its own, for the route of just this; to be answered with request_changed(). */
cellar_status operation_run(struct request *request, const cellar_operation *operation);
/* Counts what was done for the first time, for /metrics and the live page. `ticket`: of the
 * operation alone; NULL: it was part of a transaction. */
void operation_note(struct request *request, const cellar_operation *operation,
                    const cellar_ticket *ticket);
/* The same of a claim. */
void operation_note_claim(struct request *request, bool waiting);

#endif
