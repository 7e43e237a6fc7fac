/* shop.c - see shop.h. First every row is put behind the others, then lines are sorted by invoice
 * (in the order of the file within each), then the sums are made of what is left. */
#include "shop.h"

#include <cellar.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for one more. Capacities double, so that a million rows cost twenty copies. */
static bool room(void **array, size_t count, size_t *capacity, size_t item_bytes) {
    if (count < *capacity) {
        return true;
    }
    size_t more = *capacity == 0 ? 1024 : *capacity * 2;
    void *grown = realloc(*array, more * item_bytes);
    if (grown == NULL) {
        return false;
    }
    *array = grown;
    *capacity = more;
    return true;
}

static char *text_new(const char *text, size_t bytes_max) {
    char *copy = malloc(bytes_max + 1);
    if (copy != NULL) {
        (void)row_text_copy(copy, bytes_max + 1, text);
    }
    return copy;
}

/* The number of the row's product, a new one if need be. NAMES_NONE: no memory. */
static uint32_t product_of(shop_file *shop, const shop_row *row) {
    uint32_t known = shop->product_names.count;
    if (!room((void **)&shop->products, known, &shop->products_capacity, sizeof *shop->products)) {
        return NAMES_NONE;
    }
    uint32_t number = names_put(&shop->product_names, row->code);
    if (number == known) {
        shop->products[number] = (shop_product){.sku = shop->product_names.strings[number]};
    }
    return number;
}

static uint32_t invoice_of(shop_file *shop, const shop_row *row) {
    uint32_t known = shop->invoice_names.count;
    if (!room((void **)&shop->invoices, known, &shop->invoices_capacity, sizeof *shop->invoices)) {
        return NAMES_NONE;
    }
    uint32_t number = names_put(&shop->invoice_names, row->number);
    if (number == known) {
        shop_invoice *invoice = &shop->invoices[number];
        *invoice = (shop_invoice){
            .number = shop->invoice_names.strings[number],
            .cancellation = row->cancellation,
            .time_ns = row->time_ns,
        };
        (void)row_text_copy(invoice->country, sizeof invoice->country, row->country);
    }
    return number;
}

/* Adds the row to the sums that bound all later ones, or says that it does not fit. */
static const char *sums_add(shop_file *shop, const shop_row *row) {
    int64_t quantity = llabs(row->quantity);
    int64_t value = 0;
    if (__builtin_mul_overflow(quantity, llabs(row->price), &value) ||
        value > CELLAR_AMOUNT_MAX - shop->value_sum ||
        quantity > CELLAR_AMOUNT_MAX - shop->quantity_sum) {
        return "the file's quantities or values would add up to more than 10^15";
    }
    shop->quantity_sum += quantity;
    shop->value_sum += value;
    return NULL;
}

/* NULL, or why the row is skipped. Nothing of a skipped row is kept. */
static const char *row_add(shop_file *shop, const shop_row *row) {
    uint32_t known = names_find(&shop->invoice_names, row->number);
    if (known != NAMES_NONE && row->customer != 0 && shop->invoices[known].customer != 0 &&
        shop->invoices[known].customer != row->customer) {
        return "CustomerID is not the one of the invoice's other rows";
    }
    if (!room((void **)&shop->lines, shop->line_count, &shop->lines_capacity,
              sizeof *shop->lines) ||
        shop->line_count == UINT32_MAX) {
        return "there is no memory to keep it";
    }
    const char *beyond = sums_add(shop, row);
    if (beyond != NULL) {
        return beyond;
    }
    uint32_t product = product_of(shop, row);
    uint32_t invoice = product == NAMES_NONE ? NAMES_NONE : invoice_of(shop, row);
    if (invoice == NAMES_NONE) {
        return "there is no memory to keep it";
    }
    shop_line *line = &shop->lines[shop->line_count];
    *line = (shop_line){
        .product = product,
        .invoice = invoice,
        .quantity = row->quantity,
        .price = row->price,
        .file_line = row->line,
    };
    if (row->quantity < 0 && !row->cancellation) {
        line->note = text_new(row->description, CELLAR_REFERENCE_BYTES_MAX);
    }
    shop->line_count++;
    shop->invoices[invoice].line_count++;
    if (shop->invoices[invoice].customer == 0) {
        shop->invoices[invoice].customer = row->customer;
    }
    return NULL;
}

/* Names and list prices are what the catalogue would say; orders carry their own prices. */
static void product_describe(shop_file *shop, const shop_row *row) {
    shop_product *product = &shop->products[shop->lines[shop->line_count - 1].product];
    if (product->name == NULL && row->description[0] != '\0') {
        product->name = text_new(row->description, CELLAR_NAME_BYTES_MAX);
    }
    if (product->price == 0 && row->quantity > 0 && row->price > 0) {
        product->price = row->price;
    }
}

