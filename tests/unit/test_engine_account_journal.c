/* Does the journal name every change of an account, and does an account's past come back as it was?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/random.h"
#include "support/shop.h"

#include <string.h>

#define MS INT64_C(1000000)
static const cellar_id none = {0, 0};

static size_t journal(struct shop *shop, uint64_t account, uint64_t before, cellar_entry *page,
                      size_t capacity) {
    size_t count;
    assert_int_equal(cellar_account_journal(shop->store, account, before, page, capacity, &count),
                     CELLAR_OK);
    return count;
}

static void check_entry(const cellar_entry *entry, cellar_entry_kind kind, int64_t amount,
                        int64_t held_change, int64_t balance, uint64_t counterpart, uint64_t id) {
    if (entry->kind != kind) {
        fail_msg("kind %d, not %d", (int)entry->kind, (int)kind);
    }
    assert_int_equal(entry->amount, amount);
    assert_int_equal(entry->held_change, held_change);
    assert_int_equal(entry->balance, balance);
    assert_int_equal(entry->counterpart, counterpart);
    assert_int_equal(entry->id.low, id);
}

static void make_history(struct shop *shop) {
    const cellar_call call = {.actor = 42, .reference = "by hand"};
    cellar *store = shop->store;
    shop_goods(shop, "a", 100);
    shop_account(shop, 2, 0, 0);
    assert_int_equal(cellar_account_open(store, NULL, 1, -100, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_credit(store, &call, none, 1, 1000, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_debit(store, NULL, shop_id(1), 1, 50, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_transfer(store, NULL, shop_id(2), 1, 2, 150, NULL, NULL),
                     CELLAR_OK);
    assert_int_equal(cellar_account_transfer(store, NULL, none, 2, 1, 20, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_hold(store, NULL, shop_id(3), 1, 300, 0, NULL, NULL),
                     CELLAR_OK);
    assert_int_equal(cellar_account_post(store, &call, shop_id(3), 200, 2, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_hold(store, NULL, shop_id(4), 1, 10, 0, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_set_floor(store, NULL, 1, -70, 0, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_void(store, NULL, shop_id(4), NULL, NULL), CELLAR_OK);
    cellar_line line = shop_line("a", 0, 1, 30);
    cellar_order_request order = shop_order_request(5, &line, 1);
    order.state = CELLAR_ORDER_PAID;
    order.account = 1;
    order.reference = "invoice 5";
    assert_int_equal(cellar_order_place(store, &call, &order, NULL, NULL), CELLAR_OK);
    shop_order(shop, 6, "a", 1, CELLAR_ORDER_PLACED);
    assert_int_equal(cellar_order_pay(store, NULL, shop_id(6), 1, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_order_cancel(store, NULL, shop_id(5), NULL, NULL), CELLAR_OK);
    order.id = shop_id(7);
    order.state = 0;
    assert_int_equal(cellar_order_return(store, NULL, &order, false, NULL, NULL), CELLAR_OK);
}

static void test_every_kind(void **state) {
    struct shop *shop = *state;
    cellar_entry page[20];
    make_history(shop);
    for (int opening = 0; opening < 2; opening++) {
        assert_int_equal(journal(shop, 1, 0, page, 20), 14);
        const cellar_entry *e = page;
        check_entry(e++, CELLAR_ENTRY_ORDER_RETURNED, 30, 0, 550, 0, 7);
        check_entry(e++, CELLAR_ENTRY_ORDER_CANCELLED, 30, 0, 520, 0, 5);
        check_entry(e++, CELLAR_ENTRY_ORDER_PAID, -100, 0, 490, 0, 6);
        assert_string_equal(e->reference, "invoice 5");
        assert_int_equal(e->actor, 42);
        check_entry(e++, CELLAR_ENTRY_ORDER_PAID, -30, 0, 590, 0, 5);
        check_entry(e++, CELLAR_ENTRY_VOIDED, 0, -10, 620, 0, 4);
        check_entry(e++, CELLAR_ENTRY_FLOOR, 0, 0, 620, 0, 0);
        assert_int_equal(e->held, 10);
        check_entry(e++, CELLAR_ENTRY_HELD, 0, 10, 620, 0, 4);
        assert_int_equal(e->held, 0);
        assert_string_equal(e->reference, "by hand");
        check_entry(e++, CELLAR_ENTRY_POSTED, -200, -300, 620, 2, 3);
        check_entry(e++, CELLAR_ENTRY_HELD, 0, 300, 820, 0, 3);
        check_entry(e++, CELLAR_ENTRY_RECEIVED, 20, 0, 820, 2, 0);
        check_entry(e++, CELLAR_ENTRY_SENT, -150, 0, 800, 2, 2);
        check_entry(e++, CELLAR_ENTRY_DEBITED, -50, 0, 950, 0, 1);
        assert_int_equal(e->actor, 42);
        assert_string_equal(e->reference, "by hand");
        check_entry(e++, CELLAR_ENTRY_CREDITED, 1000, 0, 1000, 0, 0);
        check_entry(e++, CELLAR_ENTRY_OPENED, 0, 0, 0, 0, 0);
        assert_int_equal(journal(shop, 2, 0, page, 20), 4);
        check_entry(&page[0], CELLAR_ENTRY_RECEIVED, 200, 0, 330, 1, 3);
        assert_int_equal(page[0].actor, 42);
        check_entry(&page[1], CELLAR_ENTRY_SENT, -20, 0, 130, 1, 0);
        check_entry(&page[2], CELLAR_ENTRY_RECEIVED, 150, 0, 150, 1, 2);
        check_entry(&page[3], CELLAR_ENTRY_OPENED, 0, 0, 0, 0, 0);
        shop_reopen(shop);
    }
}

static void test_expired_and_settled(void **state) {
    struct shop *shop = *state;
    cellar_entry page[9];
    const cellar_account_request shops = {.id = 2, .collecting = true};
    assert_int_equal(cellar_account_create(shop->store, NULL, &shops, NULL, NULL), CELLAR_OK);
    shop_account(shop, 1, 0, 100);
    assert_int_equal(
        cellar_account_hold(shop->store, NULL, shop_id(1), 1, 40, SHOP_NOW + 50 * MS, NULL, NULL),
        CELLAR_OK);
    ATOMIC_STORE(&shop->now_ns, SHOP_NOW + 60 * MS, relaxed);
    shop_settle(shop);
    uint32_t slot = store_find_order(shop->store->store, shop_id(1))->slot;
    assert_int_equal(engine_account_expire(shop->store, NULL, slot, NULL), CELLAR_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(cellar_account_transfer(shop->store, NULL, none, 1, 2, 10, NULL, NULL),
                         CELLAR_OK);
    }
    assert_int_equal(cellar_account_transfer(shop->store, NULL, none, 2, 1, 25, NULL, NULL),
                     CELLAR_OK);
    assert_int_equal(journal(shop, 1, 0, page, 9), 8);
    check_entry(&page[0], CELLAR_ENTRY_RECEIVED, 25, 0, 95, 2, 0);
    check_entry(&page[1], CELLAR_ENTRY_SENT, -10, 0, 70, 2, 0);
    check_entry(&page[4], CELLAR_ENTRY_EXPIRED, 0, -40, 100, 0, 1);
    assert_int_equal(journal(shop, 2, 0, page, 9), 3);
    check_entry(&page[0], CELLAR_ENTRY_SENT, -25, 0, 5, 1, 0);
    check_entry(&page[1], CELLAR_ENTRY_SETTLED, 30, 0, 30, 0, 0);
    check_entry(&page[2], CELLAR_ENTRY_OPENED, 0, 0, 0, 0, 0);
}

static void check_same(const cellar_entry *entry, const cellar_entry *other) {
    check_entry(entry, other->kind, other->amount, other->held_change, other->balance,
                other->counterpart, other->id.low);
    assert_int_equal(entry->lsn, other->lsn);
    assert_int_equal(entry->time_ns, other->time_ns);
    assert_int_equal(entry->held, other->held);
    assert_string_equal(entry->reference, other->reference);
}

/* Pages of any length, from any entry on, are the same list. */
static void test_pages(void **state) {
    struct shop *shop = *state;
    cellar_entry all[20];
    cellar_entry page[20];
    make_history(shop);
    size_t total = journal(shop, 1, 0, all, 20);
    for (size_t from = 0; from < total; from++) {
        for (size_t capacity = 1; capacity <= total; capacity++) {
            size_t left = total - from - 1;
            size_t count = journal(shop, 1, all[from].lsn, page, capacity);
            assert_int_equal(count, capacity < left ? capacity : left);
            for (size_t i = 0; i < count; i++) {
                check_same(&page[i], &all[from + 1 + i]);
            }
        }
    }
    size_t count = 99;
    cellar_account other;
    assert_int_equal(cellar_account_get(shop->store, 2, &other), CELLAR_OK);
    uint64_t reserved = ATOMIC_LOAD(&shop->store->commit->reserved.lsn, acquire);
    const uint64_t wrong[] = {1, 64, all[0].lsn + 1, all[2].lsn + 64, reserved + 64, UINT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(cellar_account_journal(shop->store, 1, wrong[i], page, 20, &count),
                         CELLAR_INVALID_ARGUMENT);
    }
    assert_int_equal(cellar_account_journal(shop->store, 1, 0, page, 0, &count),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_account_journal(shop->store, 1, 0, page, CELLAR_PAGE_MAX + 1, &count),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_account_journal(shop->store, 0, 0, page, 1, &count),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_account_journal(shop->store, 1, 0, NULL, 1, &count),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_account_journal(shop->store, 3, 0, page, 1, &count), CELLAR_NOT_FOUND);
}

