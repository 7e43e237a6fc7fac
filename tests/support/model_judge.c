/* What speaks against a call in the model's state. */
#include "support/model.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

/* One thing that speaks against the call, or that it was made before. */
struct reason {
    cellar_status status;
    uint32_t line;
    int64_t available;
    int64_t needed;
    uint64_t version; /* or, repeated, the LSN */
    uint32_t state;
    int64_t time_ns; /* repeated */
};

struct verdict {
    struct model *model;
    const struct model_call *call;
    const struct model_answer *answer;
    size_t reasons;
    bool matched;
};

/* What all lines of a call ask of one stock. */
struct need {
    int64_t quantity;
    uint32_t first;
    bool named;
};
struct needs {
    struct need of[MODEL_SKUS][MODEL_LOCATIONS];
};

static void judge_add(struct verdict *verdict, struct reason reason) {
    const struct model_answer *answer = verdict->answer;
    const cellar_refusal *refusal = &answer->refusal;

    verdict->reasons++;
    if (reason.status == CELLAR_OK) {
        verdict->matched =
            verdict->matched ||
            (answer->status == CELLAR_OK && answer->ticket.repeated &&
             answer->ticket.lsn == reason.version && answer->ticket.time_ns == reason.time_ns);
        return;
    }
    verdict->matched = verdict->matched ||
                       (answer->status == reason.status && refusal->status == reason.status &&
                        refusal->line == reason.line && refusal->available == reason.available &&
                        refusal->needed == reason.needed && refusal->version == reason.version &&
                        refusal->state == reason.state &&
                        (refusal->reason != NULL) == (reason.status == CELLAR_INVALID_ARGUMENT));
}

static void judge_plain(struct verdict *verdict, cellar_status status, uint32_t line) {
    judge_add(verdict, (struct reason){.status = status, .line = line});
}

static void judge_short(struct verdict *verdict, cellar_status status, uint32_t line,
                        int64_t available, int64_t needed) {
    judge_add(
        verdict,
        (struct reason){.status = status, .line = line, .available = available, .needed = needed});
}

/* ---- Documents ---- */

static bool judge_same_lines(const struct model_call *a, const struct model_call *b, bool priced) {
    if (a->line_count != b->line_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->line_count; i++) {
        const struct model_line *left = &model_lines(a)[i];
        const struct model_line *right = &model_lines(b)[i];
        if (left->sku != right->sku || left->location != right->location ||
            left->quantity != right->quantity || left->by_number != right->by_number ||
            (priced && left->unit_price != right->unit_price)) {
            return false;
        }
    }
    return true;
}

static bool judge_same_request(const struct model_call *a, const struct model_call *b) {
    if (a->kind != b->kind) {
        return false;
    }
    switch (a->kind) {
    case MODEL_CREDIT:
    case MODEL_DEBIT:
        return a->account == b->account && a->amount == b->amount;
    case MODEL_TRANSFER:
        return a->account == b->account && a->amount == b->amount && a->to == b->to;
    case MODEL_MOVE:
        return a->to == b->to && judge_same_lines(a, b, false);
    case MODEL_PLACE:
    case MODEL_RETURN: {
        uint32_t state_a = a->state == 0 ? CELLAR_ORDER_PLACED : a->state;
        uint32_t state_b = b->state == 0 ? CELLAR_ORDER_PLACED : b->state;
        return state_a == state_b && a->customer == b->customer && a->account == b->account &&
               a->business_time_ns == b->business_time_ns && a->damaged == b->damaged &&
               a->text == b->text && judge_same_lines(a, b, true);
    }
    default:
        return a->reason == b->reason && a->text == b->text && judge_same_lines(a, b, false);
    }
}

static const struct model_document *judge_find(const struct model *model, uint32_t id) {
    bool there = id != 0 && id < model->document_count && model->documents[id].exists;

    return there ? &model->documents[id] : NULL;
}

/* False when the id settles the answer. */
static bool judge_document(struct verdict *verdict) {
    const struct model_document *document = judge_find(verdict->model, verdict->call->id);

    if (document == NULL) {
        return true;
    }
    if (judge_same_request(&document->call, verdict->call)) {
        judge_add(verdict, (struct reason){.status = CELLAR_OK,
                                           .version = document->placed_lsn,
                                           .time_ns = document->placed_ns});
    } else {
        judge_plain(verdict, CELLAR_ID_REUSED, CELLAR_NO_LINE);
    }
    return false;
}

/* ---- Lines ---- */

static struct model_stock *judge_stock(struct model *model, uint32_t sku, uint32_t location) {
    bool there = sku < MODEL_SKUS && location < MODEL_LOCATIONS &&
                 model->products[sku].stocks[location].exists;

