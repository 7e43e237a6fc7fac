/* The bridge to libmicrohttpd: its callbacks, its threads, and what goes out on the wire. */
#ifndef CELLARD_HTTP_H
#define CELLARD_HTTP_H

#include "server.h"

bool http_start(struct server *server, char *error, size_t capacity);
/* No new connection is taken. */
void http_quiesce(struct server *server);
/* After http_quiesce(). Must find no request waiting. */
void http_stop(struct server *server);

#endif
