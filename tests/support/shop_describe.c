/* A shop as text: all that the public interface tells of it, in a fixed order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct describer {
    struct shop *shop;
    cellar *store;
    FILE *out;
    char categories[64][CELLAR_CATEGORY_BYTES_MAX + 1];
    size_t category_count;
};

static void describe_history(struct describer *to, const cellar_line *line) {
    cellar_movement page[7];
    size_t count = 7;
    uint64_t before = 0;
    int64_t available = shop_stock(to->shop, line->sku, line->location).available;
    while (count == 7) {
        assert_int_equal(cellar_stock_history(to->store, line, before, page, 7, &count), CELLAR_OK);
        for (size_t i = 0; i < count; i++) {
            const cellar_movement *m = &page[i];
            assert_true(before == 0 || m->lsn < before);
            before = m->lsn;
            /* Each entry leads to the one after it. */
            assert_int_equal(m->available, available);
            available -= m->change;
            fprintf(to->out, "   movement %d %+" PRId64 " = %" PRId64, (int)m->kind, m->change,
                    m->available);
            fprintf(to->out, " lsn %" PRIu64 " at %" PRId64 " id %" PRIx64 ".%" PRIx64, m->lsn,
                    m->time_ns, m->id.high, m->id.low);
            fprintf(to->out, " reason %" PRIu32 " \"%s\"\n", m->reason, m->reference);
        }
    }
    assert_int_equal(available, 0);
}

static void describe_stock(struct describer *to, const char *sku, uint32_t location) {
    cellar_line line = {.sku = sku, .location = location};
    cellar_stock stock;
    cellar_status status = cellar_stock_get(to->store, &line, &stock);
    if (status != CELLAR_OK) {
        assert_int_equal(status, CELLAR_NOT_FOUND);
        return;
    }
    assert_int_equal(stock.on_hand, stock.available + stock.reserved + stock.unsellable);
    int64_t available = -1;
    assert_int_equal(cellar_stock_snapshot(to->store, &line, 1, &available, NULL, NULL), CELLAR_OK);
    assert_int_equal(available, stock.available);
    fprintf(to->out, "  at %" PRIu32 ": %" PRId64 " +%" PRId64 " +%" PRId64, location,
            stock.available, stock.reserved, stock.unsellable);
    fprintf(to->out, " incoming %" PRId64 " safety %" PRId64 " version %" PRIu64 "\n",
            stock.incoming, stock.safety, stock.version);
    describe_history(to, &line);
}

static void describe_product(struct describer *to, const cellar_product_summary *summary) {
    cellar_product product;
    cellar_product same;
    static char attributes[CELLAR_ATTRIBUTES_BYTES_MAX];
    assert_int_equal(cellar_product_get(to->store, summary->sku, 0, &product), CELLAR_OK);
    assert_int_equal(cellar_product_get(to->store, NULL, summary->id, &same), CELLAR_OK);
    assert_string_equal(same.sku, product.sku);
    assert_int_equal(same.version, product.version);
    assert_int_equal(summary->version, product.version);
    assert_int_equal(summary->unit_price, product.unit_price);
    assert_string_equal(summary->name, product.name);
    assert_int_equal(cellar_product_attributes(to->store, &product, attributes, sizeof attributes),
                     CELLAR_OK);
    fprintf(to->out, "product %" PRIu64 " \"%s\" \"%s\" in \"%s\" %" PRId64 " status %d",
            product.id, product.sku, product.name, product.category, product.unit_price,
            (int)product.status);
    fprintf(to->out, " attributes %" PRIu32 " %" PRIx64, product.attributes_bytes,
            hash_seeded(0, attributes, product.attributes_bytes));
    fprintf(to->out, " version %" PRIu64 " from %" PRId64 " to %" PRId64, product.version,
            product.created_ns, product.updated_ns);
    fprintf(to->out, " sold %" PRId64 "\n", summary->units_sold);
    for (uint32_t location = 0; location < SHOP_LOCATIONS; location++) {
        describe_stock(to, product.sku, location);
    }
    describe_stock(to, product.sku, UINT32_MAX);
    bool known = product.category[0] == '\0';
    for (size_t i = 0; i < to->category_count; i++) {
        known = known || strcmp(to->categories[i], product.category) == 0;
    }
    if (!known && to->category_count < 64) {
        snprintf(to->categories[to->category_count++], sizeof to->categories[0], "%s",
                 product.category);
    }
}

