/* shop.h - the rows of a file, grouped into products, customers and invoices.
 *
 * Rows of one InvoiceNo belong together wherever they stand in the file. Where they disagree:
 *
 *   customer   the first one named counts for the whole invoice; a row without one joins it; a row
 *              that names another one is malformed
 *   time       the first row's counts (real invoices stretch over a minute or two)
 *   country    the first row's counts
 *
 * An invoice with more rows than an order may have lines (4096) is skipped whole, because half an
 * order would be wrong. So is a row with which the quantities or the values of all rows, summed up
 * without their signs, would exceed CELLAR_AMOUNT_MAX.
 *
 * Every row or invoice that is skipped is reported on stderr with its line and the reason.
 */
#ifndef REPLAY_SHOP_H
#define REPLAY_SHOP_H

#include "names.h"
#include "row.h"

typedef struct shop_product {
    const char *sku;
    char *name;     /* the first description that is not empty; "" when there is none */
    int64_t price;  /* list price: the first one above 0 that it was sold at, else 0 */
    int64_t needed; /* units that orders and write-offs take */
    bool used;      /* by a line that is not skipped */
} shop_product;

typedef struct shop_line {
    uint32_t product;
    uint32_t invoice;
    int64_t quantity; /* as in the file */
    int64_t price;
    uint64_t file_line;
    char *note; /* write-offs: the description, else NULL */
} shop_line;

typedef struct shop_invoice {
    const char *number;
    bool cancellation;
    bool skipped;
    uint64_t customer; /* 0: a guest */
    int64_t time_ns;
    char country[33];
    uint32_t line_first; /* of shop->lines, which are in the order of their invoices */
    uint32_t line_count;
} shop_invoice;

typedef struct shop_file {
    names product_names;
    names invoice_names;
    shop_product *products;
    shop_invoice *invoices;
    shop_line *lines;
    size_t line_count;
    uint64_t *customers; /* each once, growing */
    size_t customer_count;
    uint64_t fingerprint;  /* of the file */
    uint64_t rows;         /* read, the header not counted */
    uint64_t rows_skipped; /* of these */
    uint64_t invoices_skipped;
    uint64_t texts_repaired; /* descriptions that were not UTF-8 */
    int64_t quantity_sum;    /* of all rows, without their signs */
    int64_t value_sum;
    size_t products_capacity;
    size_t invoices_capacity;
    size_t lines_capacity;
} shop_file;

/* False, after a sentence on stderr, when the file cannot be read at all. shop_free() is due in
 * either case. */
bool shop_read(shop_file *shop_out, const char *path);

void shop_free(shop_file *shop);

#endif
