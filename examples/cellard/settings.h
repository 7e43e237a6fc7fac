/* What can be set, on the command line (--name=value) or in a file (name value). */
#ifndef CELLARD_SETTINGS_H
#define CELLARD_SETTINGS_H

#include "route.h"

#include <stdio.h>

enum {
    SETTINGS_TEXT_BYTES = 1024
};

struct settings {
    char listen[SETTINGS_TEXT_BYTES]; /* address:port; port 0: any that is free */
    char data[SETTINGS_TEXT_BYTES];
    char tokens[SETTINGS_TEXT_BYTES]; /* empty: none, which only loopback may go without */
    int64_t threads;
    int64_t connections;
    int64_t connections_per_address;
    int64_t idle_timeout_s;
    int64_t request_timeout_s;
    int64_t drain_s;
    int64_t body_bytes;
    int64_t bulk_bytes;
    int64_t body_budget_bytes; /* of all bodies that are being received together */
    int64_t rate;              /* requests per second and client; 0: no limit */
    int64_t burst;
    int64_t concurrency;        /* requests of one route that are under way together */
    int64_t limits[ROUTES_MAX]; /* the same for single routes; 0: `concurrency` */
    int64_t ring_bytes;
    int64_t segment_bytes;
    int64_t products;
    int64_t stocks;
    int64_t accounts;
    int64_t orders;
    int64_t leases;
    int64_t customers;
    int64_t remember_closed_s; /* 0: for ever */
    bool help;
};

void settings_default(struct settings *settings);
/* False: `error` says why. */
bool settings_read(struct settings *settings, int argc, char **argv, char *error, size_t capacity);
void settings_usage(FILE *to);

#endif
