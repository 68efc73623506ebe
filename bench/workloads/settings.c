/* SPDX-License-Identifier: MIT */
/* The settings of a run, from the command line. */
#include "workloads/run.h"

int run_settings_read(const struct invocation *in, struct run_settings *out)
{
    bool is_quick = bench_has(in, OPT_QUICK);
    int status;

    *out = (struct run_settings){
        .keys = is_quick ? 10000 : 100000,
        .key_size = 20,
        .value_size = 128,
        .compressibility = 0.5,
        .seed = 42,
        .time_ns = is_quick ? 100000000u : 2000000000u,
        .samples = is_quick ? 10 : 12,
        .page_cache = (uint64_t)64 << 20,
        .durability = DRIVER_CRASH,
        .distribution = -1,
        .is_cold = bench_has(in, OPT_COLD),
    };
    if ((status = bench_number(in, OPT_KEYS, 100, 100000000, &out->keys)) != PDICT_OK ||
        (status = bench_number(in, OPT_KEY_SIZE, 16, 500, &out->key_size)) != PDICT_OK ||
        (status = bench_size(in, OPT_VALUE_SIZE, &out->value_size)) != PDICT_OK ||
        (status = bench_fraction(in, OPT_COMPRESSIBILITY, 0, 1, &out->compressibility)) ||
        (status = bench_number(in, OPT_SEED, 0, UINT64_C(1) << 53, &out->seed)) != PDICT_OK ||
        (status = bench_duration(in, OPT_TIME, &out->time_ns)) != PDICT_OK ||
        (status = bench_number(in, OPT_SAMPLES, 10, RUN_SAMPLES, &out->samples)) != PDICT_OK ||
        (status = bench_size(in, OPT_PAGE_CACHE, &out->page_cache)) != PDICT_OK ||
        (status = bench_number(in, OPT_RATE, 1, 1000000000, &out->rate)) != PDICT_OK ||
        (status = bench_choice(in, OPT_DURABILITY, driver_durability_names, DRIVER_NOTHING,
                               &out->durability)) != PDICT_OK ||
        (status = bench_choice(in, OPT_DISTRIBUTION, bench_distribution_names, BENCH_DISTRIBUTIONS,
                               &out->distribution)) != PDICT_OK ||
        (status = bench_numbers(in, OPT_THREADS, RUN_THREADS, out->threads, 16, &out->n_threads)) !=
            PDICT_OK)
        return status;
    if (out->value_size < 1 || out->value_size > (uint64_t)64 << 20)
        return pdict_fail(PDICT_INVAL, "--value-size: values of 1B to 64MiB can be measured");
    return PDICT_OK;
}
