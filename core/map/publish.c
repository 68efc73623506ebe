/* SPDX-License-Identifier: MIT */
/* Between commit and acknowledgement: what has moved goes into the ring and out of the caches. */
#include "map/cached.h"

/* ---- for other processes ---- */

/* Few keys are hashed without asking for memory. */
#define HASHES_NEAR 64

typedef void (*change_fn)(void *ctx, const pdict_change *change);

static void for_each_change(const struct group *group, change_fn fn, void *ctx)
{
    for (const struct commit *commit = group->first; commit; commit = commit->next) {
        if (commit->status != PDICT_OK)
            continue;
        for (const struct commit *part = commit; part; part = part->also) {
            for (size_t i = 0; i < part->count; i++) {
                if (part->changes[i].status == PDICT_OK)
                    fn(ctx, &part->changes[i]);
            }
        }
    }
}

static void count_change(void *ctx, const pdict_change *change)
{
    (void)change;
    ++*(size_t *)ctx;
}

struct hashing {
    const uint8_t *secret;
    uint64_t *hashes;
    size_t count;
};

static void hash_change(void *ctx, const pdict_change *change)
{
    struct hashing *hashing = ctx;

    hashing->hashes[hashing->count++] =
        pdict__hash_keyed(hashing->secret, change->row.key.data, change->row.key.size);
}

static void hash_all(const struct store *store, const struct group *group, struct hashing *hashing)
{
    pdict__copy(hashing->hashes, pdict__removals_hashes(&store->removals),
                pdict__removals_count(&store->removals) * sizeof(uint64_t));
    hashing->count = pdict__removals_count(&store->removals);
    for_each_change(group, hash_change, hashing);
}

/* Work is not looked into, and some commits have no known outcome. */
static bool moves_unknown(const struct store *store, const struct group *group)
{
    if (store->removals.is_partial)
        return true;
    for (const struct commit *commit = group->first; commit; commit = commit->next) {
        if ((commit->work && !commit->keeps_rows) || commit->status == PDICT_UNKNOWN_OUTCOME)
            return true;
    }
    return false;
}

static void tell(struct store *store, const struct group *group)
{
    uint64_t near[HASHES_NEAR];
    struct hashing hashing = { .secret = store->hash_secret, .hashes = near };
    size_t count = pdict__removals_count(&store->removals);

    if (!pdict__shared_ring(store) || group->transactions != 1)
        return;
    for_each_change(group, count_change, &count);
    if (count > HASHES_NEAR && count <= RING_MOST)
        hashing.hashes =
            store->allocator.allocate(store->allocator.ctx, count * sizeof(*hashing.hashes));
    if (moves_unknown(store, group) || count > RING_MOST || !hashing.hashes)
        count = RING_ALL;
    else
        hash_all(store, group, &hashing);
    pdict__shared_publish(store, group->before, group->after, hashing.hashes, count);
    if (hashing.hashes != near)
        pdict__free(&store->allocator, hashing.hashes);
}

/* ---- for this one ---- */

/* Has the group moved the token from the tag to where it is now, by one commit and alone? */
static bool is_alone(const struct store *store, const struct group *group)
{
    const struct coherence *coherence = &store->coherence;
    uint64_t token[2];

    if (coherence->mode == COHERENCE_PRIVATE) {
        pdict__peek(coherence, token);
        return pdict__tag_is(coherence, token);
    }
    return group->transactions == 1 && pdict__tag_is(coherence, group->before.words) &&
           store->backend->is_next &&
           store->backend->is_next(store->engine, group->before.words, group->after.words);
}

static struct cache *cache_of(struct store *store, uint32_t number)
{
    for (struct map *map = store->maps; map; map = map->next) {
        if (map->number == number)
            return atomic_load(&map->cache);
    }
    return NULL;
}

/* The entry that was made for the first change: true now. */
static bool put_in(const struct store *store, struct cache *cache, struct commit *commit)
{
    const pdict_change *change = &commit->changes[0];
    uint32_t floor = atomic_load_explicit(&store->coherence.floor, memory_order_relaxed);

    pdict__entry_stamp(commit->prepared, change->row.created_ms, (uint16_t)floor);
    if (!pdict__cache_insert(cache, pdict__cache_hash(cache, change->row.key), commit->prepared,
                             NULL))
        return false;
    commit->prepared = NULL;
    return true;
}

static void publish_part(struct store *store, struct commit *part, bool is_ours)
{
    struct cache *cache = cache_of(store, part->map);

    for (size_t i = 0; cache && i < part->count; i++) {
        const pdict_change *change = &part->changes[i];

        if (change->status != PDICT_OK)
            continue;
        if (i > 0 || !is_ours || !part->prepared || !put_in(store, cache, part))
            pdict__cache_doubt(cache, pdict__cache_hash(cache, change->row.key));
    }
}

/* In the order in which they were made: of one key the last counts. */
static void publish_changes(struct store *store, const struct group *group, bool is_ours)
{
    for (struct commit *commit = group->first; commit; commit = commit->next) {
        for (struct commit *part = commit; part && commit->status == PDICT_OK; part = part->also)
            publish_part(store, part, is_ours);
    }
}

/* Behind the changes: what was put may be gone again. */
static void publish_removals(struct store *store)
{
    const uint64_t *hashes = pdict__removals_hashes(&store->removals);
    size_t count = pdict__removals_count(&store->removals);

    for (struct map *map = count > 0 ? store->maps : NULL; map; map = map->next) {
        struct cache *cache = atomic_load(&map->cache);

        for (size_t i = 0; cache && i < count; i++)
            pdict__cache_doubt(cache, hashes[i]);
    }
}

/* Only private caches need to be told that everything may be another now; for the others the token
 * says so. */
static void choose_tag(const struct store *store, const struct group *group, bool is_ours,
                       uint64_t tag[2])
{
    const struct coherence *coherence = &store->coherence;
    bool is_known = is_ours && !moves_unknown(store, group);

    for (int i = 0; i < 2; i++) {
        if (coherence->mode == COHERENCE_PRIVATE)
            tag[i] = is_known ? coherence->tag[i] : UINT64_MAX;
        else
            tag[i] = is_known ? group->after.words[i] : coherence->tag[i];
    }
}

static void publish_here(struct store *store, const struct group *group)
{
    struct coherence *coherence = &store->coherence;
    bool is_ours = is_alone(store, group);
    uint64_t tag[2];

    choose_tag(store, group, is_ours, tag);
    pdict__gen_odd(coherence);
    /* Behind the odd number: what is put into a cache made later was read later. */
    pthread_mutex_lock(&store->maps_lock);
    publish_changes(store, group, is_ours);
    publish_removals(store);
    pthread_mutex_unlock(&store->maps_lock);
    pdict__gen_even(coherence, tag);
}

void pdict__publish(struct store *store, const struct group *group)
{
    if (!group->first || !store->coherence.words[0])
        return;
    tell(store, group);
    publish_here(store, group);
}
