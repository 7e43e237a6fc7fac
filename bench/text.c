#include "text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *text_count(char text_out[TEXT_BYTES], double value, const char *unit) {
    static const char *const prefixes[] = {"", " k", " M", " G", " T"};
    size_t prefix = 0;
    double shown = value;

    while (fabs(shown) >= 1000.0 && prefix + 1 < sizeof prefixes / sizeof *prefixes) {
        shown /= 1000.0;
        prefix++;
    }
    /* Small whole numbers stand for themselves. */
    int digits = fabs(shown) >= 100.0 ? 0 : (fabs(shown) >= 10.0 ? 1 : 2);
    if (prefix == 0 && fabs(shown - nearbyint(shown)) < 1e-9) {
        digits = 0;
    }
    const char *space = unit[0] != '\0' && prefix == 0 ? " " : "";
    snprintf(text_out, TEXT_BYTES, "%.*f%s%s%s", digits, shown, prefixes[prefix], space, unit);
    return text_out;
}

const char *text_time(char text_out[TEXT_BYTES], double ns) {
    static const char *const units[] = {"ns", "us", "ms", "s"};
    size_t unit = 0;

    while (ns >= 999.5 && unit + 1 < sizeof units / sizeof *units) {
        ns /= 1000.0;
        unit++;
    }
    int digits = ns >= 99.95 || unit == 0 ? 0 : (ns >= 9.995 ? 1 : 2);
    snprintf(text_out, TEXT_BYTES, "%.*f %s", digits, ns, units[unit]);
    return text_out;
}

const char *text_figure(char text_out[TEXT_BYTES], const struct bench_figure *figure) {
    if (strcmp(figure->unit, "ns") == 0) {
        return text_time(text_out, figure->value);
    }
    return text_count(text_out, figure->value, figure->unit);
}

const char *text_ratio(char text_out[TEXT_BYTES], double ratio) {
    int digits = ratio < 0.1 ? 4 : (ratio < 10.0 ? 3 : 1);

    if (ratio > 0.0) {
        snprintf(text_out, TEXT_BYTES, "%.*f", digits, ratio);
    } else {
        snprintf(text_out, TEXT_BYTES, "-");
    }
    return text_out;
}

const char *text_percentile(char text_out[TEXT_BYTES], uint64_t ns, uint64_t samples,
                            uint64_t samples_min) {
    if (samples >= samples_min) {
        return text_time(text_out, (double)ns);
    }
    snprintf(text_out, TEXT_BYTES, "-");
    return text_out;
}
