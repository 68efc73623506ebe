/* SPDX-License-Identifier: MIT */
/* Reading through the cache: hits, what is doubted, what is missing; and what own commits leave. */
#include "base/calls.h"
#include "map/cached.h"
#include "map/access.h"

/* ---- keeping up with other processes ---- */

void pdict__ticket_take(const struct store *store, struct ticket *out)
{
    const struct coherence *coherence = &store->coherence;

    out->gen = atomic_load_explicit(&coherence->gen, memory_order_acquire);
    out->floor = (uint16_t)atomic_load_explicit(&coherence->floor, memory_order_acquire);
    pdict__peek(coherence, out->token);
}

/* After so many doubts the numbers begin anew, and an old entry must not look like a new one. */
static void begin_floors_anew(struct store *store)
{
    pthread_mutex_lock(&store->maps_lock);
    for (struct map *map = store->maps; map; map = map->next) {
        struct cache *cache = atomic_load(&map->cache);

        if (cache)
            pdict__cache_clear(cache);
    }
    pthread_mutex_unlock(&store->maps_lock);
    atomic_store_explicit(&store->coherence.floor, FLOOR_NEVER + 1, memory_order_release);
}

/* Between odd and even: everything is compared with its row before its next use. */
static void doubt_everything(struct store *store)
{
    if (atomic_load(&store->coherence.floor) == FLOOR_LAST)
        begin_floors_anew(store);
    else
        atomic_fetch_add_explicit(&store->coherence.floor, 1, memory_order_release);
}

static void doubt_key(void *ctx, uint64_t hash)
{
    struct store *store = ctx;

    for (struct map *map = store->maps; map; map = map->next) {
        struct cache *cache = atomic_load(&map->cache);

        if (cache)
            pdict__cache_doubt(cache, hash);
    }
}

/* Between odd and even: doubt what has moved since the tag, if all of it is told. As
 * pdict__ring_walk(). */
static int doubt_moved(struct store *store, const uint64_t token[2])
{
    struct coherence *coherence = &store->coherence;
    struct token from = { { coherence->tag[0], coherence->tag[1] } };
    struct token to = { { token[0], token[1] } };
    int status;

    pthread_mutex_lock(&store->maps_lock);
    status =
        pdict__ring_walk(pdict__shared_ring(store), from, to, &coherence->wait, doubt_key, store);
    pthread_mutex_unlock(&store->maps_lock);
    return status;
}

/* So often a token may move on while its way is looked for. */
#define TOKENS_MOST 8

/* As doubt_moved(), to where the token is then. What is seen while a commit is being made, as when
 * it starts the log anew, is no commit's and never told: no gap, where the token has moved on. */
static int doubt_until_now(struct store *store, uint64_t token[2])
{
    uint64_t seen[2];
    int status = PDICT_CONFLICT;

    for (int tries = 0; tries < TOKENS_MOST && status == PDICT_CONFLICT; tries++) {
        seen[0] = token[0];
        seen[1] = token[1];
        status = doubt_moved(store, seen);
        pdict__peek(&store->coherence, token);
        if (token[0] == seen[0] && token[1] == seen[1])
            break;
    }
    token[0] = seen[0];
    token[1] = seen[1];
    return status;
}

/* Where it is not told yet, the caches stay at their tag, and it is tried again by the next. */
static void advance(struct store *store, uint64_t token[2])
{
    struct coherence *coherence = &store->coherence;
    uint64_t tag[2] = { coherence->tag[0], coherence->tag[1] };
    int status;

    pdict__gen_odd(coherence);
    status = doubt_until_now(store, token);
    if (status != PDICT_OK && status != PDICT_BUSY)
        doubt_everything(store);
    pdict__gen_even(coherence, status == PDICT_BUSY ? tag : token);
}

/* Somebody else has committed: whoever comes first sees to it, the others read uncached. */
static void catch_up(struct store *store)
{
    struct coherence *coherence = &store->coherence;
    uint64_t token[2];

    if (pthread_mutex_trylock(&coherence->advance) != 0)
        return;
    pdict__peek(coherence, token);
    if (!pdict__tag_is(coherence, token))
        advance(store, token);
    pthread_mutex_unlock(&coherence->advance);
}

