/* Bearer tokens with roles, from a file that nobody but its owner may read. */
#ifndef CELLARD_AUTH_H
#define CELLARD_AUTH_H

#include "route.h"

enum {
    AUTH_TOKENS_MAX = 256,
    AUTH_TOKEN_BYTES_MIN = 16,
    AUTH_TOKEN_BYTES_MAX = 128
};

typedef struct auth_token {
    char token[AUTH_TOKEN_BYTES_MAX + 1];
    route_role role;
    uint64_t actor; /* noted in the ledger with every change */
} auth_token;

struct auth {
    size_t count;
    auth_token tokens[AUTH_TOKENS_MAX];
};

/* Lines "role token [actor]"; role is read, sell or admin. False: `error` says why. */
bool auth_load(struct auth *auth, const char *path, char *error, size_t capacity);
/* The token that an Authorization header carries; NULL: none of ours. The time it takes depends on
 * the number of tokens only. */
const auth_token *auth_find(const struct auth *auth, const char *authorization);

#endif
