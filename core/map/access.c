/* SPDX-License-Identifier: MIT */
/* Access times: notes of what was used, by key, and when they are written. */
#include "base/calls.h"
#include "map/access.h"
#include "map/cache.h"

/* Slots of a shard at first; a flush is called for when it has so many notes, or bytes of keys. */
#define SLOTS_FIRST 64
#define NOTES_MOST  8192
#define BYTES_MOST  ((size_t)1 << 20)

#define BUSY_PAUSE_MS 100
#define WAIT_MS       100

/* The close tries for so long. */
#define CLOSE_MS 1000

/* ---- notes ---- */

static pdict_slice key_of(const struct notes *notes, const struct note *note)
{
    return (pdict_slice){ notes->keys.data + note->key_at, note->key_size };
}

static struct note *slot_for(const struct notes *notes, uint64_t hash, pdict_slice key)
{
    for (size_t at = hash & (notes->n_slots - 1);; at = (at + 1) & (notes->n_slots - 1)) {
        struct note *note = &notes->slots[at];

        if (note->at_ms == 0)
            return note;
        if (note->hash == hash && pdict__slice_equal(key_of(notes, note), key))
            return note;
    }
}

/* At most half of the slots are in use. */
static bool make_room(struct notes *notes)
{
    struct notes larger = *notes;

    if (notes->count * 2 < notes->n_slots)
        return true;
    larger.n_slots = notes->n_slots ? notes->n_slots * 2 : SLOTS_FIRST;
    larger.slots = pdict__calloc(notes->keys.allocator, larger.n_slots, sizeof(*larger.slots));
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < notes->n_slots; i++) {
        const struct note *note = &notes->slots[i];

        if (note->at_ms != 0)
            *slot_for(&larger, note->hash, key_of(notes, note)) = *note;
    }
    pdict__free(notes->keys.allocator, notes->slots);
    *notes = larger;
    return true;
}

static bool note_new(struct notes *notes, struct note *slot, const struct note *note,
                     pdict_slice key)
{
    size_t key_at = notes->keys.size;

    if (pdict__buf_append(&notes->keys, key.data, key.size) != PDICT_OK)
        return false;
    *slot = *note;
    slot->key_at = key_at;
    slot->key_size = key.size;
    notes->count++;
    return true;
}

static bool note_one(struct notes *notes, uint64_t hash, pdict_slice key, int64_t now_ms)
{
    struct note note = { .hash = hash, .at_ms = now_ms }, *slot;

    if (!make_room(notes))
        return false;
    slot = slot_for(notes, hash, key);
    if (slot->at_ms == 0)
        return note_new(notes, slot, &note, key);
    if (slot->at_ms < now_ms)
        slot->at_ms = now_ms;
    return true;
}

static bool is_much(const struct notes *notes)
{
    return notes->count == NOTES_MOST ||
           (notes->keys.size >= BYTES_MOST && notes->count % SLOTS_FIRST == 0);
}

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

static struct access_shard *shard_of(struct access *access, uint64_t hash)
{
    return &access->shards[hash >> 32 & (ACCESS_SHARDS - 1)];
}

static bool note_used(struct access *access, pdict_slice key, int64_t now_ms)
{
    uint64_t hash = pdict__hash_keyed(access->map->store->hash_secret, key.data, key.size);
    struct access_shard *shard = shard_of(access, hash);
    bool is_noted, is_time;

    pdict__call_begin();
    pthread_mutex_lock(&shard->lock);
    is_noted = note_one(&shard->notes, hash, key, now_ms);
    is_time = is_much(&shard->notes);
    pthread_mutex_unlock(&shard->lock);
    pdict__call_end();
    if (is_time)
        pdict__chore_wake(&access->chore);
    return is_noted;
}

bool pdict__access_note(struct access *access, pdict_slice key, int64_t created_ms)
{
    int64_t now_ms = pdict__now(&access->map->store->clock);
    bool is_new = now_ms - access->step_ms < created_ms;

    start(access);
    tick(access, now_ms);
    return is_new || now_ms <= 0 || note_used(access, key, now_ms);
}

int64_t pdict__access_noted(struct access *access, pdict_slice key)
{
    const struct store *store = access->map->store;
    uint64_t hash = pdict__hash_keyed(store->hash_secret, key.data, key.size);
    struct access_shard *shard = shard_of(access, hash);
    int64_t at_ms = 0;

    pthread_mutex_lock(&shard->lock);
    if (shard->notes.n_slots > 0)
        at_ms = slot_for(&shard->notes, hash, key)->at_ms;
    pthread_mutex_unlock(&shard->lock);
    return at_ms;
}

void pdict__use(const pdict *d, pdict_slice key, int64_t created_ms)
{
    if (d->access)
        (void)pdict__access_note(d->access, key, created_ms);
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
        access->flush.taken[i].keys.allocator = allocator;
        pthread_mutex_init(&access->shards[i].lock, NULL);
        access->shards[i].notes.keys.allocator = allocator;
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
        pthread_mutex_destroy(&access->shards[i].lock);
    }
    pdict__free(allocator, access->memory);
}
