#include "http.h"

#include "listen.h"
#include "problem.h"
#include "turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONNECTION_MEMORY_BYTES = 12288 /* for the headers, and for the body piece by piece */
};

/* ---- Answering ---- */

static void header(struct MHD_Response *response, const char *name, const char *value) {
    /* Fails for want of memory only; an answer without the header is better than none. */
    (void)MHD_add_response_header(response, name, value);
}

static void http_headers(const struct request *request, struct MHD_Response *response) {
    char buffer[32];
    uint64_t lsn = request->lsn != 0 ? request->lsn : cellar_durable_lsn(request->server->store);
    if (request->type != NULL && request->status != 304) {
        header(response, "Content-Type", request->type);
    }
    (void)snprintf(buffer, sizeof buffer, "%llu", (unsigned long long)lsn);
    header(response, "Cellar-Lsn", buffer);
    if (request->etag != 0) {
        (void)snprintf(buffer, sizeof buffer, "\"%llu\"", (unsigned long long)request->etag);
        header(response, "ETag", buffer);
    }
    if (request->retry_after_s != 0) {
        (void)snprintf(buffer, sizeof buffer, "%d", request->retry_after_s);
        header(response, "Retry-After", buffer);
    }
    if (request->allowed[0] != '\0') {
        header(response, "Allow", request->allowed);
    }
    if (request->status == 401) {
        header(response, "WWW-Authenticate", "Bearer realm=\"cellard\"");
    }
    if (request->fixed != NULL) {
        header(response, "X-Content-Type-Options", "nosniff");
        header(response, "Content-Security-Policy",
               "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
               "connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'");
    }
    /* Near the limit places become free sooner when nobody keeps one for a later request. */
    if (request->close || peers_level(&request->server->peers) >= SERVER_LEVEL_CRITICAL) {
        header(response, "Connection", "close");
    }
}

static enum MHD_Result http_send(struct request *request) {
    const char *data = request->fixed != NULL ? request->fixed : request->answer.data;
    size_t bytes = request->fixed != NULL ? request->fixed_bytes : request->answer.bytes;
    /* The data stays where it is until http_completed(), so it need not be copied; and the library
     * only reads it. */
    struct MHD_Response *response =
        MHD_create_response_from_buffer(bytes, (void *)(uintptr_t)data, MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        return MHD_NO;
    }
    http_headers(request, response);
    enum MHD_Result queued =
        MHD_queue_response(request->connection, (unsigned)request->status, response);
    MHD_destroy_response(response);
    request->completed = queued == MHD_YES;
    return queued;
}

static enum MHD_Result http_wait(struct request *request, request_stage stage) {
    request->stage = stage;
    if (request->peer != NULL) {
        atomic_store_explicit(&request->peer->waits, true, memory_order_relaxed);
    }
    waiter_add(&request->server->waiter, request);
    return MHD_YES;
}

static enum MHD_Result http_answer(struct request *request) {
    if (request->sync_lsn != 0 && request->sync_lsn >= cellar_durable_lsn(request->server->store)) {
        return http_wait(request, REQUEST_SYNCING);
    }
    request->stage = REQUEST_READY;
    return http_send(request);
}

/* ---- Receiving ---- */

static enum MHD_Result http_receive(struct request *request, const char *data, size_t *bytes) {
    struct server *server = request->server;
    const struct settings *settings = server->settings;
    size_t arrived = *bytes;
    *bytes = 0;
    if (request->refused) {
        /* What is thrown away has an end, too. */
        request->discarded_bytes += arrived;
        return request->discarded_bytes > (uint64_t)settings->body_bytes ? MHD_NO : MHD_YES;
    }
    bool large = (request->route->flags & ROUTE_LARGE) != 0;
    int64_t bytes_max = large ? settings->bulk_bytes : settings->body_bytes;
    int64_t total =
        atomic_fetch_add_explicit(&server->body_bytes, (int64_t)arrived, memory_order_relaxed) +
        (int64_t)arrived;
    request->body_bytes += arrived;
    if (total > settings->body_budget_bytes) {
        metrics_add(&server->metrics, METRICS_SHED, 1);
        problem_answer(request, PROBLEM_OVERLOADED, "too many bodies are coming in");
        request->retry_after_s = 1;
        request->refused = true;
        request->close = true;
        /* Others may have its room at once, not only when the rest has been thrown away. */
        (void)atomic_fetch_sub_explicit(&server->body_bytes, (int64_t)request->body_bytes,
                                        memory_order_relaxed);
        request->body_bytes = 0;
        text_destroy(&request->body);
        text_create(&request->body);
        return MHD_YES;
    }
    if (request->body.bytes + arrived > (size_t)bytes_max) {
        /* Chunked: its size was not known before. An answer cannot be given in the middle of a
         * body, and what is left may have no end. */
        return MHD_NO;
    }
    text_add(&request->body, data, arrived);
    return MHD_YES;
}

