#include "stand_in.h"

#include "../../../examples/cellard/listen.h"

#include "base/assert.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    PIECE_BYTES = 600, /* of a body, at most, in one call */
    HEADERS_MAX = 10,
    HEADER_BYTES_MAX = 256
};

struct MHD_Daemon {
    MHD_AccessHandlerCallback access;
    void *access_context;
    MHD_RequestCompletedCallback completed;
    void *completed_context;
    MHD_NotifyConnectionCallback notify;
    void *notify_context;
    int fd;
    bool quiesced;
};

/* Its texts are kept in it, as the library copies them. */
struct MHD_Response {
    stand_in_answer answer;
    bool released; /* by the server; it lives on until it has been sent */
    char texts[HEADERS_MAX][2][HEADER_BYTES_MAX];
};

struct MHD_Connection {
    struct MHD_Daemon *daemon;
    union MHD_ConnectionInfo info[3]; /* the descriptor, the address, the server's own */
    struct sockaddr_in address;
    void *own; /* the server's, of the connection */
    const message *request;
    pthread_mutex_t lock;
    pthread_cond_t resumed;
    bool suspended;
    uint64_t suspensions;
    struct MHD_Response *response;
};

/* ---- The listening socket ---- */

int listen_open(struct server *server, char *error, size_t capacity) {
    (void)error;
    (void)capacity;
    (void)snprintf(server->address, sizeof server->address, "nowhere");
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

uint64_t listen_hash(const struct sockaddr *address) {
    return ((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr;
}

/* ---- The daemon ---- */

static void daemon_option(struct MHD_Daemon *daemon, enum MHD_OPTION option, va_list *arguments) {
    switch (option) {
    case MHD_OPTION_LISTEN_SOCKET:
        daemon->fd = va_arg(*arguments, int);
        break;
    case MHD_OPTION_NOTIFY_COMPLETED:
        daemon->completed = va_arg(*arguments, MHD_RequestCompletedCallback);
        daemon->completed_context = va_arg(*arguments, void *);
        break;
    case MHD_OPTION_NOTIFY_CONNECTION:
        daemon->notify = va_arg(*arguments, MHD_NotifyConnectionCallback);
        daemon->notify_context = va_arg(*arguments, void *);
        break;
    case MHD_OPTION_EXTERNAL_LOGGER:
    case MHD_OPTION_UNESCAPE_CALLBACK:
        (void)va_arg(*arguments, void *);
        (void)va_arg(*arguments, void *);
        break;
    case MHD_OPTION_CONNECTION_MEMORY_LIMIT:
        (void)va_arg(*arguments, size_t);
        break;
    default:
        /* Numbers of threads, connections and seconds. */
        (void)va_arg(*arguments, unsigned);
        break;
    }
}

struct MHD_Daemon *MHD_start_daemon(unsigned flags, uint16_t port, MHD_AcceptPolicyCallback policy,
                                    void *policy_context, MHD_AccessHandlerCallback access,
                                    void *access_context, ...) {
    struct MHD_Daemon *daemon = calloc(1, sizeof *daemon);
    va_list arguments;
    (void)flags;
    (void)port;
    (void)policy;
    (void)policy_context;
    ASSERT(daemon != NULL);
    daemon->access = access;
    daemon->access_context = access_context;
    va_start(arguments, access_context);
    for (;;) {
        enum MHD_OPTION option = va_arg(arguments, enum MHD_OPTION);
        if (option == MHD_OPTION_END) {
            break;
        }
        daemon_option(daemon, option, &arguments);
    }
    va_end(arguments);
    return daemon;
}

int MHD_quiesce_daemon(struct MHD_Daemon *daemon) {
    daemon->quiesced = true;
    return daemon->fd;
}

void MHD_stop_daemon(struct MHD_Daemon *daemon) {
    /* Else the descriptor would have stayed with us. */
    ASSERT(daemon->quiesced);
    free(daemon);
}

/* ---- What the server asks ---- */

const union MHD_ConnectionInfo *MHD_get_connection_info(struct MHD_Connection *connection,
                                                        enum MHD_ConnectionInfoType type, ...) {
    switch (type) {
    case MHD_CONNECTION_INFO_CONNECTION_FD:
        return &connection->info[0];
    case MHD_CONNECTION_INFO_CLIENT_ADDRESS:
        return &connection->info[1];
    default:
        ASSERT(type == MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        connection->info[2].socket_context = connection->own;
        return &connection->info[2];
    }
}

int MHD_get_connection_values_n(struct MHD_Connection *connection, enum MHD_ValueKind kind,
                                MHD_KeyValueIteratorN iterator, void *context) {
    const message *request = connection->request;
    const message_pairs *pairs = kind == MHD_HEADER_KIND ? &request->headers : &request->arguments;
    int told = 0;
    ASSERT(kind == MHD_HEADER_KIND || kind == MHD_GET_ARGUMENT_KIND);
    for (size_t i = 0; i < pairs->count; i++) {
        const message_pair *pair = &pairs->list[i];
        told++;
        if (iterator(context, kind, pair->name, pair->name_bytes, pair->value, pair->value_bytes) ==
            MHD_NO) {
            break;
        }
    }
    return told;
}

struct MHD_Response *MHD_create_response_from_buffer(size_t bytes, void *data,
                                                     enum MHD_ResponseMemoryMode mode) {
    struct MHD_Response *response = calloc(1, sizeof *response);
    ASSERT(response != NULL);
    ASSERT(mode == MHD_RESPMEM_PERSISTENT);
    response->answer.data = data;
    response->answer.bytes = bytes;
    return response;
}

enum MHD_Result MHD_add_response_header(struct MHD_Response *response, const char *name,
                                        const char *value) {
    size_t count = response->answer.headers.count;
    ASSERT(count < HEADERS_MAX);
    char *own_name = response->texts[count][0];
    char *own_value = response->texts[count][1];
    /* The library refuses a line break, with which a client could write headers of its own. */
    ASSERT(strpbrk(name, "\r\n") == NULL && strpbrk(value, "\r\n") == NULL);
    ASSERT(strlen(name) < HEADER_BYTES_MAX && strlen(value) < HEADER_BYTES_MAX);
    memcpy(own_name, name, strlen(name) + 1);
    memcpy(own_value, value, strlen(value) + 1);
    return message_add(&response->answer.headers, own_name, own_value) ? MHD_YES : MHD_NO;
}

enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned status,
                                   struct MHD_Response *response) {
    ASSERT(connection->response == NULL);
    response->answer.status = (int)status;
    connection->response = response;
    return MHD_YES;
}

void MHD_destroy_response(struct MHD_Response *response) {
    ASSERT(!response->released);
    response->released = true;
}

void MHD_suspend_connection(struct MHD_Connection *connection) {
    (void)pthread_mutex_lock(&connection->lock);
    ASSERT(!connection->suspended);
    connection->suspended = true;
    connection->suspensions++;
    (void)pthread_mutex_unlock(&connection->lock);
}

void MHD_resume_connection(struct MHD_Connection *connection) {
    (void)pthread_mutex_lock(&connection->lock);
    ASSERT(connection->suspended);
    connection->suspended = false;
    (void)pthread_cond_signal(&connection->resumed);
    (void)pthread_mutex_unlock(&connection->lock);
}

/* ---- Connections ---- */

static void connection_open(struct MHD_Connection *connection) {
    connection->daemon->notify(connection->daemon->notify_context, connection, &connection->own,
                               MHD_CONNECTION_NOTIFY_STARTED);
}

static void connection_close(struct MHD_Connection *connection) {
    connection->daemon->notify(connection->daemon->notify_context, connection, &connection->own,
                               MHD_CONNECTION_NOTIFY_CLOSED);
    connection->own = NULL;
}

struct MHD_Connection *stand_in_connect(struct MHD_Daemon *daemon) {
    struct MHD_Connection *connection = calloc(1, sizeof *connection);
    ASSERT(connection != NULL);
    connection->daemon = daemon;
    connection->address.sin_family = AF_INET;
    connection->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->info[0].connect_fd = -1;
    connection->info[1].client_addr = (struct sockaddr *)&connection->address;
    (void)pthread_mutex_init(&connection->lock, NULL);
    (void)pthread_cond_init(&connection->resumed, NULL);
    connection_open(connection);
    return connection;
}

void stand_in_disconnect(struct MHD_Connection *connection) {
    connection_close(connection);
    (void)pthread_cond_destroy(&connection->resumed);
    (void)pthread_mutex_destroy(&connection->lock);
    free(connection);
}

/* ---- One request ---- */

typedef struct exchange {
    struct MHD_Connection *connection;
    void *memory; /* the server's, of the request */
} exchange;

/* False: the server ends the connection. */
static bool exchange_call(exchange *run, const char *data, size_t *bytes) {
    struct MHD_Connection *connection = run->connection;
    const struct MHD_Daemon *daemon = connection->daemon;
    const message *request = connection->request;
    return daemon->access(daemon->access_context, connection, request->path, request->method,
                          request->version, data, bytes, &run->memory) == MHD_YES;
}

static bool exchange_body(exchange *run) {
    const message *request = run->connection->request;
    size_t at = 0;
    while (at < request->body_bytes && run->connection->response == NULL) {
        size_t left = request->body_bytes - at;
        size_t piece = left < PIECE_BYTES ? left : PIECE_BYTES;
        size_t bytes = piece;
        if (!exchange_call(run, request->body + at, &bytes)) {
            return false;
        }
        /* It could leave some for later, and does not. */
        ASSERT(bytes == 0);
        at += piece;
    }
    return !request->breaks_off || run->connection->response != NULL;
}

/* Calls until there is an answer; between two calls the connection must have been suspended, or the
 * library would call without end. */
static bool exchange_answer(exchange *run) {
    struct MHD_Connection *connection = run->connection;
    while (connection->response == NULL) {
        uint64_t before = connection->suspensions;
        size_t none = 0;
        if (!exchange_call(run, NULL, &none)) {
            return false;
        }
        ASSERT(connection->response != NULL || connection->suspensions == before + 1);
        (void)pthread_mutex_lock(&connection->lock);
        while (connection->suspended) {
            (void)pthread_cond_wait(&connection->resumed, &connection->lock);
        }
        (void)pthread_mutex_unlock(&connection->lock);
    }
    return true;
}

void stand_in_serve(struct MHD_Connection *connection, const message *request,
                    stand_in_judge *judge, void *context) {
    exchange run = {.connection = connection};
    const struct MHD_Daemon *daemon = connection->daemon;
    size_t none = 0;
    connection->request = request;
    bool answered =
        exchange_call(&run, NULL, &none) && exchange_body(&run) && exchange_answer(&run);
    bool goes_on = answered;
    if (answered) {
        const stand_in_answer *answer = &connection->response->answer;
        const char *header = message_header(&answer->headers, "Connection");
        ASSERT(connection->response->released);
        judge(context, request, answer);
        goes_on = header == NULL || strcasecmp(header, "close") != 0;
    }
    daemon->completed(daemon->completed_context, connection, &run.memory,
                      answered ? MHD_REQUEST_TERMINATED_COMPLETED_OK
                               : MHD_REQUEST_TERMINATED_WITH_ERROR);
    ASSERT(run.memory == NULL);
    free(connection->response);
    connection->response = NULL;
    if (!goes_on) {
        connection_close(connection);
        connection_open(connection);
    }
}