    return there ? &model->products[sku].stocks[location] : NULL;
}

/* Adds the lines up by stock; what is not there speaks against the call, unless a first receipt
 * makes it. */
static void judge_lines(struct verdict *verdict, bool opens, struct needs *needs) {
    struct model *model = verdict->model;

    memset(needs, 0, sizeof *needs);
    for (uint32_t i = 0; i < verdict->call->line_count; i++) {
        const struct model_line *line = &model_lines(verdict->call)[i];
        bool exists = judge_stock(model, line->sku, line->location) != NULL;
        if (!exists && opens && line->location != 0) {
            exists = line->sku < MODEL_SKUS && model->products[line->sku].exists;
        }
        if (!exists) {
            judge_plain(verdict, CELLAR_NOT_FOUND, i);
            continue;
        }
        struct need *need = &needs->of[line->sku][line->location];
        need->first = need->named ? need->first : i;
        need->named = true;
        need->quantity += line->quantity;
    }
}

static void judge_sale(struct verdict *verdict, const struct model_product *product,
                       const struct model_stock *stock, const struct need *need) {
    int64_t sellable = stock->available - stock->safety;

    if (product->put.state == CELLAR_PRODUCT_DISCONTINUED) {
        judge_plain(verdict, CELLAR_NOT_SELLABLE, need->first);
    } else if (sellable < need->quantity) {
        judge_short(verdict, CELLAR_OUT_OF_STOCK, need->first, sellable > 0 ? sellable : 0,
                    need->quantity);
    }
}

/* A number that changes by delta within 0 and the greatest amount. */
static void judge_level(struct verdict *verdict, uint32_t line, int64_t level, int64_t delta) {
    if (delta < 0 && level + delta < 0) {
        judge_short(verdict, CELLAR_OUT_OF_STOCK, line, level, -delta);
    } else if (level + delta > CELLAR_AMOUNT_MAX) {
        judge_plain(verdict, CELLAR_OVERFLOW, line);
    }
}

static void judge_need(struct verdict *verdict, const struct model_product *product,
                       const struct model_stock *stock, const struct need *need) {
    int64_t quantity = need->quantity;

    switch (verdict->call->kind) {
    case MODEL_PLACE:
    case MODEL_QUOTE:
    case MODEL_TAKE:
        judge_sale(verdict, product, stock, need);
        break;
    case MODEL_SET_ASIDE:
        judge_level(verdict, need->first, stock->available, -quantity);
        judge_level(verdict, need->first, stock->unsellable, quantity);
        break;
    case MODEL_ANNOUNCE:
        judge_level(verdict, need->first, stock->incoming, quantity);
        break;
    case MODEL_RETURN:
        judge_level(verdict, need->first,
                    verdict->call->damaged ? stock->unsellable : stock->available, quantity);
        break;
    default:
        judge_level(verdict, need->first, stock->available, quantity);
        break;
    }
}

static void judge_needs(struct verdict *verdict, const struct needs *needs) {
    for (uint32_t sku = 0; sku < MODEL_SKUS; sku++) {
        const struct model_product *product = &verdict->model->products[sku];
        for (uint32_t location = 0; location < MODEL_LOCATIONS; location++) {
            const struct need *need = &needs->of[sku][location];
            if (!need->named) {
                continue;
            }
            if (need->quantity > CELLAR_AMOUNT_MAX || need->quantity < -CELLAR_AMOUNT_MAX) {
                judge_plain(verdict, CELLAR_OVERFLOW, need->first);
            } else {
                judge_need(verdict, product, &product->stocks[location], need);
            }
        }
    }
}

static void judge_change(struct verdict *verdict) {
    enum model_kind kind = verdict->call->kind;
    struct needs needs;

    if (judge_document(verdict)) {
        judge_lines(verdict, kind == MODEL_RECEIVE || kind == MODEL_ANNOUNCE, &needs);
        judge_needs(verdict, &needs);
    }
}

/* Take, count, safety: one line, no document. */
static void judge_single(struct verdict *verdict) {
    const struct model_call *call = verdict->call;
    struct needs needs;

    judge_lines(verdict, false, &needs);
    if (verdict->reasons != 0) {
        return;
    }
    const struct model_stock *stock =
        judge_stock(verdict->model, call->few[0].sku, call->few[0].location);
    if (call->kind == MODEL_TAKE) {
        judge_needs(verdict, &needs);
    } else if (call->expected != CELLAR_VERSION_ANY && call->expected != stock->version) {
        judge_add(verdict,
                  (struct reason){.status = CELLAR_VERSION_CHANGED, .version = stock->version});
    }
}

