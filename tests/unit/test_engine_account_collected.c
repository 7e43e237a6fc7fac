/* Does the past of a collecting account come back to the penny, by LSN and by time, though payments
 * do not touch it, and is each payment listed, once, with what it was?
 *
 * The test keeps books of its own: what each call that succeeds pays to an account or takes from
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/random.h"
#include "support/shop.h"

#define COLLECTORS 2
#define FIRST 20 /* and 21 */
#define PAYERS 3 /* 1 to 3 */
/* After the last each is looked for through all that came later. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define STEPS 100
#else
#define STEPS 200
#endif
#define PAYMENTS_MAX (2 * STEPS)
static const cellar_id none = {0, 0};

/* What is known of an account after a step. */
struct past {
    uint64_t lsn; /* of the step */
    int64_t time_ns;
    int64_t balance;        /* by the books */
    cellar_account account; /* as it was read then */
};

struct paid {
    uint64_t lsn;
    int64_t time_ns;
    int64_t amount;
    int64_t sum;
};

struct books {
    struct shop *shop;
    struct random random;
    int64_t balance[COLLECTORS];
    struct past past[COLLECTORS][STEPS];
    struct paid paid[COLLECTORS][PAYMENTS_MAX];
    size_t paid_count[COLLECTORS];
    int64_t pays[COLLECTORS]; /* what the step at hand pays */
    uint64_t next_id;
    uint64_t paid_order[COLLECTORS]; /* one that may be cancelled; 0: none */
    int64_t now_ns;
};

static uint64_t run_seed;

static uint64_t collector_of(size_t which) {
    return FIRST + which;
}

/* ---- Steps: each returns its ticket's lsn, 0 when it was refused ---- */

static uint64_t lsn_of(cellar_status status, const cellar_ticket *ticket) {
    return status == CELLAR_OK ? ticket->lsn : 0;
}

static void books_pay(struct books *books, size_t which, int64_t amount) {
    books->pays[which] += amount;
    books->balance[which] += amount;
}

static uint64_t step_transfer(struct books *books, size_t which, int64_t amount) {
    uint64_t payer = 1 + random_below(&books->random, PAYERS);
    cellar_ticket ticket;
    cellar_status status = cellar_account_transfer(books->shop->store, NULL, none, payer,
                                                   collector_of(which), amount, &ticket, NULL);
    assert_int_equal(status, CELLAR_OK);
    books_pay(books, which, amount);
    return ticket.lsn;
}

static uint64_t step_credit(struct books *books, size_t which, int64_t amount) {
    cellar_ticket ticket;
    cellar_status status =
        cellar_account_credit(books->shop->store, NULL, shop_id(++books->next_id),
                              collector_of(which), amount, &ticket, NULL);
    assert_int_equal(status, CELLAR_OK);
    books_pay(books, which, amount);
    return ticket.lsn;
}

/* From one collecting account to the other. */
static uint64_t step_between(struct books *books, size_t which, int64_t amount) {
    cellar_ticket ticket;
    cellar_status status =
        cellar_account_transfer(books->shop->store, NULL, none, collector_of(which),
                                collector_of(1 - which), amount, &ticket, NULL);
    assert_int_equal(status,
                     books->balance[which] >= amount ? CELLAR_OK : CELLAR_INSUFFICIENT_FUNDS);
    if (status == CELLAR_OK) {
        books->balance[which] -= amount;
        books_pay(books, 1 - which, amount);
    }
    return lsn_of(status, &ticket);
}

static uint64_t step_debit(struct books *books, size_t which, int64_t amount) {
    cellar_ticket ticket;
    cellar_status status = cellar_account_debit(books->shop->store, NULL, none, collector_of(which),
                                                amount, &ticket, NULL);
    assert_int_equal(status,
                     books->balance[which] >= amount ? CELLAR_OK : CELLAR_INSUFFICIENT_FUNDS);
    books->balance[which] -= status == CELLAR_OK ? amount : 0;
    return lsn_of(status, &ticket);
}

static uint64_t step_settle(struct books *books, size_t which, int64_t amount) {
    cellar_ticket ticket;
    (void)amount;
    assert_int_equal(
        cellar_account_settle(books->shop->store, NULL, collector_of(which), &ticket, NULL),
        CELLAR_OK);
    return ticket.repeated ? 0 : ticket.lsn;
}

static uint64_t step_post(struct books *books, size_t which, int64_t amount) {
    cellar_id hold = shop_id(++books->next_id);
    cellar_ticket ticket;
    assert_int_equal(
        cellar_account_hold(books->shop->store, NULL, hold, 1, amount + 5, 0, NULL, NULL),
        CELLAR_OK);
    assert_int_equal(cellar_account_post(books->shop->store, NULL, hold, amount,
                                         collector_of(which), &ticket, NULL),
                     CELLAR_OK);
    books_pay(books, which, amount);
    return ticket.lsn;
}

