/* Does recovery refuse every record that is not well formed, or that contradicts what came before
 * it, and bring back exactly what a well-formed one says? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/recovery.h"

#include <stdlib.h>
#include <string.h>

static unsigned char big[100000]; /* a payload of any size that is in question */

struct document_bytes {
    struct payload_document header;
    struct payload_line lines[2];
    char reference[70];
};

static size_t document_size(const struct document_bytes *document) {
    return sizeof document->header + document->header.line_count * sizeof *document->lines +
           document->header.reference_bytes;
}

/* An order of two lines of stocks 1 and 2, placed. */
static struct document_bytes order_of(uint64_t id) {
    return (struct document_bytes){
        .header = {.id = {0, id}, .line_count = 2, .type = CELLAR_ORDER_PLACED, .total = 9},
        .lines = {{.stock = 1, .quantity = 1}, {.stock = 2, .quantity = 3}}};
}

static const struct record_header *order_record(struct document_bytes *order, uint32_t slot,
                                                size_t bytes) {
    order->header.slot = slot;
    recovery_change(store_order_cell(slot), order->header.type);
    return recovery_record(STORE_ORDER_PLACE, order, bytes);
}

static int place(uint64_t id, uint32_t slot) {
    struct document_bytes order = order_of(id);
    return recovery_redo(order_record(&order, slot, document_size(&order)));
}

/* The event that leads from one state to the other, or some other one. */
static uint8_t event_of(uint8_t to) {
    return to == CELLAR_ORDER_PAID        ? CELLAR_EVENT_PAY
           : to == CELLAR_ORDER_FULFILLED ? CELLAR_EVENT_FULFIL
                                          : CELLAR_EVENT_CANCEL;
}

static int step(uint64_t id, uint32_t slot, uint8_t from, uint8_t to) {
    struct payload_step payload = {
        .id = {0, id}, .order = slot, .event = event_of(to), .from = from, .to = to};
    recovery_change(store_order_cell(slot == 0 || slot > RECOVERY_LIMIT ? 1 : slot), to);
    return recovery_redo(recovery_record(STORE_ORDER_STEP, &payload, sizeof payload));
}

/* ---- Well formed ---- */

/* `bytes` of the payload may be told wrong by `more`. */
static void test_products(void **unused) {
    struct recovery_product product;
    static const struct {
        int more;
        uint8_t sku_bytes, name_bytes, category_bytes, status;
        uint32_t attributes_bytes;
        bool right;
    } rows[] = {
        /* bytes more  sku  name  category  status  attributes  well formed */
        {0, 3, 0, 0, 0, 0, true},      {0, 64, 100, 64, 2, 20, true}, {0, 0, 0, 0, 0, 0, false},
        {0, 65, 0, 0, 0, 0, false},    {0, 3, 0, 65, 0, 0, false},    {0, 3, 0, 0, 3, 0, false},
        {0, 3, 0, 0, 0, 65537, false}, {1, 3, 0, 0, 0, 0, false},     {-1, 3, 0, 0, 0, 0, false},
        {-50, 3, 0, 0, 0, 0, false},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        product = recovery_product(1, 1, 1, "abc");
        memset(product.text, 'x', sizeof product.text);
        product.header.sku_bytes = rows[i].sku_bytes;
        product.header.name_bytes = rows[i].name_bytes;
        product.header.category_bytes = rows[i].category_bytes;
        product.header.status = rows[i].status;
        product.header.attributes_bytes = rows[i].attributes_bytes;
        size_t bytes = sizeof product.header + rows[i].sku_bytes + rows[i].name_bytes +
                       rows[i].category_bytes + rows[i].attributes_bytes;
        memcpy(big, &product, sizeof product);
        recovery_change(store_product_cell(1), 1);
        struct record_header *record = recovery_record(STORE_PRODUCT, big, bytes);
        record->bytes += (uint32_t)rows[i].more;
        assert_int_equal(store_record_check(recovery.store, record), rows[i].right);
    }
    /* A SKU that ends before its length. */
    product = recovery_product(1, 1, 1, "abc");
    product.text[1] = '\0';
    recovery_change(store_product_cell(1), 1);
    assert_false(store_record_check(
        recovery.store, recovery_record(STORE_PRODUCT, &product, sizeof product.header + 3)));
}

