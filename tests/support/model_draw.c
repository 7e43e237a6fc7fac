/* Drawing calls at random. What a call with an id holds follows from the id, so that whoever draws
 * the same id makes the same request again, but now and then another one. */
#include "support/model.h"

#include <string.h>

static bool draw_one_in(struct random *random, uint32_t many) {
    return random_below(random, many) == 0;
}

static uint32_t draw_below(struct random *random, uint32_t limit) {
    return (uint32_t)random_below(random, limit);
}

/* One of `count` numbers, each with its weight. */
static uint32_t draw_weighted(struct random *random, const uint32_t *weights, uint32_t count) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += weights[i];
    }
    uint32_t dice = draw_below(random, sum);
    uint32_t at = 0;
    while (dice >= weights[at]) {
        dice -= weights[at++];
    }
    return at;
}

/* ---- Parts ---- */

static int64_t draw_quantity(struct random *random, const struct model_mix *mix, bool any_sign) {
    int64_t most = draw_one_in(random, 8) ? mix->units : mix->units / 16 + 1;
    int64_t quantity = 1 + (int64_t)random_below(random, (uint64_t)most);

    return any_sign && draw_one_in(random, 2) ? -quantity : quantity;
}

/* The SKU and account that extremes are tried on, so that the others stay in use. */
#define DRAW_WHALE_SKU 2
#define DRAW_WHALE_ACCOUNT 2

static int64_t draw_extreme(struct random *random) {
    return CELLAR_AMOUNT_MAX - (int64_t)random_below(random, 3);
}

static void draw_lines(struct random *random, const struct model_mix *mix, bool any_sign,
                       struct model_call *call) {
    call->line_count = draw_one_in(random, 2) ? 1 : 1 + draw_below(random, MODEL_LINES_FEW);
    for (uint32_t i = 0; i < call->line_count; i++) {
        struct model_line *line = &call->few[i];
        /* SKUs and locations that are not there, too. */
        line->sku = mix->faults && draw_one_in(random, 150) ? MODEL_SKUS + i
                                                            : draw_below(random, mix->skus);
        line->location = draw_one_in(random, 3) ? draw_below(random, mix->locations) : 0;
        line->quantity = draw_quantity(random, mix, any_sign);
        line->unit_price = (int64_t)random_below(random, 600) - 60;
        line->by_number = draw_one_in(random, 4);
        if (mix->faults && draw_one_in(random, 100)) {
            line->sku = DRAW_WHALE_SKU;
            line->quantity = draw_extreme(random);
            line->unit_price = draw_one_in(random, 2) ? 1 : line->unit_price;
        }
    }
}

static uint64_t draw_account(struct random *random, const struct model_mix *mix) {
    return 1 + random_below(random, mix->accounts);
}

static int64_t draw_amount(struct random *random, const struct model_mix *mix,
                           struct model_call *call) {
    if (mix->faults && draw_one_in(random, 60)) {
        call->account = DRAW_WHALE_ACCOUNT;
        return draw_extreme(random);
    }
    return 1 + (int64_t)random_below(random, 20000);
}

static uint64_t draw_expected(struct random *random) {
    static const uint32_t weights[] = {60, 10, 25, 5};
    uint32_t which = draw_weighted(random, weights, 4);

    return which < 3 ? which : 64 * (1 + random_below(random, 1000));
}

/* ---- Kinds ---- */

static void draw_order(struct random *random, const struct model_mix *mix,
                       struct model_call *call) {
    draw_lines(random, mix, false, call);
    call->customer = random_below(random, MODEL_CUSTOMERS + 1);
    call->business_time_ns = (int64_t)random_below(random, 1000);
    if (call->kind == MODEL_RETURN) {
        call->damaged = draw_one_in(random, 3);
    } else {
        static const uint32_t weights[] = {3, 3, 2, 1};
        call->state = draw_weighted(random, weights, 4);
    }
    bool payable = call->kind == MODEL_RETURN || call->state >= CELLAR_ORDER_PAID;
    call->account = payable && draw_one_in(random, 2) ? draw_account(random, mix) : 0;
}

static void draw_move(struct random *random, const struct model_mix *mix, struct model_call *call) {
    draw_lines(random, mix, false, call);
    call->line_count = 1;
    call->text = 0;
    call->few[0].sku = draw_below(random, mix->skus);
    call->to =
        (call->few[0].location + 1 + draw_below(random, mix->locations - 1)) % mix->locations;
}

