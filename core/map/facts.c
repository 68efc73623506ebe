/* SPDX-License-Identifier: MIT */
/* Facts about a map and its store; forgetting RAM; syncing. */
#include "map/cache.h"
#include "map/map.h"

static int add_sizes(const pdict *d, void *reader, void *cursor, pdict_stats *stats)
{
    const struct map *map = d->map;
    struct store *store = map->store;
    struct record_header header;
    int64_t until_ms;
    pdict_row row;
    int status;

    while ((status = store->backend->scan_next(store->engine, cursor, &row)) == PDICT_OK) {
        bool is_whole = pdict__record_header_read(row.value, &header) == PDICT_OK;

        status = pdict__row_until(store, reader, map->number, &map->lifetimes, &row, &until_ms);
        if (status != PDICT_OK)
            return status;
        if (pdict__expired(until_ms, pdict__handle_now(d)))
            continue;
        stats->stored_bytes += row.key.size + row.value.size;
        if (is_whole)
            stats->logical_bytes += row.key.size + header.plain_size;
        else
            stats->damaged++;
    }
    return status == PDICT_END ? PDICT_OK : status;
}

static int walk_sizes(const pdict *d, void *reader, pdict_stats *stats)
{
    struct store *store = d->map->store;
    pdict_scan everything = { .flags = 0 };
    void *cursor;
    int status;

    status = store->backend->scan_open(store->engine, reader, d->map->number, &everything, &cursor);
    if (status != PDICT_OK)
        return status;
    status = add_sizes(d, reader, cursor, stats);
    store->backend->scan_close(store->engine, cursor);
    return status;
}

static void add_snapshots(struct store *store, pdict_stats *stats)
{
    int64_t oldest_ms = pdict__readers_oldest_ms(store);

    if (oldest_ms != INT64_MAX)
        stats->snapshot_age_ms = pdict__steady_coarse_ms() - oldest_ms;
    stats->snapshots_reaped = atomic_load_explicit(&store->n_reaped, memory_order_relaxed);
}

static void add_cache(const pdict *d, pdict_stats *stats)
{
    const struct cache *cache = atomic_load(&d->map->cache);

    if (!cache)
        return;
    for (size_t i = 0; i < CACHE_COUNTERS; i++) {
        stats->cache_hits += cache->counters[i].hits;
        stats->cache_absent_hits += cache->counters[i].absent_hits;
        stats->cache_misses += cache->counters[i].misses;
        stats->cache_revalidations += cache->counters[i].revalidations;
    }
    stats->cache_evictions = cache->evictions;
    stats->cache_entries = cache->entries;
    stats->cache_bytes = cache->bytes;
}

static int read_limits(const pdict *d, void *reader, pdict_stats *stats)
{
    struct store *store = d->map->store;
    struct limits limits;
    struct usage usage;
    int status = pdict__limits_read(store, reader, d->map->number, &limits);

    if (status != PDICT_OK || !pdict__has_limits(&limits))
        return status;
    stats->max_entries = limits.max_entries;
    stats->max_bytes = limits.max_bytes;
    status = pdict__usage_read(store, reader, d->map->number, &usage);
    stats->evictions = usage.evictions;
    return status;
}

static int read_stats(const pdict *d, unsigned flags, void *reader, pdict_stats *stats)
{
    struct store *store = d->map->store;
    pdict_backend_stat engine = { .struct_size = sizeof(engine) };
    int status;

    if ((status = store->backend->stat(store->engine, &engine)) != PDICT_OK)
        return status;
    stats->file_bytes = engine.file_bytes;
    stats->log_bytes = engine.log_bytes;
    stats->format_version = engine.format_version;
    stats->stale_readers = engine.stale_readers;
    status = pdict__rows_count(store, reader, d->map->number, &d->map->lifetimes,
                               pdict__handle_now(d), &stats->count);
    if (status == PDICT_OK && (flags & PDICT_STATS_SIZES))
        status = walk_sizes(d, reader, stats);
    if (status == PDICT_OK)
        status = read_limits(d, reader, stats);
    return status;
}

static pdict_stage_stats stage_of(const struct stage_sum *sum)
{
    return (pdict_stage_stats){
        .records = sum->records,
        .bytes_in = sum->bytes_in,
        .bytes_out = sum->bytes_out,
        .timed = sum->timed,
        .nanoseconds = sum->nanoseconds,
    };
}

static void read_stages(const pdict *d, pdict_stats *stats)
{
    struct stage_sum sums[STAGES];

    pdict__pipeline_sums(d->map->pipeline, sums);
    stats->encoded = stage_of(&sums[STAGE_ENCODE]);
    stats->checked = stage_of(&sums[STAGE_CHECK]);
    stats->compressed = stage_of(&sums[STAGE_COMPRESS]);
    stats->sealed = stage_of(&sums[STAGE_SEAL]);
    stats->decoded = stage_of(&sums[STAGE_DECODE]);
    stats->opened = stage_of(&sums[STAGE_OPEN]);
    stats->decompressed = stage_of(&sums[STAGE_DECOMPRESS]);
}

int pdict_stats_get(pdict *d, unsigned flags, pdict_stats *out)
{
    struct store *store = d->map->store;
    pdict_stats stats = {
        .struct_size = out->struct_size,
        .backend = store->stack.name,
        .path = store->path,
        .map = d->name,
        .max_value = pdict__settings(d->map)->descriptor.max_value,
        .is_read_only = d->is_read_only,
    };
    void *reader;
    int status;

    if (out->struct_size < sizeof(out->struct_size) || (flags & ~PDICT_STATS_SIZES))
        return pdict_fail(PDICT_INVAL,
                          "pdict_stats: set struct_size, see PDICT_STATS_INIT, and no other flag "
                          "than PDICT_STATS_SIZES");
    if ((status = pdict__not_inside(d, "pdict_stats_get")) != PDICT_OK)
        return status;
    if ((status = pdict__begin(d, &reader)) != PDICT_OK)
        return status;
    status = read_stats(d, flags, reader, &stats);
    stats.codecs = pdict__settings(d->map)->codecs_text;
    stats.is_encrypted = pdict__settings(d->map)->seal != SEAL_NONE;
    add_cache(d, &stats);
    add_snapshots(d->map->store, &stats);
    read_stages(d, &stats);
    pdict__end(d, reader);
    if (status == PDICT_OK)
        memcpy(out, &stats, out->struct_size < sizeof(stats) ? out->struct_size : sizeof(stats));
    return status;
}

int pdict_clear_cache(pdict *d)
{
    int status = pdict__not_inside(d, "pdict_clear_cache");

    if (status == PDICT_OK)
        status = pdict__store_enter(d->map->store);
    if (status != PDICT_OK)
        return status;
    if (atomic_load(&d->map->cache))
        pdict__cache_clear(atomic_load(&d->map->cache));
    pdict__pipeline_trim(d->map->pipeline);
    pdict__readers_trim(d->map->store);
    pdict__store_leave();
    return PDICT_OK;
}

int pdict_sync(pdict *d)
{
    int status = pdict__not_inside(d, "pdict_sync");

    return status == PDICT_OK ? pdict__store_sync(d->map->store, d->timeout_ms) : status;
}
