/* Reading: JSON and queries into structs. */
#include "field.h"

#include "parse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char field_choices_end[] = "";

struct reading {
    struct arena *arena;
    field_error *error;
};

static bool read_object(const struct reading *reading, const json_t *object,
                        const struct shape *shape, void *value);
static bool read_value(const struct reading *reading, const json_t *json, const struct field *field,
                       void *value);

/* Puts "/name" before what the pointer holds already: it grows from the inside to the outside. */
static void error_at(field_error *error, const char *name) {
    char inner[sizeof error->pointer];
    memcpy(inner, error->pointer, sizeof inner);
    (void)snprintf(error->pointer, sizeof error->pointer, "/%.40s%.50s", name, inner);
}

static bool wrong(field_error *error, const char *detail) {
    (void)snprintf(error->detail, sizeof error->detail, "%s", detail);
    return false;
}

static bool in_range(field_error *error, const struct field *field, int64_t number) {
    if (number >= field->min && number <= field->max) {
        return true;
    }
    (void)snprintf(error->detail, sizeof error->detail, "must be %" PRId64 " to %" PRId64,
                   field->min, field->max);
    return false;
}

static bool read_integer(field_error *error, const struct field *field, int64_t number, void *at) {
    if (!in_range(error, field, number)) {
        return false;
    }
    if (field->kind == FIELD_COUNT) {
        *(uint32_t *)at = (uint32_t)number;
    } else {
        *(int64_t *)at = number;
    }
    return true;
}

static bool read_choice(field_error *error, const struct field *field, const char *text, void *at) {
    for (int i = 0; field->choices[i] != FIELD_CHOICES_END; i++) {
        if (field->choices[i] != NULL && strcmp(field->choices[i], text) == 0) {
            *(int *)at = i;
            return true;
        }
    }
    return wrong(error, "is not one of the values there are");
}

static bool read_text(field_error *error, const struct field *field, const char *text, void *at) {
    int64_t bytes = (int64_t)strlen(text);
    if (bytes < field->min || bytes > field->max) {
        (void)snprintf(error->detail, sizeof error->detail,
                       "must have %" PRId64 " to %" PRId64 " bytes", field->min, field->max);
        return false;
    }
    *(const char **)at = text;
    return true;
}

/* Everything that is a string in JSON. */
static bool read_string(field_error *error, const struct field *field, const char *text, void *at) {
    switch (field->kind) {
    case FIELD_NUMBER:
        return parse_unsigned(text, at) ||
               wrong(error, "must be a decimal number of up to 64 bits, in a string");
    case FIELD_UUID:
        return parse_uuid(text, at) || wrong(error, "must be a UUID, not all zero");
    case FIELD_TIME:
        return parse_time(text, at) || wrong(error, "must be a time like 2026-11-24T18:40:18Z");
    case FIELD_CHOICE:
        return read_choice(error, field, text, at);
    default:
        return read_text(error, field, text, at);
    }
}

static void *take(const struct reading *reading, size_t count, size_t bytes) {
    void *taken = arena_take(reading->arena, count, bytes);
    reading->error->no_memory = taken == NULL;
    return taken;
}

static bool read_entry(const struct reading *reading, const json_t *json, const struct field *field,
                       void *entry) {
    static const struct field number = {.kind = FIELD_COUNT, .max = FIELD_COUNTS_MAX};
    return field->kind == FIELD_COUNTS ? read_value(reading, json, &number, entry)
                                       : read_object(reading, json, field->shape, entry);
}

static bool read_list(const struct reading *reading, const json_t *array, const struct field *field,
                      void *value) {
    size_t count = json_array_size(array);
    size_t bytes = field->kind == FIELD_COUNTS ? sizeof(uint32_t) : field->shape->bytes;
    if ((int64_t)count < field->min || (int64_t)count > field->max) {
        (void)snprintf(reading->error->detail, sizeof reading->error->detail,
                       "must have %" PRId64 " to %" PRId64 " entries", field->min, field->max);
        return false;
    }
    char *entries = take(reading, count, bytes);
    if (entries == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!read_entry(reading, json_array_get(array, i), field, entries + i * bytes)) {
            char number[24];
            (void)snprintf(number, sizeof number, "%zu", i);
            error_at(reading->error, number);
            return false;
        }
    }
    *(const void **)((char *)value + field->offset) = entries;
    *(size_t *)((char *)value + field->count_offset) = count;
    return true;
}

