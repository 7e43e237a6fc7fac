#include "assets.h"

/* The assembler takes a file in as it is, so that the page can be edited as a page. The path is
 * that from the root of the repository, where make runs. */
__asm__(".section .rodata\n"
        ".global asset_page\n"
        "asset_page:\n"
        ".incbin \"examples/cellard/page.html\"\n"
        "asset_page_end:\n"
        ".balign 8\n"
        ".global asset_page_bytes\n"
        "asset_page_bytes:\n"
        ".quad asset_page_end - asset_page\n"
        ".previous\n");
