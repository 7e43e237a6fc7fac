/* Does the example server answer whatever a client sends as its description says, and does the shop
 * behind it stay sound?
 *
 * An input is a sequence of requests (handlers/message.h) with a byte 0x1e between each two. They
 * go through the whole server, one after the other, to a store on a disk in memory; only the
 * library that reads and writes sockets is another (handlers/stand_in.h). In place of a request
 * "+60" lets the store's clock go on by so many seconds. '$' in a request stands for the LSN that
 * was answered last, '~' for a lease's token. After a '!' at the very beginning clients need no
 * tokens.
 *
 * Each answer is judged (handlers/judge.h). What was refused, or only asked, has changed nothing;
 * what has an id is answered a second time with the same commit; nothing is kept of a request that
 * has been answered. At the end the sums are right, before and after the store is opened again. */
#include "handlers/judge.h"

#include "../../examples/cellard/parse.h"
#include "base/assert.h"
#include "engine/engine.h"
#include "support/memory_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATOR 0x1e
#define REQUESTS_MAX 48
#define BEGIN_NS (INT64_C(2000000000) * SECOND_NS)
#define WORD_BYTES_MAX 256
#define STEP_SECONDS_MAX (UINT64_C(400) * 86400)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerMutate(uint8_t *data, size_t bytes, size_t bytes_max); /* libFuzzer's own */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t bytes_max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *first, size_t first_bytes, const uint8_t *second,
                                 size_t second_bytes, uint8_t *out, size_t out_bytes_max,
                                 unsigned seed);

struct shop {
    struct memory_disk *disk;
    cellar *store;
    struct server *server;
    struct MHD_Connection *connection;
    _Atomic int64_t now_ns;
    cellar_totals first;              /* when the input began */
    cellar_totals totals;             /* after the latest request */
    char lsn[MESSAGE_NUMBER_BYTES];   /* the latest that was answered */
    char token[MESSAGE_NUMBER_BYTES]; /* the same of a lease's */
    /* From then on holds may run out, and closed orders may leave memory, at any moment. */
    bool time_went_on;
};

/* One request on its way. */
struct sending {
    struct shop *shop;
    bool repeats;                   /* it can be sent again, and is to be answered with ... */
    char lsn[MESSAGE_NUMBER_BYTES]; /* ... this commit */
    bool is_repetition;
};

/* What there is to begin with: goods, accounts, a campaign with a code, an order. */
static const char *const first_requests[] = {
    "A PUT /v1/products/tea?durability=relaxed\nIf-None-Match: *\n\n"
    "{\"name\":\"Tea\",\"category\":\"drinks\",\"unit_price\":450,\"attributes\":\"{}\"}",
    "A POST /v1/stock/receipts?durability=relaxed\n\n"
    "{\"lines\":[{\"sku\":\"tea\",\"quantity\":500}]}",
    "A POST /v1/accounts?durability=relaxed\n\n{\"id\":\"7\",\"floor\":-100}",
    "A POST /v1/accounts?durability=relaxed\n\n{\"id\":\"8\"}",
    "A POST /v1/accounts?durability=relaxed\n\n{\"id\":\"9\",\"collecting\":true}",
    "A POST /v1/accounts/7/credits?durability=relaxed\n\n{\"amount\":100000}",
    "A PUT /v1/campaigns/5?durability=relaxed\nIf-None-Match: *\n\n"
    "{\"quota\":3,\"waitlist\":2,\"discount\":\"percent\",\"discount_value\":1000}",
    "A POST /v1/campaigns/5/codes?durability=relaxed\n\n"
    "{\"codes\":[{\"code\":\"SPRING\",\"uses\":3}]}",
    "S POST /v1/orders?durability=relaxed\n\n{\"id\":\"00000000-0000-0000-0000-000000000001\","
    "\"customer\":\"7\",\"lines\":[{\"sku\":\"tea\",\"quantity\":2,\"unit_price\":450}]}",
};

/* ---- Beginning and end ---- */

static void tell_reached(void) {
    (void)fprintf(stderr, "routes that succeeded: %zu of %zu\n", judge_reached(), route_count());
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    route_prepare();
    judge_prepare();
    return atexit(tell_reached);
}

static int64_t shop_clock(void *context) {
    struct shop *shop = context;
    return atomic_load(&shop->now_ns);
}

