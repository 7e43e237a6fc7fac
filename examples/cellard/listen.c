#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    BACKLOG = 4096
};

static bool is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

uint64_t listen_hash(const struct sockaddr *address) {
    uint64_t hash = 1;
    if (address->sa_family == AF_INET) {
        hash = ((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr;
    } else if (address->sa_family == AF_INET6) {
        memcpy(&hash, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr,
               sizeof hash);
    }
    return (hash ^ hash >> 29) * UINT64_C(0xbf58476d1ce4e5b9) | 1;
}

/* "127.0.0.1:8080" or "[::1]:8080". */
static struct addrinfo *resolve(const char *listen) {
    char host[64];
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *found = NULL;
    const char *colon = strrchr(listen, ':');
    size_t bytes = colon == NULL ? sizeof host : (size_t)(colon - listen);
    if (bytes >= sizeof host) {
        return NULL;
    }
    memcpy(host, listen, bytes);
    host[bytes] = '\0';
    bool bracketed = bytes > 2 && host[0] == '[' && host[bytes - 1] == ']';
    if (bracketed) {
        host[bytes - 1] = '\0';
    }
    return getaddrinfo(host + (bracketed ? 1 : 0), colon + 1, &hints, &found) == 0 ? found : NULL;
}

static void note_address(struct server *server, int fd) {
    struct sockaddr_storage bound = {.ss_family = AF_UNSPEC};
    socklen_t bytes = sizeof bound;
    char host[48] = "";
    char port[8] = "";
    if (getsockname(fd, (struct sockaddr *)&bound, &bytes) == 0 &&
        getnameinfo((struct sockaddr *)&bound, bytes, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        (void)snprintf(server->address, sizeof server->address,
                       strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
    }
}

static int listen_bind(const struct addrinfo *at) {
    int on = 1;
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
                    bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)) {
        int why = errno;
        (void)close(fd);
        errno = why;
        return -1;
    }
    /* Connections inherit it. An answer is one write; nothing is gained by holding it back. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

int listen_open(struct server *server, char *error, size_t capacity) {
    const char *listen = server->settings->listen;
    struct addrinfo *at = resolve(listen);
    int fd = -1;
    if (at == NULL) {
        (void)snprintf(error, capacity, "%s: must be a numeric address and a port", listen);
    } else if (server->auth.count == 0 && !is_loopback(at->ai_addr)) {
        (void)snprintf(error, capacity, "%s: without --tokens only loopback may be listened on",
                       listen);
    } else {
        fd = listen_bind(at);
        if (fd < 0) {
            (void)snprintf(error, capacity, "%s: %s", listen, strerror(errno));
        } else {
            note_address(server, fd);
        }
    }
    if (at != NULL) {
        freeaddrinfo(at);
    }
    return fd;
}
