#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Opening and closing ---- */

static int64_t shop_clock(void *context) {
    struct shop *shop = context;
    return ATOMIC_ADD(&shop->now_ns, ATOMIC_LOAD(&shop->tick_ns, relaxed), relaxed);
}

static void shop_report(void *context, cellar_report_level level, const char *text) {
    struct shop *shop = context;
    (void)level;
    assert_non_null(text);
    ATOMIC_ADD(&shop->reports, 1, relaxed);
}

void shop_prepare(struct shop *shop) {
    memset(shop, 0, sizeof *shop);
    shop->disk = memory_disk_create();
    snprintf(shop->directory, sizeof shop->directory, "/shop");
    shop->options.io = memory_disk_io(shop->disk);
    shop->config = (cellar_config){.size = sizeof shop->config,
                                   .directory = shop->directory,
                                   .ring_bytes = UINT64_C(2) << 20,
                                   .segment_bytes = UINT64_C(1) << 20,
                                   .products_max = 4096,
                                   .stocks_max = 16384,
                                   .accounts_max = 1024,
                                   .orders_max = 16384,
                                   .campaigns_max = 64,
                                   .grants_max = 16384,
                                   .codes_max = 1024,
                                   .customers_max = 1U << 17,
                                   .durability = CELLAR_RELAXED,
                                   .clock = shop_clock,
                                   .clock_context = shop,
                                   .report = shop_report,
                                   .report_context = shop};
    ATOMIC_STORE(&shop->now_ns, SHOP_NOW, relaxed);
    ATOMIC_STORE(&shop->tick_ns, 1000, relaxed);
}

