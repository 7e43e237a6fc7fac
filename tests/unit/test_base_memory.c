/* Are the bytes of each kind known exactly whatever threads do, is no piece of memory handed out
 * twice, and does every allocation fail when a test asks for it, and only then? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "support/random.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* More threads than memory.c has shards (16), so that some share one. */
#define THREADS 24
#define BLOCKS_PER_THREAD 64
#define STEPS_PER_THREAD 4000

static uint64_t seed;
static struct memory *memory;

static int set_up(void **unused) {
    (void)unused;
    memory = memory_create();
    return memory == NULL;
}

static int tear_down(void **unused) {
    (void)unused;
    memory_destroy(memory);
    return 0;
}

static int64_t used_in_all(void) {
    int64_t used = 0;

    for (int kind = 0; kind < MEMORY_KIND_COUNT; kind++) {
        used += memory_used(memory, (enum memory_kind)kind);
    }
    return used;
}

static void test_counts_what_was_asked_for(void **unused) {
    (void)unused;
    char *a = memory_allocate(memory, MEMORY_STOCK, 100);
    char *b = memory_allocate_zeroed(memory, MEMORY_ORDERS, 33);
    char *c = memory_allocate_aligned(memory, MEMORY_STOCK, 64, 1);
    char *d = memory_allocate(memory, MEMORY_SCRATCH, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_non_null(d);
    assert_int_equal(memory_used(memory, MEMORY_STOCK), 101);
    assert_int_equal(memory_used(memory, MEMORY_ORDERS), 33);
    assert_int_equal(memory_used(memory, MEMORY_SCRATCH), 0);
    assert_int_equal(used_in_all(), 134);
    memory_release(memory, MEMORY_STOCK, a, 100);
    assert_int_equal(memory_used(memory, MEMORY_STOCK), 1);
    memory_release(memory, MEMORY_STOCK, c, 1);
    memory_release(memory, MEMORY_ORDERS, b, 33);
    memory_release(memory, MEMORY_SCRATCH, d, 0);
    memory_release(memory, MEMORY_ORDERS, NULL, 500);
    assert_int_equal(used_in_all(), 0);
}

static void test_counts_bytes_of_others(void **unused) {
    (void)unused;
    memory_count(memory, MEMORY_CELLS, 4096);
    memory_count(memory, MEMORY_CELLS, -96);
    assert_int_equal(memory_used(memory, MEMORY_CELLS), 4000);
    memory_count(memory, MEMORY_CELLS, -4000);
    assert_int_equal(memory_used(memory, MEMORY_CELLS), 0);
}

static void test_aligned_and_zeroed(void **unused) {
    (void)unused;
    for (size_t bytes = 0; bytes <= 5000; bytes += 1 + bytes / 8) {
        /* The first block is dirtied and given back, so that the zeroed one may well reuse it. */
        void *dirty = memory_allocate(memory, MEMORY_ENGINE, bytes);
        assert_int_equal((uintptr_t)dirty % 16, 0);
        memset(dirty, 0xa5, bytes);
        memory_release(memory, MEMORY_ENGINE, dirty, bytes);
        char *clean = memory_allocate_zeroed(memory, MEMORY_ENGINE, bytes);
        assert_int_equal((uintptr_t)clean % 16, 0);
        for (size_t i = 0; i < bytes; i++) {
            assert_int_equal(clean[i], 0);
        }
        memory_release(memory, MEMORY_ENGINE, clean, bytes);
        for (size_t alignment = 1; alignment <= 8192; alignment *= 2) {
            void *aligned = memory_allocate_aligned(memory, MEMORY_ENGINE, alignment, bytes);
            assert_non_null(aligned);
            assert_int_equal((uintptr_t)aligned % alignment, 0);
            memset(aligned, 0xa5, bytes);
            memory_release(memory, MEMORY_ENGINE, aligned, bytes);
        }
    }
}

static void test_impossible_sizes_are_refused(void **unused) {
    (void)unused;
    assert_null(memory_allocate(memory, MEMORY_ENGINE, SIZE_MAX));
    assert_null(memory_allocate(memory, MEMORY_ENGINE, PTRDIFF_MAX));
    assert_null(memory_allocate_zeroed(memory, MEMORY_ENGINE, SIZE_MAX - 8));
    assert_null(memory_allocate_aligned(memory, MEMORY_ENGINE, 4096, SIZE_MAX - 4096));
    assert_int_equal(used_in_all(), 0);
}

static void test_every_kind_has_a_name_of_its_own(void **unused) {
    (void)unused;
    for (int a = 0; a < MEMORY_KIND_COUNT; a++) {
        assert_true(strlen(memory_kind_name((enum memory_kind)a)) > 0);
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(memory_kind_name((enum memory_kind)a),
                                    memory_kind_name((enum memory_kind)b));
        }
    }
}

