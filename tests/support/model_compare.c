/* The whole store against the model: everything that can be asked is asked. */
#include "support/model.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

/* ---- Products ---- */

static bool compare_product(struct model *model, cellar *store, uint32_t sku) {
    const struct model_product *product = &model->products[sku];
    const struct model_call *put = &product->put;
    char buffer[CELLAR_REFERENCE_BYTES_MAX + 1];
    const char *name = model_reference(put->text, buffer);
    unsigned char attributes[MODEL_ATTRIBUTES_MAX];
    unsigned char told_attributes[MODEL_ATTRIBUTES_MAX];
    uint32_t bytes = model_attributes(put->text, attributes);
    cellar_product told;

    cellar_status status = cellar_product_get(store, model_sku(sku), 0, &told);
    if (!product->exists) {
        return status == CELLAR_NOT_FOUND || model_wrong(model, "product %u is there", sku);
    }
    bool right = status == CELLAR_OK && told.id == model->numbers[sku] &&
                 told.version == product->version && told.unit_price == put->amount &&
                 (uint32_t)told.status == put->state && told.created_ns == product->created_ns &&
                 told.updated_ns == product->updated_ns && told.attributes_bytes == bytes &&
                 strcmp(told.sku, model_sku(sku)) == 0 &&
                 strcmp(told.name, name == NULL ? "" : name) == 0 &&
                 strcmp(told.category, model_category(put->text)) == 0;
    cellar_product again;
    right = right && cellar_product_get(store, NULL, told.id, &again) == CELLAR_OK &&
            again.version == told.version && strcmp(again.sku, told.sku) == 0;
    right = right &&
            cellar_product_attributes(store, &told, told_attributes, sizeof told_attributes) ==
                CELLAR_OK &&
            memcmp(told_attributes, attributes, bytes) == 0;
    return right ||
           model_wrong(model, "product %u (%s), status %s, price %lld", sku, model_sku(sku),
                       cellar_status_name(status), (long long)told.unit_price);
}

/* Products of a list, newest first: by status, or of one category. */
static bool compare_product_list(struct model *model, cellar *store, struct random *random,
                                 const char *category, cellar_product_status status) {
    cellar_product_query query = {.category = category, .status = status};
    cellar_product_summary page[MODEL_SKUS];
    size_t wanted = 0;
    size_t listed = 0;
    size_t count;
    size_t capacity;
    uint64_t last = UINT64_MAX;

    for (uint32_t sku = 0; sku < MODEL_SKUS; sku++) {
        const struct model_product *product = &model->products[sku];
        wanted += product->exists &&
                  (category == NULL ? product->put.state == status
                                    : strcmp(model_category(product->put.text), category) == 0);
    }
    do {
        capacity = 1 + random_below(random, MODEL_SKUS);
        if (cellar_product_list(store, &query, page, capacity, &count) != CELLAR_OK) {
            return model_wrong(model, "a list of products is refused");
        }
        for (size_t i = 0; i < count; i++) {
            bool known = false;
            for (uint32_t sku = 0; sku < MODEL_SKUS; sku++) {
                const struct model_product *product = &model->products[sku];
                known = known || (model->numbers[sku] == page[i].id && product->exists &&
                                  page[i].version == product->version &&
                                  strcmp(page[i].sku, model_sku(sku)) == 0 &&
                                  (category == NULL
                                       ? product->put.state == status
                                       : strcmp(model_category(product->put.text), category) == 0));
            }
            if (!known || page[i].id >= last) {
                return model_wrong(model, "list of products: %s is in it", page[i].sku);
            }
            last = page[i].id;
        }
        listed += count;
        query.before = last;
    } while (count == capacity);
    return listed == wanted ||
           model_wrong(model, "list of products: %zu instead of %zu", listed, wanted);
}

