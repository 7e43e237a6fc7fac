/* Does the example server read whatever a client sends into what its tables of fields allow, or say
 * what is wrong with it?
 *
 * An input is a byte that chooses the route, a path and query as they stand in the first line of a
 * request, a line feed, and a body. Everything is read as for a request, without a server: what was
 * taken over is within its bounds, and what was refused is told where and why. */
#include "../../examples/cellard/parse.h"
#include "../../examples/cellard/route.h"

#include "base/assert.h"

#include <string.h>

#define LINE_BYTES_MAX 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    route_prepare();
    return 0;
}

static void check_refused(const field_error *error) {
    ASSERT(!error->no_memory);
    ASSERT(error->detail[0] != '\0');
    ASSERT(memchr(error->detail, '\0', sizeof error->detail) != NULL);
    ASSERT(memchr(error->pointer, '\0', sizeof error->pointer) != NULL);
}

/* What stands at the field is what its table allows; 0 is also what was not given. */
static void check_field(const struct field *field, const char *value) {
    const char *at = value + field->offset;
    int64_t integer;
    uint32_t count;
    const char *text;
    size_t entries;
    const char *first;
    switch (field->kind) {
    case FIELD_INTEGER:
        memcpy(&integer, at, sizeof integer);
        ASSERT(integer == 0 || integer == FIELD_ABSENT ||
               (integer >= field->min && integer <= field->max));
        break;
    case FIELD_COUNT:
        memcpy(&count, at, sizeof count);
        ASSERT(count == 0 || (count >= field->min && count <= field->max));
        break;
    case FIELD_TEXT:
        memcpy(&text, at, sizeof text);
        ASSERT(text == NULL || (parse_is_utf8(text) && (int64_t)strlen(text) <= field->max));
        break;
    case FIELD_LIST:
        memcpy(&entries, value + field->count_offset, sizeof entries);
        memcpy(&first, at, sizeof first);
        ASSERT(entries == 0 || ((int64_t)entries <= field->max && first != NULL));
        for (size_t i = 0; i < entries; i++) {
            for (size_t j = 0; j < field->shape->field_count; j++) {
                check_field(&field->shape->fields[j], first + i * field->shape->bytes);
            }
        }
        break;
    default:
        break;
    }
}

static void read_body(const struct shape *shape, const char *text, size_t bytes) {
    json_error_t where;
    json_t *json = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &where);
    if (json == NULL) {
        return;
    }
    struct arena arena = {NULL};
    field_error error = {0};
    char *value = arena_take(&arena, 1, shape->bytes);
    ASSERT(value != NULL);
    if (!field_read(json, shape, value, &arena, &error)) {
        check_refused(&error);
    } else {
        ASSERT(shape->check == NULL || shape->check(value) == NULL);
        for (size_t i = 0; i < shape->field_count; i++) {
            check_field(&shape->fields[i], value);
        }
    }
    arena_release(&arena);
    json_decref(json);
}

static void read_query(const struct shape *shape, const char *query) {
    struct arena arena = {NULL};
    char *value = arena_take(&arena, 1, shape->bytes);
    ASSERT(value != NULL);
    while (*query != '\0') {
        char name[LINE_BYTES_MAX];
        char text[LINE_BYTES_MAX];
        size_t pair = strcspn(query, "&");
        size_t split = strcspn(query, "=&");
        size_t rest = split < pair ? pair - split - 1 : 0;
        field_error error = {0};
        if (parse_percent(query, split, name, sizeof name) &&
            parse_percent(query + pair - rest, rest, text, sizeof text) &&
            !field_read_query(name, text, shape, value, &error)) {
            check_refused(&error);
        }
        query += pair + (query[pair] == '&');
    }
    arena_release(&arena);
}

static void read_line(const struct route *route, char *line) {
    char *query = strchr(line, '?');
    route_match match;
    int64_t time_ns;
    if (query != NULL) {
        *query++ = '\0';
    }
    route_find(route->method, line, &match);
    ASSERT(match.number == SIZE_MAX || match.number < route_count());
    if (parse_time(line, &time_ns)) {
        char written[PARSE_TIME_BYTES + 1];
        int64_t again_ns;
        parse_time_write(time_ns, written);
        ASSERT(parse_time(written, &again_ns) && again_ns == time_ns);
    }
    if (query != NULL && route->query != NULL) {
        read_query(route->query, query);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    if (bytes == 0) {
        return 0;
    }
    const struct route *route = route_at(data[0] % route_count());
    const char *text = (const char *)data + 1;
    bytes--;
    const char *feed = memchr(text, '\n', bytes);
    size_t line_bytes = feed == NULL ? bytes : (size_t)(feed - text);
    if (line_bytes < LINE_BYTES_MAX) {
        char line[LINE_BYTES_MAX];
        memcpy(line, text, line_bytes);
        line[line_bytes] = '\0';
        read_line(route, line);
    }
    if (feed != NULL && route->body != NULL) {
        read_body(route->body, feed + 1, bytes - line_bytes - 1);
    }
    return 0;
}
