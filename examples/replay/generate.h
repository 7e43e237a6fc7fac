/* generate.h - makes up a shop's file, for when there is no real one. */
#ifndef REPLAY_GENERATE_H
#define REPLAY_GENERATE_H

#include <stdint.h>
#include <stdio.h>

/* Writes a header and about `rows` rows: the last invoice is finished, so a few more may come. The
 * same seed makes the same file. It has what the real one has: invoices of one to some hundred rows
 * and one of more than a thousand, guests, cancellations, write-offs, codes that repeat on an
 * invoice, prices of 0 and of three decimals, quotes and commas in descriptions.
 * Returns 0, or -1 with errno set. */
int generate(FILE *file, uint64_t rows, uint64_t seed);

#endif
