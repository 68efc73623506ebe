/* SPDX-License-Identifier: MIT */
/* What a map says about itself, followed while other handles and other processes change it. */
#include "map/cache.h"
#include "map/map.h"

/* ---- reading them ---- */

static uint64_t hash_of(const struct stored_map *stored)
{
    const struct buf *texts[] = { &stored->descriptor, &stored->codecs, &stored->keyring };
    uint64_t hash = 0;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        hash = pdict__hash64(texts[i]->data, texts[i]->size, hash);
    return hash;
}

/* The codecs of the map, from their text, which must name what the descriptor vouches for. */
static int parse_codecs(const struct map *map, const struct stored_map *stored,
                        struct settings *settings)
{
    const pdict_allocator *allocator = &map->store->allocator;
    int status;

    settings->codecs_text =
        pdict__strdup(allocator, (char *)stored->codecs.data, stored->codecs.size);
    if (!settings->codecs_text)
        return PDICT_NOMEM;
    status = pdict__codecs_parse(settings->codecs_text, allocator, &settings->codecs);
    /* What was written had passed this parser: here malformed means damaged. */
    if (status == PDICT_INVAL || strlen(settings->codecs_text) != stored->codecs.size)
        return pdict_fail(
            PDICT_DAMAGED,
            "%s: the map's codecs '%s' are malformed; restore the store from a backup",
            map->store->path, settings->codecs_text);
    if (status != PDICT_OK)
        return status;
    if (settings->codecs.serializer.codec != settings->descriptor.serializer ||
        settings->codecs.cipher.codec != settings->descriptor.cipher)
        return pdict_fail(PDICT_DAMAGED,
                          "%s: the map's codecs '%s' are not those of its descriptor; restore the "
                          "store from a backup",
                          map->store->path, settings->codecs_text);
    return PDICT_OK;
}

static int read(const struct map *map, const struct stored_map *stored, struct settings *settings)
{
    pdict_slice text = pdict_bytes(stored->descriptor.data, stored->descriptor.size);
    int status = pdict__descriptor_decode(text, &settings->descriptor);

    return status == PDICT_OK ? parse_codecs(map, stored, settings) : status;
}

static int read_new(const struct map *map, const struct stored_map *stored, struct settings **out)
{
    struct settings *settings = pdict__calloc(&map->store->allocator, 1, sizeof(*settings));
    int status = settings ? read(map, stored, settings) : PDICT_NOMEM;

    if (status != PDICT_OK) {
        pdict__settings_free(map, settings);
        return status;
    }
    /* An odd number never holds. */
    atomic_init(&settings->number, stored->generation ? stored->generation : 1);
    settings->hash = hash_of(stored);
    *out = settings;
    return PDICT_OK;
}

int pdict__settings_new(struct map *map, const struct stored_map *stored,
                        const struct keyring *ring, struct settings **out)
{
    pdict_slice text = pdict_bytes(stored->descriptor.data, stored->descriptor.size);
    int status = read_new(map, stored, out);

    if (status != PDICT_OK)
        return status;
    if ((status = pdict__descriptor_verify(text, ring)) != PDICT_OK) {
        pdict__settings_free(map, *out);
        return status;
    }
    (*out)->seal = ring ? ++map->n_seals : SEAL_NONE;
    return PDICT_OK;
}

void pdict__settings_free(const struct map *map, struct settings *settings)
{
    const pdict_allocator *allocator = &map->store->allocator;

    while (settings) {
        struct settings *before = settings->before;

        pdict__codecs_free(&settings->codecs);
        pdict__free(allocator, settings->codecs_text);
        pdict__free(allocator, settings);
        settings = before;
    }
}

/* ---- following them; settings_lock is held ---- */

/* What was cached of a plain map is not wiped when it goes, and what its handles may see is not
 * theirs any more. */
static void close_cache(struct map *map)
{
    struct cache *cache = atomic_load(&map->cache);

    if (cache)
        atomic_store(&cache->is_closed, true);
}

/* Who still decodes by the old settings has looked at the change token before they changed, so
 * nothing of it is cached any more. */