static cellar_order_request order_of(struct books *books, size_t which, const cellar_line *line) {
    cellar_order_request request = shop_order_request(++books->next_id, line, 1);
    request.account = 2;
    request.payee = collector_of(which);
    return request;
}

static uint64_t step_order(struct books *books, size_t which, int64_t amount) {
    const cellar_line line = shop_line("a", 0, 1, amount);
    cellar_order_request request = order_of(books, which, &line);
    cellar_ticket ticket;
    request.state = CELLAR_ORDER_PAID;
    assert_int_equal(cellar_order_place(books->shop->store, NULL, &request, &ticket, NULL),
                     CELLAR_OK);
    books->paid_order[which] = books->next_id;
    books_pay(books, which, amount);
    return ticket.lsn;
}

/* What the order cost comes back from the payee. */
static uint64_t step_cancel(struct books *books, size_t which, int64_t amount) {
    cellar_ticket ticket = {0};
    (void)amount;
    if (books->paid_order[which] == 0) {
        return 0;
    }
    cellar_id id = shop_id(books->paid_order[which]);
    cellar_order order = shop_order_get(books->shop, books->paid_order[which]);
    cellar_status status = cellar_order_cancel(books->shop->store, NULL, id, &ticket, NULL);
    if (status == CELLAR_OK) {
        books->balance[which] -= order.total;
        books->paid_order[which] = 0;
    }
    return lsn_of(status, &ticket);
}

/* Money that the collecting account gets back as the customer. */
static uint64_t step_return(struct books *books, size_t which, int64_t amount) {
    const cellar_line line = shop_line("a", 0, 1, amount);
    cellar_order_request request = order_of(books, which, &line);
    cellar_ticket ticket;
    request.account = collector_of(which);
    request.payee = 0;
    assert_int_equal(cellar_order_return(books->shop->store, NULL, &request, false, &ticket, NULL),
                     CELLAR_OK);
    books_pay(books, which, amount);
    return ticket.lsn;
}

/* Two payments to one and one to the other, in one commit. */
static uint64_t step_transaction(struct books *books, size_t which, int64_t amount) {
    const cellar_account_entry entries[] = {
        {.account = 1, .to = collector_of(which), .amount = amount},
        {.account = 2, .to = collector_of(which), .amount = 2 * amount},
        {.account = collector_of(1 - which), .amount = 3}};
    const cellar_operation operations[] = {
        {.kind = CELLAR_OPERATION_ACCOUNT_TRANSFER, .entry = &entries[0]},
        {.kind = CELLAR_OPERATION_ACCOUNT_CREDIT, .entry = &entries[2]},
        {.kind = CELLAR_OPERATION_ACCOUNT_TRANSFER, .entry = &entries[1]}};
    cellar_ticket ticket;
    assert_int_equal(cellar_transact(books->shop->store, NULL, none, operations, 3, &ticket, NULL),
                     CELLAR_OK);
    books_pay(books, which, 3 * amount);
    books_pay(books, 1 - which, 3);
    return ticket.lsn;
}

/* Nothing about money, but much of the log: other stretches begin. */
static uint64_t step_fill(struct books *books, size_t which, int64_t amount) {
    static char attributes[CELLAR_ATTRIBUTES_BYTES_MAX];
    const cellar_product product = {
        .sku = "filler", .attributes = attributes, .attributes_bytes = sizeof attributes};
    cellar_ticket ticket;
    (void)which;
    (void)amount;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(cellar_product_put(books->shop->store, NULL, &product, 0, &ticket, NULL),
                         CELLAR_OK);
    }
    return ticket.lsn;
}

static uint64_t step_open_again(struct books *books, size_t which, int64_t amount) {
    (void)which;
    (void)amount;
    shop_reopen(books->shop);
    return 0;
}

typedef uint64_t step_function(struct books *books, size_t which, int64_t amount);
static step_function *const steps[] = {
    step_transfer, step_transfer,    step_transfer, step_credit, step_between,
    step_debit,    step_settle,      step_post,     step_order,  step_cancel,
    step_return,   step_transaction, step_fill,     step_fill};

/* ---- The books ---- */

static void books_note(struct books *books, size_t step, uint64_t lsn) {
    shop_settle(books->shop);
    for (size_t i = 0; i < COLLECTORS; i++) {
        struct past *past = &books->past[i][step];
        *past = (struct past){.lsn = lsn != 0    ? lsn
                                     : step != 0 ? books->past[i][step - 1].lsn
                                                 : 0,
                              .time_ns = books->now_ns,
                              .balance = books->balance[i]};
        assert_int_equal(cellar_account_get(books->shop->store, collector_of(i), &past->account),
                         CELLAR_OK);
        assert_int_equal(past->account.balance, past->balance);
        if (books->pays[i] != 0) {
            size_t count = books->paid_count[i]++;
            int64_t before = count == 0 ? 0 : books->paid[i][count - 1].sum;
            books->paid[i][count] = (struct paid){.lsn = lsn,
                                                  .time_ns = books->now_ns,
                                                  .amount = books->pays[i],
                                                  .sum = before + books->pays[i]};
            books->pays[i] = 0;
        }
    }
}

