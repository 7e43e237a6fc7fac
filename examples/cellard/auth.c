#include "auth.h"

#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static const char *const role_names[] = {"none", "read", "sell", "admin"};

static const char *auth_line(struct auth *auth, char *line) {
    static const char space[] = " \t\r\n";
    char *rest = NULL;
    const char *role = strtok_r(line, space, &rest);
    if (role == NULL || *role == '#') {
        return NULL;
    }
    const char *token = strtok_r(NULL, space, &rest);
    const char *actor = strtok_r(NULL, space, &rest);
    if (auth->count == AUTH_TOKENS_MAX) {
        return "too many tokens";
    }
    auth_token *made = &auth->tokens[auth->count];
    for (int i = ROLE_READ; i <= ROLE_ADMIN; i++) {
        if (strcmp(role, role_names[i]) == 0) {
            made->role = (route_role)i;
        }
    }
    if (made->role == ROLE_NONE) {
        return "the role must be read, sell or admin";
    }
    size_t bytes = token == NULL ? 0 : strlen(token);
    if (bytes < AUTH_TOKEN_BYTES_MIN || bytes > AUTH_TOKEN_BYTES_MAX) {
        return "a token must have 16 to 128 bytes";
    }
    if (actor != NULL && !parse_unsigned(actor, &made->actor)) {
        return "the actor must be a number";
    }
    memcpy(made->token, token, bytes);
    auth->count++;
    return NULL;
}

bool auth_load(struct auth *auth, const char *path, char *error, size_t capacity) {
    char line[512];
    struct stat facts;
    FILE *file = fopen(path, "re");
    *auth = (struct auth){.count = 0};
    if (file == NULL || fstat(fileno(file), &facts) != 0) {
        (void)snprintf(error, capacity, "%s: %s", path, strerror(errno));
        if (file != NULL) {
            (void)fclose(file);
        }
        return false;
    }
    const char *wrong =
        (facts.st_mode & (S_IRWXG | S_IRWXO)) != 0 ? "others may read it; give it mode 600" : NULL;
    int number = 0;
    while (wrong == NULL && fgets(line, sizeof line, file) != NULL) {
        number++;
        wrong = auth_line(auth, line);
    }
    (void)fclose(file);
    if (wrong == NULL && auth->count == 0) {
        wrong = "there is no token in it";
    }
    if (wrong != NULL) {
        (void)snprintf(error, capacity, "%s:%d: %s", path, number, wrong);
    }
    return wrong == NULL;
}

/* Looks at every byte, whatever it finds: all places up to the longest token, both lengths. */
static bool auth_equal(const char *own, const char *given) {
    unsigned difference = 0;
    size_t given_bytes = strnlen(given, AUTH_TOKEN_BYTES_MAX + 1);
    size_t own_bytes = strlen(own);
    for (size_t i = 0; i < AUTH_TOKEN_BYTES_MAX; i++) {
        unsigned char a = (unsigned char)(i < own_bytes ? own[i] : 0);
        unsigned char b = (unsigned char)(i < given_bytes ? given[i] : 0);
        difference |= (unsigned)(a ^ b);
    }
    return (difference | (unsigned)(own_bytes ^ given_bytes)) == 0;
}

const auth_token *auth_find(const struct auth *auth, const char *authorization) {
    static const char scheme[] = "Bearer ";
    const auth_token *found = NULL;
    if (authorization == NULL || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0) {
        return NULL;
    }
    const char *given = authorization + sizeof scheme - 1;
    for (size_t i = 0; i < auth->count; i++) {
        if (auth_equal(auth->tokens[i].token, given)) {
            found = &auth->tokens[i];
        }
    }
    return found;
}
