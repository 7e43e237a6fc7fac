/* What do calls say that read back from the log, when a record there is sound but not the one that
 * was written, or cannot be read? They say CORRUPT or IO_ERROR, come to an end, and are right again
 * when the log is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/orders.h"
#include "support/rewrite.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

#define REMEMBERED_MS INT64_C(60000)
#define AWAIT_MS 20000
/* In a cursor: behind the order that was retired at this LSN. */
#define RETIRED (UINT64_C(1) << 63)
/* No call here reads more often. */
#define READS_MAX 60

static const cellar_id none = {0, 0};

/* The LSNs of what happened. */
static struct {
    uint64_t opened, credited, floor, transferred; /* of account 1 */
    uint64_t received, safety, ordered;            /* of the stock */
    uint64_t placed, extended, paid, fulfilled;    /* of order 1 */
    uint64_t closed;                               /* order 2 */
    uint64_t retired[3];                           /* orders 5, 6 of nobody, and 7 */
} at;
static uint32_t slot_1, slot_2; /* of orders 1 and 2 */
static uint32_t stock;
static int64_t collected_ns; /* in the middle of what account 3 collected */

/* ---- The store ---- */

/* Each leaves memory before the next one is placed. */
static void retire(struct shop *shop, uint64_t id, uint64_t customer) {
    cellar_line line = shop_line("a", 0, 1, 10);
    cellar_order_request request = shop_order_request(id, &line, 1);
    cellar_order order;
    request.state = CELLAR_ORDER_FULFILLED;
    request.customer = customer;
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_OK);
    orders_pass(shop, REMEMBERED_MS);
    cellar_status status = CELLAR_OK;
    for (int i = 0; i < AWAIT_MS && status == CELLAR_OK; i++) {
        shop_settle(shop);
        status = cellar_order_get(shop->store, shop_id(id), &order, NULL, 0);
        clock_sleep_ns(status == CELLAR_OK ? ORDERS_MS : 0);
    }
    assert_int_equal(status, CELLAR_NOT_FOUND);
    shop_settle(shop);
}

/* The records that retired them, the latest first. */
static void find_retired(struct shop *shop) {
    const cellar_order_query query = {.customer = 4};
    cellar_order page[4];
    size_t count;
    assert_int_equal(cellar_order_list(shop->store, &query, page, 4, &count, NULL, 0), CELLAR_OK);
    assert_int_equal(count, 2);
    at.retired[0] = page[1].retired_lsn;
    at.retired[2] = page[0].retired_lsn;
    for (uint64_t lsn = at.retired[0] + RECORD_LINE_BYTES; lsn < at.retired[2];
         lsn += RECORD_LINE_BYTES) {
        struct record_header *record;
        if (log_read(shop->store->log, lsn, &record) == CELLAR_OK) {
            at.retired[1] = record->kind == STORE_RETIRE ? lsn : at.retired[1];
            log_release_record(shop->store->log, record);
        }
    }
    assert_true(at.retired[1] > at.retired[0]);
}

static void make_accounts(struct shop *shop) {
    const cellar_account_request collecting = {.id = 3, .collecting = true};
    cellar *store = shop->store;
    cellar_ticket ticket;
    assert_int_equal(cellar_account_open(store, NULL, 1, -5, &ticket, NULL), CELLAR_OK);
    at.opened = ticket.lsn;
    assert_int_equal(cellar_account_credit(store, NULL, shop_id(30), 1, 1000, &ticket, NULL),
                     CELLAR_OK);
    at.credited = ticket.lsn;
    assert_int_equal(cellar_account_set_floor(store, NULL, 1, -9, 0, &ticket, NULL), CELLAR_OK);
    at.floor = ticket.lsn;
    assert_int_equal(cellar_account_create(store, NULL, &collecting, NULL, NULL), CELLAR_OK);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(cellar_account_transfer(store, NULL, none, 1, 3, 10, &ticket, NULL),
                         CELLAR_OK);
        collected_ns = i == 2 ? ticket.time_ns : collected_ns;
        orders_pass(shop, 2);
    }
    at.transferred = ticket.lsn;
}

