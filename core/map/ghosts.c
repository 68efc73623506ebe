/* SPDX-License-Identifier: MIT */
/* The marks of keys that have left a shard of a cache. */
#include "map/ghosts.h"

#define FEWEST 16

/* The lowest bits of a hash find its bucket, the highest its shard. Never 0. */
static uint16_t mark_of(uint64_t hash)
{
    return (uint16_t)(hash >> 32 | 1);
}

static uint16_t *place_of(const struct shard *shard, uint64_t hash)
{
    return &shard->ghosts[hash & (shard->n_ghosts - 1)];
}

/* A shard that has grown forgets whom it knew. */
static void grow(struct cache *cache, struct shard *shard)
{
    size_t count = FEWEST;
    uint16_t *ghosts;

    while (count * 4 <= shard->count)
        count *= 2;
    if (count <= shard->n_ghosts ||
        !(ghosts = pdict__calloc(&cache->allocator, count, sizeof(*ghosts))))
        return;
    pdict__free(&cache->allocator, shard->ghosts);
    atomic_fetch_add_explicit(&cache->bytes, (count - shard->n_ghosts) * sizeof(*ghosts),
                              memory_order_relaxed);
    shard->ghosts = ghosts;
    shard->n_ghosts = count;
}

void pdict__ghost_note(struct cache *cache, struct shard *shard, uint64_t hash)
{
    if (shard->n_ghosts * 4 <= shard->count)
        grow(cache, shard);
    if (shard->ghosts)
        *place_of(shard, hash) = mark_of(hash);
}

bool pdict__ghost_take(struct shard *shard, uint64_t hash)
{
    uint16_t *ghost = shard->ghosts ? place_of(shard, hash) : NULL;

    if (!ghost || *ghost != mark_of(hash))
        return false;
    *ghost = 0;
    return true;
}

void pdict__ghosts_free(struct cache *cache, struct shard *shard)
{
    pdict__free(&cache->allocator, shard->ghosts);
}