static void describe_list(struct describer *to, cellar_product_query query, bool in_full) {
    static cellar_product_summary page[16];
    size_t count = 16;
    while (count == 16) {
        assert_int_equal(cellar_product_list(to->store, &query, page, 16, &count), CELLAR_OK);
        for (size_t i = 0; i < count; i++) {
            assert_true(query.before == 0 || page[i].id < query.before);
            query.before = page[i].id;
            if (in_full) {
                assert_int_equal(page[i].status, query.status);
                describe_product(to, &page[i]);
            } else {
                fprintf(to->out, " %" PRIu64, page[i].id);
            }
        }
    }
}

static void describe_order(struct describer *to, const cellar_order *order,
                           const cellar_order_line *lines) {
    static cellar_order_source sources[4 * CELLAR_LINES_MAX];
    cellar_order same;
    size_t count;
    assert_int_equal(
        cellar_order_sources(to->store, order->id, 0, &same, sources, 4 * CELLAR_LINES_MAX, &count),
        CELLAR_OK);
    assert_true(count <= 4 * CELLAR_LINES_MAX);
    assert_memory_equal(&same.id, &order->id, sizeof same.id);
    assert_int_equal(same.version, order->version);
    assert_string_equal(same.reference, order->reference);
    fprintf(to->out, "order %" PRIx64 ".%" PRIx64 " state %d version %" PRIu64, order->id.high,
            order->id.low, (int)order->state, order->version);
    fprintf(to->out, " placed %" PRIu64 " at %" PRId64 " business %" PRId64, order->placed_lsn,
            order->placed_ns, order->business_time_ns);
    fprintf(to->out, " customer %" PRIu64 " account %" PRIu64 " total %" PRId64 " \"%s\"",
            order->customer, order->account, order->total, order->reference);
    fprintf(to->out, " cancelled %" PRId64 " returned %" PRId64 " held %" PRId64 ":",
            order->cancelled_value, order->returned_value, order->hold_until_ns);
    for (uint32_t i = 0; i < order->line_count; i++) {
        const cellar_order_line *line = &lines[i];
        fprintf(to->out, " %" PRIu64 "@%" PRIu32 "*%" PRId64 "*%" PRId64, line->product,
                line->location, line->quantity, line->unit_price);
        fprintf(to->out, "-%" PRId64 "-%" PRId64 "+%" PRId64 "?%" PRId64, line->cancelled,
                line->fulfilled, line->returned, line->uncovered);
    }
    fprintf(to->out, " from");
    for (size_t i = 0; i < count; i++) {
        const cellar_order_source *source = &sources[i];
        fprintf(to->out, " %" PRIu32 ":%" PRIu64 "@%" PRIu32 "*%" PRId64 "/%" PRIu32, source->line,
                source->product, source->location, source->quantity, source->per_unit);
        fprintf(to->out, "-%" PRId64 "-%" PRId64 "+%" PRId64 "?%" PRId64, source->cancelled,
                source->fulfilled, source->returned, source->uncovered);
    }
    fprintf(to->out, "\n");
}

static void describe_orders(struct describer *to, cellar_order_query query, bool in_full) {
    static cellar_order page[8];
    static cellar_order_line lines[CELLAR_LINES_MAX];
    size_t count = 1;
    uint64_t before = UINT64_MAX;
    bool retired = false;
    while (count > 0) {
        assert_int_equal(
            cellar_order_list(to->store, &query, page, 8, &count, lines, CELLAR_LINES_MAX),
            CELLAR_OK);
        size_t line = 0;
        for (size_t i = 0; i < count; i++) {
            uint64_t at = page[i].retired_lsn == 0 ? page[i].cursor : page[i].retired_lsn;
            assert_true(at < before || (page[i].retired_lsn != 0 && !retired));
            retired = page[i].retired_lsn != 0;
            before = at;
            query.before = page[i].id;
            query.cursor = page[i].cursor;
            if (in_full) {
                describe_order(to, &page[i], lines + line);
            } else {
                fprintf(to->out, " %" PRIx64, page[i].id.low);
            }
            line += page[i].line_count;
        }
    }
}

static void describe_journal(struct describer *to, const cellar_account *account) {
    cellar_entry page[7];
    size_t count = 7;
    uint64_t before = 0;
    int64_t balance = account->balance - account->unsettled;
    int64_t held = account->held;
    while (count == 7) {
        assert_int_equal(cellar_account_journal(to->store, account->id, before, page, 7, &count),
                         CELLAR_OK);
        for (size_t i = 0; i < count; i++) {
            const cellar_entry *e = &page[i];
            assert_true(before == 0 ? e->lsn == account->version : e->lsn < before);
            before = e->lsn;
            /* Each entry leads to the one after it. */
            assert_int_equal(e->balance, balance);
            assert_int_equal(e->held, held);
            balance -= e->amount;
            held -= e->held_change;
            fprintf(to->out, "   entry %d %+" PRId64 " = %" PRId64 " held %+" PRId64, (int)e->kind,
                    e->amount, e->balance, e->held_change);
            fprintf(to->out, " lsn %" PRIu64 " at %" PRId64 " with %" PRIu64 " id %" PRIx64 "\n",
                    e->lsn, e->time_ns, e->counterpart, e->id.low);
        }
    }
    assert_int_equal(balance, 0);
    assert_int_equal(held, 0);
}

