/* SPDX-License-Identifier: MIT */
/* Access times: notes of what was used, by key, and when they are written. */
#include "base/calls.h"
#include "base/hazard.h"
#include "map/access.h"
#include "map/cache.h"

/* A flush is called for when a shard has so many bytes of notes, and after so many more notes. */
#define LOG_MOST   ((size_t)1 << 20)
#define CALL_EVERY 64

#define BUSY_PAUSE_MS 100
#define WAIT_MS       100

/* The close tries for so long. */
#define CLOSE_MS 1000

/* ---- flushing ---- */

static bool may_flush(const struct access *access)
{
    return pdict__store_check(access->map->store) == PDICT_OK &&
           !atomic_load(&access->map->store->is_poisoned);
}

static void tick(struct access *access, int64_t now_ms)
{
    struct cache *cache = atomic_load(&access->map->cache);
    uint8_t tick = (uint8_t)(1 + (uint64_t)now_ms / (uint64_t)access->step_ms % VISITED_TICKS);

    if (cache && atomic_load_explicit(&cache->tick, memory_order_relaxed) != tick)
        atomic_store_explicit(&cache->tick, tick, memory_order_relaxed);
}

static int64_t run(void *ctx)
{
    struct access *access = ctx;
    struct store *store = access->map->store;
    bool has_more;
    int status;

    if (!may_flush(access))
        return -1;
    tick(access, pdict__now(&store->clock));
    status = pdict__access_flush(access, WAIT_MS, &has_more);
    if (status == PDICT_BUSY)
        return BUSY_PAUSE_MS;
    if (status != PDICT_OK)
        pdict__log(&store->logger, PDICT_LOG_WARN, "access", status, "%s", pdict_error_text());
    return has_more ? 0 : access->step_ms;
}

static void flush_all(struct access *access)
{
    int64_t until_ms = pdict__steady_ms() + CLOSE_MS;
    bool has_more = may_flush(access);
    int status = PDICT_OK;

    while (has_more && status == PDICT_OK && pdict__steady_ms() < until_ms)
        status = pdict__access_flush(access, WAIT_MS, &has_more);
    if (status != PDICT_OK)
        pdict__log(&access->map->store->logger, PDICT_LOG_WARN, "access", status, "%s",
                   pdict_error_text());
}

/* ---- noting ---- */

static bool is_much(const struct notes *notes, size_t n_before)
{
    return notes->log.size >= LOG_MOST && notes->count / CALL_EVERY != n_before / CALL_EVERY;
}

static struct access_shard *near_shard(struct access *access)
{
    return pdict__hazards && pdict__hazards->number < ACCESS_SHARDS
               ? &access->shards[pdict__hazards->number]
               : NULL;
}

static void start(struct access *access)
{
    struct store *store = access->map->store;

    if (atomic_load_explicit(&access->is_on, memory_order_relaxed) ||
        atomic_exchange(&access->is_on, true))
        return;
    if (pdict__chore_add(&access->chore) == PDICT_OK)
        return;
    pdict__log(&store->logger, PDICT_LOG_WARN, "access", PDICT_NOMEM, "%s", pdict_error_text());
    atomic_store(&access->is_on, false);
}

/* Inside a call. */
static struct access_shard *own_shard(struct access *access)
{
    return &access->shards[pdict__call_number() % ACCESS_SHARDS];
}

static bool is_new(const struct access *access, const struct use *use, int64_t now_ms)
{
    return now_ms - access->step_ms < use->created_ms;
}

/* How many could be noted, from the first on. */
static size_t note_near(struct access *access, const struct use *uses, size_t count, int64_t now_ms)
{
    struct access_shard *near = near_shard(access);
    size_t i = 0;

    while (i < count && (is_new(access, &uses[i], now_ms) ||
                         (near && pdict__note_put(near, uses[i].key, now_ms))))
        i++;
    return i;
}

static size_t note_locked(struct access *access, const struct use *uses, size_t count,
                          int64_t now_ms)
{
    struct access_shard *near = near_shard(access), *shard;
    size_t i = 0, n_before;
    bool is_time;

    pdict__call_begin();
    shard = near ? near : own_shard(access);
    pthread_mutex_lock(&shard->lock);
    n_before = shard->notes.count;
    if (near)
        pdict__note_ring_new(shard);
    pdict__notes_drain(shard);
    while (i < count && (is_new(access, &uses[i], now_ms) ||
                         pdict__note_append(&shard->notes, uses[i].key, now_ms)))
        i++;
    is_time = is_much(&shard->notes, n_before);
    pthread_mutex_unlock(&shard->lock);
    pdict__call_end();
    if (is_time)
        pdict__chore_wake(&access->chore);
    return i;
}

size_t pdict__access_note(struct access *access, const struct use *uses, size_t count)
{
    int64_t now_ms = pdict__now(&access->map->store->clock);
    size_t n_noted;

    start(access);
    tick(access, now_ms);
    if (now_ms <= 0)
        return count;
    n_noted = note_near(access, uses, count, now_ms);
    if (n_noted < count)
        n_noted += note_locked(access, uses + n_noted, count - n_noted, now_ms);
    return n_noted;
}

