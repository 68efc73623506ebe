/* SPDX-License-Identifier: MIT */
/* One map of an open store: found or made, its secret believed, its settings agreed with. */
#include <inttypes.h>
#include <stdio.h>

#include "map/access.h"
#include "map/cache.h"
#include "map/map.h"

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
    status = pdict__keyring_open(cipher, descriptor->map_id, pdict__buf_slice(&stored->keyring),
                                 &wish->secret, &store->allocator, ring);
    if (status == PDICT_DAMAGED)
        status =
            pdict__keyring_open(cipher, descriptor->map_id, pdict__buf_slice(&stored->keyring_copy),
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
    status = pdict__stored_value(map->store, reader, map->number, SYSTEM_DICTIONARIES, out);
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
    int status = pdict__descriptor_decode(pdict__buf_slice(&stored->descriptor), &descriptor);

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
    status = pdict__stored_find(store, wish->name, &stored);
    if (status == PDICT_NO_MAP && wish->may_create) {
        status = pdict__map_create(store, wish);
        if (status == PDICT_OK)
            status = pdict__stored_find(store, wish->name, &stored);
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

/* ---- names ---- */

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
