/* Numbers for people. */
#ifndef BENCH_TEXT_H
#define BENCH_TEXT_H

#include "bench.h"

#define TEXT_BYTES 32
/* Samples without which a percentile would be the maximum under another name: not a single one lies
 * beyond it. */
#define TEXT_P99_SAMPLES 100
#define TEXT_P999_SAMPLES 1000

/* Each returns text_out. Three digits and a unit of a thousand: "1.23 M". */
const char *text_count(char text_out[TEXT_BYTES], double value, const char *unit);
const char *text_time(char text_out[TEXT_BYTES], double ns);
const char *text_figure(char text_out[TEXT_BYTES], const struct bench_figure *figure);
/* "-" when there is none. */
const char *text_ratio(char text_out[TEXT_BYTES], double ratio);
/* "-" when there are fewer samples. */
const char *text_percentile(char text_out[TEXT_BYTES], uint64_t ns, uint64_t samples,
                            uint64_t samples_min);

#endif
