/* Are the statuses what the header says, by number, name and sentence, for good? A program that was
 * compiled against an older header must go on to understand a newer library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cellar.h"

#include <string.h>

struct pinned {
    int number;
    cellar_status status;
    const char *name;
};

static const struct pinned pinned[] = {
    /* number  status  name */
    {0, CELLAR_OK, "OK"},
    {1, CELLAR_OUT_OF_STOCK, "OUT_OF_STOCK"},
    {2, CELLAR_NOT_FOUND, "NOT_FOUND"},
    {3, CELLAR_VERSION_CHANGED, "VERSION_CHANGED"},
    {4, CELLAR_ID_REUSED, "ID_REUSED"},
    {5, CELLAR_NOT_SELLABLE, "NOT_SELLABLE"},
    {6, CELLAR_INSUFFICIENT_FUNDS, "INSUFFICIENT_FUNDS"},
    {7, CELLAR_ILLEGAL_STEP, "ILLEGAL_STEP"},
    {8, CELLAR_ALREADY_EXISTS, "ALREADY_EXISTS"},
    {9, CELLAR_HOLD_EXPIRED, "HOLD_EXPIRED"},
    {10, CELLAR_NOTHING_LEFT, "NOTHING_LEFT"},
    {11, CELLAR_CURRENCY_MISMATCH, "CURRENCY_MISMATCH"},
    {12, CELLAR_LEASE_HELD, "LEASE_HELD"},
    {13, CELLAR_LEASE_LOST, "LEASE_LOST"},
    {20, CELLAR_BUSY, "BUSY"},
    {21, CELLAR_DISK_FULL, "DISK_FULL"},
    {22, CELLAR_STORE_FULL, "STORE_FULL"},
    {23, CELLAR_CONFLICT, "CONFLICT"},
    {30, CELLAR_PAUSED, "PAUSED"},
    {31, CELLAR_ENDED, "ENDED"},
    {32, CELLAR_NOT_STARTED, "NOT_STARTED"},
    {33, CELLAR_EXPIRED, "EXPIRED"},
    {34, CELLAR_SOLD_OUT, "SOLD_OUT"},
    {35, CELLAR_ALREADY_CLAIMED, "ALREADY_CLAIMED"},
    {36, CELLAR_PERIOD_CAP, "PERIOD_CAP"},
    {37, CELLAR_WAITLIST_FULL, "WAITLIST_FULL"},
    {38, CELLAR_NOT_GRANTED, "NOT_GRANTED"},
    {39, CELLAR_ALREADY_REDEEMED, "ALREADY_REDEEMED"},
    {40, CELLAR_REVOKED, "REVOKED"},
    {41, CELLAR_BUDGET_SPENT, "BUDGET_SPENT"},
    {42, CELLAR_NOT_ELIGIBLE, "NOT_ELIGIBLE"},
    {43, CELLAR_BELOW_CLAIMED, "BELOW_CLAIMED"},
    {44, CELLAR_NOT_REDEEMED, "NOT_REDEEMED"},
    {45, CELLAR_NOT_RESTORABLE, "NOT_RESTORABLE"},
    {46, CELLAR_CUSTOMER_PERIOD_CAP, "CUSTOMER_PERIOD_CAP"},
    {100, CELLAR_INVALID_ARGUMENT, "INVALID_ARGUMENT"},
    {101, CELLAR_OUT_OF_MEMORY, "OUT_OF_MEMORY"},
    {102, CELLAR_OVERFLOW, "OVERFLOW"},
    {103, CELLAR_TIMEOUT, "TIMEOUT"},
    {104, CELLAR_OUTCOME_UNKNOWN, "OUTCOME_UNKNOWN"},
    {105, CELLAR_FAILED, "FAILED"},
    {106, CELLAR_CLOSED, "CLOSED"},
    {107, CELLAR_FORKED, "FORKED"},
    {108, CELLAR_LOCKED, "LOCKED"},
    {109, CELLAR_IO_ERROR, "IO_ERROR"},
    {110, CELLAR_CORRUPT, "CORRUPT"},
    {111, CELLAR_UNKNOWN_FORMAT, "UNKNOWN_FORMAT"},
    {112, CELLAR_CONFIG_MISMATCH, "CONFIG_MISMATCH"},
    {113, CELLAR_CLOCK_JUMPED, "CLOCK_JUMPED"},
};
#define PINNED (sizeof pinned / sizeof *pinned)

