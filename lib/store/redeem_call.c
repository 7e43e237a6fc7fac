/* The public calls about redemptions outside of orders, and about codes. */
#include "store/plan_coupon.h"

#include <string.h>

/* ---- Checking requests ---- */

static const char *redeem_check_names(const struct plan_redeem_request *request) {
    const cellar_redemption *redemption = request->redemption;
    if (redemption->code != NULL) {
        if (request->code_bytes == 0 || request->code_bytes == SIZE_MAX) {
            return "code: 1 to 64 bytes";
        }
        if (redemption->campaign != 0 || redemption->ordinal != 0) {
            return "code: without campaign and ordinal";
        }
        bool in_range = request->discount >= 0 && request->discount <= CELLAR_AMOUNT_MAX;
        return in_range ? NULL : "discount: from 0 to CELLAR_AMOUNT_MAX";
    }
    if (redemption->campaign == 0) {
        return "campaign: ids begin at 1";
    }
    if (redemption->customer == 0) {
        return "customer: ids begin at 1";
    }
    bool any = redemption->ordinal == CELLAR_ANY_ORDINAL && !request->restore;
    if (!any && redemption->ordinal >= CELLAR_COUPONS_OF_CUSTOMER_MAX) {
        return "ordinal: below 255";
    }
    return request->discount == 0 ? NULL : "discount: 0 of a coupon";
}

bool plan_check_redeem(struct plan *plan, void *argument) {
    struct plan_redeem_request *request = argument;
    const cellar_redemption *redemption = request->redemption;
    request->code_bytes = plan_text_bytes(redemption->code, CELLAR_CODE_BYTES_MAX);
    const char *wrong = redeem_check_names(request);
    if (wrong != NULL) {
        plan_invalid(plan, wrong, CELLAR_NO_LINE);
        return false;
    }
    size_t line_count = request->restore ? 0 : redemption->line_count;
    if (line_count != 0 && !plan_check_lines(plan, redemption->lines, line_count, false, true)) {
        return false;
    }
    for (size_t i = 0; i < line_count; i++) {
        int64_t amount;
        const cellar_line *line = &redemption->lines[i];
        if (__builtin_mul_overflow(line->quantity, line->unit_price, &amount) ||
            amount > CELLAR_AMOUNT_MAX || amount < -CELLAR_AMOUNT_MAX) {
            plan_refuse(plan, CELLAR_OVERFLOW, (uint32_t)i);
            return false;
        }
    }
    const uint64_t numbers[4] = {redemption->campaign, redemption->customer, redemption->ordinal,
                                 (uint64_t)request->discount};
    uint64_t hash = hash_seeded(request->restore ? STORE_COUPON_RESTORE : STORE_COUPON_REDEEM,
                                numbers, sizeof numbers);
    hash = plan_hash_text(hash, redemption->code);
    request->fingerprint = plan_hash_lines(hash, redemption->lines, line_count, true);
    return true;
}

bool plan_check_code(struct plan *plan, void *argument) {
    struct plan_code_request *request = argument;
    request->code_bytes = plan_text_bytes(request->code, CELLAR_CODE_BYTES_MAX);
    const char *wrong = NULL;
    if (request->campaign == 0) {
        wrong = "campaign: ids begin at 1";
    } else if (request->code_bytes == 0 || request->code_bytes == SIZE_MAX) {
        wrong = "code: 1 to 64 bytes";
    } else if (request->uses < 1 || request->uses > CELLAR_QUOTA_MAX) {
        wrong = "uses: 1 to CELLAR_QUOTA_MAX";
    }
    if (wrong != NULL) {
        plan_invalid(plan, wrong, CELLAR_NO_LINE);
        return false;
    }
    const uint64_t numbers[2] = {request->campaign, (uint64_t)request->uses};
    request->fingerprint =
        plan_hash_text(hash_seeded(STORE_CODE_ADD, numbers, sizeof numbers), request->code);
    return true;
}

