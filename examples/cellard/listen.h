/* The address that is listened on. */
#ifndef CELLARD_LISTEN_H
#define CELLARD_LISTEN_H

#include "server.h"

#include <sys/socket.h>

/* Opens server->settings->listen and notes the address as bound. Refuses all but loopback when
 * there are no tokens. -1: `error` says why. */
int listen_open(struct server *server, char *error, size_t capacity);
/* A number for the client, without its port; of IPv6 the 64 bits that a network is given. */
uint64_t listen_hash(const struct sockaddr *address);

#endif
