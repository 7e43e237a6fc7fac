#include "openapi.h"

#include "request.h"

#include <string.h>

/* Shapes that have been met, so that each is described once. */
typedef struct shape_set {
    const struct shape *shapes[4 * ROUTES_MAX];
    size_t count;
} shape_set;

static void set_add(shape_set *set, const struct shape *shape) {
    if (shape == NULL) {
        return;
    }
    for (size_t i = 0; i < set->count; i++) {
        if (set->shapes[i] == shape) {
            return;
        }
    }
    if (set->count < sizeof set->shapes / sizeof set->shapes[0]) {
        set->shapes[set->count++] = shape;
    }
    /* Shapes nest, never in a circle. */
    for (size_t i = 0; i < shape->field_count; i++) {
        set_add(set, shape->fields[i].shape);
    }
}

/* What goes in is a closed list of fields; what comes out may grow. */
static void write_shape(struct text *out, const struct shape *shape, bool goes_in) {
    const char *before = "";
    text_format(out, "\"%s\":{\"type\":\"object\",\"properties\":{", shape->name);
    for (size_t i = 0; i < shape->field_count; i++) {
        text_format(out, "%s\"%s\":", before, shape->fields[i].name);
        field_schema(out, &shape->fields[i]);
        before = ",";
    }
    text_put(out, "}");
    before = ",\"required\":[";
    for (size_t i = 0; i < shape->field_count; i++) {
        unsigned flags = shape->fields[i].flags;
        if (goes_in ? (flags & FIELD_REQUIRED) != 0 : (flags & FIELD_OPTIONAL) == 0) {
            text_format(out, "%s\"%s\"", before, shape->fields[i].name);
            before = ",";
        }
    }
    text_put(out, *before == ',' && before[1] == '\0' ? "]" : "");
    text_put(out, shape->one_field ? ",\"minProperties\":1,\"maxProperties\":1" : "");
    text_put(out, goes_in ? ",\"additionalProperties\":false}" : "}");
}

static void write_shapes(struct text *out) {
    shape_set in = {.count = 0};
    shape_set outward = {.count = 0};
    for (size_t i = 0; i < route_count(); i++) {
        set_add(&in, route_at(i)->body);
        set_add(&outward, route_at(i)->answer);
    }
    text_put(
        out,
        "\"Problem\":{\"type\":\"object\",\"description\":\"RFC 9457\",\"required\":"
        "[\"type\",\"title\",\"status\"],\"properties\":{"
        "\"type\":{\"type\":\"string\",\"description\":\"/problems/NAME tells more\"},"
        "\"title\":{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},"
        "\"detail\":{\"type\":\"string\"},"
        "\"pointer\":{\"type\":\"string\",\"description\":\"what is wrong, RFC 6901\"},"
        "\"line\":{\"type\":\"integer\",\"description\":\"the line at fault, from 0 on\"},"
        "\"available\":{\"type\":\"integer\"},\"needed\":{\"type\":\"integer\"},"
        "\"version\":{\"type\":\"string\",\"description\":\"the version now\"},"
        "\"step\":{\"type\":\"integer\",\"description\":\"the operation at fault, from 0 on\"},"
        "\"retry_at\":{\"type\":\"string\",\"format\":\"date-time\",\"description\":"
        "\"when it may be otherwise\"},"
        "\"rank\":{\"type\":\"string\",\"description\":\"the number of the claim\"},"
        "\"waiting\":{\"type\":\"boolean\"},"
        "\"state\":{\"type\":\"string\"}}}");
    for (size_t i = 0; i < in.count; i++) {
        text_put(out, ",");
        write_shape(out, in.shapes[i], true);
    }
    for (size_t i = 0; i < outward.count; i++) {
        text_put(out, ",");
        write_shape(out, outward.shapes[i], false);
    }
}

/* ---- Parameters ---- */

static void write_parameter(struct text *out, const char **before, const char *name,
                            const char *where, bool required, const char *about) {
    text_format(out, "%s{\"name\":\"%s\",\"in\":\"%s\",\"required\":%s,", *before, name, where,
                required ? "true" : "false");
    text_put(out, "\"schema\":{\"type\":\"string\"},\"description\":");
    text_json(out, about);
    text_put(out, "}");
    *before = ",";
}

static void write_path_parameter(struct text *out, const char **before, const char *path) {
    const request_variable *variable = request_variable_of(path);
    if (variable != NULL) {
        char name[16] = "";
        memcpy(name, variable->name + 1, strlen(variable->name) - 2);
        write_parameter(out, before, name, "path", true, variable->about);
    }
}

/* A read that is answered with 304 when the client has that already. */
static bool can_be_unchanged(const struct route *route) {
    return (route->flags & (ROUTE_TAGGED | ROUTE_WRITES | ROUTE_CONDITIONAL)) == ROUTE_TAGGED;
}

static void write_headers(struct text *out, const char **before, const struct route *route) {
    unsigned flags = route->flags;
    if ((flags & ROUTE_CONDITIONAL) != 0) {
        bool create = (flags & ROUTE_MAY_CREATE) != 0;
        write_parameter(out, before, "If-Match", "header", !create,
                        "the ETag that was seen, or *: whatever is there");
        if (create) {
            write_parameter(out, before, "If-None-Match", "header", false, "*: to create");
        }
    } else if (can_be_unchanged(route)) {
        write_parameter(out, before, "If-None-Match", "header", false,
                        "an ETag; answered with 304 when it is still that");
    }
    if ((flags & ROUTE_KEYED) != 0) {
        write_parameter(out, before, "Idempotency-Key", "header", false,
                        (flags & ROUTE_KEY_IS_ID) != 0
                            ? "a UUID: the id, in place of the one in the body"
                            : "a UUID; the same request again gets the first answer");
    }
    if ((flags & ROUTE_WRITES) != 0) {
        write_parameter(out, before, "Cellar-Actor", "header", false,
                        "a number for the ledger: who it was; of a token that has one, that");
        write_parameter(out, before, "Cellar-Reference", "header", false,
                        "up to 64 bytes for the ledger");
    }
    if ((flags & ROUTE_FOLLOWS) != 0) {
        write_parameter(out, before, "Cellar-Lsn", "header", false,
                        "a Cellar-Lsn that was answered: this list includes that commit");
    }
}