static void judge_move(struct verdict *verdict) {
    const struct model_line *line = &verdict->call->few[0];
    const struct model_stock *from = judge_stock(verdict->model, line->sku, line->location);
    const struct model_stock *to = judge_stock(verdict->model, line->sku, verdict->call->to);

    if (!judge_document(verdict)) {
        return;
    }
    if (from == NULL) {
        judge_plain(verdict, CELLAR_NOT_FOUND, 0);
        return;
    }
    judge_level(verdict, 0, from->available, -line->quantity);
    judge_level(verdict, 0, to == NULL ? 0 : to->available, line->quantity);
}

/* ---- Money ---- */

static void judge_account(struct verdict *verdict, uint64_t id, uint32_t line, int64_t delta) {
    const struct model_account *account =
        id <= MODEL_ACCOUNTS ? &verdict->model->accounts[id] : NULL;

    if (account == NULL || !account->exists) {
        judge_plain(verdict, CELLAR_NOT_FOUND, line);
    } else if (delta < 0 && account->balance + delta < account->floor) {
        judge_short(verdict, CELLAR_INSUFFICIENT_FUNDS, line, account->balance - account->floor,
                    -delta);
    } else if (account->balance + delta > CELLAR_AMOUNT_MAX) {
        judge_plain(verdict, CELLAR_OVERFLOW, line);
    }
}

static void judge_open(struct verdict *verdict) {
    const struct model_account *account = &verdict->model->accounts[verdict->call->account];

    if (account->exists && account->floor == verdict->call->amount) {
        judge_add(verdict, (struct reason){.status = CELLAR_OK, .version = account->version});
    } else if (account->exists) {
        judge_add(verdict, (struct reason){.status = CELLAR_ALREADY_EXISTS,
                                           .line = CELLAR_NO_LINE,
                                           .version = account->version});
    }
}

static void judge_floor(struct verdict *verdict) {
    const struct model_call *call = verdict->call;
    const struct model_account *account = &verdict->model->accounts[call->account];

    if (!account->exists) {
        judge_plain(verdict, CELLAR_NOT_FOUND, CELLAR_NO_LINE);
        return;
    }
    if (call->expected != CELLAR_VERSION_ANY && call->expected != account->version) {
        judge_add(verdict, (struct reason){.status = CELLAR_VERSION_CHANGED,
                                           .line = CELLAR_NO_LINE,
                                           .version = account->version});
    }
    if (account->balance < call->amount) {
        judge_short(verdict, CELLAR_INSUFFICIENT_FUNDS, CELLAR_NO_LINE, account->balance,
                    call->amount);
    }
}

static void judge_entry(struct verdict *verdict) {
    const struct model_call *call = verdict->call;

    if (judge_document(verdict)) {
        judge_account(verdict, call->account, 0,
                      call->kind == MODEL_CREDIT ? call->amount : -call->amount);
        if (call->kind == MODEL_TRANSFER) {
            judge_account(verdict, call->to, 1, call->amount);
        }
    }
}

/* ---- Orders ---- */

bool model_total(const struct model_call *call, int64_t *total, uint32_t *line) {
    *total = 0;
    for (uint32_t i = 0; i < call->line_count; i++) {
        const struct model_line *at = &model_lines(call)[i];
        __extension__ __int128 sum = (__int128)at->quantity * at->unit_price + *total;
        *line = i;
        if (sum > CELLAR_AMOUNT_MAX || sum < -CELLAR_AMOUNT_MAX) {
            return false;
        }
        *total = (int64_t)sum;
    }
    return true;
}

static void judge_order(struct verdict *verdict) {
    const struct model_call *call = verdict->call;
    struct needs needs;
    int64_t total;
    uint32_t line;

    if (!model_total(call, &total, &line)) {
        judge_plain(verdict, CELLAR_OVERFLOW, line);
        return;
    }
    if (call->kind != MODEL_QUOTE && !judge_document(verdict)) {
        return;
    }
    if (call->account != 0) {
        judge_account(verdict, call->account, CELLAR_NO_LINE,
                      call->kind == MODEL_RETURN ? total : -total);
    }
    judge_lines(verdict, false, &needs);
    judge_needs(verdict, &needs);
}

static void judge_give_back(struct verdict *verdict, const struct model_document *order) {
    struct verdict lines = *verdict;
    struct needs needs;

    /* As of goods that are received. */
    struct model_call goods = {
        .kind = MODEL_RECEIVE, .line_count = order->call.line_count, .many = order->call.many};
    lines.call = &goods;
    judge_lines(&lines, false, &needs);
    judge_needs(&lines, &needs);
    verdict->reasons = lines.reasons;
    verdict->matched = lines.matched;
}

