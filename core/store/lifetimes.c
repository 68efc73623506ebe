/* SPDX-License-Identifier: MIT */
/* Lifetimes of maps: as they are stored, and entries that go because nobody uses them. */
#include "store/store.h"

/* ---- as they are stored ---- */

#define LIFETIMES_VERSION 1
#define LIFETIMES_SIZE    32

static bool is_sound(const struct lifetimes *lifetimes)
{
    return lifetimes->ttl_ms >= 0 && lifetimes->idle_ms >= 0 && lifetimes->granularity_ms >= 0 &&
           lifetimes->granularity_ms <= lifetimes->idle_ms;
}

static int decode(const struct store *store, pdict_slice text, struct lifetimes *out)
{
    const uint8_t *in = text.data;

    if (text.size > 0 && in[0] > LIFETIMES_VERSION)
        return pdict_fail(
            PDICT_NEWER_FORMAT,
            "%s: a map has lifetimes that this build does not know; use a newer pdict",
            store->path);
    if (text.size == LIFETIMES_SIZE && in[0] == LIFETIMES_VERSION)
        *out = (struct lifetimes){ .ttl_ms = (int64_t)pdict__get64(in + 8),
                                   .idle_ms = (int64_t)pdict__get64(in + 16),
                                   .granularity_ms = (int64_t)pdict__get64(in + 24) };
    if (text.size == LIFETIMES_SIZE && in[0] == LIFETIMES_VERSION && is_sound(out))
        return PDICT_OK;
    *out = (struct lifetimes){ 0 };
    return pdict_fail(PDICT_DAMAGED,
                      "%s: the lifetimes of a map are malformed; restore the store from a backup",
                      store->path);
}

int pdict__lifetimes_read(struct store *store, void *txn, uint32_t map, struct lifetimes *out)
{
    pdict_slice value;
    int status =
        store->backend->system_get(store->engine, txn, map, pdict_str(SYSTEM_LIFETIMES), &value);

    *out = (struct lifetimes){ 0 };
    if (status == PDICT_NOTFOUND)
        return PDICT_OK;
    return status == PDICT_OK ? decode(store, value, out) : status;
}

int pdict__lifetimes_write(struct store *store, void *txn, uint32_t map,
                           const struct lifetimes *lifetimes)
{
    uint8_t bytes[LIFETIMES_SIZE] = { LIFETIMES_VERSION };

    if (lifetimes->ttl_ms == 0 && lifetimes->idle_ms == 0)
        return PDICT_OK;
    pdict__put64(bytes + 8, (uint64_t)lifetimes->ttl_ms);
    pdict__put64(bytes + 16, (uint64_t)lifetimes->idle_ms);
    pdict__put64(bytes + 24, (uint64_t)lifetimes->granularity_ms);
    return store->backend->system_put(store->engine, txn, map, pdict_str(SYSTEM_LIFETIMES),
                                      pdict_bytes(bytes, sizeof(bytes)));
}

/* ---- what is unused ---- */

bool pdict__unused_scan(const struct lifetimes *lifetimes, int64_t now_ms, pdict_scan *out)
{
    *out = (pdict_scan){ .flags = PDICT_SCAN_BY_ACCESS | PDICT_SCAN_NO_VALUES,
                         .to_ms = now_ms - lifetimes->idle_ms - lifetimes->granularity_ms + 1 };
    return lifetimes->idle_ms > 0 && out->to_ms > 0;
}

int pdict__row_until(struct store *store, void *txn, uint32_t map,
                     const struct lifetimes *lifetimes, const pdict_row *row, int64_t *until_ms)
{
    int64_t accessed_ms, idle_ms;
    int status;

    *until_ms = row->expires_ms;
    if (lifetimes->idle_ms == 0)
        return PDICT_OK;
    status = store->backend->access_get(store->engine, txn, map, row->id, &accessed_ms);
    if (status != PDICT_OK)
        return status == PDICT_NOTFOUND ? PDICT_OK : status;
    idle_ms = pdict__idle_deadline(lifetimes, accessed_ms);
    if (*until_ms == 0 || idle_ms < *until_ms)
        *until_ms = idle_ms;
    return PDICT_OK;
}

