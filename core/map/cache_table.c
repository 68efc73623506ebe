/* SPDX-License-Identifier: MIT */
/* The table of a cache: buckets of a cache line, found without a lock; eviction by SIEVE. */
#include "map/access.h"
#include "map/ghosts.h"

/* Full at so many percent of all slots. */
#define LOAD_MOST 75

#define FIRST_LOG 2
#define LAST_LOG  28

#define HOLE UINT32_MAX

/* A shard that has nothing yet. */
static _Alignas(64) struct bucket no_buckets;

static uintptr_t table_of(const struct cache *cache, const struct shard *shard)
{
    return atomic_load_explicit(&cache->tables[shard - cache->shards], memory_order_relaxed);
}

/* ---- all shards ---- */

void pdict__cache_tables_init(struct cache *cache)
{
    pthread_mutex_init(&cache->arrays_lock, NULL);
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&cache->shards[i].lock, NULL);
        atomic_init(&cache->tables[i], (uintptr_t)&no_buckets);
    }
}

void pdict__cache_tables_free(struct cache *cache)
{
    for (size_t i = 0; i < SHARDS; i++) {
        pdict__free(&cache->allocator, cache->shards[i].queue);
        pdict__ghosts_free(cache, &cache->shards[i]);
        pthread_mutex_destroy(&cache->shards[i].lock);
    }
    pdict__arrays_free(cache);
}

/* ---- finding ---- */

/* A key's slot, for those who hold the lock. */
struct place {
    struct bucket *bucket;
    unsigned slot;
};

static bool locate(uintptr_t table, uint64_t hash, pdict_slice key, struct place *out)
{
    struct bucket *buckets = table_buckets(table);
    size_t mask = table_mask(table), at = hash & mask;

    for (size_t probe = 0; probe < PROBES_MOST; probe++, at = (at + 1) & mask) {
        uint64_t tags = atomic_load_explicit(&buckets[at].tags, memory_order_relaxed);

        for (uint64_t m = bucket_matches(tags, hash); m; m &= m - 1) {
            unsigned slot = lowest_byte(m);
            uint64_t word = atomic_load_explicit(&buckets[at].slots[slot], memory_order_relaxed);

            if ((word ^ slot_mark(hash)) >> 48 == 0 && entry_has_key(slot_entry(word), key)) {
                *out = (struct place){ &buckets[at], slot };
                return true;
            }
        }
        if (tags >> 56 == 0)
            return false;
    }
    return false;
}

/* Pin what a slot holds, if it is the key's; `moved`: it was replaced meanwhile. */
static struct entry *pin(const struct cache *cache, uint64_t hash, pdict_slice key,
                         const _Atomic uint64_t *at, uintptr_t table, hazard_slot *slot,
                         bool *moved)
{
    uint64_t word = atomic_load_explicit(at, memory_order_acquire);
    struct entry *entry = slot_entry(word);

    if ((word ^ slot_mark(hash)) >> 48)
        return NULL;
    pdict__hazard_pin(slot, entry);
    *moved = atomic_load_explicit(at, memory_order_seq_cst) != word ||
             atomic_load_explicit(&cache->tables[hash_shard(hash)], memory_order_seq_cst) != table;
    if (!*moved && entry_has_key(entry, key))
        return entry;
    pdict__hazard_release(slot);
    return NULL;
}

static struct entry *find_once(const struct cache *cache, uint64_t hash, pdict_slice key,
                               hazard_slot *slot, bool *moved)
{
    uintptr_t table = atomic_load_explicit(&cache->tables[hash_shard(hash)], memory_order_acquire);
    const struct bucket *buckets = table_buckets(table);
    size_t mask = table_mask(table), at = hash & mask;
    struct entry *entry;

    *moved = false;
    for (size_t probe = 0; probe < PROBES_MOST; probe++, at = (at + 1) & mask) {
        uint64_t tags = atomic_load_explicit(&buckets[at].tags, memory_order_acquire);

        for (uint64_t m = bucket_matches(tags, hash); m; m &= m - 1) {
            entry = pin(cache, hash, key, &buckets[at].slots[lowest_byte(m)], table, slot, moved);
            if (entry || *moved)
                return entry;
        }
        if (tags >> 56 == 0)
            return NULL;
    }
    return NULL;
}

