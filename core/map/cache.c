/* SPDX-License-Identifier: MIT */
/* Making and freeing a cache and its entries; what is unlinked is freed once nobody reads it. */
#include "map/access.h"
#include "map/cache.h"

#include <stdlib.h>

/* So many unlinked entries, or this part of the budget, are gathered for one barrier. */
#define RECLAIM_AT    256
#define RECLAIM_SHARE 16

/* No entry takes a larger part of the budget. */
#define ENTRY_SHARE 8

/* ---- entries ---- */

size_t pdict__entry_size(const struct entry *entry)
{
    if (entry->flags & ENTRY_DECODED)
        return entry_decoded_at(entry) + sizeof(struct decoded *);
    return entry_value_at(entry->flags & ENTRY_TIMES, entry->key_size) + entry->value_size;
}

size_t pdict__entry_decoded_size(const struct entry *entry)
{
    size_t size = 0;

    for (const struct decoded *at = entry_first_decoded(entry); at; at = at->next)
        size += at->size;
    return size;
}

bool pdict__cache_takes(const struct cache *cache, size_t size)
{
    return size <= atomic_load_explicit(&cache->budget, memory_order_relaxed) / ENTRY_SHARE;
}

static bool fits(const struct cache *cache, const struct entry_plan *plan)
{
    int64_t created_ms = plan->created_ms;

    return plan->key.size <= ENTRY_KEY_MOST && plan->value.size <= UINT32_MAX &&
           pdict__cache_takes(cache, plan->key.size + plan->value.size) &&
           created_ms >= -((int64_t)1 << 47) && created_ms < (int64_t)1 << 47;
}

struct entry *pdict__entry_new(struct cache *cache, const struct entry_plan *plan)
{
    uint8_t times = plan->until_ms != 0 ? ENTRY_IDLE : plan->expires_ms != 0 ? ENTRY_EXPIRES : 0;
    struct entry head = { .value_size = (uint32_t)plan->value.size,
                          .key_size = (uint16_t)plan->key.size,
                          .flags = plan->flags | times };
    struct entry *entry;

    if (!fits(cache, plan))
        return NULL;
    entry = pdict__slab_take(&cache->slab, pdict__entry_size(&head));
    if (!entry)
        return NULL;
    entry->value_size = head.value_size;
    entry->key_size = head.key_size;
    entry->flags = head.flags;
    atomic_init(&entry->visited, VISITED_NOT);
    entry->version = plan->version;
    atomic_init(&entry->stamp, (uint64_t)plan->created_ms << 16);
    if (times)
        memcpy(entry->bytes, &plan->expires_ms, sizeof(plan->expires_ms));
    if (times == ENTRY_IDLE)
        atomic_init(entry_until(entry), plan->until_ms);
    pdict__copy((uint8_t *)entry_key(entry), plan->key.data, plan->key.size);
    if (plan->value.data)
        memcpy((uint8_t *)entry_value(entry), plan->value.data, plan->value.size);
    if (entry->flags & ENTRY_DECODED)
        atomic_init(entry_decoded(entry), NULL);
    return entry;
}

void pdict__entry_stamp(struct entry *entry, int64_t created_ms, uint16_t floor)
{
    atomic_store_explicit(&entry->stamp, (uint64_t)created_ms << 16 | floor, memory_order_relaxed);
}

void pdict__entry_free(struct cache *cache, struct entry *entry)
{
    struct decoded *decoded = entry_first_decoded(entry);
    size_t size = pdict__entry_size(entry);

    while (decoded) {
        struct decoded *next = decoded->next;

        decoded->free(decoded);
        decoded = next;
    }
    if (cache->wipes)
        explicit_bzero(entry, size);
    pdict__slab_give(&cache->slab, entry, size);
}

/* ---- unlinked entries; under retired_lock ---- */

static size_t whole_size(const struct entry *entry)
{
    return pdict__entry_size(entry) + pdict__entry_decoded_size(entry);
}

static int compare(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (struct entry *const *)a,
              y = (uintptr_t) * (struct entry *const *)b;

    return (x > y) - (x < y);
}

