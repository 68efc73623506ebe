/* SPDX-License-Identifier: MIT */
/* Goals on growth: the same work on a tenth of the keys and on all of them. */
#include "goals/goal.h"

#include <malloc.h>
#include <string.h>

#define OPENINGS 5 /* a round, of either size */

static const struct workload works[] = {
    { .name = "get", .percent = { [RUN_GET] = 100 } },
    { .name = "overwrite", .percent = { [RUN_UPDATE] = 100 } },
};

/* The same pair of stores twice, both open, so that one round measures all four. */
enum size {
    FEW,
    ALL,
    SIZES
};

static int sizes_open(struct goal_run *run, const char *engine, struct goal_pair pairs[SIZES])
{
    int status =
        goal_pair_open(run, engine, run->settings.keys / 10, DRIVER_CRASH, true, &pairs[FEW]);

    if (status == PDICT_OK)
        status = goal_pair_open(run, engine, run->settings.keys, DRIVER_CRASH, true, &pairs[ALL]);
    return status;
}

static void sizes_close(struct goal_pair pairs[SIZES])
{
    for (int size = 0; size < SIZES; size++)
        goal_pair_close(&pairs[size]);
}

/* ---- Gets and puts ---- */

int goal_growth(struct goal_run *run, const char *argument, struct goal_samples *out)
{
    const struct workload *work = &works[strncmp(argument, "get ", 4) != 0];
    struct goal_pair pairs[SIZES] = { 0 };
    int status = sizes_open(run, strchr(argument, ' ') + 1, pairs);

    for (uint64_t round = 0; round <= run->rounds && status == PDICT_OK; round++) {
        double few[2];
        double all[2];

        if ((status = goal_pair_time(run, &pairs[FEW], work, round, few)) == PDICT_OK)
            status = goal_pair_time(run, &pairs[ALL], work, round, all);
        if (status == PDICT_OK && round > 0)
            out->values[out->count++] =
                (all[GOAL_OURS] / few[GOAL_OURS]) / (all[GOAL_RAW] / few[GOAL_RAW]);
    }
    sizes_close(pairs);
    return status;
}

/* ---- Opening ---- */

struct opening {
    double ms;
    double kib; /* of anonymous memory, with the first get */
};

static int open_once(struct goal_pair *pair, struct opening *out)
{
    struct contestant *one = &pair->ones[GOAL_OURS];
    const struct run_data *data = &pair->contest.data;
    uint64_t begun_ns;
    pdict_slice value;
    double before;
    int status;

    contestant_close(one);
    malloc_trim(0);
    before = goal_anonymous_bytes();
    begun_ns = bench_now_ns();
    if ((status = contestant_open(&pair->contest, one, true)) == PDICT_OK &&
        (status = contestant_sessions(one, 1, DRIVER_CRASH)) == PDICT_OK)
        status = one->target.driver->get(one->sessions[0], run_key(data, data->keys), &value);
    out->ms = (double)(bench_now_ns() - begun_ns) / 1e6;
    out->kib = (goal_anonymous_bytes() - before) / 1024;
    return status;
}

int goal_growth_open(struct goal_run *run, const char *argument, struct goal_samples *out)
{
    bool is_time = strncmp(argument, "ms ", 3) == 0;
    struct goal_pair pairs[SIZES] = { 0 };
    int status = sizes_open(run, strchr(argument, ' ') + 1, pairs);

    for (size_t round = 0; round <= run->rounds && status == PDICT_OK; round++) {
        double values[SIZES][OPENINGS];

        for (int i = 0; i < OPENINGS * SIZES && status == PDICT_OK; i++) {
            struct opening opening;

            status = open_once(&pairs[i % SIZES], &opening);
            values[i % SIZES][i / SIZES] = is_time ? opening.ms : opening.kib;
        }
        if (status == PDICT_OK && round > 0)
            out->values[out->count++] =
                bench_median(values[ALL], OPENINGS) - bench_median(values[FEW], OPENINGS);
        if (status == PDICT_OK)
            status = bench_interrupted();
    }
    sizes_close(pairs);
    return status;
}
