#include "support/lifecycle.h"

#include "support/lifecycle_parts.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

#define MS INT64_C(1000000)

const char *lifecycle_sku(uint32_t sku) {
    static const char *const skus[LIFECYCLE_SKUS] = {"s0", "s1", "s2", "s3"};
    return skus[sku];
}

static int64_t now_ms(const struct lifecycle *model) {
    return model->now_ns / MS;
}

static bool is_open(const struct lifecycle_order *order) {
    return order->state == CELLAR_ORDER_PLACED || order->state == CELLAR_ORDER_PAID;
}

int64_t lifecycle_reserved(const struct lifecycle_line *line) {
    return line->quantity - line->cancelled - line->fulfilled;
}

struct lifecycle_answer lifecycle_answer(cellar_status status) {
    return (struct lifecycle_answer){.status = status, .line = CELLAR_NO_LINE};
}

struct lifecycle_answer lifecycle_answer_short(cellar_status status, uint32_t line,
                                               int64_t available, int64_t needed) {
    return (struct lifecycle_answer){.status = status,
                                     .line = line,
                                     .available = available > 0 ? available : 0,
                                     .needed = needed};
}

struct lifecycle_answer lifecycle_answer_again(uint64_t lsn) {
    return (struct lifecycle_answer){.status = CELLAR_OK, .repeated = true, .lsn = lsn};
}

/* ---- Effects ---- */

/* Takes `units` of a line back from the order, which are available again. */
void lifecycle_take_back(struct lifecycle *model, struct lifecycle_order *order,
                         struct lifecycle_line *line, int64_t units) {
    line->cancelled += units;
    order->cancelled_value += units * line->unit_price;
    model->available[line->sku] += units;
    model->reserved[line->sku] -= units;
    model->totals.units_ordered -= units;
    model->totals.revenue -= units * line->unit_price;
}

void lifecycle_move_money(struct lifecycle *model, uint64_t account, uint64_t payee,
                          int64_t debit) {
    if (account == 0) {
        return;
    }
    model->balance[account - 1] -= debit;
    if (payee != 0) {
        model->balance[payee - 1] += debit;
        return;
    }
    model->totals.balances -= debit;
    *(debit >= 0 ? &model->totals.debited : &model->totals.credited) += debit >= 0 ? debit : -debit;
}

void lifecycle_enter(struct lifecycle *model, struct lifecycle_order *order,
                     cellar_order_state state, uint64_t lsn) {
    if (order->state != 0) {
        model->totals.orders[order->state]--;
    }
    model->totals.orders[state]++;
    order->state = state;
    order->version = lsn;
    order->changed_ns = model->now_ns;
    if (state != CELLAR_ORDER_PLACED) {
        order->deadline_ms = 0;
    }
    if (lsn > model->last_lsn) {
        model->last_lsn = lsn;
    }
}

static void expire(struct lifecycle *model, struct lifecycle_order *order) {
    for (uint32_t i = 0; i < order->line_count; i++) {
        lifecycle_take_back(model, order, &order->lines[i], lifecycle_reserved(&order->lines[i]));
    }
    lifecycle_enter(model, order, CELLAR_ORDER_EXPIRED, 0);
}

static bool is_overdue(const struct lifecycle *model, const struct lifecycle_order *order) {
    return order->state == CELLAR_ORDER_PLACED && order->deadline_ms != 0 &&
           order->deadline_ms <= now_ms(model);
}

void lifecycle_expire(struct lifecycle *model) {
    for (uint32_t i = 1; i <= model->order_count; i++) {
        if (is_overdue(model, &model->orders[i])) {
            expire(model, &model->orders[i]);
        }
    }
}

/* Somebody lacks units of the SKU: runs overdue holds that stand in its queue. False: there are
 * none; when the next one ends is told. */
static bool expire_some(struct lifecycle *model, uint32_t sku, int64_t *retry_ns) {
    struct lifecycle_order *overdue[LIFECYCLE_BATCH];
    uint32_t found = 0;
    uint32_t looked = 0;
    int64_t next_ms = 0;
    for (uint32_t i = 1; i <= model->order_count; i++) {
        struct lifecycle_order *order = &model->orders[i];
        for (uint32_t k = 0; is_open(order) && k < order->line_count; k++) {
            if (order->lines[k].sku != sku || !order->lines[k].queued || found == LIFECYCLE_BATCH ||
                looked++ >= LIFECYCLE_LOOK_MAX) {
                continue;
            }
            if (is_overdue(model, order)) {
                overdue[found++] = order;
            } else if (order->deadline_ms != 0 && (next_ms == 0 || order->deadline_ms < next_ms)) {
                next_ms = order->deadline_ms;
            }
        }
    }
    for (uint32_t i = 0; i < found; i++) {
        if (is_overdue(model, overdue[i])) {
            expire(model, overdue[i]);
        }
    }
    *retry_ns = next_ms * MS;
    return found != 0;
}