struct entry *pdict__cache_find(const struct cache *cache, uint64_t hash, pdict_slice key,
                                hazard_slot *slot)
{
    struct entry *entry;
    bool moved;

    do
        entry = find_once(cache, hash, key, slot, &moved);
    while (moved);
    return entry;
}

/* ---- putting in and taking out; under the lock of the shard ---- */

static void tag_set(struct bucket *bucket, unsigned byte, uint64_t value)
{
    uint64_t tags = atomic_load_explicit(&bucket->tags, memory_order_relaxed);

    tags = (tags & ~((uint64_t)0xFF << 8 * byte)) | value << 8 * byte;
    atomic_store_explicit(&bucket->tags, tags, memory_order_release);
}

static unsigned passed(const struct bucket *bucket)
{
    return (unsigned)(atomic_load_explicit(&bucket->tags, memory_order_relaxed) >> 56);
}

static bool free_slot(const struct bucket *bucket, unsigned *out)
{
    uint64_t tags = atomic_load_explicit(&bucket->tags, memory_order_relaxed);
    uint64_t empty = ~tags & (TAG_HIGHS >> 8);

    if (!empty)
        return false;
    *out = lowest_byte(empty);
    return true;
}

/* Where a new key goes; the buckets it passes learn of it. */
static bool place_new(uintptr_t table, uint64_t hash, struct entry *entry, uint32_t *where)
{
    struct bucket *buckets = table_buckets(table);
    size_t mask = table_mask(table), home = hash & mask, at = home, probe = 0;
    unsigned slot;

    while (!free_slot(&buckets[at], &slot)) {
        if (++probe == PROBES_MOST)
            return false;
        at = (at + 1) & mask;
    }
    for (size_t i = home; i != at; i = (i + 1) & mask) {
        if (passed(&buckets[i]) < 255)
            tag_set(&buckets[i], 7, passed(&buckets[i]) + 1);
    }
    atomic_store_explicit(&buckets[at].slots[slot], (uint64_t)(uintptr_t)entry | slot_mark(hash),
                          memory_order_release);
    tag_set(&buckets[at], slot, (hash >> 32 & 0x7F) | 0x80);
    *where = (uint32_t)(at * 8 + slot);
    return true;
}

static struct entry *entry_at(uintptr_t table, uint32_t where)
{
    return slot_entry(atomic_load_explicit(&table_buckets(table)[where / 8].slots[where % 8],
                                           memory_order_relaxed));
}

static uint64_t hash_of(const struct cache *cache, const struct entry *entry)
{
    return pdict__cache_hash(cache, (pdict_slice){ entry_key(entry), entry->key_size });
}

static void take_out(uintptr_t table, uint32_t where, uint64_t hash)
{
    struct bucket *buckets = table_buckets(table);
    size_t mask = table_mask(table);

    tag_set(&buckets[where / 8], where % 8, 0);
    atomic_store_explicit(&buckets[where / 8].slots[where % 8], 0, memory_order_seq_cst);
    for (size_t i = hash & mask; i != where / 8; i = (i + 1) & mask) {
        if (passed(&buckets[i]) < 255)
            tag_set(&buckets[i], 7, passed(&buckets[i]) - 1);
    }
}

/* ---- the queue ---- */

static void squeeze(struct shard *shard)
{
    size_t to = 0, hand = 0;

    for (size_t from = 0; from < shard->queue_size; from++) {
        if (from == shard->hand)
            hand = to;
        if (shard->queue[from] != HOLE)
            shard->queue[to++] = shard->queue[from];
    }
    shard->hand = shard->hand >= shard->queue_size ? to : hand;
    shard->queue_size = to;
    shard->holes = 0;
}

