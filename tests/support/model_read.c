/* What a read must tell in the model's state. */
#include "support/model.h"

#include <string.h>

static bool read_stock(const struct model *model, const struct model_call *call,
                       const struct model_answer *answer) {
    const struct model_line *line = &call->few[0];
    const struct model_stock *stock =
        line->sku < MODEL_SKUS ? &model->products[line->sku].stocks[line->location] : NULL;
    const cellar_stock *told = &answer->stock;

    if (stock == NULL || !stock->exists) {
        return answer->status == CELLAR_NOT_FOUND;
    }
    return answer->status == CELLAR_OK && told->available == stock->available &&
           told->unsellable == stock->unsellable && told->incoming == stock->incoming &&
           told->safety == stock->safety && told->version == stock->version &&
           told->on_hand == told->available + told->reserved + told->unsellable;
}

static bool read_snapshot(const struct model *model, const struct model_call *call,
                          const struct model_answer *answer) {
    for (uint32_t i = 0; i < call->line_count; i++) {
        const struct model_line *line = &call->few[i];
        bool product = line->sku < MODEL_SKUS && model->products[line->sku].exists;
        const struct model_stock *stock =
            product ? &model->products[line->sku].stocks[line->location] : NULL;
        if (answer->status == CELLAR_NOT_FOUND && answer->refusal.line == i) {
            return stock == NULL || !stock->exists;
        }
        /* A location that has come into being since reads as empty. */
        if (!product ||
            (answer->status == CELLAR_OK && answer->snapshot.available[i] != stock->available)) {
            return false;
        }
    }
    return answer->status == CELLAR_OK;
}

static bool read_account(const struct model *model, const struct model_call *call,
                         const struct model_answer *answer) {
    const struct model_account *account =
        call->account <= MODEL_ACCOUNTS ? &model->accounts[call->account] : NULL;
    const cellar_account *told = &answer->account;

    if (account == NULL || !account->exists) {
        return answer->status == CELLAR_NOT_FOUND;
    }
    return answer->status == CELLAR_OK && told->id == call->account &&
           told->balance == account->balance && told->floor == account->floor &&
           told->version == account->version;
}

bool model_order_is(const struct model *model, uint32_t id, const cellar_order *told,
                    const cellar_order_line *lines, size_t capacity) {
    const struct model_document *order = &model->documents[id];
    const struct model_call *call = &order->call;
    char buffer[CELLAR_REFERENCE_BYTES_MAX + 1];
    const char *reference = model_reference(call->text, buffer);
    cellar_id name = model_id(id);

    if (told->id.high != name.high || told->id.low != name.low ||
        (uint32_t)told->state != order->state || told->version != order->version ||
        told->placed_lsn != order->placed_lsn || told->placed_ns != order->placed_ns ||
        told->business_time_ns != call->business_time_ns || told->customer != call->customer ||
        told->account != order->account || told->total != order->total ||
        told->line_count != call->line_count ||
        strcmp(told->reference, reference == NULL ? "" : reference) != 0) {
        return false;
    }
    for (size_t i = 0; i < call->line_count && i < capacity; i++) {
        const struct model_line *line = &model_lines(call)[i];
        if (lines[i].product != model->numbers[line->sku] || lines[i].location != line->location ||
            lines[i].quantity != line->quantity || lines[i].unit_price != line->unit_price) {
            return false;
        }
    }
    return true;
}

static bool read_order(const struct model *model, const struct model_call *call,
                       const struct model_answer *answer) {
    bool there = call->id != 0 && call->id < model->document_count &&
                 model->documents[call->id].exists &&
                 model->documents[call->id].state != MODEL_STATE_OTHER;

    if (!there) {
        return answer->status == CELLAR_NOT_FOUND;
    }
    return answer->status == CELLAR_OK &&
           model_order_is(model, call->id, &answer->order, answer->lines, MODEL_LINES_FEW);
}

bool model_judge_read(struct model *model, const struct model_call *call,
                      const struct model_answer *answer) {
    switch (call->kind) {
    case MODEL_STOCK_GET:
        return read_stock(model, call, answer);
    case MODEL_SNAPSHOT:
        return read_snapshot(model, call, answer);
    case MODEL_ACCOUNT_GET:
        return read_account(model, call, answer);
    default:
        return read_order(model, call, answer);
    }
}
