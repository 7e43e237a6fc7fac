/* A text that grows, and JSON written into it. When memory runs out the text is marked as failed
 * and takes nothing more, so that only its reader has to look. */
#ifndef CELLARD_TEXT_H
#define CELLARD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TEXT_INLINE_BYTES = 512
};

/* Must not be moved once it has been created: `data` may point into it. */
struct text {
    char *data;
    size_t bytes;
    size_t capacity;
    bool failed;
    char inline_data[TEXT_INLINE_BYTES];
};

void text_create(struct text *text);
void text_destroy(struct text *text);
void text_clear(struct text *text);
/* Bytes as they are. */
void text_add(struct text *text, const char *data, size_t bytes);
void text_put(struct text *text, const char *string);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_unsigned(struct text *text, uint64_t number);
void text_signed(struct text *text, int64_t number);
/* A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
void text_json(struct text *text, const char *string);

#endif
