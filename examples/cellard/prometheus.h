/* /metrics, in Prometheus' text format. */
#ifndef CELLARD_PROMETHEUS_H
#define CELLARD_PROMETHEUS_H

#include "server.h"

void prometheus_write(struct server *server, struct text *out);

#endif
