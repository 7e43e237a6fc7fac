#include "message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* By letter: who may read, sell, and do everything; a person, whose token has a number. */
static const struct {
    char letter;
    auth_token token;
} clients[] = {
    {'R', {"token-that-reads", ROLE_READ, 0}},
    {'S', {"token-that-sells", ROLE_SELL, 0}},
    {'A', {"token-of-an-admin", ROLE_ADMIN, 0}},
    {'P', {"token-of-a-person", ROLE_ADMIN, 17}},
};

enum {
    CLIENTS = sizeof clients / sizeof clients[0]
};

void message_clients(struct auth *auth) {
    for (size_t i = 0; i < CLIENTS; i++) {
        auth->tokens[i] = clients[i].token;
    }
    auth->count = CLIENTS;
}

static const auth_token *client_find(const struct auth *auth, char letter) {
    for (size_t i = 0; i < auth->count; i++) {
        if (clients[i].letter == letter) {
            return &auth->tokens[i];
        }
    }
    return NULL;
}

/* ---- Pairs ---- */

static bool pairs_add(message_pairs *pairs, message_pair pair) {
    if (pairs->count == MESSAGE_PAIRS_MAX) {
        return false;
    }
    pairs->list[pairs->count++] = pair;
    return true;
}

bool message_add(message_pairs *pairs, const char *name, const char *value) {
    return pairs_add(pairs, (message_pair){name, value, strlen(name), strlen(value)});
}

const char *message_header(const message_pairs *headers, const char *name) {
    for (size_t i = 0; i < headers->count; i++) {
        if (strcasecmp(headers->list[i].name, name) == 0) {
            return headers->list[i].value;
        }
    }
    return NULL;
}

/* ---- Lines ---- */

/* Ends the line, without its carriage return, and moves on behind it. NULL: there is none. */
static char *line_take(char **at, char *end, size_t *bytes_out) {
    char *line = *at;
    char *feed = line == end ? NULL : memchr(line, '\n', (size_t)(end - line));
    char *stop = feed == NULL ? end : feed;
    if (line == end) {
        return NULL;
    }
    *at = feed == NULL ? end : feed + 1;
    if (stop != line && stop[-1] == '\r') {
        stop--;
    }
    *stop = '\0';
    *bytes_out = (size_t)(stop - line);
    return line;
}

/* The library makes spaces of '+', and leaves escapes to the server. */
static bool read_query(char *query, message_pairs *arguments) {
    bool fits = true;
    while (query != NULL && *query != '\0' && fits) {
        char *name = strsep(&query, "&");
        char *value = strchr(name, '=');
        for (char *c = name; *c != '\0'; c++) {
            if (*c == '+') {
                *c = ' ';
            }
        }
        if (value == NULL) {
            fits = pairs_add(arguments, (message_pair){name, NULL, strlen(name), 0});
        } else {
            *value++ = '\0';
            fits = message_add(arguments, name, value);
        }
    }
    return fits;
}

static bool read_first(char *line, const struct auth *auth, message *out) {
    char *rest = line;
    const char *client = strsep(&rest, " ");
    out->method = strsep(&rest, " ");
    char *target = strsep(&rest, " ");
    out->version = rest == NULL ? MHD_HTTP_VERSION_1_1 : rest;
    if (target == NULL || strlen(client) != 1) {
        return false;
    }
    out->client = client_find(auth, *client);
    out->path = strsep(&target, "?");
    return read_query(target, &out->arguments);
}

static bool read_header(char *line, size_t bytes, message *out) {
    char *colon = memchr(line, ':', bytes);
    if (colon == NULL) {
        return false;
    }
    char *value = colon + 1;
    *colon = '\0';
    value += strspn(value, " \t");
    return pairs_add(&out->headers, (message_pair){line, value, (size_t)(colon - line),
                                                   bytes - (size_t)(value - line)});
}

/* ---- What is there by itself ---- */

static bool add_token(message *out) {
    if (out->client == NULL) {
        return true;
    }
    (void)snprintf(out->authorization, sizeof out->authorization, "Bearer %s", out->client->token);
    return message_add(&out->headers, "Authorization", out->authorization);
}

static bool add_body_headers(message *out) {
    const char *length = message_header(&out->headers, "Content-Length");
    bool is_chunked = message_header(&out->headers, "Transfer-Encoding") != NULL;
    if (length != NULL) {
        size_t announced = strtoull(length, NULL, 10);
        out->breaks_off = announced > out->body_bytes && !is_chunked;
        out->body_bytes = announced < out->body_bytes ? announced : out->body_bytes;
    } else if (out->body_bytes != 0 && !is_chunked) {
        (void)snprintf(out->length, sizeof out->length, "%zu", out->body_bytes);
        if (!message_add(&out->headers, "Content-Length", out->length)) {
            return false;
        }
    }
    return out->body_bytes == 0 || message_header(&out->headers, "Content-Type") != NULL ||
           message_add(&out->headers, "Content-Type", "application/json");
}

bool message_read(char *text, size_t bytes, const struct auth *auth, message *out) {
    char *at = text;
    char *end = text + bytes;
    size_t line_bytes = 0;
    char *line = line_take(&at, end, &line_bytes);
    *out = (message){.body = end};
    if (line == NULL || !read_first(line, auth, out)) {
        return false;
    }
    while ((line = line_take(&at, end, &line_bytes)) != NULL && line_bytes != 0) {
        if (!read_header(line, line_bytes, out)) {
            return false;
        }
    }
    out->body = at;
    out->body_bytes = (size_t)(end - at);
    return add_token(out) && add_body_headers(out);
}
