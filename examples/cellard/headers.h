/* The headers that mean something to us, each at most once. */
#ifndef CELLARD_HEADERS_H
#define CELLARD_HEADERS_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

struct headers {
    const char *authorization;
    const char *content_length;
    const char *content_type;
    const char *transfer_encoding;
    const char *host;
    const char *if_match;
    const char *if_none_match;
    const char *idempotency_key;
    const char *cellar_lsn;
    const char *cellar_actor;
    const char *cellar_reference;
    const char *repeated; /* a header that stood there twice; NULL: none */
    bool damaged;         /* a value with a NUL byte in it */
};

void headers_read(struct headers *headers, struct MHD_Connection *connection);
/* What makes it doubtful where this request ends and the next begins; NULL: nothing. The
 * connection must be closed after the answer. */
const char *headers_smuggling(const struct headers *headers, const char *version);
bool headers_have_body(const struct headers *headers);

#endif