static void clear_cache(struct map *map)
{
    struct cache *cache = atomic_load(&map->cache);

    if (cache)
        pdict__cache_clear(cache);
}

static void publish(struct map *map, struct settings *settings)
{
    struct settings *before = pdict__settings(map);

    if (before->seal == SEAL_NONE && settings->seal != SEAL_NONE) {
        close_cache(map);
        clear_cache(map);
    }
    settings->before = before;
    atomic_store_explicit(&map->settings, settings, memory_order_release);
}

/* Encrypted, by a key that nobody here has given. */
static int lock_out(struct map *map, const struct stored_map *stored)
{
    struct settings *settings;
    int status = read_new(map, stored, &settings);

    if (status != PDICT_OK)
        return status;
    settings->seal = SEAL_LOCKED;
    publish(map, settings);
    return PDICT_OK;
}

static int replace(struct map *map, const struct stored_map *stored, struct keyring *ring,
                   bool is_proven)
{
    const struct settings *before = pdict__settings(map);
    struct pipeline_config config;
    struct settings *settings;
    int status = pdict__settings_new(map, stored, ring, &settings);

    if (status != PDICT_OK)
        return status;
    if (ring && !is_proven)
        settings->seal = before->seal;
    config = pdict__map_pipeline_config(map, settings);
    config.ring = ring;
    /* Before anybody decodes by the new one. */
    if (before->descriptor.serializer != settings->descriptor.serializer)
        clear_cache(map);
    if ((status = pdict__pipeline_renew(map->pipeline, &config)) != PDICT_OK) {
        pdict__settings_free(map, settings);
        return status;
    }
    publish(map, settings);
    return PDICT_OK;
}

static int reopen(const struct stored_map *stored, const struct keyring *opened,
                  struct keyring **out)
{
    return opened ? pdict__stored_reopen(stored, opened, out) : PDICT_DAMAGED;
}

/* By the master key that the map had, so that who has proven it needs not do it again; else by a
 * secret that was proven just now. */
static int follow(struct map *map, const struct stored_map *stored, const struct keyring *proven)
{
    bool is_locked = pdict__settings(map)->seal == SEAL_LOCKED, is_new = false;
    struct keyring *ring = NULL;
    int status = PDICT_DAMAGED;

    if (stored->keyring.size == 0)
        return replace(map, stored, NULL, false);
    if (!is_locked)
        status = reopen(stored, pdict__pipeline_ring(map->pipeline), &ring);
    if (status == PDICT_DAMAGED) {
        is_new = true;
        status = reopen(stored, proven, &ring);
    }
    if (status == PDICT_DAMAGED)
        return lock_out(map, stored);
    if (status != PDICT_OK)
        return status;
    if ((status = replace(map, stored, ring, is_new)) != PDICT_OK)
        pdict__keyring_free(ring);
    return status;
}

/* A kept one goes when another takes its place. */
static void expect(struct map *map, struct map_key key)
{
    pdict__keyring_free(map->expected.kept);
    map->expected = key;
}

/* Is it the expected keyring that a plain map has been encrypted by? */
static int find_expected(struct map *map, const struct stored_map *stored, bool *fits)
{
    struct keyring *ring = NULL;
    int status;

    *fits = false;
    if (!map->expected.ring || stored->keyring.size == 0 || pdict__settings(map)->seal != SEAL_NONE)
        return PDICT_OK;
    status = pdict__stored_reopen(stored, map->expected.ring, &ring);
    *fits = status == PDICT_OK;
    pdict__keyring_free(ring);
    return status == PDICT_DAMAGED ? PDICT_OK : status;
}

/* Whoever finds out, and by what secret: the handle that gave the expected one has proven it. */
static int follow_expected(struct map *map, const struct stored_map *stored,
                           const struct keyring *proven)
{
    bool fits;
    int status = find_expected(map, stored, &fits);

    if (status != PDICT_OK)
        return status;
    status = follow(map, stored, fits && !proven ? map->expected.ring : proven);
    if (status != PDICT_OK || !fits)
        return status;
    atomic_store(&map->expected.d->proof, pdict__settings(map)->seal);
    if (map->expected.kept)
        expect(map, (struct map_key){ .d = NULL });
    return PDICT_OK;
}

