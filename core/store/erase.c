/* SPDX-License-Identifier: MIT */
/* Deleting what a scan finds, expired or not, inside a write transaction. */
#include "store/store.h"

struct erasure {
    struct buf keys;
    size_t *sizes;
    pdict_change *changes;
    size_t most, count;
};

static int collect(struct erasure *erasure, struct store *store, void *cursor)
{
    pdict_row row;
    int status = PDICT_OK;

    while (erasure->count < erasure->most &&
           (status = store->backend->scan_next(store->engine, cursor, &row)) == PDICT_OK) {
        if ((status = pdict__buf_append(&erasure->keys, row.key.data, row.key.size)) != PDICT_OK)
            break;
        erasure->sizes[erasure->count++] = row.key.size;
    }
    return status == PDICT_END ? PDICT_OK : status;
}

/* Only once all keys are there do they stand still. */
static void fill_changes(struct erasure *erasure)
{
    const uint8_t *key = erasure->keys.data;

    for (size_t i = 0; i < erasure->count; i++) {
        erasure->changes[i] =
            (pdict_change){ .kind = PDICT_CHANGE_DEL, .row.key = { key, erasure->sizes[i] } };
        key += erasure->sizes[i];
    }
}

/* In a damaged store a scan may list what no delete finds, and would do so for ever. */
static int count_deleted(const struct erasure *erasure, size_t *count)
{
    for (size_t i = 0; i < erasure->count; i++)
        *count += erasure->changes[i].status == PDICT_OK;
    return *count > 0 ? PDICT_OK
                      : pdict_fail(PDICT_DAMAGED,
                                   "a map lists entries that are not found by their keys; run "
                                   "`pdict verify`, then `pdict repair` or restore a backup");
}

static int erase(struct erasure *erasure, struct store *store, void *txn, uint32_t map,
                 const pdict_scan *scan, size_t *count)
{
    void *cursor;
    int status = store->backend->scan_open(store->engine, txn, map, scan, &cursor);

    if (status != PDICT_OK)
        return status;
    status = collect(erasure, store, cursor);
    store->backend->scan_close(store->engine, cursor);
    if (status != PDICT_OK || erasure->count == 0)
        return status;
    fill_changes(erasure);
    /* At the beginning of time nothing has expired: the dead rows go too. */
    status =
        store->backend->apply(store->engine, txn, map, erasure->changes, erasure->count, INT64_MIN);
    return status == PDICT_OK ? count_deleted(erasure, count) : status;
}

int pdict__erase(struct store *store, void *txn, uint32_t map, const pdict_scan *scan, size_t most,
                 bool is_told, size_t *count)
{
    const pdict_allocator *allocator = &store->allocator;
    struct erasure erasure = { .keys.allocator = allocator, .most = most };
    int status = PDICT_NOMEM;

    *count = 0;
    erasure.sizes = pdict__calloc(allocator, most, sizeof(*erasure.sizes));
    erasure.changes = pdict__calloc(allocator, most, sizeof(*erasure.changes));
    if (erasure.sizes && erasure.changes)
        status = erase(&erasure, store, txn, map, scan, count);
    for (size_t i = 0; is_told && status == PDICT_OK && i < erasure.count; i++)
        pdict__removals_add(store, erasure.changes[i].row.key);
    pdict__buf_free(&erasure.keys);
    pdict__free(allocator, erasure.sizes);
    pdict__free(allocator, erasure.changes);
    return status;
}