static void check_account(const cellar_account *account, const cellar_account *other) {
    assert_int_equal(account->id, other->id);
    assert_int_equal(account->balance, other->balance);
    assert_int_equal(account->floor, other->floor);
    assert_int_equal(account->version, other->version);
    assert_int_equal(account->held, other->held);
    assert_int_equal(account->available, other->available);
    assert_int_equal(account->currency, other->currency);
    assert_int_equal(account->collecting, other->collecting);
}

#define CHANGES 200

/* Before it was opened, right then, and beyond its newest change. */
static void check_ends(struct shop *shop, const cellar_account *newest) {
    cellar_account account;
    cellar_entry all[CHANGES + 1];
    size_t count = journal(shop, 1, 0, all, CHANGES + 1);
    const cellar_entry *opened = &all[count - 1];
    assert_int_equal(opened->kind, CELLAR_ENTRY_OPENED);
    assert_int_equal(cellar_account_at(shop->store, 1, opened->lsn, 0, &account), CELLAR_OK);
    assert_int_equal(account.balance, 0);
    assert_int_equal(account.available, 50);
    assert_int_equal(cellar_account_at(shop->store, 1, opened->lsn - 1, 0, &account),
                     CELLAR_NOT_FOUND);
    assert_int_equal(cellar_account_at(shop->store, 1, 0, opened->time_ns - 1, &account),
                     CELLAR_NOT_FOUND);
    assert_int_equal(cellar_account_at(shop->store, 1, 0, INT64_MAX, &account), CELLAR_OK);
    check_account(&account, newest);
    assert_int_equal(cellar_account_at(shop->store, 1, UINT64_MAX, 0, &account), CELLAR_OK);
    assert_int_equal(cellar_account_at(shop->store, 2, 0, 0, &account), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_account_at(shop->store, 0, 0, 0, &account), CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_account_at(shop->store, 1, 0, 0, NULL), CELLAR_INVALID_ARGUMENT);
}

