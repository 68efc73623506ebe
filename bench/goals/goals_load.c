/* SPDX-License-Identifier: MIT */
/* Goals on bulk loads: speed, insertion order kept, memory. */
#include "goals/goal.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define RAW_BATCH 1000

/* Pairs of a call, as docs/performance.md advises: each leaf of the keys is written once for each. */
static size_t bulk_batch(const char *engine)
{
    return strcmp(engine, "lmdb") == 0 ? 250000 : 200000;
}

static int load(struct goal_pair *pair, int which, size_t batch, double *ns, double *memory)
{
    const struct contestant *one = &pair->ones[which];
    const struct run_data *data = &pair->contest.data;
    pdict_pair *pairs = malloc(batch * sizeof *pairs);
    double before = goal_anonymous_bytes();
    uint64_t begun_ns = bench_now_ns();
    int status = pairs ? PDICT_OK : driver_no_memory("a batch");

    for (size_t i = 0; i < data->n_keys && status == PDICT_OK; i += batch) {
        size_t n = data->n_keys - i < batch ? data->n_keys - i : batch;

        for (size_t j = 0; j < n; j++)
            pairs[j] = (pdict_pair){ run_key(data, data->keys + (i + j) * data->stride),
                                     run_value(data, i + j) };
        status = one->target.driver->put_many(one->sessions[0], pairs, n);
        if (memory && goal_anonymous_bytes() - before > *memory)
            *memory = goal_anonymous_bytes() - before;
    }
    *ns = (double)(bench_now_ns() - begun_ns);
    free(pairs);
    return status;
}

/* Through a second handle, as any reader would see it. */
static int check_order(const struct goal_pair *pair, const char *engine)
{
    const struct run_data *data = &pair->contest.data;
    pdict_iter *iter = NULL;
    pdict *map = NULL;
    pdict_entry entry;
    char uri[600];
    size_t at = 0;
    int status;

    snprintf(uri, sizeof uri, "%.*s:%s/map?mode=rw&durability=ordered", (int)strcspn(engine, "?"),
             engine, pair->ones[GOAL_OURS].directory);
    if ((status = pdict_open(uri, NULL, &map)) == PDICT_OK &&
        (status = pdict_iter_open(map, NULL, &iter)) == PDICT_OK) {
        while ((status = pdict_iter_next(iter, &entry)) == PDICT_OK && at < data->n_keys &&
               entry.key.size == data->key_size &&
               memcmp(entry.key.data, data->keys + at * data->stride, data->key_size) == 0)
            at++;
        if (status == PDICT_OK || (status == PDICT_END && at != data->n_keys))
            status =
                pdict_fail(PDICT_DAMAGED, "bulk load, %s: entry %zu is out of order", engine, at);
    }
    pdict_iter_close(iter);
    pdict_close(map);
    return status == PDICT_END ? PDICT_OK : status;
}

int goal_load(struct goal_run *run, const char *engine, struct goal_samples *out)
{
    size_t rounds = run->rounds < 5 ? run->rounds : 5;
    int status = PDICT_OK;

    for (size_t round = 0; round < rounds && status == PDICT_OK; round++) {
        struct goal_pair pair;
        double ns[2];

        status = goal_pair_open(run, engine, run->settings.keys, DRIVER_CRASH, false, &pair);
        if (status == PDICT_OK &&
            (status = load(&pair, GOAL_RAW, RAW_BATCH, &ns[GOAL_RAW], NULL)) == PDICT_OK &&
            (status = load(&pair, GOAL_OURS, bulk_batch(engine), &ns[GOAL_OURS], NULL)) ==
                PDICT_OK &&
            (status = check_order(&pair, engine)) == PDICT_OK)
            out->values[out->count++] = ns[GOAL_RAW] / ns[GOAL_OURS];
        goal_pair_close(&pair);
        if (status == PDICT_OK)
            status = bench_interrupted();
    }
    return status;
}

int goal_load_memory(struct goal_run *run, const char *engine, struct goal_samples *out)
{
    struct goal_pair pair;
    double memory = 0;
    double ns;
    int status = goal_pair_open(run, engine, run->settings.keys, DRIVER_CRASH, false, &pair);

    /* Or the load would live on what earlier goals have freed, and seem to need nothing. */
    malloc_trim(0);
    if (status == PDICT_OK)
        status = load(&pair, GOAL_OURS, bulk_batch(engine), &ns, &memory);
    if (status == PDICT_OK)
        out->values[out->count++] = memory / 1048576;
    goal_pair_close(&pair);
    return status;
}
