#include "store/chain.h"

#include "store/store.h"

static void chain_link(struct store *store, struct chain *chain, uint32_t before, uint32_t after) {
    /* Release: pairs with the acquire of whoever follows the links; the documents are filled in. */
    ATOMIC_STORE(before == 0 ? &chain->oldest : &store->orders[before].chain_after, after, release);
    ATOMIC_STORE(after == 0 ? &chain->newest : &store->orders[after].chain_before, before, release);
}

void chain_add(struct store *store, struct chain *chain, struct store_order *order) {
    uint32_t newest = ATOMIC_LOAD(&chain->newest, relaxed);
    chain_link(store, chain, newest, order->slot);
    chain_link(store, chain, order->slot, 0);
}

bool chain_remove(struct store *store, struct chain *chain, struct store_order *order) {
    uint32_t before = ATOMIC_LOAD(&order->chain_before, relaxed);
    if (before == 0 && ATOMIC_LOAD(&chain->oldest, relaxed) != order->slot) {
        return false;
    }
    chain_link(store, chain, before, ATOMIC_LOAD(&order->chain_after, relaxed));
    ATOMIC_STORE(&order->chain_before, 0, release);
    ATOMIC_STORE(&order->chain_after, 0, release);
    return true;
}
