/* Writing: structs as JSON, shapes as JSON schema. */
#include "field.h"

#include "parse.h"

#include <inttypes.h>
#include <string.h>

static bool is_left_out(const struct field *field, const void *at) {
    if ((field->flags & FIELD_OPTIONAL) == 0) {
        return false;
    }
    switch (field->kind) {
    case FIELD_INTEGER:
    case FIELD_SUM:
        return *(const int64_t *)at == FIELD_ABSENT;
    case FIELD_COUNT:
        return *(const uint32_t *)at == 0;
    case FIELD_NUMBER:
        return *(const uint64_t *)at == 0;
    case FIELD_UUID:
        return (((const cellar_id *)at)->high | ((const cellar_id *)at)->low) == 0;
    case FIELD_TIME:
        return *(const int64_t *)at == 0;
    case FIELD_BOOLEAN:
        return !*(const bool *)at;
    case FIELD_CHARS:
        return *(const char *)at == '\0';
    case FIELD_CHOICE:
        return *(const int *)at == 0;
    case FIELD_TEXT:
    case FIELD_LIST:
    case FIELD_COUNTS:
    case FIELD_OBJECT:
        return *(const char *const *)at == NULL;
    }
    return false;
}

static void write_quoted(struct text *out, const char *plain) {
    text_add(out, "\"", 1);
    text_put(out, plain);
    text_add(out, "\"", 1);
}

/* A library newer than this table may know values that are not in it. */
static const char *choice_name(const struct field *field, int value) {
    for (int i = 0; field->choices[i] != FIELD_CHOICES_END; i++) {
        if (i == value && field->choices[i] != NULL) {
            return field->choices[i];
        }
    }
    return "other";
}

static void write_list(struct text *out, const struct field *field, const void *value) {
    const char *entries = *(const char *const *)((const char *)value + field->offset);
    size_t count = *(const size_t *)((const char *)value + field->count_offset);
    text_add(out, "[", 1);
    for (size_t i = 0; i < count; i++) {
        if (i != 0) {
            text_add(out, ",", 1);
        }
        field_write(out, field->shape, entries + i * field->shape->bytes);
    }
    text_add(out, "]", 1);
}

static void write_value(struct text *out, const struct field *field, const void *value) {
    const void *at = (const char *)value + field->offset;
    char buffer[PARSE_UUID_BYTES + 1];
    switch (field->kind) {
    case FIELD_INTEGER:
        text_signed(out, *(const int64_t *)at);
        break;
    case FIELD_COUNT:
        text_unsigned(out, *(const uint32_t *)at);
        break;
    case FIELD_NUMBER:
        text_add(out, "\"", 1);
        text_unsigned(out, *(const uint64_t *)at);
        text_add(out, "\"", 1);
        break;
    case FIELD_SUM:
        text_add(out, "\"", 1);
        text_signed(out, *(const int64_t *)at);
        text_add(out, "\"", 1);
        break;
    case FIELD_UUID:
        parse_uuid_write(*(const cellar_id *)at, buffer);
        write_quoted(out, buffer);
        break;
    case FIELD_TIME:
        parse_time_write(*(const int64_t *)at, buffer);
        write_quoted(out, buffer);
        break;
    case FIELD_BOOLEAN:
        text_put(out, *(const bool *)at ? "true" : "false");
        break;
    case FIELD_CHOICE:
        write_quoted(out, choice_name(field, *(const int *)at));
        break;
    case FIELD_TEXT:
        text_json(out, *(const char *const *)at != NULL ? *(const char *const *)at : "");
        break;
    case FIELD_CHARS:
        text_json(out, at);
        break;
    case FIELD_LIST:
        write_list(out, field, value);
        break;
    case FIELD_COUNTS:
    case FIELD_OBJECT:
        text_put(out, "null");
        break;
    }
}

_Static_assert(PARSE_TIME_BYTES <= PARSE_UUID_BYTES, "one buffer takes both");

void field_write(struct text *out, const struct shape *shape, const void *value) {
    const char *before = "{";
    for (size_t i = 0; i < shape->field_count; i++) {
        const struct field *field = &shape->fields[i];
        if (!is_left_out(field, (const char *)value + field->offset)) {
            text_add(out, before, 1);
            write_quoted(out, field->name);
            text_add(out, ":", 1);
            write_value(out, field, value);
            before = ",";
        }
    }
    text_put(out, *before == '{' ? "{}" : "}");
}

/* ---- Schemas ---- */

static void schema_range(struct text *out, const struct field *field, const char *min,
                         const char *max) {
    if (field->min != 0 || field->max != 0) {
        text_format(out, ",\"%s\":%" PRId64 ",\"%s\":%" PRId64, min, field->min, max, field->max);
    }
}

static void schema_choices(struct text *out, const struct field *field) {
    const char *before = "";
    text_put(out, "\"type\":\"string\",\"enum\":[");
    for (size_t i = 0; field->choices[i] != FIELD_CHOICES_END; i++) {
        if (field->choices[i] != NULL) {
            text_format(out, "%s\"%s\"", before, field->choices[i]);
            before = ",";
        }
    }
    text_put(out, "]");
}

static void schema_type(struct text *out, const struct field *field) {
    switch (field->kind) {
    case FIELD_INTEGER:
    case FIELD_COUNT:
        text_put(out, "\"type\":\"integer\"");
        schema_range(out, field, "minimum", "maximum");
        break;
    case FIELD_NUMBER:
        text_put(out, "\"type\":\"string\",\"pattern\":\"^(0|[1-9][0-9]{0,19})$\"");
        break;
    case FIELD_SUM:
        text_put(out, "\"type\":\"string\",\"pattern\":\"^-?(0|[1-9][0-9]{0,18})$\"");
        break;
    case FIELD_UUID:
        text_put(out, "\"type\":\"string\",\"format\":\"uuid\"");
        break;
    case FIELD_TIME:
        text_put(out, "\"type\":\"string\",\"format\":\"date-time\"");
        break;
    case FIELD_BOOLEAN:
        text_put(out, "\"type\":\"boolean\"");
        break;
    case FIELD_CHOICE:
        schema_choices(out, field);
        break;
    case FIELD_TEXT:
    case FIELD_CHARS:
        text_put(out, "\"type\":\"string\"");
        schema_range(out, field, "minLength", "maxLength");
        break;
    case FIELD_LIST:
        text_format(out, "\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/%s\"}",
                    field->shape->name);
        schema_range(out, field, "minItems", "maxItems");
        break;
    case FIELD_COUNTS:
        text_format(out,
                    "\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":0,"
                    "\"maximum\":%d}",
                    FIELD_COUNTS_MAX);
        schema_range(out, field, "minItems", "maxItems");
        break;
    case FIELD_OBJECT:
        text_format(out, "\"$ref\":\"#/components/schemas/%s\"", field->shape->name);
        break;
    }
}

void field_schema(struct text *out, const struct field *field) {
    text_add(out, "{", 1);
    schema_type(out, field);
    if (field->about != NULL) {
        text_put(out, ",\"description\":");
        text_json(out, field->about);
    }
    text_add(out, "}", 1);
}
