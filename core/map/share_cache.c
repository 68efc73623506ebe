/* SPDX-License-Identifier: MIT */
/* The cache of a map, which its handles share: made, joined, or contradicted. */
#include "map/cache.h"
#include "map/map.h"

static bool has_cache(const struct store *store)
{
    for (struct map *map = store->maps; map; map = map->next) {
        if (atomic_load(&map->cache))
            return true;
    }
    return false;
}

/* All maps of a store follow one token, so in one way. */
static int agree_coherence(struct store *store, const struct cache_wish *wish)
{
    struct coherence *coherence = &store->coherence;

    if (!has_cache(store)) {
        pdict__coherence_choose(coherence, wish->coherence, wish->bound_ms);
        return PDICT_OK;
    }
    if (coherence->mode == wish->coherence && coherence->bound_ms == wish->bound_ms)
        return PDICT_OK;
    return pdict_fail(PDICT_CONTRADICTION,
                      "%s is open in this process with another coherence=; use the same for all "
                      "handles, or close the others first",
                      store->path);
}

static int make_cache(struct map *map, const struct cache_wish *wish, struct cache **out)
{
    struct store *store = map->store;
    struct cache_config config = {
        .allocator = &store->allocator,
        .coherence = &store->coherence,
        .clock = &store->clock,
        .secret = store->hash_secret,
        .budget = wish->budget,
        .is_sealed = wish->is_sealed,
        .wipes = pdict__settings(map)->seal != SEAL_NONE && !wish->is_sealed,
    };
    int status = pdict__cache_new(&config, out);

    if (status == PDICT_OK)
        atomic_store(&map->cache, *out);
    return status;
}

static int join_cache(struct map *map, const struct cache_wish *wish, struct cache **out)
{
    int status;

    if ((status = agree_coherence(map->store, wish)) != PDICT_OK)
        return status;
    if (!map->store->coherence.words[0])
        return PDICT_OK;
    *out = atomic_load(&map->cache);
    if (!*out)
        return make_cache(map, wish, out);
    if (atomic_load(&(*out)->is_closed)) {
        *out = NULL;
        return PDICT_OK;
    }
    if ((*out)->is_sealed != wish->is_sealed)
        return pdict_fail(PDICT_CONTRADICTION,
                          "%s: another handle of this map keeps its cache %s; use cache=sealed "
                          "for all handles or for none",
                          map->store->path, wish->is_sealed ? "decoded" : "sealed");
    pdict__cache_grow(*out, wish->budget);
    return PDICT_OK;
}

int pdict__map_cache(struct map *map, const struct cache_wish *wish, struct cache **out)
{
    int status;

    *out = NULL;
    if (wish->budget == 0)
        return PDICT_OK;
    pthread_mutex_lock(&map->store->coherence.advance);
    pthread_mutex_lock(&map->store->maps_lock);
    status = join_cache(map, wish, out);
    pthread_mutex_unlock(&map->store->maps_lock);
    pthread_mutex_unlock(&map->store->coherence.advance);
    return status;
}
