/* Waiting, when a store is closed, for the calls that are in flight; and saying so. */
#include "engine/engine.h"

#include "base/clock.h"

#include <stdio.h>

/* How often the counters are looked at. */
#define CLOSE_NAP_NS (NANOSECONDS_PER_MILLISECOND / 10)

void close_reports_begin(struct close_reports *reports, int64_t now_ns, int64_t first_ns) {
    reports->start_ns = now_ns;
    reports->pause_ns = first_ns;
    reports->due_ns = now_ns + first_ns;
    reports->told = false;
}

bool close_reports_due(struct close_reports *reports, int64_t now_ns) {
    if (now_ns < reports->due_ns) {
        return false;
    }
    /* As long again as it has taken so far. */
    if (reports->told) {
        reports->pause_ns *= 2;
    }
    if (reports->pause_ns > CLOSE_REPORT_PAUSE_MAX_NS) {
        reports->pause_ns = CLOSE_REPORT_PAUSE_MAX_NS;
    }
    reports->told = true;
    reports->due_ns = now_ns + reports->pause_ns;
    return true;
}

static int64_t close_calls(cellar *engine) {
    int64_t running = 0;
    for (size_t i = 0; i < ENGINE_CALL_SHARDS; i++) {
        /* Acquire: pairs with the release in engine_leave(). */
        running += ATOMIC_LOAD(&engine->calls[i].count, acquire);
    }
    return running;
}

/* What is not on disk tells whether it is the disk that they wait for. */
static void close_report_waiting(const cellar *engine, int64_t calls, int64_t waited_ns) {
    char text[256];
    uint64_t reserved = ATOMIC_LOAD(&engine->commit->reserved.lsn, relaxed);
    uint64_t durable = ATOMIC_LOAD(&engine->commit->durable.lsn, relaxed);
    snprintf(text, sizeof text,
             "closing: calls in flight: %lld, for %lld s so far; %llu bytes of the log are not on "
             "disk yet",
             (long long)calls, (long long)(waited_ns / NANOSECONDS_PER_SECOND),
             (unsigned long long)(reserved > durable ? reserved - durable : 0));
    engine_report(engine, CELLAR_REPORT_WARNING, text);
}

void close_wait_for_calls(cellar *engine) {
    struct close_reports reports;
    int64_t calls = close_calls(engine);
    close_reports_begin(&reports, clock_monotonic_ns(), engine->close_report_ns);
    while (calls != 0) {
        int64_t now_ns = clock_monotonic_ns();
        if (close_reports_due(&reports, now_ns)) {
            close_report_waiting(engine, calls, now_ns - reports.start_ns);
        }
        clock_sleep_ns(CLOSE_NAP_NS);
        calls = close_calls(engine);
    }
    if (reports.told) {
        engine_report(engine, CELLAR_REPORT_NOTE, "closing: the last call in flight has returned");
    }
}