static bool queue_reserve(struct cache *cache, struct shard *shard)
{
    size_t room = shard->queue_room + shard->queue_room / 4 + 16;
    uint32_t *queue;

    if (shard->queue_size < shard->queue_room)
        return true;
    if (shard->holes > shard->queue_size / 8) {
        squeeze(shard);
        return true;
    }
    queue = cache->allocator.reallocate(cache->allocator.ctx, shard->queue, room * sizeof(*queue));
    if (!queue)
        return false;
    atomic_fetch_add_explicit(&cache->bytes, (room - shard->queue_room) * sizeof(*queue),
                              memory_order_relaxed);
    shard->queue = queue;
    shard->queue_room = room;
    return true;
}

/* ---- growing ---- */

static bool move_all(const struct cache *cache, struct shard *shard, uintptr_t from, uintptr_t to)
{
    for (size_t i = 0; i < shard->queue_size; i++) {
        struct entry *entry;
        uint32_t where;

        if (shard->queue[i] == HOLE)
            continue;
        entry = entry_at(from, shard->queue[i]);
        if (!place_new(to, hash_of(cache, entry), entry, &where))
            return false;
    }
    return true;
}

/* After move_all(): where everything is now. */
static void renumber(const struct cache *cache, struct shard *shard, uintptr_t from, uintptr_t to)
{
    struct place place = { 0 };

    for (size_t i = 0; i < shard->queue_size; i++) {
        if (shard->queue[i] != HOLE) {
            struct entry *entry = entry_at(from, shard->queue[i]);
            pdict_slice key = { entry_key(entry), entry->key_size };

            locate(to, hash_of(cache, entry), key, &place);
            shard->queue[i] =
                (uint32_t)((size_t)(place.bucket - table_buckets(to)) * 8 + place.slot);
        }
    }
}

/* A larger table, or the old one where there is no memory or, which hardly happens, no place. */
static void grow(struct cache *cache, struct shard *shard)
{
    uintptr_t old = table_of(cache, shard), new;
    unsigned log = table_buckets(old) == &no_buckets ? FIRST_LOG : (unsigned)(old & 63) + 1;
    struct bucket *buckets = log <= LAST_LOG ? pdict__array_new(cache, log) : NULL;

    if (!buckets)
        return;
    new = (uintptr_t)buckets | log;
    if (!move_all(cache, shard, old, new)) {
        pdict__array_retire(cache, buckets);
        return;
    }
    renumber(cache, shard, old, new);
    atomic_store_explicit(&cache->tables[shard - cache->shards], new, memory_order_seq_cst);
    pdict__array_retire(cache, table_buckets(old));
}

static bool is_full(const struct cache *cache, const struct shard *shard)
{
    uintptr_t table = table_of(cache, shard);

    return table_buckets(table) == &no_buckets ||
           shard->count * 100 >= (table_mask(table) + 1) * BUCKET_SLOTS * LOAD_MOST;
}

/* ---- eviction ---- */

static size_t cost_of(const struct cache *cache, const struct entry *entry)
{
    return pdict__slab_charge(&cache->slab, pdict__entry_size(entry)) +
           pdict__entry_decoded_size(entry);
}

static void charge(struct cache *cache, const struct entry *entry)
{
    atomic_fetch_add_explicit(&cache->bytes, cost_of(cache, entry), memory_order_relaxed);
}

static void discharge(struct cache *cache, const struct entry *entry)
{
    atomic_fetch_sub_explicit(&cache->bytes, cost_of(cache, entry), memory_order_relaxed);
}

/* The hash of what was there. */
static uint64_t remove_at(struct cache *cache, struct shard *shard, size_t at)
{
    uintptr_t table = table_of(cache, shard);
    struct entry *entry = entry_at(table, shard->queue[at]);
    uint64_t hash = hash_of(cache, entry);

    take_out(table, shard->queue[at], hash);
    shard->queue[at] = HOLE;
    shard->holes++;
    shard->count--;
    atomic_fetch_sub_explicit(&cache->entries, 1, memory_order_relaxed);
    discharge(cache, entry);
    pdict__entry_retire(cache, entry);
    return hash;
}

