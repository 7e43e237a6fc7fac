#include "schema.h"

#include "../../../examples/cellard/parse.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

enum {
    PATTERNS_MAX = 8
};
/* Whatever stands in an answer as a number is exact in JavaScript. */
#define INTEGER_MAX ((INT64_C(1) << 53) - 1)

static char mistake[256];

static const char *wrong(const char *what, const json_t *value) {
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    (void)snprintf(mistake, sizeof mistake, "%s: %.180s", what, text == NULL ? "" : text);
    free(text);
    return mistake;
}

static const json_t *resolve(const json_t *description, const json_t *schema) {
    const char *reference = json_string_value(json_object_get(schema, "$ref"));
    if (reference == NULL) {
        return schema;
    }
    const json_t *schemas = json_object_get(json_object_get(description, "components"), "schemas");
    return json_object_get(schemas, strrchr(reference, '/') + 1);
}

/* True when the schema has no such limit. */
static bool at_least(const json_t *schema, const char *name, int64_t number) {
    const json_t *limit = json_object_get(schema, name);
    return limit == NULL || number >= json_integer_value(limit);
}

static bool at_most(const json_t *schema, const char *name, int64_t number) {
    const json_t *limit = json_object_get(schema, name);
    return limit == NULL || number <= json_integer_value(limit);
}

/* The few patterns are compiled once. */
static bool pattern_matches(const char *pattern, const char *text) {
    static struct {
        char text[64];
        regex_t compiled;
    } known[PATTERNS_MAX];
    size_t i = 0;
    while (i < PATTERNS_MAX && known[i].text[0] != '\0' && strcmp(known[i].text, pattern) != 0) {
        i++;
    }
    if (i == PATTERNS_MAX || strlen(pattern) >= sizeof known[i].text) {
        return false;
    }
    if (known[i].text[0] == '\0') {
        if (regcomp(&known[i].compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
            return false;
        }
        memcpy(known[i].text, pattern, strlen(pattern) + 1);
    }
    return regexec(&known[i].compiled, text, 0, NULL, 0) == 0;
}

static bool format_matches(const char *format, const char *text) {
    cellar_id id;
    int64_t time_ns;
    if (strcmp(format, "uuid") == 0) {
        return parse_uuid(text, &id);
    }
    return strcmp(format, "date-time") == 0 && parse_time(text, &time_ns);
}

static const char *string_mistake(const json_t *schema, const json_t *value) {
    const char *text = json_string_value(value);
    const char *pattern = json_string_value(json_object_get(schema, "pattern"));
    const char *format = json_string_value(json_object_get(schema, "format"));
    int64_t characters = 0;
    for (const char *c = text; *c != '\0'; c++) {
        characters += ((unsigned char)*c & 0xc0) != 0x80;
    }
    if (!at_least(schema, "minLength", characters) || !at_most(schema, "maxLength", characters)) {
        return wrong("too short or too long", value);
    }
    if (pattern != NULL && !pattern_matches(pattern, text)) {
        return wrong("does not match its pattern", value);
    }
    return format != NULL && !format_matches(format, text) ? wrong("not of its format", value)
                                                           : NULL;
}

static const char *integer_mistake(const json_t *schema, const json_t *value) {
    int64_t number = json_integer_value(value);
    bool good = number >= -INTEGER_MAX && number <= INTEGER_MAX &&
                at_least(schema, "minimum", number) && at_most(schema, "maximum", number);
    return good ? NULL : wrong("out of range", value);
}

static const char *array_mistake(const json_t *description, const json_t *schema,
                                 const json_t *value) {
    int64_t count = (int64_t)json_array_size(value);
    const char *found = NULL;
    if (!at_least(schema, "minItems", count) || !at_most(schema, "maxItems", count)) {
        return wrong("too few or too many entries", value);
    }
    for (size_t i = 0; i < json_array_size(value) && found == NULL; i++) {
        found =
            schema_mistake(description, json_object_get(schema, "items"), json_array_get(value, i));
    }
    return found;
}

static const char *object_mistake(const json_t *description, const json_t *schema,
                                  const json_t *value) {
    const json_t *required = json_object_get(schema, "required");
    const json_t *properties = json_object_get(schema, "properties");
    int64_t count = (int64_t)json_object_size(value);
    if (!at_least(schema, "minProperties", count) || !at_most(schema, "maxProperties", count)) {
        return wrong("too few or too many fields", value);
    }
    for (size_t i = 0; i < json_array_size(required); i++) {
        const json_t *name = json_array_get(required, i);
        if (json_object_get(value, json_string_value(name)) == NULL) {
            return wrong("is missing", name);
        }
    }
    const char *found = NULL;
    const char *name;
    json_t *field;
    json_object_foreach((json_t *)(uintptr_t)value, name, field) {
        const json_t *described = json_object_get(properties, name);
        if (found == NULL) {
            found = described == NULL ? wrong(name, value)
                                      : schema_mistake(description, described, field);
        }
    }
    return found;
}

static bool is_known(const json_t *schema) {
    static const char *const words[] = {
        "type",       "properties", "required",      "additionalProperties",
        "items",      "enum",       "pattern",       "minimum",
        "maximum",    "minLength",  "maxLength",     "minItems",
        "maxItems",   "format",     "minProperties", "maxProperties",
        "description"};
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)schema, name, value) {
        bool known = false;
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
            known = known || strcmp(words[i], name) == 0;
        }
        if (!known) {
            return false;
        }
    }
    return true;
}

static bool is_listed(const json_t *choices, const json_t *value) {
    for (size_t i = 0; i < json_array_size(choices); i++) {
        if (json_equal(json_array_get(choices, i), value)) {
            return true;
        }
    }
    return choices == NULL;
}

const char *schema_mistake(const json_t *description, const json_t *schema, const json_t *value) {
    const json_t *resolved = resolve(description, schema);
    const char *type = json_string_value(json_object_get(resolved, "type"));
    if (type == NULL || !is_known(resolved)) {
        return wrong("a schema that is not understood", resolved);
    }
    if (!is_listed(json_object_get(resolved, "enum"), value)) {
        return wrong("is none of the choices", value);
    }
    if (strcmp(type, "string") == 0 && json_is_string(value)) {
        return string_mistake(resolved, value);
    }
    if (strcmp(type, "integer") == 0 && json_is_integer(value)) {
        return integer_mistake(resolved, value);
    }
    if (strcmp(type, "array") == 0 && json_is_array(value)) {
        return array_mistake(description, resolved, value);
    }
    if (strcmp(type, "object") == 0 && json_is_object(value)) {
        return object_mistake(description, resolved, value);
    }
    bool is_boolean = strcmp(type, "boolean") == 0 && json_is_boolean(value);
    return is_boolean ? NULL : wrong("is of another type", value);
}
