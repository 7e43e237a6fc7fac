/* Is a record laid out as its table says, valid exactly under the ten conditions of record.c, and
 * does no flipped bit get past validation and CRC together? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commit/record.h"

#include "support/random.h"

#include <string.h>

#define LSN (UINT64_C(64) * 1000)
#define SEED_OF_LOG 0x1234567u
#define BUFFER_BYTES ((size_t)2 << 20)

static _Alignas(64) unsigned char buffer[BUFFER_BYTES];
static uint64_t seed;

static struct record_header *record_at(void) {
    return (struct record_header *)(void *)buffer;
}

static struct record_update *updates_at(void) {
    return (struct record_update *)(record_at() + 1);
}

static uint32_t *cells_at(void) {
    return (uint32_t *)(updates_at() + record_at()->cell_count);
}

/* A valid record with `cell_count` cells and `payload_bytes`. */
static struct record_header *build(uint16_t cell_count, uint32_t payload_bytes) {
    struct record_header *record = record_at();
    struct random random = {seed + cell_count};

    random_fill(&random, buffer, record_payload_offset(cell_count) + payload_bytes + 64);
    *record = (struct record_header){
        .lsn = LSN,
        .time_ns = 1700000000000000000,
        .bytes = (uint32_t)(record_payload_offset(cell_count) + payload_bytes),
        .kind = RECORD_KIND_DOMAIN,
        .cell_count = cell_count,
        .durable_lag = 7,
    };
    for (uint32_t i = 0; i < cell_count; i++) {
        updates_at()[i].expected = 64 * random_below(&random, 1000);
        cells_at()[i] = 10 * i + 3;
    }
    record->crc = record_crc(record, SEED_OF_LOG);
    return record;
}

static bool is_valid(void) {
    return record_validate(record_at(), LSN, BUFFER_BYTES);
}

static bool is_intact(uint64_t available) {
    const struct record_header *record = record_at();

    return record_validate(record, LSN, available) &&
           record_crc(record, SEED_OF_LOG) == record->crc;
}

static void test_layout(void **unused) {
    (void)unused;
    assert_int_equal(offsetof(struct record_header, lsn), 0);
    assert_int_equal(offsetof(struct record_header, time_ns), 8);
    assert_int_equal(offsetof(struct record_header, crc), 16);
    assert_int_equal(offsetof(struct record_header, bytes), 20);
    assert_int_equal(offsetof(struct record_header, kind), 24);
    assert_int_equal(offsetof(struct record_header, cell_count), 26);
    assert_int_equal(offsetof(struct record_header, durable_lag), 28);
    assert_int_equal(offsetof(struct record_update, expected), 0);
    assert_int_equal(offsetof(struct record_update, old_value), 8);
    assert_int_equal(offsetof(struct record_update, new_value), 16);
    const struct record_header *record = build(3, 8);
    assert_ptr_equal(record_updates(record), buffer + 32);
    assert_ptr_equal(record_cells(record), buffer + 32 + 72);
    assert_ptr_equal(record_payload(record), buffer + 120);
}

/* The sizes the design promises, and the neighbours of the line limit. */
static void test_space(void **unused) {
    static const struct {
        uint32_t cells;
        uint32_t payload;
        uint64_t space;
    } rows[] = {
        {0, 0, 64},  {0, 32, 64}, {0, 33, 128}, {1, 0, 64},   {1, 1, 128},
        {3, 8, 128}, {3, 9, 192}, {2, 40, 128}, {2, 41, 192}, {16384, 0, 458816},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t bytes = record_payload_offset(rows[i].cells) + rows[i].payload;
        assert_int_equal(record_space(bytes), rows[i].space);
        build((uint16_t)rows[i].cells, rows[i].payload);
        assert_int_equal(record_payload_bytes(record_at()), rows[i].payload);
        assert_true(is_valid());
    }
}

