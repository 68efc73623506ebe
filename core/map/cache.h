/* SPDX-License-Identifier: MIT */
/* The cache of one map: decoded values by key, found without a lock and pinned by hazard slots. */
#ifndef PDICT_MAP_CACHE_H
#define PDICT_MAP_CACHE_H

#include "base/hash.h"
#include "base/hazard.h"
#include "map/slab.h"
#include "store/store.h"

/*
 * Readers take no lock. They find a slot, name its entry in a hazard slot, and look at the slot
 * again; what they read of an entry then stays as it is, whatever becomes of the slot. Writers hold
 * the lock of the key's shard. Lock order: shard, retired, slab.
 */

#if defined(__GNUC__)
#define PDICT__RARE(condition) __builtin_expect(!!(condition), 0)
#define PDICT__APART           __attribute__((noinline))
#define PDICT__WITHIN          inline __attribute__((always_inline))
#else
#define PDICT__RARE(condition) (condition)
#define PDICT__APART
#define PDICT__WITHIN inline
#endif

/* What was decoded out of the value of an entry, which it goes with. */
struct decoded {
    struct decoded *next;
    size_t size; /* of the budget that it takes */
    void (*free)(struct decoded *decoded);
};

/* ---- entries: never change once they can be found, but for a few atomics ---- */

enum entry_flag {
    ENTRY_ABSENT = 1,  /* the key is known to be absent: no value */
    ENTRY_EXPIRES = 8, /* its value is the size of the field */
    ENTRY_IDLE = 16,   /* instead, where entries go unused: that field and another */
    ENTRY_DECODED = 32 /* behind the value is where that leads which was decoded out of it */
};

#define ENTRY_TIMES (ENTRY_EXPIRES | ENTRY_IDLE)

struct entry {
    uint32_t value_size;
    uint16_t key_size;
    uint8_t flags;
    _Atomic uint8_t visited; /* since the hand of the eviction last came by, and when: access.h */
    uint64_t version;
    _Atomic uint64_t stamp; /* created_ms << 16 | the floor at which it was last known to be true */
    uint8_t bytes[]; /* [expires_ms, [until_ms]], key, up to 7 bytes, value[, up to 7, decoded] */
};

#define CACHE_LINE 64

#define ENTRY_HEAD     24
#define ENTRY_KEY_MOST UINT16_MAX

_Static_assert(offsetof(struct entry, bytes) == ENTRY_HEAD, "no padding before the bytes");

static inline const uint8_t *entry_key(const struct entry *entry)
{
    return entry->bytes + (entry->flags & ENTRY_TIMES);
}

static inline size_t entry_value_at(size_t times_size, size_t key_size)
{
    return (ENTRY_HEAD + times_size + key_size + 7) & ~(size_t)7;
}

/* Aligned to 8 bytes. */
static inline const uint8_t *entry_value(const struct entry *entry)
{
    return (const uint8_t *)entry + entry_value_at(entry->flags & ENTRY_TIMES, entry->key_size);
}

static inline size_t entry_decoded_at(const struct entry *entry)
{
    size_t value_at = entry_value_at(entry->flags & ENTRY_TIMES, entry->key_size);

    return (value_at + entry->value_size + 7) & ~(size_t)7;
}

/* Of ENTRY_DECODED: a list that only grows, under the lock of the shard. */
static inline _Atomic(struct decoded *) *entry_decoded(const struct entry *entry)
{
    return (_Atomic(struct decoded *) *)((uint8_t *)entry + entry_decoded_at(entry));
}

/* The list of any entry, for readers who have it pinned. */
static inline struct decoded *entry_first_decoded(const struct entry *entry)
{
    return entry->flags & ENTRY_DECODED
               ? atomic_load_explicit(entry_decoded(entry), memory_order_acquire)
               : NULL;
}

static inline int64_t entry_expires_ms(const struct entry *entry)
{
    int64_t expires_ms = 0;

    if (entry->flags & ENTRY_TIMES)
        memcpy(&expires_ms, entry->bytes, sizeof(expires_ms));
    return expires_ms;
}

/* Of ENTRY_IDLE: from when on the row is to be asked again. It moves while others read. */
static inline _Atomic int64_t *entry_until(const struct entry *entry)
{
    return (_Atomic int64_t *)(entry->bytes + sizeof(int64_t));
}

static inline bool entry_is_over(const struct entry *entry, int64_t now_ms)
{
    return (entry->flags & ENTRY_IDLE) &&
           now_ms >= atomic_load_explicit(entry_until(entry), memory_order_relaxed);
}

static inline int64_t entry_created_ms(const struct entry *entry)
{
    return (int64_t)atomic_load_explicit(&entry->stamp, memory_order_relaxed) >> 16;
}

/* ---- buckets: one cache line each ---- */

#define BUCKET_SLOTS 7
/* A key lies in one of so many buckets from its own on. */
#define PROBES_MOST  8