static void shop_open_store(struct shop *shop) {
    /* Small enough to be filled by a few requests. */
    const cellar_config config = {.size = sizeof config,
                                  .directory = "/shop",
                                  .ring_bytes = COMMIT_RING_BYTES_MIN,
                                  .segment_bytes = UINT64_C(1) << 20,
                                  .products_max = 8,
                                  .stocks_max = 16,
                                  .accounts_max = 8,
                                  .orders_max = 64,
                                  .campaigns_max = 4,
                                  .grants_max = 16,
                                  .codes_max = 8,
                                  .leases_max = 4,
                                  .customers_max = 8,
                                  .remember_closed_ns = 3600 * SECOND_NS,
                                  .clock_jump_max_ns = INT64_MAX,
                                  .clock = shop_clock,
                                  .clock_context = shop};
    const struct engine_options options = {.io = memory_disk_io(shop->disk)};
    cellar_problem problem;
    cellar_status status = engine_open(&config, &options, &shop->store, &problem);

    ASSERT(status == CELLAR_OK);
}

static void shop_open(struct shop *shop, const struct settings *settings, bool with_tokens) {
    char error[256] = "";

    shop->disk = memory_disk_create();
    shop_open_store(shop);
    shop->server = calloc(1, sizeof *shop->server);
    ASSERT(shop->server != NULL);
    if (with_tokens) {
        message_clients(&shop->server->auth);
    }
    bool started = server_start(shop->server, settings, shop->store, error, sizeof error);
    ASSERT(started);
    shop->connection = stand_in_connect(shop->server->daemon);
}

static cellar_totals shop_audit(struct shop *shop) {
    cellar_audit audit;
    cellar_status status = cellar_audit_run(shop->store, &audit);

    ASSERT(status == CELLAR_OK);
    if (audit.violations != 0) {
        (void)fprintf(stderr, "wrong answer: %s\n", audit.first_violation);
    }
    ASSERT(audit.violations == 0);
    /* Positions differ from one opening to the next. */
    audit.totals.lsn = 0;
    return audit.totals;
}