static void make_orders(struct shop *shop) {
    cellar_line line = shop_line("a", 0, 1, 10);
    cellar_order_request request = shop_order_request(1, &line, 1);
    cellar_order_change changes[] = {
        orders_change(CELLAR_EVENT_EXTEND, 1, 0, NULL, 0),
        orders_change(CELLAR_EVENT_PAY, 1, 0, NULL, 0),
        orders_change(CELLAR_EVENT_FULFIL, 1, 0, NULL, 0),
    };
    uint64_t *lsns[] = {&at.extended, &at.paid, &at.fulfilled};
    cellar_ticket ticket;
    request.reference = "reference";
    request.hold_until_ns = orders_deadline(shop, 500);
    changes[0].hold_until_ns = orders_deadline(shop, 900);
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, &ticket, NULL), CELLAR_OK);
    at.placed = ticket.lsn;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(cellar_order_step(shop->store, NULL, &changes[i], &ticket, NULL),
                         CELLAR_OK);
        *lsns[i] = ticket.lsn;
    }
    at.closed = shop_order(shop, 2, "a", 1, CELLAR_ORDER_FULFILLED).lsn;
    at.ordered = at.closed;
    slot_1 = store_find_order(shop->store->store, shop_id(1))->slot;
    slot_2 = store_find_order(shop->store->store, shop_id(2))->slot;
    stock = store_find_product(shop->store->store, "a", 0)->stock;
}

static int set_up(void **state) {
    static struct shop shop;
    memset(&at, 0, sizeof at);
    shop_prepare(&shop);
    shop.config.remember_closed_ns = REMEMBERED_MS * ORDERS_MS;
    ATOMIC_STORE(&shop.tick_ns, 0, relaxed);
    shop_open(&shop);
    shop_product(&shop, "a");
    at.received = shop_receive(&shop, "a", 0, 100);
    orders_safety(&shop, "a", 3);
    at.safety = shop_stock(&shop, "a", 0).version;
    retire(&shop, 5, 4);
    retire(&shop, 6, 0);
    retire(&shop, 7, 4);
    find_retired(&shop);
    make_accounts(&shop);
    make_orders(&shop);
    shop_settle(&shop);
    /* So that nothing is read from memory. */
    shop_reopen(&shop);
    *state = &shop;
    return 0;
}

static int tear_down(void **state) {
    shop_finish(*state);
    return 0;
}

/* ---- The calls ---- */

static cellar_order order_out;
static cellar_entry entry_out;
static cellar_movement movement_out;
static cellar_account account_out;
static size_t count_out;

static cellar_status order_at(struct shop *shop) {
    return cellar_order_at(shop->store, shop_id(1), at.fulfilled, &order_out, NULL, 0);
}

static cellar_status order_get_closed(struct shop *shop) {
    cellar_order_line line;
    return cellar_order_get(shop->store, shop_id(2), &order_out, &line, 1);
}

static cellar_status give_back(struct shop *shop) {
    const cellar_order_part part = {0, 1};
    const cellar_order_change change = orders_change(CELLAR_EVENT_RETURN, 2, 99, &part, 1);
    return orders_try(shop, &change, NULL);
}

static cellar_status list_after(struct shop *shop, uint64_t cursor) {
    const cellar_order_query query = {.customer = 4, .cursor = cursor};
    cellar_order page[4];
    return cellar_order_list(shop->store, &query, page, 4, &count_out, NULL, 0);
}

static cellar_status list(struct shop *shop) {
    return list_after(shop, 0);
}

static cellar_status list_behind_last(struct shop *shop) {
    return list_after(shop, RETIRED | at.retired[2]);
}

static cellar_status journal(struct shop *shop) {
    cellar_entry page[9];
    return cellar_account_journal(shop->store, 1, 0, page, 9, &count_out);
}

static cellar_status journal_before(struct shop *shop) {
    return cellar_account_journal(shop->store, 1, at.credited, &entry_out, 1, &count_out);
}

/* The credit alone. */
static cellar_status journal_entry(struct shop *shop) {
    return cellar_account_journal(shop->store, 1, at.floor, &entry_out, 1, &count_out);
}

static cellar_status account_past(struct shop *shop) {
    return cellar_account_at(shop->store, 1, at.credited, 0, &account_out);
}

static cellar_status account_past_time(struct shop *shop) {
    return cellar_account_at(shop->store, 1, 0, collected_ns, &account_out);
}

static cellar_status account_collected(struct shop *shop) {
    return cellar_account_at(shop->store, 3, 0, collected_ns, &account_out);
}

static cellar_status payments(struct shop *shop) {
    return cellar_account_collected(shop->store, 3, 0, &entry_out, 1, &count_out);
}

