/* row.c - see row.h. Nothing here uses floating point: a price is exact or the row is malformed. */
#include "row.h"

#include <cellar.h>
#include <string.h>

static const char *const column_names[ROW_COLUMNS] = {"InvoiceNo",  "StockCode",   "Description",
                                                      "Quantity",   "InvoiceDate", "UnitPrice",
                                                      "CustomerID", "Country"};

bool row_layout_read(row_layout *layout, const csv_reader *reader, const char **missing_out) {
    layout->field_count = reader->field_count;
    for (size_t i = 0; i < ROW_COLUMNS; i++) {
        size_t column = 0;
        while (column < reader->field_count &&
               strcmp(reader->fields[column], column_names[i]) != 0) {
            column++;
        }
        if (column == reader->field_count) {
            *missing_out = column_names[i];
            return false;
        }
        layout->column[i] = column;
    }
    return true;
}

static bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

/* A decimal number, times 10^decimals. False when it is none, is beyond `limit` either way, or has
 * digits other than 0 further right. */
static bool decimal_read(const char *text, int decimals, int64_t limit, int64_t *out) {
    bool negative = *text == '-';
    text += *text == '-' || *text == '+' ? 1 : 0;
    int64_t value = 0;
    bool any = false;
    bool fraction = false;
    for (; *text != '\0'; text++) {
        if (*text == '.' && !fraction) {
            fraction = true;
            continue;
        }
        if (!is_digit(*text) || (fraction && decimals == 0 && *text != '0')) {
            return false;
        }
        any = true;
        if (fraction && decimals == 0) {
            continue;
        }
        decimals -= fraction ? 1 : 0;
        if (value > (limit - (*text - '0')) / 10) {
            return false;
        }
        value = value * 10 + (*text - '0');
    }
    for (; decimals > 0; decimals--) {
        if (value > limit / 10) {
            return false;
        }
        value *= 10;
    }
    *out = negative ? -value : value;
    return any;
}

/* Exactly `digits` digits. */
static bool digits_read(const char **text, int digits, int *out) {
    *out = 0;
    for (int i = 0; i < digits; i++, ++*text) {
        if (!is_digit(**text)) {
            return false;
        }
        *out = *out * 10 + (**text - '0');
    }
    return true;
}

static bool byte_read(const char **text, char byte) {
    bool there = **text == byte;
    *text += there ? 1 : 0;
    return there;
}

