/* /v1/accounts and /v1/transfers: balances. */
#include "bodies.h"
#include "operation.h"
#include "problem.h"
#include "shapes.h"
#include "server.h"

static const struct field balance_fields[] = {
    MADE_FIELDS,
    MADE_FIGURE("balance", "after it (of a transfer: of `from`), 0 after a credit to a collecting "
                           "account; not told when it is repeated"),
};
static const struct shape shape_balance = SHAPE("BalanceChange", struct made, balance_fields);

/* ---- Reading ---- */

#define ACCOUNT(member) offsetof(cellar_account, member)
static const struct field account_fields[] = {
    NUMBER_FIELD("id", 0, cellar_account, id),
    {.name = "balance",
     .kind = FIELD_INTEGER,
     .offset = ACCOUNT(balance),
     .about = "with what is held, and with what is not settled"},
    {.name = "floor",
     .kind = FIELD_INTEGER,
     .offset = ACCOUNT(floor),
     .about = "no debit takes the balance below it"},
    {.name = "held", .kind = FIELD_INTEGER, .offset = ACCOUNT(held)},
    {.name = "available",
     .kind = FIELD_INTEGER,
     .offset = ACCOUNT(available),
     .about = "may be spent: balance - floor - held - unsettled"},
    {.name = "unsettled",
     .kind = FIELD_INTEGER,
     .offset = ACCOUNT(unsettled),
     .about = "collected, not settled yet; follows the log"},
    {.name = "currency", .kind = FIELD_COUNT, .offset = ACCOUNT(currency)},
    {.name = "collecting", .kind = FIELD_BOOLEAN, .offset = ACCOUNT(collecting)},
    NUMBER_FIELD("version", 0, cellar_account, version),
};
static const struct shape shape_account = SHAPE("Account", cellar_account, account_fields);

static void account_get(struct request *request) {
    cellar_account account = {.version = 0};
    cellar_status status = cellar_account_get(request->server->store, request->account, &account);
    request_found(request, status, account.version, &account);
}

typedef struct past_query {
    uint64_t lsn;
    int64_t time_ns;
} past_query;

static const struct field past_fields[] = {
    {.name = "lsn",
     .kind = FIELD_NUMBER,
     .offset = offsetof(past_query, lsn),
     .about = "after this commit and all before it"},
    {.name = "time",
     .kind = FIELD_TIME,
     .offset = offsetof(past_query, time_ns),
     .about = "after all commits of up to then"},
};

static const char *past_check(const void *value) {
    const past_query *query = value;
    return (query->lsn != 0) == (query->time_ns != 0) ? "exactly one of lsn and time is required"
                                                      : NULL;
}

static const struct shape shape_past =
    SHAPE_CHECKED("AccountPast", past_query, past_fields, past_check);

static void account_past(struct request *request) {
    const past_query *query = request->query;
    cellar_account account = {.version = 0};
    cellar_status status = cellar_account_at(request->server->store, request->account, query->lsn,
                                             query->time_ns, &account);
    request_found(request, status, account.version, &account);
}

static const char *const entry_kinds[] = {
    NULL,     "opened",     "credited",        "debited",        "sent",           "received",
    "floor",  "order-paid", "order-cancelled", "order-returned", "held",           "posted",
    "voided", "expired",    "settled",         "other",          FIELD_CHOICES_END};

#define ENTRY(member) offsetof(cellar_entry, member)
static const struct field entry_fields[] = {
    NUMBER_FIELD("lsn", 0, cellar_entry, lsn),
    {.name = "time", .kind = FIELD_TIME, .offset = ENTRY(time_ns)},
    {.name = "kind", .kind = FIELD_CHOICE, .offset = ENTRY(kind), .choices = entry_kinds},
    {.name = "amount",
     .kind = FIELD_INTEGER,
     .offset = ENTRY(amount),
     .about = "by how much the balance changed, in the whole commit"},
    {.name = "held_change", .kind = FIELD_INTEGER, .offset = ENTRY(held_change)},
    {.name = "balance",
     .kind = FIELD_INTEGER,
     .offset = ENTRY(balance),
     .about = "after it, as far as settled; of what was collected: all of it until then"},
    {.name = "held", .kind = FIELD_INTEGER, .offset = ENTRY(held), .about = "after it"},
    {.name = "counterpart",
     .kind = FIELD_NUMBER,
     .flags = FIELD_OPTIONAL,
     .offset = ENTRY(counterpart),
     .about = "the other account; absent: outside, or none"},
    {.name = "id",
     .kind = FIELD_UUID,
     .flags = FIELD_OPTIONAL,
     .offset = ENTRY(id),
     .about = "of the order, return, transfer or hold"},
    NUMBER_FIELD("actor", FIELD_OPTIONAL, cellar_entry, actor),
    {.name = "reference", .kind = FIELD_CHARS, .flags = FIELD_OPTIONAL, .offset = ENTRY(reference)},
};
static const struct shape shape_entry = SHAPE("JournalEntry", cellar_entry, entry_fields);