static void shop_make_directory(char *directory, size_t bytes) {
    const char *base = getenv("TMPDIR");
    snprintf(directory, bytes, "%s/shop.XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(directory));
}

void shop_prepare_directory(struct shop *shop) {
    shop_prepare(shop);
    memory_disk_destroy(shop->disk);
    shop->disk = NULL;
    shop->options.io = NULL;
    shop_make_directory(shop->directory, sizeof shop->directory);
}

cellar_status shop_try_open(struct shop *shop, cellar_problem *problem) {
    return engine_open(&shop->config, &shop->options, &shop->store, problem);
}

void shop_open(struct shop *shop) {
    cellar_problem problem;
    cellar_status status = shop_try_open(shop, &problem);
    if (status != CELLAR_OK) {
        fail_msg("open: %s: %s", cellar_status_name(status), problem.text);
    }
    assert_int_equal(problem.status, CELLAR_OK);
    assert_string_equal(problem.text, "");
}

void shop_close(struct shop *shop) {
    cellar_status status = cellar_close(shop->store);
    shop->store = NULL;
    assert_int_equal(status, CELLAR_OK);
}

void shop_reopen(struct shop *shop) {
    shop_close(shop);
    shop_open(shop);
}

static void shop_for_each_file(const char *from, const char *to) {
    DIR *directory = opendir(from);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        char path[PATH_MAX];
        char command[2 * PATH_MAX + 32];
        if (entry->d_name[0] == '.') {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", from, entry->d_name);
        if (to == NULL) {
            assert_int_equal(unlink(path), 0);
            continue;
        }
        snprintf(command, sizeof command, "cp '%s' '%s/'", path, to);
        assert_int_equal(system(command), 0);
    }
    closedir(directory);
}

static void shop_remove_directory(const char *directory) {
    if (access(directory, F_OK) == 0) {
        shop_for_each_file(directory, NULL);
        assert_int_equal(rmdir(directory), 0);
    }
}

void shop_abandon(struct shop *shop) {
    cellar_close(shop->store);
    shop->store = NULL;
    free(shop->frozen);
    if (shop->disk != NULL) {
        memory_disk_destroy(shop->disk);
    } else {
        shop_remove_directory(shop->directory);
    }
}

/* ---- Comparing ---- */

void shop_settle(struct shop *shop) {
    cellar_statistics statistics;
    assert_int_equal(cellar_statistics_get(shop->store, &statistics), CELLAR_OK);
    if (statistics.reserved_lsn > statistics.durable_lsn) {
        uint64_t last = statistics.reserved_lsn - RECORD_LINE_BYTES;
        assert_int_equal(cellar_wait(shop->store, last, -1), CELLAR_OK);
    }
    if (statistics.reserved_lsn > statistics.listed_lsn) {
        uint64_t last = statistics.reserved_lsn - RECORD_LINE_BYTES;
        assert_int_equal(cellar_wait_listed(shop->store, last, -1), CELLAR_OK);
    }
}

void shop_check_same(const char *before, const char *after, const char *what) {
    size_t line = 0;
    size_t at = 0;
    for (; before[at] == after[at] && before[at] != '\0'; at++) {
        line = before[at] == '\n' ? at + 1 : line;
    }
    if (before[at] != after[at]) {
        int old_bytes = (int)strcspn(before + line, "\n");
        int new_bytes = (int)strcspn(after + line, "\n");
        fail_msg("%s: was \"%.*s\", is \"%.*s\"", what, old_bytes, before + line, new_bytes,
                 after + line);
    }
}

void shop_freeze(struct shop *shop) {
    free(shop->frozen);
    shop->frozen = shop_describe(shop);
}

void shop_check_frozen(struct shop *shop, const char *what) {
    char *now = shop_describe(shop);
    shop_check_same(shop->frozen, now, what);
    free(now);
}

/* Opens a copy of the shop as it is on `disk`, or in the directory `copied`, and compares. */
static void shop_check_copy(const struct shop *shop, struct memory_disk *disk, const char *copied,
                            const char *before, const char *what) {
    struct shop copy = {.config = shop->config, .options = shop->options, .disk = disk};
    ATOMIC_STORE(&copy.now_ns, ATOMIC_LOAD(&shop->now_ns, relaxed), relaxed);
    snprintf(copy.directory, sizeof copy.directory, "%s", copied);
    copy.config.directory = copy.directory;
    copy.config.clock_context = &copy;
    copy.config.report_context = &copy;
    copy.options.io = disk == NULL ? NULL : memory_disk_io(disk);
    shop_open(&copy);
    char *after = shop_describe(&copy);
    shop_check_same(before, after, what);
    free(after);
    shop_abandon(&copy);
}

static void shop_check_copies(struct shop *shop, const char *before) {
    if (shop->disk == NULL) {
        char copied[sizeof shop->directory];
        shop_make_directory(copied, sizeof copied);
        shop_for_each_file(shop->directory, copied);
        shop_check_copy(shop, NULL, copied, before, "a copy made while it was open");
        return;
    }
    struct memory_disk *killed = memory_disk_kill(shop->disk);
    shop_check_copy(shop, killed, shop->directory, before, "after being killed");
    struct memory_disk *cut = memory_disk_power_cut(shop->disk, NULL, NULL);
    shop_check_copy(shop, cut, shop->directory, before, "after a power cut");
}

void shop_finish(struct shop *shop) {
    char *before = shop_describe(shop);
    shop_check_copies(shop, before);
    shop_reopen(shop);
    char *after = shop_describe(shop);
    shop_check_same(before, after, "after close and open");
    free(before);
    free(after);
    shop_close(shop);
    shop_abandon(shop);
}

/* ---- Fixtures ---- */

static int shop_set_up_with(void **state, bool oracle) {
    struct shop *shop = malloc(sizeof *shop);
    assert_non_null(shop);
    shop_prepare(shop);
    shop->options.oracle = oracle;
    shop_open(shop);
    *state = shop;
    return 0;
}

int shop_set_up(void **state) {
    return shop_set_up_with(state, false);
}

int shop_set_up_oracle(void **state) {
    return shop_set_up_with(state, true);
}

int shop_tear_down(void **state) {
    shop_finish(*state);
    free(*state);
    return 0;
}

/* ---- Short forms ---- */

char *shop_name(char buffer[SHOP_NAME_BYTES], const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(buffer, SHOP_NAME_BYTES, format, arguments);
    va_end(arguments);
    assert_in_range(bytes, 1, SHOP_NAME_BYTES - 1);
    return buffer;
}

cellar_id shop_id(uint64_t low) {
    return (cellar_id){.high = SHOP_ID_HIGH, .low = low};
}

cellar_line shop_line(const char *sku, uint32_t location, int64_t quantity, int64_t unit_price) {
    return (cellar_line){
        .sku = sku, .location = location, .quantity = quantity, .unit_price = unit_price};
}

uint64_t shop_product(struct shop *shop, const char *sku) {
    cellar_product product = {.sku = sku, .name = sku, .unit_price = 100};
    cellar_ticket ticket;
    assert_int_equal(
        cellar_product_put(shop->store, NULL, &product, CELLAR_VERSION_ABSENT, &ticket, NULL),
        CELLAR_OK);
    return ticket.object;
}

void shop_status(struct shop *shop, const char *sku, cellar_product_status status) {
    cellar_product product;
    assert_int_equal(cellar_product_get(shop->store, sku, 0, &product), CELLAR_OK);
    void *attributes = malloc(product.attributes_bytes + 1);
    assert_int_equal(
        cellar_product_attributes(shop->store, &product, attributes, product.attributes_bytes + 1),
        CELLAR_OK);
    product.attributes = attributes;
    product.status = status;
    assert_int_equal(cellar_product_put(shop->store, NULL, &product, product.version, NULL, NULL),
                     CELLAR_OK);
    free(attributes);
}

uint64_t shop_receive(struct shop *shop, const char *sku, uint32_t location, int64_t quantity) {
    cellar_line line = shop_line(sku, location, quantity, 0);
    cellar_stock_change change = {.lines = &line, .line_count = 1};
    cellar_ticket ticket;
    assert_int_equal(cellar_stock_receive(shop->store, NULL, &change, &ticket, NULL), CELLAR_OK);
    return ticket.lsn;
}

void shop_goods(struct shop *shop, const char *sku, int64_t quantity) {
    shop_product(shop, sku);
    shop_receive(shop, sku, 0, quantity);
}

cellar_stock shop_stock(struct shop *shop, const char *sku, uint32_t location) {
    cellar_line line = shop_line(sku, location, 0, 0);
    cellar_stock stock;
    assert_int_equal(cellar_stock_get(shop->store, &line, &stock), CELLAR_OK);
    return stock;
}

int64_t shop_available(struct shop *shop, const char *sku, uint32_t location) {
    return shop_stock(shop, sku, location).available;
}

void shop_account(struct shop *shop, uint64_t account, int64_t floor, int64_t balance) {
    cellar_id none = {0, 0};
    assert_int_equal(cellar_account_open(shop->store, NULL, account, floor, NULL, NULL), CELLAR_OK);
    if (balance > 0) {
        assert_int_equal(
            cellar_account_credit(shop->store, NULL, none, account, balance, NULL, NULL),
            CELLAR_OK);
    } else if (balance < 0) {
        assert_int_equal(
            cellar_account_debit(shop->store, NULL, none, account, -balance, NULL, NULL),
            CELLAR_OK);
    }
}

int64_t shop_balance(struct shop *shop, uint64_t account) {
    cellar_account found;
    assert_int_equal(cellar_account_get(shop->store, account, &found), CELLAR_OK);
    assert_int_equal(found.id, account);
    return found.balance;
}

cellar_order_request shop_order_request(uint64_t id, const cellar_line *lines, size_t line_count) {
    return (cellar_order_request){.id = shop_id(id), .lines = lines, .line_count = line_count};
}

cellar_ticket shop_order(struct shop *shop, uint64_t id, const char *sku, int64_t quantity,
                         cellar_order_state state) {
    cellar_line line = shop_line(sku, 0, quantity, 100);
    cellar_order_request request = shop_order_request(id, &line, 1);
    cellar_ticket ticket;
    request.state = state;
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, &ticket, NULL), CELLAR_OK);
    return ticket;
}