/* Random changes, each state remembered; then all are asked for again, by LSN and by time. */
static void test_past(void **state) {
    struct shop *shop = *state;
    static cellar_account past[CHANGES];
    static int64_t times[CHANGES];
    struct random random = {random_seed_of_run()};
    const cellar_account_request terms = {.id = 1, .floor = -50, .currency = 7};
    assert_int_equal(cellar_account_create(shop->store, NULL, &terms, NULL, NULL), CELLAR_OK);
    ATOMIC_STORE(&shop->tick_ns, 100, relaxed);
    uint64_t hold = 1;
    for (size_t i = 0; i < CHANGES; i++) {
        int64_t amount = 1 + (int64_t)random_below(&random, 40);
        cellar_status status = CELLAR_OK;
        cellar_ticket ticket = {.lsn = 0};
        switch (random_below(&random, 6)) {
        case 0:
            status = cellar_account_debit(shop->store, NULL, none, 1, amount, &ticket, NULL);
            break;
        case 1:
            status = cellar_account_hold(shop->store, NULL, shop_id(++hold), 1, amount, 0, &ticket,
                                         NULL);
            break;
        case 2:
            status = cellar_account_void(shop->store, NULL,
                                         shop_id(2 + random_below(&random, hold)), &ticket, NULL);
            break;
        case 3:
            status = cellar_account_set_floor(shop->store, NULL, 1, -amount, 0, &ticket, NULL);
            break;
        default:
            status = cellar_account_credit(shop->store, NULL, none, 1, amount, &ticket, NULL);
            break;
        }
        (void)status; /* refusals change nothing */
        assert_int_equal(cellar_account_get(shop->store, 1, &past[i]), CELLAR_OK);
        cellar_entry entry;
        assert_int_equal(journal(shop, 1, 0, &entry, 1), 1);
        assert_int_equal(entry.lsn, past[i].version);
        times[i] = entry.time_ns;
    }
    shop_reopen(shop);
    cellar_account account;
    for (size_t i = 0; i < CHANGES; i++) {
        uint64_t next = i + 1 < CHANGES ? past[i + 1].version : past[i].version + 6400;
        const uint64_t lsns[] = {past[i].version, past[i].version + 1, next - 1};
        for (size_t k = 0; k < 3 && lsns[k] >= past[i].version; k++) {
            assert_int_equal(cellar_account_at(shop->store, 1, lsns[k], 0, &account), CELLAR_OK);
            check_account(&account, &past[i]);
        }
        bool last = i + 1 == CHANGES || times[i + 1] > times[i];
        if (last) {
            assert_int_equal(cellar_account_at(shop->store, 1, 0, times[i], &account), CELLAR_OK);
            check_account(&account, &past[i]);
        }
    }
    check_ends(shop, &past[CHANGES - 1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_every_kind),
        SHOP_TEST(test_expired_and_settled),
        SHOP_TEST(test_pages),
        SHOP_TEST(test_past),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