static void test_documents(void **unused) {
    (void)unused;
    assert_int_equal(recovery_put(1, 1, 1, "a"), STORE_APPLIED);
    assert_int_equal(recovery_put(2, 2, 2, "b"), STORE_APPLIED);
    static const uint16_t kinds[] = {STORE_STOCK_CHANGE, STORE_ACCOUNT_ENTRY, STORE_ORDER_PLACE,
                                     STORE_ORDER_RETURN};
    static const struct {
        int more;
        uint32_t line_count, stock, cell;
        uint8_t reference_bytes;
        bool right;
    } rows[] = {
        /* bytes more  lines  stock of the second  first cell  reference  well formed */
        {0, 2, 2, 1, 0, true},     {0, 2, 1, 1, 64, true},
        {0, 0, 0, 1, 0, true},     {0, 2, 0, 1, 0, false},
        {0, 2, 3, 1, 0, false},    {0, 2, UINT32_MAX, 1, 0, false},
        {0, 2, 2, 1, 65, false},   {1, 2, 2, 1, 0, false},
        {-1, 2, 2, 1, 0, false},   {-60, 0, 2, 1, 0, false},
        {0, 4097, 2, 1, 0, false}, {0, 2, 2, 0, 0, false}, /* an id, and no document's cell */
    };
    for (size_t kind = 0; kind < 4; kind++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct document_bytes order = order_of(5);
            order.header.line_count = rows[i].line_count;
            order.header.reference_bytes = rows[i].reference_bytes;
            order.header.slot = 3;
            order.lines[1].stock = rows[i].stock;
            size_t bytes = document_size(&order);
            recovery_change(rows[i].cell == 1 ? store_order_cell(3) : store_account_cell(3), 1);
            memcpy(big, &order, sizeof order);
            for (uint32_t line = 2; line < order.header.line_count; line++) {
                memcpy(big + sizeof order.header + line * sizeof *order.lines, &order.lines[0],
                       sizeof *order.lines);
            }
            struct record_header *record = recovery_record(kinds[kind], big, bytes);
            record->bytes += (uint32_t)rows[i].more;
            assert_int_equal(store_record_check(recovery.store, record), rows[i].right);
        }
        /* Without an id it needs no cell of its own; an order has one. */
        struct document_bytes order = order_of(0);
        assert_int_equal(store_record_check(recovery.store, recovery_record(kinds[kind], &order,
                                                                            document_size(&order))),
                         kinds[kind] != STORE_ORDER_PLACE);
        order.header.id.high = 1;
        assert_false(store_record_check(
            recovery.store, recovery_record(kinds[kind], &order, document_size(&order))));
        /* A slot that is not that of its cell, or without an id. */
        order.header.slot = 4;
        recovery_change(store_order_cell(3), 1);
        assert_false(store_record_check(
            recovery.store, recovery_record(kinds[kind], &order, document_size(&order))));
        order = order_of(0);
        order.header.slot = 3;
        recovery_change(store_order_cell(3), 1);
        assert_false(store_record_check(
            recovery.store, recovery_record(kinds[kind], &order, document_size(&order))));
    }
}

/* What is sold or comes back is more than nothing; a stock may change either way. */
static void test_quantities(void **unused) {
    static const struct {
        uint16_t kind;
        int32_t quantity;
        int64_t unit_price;
        bool right;
    } rows[] = {
        /* kind  quantity  unit price  well formed */
        {STORE_ORDER_PLACE, 1, 0, true},
        {STORE_ORDER_PLACE, 0, 0, false},
        {STORE_ORDER_PLACE, -1, 0, false},
        {STORE_ORDER_PLACE, 2, INT64_MIN / 2, true},
        {STORE_ORDER_PLACE, 2, INT64_MAX / 2 + 1, false}, /* beyond what a value may be */
        {STORE_ORDER_RETURN, 1, 0, true},
        {STORE_ORDER_RETURN, 0, 0, false},
        {STORE_ORDER_RETURN, -1, 0, false},
        {STORE_ORDER_RETURN, 2, INT64_MAX / 2 + 1, false},
        {STORE_STOCK_CHANGE, 1, 0, true},
        {STORE_STOCK_CHANGE, -1, 0, true},
    };
    (void)unused;
    assert_int_equal(recovery_put(1, 1, 1, "a"), STORE_APPLIED);
    assert_int_equal(recovery_put(2, 2, 2, "b"), STORE_APPLIED);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct document_bytes order = order_of(5);
        order.header.slot = 3;
        order.lines[1].quantity = rows[i].quantity;
        order.lines[1].unit_price = rows[i].unit_price;
        recovery_change(store_order_cell(3), 1);
        assert_int_equal(store_record_check(recovery.store, recovery_record(rows[i].kind, &order,
                                                                            document_size(&order))),
                         rows[i].right);
    }
}