/* Bounded: was the token looked at a moment ago? */
static bool is_recent(struct coherence *coherence, int64_t now_ms)
{
    return coherence->mode == COHERENCE_BOUNDED &&
           now_ms - atomic_load_explicit(&coherence->checked_ms, memory_order_relaxed) <
               coherence->bound_ms;
}

/* Is what the cache holds true now, and has it been since the ticket was taken? */
static bool is_true(struct store *store, const struct ticket *ticket)
{
    struct coherence *coherence = &store->coherence;
    int64_t now_ms = coherence->mode == COHERENCE_BOUNDED ? pdict__steady_ms() : 0;
    uint64_t token[2];

    if (is_recent(coherence, now_ms))
        return ticket->gen % 2 == 0 &&
               atomic_load_explicit(&coherence->gen, memory_order_acquire) == ticket->gen;
    pdict__peek(coherence, token);
    if (!pdict__ticket_holds(coherence, ticket->gen, token))
        return false;
    if (coherence->mode == COHERENCE_BOUNDED)
        atomic_store_explicit(&coherence->checked_ms, now_ms, memory_order_relaxed);
    return true;
}

void pdict__cache_current(struct store *store, struct ticket *ticket)
{
    pdict__ticket_take(store, ticket);
    if (is_true(store, ticket))
        return;
    catch_up(store);
    pdict__ticket_take(store, ticket);
}

/* ---- hits ---- */

static bool is_expired(const struct cache *cache, const struct entry *entry)
{
    return (entry->flags & ENTRY_TIMES) &&
           pdict__expired(entry_expires_ms(entry), pdict__now(&cache->clock));
}

/* Is the row to be asked whether it was used meanwhile? */
static bool is_over(const struct cache *cache, const struct entry *entry)
{
    return (entry->flags & ENTRY_IDLE) && entry_is_over(entry, pdict__now(&cache->clock));
}

static bool is_fresh(const struct entry *entry, uint16_t floor)
{
    return (uint16_t)atomic_load_explicit(&entry->stamp, memory_order_acquire) == floor;
}

/* Kept from eviction, but not noted. */
static void touch(struct entry *entry)
{
    uint8_t visited = atomic_load_explicit(&entry->visited, memory_order_relaxed);

    if (visited == VISITED_NOT || visited == VISITED_ONCE)
        atomic_store_explicit(&entry->visited, VISITED_USED, memory_order_relaxed);
}

void pdict__cache_visit(const pdict *d, struct entry *const *entries, size_t count)
{
    const _Atomic uint8_t *tick = &d->cache->tick;
    struct use uses[VISITS_MOST];
    size_t n_noted = 0;

    for (size_t i = 0; i < count && d->access; i++)
        uses[i] = (struct use){ { entry_key(entries[i]), entries[i]->key_size },
                                entry_created_ms(entries[i]) };
    if (d->access)
        n_noted = pdict__access_note(d->access, uses, count);
    for (size_t i = 0; i < n_noted; i++)
        atomic_store_explicit(&entries[i]->visited,
                              atomic_load_explicit(tick, memory_order_relaxed),
                              memory_order_relaxed);
    for (size_t i = n_noted; i < count; i++)
        touch(entries[i]);
}

static void view_entry(const struct entry *entry, hazard_slot *slot, pdict_view *out)
{
    *out = (pdict_view){
        .data = entry_value(entry),
        .size = entry->value_size,
        .version = entry->version,
        .created_ms = entry_created_ms(entry),
        .expires_ms = entry_expires_ms(entry),
        .pin = pdict__view_pin_slot(slot),
    };
}

/* The record lies in the entry; the view gets a block of its own. */
static int view_record(const pdict *d, const struct entry *entry, hazard_slot *slot,
                       pdict_view *out)
{
    struct workbench *bench = pdict__bench_for(d);
    pdict_row row = { .key = { entry_key(entry), entry->key_size },
                      .value = { entry_value(entry), entry->value_size },
                      .version = entry->version,
                      .created_ms = entry_created_ms(entry),
                      .expires_ms = entry_expires_ms(entry) };
    int status = bench ? pdict__view_fill(d, bench, &row, out) : PDICT_NOMEM;

    if (bench)
        pdict__bench_give(d->map->pipeline, bench);
    /* The row may have been made anew, and the key of its old record be gone. */
    if (status == PDICT_AUTH || status == PDICT_DOWNGRADE || status == PDICT_FORMAT)
        status = pdict__get_uncached(d, row.key, out);
    pdict__hazard_release(slot);
    return status;
}

