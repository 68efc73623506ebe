/* SPDX-License-Identifier: MIT */
/* pdict_get(): a hit is one short function without a lock; everything rare is elsewhere. */
#include "base/fork.h"
#include "map/access.h"
#include "map/cached.h"

static int get_row_view(const pdict *d, struct generation_ref settings, void *reader,
                        pdict_slice key, pdict_view *out)
{
    struct workbench *bench;
    pdict_row row;
    int status;

    if ((status = pdict__row_get(d, reader, key, &row)) != PDICT_OK)
        return status;
    bench = pdict__bench_of(d, settings);
    if (!bench)
        return PDICT_NOMEM;
    row.key = key;
    status = pdict__view_fill(d, bench, &row, out);
    pdict__bench_give(d->map->pipeline, bench);
    if (status == PDICT_OK)
        pdict__use(d, key, row.created_ms);
    return status;
}

int pdict__get_uncached(const pdict *d, pdict_slice key, pdict_view *out)
{
    struct generation_ref settings;
    void *reader;
    int status;

    if ((status = pdict__begin_with(d, &settings, &reader)) != PDICT_OK)
        return status;
    status = get_row_view(d, settings, reader, key, out);
    pdict__end(d, reader);
    return status;
}

static PDICT__APART int get_far(const pdict *d, pdict_slice key, pdict_view *out)
{
    struct hidden_key room;
    int status;

    *out = (pdict_view){ 0 };
    if ((status = pdict__hide(d, &key, &room)) != PDICT_OK)
        return status;
    return d->cache ? pdict__get_cached(d, key, out) : pdict__get_uncached(d, key, out);
}

/* Something of a near look did not hold; `slot` may have pinned something meanwhile. */
static PDICT__APART int get_after_all(const pdict *d, pdict_slice key, pdict_view *out,
                                      hazard_slot *slot)
{
    pdict__hazard_release(slot);
    return get_far(d, key, out);
}

static PDICT__WITHIN void prefetch(const void *memory)
{
    __builtin_prefetch(memory);
}

/* The entry of a key, pinned with the slot; NULL: not at once, and the slot may hold anything. */
static PDICT__WITHIN struct entry *find_near(const struct cache *cache, uint64_t hash,
                                             pdict_slice key, hazard_slot *slot)
{
    const _Atomic uintptr_t *table_at = &cache->tables[hash_shard(hash)];
    uintptr_t table = atomic_load_explicit(table_at, memory_order_acquire);
    const struct bucket *bucket = table_buckets(table) + (hash & table_mask(table));
    uint64_t tags = atomic_load_explicit(&bucket->tags, memory_order_acquire);

    for (uint64_t matches = bucket_matches(tags, hash); matches; matches &= matches - 1) {
        const _Atomic uint64_t *at = &bucket->slots[lowest_byte(matches)];
        uint64_t word = atomic_load_explicit(at, memory_order_acquire);
        struct entry *entry = slot_entry(word);

        if (PDICT__RARE((word ^ slot_mark(hash)) >> 48))
            continue;
        /* Where the value begins, mostly. */
        prefetch((const char *)entry + CACHE_LINE);
        pdict__hazard_pin_fast(slot, entry);
        if (PDICT__RARE(atomic_load_explicit(at, memory_order_acquire) != word ||
                        atomic_load_explicit(table_at, memory_order_acquire) != table))
            return NULL;
        if (entry_has_key(entry, key))
            return entry;
    }
    return NULL;
}

static PDICT__WITHIN bool is_believed(const struct coherence *coherence, uint64_t stamp)
{
    return (uint16_t)stamp ==
           (uint16_t)atomic_load_explicit(&coherence->floor, memory_order_acquire);
}

static PDICT__WITHIN bool is_current(const struct coherence *coherence, uint64_t gen)
{
    uint64_t token[2];

    pdict__peek(coherence, token);
    return pdict__ticket_holds(coherence, gen, token);
}

static PDICT__WITHIN void view_near(const struct entry *entry, uint64_t stamp, hazard_slot *slot,
                                    pdict_view *out)
{
    out->data = entry_value(entry);
    out->size = entry->value_size;
    out->version = entry->version;
    out->created_ms = (int64_t)stamp >> 16;
    out->expires_ms = entry_expires_ms(entry);
    out->pin = pdict__view_pin_slot(slot);
}

static PDICT__APART int visit(const pdict *d, struct entry *entry)
{
    pdict__cache_visit(d, &entry, 1);
    return PDICT_OK;
}

static PDICT__WITHIN int finish(const pdict *d, struct entry *entry, uint64_t stamp,
                                hazard_slot *slot, pdict_view *out)
{
    struct cache_counters *counters = &d->near->counters[pdict__hazards->number % CACHE_COUNTERS];

    pdict__count_one(&counters->hits);
    view_near(entry, stamp, slot, out);
    return PDICT__RARE(!entry_is_visited(d->near, entry)) ? visit(d, entry) : PDICT_OK;
}