static void test_valid_1_lsn_is_its_position(void **unused) {
    (void)unused;
    build(3, 8);
    assert_true(is_valid());
    assert_false(record_validate(record_at(), LSN + 64, BUFFER_BYTES));
    assert_false(record_validate(record_at(), LSN - 64, BUFFER_BYTES));
    record_at()->lsn = LSN + 8;
    assert_false(record_validate(record_at(), LSN + 8, BUFFER_BYTES));
}

static void test_valid_2_bytes_fit(void **unused) {
    (void)unused;
    const struct record_header *record = build(3, 8);
    assert_true(record_validate(record, LSN, record->bytes));
    assert_false(record_validate(record, LSN, record->bytes - 1));
    assert_false(record_validate(record, LSN, 31));
    assert_false(record_validate(record, LSN, 0));
    build(0, 0);
    assert_true(record_validate(record, LSN, 32));
    record_at()->bytes = 31;
    assert_false(is_valid());
    record_at()->bytes = 0;
    assert_false(is_valid());
}

static void test_valid_3_kind_is_known(void **unused) {
    (void)unused;
    build(0, 0);
    for (uint32_t kind = 0; kind <= UINT16_MAX; kind++) {
        record_at()->kind = (uint16_t)kind;
        bool known = kind == RECORD_PADDING || kind == RECORD_MARK || kind >= RECORD_KIND_DOMAIN;
        assert_int_equal(is_valid(), known);
    }
}

static void test_valid_4_cells_fit(void **unused) {
    (void)unused;
    build(4, 0);
    assert_true(is_valid());
    record_at()->bytes -= 1;
    assert_false(is_valid());
    build(RECORD_CELLS_MAX, 0);
    assert_true(is_valid());
    build(RECORD_CELLS_MAX + 1, 0);
    assert_false(is_valid());
}

static void test_valid_5_padding_and_marks_have_no_cells(void **unused) {
    (void)unused;
    build(1, 0);
    record_at()->kind = RECORD_PADDING;
    assert_false(is_valid());
    record_at()->kind = RECORD_MARK;
    assert_false(is_valid());
    build(0, 0);
    record_at()->kind = RECORD_PADDING;
    assert_true(is_valid());
    record_at()->kind = RECORD_MARK;
    assert_true(is_valid());
}

static void test_valid_6_payload_limit(void **unused) {
    (void)unused;
    build(1, RECORD_PAYLOAD_MAX);
    assert_true(is_valid());
    build(1, RECORD_PAYLOAD_MAX + 1);
    assert_false(is_valid());
    build(0, RECORD_PAYLOAD_MAX + 1);
    record_at()->kind = RECORD_MARK;
    assert_false(is_valid());
    /* Padding covers whatever space is to be passed over. */
    record_at()->kind = RECORD_PADDING;
    assert_true(is_valid());
}

static void test_valid_7_cells_rise_strictly(void **unused) {
    (void)unused;
    build(4, 0);
    cells_at()[2] = cells_at()[1];
    assert_false(is_valid());
    cells_at()[2] = cells_at()[1] - 1;
    assert_false(is_valid());
    cells_at()[2] = cells_at()[1] + 1;
    assert_true(is_valid());
    cells_at()[3] = cells_at()[2];
    assert_false(is_valid());
}

static void test_valid_8_expected_is_an_earlier_position(void **unused) {
    (void)unused;
    for (uint32_t i = 0; i < 3; i++) {
        build(3, 0);
        updates_at()[i].expected = LSN;
        assert_false(is_valid());
        updates_at()[i].expected = LSN + 64;
        assert_false(is_valid());
        updates_at()[i].expected = LSN - 64;
        assert_true(is_valid());
        updates_at()[i].expected = LSN - 63;
        assert_false(is_valid());
        updates_at()[i].expected = 0;
        assert_true(is_valid());
    }
}

static void test_valid_9_durable_lag_stays_above_zero(void **unused) {
    (void)unused;
    build(1, 0);
    record_at()->durable_lag = (uint32_t)(LSN / 64);
    assert_true(is_valid());
    record_at()->durable_lag++;
    assert_false(is_valid());
    record_at()->durable_lag = UINT32_MAX;
    assert_false(is_valid());
}

