/* SPDX-License-Identifier: MIT */
/* The limits of a map: agreed with when it is opened, read, and given anew. */
#include <inttypes.h>
#include <stdio.h>

#include "map/map.h"

static const char *const evict_names[] = { "lru", "fifo", "ttl" };
static const char *const on_full_names[] = { "evict", "error" };

/* ---- when a map is opened ---- */

static int contradiction(const struct map *map, const struct map_wish *wish, const char *option,
                         const char *wanted, const char *actual)
{
    return pdict_fail(PDICT_CONTRADICTION,
                      "%s: map '%s' has %s=%s, but %s=%s was asked for; change it with `pdict "
                      "limit`, or leave %s= out",
                      map->store->path, wish->name, option, actual, option, wanted, option);
}

static int agree_number(const struct map *map, const struct map_wish *wish, const char *option,
                        uint64_t wanted, uint64_t actual)
{
    char texts[2][24];

    snprintf(texts[0], sizeof(texts[0]), "%" PRIu64, wanted);
    snprintf(texts[1], sizeof(texts[1]), "%" PRIu64, actual);
    return wanted == actual ? PDICT_OK : contradiction(map, wish, option, texts[0], texts[1]);
}

int pdict__limits_agree(const struct map *map, const struct map_wish *wish,
                        const struct limits *limits)
{
    const struct limits *wanted = &wish->limits;
    int status = PDICT_OK;

    if (wish->asked_limits & ASKED_MAX_ENTRIES)
        status = agree_number(map, wish, "max_entries", wanted->max_entries, limits->max_entries);
    if (status == PDICT_OK && (wish->asked_limits & ASKED_MAX_BYTES))
        status = agree_number(map, wish, "max_bytes", wanted->max_bytes, limits->max_bytes);
    /* In a map without limits nothing is evicted, however. */
    if (status != PDICT_OK || !pdict__has_limits(limits))
        return status;
    if ((wish->asked_limits & ASKED_EVICT) && wanted->evict != limits->evict)
        return contradiction(map, wish, "evict", evict_names[wanted->evict],
                             evict_names[limits->evict]);
    if ((wish->asked_limits & ASKED_ON_FULL) && wanted->on_full != limits->on_full)
        return contradiction(map, wish, "on_full", on_full_names[wanted->on_full],
                             on_full_names[limits->on_full]);
    return PDICT_OK;
}

static int check_backend(const struct store *store, const struct limits *limits)
{
    if (limits->evict != PDICT_EVICT_LRU || limits->on_full == PDICT_ON_FULL_ERROR ||
        store->backend->access_put)
        return PDICT_OK;
    return pdict_fail(PDICT_UNSUPPORTED,
                      "%s: %s keeps no access times, which evict=lru needs; use evict=fifo or "
                      "evict=ttl",
                      store->path, store->stack.name);
}

int pdict__limits_begin(struct store *store, void *txn, uint32_t map, const struct limits *limits)
{
    int status;

    if ((status = check_backend(store, limits)) != PDICT_OK)
        return status;
    if ((status = pdict__limits_write(store, txn, map, limits)) != PDICT_OK)
        return status;
    return pdict__usage_write(store, txn, map, &(struct usage){ 0 });
}

/* ---- reading ---- */

static int find_map(struct store *store, void *txn, const char *name, uint32_t *number)
{
    int status = store->backend->map_find(store->engine, txn, pdict_str(name), number);

    if (status == PDICT_NO_MAP)
        return pdict_fail(PDICT_NO_MAP,
                          "%s has no map '%s'; see which ones there are with `pdict maps`",
                          store->path, name);
    return status;
}

static int read_limits(struct store *store, void *reader, const char *name, struct limits *limits,
                       struct usage *usage)
{
    uint32_t number;
    int status = find_map(store, reader, name, &number);

    if (status == PDICT_OK)
        status = pdict__limits_read(store, reader, number, limits);
    if (status == PDICT_OK)
        status = pdict__usage_read(store, reader, number, usage);
    return status;
}

int pdict_limits_get(pdict_store *handle, const char *map, pdict_limits *out)
{
    struct store *store = handle->store;
    struct limits limits;
    struct usage usage;
    pdict_limits full;
    void *reader;
    int status;

    if (out->struct_size < sizeof(out->struct_size))
        return pdict_fail(PDICT_INVAL, "pdict_limits: set struct_size, see PDICT_LIMITS_INIT");
    if ((status = pdict__read_begin(store, &reader)) != PDICT_OK)
        return status;
    status = read_limits(store, reader, map, &limits, &usage);
    pdict__read_end(store, reader);
    if (status != PDICT_OK)
        return status;
    full = (pdict_limits){ .struct_size = out->struct_size,
                           .max_entries = limits.max_entries,
                           .max_bytes = limits.max_bytes,
                           .evict = limits.evict,
                           .on_full = limits.on_full,
                           .entries = usage.entries,
                           .bytes = usage.bytes,
                           .evictions = usage.evictions };
    memcpy(out, &full, full.struct_size < sizeof(full) ? full.struct_size : sizeof(full));
    return PDICT_OK;
}

