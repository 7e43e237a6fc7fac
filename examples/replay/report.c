/* report.c - see report.h. */
#include "report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAGE_ORDERS = 256,
    PAGE_LINES = 2 * CELLAR_LINES_MAX
};

typedef struct ledger {
    ledger_line *lines;
    size_t count;
    size_t capacity;
} ledger;

/* Buffers of the pages, allocated once. */
typedef struct pages {
    cellar_order orders[PAGE_ORDERS];
    cellar_order_line lines[PAGE_LINES];
    cellar_product_summary products[CELLAR_PAGE_MAX];
    cellar_movement movements[CELLAR_PAGE_MAX];
} pages;

static bool ledger_add(ledger *book, const ledger_line *line) {
    if (book->count == book->capacity) {
        size_t capacity = book->capacity * 2 + 4096;
        ledger_line *lines = realloc(book->lines, capacity * sizeof *lines);
        if (lines == NULL) {
            (void)fprintf(stderr, "replay: no memory for the ledger\n");
            return false;
        }
        book->lines = lines;
        book->capacity = capacity;
    }
    book->lines[book->count++] = *line;
    return true;
}

static bool failed(const char *what, cellar_status status) {
    (void)fprintf(stderr, "replay: reading the %s: %s: %s\n", what, cellar_status_name(status),
                  cellar_status_text(status));
    return false;
}

/* ---- The engine's ledger
 * -------------------------------------------------------------------------- */

static bool order_add(ledger *book, const cellar_order *order, const cellar_order_line *lines) {
    bool back = order->state == CELLAR_ORDER_RETURNED;
    for (uint32_t i = 0; i < order->line_count; i++) {
        const ledger_line line = {
            .number = document_number_of(order->id),
            .product = lines[i].product,
            .quantity = back ? -lines[i].quantity : lines[i].quantity,
            .price = lines[i].unit_price,
            .kind = back ? DOCUMENT_RETURN : DOCUMENT_ORDER,
            .guest = order->customer == 0,
        };
        if (!ledger_add(book, &line)) {
            return false;
        }
    }
    return true;
}

static bool orders_read(cellar *store, cellar_order_state state, ledger *book, pages *page) {
    cellar_order_query query = {.state = state};
    for (;;) {
        size_t count = 0;
        cellar_status status = cellar_order_list(store, &query, page->orders, PAGE_ORDERS, &count,
                                                 page->lines, PAGE_LINES);
        if (status != CELLAR_OK) {
            return failed("orders", status);
        }
        if (count == 0) {
            return true;
        }
        const cellar_order_line *lines = page->lines;
        for (size_t i = 0; i < count; i++) {
            if (!order_add(book, &page->orders[i], lines)) {
                return false;
            }
            lines += page->orders[i].line_count;
        }
        query.before = page->orders[count - 1].id;
    }
}

/* The reference begins with price and customer: load.c put them there. */
static bool write_off_add(ledger *book, uint64_t product, const cellar_movement *movement) {
    int64_t price = 0;
    uint64_t customer = 0;
    if (document_kind_of(movement->id) != DOCUMENT_ADJUSTMENT ||
        sscanf(movement->reference, "%" SCNd64 " %" SCNu64, &price, &customer) != 2) {
        (void)fprintf(stderr, "replay: a stock adjustment that is not of this program\n");
        return true;
    }
    return ledger_add(book, &(ledger_line){
                                .number = document_number_of(movement->id),
                                .product = product,
                                .quantity = movement->change,
                                .price = price,
                                .kind = DOCUMENT_ADJUSTMENT,
                                .guest = customer == 0,
                            });
}