static const struct field journal_fields[] = {PAGE_FIELDS(&shape_entry)};
static const struct shape shape_journal = SHAPE("JournalPage", struct page, journal_fields);

typedef struct journal_query {
    uint64_t before;
    uint32_t limit;
} journal_query;

static const struct field journal_query_fields[] = {
    {.name = "before",
     .kind = FIELD_NUMBER,
     .offset = offsetof(journal_query, before),
     .about = "older than the entry with this lsn: `next` of the page before"},
    LIMIT_FIELD(journal_query, limit),
};
static const struct shape shape_journal_query =
    SHAPE("JournalQuery", journal_query, journal_query_fields);

typedef cellar_status journal_function(cellar *store, uint64_t account, uint64_t before,
                                       cellar_entry *page_out, size_t capacity, size_t *count_out);

static void account_list(struct request *request, journal_function *list) {
    const journal_query *query = request->query;
    size_t capacity = query->limit != 0 ? query->limit : PAGE_USUAL;
    cellar_entry *items = request_take(request, capacity, sizeof *items);
    if (items == NULL) {
        return;
    }
    struct page page = {.items = items};
    cellar_status status =
        list(request->server->store, request->account, query->before, items, capacity, &page.count);
    page.next = page.count == capacity ? items[page.count - 1].lsn : 0;
    request_found(request, status, page.count == 0 ? 0 : items[0].lsn, &page);
}

static void account_journal(struct request *request) {
    account_list(request, cellar_account_journal);
}

static void account_collected(struct request *request) {
    account_list(request, cellar_account_collected);
}

/* ---- Opening ---- */

#define FLOOR_FIELD(flag)                                                                          \
    {                                                                                              \
        .name = "floor", .kind = FIELD_INTEGER, .flags = (flag),                                   \
        .offset = offsetof(cellar_account_request, floor), .min = -CELLAR_AMOUNT_MAX, .max = 0,    \
        .about = "0, or minus the credit limit"                                                    \
    }

static const struct field open_fields[] = {
    NUMBER_FIELD("id", FIELD_REQUIRED, cellar_account_request, id),
    FLOOR_FIELD(0),
    {.name = "currency",
     .kind = FIELD_COUNT,
     .offset = offsetof(cellar_account_request, currency),
     .max = UINT32_MAX,
     .about = "the caller's code of it; transfers between two codes are refused"},
    {.name = "collecting",
     .kind = FIELD_BOOLEAN,
     .offset = offsetof(cellar_account_request, collecting),
     .about = "for an account that all pay into: payments to it do not wait for one another"},
};
static const struct shape shape_open = SHAPE("AccountOpen", cellar_account_request, open_fields);

static const struct field floor_fields[] = {FLOOR_FIELD(FIELD_REQUIRED)};
static const struct shape shape_floor = SHAPE("AccountFloor", cellar_account_request, floor_fields);

static void account_open(struct request *request) {
    const cellar_account_request *body = request_body(request);
    if (body != NULL) {
        cellar_status status = cellar_account_create(request->server->store, &request->call, body,
                                                     &request->ticket, &request->refusal);
        request_changed(request, status, FIELD_ABSENT);
    }
}

static void account_set_floor(struct request *request) {
    const cellar_account_request *body = request_body(request);
    if (body != NULL) {
        cellar_status status = cellar_account_set_floor(
            request->server->store, &request->call, request->account, body->floor,
            request->expected, &request->ticket, &request->refusal);
        request_changed(request, status, request_remaining(request));
    }
}

static void account_settle(struct request *request) {
    if (request_body(request) != NULL) {
        cellar_status status =
            cellar_account_settle(request->server->store, &request->call, request->account,
                                  &request->ticket, &request->refusal);
        request_changed(request, status, request_remaining(request));
    }
}

/* ---- Moving money ---- */

typedef struct entry_body {
    cellar_account_entry entry;
    const char *reference;
} entry_body;

#define AMOUNT(type, member)                                                                       \
    AMOUNT_FIELD("amount", FIELD_REQUIRED, type, member, 1, "in minor units")
#define FROM_TO(type, from, into)                                                                  \
    NUMBER_FIELD("from", FIELD_REQUIRED, type, from), NUMBER_FIELD("to", FIELD_REQUIRED, type, into)

static const struct field amount_fields[] = {ID_FIELD(entry_body, entry.id),
                                             AMOUNT(entry_body, entry.amount),
                                             REFERENCE_FIELD(entry_body, reference)};
static const struct shape shape_amount = SHAPE("Amount", entry_body, amount_fields);

