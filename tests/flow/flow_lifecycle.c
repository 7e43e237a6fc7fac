/* Does the life of orders go as a simple sequential model says, answer by answer: placed, held,
 * paid in part, extended, fulfilled, cancelled and returned by line, expired, back-ordered; and is
 * it all there when the store is closed or loses its power in the middle?
 *
 * In half of the rounds the thread that expires orders is stopped, so that only callers who lack
 * units run what is overdue. In half of the others what is closed is forgotten after a while. SEED=
 * repeats the random choices, STRESS=n makes n times as many rounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/orders.h"

#include "base/clock.h"
#include "support/lifecycle.h"
#include "support/random.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS_MORE 10 /* times as many at most, until all was met */
#define CALLS 600
#define REMEMBERED_MS 50
/* Models as they were after each of the latest changes, for a power cut in the middle of them. */
#define PASTS 16

static uint64_t seed;
/* By event (0: place) and status; statuses that are no refusals count as one. */
#define OTHER_STATUS 23
static uint64_t counts[6][OTHER_STATUS + 1];
static uint64_t openings, lost_changes, expired, forgotten;

struct flow {
    struct shop shop;
    struct random random;
    struct lifecycle now;
    struct lifecycle *pasts; /* PASTS of them; [0] is the oldest */
    uint32_t past_count;
    bool expires; /* by itself */
    bool forgets;
    uint64_t made; /* calls */
};

static uint64_t below(struct flow *flow, uint64_t limit) {
    return random_below(&flow->random, limit);
}

static bool one_in(struct flow *flow, uint64_t n) {
    return below(flow, n) == 0;
}

/* ---- Set-up ---- */

static void begin(struct flow *flow) {
    static const int64_t safeties[LIFECYCLE_SKUS] = {0, -25, 3, -8};
    struct lifecycle *model = &flow->now;
    memset(model, 0, sizeof *model);
    shop_prepare(&flow->shop);
    flow->shop.config.ring_bytes = UINT64_C(1) << 19;
    ATOMIC_STORE(&flow->shop.tick_ns, 0, relaxed);
    model->remember_ns = flow->forgets ? REMEMBERED_MS * ORDERS_MS : 0;
    flow->shop.config.remember_closed_ns = model->remember_ns;
    shop_open(&flow->shop);
    model->now_ns = SHOP_NOW;
    for (uint32_t i = 0; i < LIFECYCLE_SKUS; i++) {
        shop_goods(&flow->shop, lifecycle_sku(i), 20);
        orders_safety(&flow->shop, lifecycle_sku(i), safeties[i]);
        model->available[i] = 20;
        model->safety[i] = safeties[i];
        model->totals.units_received += 20;
    }
    const cellar_account_request collector = {.id = LIFECYCLE_COLLECTOR, .collecting = true};
    assert_int_equal(cellar_account_create(flow->shop.store, NULL, &collector, NULL, NULL),
                     CELLAR_OK);
    for (uint32_t i = 0; i < LIFECYCLE_MERCHANT - 1; i++) {
        model->balance[i] = 500 * (i + 1);
        model->floor[i] = i == 1 ? -500 : 0;
        shop_account(&flow->shop, i + 1, model->floor[i], model->balance[i]);
        model->totals.credited += model->balance[i];
        model->totals.balances += model->balance[i];
    }
    shop_account(&flow->shop, LIFECYCLE_MERCHANT, 0, 0);
    shop_settle(&flow->shop);
    flow->past_count = 0;
}

static void stop_expiry(struct flow *flow) {
    if (!flow->expires) {
        orders_stop_expiry(&flow->shop);
    }
}

/* ---- Calls ---- */

static void complain(struct flow *flow, const char *what, const struct lifecycle_answer *expected,
                     cellar_status status, const cellar_refusal *refusal, uint64_t lsn) {
    fail_msg("SEED=%" PRIu64 ", call %" PRIu64 ", %s: %s line %d available %" PRId64
             " needed %" PRId64 " retry %" PRId64 " state %u account %" PRIu64 " lsn %" PRIu64
             ", not %s line %d %" PRId64 " %" PRId64 " %" PRId64 " %u %" PRIu64 " %" PRIu64,
             seed, flow->made, what, cellar_status_name(status), (int)refusal->line,
             refusal->available, refusal->needed, refusal->retry_ns, refusal->state,
             refusal->account, lsn, cellar_status_name(expected->status), (int)expected->line,
             expected->available, expected->needed, expected->retry_ns, expected->state,
             expected->account, expected->lsn);
}

