/* Opening and closing a store. */
#include "engine/engine.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

static int64_t open_system_clock(void *context) {
    (void)context;
    return clock_wall_ns();
}

/* ---- The configuration ---- */

static cellar_status open_refuse(cellar_problem *problem, cellar_status status, const char *text) {
    problem->status = status;
    snprintf(problem->text, sizeof problem->text, "%s", text);
    return status;
}

/* Takes over what is given, up to the size this library knows; what it does not know must be zero.
 */
static bool open_copy_config(cellar_config *into, const cellar_config *from) {
    memset(into, 0, sizeof *into);
    memcpy(into, from, from->size < sizeof *into ? from->size : sizeof *into);
    const unsigned char *bytes = (const unsigned char *)from;
    for (size_t i = sizeof *into; i < from->size; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

static void open_set_defaults(cellar_config *config) {
    config->size = sizeof *config;
    if (config->ring_bytes == 0) {
        config->ring_bytes = ENGINE_RING_BYTES_DEFAULT;
    }
    if (config->segment_bytes == 0) {
        config->segment_bytes = ENGINE_SEGMENT_BYTES_DEFAULT;
        if (config->segment_bytes < config->ring_bytes / 2) {
            config->segment_bytes = config->ring_bytes / 2;
        }
    }
    uint32_t given_stocks = config->stocks_max;
    uint32_t given_customers = config->customers_max;
    uint32_t *const limits[] = {
        &config->products_max, &config->stocks_max,    &config->accounts_max,
        &config->orders_max,   &config->campaigns_max, &config->grants_max,
        &config->codes_max,    &config->leases_max,    &config->customers_max};
    static const uint32_t defaults[] = {
        ENGINE_PRODUCTS_DEFAULT, ENGINE_STOCKS_DEFAULT,    ENGINE_ACCOUNTS_DEFAULT,
        ENGINE_ORDERS_DEFAULT,   ENGINE_CAMPAIGNS_DEFAULT, ENGINE_GRANTS_DEFAULT,
        ENGINE_CODES_DEFAULT,    ENGINE_LEASES_DEFAULT,    ENGINE_CUSTOMERS_DEFAULT};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        if (*limits[i] == 0) {
            *limits[i] = defaults[i];
        }
    }
    if (given_stocks == 0 && config->stocks_max < config->products_max) {
        config->stocks_max = config->products_max;
    }
    if (given_customers == 0 && config->customers_max < config->orders_max) {
        config->customers_max = config->orders_max;
    }
    if (config->durability == CELLAR_DURABILITY_DEFAULT) {
        config->durability = CELLAR_DURABLE;
    }
    if (config->clock == NULL) {
        config->clock = open_system_clock;
    }
    if (config->clock_jump_max_ns == 0) {
        config->clock_jump_max_ns = ENGINE_CLOCK_JUMP_DEFAULT_NS;
    }
}

static const char *open_check_config(const cellar_config *config) {
    if (config->directory == NULL || config->directory[0] == '\0') {
        return "directory is required";
    }
    if (config->ring_bytes < COMMIT_RING_BYTES_MIN || config->ring_bytes > COMMIT_RING_BYTES_MAX ||
        (config->ring_bytes & (config->ring_bytes - 1)) != 0) {
        return "ring_bytes: a power of two from 64 KiB to 4 GiB";
    }
    if (config->segment_bytes < ENGINE_SEGMENT_BYTES_MIN ||
        config->segment_bytes > LOG_SEGMENT_BYTES_MAX ||
        config->segment_bytes < config->ring_bytes / 2) {
        return "segment_bytes: 1 MiB to 16 GiB and at least half of ring_bytes";
    }
    if (config->products_max > CELLAR_PRODUCTS_MAX) {
        return "products_max: at most CELLAR_PRODUCTS_MAX";
    }
    if (config->stocks_max > CELLAR_STOCKS_MAX) {
        return "stocks_max: at most CELLAR_STOCKS_MAX";
    }
    if (config->stocks_max < config->products_max) {
        return "stocks_max: at least products_max";
    }
    if (config->accounts_max > CELLAR_ACCOUNTS_MAX) {
        return "accounts_max: at most CELLAR_ACCOUNTS_MAX";
    }
    if (config->orders_max > CELLAR_ORDERS_MAX) {
        return "orders_max: at most CELLAR_ORDERS_MAX";
    }
    if (config->clock_jump_max_ns < 0) {
        return "clock_jump_max_ns: not below zero";
    }
    if (config->campaigns_max > CELLAR_CAMPAIGNS_MAX) {
        return "campaigns_max: at most CELLAR_CAMPAIGNS_MAX";
    }
    if (config->grants_max > CELLAR_GRANTS_MAX) {
        return "grants_max: at most CELLAR_GRANTS_MAX";
    }
    if (config->codes_max > CELLAR_CODES_MAX) {
        return "codes_max: at most CELLAR_CODES_MAX";
    }
    if (config->leases_max > CELLAR_LEASES_MAX) {
        return "leases_max: at most CELLAR_LEASES_MAX";
    }
    if (config->customers_max > CELLAR_CUSTOMERS_MAX) {
        return "customers_max: at most CELLAR_CUSTOMERS_MAX";
    }
    if (config->remember_closed_ns < 0 || config->remember_closed_ns > CELLAR_REMEMBER_NS_MAX) {
        return "remember_closed_ns: 0 to CELLAR_REMEMBER_NS_MAX";
    }
    if (config->durability != CELLAR_DURABLE && config->durability != CELLAR_RELAXED) {
        return "durability: CELLAR_DURABLE or CELLAR_RELAXED";
    }
    return NULL;
}

/* ---- Making the parts ---- */

static cellar_status open_create_commit(cellar *engine, const struct engine_options *options) {
    const cellar_config *config = &engine->config;
    const struct store_limits limits = {.products = config->products_max,
                                        .stocks = config->stocks_max,
                                        .accounts = config->accounts_max,
                                        .orders = config->orders_max,
                                        .coupons = {.campaigns = config->campaigns_max,
                                                    .grants = config->grants_max,
                                                    .codes = config->codes_max},
                                        .customers = config->customers_max,
                                        .leases = config->leases_max,
                                        .remember_closed_ns = config->remember_closed_ns};
    struct commit_config commit = {.ring_bytes = config->ring_bytes,
                                   .oracle = options->oracle,
                                   .followed = true,
                                   .memory = engine->memory};
    store_cell_limits(&limits, commit.limits);
    cellar_status status = commit_create(&engine->commit, &commit);
    if (status != CELLAR_OK) {
        return status;
    }
    return store_create(&engine->store, engine->commit, engine->memory, &limits);
}

/* Redoes and applies one record of the log. */
static cellar_status open_visit(void *context, const struct record_header *record,
                                cellar_problem *problem) {
    cellar *engine = context;
    uint32_t cell = 0;
    enum store_apply_result result = STORE_APPLY_BROKEN;
    enum commit_redo_result redone = commit_redo(engine->commit, record, &cell);
    if (redone == COMMIT_REDO_BROKEN &&
        CELL_SLOT(cell) >= engine->commit->limits[CELL_CLASS(cell)] &&
        engine->commit->limits[CELL_CLASS(cell)] != 0) {
        result = STORE_APPLY_LIMIT;
    } else if (redone != COMMIT_REDO_BROKEN && store_record_check(engine->store, record)) {
        result = store_apply(engine->store, record);
        if (result == STORE_APPLIED && !store_record_known(engine->store, record)) {
            result = STORE_APPLY_BROKEN;
        }
    }
    engine->recovery_records++;
    if (record->time_ns > ATOMIC_LOAD(&engine->latest_ns, relaxed)) {
        ATOMIC_STORE(&engine->latest_ns, record->time_ns, relaxed);
    }
    switch (result) {
    case STORE_APPLIED:
        return CELLAR_OK;
    case STORE_APPLY_NO_MEMORY:
        return open_refuse(problem, CELLAR_OUT_OF_MEMORY, "while replaying the log");
    case STORE_APPLY_LIMIT:
        return open_refuse(
            problem, CELLAR_CONFIG_MISMATCH,
            "the log holds more products, stocks, accounts, orders, customers, campaigns, "
            "coupons, codes or leases than the configuration allows");
    default:
        problem->status = CELLAR_CORRUPT;
        snprintf(problem->text, sizeof problem->text,
                 "record at lsn %llu (kind %u) contradicts what came before it, at cell %u",
                 (unsigned long long)record->lsn, record->kind, cell);
        return CELLAR_CORRUPT;
    }
}

static void open_look_ahead(void *context, const struct record_header *record, bool soon) {
    const cellar *engine = context;
    if (soon) {
        store_fetch_more(engine->store, record, true);
    } else {
        store_fetch(engine->store, record, true);
    }
}

static cellar_status open_recover(cellar *engine, const struct engine_options *options,
                                  cellar_problem *problem) {
    struct log_config config = {.io = options->io,
                                .directory = engine->config.directory,
                                .segment_bytes = engine->config.segment_bytes,
                                .ring_bytes = engine->config.ring_bytes,
                                .memory = engine->memory,
                                .report = engine->config.report,
                                .report_context = engine->config.report_context};
    int64_t start = clock_monotonic_ns();
    cellar_status status = log_open(&engine->log, &config, problem);
    if (status == CELLAR_OK) {
        log_look_ahead(engine->log, open_look_ahead);
        status = log_replay(engine->log, open_visit, engine, problem);
    }
    if (status == CELLAR_OK) {
        store_recovered(engine->store);
        engine->recovery_ns = (uint64_t)(clock_monotonic_ns() - start);
    }
    return status;
}

/* A store may have been closed for years: what the clock says now is believed. */
static void open_set_clock(cellar *engine) {
    int64_t now = engine->config.clock(engine->config.clock_context);
    if (now > ATOMIC_LOAD(&engine->latest_ns, relaxed)) {
        ATOMIC_STORE(&engine->latest_ns, now, relaxed);
    }
    ATOMIC_STORE(&engine->latest_monotonic_ns, clock_monotonic_ns(), relaxed);
}

static cellar_status open_start(cellar *engine, cellar_problem *problem) {
    cellar_status status = commit_start(engine->commit, log_start_lsn(engine->log));
    if (status == CELLAR_OK) {
        status = follower_start(engine);
    }
    if (status == CELLAR_OK) {
        status = log_start(engine->log, engine->commit, problem);
    }
    if (status == CELLAR_OK) {
        status = expiry_start(engine);
    }
    return status;
}

static void open_release(cellar *engine) {
    expiry_stop(engine);
    follower_stop(engine);
    if (engine->log != NULL) {
        log_destroy(engine->log);
    }
    if (engine->commit != NULL) {
        /* The reclaiming thread still uses the store's memory. */
        commit_halt(engine->commit);
    }
    if (engine->store != NULL) {
        store_destroy(engine->store);
    }
    if (engine->commit != NULL) {
        commit_destroy(engine->commit);
    }
    if (engine->fork_guard != NULL) {
        memory_unmap((void *)engine->fork_guard, MEMORY_PAGE_BYTES);
    }
    pthread_mutex_destroy(&engine->audit_lock);
    struct memory *memory = engine->memory;
    memory_release(memory, MEMORY_ENGINE, engine, sizeof *engine);
    memory_destroy(memory);
}

static cellar *open_allocate(void) {
    struct memory *memory = memory_create();
    if (memory == NULL) {
        return NULL;
    }
    cellar *engine =
        memory_allocate_aligned(memory, MEMORY_ENGINE, CACHE_LINE_BYTES, sizeof *engine);
    if (engine == NULL) {
        memory_destroy(memory);
        return NULL;
    }
    memset(engine, 0, sizeof *engine);
    engine->memory = memory;
    pthread_mutex_init(&engine->audit_lock, NULL);
    return engine;
}

cellar_status engine_open(const cellar_config *config, const struct engine_options *options,
                          cellar **store_out, cellar_problem *problem_out) {
    cellar_problem unused = {.status = CELLAR_OK};
    cellar_problem *problem = problem_out == NULL ? &unused : problem_out;
    *problem = (cellar_problem){0};
    if (store_out == NULL) {
        return open_refuse(problem, CELLAR_INVALID_ARGUMENT, "store_out is required");
    }
    *store_out = NULL;
    if (config == NULL || config->size < offsetof(cellar_config, ring_bytes)) {
        return open_refuse(problem, CELLAR_INVALID_ARGUMENT, "size: sizeof(cellar_config)");
    }
    cellar_config known;
    if (!open_copy_config(&known, config)) {
        return open_refuse(problem, CELLAR_INVALID_ARGUMENT,
                           "the config sets what this version of cellar does not know");
    }
    open_set_defaults(&known);
    const char *wrong = open_check_config(&known);
    if (wrong != NULL) {
        return open_refuse(problem, CELLAR_INVALID_ARGUMENT, wrong);
    }
    cellar *engine = open_allocate();
    if (engine == NULL) {
        return open_refuse(problem, CELLAR_OUT_OF_MEMORY, "");
    }
    engine->config = known;
    engine->close_report_ns =
        options->close_report_ns == 0 ? CLOSE_REPORT_FIRST_NS : options->close_report_ns;
    engine->fork_guard = memory_map_fork_guard();
    cellar_status status = CELLAR_OUT_OF_MEMORY;
    if (engine->fork_guard != NULL) {
        ATOMIC_STORE(engine->fork_guard, 1, relaxed);
        status = open_create_commit(engine, options);
    }
    if (status == CELLAR_OK) {
        status = open_recover(engine, options, problem);
    }
    if (status == CELLAR_OK) {
        open_set_clock(engine);
        status = open_start(engine, problem);
    }
    /* The caller's string is the caller's. */
    engine->config.directory = NULL;
    if (status != CELLAR_OK) {
        problem->status = status;
        open_release(engine);
        return status;
    }
    *store_out = engine;
    return CELLAR_OK;
}

cellar_status cellar_open(const cellar_config *config, cellar **store_out,
                          cellar_problem *problem_out) {
    static const struct engine_options options = {.io = NULL};
    return engine_open(config, &options, store_out, problem_out);
}

/* ---- Closing ---- */

cellar_status cellar_close(cellar *engine) {
    if (engine == NULL) {
        return CELLAR_OK;
    }
    if (ATOMIC_LOAD(engine->fork_guard, relaxed) == 0) {
        return CELLAR_FORKED;
    }
    if (ATOMIC_EXCHANGE(&engine->closing, 1, seq_cst) != 0) {
        return CELLAR_CLOSED;
    }
    close_wait_for_calls(engine);
    expiry_stop(engine);
    cellar_status status = log_stop(engine->log);
    open_release(engine);
    return status == CELLAR_OK ? CELLAR_OK : CELLAR_OUTCOME_UNKNOWN;
}
