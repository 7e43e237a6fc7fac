/* report.h - reads the ledger back from the engine, makes the totals of it and checks them. */
#ifndef REPLAY_REPORT_H
#define REPLAY_REPORT_H

#include "figures.h"
#include "shop.h"

typedef struct ledger_report {
    figures engine; /* over all that the store holds */
    cellar_audit audit;
    uint64_t invoices_elsewhere; /* in the store, but not in this file */
    uint64_t invoices_missing;   /* in the file, but not in the store */
    uint64_t problems;           /* each of them printed on stderr; 0 is good */
} ledger_report;

/* Runs the audit, reads every order, return and stock movement, and compares
 *   - the engine's running sums with the sums over its ledger,
 *   - every product's available units with the sum of its movements,
 *   - the ledger with the file.
 * False, after a sentence on stderr, when the ledger cannot be read. */
bool report_make(cellar *store, const shop_file *shop, ledger_report *report_out);

#endif