/* An entry that is true and pinned with the slot, as a result. */
static int answer(const pdict *d, struct entry *entry, hazard_slot *slot, pdict_view *out)
{
    if ((entry->flags & ENTRY_ABSENT) || is_expired(d->cache, entry)) {
        touch(entry);
        pdict__hazard_release(slot);
        return PDICT_NOTFOUND;
    }
    if (!entry_is_visited(d->cache, entry))
        pdict__cache_visit(d, &entry, 1);
    if (d->cache->is_sealed)
        return view_record(d, entry, slot, out);
    view_entry(entry, slot, out);
    return PDICT_OK;
}

struct entry *pdict__cache_look(const pdict *d, pdict_slice key, struct cache_look *look)
{
    struct cache_counters *counters;
    struct entry *entry;

    *look = (struct cache_look){ .hash = pdict__cache_hash(d->cache, key),
                                 .settings = pdict__settings(d->map) };
    look->slot = pdict__hazard_take();
    if (!look->slot)
        return NULL;
    pdict__cache_current(d->map->store, &look->ticket);
    counters = pdict__cache_counters(d->cache);
    entry = pdict__cache_find(d->cache, look->hash, key, look->slot);
    look->is_true = entry && is_fresh(entry, look->ticket.floor) && !is_over(d->cache, entry) &&
                    is_true(d->map->store, &look->ticket);
    if (!look->is_true)
        pdict__count_one(&counters->misses);
    else if (entry->flags & ENTRY_ABSENT)
        pdict__count_one(&counters->absent_hits);
    else
        pdict__count_one(&counters->hits);
    return entry;
}

/* ---- what is missing or doubted ---- */

/* Decode into an entry that is to be cached or, where it does not fit, into a block of the view's
 * own. */
struct entry_sink {
    struct cache *cache;
    struct entry_plan plan;
    struct entry *entry;
};

static void *reserve_entry(void *ctx, size_t size)
{
    struct entry_sink *sink = ctx;

    if (sink->entry)
        pdict__entry_free(sink->cache, sink->entry);
    sink->plan.value = (pdict_slice){ NULL, size };
    sink->entry = pdict__entry_new(sink->cache, &sink->plan);
    return sink->entry ? (void *)entry_value(sink->entry) : NULL;
}

/* So many steps of access times an entry is believed to be in use, before the row is asked again:
 * the number of the step in its mark does not come round meanwhile. */
#define BELIEVED_STEPS 200

/* Until when a row, absent from `until_ms` on, is believed; 0: its map lets nothing go unused. */
static int64_t believed_until(const pdict *d, int64_t until_ms)
{
    const struct lifetimes *lifetimes = &d->map->lifetimes;
    int64_t most_ms = lifetimes->granularity_ms / ACCESS_STEPS * BELIEVED_STEPS;

    if (lifetimes->idle_ms == 0)
        return 0;
    most_ms = pdict__time_add(pdict__now(&d->cache->clock), most_ms);
    return until_ms != 0 && until_ms < most_ms ? until_ms : most_ms;
}

static struct entry_plan plan_of(const pdict *d, const pdict_row *row, int64_t until_ms)
{
    return (struct entry_plan){ .key = row->key,
                                .version = row->version,
                                .created_ms = row->created_ms,
                                .expires_ms = row->expires_ms,
                                .until_ms = believed_until(d, until_ms) };
}

static struct entry *decode_entry(const pdict *d, struct workbench *bench, const pdict_row *row,
                                  int64_t until_ms)
{
    struct entry_sink target = { .cache = d->cache, .plan = plan_of(d, row, until_ms) };
    struct binding binding = { row->key, row->version, row->expires_ms };
    struct sink sink = { reserve_entry, &target };
    pdict_slice value;

    if (pdict__decode(d->map->pipeline, bench, &binding, row->value, &sink, &value) == PDICT_OK)
        return target.entry;
    if (target.entry)
        pdict__entry_free(d->cache, target.entry);
    return NULL;
}