static bool is_expired(const struct cache *cache, const struct entry *entry)
{
    int64_t now_ms;

    if (!(entry->flags & ENTRY_TIMES))
        return false;
    now_ms = cache->uses_system_clock ? pdict__system_now_ms(NULL) : pdict__now(&cache->clock);
    return pdict__expired(entry_expires_ms(entry), now_ms);
}

static bool is_over(const struct cache *cache, const struct entry *entry)
{
    return (entry->flags & ENTRY_IDLE) && entry_is_over(entry, pdict__now(&cache->clock));
}

/* The slot pins an entry that is absent, expires or leads to what was decoded; everything else has
 * been looked at but the token. */
static PDICT__APART int get_flagged(const pdict *d, pdict_slice key, pdict_view *out,
                                    hazard_slot *slot, uint64_t gen)
{
    struct entry *entry = atomic_load_explicit(slot, memory_order_relaxed);
    uint64_t stamp = atomic_load_explicit(&entry->stamp, memory_order_relaxed);

    if ((entry->flags & ENTRY_ABSENT) || is_expired(d->near, entry) || is_over(d->near, entry) ||
        !is_current(d->near->coherence, gen))
        return get_after_all(d, key, out, slot);
    return finish(d, entry, stamp, slot, out);
}

/*
 * Everything a hit does, in the order that makes it true (see struct coherence): gen, find, pin,
 * look again, token, gen. Anything else than an entry in the bucket of its key that is present,
 * believed and not expired goes the long way.
 */
static PDICT__WITHIN int get_near(const pdict *d, pdict_slice key, pdict_view *out)
{
    const struct cache *cache = d->near;
    struct hazards *mine = pdict__hazards;
    const struct coherence *coherence;
    hazard_slot *slot;
    struct entry *entry;
    uint64_t gen, stamp;

    if (PDICT__RARE(!cache || !mine))
        return get_far(d, key, out);
    slot = mine->spare;
    coherence = cache->coherence;
    if (PDICT__RARE(atomic_load_explicit(slot, memory_order_relaxed) ||
                    mine->fork_count != pdict__fork_count_now()))
        return get_far(d, key, out);

    gen = atomic_load_explicit(&coherence->gen, memory_order_acquire);
    entry = find_near(cache, pdict__cache_hash(cache, key), key, slot);
    if (PDICT__RARE(!entry))
        return get_after_all(d, key, out, slot);
    stamp = atomic_load_explicit(&entry->stamp, memory_order_acquire);
    if (PDICT__RARE(!is_believed(coherence, stamp)))
        return get_after_all(d, key, out, slot);
    if (PDICT__RARE(entry->flags))
        return get_flagged(d, key, out, slot, gen);
    if (PDICT__RARE(!is_current(coherence, gen)))
        return get_after_all(d, key, out, slot);
    return finish(d, entry, stamp, slot, out);
}

static PDICT__APART int get_any_size(const pdict *d, pdict_slice key, pdict_view *out)
{
    return get_near(d, key, out);
}

/* Of the usual sizes this calls nothing but in its last step, and so saves no registers. */
int pdict_get(pdict *d, pdict_slice key, pdict_view *out)
{
    if (PDICT__RARE(key.size - HASH_NEAR_LEAST > HASH_NEAR_MOST - HASH_NEAR_LEAST))
        return get_any_size(d, key, out);
    return get_near(d, key, out);
}

/* ---- many ---- */

/* So many cache misses are under way at once. */
#define TOGETHER VISITS_MOST

/* The first entry whose tag matches, nearly always the right one: its head and key, and where its
 * value begins, which mostly is in the next line. */
static void prefetch_entry(const struct cache *cache, uint64_t hash)
{
    uintptr_t table = atomic_load_explicit(&cache->tables[hash_shard(hash)], memory_order_acquire);
    const struct bucket *bucket = table_buckets(table) + (hash & table_mask(table));
    uint64_t matches =
        bucket_matches(atomic_load_explicit(&bucket->tags, memory_order_relaxed), hash);
    const char *entry;

    if (!matches)
        return;
    entry = (const char *)slot_entry(
        atomic_load_explicit(&bucket->slots[lowest_byte(matches)], memory_order_relaxed));
    prefetch(entry);
    prefetch(entry + CACHE_LINE);
}

static void prefetch_all(const struct cache *cache, const pdict_slice *keys, size_t count,
                         uint64_t *hashes)
{
    for (size_t i = 0; i < count; i++) {
        uintptr_t table;

        hashes[i] = pdict__cache_hash(cache, keys[i]);
        table = atomic_load_explicit(&cache->tables[hash_shard(hashes[i])], memory_order_relaxed);
        prefetch(table_buckets(table) + (hashes[i] & table_mask(table)));
    }
    for (size_t i = 0; i < count; i++)
        prefetch_entry(cache, hashes[i]);
}