void lifecycle_forget(struct lifecycle *model) {
    int64_t latest_ns = model->now_ns - model->remember_ns;
    if (model->remember_ns == 0) {
        return;
    }
    for (uint32_t i = 1; i <= model->order_count; i++) {
        struct lifecycle_order *order = &model->orders[i];
        if (!is_open(order) && !order->retired && order->changed_ns <= latest_ns) {
            order->retired = true;
            model->totals.retired[order->state]++;
        }
    }
    for (uint32_t i = 1; i <= model->step_count; i++) {
        if (model->steps[i].lsn != 0 && model->steps[i].made_ns <= latest_ns) {
            model->steps[i].lsn = 0;
            model->totals.retired[0]++;
        }
    }
}

int64_t lifecycle_uncovered(const struct lifecycle *model, uint32_t number, uint32_t index) {
    const struct lifecycle_line *asked = &model->orders[number].lines[index];
    int64_t missing = -model->available[asked->sku];
    if (!asked->queued || !is_open(&model->orders[number])) {
        return 0;
    }
    /* Those that came last lack it first. */
    for (uint32_t i = model->order_count; i >= 1; i--) {
        const struct lifecycle_order *order = &model->orders[i];
        for (uint32_t k = order->line_count; is_open(order) && k-- > 0;) {
            const struct lifecycle_line *line = &order->lines[k];
            if (line->sku != asked->sku || !line->queued) {
                continue;
            }
            int64_t lacks = missing < lifecycle_reserved(line) ? missing : lifecycle_reserved(line);
            if (line == asked) {
                return lacks > 0 ? lacks : 0;
            }
            missing -= lacks > 0 ? lacks : 0;
        }
    }
    return 0;
}

/* ---- Placing ---- */

static bool same_request(const struct lifecycle_order *order, const cellar_order_request *request) {
    cellar_order_state state = request->state == 0 ? CELLAR_ORDER_PLACED : request->state;
    if (order->placed_as != state || order->hold_until_ns != request->hold_until_ns ||
        order->asked_account != request->account || order->payee != request->payee ||
        order->line_count != request->line_count) {
        return false;
    }
    for (uint32_t i = 0; i < order->line_count; i++) {
        const struct lifecycle_line *line = &order->lines[i];
        if (strcmp(lifecycle_sku(line->sku), request->lines[i].sku) != 0 ||
            line->quantity != request->lines[i].quantity ||
            line->unit_price != request->lines[i].unit_price) {
            return false;
        }
    }
    return true;
}

static struct lifecycle_answer check_account(uint64_t account) {
    bool there = account <= LIFECYCLE_ACCOUNTS;
    struct lifecycle_answer told = lifecycle_answer(there ? CELLAR_OK : CELLAR_NOT_FOUND);
    told.account = there ? 0 : account;
    return told;
}

struct lifecycle_answer lifecycle_check_money(const struct lifecycle *model, uint64_t account,
                                              uint64_t payee, int64_t debit) {
    uint64_t from = debit >= 0 ? account : payee;
    uint64_t to = debit >= 0 ? payee : account;
    int64_t amount = debit >= 0 ? debit : -debit;
    struct lifecycle_answer told = check_account(from);
    if (account == 0) {
        return lifecycle_answer(CELLAR_OK);
    }
    told = told.status == CELLAR_OK ? check_account(to) : told;
    if (told.status == CELLAR_OK && from == to) {
        return lifecycle_answer(CELLAR_INVALID_ARGUMENT);
    }
    if (told.status != CELLAR_OK || from == 0) {
        return told;
    }
    int64_t room = model->balance[from - 1] - model->floor[from - 1];
    if (room < amount) {
        told = lifecycle_answer_short(CELLAR_INSUFFICIENT_FUNDS, CELLAR_NO_LINE, room, amount);
        told.account = from;
    }
    return told;
}