static void check(struct flow *flow, const char *what, const struct lifecycle_answer *expected,
                  cellar_status status, const cellar_ticket *ticket,
                  const cellar_refusal *refusal) {
    bool same = status == expected->status;
    if (same && status == CELLAR_OK) {
        same = ticket->repeated == expected->repeated &&
               (!expected->repeated || expected->lsn == 0 || ticket->lsn == expected->lsn);
    } else if (same) {
        same = refusal->line == expected->line && refusal->available == expected->available &&
               refusal->needed == expected->needed && refusal->retry_ns == expected->retry_ns &&
               refusal->state == expected->state && refusal->account == expected->account;
    }
    if (!same) {
        complain(flow, what, expected, status, refusal, ticket->lsn);
    }
}

/* Keeps the model as it was before a change, so that a crash may go back to it. */
static void remember(struct flow *flow) {
    if (flow->past_count == PASTS) {
        shop_settle(&flow->shop);
        flow->past_count = 0;
    }
    flow->pasts[flow->past_count++] = flow->now;
}

static void listed(struct flow *flow) {
    if (flow->now.last_lsn != 0) {
        assert_int_equal(cellar_wait_listed(flow->shop.store, flow->now.last_lsn, -1), CELLAR_OK);
    }
}

/* Who is paid: mostly one of the merchants. */
static uint64_t draw_payee(struct flow *flow, const cellar_order_request *request) {
    uint64_t payee = below(flow, LIFECYCLE_ACCOUNTS + 2);
    if (!one_in(flow, 4)) {
        payee = LIFECYCLE_MERCHANT + below(flow, 2);
    }
    bool moves = request->state >= CELLAR_ORDER_PAID;
    bool wrong = moves && (request->account == 0 || request->account == payee);
    return wrong || one_in(flow, 3) ? 0 : payee;
}

static void call_place(struct flow *flow) {
    struct lifecycle *model = &flow->now;
    bool again = model->order_count > 0 && one_in(flow, 8);
    uint64_t number = again ? 1 + below(flow, model->order_count) : model->order_count + 1;
    cellar_line lines[LIFECYCLE_LINES] = {0};
    const struct lifecycle_order *old = &model->orders[number];
    if (number > LIFECYCLE_ORDERS || (again && old->retired)) {
        return;
    }
    cellar_order_request request = shop_order_request(
        number, lines, again ? old->line_count : 1 + below(flow, LIFECYCLE_LINES));
    for (uint32_t i = 0; i < request.line_count; i++) {
        const struct lifecycle_line *line = &old->lines[i];
        if (again) {
            lines[i] = shop_line(lifecycle_sku(line->sku), 0, line->quantity, line->unit_price);
            continue;
        }
        /* One after the other: compilers evaluate the arguments of a call in different orders. */
        int64_t unit_price = (int64_t)below(flow, 90);
        int64_t quantity = 1 + (int64_t)below(flow, 7);
        uint32_t sku = (uint32_t)below(flow, LIFECYCLE_SKUS);
        lines[i] = shop_line(lifecycle_sku(sku), 0, quantity, unit_price);
    }
    request.state = (cellar_order_state)(again ? (int)old->placed_as : (int)below(flow, 3));
    if (!again && one_in(flow, 10)) {
        request.state = CELLAR_ORDER_FULFILLED;
    }
    if (request.state >= CELLAR_ORDER_PAID) {
        request.account = again ? old->asked_account : below(flow, LIFECYCLE_ACCOUNTS + 2);
    } else {
        request.hold_until_ns = again ? old->hold_until_ns : 0;
        if (!again && !one_in(flow, 3)) {
            request.hold_until_ns = model->now_ns + (int64_t)below(flow, 40) * ORDERS_MS;
        }
    }
    request.payee = again ? old->payee : draw_payee(flow, &request);
    if (again && one_in(flow, 3)) {
        lines[0].unit_price++;
    }
    cellar_ticket ticket = {0};
    cellar_refusal refusal = {0};
    listed(flow);
    remember(flow);
    cellar_status status = cellar_order_place(flow->shop.store, NULL, &request, &ticket, &refusal);
    struct lifecycle_answer expected = lifecycle_place(model, &request, ticket.lsn);
    check(flow, "place", &expected, status, &ticket, &refusal);
    counts[0][status < OTHER_STATUS ? status : OTHER_STATUS]++;
}

