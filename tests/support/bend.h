/* Does the audit bite? Tests that make one thing wrong behind a store's back and undo it.
 *
 * A test lists what it does as a macro BENDS(X) of X(name, text, statement): the statement does one
 * thing wrong when `by` is 1 and undoes it when `by` is -1, with `shop` at hand; the text is in the
 * first violation that the audit then tells. */
#ifndef CELLAR_TESTS_SUPPORT_BEND_H
#define CELLAR_TESTS_SUPPORT_BEND_H

#include "support/shop.h"

struct bend {
    const char *name;
    const char *text;
    void (*apply)(struct shop *shop, int by);
};

#define BEND_FUNCTION(name, text, statement)                                                       \
    static void bend_##name(struct shop *shop, int by) {                                           \
        statement;                                                                                 \
    }
#define BEND_ROW(name, text, statement) {#name, text, bend_##name},

/* Adds to a cell's value without a record. */
void bend_cell(struct shop *shop, uint32_t cell, int64_t by);
/* Each is found, by its text; before and after each nothing is. */
void bend_check(struct shop *shop, const struct bend *bends, size_t count);

#endif
