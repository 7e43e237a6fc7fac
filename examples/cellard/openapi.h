/* The description of the interface, OpenAPI 3.1, made from the table of routes and its shapes. */
#ifndef CELLARD_OPENAPI_H
#define CELLARD_OPENAPI_H

#include "text.h"

void openapi_write(struct text *out);

#endif