static void test_short_records(void **unused) {
    static const unsigned char zeros[128];
    static const struct {
        uint16_t kind;
        size_t bytes;
        uint32_t cells;
        bool right;
    } rows[] = {
        /* kind  payload bytes  cells  well formed */
        {STORE_STOCK_OPEN, sizeof(struct payload_stock_open), 2, true},
        {STORE_STOCK_OPEN, sizeof(struct payload_stock_open) + 1, 2, false},
        {STORE_STOCK_OPEN, 0, 2, false},
        {STORE_ACCOUNT_OPEN, sizeof(struct payload_account), 2, true},
        {STORE_ACCOUNT_OPEN, sizeof(struct payload_account) - 1, 2, false},
        {STORE_ORDER_STEP, sizeof(struct payload_step), 1, true},
        {STORE_ORDER_STEP, sizeof(struct payload_step) + 8, 1, false},
        {STORE_ORDER_STEP, sizeof(struct payload_step) - 8, 1, false},
        {STORE_STOCK_TAKE, 0, 1, true},
        {STORE_STOCK_TAKE, 1, 1, false},
        {STORE_STOCK_TAKE, 0, 0, false},
        {STORE_STOCK_COUNT, 0, 1, true},
        {STORE_STOCK_COUNT, 0, 0, false},
        {STORE_STOCK_SAFETY, 0, 2, true},
        {STORE_STOCK_SAFETY, 8, 2, false},
        {STORE_ACCOUNT_FLOOR, sizeof(struct payload_account), 2, true},
        {STORE_ACCOUNT_FLOOR, 0, 2, false},
        {STORE_RETIRE, 0, 1, true},
        {STORE_RETIRE, 0, 0, false},
        {STORE_RETIRE, 0, 2, false},
        {STORE_RETIRE, sizeof(struct payload_retire), 1, true},
        {STORE_RETIRE, sizeof(struct payload_retire) - 8, 1, false},
        {STORE_COMPOSED, 0, 1, false},
        {STORE_COMPOSED, sizeof(struct payload_composed), 1, false},
        {STORE_COMPOSED | STORE_KIND_NOTED, sizeof(struct payload_composed), 1, false},
        {STORE_STOCK_TAKE | STORE_KIND_NOTED, sizeof(struct payload_note), 1, true},
        {STORE_STOCK_TAKE | STORE_KIND_NOTED, sizeof(struct payload_note) + 8, 1, false},
        {STORE_STOCK_TAKE | STORE_KIND_NOTED, 0, 1, false},
        {39, 0, 1, false},
        {UINT16_MAX, 0, 1, false},
        {RECORD_KIND_DOMAIN - 1, 0, 1, false},
        {0, 0, 1, false},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (uint32_t cell = 0; cell < rows[i].cells; cell++) {
            recovery_change(rows[i].kind == STORE_RETIRE
                                ? store_order_cell(1 + cell)
                                : store_stock_cell(1, (enum store_stock_cell)cell),
                            1);
        }
        const struct record_header *record = recovery_record(rows[i].kind, zeros, rows[i].bytes);
        assert_int_equal(store_record_check(recovery.store, record), rows[i].right);
    }
}

static void test_only_documents_are_retired(void **unused) {
    (void)unused;
    recovery_change(store_stock_cell(1, STORE_STOCK_SELLABLE), 1);
    assert_false(store_record_check(recovery.store, recovery_record(STORE_RETIRE, NULL, 0)));
}

/* ---- Contradictions ---- */

/* Whether the cells of a record belong to what is there, after it was applied. */
static void test_cells_of_nothing(void **unused) {
    const struct {
        uint32_t cell;
        int64_t value;
        bool known;
    } rows[] = {
        {store_order_cell(1), CELLAR_ORDER_PAID, true},
        {store_order_cell(1), 0, false}, /* an order in no state */
        {store_order_cell(1), -1, false},
        {store_order_cell(1), STORE_STATE_COUNT, false},
        {store_order_cell(2), -1, true}, /* a slot that was retired */
        {store_order_cell(2), CELLAR_ORDER_PLACED, false},
        {store_stock_cell(1, STORE_STOCK_INCOMING), 5, true},
        {store_stock_cell(7, STORE_STOCK_SELLABLE), 5, false},
        {store_product_cell(1), 1, true},
        {store_product_cell(7), 1, false},
        {store_account_cell(7), 1, false},
        {store_floor_cell(7), 1, false},
    };
    (void)unused;
    assert_int_equal(recovery_put(1, 1, 1, "a"), STORE_APPLIED);
    assert_int_equal(recovery_put(2, 2, 2, "b"), STORE_APPLIED);
    struct document_bytes order = order_of(1);
    const struct record_header *record = order_record(&order, 1, document_size(&order));
    assert_int_equal(recovery_redo(record), STORE_APPLIED);
    assert_true(store_record_known(recovery.store, record));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        recovery_change(rows[i].cell, rows[i].value);
        record = recovery_record(STORE_STOCK_TAKE, NULL, 0);
        assert_int_equal(store_record_known(recovery.store, record), rows[i].known);
    }
}

