/* With jemalloc in the process: does a domain have an arena of its own, which the host's malloc
 * never gets a piece of, and is all of it gone after memory_destroy()? Skipped without jemalloc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 2000
#define THREADS 4

extern int mallctl(const char *name, void *old, size_t *old_bytes, void *new, size_t new_bytes)
    __attribute__((weak));

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

static unsigned arena_of(void *pointer) {
    unsigned arena = 0;
    size_t bytes = sizeof arena;
    int status = mallctl("arenas.lookup", &arena, &bytes, (void *)&pointer, sizeof(void *));

    assert_int_equal(status, 0);
    return arena;
}

static unsigned arena_of_domain(void) {
    void *pointer = memory_allocate(memory, MEMORY_ENGINE, 64);
    unsigned arena = arena_of(pointer);

    memory_release(memory, MEMORY_ENGINE, pointer, 64);
    return arena;
}

/* Fills whatever caches there are with the domain's memory, then asks malloc for the same size. */
static int count_leaked_to_malloc(size_t bytes) {
    static _Thread_local void *blocks[BLOCKS];
    unsigned arena = arena_of_domain();
    int leaked = 0;

    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = memory_allocate(memory, MEMORY_ENGINE, bytes);
        leaked += arena_of(blocks[i]) != arena;
    }
    for (int i = 0; i < BLOCKS; i++) {
        memory_release(memory, MEMORY_ENGINE, blocks[i], bytes);
    }
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(bytes);
        leaked += arena_of(blocks[i]) == arena;
    }
    for (int i = 0; i < BLOCKS; i++) {
        free(blocks[i]);
    }
    /* And the other way round: what the host freed must not reach the domain. */
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = memory_allocate(memory, MEMORY_ENGINE, bytes);
        leaked += arena_of(blocks[i]) != arena;
    }
    for (int i = 0; i < BLOCKS; i++) {
        memory_release(memory, MEMORY_ENGINE, blocks[i], bytes);
    }
    return leaked;
}

static void *leak_in_thread(void *unused) {
    (void)unused;
    return (void *)(intptr_t)count_leaked_to_malloc(100);
}

static void test_the_arena_is_not_shared_with_malloc(void **unused) {
    static const size_t sizes[] = {1, 16, 64, 100, 1024, 4096, 4097, 8192, 20000};

    (void)unused;
    if (mallctl == NULL) {
        skip();
        return;
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(count_leaked_to_malloc(sizes[i]), 0);
    }
}

static void test_the_arena_is_not_shared_in_any_thread(void **unused) {
    pthread_t threads[THREADS];

    (void)unused;
    if (mallctl == NULL) {
        skip();
        return;
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, leak_in_thread, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *leaked;
        assert_int_equal(pthread_join(threads[i], &leaked), 0);
        assert_int_equal((intptr_t)leaked, 0);
    }
}

static void test_domains_have_different_arenas(void **unused) {
    (void)unused;
    if (mallctl == NULL) {
        skip();
        return;
    }
    struct memory *first = memory;
    unsigned arena = arena_of_domain();
    memory = memory_create();
    assert_int_not_equal(arena_of_domain(), arena);
    memory_destroy(memory);
    memory = first;
}

static void test_destroy_takes_the_arena_along(void **unused) {
    unsigned arena_first = 0;

    (void)unused;
    if (mallctl == NULL) {
        skip();
        return;
    }
    /* jemalloc gives the number of a destroyed arena to the next one. */
    for (int i = 0; i < 10; i++) {
        struct memory *outer = memory;
        memory = memory_create();
        unsigned arena = arena_of_domain();
        assert_true(i == 0 || arena == arena_first);
        arena_first = arena;
        memory_destroy(memory);
        memory = outer;
    }
}

/* jemalloc has about four thousand arenas and as many caches; a domain must give back its own. */
static void test_domains_leave_nothing_behind(void **unused) {
    (void)unused;
    if (mallctl == NULL) {
        skip();
        return;
    }
    for (int i = 0; i < 5000; i++) {
        struct memory *passing = memory_create();
        assert_non_null(passing);
        void *pointer = memory_allocate(passing, MEMORY_ENGINE, 100);
        assert_non_null(pointer);
        memory_release(passing, MEMORY_ENGINE, pointer, 100);
        memory_destroy(passing);
    }
    unsigned arena;
    unsigned cache;
    size_t bytes = sizeof(unsigned);
    assert_int_equal(mallctl("arenas.create", &arena, &bytes, NULL, 0), 0);
    assert_int_equal(mallctl("tcache.create", &cache, &bytes, NULL, 0), 0);
    assert_int_equal(mallctl("tcache.destroy", NULL, NULL, &cache, sizeof cache), 0);
}

#define WITH_DOMAIN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_DOMAIN(test_the_arena_is_not_shared_with_malloc),
        WITH_DOMAIN(test_the_arena_is_not_shared_in_any_thread),
        WITH_DOMAIN(test_domains_have_different_arenas),
        WITH_DOMAIN(test_destroy_takes_the_arena_along),
        cmocka_unit_test(test_domains_leave_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
