/* As much of JSON Schema as /openapi.json uses. A word it does not know is an error, so that
 * nothing in the description goes unchecked. */
#ifndef CELLAR_TESTS_FUZZ_HANDLERS_SCHEMA_H
#define CELLAR_TESTS_FUZZ_HANDLERS_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

/* NULL: `value` is what `schema` of the description says, without a field that is not described.
 * Else what is wrong with it, until the next call. */
const char *schema_mistake(const json_t *description, const json_t *schema, const json_t *value);

#endif