/* Enough of every SKU, in the order of the stocks? */
static struct lifecycle_answer check_units(struct lifecycle *model,
                                           const struct lifecycle_order *order) {
    for (uint32_t sku = 0; sku < LIFECYCLE_SKUS; sku++) {
        int64_t needed = 0;
        uint32_t first = CELLAR_NO_LINE;
        for (uint32_t i = 0; i < order->line_count; i++) {
            if (order->lines[i].sku == sku) {
                needed += order->lines[i].quantity;
                first = first == CELLAR_NO_LINE ? i : first;
            }
        }
        if (needed == 0) {
            continue;
        }
        int64_t retry_ns = 0;
        int64_t sellable;
        do {
            bool leaves = order->placed_as == CELLAR_ORDER_FULFILLED && model->safety[sku] < 0;
            sellable = model->available[sku] - (leaves ? 0 : model->safety[sku]);
            if (leaves && model->available[sku] - model->safety[sku] < needed) {
                sellable = model->available[sku] - model->safety[sku];
            }
        } while (sellable < needed && expire_some(model, sku, &retry_ns));
        if (sellable < needed) {
            struct lifecycle_answer told =
                lifecycle_answer_short(CELLAR_OUT_OF_STOCK, first, sellable, needed);
            told.retry_ns = retry_ns;
            return told;
        }
    }
    return lifecycle_answer(CELLAR_OK);
}

static void place(struct lifecycle *model, struct lifecycle_order *order, uint64_t lsn) {
    bool leaves = order->placed_as == CELLAR_ORDER_FULFILLED;
    for (uint32_t i = 0; i < order->line_count; i++) {
        struct lifecycle_line *line = &order->lines[i];
        model->available[line->sku] -= line->quantity;
        model->reserved[line->sku] += leaves ? 0 : line->quantity;
        model->totals.units_ordered += line->quantity;
        model->totals.units_fulfilled += leaves ? line->quantity : 0;
        line->fulfilled = leaves ? line->quantity : 0;
    }
    for (uint32_t i = 0; i < order->line_count; i++) {
        struct lifecycle_line *line = &order->lines[i];
        line->waited = model->available[line->sku] < 0;
        line->queued = !leaves && (order->deadline_ms != 0 || line->waited);
    }
    model->totals.order_lines += order->line_count;
    model->totals.revenue += order->total;
    order->account = order->asked_account;
    lifecycle_move_money(model, order->account, order->payee, order->total);
    order->placed_lsn = lsn;
    lifecycle_enter(model, order, order->placed_as, lsn);
}

struct lifecycle_answer lifecycle_place(struct lifecycle *model,
                                        const cellar_order_request *request, uint64_t lsn) {
    struct lifecycle_order *order = &model->orders[request->id.low];
    if (order->state != 0) {
        return same_request(order, request) ? lifecycle_answer_again(order->placed_lsn)
                                            : lifecycle_answer(CELLAR_ID_REUSED);
    }
    struct lifecycle_order made = {.placed_as =
                                       request->state == 0 ? CELLAR_ORDER_PLACED : request->state,
                                   .line_count = (uint32_t)request->line_count,
                                   .hold_until_ns = request->hold_until_ns,
                                   .deadline_ms = request->hold_until_ns / MS,
                                   .asked_account = request->account,
                                   .payee = request->payee};
    for (uint32_t i = 0; i < made.line_count; i++) {
        const cellar_line *line = &request->lines[i];
        made.lines[i] = (struct lifecycle_line){.sku = (uint32_t)(line->sku[1] - '0'),
                                                .quantity = line->quantity,
                                                .unit_price = line->unit_price};
        made.total += line->quantity * line->unit_price;
    }
    if (made.deadline_ms != 0 && made.deadline_ms <= now_ms(model)) {
        return lifecycle_answer(CELLAR_HOLD_EXPIRED);
    }
    struct lifecycle_answer told =
        made.placed_as == CELLAR_ORDER_PLACED
            ? check_account(made.payee)
            : lifecycle_check_money(model, request->account, made.payee, made.total);
    if (told.status == CELLAR_OK) {
        told = check_units(model, &made);
    }
    if (told.status == CELLAR_OK) {
        ASSERT(request->id.low == model->order_count + 1);
        *order = made;
        model->order_count++;
        place(model, order, lsn);
    }
    return told;
}

void lifecycle_receive(struct lifecycle *model, uint32_t sku, int64_t quantity, uint64_t lsn) {
    model->available[sku] += quantity;
    model->totals.units_received += quantity;
    model->last_lsn = lsn;
}

/* ---- Comparing with the store ---- */

static char text[200];

static const char *differs(const char *what, uint64_t number, int64_t is, int64_t expected) {
    (void)snprintf(text, sizeof text, "%s %llu: %lld, not %lld", what, (unsigned long long)number,
                   (long long)is, (long long)expected);
    return text;
}

#define SAME(what, number, is, expected)                                                           \
    if ((int64_t)(is) != (int64_t)(expected)) {                                                    \
        return differs(what, number, (int64_t)(is), (int64_t)(expected));                          \
    }