static void draw_entry(struct random *random, const struct model_mix *mix,
                       struct model_call *call) {
    call->account = draw_account(random, mix);
    call->amount = draw_amount(random, mix, call);
    call->to = (uint32_t)draw_account(random, mix);
    if (call->to == call->account) {
        call->to = (uint32_t)call->account + 1;
    }
}

/* What the document `id` is, or a change that has no id. */
static void draw_content(struct random *random, const struct model_mix *mix,
                         struct model_call *call) {
    static const enum model_kind kinds[] = {
        MODEL_PLACE,    MODEL_RECEIVE, MODEL_ADJUST, MODEL_RETURN, MODEL_SET_ASIDE,
        MODEL_ANNOUNCE, MODEL_MOVE,    MODEL_CREDIT, MODEL_DEBIT,  MODEL_TRANSFER};
    static const uint32_t weights[] = {50, 10, 4, 8, 4, 3, 8, 6, 3, 4};

    do {
        call->kind = kinds[draw_weighted(random, weights, 10)];
    } while (call->id == 0 && (call->kind == MODEL_PLACE || call->kind == MODEL_RETURN));
    call->text = draw_one_in(random, 2) ? 0 : draw_below(random, 1000);
    if (call->kind == MODEL_PLACE || call->kind == MODEL_RETURN) {
        draw_order(random, mix, call);
    } else if (call->kind == MODEL_MOVE) {
        draw_move(random, mix, call);
    } else if (call->kind >= MODEL_CREDIT) {
        draw_entry(random, mix, call);
    } else {
        call->reason = draw_below(random, 5);
        draw_lines(random, mix, call->kind != MODEL_RECEIVE, call);
    }
}

static void draw_document(struct random *random, const struct model_mix *mix,
                          struct model_call *call) {
    bool same = !draw_one_in(random, 15);
    struct random content = {mix->salt + call->id * UINT64_C(0x2545f4914f6cdd1d) + !same};

    if (call->id == 0) {
        content = *random;
        (void)random_next(random);
    }
    draw_content(&content, mix, call);
}

static void draw_single(struct random *random, const struct model_mix *mix,
                        struct model_call *call) {
    static const enum model_kind kinds[] = {MODEL_TAKE, MODEL_COUNT, MODEL_SAFETY};
    static const uint32_t weights[] = {8, 1, 1};

    call->kind = kinds[draw_weighted(random, weights, 3)];
    draw_lines(random, mix, false, call);
    call->line_count = 1;
    call->few[0].quantity -= call->kind != MODEL_TAKE;
    call->expected = call->kind == MODEL_TAKE ? CELLAR_VERSION_ANY : draw_expected(random);
    if (call->kind == MODEL_SAFETY) {
        call->few[0].quantity /= 8;
    } else if (call->kind == MODEL_COUNT) {
        /* Counting brings the goods that sales need. */
        call->few[0].quantity *= 16;
        if (call->few[0].quantity > CELLAR_AMOUNT_MAX) {
            call->few[0].quantity = CELLAR_AMOUNT_MAX;
        }
    }
}

static void draw_put(struct random *random, const struct model_mix *mix, struct model_call *call) {
    static const uint32_t statuses[] = {8, 2, 1};

    call->kind = MODEL_PUT;
    call->line_count = 1;
    call->few[0].sku = draw_below(random, mix->skus);
    call->text = draw_one_in(random, 4) ? 0 : draw_below(random, 1000);
    call->state = draw_weighted(random, statuses, 3);
    call->amount = (int64_t)random_below(random, 100000);
    call->expected = draw_expected(random);
}

static void draw_account_call(struct random *random, const struct model_mix *mix,
                              struct model_call *call) {
    call->kind = draw_one_in(random, 2) ? MODEL_OPEN : MODEL_FLOOR;
    call->account = draw_account(random, mix);
    call->amount = -100 * (int64_t)random_below(random, 4);
    call->expected = call->kind == MODEL_OPEN ? CELLAR_VERSION_ANY : draw_expected(random);
}