/* ---- giving a map others ---- */

struct setting {
    const char *name;
    struct limits limits;
    uint32_t number;
    size_t removed;
};

/* Rows looked at before the cursor is closed, since it does not outlast a change. */
#define ACCESS_CHUNK 1000

/* Of rows from `*id` on that were never used, as far as is known: since they were made. */
static int note_creation(struct store *store, void *txn, uint32_t map, uint64_t *id, size_t *count)
{
    pdict_scan scan = { .flags = PDICT_SCAN_NO_VALUES, .from_id = *id };
    pdict_access uses[ACCESS_CHUNK];
    void *cursor;
    pdict_row row;
    int status = store->backend->scan_open(store->engine, txn, map, &scan, &cursor);

    *count = 0;
    if (status != PDICT_OK)
        return status;
    while (*count < ACCESS_CHUNK &&
           (status = store->backend->scan_next(store->engine, cursor, &row)) == PDICT_OK) {
        *id = row.id + 1;
        uses[(*count)++] = (pdict_access){ row.id, row.created_ms > 0 ? row.created_ms : 1 };
    }
    store->backend->scan_close(store->engine, cursor);
    if ((status != PDICT_OK && status != PDICT_END) || *count == 0)
        return status == PDICT_END ? PDICT_OK : status;
    return store->backend->access_put(store->engine, txn, map, uses, *count);
}

static int note_creations(struct store *store, void *txn, uint32_t map)
{
    uint64_t id = 0;
    size_t count;
    int status;

    do
        status = note_creation(store, txn, map, &id, &count);
    while (status == PDICT_OK && count == ACCESS_CHUNK);
    return status;
}

static int count_anew(struct store *store, void *txn, uint32_t map)
{
    struct usage usage = { 0 }, counted;
    struct limits before;
    int status = pdict__limits_read(store, txn, map, &before);

    /* Malformed ones are replaced. */
    if (status == PDICT_OK && pdict__has_limits(&before))
        status = pdict__usage_read(store, txn, map, &usage);
    if (status != PDICT_OK && status != PDICT_DAMAGED)
        return status;
    counted = (struct usage){ .evictions = usage.evictions };
    if ((status = pdict__usage_count(store, txn, map, &counted)) != PDICT_OK)
        return status;
    return pdict__usage_write(store, txn, map, &counted);
}

static int set_inside(void *ctx, struct store *store, void *txn)
{
    struct setting *setting = ctx;
    const struct limits *limits = &setting->limits;
    int status;

    if ((status = find_map(store, txn, setting->name, &setting->number)) != PDICT_OK)
        return status;
    if (pdict__has_limits(limits) && (status = count_anew(store, txn, setting->number)) != PDICT_OK)
        return status;
    if (pdict__has_limits(limits) && limits->evict == PDICT_EVICT_LRU &&
        store->backend->access_put &&
        (status = note_creations(store, txn, setting->number)) != PDICT_OK)
        return status;
    return pdict__limits_write(store, txn, setting->number, limits);
}

/* As short as a step of a sweep. */
#define TRIM_ROWS 500

static int trim_inside(void *ctx, struct store *store, void *txn)
{
    struct setting *setting = ctx;

    return pdict__limits_trim(store, txn, setting->number, TRIM_ROWS, &setting->removed);
}

static int commit(pdict_store *handle, struct setting *setting,
                  int (*work)(void *ctx, struct store *store, void *txn))
{
    struct commit commit = { .durability = PDICT_FULL_SYNC,
                             .timeout_ms = handle->timeout_ms,
                             .work = work,
                             .keeps_rows = true,
                             .ctx = setting };

    return pdict__commit(handle->store, &commit);
}

static int check_limits(const struct store *store, const struct limits *limits)
{
    if (limits->evict > PDICT_EVICT_TTL || limits->on_full > PDICT_ON_FULL_ERROR)
        return pdict_fail(PDICT_INVAL, "pdict_limits: evict or on_full is none of its enum");
    return check_backend(store, limits);
}

int pdict_limits_set(pdict_store *handle, const char *map, const pdict_limits *limits)
{
    struct setting setting = { .name = map };
    pdict_limits full = PDICT_LIMITS_INIT;
    int status;

    if (limits->struct_size < sizeof(limits->struct_size))
        return pdict_fail(PDICT_INVAL, "pdict_limits: set struct_size, see PDICT_LIMITS_INIT");
    memcpy(&full, limits, limits->struct_size < sizeof(full) ? limits->struct_size : sizeof(full));
    setting.limits = (struct limits){ full.max_entries, full.max_bytes, full.evict, full.on_full };
    if ((status = check_limits(handle->store, &setting.limits)) != PDICT_OK)
        return status;
    status = commit(handle, &setting, set_inside);
    do {
        setting.removed = 0;
        if (status == PDICT_OK)
            status = commit(handle, &setting, trim_inside);
    } while (status == PDICT_OK && setting.removed > 0);
    return status;
}