static enum MHD_Result http_run(struct request *request) {
    if (request->stage <= REQUEST_FOLLOWING && request->follow_lsn != 0) {
        cellar_status status = cellar_wait_listed(request->server->store, request->follow_lsn, 0);
        if (status == CELLAR_TIMEOUT) {
            return http_wait(request, REQUEST_FOLLOWING);
        }
        if (status != CELLAR_OK) {
            problem_status(request, status, NULL);
            return http_send(request);
        }
    }
    return request_run(request) ? http_answer(request) : http_wait(request, REQUEST_RETRYING);
}

static enum MHD_Result http_access(void *context, struct MHD_Connection *connection,
                                   const char *path, const char *method, const char *version,
                                   const char *upload, size_t *upload_bytes, void **memory) {
    struct request *request = *memory;
    if (request == NULL) {
        turn_soon();
        request = calloc(1, sizeof *request);
        if (request == NULL) {
            return MHD_NO;
        }
        *memory = request;
        request_begin(request, context, connection, method, path, version);
        return request->close && request->refused ? http_send(request) : MHD_YES;
    }
    if (request->peer != NULL &&
        atomic_load_explicit(&request->peer->waits, memory_order_relaxed)) {
        atomic_store_explicit(&request->peer->since_ns, peer_clock_ns(), memory_order_relaxed);
        atomic_store_explicit(&request->peer->waits, false, memory_order_relaxed);
    }
    switch (request->stage) {
    case REQUEST_RECEIVING:
        if (*upload_bytes != 0) {
            return http_receive(request, upload, upload_bytes);
        }
        return request->refused ? http_send(request) : http_run(request);
    case REQUEST_FOLLOWING:
    case REQUEST_RETRYING:
        return http_run(request);
    default:
        return http_send(request);
    }
}

/* ---- The library's other callbacks ---- */

static void http_completed(void *context, struct MHD_Connection *connection, void **memory,
                           enum MHD_RequestTerminationCode code) {
    struct request *request = *memory;
    struct server *server = context;
    (void)connection;
    (void)code;
    if (request == NULL) {
        return;
    }
    uint64_t now_ns = peer_clock_ns();
    if (request->completed) {
        metrics_request(&server->metrics, request->route_number, request->status,
                        now_ns - request->started_ns);
    }
    if (request->peer != NULL) {
        atomic_store_explicit(&request->peer->since_ns, now_ns, memory_order_relaxed);
        atomic_store_explicit(&request->peer->idle, true, memory_order_relaxed);
    }
    request_end(request);
    free(request);
    *memory = NULL;
}

static void http_connection(void *context, struct MHD_Connection *connection, void **memory,
                            enum MHD_ConnectionNotificationCode code) {
    struct server *server = context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*memory != NULL) {
            peers_remove(&server->peers, *memory);
        }
        return;
    }
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    *memory = fd == NULL ? NULL
                         : peers_add(&server->peers, fd->connect_fd,
                                     address != NULL ? listen_hash(address->client_addr) : 0);
}

/* Escapes are decoded by us, after the path has been taken apart: an SKU may hold a slash. */
static size_t http_keep_escapes(void *context, struct MHD_Connection *connection, char *text) {
    (void)context;
    (void)connection;
    return strlen(text);
}

static void http_log(void *context, const char *format, va_list arguments) {
    /* What clients do wrong is no news for the operator; what matters is counted. */
    (void)context;
    (void)format;
    (void)arguments;
}

bool http_start(struct server *server, char *error, size_t capacity) {
    const struct settings *settings = server->settings;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_INTERNAL_POLLING_THREAD |
                     MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO | MHD_USE_ERROR_LOG;
    int fd = listen_open(server, error, capacity);
    if (fd < 0) {
        return false;
    }
    unsigned threads = settings->threads > 1 ? (unsigned)settings->threads : 0;
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, http_access, server, MHD_OPTION_EXTERNAL_LOGGER, http_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, threads,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)settings->connections,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)settings->connections_per_address,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)settings->idle_timeout_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK, http_keep_escapes, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, http_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        http_connection, server, MHD_OPTION_END);
    if (server->daemon == NULL) {
        (void)close(fd);
        (void)snprintf(error, capacity, "cannot start serving threads");
        return false;
    }
    return true;
}

void http_quiesce(struct server *server) {
    /* Closed only with the threads gone: each of them still takes it out of its epoll set. */
    server->quiesced_fd = MHD_quiesce_daemon(server->daemon);
}

void http_stop(struct server *server) {
    MHD_stop_daemon(server->daemon);
    if (server->quiesced_fd >= 0) {
        (void)close(server->quiesced_fd);
    }
}