/* Follows the product's movements back to its beginning. */
static bool product_read(cellar *store, uint64_t product, ledger *book, pages *page,
                         ledger_report *report) {
    cellar_line line = {.product = product};
    uint64_t before = 0;
    int64_t sum = 0;
    size_t count = 0;
    do {
        cellar_status status =
            cellar_stock_history(store, &line, before, page->movements, CELLAR_PAGE_MAX, &count);
        if (status != CELLAR_OK) {
            return failed("movements", status);
        }
        for (size_t i = 0; i < count; i++) {
            const cellar_movement *movement = &page->movements[i];
            sum += movement->change;
            if (movement->kind == CELLAR_MOVEMENT_ADJUSTED &&
                !write_off_add(book, product, movement)) {
                return false;
            }
            before = movement->lsn;
        }
    } while (count == CELLAR_PAGE_MAX);
    cellar_stock stock;
    cellar_status status = cellar_stock_get(store, &line, &stock);
    if (status != CELLAR_OK) {
        return failed("stock", status);
    }
    if (stock.available != sum) {
        report->problems++;
        (void)fprintf(stderr,
                      "replay: product %" PRIu64 ": %" PRId64
                      " available, movements sum to %" PRId64 "\n",
                      product, stock.available, sum);
    }
    return true;
}

static bool products_read(cellar *store, ledger *book, pages *page, ledger_report *report) {
    cellar_product_query query = {.status = CELLAR_PRODUCT_ACTIVE};
    size_t count = 0;
    do {
        cellar_status status =
            cellar_product_list(store, &query, page->products, CELLAR_PAGE_MAX, &count);
        if (status != CELLAR_OK) {
            return failed("products", status);
        }
        for (size_t i = 0; i < count; i++) {
            if (!product_read(store, page->products[i].id, book, page, report)) {
                return false;
            }
            query.before = page->products[i].id;
        }
    } while (count == CELLAR_PAGE_MAX);
    return true;
}

/* ---- Comparisons
 * ---------------------------------------------------------------------------------- */

static void expect(ledger_report *report, const char *what, int64_t sum, int64_t ledger_sum) {
    if (sum != ledger_sum) {
        report->problems++;
        (void)fprintf(stderr,
                      "replay: %s: the running sum is %" PRId64 ", the ledger's %" PRId64 "\n",
                      what, sum, ledger_sum);
    }
}

/* The engine keeps sums as it commits; its ledger, read back from the log, must give the same. */
static void sums_compare(ledger_report *report, const ledger *book) {
    const cellar_totals *totals = &report->audit.totals;
    int64_t lines[5] = {0};
    int64_t units[5] = {0};
    int64_t values[5] = {0};
    for (size_t i = 0; i < book->count; i++) {
        const ledger_line *line = &book->lines[i];
        lines[line->kind]++;
        units[line->kind] += line->quantity;
        values[line->kind] += line->quantity * line->price;
    }
    expect(report, "lines of orders", (int64_t)totals->order_lines, lines[DOCUMENT_ORDER]);
    expect(report, "lines of returns", (int64_t)totals->return_lines, lines[DOCUMENT_RETURN]);
    expect(report, "units ordered", totals->units_ordered, units[DOCUMENT_ORDER]);
    expect(report, "units returned", totals->units_returned, -units[DOCUMENT_RETURN]);
    expect(report, "units adjusted", totals->units_adjusted, units[DOCUMENT_ADJUSTMENT]);
    expect(report, "revenue", totals->revenue, values[DOCUMENT_ORDER]);
    expect(report, "value of returns", llabs(totals->returned_value),
           llabs(values[DOCUMENT_RETURN]));
    expect(report, "units available", totals->units_available,
           totals->units_received + totals->units_adjusted + totals->units_returned -
               totals->units_ordered - totals->units_taken);
}

static bool file_ledger(const shop_file *shop, ledger *book) {
    for (size_t i = 0; i < shop->line_count; i++) {
        const shop_line *line = &shop->lines[i];
        const shop_invoice *invoice = &shop->invoices[line->invoice];
        if (invoice->skipped) {
            continue;
        }
        const ledger_line entry = {
            .number = document_number_of(document_id(0, invoice->number, 0)),
            .product = line->product,
            .quantity = line->quantity,
            .price = line->price,
            .kind = invoice->cancellation ? DOCUMENT_RETURN
                    : line->quantity < 0  ? DOCUMENT_ADJUSTMENT
                                          : DOCUMENT_ORDER,
            .guest = invoice->customer == 0,
        };
        if (!ledger_add(book, &entry)) {
            return false;
        }
    }
    return true;
}