/* ---- Redeeming and restoring ---- */

static enum plan_result redeem_call_lines(struct plan *plan,
                                          const struct plan_redeem_request *request) {
    const cellar_redemption *redemption = request->redemption;
    for (size_t i = 0; i < redemption->line_count; i++) {
        const cellar_line *line = &redemption->lines[i];
        const struct store_product *product =
            store_find_product(plan->store, line->sku, line->product);
        if (product == NULL || plan_read(plan, store_product_cell(product->slot)).value == 0) {
            return plan_refuse(plan, CELLAR_NOT_FOUND, (uint32_t)i);
        }
        request->bought[i] = (struct plan_bought){.product = product->slot,
                                                  .amount = line->quantity * line->unit_price};
    }
    return PLAN_COMMIT;
}

static enum plan_result redeem_call_redeem(struct plan *plan,
                                           const struct plan_redeem_request *request,
                                           struct payload_redeem *redeem_out) {
    const cellar_redemption *redemption = request->redemption;
    const struct plan_redemption inner = {.campaign = redemption->campaign,
                                          .customer = redemption->customer,
                                          .ordinal = redemption->ordinal,
                                          .code = redemption->code,
                                          .code_bytes = request->code_bytes,
                                          .bought = request->bought,
                                          .lines = request->lines,
                                          .line_count = redemption->line_count};
    enum plan_result result = redeem_call_lines(plan, request);
    return result == PLAN_COMMIT ? plan_coupon_redeem(plan, &inner, redeem_out) : result;
}

/* The coupon or code by name. What a coupon was worth follows the log. */
static enum plan_result redeem_call_named(struct plan *plan,
                                          const struct plan_redeem_request *request,
                                          struct payload_redeem *redeem_out) {
    struct store *store = plan->store;
    const cellar_redemption *redemption = request->redemption;
    *redeem_out = (struct payload_redeem){.discount = request->discount};
    if (redemption->code != NULL) {
        const struct store_code *code =
            coupons_find_code(store, redemption->code, request->code_bytes);
        if (code != NULL) {
            redeem_out->code = code->slot;
            redeem_out->campaign =
                coupon_code_campaign(plan_read(plan, coupon_code_cell(code->slot)).value);
        }
        return redeem_out->campaign != 0 ? PLAN_COMMIT
                                         : plan_refuse(plan, CELLAR_NOT_FOUND, CELLAR_NO_LINE);
    }
    const struct store_campaign *campaign = coupons_find_campaign(store, redemption->campaign);
    if (campaign == NULL) {
        return plan_refuse(plan, CELLAR_NOT_FOUND, CELLAR_NO_LINE);
    }
    const struct coupon_grant_key key = {redemption->customer, campaign->slot, redemption->ordinal};
    redeem_out->campaign = campaign->slot;
    redeem_out->grant = coupons_find_grant(store, &key);
    if (redeem_out->grant == 0) {
        return plan_refuse(plan, CELLAR_NOT_FOUND, CELLAR_NO_LINE);
    }
    uint32_t cell = coupon_grant_cell(redeem_out->grant);
    if (plan_is_pending(plan, cell)) {
        return plan_invalid(plan, "ordinal: redeemed and restored in one transaction",
                            CELLAR_NO_LINE);
    }
    struct cell_content content = plan_read(plan, cell);
    if (content.value == 0) {
        return plan_refuse(plan, CELLAR_NOT_FOUND, CELLAR_NO_LINE);
    }
    /* Acquire: pairs with the release in commit_advance_projected(). */
    if (ATOMIC_LOAD(&store->commit->projected.lsn, acquire) <= content.version) {
        plan->wait_lsn = content.version;
        return PLAN_WAIT;
    }
    redeem_out->discount = ATOMIC_LOAD(&store->coupons.grants[redeem_out->grant].discount, relaxed);
    return PLAN_COMMIT;
}

