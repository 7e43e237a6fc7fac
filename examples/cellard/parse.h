/* Numbers, ids, times and paths as they are written in requests and answers. Every reader is
 * strict: one way to write a thing, nothing before or after it, false for all else. */
#ifndef CELLARD_PARSE_H
#define CELLARD_PARSE_H

#include <cellar.h>

enum {
    PARSE_UUID_BYTES = 36,
    PARSE_TIME_BYTES = 30 /* with nine digits of the second */
};

/* Decimal, no sign, no leading zero. */
bool parse_unsigned(const char *text, uint64_t *number_out);
bool parse_signed(const char *text, int64_t *number_out);
/* 8-4-4-4-12 hexadecimal digits; all zero means "no id" to cellar and is refused. */
bool parse_uuid(const char *text, cellar_id *id_out);
void parse_uuid_write(cellar_id id, char out[PARSE_UUID_BYTES + 1]);
/* RFC 3339, years 1970 to 2261: 2026-11-24T18:40:18Z, .123 and +09:00 allowed. */
bool parse_time(const char *text, int64_t *nanoseconds_out);
/* 2026-11-24T18:40:18.123456789Z. */
void parse_time_write(int64_t nanoseconds, char out[PARSE_TIME_BYTES + 1]);
/* Bytes of the UTF-8 character at `at`; 0 when there is none. */
size_t parse_utf8_character(const char *at);
bool parse_is_utf8(const char *text);
/* Decodes %XX in `bytes` bytes of a path or query. False for a bad escape, for %00, for what is not
 * UTF-8 then, and when it does not fit. */
bool parse_percent(const char *text, size_t bytes, char *out, size_t capacity);

#endif
