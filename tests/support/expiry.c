#include "support/expiry.h"

#include "engine/engine.h"

void expiry_rest(cellar *store) {
    expiry_stop(store);
}

cellar_status expiry_resume(cellar *store) {
    /* Release: pairs with the acquire in expiry_is_stopping(). */
    ATOMIC_STORE(&store->expiry.stopping, 0, release);
    return expiry_start(store);
}