static enum plan_result redeem_call_restore(struct plan *plan,
                                            const struct plan_redeem_request *request,
                                            struct payload_redeem *redeem_out) {
    bool restored = false;
    enum plan_result result = redeem_call_named(plan, request, redeem_out);
    if (result == PLAN_COMMIT) {
        result = plan_coupon_restore(plan, redeem_out, 0, &restored);
    }
    return result == PLAN_COMMIT && !restored
               ? plan_refuse(plan, CELLAR_NOT_RESTORABLE, CELLAR_NO_LINE)
               : result;
}

enum plan_result plan_redeem_call(struct plan *plan, void *argument) {
    const struct plan_redeem_request *request = argument;
    cellar_id id = request->redemption->id;
    struct payload_redeem redeem;
    enum plan_result result = request->restore ? redeem_call_restore(plan, request, &redeem)
                                               : redeem_call_redeem(plan, request, &redeem);
    if (result == PLAN_COMMIT) {
        struct payload_redeem *payload = plan_append(plan, sizeof *payload);
        if (payload == NULL) {
            return PLAN_NO_MEMORY;
        }
        *payload = redeem;
        plan->ticket.remaining = redeem.discount;
        plan->kind = request->restore ? STORE_COUPON_RESTORE : STORE_COUPON_REDEEM;
        result = plan_coupon_identify(plan, id, request->fingerprint);
    } else {
        result = plan_coupon_refused(plan, result, id, request->fingerprint);
    }
    if (result == PLAN_REPEATED) {
        plan->ticket.remaining = plan_coupon_kept(plan, id);
    }
    return result;
}

/* ---- Codes ---- */

enum plan_result plan_code_add(struct plan *plan, void *argument) {
    const struct plan_code_request *request = argument;
    struct store_campaign *campaign = coupons_find_campaign(plan->store, request->campaign);
    /* That it exists stays true: nothing has to guard it. */
    struct plan_campaign at;
    enum plan_result result = plan_campaign_read(plan, campaign, COUPON_RULES, &at);
    if (result != PLAN_COMMIT) {
        return result;
    }
    struct store_code *code = coupons_ensure_code(plan->store, request->code, request->code_bytes);
    if (code == NULL) {
        return plan_refuse(plan, CELLAR_STORE_FULL, CELLAR_NO_LINE);
    }
    uint32_t cell = coupon_code_cell(code->slot);
    struct cell_content content = plan_read(plan, cell);
    if (content.value != 0) {
        if (plan_is_pending(plan, cell)) {
            return plan_refuse(plan, CELLAR_ALREADY_EXISTS, CELLAR_NO_LINE);
        }
        /* Acquire: pairs with the release in coupon_apply_code(). */
        int64_t uses = ATOMIC_LOAD(&code->uses, acquire);
        if (uses == 0) {
            plan->wait_lsn = content.version;
            return PLAN_WAIT;
        }
        plan->ticket.lsn = content.version;
        plan->ticket.repeated = true;
        bool same = uses == request->uses && coupon_code_campaign(content.value) == campaign->slot;
        return same ? PLAN_REPEATED : plan_refuse(plan, CELLAR_ALREADY_EXISTS, CELLAR_NO_LINE);
    }
    struct payload_code *payload =
        plan_append(plan, (uint32_t)(sizeof *payload + request->code_bytes));
    if (payload == NULL ||
        !plan_write(plan, cell, content, coupon_code_value(campaign->slot, request->uses))) {
        return PLAN_NO_MEMORY;
    }
    *payload = (struct payload_code){.uses = request->uses,
                                     .campaign = campaign->slot,
                                     .code = code->slot,
                                     .code_bytes = (uint32_t)request->code_bytes};
    memcpy(payload + 1, request->code, request->code_bytes);
    plan->kind = STORE_CODE_ADD;
    return PLAN_COMMIT;
}
