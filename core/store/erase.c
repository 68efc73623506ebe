/* SPDX-License-Identifier: MIT */
/* Deleting what a scan finds, expired or not, inside a write transaction. */
#include "store/store.h"

struct collection {
    struct buf keys;
    size_t *sizes;
    pdict_change *changes;
    size_t count;
    uint64_t bytes;
};

static bool wants_more(const struct collection *collection, const struct erasure *erasure)
{
    return collection->count < erasure->most &&
           (collection->count < erasure->rows || collection->bytes < erasure->bytes);
}

static int collect(struct collection *collection, const struct erasure *erasure,
                   struct store *store, void *cursor)
{
    pdict_row row;
    int status = PDICT_OK;

    while (wants_more(collection, erasure) &&
           (status = store->backend->scan_next(store->engine, cursor, &row)) == PDICT_OK) {
        if ((status = pdict__buf_append(&collection->keys, row.key.data, row.key.size)) != PDICT_OK)
            break;
        collection->sizes[collection->count++] = row.key.size;
        collection->bytes += row.key.size + row.value.size;
    }
    return status == PDICT_END ? PDICT_OK : status;
}

/* Only once all keys are there do they stand still. */
static void fill_changes(struct collection *collection)
{
    /* Empty keys take no memory. */
    const uint8_t *key = collection->keys.data ? collection->keys.data : (const uint8_t *)"";

    for (size_t i = 0; i < collection->count; i++) {
        collection->changes[i] =
            (pdict_change){ .kind = PDICT_CHANGE_DEL, .row.key = { key, collection->sizes[i] } };
        key += collection->sizes[i];
    }
}

/* In a damaged store a scan may list what no delete finds, and would do so for ever. */
static int count_deleted(const struct collection *collection, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < collection->count; i++)
        *count += collection->changes[i].status == PDICT_OK;
    return *count > 0 ? PDICT_OK
                      : pdict_fail(PDICT_DAMAGED,
                                   "a map lists entries that are not found by their keys; run "
                                   "`pdict verify`, then `pdict repair` or restore a backup");
}

static int erase(struct collection *collection, struct store *store, void *txn, uint32_t map,
                 struct erasure *erasure)
{
    void *cursor;
    int status = store->backend->scan_open(store->engine, txn, map, &erasure->scan, &cursor);

    if (status != PDICT_OK)
        return status;
    status = collect(collection, erasure, store, cursor);
    store->backend->scan_close(store->engine, cursor);
    if (status != PDICT_OK || collection->count == 0)
        return status;
    fill_changes(collection);
    status =
        pdict__rows_delete(store, txn, map, collection->changes, collection->count, erasure->why);
    return status == PDICT_OK ? count_deleted(collection, &erasure->count) : status;
}

int pdict__erase(struct store *store, void *txn, uint32_t map, struct erasure *erasure)
{
    const pdict_allocator *allocator = &store->allocator;
    struct collection collection = { .keys.allocator = allocator };
    int status = PDICT_NOMEM;

    erasure->count = 0;
    collection.sizes = pdict__calloc(allocator, erasure->most, sizeof(*collection.sizes));
    collection.changes = pdict__calloc(allocator, erasure->most, sizeof(*collection.changes));
    if (collection.sizes && collection.changes)
        status = erase(&collection, store, txn, map, erasure);
    /* After a clear everything has moved. */
    for (size_t i = 0;
         erasure->why != PDICT_REMOVED_CLEARED && status == PDICT_OK && i < collection.count; i++)
        pdict__removals_add(store, collection.changes[i].row.key);
    pdict__buf_free(&collection.keys);
    pdict__free(allocator, collection.sizes);
    pdict__free(allocator, collection.changes);
    return status;
}
