/* Sends requests at a given rate, whatever the server does, and tells how long each took from the
 * moment it was due: a server that stalls is charged for all that was due meanwhile, which a loader
 * that waits for an answer before it sends the next request forgives ("coordinated omission").
 *
 *     paced ADDRESS:PORT CONNECTIONS CUSTOMERS GRANTS-FILE FROM:TO:SECONDS:CAMPAIGN...
 *
 * Each phase goes from one rate a second to another. Campaign 0: looks at products p1 to p1000.
 * Else customers 1 to CUSTOMERS, drawn at random, claim a coupon of that campaign; each grant that
 * was acknowledged becomes a line "campaign customer rank" of the file. Prints a line of JSON for
 * each phase. A connection has one request at a time; what finds none free for two seconds is
 * counted as late and not sent. Lost connections are made anew. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    ANSWER_BYTES_MAX = 8192,
    CONNECTIONS_MAX = 4096,
    PHASES_MAX = 16,
    QUEUE_MAX = 1 << 17, /* more than two seconds of any rate that is taken */
    RATE_MAX = 50000,
    PRODUCTS = 1000,
    STATUSES = 600
};
#define SECOND UINT64_C(1000000000)
#define LATE_NS (2 * SECOND)
#define RECONNECT_NS (SECOND / 50)
#define LINGER_NS (5 * SECOND) /* for the last answers */

struct phase {
    double from;
    double to;
    double seconds;
    uint64_t campaign;
    uint64_t sent;
    uint64_t unknown; /* the connection was lost before the answer */
    uint64_t late;
    uint64_t statuses[STATUSES];
    uint64_t without_retry; /* 429 and 503 that do not say when to come back */
    uint32_t *microseconds; /* of each answer */
    size_t answers;
    size_t capacity;
};

struct due {
    uint64_t ns;
    size_t phase;
};

struct connection {
    int fd; /* -1: none */
    bool busy;
    uint64_t retry_ns;
    struct due due;
    uint64_t customer;
    char answer[ANSWER_BYTES_MAX];
    size_t bytes;
};

static struct phase phases[PHASES_MAX];
static size_t phase_count;
static struct connection connections[CONNECTIONS_MAX];
static size_t connection_count;
static struct due queue[QUEUE_MAX];
static size_t queue_first;
static size_t queue_count;
static struct sockaddr_in server;
static uint64_t customers;
static FILE *grants;
static int epoll_fd;
static uint64_t random_state = 88172645463325252u;

static uint64_t now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

/* From 1 to `most`. */
static uint64_t draw(uint64_t most) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % most + 1;
}

static void fail(const char *what) {
    (void)fprintf(stderr, "paced: %s\n", what);
    exit(2);
}

/* ---- Connections ---- */

static void connection_open(struct connection *connection, uint64_t now) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connection->retry_ns = now + RECONNECT_NS;
    connection->bytes = 0;
    if (fd < 0 || connect(fd, (const struct sockaddr *)&server, sizeof server) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return;
    }
    connection->fd = fd;
}

static void connection_lose(struct connection *connection, uint64_t now) {
    (void)close(connection->fd);
    connection->fd = -1;
    connection->retry_ns = now + RECONNECT_NS;
    if (connection->busy) {
        connection->busy = false;
        phases[connection->due.phase].unknown++;
    }
}