/* What a collecting account was paid. */
static void describe_collected(struct describer *to, const cellar_account *account) {
    cellar_entry page[7];
    size_t count = account->collecting ? 7 : 0;
    uint64_t before = 0;
    int64_t balance = account->unsettled;
    while (count == 7) {
        assert_int_equal(cellar_account_collected(to->store, account->id, before, page, 7, &count),
                         CELLAR_OK);
        for (size_t i = 0; i < count; i++) {
            const cellar_entry *e = &page[i];
            assert_true(before == 0 ? e->balance >= balance : e->balance == balance);
            assert_true(before == 0 || e->lsn < before);
            before = e->lsn;
            balance = e->balance - e->amount;
            fprintf(to->out, "   paid %d %+" PRId64 " = %" PRId64, (int)e->kind, e->amount,
                    e->balance);
            fprintf(to->out, " lsn %" PRIu64 " at %" PRId64 " by %" PRIu64 " id %" PRIx64 "\n",
                    e->lsn, e->time_ns, e->counterpart, e->id.low);
        }
    }
    assert_int_equal(balance, 0);
}

/* The past that is now is the present. */
static void describe_past(const struct describer *to, const cellar_account *account) {
    cellar_account past;
    assert_int_equal(cellar_account_at(to->store, account->id, UINT64_MAX, 0, &past), CELLAR_OK);
    assert_int_equal(past.balance, account->balance);
    assert_int_equal(past.unsettled, account->unsettled);
    assert_int_equal(past.available, account->available);
    assert_int_equal(past.version, account->version);
}

static void describe_accounts(struct describer *to) {
    for (uint64_t i = 1; i <= SHOP_ACCOUNTS + 1; i++) {
        cellar_account account;
        uint64_t id = i > SHOP_ACCOUNTS ? UINT64_MAX : i;
        cellar_status status = cellar_account_get(to->store, id, &account);
        if (status == CELLAR_OK) {
            fprintf(to->out, "account %" PRIu64 ": %" PRId64 " floor %" PRId64 " version %" PRIu64,
                    account.id, account.balance, account.floor, account.version);
            fprintf(to->out, " held %" PRId64 " available %" PRId64 " unsettled %" PRId64,
                    account.held, account.available, account.unsettled);
            fprintf(to->out, " currency %" PRIu32 " %d\n", account.currency, account.collecting);
            describe_journal(to, &account);
            describe_collected(to, &account);
            describe_past(to, &account);
        } else {
            assert_int_equal(status, CELLAR_NOT_FOUND);
        }
    }
}

static void describe_coupon(struct describer *to, const cellar_coupon *coupon) {
    fprintf(to->out, "  coupon %" PRIu64 " of %" PRIu64 ".%" PRIu32 " state %d", coupon->rank,
            coupon->customer, coupon->ordinal, (int)coupon->state);
    fprintf(to->out, " ahead %" PRId64 " discount %" PRId64 " version %" PRIu64 "\n", coupon->ahead,
            coupon->discount, coupon->version);
}

static void describe_coupons(struct describer *to, cellar_coupon_query query) {
    static cellar_coupon page[7];
    size_t count = 7;
    while (count == 7) {
        assert_int_equal(cellar_coupon_list(to->store, &query, page, 7, &count), CELLAR_OK);
        for (size_t i = 0; i < count; i++) {
            cellar_coupon same;
            assert_int_equal(cellar_coupon_get(to->store, page[i].campaign, page[i].customer,
                                               page[i].ordinal, &same),
                             CELLAR_OK);
            assert_memory_equal(&same, &page[i], sizeof same);
            describe_coupon(to, &page[i]);
            query.before = page[i];
        }
    }
}