static cellar_status history_page(struct shop *shop, uint64_t before, size_t capacity) {
    const cellar_line line = shop_line("a", 0, 0, 0);
    cellar_movement page[20];
    cellar_status status =
        cellar_stock_history(shop->store, &line, before, page, capacity, &count_out);
    movement_out = page[0];
    return status;
}

static cellar_status history(struct shop *shop) {
    return history_page(shop, 0, 20);
}

static cellar_status history_before(struct shop *shop) {
    return history_page(shop, at.received, 1);
}

/* ---- Records that are others ---- */

#define UPDATE(cell) rewrite_update(to, rewrite_index(to, cell))
#define ORDER_UPDATE UPDATE(store_order_cell(slot_1))
#define PAYLOAD(type, member) ((struct type *)rewrite_payload(to))->member
/* Another object of the kind, which keeps the order of cells. */
#define RENAME(cell, other) *rewrite_cell(to, rewrite_index(to, cell)) = (other)

#define ROWS(X)                                                                                    \
    X(order_at, fulfilled, CORRUPT, RENAME(store_order_cell(slot_1), store_order_cell(99)))        \
    X(order_at, fulfilled, CORRUPT, ORDER_UPDATE->new_value = 0)                                   \
    X(order_at, fulfilled, CORRUPT, ORDER_UPDATE->expected = at.fulfilled)                         \
    X(order_at, fulfilled, CORRUPT, ORDER_UPDATE->expected = at.placed + RECORD_LINE_BYTES)        \
    X(order_at, paid, CORRUPT, RENAME(store_order_cell(slot_1), store_order_cell(99)))             \
    X(order_at, paid, CORRUPT, ORDER_UPDATE->new_value = -1)                                       \
    X(order_at, paid, CORRUPT, PAYLOAD(payload_step, order) = 99)                                  \
    X(order_at, paid, CORRUPT, to->record->kind = STORE_STOCK_TAKE)                                \
    X(order_at, placed, CORRUPT, PAYLOAD(payload_document, slot) = 99)                             \
    X(order_at, placed, CORRUPT, to->record->kind |= STORE_KIND_NOTED)                             \
    X(order_at, fulfilled, NOT_FOUND, PAYLOAD(payload_step, id).high = 1)                          \
    X(order_get_closed, closed, CORRUPT, to->record->lsn += RECORD_LINE_BYTES)                     \
    X(order_get_closed, closed, CORRUPT, PAYLOAD(payload_document, slot) = 99)                     \
    X(order_get_closed, closed, CORRUPT, to->record->kind |= STORE_KIND_NOTED)                     \
    X(give_back, closed, CORRUPT, to->record->lsn += RECORD_LINE_BYTES)                            \
    X(give_back, closed, NOT_FOUND, PAYLOAD(payload_document, slot) = 99)                          \
    X(list, retired[2], CORRUPT, to->record->lsn += RECORD_LINE_BYTES)                             \
    X(list, retired[2], CORRUPT, to->record->kind |= STORE_KIND_NOTED)                             \
    X(list, retired[2], CORRUPT, to->record->kind = STORE_STOCK_TAKE)                              \
    X(list, retired[2], CORRUPT, PAYLOAD(payload_retire, customer) = 5)                            \
    X(list, retired[2], CORRUPT, PAYLOAD(payload_retire, previous_lsn) = at.retired[2])            \
    X(list, retired[2], CORRUPT, rewrite_update(to, 0)->expected = at.retired[0])                  \
    X(list_behind_last, retired[2], INVALID_ARGUMENT, to->record->lsn += RECORD_LINE_BYTES)        \
    X(list_behind_last, retired[2], INVALID_ARGUMENT, rewrite_update(to, 0)->old_value ^= 1;       \
      to->seed++)                                                                                  \
    X(journal, floor, CORRUPT, to->record->lsn += RECORD_LINE_BYTES)                               \
    X(journal, floor, CORRUPT, RENAME(store_account_cell(1), store_account_cell(0)))               \
    X(journal, floor, CORRUPT, UPDATE(store_account_cell(1))->expected = at.floor)                 \
    X(journal_before, floor, CORRUPT, RENAME(store_floor_cell(1), store_held_cell(1)))             \
    X(journal_before, floor, CORRUPT, UPDATE(store_floor_cell(1))->expected = at.floor)            \
    X(journal_before, floor, CORRUPT, to->record->lsn += RECORD_LINE_BYTES)                        \
    X(journal_before, credited, INVALID_ARGUMENT, to->record->lsn += RECORD_LINE_BYTES)            \
    X(account_past, transferred, CORRUPT,                                                          \
      UPDATE(store_account_cell(1))->expected = at.transferred)                                    \
    X(account_past, transferred, CORRUPT, to->record->lsn += RECORD_LINE_BYTES)                    \
    X(history, safety, CORRUPT, to->record->lsn += RECORD_LINE_BYTES)                              \
    X(history, received, CORRUPT,                                                                  \
      RENAME(store_stock_cell(stock, STORE_STOCK_SELLABLE),                                        \
             store_stock_cell(stock, STORE_STOCK_UNSELLABLE)))                                     \
    X(history, received, CORRUPT,                                                                  \
      UPDATE(store_stock_cell(stock, STORE_STOCK_SELLABLE))->expected = at.received)               \
    X(history_before, safety, CORRUPT,                                                             \
      RENAME(store_stock_cell(stock, STORE_STOCK_SAFETY_CELL),                                     \
             store_stock_cell(stock, STORE_STOCK_UNSELLABLE)))                                     \
    X(history_before, safety, CORRUPT,                                                             \
      UPDATE(store_stock_cell(stock, STORE_STOCK_SAFETY_CELL))->expected = at.safety)

