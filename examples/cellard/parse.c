#include "parse.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define NANOSECONDS INT64_C(1000000000)

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool parse_unsigned(const char *text, uint64_t *number_out) {
    uint64_t number = 0;
    if (!is_digit(text[0]) || (text[0] == '0' && text[1] != '\0')) {
        return false;
    }
    for (; *text != '\0'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');
        if (!is_digit(*text) || number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    *number_out = number;
    return true;
}

bool parse_signed(const char *text, int64_t *number_out) {
    bool negative = text[0] == '-';
    uint64_t number = 0;
    if (!parse_unsigned(text + (negative ? 1 : 0), &number) || number > INT64_MAX ||
        (negative && number == 0)) {
        return false;
    }
    *number_out = negative ? -(int64_t)number : (int64_t)number;
    return true;
}

static int hex_value(char c) {
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool parse_uuid(const char *text, cellar_id *id_out) {
    uint64_t halves[2] = {0, 0};
    size_t digits = 0;
    for (size_t i = 0; i < PARSE_UUID_BYTES; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i] != '-') {
                return false;
            }
            continue;
        }
        int value = hex_value(text[i]);
        if (value < 0) {
            return false;
        }
        halves[digits / 16] = halves[digits / 16] << 4 | (uint64_t)value;
        digits++;
    }
    *id_out = (cellar_id){halves[0], halves[1]};
    return text[PARSE_UUID_BYTES] == '\0' && (halves[0] | halves[1]) != 0;
}

void parse_uuid_write(cellar_id id, char out[PARSE_UUID_BYTES + 1]) {
    static const char hex[] = "0123456789abcdef";
    const uint64_t halves[2] = {id.high, id.low};
    size_t at = 0;
    for (size_t i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) {
            out[at++] = '-';
        }
        out[at++] = hex[halves[i / 16] >> (60 - 4 * (i % 16)) & 15];
    }
    out[at] = '\0';
}

/* Reads exactly `count` digits and steps over them. */
static bool parse_digits(const char **at, int count, int *number_out) {
    *number_out = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (!is_digit(**at)) {
            return false;
        }
        *number_out = *number_out * 10 + (**at - '0');
    }
    return true;
}

static bool parse_fraction(const char **at, int64_t *nanoseconds_out) {
    int64_t scale = NANOSECONDS / 10;
    *nanoseconds_out = 0;
    if (**at != '.') {
        return true;
    }
    (*at)++;
    if (!is_digit(**at)) {
        return false;
    }
    for (; is_digit(**at) && scale > 0; (*at)++, scale /= 10) {
        *nanoseconds_out += (**at - '0') * scale;
    }
    return !is_digit(**at);
}

static bool parse_offset(const char *at, int64_t *seconds_out) {
    *seconds_out = 0;
    if (strcmp(at, "Z") == 0) {
        return true;
    }
    int sign = *at == '+' ? 1 : -1;
    int hours = 0;
    int minutes = 0;
    if (*at != '+' && *at != '-') {
        return false;
    }
    at++;
    if (!parse_digits(&at, 2, &hours) || *at++ != ':' || !parse_digits(&at, 2, &minutes) ||
        *at != '\0' || hours > 23 || minutes > 59) {
        return false;
    }
    *seconds_out = (int64_t)sign * (hours * 3600 + minutes * 60);
    return true;
}

bool parse_time(const char *text, int64_t *nanoseconds_out) {
    struct tm date = {0};
    int64_t fraction = 0;
    int64_t offset = 0;
    if (!parse_digits(&text, 4, &date.tm_year) || *text++ != '-' ||
        !parse_digits(&text, 2, &date.tm_mon) || *text++ != '-' ||
        !parse_digits(&text, 2, &date.tm_mday) || *text++ != 'T' ||
        !parse_digits(&text, 2, &date.tm_hour) || *text++ != ':' ||
        !parse_digits(&text, 2, &date.tm_min) || *text++ != ':' ||
        !parse_digits(&text, 2, &date.tm_sec) || !parse_fraction(&text, &fraction) ||
        !parse_offset(text, &offset)) {
        return false;
    }
    const struct tm wanted = date;
    date.tm_year -= 1900;
    date.tm_mon -= 1;
    int64_t seconds = (int64_t)timegm(&date) - offset;
    /* timegm() turns the 31st of April into the 1st of May; such a date is refused. */
    if (date.tm_mday != wanted.tm_mday || date.tm_mon + 1 != wanted.tm_mon ||
        date.tm_hour != wanted.tm_hour || date.tm_min != wanted.tm_min ||
        date.tm_sec != wanted.tm_sec || wanted.tm_year < 1970 || wanted.tm_year > 2261 ||
        seconds < 0) {
        return false;
    }
    *nanoseconds_out = seconds * NANOSECONDS + fraction;
    return true;
}

static char *write_digits(char *out, int number, int count) {
    for (int i = count - 1; i >= 0; i--) {
        out[i] = (char)('0' + number % 10);
        number /= 10;
    }
    return out + count;
}

void parse_time_write(int64_t nanoseconds, char out[PARSE_TIME_BYTES + 1]) {
    /* Most times that are written one after the other are of the same second. */
    static _Thread_local int64_t last_seconds = -1;
    static _Thread_local char last[PARSE_TIME_BYTES + 1];
    int64_t seconds = nanoseconds / NANOSECONDS;
    if (seconds != last_seconds) {
        struct tm date;
        time_t when = (time_t)seconds;
        (void)gmtime_r(&when, &date);
        char *at = write_digits(last, date.tm_year + 1900, 4);
        *at++ = '-';
        at = write_digits(at, date.tm_mon + 1, 2);
        *at++ = '-';
        at = write_digits(at, date.tm_mday, 2);
        *at++ = 'T';
        at = write_digits(at, date.tm_hour, 2);
        *at++ = ':';
        at = write_digits(at, date.tm_min, 2);
        *at++ = ':';
        at = write_digits(at, date.tm_sec, 2);
        *at = '.';
        last_seconds = seconds;
    }
    memcpy(out, last, 20);
    char *end = write_digits(out + 20, (int)(nanoseconds % NANOSECONDS), 9);
    end[0] = 'Z';
    end[1] = '\0';
}

size_t parse_utf8_character(const char *at) {
    const unsigned char *c = (const unsigned char *)at;
    if (c[0] < 0x80) {
        return c[0] == 0 ? 0 : 1;
    }
    size_t bytes = 4;
    if (c[0] < 0xe0) {
        bytes = 2;
    } else if (c[0] < 0xf0) {
        bytes = 3;
    }
    if (c[0] < 0xc2 || c[0] > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < bytes; i++) {
        if ((c[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    /* Overlong forms, surrogates, and what lies beyond U+10FFFF. */
    if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) ||
        (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f)) {
        return 0;
    }
    return bytes;
}

bool parse_is_utf8(const char *text) {
    while (*text != '\0') {
        size_t bytes = parse_utf8_character(text);
        if (bytes == 0) {
            return false;
        }
        text += bytes;
    }
    return true;
}

bool parse_percent(const char *text, size_t bytes, char *out, size_t capacity) {
    size_t length = 0;
    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];
        if (c == '%') {
            int high = bytes - i > 2 ? hex_value(text[i + 1]) : -1;
            int low = bytes - i > 2 ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0' || length + 1 >= capacity) {
            return false;
        }
        out[length++] = c;
    }
    out[length] = '\0';
    return parse_is_utf8(out);
}
