/* SPDX-License-Identifier: MIT */
/* Dictionaries by themselves: trained in the background, and again when values have changed. */
#include <stdio.h>

#include "map/map.h"

/* A map learns from this much for the first time, and from four times as much if nothing came of
 * it. Where there is a dictionary it looks each so many bytes whether it still fits. */
#define FIRST_TRAIN_AT ((uint64_t)512 << 10)
#define LOOK_EVERY     ((uint64_t)1 << 20)

/* So little says nothing. */
#define LEAST_WINDOW ((uint64_t)256 << 10)

/* Values have drifted when they take a tenth more. */
#define DRIFT_LIMIT(best) ((best) + (best) / 10)

#define WAIT_MS       1000
#define BUSY_PAUSE_MS 1000
#define NEVER         UINT64_MAX

bool pdict__has_drifted(struct drift *drift, uint64_t bytes_in, uint64_t bytes_out)
{
    uint64_t in = bytes_in - drift->bytes_in, out = bytes_out - drift->bytes_out;
    bool has_drifted;
    uint32_t now;

    if (in < LEAST_WINDOW)
        return false;
    now = (uint32_t)((double)out / (double)in * 1e6) + 1;
    has_drifted = drift->best != 0 && now > DRIFT_LIMIT(drift->best);
    if (has_drifted || drift->best == 0 || now < drift->best)
        drift->best = has_drifted ? 0 : now;
    drift->bytes_in = bytes_in;
    drift->bytes_out = bytes_out;
    return has_drifted;
}

static bool is_time(const struct map *map, uint64_t *done)
{
    uint64_t due = atomic_load_explicit(&map->train_at, memory_order_relaxed);

    *done = atomic_load_explicit(&map->untrained_bytes, memory_order_relaxed);
    return *done >= (due ? due : FIRST_TRAIN_AT);
}

/* A handle of the map's own: whoever put may have closed theirs. */
static int train(struct map *map, pdict_train_result *result)
{
    pdict d = {
        .map = map, .name = (char *)"", .durability = PDICT_FULL_SYNC, .timeout_ms = WAIT_MS
    };

    return pdict__train_newest(&d, result);
}

static bool should_train(struct map *map)
{
    struct stage_sum sums[STAGES] = { { 0 } };

    if (!pdict__has_dictionary(map->pipeline))
        return true;
    pdict__pipeline_sums(map->pipeline, sums);
    return pdict__has_drifted(&map->retrainer.drift, sums[STAGE_COMPRESS].bytes_in,
                              sums[STAGE_COMPRESS].bytes_out);
}

static uint64_t next_time(const struct map *map, int status, uint64_t done)
{
    if (status == PDICT_TOO_BIG) /* there are as many as can be */
        return NEVER;
    if (pdict__has_dictionary(map->pipeline))
        return done + LOOK_EVERY;
    return done > NEVER / 8 ? NEVER : done * 4;
}

static int64_t run(void *ctx)
{
    struct map *map = ctx;
    struct store *store = map->store;
    pdict_train_result result;
    int status = PDICT_OK;
    uint64_t done;

    if (!is_time(map, &done) || pdict__store_check(store) != PDICT_OK ||
        atomic_load(&store->is_poisoned))
        return -1;
    if (should_train(map))
        status = train(map, &result);
    if (status == PDICT_BUSY)
        return BUSY_PAUSE_MS;
    if (status != PDICT_OK)
        pdict__log(&store->logger, PDICT_LOG_WARN, "train", status, "no dictionary was trained: %s",
                   pdict_error_text());
    atomic_store_explicit(&map->train_at, next_time(map, status, done), memory_order_relaxed);
    return -1;
}

/* Where the chore cannot be added it is tried again as if it had failed. */
static void wake(struct map *map, uint64_t done)
{
    struct retrainer *retrainer = &map->retrainer;

    if (atomic_exchange(&retrainer->is_on, true)) {
        pdict__chore_wake(&retrainer->chore);
        return;
    }
    retrainer->chore = (struct chore){ .name = "train",
                                       .owner = map->store,
                                       .is_manual = map->store->is_manual,
                                       .run = run,
                                       .ctx = map };
    if (pdict__chore_add(&retrainer->chore) == PDICT_OK)
        return;
    pdict__log(&map->store->logger, PDICT_LOG_WARN, "train", PDICT_NOMEM, "%s", pdict_error_text());
    atomic_store_explicit(&map->train_at, next_time(map, PDICT_NOMEM, done), memory_order_relaxed);
    atomic_store(&retrainer->is_on, false);
}

void pdict__train_if_due(pdict *d, size_t bytes)
{
    struct map *map = d->map;
    uint64_t due = atomic_load_explicit(&map->train_at, memory_order_relaxed), sum;

    if (d->part || !pdict__settings(map)->codecs.compressor.has_dictionary || due == NEVER)
        return;
    due = due ? due : FIRST_TRAIN_AT;
    sum = atomic_fetch_add_explicit(&map->untrained_bytes, bytes, memory_order_relaxed) + bytes;
    /* Only the put that crosses the line wakes the chore. */
    if (sum >= due && sum - bytes < due)
        wake(map, sum);
}
