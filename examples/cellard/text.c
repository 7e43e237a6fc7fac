#include "text.h"

#include "parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_create(struct text *text) {
    text->data = text->inline_data;
    text->bytes = 0;
    text->capacity = TEXT_INLINE_BYTES;
    text->failed = false;
}

void text_destroy(struct text *text) {
    if (text->data != text->inline_data) {
        free(text->data);
    }
}

void text_clear(struct text *text) {
    text->bytes = 0;
    text->failed = false;
}

static bool text_reserve(struct text *text, size_t bytes) {
    if (text->failed || bytes > SIZE_MAX / 4 - text->bytes) {
        text->failed = true;
        return false;
    }
    if (text->bytes + bytes <= text->capacity) {
        return true;
    }
    size_t capacity = (text->bytes + bytes) * 2;
    bool moves_out = text->data == text->inline_data;
    char *data = realloc(moves_out ? NULL : text->data, capacity);
    if (data == NULL) {
        text->failed = true;
        return false;
    }
    if (moves_out) {
        memcpy(data, text->inline_data, text->bytes);
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_add(struct text *text, const char *data, size_t bytes) {
    if (text_reserve(text, bytes)) {
        memcpy(text->data + text->bytes, data, bytes);
        text->bytes += bytes;
    }
}

void text_put(struct text *text, const char *string) {
    text_add(text, string, strlen(string));
}

void text_format(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (bytes < 0 || !text_reserve(text, (size_t)bytes + 1)) {
        text->failed = true;
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(text->data + text->bytes, (size_t)bytes + 1, format, arguments);
    va_end(arguments);
    text->bytes += (size_t)bytes;
}

void text_unsigned(struct text *text, uint64_t number) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    text_add(text, digits + at, sizeof digits - at);
}

void text_signed(struct text *text, int64_t number) {
    if (number < 0) {
        text_add(text, "-", 1);
    }
    text_unsigned(text, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

static bool text_is_plain(unsigned char byte) {
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/* Adds the one character at `at` that is not plain. Returns its bytes. */
static size_t text_character(struct text *text, const char *at) {
    unsigned char byte = (unsigned char)*at;
    if (byte == '"' || byte == '\\') {
        const char escaped[2] = {'\\', *at};
        text_add(text, escaped, sizeof escaped);
        return 1;
    }
    if (byte < 0x20) {
        text_format(text, "\\u%04x", byte);
        return 1;
    }
    size_t bytes = parse_utf8_character(at);
    if (bytes == 0) {
        text_put(text, "\xef\xbf\xbd");
        return 1;
    }
    text_add(text, at, bytes);
    return bytes;
}

void text_json(struct text *text, const char *string) {
    text_add(text, "\"", 1);
    while (*string != '\0') {
        size_t plain = 0;
        while (text_is_plain((unsigned char)string[plain])) {
            plain++;
        }
        text_add(text, string, plain);
        string += plain;
        if (*string != '\0') {
            string += text_character(text, string);
        }
    }
    text_add(text, "\"", 1);
}