static void describe_campaign(struct describer *to, uint64_t id) {
    cellar_campaign campaign;
    assert_int_equal(cellar_campaign_get(to->store, id, &campaign), CELLAR_OK);
    fprintf(to->out, "campaign %" PRIu64 " \"%s\" version %" PRIu64, id, campaign.name,
            campaign.version);
    const int64_t numbers[] = {campaign.quota,
                               campaign.customer_limit,
                               campaign.status,
                               campaign.valid_from_ns,
                               campaign.valid_until_ns,
                               campaign.redeem_until_ns,
                               campaign.waitlist_max,
                               campaign.period_ns,
                               campaign.period_offset_ns,
                               campaign.period_count,
                               campaign.budget,
                               campaign.restore_on_cancel,
                               campaign.created_ns,
                               campaign.updated_ns,
                               campaign.claimed,
                               campaign.admitted,
                               campaign.waiting,
                               campaign.spent,
                               campaign.period_claimed,
                               campaign.discount.kind,
                               campaign.discount.value,
                               campaign.discount.cap,
                               campaign.discount.minimum,
                               campaign.customer_period_ns,
                               campaign.customer_period_offset_ns,
                               campaign.customer_period_count};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        fprintf(to->out, " %" PRId64, numbers[i]);
    }
    for (uint32_t i = 0; i < campaign.discount.product_count; i++) {
        fprintf(to->out, " product %" PRIu64, campaign.discount.products[i]);
    }
    for (uint32_t i = 0; i < campaign.discount.category_count; i++) {
        fprintf(to->out, " in \"%s\"", campaign.discount.categories[i]);
    }
    fprintf(to->out, "\n");
    describe_coupons(to, (cellar_coupon_query){.campaign = id});
}

static void describe_campaigns(struct describer *to) {
    static cellar_campaign_summary page[5];
    size_t count = 5;
    uint64_t before = 0;
    while (count == 5) {
        assert_int_equal(cellar_campaign_list(to->store, before, page, 5, &count), CELLAR_OK);
        for (size_t i = 0; i < count; i++) {
            describe_campaign(to, page[i].id);
            before = page[i].id;
        }
    }
    for (uint64_t i = 1; i <= SHOP_CUSTOMERS + 1; i++) {
        uint64_t customer = i > SHOP_CUSTOMERS ? UINT64_MAX : i;
        fprintf(to->out, "coupons of customer %" PRIu64 ":\n", customer);
        describe_coupons(to, (cellar_coupon_query){.customer = customer});
    }
    for (int i = 0; i < SHOP_CODES; i++) {
        char text[SHOP_NAME_BYTES];
        cellar_code code;
        if (cellar_code_get(to->store, shop_name(text, "code %d", i), &code) == CELLAR_OK) {
            fprintf(to->out, "%s of %" PRIu64 ": %" PRId64 " of %" PRId64 " version %" PRIu64 "\n",
                    text, code.campaign, code.left, code.uses, code.version);
        }
    }
}

static void describe_totals(struct describer *to) {
    cellar_audit audit = shop_audit(to->shop);
    uint64_t numbers[sizeof audit.totals / sizeof(uint64_t)];
    audit.totals.lsn = 0;
    memcpy(numbers, &audit.totals, sizeof numbers);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        fprintf(to->out, "total %zu: %" PRId64 "\n", i, (int64_t)numbers[i]);
    }
}

char *shop_describe(struct shop *shop) {
    char *text = NULL;
    size_t bytes = 0;
    static struct describer to;
    shop_settle(shop);
    to = (struct describer){.shop = shop, .store = shop->store};
    to.out = open_memstream(&text, &bytes);
    assert_non_null(to.out);
    for (int status = 0; status <= CELLAR_PRODUCT_DISCONTINUED; status++) {
        describe_list(&to, (cellar_product_query){.status = (cellar_product_status)status}, true);
    }
    for (size_t i = 0; i < to.category_count; i++) {
        fprintf(to.out, "category \"%s\":", to.categories[i]);
        describe_list(&to, (cellar_product_query){.category = to.categories[i]}, false);
        fprintf(to.out, "\n");
    }
    describe_accounts(&to);
    for (int state = CELLAR_ORDER_PLACED; state <= CELLAR_ORDER_EXPIRED; state++) {
        describe_orders(&to, (cellar_order_query){.state = (cellar_order_state)state}, true);
    }
    for (uint64_t i = 1; i <= SHOP_CUSTOMERS + 1; i++) {
        uint64_t customer = i > SHOP_CUSTOMERS ? UINT64_MAX : i;
        fprintf(to.out, "customer %" PRIu64 ":", customer);
        describe_orders(&to, (cellar_order_query){.customer = customer}, false);
        fprintf(to.out, "\n");
    }
    describe_campaigns(&to);
    describe_totals(&to);
    assert_int_equal(fclose(to.out), 0);
    return text;
}
