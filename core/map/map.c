/* SPDX-License-Identifier: MIT */
/* One map of an open store: found or made, its secret believed, its settings agreed with. */
#include <inttypes.h>
#include <stdio.h>

#include "map/access.h"
#include "map/cache.h"
#include "map/map.h"

static pdict_slice slice_of(const struct buf *buf)
{
    return pdict_bytes(buf->data, buf->size);
}

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

static int read_system(struct store *store, void *txn, uint32_t number, const char *name,
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
    int status = read_system(store, txn, out->number, SYSTEM_DESCRIPTOR, &out->descriptor);

    if (status == PDICT_OK)
        status = read_system(store, txn, out->number, SYSTEM_CODECS, &out->codecs);
    if (status == PDICT_OK)
        status = read_system(store, txn, out->number, SYSTEM_KEYRING, &out->keyring);
    if (status == PDICT_OK)
        status = read_system(store, txn, out->number, SYSTEM_KEYRING_COPY, &out->keyring_copy);
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
    int status = pdict__keyring_reopen(opened, slice_of(&stored->keyring), out);

    return status == PDICT_DAMAGED
               ? pdict__keyring_reopen(opened, slice_of(&stored->keyring_copy), out)
               : status;
}

static int load_stored(struct store *store, const char *name, struct stored_map *out)
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
    return store->backend->system_put(store->engine, txn, number, pdict_str(name), slice_of(value));
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

static int create_map(struct store *store, const struct map_wish *wish)
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

/* ---- believing what is stored ---- */

static int open_keyring(const struct store *store, const struct map_wish *wish,
                        const struct stored_map *stored, const struct descriptor *descriptor,
                        struct keyring **ring)
{
    int status;

    const pdict_codec *cipher = pdict__descriptor_cipher(descriptor);

    if (!cipher) {
        if (!wish->secret.bytes.data)
            return PDICT_OK;
        return pdict_fail(PDICT_NOT_ENCRYPTED,
                          "%s: map '%s' is not encrypted; open it without a passphrase or key",
                          store->path, wish->name);
    }
    if (!wish->secret.bytes.data)
        return pdict_fail(PDICT_NEED_KEY, "%s: map '%s' is encrypted; give its passphrase or key",
                          store->path, wish->name);
    status = pdict__keyring_open(cipher, descriptor->map_id, slice_of(&stored->keyring),
                                 &wish->secret, &store->allocator, ring);
    if (status == PDICT_DAMAGED)
        status = pdict__keyring_open(cipher, descriptor->map_id, slice_of(&stored->keyring_copy),
                                     &wish->secret, &store->allocator, ring);
    return status;
}

static int contradiction(const struct store *store, const struct map_wish *wish, const char *option,
                         const char *wanted, const char *actual)
{
    return pdict_fail(PDICT_CONTRADICTION,
                      "%s: map '%s' has %s=%s, but %s=%s was asked for; leave %s= out to use what "
                      "the map has",
                      store->path, wish->name, option, actual, option, wanted, option);
}

static int agree_codecs(const struct map *map, const struct map_wish *wish)
{
    const struct settings *settings = pdict__settings(map);
    struct buf wanted = { .allocator = &map->store->allocator };
    int status;

    if (!wish->has_codecs || pdict__codecs_agree(wish->codecs, &settings->codecs))
        return PDICT_OK;
    status = pdict__codecs_format(wish->codecs, &wanted);
    if (status == PDICT_OK)
        status = pdict__buf_append(&wanted, "", 1);
    if (status == PDICT_OK)
        status =
            contradiction(map->store, wish, "codecs", (char *)wanted.data, settings->codecs_text);
    pdict__buf_free(&wanted);
    return status;
}