/* True, and not as often again. */
static bool is_spared(struct entry *entry)
{
    uint8_t visited = atomic_load_explicit(&entry->visited, memory_order_relaxed);

    if (visited == VISITED_NOT)
        return false;
    atomic_store_explicit(&entry->visited, visited == VISITED_ONCE ? VISITED_NOT : VISITED_ONCE,
                          memory_order_relaxed);
    return true;
}

/* SIEVE (Zhang et al., NSDI 2024): the hand goes from old to new and spares what was used since it
 * last came by, here twice, and once what has come back soon after it was evicted. `newest` is
 * spared in any case; NULL: none. */
static bool evict_one(struct cache *cache, struct shard *shard, const struct entry *newest)
{
    uintptr_t table = table_of(cache, shard);

    if (shard->count == (newest ? 1 : 0) || !pdict__retired_reserve(cache))
        return false;
    for (;; shard->hand++) {
        struct entry *entry;

        if (shard->hand >= shard->queue_size)
            shard->hand = 0;
        if (shard->queue[shard->hand] == HOLE)
            continue;
        entry = entry_at(table, shard->queue[shard->hand]);
        if (entry == newest)
            continue;
        if (!is_spared(entry))
            break;
    }
    pdict__ghost_note(cache, shard, remove_at(cache, shard, shard->hand++));
    atomic_fetch_add_explicit(&cache->evictions, 1, memory_order_relaxed);
    return true;
}

static bool is_over(const struct cache *cache)
{
    return atomic_load_explicit(&cache->bytes, memory_order_relaxed) >
           atomic_load_explicit(&cache->budget, memory_order_relaxed);
}

/* When sizes have changed, many spans may be partly empty. */
static bool is_ragged(const struct cache *cache)
{
    size_t budget = atomic_load_explicit(&cache->budget, memory_order_relaxed);

    return atomic_load_explicit(&cache->slab.held, memory_order_relaxed) >
           budget + budget / 4 + ((size_t)4 << 20);
}

static void evict_from(struct cache *cache, struct shard *shard, const struct entry *newest)
{
    while (is_over(cache) && evict_one(cache, shard, newest))
        ;
}

/* A large entry may take more than its own shard has. */
static void evict_elsewhere(struct cache *cache, unsigned from)
{
    for (unsigned i = 1; i < SHARDS && is_over(cache); i++) {
        struct shard *shard = &cache->shards[(from + i) % SHARDS];

        pthread_mutex_lock(&shard->lock);
        evict_from(cache, shard, NULL);
        pthread_mutex_unlock(&shard->lock);
    }
}

/* ---- what others do with the table ---- */

static struct entry *held_by(const struct place *place)
{
    return slot_entry(
        atomic_load_explicit(&place->bucket->slots[place->slot], memory_order_relaxed));
}

static bool replace(struct cache *cache, const struct place *place, struct entry *entry)
{
    _Atomic uint64_t *slot = &place->bucket->slots[place->slot];
    uint64_t word = atomic_load_explicit(slot, memory_order_relaxed);
    struct entry *old = slot_entry(word);

    if (!pdict__retired_reserve(cache))
        return false;
    atomic_store_explicit(&entry->visited,
                          atomic_load_explicit(&old->visited, memory_order_relaxed),
                          memory_order_relaxed);
    charge(cache, entry);
    discharge(cache, old);
    atomic_store_explicit(slot, (word & (uint64_t)0xFFFF << 48) | (uint64_t)(uintptr_t)entry,
                          memory_order_seq_cst);
    pdict__entry_retire(cache, old);
    return true;
}