cellar_order shop_order_get(struct shop *shop, uint64_t id) {
    cellar_order order;
    assert_int_equal(cellar_order_get(shop->store, shop_id(id), &order, NULL, 0), CELLAR_OK);
    return order;
}

cellar_audit shop_audit(struct shop *shop) {
    cellar_audit audit;
    assert_int_equal(cellar_audit_run(shop->store, &audit), CELLAR_OK);
    assert_string_equal(audit.first_violation, "");
    assert_int_equal(audit.violations, 0);
    return audit;
}

/* ---- Refusals ---- */

cellar_campaign shop_campaign(uint64_t id, int64_t quota) {
    return (cellar_campaign){.id = id, .name = "campaign", .quota = quota};
}

void shop_campaign_put(struct shop *shop, const cellar_campaign *campaign) {
    cellar_refusal refusal = {0};
    cellar_status status = cellar_campaign_put(shop->store, NULL, campaign, 0, NULL, &refusal);
    if (status != CELLAR_OK) {
        fail_msg("campaign: %s: %s", cellar_status_name(status),
                 refusal.reason == NULL ? "" : refusal.reason);
    }
}

const cellar_campaign *shop_campaign_get(struct shop *shop, uint64_t id) {
    static _Thread_local cellar_campaign campaign;
    assert_int_equal(cellar_campaign_get(shop->store, id, &campaign), CELLAR_OK);
    return &campaign;
}

uint64_t shop_claim(struct shop *shop, uint64_t campaign, uint64_t customer) {
    cellar_ticket ticket;
    cellar_status status = cellar_coupon_claim(shop->store, NULL, (cellar_id){0, 0}, campaign,
                                               customer, &ticket, NULL);
    assert_string_equal(cellar_status_name(status), "OK");
    return ticket.rank;
}

cellar_coupon shop_coupon(struct shop *shop, uint64_t campaign, uint64_t customer,
                          uint32_t ordinal) {
    cellar_coupon coupon;
    assert_int_equal(cellar_coupon_get(shop->store, campaign, customer, ordinal, &coupon),
                     CELLAR_OK);
    return coupon;
}

void shop_check_refusal(const cellar_refusal *refusal, cellar_status status, uint32_t line,
                        int64_t available, int64_t needed) {
    assert_int_equal(refusal->status, status);
    assert_int_equal(refusal->line, line);
    assert_int_equal(refusal->available, available);
    assert_int_equal(refusal->needed, needed);
    assert_int_equal(refusal->version, 0);
    assert_int_equal(refusal->state, 0);
    assert_null(refusal->reason);
}

void shop_check_invalid(const cellar_refusal *refusal, cellar_status status, uint32_t line,
                        const char *member) {
    assert_int_equal(status, CELLAR_INVALID_ARGUMENT);
    assert_int_equal(refusal->status, CELLAR_INVALID_ARGUMENT);
    assert_int_equal(refusal->line, line);
    assert_non_null(refusal->reason);
    if (strncmp(refusal->reason, member, strlen(member)) != 0) {
        fail_msg("the reason is \"%s\", not about %s", refusal->reason, member);
    }
    assert_int_equal(refusal->available, 0);
    assert_int_equal(refusal->needed, 0);
    assert_int_equal(refusal->state, 0);
}
