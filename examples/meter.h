/* meter.h - latencies and small things that the example programs share.
 *
 * A meter belongs to one thread; at the end they are added up.
 */
#ifndef EXAMPLES_METER_H
#define EXAMPLES_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Buckets of 1/32 of a power of two: a percentile is at most 3.2 % above the truth. */
enum {
    METER_STEPS = 32,
    METER_BUCKETS = METER_STEPS * 48
};

typedef struct meter {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t max_ns;
    uint64_t buckets[METER_BUCKETS];
} meter;

void meter_add(meter *gauge, uint64_t ns);
void meter_merge(meter *sum, const meter *gauge);
/* The latency that `share` (0 to 1) of all calls did not exceed; 0 when there was none. */
uint64_t meter_percentile(const meter *gauge, double share);
/* 0 when there was none. */
uint64_t meter_mean(const meter *gauge);

/* By a clock that never jumps. */
uint64_t meter_now_ns(void);

/* "850 ns", "12.3 us", "4.56 ms", "1.20 s". Returns `out`. */
enum {
    METER_TEXT_BYTES = 32
};
char *meter_duration(char *out, uint64_t ns);

/* xorshift64; the state must not be 0. */
uint64_t meter_random(uint64_t *state);

/* True when `text` is a whole number from min to max. */
bool meter_number(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* A new directory under TMPDIR, named after the program, its path in `path`; says why not. */
enum {
    METER_PATH_BYTES = 256
};
bool meter_directory_make(char *path, const char *program);

/* Removes a directory with all that is in it. */
void meter_directory_remove(const char *path);

/* Appends "what<TAB>held|FAILED<TAB>detail" to a file; no path, no line. False when it cannot. */
bool meter_summary(const char *path, const char *what, bool held, const char *detail);

#endif