static bool add(struct cache *cache, struct shard *shard, uint64_t hash, struct entry *entry)
{
    uint32_t where;

    if (is_full(cache, shard))
        grow(cache, shard);
    if (table_buckets(table_of(cache, shard)) == &no_buckets || !queue_reserve(cache, shard))
        return false;
    if (!place_new(table_of(cache, shard), hash, entry, &where)) {
        grow(cache, shard);
        if (!place_new(table_of(cache, shard), hash, entry, &where))
            return false;
    }
    if (pdict__ghost_take(shard, hash))
        atomic_store_explicit(&entry->visited, VISITED_ONCE, memory_order_relaxed);
    shard->queue[shard->queue_size++] = where;
    shard->count++;
    atomic_fetch_add_explicit(&cache->entries, 1, memory_order_relaxed);
    charge(cache, entry);
    return true;
}

bool pdict__cache_insert(struct cache *cache, uint64_t hash, struct entry *entry,
                         const struct ticket *ticket)
{
    struct shard *shard = &cache->shards[hash_shard(hash)];
    pdict_slice key = { entry_key(entry), entry->key_size };
    struct place place;
    bool is_in = false;

    pthread_mutex_lock(&shard->lock);
    if (!atomic_load_explicit(&cache->is_closed, memory_order_relaxed) &&
        (!ticket || pdict__ticket_holds(cache->coherence, ticket->gen, ticket->token))) {
        is_in = locate(table_of(cache, shard), hash, key, &place) ? replace(cache, &place, entry)
                                                                  : add(cache, shard, hash, entry);
        /* Memory comes back later than bytes are freed: a step at a time. */
        if (is_in && is_ragged(cache))
            evict_one(cache, shard, entry);
        if (is_in)
            evict_from(cache, shard, entry);
    }
    pthread_mutex_unlock(&shard->lock);
    if (is_over(cache))
        evict_elsewhere(cache, hash_shard(hash));
    pdict__cache_reclaim(cache);
    return is_in;
}

/* ---- what was decoded out of an entry ---- */

/* One with room for it, and all else the same. */
static struct entry *copy_of(struct cache *cache, const struct entry *entry)
{
    struct entry_plan plan = { .key = { entry_key(entry), entry->key_size },
                               .value = { entry_value(entry), entry->value_size },
                               .version = entry->version,
                               .created_ms = entry_created_ms(entry),
                               .expires_ms = entry_expires_ms(entry),
                               .flags = ENTRY_DECODED };

    if (entry->flags & ENTRY_IDLE)
        plan.until_ms = atomic_load_explicit(entry_until(entry), memory_order_relaxed);
    return pdict__entry_new(cache, &plan);
}

/* The copy takes the place of the entry, in its bucket and in the slot. */
static bool exchange(struct cache *cache, const struct place *place, hazard_slot *slot,
                     struct entry *entry, struct entry *copy, struct decoded *decoded)
{
    atomic_store_explicit(entry_decoded(copy), decoded, memory_order_relaxed);
    atomic_store_explicit(&copy->stamp, atomic_load_explicit(&entry->stamp, memory_order_relaxed),
                          memory_order_relaxed);
    pdict__hazard_pin(slot, copy);
    if (replace(cache, place, copy))
        return true;
    pdict__hazard_pin(slot, entry);
    atomic_store_explicit(entry_decoded(copy), NULL, memory_order_relaxed);
    return false;
}

/* `copy` is NULL where the entry has the room. */
static bool keep_locked(struct cache *cache, uint64_t hash, hazard_slot *slot, struct entry *copy,
                        const struct decoded *seen, struct decoded *decoded)
{
    struct shard *shard = &cache->shards[hash_shard(hash)];
    struct entry *entry = atomic_load_explicit(slot, memory_order_relaxed);
    pdict_slice key = { entry_key(entry), entry->key_size };
    struct place place;

    if (atomic_load_explicit(&cache->is_closed, memory_order_relaxed) ||
        !locate(table_of(cache, shard), hash, key, &place) || held_by(&place) != entry ||
        entry_first_decoded(entry) != seen)
        return false;
    decoded->next = (struct decoded *)seen;
    if (copy && !exchange(cache, &place, slot, entry, copy, decoded))
        return false;
    if (!copy) {
        atomic_store_explicit(entry_decoded(entry), decoded, memory_order_release);
        atomic_fetch_add_explicit(&cache->bytes, decoded->size, memory_order_relaxed);
    }
    evict_from(cache, shard, copy ? copy : entry);
    return true;
}

