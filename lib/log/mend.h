/* Making sure of the end of the log before it is continued. */
#ifndef CELLAR_LOG_MEND_H
#define CELLAR_LOG_MEND_H

#include "cellar.h"

struct log;

#define MEND_TEMPORARY_NAME "mend.tmp"

/* Removes temporary files that a process left behind. CELLAR_OK or IO_ERROR. */
cellar_status mend_remove_leftovers(struct log *log, cellar_problem *problem);
/* Replaces the last segment by a synced copy that ends where the log ends. Does nothing when it was
 * closed cleanly. CELLAR_OK, IO_ERROR, OUT_OF_MEMORY. */
cellar_status mend_tail(struct log *log, cellar_problem *problem);

#endif
