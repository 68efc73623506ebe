/* SPDX-License-Identifier: MIT */
/* One target of a contest: its store, its sessions, its keys, and that they came back the same. */
#include "workloads/run.h"

#include <stdlib.h>
#include <string.h>

#define FILL_BATCH 20000 /* keys a commit, where loading is not measured */

/* ---- Stores and sessions ---- */

static void sessions_close(struct contestant *one)
{
    for (size_t i = 0; i < one->n_sessions; i++)
        one->target.driver->session_close(one->sessions[i]);
    one->n_sessions = 0;
}

int contestant_sessions(struct contestant *one, size_t count, enum driver_durability durability)
{
    int status = PDICT_OK;

    if (one->n_sessions == count && one->durability == durability)
        return PDICT_OK;
    sessions_close(one);
    one->durability = durability;
    while (one->n_sessions < count && status == PDICT_OK) {
        status = one->target.driver->session_open(one->store, durability,
                                                  &one->sessions[one->n_sessions]);
        one->n_sessions += status == PDICT_OK;
    }
    return status;
}

int contestant_open(struct contest *contest, struct contestant *one, bool is_uncached)
{
    struct driver_args args = {
        .directory = one->directory,
        .name = one->target.name,
        .options = one->target.options,
        .durability =
            target_durability(&one->target, (enum driver_durability)contest->settings.durability),
        .page_cache = contest->settings.page_cache,
        .keys = contest->settings.keys,
        .is_uncached = is_uncached,
    };

    one->is_uncached = is_uncached;
    return one->target.driver->open(&args, &one->store);
}

void contestant_close(struct contestant *one)
{
    sessions_close(one);
    if (one->store)
        one->target.driver->close(one->store);
    one->store = NULL;
}

/* ---- Loading ---- */

/* A commit's time, shared out among its keys: so it compares with the row's median. */
static int put_batch(struct contestant *one, const pdict_pair *pairs, size_t count)
{
    uint64_t begun_ns = bench_now_ns();
    int status = one->target.driver->put_many(one->sessions[0], pairs, count);

    bench_histogram_add(&one->latency, (bench_now_ns() - begun_ns) / count);
    return status;
}

int contestant_put(struct contest *contest, struct contestant *one, size_t from, size_t to,
                   size_t batch)
{
    const struct run_data *data = &contest->data;
    pdict_pair *pairs = malloc(batch * sizeof *pairs);
    int status = pairs ? PDICT_OK : driver_no_memory("a batch");

    for (size_t i = from; i < to && status == PDICT_OK; i += batch) {
        size_t n = to - i < batch ? to - i : batch;

        for (size_t j = 0; j < n; j++)
            pairs[j] = (pdict_pair){ run_key(data, data->keys + (i + j) * data->stride),
                                     run_value(data, i + j) };
        status = put_batch(one, pairs, n);
    }
    free(pairs);
    return status;
}

/* What was put is what comes back, or the figures mean nothing. */
int contestant_verify(struct contest *contest, struct contestant *one)
{
    const struct run_data *data = &contest->data;
    struct bench_rng rng;

    if (strcmp(one->target.label, "raw:null") == 0)
        return PDICT_OK;
    bench_rng_seed(&rng, data->seed, 3);
    for (int i = 0; i < 100; i++) {
        size_t at = bench_rng_below(&rng, data->n_keys);
        pdict_slice wanted = run_value(data, at);
        pdict_slice value;
        int status = one->target.driver->get(one->sessions[0],
                                             run_key(data, data->keys + at * data->stride), &value);

        if (status == PDICT_NOTFOUND)
            return pdict_fail(PDICT_DAMAGED, "%s: a key that was put is not there",
                              one->target.label);
        if (status != PDICT_OK)
            return status;
        if (value.size != wanted.size || memcmp(value.data, wanted.data, wanted.size) != 0)
            return pdict_fail(PDICT_DAMAGED, "%s: a value came back different", one->target.label);
    }
    return PDICT_OK;
}

int contest_fill(struct contest *contest, struct contestant *one)
{
    enum driver_durability durability = target_durability(&one->target, DRIVER_CRASH);
    int status;

    if ((status = contestant_sessions(one, 1, durability)) == PDICT_OK &&
        (status = contestant_put(contest, one, 0, contest->data.n_keys, FILL_BATCH)) == PDICT_OK)
        status = contestant_verify(contest, one);
    return status;
}