static void test_products_that_contradict(void **unused) {
    (void)unused;
    assert_int_equal(recovery_put(1, 1, 1, "a"), STORE_APPLIED);
    assert_int_equal(recovery_put(1, 1, 2, "a"), STORE_APPLIED);      /* put again */
    assert_int_equal(recovery_put(1, 1, 3, "b"), STORE_APPLY_BROKEN); /* another SKU in the slot */
    assert_int_equal(recovery_put(2, 2, 4, "a"), STORE_APPLY_BROKEN); /* the SKU in another slot */
    assert_int_equal(recovery_put(1, 3, 5, "a"), STORE_APPLY_BROKEN); /* another stock */
    assert_int_equal(recovery_put(3, 4, 2, "c"),
                     STORE_APPLY_BROKEN); /* the block of another product */
    struct recovery_product product = recovery_product(5, 5, 9, "e");
    recovery_change(store_product_cell(5), 8); /* not the block that the payload names */
    recovery_change(store_stock_cell(5, STORE_STOCK_SELLABLE), 0);
    assert_int_equal(
        recovery_redo(recovery_record(STORE_PRODUCT, &product, sizeof product.header + 1)),
        STORE_APPLY_BROKEN);
    product = recovery_product(6, 6, 10, "f");
    recovery_change(store_product_cell(7), 10); /* nor the product */
    assert_int_equal(
        recovery_redo(recovery_record(STORE_PRODUCT, &product, sizeof product.header + 1)),
        STORE_APPLY_BROKEN);
}

static void test_limits(void **unused) {
    struct recovery_product product = recovery_product(RECOVERY_LIMIT, RECOVERY_LIMIT, 1, "a");
    (void)unused;
    assert_int_equal(recovery_redo(recovery_product_record(&product, sizeof product.header + 1)),
                     STORE_APPLIED);
    product = recovery_product(RECOVERY_LIMIT + 1, 2, 2, "b");
    recovery_change(store_stock_cell(2, STORE_STOCK_SELLABLE), 0);
    assert_int_equal(
        recovery_redo(recovery_record(STORE_PRODUCT, &product, sizeof product.header + 1)),
        STORE_APPLY_LIMIT);
    product = recovery_product(2, RECOVERY_LIMIT + 1, 2, "c");
    recovery_change(store_product_cell(2), 2);
    assert_int_equal(
        recovery_redo(recovery_record(STORE_PRODUCT, &product, sizeof product.header + 1)),
        STORE_APPLY_LIMIT);
    product = recovery_product(3, 3, UINT32_MAX, "d");
    assert_int_equal(recovery_redo(recovery_product_record(&product, sizeof product.header + 1)),
                     STORE_APPLY_LIMIT);
    struct payload_account account = {.account = 4, .slot = RECOVERY_LIMIT + 1};
    recovery_change(store_account_cell(1), 0);
    assert_int_equal(recovery_redo(recovery_record(STORE_ACCOUNT_OPEN, &account, sizeof account)),
                     STORE_APPLY_LIMIT);
    struct payload_stock_open opened = {
        .product = RECOVERY_LIMIT, .stock = RECOVERY_LIMIT + 1, .location = 1};
    recovery_change(store_stock_cell(4, STORE_STOCK_SELLABLE), 0);
    assert_int_equal(recovery_redo(recovery_record(STORE_STOCK_OPEN, &opened, sizeof opened)),
                     STORE_APPLY_LIMIT);
}

