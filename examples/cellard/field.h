/* Shapes: what an object of the interface consists of. The same table reads a request's JSON or
 * query into a struct, writes a struct as JSON, and is printed as the schema in /openapi.json, so
 * that the three cannot disagree.
 *
 * JavaScript's numbers are exact up to 2^53. Amounts, quantities and counts stay below 10^15
 * (CELLAR_AMOUNT_MAX) and are JSON integers; ids, versions, positions in the log, and sums over a
 * whole store have up to 64 bits and are decimal strings. */
#ifndef CELLARD_FIELD_H
#define CELLARD_FIELD_H

#include "arena.h"
#include "text.h"

#include <cellar.h>
#include <jansson.h>

typedef enum field_kind {
    FIELD_INTEGER = 0, /* int64_t, a JSON integer */
    FIELD_COUNT,       /* uint32_t, a JSON integer */
    FIELD_NUMBER,      /* uint64_t, a decimal string: an id, a version, an LSN */
    FIELD_SUM,         /* int64_t, a decimal string; goes out only */
    FIELD_UUID,        /* cellar_id */
    FIELD_TIME,        /* int64_t nanoseconds, an RFC 3339 string */
    FIELD_BOOLEAN,     /* bool */
    FIELD_CHOICE,      /* an enum, by name */
    FIELD_TEXT,        /* const char * */
    FIELD_CHARS,       /* char[], goes out only */
    FIELD_LIST,        /* const struct of `shape` *, and size_t at count_offset */
    FIELD_COUNTS,      /* const uint32_t *, and size_t at count_offset; comes in only */
    FIELD_OBJECT       /* const struct of `shape` *; comes in only */
} field_kind;

enum {
    FIELD_REQUIRED = 1, /* coming in: must be there */
    FIELD_OPTIONAL = 2  /* going out: left out when zero, empty or FIELD_ABSENT */
};
#define FIELD_ABSENT INT64_MIN
#define SECOND_NS INT64_C(1000000000)

struct field {
    const char *name;
    field_kind kind;
    unsigned flags;
    size_t offset;
    int64_t min; /* of the number, the bytes of the text, the entries of the list */
    int64_t max;
    const char *const *choices; /* by value; NULL: no such value; ended by FIELD_CHOICES_END */
    const struct shape *shape;  /* of the object, or of a list's entries */
    size_t count_offset;
    const char *about;
};

extern const char field_choices_end[];
#define FIELD_CHOICES_END field_choices_end

struct shape {
    const char *name; /* in /openapi.json */
    size_t bytes;     /* of the struct */
    const struct field *fields;
    size_t field_count;
    bool one_field; /* coming in: exactly one of the fields is given */
    /* What no single field can say; a sentence when it is wrong, else NULL. */
    const char *(*check)(const void *value);
};

#define SHAPE_CHECKED(label, type, table, function)                                                \
    {                                                                                              \
        .name = (label), .bytes = sizeof(type), .fields = (table),                                 \
        .field_count = sizeof(table) / sizeof((table)[0]), .check = (function)                     \
    }
#define SHAPE(label, type, table) SHAPE_CHECKED(label, type, table, NULL)

/* Entries of a FIELD_COUNTS: numbers from 0 to this. */
#define FIELD_COUNTS_MAX INT32_MAX

/* Where reading failed and why. */
typedef struct field_error {
    bool no_memory;
    char pointer[96]; /* as in RFC 6901: /lines/3/quantity */
    char detail[192];
} field_error;

/* Reads `object` into the zeroed struct `value`. Texts point into `object`. */
bool field_read(const json_t *object, const struct shape *shape, void *value, struct arena *arena,
                field_error *error);
/* Reads one value that stands in a query. */
bool field_read_query(const char *name, const char *text, const struct shape *shape, void *value,
                      field_error *error);
void field_write(struct text *out, const struct shape *shape, const void *value);
/* The field's type as a JSON schema. */
void field_schema(struct text *out, const struct field *field);

#endif
