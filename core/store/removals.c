/* SPDX-License-Identifier: MIT */
/* Rows that a commit removes: those that nobody named, for the caches, and all of them, to be told. */
#include "store/store.h"

void pdict__removals_init(struct removals *removals, const pdict_allocator *allocator)
{
    *removals = (struct removals){ .hashes.allocator = allocator,
                                   .telling = { .removals.allocator = allocator,
                                                .keys.allocator = allocator } };
}

void pdict__removals_free(struct removals *removals)
{
    pdict__buf_free(&removals->hashes);
    pdict__buf_free(&removals->telling.removals);
    pdict__buf_free(&removals->telling.keys);
}

void pdict__removals_clear(struct removals *removals)
{
    removals->kept_hashes = removals->kept_removals = removals->kept_keys = 0;
    removals->is_partial = false;
    pdict__removals_undo(removals);
}

void pdict__removals_keep(struct removals *removals)
{
    removals->kept_hashes = removals->hashes.size;
    removals->kept_removals = removals->telling.removals.size;
    removals->kept_keys = removals->telling.keys.size;
}

void pdict__removals_undo(struct removals *removals)
{
    removals->hashes.size = removals->kept_hashes;
    removals->telling.removals.size = removals->kept_removals;
    removals->telling.keys.size = removals->kept_keys;
}

size_t pdict__removals_count(const struct removals *removals)
{
    return removals->hashes.size / sizeof(uint64_t);
}

const uint64_t *pdict__removals_hashes(const struct removals *removals)
{
    return (const uint64_t *)(const void *)removals->hashes.data;
}

void pdict__removals_add(struct store *store, pdict_slice key)
{
    uint64_t hash = pdict__hash_keyed(store->hash_secret, key.data, key.size);

    if (pdict__buf_append(&store->removals.hashes, &hash, sizeof(hash)) != PDICT_OK)
        store->removals.is_partial = true;
}

void pdict__removals_note(struct store *store, uint32_t map, pdict_slice key, int why)
{
    struct telling *telling = &store->removals.telling;
    struct removal removal = { map, why, key.size };

    if (!pdict__listeners_hear(&store->listeners, map) ||
        pdict__buf_append(&telling->keys, key.data, key.size) != PDICT_OK)
        return;
    if (pdict__buf_append(&telling->removals, &removal, sizeof(removal)) != PDICT_OK)
        telling->keys.size -= key.size;
}

void pdict__removals_take(struct store *store, struct telling *out)
{
    struct telling *telling = &store->removals.telling;

    *out = (struct telling){ .removals.allocator = &store->allocator };
    if (telling->removals.size == 0)
        return;
    *out = *telling;
    telling->removals = telling->keys = (struct buf){ .allocator = &store->allocator };
    pdict__removals_keep(&store->removals);
}
