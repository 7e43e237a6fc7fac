/* Are the caps on claims in a period, of all and of each customer, exact over random claims,
 * revocations, puts and openings? The model keeps the time of every claim and counts them one by
 * one. SEED= repeats the random choices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/random.h"
#include "support/shop.h"

#define MINUTE INT64_C(60000000000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define MIDNIGHT INT64_C(1700006400000000000) /* UTC */

static uint64_t run_seed;

static void set_time(struct shop *shop, int64_t now_ns) {
    ATOMIC_STORE(&shop->tick_ns, 0, relaxed);
    ATOMIC_STORE(&shop->now_ns, now_ns, relaxed);
}

#define CUSTOMERS 8
#define LIMIT 100
#define CLAIMS_MAX (CUSTOMERS * LIMIT)

struct made {
    uint64_t customer;
    int64_t time_ns;
};

struct world {
    struct shop *shop;
    struct random random;
    cellar_campaign rules;
    struct made made[CLAIMS_MAX]; /* number - 1 */
    uint64_t count;
    /* Claims before the periods in force now; they do not count. */
    uint64_t counted_from, customer_counted_from;
    int64_t now_ns;
};

static int64_t period_of(int64_t time_ns, int64_t length_ns, int64_t offset_ns) {
    return (time_ns + offset_ns) / length_ns;
}

/* Of all customers when `customer` is 0. */
static int64_t count_period(const struct world *world, uint64_t customer, uint64_t from,
                            int64_t length_ns, int64_t offset_ns) {
    int64_t count = 0;
    for (uint64_t i = from; i < world->count; i++) {
        count += (customer == 0 || world->made[i].customer == customer) &&
                 period_of(world->made[i].time_ns, length_ns, offset_ns) ==
                     period_of(world->now_ns, length_ns, offset_ns);
    }
    return count;
}

static cellar_status expect_claim(const struct world *world, uint64_t customer, uint64_t *rank,
                                  int64_t *retry_ns) {
    const cellar_campaign *rules = &world->rules;
    uint32_t held = 0;
    *rank = 0;
    *retry_ns = 0;
    for (uint64_t i = 0; i < world->count; i++) {
        if (world->made[i].customer == customer) {
            held++;
            *rank = i + 1;
        }
    }
    int64_t length_ns = rules->customer_period_ns;
    int64_t offset_ns = rules->customer_period_offset_ns;
    if (held >= rules->customer_limit) {
        return CELLAR_ALREADY_CLAIMED;
    }
    if (length_ns != 0 && count_period(world, customer, world->customer_counted_from, length_ns,
                                       offset_ns) >= rules->customer_period_count) {
        *retry_ns = (period_of(world->now_ns, length_ns, offset_ns) + 1) * length_ns - offset_ns;
        return CELLAR_CUSTOMER_PERIOD_CAP;
    }
    *rank = 0;
    length_ns = rules->period_ns;
    offset_ns = rules->period_offset_ns;
    if (length_ns != 0 &&
        count_period(world, 0, world->counted_from, length_ns, offset_ns) >= rules->period_count) {
        *retry_ns = (period_of(world->now_ns, length_ns, offset_ns) + 1) * length_ns - offset_ns;
        return CELLAR_PERIOD_CAP;
    }
    *rank = world->count + 1;
    return CELLAR_OK;
}

static cellar_status world_claim(struct world *world) {
    uint64_t customer = 1 + random_below(&world->random, CUSTOMERS);
    const cellar_id none = {0, 0};
    uint64_t rank;
    int64_t retry_ns;
    cellar_ticket ticket = {0};
    cellar_refusal refusal = {0};
    cellar_status expected = expect_claim(world, customer, &rank, &retry_ns);
    cellar_status status =
        cellar_coupon_claim(world->shop->store, NULL, none, 1, customer, &ticket, &refusal);
    if (status != expected || (status == CELLAR_OK ? ticket.rank : refusal.rank) != rank ||
        refusal.retry_ns != retry_ns) {
        fail_msg("claim %llu of customer %llu: %s in place of %s; retry %lld and %lld",
                 (unsigned long long)world->count + 1, (unsigned long long)customer,
                 cellar_status_name(status), cellar_status_name(expected),
                 (long long)refusal.retry_ns, (long long)retry_ns);
    }
    if (status == CELLAR_OK) {
        world->made[world->count++] = (struct made){customer, world->now_ns};
    }
    return status;
}

