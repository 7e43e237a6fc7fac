/* /v1/accounts and /v1/transfers: balances. */
#include "problem.h"
#include "shapes.h"
#include "server.h"

static const struct field account_fields[] = {
    {.name = "id", .kind = FIELD_NUMBER, .offset = offsetof(cellar_account, id)},
    {.name = "balance", .kind = FIELD_INTEGER, .offset = offsetof(cellar_account, balance)},
    {.name = "floor",
     .kind = FIELD_INTEGER,
     .offset = offsetof(cellar_account, floor),
     .about = "no debit takes the balance below it"},
    {.name = "version", .kind = FIELD_NUMBER, .offset = offsetof(cellar_account, version)},
};
static const struct shape shape_account = SHAPE("Account", cellar_account, account_fields);

/* What a change of a balance came to. */
struct moved {
    struct made made;
    int64_t balance;
};

static const struct field moved_fields[] = {
    {.name = "lsn", .kind = FIELD_NUMBER, .offset = offsetof(struct moved, made.lsn)},
    {.name = "time",
     .kind = FIELD_TIME,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(struct moved, made.time_ns)},
    {.name = "repeated", .kind = FIELD_BOOLEAN, .offset = offsetof(struct moved, made.repeated)},
    {.name = "balance",
     .kind = FIELD_INTEGER,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(struct moved, balance),
     .about = "after it (of a transfer: of `from`); not told when it is repeated"},
};
static const struct shape shape_moved = SHAPE("BalanceChange", struct moved, moved_fields);

static void account_answer(struct request *request, cellar_status status,
                           const cellar_ticket *ticket, const cellar_refusal *refusal,
                           bool has_balance) {
    if (status != CELLAR_OK) {
        problem_status(request, status, refusal);
        return;
    }
    const struct moved moved = {.made = made_from(ticket),
                                .balance = has_balance && !ticket->repeated ? ticket->remaining
                                                                            : FIELD_ABSENT};
    request_saw(request, ticket->lsn);
    request_answer(request, request_made(request, ticket), &shape_moved, &moved);
}

static void account_get(struct request *request) {
    cellar_account account;
    cellar_status status = cellar_account_get(request->server->store, request->account, &account);
    if (status != CELLAR_OK) {
        problem_status(request, status, NULL);
        return;
    }
    request->etag = account.version;
    request_saw(request, account.version);
    request_answer(request, 200, &shape_account, &account);
}

typedef struct account_open_body {
    uint64_t id;
    int64_t floor;
} account_open_body;

#define FLOOR_FIELD(flag)                                                                          \
    {                                                                                              \
        .name = "floor", .kind = FIELD_INTEGER, .flags = (flag),                                   \
        .offset = offsetof(account_open_body, floor), .min = -CELLAR_AMOUNT_MAX, .max = 0,         \
        .about = "0, or minus the credit limit"                                                    \
    }

static const struct field open_fields[] = {
    {.name = "id",
     .kind = FIELD_NUMBER,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(account_open_body, id)},
    FLOOR_FIELD(0),
};
static const struct shape shape_open = SHAPE("AccountOpen", account_open_body, open_fields);

static const struct field floor_fields[] = {FLOOR_FIELD(FIELD_REQUIRED)};
static const struct shape shape_floor = SHAPE("AccountFloor", account_open_body, floor_fields);

static void account_open(struct request *request) {
    cellar_ticket ticket;
    cellar_refusal refusal = {.line = CELLAR_NO_LINE};
    const account_open_body *body = request_body(request);
    if (body != NULL) {
        cellar_status status = cellar_account_open(request->server->store, &request->call, body->id,
                                                   body->floor, &ticket, &refusal);
        account_answer(request, status, &ticket, &refusal, false);
    }
}

static void account_set_floor(struct request *request) {
    cellar_ticket ticket;
    cellar_refusal refusal = {.line = CELLAR_NO_LINE};
    const account_open_body *body = request_body(request);
    if (body == NULL) {
        return;
    }
    cellar_status status =
        cellar_account_set_floor(request->server->store, &request->call, request->account,
                                 body->floor, request->expected, &ticket, &refusal);
    request->etag = status == CELLAR_OK ? ticket.lsn : 0;
    account_answer(request, status, &ticket, &refusal, false);
}

/* ---- Moving money ---- */

typedef struct amount_body {
    int64_t amount;
    uint64_t from;
    uint64_t to;
    const char *reference;
} amount_body;

