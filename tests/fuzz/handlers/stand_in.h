/* Stands in for libmicrohttpd and for the listening socket: requests come from memory, answers stay
 * there, and the server is none the wiser. What the library promises to the server is kept to, and
 * what the server owes the library is asserted. */
#ifndef CELLAR_TESTS_FUZZ_HANDLERS_STAND_IN_H
#define CELLAR_TESTS_FUZZ_HANDLERS_STAND_IN_H

#include "message.h"

typedef struct stand_in_answer {
    int status;
    message_pairs headers;
    const char *data; /* the server's; with the judge's return it is gone */
    size_t bytes;
} stand_in_answer;

/* Told of the answer as it would go out. */
typedef void stand_in_judge(void *context, const message *request, const stand_in_answer *answer);

/* One client's connection; a new one takes its place when the server closes it. */
struct MHD_Connection *stand_in_connect(struct MHD_Daemon *daemon);
void stand_in_disconnect(struct MHD_Connection *connection);

/* Sends the request and waits until it has been answered, or dropped. */
void stand_in_serve(struct MHD_Connection *connection, const message *request,
                    stand_in_judge *judge, void *context);

#endif