static void draw_period(struct random *random, int64_t *length_ns, int64_t *offset_ns,
                        int64_t *count) {
    static const int64_t lengths[] = {0, MINUTE, HOUR, HOUR + MINUTE, DAY};
    *length_ns = lengths[random_below(random, sizeof lengths / sizeof *lengths)];
    *offset_ns = *length_ns == 0 ? 0 : ((int64_t)random_below(random, 5) - 2) * 9 * HOUR;
    *count = *length_ns == 0 ? 0 : 1 + (int64_t)random_below(random, 4);
}

/* One of the caps, or its number alone. */
static void world_put(struct world *world) {
    cellar_campaign *rules = &world->rules;
    int64_t length_ns;
    int64_t offset_ns;
    int64_t count;
    draw_period(&world->random, &length_ns, &offset_ns, &count);
    bool of_customer = random_below(&world->random, 2) == 0;
    int64_t *length = of_customer ? &rules->customer_period_ns : &rules->period_ns;
    int64_t *offset = of_customer ? &rules->customer_period_offset_ns : &rules->period_offset_ns;
    int64_t *most = of_customer ? &rules->customer_period_count : &rules->period_count;
    if (random_below(&world->random, 2) == 0 && *length != 0 && count != 0) {
        *most = count;
    } else if (length_ns != *length || offset_ns != *offset) {
        *length = length_ns;
        *offset = offset_ns;
        *most = of_customer ? count : 3 * count;
        *(of_customer ? &world->customer_counted_from : &world->counted_from) = world->count;
    }
    shop_campaign_put(world->shop, rules);
}

static void world_revoke(struct world *world) {
    if (world->count != 0) {
        const struct made *made = &world->made[random_below(&world->random, world->count)];
        cellar_status status =
            cellar_coupon_revoke(world->shop->store, NULL, 1, made->customer, 0, NULL, NULL);
        assert_int_equal(status, CELLAR_OK);
    }
}

static void play_world(struct shop *shop, uint64_t seed, uint32_t *told) {
    static struct world world;
    world = (struct world){
        .shop = shop, .random = {seed}, .rules = shop_campaign(1, CLAIMS_MAX), .now_ns = MIDNIGHT};
    world.rules.customer_limit = LIMIT;
    world.rules.customer_period_ns = DAY;
    world.rules.customer_period_count = 3;
    set_time(shop, world.now_ns);
    shop_campaign_put(shop, &world.rules);
    for (int i = 0; i < 2000; i++) {
        uint64_t drawn = random_below(&world.random, 200);
        if (drawn < 4) {
            world_put(&world);
        } else if (drawn < 10) {
            world_revoke(&world);
        } else if (drawn == 10) {
            shop_reopen(shop);
            shop_audit(shop);
        } else {
            told[world_claim(&world)]++;
        }
        static const int64_t steps[] = {0, 0, 0, 0, 0, 0, 1, MINUTE / 2, 10 * MINUTE, HOUR};
        world.now_ns += steps[random_below(&world.random, sizeof steps / sizeof *steps)];
        set_time(shop, world.now_ns);
    }
    shop_audit(shop);
    assert_int_equal(shop_campaign_get(shop, 1)->claimed, world.count);
}

static void test_against_a_model(void **unused) {
    uint32_t told[CELLAR_CUSTOMER_PERIOD_CAP + 1] = {0};
    (void)unused;
    for (uint64_t i = 0; i < 5; i++) {
        struct shop shop;
        shop_prepare(&shop);
        shop_open(&shop);
        play_world(&shop, run_seed + i, told);
        shop_finish(&shop);
    }
    /* The game was worth it. */
    assert_true(told[CELLAR_OK] > 500);
    assert_true(told[CELLAR_ALREADY_CLAIMED] > 10);
    assert_true(told[CELLAR_PERIOD_CAP] > 100);
    assert_true(told[CELLAR_CUSTOMER_PERIOD_CAP] > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_a_model),
    };
    run_seed = random_seed_of_run();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