static struct entry *sealed_entry(const pdict *d, const pdict_row *row, int64_t until_ms)
{
    struct entry_plan plan = plan_of(d, row, until_ms);

    plan.value = row->value;
    return pdict__entry_new(d->cache, &plan);
}

/* Cache an entry, pinned with the look's slot; in vain, it goes with the last pin. */
static void offer(const pdict *d, const struct cache_look *look, struct entry *entry, bool sees)
{
    bool is_in;

    pdict__hazard_pin(look->slot, entry);
    is_in = sees && pdict__cache_insert(d->cache, look->hash, entry, &look->ticket);
    if (is_in)
        pdict__retired_unreserve(d->cache);
    else
        pdict__entry_retire(d->cache, entry);
}

/* A row as a view; the value is decoded once, into what becomes the entry. */
static int view_row(const pdict *d, const struct cache_look *look, const pdict_row *row, bool sees,
                    pdict_view *out)
{
    struct workbench *bench = pdict__bench_of(d, look->of_rows);
    struct entry *entry = NULL;
    int status = PDICT_OK;

    if (!bench)
        return PDICT_NOMEM;
    if (pdict__retired_reserve(d->cache)) {
        entry = d->cache->is_sealed ? sealed_entry(d, row, look->until_ms)
                                    : decode_entry(d, bench, row, look->until_ms);
        if (!entry)
            pdict__retired_unreserve(d->cache);
    }
    if (entry) {
        pdict__entry_stamp(entry, row->created_ms, look->ticket.floor);
        offer(d, look, entry, sees);
    }
    if (entry && !d->cache->is_sealed) {
        view_entry(entry, look->slot, out);
    } else {
        status = pdict__view_fill(d, bench, row, out);
        pdict__hazard_release(look->slot);
    }
    pdict__bench_give(d->map->pipeline, bench);
    if (status == PDICT_OK)
        pdict__use(d, row->key, row->created_ms);
    return status;
}

static void remember_absence(const pdict *d, const struct cache_look *look, pdict_slice key)
{
    struct entry_plan plan = { .key = key, .flags = ENTRY_ABSENT };
    struct entry *entry = pdict__entry_new(d->cache, &plan);

    if (!entry)
        return;
    pdict__entry_stamp(entry, 0, look->ticket.floor);
    if (!pdict__cache_insert(d->cache, look->hash, entry, &look->ticket))
        pdict__entry_free(d->cache, entry);
}

static bool is_of_row(const struct entry *entry, const pdict_row *row)
{
    return !(entry->flags & ENTRY_ABSENT) && entry->version == row->version &&
           entry_expires_ms(entry) == row->expires_ms;
}

/* Its use is noted whatever its mark says. */
static void renew(const pdict *d, struct entry *entry, int64_t until_ms)
{
    atomic_store_explicit(entry_until(entry), believed_until(d, until_ms), memory_order_relaxed);
    atomic_store_explicit(&entry->visited, VISITED_USED, memory_order_relaxed);
}

int pdict__cache_compare(const pdict *d, const struct cache_look *look, struct entry *entry,
                         const pdict_row *row, int status, bool sees, pdict_view *out)
{
    bool is_gone = status == PDICT_OK && look->until_ms != 0 &&
                   pdict__expired(look->until_ms, pdict__now(&d->cache->clock));
    /* By other settings the same row may stand for other bytes. */
    bool is_same =
        entry && look->settings == pdict__settings(d->map) &&
        (status == PDICT_OK ? is_of_row(entry, row) : (entry->flags & ENTRY_ABSENT) != 0);

    if (is_same && (entry->flags & ENTRY_IDLE) && !is_gone)
        renew(d, entry, look->until_ms);
    if (is_same && !is_gone) {
        pdict__count_one(&pdict__cache_counters(d->cache)->revalidations);
        if (sees)
            pdict__cache_confirm(d->cache, look->hash, entry, &look->ticket);
        return answer(d, entry, look->slot, out);
    }
    if (status == PDICT_OK && !is_gone)
        return view_row(d, look, row, sees, out);
    pdict__hazard_release(look->slot);
    /* What has expired may yet be there, by a clock that is put back. */
    if (status == PDICT_NOTFOUND && sees)
        remember_absence(d, look, row->key);
    return PDICT_NOTFOUND;
}

