/* Files that are part of the program. */
#ifndef CELLARD_ASSETS_H
#define CELLARD_ASSETS_H

extern const char asset_page[];
extern const char asset_page_end[];

#endif
