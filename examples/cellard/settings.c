#include "settings.h"

#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

struct setting {
    const char *name;
    size_t offset;
    int64_t min; /* with `max` 0: a text */
    int64_t max;
    int64_t normal;
    const char *text;
    const char *about;
};

#define NUMBER(member, label, low, high, usual, help)                                              \
    { label, offsetof(struct settings, member), low, high, usual, NULL, help }
#define TEXT(member, label, usual, help)                                                           \
    { label, offsetof(struct settings, member), 0, 0, 0, usual, help }
#define GIB (INT64_C(1) << 30)

static const struct setting table[] = {
    TEXT(listen, "listen", "127.0.0.1:8080", "address and port; port 0 takes a free one"),
    TEXT(data, "data", "cellard.d", "directory of the store, made when absent"),
    TEXT(tokens, "tokens", "", "file of bearer tokens; without one only loopback is served"),
    NUMBER(threads, "threads", 1, 256, 0, "threads that serve [one per processor]"),
    NUMBER(connections, "connections", 8, 1000000, 12000, "connections held at a time"),
    NUMBER(connections_per_address, "connections-per-address", 0, 1000000, 0,
           "the same for one address; 0: no limit"),
    NUMBER(idle_timeout_s, "idle-timeout", 1, 3600, 60, "seconds an idle connection is kept"),
    NUMBER(request_timeout_s, "request-timeout", 1, 3600, 10,
           "seconds a client may take to send a request, or to take its answer"),
    NUMBER(drain_s, "drain", 0, 3600, 10, "seconds that a stop waits for requests under way"),
    NUMBER(body_bytes, "body", 1024, GIB, 1 << 20, "bytes of a request's body"),
    NUMBER(bulk_bytes, "bulk-body", 1024, GIB, 4 << 20, "the same for bulk requests"),
    NUMBER(body_budget_bytes, "body-budget", 1 << 20, 64 * GIB, 256 << 20,
           "bytes of all bodies that are coming in"),
    NUMBER(rate, "rate", 0, 1000000, 0, "requests per second and client; 0: no limit"),
    NUMBER(burst, "burst", 1, 1000000, 5, "requests a client may send at once before that"),
    NUMBER(concurrency, "concurrency", 1, 1000000, 8192, "requests under way of each route"),
    NUMBER(ring_bytes, "ring", 65536, 4 * GIB, 32 << 20, "bytes of the log ring, a power of two"),
    NUMBER(segment_bytes, "segment", 1 << 20, 16 * GIB, 64 << 20, "bytes of a log file"),
    NUMBER(products, "products", 1, CELLAR_PRODUCTS_MAX, 1 << 20, "products at most"),
    NUMBER(stocks, "stocks", 1, CELLAR_STOCKS_MAX, 2 << 20, "products times locations at most"),
    NUMBER(accounts, "accounts", 1, CELLAR_ACCOUNTS_MAX, 16 << 20, "accounts at most"),
    NUMBER(orders, "orders", 1, CELLAR_ORDERS_MAX, 16 << 20,
           "orders, and changes that have an id, at most"),
    NUMBER(leases, "leases", 1, CELLAR_LEASES_MAX, 65536, "names of leases at most"),
    NUMBER(customers, "customers", 0, CELLAR_CUSTOMERS_MAX, 0,
           "customers with an order, ever; 0: as many as orders, 16777216 at most"),
    NUMBER(remember_closed_s, "remember-closed", 0, CELLAR_REMEMBER_NS_MAX / SECOND_NS, 0,
           "seconds that orders, and changes that have an id, are kept in memory when closed; "
           "0: for ever"),
};

enum {
    TABLE_COUNT = sizeof table / sizeof table[0],
    LINE_BYTES_MAX = 1024
};

static void *member(struct settings *settings, const struct setting *setting) {
    return (char *)settings + setting->offset;
}

void settings_default(struct settings *settings) {
    *settings = (struct settings){.help = false};
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (table[i].max == 0) {
            (void)snprintf(member(settings, &table[i]), SETTINGS_TEXT_BYTES, "%s", table[i].text);
        } else {
            *(int64_t *)member(settings, &table[i]) = table[i].normal;
        }
    }
    for (size_t i = 0; i < route_count(); i++) {
        settings->limits[i] = route_at(i)->limit;
    }
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    settings->threads = processors < 1 ? 1 : processors;
}

