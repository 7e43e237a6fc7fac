/* cellard - a shop's back end over HTTP: products, stock, accounts and orders as JSON.
 *
 *     cellard [--name=value]...     cellard --help lists the names; docs/SERVER.md is the manual
 *
 * The example that comes nearest to what one would run: it embeds cellar through cellar.h alone.
 * Serving threads never wait for the disk (waiter.c); request.c says what is checked before
 * anything is done; each area of the interface has its table of routes and its shapes in a file of
 * its own (products.c, stock.c, accounts.c, holds.c, orders.c, transactions.c, and so on).
 *
 * SIGINT or SIGTERM: no new request is taken, those under way are answered, the store is closed.
 */
#include "notify.h"
#include "server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void report(void *context, cellar_report_level level, const char *text) {
    static const char *const names[] = {"note", "warning", "error"};
    (void)context;
    (void)fprintf(stderr, "cellard: %s: %s\n", names[level], text);
}

static cellar *store_open(const struct settings *settings) {
    cellar *store = NULL;
    cellar_problem problem;
    const cellar_config config = {.size = sizeof config,
                                  .directory = settings->data,
                                  .ring_bytes = (uint64_t)settings->ring_bytes,
                                  .segment_bytes = (uint64_t)settings->segment_bytes,
                                  .products_max = (uint32_t)settings->products,
                                  .stocks_max = (uint32_t)settings->stocks,
                                  .accounts_max = (uint32_t)settings->accounts,
                                  .orders_max = (uint32_t)settings->orders,
                                  .leases_max = (uint32_t)settings->leases,
                                  .customers_max = (uint32_t)settings->customers,
                                  .remember_closed_ns = settings->remember_closed_s * SECOND_NS,
                                  .report = report};
    if (cellar_open(&config, &store, &problem) != CELLAR_OK) {
        (void)fprintf(stderr, "cellard: %s: %s %s\n", settings->data,
                      cellar_status_text(problem.status), problem.text);
    }
    return store;
}

/* Serves until a signal asks to end. */
static bool serve(const struct settings *settings, cellar *store, struct server *server,
                  const sigset_t *signals) {
    char error[256] = "";
    int received = 0;
    bool started = server_start(server, settings, store, error, sizeof error);
    if (!started) {
        (void)fprintf(stderr, "cellard: %s\n", error);
    } else {
        (void)printf("cellard: listening on %s, data in %s\n", server->address, settings->data);
        (void)fflush(stdout);
        notify("READY=1");
        (void)sigwait(signals, &received);
        notify("STOPPING=1");
        (void)printf("cellard: closing\n");
        (void)fflush(stdout);
    }
    server_stop(server);
    return started;
}

int main(int argc, char **argv) {
    struct settings settings;
    char error[512] = "";
    sigset_t signals;
    route_prepare();
    settings_default(&settings);
    if (!settings_read(&settings, argc, argv, error, sizeof error)) {
        (void)fprintf(stderr, "cellard: %s; --help lists the settings\n", error);
        return 2;
    }
    if (settings.help) {
        settings_usage(stdout);
        return 0;
    }
    /* Blocked in every thread, and taken by sigwait(): no handler runs in the middle of anything.
     */
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL || (settings.tokens[0] != '\0' &&
                           !auth_load(&server->auth, settings.tokens, error, sizeof error))) {
        (void)fprintf(stderr, "cellard: %s\n", server == NULL ? "out of memory" : error);
        free(server);
        return 2;
    }
    cellar *store = store_open(&settings);
    bool good = store != NULL && serve(&settings, store, server, &signals);
    free(server);
    if (store != NULL && cellar_close(store) != CELLAR_OK) {
        (void)fprintf(stderr, "cellard: the log failed; what was acknowledged is on disk\n");
        good = false;
    }
    return good ? 0 : 1;
}