/* Move those that a slot names to the front, and answer how many they are. */
static size_t part_pinned(struct entry **entries, size_t count, size_t *n_slots)
{
    struct hazard_walk walk = pdict__hazard_walk();
    size_t n_pinned = 0;
    void *memory;

    *n_slots = 0;
    qsort(entries, count, sizeof(*entries), compare);
    while ((memory = pdict__hazard_next(&walk))) {
        struct entry *key = memory, **found;

        found = bsearch(&key, entries, count, sizeof(*entries), compare);
        /* The lowest bit of an address is free, and does not change the order. */
        *n_slots += found != NULL;
        if (found)
            *found = (struct entry *)((uintptr_t)*found | 1); // NOLINT
    }
    for (size_t i = 0; i < count; i++) {
        if ((uintptr_t)entries[i] & 1) {
            struct entry *pinned = (struct entry *)((uintptr_t)entries[i] - 1); // NOLINT

            entries[i] = entries[n_pinned];
            entries[n_pinned++] = pinned;
        }
    }
    return n_pinned;
}

static void reclaim_locked(struct cache *cache)
{
    size_t n_pinned;

    cache->n_pins = 0;
    if (cache->n_retired == 0)
        return;
    pdict__hazard_barrier();
    n_pinned = part_pinned(cache->retired, cache->n_retired, &cache->n_pins);
    for (size_t i = n_pinned; i < cache->n_retired; i++) {
        cache->retired_bytes -= whole_size(cache->retired[i]);
        pdict__entry_free(cache, cache->retired[i]);
    }
    cache->n_retired = n_pinned;
    cache->reclaim_at = 2 * n_pinned + cache->reclaim_batch;
}

static bool make_room_locked(struct cache *cache)
{
    size_t room = cache->retired_room * 2 + 2 * RECLAIM_AT;
    struct entry **retired;

    if (cache->n_retired + cache->n_reserved < cache->retired_room)
        return true;
    if (cache->n_retired > cache->retired_room / 2)
        reclaim_locked(cache);
    if (cache->n_retired + cache->n_reserved < cache->retired_room)
        return true;
    retired = cache->allocator.reallocate(cache->allocator.ctx, cache->retired,
                                          room * sizeof(struct entry *));
    if (!retired)
        return false;
    cache->retired = retired;
    cache->retired_room = room;
    return true;
}

bool pdict__retired_reserve(struct cache *cache)
{
    bool has_room;

    pthread_mutex_lock(&cache->retired_lock);
    has_room = make_room_locked(cache);
    cache->n_reserved += has_room;
    pthread_mutex_unlock(&cache->retired_lock);
    return has_room;
}

void pdict__retired_unreserve(struct cache *cache)
{
    pthread_mutex_lock(&cache->retired_lock);
    cache->n_reserved--;
    pthread_mutex_unlock(&cache->retired_lock);
}

void pdict__entry_retire(struct cache *cache, struct entry *entry)
{
    pthread_mutex_lock(&cache->retired_lock);
    cache->n_reserved--;
    cache->retired[cache->n_retired++] = entry;
    cache->retired_bytes += whole_size(entry);
    pthread_mutex_unlock(&cache->retired_lock);
}

void pdict__cache_reclaim(struct cache *cache)
{
    pthread_mutex_lock(&cache->retired_lock);
    if (cache->n_retired >= cache->reclaim_at ||
        cache->retired_bytes >
            atomic_load_explicit(&cache->budget, memory_order_relaxed) / RECLAIM_SHARE)
        reclaim_locked(cache);
    pthread_mutex_unlock(&cache->retired_lock);
}

/* ---- the whole ---- */

