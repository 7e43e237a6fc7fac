/* Is docs/LOG_FORMAT.md true? Its byte-offset tables are read from the page, compared with the
 * structs, and used to take a real log apart. */
#include "base/checksum.h"
#include "log/segment.h"
#include "support/log_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEGMENT_BYTES 20480
#define PAGE "docs/LOG_FORMAT.md"
#define ROWS_MAX 64

struct row {
    char section[64];
    char field[64];
    size_t offset;
    size_t bytes;
};

static struct row rows[ROWS_MAX];
static int row_count;

/* The tables of this layer; those of payloads belong to lib/store. */
static bool is_ours(const char *section) {
    return strcmp(section, "Segment header") == 0 || strcmp(section, "Record header") == 0 ||
           strcmp(section, "Update") == 0 || strcmp(section, "Closing note") == 0;
}

/* Reads every row "| offset | bytes | field | ... |" of these. */
static int read_page(void **state) {
    char line[512];
    char section[64] = "";
    FILE *page = fopen(PAGE, "r");

    (void)state;
    if (page == NULL) {
        print_error("%s is not here: run from the root of the tree\n", PAGE);
        return -1;
    }
    while (fgets(line, sizeof line, page) != NULL) {
        struct row *row = &rows[row_count];
        if (sscanf(line, "## %63[^\n]", section) == 1) {
            continue;
        }
        if (is_ours(section) && row_count < ROWS_MAX &&
            sscanf(line, "| %zu | %zu | %63s |", &row->offset, &row->bytes, row->field) == 3) {
            memcpy(row->section, section, sizeof section);
            row_count++;
        }
    }
    (void)fclose(page);
    return row_count > 0 ? 0 : -1;
}

static const struct row *find_row(const char *section, const char *field) {
    for (int i = 0; i < row_count; i++) {
        if (strcmp(rows[i].section, section) == 0 && strcmp(rows[i].field, field) == 0) {
            return &rows[i];
        }
    }
    fail_msg("%s: no field %s under \"%s\"", PAGE, field, section);
    return NULL;
}