static int agree_time(const struct map *map, const struct map_wish *wish, const char *option,
                      int64_t wanted_ms, int64_t actual_ms)
{
    char wanted[24], actual[24];

    if (wanted_ms == actual_ms)
        return PDICT_OK;
    snprintf(wanted, sizeof(wanted), "%" PRId64 "ms", wanted_ms);
    snprintf(actual, sizeof(actual), "%" PRId64 "ms", actual_ms);
    return contradiction(map->store, wish, option, wanted, actual);
}

static int agree_lifetimes(const struct map *map, const struct map_wish *wish)
{
    const struct lifetimes *lifetimes = &map->lifetimes;
    int status = PDICT_OK;

    if (wish->has_ttl)
        status = agree_time(map, wish, "ttl", wish->lifetimes.ttl_ms, lifetimes->ttl_ms);
    if (status == PDICT_OK && wish->has_idle)
        status = agree_time(map, wish, "idle", wish->lifetimes.idle_ms, lifetimes->idle_ms);
    return status;
}

static int agree(const struct map *map, const struct map_wish *wish, const struct limits *limits)
{
    const struct descriptor *descriptor = &pdict__settings(map)->descriptor;
    char wanted[24], actual[24];
    int status;

    if (wish->has_max_value && wish->max_value != descriptor->max_value) {
        snprintf(wanted, sizeof(wanted), "%" PRIu64, wish->max_value);
        snprintf(actual, sizeof(actual), "%" PRIu64, descriptor->max_value);
        return contradiction(map->store, wish, "max_value", wanted, actual);
    }
    if (wish->has_checksum >= 0 && (wish->has_checksum != 0) != descriptor->has_checksum)
        return contradiction(map->store, wish, "checksum", wish->has_checksum ? "on" : "off",
                             descriptor->has_checksum ? "on" : "off");
    if ((status = pdict__limits_agree(map, wish, limits)) != PDICT_OK)
        return status;
    if (wish->hides_names >= 0 && (wish->hides_names != 0) != descriptor->hides_names)
        return contradiction(map->store, wish, "names", wish->hides_names ? "hidden" : "plain",
                             descriptor->hides_names ? "hidden" : "plain");
    if ((status = agree_lifetimes(map, wish)) != PDICT_OK)
        return status;
    return agree_codecs(map, wish);
}

static void map_free(struct map *map)
{
    const pdict_allocator *allocator = &map->store->allocator;

    pdict__chore_remove(&map->retrainer.chore);
    pdict__count_memo_destroy(&map->counted);
    pdict__flights_destroy(&map->flights);
    pdict__cache_free(atomic_load(&map->cache));
    pdict__pipeline_close(map->pipeline);
    pdict__settings_free(map, pdict__settings(map));
    pthread_mutex_destroy(&map->settings_lock);
    pdict__free(allocator, map);
}

/* From a snapshot of its own: what a record names was committed before the record. */
static int read_dictionaries(void *ctx, struct buf *out)
{
    const struct map *map = ctx;
    void *reader;
    int status = pdict__read_begin(map->store, &reader);

    if (status != PDICT_OK)
        return status;
    status = read_system(map->store, reader, map->number, SYSTEM_DICTIONARIES, out);
    pdict__read_end(map->store, reader);
    return status;
}

struct pipeline_config pdict__map_pipeline_config(struct map *map, const struct settings *settings)
{
    return (struct pipeline_config){
        .descriptor = &settings->descriptor,
        .codecs = &settings->codecs,
        .allocator = &map->store->allocator,
        .number = settings->number,
        .read_dictionaries = read_dictionaries,
        .refresh = pdict__settings_renew,
        .ctx = map,
    };
}

static int open_ring(const struct store *store, const struct map_wish *wish,
                     const struct stored_map *stored, struct keyring **ring)
{
    struct descriptor descriptor;
    int status = pdict__descriptor_decode(slice_of(&stored->descriptor), &descriptor);

    *ring = NULL;
    return status == PDICT_OK ? open_keyring(store, wish, stored, &descriptor, ring) : status;
}

