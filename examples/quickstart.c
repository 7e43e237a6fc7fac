/* quickstart - opens a store, puts a product on sale, and sells it until there is no more.
 *
 *     quickstart [DIR]     (quickstart.d when none is named; run it twice and see what stays)
 */
#include <cellar.h>

#include <inttypes.h>
#include <stdio.h>

static void check(cellar_status status, const char *what) {
    (void)printf("%-34s %s\n", what, cellar_status_name(status));
}

int main(int argc, char **argv) {
    cellar *shop = NULL;
    cellar_problem problem;
    cellar_config config = {.size = sizeof config,
                            .directory = argc > 1 ? argv[1] : "quickstart.d"};
    if (cellar_open(&config, &shop, &problem) != CELLAR_OK) {
        (void)fprintf(stderr, "%s: %s\n", cellar_status_text(problem.status), problem.text);
        return 1;
    }

    /* A product, ten pieces of it, and a customer with 50.00 to spend. Prices are in pence. Ids
     * make every change happen once, however often this program runs. */
    cellar_product tea = {.sku = "tea", .name = "Green tea", .unit_price = 450};
    check(cellar_product_put(shop, NULL, &tea, CELLAR_VERSION_ANY, NULL, NULL), "tea is listed");
    cellar_line ten = {.sku = "tea", .quantity = 10};
    cellar_stock_change delivery = {.id = {1, 1}, .lines = &ten, .line_count = 1};
    check(cellar_stock_receive(shop, NULL, &delivery, NULL, NULL), "ten are received");
    check(cellar_account_open(shop, NULL, 17850, 0, NULL, NULL), "customer 17850 has an account");
    check(cellar_account_credit(shop, NULL, (cellar_id){1, 2}, 17850, 5000, NULL, NULL),
          "and 50.00 on it");

    /* Three pieces, paid from the account: stock, balance and order change in one commit, which is
     * on disk when the call returns. */
    cellar_line three = {.sku = "tea", .quantity = 3, .unit_price = 450};
    cellar_order_request order = {.id = {2, 1},
                                  .customer = 17850,
                                  .lines = &three,
                                  .line_count = 1,
                                  .state = CELLAR_ORDER_PAID,
                                  .account = 17850};
    cellar_ticket ticket = {0};
    cellar_refusal refusal = {0};
    check(cellar_order_place(shop, NULL, &order, &ticket, &refusal), "an order of three");
    (void)printf("  commit %" PRIu64 "%s\n", ticket.lsn,
                 ticket.repeated ? ", of an earlier run" : "");

    /* The same request again, say after a lost answer: the same ticket, nothing sold twice. */
    check(cellar_order_place(shop, NULL, &order, &ticket, &refusal), "the same request again");
    (void)printf("  commit %" PRIu64 "%s\n", ticket.lsn, ticket.repeated ? ", repeated" : "");

    /* More than there are. A refusal says what would have been possible. */
    cellar_line eight = {.sku = "tea", .quantity = 8, .unit_price = 450};
    order = (cellar_order_request){.id = {2, 2}, .lines = &eight, .line_count = 1};
    check(cellar_order_place(shop, NULL, &order, &ticket, &refusal), "an order of eight");
    (void)printf("  %" PRId64 " asked for, %" PRId64 " available\n", refusal.needed,
                 refusal.available);

    cellar_account account;
    cellar_audit audit;
    check(cellar_account_get(shop, 17850, &account), "what is left on the account");
    (void)printf("  %" PRId64 ".%02" PRId64 "\n", account.balance / 100, account.balance % 100);
    check(cellar_audit_run(shop, &audit), "the audit");
    (void)printf("  %" PRIu64 " violations; %" PRId64 " received, %" PRId64 " ordered, %" PRId64
                 " available\n",
                 audit.violations, audit.totals.units_received, audit.totals.units_ordered,
                 audit.totals.units_available);
    return cellar_close(shop) == CELLAR_OK && audit.violations == 0 ? 0 : 1;
}