static const struct field transfer_fields[] = {
    ID_FIELD(entry_body, entry.id),
    FROM_TO(entry_body, entry.account, entry.to),
    AMOUNT(entry_body, entry.amount),
    REFERENCE_FIELD(entry_body, reference),
};
static const struct shape shape_transfer = SHAPE("Transfer", entry_body, transfer_fields);

/* The same in a transaction, whose reference is that of the whole. */
static const struct field part_fields[] = {
    ID_FIELD(cellar_account_entry, id),
    NUMBER_FIELD("account", FIELD_REQUIRED, cellar_account_entry, account),
    AMOUNT(cellar_account_entry, amount),
};
const struct shape shape_account_entry = SHAPE("AccountEntry", cellar_account_entry, part_fields);

static const struct field transfer_part_fields[] = {
    ID_FIELD(cellar_account_entry, id),
    FROM_TO(cellar_account_entry, account, to),
    AMOUNT(cellar_account_entry, amount),
};
const struct shape shape_transfer_entry =
    SHAPE("TransferEntry", cellar_account_entry, transfer_part_fields);

/* The variant is the kind of operation. */
static void account_move(struct request *request) {
    entry_body *body = request_body(request);
    if (body == NULL) {
        return;
    }
    if (request->account != 0) {
        body->entry.account = request->account;
    }
    if (body->reference != NULL) {
        request->call.reference = body->reference;
    }
    const cellar_operation operation = {.kind = (cellar_operation_kind)request->route->variant,
                                        .entry = &body->entry};
    cellar_status status = operation_run(request, &operation);
    request_changed(request, status, request_remaining(request));
}

#define MOVE_ROUTE(label, at, operation, form, text)                                               \
    {                                                                                              \
        .name = (label), .method = "POST", .path = (at), .role = ROLE_ADMIN,                       \
        .flags = ROUTE_WRITES | ROUTE_KEYED | ROUTE_CREATES, .variant = (operation),               \
        .body = (form), .answer = &shape_balance, .handle = account_move, .summary = (text)        \
    }

enum {
    /* Each may read a record for every change since then, or a stretch of the log, on a serving
     * thread. */
    PAST_UNDER_WAY = 4
};

static const struct route routes[] = {
    {.name = "accounts.open",
     .method = "POST",
     .path = "/v1/accounts",
     .role = ROLE_ADMIN,
     .flags = ROUTE_WRITES | ROUTE_CREATES,
     .body = &shape_open,
     .answer = &shape_balance,
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
    {.name = "accounts.past",
     .method = "GET",
     .path = "/v1/accounts/{account}/past",
     .role = ROLE_READ,
     .limit = PAST_UNDER_WAY,
     .query = &shape_past,
     .answer = &shape_account,
     .handle = account_past,
     .summary = "The account as it was after a commit, or at a time"},
    {.name = "accounts.journal",
     .method = "GET",
     .path = "/v1/accounts/{account}/journal",
     .role = ROLE_READ,
     .query = &shape_journal_query,
     .answer = &shape_journal,
     .handle = account_journal,
     .summary = "Every change of the account, newest first"},
    {.name = "accounts.collected",
     .method = "GET",
     .path = "/v1/accounts/{account}/collected",
     .role = ROLE_READ,
     .limit = PAST_UNDER_WAY,
     .query = &shape_journal_query,
     .answer = &shape_journal,
     .handle = account_collected,
     .summary = "What a collecting account was paid, newest first"},
    {.name = "accounts.floor",
     .method = "PUT",
     .path = "/v1/accounts/{account}/floor",
     .role = ROLE_ADMIN,
     .flags = ROUTE_WRITES | ROUTE_CONDITIONAL | ROUTE_TAGGED,
     .body = &shape_floor,
     .answer = &shape_balance,
     .handle = account_set_floor,
     .summary = "Changes the credit limit"},
    {.name = "accounts.settle",
     .method = "POST",
     .path = "/v1/accounts/{account}/settle",
     .role = ROLE_ADMIN,
     .flags = ROUTE_WRITES,
     .body = &shape_nothing,
     .answer = &shape_balance,
     .handle = account_settle,
     .summary = "Adds what a collecting account has collected to its own word"},
    MOVE_ROUTE("accounts.credit", "/v1/accounts/{account}/credits", CELLAR_OPERATION_ACCOUNT_CREDIT,
               &shape_amount, "Money comes in"),
    MOVE_ROUTE("accounts.debit", "/v1/accounts/{account}/debits", CELLAR_OPERATION_ACCOUNT_DEBIT,
               &shape_amount, "Money goes out"),
    MOVE_ROUTE("transfers.make", "/v1/transfers", CELLAR_OPERATION_ACCOUNT_TRANSFER,
               &shape_transfer, "Moves money from one account to another in one commit"),
};

const route_area area_accounts = {"accounts", routes, sizeof routes / sizeof routes[0]};
