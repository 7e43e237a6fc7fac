#include "route.h"

#include <stdio.h>
#include <string.h>

static const route_area *const areas[] = {
    &area_products,    &area_stock,        &area_accounts, &area_holds,     &area_orders,
    &area_order_reads, &area_transactions, &area_leases,   &area_campaigns, &area_coupons,
    &area_redemptions, &area_whole,        &area_live,     &area_service};

static const struct route *table[ROUTES_MAX];
static const char *titles[ROUTES_MAX];
static size_t table_count;

void route_prepare(void) {
    table_count = 0;
    for (size_t i = 0; i < sizeof areas / sizeof areas[0]; i++) {
        for (size_t j = 0; j < areas[i]->count && table_count < ROUTES_MAX; j++) {
            titles[table_count] = areas[i]->title;
            table[table_count++] = &areas[i]->routes[j];
        }
    }
}

size_t route_count(void) {
    return table_count;
}

const struct route *route_at(size_t number) {
    return table[number];
}

bool route_is_service(size_t number) {
    return strcmp(titles[number], area_service.title) == 0;
}

const char *route_area_title(size_t number) {
    return titles[number];
}

size_t route_find_name(const char *name) {
    for (size_t i = 0; i < table_count; i++) {
        if (strcmp(table[i]->name, name) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

static bool path_matches(const char *pattern, const char *path, route_variable *variable_out) {
    while (*pattern == *path && *pattern != '\0') {
        pattern++;
        path++;
    }
    if (*pattern != '{') {
        return *pattern == *path;
    }
    size_t bytes = strcspn(path, "/");
    if (bytes == 0) {
        return false;
    }
    *variable_out = (route_variable){path, bytes};
    return strcmp(strchr(pattern, '}') + 1, path + bytes) == 0;
}

void route_find(const char *method, const char *path, route_match *match_out) {
    *match_out = (route_match){.number = SIZE_MAX};
    /* HEAD is GET without the body, which the HTTP library leaves out. */
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    for (size_t i = 0; i < table_count; i++) {
        route_variable variable = {NULL, 0};
        if (!path_matches(table[i]->path, path, &variable)) {
            continue;
        }
        if (strcmp(table[i]->method, wanted) == 0) {
            match_out->number = i;
            match_out->variable = variable;
            return;
        }
        /* A literal path comes before one with braces: "/v1/orders/quote" is no order's id. */
        if (strstr(match_out->allowed, table[i]->method) == NULL) {
            size_t length = strlen(match_out->allowed);
            (void)snprintf(match_out->allowed + length, sizeof match_out->allowed - length, "%s%s",
                           length == 0 ? "" : ", ", table[i]->method);
        }
    }
}
