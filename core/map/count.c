/* SPDX-License-Identifier: MIT */
/* Counting without walking: what was counted is kept with the change token, and only what has
 * expired since is looked for. */
#include "map/map.h"

/* A row that is walked costs as much as fifty that are counted. */
#define EXTEND_ROWS 64

static bool peek(const struct store *store, struct token *token)
{
    if (!store->words[0])
        return false;
    *token = pdict__token_read(store->words);
    return true;
}

void pdict__count_memo_init(struct count_memo *memo)
{
    *memo = (struct count_memo){ .is_known = false };
    pthread_mutex_init(&memo->lock, NULL);
}

void pdict__count_memo_forget(struct count_memo *memo)
{
    memo->is_known = false;
}

/* The change tokens of an engine that is opened anew tell nothing about what was counted before. */
void pdict__maps_park(struct store *store)
{
    pdict__store_park(store);
    for (struct map *map = store->maps; map; map = map->next)
        pdict__count_memo_forget(&map->counted);
}

void pdict__count_memo_destroy(struct count_memo *memo)
{
    pthread_mutex_destroy(&memo->lock);
}

/* What was counted at this token and not after `now_ms`; false: nothing. */
static bool recall(struct map *map, struct token token, int64_t now_ms, struct counted *out)
{
    struct count_memo *memo = &map->counted;
    bool is_true;

    pthread_mutex_lock(&memo->lock);
    *out = memo->counted;
    is_true =
        memo->is_known && pdict__token_equal(memo->token, token) && memo->counted.at_ms <= now_ms;
    pthread_mutex_unlock(&memo->lock);
    return is_true;
}

static void remember(struct map *map, struct token token, const struct counted *counted)
{
    struct count_memo *memo = &map->counted;

    pthread_mutex_lock(&memo->lock);
    memo->is_known = true;
    memo->token = token;
    memo->counted = *counted;
    pthread_mutex_unlock(&memo->lock);
}

/* Leave out what has expired since the last time, and find what expires next. PDICT_END (expected):
 * it is so much that counting anew is faster. */
static int extend(struct map *map, void *reader, int64_t now_ms, struct counted *counted)
{
    struct store *store = map->store;
    pdict_scan scan = { .flags = PDICT_SCAN_BY_EXPIRY | PDICT_SCAN_NO_VALUES,
                        .from_ms = pdict__time_add(counted->at_ms, 1) };
    struct counted extended = { counted->count, now_ms, INT64_MAX };
    pdict_row row;
    void *cursor;
    int rows = 0, status;

    status = store->backend->scan_open(store->engine, reader, map->number, &scan, &cursor);
    if (status != PDICT_OK)
        return status;
    while ((status = store->backend->scan_next(store->engine, cursor, &row)) == PDICT_OK &&
           pdict__expired(row.expires_ms, now_ms) && rows++ < EXTEND_ROWS)
        extended.count--;
    store->backend->scan_close(store->engine, cursor);
    if (rows > EXTEND_ROWS)
        return PDICT_END;
    if (status == PDICT_OK)
        extended.next_ms = row.expires_ms;
    else if (status != PDICT_END)
        return status;
    *counted = extended;
    return PDICT_OK;
}

static int count_all(struct map *map, void *reader, int64_t now_ms, struct counted *counted)
{
    struct store *store = map->store;
    int status = store->backend->count(store->engine, reader, map->number, now_ms, &counted->count);

    counted->at_ms = now_ms;
    return status == PDICT_OK ? extend(map, reader, now_ms, counted) : status;
}

/* A snapshot is of the token that was read before it began, if that has not moved since. */
static int count_anew(struct map *map, int64_t now_ms, struct counted *counted)
{
    struct store *store = map->store;
    struct token before = { { 0 } }, after;
    bool has_token = peek(store, &before);
    void *reader;
    int status;

    if ((status = pdict__read_begin(store, &reader)) != PDICT_OK)
        return status;
    status = PDICT_END;
    if (has_token && peek(store, &after) && pdict__token_equal(before, after) &&
        recall(map, before, now_ms, counted))
        status = extend(map, reader, now_ms, counted);
    if (status == PDICT_END)
        status = count_all(map, reader, now_ms, counted);
    pdict__read_end(store, reader);
    if (status == PDICT_OK && has_token)
        remember(map, before, counted);
    return status;
}

/* When entries go unused is found out each time. */
static int count_used(struct map *map, int64_t now_ms, uint64_t *count)
{
    void *reader;
    int status = pdict__read_begin(map->store, &reader);

    if (status != PDICT_OK)
        return status;
    status = pdict__rows_count(map->store, reader, map->number, &map->lifetimes, now_ms, count);
    pdict__read_end(map->store, reader);
    return status;
}

int pdict__map_count(struct map *map, int64_t now_ms, uint64_t *count)
{
    struct counted counted;
    struct token token = { { 0 } };
    int status;

    if ((status = pdict__store_enter(map->store)) != PDICT_OK)
        return status;
    if (map->lifetimes.idle_ms > 0)
        return count_used(map, now_ms, count);
    if (!peek(map->store, &token) || !recall(map, token, now_ms, &counted) ||
        now_ms >= counted.next_ms)
        status = count_anew(map, now_ms, &counted);
    pdict__store_leave();
    if (status == PDICT_OK)
        *count = counted.count;
    return status;
}