static const struct pinned *find(int number) {
    for (size_t i = 0; i < PINNED; i++) {
        if (pinned[i].number == number) {
            return &pinned[i];
        }
    }
    return NULL;
}

static void test_numbers_and_names(void **unused) {
    (void)unused;
    for (size_t i = 0; i < PINNED; i++) {
        assert_int_equal(pinned[i].status, pinned[i].number);
        assert_string_equal(cellar_status_name(pinned[i].status), pinned[i].name);
    }
}

static void test_table_is_complete(void **unused) {
    size_t rows = 0;
    (void)unused;
#define COUNT_ROW(number, name, sentence)                                                          \
    rows++;                                                                                        \
    assert_string_equal(cellar_status_text(CELLAR_##name), sentence);
    CELLAR_STATUS_TABLE(COUNT_ROW)
#undef COUNT_ROW
    assert_int_equal(rows, PINNED);
}

static void test_refusals_are_1_to_99(void **unused) {
    (void)unused;
    for (int number = -300; number <= 300; number++) {
        assert_int_equal(cellar_status_is_refusal((cellar_status)number),
                         number >= 1 && number <= 99);
    }
}

static void test_unknown_numbers(void **unused) {
    (void)unused;
    for (int number = -300; number <= 300; number++) {
        if (find(number) == NULL) {
            assert_string_equal(cellar_status_name((cellar_status)number), "UNKNOWN");
            assert_true(strlen(cellar_status_text((cellar_status)number)) > 10);
        }
    }
    assert_string_equal(cellar_status_name((cellar_status)INT32_MIN), "UNKNOWN");
    assert_string_equal(cellar_status_name((cellar_status)INT32_MAX), "UNKNOWN");
}

static void test_sentences_differ(void **unused) {
    (void)unused;
    for (size_t i = 0; i < PINNED; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(cellar_status_text(pinned[i].status),
                                    cellar_status_text(pinned[j].status));
        }
    }
}

static void test_version(void **unused) {
    (void)unused;
    assert_string_equal(cellar_version_string(), "0.1.0");
}

/* What is stored or compiled in must not change its number either. */
static void test_numbers_of_the_domain(void **unused) {
    const int numbers[][2] = {
        /* is  must be */
        {CELLAR_DURABILITY_DEFAULT, 0},
        {CELLAR_DURABLE, 1},
        {CELLAR_RELAXED, 2},
        {CELLAR_REPORT_NOTE, 0},
        {CELLAR_REPORT_WARNING, 1},
        {CELLAR_REPORT_ERROR, 2},
        {CELLAR_PRODUCT_ACTIVE, 0},
        {CELLAR_PRODUCT_HIDDEN, 1},
        {CELLAR_PRODUCT_DISCONTINUED, 2},
        {CELLAR_MOVEMENT_OPENED, 1},
        {CELLAR_MOVEMENT_RECEIVED, 2},
        {CELLAR_MOVEMENT_ADJUSTED, 3},
        {CELLAR_MOVEMENT_SET_ASIDE, 4},
        {CELLAR_MOVEMENT_ANNOUNCED, 5},
        {CELLAR_MOVEMENT_TAKEN, 6},
        {CELLAR_MOVEMENT_COUNTED, 7},
        {CELLAR_MOVEMENT_MOVED, 8},
        {CELLAR_MOVEMENT_SAFETY, 9},
        {CELLAR_MOVEMENT_ORDERED, 10},
        {CELLAR_MOVEMENT_CANCELLED, 11},
        {CELLAR_MOVEMENT_RETURNED, 12},
        {CELLAR_MOVEMENT_STATUS, 13},
        {CELLAR_ORDER_PLACED, 1},
        {CELLAR_ORDER_PAID, 2},
        {CELLAR_ORDER_FULFILLED, 3},
        {CELLAR_ORDER_CANCELLED, 4},
        {CELLAR_ORDER_RETURNED, 5},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        assert_int_equal(numbers[i][0], numbers[i][1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_and_names),     cmocka_unit_test(test_table_is_complete),
        cmocka_unit_test(test_refusals_are_1_to_99),  cmocka_unit_test(test_unknown_numbers),
        cmocka_unit_test(test_sentences_differ),      cmocka_unit_test(test_version),
        cmocka_unit_test(test_numbers_of_the_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