static const char *compare_order(struct lifecycle *model, cellar *store, uint32_t number) {
    struct lifecycle_order *order = &model->orders[number];
    cellar_order got;
    cellar_order_line lines[LIFECYCLE_LINES];
    const cellar_id id = {0x5a, number};
    cellar_status status = cellar_order_get(store, id, &got, lines, LIFECYCLE_LINES);
    SAME("order: status", number, status, order->retired ? CELLAR_NOT_FOUND : CELLAR_OK)
    if (order->retired && order->version == 0) {
        return NULL;
    }
    if (order->retired) {
        status = cellar_order_at(store, id, order->version, &got, lines, LIFECYCLE_LINES);
        SAME("retired order: status", number, status, CELLAR_OK)
    }
    SAME("order: state", number, got.state, order->state)
    if (order->version == 0) {
        order->version = got.version;
    }
    SAME("order: version", number, got.version, order->version)
    SAME("order: placed", number, got.placed_lsn, order->placed_lsn)
    SAME("order: account", number, got.account, order->account)
    SAME("order: payee", number, got.payee, order->payee)
    SAME("order: total", number, got.total, order->total)
    SAME("order: cancelled value", number, got.cancelled_value, order->cancelled_value)
    SAME("order: returned value", number, got.returned_value, order->returned_value)
    SAME("order: deadline", number, got.hold_until_ns, order->deadline_ms * MS)
    SAME("order: lines", number, got.line_count, order->line_count)
    for (uint32_t i = 0; i < order->line_count; i++) {
        const struct lifecycle_line *line = &order->lines[i];
        SAME("order: product", number, lines[i].product, line->sku + 1)
        SAME("order: quantity", number, lines[i].quantity, line->quantity)
        SAME("order: price", number, lines[i].unit_price, line->unit_price)
        SAME("order: cancelled", number, lines[i].cancelled, line->cancelled)
        SAME("order: fulfilled", number, lines[i].fulfilled, line->fulfilled)
        SAME("order: returned", number, lines[i].returned, line->returned)
        SAME("order: uncovered", number, lines[i].uncovered, lifecycle_uncovered(model, number, i))
    }
    return NULL;
}

static const char *compare_totals(const struct lifecycle *model, cellar *store) {
    cellar_audit audit;
    (void)cellar_audit_run(store, &audit);
    if (audit.violations != 0) {
        (void)snprintf(text, sizeof text, "audit: %.180s", audit.first_violation);
        return text;
    }
    const cellar_totals *is = &audit.totals;
    const cellar_totals *expected = &model->totals;
    for (uint32_t i = 0; i < 7; i++) {
        SAME("total: orders", i, is->orders[i], expected->orders[i])
        SAME("total: retired", i, is->retired[i], expected->retired[i])
    }
    SAME("total: order lines", 0, is->order_lines, expected->order_lines)
    SAME("total: ordered", 0, is->units_ordered, expected->units_ordered)
    SAME("total: returned", 0, is->units_returned, expected->units_returned)
    SAME("total: revenue", 0, is->revenue, expected->revenue)
    SAME("total: returned value", 0, is->returned_value, expected->returned_value)
    SAME("total: received", 0, is->units_received, expected->units_received)
    SAME("total: fulfilled", 0, is->units_fulfilled, expected->units_fulfilled)
    SAME("total: balances", 0, is->balances, expected->balances)
    SAME("total: credited", 0, is->credited, expected->credited)
    SAME("total: debited", 0, is->debited, expected->debited)
    return NULL;
}

const char *lifecycle_compare(struct lifecycle *model, cellar *store) {
    for (uint32_t i = 0; i < LIFECYCLE_SKUS; i++) {
        const cellar_line line = {.sku = lifecycle_sku(i)};
        cellar_stock stock;
        SAME("stock: status", i, cellar_stock_get(store, &line, &stock), CELLAR_OK)
        SAME("stock: available", i, stock.available, model->available[i])
        SAME("stock: reserved", i, stock.reserved, model->reserved[i])
        SAME("stock: unsellable", i, stock.unsellable, model->unsellable[i])
        SAME("stock: safety", i, stock.safety, model->safety[i])
    }
    for (uint32_t i = 0; i < LIFECYCLE_ACCOUNTS; i++) {
        cellar_account account;
        SAME("account: status", i + 1, cellar_account_get(store, i + 1, &account), CELLAR_OK)
        SAME("account: balance", i + 1, account.balance, model->balance[i])
    }
    for (uint32_t i = 1; i <= model->order_count; i++) {
        const char *wrong = compare_order(model, store, i);
        if (wrong != NULL) {
            return wrong;
        }
    }
    /* No order is there that the model has not. */
    cellar_order order;
    cellar_status status =
        cellar_order_get(store, (cellar_id){0x5a, model->order_count + 1}, &order, NULL, 0);
    SAME("order: too many", model->order_count + 1, status, CELLAR_NOT_FOUND)
    return compare_totals(model, store);
}
