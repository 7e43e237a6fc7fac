/* Writes first inputs for the fuzzers of logs: directories of small stores that were sold from for
 * a while, described as image.h says.
 *
 *     build/fuzz/seeds <directory>
 */
#include "cellar.h"

#include "base/assert.h"
#include "commit/commit.h"
#include "engine/engine.h"
#include "image.h"
#include "support/model.h"

#include <stdio.h>
#include <stdlib.h>

#define SEEDS 24
#define SEED_BYTES_MAX (UINT32_C(1) << 16)

static cellar *seed_open(struct memory_disk *disk) {
    const cellar_config config = {.size = sizeof config,
                                  .directory = IMAGE_DIRECTORY,
                                  .ring_bytes = COMMIT_RING_BYTES_MIN,
                                  .segment_bytes = UINT64_C(1) << 20,
                                  .products_max = 256,
                                  .stocks_max = 512,
                                  .accounts_max = 256,
                                  .orders_max = 1024,
                                  .durability = CELLAR_DURABLE};
    const struct engine_options options = {.io = memory_disk_io(disk)};
    cellar *store;
    cellar_status status = engine_open(&config, &options, &store, NULL);

    ASSERT(status == CELLAR_OK);
    return store;
}

/* A few calls; they need not succeed. */
static void seed_sell(cellar *store, struct random *random, uint32_t seed) {
    const struct model_mix mix = {.skus = 2,
                                  .locations = 2,
                                  .accounts = 2,
                                  .id_first = 1,
                                  .id_count = 4,
                                  .salt = seed,
                                  .units = 20};
    const uint64_t numbers[MODEL_SKUS] = {0};
    const cellar_product products[] = {{.sku = model_sku(0), .category = "a"},
                                       {.sku = model_sku(1), .name = "second"}};
    const cellar_line line = {.sku = model_sku(seed % 2), .quantity = 50};
    const cellar_stock_change change = {.lines = &line, .line_count = 1};

    (void)cellar_product_put_many(store, NULL, products, 2, NULL, NULL);
    (void)cellar_stock_receive(store, NULL, &change, NULL, NULL);
    (void)cellar_account_open(store, NULL, 1 + seed % 2, -500, NULL, NULL);
    for (uint32_t i = 0; i < 4 + seed * 2; i++) {
        struct model_call call;
        struct model_answer answer;
        model_draw(random, &mix, &call);
        model_run(store, numbers, NULL, &call, &answer);
    }
}

static void seed_write(const char *directory, uint32_t seed) {
    static uint8_t data[SEED_BYTES_MAX];
    struct random random = {seed};
    struct memory_disk *disk = memory_disk_create();
    char path[512];

    for (uint32_t life = 0; life <= seed % 3; life++) {
        cellar *store = seed_open(disk);
        seed_sell(store, &random, seed);
        cellar_status status = cellar_close(store);
        ASSERT(status == CELLAR_OK);
    }
    size_t bytes = image_describe(disk, data, sizeof data);
    ASSERT(bytes != 0);
    (void)snprintf(path, sizeof path, "%s/seed-%02u", directory, seed);
    FILE *file = fopen(path, "wb");
    ASSERT(file != NULL);
    size_t written = fwrite(data, 1, bytes, file);
    ASSERT(written == bytes);
    int failed = fclose(file);
    ASSERT(failed == 0);
    memory_disk_destroy(disk);
}

int main(int argument_count, char **arguments) {
    if (argument_count != 2) {
        (void)fprintf(stderr, "usage: seeds <directory>\n");
        return 2;
    }
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        seed_write(arguments[1], seed);
    }
    return 0;
}
