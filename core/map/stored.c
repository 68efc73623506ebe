/* SPDX-License-Identifier: MIT */
/* What the store keeps of a map beside its rows: read, and written when the map is made. */
#include "map/map.h"

void pdict__stored_init(struct stored_map *stored, const pdict_allocator *allocator)
{
    *stored = (struct stored_map){ .number = 0 };
    stored->descriptor.allocator = stored->codecs.allocator = allocator;
    stored->keyring.allocator = stored->keyring_copy.allocator = allocator;
}

void pdict__stored_free(struct stored_map *stored)
{
    pdict__buf_free(&stored->descriptor);
    pdict__buf_free(&stored->codecs);
    pdict__buf_free(&stored->keyring);
    pdict__buf_free(&stored->keyring_copy);
}

/* ---- reading what is stored ---- */

int pdict__stored_value(struct store *store, void *txn, uint32_t number, const char *name,
                        struct buf *out)
{
    pdict_slice value;
    int status;

    status = store->backend->system_get(store->engine, txn, number, pdict_str(name), &value);
    if (status == PDICT_NOTFOUND)
        return PDICT_OK;
    return status == PDICT_OK ? pdict__buf_append(out, value.data, value.size) : status;
}

static int read_texts(struct store *store, void *txn, struct stored_map *out)
{
    int status = pdict__stored_value(store, txn, out->number, SYSTEM_DESCRIPTOR, &out->descriptor);

    if (status == PDICT_OK)
        status = pdict__stored_value(store, txn, out->number, SYSTEM_CODECS, &out->codecs);
    if (status == PDICT_OK)
        status = pdict__stored_value(store, txn, out->number, SYSTEM_KEYRING, &out->keyring);
    if (status == PDICT_OK)
        status =
            pdict__stored_value(store, txn, out->number, SYSTEM_KEYRING_COPY, &out->keyring_copy);
    if (status == PDICT_OK)
        status = pdict__limits_read(store, txn, out->number, &out->limits);
    if (status == PDICT_OK)
        status = pdict__lifetimes_read(store, txn, out->number, &out->lifetimes);
    return status;
}

static int read_stored(struct store *store, void *txn, const char *name, struct stored_map *out)
{
    int status = store->backend->map_find(store->engine, txn, pdict_str(name), &out->number);

    return status == PDICT_OK ? read_texts(store, txn, out) : status;
}

/* Begin to read what is stored, behind the generation of now. */
static int begin_stored(struct store *store, struct stored_map *out, void **reader)
{
    int status = pdict__store_enter(store);

    if (status != PDICT_OK)
        return status;
    out->generation = pdict__generation(store);
    status = pdict__read_begin(store, reader);
    pdict__store_leave();
    return status;
}

int pdict__stored_load(struct store *store, struct stored_map *stored)
{
    void *reader;
    int status = begin_stored(store, stored, &reader);

    if (status != PDICT_OK)
        return status;
    status = read_texts(store, reader, stored);
    pdict__read_end(store, reader);
    return status;
}

int pdict__stored_reopen(const struct stored_map *stored, const struct keyring *opened,
                         struct keyring **out)
{
    int status = pdict__keyring_reopen(opened, pdict__buf_slice(&stored->keyring), out);

    return status == PDICT_DAMAGED
               ? pdict__keyring_reopen(opened, pdict__buf_slice(&stored->keyring_copy), out)
               : status;
}

int pdict__stored_find(struct store *store, const char *name, struct stored_map *out)
{
    void *reader;
    int status = begin_stored(store, out, &reader);

    if (status != PDICT_OK)
        return status;
    status = read_stored(store, reader, name, out);
    pdict__read_end(store, reader);
    return status;
}

/* ---- making a new map ---- */

struct creation {
    const char *name;
    const struct stored_map *stored;
};

static int write_system(struct store *store, void *txn, uint32_t number, const char *name,
                        const struct buf *value)
{
    if (value->size == 0)
        return PDICT_OK;
    return store->backend->system_put(store->engine, txn, number, pdict_str(name),
                                      pdict__buf_slice(value));
}