static bool starts_invoice(const ledger *book, size_t i) {
    return i == 0 || figures_number_compare(book->lines[i].number, book->lines[i - 1].number) != 0;
}

/* By bisection: the book is sorted by figures_compute(). */
static bool has_invoice(const ledger *book, cellar_id number) {
    size_t from = 0;
    size_t to = book->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = figures_number_compare(book->lines[middle].number, number);
        if (order == 0) {
            return true;
        }
        from = order < 0 ? middle + 1 : from;
        to = order < 0 ? to : middle;
    }
    return false;
}

/* Both books are sorted. Leaves in `engine` what is of the file, too. */
static void invoices_compare(ledger_report *report, ledger *engine, const ledger *file) {
    for (size_t i = 0; i < file->count; i++) {
        bool missing = starts_invoice(file, i) && !has_invoice(engine, file->lines[i].number);
        report->invoices_missing += missing ? 1 : 0;
    }
    size_t kept = 0;
    bool of_file = false;
    cellar_id number = {0, 0};
    for (size_t i = 0; i < engine->count; i++) {
        if (i == 0 || figures_number_compare(engine->lines[i].number, number) != 0) {
            number = engine->lines[i].number;
            of_file = has_invoice(file, number);
            report->invoices_elsewhere += of_file ? 0 : 1;
        }
        if (of_file) {
            engine->lines[kept++] = engine->lines[i];
        }
    }
    engine->count = kept;
}

/* What is of the file must be in the store exactly as the file says. When the store holds other
 * files' invoices, too, the numbers of products and customers cannot be compared. */
static bool file_compare(ledger_report *report, const shop_file *shop, ledger *engine_book) {
    ledger file_book = {0};
    figures file;
    figures engine;
    bool good = file_ledger(shop, &file_book);
    if (good) {
        figures_compute(&file, file_book.lines, file_book.count);
        invoices_compare(report, engine_book, &file_book);
        figures_compute(&engine, engine_book->lines, engine_book->count);
        for (uint32_t i = 0; i < shop->product_names.count; i++) {
            file.stock_codes += shop->products[i].used ? 1 : 0;
        }
        file.customers = shop->customer_count;
        bool alone = report->invoices_elsewhere == 0;
        engine.stock_codes = alone ? report->engine.stock_codes : file.stock_codes;
        engine.customers = alone ? report->engine.customers : file.customers;
        const char *difference = figures_difference(&engine, &file);
        if (difference != NULL || report->invoices_missing > 0) {
            report->problems++;
            (void)fprintf(stderr,
                          "replay: the store differs from the file: %s; %" PRIu64
                          " invoices are missing; of the file:\n",
                          difference == NULL ? "invoices" : difference, report->invoices_missing);
            figures_print(stderr, &file);
        }
    }
    free(file_book.lines);
    return good;
}

bool report_make(cellar *store, const shop_file *shop, ledger_report *report_out) {
    *report_out = (ledger_report){0};
    ledger book = {0};
    cellar_status status = cellar_audit_run(store, &report_out->audit);
    if (status != CELLAR_OK) {
        return failed("audit", status);
    }
    if (report_out->audit.violations > 0) {
        report_out->problems += report_out->audit.violations;
        (void)fprintf(stderr, "replay: audit: %s\n", report_out->audit.first_violation);
    }
    pages *page = malloc(sizeof *page);
    bool good = page != NULL && orders_read(store, CELLAR_ORDER_FULFILLED, &book, page) &&
                orders_read(store, CELLAR_ORDER_RETURNED, &book, page) &&
                products_read(store, &book, page, report_out);
    free(page);
    if (good) {
        sums_compare(report_out, &book);
        figures_compute(&report_out->engine, book.lines, book.count);
        report_out->engine.stock_codes = report_out->audit.totals.products;
        report_out->engine.customers = report_out->audit.totals.accounts;
        good = file_compare(report_out, shop, &book);
    }
    free(book.lines);
    return good;
}
