/* Where the units of an order come from. */
#include "store/plan.h"

enum plan_result plan_allocate(struct plan *plan, const struct plan_order_request *request,
                               uint32_t start) {
    const cellar_order_request *order = request->order;
    return plan_lines(plan, order->lines, (uint32_t)order->line_count, false,
                      (struct payload_line *)(plan_document_at(plan, start) + 1));
}
