/* SPDX-License-Identifier: MIT */
/* The maps of a store: list, drop, rename. */
#include "map/map.h"

/* ---- listing ---- */

struct listing {
    struct store *store;
    void *reader;
    struct buf name, codecs;
};

static int copy_text(struct buf *out, pdict_slice text)
{
    int status;

    out->size = 0;
    if ((status = pdict__buf_append(out, text.data, text.size)) != PDICT_OK)
        return status;
    return pdict__buf_append(out, "", 1);
}

/* Everything that the listing says of one map, from the snapshot. */
static int describe(struct listing *listing, uint32_t number, pdict_map_info *info)
{
    const pdict_backend *backend = listing->store->backend;
    void *engine = listing->store->engine;
    struct descriptor descriptor;
    struct lifetimes lifetimes;
    pdict_slice text;
    int status;

    status = backend->system_get(engine, listing->reader, number, pdict_str(SYSTEM_CODECS), &text);
    if (status == PDICT_NOTFOUND)
        status = pdict_fail(PDICT_DAMAGED,
                            "%s: map '%s' has lost its settings; restore the store "
                            "from a backup",
                            listing->store->path, (char *)listing->name.data);
    if (status == PDICT_OK)
        status = copy_text(&listing->codecs, text);
    if (status == PDICT_OK)
        status = backend->system_get(engine, listing->reader, number, pdict_str(SYSTEM_DESCRIPTOR),
                                     &text);
    if (status == PDICT_OK)
        status = pdict__descriptor_decode(text, &descriptor);
    if (status == PDICT_OK)
        status = pdict__lifetimes_read(listing->store, listing->reader, number, &lifetimes);
    if (status == PDICT_OK)
        status = pdict__rows_count(listing->store, listing->reader, number, &lifetimes,
                                   pdict__now(&listing->store->clock), &info->count);
    if (status != PDICT_OK)
        return status;
    info->name = (char *)listing->name.data;
    info->codecs = (char *)listing->codecs.data;
    info->is_encrypted = pdict__descriptor_cipher(&descriptor) != NULL;
    return PDICT_OK;
}

static int list(struct listing *listing, pdict_map_fn fn, void *ctx)
{
    struct store *store = listing->store;
    uint32_t number = 0;
    int status;

    for (;;) {
        pdict_map_info info = { 0 };
        pdict_slice name;

        status = store->backend->map_next(store->engine, listing->reader, number, &number, &name);
        if (status == PDICT_OK)
            status = copy_text(&listing->name, name);
        if (status == PDICT_OK)
            status = describe(listing, number, &info);
        if (status == PDICT_OK)
            status = fn(ctx, &info);
        if (status != PDICT_OK)
            return status == PDICT_END ? PDICT_OK : status;
    }
}

int pdict_store_maps(pdict_store *store, pdict_map_fn fn, void *ctx)
{
    struct listing listing = { .store = store->store };
    int status = pdict__read_begin(store->store, &listing.reader);

    if (status != PDICT_OK)
        return status;
    listing.name.allocator = listing.codecs.allocator = &store->store->allocator;
    status = list(&listing, fn, ctx);
    pdict__buf_free(&listing.name);
    pdict__buf_free(&listing.codecs);
    pdict__read_end(store->store, listing.reader);
    return status;
}

/* ---- dropping and renaming ---- */

struct catalog_change {
    const char *name;
    const char *new_name;
};

static int find_inside(struct store *store, void *txn, const char *name, uint32_t *number)
{
    int status = store->backend->map_find(store->engine, txn, pdict_str(name), number);

    if (status == PDICT_NO_MAP)
        return pdict_fail(PDICT_NO_MAP,
                          "%s has no map '%s'; see which ones there are with "
                          "`pdict maps`",
                          store->path, name);
    return status;
}

static bool is_open(struct store *store, uint32_t number)
{
    struct map *map;

    pthread_mutex_lock(&store->maps_lock);
    for (map = store->maps; map && map->number != number; map = map->next)
        ;
    pthread_mutex_unlock(&store->maps_lock);
    return map != NULL;
}

static int drop_inside(void *ctx, struct store *store, void *txn)
{
    const struct catalog_change *change = ctx;
    uint32_t number;
    int status;

    if ((status = find_inside(store, txn, change->name, &number)) != PDICT_OK)
        return status;
    if (is_open(store, number))
        return pdict_fail(PDICT_BUSY,
                          "%s: map '%s' is open in this process; close it before it is "
                          "dropped",
                          store->path, change->name);
    return store->backend->map_drop(store->engine, txn, number);
}

static int rename_inside(void *ctx, struct store *store, void *txn)
{
    const struct catalog_change *change = ctx;
    uint32_t number;
    int status;

    if ((status = find_inside(store, txn, change->name, &number)) != PDICT_OK)
        return status;
    return store->backend->map_rename(store->engine, txn, number, pdict_str(change->new_name));
}

static int commit_work(pdict_store *store, struct catalog_change *change,
                       int (*work)(void *ctx, struct store *store, void *txn))
{
    struct commit commit = {
        .durability = PDICT_FULL_SYNC, .timeout_ms = store->timeout_ms, .work = work, .ctx = change
    };

    return pdict__commit(store->store, &commit);
}

int pdict_store_drop(pdict_store *store, const char *name)
{
    struct catalog_change change = { name, NULL };

    return commit_work(store, &change, drop_inside);
}

int pdict_store_rename(pdict_store *store, const char *name, const char *new_name)
{
    struct catalog_change change = { name, new_name };
    int status = pdict__map_name_check(new_name);

    return status == PDICT_OK ? commit_work(store, &change, rename_inside) : status;
}
