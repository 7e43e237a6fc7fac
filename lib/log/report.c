/* Problem texts and reports to the operator. */
#include "log/report.h"

#include "log/state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

cellar_status report_problem(cellar_problem *problem, cellar_status status, const char *format,
                             ...) {
    if (problem != NULL) {
        va_list arguments;
        problem->status = status;
        va_start(arguments, format);
        (void)vsnprintf(problem->text, sizeof problem->text, format, arguments);
        va_end(arguments);
    }
    return status;
}

const char *report_errno(int64_t error, char text[64]) {
    /* The form that returns the text, which may be a constant of the C library. */
    const char *words = strerror_r((int)-error, text, 64);

    if (words != text) {
        (void)snprintf(text, 64, "%s", words);
    }
    return text;
}

cellar_status report_io_problem(cellar_problem *problem, const char *path, const char *verb,
                                int64_t result) {
    char words[64];

    return report_problem(problem, CELLAR_IO_ERROR, "%s: cannot %s: %s", path, verb,
                          report_errno(result, words));
}

void report_event(const struct log *log, cellar_report_level level, const char *format, ...) {
    if (log->report == NULL) {
        return;
    }
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    log->report(log->report_context, level, text);
}
