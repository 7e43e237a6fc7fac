/* order_life - an order that is held, paid in part, sent in two parcels and half returned, and one
 * for goods that are not here yet.
 *
 *     order_life [DIR]     (order_life.d when none is named)
 */
#include <cellar.h>

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static cellar *shop;

static void check(cellar_status status, const char *what) {
    (void)printf("%-40s %s\n", what, cellar_status_name(status));
}

static void step(cellar_order_event event, uint64_t order, uint64_t id, uint32_t line,
                 int64_t quantity, const char *what) {
    cellar_order_part part = {.line = line, .quantity = quantity};
    cellar_order_change change = {
        .order = {7, order}, .event = event, .id = {8, id}, .parts = &part, .part_count = 1};
    cellar_refusal refusal = {0};
    cellar_status status = cellar_order_step(shop, NULL, &change, NULL, &refusal);
    check(status, what);
    if (status == CELLAR_OUT_OF_STOCK) {
        (void)printf("  %" PRId64 " of %" PRId64 " are here\n", refusal.available, refusal.needed);
    }
}

static void stock(const char *sku, int64_t safety, int64_t units, uint64_t id) {
    cellar_product product = {.sku = sku, .name = sku};
    cellar_line line = {.sku = sku, .quantity = safety};
    check(cellar_product_put(shop, NULL, &product, CELLAR_VERSION_ANY, NULL, NULL), sku);
    check(cellar_stock_set_safety(shop, NULL, &line, CELLAR_VERSION_ANY, NULL, NULL),
          "  its limit");
    line.quantity = units;
    cellar_stock_change delivery = {.id = {6, id}, .lines = &line, .line_count = 1};
    check(cellar_stock_receive(shop, NULL, &delivery, NULL, NULL), "  its delivery");
}

int main(int argc, char **argv) {
    cellar_problem problem;
    cellar_config config = {.size = sizeof config,
                            .directory = argc > 1 ? argv[1] : "order_life.d"};
    if (cellar_open(&config, &shop, &problem) != CELLAR_OK) {
        (void)fprintf(stderr, "%s: %s\n", cellar_status_text(problem.status), problem.text);
        return 1;
    }
    stock("tea", 0, 10, 1);
    stock("pot", -5, 1, 2); /* up to five more are sold before they are here */

    /* Held for ten minutes: six of tea, two pots. */
    cellar_line lines[] = {{.sku = "tea", .quantity = 6, .unit_price = 450},
                           {.sku = "pot", .quantity = 2, .unit_price = 1999}};
    cellar_order_request request = {.id = {7, 1},
                                    .lines = lines,
                                    .line_count = 2,
                                    .hold_until_ns = ((int64_t)time(NULL) + 600) * 1000000000};
    check(cellar_order_place(shop, NULL, &request, NULL, NULL), "held for ten minutes");

    step(CELLAR_EVENT_CANCEL, 1, 1, 0, 2, "two of tea less");
    check(cellar_order_pay(shop, NULL, request.id, 0, NULL, NULL), "the rest is paid for");
    step(CELLAR_EVENT_FULFIL, 1, 2, 0, 4, "tea leaves");
    step(CELLAR_EVENT_FULFIL, 1, 3, 1, 2, "both pots leave");
    step(CELLAR_EVENT_FULFIL, 1, 3, 1, 1, "one pot leaves, under the same id");
    step(CELLAR_EVENT_RETURN, 1, 4, 0, 1, "one of tea comes back");

    cellar_order order;
    cellar_order_line got[2];
    check(cellar_order_get(shop, request.id, &order, got, 2), "the order now");
    for (uint32_t i = 0; i < order.line_count; i++) {
        (void)printf("  %" PRId64 ": %" PRId64 " cancelled, %" PRId64 " left, %" PRId64
                     " came back, %" PRId64 " not here\n",
                     got[i].quantity, got[i].cancelled, got[i].fulfilled, got[i].returned,
                     got[i].uncovered);
    }
    return cellar_close(shop) == CELLAR_OK ? 0 : 1;
}