/* Parts: mostly good ones; now and then a line that is not there, one twice, or too many units. */
static size_t draw_parts(struct flow *flow, const struct lifecycle_order *order,
                         cellar_order_part parts[LIFECYCLE_LINES]) {
    size_t count = 0;
    for (uint32_t i = 0; i < order->line_count; i++) {
        uint32_t line = order->line_count - 1 - i;
        const struct lifecycle_line *at = &order->lines[line];
        if (one_in(flow, 2)) {
            int64_t limit = one_in(flow, 12) ? at->quantity + 1 : 1 + at->quantity / 2;
            parts[count++] = (cellar_order_part){line, 1 + (int64_t)below(flow, (uint64_t)limit)};
        }
    }
    if (count != 0 && one_in(flow, 25)) {
        parts[0].line = order->line_count + (uint32_t)below(flow, 2);
    }
    if (count > 1 && one_in(flow, 25)) {
        parts[0].line = parts[1].line;
    }
    return count;
}

static cellar_order_change draw_change(struct flow *flow,
                                       cellar_order_part parts[LIFECYCLE_LINES]) {
    struct lifecycle *model = &flow->now;
    /* Mostly one of the latest orders; sometimes one that is not there. */
    uint64_t back = below(flow, one_in(flow, 3) ? model->order_count + 1 : 12);
    uint64_t number = back > model->order_count ? 1 : model->order_count + 1 - back;
    cellar_order_event event = (cellar_order_event)(1 + below(flow, 5));
    cellar_order_change change = orders_change(event, number, 0, parts, 0);
    if (event != CELLAR_EVENT_EXTEND && one_in(flow, 2)) {
        change.part_count = draw_parts(flow, &model->orders[number], parts);
    }
    change.parts = change.part_count == 0 ? NULL : parts;
    if (change.part_count != 0 || event == CELLAR_EVENT_RETURN || one_in(flow, 4)) {
        change.id = shop_id(LIFECYCLE_ORDERS + model->step_count + 1);
        uint64_t taken = 1 + below(flow, model->order_count);
        if (one_in(flow, 20) && !model->orders[taken].retired) {
            change.id = shop_id(taken);
        }
    }
    if (event == CELLAR_EVENT_EXTEND) {
        change.hold_until_ns = model->now_ns + (int64_t)below(flow, 60) * ORDERS_MS;
    }
    change.account = event == CELLAR_EVENT_PAY ? below(flow, LIFECYCLE_ACCOUNTS + 2) : 0;
    change.damaged = event == CELLAR_EVENT_RETURN && one_in(flow, 4);
    return change;
}

/* A step that was made once more, now and then with another content. */
static cellar_order_change draw_again(struct flow *flow, cellar_order_part parts[LIFECYCLE_LINES]) {
    uint64_t number = 1 + below(flow, flow->now.step_count);
    const struct lifecycle_step *step = &flow->now.steps[number];
    cellar_order_change change = step->change;
    memcpy(parts, step->parts, sizeof step->parts);
    change.parts = change.part_count == 0 ? NULL : parts;
    if (change.part_count != 0 && one_in(flow, 2)) {
        parts[0].quantity++;
    }
    return change;
}

static void call_change(struct flow *flow) {
    cellar_order_part parts[LIFECYCLE_LINES] = {0};
    if (flow->now.order_count == 0 || flow->now.step_count == LIFECYCLE_STEPS) {
        return;
    }
    bool again = flow->now.step_count > 0 && one_in(flow, 8);
    cellar_order_change change = again ? draw_again(flow, parts) : draw_change(flow, parts);
    if (change.order.low > LIFECYCLE_ORDERS) {
        return;
    }
    cellar_ticket ticket = {0};
    cellar_refusal refusal = {0};
    remember(flow);
    cellar_status status = cellar_order_step(flow->shop.store, NULL, &change, &ticket, &refusal);
    struct lifecycle_answer expected = lifecycle_change(&flow->now, &change, ticket.lsn);
    check(flow, "step", &expected, status, &ticket, &refusal);
    counts[change.event][status < OTHER_STATUS ? status : OTHER_STATUS]++;
}

