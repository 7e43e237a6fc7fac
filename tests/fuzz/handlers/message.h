/* A request as an input of the fuzzer has it, taken apart as the HTTP library would.
 *
 *     A POST /v1/orders?durability=relaxed HTTP/1.0
 *     Idempotency-Key: 3f0c6f0e-58a3-4a43-8c5c-6f7f0ad9f1c2
 *
 *     {"lines":[]}
 *
 * The first letter says who sends it (message_client()); the version may be left out. What every
 * client would send is there without being written: a token, Content-Type, and the Content-Length
 * of the body that is there, unless Transfer-Encoding is given. One that is written takes its
 * place, right or wrong; only a second token comes on top of the first. */
#ifndef CELLAR_TESTS_FUZZ_HANDLERS_MESSAGE_H
#define CELLAR_TESTS_FUZZ_HANDLERS_MESSAGE_H

#include "../../../examples/cellard/auth.h"

enum {
    MESSAGE_PAIRS_MAX = 32,
    MESSAGE_NUMBER_BYTES = 24
};

typedef struct message_pair {
    const char *name;
    const char *value; /* NULL: there is no '=' */
    size_t name_bytes;
    size_t value_bytes;
} message_pair;

typedef struct message_pairs {
    message_pair list[MESSAGE_PAIRS_MAX];
    size_t count;
} message_pairs;

typedef struct message {
    const char *method;
    const char *path;
    const char *version;
    message_pairs headers;
    message_pairs arguments; /* of the query */
    const char *body;
    size_t body_bytes; /* those that arrive, at most as many as were announced */
    bool breaks_off;   /* more were announced than arrive */
    const auth_token *client;
    char authorization[sizeof "Bearer " + AUTH_TOKEN_BYTES_MAX];
    char length[MESSAGE_NUMBER_BYTES];
} message;

/* Fills `auth` with the clients there are. */
void message_clients(struct auth *auth);

/* Cuts `text`, which has room for a byte more than `bytes`, in place. False: the HTTP library would
 * not have shown this to the server. */
bool message_read(char *text, size_t bytes, const struct auth *auth, message *out);

/* The value of a header, in any case; NULL: it is not there. */
const char *message_header(const message_pairs *headers, const char *name);
/* False: there is no room. */
bool message_add(message_pairs *pairs, const char *name, const char *value);

#endif
