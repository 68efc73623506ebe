/* SPDX-License-Identifier: MIT */
/* The slots of an encrypted map: listed, added, changed, removed; its records stay as they are. */
#include "map/map.h"

static int check_encrypted(const pdict *d)
{
    int status = pdict__settings_check(d);

    if (status != PDICT_OK || pdict__settings(d->map)->seal != SEAL_NONE)
        return status;
    return pdict_fail(PDICT_NOT_ENCRYPTED, "%s: map '%s' is not encrypted, so it has no slots",
                      d->map->store->path, d->name);
}

/* The keyring as it is stored now; another process may have changed it since the map was opened. */
static int load_ring(const pdict *d, void *txn, struct keyring **out)
{
    static const char *const names[] = { SYSTEM_KEYRING, SYSTEM_KEYRING_COPY };
    const struct keyring *opened = pdict__pipeline_ring(d->map->pipeline);
    struct store *store = d->map->store;
    pdict_slice text;
    int status = PDICT_DAMAGED;

    for (size_t i = 0; i < 2 && status == PDICT_DAMAGED; i++) {
        status = store->backend->system_get(store->engine, txn, d->map->number, pdict_str(names[i]),
                                            &text);
        if (status == PDICT_OK)
            status = pdict__keyring_reopen(opened, text, out);
        else if (status == PDICT_NOTFOUND)
            status = pdict_fail(PDICT_DAMAGED,
                                "%s: map '%s' has lost its keyring; restore the "
                                "store from a backup",
                                store->path, d->name);
    }
    return status;
}

/* ---- listing ---- */

static int walk_slots(const pdict *d, const struct keyring *ring, pdict_slot_fn fn, void *ctx)
{
    struct slot_facts facts;
    int status = PDICT_OK;

    for (size_t i = 0; status == PDICT_OK && pdict__keyring_slot_at(ring, i, &facts); i++) {
        pdict_slot slot = { .number = facts.number,
                            .is_passphrase = facts.is_passphrase,
                            .is_own = facts.number == d->opened_slot,
                            .operations = facts.operations,
                            .memory_bytes = facts.memory_bytes };

        status = fn(ctx, &slot);
    }
    return status;
}

int pdict_slots(pdict *d, pdict_slot_fn fn, void *ctx)
{
    struct keyring *ring;
    void *reader;
    int status;

    if ((status = check_encrypted(d)) != PDICT_OK)
        return status;
    if ((status = pdict__begin(d, &reader)) != PDICT_OK)
        return status;
    status = load_ring(d, reader, &ring);
    pdict__end(d, reader);
    if (status != PDICT_OK)
        return status;
    status = walk_slots(d, ring, fn, ctx);
    pdict__keyring_free(ring);
    return status;
}

/* ---- changing ---- */

struct slot_change {
    const pdict *d;
    const struct slot_draft *draft; /* NULL: remove */
    unsigned number;                /* 0: a new one, which receives its number */
};

static int store_ring(const pdict *d, void *txn, const struct keyring *ring)
{
    struct store *store = d->map->store;
    struct buf text = { .allocator = &store->allocator };
    int status;

    status = pdict__keyring_encode(ring, &text);
    if (status == PDICT_OK)
        status = store->backend->system_put(store->engine, txn, d->map->number,
                                            pdict_str(SYSTEM_KEYRING),
                                            pdict_bytes(text.data, text.size));
    if (status == PDICT_OK)
        status = store->backend->system_put(store->engine, txn, d->map->number,
                                            pdict_str(SYSTEM_KEYRING_COPY),
                                            pdict_bytes(text.data, text.size));
    pdict__buf_free(&text);
    return status;
}

static int change_inside(void *ctx, struct store *store, void *txn)
{
    struct slot_change *change = ctx;
    struct keyring *ring;
    int status;

    (void)store;
    if ((status = load_ring(change->d, txn, &ring)) != PDICT_OK)
        return status;
    status = change->draft ? pdict__keyring_slot_put(ring, change->draft, &change->number)
                           : pdict__keyring_slot_remove(ring, change->number);
    if (status == PDICT_OK)
        status = store_ring(change->d, txn, ring);
    pdict__keyring_free(ring);
    return status;
}

static int commit_change(struct slot_change *change)
{
    const pdict *d = change->d;
    struct commit commit = { .durability = PDICT_FULL_SYNC,
                             .timeout_ms = d->timeout_ms,
                             .work = change_inside,
                             .keeps_rows = true,
                             .ctx = change };

    if (d->is_read_only)
        return pdict_fail(PDICT_READ_ONLY, "%s: this handle was opened with mode=ro",
                          d->map->store->path);
    return pdict__commit(d->map->store, &commit);
}

static int read_secret(const pdict_secret *given, struct secret *secret, pdict_kdf *kdf)
{
    pdict_secret full = PDICT_SECRET_INIT;

    if (given->struct_size < sizeof(given->struct_size))
        return pdict_fail(PDICT_INVAL, "pdict_secret: set struct_size, see PDICT_SECRET_INIT");
    memcpy(&full, given, given->struct_size < sizeof(full) ? given->struct_size : sizeof(full));
    if (!full.passphrase.data == !full.key.data)
        return pdict_fail(PDICT_INVAL, "pdict_secret: give a passphrase or a key, and not both");
    *secret = (struct secret){ full.passphrase.data ? full.passphrase : full.key,
                               .is_passphrase = full.passphrase.data != NULL };
    return pdict__kdf_find(full.kdf ? full.kdf : "moderate", kdf);
}

/* The derivation runs here, before the commit takes any lock. */
static int put_slot(pdict *d, const pdict_secret *given, unsigned *number)
{
    struct slot_change change = { .d = d, .number = *number };
    struct slot_draft *draft;
    struct secret secret;
    pdict_kdf kdf;
    int status;

    if ((status = check_encrypted(d)) != PDICT_OK)
        return status;
    if ((status = read_secret(given, &secret, &kdf)) != PDICT_OK)
        return status;
    status = pdict__slot_draft(pdict__pipeline_ring(d->map->pipeline), &secret, &kdf, &draft);
    if (status != PDICT_OK)
        return status;
    change.draft = draft;
    status = commit_change(&change);
    pdict__slot_draft_free(draft);
    *number = change.number;
    return status;
}

int pdict_slot_add(pdict *d, const pdict_secret *secret, unsigned *number)
{
    unsigned added = 0;
    int status = put_slot(d, secret, &added);

    if (status == PDICT_OK && number)
        *number = added;
    return status;
}

int pdict_slot_set(pdict *d, unsigned number, const pdict_secret *secret)
{
    if (number == 0)
        number = d->opened_slot;
    return put_slot(d, secret, &number);
}

int pdict_slot_remove(pdict *d, unsigned number)
{
    struct slot_change change = { .d = d, .number = number };
    int status = check_encrypted(d);

    return status == PDICT_OK ? commit_change(&change) : status;
}

void pdict_forget_keys(void)
{
    pdict__keycache_forget();
}