static void write_query(struct text *out, const char **before, const struct shape *query) {
    for (size_t i = 0; query != NULL && i < query->field_count; i++) {
        text_format(out,
                    "%s{\"name\":\"%s\",\"in\":\"query\",\"required\":false,\"schema\":", *before,
                    query->fields[i].name);
        field_schema(out, &query->fields[i]);
        text_put(out, "}");
        *before = ",";
    }
}

static void write_parameters(struct text *out, const struct route *route) {
    const char *before = "";
    text_put(out, "\"parameters\":[");
    write_path_parameter(out, &before, route->path);
    write_query(out, &before, route->query);
    write_headers(out, &before, route);
    if (route->role != ROLE_NONE) {
        text_format(out,
                    "%s{\"name\":\"durability\",\"in\":\"query\",\"required\":false,"
                    "\"schema\":{\"type\":\"string\",\"enum\":[\"durable\",\"relaxed\"]},"
                    "\"description\":\"relaxed: answer before the commit is on disk\"}",
                    before);
    }
    text_put(out, "]");
}

/* ---- Operations ---- */

static void write_answer(struct text *out, const char *before, int status,
                         const struct route *route) {
    const char *about = status == 201 ? "made" : status == 503 ? "not now" : "done";
    text_format(out, "%s\"%d\":{\"description\":\"%s\",\"content\":{", before, status, about);
    if (route->answer != NULL) {
        text_format(out, "\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/%s\"}}",
                    route->answer->name);
    } else {
        text_format(out, "\"%s\":{}", route->type);
    }
    text_put(out, "}}");
}

static void write_operation(struct text *out, size_t number) {
    static const char *const roles[] = {"none", "read", "sell", "admin"};
    const struct route *route = route_at(number);
    char method[8] = "";
    for (size_t i = 0; route->method[i] != '\0' && i + 1 < sizeof method; i++) {
        method[i] = (char)(route->method[i] | 0x20);
    }
    text_format(out, "\"%s\":{\"operationId\":\"%s\",\"tags\":[\"%s\"],\"x-role\":\"%s\",", method,
                route->name, route_area_title(number), roles[route->role]);
    text_put(out, "\"summary\":");
    text_json(out, route->summary);
    text_put(out, route->role == ROLE_NONE ? ",\"security\":[]," : ",");
    write_parameters(out, route);
    if (route->body != NULL) {
        text_format(out,
                    ",\"requestBody\":{\"content\":{\"application/json\":{\"schema\":"
                    "{\"$ref\":\"#/components/schemas/%s\"}}}}",
                    route->body->name);
    }
    text_put(out, ",\"responses\":{");
    write_answer(out, "", 200, route);
    if ((route->flags & (ROUTE_CREATES | ROUTE_MAY_CREATE)) != 0) {
        write_answer(out, ",", 201, route);
    }
    if (can_be_unchanged(route)) {
        text_put(out, ",\"304\":{\"description\":\"it is still that of If-None-Match\"}");
    }
    if ((route->flags & ROUTE_PROBE) != 0) {
        write_answer(out, ",", 503, route);
    }
    text_put(out, ",\"default\":{\"description\":\"refused, or failed\",\"content\":{"
                  "\"application/problem+json\":{\"schema\":{\"$ref\":"
                  "\"#/components/schemas/Problem\"}}}}}}");
}

/* All methods of a path stand together; a path is written where it is first met. */
static void write_paths(struct text *out) {
    const char *before_path = "";
    for (size_t i = 0; i < route_count(); i++) {
        const char *path = route_at(i)->path;
        bool first = true;
        for (size_t j = 0; j < i; j++) {
            first = first && strcmp(route_at(j)->path, path) != 0;
        }
        if (!first) {
            continue;
        }
        const char *before = "";
        text_format(out, "%s\"%s\":{", before_path, path);
        before_path = ",";
        for (size_t j = i; j < route_count(); j++) {
            if (strcmp(route_at(j)->path, path) == 0) {
                text_put(out, before);
                write_operation(out, j);
                before = ",";
            }
        }
        text_put(out, "}");
    }
}

void openapi_write(struct text *out) {
    text_format(out,
                "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"cellard\",\"version\":\"%s\","
                "\"description\":\"Ids, versions, positions in the log and sums over the whole "
                "store have up to 64 bits and are strings of decimal digits. Amounts and "
                "quantities stay within 10^15 and are integers, exact in JavaScript. Every answer "
                "has a Cellar-Lsn: a write's commit, else the position up to which all is on "
                "disk.\"},\"security\":[{\"token\":[]}],\"paths\":{",
                cellar_version_string());
    write_paths(out);
    text_put(out, "},\"components\":{\"securitySchemes\":{\"token\":{\"type\":\"http\","
                  "\"scheme\":\"bearer\"}},\"schemas\":{");
    write_shapes(out);
    text_put(out, "}}}");
}