/*
 * Byte i of `tags` is 0 or says something of the key in slot i; the highest byte counts the keys
 * that found this bucket full and went on, and stays at 255 once there. A slot is the address of an
 * entry below 16 further bits of the hash, the highest of which is always set.
 */
struct bucket {
    _Atomic uint64_t tags;
    _Atomic uint64_t slots[BUCKET_SLOTS];
};

#define TAG_ONES  0x0101010101010101U
#define TAG_HIGHS 0x8080808080808080U

/* The highest bit of each byte whose slot may hold a key of this hash: there may be more than
 * those that do, as in every such test, but none is missing. */
static inline uint64_t bucket_matches(uint64_t tags, uint64_t hash)
{
    uint64_t differences = tags ^ (TAG_ONES * ((hash >> 32 & 0x7F) | 0x80));

    return (differences - TAG_ONES) & ~differences & (TAG_HIGHS >> 8);
}

static inline unsigned lowest_byte(uint64_t highs)
{
    return (unsigned)__builtin_ctzll(highs) / 8;
}

static inline uint64_t slot_mark(uint64_t hash)
{
    return (hash << 6 | (uint64_t)1 << 63) & (uint64_t)0xFFFF << 48;
}

static inline struct entry *slot_entry(uint64_t slot)
{
    return (struct entry *)(uintptr_t)(slot & ~((uint64_t)0xFFFF << 48)); // NOLINT
}

/* ---- the cache ---- */

#define SHARDS 64

/* One word tells where the buckets of a shard are and, in its low 6 bits, how many. */
static inline struct bucket *table_buckets(uintptr_t table)
{
    return (struct bucket *)(table & ~(uintptr_t)63); // NOLINT
}

static inline size_t table_mask(uintptr_t table)
{
    return ((size_t)1 << (table & 63)) - 1;
}

static inline unsigned hash_shard(uint64_t hash)
{
    return (unsigned)(hash >> 58);
}

struct shard {
    pthread_mutex_t lock;
    size_t count;
    /* Where the entries lie, oldest first, as bucket * 8 + slot; some are holes. */
    uint32_t *queue;
    size_t queue_size, queue_room, holes;
    size_t hand;      /* of the eviction: SIEVE */
    uint16_t *ghosts; /* see ghosts.h */
    size_t n_ghosts;
};

#define CACHE_COUNTERS 64

/* What threads count, without a lock: two that share a line may lose a count. */
struct cache_counters {
    _Atomic uint64_t hits, absent_hits, misses, revalidations;
    char padding[64 - 4 * sizeof(_Atomic uint64_t)];
};

struct array; /* memory of buckets */

struct cache {
    const struct coherence *coherence;
    bool uses_system_clock;
    bool is_sealed; /* entries hold records, not values */
    bool wipes;
    _Atomic uint8_t tick;  /* what a hit leaves in `visited` */
    atomic_bool is_closed; /* nothing comes in any more */
    struct clock clock;
    _Atomic uintptr_t tables[SHARDS];
    uint8_t secret[HASH_SECRET_SIZE];
    _Alignas(64) struct cache_counters counters[CACHE_COUNTERS];

    pdict_allocator allocator;
    struct slab slab;
    struct shard shards[SHARDS];
    atomic_size_t bytes;  /* of entries that can be found, buckets and queues */
    atomic_size_t budget; /* how many that may be */
    atomic_size_t entries;
    _Atomic uint64_t evictions;

    pthread_mutex_t arrays_lock;
    struct array *arrays; /* every one ever used: readers may be late */
    char *chunk;          /* of which the next array is cut */
    size_t chunk_left;

    pthread_mutex_t retired_lock;
    struct entry **retired; /* unlinked, maybe still named by hazard slots */
    size_t n_retired, retired_room, n_reserved, reclaim_at;
    size_t n_pins;        /* slots that named them at the last look */
    size_t reclaim_batch; /* gathered for one barrier */
    size_t retired_bytes;

    void *memory;       /* as the allocator gave it */
    struct cache *next; /* among those that outlive their map */
};

/* What a value was read under; it may be cached while this still holds. */
struct ticket {
    uint64_t gen;
    uint64_t token[2];
    uint16_t floor;
};

/* ---- cache.c ---- */

struct cache_config {
    const pdict_allocator *allocator;
    const struct coherence *coherence;
    const struct clock *clock;
    const uint8_t *secret; /* of the hash, HASH_SECRET_SIZE bytes */
    size_t budget;
    bool is_sealed, wipes;
};

int pdict__cache_new(const struct cache_config *config, struct cache **out);
/* Views that pin its entries keep their memory. NULL is fine. */
void pdict__cache_free(struct cache *cache);
/* Room for so much more, never less. */
void pdict__cache_grow(struct cache *cache, size_t budget);
/* Forget everything. */
void pdict__cache_clear(struct cache *cache);

/* Is something not too large a part of it? */
bool pdict__cache_takes(const struct cache *cache, size_t size);