static void check(const char *row, cellar_status status, cellar_status expected) {
    if (status != expected) {
        fail_msg("%s: %s", row, cellar_status_name(status));
    }
}

#define ROW(call, member, expected, statement)                                                     \
    {                                                                                              \
        struct rewrite rewrite;                                                                    \
        struct rewrite *to = &rewrite;                                                             \
        rewrite_begin(to, shop, at.member);                                                        \
        statement;                                                                                 \
        rewrite_put(to);                                                                           \
        cellar_status status = call(shop);                                                         \
        rewrite_end(to);                                                                           \
        check(#call ": " #statement, status, CELLAR_##expected);                                   \
    }

static void test_each_record_is_checked(void **state) {
    struct shop *shop = *state;
    ROWS(ROW)
}

/* Sound, but nothing is known of it: an entry that says so, and no movement. */
static void test_what_says_nothing(void **state) {
    struct shop *shop = *state;
    struct rewrite rewrite;
    assert_int_equal(journal_entry(shop), CELLAR_OK);
    assert_int_equal(entry_out.kind, CELLAR_ENTRY_CREDITED);
    rewrite_begin(&rewrite, shop, at.credited);
    *(uint64_t *)((struct payload_document *)rewrite_payload(&rewrite) + 1) = 2;
    rewrite_put(&rewrite);
    assert_int_equal(journal_entry(shop), CELLAR_OK);
    assert_int_equal(entry_out.kind, CELLAR_ENTRY_OTHER);
    assert_int_equal(entry_out.amount, 1000);
    /* Malformed: as one with a note, and as several in one commit. */
    const uint16_t kinds[] = {rewrite.record->kind | STORE_KIND_NOTED, STORE_COMPOSED};
    for (size_t i = 0; i < 2; i++) {
        rewrite.record->kind = kinds[i];
        rewrite_put(&rewrite);
        assert_int_equal(journal_entry(shop), CELLAR_OK);
        assert_int_equal(entry_out.kind, CELLAR_ENTRY_OTHER);
    }
    rewrite_end(&rewrite);
    assert_int_equal(history(shop), CELLAR_OK);
    size_t movements = count_out;
    rewrite_begin(&rewrite, shop, at.received);
    for (size_t i = 0; i < 2; i++) {
        rewrite.record->kind = kinds[i];
        rewrite_put(&rewrite);
        assert_int_equal(history(shop), CELLAR_OK);
        assert_int_equal(count_out, movements - 1);
    }
    rewrite_end(&rewrite);
}

/* A cursor names the record that retired an order of the customer, and nothing else. */
/* Neither a part of several nor one is to be seen: the payment is not counted. */
static void test_what_pays_nothing(void **state) {
    struct shop *shop = *state;
    struct rewrite rewrite;
    assert_int_equal(payments(shop), CELLAR_OK);
    assert_int_equal(entry_out.lsn, at.transferred);
    assert_int_equal(entry_out.balance, 60);
    rewrite_begin(&rewrite, shop, at.transferred);
    rewrite.record->kind |= STORE_KIND_NOTED;
    rewrite_put(&rewrite);
    assert_int_equal(payments(shop), CELLAR_OK);
    assert_int_equal(entry_out.balance, 50);
    rewrite.record->kind = STORE_COMPOSED;
    rewrite_put(&rewrite);
    assert_int_equal(payments(shop), CELLAR_OK);
    assert_int_equal(entry_out.balance, 50);
    rewrite_end(&rewrite);
}

static void test_cursors(void **state) {
    struct shop *shop = *state;
    assert_int_equal(list_behind_last(shop), CELLAR_OK);
    assert_int_equal(count_out, 1);
    assert_int_equal(list_after(shop, RETIRED | at.retired[0]), CELLAR_OK);
    assert_int_equal(count_out, 0);
    const uint64_t wrong[] = {at.retired[1], at.retired[2] + RECORD_LINE_BYTES, at.placed,
                              at.retired[2] + 1, 64};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(list_after(shop, RETIRED | wrong[i]), CELLAR_INVALID_ARGUMENT);
    }
}

