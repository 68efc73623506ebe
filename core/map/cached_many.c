/* SPDX-License-Identifier: MIT */
/* Many keys through the cache: what it knows and what it does not, as of one instant. */
#include "map/cached.h"

/* Many keys on their way: what is known, and from where the others are read. */
struct many {
    const pdict *d;
    const pdict_slice *keys;
    size_t count;
    pdict_view *views;
    int *statuses;
    struct ticket ticket;
    void *reader;
    struct generation_ref settings;
    bool sees; /* the snapshot holds every commit that the ticket counts */
};

static int read_one(const struct many *many, pdict_slice key, pdict_view *out)
{
    const pdict *d = many->d;
    struct cache_look look = { .hash = pdict__cache_hash(d->cache, key),
                               .settings = pdict__settings(d->map),
                               .ticket = many->ticket,
                               .of_rows = many->settings,
                               .slot = pdict__hazard_take() };
    pdict_row row = { .key = key };
    struct entry *entry;
    int status;

    if (!look.slot)
        return pdict__nomem(sizeof(struct hazards));
    pdict__count_one(&pdict__cache_counters(d->cache)->misses);
    entry = pdict__cache_find(d->cache, look.hash, key, look.slot);
    status = pdict__row_read(d->map, many->reader, key, &row, &look.until_ms);
    row.key = key;
    if (status == PDICT_OK || status == PDICT_NOTFOUND)
        return pdict__cache_compare(d, &look, entry, &row, status, many->sees, out);
    pdict__hazard_release(look.slot);
    return status;
}

/* Nothing that the cache knows of the keys is counted on. */
static int begin_anew(struct many *many)
{
    pdict__give_up(many->views, many->statuses, many->count);
    pdict__cache_current(many->d->map->store, &many->ticket);
    return pdict__begin_with(many->d, &many->settings, &many->reader);
}

/* A snapshot of the instant of which something is known; if there was a commit meanwhile, of any
 * later one, and nothing is known any more. */
static int begin_many(struct many *many, bool knows_some)
{
    struct store *store = many->d->map->store;
    uint64_t token[2];
    int status =
        knows_some ? pdict__begin_with(many->d, &many->settings, &many->reader) : begin_anew(many);

    if (status != PDICT_OK)
        return status;
    many->sees = pdict__snapshot_sees(store, many->reader, &many->ticket);
    if (!knows_some)
        return PDICT_OK;
    pdict__peek(&store->coherence, token);
    if (many->sees && pdict__ticket_holds(&store->coherence, many->ticket.gen, token))
        return PDICT_OK;
    pdict__end(many->d, many->reader);
    if ((status = begin_anew(many)) == PDICT_OK)
        many->sees = pdict__snapshot_sees(store, many->reader, &many->ticket);
    return status;
}

static int read_unknown(struct many *many)
{
    int result = PDICT_OK;

    for (size_t i = 0; i < many->count; i++) {
        int status = many->statuses[i];

        if (status == STATUS_UNKNOWN)
            status = read_one(many, many->keys[i], &many->views[i]);
        many->statuses[i] = status;
        if (result == PDICT_OK && status != PDICT_NOTFOUND)
            result = status;
    }
    pdict__end(many->d, many->reader);
    return result;
}

/* Does the cache know some of them? After a commit of somebody else only once it has caught up. */
static size_t count_unknown(struct many *many)
{
    const pdict *d = many->d;
    size_t n_unknown;

    for (int tries = 0; d->near && tries < 2; tries++) {
        if (pdict__get_many_near(d, many->keys, many->count, many->views, many->statuses,
                                 &many->ticket, &n_unknown))
            return n_unknown;
        pdict__cache_current(d->map->store, &many->ticket);
    }
    return many->count;
}

static int fail_many(struct many *many, int status)
{
    pdict__give_up(many->views, many->statuses, many->count);
    for (size_t i = 0; i < many->count; i++)
        many->statuses[i] = status;
    return status;
}

static int get_many(struct many *many)
{
    size_t n_unknown = count_unknown(many);
    int status;

    if (n_unknown == 0)
        return PDICT_OK;
    status = begin_many(many, n_unknown < many->count);
    return status == PDICT_OK ? read_unknown(many) : fail_many(many, status);
}

int pdict__get_many_cached(const pdict *d, const pdict_slice *keys, size_t count, pdict_view *views,
                           int *statuses)
{
    struct many many = {
        .d = d, .keys = keys, .count = count, .views = views, .statuses = statuses
    };
    int status = pdict__store_enter(d->map->store);

    if (!d->near || status != PDICT_OK)
        pdict__know_nothing(views, statuses, count);
    if (status != PDICT_OK)
        return fail_many(&many, status);
    status = get_many(&many);
    pdict__store_leave();
    return status;
}
