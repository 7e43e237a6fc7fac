/* row.h - one row of the shop's file: fields become numbers, or a reason why the row is malformed.
 *
 * What a row must look like, in the order of the columns:
 *
 *   InvoiceNo    1 to 13 printable ASCII characters without blanks; `C` in front: a cancellation
 *   StockCode    1 to 64 bytes of UTF-8 without control characters, taken as it is: "m" is not "M"
 *   Description  anything
 *   Quantity     a whole number but 0, at most 10^9 either way; "6.0" is whole. Below 0 on a
 *                cancellation; of either sign elsewhere
 *   InvoiceDate  YYYY-MM-DD HH:MM[:SS], of the years 1971 to 2199. It names no zone: UTC is assumed
 *   UnitPrice    a decimal number, at most 10^8 either way, with at most 4 decimals that are not 0
 *   CustomerID   a whole number ("17850.0" is one) from 1 to 10^18 - 1, or empty: a guest
 *   Country      anything
 *
 * Prices are kept in 1/10,000 pound. The shop's file has prices of 3 decimals (0.001), so pence
 * would lose money; the fourth decimal is room to spare.
 */
#ifndef REPLAY_ROW_H
#define REPLAY_ROW_H

#include "csv.h"

#define ROW_PRICE_SCALE 10000 /* minor units of a pound */
#define ROW_PRICE_DECIMALS 4
#define ROW_NUMBER_BYTES_MAX 13
#define ROW_QUANTITY_MAX INT64_C(1000000000)
#define ROW_PRICE_MAX (INT64_C(100000000) * ROW_PRICE_SCALE)

enum {
    ROW_COLUMNS = 8
};

typedef struct shop_row {
    uint64_t line;      /* of the file */
    const char *number; /* texts are the reader's: valid until its next record */
    const char *code;
    const char *description;
    const char *country;
    int64_t quantity;
    int64_t time_ns;
    int64_t price;
    uint64_t customer;
    bool cancellation;
} shop_row;

/* Where each of the eight columns stands in a record, in the order of the list above. */
typedef struct row_layout {
    size_t field_count;
    size_t column[ROW_COLUMNS];
} row_layout;

/* Reads the current record as the header. False, with the name of the column, when one is missing.
 * Columns may come in any order, and more than these may be there. */
bool row_layout_read(row_layout *layout, const csv_reader *reader, const char **missing_out);

/* Reads the current record. NULL, or, in static words, what is malformed. */
const char *row_read(shop_row *row_out, const row_layout *layout, const csv_reader *reader);

/* Copies at most capacity - 1 bytes of text, cut where a character ends, control characters
 * replaced by blanks and bytes that are not UTF-8 by '?'. True when all of it was UTF-8. */
bool row_text_copy(char *out, size_t capacity, const char *text);

#endif