int pdict__cache_new(const struct cache_config *config, struct cache **out)
{
    void *memory = pdict__alloc(config->allocator, sizeof(struct cache) + 63);
    struct cache *cache;

    if (!memory)
        return PDICT_NOMEM;
    /* Counters and tables want cache lines of their own. */
    cache = (struct cache *)(((uintptr_t)memory + 63) & ~(uintptr_t)63); // NOLINT
    memset(cache, 0, sizeof(*cache));
    cache->memory = memory;
    cache->allocator = *config->allocator;
    cache->coherence = config->coherence;
    cache->clock = *config->clock;
    cache->uses_system_clock = config->clock->now_ms == pdict__system_now_ms;
    cache->is_sealed = config->is_sealed;
    cache->wipes = config->wipes;
    cache->reclaim_at = cache->reclaim_batch = RECLAIM_AT;
    atomic_init(&cache->budget, config->budget);
    atomic_init(&cache->tick, VISITED_USED);
    memcpy(cache->secret, config->secret, sizeof(cache->secret));
    pthread_mutex_init(&cache->retired_lock, NULL);
    pdict__slab_init(&cache->slab, &cache->allocator);
    pdict__cache_tables_init(cache);
    *out = cache;
    return PDICT_OK;
}

void pdict__cache_grow(struct cache *cache, size_t budget)
{
    size_t old = atomic_load_explicit(&cache->budget, memory_order_relaxed);

    while (old < budget && !atomic_compare_exchange_weak(&cache->budget, &old, budget))
        ;
}

void pdict__cache_clear(struct cache *cache)
{
    for (size_t i = 0; i < SHARDS; i++)
        pdict__cache_empty_shard(cache, i);
    pthread_mutex_lock(&cache->retired_lock);
    reclaim_locked(cache);
    pthread_mutex_unlock(&cache->retired_lock);
}

static void destroy(struct cache *cache)
{
    pdict_allocator allocator = cache->allocator;

    pdict__cache_tables_free(cache);
    pdict__slab_destroy(&cache->slab);
    pdict__free(&cache->allocator, cache->retired);
    pthread_mutex_destroy(&cache->retired_lock);
    pdict__free(&allocator, cache->memory);
}

/* ---- caches that views outlive ---- */

static pthread_mutex_t orphans_lock = PTHREAD_MUTEX_INITIALIZER;
static struct cache *orphans;
static atomic_llong releases_left; /* until they are looked at again */
atomic_bool pdict__cache_has_orphans;

static bool is_gone(struct cache *cache)
{
    bool is_gone;

    pthread_mutex_lock(&cache->retired_lock);
    reclaim_locked(cache);
    is_gone = cache->n_retired == 0;
    pthread_mutex_unlock(&cache->retired_lock);
    if (is_gone)
        destroy(cache);
    return is_gone;
}

/* While this looks, every release looks too, when it has the lock: none is missed. */
static void reap(void)
{
    struct cache **link = &orphans;
    size_t n_pins = SIZE_MAX; /* of the cache that has fewest */

    pthread_mutex_lock(&orphans_lock);
    atomic_exchange(&releases_left, 0);
    while (*link) {
        struct cache *cache = *link, *next = cache->next;

        if (is_gone(cache)) {
            *link = next;
        } else {
            n_pins = cache->n_pins < n_pins ? cache->n_pins : n_pins;
            link = &cache->next;
        }
    }
    atomic_store(&pdict__cache_has_orphans, orphans != NULL);
    atomic_store(&releases_left, orphans ? (long long)(n_pins / 2) : 0);
    pthread_mutex_unlock(&orphans_lock);
}

/* Whoever releases a view looks at the flag after emptying the slot, and the barrier stands between
 * setting the flag and looking into the slots: one of the two sees that the cache can go. To look
 * costs a walk of all slots, so it is done after half of the releases that are needed at least. */
void pdict__cache_reap(void)
{
    if (atomic_fetch_sub(&releases_left, 1) <= 1)
        reap();
}

void pdict__cache_free(struct cache *cache)
{
    bool is_empty = true;

    if (!cache)
        return;
    for (size_t i = 0; i < SHARDS; i++)
        is_empty &= pdict__cache_empty_shard(cache, i);
    /* Only where there was no memory to note more pinned entries than there is room for. */
    if (!is_empty)
        return;
    pthread_mutex_lock(&orphans_lock);
    cache->next = orphans;
    orphans = cache;
    atomic_store(&pdict__cache_has_orphans, true);
    pthread_mutex_unlock(&orphans_lock);
    reap();
}