/* Was the key noted a moment ago, by this thread? If not, it is going to be now. */
static bool is_recent(struct access *access, const struct use *use)
{
    int64_t now_ms = pdict__now(&access->map->store->clock);
    uint64_t hash =
        pdict__hash_keyed(access->map->store->hash_secret, use->key.data, use->key.size);
    struct access_shard *shard;
    struct recent_use *recent;
    bool is_recent;

    if (is_new(access, use, now_ms))
        return false;
    pdict__call_begin();
    shard = own_shard(access);
    pthread_mutex_lock(&shard->lock);
    recent = &shard->recent[hash % RECENT_USES];
    is_recent =
        recent->hash == hash && now_ms >= recent->at_ms && now_ms - recent->at_ms < access->step_ms;
    if (!is_recent)
        *recent = (struct recent_use){ hash, now_ms };
    pthread_mutex_unlock(&shard->lock);
    pdict__call_end();
    return is_recent;
}

void pdict__use(const pdict *d, pdict_slice key, int64_t created_ms)
{
    struct use use = { key, created_ms };

    if (d->access && !is_recent(d->access, &use))
        (void)pdict__access_note(d->access, &use, 1);
}

void pdict__use_puts(const pdict *d, const pdict_change *changes, size_t count)
{
    /* Where entries go unused, the commit has written it, and so it has what was restored. */
    if (!d->access || d->map->lifetimes.idle_ms > 0)
        return;
    for (size_t i = 0; i < count; i++) {
        if (changes[i].kind == PDICT_CHANGE_PUT && changes[i].status == PDICT_OK &&
            changes[i].accessed_ms == 0)
            pdict__use(d, changes[i].row.key, changes[i].row.created_ms);
    }
}

int pdict__last_used(const pdict *d, void *reader, pdict_slice key, const pdict_row *row,
                     int64_t *accessed_ms)
{
    struct store *store = d->map->store;
    int64_t stored_ms = 0, noted_ms = d->access ? pdict__access_noted(d->access, key) : 0;
    int status = PDICT_OK;

    *accessed_ms = row->created_ms > noted_ms ? row->created_ms : noted_ms;
    if (!store->backend->access_get)
        return PDICT_OK;
    /* What a transaction has put has no id yet. */
    if (row->id == 0) {
        stored_ms = pdict__txn_restored(d, key);
    } else {
        status =
            store->backend->access_get(store->engine, reader, d->map->number, row->id, &stored_ms);
    }
    if (status == PDICT_OK && stored_ms > *accessed_ms)
        *accessed_ms = stored_ms;
    return status == PDICT_NOTFOUND ? PDICT_OK : status;
}

int64_t pdict__access_noted(struct access *access, pdict_slice key)
{
    int64_t at_ms = 0;

    for (size_t i = 0; i < ACCESS_SHARDS; i++) {
        struct access_shard *shard = &access->shards[i];
        int64_t here_ms;

        pthread_mutex_lock(&shard->lock);
        pdict__notes_drain(shard);
        here_ms = pdict__notes_search(&shard->notes, access->map->store->hash_secret, key);
        pthread_mutex_unlock(&shard->lock);
        at_ms = here_ms > at_ms ? here_ms : at_ms;
    }
    return at_ms;
}

/* ---- beginning and ending ---- */

static int access_new(struct map *map, struct access **out)
{
    const pdict_allocator *allocator = &map->store->allocator;
    void *memory = pdict__calloc(allocator, 1, sizeof(struct access) + 63);
    struct access *access;

    if (!memory)
        return PDICT_NOMEM;
    access = (struct access *)(((uintptr_t)memory + 63) & ~(uintptr_t)63); // NOLINT
    access->memory = memory;
    access->map = map;
    access->chore = (struct chore){ .name = "access",
                                    .owner = map->store,
                                    .is_manual = map->store->is_manual,
                                    .run = run,
                                    .ctx = access };
    for (size_t i = 0; i < ACCESS_SHARDS; i++) {
        access->flush.taken[i].log.allocator = allocator;
        pthread_mutex_init(&access->shards[i].lock, NULL);
        access->shards[i].notes.log.allocator = allocator;
    }
    *out = access;
    return PDICT_OK;
}

static int join(struct map *map, int64_t granularity_ms, struct access **out)
{
    int64_t step_ms = granularity_ms / ACCESS_STEPS;
    int status;

    if (!map->access) {
        if ((status = access_new(map, &map->access)) != PDICT_OK)
            return status;
        map->access->step_ms = map->access->chore.first_ms = step_ms;
    }
    if (step_ms < map->access->step_ms)
        map->access->step_ms = step_ms;
    *out = map->access;
    return PDICT_OK;
}

int pdict__map_access(struct map *map, int64_t granularity_ms, struct access **out)
{
    int status;

    pthread_mutex_lock(&map->store->maps_lock);
    status = join(map, granularity_ms, out);
    pthread_mutex_unlock(&map->store->maps_lock);
    if (status == PDICT_OK)
        tick(*out, pdict__now(&map->store->clock));
    return status;
}

void pdict__access_free(struct access *access)
{
    const pdict_allocator *allocator;

    if (!access)
        return;
    allocator = &access->map->store->allocator;
    pdict__chore_remove(&access->chore);
    flush_all(access);
    pdict__access_flush_free(&access->flush);
    for (size_t i = 0; i < ACCESS_SHARDS; i++) {
        pdict__notes_free(&access->shards[i].notes);
        pdict__free(allocator, atomic_load(&access->shards[i].ring));
        pthread_mutex_destroy(&access->shards[i].lock);
    }
    pdict__free(allocator, access->memory);
}