static bool read_value(const struct reading *reading, const json_t *json, const struct field *field,
                       void *value) {
    void *at = (char *)value + field->offset;
    switch (field->kind) {
    case FIELD_INTEGER:
    case FIELD_COUNT:
        return json_is_integer(json)
                   ? read_integer(reading->error, field, json_integer_value(json), at)
                   : wrong(reading->error, "must be an integer, without fraction or exponent");
    case FIELD_BOOLEAN:
        *(bool *)at = json_is_true(json);
        return json_is_boolean(json) || wrong(reading->error, "must be true or false");
    case FIELD_OBJECT: {
        void *object = take(reading, 1, field->shape->bytes);
        *(const void **)at = object;
        return object != NULL && read_object(reading, json, field->shape, object);
    }
    case FIELD_COUNTS:
    case FIELD_LIST:
        return json_is_array(json) ? read_list(reading, json, field, value)
                                   : wrong(reading->error, "must be an array");
    default:
        return json_is_string(json)
                   ? read_string(reading->error, field, json_string_value(json), at)
                   : wrong(reading->error, "must be a string");
    }
}

static const struct field *field_find(const struct shape *shape, const char *name,
                                      size_t *number_out) {
    for (size_t i = 0; i < shape->field_count; i++) {
        if (strcmp(shape->fields[i].name, name) == 0) {
            *number_out = i;
            return &shape->fields[i];
        }
    }
    return NULL;
}

static bool read_object(const struct reading *reading, const json_t *object,
                        const struct shape *shape, void *value) {
    uint64_t seen = 0;
    if (!json_is_object(object)) {
        return wrong(reading->error, "must be an object");
    }
    /* jansson's iterator wants a pointer to non-const and changes nothing. */
    json_t *walked = (json_t *)(uintptr_t)object;
    for (void *at = json_object_iter(walked); at != NULL; at = json_object_iter_next(walked, at)) {
        const char *name = json_object_iter_key(at);
        size_t number = 0;
        const struct field *field = field_find(shape, name, &number);
        if (field == NULL ? !wrong(reading->error, "is not a field of this request")
                          : !read_value(reading, json_object_iter_value(at), field, value)) {
            error_at(reading->error, name);
            return false;
        }
        seen |= UINT64_C(1) << number;
    }
    for (size_t i = 0; i < shape->field_count; i++) {
        if ((shape->fields[i].flags & FIELD_REQUIRED) != 0 && (seen >> i & 1) == 0) {
            error_at(reading->error, shape->fields[i].name);
            return wrong(reading->error, "is required");
        }
    }
    if (shape->one_field && json_object_size(object) != 1) {
        return wrong(reading->error, "must have exactly one field");
    }
    const char *mistake = shape->check != NULL ? shape->check(value) : NULL;
    return mistake == NULL || wrong(reading->error, mistake);
}

bool field_read(const json_t *object, const struct shape *shape, void *value, struct arena *arena,
                field_error *error) {
    const struct reading reading = {.arena = arena, .error = error};
    *error = (field_error){.no_memory = false};
    return read_object(&reading, object, shape, value);
}

bool field_read_query(const char *name, const char *text, const struct shape *shape, void *value,
                      field_error *error) {
    size_t number = 0;
    const struct field *field = shape != NULL ? field_find(shape, name, &number) : NULL;
    int64_t integer = 0;
    bool good = false;
    *error = (field_error){.no_memory = false};
    if (field == NULL) {
        good = wrong(error, "is not a parameter of this request");
    } else if (field->kind == FIELD_INTEGER || field->kind == FIELD_COUNT) {
        good = parse_signed(text, &integer)
                   ? read_integer(error, field, integer, (char *)value + field->offset)
                   : wrong(error, "must be an integer");
    } else if (field->kind == FIELD_BOOLEAN) {
        *(bool *)((char *)value + field->offset) = strcmp(text, "true") == 0;
        good = strcmp(text, "true") == 0 || strcmp(text, "false") == 0 ||
               wrong(error, "must be true or false");
    } else {
        good = read_string(error, field, text, (char *)value + field->offset);
    }
    if (!good) {
        error_at(error, name);
    }
    return good;
}