static void test_valid_10_crc_knows_database_and_incarnation(void **unused) {
    static const uint64_t identities[][3] = {{1, 2, 3}, {2, 2, 3}, {1, 3, 3}, {1, 2, 4}};
    uint32_t crcs[4];

    (void)unused;
    build(3, 8);
    for (size_t i = 0; i < 4; i++) {
        uint32_t start =
            record_seed(identities[i][0], identities[i][1], (uint32_t)identities[i][2]);
        crcs[i] = record_crc(record_at(), start);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(crcs[i], crcs[j]);
        }
    }
}

static void flip(size_t bit) {
    buffer[bit / 8] ^= (unsigned char)(1u << (bit % 8));
}

/* Every single bit of a record, of each shape, with the length the reader has as far as the end. */
static void test_no_flipped_bit_passes(void **unused) {
    static const struct {
        uint16_t cells;
        uint16_t kind;
        uint32_t payload;
    } rows[] = {
        {0, RECORD_MARK, 0},        {0, RECORD_KIND_DOMAIN + 1, 5},  {1, RECORD_KIND_DOMAIN + 1, 0},
        {3, RECORD_KIND_DOMAIN, 8}, {8, RECORD_KIND_DOMAIN + 2, 77}, {40, RECORD_KIND_DOMAIN, 300}};

    (void)unused;
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct record_header *record = build(rows[row].cells, rows[row].payload);
        record->kind = rows[row].kind;
        record->crc = record_crc(record, SEED_OF_LOG);
        size_t bits = (size_t)record->bytes * 8;
        assert_true(is_intact(BUFFER_BYTES));
        for (size_t bit = 0; bit < bits; bit++) {
            flip(bit);
            assert_false(is_intact(BUFFER_BYTES));
            flip(bit);
        }
        assert_true(is_intact(BUFFER_BYTES));
    }
}

/* Of padding only the header counts. */
static void test_padding_is_its_header(void **unused) {
    struct record_header *record = build(0, 200);

    (void)unused;
    record->kind = RECORD_PADDING;
    record->crc = record_crc(record, SEED_OF_LOG);
    for (size_t bit = 0; bit < (size_t)record->bytes * 8; bit++) {
        bool within_header = bit < sizeof *record * 8;
        flip(bit);
        assert_int_equal(is_intact(BUFFER_BYTES), !within_header);
        flip(bit);
    }
}

static void test_find(void **unused) {
    (void)unused;
    for (uint16_t count = 0; count < 20; count++) {
        const struct record_header *record = build(count, 0);
        for (uint32_t cell = 0; cell < 210; cell++) {
            bool there = cell % 10 == 3 && cell / 10 < count;
            const struct record_update *wanted = there ? &updates_at()[cell / 10] : NULL;
            assert_ptr_equal(record_find(record, cell), wanted);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_space),
        cmocka_unit_test(test_valid_1_lsn_is_its_position),
        cmocka_unit_test(test_valid_2_bytes_fit),
        cmocka_unit_test(test_valid_3_kind_is_known),
        cmocka_unit_test(test_valid_4_cells_fit),
        cmocka_unit_test(test_valid_5_padding_and_marks_have_no_cells),
        cmocka_unit_test(test_valid_6_payload_limit),
        cmocka_unit_test(test_valid_7_cells_rise_strictly),
        cmocka_unit_test(test_valid_8_expected_is_an_earlier_position),
        cmocka_unit_test(test_valid_9_durable_lag_stays_above_zero),
        cmocka_unit_test(test_valid_10_crc_knows_database_and_incarnation),
        cmocka_unit_test(test_no_flipped_bit_passes),
        cmocka_unit_test(test_padding_is_its_header),
        cmocka_unit_test(test_find),
    };

    seed = random_seed_of_run();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