/* What an entry is to be made of; value.data NULL: to be filled in by the caller. */
struct entry_plan {
    pdict_slice key;
    pdict_slice value;
    uint64_t version;
    int64_t created_ms, expires_ms;
    int64_t until_ms; /* 0: entries of the map do not go unused */
    uint8_t flags;    /* ENTRY_ABSENT, ENTRY_DECODED or 0 */
};

/* An entry that cannot be found yet. NULL: it does not fit, or no memory; no error text. */
struct entry *pdict__entry_new(struct cache *cache, const struct entry_plan *plan);
/* Complete what was not known when it was made. */
void pdict__entry_stamp(struct entry *entry, int64_t created_ms, uint16_t floor);
/* Free one that was never inserted and that nobody has pinned. */
void pdict__entry_free(struct cache *cache, struct entry *entry);
/* The same, once no hazard slot names it. */
void pdict__entry_retire(struct cache *cache, struct entry *entry);
size_t pdict__entry_size(const struct entry *entry);
/* What was decoded out of it takes so much more. */
size_t pdict__entry_decoded_size(const struct entry *entry);
/* Room to retire one more, which then cannot fail; false: no memory. */
bool pdict__retired_reserve(struct cache *cache);
void pdict__retired_unreserve(struct cache *cache);
/* Free what no slot names; called with nothing locked. */
void pdict__cache_reclaim(struct cache *cache);

extern atomic_bool pdict__cache_has_orphans;
/* A view was released, maybe of a cache without a map: free what such have left, where it was the
 * last one. */
void pdict__cache_reap(void);

/* ---- cache_arrays.c: memory of buckets ---- */

/* 2^log empty ones. NULL: no memory, without an error text. */
struct bucket *pdict__array_new(struct cache *cache, unsigned log);
/* A reader may have found them a moment ago, and look into them yet. */
void pdict__array_retire(struct cache *cache, const struct bucket *buckets);
void pdict__arrays_free(struct cache *cache);

/* ---- cache_table.c ---- */

static inline uint64_t pdict__cache_hash(const struct cache *cache, pdict_slice key)
{
    return pdict__hash_keyed(cache->secret, key.data, key.size);
}

/* Find a key and pin its entry with the slot; NULL: not there, and nothing is pinned. */
struct entry *pdict__cache_find(const struct cache *cache, uint64_t hash, pdict_slice key,
                                hazard_slot *slot);
/* Make an entry the one of its key. With a ticket: unless it has become void. False: the entry is
 * still the caller's. */
bool pdict__cache_insert(struct cache *cache, uint64_t hash, struct entry *entry,
                         const struct ticket *ticket);
/* Let the entry that the slot pins keep what was decoded out of it, if it still leads the same as
 * when the caller looked: `seen`. The slot may pin another entry in its place then, with the same
 * key and value. False: what was decoded is still the caller's. */
bool pdict__cache_keep(struct cache *cache, hazard_slot *slot, const struct decoded *seen,
                       struct decoded *decoded);
/* The entry, pinned by the caller, has turned out to be true as of the ticket. */
void pdict__cache_confirm(struct cache *cache, uint64_t hash, struct entry *entry,
                          const struct ticket *ticket);
/* Every entry whose key may have this hash is to be compared with its row before its next use. */
void pdict__cache_doubt(struct cache *cache, uint64_t hash);
/* Unlink everything of one shard; false: no memory to do so, and what is left is still there. */
bool pdict__cache_empty_shard(struct cache *cache, size_t at);
void pdict__cache_tables_init(struct cache *cache);
void pdict__cache_tables_free(struct cache *cache);

/* ---- counting ---- */

static inline void pdict__count_one(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static inline struct cache_counters *pdict__cache_counters(const struct cache *cache)
{
    unsigned number = pdict__hazards ? pdict__hazards->number : 0;

    return (struct cache_counters *)&cache->counters[number % CACHE_COUNTERS];
}

/* Is there nothing to be done for its use? */
static inline bool entry_is_visited(const struct cache *cache, const struct entry *entry)
{
    return atomic_load_explicit(&entry->visited, memory_order_relaxed) ==
           atomic_load_explicit(&cache->tick, memory_order_relaxed);
}

/* ---- comparing keys ---- */

static inline bool key_equal(const uint8_t *a, const uint8_t *b, size_t size)
{
    uint64_t differences;

    if (size > 32 || size < 8)
        return size == 0 || memcmp(a, b, size) == 0;
    differences = (pdict__load64(a) ^ pdict__load64(b)) |
                  (pdict__load64(a + size - 8) ^ pdict__load64(b + size - 8));
    if (size > 16)
        differences |= (pdict__load64(a + 8) ^ pdict__load64(b + 8)) |
                       (pdict__load64(a + size - 16) ^ pdict__load64(b + size - 16));
    return differences == 0;
}

static inline bool entry_has_key(const struct entry *entry, pdict_slice key)
{
    return entry->key_size == key.size && key_equal(entry_key(entry), key.data, key.size);
}

#endif
