/* Files that are part of the program. */
#ifndef CELLARD_ASSETS_H
#define CELLARD_ASSETS_H

#include <stdint.h>

extern const char asset_page[];
extern const uint64_t asset_page_bytes;

#endif