static int load(struct map *map, const struct keyring *proven)
{
    struct settings *settings = pdict__settings(map);
    struct stored_map stored;
    int status;

    pdict__stored_init(&stored, &map->store->allocator);
    stored.number = map->number;
    if ((status = pdict__stored_load(map->store, &stored)) != PDICT_OK)
        goto done;
    if (stored.descriptor.size == 0) {
        status = pdict_fail(PDICT_NO_MAP, "%s: the map was dropped while it was open; close it",
                            map->store->path);
    } else if (hash_of(&stored) != settings->hash || (proven && settings->seal == SEAL_LOCKED)) {
        status = follow_expected(map, &stored, proven);
    } else {
        pdict__pipeline_renumber(map->pipeline, stored.generation);
        atomic_store_explicit(&settings->number, stored.generation, memory_order_release);
    }
    if (status == PDICT_OK && pdict__settings(map)->seal != SEAL_LOCKED)
        status = pdict__dictionaries_reload(map->pipeline);
done:
    pdict__stored_free(&stored);
    return status;
}

static bool holds(const struct map *map)
{
    return pdict__generation_holds(
        map->store, atomic_load_explicit(&pdict__settings(map)->number, memory_order_acquire));
}

/* Inside. */
static int load_if_due(struct map *map, const struct keyring *proven)
{
    bool is_due;
    int status = PDICT_OK;

    pthread_mutex_lock(&map->settings_lock);
    is_due = !holds(map) || (proven && pdict__settings(map)->seal == SEAL_LOCKED);
    if (is_due)
        status = load(map, proven);
    pthread_mutex_unlock(&map->settings_lock);
    return status;
}

/* ---- for calls ---- */

static int fail_locked(const struct map *map)
{
    return pdict_fail(PDICT_NEED_KEY,
                      "%s: the map was encrypted while it was open without the key; close it, and "
                      "open it with its passphrase or key",
                      map->store->path);
}

int pdict__settings_refresh(const pdict *d)
{
    int status = load_if_due(d->map, NULL);
    unsigned seal = pdict__settings(d->map)->seal;

    if (status != PDICT_OK)
        return status;
    return seal == SEAL_NONE || seal == atomic_load(&d->proof) ? PDICT_OK : fail_locked(d->map);
}

int pdict__settings_renew(void *ctx)
{
    struct map *map = ctx;
    int status = pdict__store_enter(map->store);

    if (status != PDICT_OK)
        return status;
    if (pdict__generation_is_shared(map->store)) {
        status = load_if_due(map, NULL);
    } else {
        pthread_mutex_lock(&map->settings_lock);
        status = load(map, NULL);
        pthread_mutex_unlock(&map->settings_lock);
    }
    pdict__store_leave();
    if (status == PDICT_OK && pdict__settings(map)->seal == SEAL_LOCKED)
        return fail_locked(map);
    return status;
}

int pdict__settings_adopt(struct map *map, const struct keyring *ring)
{
    int status = pdict__store_enter(map->store);

    if (status != PDICT_OK)
        return status;
    status = load_if_due(map, ring);
    pdict__store_leave();
    return status;
}

void pdict__settings_expect(pdict *d, const struct keyring *ring)
{
    struct map *map = d->map;

    pthread_mutex_lock(&map->settings_lock);
    if (ring || map->expected.d == d)
        expect(map, (struct map_key){ .ring = ring, .d = ring ? d : NULL });
    pthread_mutex_unlock(&map->settings_lock);
}

void pdict__settings_keep(pdict *d, struct keyring *ring)
{
    struct map *map = d->map;

    pthread_mutex_lock(&map->settings_lock);
    expect(map, (struct map_key){ .ring = ring, .kept = ring, .d = d });
    pthread_mutex_unlock(&map->settings_lock);
}
