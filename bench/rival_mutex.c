/* The rival that most hosts would write: a mutex for each SKU and account, taken in one order, and
 * objects in memory. No log: a crash loses everything, so it stands beside relaxed orders only. */
#include "lookup.h"
#include "rival.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#define PARTS 1024
#define PART_SLOTS_FIRST 64

struct guarded {
    _Alignas(64) pthread_mutex_t lock;
    int64_t value;
};

struct kept_line {
    uint32_t product;
    int64_t quantity;
    int64_t unit_price;
};

struct kept_order {
    cellar_id id;
    uint64_t customer;
    int64_t total;
    uint32_t line_count;
    struct kept_line lines[];
};

/* Orders by id: open addressing, doubled when half full. */
struct part {
    _Alignas(64) pthread_mutex_t lock;
    struct kept_order **slots;
    uint32_t slot_count;
    uint32_t used;
};

struct mutex_shop {
    struct lookup lookup;
    struct guarded *stocks;
    struct guarded *accounts; /* by number of the customer: no look-up at all */
    uint32_t skus;
    struct part parts[PARTS];
};

static uint64_t id_hash(cellar_id id) {
    return hash_seeded(0, &id, sizeof id);
}

static struct kept_order **part_slot(const struct part *part, cellar_id id, uint64_t hash) {
    uint32_t slot = (uint32_t)(hash / PARTS) & (part->slot_count - 1);
    while (part->slots[slot] != NULL &&
           (part->slots[slot]->id.high != id.high || part->slots[slot]->id.low != id.low)) {
        slot = (slot + 1) & (part->slot_count - 1);
    }
    return &part->slots[slot];
}

static bool part_grow(struct part *part) {
    struct part larger = {.slot_count =
                              part->slot_count != 0 ? 2 * part->slot_count : PART_SLOTS_FIRST};
    larger.slots = calloc(larger.slot_count, sizeof(struct kept_order *));
    if (larger.slots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < part->slot_count; i++) {
        struct kept_order *order = part->slots[i];
        if (order != NULL) {
            *part_slot(&larger, order->id, id_hash(order->id)) = order;
        }
    }
    free(part->slots);
    part->slots = larger.slots;
    part->slot_count = larger.slot_count;
    return true;
}

/* Under the locks of its stocks and its account. */
static bool order_keep(struct mutex_shop *shop, struct kept_order *order, struct guarded *account) {
    uint64_t hash = id_hash(order->id);
    struct part *part = &shop->parts[hash % PARTS];
    bool ok = account->value >= order->total;

    for (uint32_t i = 0; ok && i < order->line_count; i++) {
        ok = shop->stocks[order->lines[i].product].value >= order->lines[i].quantity;
    }
    if (!ok) {
        return false;
    }
    pthread_mutex_lock(&part->lock);
    if (2 * (part->used + 1) > part->slot_count) {
        ok = part_grow(part);
    }
    struct kept_order **slot = ok ? part_slot(part, order->id, hash) : NULL;
    ok = ok && *slot == NULL;
    if (ok) {
        *slot = order;
        part->used++;
    }
    pthread_mutex_unlock(&part->lock);
    if (ok) {
        account->value -= order->total;
        for (uint32_t i = 0; i < order->line_count; i++) {
            shop->stocks[order->lines[i].product].value -= order->lines[i].quantity;
        }
    }
    return ok;
}

static int compare_numbers(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static bool mutex_place(void *context, const cellar_order_request *request) {
    struct mutex_shop *shop = context;
    uint32_t numbers[CELLAR_LINES_MAX];
    uint32_t count = (uint32_t)request->line_count;
    struct kept_order *order = malloc(sizeof *order + count * sizeof *order->lines);

    if (order == NULL) {
        return false;
    }
    *order = (struct kept_order){.id = request->id,
                                 .customer = request->customer,
                                 .total = shop_total(request),
                                 .line_count = count};
    for (uint32_t i = 0; i < count; i++) {
        const cellar_line *line = &request->lines[i];
        numbers[i] = lookup_find(&shop->lookup, line->sku);
        if (numbers[i] == LOOKUP_NONE) {
            free(order);
            return false;
        }
        order->lines[i] = (struct kept_line){numbers[i], line->quantity, line->unit_price};
    }
    /* One order of locking for all, or two threads would wait for each other. */
    qsort(numbers, count, sizeof *numbers, compare_numbers);
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || numbers[i] != numbers[i - 1]) {
            pthread_mutex_lock(&shop->stocks[numbers[i]].lock);
        }
    }
    struct guarded *account = &shop->accounts[request->customer];
    pthread_mutex_lock(&account->lock);
    bool ok = order_keep(shop, order, account);
    pthread_mutex_unlock(&account->lock);
    for (uint32_t i = count; i > 0; i--) {
        if (i == count || numbers[i - 1] != numbers[i]) {
            pthread_mutex_unlock(&shop->stocks[numbers[i - 1]].lock);
        }
    }
    if (!ok) {
        free(order);
    }
    return ok;
}

static bool mutex_sum(void *context, struct rival_totals *totals_out) {
    const struct mutex_shop *shop = context;

    for (uint32_t i = 0; i < shop->skus; i++) {
        totals_out->units_left += shop->stocks[i].value;
    }
    for (uint32_t i = 1; i <= SHOP_CUSTOMERS; i++) {
        totals_out->balances += shop->accounts[i].value;
    }
    for (uint32_t i = 0; i < PARTS; i++) {
        for (uint32_t slot = 0; slot < shop->parts[i].slot_count; slot++) {
            const struct kept_order *order = shop->parts[i].slots[slot];
            if (order == NULL) {
                continue;
            }
            totals_out->orders++;
            totals_out->paid += order->total;
            for (uint32_t line = 0; line < order->line_count; line++) {
                totals_out->units_sold += order->lines[line].quantity;
            }
        }
    }
    return true;
}

static struct guarded *guarded_make(size_t count, int64_t value) {
    struct guarded *guarded = aligned_alloc(_Alignof(struct guarded), count * sizeof *guarded);
    for (size_t i = 0; guarded != NULL && i < count; i++) {
        pthread_mutex_init(&guarded[i].lock, NULL);
        guarded[i].value = value;
    }
    return guarded;
}

static void mutex_end(void *context) {
    struct mutex_shop *shop = context;

    for (uint32_t i = 0; i < PARTS; i++) {
        for (uint32_t slot = 0; slot < shop->parts[i].slot_count; slot++) {
            free(shop->parts[i].slots[slot]);
        }
        free(shop->parts[i].slots);
    }
    lookup_end(&shop->lookup);
    free(shop->stocks);
    free(shop->accounts);
    free(shop);
}

static void *mutex_start(const struct shop *shop) {
    struct mutex_shop *own = aligned_alloc(_Alignof(struct mutex_shop), sizeof *own);

    if (own == NULL) {
        return NULL;
    }
    memset(own, 0, sizeof *own);
    for (uint32_t i = 0; i < PARTS; i++) {
        pthread_mutex_init(&own->parts[i].lock, NULL);
    }
    own->skus = shop->skus;
    own->stocks = guarded_make(shop->skus, SHOP_UNITS);
    own->accounts = guarded_make(SHOP_CUSTOMERS + 1, SHOP_FUNDS);
    if (!lookup_start(&own->lookup, shop->names, shop->skus) || own->stocks == NULL ||
        own->accounts == NULL) {
        mutex_end(own);
        return NULL;
    }
    return own;
}

const struct rival_kind rival_mutex = {"mutex per SKU, no log", mutex_start, mutex_place, mutex_sum,
                                       mutex_end};