static void rows_read(shop_file *shop, csv_reader *reader, const row_layout *layout,
                      const char *path) {
    for (;;) {
        csv_result result = csv_next(reader);
        if (result == CSV_END) {
            return;
        }
        shop->rows++;
        shop_row row = {0};
        const char *reason = reader->error;
        if (result == CSV_RECORD) {
            reason = row_read(&row, layout, reader);
            reason = reason == NULL ? row_add(shop, &row) : reason;
        }
        if (result != CSV_RECORD || reason != NULL) {
            shop->rows_skipped++;
            (void)fprintf(stderr, "%s:%" PRIu64 ": skipped: %s\n", path, reader->record_line,
                          reason);
            continue;
        }
        product_describe(shop, &row);
        char scratch[CSV_FIELD_BYTES_MAX + 1];
        if (!row_text_copy(scratch, sizeof scratch, row.description)) {
            shop->texts_repaired++;
            (void)fprintf(stderr, "%s:%" PRIu64 ": note: Description is not UTF-8; kept with '?'\n",
                          path, reader->record_line);
        }
    }
}

/* Counting sort by invoice: stable, so that lines keep the order of the file. */
static bool lines_sort(shop_file *shop) {
    shop_line *sorted = malloc((shop->line_count + 1) * sizeof *sorted);
    if (sorted == NULL) {
        return false;
    }
    uint32_t next = 0;
    for (uint32_t i = 0; i < shop->invoice_names.count; i++) {
        shop->invoices[i].line_first = next;
        next += shop->invoices[i].line_count;
        shop->invoices[i].line_count = 0;
    }
    for (size_t i = 0; i < shop->line_count; i++) {
        shop_invoice *invoice = &shop->invoices[shop->lines[i].invoice];
        sorted[invoice->line_first + invoice->line_count++] = shop->lines[i];
    }
    free(shop->lines);
    shop->lines = sorted;
    return true;
}

/* Skips invoices that no order can hold. */
static void invoices_check(shop_file *shop, const char *path) {
    for (uint32_t i = 0; i < shop->invoice_names.count; i++) {
        shop_invoice *invoice = &shop->invoices[i];
        if (invoice->line_count > CELLAR_LINES_MAX) {
            invoice->skipped = true;
            shop->invoices_skipped++;
            shop->rows_skipped += invoice->line_count;
            (void)fprintf(stderr,
                          "%s:%" PRIu64 ": skipped: invoice %s has %" PRIu32
                          " rows, an order has at most %d lines\n",
                          path, shop->lines[invoice->line_first].file_line, invoice->number,
                          invoice->line_count, CELLAR_LINES_MAX);
        }
    }
}

static int number_compare(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return a < b ? -1 : a > b ? 1 : 0;
}

static bool customers_collect(shop_file *shop) {
    shop->customers = malloc((shop->invoice_names.count + 1) * sizeof *shop->customers);
    if (shop->customers == NULL) {
        return false;
    }
    size_t count = 0;
    for (uint32_t i = 0; i < shop->invoice_names.count; i++) {
        if (!shop->invoices[i].skipped && shop->invoices[i].customer != 0) {
            shop->customers[count++] = shop->invoices[i].customer;
        }
    }
    qsort(shop->customers, count, sizeof *shop->customers, number_compare);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || shop->customers[i] != shop->customers[i - 1]) {
            shop->customers[shop->customer_count++] = shop->customers[i];
        }
    }
    return true;
}

/* What must be received so that every order can be placed, whatever comes first. */
static void products_sum(shop_file *shop) {
    for (size_t i = 0; i < shop->line_count; i++) {
        const shop_line *line = &shop->lines[i];
        const shop_invoice *invoice = &shop->invoices[line->invoice];
        if (!invoice->skipped) {
            shop_product *product = &shop->products[line->product];
            product->used = true;
            product->needed += invoice->cancellation ? 0 : llabs(line->quantity);
        }
    }
}

static bool header_read(csv_reader *reader, row_layout *layout, const char *path) {
    csv_result result = csv_next(reader);
    const char *missing = NULL;
    if (result == CSV_END) {
        (void)fprintf(stderr, "%s: the file is empty: it has no header\n", path);
    } else if (result == CSV_MALFORMED) {
        (void)fprintf(stderr, "%s:1: the header cannot be read: %s\n", path, reader->error);
    } else if (!row_layout_read(layout, reader, &missing)) {
        (void)fprintf(stderr, "%s:1: the header has no column %s\n", path, missing);
    } else {
        return true;
    }
    return false;
}

bool shop_read(shop_file *shop_out, const char *path) {
    *shop_out = (shop_file){0};
    csv_reader reader;
    char error[256];
    row_layout layout;
    bool good = csv_open(&reader, path, error, sizeof error);
    if (!good) {
        (void)fprintf(stderr, "%s: cannot be read: %s\n", path, error);
    }
    good = good && header_read(&reader, &layout, path);
    if (good) {
        shop_out->fingerprint = reader.fingerprint;
        rows_read(shop_out, &reader, &layout, path);
        good = lines_sort(shop_out);
        if (good) {
            invoices_check(shop_out, path);
            products_sum(shop_out);
            good = customers_collect(shop_out);
        }
        if (!good) {
            (void)fprintf(stderr, "%s: there is no memory to sort it\n", path);
        }
    }
    csv_close(&reader);
    return good;
}

void shop_free(shop_file *shop) {
    for (uint32_t i = 0; i < shop->product_names.count; i++) {
        free(shop->products[i].name);
    }
    for (size_t i = 0; i < shop->line_count; i++) {
        free(shop->lines[i].note);
    }
    names_free(&shop->product_names);
    names_free(&shop->invoice_names);
    free(shop->products);
    free(shop->invoices);
    free(shop->lines);
    free(shop->customers);
}
