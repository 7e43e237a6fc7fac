/* Words for people: what went wrong at a call, and what an operator should know. */
#ifndef CELLAR_LOG_REPORT_H
#define CELLAR_LOG_REPORT_H

#include "cellar.h"

struct log;

/* Fills *problem (NULL is allowed) and returns `status`. */
cellar_status report_problem(cellar_problem *problem, cellar_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a file function that returned -errno: IO_ERROR, "<path>: cannot <verb>: <reason>".
 */
cellar_status report_io_problem(cellar_problem *problem, const char *path, const char *verb,
                                int64_t result);
/* Tells the operator. Never under a lock. */
void report_event(const struct log *log, cellar_report_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Copies the words for -errno into `text`, which is also returned. */
const char *report_errno(int64_t error, char text[64]);

#endif