/* ---- Threads ---- */

struct block {
    unsigned char *at;
    size_t bytes;
    unsigned char mark;
};

/* Blocks pass from thread to thread through these places, so that most are released by another
 * thread than the one that allocated them. */
static _Atomic(struct block *) places[THREADS * BLOCKS_PER_THREAD];
static _Atomic int damaged;

static void release_block(struct block *block) {
    for (size_t i = 0; i < block->bytes; i++) {
        if (block->at[i] != block->mark) {
            atomic_fetch_add(&damaged, 1);
        }
    }
    memory_release(memory, MEMORY_INDEXES, block->at, block->bytes);
    memory_release(memory, MEMORY_TABLES, block, sizeof *block);
}

static void *allocate_and_pass_on(void *argument) {
    struct random random = {seed + (uint64_t)(uintptr_t)argument};

    for (int step = 0; step < STEPS_PER_THREAD; step++) {
        struct block *block = memory_allocate(memory, MEMORY_TABLES, sizeof *block);
        block->bytes = random_below(&random, random_below(&random, 50) == 0 ? 10000 : 300);
        block->at = memory_allocate(memory, MEMORY_INDEXES, block->bytes);
        block->mark = (unsigned char)random_next(&random);
        memset(block->at, block->mark, block->bytes);
        size_t place = random_below(&random, THREADS * BLOCKS_PER_THREAD);
        struct block *found = atomic_exchange(&places[place], block);
        if (found != NULL) {
            release_block(found);
        }
    }
    return NULL;
}

