/* What must still be true at the end of a case: a benchmark that loses goods or money measures
 * nothing. */
#include "shop.h"

static bool check_equal(struct bench_result *result, const char *what, int64_t is, int64_t wanted) {
    return is == wanted || bench_fail(result, "%s: %lld, but %lld by what was answered", what,
                                      (long long)is, (long long)wanted);
}

bool shop_check(const struct shop *shop, struct bench_result *result) {
    cellar_audit audit;
    const cellar_totals *totals = &audit.totals;
    int64_t units = 0;
    int64_t taken = 0;
    int64_t paid = 0;

    cellar_status status = cellar_audit_run(shop->store, &audit);
    if (status != CELLAR_OK) {
        return bench_fail(result, "audit: %s", cellar_status_name(status));
    }
    if (audit.violations != 0) {
        return bench_fail(result, "audit: %.200s", audit.first_violation);
    }
    for (uint32_t i = 0; i < shop->thread_count; i++) {
        units += shop->threads[i].units;
        taken += shop->threads[i].taken;
        paid += shop->threads[i].paid;
    }
    return check_equal(result, "units received", totals->units_received, shop->received) &&
           check_equal(result, "units ordered", totals->units_ordered, units) &&
           check_equal(result, "units taken", totals->units_taken, taken) &&
           check_equal(result, "units available", totals->units_available,
                       shop->received - units - taken) &&
           check_equal(result, "balances", totals->balances, shop->credited - paid);
}