#define FIELD(section, type, field)                                                                \
    { section, #field, offsetof(struct type, field), sizeof(((struct type *)NULL)->field) }

#define NOTE_FIELD(field)                                                                          \
    {                                                                                              \
        "Closing note", #field, SEGMENT_NOTE_OFFSET + offsetof(struct segment_note, field),        \
            sizeof(((struct segment_note *)NULL)->field)                                           \
    }

static const struct {
    const char *section;
    const char *field;
    size_t offset;
    size_t bytes;
} fields[] = {
    FIELD("Segment header", segment_header, magic),
    FIELD("Segment header", segment_header, format),
    FIELD("Segment header", segment_header, header_bytes),
    FIELD("Segment header", segment_header, database_high),
    FIELD("Segment header", segment_header, database_low),
    FIELD("Segment header", segment_header, incarnation),
    FIELD("Segment header", segment_header, crc),
    FIELD("Segment header", segment_header, first_lsn),
    FIELD("Segment header", segment_header, previous_end_lsn),
    FIELD("Segment header", segment_header, reach_bytes),
    FIELD("Segment header", segment_header, capacity_bytes),
    FIELD("Segment header", segment_header, created_ns),
    FIELD("Segment header", segment_header, prepared_bytes),
    NOTE_FIELD(end_lsn),
    NOTE_FIELD(crc),
    NOTE_FIELD(zero),
    FIELD("Record header", record_header, lsn),
    FIELD("Record header", record_header, time_ns),
    FIELD("Record header", record_header, crc),
    FIELD("Record header", record_header, bytes),
    FIELD("Record header", record_header, kind),
    FIELD("Record header", record_header, cell_count),
    FIELD("Record header", record_header, durable_lag),
    FIELD("Update", record_update, expected),
    FIELD("Update", record_update, old_value),
    FIELD("Update", record_update, new_value),
};

static void the_tables_tell_the_layout(void **state) {
    const size_t count = sizeof fields / sizeof *fields;
    size_t documented[4] = {0};

    (void)state;
    assert_int_equal(row_count, count);
    for (size_t i = 0; i < count; i++) {
        const struct row *row = find_row(fields[i].section, fields[i].field);
        assert_int_equal(row->offset, fields[i].offset);
        assert_int_equal(row->bytes, fields[i].bytes);
        documented[fields[i].section[0] == 'S'   ? 0
                   : fields[i].section[0] == 'R' ? 1
                   : fields[i].section[0] == 'U' ? 2
                                                 : 3] += row->bytes;
    }
    /* Nothing is left out. */
    assert_int_equal(documented[0], sizeof(struct segment_header));
    assert_int_equal(documented[1], sizeof(struct record_header));
    assert_int_equal(documented[2], sizeof(struct record_update));
    assert_int_equal(documented[3], sizeof(struct segment_note));
}

/* The integer that the page says is there. */
static uint64_t value_of(const unsigned char *bytes, const char *section, const char *field) {
    const struct row *row = find_row(section, field);
    uint64_t value = 0;

    for (size_t i = row->bytes; i > 0; i--) {
        value = value << 8 | bytes[row->offset + i - 1];
    }
    return value;
}

static void put_zero(unsigned char *bytes, const char *section, const char *field) {
    const struct row *row = find_row(section, field);

    memset(bytes + row->offset, 0, row->bytes);
}

static uint32_t seed_of(const unsigned char *block) {
    uint64_t identity[3] = {value_of(block, "Segment header", "database_high"),
                            value_of(block, "Segment header", "database_low"),
                            value_of(block, "Segment header", "incarnation")};

    return checksum_crc32c(0, identity, sizeof identity);
}

static int closed;

/* Takes the segment apart by the page alone. Returns where its records end. */
static uint64_t check_segment(struct memory_disk *disk, const char *path, uint64_t *records) {
    static unsigned char file[SEGMENT_BYTES];
    uint64_t file_bytes = (uint64_t)memory_disk_file_bytes(disk, path);
    memory_disk_peek(disk, path, 0, file, sizeof file);

    assert_memory_equal(file, "CELLARLG", 8);
    assert_int_equal(value_of(file, "Segment header", "format"), SEGMENT_FORMAT);
    assert_int_equal(value_of(file, "Segment header", "header_bytes"), 4096);
    uint64_t first_lsn = value_of(file, "Segment header", "first_lsn");
    uint32_t crc = (uint32_t)value_of(file, "Segment header", "crc");
    uint64_t closed_end = value_of(file, "Closing note", "end_lsn");
    uint32_t note_crc = (uint32_t)value_of(file, "Closing note", "crc");
    put_zero(file, "Segment header", "crc");
    put_zero(file, "Closing note", "end_lsn");
    put_zero(file, "Closing note", "crc");
    assert_int_equal(checksum_crc32c(0, file, 4096), crc);
    char name[80];
    (void)snprintf(name, sizeof name, "/db/%020llu.log", (unsigned long long)first_lsn);
    assert_string_equal(path, name);

    uint64_t lsn = first_lsn;
    uint64_t time_ns = 0;
    while (4096 + (lsn - first_lsn) < file_bytes) {
        unsigned char *record = file + 4096 + (lsn - first_lsn);
        if (value_of(record, "Record header", "lsn") != lsn) {
            break;
        }
        uint64_t bytes = value_of(record, "Record header", "bytes");
        uint64_t kind = value_of(record, "Record header", "kind");
        crc = (uint32_t)value_of(record, "Record header", "crc");
        assert_true(value_of(record, "Record header", "time_ns") >= time_ns);
        time_ns = value_of(record, "Record header", "time_ns");
        put_zero(record, "Record header", "crc");
        assert_int_equal(checksum_crc32c(seed_of(file), record, kind == 1 ? 32 : bytes), crc);
        uint64_t space = (bytes + 63) / 64 * 64;
        for (uint64_t i = bytes; i < space; i++) {
            assert_int_equal(record[i], 0);
        }
        *records += kind >= 16;
        lsn += space;
    }
    /* The last segment of each opening is closed, and only that. */
    if (closed_end != 0) {
        const uint64_t positions[2] = {first_lsn, closed_end};
        assert_int_equal(closed_end, lsn);
        assert_int_equal(checksum_crc32c(seed_of(file), positions, sizeof positions), note_crc);
        assert_int_equal(file_bytes, 4096 + (lsn - first_lsn));
        closed++;
    } else {
        assert_true(file_bytes >= value_of(file, "Segment header", "prepared_bytes"));
    }
    assert_true(value_of(file, "Segment header", "prepared_bytes") >= 4096);
    return lsn;
}

static void a_real_log_is_as_the_page_says(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;
    char path[80];
    uint64_t end = 0;
    uint64_t records = 0;
    uint64_t incarnation = 0;
    uint64_t reach = 0;

    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    fixture.payload_bytes = 900;
    for (int opening = 0; opening < 3; opening++) {
        assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
        (void)log_fixture_commit_many(&fixture, 40);
        assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    }
    for (int i = 0; log_fixture_segment(disk, i, path); i++) {
        unsigned char block[4096];
        memory_disk_peek(disk, path, 0, block, sizeof block);
        uint64_t first_lsn = value_of(block, "Segment header", "first_lsn");
        uint64_t number = value_of(block, "Segment header", "incarnation");
        assert_int_equal(value_of(block, "Segment header", "previous_end_lsn"), end);
        if (number == incarnation) {
            assert_int_equal(first_lsn, end);
        } else {
            assert_int_equal(number, incarnation + 1);
            assert_int_equal(first_lsn, i == 0 ? 4096 : end + reach);
        }
        incarnation = number;
        reach = value_of(block, "Segment header", "reach_bytes");
        end = check_segment(disk, path, &records);
    }
    assert_int_equal(incarnation, 3);
    assert_int_equal(closed, 3);
    assert_int_equal(records, 120);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

/* Conditions of a valid header, one by one: a header that breaks just this one, with a right CRC.
 */
static const struct {
    const char *field;
    uint64_t value;
    cellar_status expected;
} broken[] = {
    {"magic", 0, CELLAR_CORRUPT},
    {"format", SEGMENT_FORMAT + 1, CELLAR_UNKNOWN_FORMAT},
    {"header_bytes", 8192, CELLAR_CORRUPT},
    {"incarnation", 0, CELLAR_CORRUPT},
    {"first_lsn", 0, CELLAR_CORRUPT},
    {"first_lsn", 4097, CELLAR_CORRUPT},
    {"first_lsn", UINT64_C(1) << 63, CELLAR_CORRUPT},
    {"reach_bytes", 0, CELLAR_CORRUPT},
    {"reach_bytes", 100, CELLAR_CORRUPT},
    {"capacity_bytes", 0, CELLAR_CORRUPT},
    {"capacity_bytes", 16383, CELLAR_CORRUPT},
    {"previous_end_lsn", 8192, CELLAR_CORRUPT},
    {"previous_end_lsn", 63, CELLAR_CORRUPT},
    {"created_ns", 0, CELLAR_OK},
    {"prepared_bytes", 0, CELLAR_OK},
    {"prepared_bytes", 4096 + 16384, CELLAR_OK},
    {"prepared_bytes", 4096 + 16384 + 1, CELLAR_CORRUPT},
};

static void each_condition_of_a_header_is_checked(void **state) {
    const struct segment segment = {.database_high = 1,
                                    .database_low = 2,
                                    .first_lsn = 4096,
                                    .reach_bytes = 131072,
                                    .capacity_bytes = 16384,
                                    .created_ns = 5,
                                    .incarnation = 1};

    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        unsigned char block[SEGMENT_HEADER_BYTES];
        struct segment decoded;
        const char *reason;
        segment_encode(block, &segment);
        assert_int_equal(segment_decode(block, &decoded, &reason), CELLAR_OK);
        assert_int_equal(decoded.first_lsn, 4096);
        const struct row *row = find_row("Segment header", broken[i].field);
        memcpy(block + row->offset, &broken[i].value, row->bytes);
        put_zero(block, "Segment header", "crc");
        uint32_t crc = checksum_crc32c(0, block, sizeof block);
        memcpy(block + find_row("Segment header", "crc")->offset, &crc, sizeof crc);
        assert_int_equal(segment_decode(block, &decoded, &reason), broken[i].expected);
    }
    /* And the CRC itself. */
    unsigned char block[SEGMENT_HEADER_BYTES];
    struct segment decoded;
    const char *reason;
    segment_encode(block, &segment);
    block[SEGMENT_HEADER_BYTES - 1] ^= 1;
    assert_int_equal(segment_decode(block, &decoded, &reason), CELLAR_CORRUPT);
}

static void names_are_parsed_strictly(void **state) {
    uint64_t lsn = 0;

    (void)state;
    assert_true(segment_parse_name("00000000000000004096.log", &lsn));
    assert_int_equal(lsn, 4096);
    assert_true(segment_parse_name("18446744073709551615.log", &lsn));
    assert_int_equal(lsn, UINT64_MAX);
    assert_false(segment_parse_name("18446744073709551616.log", &lsn));
    assert_false(segment_parse_name("0000000000000004096.log", &lsn));
    assert_false(segment_parse_name("00000000000000004096.tmp", &lsn));
    assert_false(segment_parse_name("00000000000000004096.logs", &lsn));
    assert_false(segment_parse_name("0000000000000000409a.log", &lsn));
    assert_false(segment_parse_name("", &lsn));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables_tell_the_layout),
        cmocka_unit_test(a_real_log_is_as_the_page_says),
        cmocka_unit_test(each_condition_of_a_header_is_checked),
        cmocka_unit_test(names_are_parsed_strictly),
    };
    return cmocka_run_group_tests(tests, read_page, NULL);
}
