#include "headers.h"

#include <string.h>
#include <strings.h>

typedef struct header_place {
    const char *name;
    size_t offset;
} header_place;

static const header_place places[] = {
    {"Authorization", offsetof(struct headers, authorization)},
    {"Content-Length", offsetof(struct headers, content_length)},
    {"Content-Type", offsetof(struct headers, content_type)},
    {"Transfer-Encoding", offsetof(struct headers, transfer_encoding)},
    {"Host", offsetof(struct headers, host)},
    {"If-Match", offsetof(struct headers, if_match)},
    {"If-None-Match", offsetof(struct headers, if_none_match)},
    {"Idempotency-Key", offsetof(struct headers, idempotency_key)},
    {"Cellar-Lsn", offsetof(struct headers, cellar_lsn)},
    {"Cellar-Actor", offsetof(struct headers, cellar_actor)},
    {"Cellar-Reference", offsetof(struct headers, cellar_reference)},
};

static enum MHD_Result headers_take(void *context, enum MHD_ValueKind kind, const char *name,
                                    size_t name_bytes, const char *value, size_t value_bytes) {
    struct headers *headers = context;
    (void)kind;
    if (value == NULL || memchr(name, '\0', name_bytes) != NULL ||
        memchr(value, '\0', value_bytes) != NULL) {
        headers->damaged = true;
        return MHD_YES;
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (strcasecmp(places[i].name, name) == 0) {
            const char **place = (const char **)(void *)((char *)headers + places[i].offset);
            headers->repeated = *place != NULL ? places[i].name : headers->repeated;
            *place = value;
        }
    }
    return MHD_YES;
}

void headers_read(struct headers *headers, struct MHD_Connection *connection) {
    *headers = (struct headers){.damaged = false};
    (void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, headers_take, headers);
}

const char *headers_smuggling(const struct headers *headers, const char *version) {
    if (headers->damaged) {
        return "a header holds a NUL byte";
    }
    if (headers->repeated != NULL) {
        return "a header stands there twice that may stand there once";
    }
    if (headers->transfer_encoding != NULL && headers->content_length != NULL) {
        return "both Content-Length and Transfer-Encoding are given";
    }
    if (headers->transfer_encoding != NULL &&
        (strcasecmp(headers->transfer_encoding, "chunked") != 0 ||
         strcmp(version, MHD_HTTP_VERSION_1_1) != 0)) {
        return "the only Transfer-Encoding known here is chunked, and it is of version 1.1";
    }
    if (headers->content_length != NULL &&
        (headers->content_length[0] == '\0' || strlen(headers->content_length) > 18 ||
         strspn(headers->content_length, "0123456789") != strlen(headers->content_length))) {
        return "Content-Length is not a number";
    }
    return NULL;
}

bool headers_have_body(const struct headers *headers) {
    return headers->transfer_encoding != NULL ||
           (headers->content_length != NULL &&
            strspn(headers->content_length, "0") != strlen(headers->content_length));
}
