/* Accounts as the plans of this folder see them: an account's cells read as of one instant, and
 * changed. */
#ifndef CELLAR_STORE_ACCOUNT_H
#define CELLAR_STORE_ACCOUNT_H

#include "store/plan.h"

struct account_view {
    struct store_account *account;
    struct cell_content room; /* balance - floor - held: what may be spent */
    struct cell_content floor;
    struct cell_content held;
    struct cell_content settled; /* of a collecting account, else zeros */
    uint32_t currency;
    bool collecting;
};

/* A refusal about this account. */
enum plan_result account_refuse(struct plan *plan, cellar_status status, uint32_t line,
                                uint64_t id);
/* PLAN_COMMIT, or refused: NOT_FOUND about `line`. */
enum plan_result account_read(struct plan *plan, uint64_t id, uint32_t line,
                              struct account_view *view_out);
/* Without what is not settled. */
static inline int64_t account_balance(const struct account_view *view) {
    return view->room.value + view->floor.value + view->held.value;
}
/* Changes what may be spent by `delta`; below zero not further than there is, unless what was
 * collected makes up for it: then PLAN_SETTLE, or PLAN_WAIT until it is known. The view goes on
 * with what it will be. */
enum plan_result account_spend(struct plan *plan, struct account_view *view, uint32_t line,
                               int64_t delta);
/* The account is paid: its cell changes, unless it collects. */
enum plan_result account_receive(struct plan *plan, struct account_view *view, uint32_t line,
                                 int64_t amount);
enum plan_result account_write_held(struct plan *plan, struct account_view *view, int64_t delta);

/* Fill in the refusal, when they return false. */
bool account_check_id(struct plan *plan, uint64_t account);
bool account_check_amount(struct plan *plan, int64_t amount);

#endif