/* Days since 1970-01-01, by counting from 0000-03-01, which puts the leap day last in its year. */
static int64_t days_of(int year, int month, int day) {
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t m = month <= 2 ? month + 9 : month - 3;
    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static bool date_is_valid(int year, int month, int day) {
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1971 || year > 2199 || month < 1 || month > 12 || day < 1) {
        return false;
    }
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= lengths[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool time_read(const char *text, int64_t *out) {
    int year = 0;
    int month = 0;
    int day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    if (!digits_read(&text, 4, &year) || !byte_read(&text, '-') || !digits_read(&text, 2, &month) ||
        !byte_read(&text, '-') || !digits_read(&text, 2, &day) ||
        (!byte_read(&text, ' ') && !byte_read(&text, 'T')) || !digits_read(&text, 2, &hour) ||
        !byte_read(&text, ':') || !digits_read(&text, 2, &minute)) {
        return false;
    }
    if (byte_read(&text, ':') && !digits_read(&text, 2, &second)) {
        return false;
    }
    if (*text != '\0' || !date_is_valid(year, month, day) || hour > 23 || minute > 59 ||
        second > 59) {
        return false;
    }
    int64_t seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    *out = seconds * INT64_C(1000000000);
    return true;
}

/* Bytes of the UTF-8 character that begins here, 0 when none does: no overlong form, no surrogate,
 * nothing beyond U+10FFFF. The terminator ends every sequence, so nothing behind it is read. */
static size_t character_bytes(const unsigned char *text) {
    if (text[0] < 0x80) {
        return text[0] == 0 ? 0 : 1;
    }
    size_t bytes = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    unsigned char low = text[0] == 0xe0 ? 0xa0 : text[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = text[0] == 0xed ? 0x9f : text[0] == 0xf4 ? 0x8f : 0xbf;
    if (text[0] < 0xc2 || text[0] > 0xf4 || text[1] < low || text[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < bytes; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return bytes;
}

bool row_text_copy(char *out, size_t capacity, const char *text) {
    const unsigned char *from = (const unsigned char *)text;
    bool valid = true;
    size_t used = 0;
    while (*from != '\0') {
        size_t bytes = character_bytes(from);
        valid = valid && bytes != 0;
        size_t taken = bytes == 0 ? 1 : bytes;
        if (used + taken >= capacity) {
            break;
        }
        if (bytes > 1) {
            memcpy(out + used, from, bytes);
        } else {
            bool control = *from < 0x20 || *from == 0x7f;
            out[used] = (char)(bytes == 0 ? '?' : control ? ' ' : *from);
        }
        used += taken;
        from += taken;
    }
    out[used] = '\0';
    return valid;
}

static bool code_is_valid(const char *code) {
    const unsigned char *at = (const unsigned char *)code;
    while (*at != '\0') {
        size_t bytes = character_bytes(at);
        if (bytes == 0 || *at < 0x20 || *at == 0x7f) {
            return false;
        }
        at += bytes;
    }
    size_t length = strlen(code);
    return length >= 1 && length <= CELLAR_SKU_BYTES_MAX;
}

static bool number_is_valid(const char *number) {
    size_t length = strlen(number);
    for (size_t i = 0; i < length; i++) {
        if (number[i] <= ' ' || number[i] > '~') {
            return false;
        }
    }
    return length >= 1 && length <= ROW_NUMBER_BYTES_MAX;
}

/* The fields with numbers in them. */
static const char *values_read(shop_row *row_out, const char *quantity, const char *time,
                               const char *price, const char *customer) {
    if (!decimal_read(quantity, 0, ROW_QUANTITY_MAX, &row_out->quantity)) {
        return "Quantity is no whole number of at most 10^9";
    }
    if (row_out->quantity == 0) {
        return "Quantity is 0";
    }
    if (row_out->quantity > 0 && row_out->cancellation) {
        return "Quantity is above 0 on a cancellation";
    }
    if (!time_read(time, &row_out->time_ns)) {
        return "InvoiceDate is no date of the form YYYY-MM-DD HH:MM:SS";
    }
    if (!decimal_read(price, ROW_PRICE_DECIMALS, ROW_PRICE_MAX, &row_out->price)) {
        return "UnitPrice is no decimal number of at most 10^8 with at most 4 decimals";
    }
    int64_t id = 0;
    if (*customer != '\0' &&
        (!decimal_read(customer, 0, INT64_C(999999999999999999), &id) || id <= 0)) {
        return "CustomerID is no whole number from 1 to 10^18 - 1";
    }
    row_out->customer = (uint64_t)id;
    return NULL;
}

const char *row_read(shop_row *row_out, const row_layout *layout, const csv_reader *reader) {
    if (reader->field_count != layout->field_count) {
        return reader->field_count < layout->field_count ? "it has fewer fields than the header"
                                                         : "it has more fields than the header";
    }
    const char *field[ROW_COLUMNS];
    for (size_t i = 0; i < ROW_COLUMNS; i++) {
        field[i] = reader->fields[layout->column[i]];
    }
    *row_out = (shop_row){
        .line = reader->record_line,
        .number = field[0],
        .code = field[1],
        .description = field[2],
        .country = field[7],
        .cancellation = field[0][0] == 'C',
    };
    if (!number_is_valid(row_out->number)) {
        return "InvoiceNo is not 1 to 13 printable ASCII characters";
    }
    if (!code_is_valid(row_out->code)) {
        return "StockCode is not 1 to 64 bytes of UTF-8 without control characters";
    }
    return values_read(row_out, field[3], field[4], field[5], field[6]);
}
