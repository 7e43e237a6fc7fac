/* Carrying a described call out on the engine. */
#include "support/model.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

/* What the engine is called with. */
struct prepared {
    cellar *store;
    const struct model_call *call;
    struct model_answer *answer;
    const cellar_call *options;
    cellar_call broken_options;
    const cellar_line *lines;
    size_t line_count;
    cellar_line few[MODEL_LINES_FEW];
    cellar_line *many;
    const char *reference;
    char reference_buffer[CELLAR_REFERENCE_BYTES_MAX + 2];
    bool is_null;
};

static const char sku_long[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefX";

static cellar_line call_line(const uint64_t numbers[MODEL_SKUS], const struct model_line *from) {
    cellar_line line = {
        .location = from->location, .quantity = from->quantity, .unit_price = from->unit_price};
    if (from->by_number) {
        bool known = from->sku < MODEL_SKUS && numbers[from->sku] != 0;
        line.product = known ? numbers[from->sku] : UINT64_C(4000000000) + from->sku;
    } else {
        line.sku = model_sku(from->sku);
    }
    return line;
}

/* Spoils the last line, or the call. */
static void call_spoil(struct prepared *prepared) {
    cellar_line *lines = prepared->many != NULL ? prepared->many : prepared->few;
    cellar_line *last = &lines[prepared->line_count == 0 ? 0 : prepared->line_count - 1];

    switch (prepared->call->fault) {
    case MODEL_FAULT_QUANTITY:
        last->quantity =
            prepared->call->kind == MODEL_COUNT || prepared->call->kind == MODEL_SAFETY ? -1 : 0;
        break;
    case MODEL_FAULT_QUANTITY_RANGE:
        last->quantity = CELLAR_AMOUNT_MAX + 1;
        break;
    case MODEL_FAULT_PRICE:
        last->unit_price = -CELLAR_AMOUNT_MAX - 1;
        break;
    case MODEL_FAULT_SKU_EMPTY:
        last->sku = "";
        break;
    case MODEL_FAULT_SKU_LONG:
        last->sku = sku_long;
        break;
    case MODEL_FAULT_NO_SKU:
        last->sku = NULL;
        last->product = 0;
        break;
    case MODEL_FAULT_NO_LINES:
        prepared->line_count = 0;
        break;
    case MODEL_FAULT_LINES_NULL:
        prepared->lines = NULL;
        break;
    case MODEL_FAULT_LINES_MAX:
        prepared->line_count = CELLAR_LINES_MAX + 1;
        break;
    case MODEL_FAULT_REFERENCE:
        memset(prepared->reference_buffer, 'r', sizeof prepared->reference_buffer - 1);
        prepared->reference = prepared->reference_buffer;
        break;
    case MODEL_FAULT_CALL:
        prepared->broken_options.durable_wait_ms = -1;
        prepared->options = &prepared->broken_options;
        break;
    case MODEL_FAULT_NULL:
        prepared->is_null = true;
        break;
    default:
        break;
    }
}

static void call_prepare(struct prepared *prepared, const uint64_t numbers[MODEL_SKUS]) {
    const struct model_call *call = prepared->call;
    cellar_line *lines = prepared->few;

    if (call->line_count > MODEL_LINES_FEW) {
        prepared->many = malloc(call->line_count * sizeof *lines);
        ASSERT(prepared->many != NULL);
        lines = prepared->many;
    }
    for (uint32_t i = 0; i < call->line_count; i++) {
        lines[i] = call_line(numbers, &model_lines(call)[i]);
    }
    prepared->lines = lines;
    prepared->line_count = call->line_count;
    prepared->reference = model_reference(call->text, prepared->reference_buffer);
    call_spoil(prepared);
}

/* ---- Products ---- */

static void call_put(struct prepared *prepared) {
    const struct model_call *call = prepared->call;
    struct model_answer *answer = prepared->answer;
    unsigned char attributes[MODEL_ATTRIBUTES_MAX];

    ASSERT(prepared->lines != NULL);
    const cellar_product product = {
        .sku = prepared->lines[0].sku,
        .name = prepared->reference,
        .category = model_category(call->text),
        .unit_price = call->fault == MODEL_FAULT_AMOUNT ? CELLAR_AMOUNT_MAX + 1 : call->amount,
        .status = (cellar_product_status)(call->fault == MODEL_FAULT_STATE ? 3 : call->state),
        .attributes = attributes,
        .attributes_bytes = model_attributes(call->text, attributes)};

    answer->status =
        cellar_product_put(prepared->store, prepared->options, prepared->is_null ? NULL : &product,
                           call->expected, &answer->ticket, &answer->refusal);
}

/* ---- Stock ---- */

typedef cellar_status change_function(cellar *store, const cellar_call *call,
                                      const cellar_stock_change *change, cellar_ticket *ticket_out,
                                      cellar_refusal *refusal_out);

static void call_change(struct prepared *prepared) {
    static change_function *const functions[] = {[MODEL_RECEIVE] = cellar_stock_receive,
                                                 [MODEL_ADJUST] = cellar_stock_adjust,
                                                 [MODEL_SET_ASIDE] = cellar_stock_set_aside,
                                                 [MODEL_ANNOUNCE] = cellar_stock_announce};
    const struct model_call *call = prepared->call;
    struct model_answer *answer = prepared->answer;
    const cellar_stock_change change = {.id = model_id(call->id),
                                        .lines = prepared->lines,
                                        .line_count = prepared->line_count,
                                        .reason = call->reason,
                                        .reference = prepared->reference};

    ASSERT(call->kind >= MODEL_RECEIVE);
    ASSERT(call->kind <= MODEL_ANNOUNCE);
    answer->status = functions[call->kind](prepared->store, prepared->options,
                                           prepared->is_null ? NULL : &change, &answer->ticket,
                                           &answer->refusal);
}

static void call_line_of_stock(struct prepared *prepared) {
    const struct model_call *call = prepared->call;
    struct model_answer *answer = prepared->answer;
    const cellar_line *line = prepared->is_null ? NULL : prepared->lines;
    cellar *store = prepared->store;

    switch (call->kind) {
    case MODEL_TAKE:
        answer->status =
            cellar_stock_take(store, prepared->options, line, &answer->ticket, &answer->refusal);
        break;
    case MODEL_COUNT:
        answer->status = cellar_stock_count(store, prepared->options, line, call->expected,
                                            &answer->ticket, &answer->refusal);
        break;
    case MODEL_SAFETY:
        answer->status = cellar_stock_set_safety(store, prepared->options, line, call->expected,
                                                 &answer->ticket, &answer->refusal);
        break;
    default:
        answer->status =
            cellar_stock_move(store, prepared->options, model_id(call->id), line,
                              call->fault == MODEL_FAULT_STATE ? call->few[0].location : call->to,
                              &answer->ticket, &answer->refusal);
        break;
    }
}

/* ---- Accounts ---- */

static void call_account(struct prepared *prepared) {
    const struct model_call *call = prepared->call;
    struct model_answer *answer = prepared->answer;
    bool of_floor = call->kind == MODEL_OPEN || call->kind == MODEL_FLOOR;
    int64_t wrong = of_floor ? 1 : (call->text % 2 == 0 ? 0 : CELLAR_AMOUNT_MAX + 1);
    int64_t amount = call->fault == MODEL_FAULT_AMOUNT ? wrong : call->amount;
    uint64_t account = call->fault == MODEL_FAULT_ACCOUNT ? 0 : call->account;
    uint64_t to = call->fault == MODEL_FAULT_STATE ? account : call->to;
    cellar_id id = model_id(call->id);
    cellar *store = prepared->store;
    const cellar_call *options = prepared->options;
    cellar_ticket *ticket = &answer->ticket;
    cellar_refusal *refusal = &answer->refusal;

    switch (call->kind) {
    case MODEL_OPEN:
        answer->status = cellar_account_open(store, options, account, amount, ticket, refusal);
        break;
    case MODEL_CREDIT:
        answer->status =
            cellar_account_credit(store, options, id, account, amount, ticket, refusal);
        break;
    case MODEL_DEBIT:
        answer->status = cellar_account_debit(store, options, id, account, amount, ticket, refusal);
        break;
    case MODEL_TRANSFER:
        answer->status =
            cellar_account_transfer(store, options, id, account, to, amount, ticket, refusal);
        break;
    default:
        answer->status = cellar_account_set_floor(store, options, account, amount, call->expected,
                                                  ticket, refusal);
        break;
    }
}

/* ---- Orders ---- */

static void call_order(struct prepared *prepared) {
    const struct model_call *call = prepared->call;
    struct model_answer *answer = prepared->answer;
    cellar_order_request request = {.id = model_id(call->id),
                                    .customer = call->customer,
                                    .lines = prepared->lines,
                                    .line_count = prepared->line_count,
                                    .state = (cellar_order_state)call->state,
                                    .account = call->account,
                                    .business_time_ns = call->business_time_ns,
                                    .reference = prepared->reference};
    const cellar_order_request *passed = prepared->is_null ? NULL : &request;

    if (call->fault == MODEL_FAULT_STATE) {
        request.state = call->kind == MODEL_RETURN ? CELLAR_ORDER_PLACED : CELLAR_ORDER_CANCELLED;
    } else if (call->fault == MODEL_FAULT_ACCOUNT) {
        request.state = CELLAR_ORDER_PLACED;
        request.account = 1;
    } else if (call->fault == MODEL_FAULT_NO_ID) {
        request.id = (cellar_id){0, 0};
    }
    if (call->kind == MODEL_QUOTE) {
        answer->status =
            cellar_order_quote(prepared->store, passed, &answer->total, &answer->refusal);
    } else if (call->kind == MODEL_RETURN) {
        answer->status = cellar_order_return(prepared->store, prepared->options, passed,
                                             call->damaged, &answer->ticket, &answer->refusal);
    } else {
        answer->status = cellar_order_place(prepared->store, prepared->options, passed,
                                            &answer->ticket, &answer->refusal);
    }
}

static void call_step(struct prepared *prepared) {
    const struct model_call *call = prepared->call;
    struct model_answer *answer = prepared->answer;
    cellar_id id = model_id(call->id);

    if (call->kind == MODEL_PAY) {
        answer->status = cellar_order_pay(prepared->store, prepared->options, id, call->account,
                                          &answer->ticket, &answer->refusal);
    } else if (call->kind == MODEL_FULFIL) {
        answer->status = cellar_order_fulfil(prepared->store, prepared->options, id,
                                             &answer->ticket, &answer->refusal);
    } else {
        answer->status = cellar_order_cancel(prepared->store, prepared->options, id,
                                             &answer->ticket, &answer->refusal);
    }
}

/* ---- Reads ---- */

static void call_read(struct prepared *prepared) {
    const struct model_call *call = prepared->call;
    struct model_answer *answer = prepared->answer;

    switch (call->kind) {
    case MODEL_STOCK_GET:
        answer->status = cellar_stock_get(prepared->store, prepared->lines, &answer->stock);
        break;
    case MODEL_SNAPSHOT:
        answer->status = cellar_stock_snapshot(prepared->store, prepared->lines,
                                               prepared->line_count, answer->snapshot.available,
                                               &answer->snapshot.lsn, &answer->refusal);
        break;
    case MODEL_ACCOUNT_GET:
        answer->status = cellar_account_get(prepared->store, call->account, &answer->account);
        break;
    default:
        answer->status = cellar_order_get(prepared->store, model_id(call->id), &answer->order,
                                          answer->lines, MODEL_LINES_FEW);
        break;
    }
}

/* The version that the thing has now. */
static uint64_t call_current(struct prepared *prepared) {
    const struct model_call *call = prepared->call;
    cellar_account account;
    cellar_product product;
    cellar_stock stock;

    if (call->kind == MODEL_PUT) {
        bool found = cellar_product_get(prepared->store, model_sku(call->few[0].sku), 0,
                                        &product) == CELLAR_OK;
        return found ? product.version : CELLAR_VERSION_ABSENT;
    }
    if (call->kind == MODEL_FLOOR) {
        bool found = cellar_account_get(prepared->store, call->account, &account) == CELLAR_OK;
        return found ? account.version : 64;
    }
    bool found = cellar_stock_get(prepared->store, prepared->lines, &stock) == CELLAR_OK;
    return found ? stock.version : 64;
}

void model_run(cellar *store, const uint64_t numbers[MODEL_SKUS], const cellar_call *options,
               struct model_call *call, struct model_answer *answer) {
    struct prepared prepared = {.store = store, .call = call, .answer = answer, .options = options};

    memset(answer, 0, sizeof *answer);
    call_prepare(&prepared, numbers);
    if (call->expected == MODEL_EXPECT_CURRENT) {
        call->expected = call_current(&prepared);
    }
    if (call->kind == MODEL_PUT) {
        call_put(&prepared);
    } else if (call->kind <= MODEL_ANNOUNCE) {
        call_change(&prepared);
    } else if (call->kind <= MODEL_MOVE) {
        call_line_of_stock(&prepared);
    } else if (call->kind <= MODEL_FLOOR) {
        call_account(&prepared);
    } else if (call->kind == MODEL_PLACE || call->kind == MODEL_RETURN ||
               call->kind == MODEL_QUOTE) {
        call_order(&prepared);
    } else if (call->kind < MODEL_QUOTE) {
        call_step(&prepared);
    } else {
        call_read(&prepared);
    }
    free(prepared.many);
}

/* ---- Locations ---- */

bool model_opening(cellar *store, uint32_t sku, uint32_t location, cellar_movement *opening) {
    const cellar_line line = {.sku = model_sku(sku), .location = location};
    cellar_movement page[100];
    uint64_t before = 0;
    size_t count;

    *opening = (cellar_movement){0};
    do {
        cellar_status status = cellar_stock_history(store, &line, before, page, 100, &count);
        if (status != CELLAR_OK || count == 0) {
            break;
        }
        *opening = page[count - 1];
        before = opening->lsn;
    } while (count == 100);
    return opening->kind == CELLAR_MOVEMENT_OPENED;
}

static bool call_apply_opening(struct model *model, cellar *store, const struct model_line *line) {
    bool there = model->products[line->sku].stocks[line->location].exists;
    struct model_call call = {.kind = MODEL_OPENING, .line_count = 1, .few = {*line}};
    struct model_answer answer = {.status = CELLAR_OK};

    cellar_movement opening;

    if (there || line->location == 0) {
        return true;
    }
    if (!model_opening(store, line->sku, line->location, &opening)) {
        return model_wrong(model, "%s at %u: no opening", model_sku(line->sku), line->location);
    }
    answer.ticket.lsn = opening.lsn;
    answer.ticket.time_ns = opening.time_ns;
    return model_apply(model, &call, &answer);
}

bool model_apply_openings(struct model *model, cellar *store, const struct model_call *call) {
    for (uint32_t i = 0; i < call->line_count; i++) {
        if (!call_apply_opening(model, store, &model_lines(call)[i])) {
            return false;
        }
    }
    struct model_line to = call->few[0];
    to.location = call->to;
    return call->kind != MODEL_MOVE || call_apply_opening(model, store, &to);
}