/* Each read of each call fails once. */
static void test_each_read_may_fail(void **state) {
    struct shop *shop = *state;
    static const struct {
        cellar_status (*call)(struct shop *shop);
        int64_t reads_min;
    } rows[] = {
        /* call  reads at least */
        {order_at, 5},          {order_get_closed, 1},
        {give_back, 1},         {list, 4},
        {journal, 7},           {journal_before, 2},
        {account_past, 2},      {account_past_time, 4},
        {history, 4},           {history_before, 2},
        {list_behind_last, 2},  {payments, 1},
        {account_collected, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t failed = 0;
        for (; failed < READS_MAX; failed++) {
            memory_disk_fail_after(shop->disk, MEMORY_PREAD, failed, EIO, false);
            cellar_status status = rows[i].call(shop);
            memory_disk_fail_after(shop->disk, MEMORY_PREAD, -1, 0, false);
            if (status == CELLAR_OK) {
                break;
            }
            assert_int_equal(status, CELLAR_IO_ERROR);
        }
        if (failed < rows[i].reads_min || failed == READS_MAX) {
            fail_msg("row %zu: %d reads", i, (int)failed);
        }
    }
    assert_int_equal(account_collected(shop), CELLAR_OK);
    assert_int_equal(account_out.unsettled, 30);
}

/* Of an account that was paid in so many stretches of the log: the search for the right one reads
 * several records, and each of the reads may fail. */
static void test_each_read_of_a_search_may_fail(void **unused) {
    enum {
        STRETCHES = 7
    };
    static char blob[CELLAR_ATTRIBUTES_BYTES_MAX];
    const cellar_account_request collecting = {.id = 3, .collecting = true};
    const cellar_product product = {
        .sku = "large", .attributes = blob, .attributes_bytes = sizeof blob};
    struct shop shop;
    cellar_status status = CELLAR_IO_ERROR;
    int64_t failed = 0;
    (void)unused;
    shop_prepare(&shop);
    ATOMIC_STORE(&shop.tick_ns, 0, relaxed);
    shop_open(&shop);
    shop_account(&shop, 1, 0, 1000);
    assert_int_equal(cellar_account_create(shop.store, NULL, &collecting, NULL, NULL), CELLAR_OK);
    for (int i = 0; i < STRETCHES; i++) {
        cellar_ticket ticket;
        assert_int_equal(cellar_account_transfer(shop.store, NULL, none, 1, 3, 10, &ticket, NULL),
                         CELLAR_OK);
        collected_ns = i == STRETCHES / 2 ? ticket.time_ns : collected_ns;
        orders_pass(&shop, 2);
        for (size_t bytes = 0; bytes < COLLECTED_STRETCH_BYTES; bytes += sizeof blob) {
            assert_int_equal(
                cellar_product_put(shop.store, NULL, &product, CELLAR_VERSION_ANY, NULL, NULL),
                CELLAR_OK);
        }
    }
    shop_reopen(&shop);
    for (; status != CELLAR_OK && failed < READS_MAX; failed++) {
        memory_disk_fail_after(shop.disk, MEMORY_PREAD, failed, EIO, false);
        status = account_collected(&shop);
        memory_disk_fail_after(shop.disk, MEMORY_PREAD, -1, 0, false);
        assert_true(status == CELLAR_OK || status == CELLAR_IO_ERROR);
    }
    assert_int_equal(status, CELLAR_OK);
    assert_true(failed > 4);
    assert_int_equal(account_out.unsettled, 10 * (STRETCHES / 2 + 1));
    shop_finish(&shop);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_each_record_is_checked), TEST(test_what_says_nothing),
        TEST(test_what_pays_nothing),      TEST(test_cursors),
        TEST(test_each_read_may_fail),     cmocka_unit_test(test_each_read_of_a_search_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
