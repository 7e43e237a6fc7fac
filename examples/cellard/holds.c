/* /v1/holds: money set aside now, paid or given back later. */
#include "bodies.h"
#include "problem.h"
#include "shapes.h"
#include "server.h"

#define UNUSED_STATES                                                                              \
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
const char *const hold_states[] = {UNUSED_STATES, "held",    "posted",
                                   "voided",      "expired", FIELD_CHOICES_END};
_Static_assert(CELLAR_ACCOUNT_HOLD_HELD == 16, "there are as many unused states");

/* ---- Making ---- */

typedef struct hold_body {
    cellar_id id;
    uint64_t account;
    int64_t amount;
    int64_t deadline_ns;
    uint64_t to;
} hold_body;

static const struct field make_fields[] = {
    ID_FIELD(hold_body, id),
    NUMBER_FIELD("account", FIELD_REQUIRED, hold_body, account),
    AMOUNT_FIELD("amount", FIELD_REQUIRED, hold_body, amount, 1, "in minor units"),
    {.name = "deadline",
     .kind = FIELD_TIME,
     .offset = offsetof(hold_body, deadline_ns),
     .about = "to the millisecond: from then on it cannot be posted; absent: none"},
};
static const struct shape shape_make = SHAPE("HoldMake", hold_body, make_fields);

static const struct field made_fields[] = {
    MADE_ID(0),
    MADE_FIELDS,
    MADE_FIGURE("available", "what may be spent after it; not told when it is repeated"),
};
static const struct shape shape_hold_made = SHAPE("HoldMade", struct made, made_fields);

static void hold_make(struct request *request) {
    const hold_body *body = request_body(request);
    if (body == NULL) {
        return;
    }
    cellar_status status =
        cellar_account_hold(request->server->store, &request->call, body->id, body->account,
                            body->amount, body->deadline_ns, &request->ticket, &request->refusal);
    request_changed(request, status, request_remaining(request));
}

/* ---- Ending ---- */

static const struct field post_fields[] = {
    AMOUNT_FIELD("amount", FIELD_REQUIRED, hold_body, amount, 1,
                 "of what is held; the rest is given back"),
    {.name = "to",
     .kind = FIELD_NUMBER,
     .offset = offsetof(hold_body, to),
     .about = "the account it is paid to; absent: outside"},
};
static const struct shape shape_post = SHAPE("HoldPost", hold_body, post_fields);

static const struct field step_fields[] = {
    MADE_ID(0),
    MADE_FIELDS,
    MADE_FIGURE("balance", "of the hold's account, after a post that is not repeated"),
};
static const struct shape shape_step = SHAPE("HoldStep", struct made, step_fields);

static void hold_post(struct request *request) {
    const hold_body *body = request_body(request);
    if (body != NULL) {
        cellar_status status =
            cellar_account_post(request->server->store, &request->call, request->id, body->amount,
                                body->to, &request->ticket, &request->refusal);
        request_changed(request, status, request_remaining(request));
    }
}

static void hold_void(struct request *request) {
    if (request_body(request) != NULL) {
        cellar_status status =
            cellar_account_void(request->server->store, &request->call, request->id,
                                &request->ticket, &request->refusal);
        request_changed(request, status, FIELD_ABSENT);
    }
}

/* ---- Reading ---- */

#define HOLD(member) offsetof(cellar_account_hold_info, member)
static const struct field hold_fields[] = {
    {.name = "id", .kind = FIELD_UUID, .offset = HOLD(id)},
    NUMBER_FIELD("account", 0, cellar_account_hold_info, account),
    {.name = "amount", .kind = FIELD_INTEGER, .offset = HOLD(amount), .about = "as it was held"},
    {.name = "state", .kind = FIELD_CHOICE, .offset = HOLD(state), .choices = hold_states},
    {.name = "deadline", .kind = FIELD_TIME, .flags = FIELD_OPTIONAL, .offset = HOLD(deadline_ns)},
    {.name = "posted",
     .kind = FIELD_INTEGER,
     .offset = HOLD(posted),
     .about = "how much was paid of it"},
    NUMBER_FIELD("to", FIELD_OPTIONAL, cellar_account_hold_info, to),
    NUMBER_FIELD("placed_lsn", 0, cellar_account_hold_info, placed_lsn),
    {.name = "placed", .kind = FIELD_TIME, .offset = HOLD(placed_ns)},
    NUMBER_FIELD("version", 0, cellar_account_hold_info, version),
};
static const struct shape shape_hold = SHAPE("Hold", cellar_account_hold_info, hold_fields);

static void hold_get(struct request *request) {
    cellar_account_hold_info hold = {.version = 0};
    cellar_status status = cellar_account_hold_get(request->server->store, request->id, &hold);
    request_found(request, status, hold.version, &hold);
}

/* ---- Those of an account ---- */

enum {
    HOLDS_ENTRIES = 100,     /* of the journal, read at once */
    HOLDS_ENTRIES_MAX = 1000 /* for one page */
};

