#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/rewrite.h"

#include "log/catalog.h"

#include <stdlib.h>
#include <string.h>

void rewrite_begin(struct rewrite *rewrite, struct shop *shop, uint64_t lsn) {
    struct record_header *record;
    struct segment segment;
    uint64_t end_lsn;
    assert_non_null(shop->disk);
    assert_int_equal(log_read(shop->store->log, lsn, &record), CELLAR_OK);
    assert_true(catalog_find(shop->store->log, lsn, &segment, &end_lsn));
    *rewrite = (struct rewrite){.disk = shop->disk,
                                .offset = segment_offset(segment.first_lsn, lsn),
                                .seed = segment.seed,
                                .bytes = record->bytes,
                                .kept = malloc(record->bytes),
                                .record = malloc(record->bytes)};
    segment_path(rewrite->path, shop->directory, segment.first_lsn);
    assert_non_null(rewrite->kept);
    assert_non_null(rewrite->record);
    memcpy(rewrite->kept, record, record->bytes);
    memcpy(rewrite->record, record, record->bytes);
    log_release_record(shop->store->log, record);
}

void rewrite_put(struct rewrite *rewrite) {
    assert_int_equal(rewrite->record->bytes, rewrite->bytes);
    rewrite->record->crc = record_crc(rewrite->record, rewrite->seed);
    memory_disk_poke(rewrite->disk, rewrite->path, rewrite->offset, rewrite->record,
                     rewrite->bytes);
}

void rewrite_end(struct rewrite *rewrite) {
    memory_disk_poke(rewrite->disk, rewrite->path, rewrite->offset, rewrite->kept, rewrite->bytes);
    free(rewrite->kept);
    free(rewrite->record);
}

struct record_update *rewrite_update(struct rewrite *rewrite, uint32_t index) {
    return (struct record_update *)(void *)(rewrite->record + 1) + index;
}

uint32_t *rewrite_cell(struct rewrite *rewrite, uint32_t index) {
    return (uint32_t *)(void *)rewrite_update(rewrite, rewrite->record->cell_count) + index;
}

void *rewrite_payload(struct rewrite *rewrite) {
    return (unsigned char *)rewrite->record + record_payload_offset(rewrite->record->cell_count);
}

uint32_t rewrite_index(const struct rewrite *rewrite, uint32_t cell) {
    const struct record_update *update = record_find(rewrite->record, cell);
    assert_non_null(update);
    return (uint32_t)(update - record_updates(rewrite->record));
}
