/* SPDX-License-Identifier: MIT */
/* Keys and values of a run, made from its seed before anything is measured. */
#include "workloads/run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Sixteen hexadecimal digits behind as many 'k' as the size asks for. The mixing is a bijection,
 * so no two numbers share a key, and keys come in random order. */
void run_data_key(const struct run_data *data, uint64_t number, char *out)
{
    char digits[17];
    size_t padding = data->key_size - 16;

    snprintf(digits, sizeof digits, "%016" PRIx64, bench_mix(number + (data->seed << 40)));
    memset(out, 'k', padding);
    memcpy(out + padding, digits, 17);
}

/* Runs of random bytes, and copies of what came before: a share of `compressibility` of all bytes
 * is copied. */
void run_fill(struct bench_rng *rng, unsigned char *out, size_t size, double compressibility)
{
    size_t at = 0;

    while (at < size) {
        size_t run = 4 + bench_rng_below(rng, 28);
        bool is_copy = at >= 64 && bench_rng_unit(rng) < compressibility;
        size_t from = is_copy ? bench_rng_below(rng, at < 4096 ? at : 4096) + 1 : 0;

        for (size_t i = 0; i < run && at < size; i++, at++)
            out[at] = is_copy ? out[at - from] : (unsigned char)bench_rng_next(rng);
    }
}

int run_data_make(const struct run_settings *settings, struct run_data *out)
{
    struct bench_rng rng;

    *out = (struct run_data){ .n_keys = settings->keys,
                              .key_size = settings->key_size,
                              .stride = settings->key_size + 1,
                              .value_size = settings->value_size,
                              .seed = settings->seed };
    out->keys = malloc(out->n_keys * out->stride);
    out->pool = malloc(RUN_POOL + out->value_size);
    if (!out->keys || !out->pool) {
        run_data_free(out);
        return driver_no_memory("--keys");
    }
    for (size_t i = 0; i < out->n_keys; i++)
        run_data_key(out, i, out->keys + i * out->stride);
    bench_rng_seed(&rng, settings->seed, 1);
    run_fill(&rng, out->pool, RUN_POOL + out->value_size, settings->compressibility);
    return PDICT_OK;
}

void run_data_free(struct run_data *data)
{
    free(data->keys);
    free(data->pool);
    *data = (struct run_data){ 0 };
}
