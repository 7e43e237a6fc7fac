/* Is the hash the published XXH3, so that a fingerprint written by one build is found by another,
 * and are seeds unpredictable even where the kernel refuses getrandom? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEEDS 1000

static uint8_t long_input[1280];

/* Computed with the Python package xxhash: xxh3_128_intdigest(input), xxh3_64_intdigest(input, 42).
 */
static const struct {
    const char *name;
    const void *input;
    size_t bytes;
    uint64_t fingerprint_high;
    uint64_t fingerprint_low;
    uint64_t hash_seed_42;
} known[] = {
    /* name     input       bytes  fingerprint_high             fingerprint_low */
    {"empty", "", 0, 0x99aa06d3014798d8, 0x6001c324468d497f, 0xb029411ff43d84d2},
    {"short", "cellar", 6, 0x53205a5b41397144, 0x257d7dfc5cb7b7bf, 0x87970b2b968942f7},
    {"long", long_input, 1280, 0xd92ab3a1cb0542a7, 0x4844b009e164352e, 0x44ac88b41e179e25},
};

static void test_known_values(void **unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof long_input; i++) {
        long_input[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct hash128 found = hash_fingerprint(known[i].input, known[i].bytes);
        print_message("# %s\n", known[i].name);
        assert_int_equal(found.high, known[i].fingerprint_high);
        assert_int_equal(found.low, known[i].fingerprint_low);
        assert_int_equal(hash_seeded(42, known[i].input, known[i].bytes), known[i].hash_seed_42);
    }
}

static void test_seed_and_input_matter(void **unused) {
    (void)unused;
    assert_int_equal(hash_seeded(1, "sku-1", 5), hash_seeded(1, "sku-1", 5));
    assert_int_not_equal(hash_seeded(1, "sku-1", 5), hash_seeded(2, "sku-1", 5));
    assert_int_not_equal(hash_seeded(1, "sku-1", 5), hash_seeded(1, "sku-2", 5));
    assert_int_not_equal(hash_seeded(1, "sku-1", 5), hash_seeded(1, "sku-1", 4));
}

static void test_alignment_does_not_matter(void **unused) {
    _Alignas(16) uint8_t buffer[16 + 300];

    (void)unused;
    for (size_t alignment = 0; alignment < 16; alignment++) {
        memset(buffer + alignment, 'x', 300);
        assert_int_equal(hash_seeded(7, buffer + alignment, 300), hash_seeded(7, buffer, 300));
    }
}

static int all_different(void) {
    static uint64_t seeds[SEEDS];

    for (int i = 0; i < SEEDS; i++) {
        seeds[i] = hash_random_seed();
        for (int j = 0; j < i; j++) {
            if (seeds[i] == seeds[j]) {
                return 0;
            }
        }
    }
    return 1;
}

static void test_random_seeds_differ(void **unused) {
    (void)unused;
    assert_true(all_different());
}

/* From here on the process gets EPERM from getrandom. */
static int forbid_getrandom(void) {
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrandom, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof rules / sizeof rules[0], .filter = rules};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return -1;
    }
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void test_random_seeds_differ_without_getrandom(void **unused) {
    enum {
        DIFFERENT,
        EQUAL,
        NO_FILTER_HERE
    };
    int status;

    (void)unused;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (forbid_getrandom() != 0) {
            _exit(NO_FILTER_HERE);
        }
        _exit(all_different() ? DIFFERENT : EQUAL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_FILTER_HERE) {
        skip();
        return;
    }
    assert_int_equal(WEXITSTATUS(status), DIFFERENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_seed_and_input_matter),
        cmocka_unit_test(test_alignment_does_not_matter),
        cmocka_unit_test(test_random_seeds_differ),
        cmocka_unit_test(test_random_seeds_differ_without_getrandom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