static bool totals_are_equal(const cellar_totals *a, const cellar_totals *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

static void shop_close_store(struct shop *shop) {
    cellar_status status = cellar_close(shop->store);

    ASSERT(status == CELLAR_OK);
}

/* What came in is there, or went out; what the server has counted is what the store has. */
static void shop_check_totals(struct shop *shop, const cellar_totals *totals) {
    struct metrics *metrics = &shop->server->metrics;
    uint64_t placed = 0;

    for (int state = CELLAR_ORDER_PLACED; state <= CELLAR_ORDER_EXPIRED; state++) {
        placed += state == CELLAR_ORDER_RETURNED ? 0 : totals->orders[state];
    }
    ASSERT(placed == metrics_get(metrics, METRICS_ORDERS_PLACED));
    ASSERT(totals->coupons_claimed == metrics_get(metrics, METRICS_COUPONS_ISSUED) +
                                          metrics_get(metrics, METRICS_COUPONS_QUEUED));
    ASSERT(totals->balances == totals->credited - totals->debited);
    ASSERT(totals->units_available + totals->units_reserved + totals->units_unsellable +
               totals->units_fulfilled ==
           totals->units_received + totals->units_adjusted + totals->units_returned -
               totals->units_taken);
}

/* What was changed is found again. */
static void shop_check_again(struct shop *shop) {
    shop_open_store(shop);
    cellar_totals after = shop_audit(shop);
    ASSERT(shop->time_went_on || totals_are_equal(&after, &shop->totals));
    shop_close_store(shop);
}

static void shop_close(struct shop *shop) {
    stand_in_disconnect(shop->connection);
    server_stop(shop->server);
    shop->totals = shop_audit(shop);
    shop_check_totals(shop, &shop->totals);
    free(shop->server);
    shop_close_store(shop);
    if (!totals_are_equal(&shop->totals, &shop->first)) {
        shop_check_again(shop);
    }
    memory_disk_destroy(shop->disk);
}

/* ---- One request ---- */

/* Nothing is kept of requests that have been answered. */
static void shop_check_idle(struct shop *shop) {
    struct server *server = shop->server;

    ASSERT(atomic_load(&server->under_way) == 0);
    ASSERT(atomic_load(&server->body_bytes) == 0);
    ASSERT(atomic_load(&server->waiter.waiting) == 0);
    ASSERT(atomic_load(&server->peers.count) == 1);
    for (size_t i = 0; i < route_count(); i++) {
        ASSERT(atomic_load(&server->admission.under_way[i]) == 0);
    }
}

/* An id makes a change one that can be sent again: in the header, or in the body. */
static bool has_key(const struct route *route, const message *request) {
    json_error_t error;

    if (message_header(&request->headers, "Idempotency-Key") != NULL) {
        return (route->flags & ROUTE_KEYED) != 0;
    }
    json_t *body = json_loadb(request->body, request->body_bytes, 0, &error);
    bool has_id = json_object_get(body, "id") != NULL;
    json_decref(body);
    return has_id && (route->flags & ROUTE_KEYED) != 0;
}

static void note_number(char *out, const json_t *json, const char *name) {
    const char *number = json_string_value(json_object_get(json, name));

    if (number != NULL) {
        (void)snprintf(out, MESSAGE_NUMBER_BYTES, "%s", number);
    }
}

/* A change with an id is to be answered again with what the first answer said of its commit. */
static void sending_compare(struct sending *sending, const message *request,
                            const stand_in_answer *answer) {
    const struct route *route = judge_route(request);
    json_t *json = judge_json(answer);
    const char *lsn = json_string_value(json_object_get(json, "lsn"));
    bool repeated = json_is_true(json_object_get(json, "repeated"));

    if (sending->is_repetition) {
        bool same =
            answer->status == 200 && repeated && lsn != NULL && strcmp(lsn, sending->lsn) == 0;
        judge_require(same, "not the answer of the first time", request, answer);
    } else if (answer->status < 300 && route != NULL && has_key(route, request) && lsn != NULL &&
               !repeated) {
        sending->repeats = true;
        (void)snprintf(sending->lsn, sizeof sending->lsn, "%s", lsn);
    }
    note_number(sending->shop->lsn, json, "lsn");
    note_number(sending->shop->token, json, "token");
    json_decref(json);
}

static void sending_judge(void *context, const message *request, const stand_in_answer *answer) {
    struct sending *sending = context;
    struct shop *shop = sending->shop;
    const struct route *route = judge_route(request);
    bool only_asked = answer->status >= 300 || route->role <= ROLE_READ || sending->is_repetition;
    cellar_totals before = shop->totals;

    judge_answer(shop->server, request, answer);
    shop->totals = shop_audit(shop);
    judge_require(!only_asked || totals_are_equal(&shop->totals, &before) || shop->time_went_on,
                  "something was changed", request, answer);
    sending_compare(sending, request, answer);
}

/* False: it was no request. */
static bool shop_serve(struct shop *shop, const char *text, size_t bytes, stand_in_judge *judge,
                       void *context) {
    char *own = malloc(bytes + 1);
    message request;

    ASSERT(own != NULL);
    memcpy(own, text, bytes);
    bool is_request = message_read(own, bytes, &shop->server->auth, &request);
    if (is_request) {
        stand_in_serve(shop->connection, &request, judge, context);
        shop_check_idle(shop);
    }
    free(own);
    return is_request;
}

/* The request with the numbers in their places. */
static char *shop_write(const struct shop *shop, const char *text, size_t bytes,
                        size_t *bytes_out) {
    char *out = malloc(1 + bytes * MESSAGE_NUMBER_BYTES);
    size_t at = 0;

    ASSERT(out != NULL);
    for (size_t i = 0; i < bytes; i++) {
        const char *number = text[i] == '$' ? shop->lsn : text[i] == '~' ? shop->token : NULL;
        size_t added = number == NULL ? 1 : strlen(number);
        memcpy(out + at, number == NULL ? text + i : number, added);
        at += added;
    }
    *bytes_out = at;
    return out;
}

static void shop_send(struct shop *shop, const char *text, size_t bytes) {
    struct sending sending = {.shop = shop};
    size_t written_bytes;
    char *written = shop_write(shop, text, bytes, &written_bytes);

    if (shop_serve(shop, written, written_bytes, sending_judge, &sending) && sending.repeats) {
        sending.is_repetition = true;
        (void)shop_serve(shop, written, written_bytes, sending_judge, &sending);
    }
    free(written);
}

static void first_judge(void *context, const message *request, const stand_in_answer *answer) {
    (void)context;
    judge_require(answer->status < 300, "the shop cannot be set up", request, answer);
}

static void shop_set_up(struct shop *shop) {
    for (size_t i = 0; i < sizeof first_requests / sizeof first_requests[0]; i++) {
        (void)shop_serve(shop, first_requests[i], strlen(first_requests[i]), first_judge, NULL);
    }
    shop->totals = shop_audit(shop);
    shop->first = shop->totals;
}

static void shop_wait(struct shop *shop, const char *text, size_t bytes) {
    char digits[MESSAGE_NUMBER_BYTES] = "";
    uint64_t seconds;

    memcpy(digits, text, bytes < sizeof digits ? bytes : sizeof digits - 1);
    if (parse_unsigned(digits, &seconds) && seconds <= STEP_SECONDS_MAX) {
        (void)atomic_fetch_add(&shop->now_ns, (int64_t)seconds * SECOND_NS);
        shop->time_went_on = true;
    }
}

/* ---- One input ---- */

/* The bytes up to the next separator. */
static size_t part_bytes(const char *text, size_t bytes) {
    const char *end = bytes == 0 ? NULL : memchr(text, SEPARATOR, bytes);
    return end == NULL ? bytes : (size_t)(end - text);
}

static void shop_run(struct shop *shop, const char *text, size_t bytes) {
    for (size_t i = 0; i < REQUESTS_MAX; i++) {
        size_t part = part_bytes(text, bytes);
        if (part != 0 && text[0] == '+') {
            shop_wait(shop, text + 1, part - 1);
        } else {
            shop_send(shop, text, part);
        }
        if (part == bytes) {
            break;
        }
        text += part + 1;
        bytes -= part + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    struct settings settings;
    struct shop shop = {.now_ns = BEGIN_NS};
    bool with_tokens = bytes == 0 || data[0] != '!';

    settings_default(&settings);
    settings.connections = 64;
    settings.body_bytes = 1024;
    settings.bulk_bytes = 2048;
    settings.body_budget_bytes = 1800;
    settings.ring_bytes = COMMIT_RING_BYTES_MIN;
    shop_open(&shop, &settings, with_tokens);
    shop_set_up(&shop);
    shop_run(&shop, (const char *)data + !with_tokens, bytes - !with_tokens);
    shop_close(&shop);
    return 0;
}

/* ---- New inputs ---- */

/* Changes one word most of the time, a name or a value, so that what is around it stays a request.
 */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t bytes_max, unsigned seed) {
    static const char edges[] = " \n\"{}[],:;/?&=\x1e";
    uint8_t word[WORD_BYTES_MAX];
    size_t begin = bytes == 0 ? 0 : seed / 4 % bytes;
    size_t end = begin;

    while (begin != 0 && memchr(edges, data[begin - 1], sizeof edges) == NULL) {
        begin--;
    }
    while (end != bytes && memchr(edges, data[end], sizeof edges) == NULL) {
        end++;
    }
    size_t room = bytes_max - (bytes - (end - begin));
    if (seed % 4 == 0 || end - begin > sizeof word || room == 0) {
        return LLVMFuzzerMutate(data, bytes, bytes_max);
    }
    memcpy(word, data + begin, end - begin);
    size_t changed = LLVMFuzzerMutate(word, end - begin, room < sizeof word ? room : sizeof word);
    memmove(data + begin + changed, data + end, bytes - end);
    memcpy(data + begin, word, changed);
    return bytes - (end - begin) + changed;
}

/* The first requests of one input, then the last ones of another. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *first, size_t first_bytes, const uint8_t *second,
                                 size_t second_bytes, uint8_t *out, size_t out_bytes_max,
                                 unsigned seed) {
    size_t head = first_bytes == 0 ? 0 : seed % first_bytes;
    size_t skip = second_bytes == 0 ? 0 : seed / 7 % second_bytes;

    head += part_bytes((const char *)first + head, first_bytes - head);
    while (skip != 0 && second[skip - 1] != SEPARATOR) {
        skip--;
    }
    size_t tail = second_bytes - skip;
    if (head + 1 + tail > out_bytes_max) {
        return 0;
    }
    memcpy(out, first, head);
    out[head] = SEPARATOR;
    memcpy(out + head + 1, second + skip, tail);
    return head + 1 + tail;
}