bool pdict__cache_keep(struct cache *cache, hazard_slot *slot, const struct decoded *seen,
                       struct decoded *decoded)
{
    const struct entry *entry = atomic_load_explicit(slot, memory_order_relaxed);
    uint64_t hash = pdict__cache_hash(cache, (pdict_slice){ entry_key(entry), entry->key_size });
    bool has_room = entry->flags & ENTRY_DECODED, is_kept;
    struct entry *copy = has_room ? NULL : copy_of(cache, entry);

    if (!has_room && !copy)
        return false;
    pthread_mutex_lock(&cache->shards[hash_shard(hash)].lock);
    is_kept = pdict__cache_takes(cache, decoded->size) &&
              keep_locked(cache, hash, slot, copy, seen, decoded);
    pthread_mutex_unlock(&cache->shards[hash_shard(hash)].lock);
    if (copy && !is_kept)
        pdict__entry_free(cache, copy);
    if (is_over(cache))
        evict_elsewhere(cache, hash_shard(hash));
    pdict__cache_reclaim(cache);
    return is_kept;
}

/* ---- belief ---- */

static uint64_t with_floor(uint64_t stamp, uint16_t floor)
{
    return (stamp & ~(uint64_t)0xFFFF) | floor;
}

void pdict__cache_confirm(struct cache *cache, uint64_t hash, struct entry *entry,
                          const struct ticket *ticket)
{
    struct shard *shard = &cache->shards[hash_shard(hash)];

    pthread_mutex_lock(&shard->lock);
    if (pdict__ticket_holds(cache->coherence, ticket->gen, ticket->token))
        atomic_store_explicit(
            &entry->stamp,
            with_floor(atomic_load_explicit(&entry->stamp, memory_order_relaxed), ticket->floor),
            memory_order_relaxed);
    pthread_mutex_unlock(&shard->lock);
}

static void doubt(struct entry *entry)
{
    uint64_t stamp = atomic_load_explicit(&entry->stamp, memory_order_relaxed);

    atomic_store_explicit(&entry->stamp, with_floor(stamp, FLOOR_NEVER), memory_order_relaxed);
}

void pdict__cache_doubt(struct cache *cache, uint64_t hash)
{
    struct shard *shard = &cache->shards[hash_shard(hash)];
    struct bucket *buckets;
    uintptr_t table;
    size_t at;

    pthread_mutex_lock(&shard->lock);
    table = table_of(cache, shard);
    buckets = table_buckets(table);
    at = hash & table_mask(table);
    for (size_t probe = 0; probe < PROBES_MOST; probe++, at = (at + 1) & table_mask(table)) {
        uint64_t tags = atomic_load_explicit(&buckets[at].tags, memory_order_relaxed);

        for (uint64_t m = bucket_matches(tags, hash); m; m &= m - 1) {
            uint64_t word =
                atomic_load_explicit(&buckets[at].slots[lowest_byte(m)], memory_order_relaxed);

            if ((word ^ slot_mark(hash)) >> 48 == 0)
                doubt(slot_entry(word));
        }
        if (tags >> 56 == 0)
            break;
    }
    pthread_mutex_unlock(&shard->lock);
}

bool pdict__cache_empty_shard(struct cache *cache, size_t at)
{
    struct shard *shard = &cache->shards[at];
    bool is_empty = true;

    pthread_mutex_lock(&shard->lock);
    for (size_t i = 0; i < shard->queue_size && is_empty; i++) {
        if (shard->queue[i] == HOLE)
            continue;
        is_empty = pdict__retired_reserve(cache);
        if (is_empty)
            remove_at(cache, shard, i);
    }
    pthread_mutex_unlock(&shard->lock);
    return is_empty;
}
