/* SPDX-License-Identifier: MIT */
/* Rows that a commit removes without having been asked for each by its key. */
#include "store/store.h"

void pdict__removals_init(struct removals *removals, const pdict_allocator *allocator)
{
    *removals = (struct removals){ .hashes.allocator = allocator };
}

void pdict__removals_free(struct removals *removals)
{
    pdict__buf_free(&removals->hashes);
}

void pdict__removals_clear(struct removals *removals)
{
    removals->hashes.size = removals->kept = 0;
    removals->is_partial = false;
}

void pdict__removals_keep(struct removals *removals)
{
    removals->kept = removals->hashes.size;
}

void pdict__removals_undo(struct removals *removals)
{
    removals->hashes.size = removals->kept;
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
