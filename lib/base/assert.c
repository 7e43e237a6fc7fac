/* The end of a process whose invariants do not hold. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void assert_failed(const char *expression, const char *file, int line) {
    char text[512];
    int length = snprintf(text, sizeof text, "cellar: %s:%d: assertion failed: %s\n", file, line,
                          expression);

    /* Straight to the descriptor: the thread that failed may hold a lock inside stdio. */
    if (length > 0) {
        size_t bytes = (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
        if (write(STDERR_FILENO, text, bytes) < 0) {
            /* Nothing is left to tell it to; the abort below says enough. */
        }
    }
    abort();
}
