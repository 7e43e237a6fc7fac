#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/bend.h"

#include <string.h>

void bend_cell(struct shop *shop, uint32_t cell, int64_t by) {
    struct commit *commit = shop->store->commit;
    struct cell_content content = cell_load(&commit->cells[cell]);
    struct cell_content bent = {content.value + by, content.version};
    assert_true(cell_swap(&commit->cells[cell], content, bent));
}

void bend_check(struct shop *shop, const struct bend *bends, size_t count) {
    for (size_t i = 0; i < count; i++) {
        cellar_audit audit;
        shop_audit(shop);
        bends[i].apply(shop, 1);
        assert_int_equal(cellar_audit_run(shop->store, &audit), CELLAR_OK);
        bends[i].apply(shop, -1);
        if (audit.violations == 0) {
            fail_msg("%s: not found", bends[i].name);
        }
        if (strstr(audit.first_violation, bends[i].text) == NULL) {
            fail_msg("%s: \"%s\"", bends[i].name, audit.first_violation);
        }
    }
    shop_audit(shop);
}