static void draw_step(struct random *random, const struct model_mix *mix, struct model_call *call) {
    static const enum model_kind kinds[] = {MODEL_PAY, MODEL_FULFIL, MODEL_CANCEL};
    static const uint32_t weights[] = {3, 2, 3};

    call->kind = kinds[draw_weighted(random, weights, 3)];
    /* Rather one that has been in use for a while. */
    uint32_t a = draw_below(random, mix->id_count);
    uint32_t b = draw_below(random, mix->id_count);
    call->id = mix->id_first + (a < b ? a : b);
    if (call->kind == MODEL_PAY && draw_one_in(random, 2)) {
        /* One account to an order, so that the step repeated is the same one. */
        call->account = 1 + call->id % mix->accounts;
    }
}

static void draw_read(struct random *random, const struct model_mix *mix, struct model_call *call) {
    call->kind = MODEL_STOCK_GET + draw_below(random, 4);
    draw_lines(random, mix, false, call);
    call->line_count = call->kind == MODEL_SNAPSHOT ? call->line_count : 1;
    call->account = draw_account(random, mix);
    call->id = mix->id_first + draw_below(random, mix->id_count);
    if (call->kind == MODEL_SNAPSHOT) {
        for (uint32_t i = 0; i < call->line_count; i++) {
            call->few[i].sku %= mix->skus;
        }
    }
}

/* ---- Faults ---- */

static bool draw_fault_fits(const struct model_call *call, enum model_fault fault) {
    bool lines = (call->kind >= MODEL_RECEIVE && call->kind <= MODEL_ANNOUNCE);
    bool order =
        call->kind == MODEL_PLACE || call->kind == MODEL_RETURN || call->kind == MODEL_QUOTE;
    bool line = call->kind >= MODEL_TAKE && call->kind <= MODEL_MOVE;
    bool account = call->kind >= MODEL_OPEN && call->kind <= MODEL_FLOOR;
    bool put = call->kind == MODEL_PUT;

    switch (fault) {
    case MODEL_FAULT_QUANTITY:
    case MODEL_FAULT_QUANTITY_RANGE:
        return lines || order || line;
    case MODEL_FAULT_PRICE:
        return order;
    case MODEL_FAULT_SKU_EMPTY:
    case MODEL_FAULT_SKU_LONG:
    case MODEL_FAULT_NO_SKU:
        return lines || order || line || put;
    case MODEL_FAULT_NO_LINES:
    case MODEL_FAULT_LINES_NULL:
    case MODEL_FAULT_LINES_MAX:
    case MODEL_FAULT_REFERENCE:
        return lines || order;
    case MODEL_FAULT_STATE:
        return order || put || call->kind == MODEL_TRANSFER || call->kind == MODEL_MOVE;
    case MODEL_FAULT_ACCOUNT:
        return account || call->kind == MODEL_PLACE;
    case MODEL_FAULT_AMOUNT:
        return account || put;
    case MODEL_FAULT_NO_ID:
        return order && call->kind != MODEL_QUOTE;
    case MODEL_FAULT_CALL:
        return call->kind != MODEL_QUOTE;
    case MODEL_FAULT_NULL:
        return lines || order || line || put;
    default:
        return false;
    }
}

static void draw_fault(struct random *random, struct model_call *call) {
    int64_t total;
    uint32_t line;
    enum model_fault fault = 1 + draw_below(random, MODEL_FAULTS - 1);
    bool order =
        call->kind == MODEL_PLACE || call->kind == MODEL_RETURN || call->kind == MODEL_QUOTE;

    /* A total out of range would be told first. */
    if (draw_fault_fits(call, fault) && (!order || model_total(call, &total, &line))) {
        call->fault = fault;
    }
}

void model_draw(struct random *random, const struct model_mix *mix, struct model_call *call) {
    static const uint32_t weights[] = {50, 24, 10, 12, 4, 4, 3, 25};
    uint32_t which = draw_weighted(random, weights, mix->reads ? 8 : 7);

    memset(call, 0, sizeof *call);
    switch (which) {
    case 0:
        call->id = mix->id_first + draw_below(random, mix->id_count);
        draw_document(random, mix, call);
        break;
    case 1:
        draw_step(random, mix, call);
        break;
    case 2:
        draw_document(random, mix, call);
        break;
    case 3:
        draw_single(random, mix, call);
        break;
    case 4:
        draw_put(random, mix, call);
        break;
    case 5:
        draw_account_call(random, mix, call);
        break;
    case 6:
        call->kind = MODEL_QUOTE;
        draw_order(random, mix, call);
        break;
    default:
        draw_read(random, mix, call);
        break;
    }
    if (mix->faults && call->kind <= MODEL_QUOTE && draw_one_in(random, 25)) {
        draw_fault(random, call);
    }
}