/* limit ROUTE=NUMBER */
static bool set_limit(struct settings *settings, const char *value, char *error, size_t capacity) {
    char name[64];
    const char *equals = strchr(value, '=');
    size_t bytes = equals == NULL ? sizeof name : (size_t)(equals - value);
    int64_t number = 0;
    if (bytes >= sizeof name || !parse_signed(equals + 1, &number) || number < 1 ||
        number > 1000000) {
        (void)snprintf(error, capacity, "limit: must be ROUTE=NUMBER, from 1 to 1000000");
        return false;
    }
    memcpy(name, value, bytes);
    name[bytes] = '\0';
    size_t route = route_find_name(name);
    if (route == SIZE_MAX) {
        (void)snprintf(error, capacity, "limit: there is no route %s", name);
        return false;
    }
    settings->limits[route] = number;
    return true;
}

static bool set_text(char *text, const char *name, const char *value, char *error,
                     size_t capacity) {
    if (strlen(value) >= SETTINGS_TEXT_BYTES) {
        (void)snprintf(error, capacity, "%s: too long", name);
        return false;
    }
    (void)snprintf(text, SETTINGS_TEXT_BYTES, "%s", value);
    return true;
}

static bool set(struct settings *settings, const char *name, const char *value, char *error,
                size_t capacity) {
    if (strcmp(name, "limit") == 0) {
        return set_limit(settings, value, error, capacity);
    }
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        int64_t number = 0;
        if (strcmp(table[i].name, name) != 0) {
            continue;
        }
        if (table[i].max == 0) {
            return set_text(member(settings, &table[i]), name, value, error, capacity);
        }
        if (!parse_signed(value, &number) || number < table[i].min || number > table[i].max) {
            (void)snprintf(error, capacity, "%s: must be %" PRId64 " to %" PRId64, name,
                           table[i].min, table[i].max);
            return false;
        }
        *(int64_t *)member(settings, &table[i]) = number;
        return true;
    }
    (void)snprintf(error, capacity, "there is no setting %s", name);
    return false;
}

/* A line is "name value", or starts with '#', or is empty. */
static bool set_line(struct settings *settings, char *line, char *error, size_t capacity) {
    static const char space[] = " \t\r\n";
    char *name = line + strspn(line, space);
    if (*name == '\0' || *name == '#') {
        return true;
    }
    char *value = name + strcspn(name, space);
    if (*value != '\0') {
        *value++ = '\0';
    }
    value += strspn(value, space);
    value[strcspn(value, space)] = '\0';
    return set(settings, name, value, error, capacity);
}

static bool read_file(struct settings *settings, const char *path, char *error, size_t capacity) {
    FILE *file = fopen(path, "re");
    char line[LINE_BYTES_MAX];
    char why[256] = "";
    int number = 0;
    bool good = true;
    if (file == NULL) {
        (void)snprintf(error, capacity, "%s: %s", path, strerror(errno));
        return false;
    }
    while (good && fgets(line, sizeof line, file) != NULL) {
        number++;
        good = set_line(settings, line, why, sizeof why);
    }
    if (!good) {
        (void)snprintf(error, capacity, "%s:%d: %s", path, number, why);
    }
    (void)fclose(file);
    return good;
}

bool settings_read(struct settings *settings, int argc, char **argv, char *error, size_t capacity) {
    for (int i = 1; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (strcmp(argv[i], "--help") == 0) {
            settings->help = true;
            return true;
        }
        if (strncmp(argv[i], "--", 2) != 0 || equals == NULL) {
            (void)snprintf(error, capacity, "%s: must be --name=value", argv[i]);
            return false;
        }
        *equals = '\0';
        const char *name = argv[i] + 2;
        bool good = strcmp(name, "config") == 0 ? read_file(settings, equals + 1, error, capacity)
                                                : set(settings, name, equals + 1, error, capacity);
        *equals = '=';
        if (!good) {
            return false;
        }
    }
    return true;
}

void settings_usage(FILE *to) {
    (void)fputs("usage: cellard [--name=value]...\n\n", to);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        (void)fprintf(to, "  --%-24s %s", table[i].name, table[i].about);
        if (table[i].max != 0 && table[i].normal != 0) {
            (void)fprintf(to, " [%" PRId64 "]", table[i].normal);
        } else if (table[i].max == 0 && table[i].text[0] != '\0') {
            (void)fprintf(to, " [%s]", table[i].text);
        }
        (void)fputs("\n", to);
    }
    (void)fputs("  --limit=ROUTE=NUMBER       requests under way of one route\n"
                "  --config=FILE              a file of the same names, as lines: name value\n",
                to);
}
