/* SPDX-License-Identifier: MIT */
/* Goals on gets, puts and opening, a map beside its engine. */
#include "goals/goal.h"

#include <string.h>

static const struct workload gets = { .name = "get", .percent = { [RUN_GET] = 100 } };
static const struct workload puts_of_new = { .name = "put", .percent = { [RUN_INSERT] = 100 } };

static int ratios(struct goal_run *run, struct goal_pair *pair, const struct workload *workload,
                  bool is_speed, struct goal_samples *out)
{
    int status = PDICT_OK;

    /* Round 0 warms both up. */
    for (uint64_t round = 0; round <= run->rounds && status == PDICT_OK; round++) {
        double ns[2];

        status = goal_pair_time(run, pair, workload, round, ns);
        if (status == PDICT_OK && round > 0)
            out->values[out->count++] =
                is_speed ? ns[GOAL_RAW] / ns[GOAL_OURS] : ns[GOAL_OURS] / ns[GOAL_RAW];
    }
    return status;
}

int goal_get(struct goal_run *run, const char *engine, struct goal_samples *out)
{
    struct goal_pair pair;
    int status = goal_pair_open(run, engine, run->settings.keys, DRIVER_CRASH, true, &pair);

    if (status == PDICT_OK)
        status = ratios(run, &pair, &gets, false, out);
    goal_pair_close(&pair);
    return status;
}

/* ---- Reading in place: what pdict_get_with() is for, beside a pointer into the engine's page ---- */

static int visit_some(struct goal_run *run, struct goal_pair *pair, int which, uint64_t round,
                      double *ns)
{
    const struct contestant *one = &pair->ones[which];
    const struct run_data *data = &pair->contest.data;
    struct bench_rng rng;
    uint64_t begun_ns = bench_now_ns();
    uint64_t took_ns = 0;
    unsigned seen = 0;
    size_t done = 0;
    int status = PDICT_OK;

    bench_rng_seed(&rng, run->settings.seed, round + 900);
    while (status == PDICT_OK && took_ns < run->round_ns) {
        for (int i = 0; i < 256 && status == PDICT_OK; i++, done++) {
            const char *key = data->keys + bench_rng_below(&rng, data->n_keys) * data->stride;

            status = one->target.driver->visit(one->sessions[0], run_key(data, key), &seen);
        }
        took_ns = bench_now_ns() - begun_ns;
    }
    *ns = (double)took_ns / (double)done;
    return status;
}

int goal_visit(struct goal_run *run, const char *engine, struct goal_samples *out)
{
    struct goal_pair pair;
    int status = goal_pair_open(run, engine, run->settings.keys, DRIVER_CRASH, true, &pair);

    for (uint64_t round = 0; round <= run->rounds && status == PDICT_OK; round++) {
        double ns[2];

        for (int turn = 0; turn < 2 && status == PDICT_OK; turn++) {
            int which = (turn + (int)round) % 2;

            status = visit_some(run, &pair, which, round, &ns[which]);
        }
        if (status == PDICT_OK && round > 0)
            out->values[out->count++] = ns[GOAL_OURS] / ns[GOAL_RAW];
        if (status == PDICT_OK)
            status = bench_interrupted();
    }
    goal_pair_close(&pair);
    return status;
}

/* ---- Puts ---- */

int goal_put(struct goal_run *run, const char *argument, struct goal_samples *out)
{
    const char *word = strchr(argument, ' ') + 1;
    uint64_t keys = run->settings.keys < 100000 ? run->settings.keys : 100000;
    enum driver_durability durability = strcmp(word, "full") == 0 ? DRIVER_FULL : DRIVER_CRASH;
    struct goal_pair pair;
    char engine[32];
    int status;

    snprintf(engine, sizeof engine, "%.*s", (int)(word - argument - 1), argument);
    status = goal_pair_open(run, engine, keys, durability, true, &pair);
    if (status == PDICT_OK)
        status = ratios(run, &pair, &puts_of_new, true, out);
    goal_pair_close(&pair);
    return status;
}

/* ---- Opening ---- */

static int open_once(struct goal_pair *pair, int which, double *ns)
{
    struct contestant *one = &pair->ones[which];
    const struct run_data *data = &pair->contest.data;
    uint64_t begun_ns;
    pdict_slice value;
    int status;

    contestant_close(one);
    begun_ns = bench_now_ns();
    if ((status = contestant_open(&pair->contest, one, true)) == PDICT_OK &&
        (status = contestant_sessions(one, 1, DRIVER_CRASH)) == PDICT_OK)
        status = one->target.driver->get(one->sessions[0], run_key(data, data->keys), &value);
    *ns = (double)(bench_now_ns() - begun_ns);
    return status;
}

/* Milliseconds, each the difference of two medians of five. */
int goal_open(struct goal_run *run, const char *engine, struct goal_samples *out)
{
    struct goal_pair pair;
    int status = goal_pair_open(run, engine, run->settings.keys, DRIVER_CRASH, true, &pair);

    for (size_t round = 0; round <= run->rounds && status == PDICT_OK; round++) {
        double ns[2][5];

        for (int i = 0; i < 5 && status == PDICT_OK; i++) {
            if ((status = open_once(&pair, GOAL_OURS, &ns[GOAL_OURS][i])) == PDICT_OK)
                status = open_once(&pair, GOAL_RAW, &ns[GOAL_RAW][i]);
        }
        if (status == PDICT_OK && round > 0)
            out->values[out->count++] =
                (bench_median(ns[GOAL_OURS], 5) - bench_median(ns[GOAL_RAW], 5)) / 1e6;
    }
    goal_pair_close(&pair);
    return status;
}