static void run_threads(void *(*run)(void *)) {
    pthread_t threads[THREADS];

    for (intptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run, (void *)i), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

static void test_counts_are_exact_over_threads(void **unused) {
    int64_t bytes = 0;
    int64_t blocks = 0;

    (void)unused;
    run_threads(allocate_and_pass_on);
    for (size_t i = 0; i < THREADS * BLOCKS_PER_THREAD; i++) {
        const struct block *block = atomic_load(&places[i]);
        bytes += block != NULL ? (int64_t)block->bytes : 0;
        blocks += block != NULL;
    }
    assert_true(blocks > 0);
    assert_int_equal(memory_used(memory, MEMORY_INDEXES), bytes);
    assert_int_equal(memory_used(memory, MEMORY_TABLES), blocks * (int64_t)sizeof(struct block));
    for (size_t i = 0; i < THREADS * BLOCKS_PER_THREAD; i++) {
        struct block *block = atomic_exchange(&places[i], NULL);
        if (block != NULL) {
            release_block(block);
        }
    }
    assert_int_equal(atomic_load(&damaged), 0);
    assert_int_equal(used_in_all(), 0);
}

/* ---- Failure on demand ---- */

/* Three allocations that belong together; gives all back on failure. */
static int make_three(void) {
    void *a = memory_allocate(memory, MEMORY_ENGINE, 10);
    void *b = a != NULL ? memory_allocate_zeroed(memory, MEMORY_RING, 20) : NULL;
    void *c = b != NULL ? memory_allocate_aligned(memory, MEMORY_LOG, 128, 30) : NULL;
    int made = c != NULL;

    memory_release(memory, MEMORY_ENGINE, a, 10);
    memory_release(memory, MEMORY_RING, b, 20);
    memory_release(memory, MEMORY_LOG, c, 30);
    return made;
}

static void test_fails_at_every_allocation_in_turn(void **unused) {
    struct memory *const owners[] = {memory, NULL};

    (void)unused;
    for (size_t i = 0; i < 2; i++) {
        for (int for_good = 0; for_good <= 1; for_good++) {
            int k = 0;
            memory_fail_after(owners[i], k, for_good);
            while (!make_three()) {
                assert_int_equal(used_in_all(), 0);
                memory_fail_after(owners[i], ++k, for_good);
            }
            assert_int_equal(k, 3);
            memory_fail_after(owners[i], -1, 0);
            assert_true(make_three());
        }
    }
}

static void test_once_or_for_good(void **unused) {
    (void)unused;
    memory_fail_after(memory, 0, 0);
    assert_false(make_three());
    assert_true(make_three());
    assert_true(make_three());
    memory_fail_after(memory, 0, 1);
    for (int i = 0; i < 10; i++) {
        assert_false(make_three());
    }
    memory_fail_after(memory, -1, 1);
    assert_true(make_three());
}

static void test_other_domains_are_spared(void **unused) {
    struct memory *other = memory_create();

    (void)unused;
    memory_fail_after(other, 0, 1);
    assert_true(make_three());
    assert_null(memory_allocate(other, MEMORY_ENGINE, 1));
    /* Destroyed while it fails: nothing of that must remain. */
    memory_destroy(other);
    assert_true(make_three());
}

static void test_making_a_domain_fails(void **unused) {
    (void)unused;
    memory_fail_after(NULL, 0, 0);
    assert_false(memory_has_failed());
    assert_null(memory_create());
    assert_true(memory_has_failed());
    memory_fail_after(NULL, -1, 0);
    assert_false(memory_has_failed());
}

static _Atomic int refusals;

static void *allocate_some(void *unused) {
    (void)unused;
    for (int i = 0; i < 100; i++) {
        void *pointer = memory_allocate(memory, MEMORY_ACCOUNTS, 16);
        if (pointer == NULL) {
            atomic_fetch_add(&refusals, 1);
        }
        memory_release(memory, MEMORY_ACCOUNTS, pointer, 16);
    }
    return NULL;
}

static void test_the_countdown_is_shared_by_threads(void **unused) {
    (void)unused;
    memory_fail_after(memory, 50, 0);
    atomic_store(&refusals, 0);
    run_threads(allocate_some);
    assert_int_equal(atomic_load(&refusals), 1);
    memory_fail_after(memory, 50, 1);
    atomic_store(&refusals, 0);
    run_threads(allocate_some);
    assert_int_equal(atomic_load(&refusals), THREADS * 100 - 50);
}

/* ---- The end of a domain ---- */

/* Destroys a domain with `left` bytes outstanding in a child. Returns how the child ended. */
static int status_of_destroy(int64_t left) {
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        (void)dup2(nowhere, STDERR_FILENO);
        struct memory *doomed = memory_create();
        memory_count(doomed, MEMORY_PRODUCTS, left);
        memory_destroy(doomed);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_destroy_insists_on_zero(void **unused) {
    (void)unused;
    assert_int_equal(status_of_destroy(0), 0);
    int too_little = status_of_destroy(1);
    int too_much = status_of_destroy(-1);
    assert_true(WIFSIGNALED(too_little));
    assert_int_equal(WTERMSIG(too_little), SIGABRT);
    assert_true(WIFSIGNALED(too_much));
}

#define WITH_DOMAIN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_DOMAIN(test_counts_what_was_asked_for),
        WITH_DOMAIN(test_counts_bytes_of_others),
        WITH_DOMAIN(test_aligned_and_zeroed),
        WITH_DOMAIN(test_impossible_sizes_are_refused),
        WITH_DOMAIN(test_counts_are_exact_over_threads),
        WITH_DOMAIN(test_fails_at_every_allocation_in_turn),
        WITH_DOMAIN(test_once_or_for_good),
        WITH_DOMAIN(test_other_domains_are_spared),
        WITH_DOMAIN(test_making_a_domain_fails),
        WITH_DOMAIN(test_the_countdown_is_shared_by_threads),
        cmocka_unit_test(test_every_kind_has_a_name_of_its_own),
        cmocka_unit_test(test_destroy_insists_on_zero),
    };

    seed = random_seed_of_run();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