static void check_past(const struct past *past, const cellar_account *account, size_t step) {
    const cellar_account *then = &past->account;
    if (account->balance != past->balance || account->unsettled != then->unsettled ||
        account->available != then->available || account->held != then->held ||
        account->version != then->version || !account->collecting) {
        fail_msg("after step %zu: balance %lld, %lld of it unsettled; it was %lld, %lld", step,
                 (long long)account->balance, (long long)account->unsettled,
                 (long long)past->balance, (long long)then->unsettled);
    }
}

static void books_check_past(const struct books *books) {
    cellar *store = books->shop->store;
    for (size_t i = 0; i < COLLECTORS; i++) {
        for (size_t step = 0; step < STEPS; step++) {
            const struct past *past = &books->past[i][step];
            bool latest = step + 1 == STEPS || books->past[i][step + 1].lsn != past->lsn;
            cellar_account account;
            if (past->lsn != 0 && latest) {
                assert_int_equal(cellar_account_at(store, collector_of(i), past->lsn, 0, &account),
                                 CELLAR_OK);
                check_past(past, &account, step);
            }
            assert_int_equal(cellar_account_at(store, collector_of(i), 0, past->time_ns, &account),
                             CELLAR_OK);
            check_past(past, &account, step);
        }
        const struct past *newest = &books->past[i][STEPS - 1];
        cellar_account now;
        assert_int_equal(cellar_account_at(store, collector_of(i), UINT64_MAX, 0, &now), CELLAR_OK);
        check_past(newest, &now, STEPS - 1);
        assert_int_equal(cellar_account_at(store, collector_of(i), 0, INT64_MAX, &now), CELLAR_OK);
        check_past(newest, &now, STEPS - 1);
    }
}

static void check_payment(const struct paid *paid, const cellar_entry *entry) {
    assert_int_equal(entry->lsn, paid->lsn);
    assert_int_equal(entry->time_ns, paid->time_ns);
    assert_int_equal(entry->amount, paid->amount);
    assert_int_equal(entry->balance, paid->sum);
    assert_int_equal(entry->held, 0);
}

static void books_check_payments(const struct books *books, size_t capacity) {
    cellar_entry page[40];
    for (size_t i = 0; i < COLLECTORS; i++) {
        size_t left = books->paid_count[i];
        size_t count = capacity;
        uint64_t before = 0;
        while (count == capacity) {
            assert_int_equal(cellar_account_collected(books->shop->store, collector_of(i), before,
                                                      page, capacity, &count),
                             CELLAR_OK);
            assert_true(count == (left < capacity ? left : capacity));
            for (size_t k = 0; k < count; k++) {
                check_payment(&books->paid[i][--left], &page[k]);
            }
            before = count == 0 ? 0 : page[count - 1].lsn;
        }
        assert_int_equal(left, 0);
    }
}

static void books_check(const struct books *books) {
    static const size_t capacities[] = {1, 2, 7, 40};
    books_check_past(books);
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        books_check_payments(books, capacities[i]);
    }
    shop_audit(books->shop);
}

static void open_accounts(struct shop *shop) {
    for (size_t i = 0; i < COLLECTORS; i++) {
        const cellar_account_request terms = {.id = collector_of(i), .collecting = true};
        assert_int_equal(cellar_account_create(shop->store, NULL, &terms, NULL, NULL), CELLAR_OK);
    }
    for (uint64_t payer = 1; payer <= PAYERS; payer++) {
        shop_account(shop, payer, 0, 1000000);
    }
}

static void test_books(void **state) {
    static struct books books;
    struct shop *shop = *state;
    books = (struct books){
        .shop = shop, .random = {run_seed}, .next_id = 100, .now_ns = SHOP_NOW + 1000000};
    ATOMIC_STORE(&shop->tick_ns, 0, relaxed);
    open_accounts(shop);
    shop_goods(shop, "a", STEPS);
    for (size_t step = 0; step < STEPS; step++) {
        ATOMIC_STORE(&shop->now_ns, books.now_ns, relaxed);
        step_function *function =
            step % 100 == 99 ? step_open_again
                             : steps[random_below(&books.random, sizeof steps / sizeof *steps)];
        uint64_t lsn = function(&books, random_below(&books.random, COLLECTORS),
                                1 + (int64_t)random_below(&books.random, 90));
        books_note(&books, step, lsn);
        books.now_ns += 1000;
    }
    books_check(&books);
    shop_reopen(shop);
    books_check(&books);
}

int main(void) {
    run_seed = random_seed_of_run();
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_books),
        SHOP_TEST_ORACLE(test_books),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