/* Those that have expired are not in the backend's count anyway. */
static int count_unused(struct store *store, void *txn, uint32_t map, const pdict_scan *scan,
                        int64_t now_ms, uint64_t *count)
{
    pdict_row row;
    void *cursor;
    int status = store->backend->scan_open(store->engine, txn, map, scan, &cursor);

    if (status != PDICT_OK)
        return status;
    while ((status = store->backend->scan_next(store->engine, cursor, &row)) == PDICT_OK)
        *count += !pdict__expired(row.expires_ms, now_ms);
    store->backend->scan_close(store->engine, cursor);
    return status == PDICT_END ? PDICT_OK : status;
}

int pdict__rows_count(struct store *store, void *txn, uint32_t map,
                      const struct lifetimes *lifetimes, int64_t now_ms, uint64_t *count)
{
    uint64_t unused = 0;
    pdict_scan scan;
    int status = store->backend->count(store->engine, txn, map, now_ms, count);

    if (status != PDICT_OK || !pdict__unused_scan(lifetimes, now_ms, &scan))
        return status;
    status = count_unused(store, txn, map, &scan, now_ms, &unused);
    *count -= unused;
    return status;
}

/* ---- around changes ---- */

int pdict__lifetimes_find(struct store *store, void *txn, uint32_t map,
                          const struct lifetimes **out)
{
    size_t at = map % LIFETIMES_KNOWN;
    int status = PDICT_OK;

    if (store->lifetimes.known[at].map != map) {
        status = pdict__lifetimes_read(store, txn, map, &store->lifetimes.known[at].lifetimes);
        store->lifetimes.known[at].map = status == PDICT_OK ? map : 0;
    }
    *out = &store->lifetimes.known[at].lifetimes;
    return status;
}

/* A row that is unused would be present for the backend. */
static int make_way(struct store *store, void *txn, uint32_t map, const struct lifetimes *lifetimes,
                    pdict_slice key, int64_t now_ms)
{
    pdict_change deletion = { .kind = PDICT_CHANGE_DEL, .row.key = key };
    int64_t until_ms;
    pdict_row row;
    int status = store->backend->get(store->engine, txn, map, key, &row);

    if (status != PDICT_OK)
        return status == PDICT_NOTFOUND ? PDICT_OK : status;
    /* What has expired makes way by itself. */
    if (pdict__expired(row.expires_ms, now_ms))
        return PDICT_OK;
    if ((status = pdict__row_until(store, txn, map, lifetimes, &row, &until_ms)) != PDICT_OK)
        return status;
    if (!pdict__expired(until_ms, now_ms))
        return PDICT_OK;
    return pdict__rows_delete(store, txn, map, &deletion, 1, PDICT_REMOVED_EXPIRED);
}

int pdict__lifetimes_before(struct store *store, void *txn, uint32_t map,
                            const pdict_change *changes, size_t count, int64_t now_ms)
{
    const struct lifetimes *lifetimes;
    int status = pdict__lifetimes_find(store, txn, map, &lifetimes);

    if (status != PDICT_OK || lifetimes->idle_ms == 0)
        return status;
    for (size_t i = 0; i < count && status == PDICT_OK; i++)
        status = make_way(store, txn, map, lifetimes, changes[i].row.key, now_ms);
    return status;
}

/* When what was put was last used: now, or when the one who restores it says. 0: nobody cares, or
 * that was when it was made. */
static int64_t used_ms(const struct store *store, const struct lifetimes *lifetimes,
                       const pdict_change *change, int64_t now_ms)
{
    int64_t put_ms = lifetimes->idle_ms > 0 && now_ms > 0 ? now_ms : 0;

    if (change->kind != PDICT_CHANGE_PUT || change->status != PDICT_OK ||
        !store->backend->access_put)
        return 0;
    if (change->accessed_ms > change->row.created_ms || lifetimes->idle_ms > 0)
        return change->accessed_ms > 0 ? change->accessed_ms : put_ms;
    return 0;
}

int pdict__lifetimes_after(struct store *store, void *txn, uint32_t map,
                           const pdict_change *changes, size_t count, int64_t now_ms)
{
    const struct lifetimes *lifetimes;
    int status = pdict__lifetimes_find(store, txn, map, &lifetimes);

    for (size_t i = 0; i < count && status == PDICT_OK; i++) {
        pdict_access use = { changes[i].row.id, used_ms(store, lifetimes, &changes[i], now_ms) };

        if (use.accessed_ms > 0)
            status = store->backend->access_put(store->engine, txn, map, &use, 1);
    }
    return status;
}