static void connection_send(struct connection *connection, const struct due *due, uint64_t now) {
    char text[512];
    char body[64];
    struct phase *phase = &phases[due->phase];
    int bytes;
    if (phase->campaign == 0) {
        bytes = snprintf(text, sizeof text,
                         "GET /v1/products/p%" PRIu64 " HTTP/1.1\r\nHost: localhost\r\n\r\n",
                         draw(PRODUCTS));
    } else {
        connection->customer = draw(customers);
        int body_bytes =
            snprintf(body, sizeof body, "{\"customer\":\"%" PRIu64 "\"}", connection->customer);
        bytes = snprintf(text, sizeof text,
                         "POST /v1/campaigns/%" PRIu64 "/claims HTTP/1.1\r\nHost: localhost\r\n"
                         "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                         phase->campaign, body_bytes, body);
    }
    connection->due = *due;
    connection->busy = true;
    connection->bytes = 0;
    phase->sent++;
    if (send(connection->fd, text, (size_t)bytes, MSG_NOSIGNAL) != bytes) {
        connection_lose(connection, now);
    }
}

/* ---- Answers ---- */

static void note_latency(struct phase *phase, uint64_t ns) {
    if (phase->answers == phase->capacity) {
        phase->capacity = phase->capacity * 2 + 1024;
        phase->microseconds =
            realloc(phase->microseconds, phase->capacity * sizeof *phase->microseconds);
        if (phase->microseconds == NULL) {
            fail("out of memory");
        }
    }
    phase->microseconds[phase->answers++] = (uint32_t)(ns / 1000);
}

static void note_answer(struct connection *connection, int status, uint64_t now) {
    struct phase *phase = &phases[connection->due.phase];
    bool is_shed = status == 429 || status == 503;
    const char *rank = strstr(connection->answer, "\"rank\":\"");
    if (status < 0 || status >= STATUSES) {
        fail("an answer without a status");
    }
    phase->statuses[status]++;
    phase->without_retry += is_shed && strstr(connection->answer, "\r\nRetry-After: ") == NULL;
    note_latency(phase, now - connection->due.ns);
    if (phase->campaign != 0 && (status == 200 || status == 201) && rank != NULL) {
        (void)fprintf(grants, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", phase->campaign,
                      connection->customer, (uint64_t)strtoull(rank + 8, NULL, 10));
    }
}

/* True when all of an answer has come. */
static bool answer_is_whole(const struct connection *connection) {
    const char *end = strstr(connection->answer, "\r\n\r\n");
    const char *length = strstr(connection->answer, "\r\nContent-Length: ");
    if (end == NULL) {
        return false;
    }
    size_t head_bytes = (size_t)(end + 4 - connection->answer);
    size_t body_bytes = length == NULL || length > end ? 0 : strtoul(length + 18, NULL, 10);
    return connection->bytes >= head_bytes + body_bytes;
}

static void connection_receive(struct connection *connection, uint64_t now) {
    size_t room = sizeof connection->answer - 1 - connection->bytes;
    ssize_t bytes = recv(connection->fd, connection->answer + connection->bytes, room, 0);
    if (bytes <= 0) {
        connection_lose(connection, now);
        return;
    }
    connection->bytes += (size_t)bytes;
    connection->answer[connection->bytes] = '\0';
    if (connection->busy && answer_is_whole(connection)) {
        note_answer(connection, (int)strtol(connection->answer + 9, NULL, 10), now);
        connection->busy = false;
        connection->bytes = 0;
    }
}

/* ---- The schedule ---- */

/* Seconds after the start at which the request after the one at `at` is due; negative: none. */
static double schedule_next(double at, size_t *phase_out) {
    double begin = 0;
    for (size_t i = 0; i < phase_count; i++) {
        const struct phase *phase = &phases[i];
        double end = begin + phase->seconds;
        double from = at > begin ? at : begin;
        double rate = phase->from + (phase->to - phase->from) * (from - begin) / phase->seconds;
        if (from < end && rate > 0 && from + 1 / rate < end) {
            *phase_out = i;
            return from + 1 / rate;
        }
        begin = end;
    }
    return -1;
}

static void queue_push(struct due due) {
    if (queue_count == QUEUE_MAX) {
        phases[due.phase].late++;
        return;
    }
    queue[(queue_first + queue_count++) % QUEUE_MAX] = due;
}

/* Gives what is due to connections that are free. */
static void queue_send(uint64_t now) {
    static size_t next;
    while (queue_count != 0 && now - queue[queue_first].ns > LATE_NS) {
        phases[queue[queue_first].phase].late++;
        queue_first = (queue_first + 1) % QUEUE_MAX;
        queue_count--;
    }
    for (size_t i = 0; i < connection_count && queue_count != 0; i++) {
        struct connection *connection = &connections[next++ % connection_count];
        if (connection->fd < 0 && connection->retry_ns <= now) {
            connection_open(connection, now);
        }
        if (connection->fd >= 0 && !connection->busy) {
            struct due due = queue[queue_first];
            queue_first = (queue_first + 1) % QUEUE_MAX;
            queue_count--;
            connection_send(connection, &due, now);
        }
    }
}

static bool any_busy(void) {
    for (size_t i = 0; i < connection_count; i++) {
        if (connections[i].busy) {
            return true;
        }
    }
    return false;
}

static void run(void) {
    struct epoll_event events[256];
    uint64_t start = now_ns();
    size_t phase = 0;
    double next = schedule_next(0, &phase);
    uint64_t last = 0;
    for (;;) {
        uint64_t now = now_ns();
        while (next >= 0 && start + (uint64_t)(next * 1e9) <= now) {
            queue_push((struct due){start + (uint64_t)(next * 1e9), phase});
            next = schedule_next(next, &phase);
        }
        queue_send(now);
        if (next < 0) {
            last = last == 0 ? now : last;
            if ((queue_count == 0 && !any_busy()) || now - last > LINGER_NS) {
                return;
            }
        }
        uint64_t due = next < 0 ? now + SECOND / 1000 : start + (uint64_t)(next * 1e9);
        uint64_t wait = due > now ? due - now : 0;
        const struct timespec timeout = {.tv_nsec =
                                             (long)(wait > SECOND / 1000 ? SECOND / 1000 : wait)};
        int count = epoll_pwait2(epoll_fd, events, 256, &timeout, NULL);
        now = now_ns();
        for (int i = 0; i < count; i++) {
            connection_receive(events[i].data.ptr, now);
        }
    }
}

/* ---- Telling ---- */

static int compare(const void *a, const void *b) {
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static double percentile(const struct phase *phase, double share) {
    size_t at = (size_t)((double)phase->answers * share);
    return phase->answers == 0
               ? 0
               : phase->microseconds[at < phase->answers ? at : phase->answers - 1] / 1e3;
}

static void tell(struct phase *phase) {
    const char *before = "";
    double sum = 0;
    if (phase->answers != 0) {
        qsort(phase->microseconds, phase->answers, sizeof *phase->microseconds, compare);
    }
    for (size_t i = 0; i < phase->answers; i++) {
        sum += phase->microseconds[i] / 1e3;
    }
    (void)printf("{\"campaign\":%" PRIu64 ",\"seconds\":%g,\"sent\":%" PRIu64 ",\"statuses\":{",
                 phase->campaign, phase->seconds, phase->sent);
    for (int i = 0; i < STATUSES; i++) {
        if (phase->statuses[i] != 0) {
            (void)printf("%s\"%d\":%" PRIu64, before, i, phase->statuses[i]);
            before = ",";
        }
    }
    (void)printf("},\"unknown\":%" PRIu64 ",\"late\":%" PRIu64 ",\"without_retry\":%" PRIu64
                 ",\"mean\":%.3f,\"p50\":%.3f,\"p95\":%.3f,\"p99\":%.3f,\"max\":%.3f}\n",
                 phase->unknown, phase->late, phase->without_retry,
                 phase->answers == 0 ? 0 : sum / (double)phase->answers, percentile(phase, 0.5),
                 percentile(phase, 0.95), percentile(phase, 0.99), percentile(phase, 1));
}

int main(int argc, char **argv) {
    char host[64];
    uint16_t port = 0;
    if (argc < 6 || argc - 5 > PHASES_MAX ||
        sscanf(argv[1], "%63[0-9.]:%" SCNu16, host, &port) != 2 ||
        inet_pton(AF_INET, host, &server.sin_addr) != 1) {
        fail("ADDRESS:PORT CONNECTIONS CUSTOMERS GRANTS-FILE FROM:TO:SECONDS:CAMPAIGN...");
    }
    server.sin_family = AF_INET;
    server.sin_port = htons(port);
    connection_count = strtoul(argv[2], NULL, 10);
    customers = strtoull(argv[3], NULL, 10);
    grants = fopen(argv[4], "we");
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (connection_count < 1 || connection_count > CONNECTIONS_MAX || customers < 1 ||
        grants == NULL || epoll_fd < 0) {
        fail("too many or no connections, no customers, or a file that cannot be written");
    }
    for (int i = 5; i < argc; i++) {
        struct phase *phase = &phases[phase_count++];
        if (sscanf(argv[i], "%lf:%lf:%lf:%" SCNu64, &phase->from, &phase->to, &phase->seconds,
                   &phase->campaign) != 4 ||
            phase->from < 0 || phase->to < 0 || phase->from > RATE_MAX || phase->to > RATE_MAX ||
            phase->seconds <= 0) {
            fail("a phase is FROM:TO:SECONDS:CAMPAIGN, at most 50000 a second");
        }
    }
    for (size_t i = 0; i < connection_count; i++) {
        connections[i].fd = -1;
        connection_open(&connections[i], now_ns());
    }
    run();
    for (size_t i = 0; i < phase_count; i++) {
        tell(&phases[i]);
    }
    return fclose(grants) == 0 ? 0 : 2;
}
