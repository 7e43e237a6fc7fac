/* figures.c - see figures.h. */
#include "figures.h"

#include "row.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int figures_number_compare(cellar_id left, cellar_id right) {
    if (left.low != right.low) {
        return left.low < right.low ? -1 : 1;
    }
    return left.high < right.high ? -1 : left.high > right.high ? 1 : 0;
}

static int line_compare(const void *left_pointer, const void *right_pointer) {
    const ledger_line *left = left_pointer;
    const ledger_line *right = right_pointer;
    int order = figures_number_compare(left->number, right->number);
    if (order != 0) {
        return order;
    }
    return left->product < right->product ? -1 : left->product > right->product ? 1 : 0;
}

/* How many digits behind the point the price needs. */
static uint64_t decimals_of(int64_t price) {
    uint64_t decimals = ROW_PRICE_DECIMALS;
    for (; decimals > 0 && price % 10 == 0; decimals--) {
        price /= 10;
    }
    return decimals;
}

static void line_count(figures *sums, const ledger_line *line) {
    sums->lines++;
    sums->guest_lines += line->guest ? 1 : 0;
    sums->quantity += line->quantity;
    sums->write_offs += line->kind == DOCUMENT_ADJUSTMENT ? 1 : 0;
    sums->free_lines += line->price == 0 ? 1 : 0;
    if (line->kind == DOCUMENT_ORDER) {
        sums->revenue += line->quantity * line->price;
    }
    if (line->quantity > sums->quantity_max) {
        sums->quantity_max = line->quantity;
    }
    uint64_t decimals = decimals_of(line->price);
    if (decimals > sums->price_decimals_max) {
        sums->price_decimals_max = decimals;
    }
}

void figures_compute(figures *figures_out, ledger_line *lines, size_t count) {
    *figures_out = (figures){0};
    if (count == 0) {
        return;
    }
    qsort(lines, count, sizeof *lines, line_compare);
    uint64_t invoice_lines = 0;
    for (size_t i = 0; i < count; i++) {
        bool new_invoice =
            i == 0 || figures_number_compare(lines[i].number, lines[i - 1].number) != 0;
        if (new_invoice) {
            invoice_lines = 0;
            figures_out->invoices++;
            figures_out->cancellations += lines[i].kind == DOCUMENT_RETURN ? 1 : 0;
        } else if (lines[i].product == lines[i - 1].product) {
            figures_out->repeated_lines++;
        }
        invoice_lines++;
        if (invoice_lines > figures_out->invoice_lines_max) {
            figures_out->invoice_lines_max = invoice_lines;
        }
        line_count(figures_out, &lines[i]);
    }
}

/* Puts a comma before every third digit from the right. */
static char *grouped(char *out, uint64_t value, bool negative) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, value);
    char *at = out;
    if (negative) {
        *at++ = '-';
    }
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            *at++ = ',';
        }
        *at++ = digits[i];
    }
    *at = '\0';
    return out;
}

char *figures_whole(char *out, int64_t value) {
    return grouped(out, (uint64_t)llabs(value), value < 0);
}

char *figures_money(char *out, int64_t minor_units) {
    uint64_t size = (uint64_t)llabs(minor_units);
    uint64_t fraction = size % ROW_PRICE_SCALE;
    (void)grouped(out, size / ROW_PRICE_SCALE, minor_units < 0);
    uint64_t decimals = decimals_of(minor_units);
    decimals = decimals < 2 ? 2 : decimals;
    for (uint64_t i = decimals; i < ROW_PRICE_DECIMALS; i++) {
        fraction /= 10;
    }
    size_t length = strlen(out);
    (void)snprintf(out + length, FIGURES_TEXT_BYTES - length, ".%0*" PRIu64, (int)decimals,
                   fraction);
    return out;
}

enum {
    FIGURES = 14
};

typedef struct figure {
    const char *label;
    int64_t value;
} figure;

static void listed(figure *list, const figures *sums) {
    const figure all[FIGURES] = {
        {"lines", (int64_t)sums->lines},
        {"invoices", (int64_t)sums->invoices},
        {"cancellations among them", (int64_t)sums->cancellations},
        {"stock codes", (int64_t)sums->stock_codes},
        {"customers", (int64_t)sums->customers},
        {"lines without a customer", (int64_t)sums->guest_lines},
        {"sum of quantity over all lines", sums->quantity},
        {"lines below 0 outside cancellations", (int64_t)sums->write_offs},
        {"lines with price 0", (int64_t)sums->free_lines},
        {"largest quantity of one line", sums->quantity_max},
        {"most lines on one invoice", (int64_t)sums->invoice_lines_max},
        {"lines repeating a code of their invoice", (int64_t)sums->repeated_lines},
        {"decimals of prices, at most", (int64_t)sums->price_decimals_max},
        {"revenue of orders", sums->revenue},
    };
    memcpy(list, all, sizeof all);
}

void figures_print(FILE *file, const figures *sums) {
    figure list[FIGURES];
    listed(list, sums);
    for (int i = 0; i < FIGURES; i++) {
        char text[FIGURES_TEXT_BYTES];
        bool money = i == FIGURES - 1;
        (void)fprintf(file, "  %-42s %20s%s\n", list[i].label,
                      money ? figures_money(text, list[i].value)
                            : figures_whole(text, list[i].value),
                      money ? " GBP" : "");
    }
}

const char *figures_difference(const figures *left, const figures *right) {
    figure a[FIGURES];
    figure b[FIGURES];
    listed(a, left);
    listed(b, right);
    for (int i = 0; i < FIGURES; i++) {
        if (a[i].value != b[i].value) {
            return a[i].label;
        }
    }
    return NULL;
}
