/* What the two files of the model share. */
#ifndef CELLAR_TESTS_SUPPORT_LIFECYCLE_PARTS_H
#define CELLAR_TESTS_SUPPORT_LIFECYCLE_PARTS_H

#include "support/lifecycle.h"

struct lifecycle_answer lifecycle_answer(cellar_status status);
struct lifecycle_answer lifecycle_answer_short(cellar_status status, uint32_t line,
                                               int64_t available, int64_t needed);
struct lifecycle_answer lifecycle_answer_again(uint64_t lsn);
int64_t lifecycle_reserved(const struct lifecycle_line *line);
/* Units of a line are available again. */
void lifecycle_take_back(struct lifecycle *model, struct lifecycle_order *order,
                         struct lifecycle_line *line, int64_t units);
/* Out of the account (`debit` > 0) or back; to the payee, or 0: outside. */
void lifecycle_move_money(struct lifecycle *model, uint64_t account, uint64_t payee, int64_t debit);
void lifecycle_enter(struct lifecycle *model, struct lifecycle_order *order,
                     cellar_order_state state, uint64_t lsn);
struct lifecycle_answer lifecycle_check_money(const struct lifecycle *model, uint64_t account,
                                              uint64_t payee, int64_t debit);

#endif