/* One key of many: pinned and believed, present or absent; or STATUS_UNKNOWN. */
static int look_near(const pdict *d, uint64_t hash, pdict_slice key, hazard_slot *slot,
                     pdict_view *view)
{
    const struct cache *cache = d->near;
    struct entry *entry = slot ? find_near(cache, hash, key, slot) : NULL;
    uint64_t stamp;
    int status = STATUS_UNKNOWN;

    if (!entry && slot)
        entry = pdict__cache_find(cache, hash, key, slot);
    if (!entry)
        return STATUS_UNKNOWN;
    stamp = atomic_load_explicit(&entry->stamp, memory_order_acquire);
    if (is_believed(cache->coherence, stamp) && !is_over(cache, entry)) {
        if (!PDICT__RARE(entry->flags) ||
            (!(entry->flags & ENTRY_ABSENT) && !is_expired(cache, entry))) {
            view_near(entry, stamp, slot, view);
            return PDICT_OK;
        }
        status = PDICT_NOTFOUND;
    }
    pdict__hazard_release(slot);
    return status;
}

/* All at once, so that the misses of the look are not held up by a lock. */
static void visit_some(const pdict *d, const pdict_view *views, const int *statuses, size_t count)
{
    struct entry *entries[TOGETHER];
    size_t n_entries = 0;

    for (size_t i = 0; i < count; i++) {
        struct entry *entry;

        if (statuses[i] != PDICT_OK)
            continue;
        entry = atomic_load_explicit(pdict__view_slot(views[i].pin), memory_order_relaxed);
        if (PDICT__RARE(!entry_is_visited(d->near, entry)))
            entries[n_entries++] = entry;
    }
    if (n_entries > 0)
        pdict__cache_visit(d, entries, n_entries);
}

static void look_at_some(const pdict *d, const pdict_slice *keys, size_t count, pdict_view *views,
                         int *statuses)
{
    struct hazards *mine = pdict__hazards;
    uint64_t hashes[TOGETHER];
    size_t at = 0;

    prefetch_all(d->near, keys, count, hashes);
    for (size_t i = 0; i < count; i++) {
        hazard_slot *slot;

        while (at < HAZARD_SLOTS && atomic_load_explicit(&mine->slots[at], memory_order_relaxed))
            at++;
        slot = at < HAZARD_SLOTS ? &mine->slots[at] : pdict__hazard_take();
        statuses[i] = look_near(d, hashes[i], keys[i], slot, &views[i]);
        if (statuses[i] != PDICT_OK)
            views[i] = (pdict_view){ 0 };
    }
    visit_some(d, views, statuses, count);
}

/* As pdict__count_one(): one that is missed now and then is better than a locked line. */
static void count_some(_Atomic uint64_t *counter, size_t count)
{
    if (count > 0)
        atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + count,
                              memory_order_relaxed);
}

static size_t count_many(const pdict *d, const int *statuses, size_t count)
{
    struct cache_counters *counters = pdict__cache_counters(d->cache);
    size_t n_absent = 0, n_unknown = 0;

    for (size_t i = 0; i < count; i++) {
        n_absent += statuses[i] == PDICT_NOTFOUND;
        n_unknown += statuses[i] == STATUS_UNKNOWN;
    }
    count_some(&counters->hits, count - n_absent - n_unknown);
    count_some(&counters->absent_hits, n_absent);
    return n_unknown;
}

void pdict__know_nothing(pdict_view *views, int *statuses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        views[i] = (pdict_view){ 0 };
        statuses[i] = STATUS_UNKNOWN;
    }
}

void pdict__give_up(pdict_view *views, int *statuses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pdict_view_release(&views[i]);
        statuses[i] = STATUS_UNKNOWN;
    }
}

bool pdict__get_many_near(const pdict *d, const pdict_slice *keys, size_t count, pdict_view *views,
                          int *statuses, struct ticket *ticket, size_t *n_unknown)
{
    const struct coherence *coherence = d->near->coherence;

    pdict__ticket_take(d->map->store, ticket);
    if (!pdict__hazards || pdict__hazards->fork_count != pdict__fork_count_now()) {
        pdict__know_nothing(views, statuses, count);
        return false;
    }
    for (size_t done = 0, some; done < count; done += some) {
        some = count - done < TOGETHER ? count - done : TOGETHER;
        look_at_some(d, keys + done, some, views + done, statuses + done);
    }
    if (!is_current(coherence, ticket->gen)) {
        pdict__give_up(views, statuses, count);
        return false;
    }
    *n_unknown = count_many(d, statuses, count);
    return true;
}