static bool compare_products(struct model *model, cellar *store, struct random *random) {
    for (uint32_t sku = 0; sku < MODEL_SKUS; sku++) {
        if (!compare_product(model, store, sku)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < 3; i++) {
        if (!compare_product_list(model, store, random, NULL, (cellar_product_status)i)) {
            return false;
        }
    }
    for (uint32_t i = 1; i < MODEL_CATEGORIES; i++) {
        if (!compare_product_list(model, store, random, model_category(i), 0)) {
            return false;
        }
    }
    return true;
}

/* ---- Stock ---- */

/* The log raises a record's time to that of the record before it. */
#define COMPARE_TIME_SLACK_NS INT64_C(30000000000)

static bool compare_movement(const struct model_movement *movement, const cellar_movement *told) {
    char buffer[CELLAR_REFERENCE_BYTES_MAX + 1];
    const char *reference = model_reference(movement->text, buffer);
    cellar_id id = model_id(movement->id);

    return told->lsn == movement->lsn && told->time_ns >= movement->time_ns &&
           told->time_ns - movement->time_ns < COMPARE_TIME_SLACK_NS &&
           told->kind == movement->kind && told->change == movement->change &&
           told->available == movement->available && told->id.high == id.high &&
           told->id.low == id.low && told->reason == movement->reason &&
           strcmp(told->reference, reference == NULL ? "" : reference) == 0;
}

static bool compare_history_wrong(struct model *model, const cellar_line *line, size_t left,
                                  const struct model_stock *stock, const cellar_movement *told) {
    static const struct model_movement none;
    const struct model_movement *wanted = left == 0 ? &none : &stock->movements[left - 1];

    return model_wrong(
        model,
        "history of %s at %u, %zu left: lsn %llu (%llu) time %lld (%lld) kind %u "
        "(%u) change %lld (%lld) available %lld (%lld) id %llu reason %u (%u) %s",
        line->sku, line->location, left, (unsigned long long)told->lsn,
        (unsigned long long)wanted->lsn, (long long)told->time_ns, (long long)wanted->time_ns,
        told->kind, wanted->kind, (long long)told->change, (long long)wanted->change,
        (long long)told->available, (long long)wanted->available, (unsigned long long)told->id.low,
        told->reason, wanted->reason, told->reference);
}

/* The movements of a stock, newest first. */
static bool compare_history(struct model *model, cellar *store, struct random *random,
                            const cellar_line *line, const struct model_stock *stock) {
    cellar_movement page[40];
    size_t left = stock->movement_count;
    uint64_t before = 0;
    size_t count;
    size_t capacity;

    do {
        capacity = 1 + random_below(random, 40);
        cellar_status status = cellar_stock_history(store, line, before, page, capacity, &count);
        if (status != CELLAR_OK) {
            return model_wrong(model, "history: %s", cellar_status_name(status));
        }
        for (size_t i = 0; i < count; i++) {
            bool right = left > 0 && compare_movement(&stock->movements[left - 1], &page[i]);
            if (!right) {
                return compare_history_wrong(model, line, left, stock, &page[i]);
            }
            before = page[i].lsn;
            left--;
        }
    } while (count == capacity);
    return left == 0 ||
           model_wrong(model, "history of %s at %u: %zu missing", line->sku, line->location, left);
}

static bool compare_stock(struct model *model, cellar *store, struct random *random, uint32_t sku,
                          uint32_t location) {
    const struct model_stock *stock = &model->products[sku].stocks[location];
    const cellar_line line = {.sku = model_sku(sku), .location = location};
    cellar_stock told;

    cellar_status status = cellar_stock_get(store, &line, &told);
    if (!stock->exists) {
        return status == CELLAR_NOT_FOUND ||
               model_wrong(model, "%s at %u is there", line.sku, location);
    }
    bool right = status == CELLAR_OK && told.available == stock->available &&
                 told.reserved == stock->reserved && told.unsellable == stock->unsellable &&
                 told.incoming == stock->incoming && told.safety == stock->safety &&
                 told.version == stock->version &&
                 told.on_hand == stock->available + stock->reserved + stock->unsellable;
    if (!right) {
        return model_wrong(model,
                           "%s at %u: %s available %lld (%lld) reserved %lld (%lld) version %llu "
                           "(%llu)",
                           line.sku, location, cellar_status_name(status),
                           (long long)told.available, (long long)stock->available,
                           (long long)told.reserved, (long long)stock->reserved,
                           (unsigned long long)told.version, (unsigned long long)stock->version);
    }
    return compare_history(model, store, random, &line, stock);
}

static bool compare_snapshot(struct model *model, cellar *store) {
    cellar_line lines[MODEL_SKUS * MODEL_LOCATIONS];
    int64_t available[MODEL_SKUS * MODEL_LOCATIONS];
    int64_t wanted[MODEL_SKUS * MODEL_LOCATIONS];
    size_t count = 0;

    for (uint32_t sku = 0; sku < MODEL_SKUS; sku++) {
        for (uint32_t location = 0; location < MODEL_LOCATIONS; location++) {
            const struct model_stock *stock = &model->products[sku].stocks[location];
            if (stock->exists) {
                lines[count] = (cellar_line){.sku = model_sku(sku), .location = location};
                wanted[count++] = stock->available;
            }
        }
    }
    bool right = count == 0 ||
                 (cellar_stock_snapshot(store, lines, count, available, NULL, NULL) == CELLAR_OK &&
                  memcmp(available, wanted, count * sizeof *wanted) == 0);
    return right || model_wrong(model, "snapshot of all stocks");
}

static bool compare_stocks(struct model *model, cellar *store, struct random *random) {
    for (uint32_t sku = 0; sku < MODEL_SKUS; sku++) {
        for (uint32_t location = 0; location < MODEL_LOCATIONS; location++) {
            if (!compare_stock(model, store, random, sku, location)) {
                return false;
            }
        }
    }
    return compare_snapshot(model, store);
}

/* ---- Accounts ---- */

static bool compare_accounts(struct model *model, cellar *store) {
    for (uint64_t id = 1; id <= MODEL_ACCOUNTS; id++) {
        struct model_call call = {.kind = MODEL_ACCOUNT_GET, .account = id};
        struct model_answer answer;
        model_run(store, model->numbers, NULL, &call, &answer);
        if (!model_judge(model, &call, &answer)) {
            return model_wrong(model, "account %llu: balance %lld", (unsigned long long)id,
                               (long long)answer.account.balance);
        }
    }
    return true;
}

/* ---- Orders ---- */

#define COMPARE_LINES_MAX CELLAR_LINES_MAX

static bool compare_orders(struct model *model, cellar *store, cellar_order_line *lines) {
    for (uint32_t id = 1; id < model->document_count; id++) {
        const struct model_document *document = &model->documents[id];
        cellar_order told;
        cellar_status status =
            cellar_order_get(store, model_id(id), &told, lines, COMPARE_LINES_MAX);
        bool order = document->exists && document->state != MODEL_STATE_OTHER;
        bool right = order ? status == CELLAR_OK &&
                                 model_order_is(model, id, &told, lines, COMPARE_LINES_MAX)
                           : status == CELLAR_NOT_FOUND;
        if (!right) {
            return model_wrong(model, "order %u: %s state %u version %llu account %llu total %lld",
                               id, cellar_status_name(status), told.state,
                               (unsigned long long)told.version, (unsigned long long)told.account,
                               (long long)told.total);
        }
    }
    return true;
}

static int compare_by_placed(const void *a, const void *b) {
    const struct model_document *left = *(const struct model_document *const *)a;
    const struct model_document *right = *(const struct model_document *const *)b;

    return left->placed_lsn < right->placed_lsn ? 1 : -1;
}

/* A list of orders: those wanted, newest first, with their lines. */
static bool compare_order_list(struct model *model, cellar *store, struct random *random,
                               cellar_order_query query, const struct model_document **wanted,
                               size_t wanted_count, cellar_order_line *lines) {
    cellar_order page[50];
    size_t at = 0;
    size_t count;

    for (;;) {
        size_t capacity = 1 + random_below(random, 50);
        bool with_lines = random_below(random, 2) == 0;
        cellar_status status =
            cellar_order_list(store, &query, page, capacity, &count, with_lines ? lines : NULL,
                              with_lines ? COMPARE_LINES_MAX : 0);
        if (status != CELLAR_OK) {
            return model_wrong(model, "list of orders: %s", cellar_status_name(status));
        }
        size_t line_at = 0;
        for (size_t i = 0; i < count; i++, at++) {
            uint32_t id = at < wanted_count ? (uint32_t)(wanted[at] - model->documents) : 0;
            size_t known = with_lines ? COMPARE_LINES_MAX - line_at : 0;
            if (id == 0 || !model_order_is(model, id, &page[i], lines + line_at, known)) {
                return model_wrong(model, "list of orders, customer %llu, state %u: entry %zu",
                                   (unsigned long long)query.customer, query.state, at);
            }
            line_at += with_lines ? page[i].line_count : 0;
            query.before = page[i].id;
        }
        if (count == 0) {
            return at == wanted_count ||
                   model_wrong(model, "list of orders, customer %llu, state %u: %zu missing",
                               (unsigned long long)query.customer, query.state, wanted_count - at);
        }
    }
}

static bool compare_order_lists(struct model *model, cellar *store, struct random *random,
                                cellar_order_line *lines) {
    const struct model_document **wanted =
        calloc(model->document_count + 1, sizeof(const struct model_document *));
    bool right = true;

    ASSERT(wanted != NULL);
    /* By customer from 1, then by state. */
    for (uint32_t which = 1; right && which <= MODEL_CUSTOMERS + CELLAR_ORDER_RETURNED; which++) {
        cellar_order_query query = {.customer = which <= MODEL_CUSTOMERS ? which : 0};
        size_t count = 0;
        query.state = query.customer == 0 ? (cellar_order_state)(which - MODEL_CUSTOMERS) : 0;
        for (uint32_t id = 1; id < model->document_count; id++) {
            const struct model_document *document = &model->documents[id];
            bool listed = document->exists && document->state != MODEL_STATE_OTHER &&
                          (query.customer != 0 ? document->call.customer == query.customer
                                               : document->state == (uint32_t)query.state);
            if (listed) {
                wanted[count++] = document;
            }
        }
        qsort(wanted, count, sizeof *wanted, compare_by_placed);
        right = compare_order_list(model, store, random, query, wanted, count, lines);
    }
    free(wanted);
    return right;
}

/* ---- Totals ---- */

static bool compare_totals(struct model *model, cellar *store) {
    cellar_totals wanted = model->totals;
    cellar_audit audit;

    for (uint32_t sku = 0; sku < MODEL_SKUS; sku++) {
        for (uint32_t location = 0; location < MODEL_LOCATIONS; location++) {
            const struct model_stock *stock = &model->products[sku].stocks[location];
            wanted.units_available += stock->available;
            wanted.units_reserved += stock->reserved;
            wanted.units_unsellable += stock->unsellable;
        }
    }
    cellar_status status = cellar_audit_run(store, &audit);
    if (status != CELLAR_OK || audit.violations != 0) {
        return model_wrong(model, "audit: %s, %llu violations: %s", cellar_status_name(status),
                           (unsigned long long)audit.violations, audit.first_violation);
    }
    wanted.lsn = audit.totals.lsn;
    for (size_t i = 0; i < sizeof wanted / sizeof(int64_t); i++) {
        int64_t is;
        int64_t should;
        memcpy(&is, (const char *)&audit.totals + i * sizeof is, sizeof is);
        memcpy(&should, (const char *)&wanted + i * sizeof should, sizeof should);
        if (is != should) {
            return model_wrong(model, "totals, number %zu: %lld instead of %lld", i, (long long)is,
                               (long long)should);
        }
    }
    return audit.totals.lsn > model->last_lsn ||
           model_wrong(model, "the audit is as of %llu", (unsigned long long)audit.totals.lsn);
}
_Static_assert(sizeof(cellar_totals) % sizeof(int64_t) == 0, "numbers only");

bool model_compare(struct model *model, cellar *store, struct random *random) {
    if (model->last_lsn != 0 && cellar_wait_listed(store, model->last_lsn, -1) != CELLAR_OK) {
        return model_wrong(model, "the lists do not follow");
    }
    cellar_order_line *lines = malloc(COMPARE_LINES_MAX * sizeof *lines);
    ASSERT(lines != NULL);
    bool right = compare_products(model, store, random) && compare_stocks(model, store, random) &&
                 compare_accounts(model, store) && compare_orders(model, store, lines) &&
                 compare_order_lists(model, store, random, lines) && compare_totals(model, store);
    free(lines);
    return right;
}