static int build_pipeline(struct map *map, const struct map_wish *wish,
                          const struct stored_map *stored)
{
    struct pipeline_config config;
    struct settings *settings;
    struct keyring *ring;
    int status;

    if ((status = open_ring(map->store, wish, stored, &ring)) != PDICT_OK)
        return status;
    if ((status = pdict__settings_new(map, stored, ring, &settings)) == PDICT_OK) {
        atomic_store(&map->settings, settings);
        status = agree(map, wish, &stored->limits);
        config = pdict__map_pipeline_config(map, settings);
        config.ring = ring;
    }
    if (status == PDICT_OK)
        status = pdict__pipeline_open(&config, &map->pipeline);
    if (status == PDICT_OK && wish->opened_slot)
        *wish->opened_slot = ring ? pdict__keyring_opened_slot(ring) : 0;
    if (status != PDICT_OK)
        pdict__keyring_free(ring);
    return status;
}

static int map_new(struct store *store, const struct map_wish *wish,
                   const struct stored_map *stored, struct map **out)
{
    struct map *map = pdict__calloc(&store->allocator, 1, sizeof(*map));
    int status;

    if (!map)
        return PDICT_NOMEM;
    map->store = store;
    map->number = stored->number;
    map->lifetimes = stored->lifetimes;
    pdict__count_memo_init(&map->counted);
    pdict__flights_init(&map->flights, &store->allocator);
    pthread_mutex_init(&map->settings_lock, NULL);
    if ((status = build_pipeline(map, wish, stored)) != PDICT_OK) {
        map_free(map);
        return status;
    }
    *out = map;
    return PDICT_OK;
}

/* ---- sharing ---- */

/* The map of this number that is open already, or `fresh`. */
static struct map *share(struct map *fresh)
{
    struct store *store = fresh->store;
    struct map *map;

    pthread_mutex_lock(&store->maps_lock);
    for (map = store->maps; map && map->number != fresh->number; map = map->next)
        ;
    if (!map) {
        map = fresh;
        map->next = store->maps;
        store->maps = map;
    }
    map->references++;
    pthread_mutex_unlock(&store->maps_lock);
    return map;
}

/* The one that is open may have older settings than the fresh one. */
static int join(struct map *map, struct map *fresh)
{
    int status;

    if (map == fresh)
        return PDICT_OK;
    status = pdict__settings_adopt(map, pdict__pipeline_ring(fresh->pipeline));
    map_free(fresh);
    return status;
}

void pdict__map_release(struct map *map)
{
    struct store *store = map->store;
    struct map **link;
    bool is_last;

    pthread_mutex_lock(&store->maps_lock);
    is_last = --map->references == 0;
    if (is_last) {
        for (link = &store->maps; *link != map; link = &(*link)->next)
            ;
        *link = map->next;
    }
    pthread_mutex_unlock(&store->maps_lock);
    if (!is_last)
        return;
    pdict__access_free(map->access);
    map_free(map);
}

/* Every opener proves its secret, also when the map is open already. */
int pdict__map_open_stored(struct store *store, const struct map_wish *wish,
                           const struct stored_map *stored, struct map **out)
{
    struct map *map, *fresh;
    int status = map_new(store, wish, stored, &fresh);

    if (status != PDICT_OK)
        return status;
    map = share(fresh);
    if ((status = join(map, fresh)) != PDICT_OK) {
        pdict__map_release(map);
        return status;
    }
    if (wish->proof)
        *wish->proof = pdict__settings(map)->seal;
    *out = map;
    return PDICT_OK;
}