static void call_receive(struct flow *flow) {
    uint32_t sku = (uint32_t)below(flow, LIFECYCLE_SKUS);
    int64_t quantity = 1 + (int64_t)below(flow, 6);
    remember(flow);
    lifecycle_receive(&flow->now, sku, quantity,
                      shop_receive(&flow->shop, lifecycle_sku(sku), 0, quantity));
}

/* Until nothing is overdue in the store. */
static void await_expired(struct flow *flow) {
    uint64_t before = flow->now.totals.orders[CELLAR_ORDER_EXPIRED];
    lifecycle_expire(&flow->now);
    expired += flow->now.totals.orders[CELLAR_ORDER_EXPIRED] - before;
    for (uint32_t i = 1; i <= flow->now.order_count; i++) {
        struct lifecycle_order *order = &flow->now.orders[i];
        if (order->state == CELLAR_ORDER_EXPIRED && order->version == 0) {
            orders_await(&flow->shop, i, CELLAR_ORDER_EXPIRED);
            if (flow->forgets) {
                /* Later it may be gone; it is made durable before anything else happens. */
                order->version = shop_order_get(&flow->shop, i).version;
            }
        }
    }
}

/* The thread that retires does so after each audit: two later, all is retired that was due. */
static void await_retired(struct flow *flow) {
    lifecycle_forget(&flow->now);
    for (int i = 0; flow->forgets && i < 3; i++) {
        shop_settle(&flow->shop);
        (void)shop_audit(&flow->shop);
    }
}

static void pass_time(struct flow *flow) {
    int64_t ms = 1 + (int64_t)below(flow, 12);
    listed(flow);
    flow->now.now_ns += ms * ORDERS_MS;
    orders_pass(&flow->shop, ms);
    if (flow->expires) {
        commit_follower_kick(flow->shop.store->commit);
        await_expired(flow);
        await_retired(flow);
    }
}

static void compare(struct flow *flow) {
    shop_settle(&flow->shop);
    const char *wrong = lifecycle_compare(&flow->now, flow->shop.store);
    if (wrong != NULL) {
        fail_msg("SEED=%" PRIu64 ", call %" PRIu64 ": %s", seed, flow->made, wrong);
    }
}

/* ---- Openings ---- */

static void reopen(struct flow *flow) {
    shop_close(&flow->shop);
    shop_open(&flow->shop);
    await_expired(flow);
    await_retired(flow);
    compare(flow);
    stop_expiry(flow);
}

static bool keep_some(void *context, uint64_t item) {
    (void)item;
    return random_below(context, 2) == 0;
}

/* The power is cut while the latest changes are on their way: what must be there is what all of
 * them left, or all but the last ones, as long as those were not known to be durable. */
static void cut_power(struct flow *flow) {
    static struct lifecycle tried;
    struct shop *shop = &flow->shop;
    uint64_t durable = cellar_durable_lsn(shop->store);
    struct memory_disk *cut =
        memory_disk_power_cut(shop->disk, one_in(flow, 3) ? NULL : keep_some, &flow->random);
    shop_close(shop);
    memory_disk_destroy(shop->disk);
    shop->disk = cut;
    shop->options.io = memory_disk_io(cut);
    shop_open(shop);
    orders_await_none_overdue(shop);
    await_retired(flow);
    shop_settle(shop);
    int64_t now_ns = flow->now.now_ns;
    uint64_t lost = UINT64_MAX;
    const char *wrong = "acknowledged as durable and not there";
    for (uint32_t i = flow->past_count + 1; i-- > 0 && lost >= durable;) {
        tried = i == flow->past_count ? flow->now : flow->pasts[i];
        tried.now_ns = now_ns;
        lost = tried.last_lsn;
        lifecycle_expire(&tried);
        lifecycle_forget(&tried);
        wrong = lifecycle_compare(&tried, shop->store);
        if (wrong == NULL) {
            lost_changes += flow->past_count - i;
            flow->now = tried;
            break;
        }
    }
    if (wrong != NULL) {
        fail_msg("SEED=%" PRIu64 ", call %" PRIu64 ", power cut: %s", seed, flow->made, wrong);
    }
    flow->past_count = 0;
    stop_expiry(flow);
}