static void judge_step(struct verdict *verdict) {
    const struct model_call *call = verdict->call;
    const struct model_document *order = judge_find(verdict->model, call->id);
    uint32_t to = call->kind == MODEL_PAY      ? CELLAR_ORDER_PAID
                  : call->kind == MODEL_FULFIL ? CELLAR_ORDER_FULFILLED
                                               : CELLAR_ORDER_CANCELLED;

    if (order == NULL || order->state == MODEL_STATE_OTHER) {
        judge_plain(verdict, CELLAR_NOT_FOUND, CELLAR_NO_LINE);
        return;
    }
    if (order->state == to || (to == CELLAR_ORDER_PAID && order->state == CELLAR_ORDER_FULFILLED)) {
        judge_add(verdict, (struct reason){.status = CELLAR_OK,
                                           .version = order->version,
                                           .time_ns = order->changed_ns});
        return;
    }
    bool placed = order->state == CELLAR_ORDER_PLACED;
    bool paid = order->state == CELLAR_ORDER_PAID;
    if (!(to == CELLAR_ORDER_PAID ? placed : paid || (placed && to == CELLAR_ORDER_CANCELLED))) {
        judge_add(verdict, (struct reason){.status = CELLAR_ILLEGAL_STEP,
                                           .line = CELLAR_NO_LINE,
                                           .state = order->state});
        return;
    }
    uint64_t account = to == CELLAR_ORDER_PAID ? call->account : order->account;
    if (to != CELLAR_ORDER_FULFILLED && account != 0) {
        judge_account(verdict, account, CELLAR_NO_LINE, placed ? -order->total : order->total);
    }
    if (to == CELLAR_ORDER_CANCELLED) {
        judge_give_back(verdict, order);
    }
}

static void judge_put(struct verdict *verdict) {
    const struct model_call *call = verdict->call;
    const struct model_product *product = &verdict->model->products[call->few[0].sku];
    cellar_status status = CELLAR_OK;

    if (call->expected == CELLAR_VERSION_ABSENT && product->exists) {
        status = CELLAR_ALREADY_EXISTS;
    } else if (call->expected > CELLAR_VERSION_ABSENT && call->expected != product->version) {
        status = CELLAR_VERSION_CHANGED;
    }
    if (status != CELLAR_OK) {
        judge_add(
            verdict,
            (struct reason){.status = status, .line = CELLAR_NO_LINE, .version = product->version});
    }
}

/* ---- All ---- */

static void judge_fault(struct verdict *verdict) {
    const struct model_call *call = verdict->call;
    bool of_line = (call->fault >= MODEL_FAULT_QUANTITY && call->fault <= MODEL_FAULT_NO_SKU) ||
                   (call->fault == MODEL_FAULT_STATE && call->kind == MODEL_MOVE);

    judge_plain(verdict, CELLAR_INVALID_ARGUMENT,
                of_line && call->kind != MODEL_PUT ? call->line_count - 1 : CELLAR_NO_LINE);
}

typedef void judge_function(struct verdict *verdict);

static judge_function *const judges[MODEL_QUOTE + 1] = {
    [MODEL_PUT] = judge_put,         [MODEL_RECEIVE] = judge_change,
    [MODEL_ADJUST] = judge_change,   [MODEL_SET_ASIDE] = judge_change,
    [MODEL_ANNOUNCE] = judge_change, [MODEL_TAKE] = judge_single,
    [MODEL_COUNT] = judge_single,    [MODEL_SAFETY] = judge_single,
    [MODEL_MOVE] = judge_move,       [MODEL_OPEN] = judge_open,
    [MODEL_CREDIT] = judge_entry,    [MODEL_DEBIT] = judge_entry,
    [MODEL_TRANSFER] = judge_entry,  [MODEL_FLOOR] = judge_floor,
    [MODEL_PLACE] = judge_order,     [MODEL_RETURN] = judge_order,
    [MODEL_PAY] = judge_step,        [MODEL_FULFIL] = judge_step,
    [MODEL_CANCEL] = judge_step,     [MODEL_QUOTE] = judge_order};

bool model_judge(struct model *model, const struct model_call *call,
                 const struct model_answer *answer) {
    struct verdict verdict = {.model = model, .call = call, .answer = answer};

    if (call->kind > MODEL_QUOTE) {
        return model_judge_read(model, call, answer);
    }
    if (call->fault != MODEL_SOUND) {
        judge_fault(&verdict);
    } else {
        judges[call->kind](&verdict);
    }
    if (answer->status == CELLAR_OK && !answer->ticket.repeated) {
        int64_t total;
        uint32_t line;
        return verdict.reasons == 0 &&
               (call->kind != MODEL_QUOTE ||
                (model_total(call, &total, &line) && total == answer->total));
    }
    return verdict.matched;
}