static void test_stocks_that_contradict(void **unused) {
    (void)unused;
    assert_int_equal(recovery_put(1, 1, 1, "a"), STORE_APPLIED);
    static const struct {
        uint32_t product, stock, location;
        int result;
    } rows[] = {
        /* product  stock  location  result */
        {1, 5, 3, STORE_APPLIED},      {1, 6, 3, STORE_APPLY_BROKEN}, /* twice at one location */
        {1, 5, 4, STORE_APPLY_BROKEN},                                /* another location's stock */
        {1, 1, 4, STORE_APPLY_BROKEN},                                /* that of location 0 */
        {1, 7, 0, STORE_APPLY_BROKEN}, {0, 7, 4, STORE_APPLY_BROKEN},
        {2, 7, 4, STORE_APPLY_BROKEN}, {UINT32_MAX, 7, 4, STORE_APPLY_BROKEN},
        {1, 0, 4, STORE_APPLY_LIMIT},  {1, 7, 4, STORE_APPLIED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct payload_stock_open opened = {
            .product = rows[i].product, .stock = rows[i].stock, .location = rows[i].location};
        recovery_change(store_stock_cell(10, STORE_STOCK_SELLABLE), 0);
        assert_int_equal(recovery_redo(recovery_record(STORE_STOCK_OPEN, &opened, sizeof opened)),
                         rows[i].result);
    }
    /* A record without a payload whose cell is no stock's. */
    recovery_change(store_account_cell(1), 1);
    assert_int_equal(recovery_redo(recovery_record(STORE_STOCK_TAKE, NULL, 0)), STORE_APPLY_BROKEN);
}

static void test_accounts_that_contradict(void **unused) {
    static const struct {
        uint64_t account;
        uint32_t slot;
        int result;
    } rows[] = {
        /* account  slot  result */
        {7, 1, STORE_APPLIED},      {8, 1, STORE_APPLY_BROKEN}, /* another account in the slot */
        {7, 2, STORE_APPLY_BROKEN},                             /* the account in another slot */
        {9, 0, STORE_APPLY_LIMIT},  {9, 3, STORE_APPLIED},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct payload_account account = {.account = rows[i].account, .slot = rows[i].slot};
        recovery_change(store_account_cell(rows[i].slot), 0);
        assert_int_equal(
            recovery_redo(recovery_record(STORE_ACCOUNT_OPEN, &account, sizeof account)),
            rows[i].result);
    }
}

static void test_orders_that_contradict(void **unused) {
    (void)unused;
    assert_int_equal(recovery_put(1, 1, 1, "a"), STORE_APPLIED);
    assert_int_equal(recovery_put(2, 2, 2, "b"), STORE_APPLIED);
    assert_int_equal(place(1, 1), STORE_APPLIED);
    assert_int_equal(place(2, 1), STORE_APPLY_BROKEN); /* another order in the slot */
    assert_int_equal(place(1, 2), STORE_APPLY_BROKEN); /* the order in another slot */
    struct document_bytes order = order_of(3);
    for (int type = 0; type < 256; type++) {
        if (type < CELLAR_ORDER_PLACED || type > CELLAR_ORDER_FULFILLED) {
            order.header.type = (uint8_t)type;
            assert_int_equal(recovery_redo(order_record(&order, 3, document_size(&order))),
                             STORE_APPLY_BROKEN);
        }
    }
    static const struct {
        uint64_t id;
        uint32_t slot;
        uint8_t from, to;
        int result;
    } rows[] = {
        /* id  slot  from  to  result */
        {1, 0, 1, 2, STORE_APPLY_BROKEN},
        {1, 9, 1, 2, STORE_APPLY_BROKEN},
        {1, UINT32_MAX, 1, 2, STORE_APPLY_BROKEN},
        {1, 1, 0, 2, STORE_APPLY_BROKEN},
        {1, 1, 3, 2, STORE_APPLY_BROKEN},
        {1, 1, 2, 3, STORE_APPLY_BROKEN}, /* it is only placed */
        {2, 1, 1, 2, STORE_APPLY_BROKEN}, /* another order's id */
        {1, 1, 1, 5, STORE_APPLY_BROKEN},
        {1, 1, 1, 255, STORE_APPLY_BROKEN},
        {1, 1, 1, 2, STORE_APPLIED},
        {1, 1, 2, 3, STORE_APPLIED},
        {1, 1, 2, 4, STORE_APPLY_BROKEN}, /* it is closed */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(step(rows[i].id, rows[i].slot, rows[i].from, rows[i].to), rows[i].result);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, recovery_set_up, recovery_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_products),
        TEST(test_documents),
        TEST(test_quantities),
        TEST(test_short_records),
        TEST(test_only_documents_are_retired),
        TEST(test_products_that_contradict),
        TEST(test_cells_of_nothing),
        TEST(test_limits),
        TEST(test_stocks_that_contradict),
        TEST(test_accounts_that_contradict),
        TEST(test_orders_that_contradict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
