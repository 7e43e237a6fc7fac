/* load.h - sells a shop's file through the engine.
 *
 *   1  every stock code becomes a product, every customer an account
 *   2  goods are received: of each product as many units as its orders and write-offs take. Less
 *      would make some order fail in some order of threads; more would not be sold
 *   3  any number of threads take invoices off one counter and place them
 *
 * An account may fall to -CELLAR_AMOUNT_MAX: the data says nothing of payments, so customers buy on
 * credit. An order debits its total to its customer's account in the same commit and a return
 * credits it, when the total is above 0; a total of 0 or less moves no money.
 *
 * Everything has an id (document.h), so that whatever is in the store already is answered with
 * "repeated" and changes nothing; that is also how an interrupted run goes on.
 */
#ifndef REPLAY_LOAD_H
#define REPLAY_LOAD_H

#include "shop.h"

#include <cellar.h>

enum {
    LOAD_THREADS_MAX = 256
};

typedef struct load_tally {
    uint64_t made;
    uint64_t repeated; /* they were in the store already */
    uint64_t refused;  /* reported on stderr; none is expected */
} load_tally;

typedef struct load_result {
    load_tally products;
    load_tally accounts;
    load_tally receipts;
    load_tally orders;
    load_tally returns;
    load_tally write_offs;
    int64_t units_received; /* by the receipts made now */
    double setup_seconds;
    double sale_seconds; /* until the last commit is on disk */
} load_result;

/* False, after a sentence on stderr, when the engine failed and the rest was not tried. */
bool load_run(cellar *store, const shop_file *shop, unsigned threads, cellar_durability durability,
              load_result *result_out);

/* What was made now and what was refused, over all kinds. */
uint64_t load_made(const load_result *result);
uint64_t load_refused(const load_result *result);

#endif