static void call_any(struct flow *flow) {
    uint64_t kind = below(flow, 100);
    flow->made++;
    if (kind < 30) {
        call_place(flow);
    } else if (kind < 82) {
        call_change(flow);
    } else if (kind < 90) {
        call_receive(flow);
    } else {
        pass_time(flow);
    }
    if (one_in(flow, 60)) {
        compare(flow);
    }
    if (one_in(flow, 150)) {
        openings++;
        if (one_in(flow, 3)) {
            reopen(flow);
        } else {
            cut_power(flow);
        }
    }
}

/* Every answer that is worth asking for. */
static const struct answer_wanted {
    int event;
    cellar_status status;
} answers_wanted[] = {
    {0, CELLAR_OK},        {0, CELLAR_OUT_OF_STOCK},       {0, CELLAR_ID_REUSED},
    {0, CELLAR_NOT_FOUND}, {0, CELLAR_INSUFFICIENT_FUNDS}, {0, CELLAR_HOLD_EXPIRED},
    {1, CELLAR_OK},        {1, CELLAR_ILLEGAL_STEP},       {1, CELLAR_HOLD_EXPIRED},
    {1, CELLAR_NOT_FOUND}, {1, CELLAR_INSUFFICIENT_FUNDS}, {1, CELLAR_NOTHING_LEFT},
    {2, CELLAR_OK},        {2, CELLAR_OUT_OF_STOCK},       {2, CELLAR_NOTHING_LEFT},
    {3, CELLAR_OK},        {3, CELLAR_ID_REUSED},          {3, CELLAR_NOTHING_LEFT},
    {4, CELLAR_OK},        {4, CELLAR_NOTHING_LEFT},       {4, CELLAR_ILLEGAL_STEP},
    {5, CELLAR_OK},        {5, CELLAR_ILLEGAL_STEP},       {5, CELLAR_HOLD_EXPIRED},
    {3, OTHER_STATUS},     {3, CELLAR_INSUFFICIENT_FUNDS}, {4, CELLAR_INSUFFICIENT_FUNDS},
    {1, OTHER_STATUS},
};

/* The first that was not given; NULL: all were. */
static const struct answer_wanted *answer_missing(void) {
    for (size_t i = 0; i < sizeof answers_wanted / sizeof *answers_wanted; i++) {
        if (counts[answers_wanted[i].event][answers_wanted[i].status] == 0) {
            return &answers_wanted[i];
        }
    }
    return NULL;
}

static void test_lives_of_orders(void **unused) {
    static struct flow flow;
    const char *stress = getenv("STRESS");
    uint64_t rounds = LIFECYCLE_ROUNDS * (stress == NULL ? 1 : strtoull(stress, NULL, 0));
    (void)unused;
    flow.random.state = seed;
    flow.pasts = calloc(PASTS, sizeof *flow.pasts);
    assert_non_null(flow.pasts);
    /* What a power cut takes back depends on the log's threads, so that a rare answer may need more
     * rounds. */
    for (uint64_t round = 0;
         round < rounds || (answer_missing() != NULL && round < rounds * ROUNDS_MORE); round++) {
        flow.expires = round % 2 == 0;
        flow.forgets = round % 4 == 0;
        begin(&flow);
        stop_expiry(&flow);
        for (int i = 0; i < CALLS; i++) {
            call_any(&flow);
        }
        if (!flow.expires) {
            orders_start_expiry(&flow.shop);
        }
        commit_follower_kick(flow.shop.store->commit);
        await_expired(&flow);
        compare(&flow);
        forgotten += flow.now.totals.retired[CELLAR_ORDER_FULFILLED];
        shop_finish(&flow.shop);
    }
    free(flow.pasts);
    print_message("# %" PRIu64 " calls, %" PRIu64 " openings, %" PRIu64
                  " changes lost by power cuts, %" PRIu64 " expired by themselves\n",
                  flow.made, openings, lost_changes, expired);
}

static void test_all_was_met(void **unused) {
    const struct answer_wanted *missing = answer_missing();
    (void)unused;
    if (missing != NULL) {
        fail_msg("event %d never answered %s", missing->event, cellar_status_name(missing->status));
    }
    assert_true(lost_changes > 0);
    assert_true(expired > 0);
    assert_true(forgotten > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lives_of_orders),
        cmocka_unit_test(test_all_was_met),
    };
    seed = random_seed_of_run();
    (void)alarm(280);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
