/* Lists of products, as cellar.h has them. */
#include "engine/engine.h"

#include <string.h>

/* Entries taken from an index at once; between two such, a ranking leaves its read section, so that
 * the ring is not held up however many products there are. */
#define LIST_BATCH 256

/* Where a product stands in a list: by `sold`, and by the slot where that is equal. In a list by id
 * `sold` is there to be shown only. */
struct list_place {
    int64_t sold;
    uint32_t product;
};

static bool list_is_lower(struct list_place a, struct list_place b) {
    return a.sold != b.sold ? a.sold < b.sold : a.product < b.product;
}

/* ---- The most sold: a heap, whose lowest place is in front ---- */

static void list_swap(struct list_place *a, struct list_place *b) {
    struct list_place kept = *a;
    *a = *b;
    *b = kept;
}

static void list_sink(struct list_place *heap, size_t count) {
    size_t at = 0;
    for (;;) {
        size_t lowest = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            lowest = list_is_lower(heap[child], heap[lowest]) ? child : lowest;
        }
        if (lowest == at) {
            return;
        }
        list_swap(&heap[at], &heap[lowest]);
        at = lowest;
    }
}

static void list_rise(struct list_place *heap, size_t at) {
    while (at > 0 && list_is_lower(heap[at], heap[(at - 1) / 2])) {
        list_swap(&heap[at], &heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

/* Up to `wanted` of the highest places below `before`, highest first. Each call looks at the whole
 * index: an order that were kept would cost every sale something. */
static size_t list_most_sold(const struct store *store, const struct index *index,
                             struct list_place before, struct list_place *places_out,
                             size_t wanted) {
    struct index_entry entries[LIST_BATCH];
    uint64_t key = UINT64_MAX;
    size_t count = 0;
    size_t found;
    do {
        found = index_page(index, key, entries, LIST_BATCH);
        for (size_t i = 0; i < found; i++) {
            key = entries[i].key;
            struct list_place place = {ATOMIC_LOAD(&store->sold[entries[i].slot], relaxed),
                                       entries[i].slot};
            if (place.sold <= 0 || !list_is_lower(place, before)) {
                continue;
            }
            if (count < wanted) {
                places_out[count] = place;
                list_rise(places_out, count++);
            } else if (list_is_lower(places_out[0], place)) {
                places_out[0] = place;
                list_sink(places_out, count);
            }
        }
        commit_leave();
        commit_enter();
    } while (found == LIST_BATCH);
    for (size_t left = count; left > 1; left--) {
        list_swap(&places_out[0], &places_out[left - 1]);
        list_sink(places_out, left - 1);
    }
    return count;
}

/* ---- The newest ---- */

static size_t list_newest(const struct store *store, const struct index *index,
                          struct list_place before, struct list_place *places_out, size_t wanted) {
    struct index_entry entries[LIST_BATCH];
    size_t count = 0;
    size_t asked, found;
    do {
        asked = wanted - count < LIST_BATCH ? wanted - count : LIST_BATCH;
        found = index_page(index, before.product, entries, asked);
        for (size_t i = 0; i < found; i++) {
            before.product = entries[i].slot;
            places_out[count++] = (struct list_place){
                ATOMIC_LOAD(&store->sold[entries[i].slot], relaxed), entries[i].slot};
        }
    } while (count < wanted && found == asked);
    return count;
}

/* ---- Pages ---- */

static void product_summarize(const struct store_product *product,
                              const struct store_attributes *block, uint64_t version, int64_t sold,
                              cellar_product_summary *summary) {
    summary->id = product->slot;
    summary->version = version;
    summary->unit_price = block->unit_price;
    summary->created_ns = block->created_ns;
    summary->status = (cellar_product_status)block->status;
    summary->units_sold = sold;
    product_copy_text(summary->sku, product->sku, product->sku_bytes);
    product_copy_text(summary->name, block->text, block->name_bytes);
}

static bool product_is_asked_for(const struct store_attributes *block,
                                 const cellar_product_query *query) {
    if (query->category == NULL) {
        return block->status == query->status;
    }
    return strlen(query->category) == block->category_bytes &&
           memcmp(query->category, block->text + block->name_bytes, block->category_bytes) == 0;
}

/* Where the query goes on: below it. */
static struct list_place list_start(const cellar_product_query *query) {
    uint64_t id = query->before < UINT32_MAX ? query->before : UINT32_MAX;
    if (query->before == 0) {
        return (struct list_place){INT64_MAX, UINT32_MAX};
    }
    return (struct list_place){query->before_sold, (uint32_t)id};
}

/* Inside a section. The list follows the log; what it names is shown as it is now, and left out
 * when it has moved to another list. */
static size_t product_page(const struct store *store, const struct index *index,
                           const cellar_product_query *query, cellar_product_summary *page,
                           size_t capacity) {
    struct list_place places[CELLAR_PAGE_MAX];
    struct list_place before = list_start(query);
    size_t count = 0;
    size_t wanted, found;
    do {
        wanted = capacity - count;
        found = query->order == CELLAR_PRODUCTS_MOST_SOLD
                    ? list_most_sold(store, index, before, places, wanted)
                    : list_newest(store, index, before, places, wanted);
        for (size_t i = 0; i < found; i++) {
            uint64_t version;
            before = places[i];
            const struct store_attributes *block = product_current(store, before.product, &version);
            if (product_is_asked_for(block, query)) {
                product_summarize(&store->products[before.product], block, version, before.sold,
                                  &page[count++]);
            }
        }
    } while (count < capacity && found == wanted);
    return count;
}

static bool list_query_is_valid(const cellar_product_query *query) {
    bool status = query->category != NULL || (query->status >= CELLAR_PRODUCT_ACTIVE &&
                                              query->status <= CELLAR_PRODUCT_DISCONTINUED);
    return status &&
           (query->order == CELLAR_PRODUCTS_NEWEST || query->order == CELLAR_PRODUCTS_MOST_SOLD);
}

cellar_status cellar_product_list(cellar *store, const cellar_product_query *query,
                                  cellar_product_summary *page_out, size_t capacity,
                                  size_t *count_out) {
    if (query == NULL || page_out == NULL || count_out == NULL || capacity == 0 ||
        capacity > CELLAR_PAGE_MAX || !list_query_is_valid(query)) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    *count_out = 0;
    commit_enter();
    const struct index *index = NULL;
    if (query->category == NULL) {
        index = store->store->products_by_status[query->status];
    } else {
        size_t bytes = plan_text_bytes(query->category, CELLAR_CATEGORY_BYTES_MAX);
        const struct store_category *category =
            bytes == 0 || bytes == SIZE_MAX
                ? NULL
                : store_find_category(store->store, query->category, bytes);
        index = category == NULL ? NULL : category->products;
    }
    if (index != NULL) {
        *count_out = product_page(store->store, index, query, page_out, capacity);
    }
    commit_leave();
    engine_leave(&guard);
    return CELLAR_OK;
}