typedef struct hold_list_query {
    uint64_t before;
    uint32_t limit;
    bool open;
} hold_list_query;

static const struct field list_fields[] = {
    {.name = "before",
     .kind = FIELD_NUMBER,
     .offset = offsetof(hold_list_query, before),
     .about = "made before the commit with this lsn: `next` of the page before"},
    LIMIT_FIELD(hold_list_query, limit),
    {.name = "open",
     .kind = FIELD_BOOLEAN,
     .offset = offsetof(hold_list_query, open),
     .about = "true: only those that still hold money"},
};
static const struct shape shape_list_query = SHAPE("HoldListQuery", hold_list_query, list_fields);

static const struct field page_fields[] = {PAGE_FIELDS(&shape_hold)};
static const struct shape shape_page = SHAPE("HoldPage", struct page, page_fields);

/* Adds the hold that the entry tells of, if it tells of one that is asked for. One that is no
 * longer remembered is closed, and left out. */
static cellar_status hold_collect(struct request *request, const cellar_entry *entry,
                                  cellar_account_hold_info *items, size_t *count) {
    const hold_list_query *query = request->query;
    cellar_account_hold_info *hold = &items[*count];
    if (entry->kind != CELLAR_ENTRY_HELD) {
        return CELLAR_OK;
    }
    cellar_status status = cellar_account_hold_get(request->server->store, entry->id, hold);
    if (status == CELLAR_OK && (!query->open || hold->state == CELLAR_ACCOUNT_HOLD_HELD)) {
        request_saw(request, hold->version);
        (*count)++;
    }
    return status == CELLAR_NOT_FOUND ? CELLAR_OK : status;
}

/* Read back from the journal, which tells of every hold that was made. Before an entry after which
 * nothing was held, no hold can be open. */
static void hold_list(struct request *request) {
    const hold_list_query *query = request->query;
    size_t capacity = query->limit != 0 ? query->limit : PAGE_USUAL;
    cellar_account_hold_info *items = request_take(request, capacity, sizeof *items);
    cellar_entry *entries = request_take(request, HOLDS_ENTRIES, sizeof *entries);
    if (items == NULL || entries == NULL) {
        return;
    }
    struct page page = {.items = items, .next = query->before};
    cellar_status status = CELLAR_OK;
    bool ended = false;
    for (size_t seen = 0; seen < HOLDS_ENTRIES_MAX && page.count < capacity && !ended;) {
        size_t found = 0;
        size_t at = 0;
        status = cellar_account_journal(request->server->store, request->account, page.next,
                                        entries, HOLDS_ENTRIES, &found);
        while (at < found && page.count < capacity && !ended && status == CELLAR_OK) {
            status = hold_collect(request, &entries[at], items, &page.count);
            page.next = entries[at].lsn;
            ended = query->open && entries[at].held == 0;
            at++;
        }
        ended = ended || status != CELLAR_OK || (at == found && found < HOLDS_ENTRIES);
        seen += found;
    }
    page.next = ended ? 0 : page.next;
    request_found(request, status, 0, &page);
}

static const struct route routes[] = {
    {.name = "holds.make",
     .method = "POST",
     .path = "/v1/holds",
     .role = ROLE_SELL,
     .flags = ROUTE_WRITES | ROUTE_KEYED | ROUTE_KEY_IS_ID | ROUTE_CREATES | ROUTE_TAGGED,
     .body = &shape_make,
     .answer = &shape_hold_made,
     .handle = hold_make,
     .summary = "Sets money of an account aside"},
    {.name = "holds.list",
     .method = "GET",
     .path = "/v1/accounts/{account}/holds",
     .role = ROLE_READ,
     .query = &shape_list_query,
     .answer = &shape_page,
     .handle = hold_list,
     .summary = "Holds of an account, newest first, read back from its journal"},
    {.name = "holds.get",
     .method = "GET",
     .path = "/v1/holds/{hold}",
     .role = ROLE_READ,
     .flags = ROUTE_TAGGED,
     .answer = &shape_hold,
     .handle = hold_get,
     .summary = "A hold of money, and what has become of it"},
    {.name = "holds.post",
     .method = "POST",
     .path = "/v1/holds/{hold}/post",
     .role = ROLE_SELL,
     .flags = ROUTE_WRITES | ROUTE_TAGGED,
     .body = &shape_post,
     .answer = &shape_step,
     .handle = hold_post,
     .summary = "Pays what is held, or a part of it, and gives the rest back"},
    {.name = "holds.void",
     .method = "POST",
     .path = "/v1/holds/{hold}/void",
     .role = ROLE_SELL,
     .flags = ROUTE_WRITES | ROUTE_TAGGED,
     .body = &shape_nothing,
     .answer = &shape_step,
     .handle = hold_void,
     .summary = "Gives all of it back"},
};

const route_area area_holds = {"holds", routes, sizeof routes / sizeof routes[0]};