/* PDICT_EXISTS when another process made it meanwhile: then that one is opened. */
static int create_inside(void *ctx, struct store *store, void *txn)
{
    struct creation *creation = ctx;
    const struct stored_map *stored = creation->stored;
    uint32_t number;
    int status;

    status = store->backend->map_create(store->engine, txn, pdict_str(creation->name), &number);
    if (status == PDICT_OK)
        status = write_system(store, txn, number, SYSTEM_DESCRIPTOR, &stored->descriptor);
    if (status == PDICT_OK)
        status = write_system(store, txn, number, SYSTEM_CODECS, &stored->codecs);
    if (status == PDICT_OK)
        status = write_system(store, txn, number, SYSTEM_KEYRING, &stored->keyring);
    if (status == PDICT_OK)
        status = write_system(store, txn, number, SYSTEM_KEYRING_COPY, &stored->keyring);
    if (status == PDICT_OK && pdict__has_limits(&stored->limits))
        status = pdict__limits_begin(store, txn, number, &stored->limits);
    if (status == PDICT_OK)
        status = pdict__lifetimes_write(store, txn, number, &stored->lifetimes);
    return status;
}

static int new_keyring(const struct store *store, const struct map_wish *wish,
                       const struct descriptor *descriptor, struct stored_map *stored,
                       struct keyring **ring)
{
    int status;

    if (!descriptor->cipher) {
        if (descriptor->hides_names)
            return pdict_fail(PDICT_CONTRADICTION,
                              "map '%s': names=hidden needs a cipher, and codecs= names none; add "
                              "one (see `pdict info`)",
                              wish->name);
        if (!wish->secret.bytes.data)
            return PDICT_OK;
        return pdict_fail(PDICT_NOT_ENCRYPTED,
                          "map '%s': a passphrase or key was given, but codecs= names no cipher; "
                          "add one (see `pdict info`), or leave the secret out",
                          wish->name);
    }
    status = pdict__keyring_create(descriptor->cipher, descriptor->map_id, &wish->secret,
                                   &wish->kdf, &store->allocator, ring);
    return status == PDICT_OK ? pdict__keyring_encode(*ring, &stored->keyring) : status;
}

static int new_descriptor(const struct store *store, const struct map_wish *wish,
                          struct descriptor *out)
{
    *out = (struct descriptor){
        .created_ms = pdict__now(&store->clock),
        .max_value = wish->max_value,
        .has_checksum = wish->has_checksum != 0,
        .hides_names = wish->hides_names > 0,
        .serializer = wish->codecs->serializer.codec,
        .cipher = wish->codecs->cipher.codec,
    };
    return pdict__random(out->map_id, sizeof(out->map_id));
}

static int check_lifetimes(const struct store *store, const struct lifetimes *lifetimes)
{
    if (lifetimes->idle_ms == 0 || pdict__stack_base(&store->stack)->access_put)
        return PDICT_OK;
    return pdict_fail(PDICT_UNSUPPORTED,
                      "%s: %s keeps no access times, which idle= needs; use ttl=, or another "
                      "backend",
                      store->path, store->stack.name);
}

int pdict__map_create(struct store *store, const struct map_wish *wish)
{
    struct stored_map stored;
    struct creation creation = { wish->name, &stored };
    struct commit commit = { .durability = PDICT_FULL_SYNC,
                             .timeout_ms = wish->timeout_ms,
                             .work = create_inside,
                             .keeps_rows = true,
                             .ctx = &creation };
    struct descriptor descriptor;
    struct keyring *ring = NULL;
    int status;

    pdict__stored_init(&stored, &store->allocator);
    stored.limits = wish->limits;
    stored.lifetimes = wish->lifetimes;
    status = check_lifetimes(store, &wish->lifetimes);
    if (status == PDICT_OK)
        status = new_descriptor(store, wish, &descriptor);
    if (status == PDICT_OK)
        status = new_keyring(store, wish, &descriptor, &stored, &ring);
    if (status == PDICT_OK)
        status = pdict__descriptor_encode(&descriptor, ring, &stored.descriptor);
    if (status == PDICT_OK)
        status = pdict__codecs_format(wish->codecs, &stored.codecs);
    if (status == PDICT_OK)
        status = pdict__commit(store, &commit);
    pdict__keyring_free(ring);
    pdict__stored_free(&stored);
    return status == PDICT_EXISTS ? PDICT_OK : status;
}
