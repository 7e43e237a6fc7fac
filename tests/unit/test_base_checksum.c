/* Is it CRC-32C, and does every way of computing it give the same answer, whatever the length, the
 * alignment and the way the input is cut? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "support/random.h"

#include <string.h>

/* Beyond four times the step of the three-stream form (1008 bytes), so that its remainders occur.
 */
#define LENGTH_MAX 4200
#define ALIGNMENTS 16

static _Alignas(64) uint8_t data[LENGTH_MAX + ALIGNMENTS];

/* One bit at a time, straight from the definition. */
static uint32_t crc32c_by_bits(uint32_t crc, const uint8_t *at, size_t bytes) {
    uint32_t state = ~crc;

    for (size_t i = 0; i < bytes; i++) {
        state ^= at[i];
        for (int bit = 0; bit < 8; bit++) {
            state = (state >> 1) ^ (state & 1 ? 0x82f63b78U : 0);
        }
    }
    return ~state;
}

static void test_vectors_of_rfc_3720(void **unused) {
    uint8_t bytes[32];

    (void)unused;
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(checksum_crc32c(0, bytes, 32), 0x8a9136aa);
    assert_int_equal(checksum_crc32c_portable(0, bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(checksum_crc32c(0, bytes, 32), 0x62a8ab43);
    assert_int_equal(checksum_crc32c_portable(0, bytes, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++) {
        bytes[i] = (uint8_t)i;
    }
    assert_int_equal(checksum_crc32c(0, bytes, 32), 0x46dd794e);
    assert_int_equal(checksum_crc32c_portable(0, bytes, 32), 0x46dd794e);
    for (int i = 0; i < 32; i++) {
        bytes[i] = (uint8_t)(31 - i);
    }
    assert_int_equal(checksum_crc32c(0, bytes, 32), 0x113fdb5c);
    assert_int_equal(checksum_crc32c_portable(0, bytes, 32), 0x113fdb5c);
    assert_int_equal(checksum_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(checksum_crc32c_portable(0, "123456789", 9), 0xe3069283);
}

static void test_nothing_changes_nothing(void **unused) {
    (void)unused;
    assert_int_equal(checksum_crc32c(0, NULL, 0), 0);
    assert_int_equal(checksum_crc32c(0x12345678, NULL, 0), 0x12345678);
    assert_int_equal(checksum_crc32c_portable(0x12345678, NULL, 0), 0x12345678);
}

/* Each byte value at each of eight places reaches each entry of each table. */
static void test_every_table_entry(void **unused) {
    (void)unused;
    for (unsigned place = 0; place < 8; place++) {
        for (unsigned value = 0; value < 256; value++) {
            uint8_t bytes[8] = {0};
            bytes[place] = (uint8_t)value;
            assert_int_equal(checksum_crc32c_portable(0, bytes, 8), crc32c_by_bits(0, bytes, 8));
        }
    }
}

static void test_all_lengths_and_alignments(void **unused) {
    (void)unused;
    for (size_t length = 0; length <= LENGTH_MAX; length++) {
        for (size_t alignment = 0; alignment < ALIGNMENTS; alignment++) {
            uint32_t start = (uint32_t)(length * 2654435761U);
            uint32_t expected = checksum_crc32c_portable(start, data + alignment, length);
            assert_int_equal(checksum_crc32c(start, data + alignment, length), expected);
        }
    }
}

static void test_portable_against_definition(void **unused) {
    (void)unused;
    for (size_t length = 0; length <= LENGTH_MAX; length += 1 + length / 16) {
        assert_int_equal(checksum_crc32c_portable(0, data, length),
                         crc32c_by_bits(0, data, length));
    }
}

static void test_all_split_points(void **unused) {
    uint32_t whole = checksum_crc32c(0, data, LENGTH_MAX);

    (void)unused;
    for (size_t split = 0; split <= LENGTH_MAX; split++) {
        uint32_t first = checksum_crc32c(0, data, split);
        assert_int_equal(checksum_crc32c(first, data + split, LENGTH_MAX - split), whole);
        assert_int_equal(checksum_crc32c_portable(first, data + split, LENGTH_MAX - split), whole);
    }
}

static void test_every_single_bit_is_noticed(void **unused) {
    uint32_t whole = checksum_crc32c(0, data, LENGTH_MAX);

    (void)unused;
    for (size_t bit = 0; bit < (size_t)LENGTH_MAX * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(checksum_crc32c(0, data, LENGTH_MAX), whole);
        data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

int main(void) {
    struct random random = {random_seed_of_run()};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_of_rfc_3720),
        cmocka_unit_test(test_nothing_changes_nothing),
        cmocka_unit_test(test_every_table_entry),
        cmocka_unit_test(test_all_lengths_and_alignments),
        cmocka_unit_test(test_portable_against_definition),
        cmocka_unit_test(test_all_split_points),
        cmocka_unit_test(test_every_single_bit_is_noticed),
    };

    random_fill(&random, data, sizeof data);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
