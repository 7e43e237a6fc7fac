/* A store to test through its public interface: opened on a disk in memory (or a real directory),
 * with a clock of the test's, and described as text, so that two states can be compared.
 *
 * Every shop that is finished with shop_finish() has been compared with itself after a power cut,
 * after being killed, and after close and open, and has passed an audit in each. */
#ifndef CELLAR_TESTS_SUPPORT_SHOP_H
#define CELLAR_TESTS_SUPPORT_SHOP_H

#include "cellar.h"
#include "engine/engine.h"
#include "support/memory_io.h"

/* What shop_describe() looks at. */
#define SHOP_LOCATIONS 8  /* 0 to 7, and UINT32_MAX */
#define SHOP_ACCOUNTS 24  /* 1 to 24, and UINT64_MAX */
#define SHOP_CUSTOMERS 12 /* 1 to 12, and UINT64_MAX */
#define SHOP_CODES 8      /* "code 0" to "code 7" */
/* Of every id that shop_id() makes. */
#define SHOP_ID_HIGH 0x5a
#define SHOP_NOW INT64_C(1700000000000000000)

struct shop {
    cellar_config config;
    struct engine_options options;
    struct memory_disk *disk; /* NULL: the real one */
    char directory[256];
    cellar *store;
    char *frozen;
    _Atomic int64_t now_ns;  /* what the clock says next */
    _Atomic int64_t tick_ns; /* by how much it goes on at each look */
    _Atomic uint32_t reports;
};

/* A relaxed store with a ring of 2 MiB and small limits on a disk in memory; not open yet, so that
 * shop->config can be changed. */
void shop_prepare(struct shop *shop);
/* The same in a new directory below TMPDIR. */
void shop_prepare_directory(struct shop *shop);
cellar_status shop_try_open(struct shop *shop, cellar_problem *problem);
/* These must succeed. */
void shop_open(struct shop *shop);
void shop_close(struct shop *shop);
void shop_reopen(struct shop *shop);
/* Compares, see above; closes; gives everything back. */
void shop_finish(struct shop *shop);
/* Closes if open, and gives everything back. */
void shop_abandon(struct shop *shop);

/* Fixtures of cmocka: *state is an open shop, finished by the tear-down. */
int shop_set_up(void **state);
int shop_set_up_oracle(void **state);
int shop_tear_down(void **state);
#define SHOP_TEST(test) cmocka_unit_test_setup_teardown(test, shop_set_up, shop_tear_down)
#define SHOP_TEST_ORACLE(test)                                                                     \
    { #test "_oracle", test, shop_set_up_oracle, shop_tear_down, NULL }

/* Waits until all that was committed is durable and listed. */
void shop_settle(struct shop *shop);
/* Everything that can be read, as text; settles first. The audit must find nothing. For free(). */
char *shop_describe(struct shop *shop);
/* Fails with the first line that differs. */
void shop_check_same(const char *before, const char *after, const char *what);
/* Remembers the state; the state is still that. */
void shop_freeze(struct shop *shop);
void shop_check_frozen(struct shop *shop, const char *what);

/* ---- Short forms; all of them must succeed ---- */

/* Prints into `buffer` and returns it. */
#define SHOP_NAME_BYTES 32
__attribute__((format(printf, 2, 3))) char *shop_name(char buffer[SHOP_NAME_BYTES],
                                                      const char *format, ...);
cellar_id shop_id(uint64_t low);
cellar_line shop_line(const char *sku, uint32_t location, int64_t quantity, int64_t unit_price);
/* An active product without a category. Its numeric id. */
uint64_t shop_product(struct shop *shop, const char *sku);
/* Puts the product as it is, with another status. */
void shop_status(struct shop *shop, const char *sku, cellar_product_status status);
/* Receives; the product must be there. */
uint64_t shop_receive(struct shop *shop, const char *sku, uint32_t location, int64_t quantity);
/* A product of which so much is available at location 0. */
void shop_goods(struct shop *shop, const char *sku, int64_t quantity);
cellar_stock shop_stock(struct shop *shop, const char *sku, uint32_t location);
/* Available. */
int64_t shop_available(struct shop *shop, const char *sku, uint32_t location);
void shop_account(struct shop *shop, uint64_t account, int64_t floor, int64_t balance);
int64_t shop_balance(struct shop *shop, uint64_t account);
/* An order of one line. */
cellar_order_request shop_order_request(uint64_t id, const cellar_line *lines, size_t line_count);
cellar_ticket shop_order(struct shop *shop, uint64_t id, const char *sku, int64_t quantity,
                         cellar_order_state state);
cellar_order shop_order_get(struct shop *shop, uint64_t id);
cellar_audit shop_audit(struct shop *shop);
/* An open campaign with this quota and the name "campaign", to be put. */
cellar_campaign shop_campaign(uint64_t id, int64_t quota);
void shop_campaign_put(struct shop *shop, const cellar_campaign *campaign);
/* Its texts, also of a copy, are there until the next call of the thread. */
const cellar_campaign *shop_campaign_get(struct shop *shop, uint64_t id);
/* The number of the claim. */
uint64_t shop_claim(struct shop *shop, uint64_t campaign, uint64_t customer);
cellar_coupon shop_coupon(struct shop *shop, uint64_t campaign, uint64_t customer,
                          uint32_t ordinal);

/* A refusal with these members, and zero in all others. */
void shop_check_refusal(const cellar_refusal *refusal, cellar_status status, uint32_t line,
                        int64_t available, int64_t needed);
/* INVALID_ARGUMENT about this line, for a reason that begins with `member`. */
void shop_check_invalid(const cellar_refusal *refusal, cellar_status status, uint32_t line,
                        const char *member);

#endif