bool pdict__snapshot_sees(const struct store *store, void *reader, const struct ticket *ticket)
{
    return !store->backend->watch_sees || store->coherence.mode == COHERENCE_PRIVATE ||
           store->backend->watch_sees(store->engine, reader, ticket->token);
}

static int read_through(const pdict *d, struct cache_look *look, struct entry *entry,
                        pdict_slice key, pdict_view *out)
{
    struct store *store = d->map->store;
    pdict_row row = { .key = key };
    void *reader;
    bool sees;
    int status = pdict__begin_with(d, &look->of_rows, &reader);

    if (status != PDICT_OK) {
        pdict__hazard_release(look->slot);
        return status;
    }
    status = pdict__row_read(d->map, reader, key, &row, &look->until_ms);
    row.key = key;
    sees = pdict__snapshot_sees(store, reader, &look->ticket);
    if (status == PDICT_OK || status == PDICT_NOTFOUND)
        status = pdict__cache_compare(d, look, entry, &row, status, sees, out);
    else
        pdict__hazard_release(look->slot);
    pdict__end(d, reader);
    return status;
}

static int get_cached(const pdict *d, pdict_slice key, pdict_view *out)
{
    struct cache_look look;
    struct entry *entry;

    entry = pdict__cache_look(d, key, &look);
    if (!look.slot)
        return pdict__get_uncached(d, key, out);
    if (look.is_true)
        return answer(d, entry, look.slot, out);
    return read_through(d, &look, entry, key, out);
}

int pdict__get_cached(const pdict *d, pdict_slice key, pdict_view *out)
{
    int status = pdict__store_enter(d->map->store);

    if (status != PDICT_OK)
        return status;
    status = get_cached(d, key, out);
    pdict__store_leave();
    return status;
}

static int get_hit(const pdict *d, pdict_slice key, pdict_view *out)
{
    struct cache_look look;
    struct entry *entry = pdict__cache_look(d, key, &look);

    if (look.slot && look.is_true)
        return answer(d, entry, look.slot, out);
    if (look.slot)
        pdict__hazard_release(look.slot);
    return STATUS_UNKNOWN;
}

int pdict__get_hit(const pdict *d, pdict_slice key, pdict_view *out)
{
    int status = pdict__store_enter(d->map->store);

    *out = (pdict_view){ 0 };
    if (status != PDICT_OK)
        return status;
    status = get_hit(d, key, out);
    pdict__store_leave();
    return status;
}

static bool peek_cached(const pdict *d, pdict_slice key, bool *is_there)
{
    struct cache_look look;
    struct entry *entry;

    entry = pdict__cache_look(d, key, &look);
    if (!look.slot)
        return false;
    *is_there = look.is_true && !(entry->flags & ENTRY_ABSENT) && !is_expired(d->cache, entry);
    if (*is_there)
        touch(entry);
    pdict__hazard_release(look.slot);
    return look.is_true;
}

bool pdict__peek_cached(const pdict *d, pdict_slice key, bool *is_there)
{
    bool is_known;

    /* What is wrong is said by who reads the store. */
    if (pdict__store_enter(d->map->store) != PDICT_OK)
        return false;
    is_known = peek_cached(d, key, is_there);
    pdict__store_leave();
    return is_known;
}

/* ---- for own commits ---- */

struct entry *pdict__cache_prepare(const pdict *d, const pdict_change *change, pdict_slice value)
{
    struct entry_plan plan;
    struct entry *entry;

    if (!d->cache)
        return NULL;
    plan = plan_of(d, &change->row, pdict__idle_deadline(&d->map->lifetimes, pdict__handle_now(d)));
    plan.value = d->cache->is_sealed ? change->row.value : value;
    if (change->kind == PDICT_CHANGE_DEL)
        plan = (struct entry_plan){ .key = change->row.key, .flags = ENTRY_ABSENT };
    else if (!plan.value.data)
        plan.value.data = "";
    pdict__call_begin();
    entry = pdict__entry_new(d->cache, &plan);
    pdict__call_end();
    return entry;
}

void pdict__cache_discard(const pdict *d, struct entry *prepared)
{
    if (!prepared)
        return;
    pdict__call_begin();
    pdict__entry_free(d->cache, prepared);
    pdict__call_end();
}
