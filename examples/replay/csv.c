/* csv.c - see csv.h.
 *
 * csv_next() is one pass of a small state machine over the text. It copies the fields into
 * `scratch` and leaves the text alone, because after an error the same bytes are read again from
 * the next line on.
 */
#include "csv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define READ_BYTES (1u << 20)

static uint64_t fingerprint_of(const char *text, size_t bytes) {
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < bytes; i++) {
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

/* Appends what can be read until the end. zlib passes a file through that is not gzipped. */
static bool read_all(csv_reader *reader, gzFile file, char *error_out, size_t error_bytes) {
    size_t capacity = 0;
    for (;;) {
        if (reader->text_bytes + READ_BYTES > capacity) {
            capacity = capacity * 2 + READ_BYTES;
            char *text = capacity > CSV_FILE_BYTES_MAX * 2 ? NULL : realloc(reader->text, capacity);
            if (text == NULL) {
                (void)snprintf(error_out, error_bytes, "no memory for %zu bytes", capacity);
                return false;
            }
            reader->text = text;
        }
        int count = gzread(file, reader->text + reader->text_bytes, READ_BYTES);
        int number = Z_OK;
        const char *reason = gzerror(file, &number);
        /* At a premature end zlib first hands out what it has and reports Z_BUF_ERROR beside it. */
        if (count < 0 || (number != Z_OK && number != Z_STREAM_END)) {
            (void)snprintf(error_out, error_bytes, "%s",
                           number == Z_ERRNO       ? strerror(errno)
                           : number == Z_BUF_ERROR ? "the compressed data ends too early"
                                                   : reason);
            return false;
        }
        if (count == 0) {
            return true;
        }
        reader->text_bytes += (size_t)count;
        if (reader->text_bytes > CSV_FILE_BYTES_MAX) {
            (void)snprintf(error_out, error_bytes, "larger than %llu bytes", CSV_FILE_BYTES_MAX);
            return false;
        }
    }
}

bool csv_open(csv_reader *reader, const char *path, char *error_out, size_t error_bytes) {
    *reader = (csv_reader){.line = 1};
    gzFile file = gzopen(path, "rb");
    if (file == NULL) {
        (void)snprintf(error_out, error_bytes, "%s", strerror(errno));
        return false;
    }
    bool whole = read_all(reader, file, error_out, error_bytes);
    /* gzclose() tells of an archive that ends in the middle, too; both places are watched. */
    int closed = gzclose_r(file);
    if (whole && closed != Z_OK) {
        (void)snprintf(error_out, error_bytes, "the compressed data ends too early");
        whole = false;
    }
    if (!whole) {
        return false;
    }
    reader->fingerprint = fingerprint_of(reader->text, reader->text_bytes);
    if (reader->text_bytes >= 3 && memcmp(reader->text, "\xef\xbb\xbf", 3) == 0) {
        reader->position = 3;
    }
    return true;
}

void csv_close(csv_reader *reader) {
    free(reader->text);
    free(reader->scratch);
    *reader = (csv_reader){0};
}

/* A field being copied. */
typedef struct csv_field {
    const char *start;
    char *out;
    size_t bytes;
} csv_field;

static const char *field_add(csv_field *field, char byte) {
    if (byte == '\0') {
        return "there is a NUL byte in it";
    }
    if (field->bytes == CSV_FIELD_BYTES_MAX) {
        return "a field is longer than 65536 bytes; is a quote not closed?";
    }
    *field->out++ = byte;
    field->bytes++;
    return NULL;
}

/* A quoted field, from after its opening quote to after its closing one. NULL or what is wrong. */
static const char *quoted_field(csv_reader *reader, size_t *at, csv_field *field) {
    for (; *at < reader->text_bytes; ++*at) {
        char byte = reader->text[*at];
        if (byte == '"') {
            if (*at + 1 == reader->text_bytes || reader->text[*at + 1] != '"') {
                ++*at;
                return NULL;
            }
            ++*at;
        }
        if (byte == '\n') {
            reader->line++;
        }
        const char *error = field_add(field, byte);
        if (error != NULL) {
            return error;
        }
    }
    return "a quoted field is not closed";
}

static bool at_field_end(const csv_reader *reader, size_t at) {
    return at == reader->text_bytes || reader->text[at] == ',' || reader->text[at] == '\r' ||
           reader->text[at] == '\n';
}

static const char *plain_field(csv_reader *reader, size_t *at, csv_field *field) {
    while (!at_field_end(reader, *at)) {
        const char *error = field_add(field, reader->text[*at]);
        if (error != NULL) {
            return error;
        }
        ++*at;
    }
    return NULL;
}

/* Makes room for all fields of the longest record that the limits allow to begin here. */
static bool scratch_ensure(csv_reader *reader) {
    if (reader->scratch == NULL) {
        reader->scratch_bytes = (size_t)CSV_FIELDS_MAX * (CSV_FIELD_BYTES_MAX + 1);
        reader->scratch = malloc(reader->scratch_bytes);
    }
    return reader->scratch != NULL;
}

/* One record from *at on. NULL, with *at at the end of its last field, or what is wrong. */
static const char *record(csv_reader *reader, size_t *at) {
    char *out = reader->scratch;
    for (;;) {
        if (reader->field_count == CSV_FIELDS_MAX) {
            return "it has more than 64 fields";
        }
        csv_field field = {.start = out, .out = out};
        bool quoted = *at < reader->text_bytes && reader->text[*at] == '"';
        *at += quoted ? 1 : 0;
        const char *error =
            quoted ? quoted_field(reader, at, &field) : plain_field(reader, at, &field);
        if (error != NULL) {
            return error;
        }
        if (!at_field_end(reader, *at)) {
            return "there is text between a closing quote and the next comma";
        }
        *field.out++ = '\0';
        reader->fields[reader->field_count++] = field.start;
        out = field.out;
        if (*at == reader->text_bytes || reader->text[*at] != ',') {
            return NULL;
        }
        ++*at;
    }
}

/* The end of a line: LF or the end of the file, after any number of CRs: files that were converted
 * twice have two. */
static const char *line_end(csv_reader *reader, size_t *at) {
    while (*at < reader->text_bytes && reader->text[*at] == '\r') {
        ++*at;
        if (*at < reader->text_bytes && !at_field_end(reader, *at)) {
            return "there is a carriage return without a line feed";
        }
    }
    if (*at < reader->text_bytes && reader->text[*at] == ',') {
        return "there is a carriage return without a line feed";
    }
    if (*at < reader->text_bytes) {
        ++*at;
        reader->line++;
    }
    return NULL;
}

csv_result csv_next(csv_reader *reader) {
    reader->field_count = 0;
    reader->error = NULL;
    reader->record_line = reader->line;
    if (reader->position >= reader->text_bytes) {
        return CSV_END;
    }
    size_t at = reader->position;
    if (!scratch_ensure(reader)) {
        reader->error = "there is no memory to read it";
    } else if (reader->text[at] == '\n' || reader->text[at] == '\r') {
        reader->error = "the line is empty";
    } else {
        reader->error = record(reader, &at);
    }
    if (reader->error == NULL) {
        reader->error = line_end(reader, &at);
    }
    if (reader->error == NULL) {
        reader->position = at;
        return CSV_RECORD;
    }
    const char *next =
        memchr(reader->text + reader->position, '\n', reader->text_bytes - reader->position);
    reader->position = next == NULL ? reader->text_bytes : (size_t)(next - reader->text) + 1;
    reader->line = reader->record_line + 1;
    return CSV_MALFORMED;
}