/* The values are copied out, so that a slow key derivation holds no snapshot. */
int pdict__map_open(struct store *store, const struct map_wish *wish, struct map **out)
{
    struct stored_map stored;
    int status;

    pdict__stored_init(&stored, &store->allocator);
    status = load_stored(store, wish->name, &stored);
    if (status == PDICT_NO_MAP && wish->may_create) {
        status = create_map(store, wish);
        if (status == PDICT_OK)
            status = load_stored(store, wish->name, &stored);
    } else if (status == PDICT_NO_MAP) {
        status = pdict_fail(PDICT_NO_MAP,
                            "%s has no map '%s'; create it with mode=rwc, or see "
                            "which ones there are with `pdict maps`",
                            store->path, wish->name);
    }
    if (status == PDICT_OK)
        status = pdict__map_open_stored(store, wish, &stored, out);
    pdict__stored_free(&stored);
    return status;
}

/* ---- the cache ---- */

static bool has_cache(const struct store *store)
{
    for (struct map *map = store->maps; map; map = map->next) {
        if (atomic_load(&map->cache))
            return true;
    }
    return false;
}

/* All maps of a store follow one token, so in one way. */
static int agree_coherence(struct store *store, const struct cache_wish *wish)
{
    struct coherence *coherence = &store->coherence;

    if (!has_cache(store)) {
        pdict__coherence_choose(coherence, wish->coherence, wish->bound_ms);
        return PDICT_OK;
    }
    if (coherence->mode == wish->coherence && coherence->bound_ms == wish->bound_ms)
        return PDICT_OK;
    return pdict_fail(PDICT_CONTRADICTION,
                      "%s is open in this process with another coherence=; use the same for all "
                      "handles, or close the others first",
                      store->path);
}

static int make_cache(struct map *map, const struct cache_wish *wish, struct cache **out)
{
    struct store *store = map->store;
    struct cache_config config = {
        .allocator = &store->allocator,
        .coherence = &store->coherence,
        .clock = &store->clock,
        .secret = store->hash_secret,
        .budget = wish->budget,
        .is_sealed = wish->is_sealed,
        .wipes = pdict__settings(map)->seal != SEAL_NONE && !wish->is_sealed,
    };
    int status = pdict__cache_new(&config, out);

    if (status == PDICT_OK)
        atomic_store(&map->cache, *out);
    return status;
}

static int join_cache(struct map *map, const struct cache_wish *wish, struct cache **out)
{
    int status;

    if ((status = agree_coherence(map->store, wish)) != PDICT_OK)
        return status;
    if (!map->store->coherence.words[0])
        return PDICT_OK;
    *out = atomic_load(&map->cache);
    if (!*out)
        return make_cache(map, wish, out);
    if (atomic_load(&(*out)->is_closed)) {
        *out = NULL;
        return PDICT_OK;
    }
    if ((*out)->is_sealed != wish->is_sealed)
        return pdict_fail(PDICT_CONTRADICTION,
                          "%s: another handle of this map keeps its cache %s; use cache=sealed "
                          "for all handles or for none",
                          map->store->path, wish->is_sealed ? "decoded" : "sealed");
    pdict__cache_grow(*out, wish->budget);
    return PDICT_OK;
}

int pdict__map_cache(struct map *map, const struct cache_wish *wish, struct cache **out)
{
    int status;

    *out = NULL;
    if (wish->budget == 0)
        return PDICT_OK;
    pthread_mutex_lock(&map->store->coherence.advance);
    pthread_mutex_lock(&map->store->maps_lock);
    status = join_cache(map, wish, out);
    pthread_mutex_unlock(&map->store->maps_lock);
    pthread_mutex_unlock(&map->store->coherence.advance);
    return status;
}

int pdict__map_name_check(const char *name)
{
    size_t size = strlen(name), bad_offset;
    bool is_legal = size >= 1 && size <= 200 && pdict__is_utf8(pdict_str(name), &bad_offset);

    for (const char *c = name; is_legal && *c; c++)
        is_legal = (unsigned char)*c >= 0x20 && *c != 0x7F;
    if (is_legal)
        return PDICT_OK;
    return pdict_fail(PDICT_INVAL, "map: a name is 1 to 200 bytes of UTF-8 without control "
                                   "characters");
}
