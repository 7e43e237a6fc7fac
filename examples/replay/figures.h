/* figures.h - the totals of the shop, computed from a list of its lines.
 *
 * The same function serves the lines that the engine's ledger holds and the lines of the file; that
 * the two agree is a check of everything between them.
 */
#ifndef REPLAY_FIGURES_H
#define REPLAY_FIGURES_H

#include "document.h"

#include <stdio.h>

typedef struct ledger_line {
    cellar_id number; /* of the invoice, see document_number_of() */
    uint64_t product;
    int64_t quantity; /* as in the file: below 0 for returns and write-offs */
    int64_t price;
    document_kind kind;
    bool guest;
} ledger_line;

typedef struct figures {
    uint64_t lines;
    uint64_t invoices;
    uint64_t cancellations;
    uint64_t stock_codes; /* filled in by the caller, and the next one, too */
    uint64_t customers;
    uint64_t guest_lines;
    int64_t quantity;
    uint64_t write_offs;
    uint64_t free_lines;
    int64_t quantity_max;
    uint64_t invoice_lines_max;
    uint64_t repeated_lines;
    int64_t revenue;
    uint64_t price_decimals_max;
} figures;

/* Sorts the lines by invoice. */
void figures_compute(figures *figures_out, ledger_line *lines, size_t count);

/* Which comes first in the order that figures_compute() leaves behind: < 0, 0, > 0. */
int figures_number_compare(cellar_id left, cellar_id right);

/* One figure a line, indented: the labels are also those of tests/tools/shop_totals.py. */
void figures_print(FILE *file, const figures *sums);

/* The label of the first figure that differs, NULL when none does. */
const char *figures_difference(const figures *left, const figures *right);

/* "1,234,567" and "2,756,381.95". Returns `out`. */
enum {
    FIGURES_TEXT_BYTES = 48
};
char *figures_whole(char *out, int64_t value);
char *figures_money(char *out, int64_t minor_units);

#endif