#define AMOUNT_FIELD                                                                               \
    {                                                                                              \
        .name = "amount", .kind = FIELD_INTEGER, .flags = FIELD_REQUIRED,                          \
        .offset = offsetof(amount_body, amount), .min = 1, .max = CELLAR_AMOUNT_MAX,               \
        .about = "in minor units"                                                                  \
    }

static const struct field amount_fields[] = {AMOUNT_FIELD, REFERENCE_FIELD(amount_body, reference)};
static const struct shape shape_amount = SHAPE("Amount", amount_body, amount_fields);

static const struct field transfer_fields[] = {
    {.name = "from",
     .kind = FIELD_NUMBER,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(amount_body, from)},
    {.name = "to",
     .kind = FIELD_NUMBER,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(amount_body, to)},
    AMOUNT_FIELD,
    REFERENCE_FIELD(amount_body, reference),
};
static const struct shape shape_transfer = SHAPE("Transfer", amount_body, transfer_fields);

typedef cellar_status amount_function(cellar *store, const cellar_call *call, cellar_id id,
                                      uint64_t account, int64_t amount, cellar_ticket *ticket_out,
                                      cellar_refusal *refusal_out);

static void account_amount_with(struct request *request, amount_function *function) {
    cellar_ticket ticket;
    cellar_refusal refusal = {.line = CELLAR_NO_LINE};
    const amount_body *body = request_body(request);
    if (body == NULL) {
        return;
    }
    request->call.reference = body->reference;
    cellar_status status = function(request->server->store, &request->call, request->key,
                                    request->account, body->amount, &ticket, &refusal);
    account_answer(request, status, &ticket, &refusal, true);
}

static void account_credit(struct request *request) {
    account_amount_with(request, cellar_account_credit);
}

static void account_debit(struct request *request) {
    account_amount_with(request, cellar_account_debit);
}

static void account_transfer(struct request *request) {
    cellar_ticket ticket;
    cellar_refusal refusal = {.line = CELLAR_NO_LINE};
    const amount_body *body = request_body(request);
    if (body == NULL) {
        return;
    }
    request->call.reference = body->reference;
    cellar_status status =
        cellar_account_transfer(request->server->store, &request->call, request->key, body->from,
                                body->to, body->amount, &ticket, &refusal);
    account_answer(request, status, &ticket, &refusal, true);
}

static const struct route routes[] = {
    {.name = "accounts.open",
     .method = "POST",
     .path = "/v1/accounts",
     .role = ROLE_ADMIN,
     .flags = ROUTE_WRITES | ROUTE_CREATES,
     .body = &shape_open,
     .answer = &shape_moved,
     .handle = account_open,
     .summary = "Opens an account with balance 0"},
    {.name = "accounts.get",
     .method = "GET",
     .path = "/v1/accounts/{account}",
     .role = ROLE_READ,
     .flags = ROUTE_TAGGED,
     .answer = &shape_account,
     .handle = account_get,
     .summary = "An account and its balance"},
    {.name = "accounts.floor",
     .method = "PUT",
     .path = "/v1/accounts/{account}/floor",
     .role = ROLE_ADMIN,
     .flags = ROUTE_WRITES | ROUTE_CONDITIONAL | ROUTE_TAGGED,
     .body = &shape_floor,
     .answer = &shape_moved,
     .handle = account_set_floor,
     .summary = "Changes the credit limit"},
    {.name = "accounts.credit",
     .method = "POST",
     .path = "/v1/accounts/{account}/credits",
     .role = ROLE_ADMIN,
     .flags = ROUTE_WRITES | ROUTE_KEYED | ROUTE_CREATES,
     .body = &shape_amount,
     .answer = &shape_moved,
     .handle = account_credit,
     .summary = "Money comes in"},
    {.name = "accounts.debit",
     .method = "POST",
     .path = "/v1/accounts/{account}/debits",
     .role = ROLE_ADMIN,
     .flags = ROUTE_WRITES | ROUTE_KEYED | ROUTE_CREATES,
     .body = &shape_amount,
     .answer = &shape_moved,
     .handle = account_debit,
     .summary = "Money goes out"},
    {.name = "transfers.make",
     .method = "POST",
     .path = "/v1/transfers",
     .role = ROLE_ADMIN,
     .flags = ROUTE_WRITES | ROUTE_KEYED | ROUTE_CREATES,
     .body = &shape_transfer,
     .answer = &shape_moved,
     .handle = account_transfer,
     .summary = "Moves money from one account to another in one commit"},
};

const route_area area_accounts = {"accounts", routes, sizeof routes / sizeof routes[0]};
