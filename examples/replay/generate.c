/* generate.c - see generate.h. */
#include "generate.h"

#include <inttypes.h>
#include <stdbool.h>
#include <time.h>

enum {
    CODES = 2000,
    CUSTOMERS = 1500,
    LONG_INVOICE_ROWS = 1100
};

static uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13; /* xorshift64 */
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static unsigned below(uint64_t *state, unsigned limit) {
    return (unsigned)((random_next(state) >> 20) % limit);
}

typedef struct made_invoice {
    uint64_t number;
    const char *prefix; /* "C": a cancellation */
    int sign;           /* of the quantities */
    unsigned customer;  /* 0: a guest */
    bool written_off;
    char time[24];
} made_invoice;

static void row_write(FILE *file, uint64_t *state, const made_invoice *invoice) {
    static const char *const names[] = {
        "WHITE LANTERN",     "\"LETTER \"\"A\"\" KEY RING\"", "\"PAPER CRAFT, LITTLE BIRDIE\"",
        "RED RETROSPOT BAG", "GIFT VOUCHER 5 \xc2\xa3",       ""};
    /* A square makes few codes popular and many rare, as in a real shop. */
    unsigned code = below(state, CODES) * below(state, CODES) / CODES;
    unsigned quantity = 1 + below(state, below(state, 50) == 0 ? 2000 : 24);
    unsigned price = below(state, 150) == 0 ? 0 : 100 + (code * 7919u) % 20000;
    char customer[16] = "";
    if (invoice->customer != 0) {
        (void)snprintf(customer, sizeof customer, "%u.0", invoice->customer);
    }
    (void)fprintf(file, "%s%" PRIu64 ",%u%s,%s,%d,%s,%u.%03u,%s,United Kingdom\r\n",
                  invoice->prefix, invoice->number, 20000 + code, code % 5 == 0 ? "b" : "",
                  invoice->written_off ? "damages" : names[code % 6], invoice->sign * (int)quantity,
                  invoice->time, invoice->written_off ? 0 : price / 1000,
                  invoice->written_off ? 0 : price % 1000, customer);
}

static unsigned invoice_begin(made_invoice *invoice, uint64_t *state, time_t *now) {
    *now += 30 + below(state, 900);
    struct tm date;
    (void)gmtime_r(now, &date);
    (void)strftime(invoice->time, sizeof invoice->time, "%Y-%m-%d %H:%M:%S", &date);
    unsigned kind = below(state, 100);
    invoice->number++;
    invoice->written_off = kind < 5;
    invoice->prefix = kind >= 5 && kind < 20 ? "C" : "";
    invoice->sign = kind < 20 ? -1 : 1;
    invoice->customer = kind < 5 || kind > 88 ? 0 : 12000 + below(state, CUSTOMERS);
    return kind < 5    ? 1
           : kind < 20 ? 1 + below(state, 4)
           : kind > 97 ? 100 + below(state, 300)
                       : 1 + below(state, 40);
}

int generate(FILE *file, uint64_t rows, uint64_t seed) {
    uint64_t state = seed * 2 + 1;
    time_t now = 1291190400; /* 2010-12-01 08:00 UTC */
    made_invoice invoice = {.number = 500000};
    (void)fprintf(file, "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,"
                        "CustomerID,Country\r\n");
    bool long_written = false;
    for (uint64_t written = 0; written < rows;) {
        unsigned count = invoice_begin(&invoice, &state, &now);
        if (!long_written && invoice.sign > 0 && written > rows / 2 &&
            rows > 2 * LONG_INVOICE_ROWS) {
            count = LONG_INVOICE_ROWS;
            long_written = true;
        }
        for (unsigned i = 0; i < count; i++) {
            row_write(file, &state, &invoice);
        }
        written += count;
    }
    return fflush(file) == 0 && ferror(file) == 0 ? 0 : -1;
}
