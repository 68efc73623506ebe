/* SPDX-License-Identifier: MIT */
/* pdict_open() and pdict_store_open(): from a URI to a store, and from a store to a map. */
#include "base/calls.h"
#include "open/open.h"

/* Everything one open has gathered so far. */
struct opening {
    pdict_options options;
    pdict_allocator allocator;
    struct uri uri;
    struct stack stack;
    struct option_set settings;
    struct codecs codecs;
    struct place place;
    int durability;
    int64_t sync_within_ms;
};

static int64_t number(const struct opening *opening, int option)
{
    return opening->settings.values[option].number;
}

/* ---- reading what was asked ---- */

static int read_options(struct opening *opening, const pdict_options *options)
{
    opening->options = (pdict_options)PDICT_OPTIONS_INIT;
    if (options) {
        size_t size = options->struct_size;

        if (size < sizeof(options->struct_size))
            return pdict_fail(PDICT_INVAL,
                              "pdict_options: set struct_size, see PDICT_OPTIONS_INIT");
        memcpy(&opening->options, options, size < sizeof(*options) ? size : sizeof(*options));
    }
    if (opening->options.passphrase.data && opening->options.key.data)
        return pdict_fail(PDICT_CONTRADICTION, "give a passphrase or a key, not both");
    if (opening->options.passphrase.data && opening->options.passphrase.size == 0)
        return pdict_fail(PDICT_INVAL, "the passphrase is empty; give one, or leave it out");
    return pdict__allocator_choose(&opening->options.allocator, &opening->allocator);
}

static int find_stack(struct opening *opening)
{
    if (!opening->uri.scheme)
        return pdict__place_recognise(opening->uri.path, &opening->allocator, &opening->stack);
    return pdict__stack_parse(opening->uri.scheme, &opening->allocator, &opening->stack);
}

static int gather(struct opening *opening, const char *uri, const pdict_options *options)
{
    int status;

    if ((status = read_options(opening, options)) != PDICT_OK)
        return status;
    if ((status = pdict__uri_parse(uri, &opening->allocator, &opening->uri)) != PDICT_OK)
        return status;
    if ((status = find_stack(opening)) != PDICT_OK)
        return status;
    if ((status = pdict__settings_read(&opening->uri, &opening->options, &opening->stack,
                                       &opening->allocator, &opening->settings)) != PDICT_OK)
        return status;
    if ((status = pdict__settings_durability(opening->settings.values[OPTION_DURABILITY].text,
                                             &opening->durability, &opening->sync_within_ms)) !=
        PDICT_OK)
        return status;
    if ((status = pdict__codecs_parse(opening->settings.values[OPTION_CODECS].text,
                                      &opening->allocator, &opening->codecs)) != PDICT_OK)
        return status;
    return pdict__place_find(opening->uri.path, pdict__stack_base(&opening->stack),
                             &opening->allocator, &opening->place);
}

static void forget(struct opening *opening)
{
    if (opening->place.path)
        pdict__place_free(&opening->place);
    pdict__codecs_free(&opening->codecs);
    pdict__options_free(&opening->settings);
    pdict__stack_free(&opening->stack);
    if (opening->uri.allocator)
        pdict__uri_free(&opening->uri);
}

/* A store that cannot be made must not leave an empty file behind. */
static int check_secret_for_new(const struct opening *opening)
{
    bool has_secret = opening->options.passphrase.data || opening->options.key.data;

    if (!opening->place.is_file || opening->place.exists ||
        number(opening, OPTION_MODE) != MODE_RWC)
        return PDICT_OK;
    if (opening->codecs.cipher.codec && !has_secret)
        return pdict_fail(PDICT_NEED_KEY,
                          "%s: codecs=%s asks for encryption; give a passphrase or "
                          "a key",
                          opening->place.path, opening->settings.values[OPTION_CODECS].text);
    if (!opening->codecs.cipher.codec && has_secret)
        return pdict_fail(PDICT_NOT_ENCRYPTED,
                          "%s: a passphrase or key was given, but codecs= names no cipher; add "
                          "one, or leave the secret out",
                          opening->place.path);
    return PDICT_OK;
}

/* ---- store ---- */

static int acquire_store(struct opening *opening, struct store **out)
{
    const pdict_options *options = &opening->options;
    int64_t mode = number(opening, OPTION_MODE);
    struct store_wish wish = {
        .stack = &opening->stack,
        .place = &opening->place,
        .is_read_only = mode == MODE_RO,
        .may_create = mode == MODE_RWC,
        .is_private = opening->codecs.cipher.codec != NULL,
        .timeout_ms = number(opening, OPTION_TIMEOUT),
        .allocator = opening->allocator,
        .logger = options->logger,
        .maintenance = &opening->settings.values[OPTION_MAINTENANCE],
        .sweep = &opening->settings.values[OPTION_SWEEP],
        .clock = { options->clock ? options->clock : pdict__system_now_ms, options->clock_ctx },
    };

    return pdict__registry_acquire(&wish, out);
}

static int open_store(const char *uri, const pdict_options *options, pdict_store **out)
{
    struct opening opening = { 0 };
    pdict_store *handle = NULL;
    struct store *store;
    int status;

    if ((status = gather(&opening, uri, options)) != PDICT_OK)
        goto done;
    handle = pdict__calloc(&opening.allocator, 1, sizeof(*handle));
    status = handle ? acquire_store(&opening, &store) : PDICT_NOMEM;
    if (status != PDICT_OK)
        goto done;
    handle->store = store;
    handle->timeout_ms = number(&opening, OPTION_TIMEOUT);
    *out = handle;
    handle = NULL; /* now the caller's */
done:
    if (handle)
        pdict__free(&opening.allocator, handle);
    forget(&opening);
    return status;
}

int pdict_store_open(const char *uri, const pdict_options *options, pdict_store **out)
{
    int status;

    *out = NULL;
    pdict__call_begin();
    status = open_store(uri, options, out);
    pdict__call_end();
    return status;
}

void pdict_store_close(pdict_store *handle)
{
    pdict_allocator allocator;

    if (!handle)
        return;
    allocator = handle->store->allocator;
    pdict__call_begin();
    pdict__registry_release(handle->store);
    pdict__call_end();
    pdict__free(&allocator, handle);
}

/* ---- map ---- */

static unsigned asked_limits(const pdict_option_value *values)
{
    return (values[OPTION_MAX_ENTRIES].is_set ? ASKED_MAX_ENTRIES : 0u) |
           (values[OPTION_MAX_BYTES].is_set ? ASKED_MAX_BYTES : 0u) |
           (values[OPTION_EVICT].is_set ? ASKED_EVICT : 0u) |
           (values[OPTION_ON_FULL].is_set ? ASKED_ON_FULL : 0u);
}

static struct map_wish map_wish(const struct opening *opening)
{
    const pdict_option_value *values = opening->settings.values;
    const pdict_options *options = &opening->options;
    bool is_passphrase = options->passphrase.data != NULL;
    pdict_kdf kdf = { 0 };

    pdict__kdf_find(values[OPTION_KDF].text, &kdf); /* the option takes no other names */
    return (struct map_wish){
        .name = values[OPTION_MAP].text,
        .codecs = &opening->codecs,
        .has_codecs = values[OPTION_CODECS].is_set,
        .has_checksum = values[OPTION_CHECKSUM].is_set ? values[OPTION_CHECKSUM].number != 0 : -1,
        .hides_names = values[OPTION_NAMES].is_set ? (int)values[OPTION_NAMES].number : -1,
        .max_value = (uint64_t)values[OPTION_MAX_VALUE].number,
        .has_max_value = values[OPTION_MAX_VALUE].is_set,
        .secret = { is_passphrase ? options->passphrase : options->key, is_passphrase,
                    values[OPTION_KEY_CACHE].number != 0 },
        .kdf = kdf,
        .limits = { .max_entries = (uint64_t)values[OPTION_MAX_ENTRIES].number,
                    .max_bytes = (uint64_t)values[OPTION_MAX_BYTES].number,
                    .evict = (unsigned)values[OPTION_EVICT].number,
                    .on_full = (unsigned)values[OPTION_ON_FULL].number },
        .asked_limits = asked_limits(values),
        .has_ttl = values[OPTION_TTL].is_set,
        .has_idle = values[OPTION_IDLE].is_set,
        .may_create = values[OPTION_MODE].number == MODE_RWC,
        .timeout_ms = values[OPTION_TIMEOUT].number,
    };
}

static int open_cache(pdict *d, const struct cache_wish *wish)
{
    int status = pdict__map_cache(d->map, wish, &d->cache);

    if (status == PDICT_OK && !wish->is_sealed && wish->coherence != COHERENCE_BOUNDED &&
        !pdict__settings(d->map)->descriptor.hides_names && pdict__store_is_watched(d->map->store))
        d->near = d->cache;
    return status;
}

/* Who asks for nothing gets access times where they can be kept. */
static int open_access(pdict *d, const struct opening *opening, int64_t granularity_ms)
{
    const struct lifetimes *lifetimes = &d->map->lifetimes;
    struct store *store = d->map->store;

    if (d->is_read_only || store->is_read_only)
        return PDICT_OK;
    if (granularity_ms == 0 && lifetimes->idle_ms > 0)
        return pdict_fail(PDICT_CONTRADICTION,
                          "%s: map '%s' has idle=, which needs access times; leave access=off out",
                          store->path, d->name);
    if (lifetimes->idle_ms > 0 && granularity_ms > lifetimes->granularity_ms)
        granularity_ms = lifetimes->granularity_ms;
    if (lifetimes->idle_ms > 0)
        pdict__sweeper_start(store);
    if (granularity_ms == 0)
        return PDICT_OK;
    if (pdict__stack_base(&store->stack)->access_put)
        return pdict__map_access(d->map, granularity_ms, &d->access);
    if (!opening->settings.values[OPTION_ACCESS].is_set)
        return PDICT_OK;
    return pdict_fail(PDICT_UNSUPPORTED,
                      "%s: %s keeps no access times; leave access= out, or say access=off",
                      store->path, store->stack.name);
}

/* What goes is known by the key of its row. */
static int check_listener(const pdict *d, const struct opening *opening)
{
    if (!opening->options.on_removed || !pdict__settings(d->map)->descriptor.hides_names)
        return PDICT_OK;
    return pdict_fail(PDICT_UNSUPPORTED,
                      "%s: map '%s' hides its keys (names=hidden), so nobody can be told which of "
                      "them go; leave on_removed out",
                      d->map->store->path, d->name);
}

static void listen(pdict *d, const struct opening *opening)
{
    d->listener = (struct listener){ .map = d->map->number,
                                     .fn = opening->options.on_removed,
                                     .ctx = opening->options.on_removed_ctx };
    pdict__listeners_join(&d->map->store->listeners, &d->listener);
}

static int fill_handle(pdict *d, const struct opening *opening, struct store *store)
{
    const char *name = opening->settings.values[OPTION_MAP].text;
    struct map_wish wish = map_wish(opening);
    struct cache_wish cache_wish;
    int64_t granularity_ms;
    unsigned proof;
    int status;

    if ((status = pdict__settings_lifetimes(&opening->settings, &wish.lifetimes)) != PDICT_OK)
        return status;
    if ((status = pdict__settings_cache(&opening->settings, &cache_wish)) != PDICT_OK)
        return status;
    if ((status = pdict__settings_access(&opening->settings, &granularity_ms)) != PDICT_OK)
        return status;
    d->name = pdict__strdup(&store->allocator, name, strlen(name));
    if (!d->name)
        return PDICT_NOMEM;
    d->is_read_only = number(opening, OPTION_MODE) == MODE_RO;
    d->durability = opening->durability;
    d->sync_within_ms = opening->sync_within_ms;
    d->timeout_ms = number(opening, OPTION_TIMEOUT);
    d->stale_ok_ms = number(opening, OPTION_STALE_OK);
    wish.opened_slot = &d->opened_slot;
    wish.proof = &proof;
    d->delay_us = number(opening, OPTION_COMMIT_DELAY);
    if ((status = pdict__map_open(store, &wish, &d->map)) != PDICT_OK)
        return status;
    atomic_init(&d->proof, proof);
    if ((status = pdict__store_enter(store)) == PDICT_OK) {
        pdict__keep_stale(store, d->stale_ok_ms);
        status = open_cache(d, &cache_wish);
        if (status == PDICT_OK)
            status = open_access(d, opening, granularity_ms);
        if (status == PDICT_OK)
            status = check_listener(d, opening);
        pdict__store_leave();
    }
    if (status != PDICT_OK)
        pdict__map_release(d->map);
    else if (opening->options.on_removed)
        listen(d, opening);
    return status;
}

static int open_map(struct opening *opening, pdict **out)
{
    struct store *store;
    pdict *d;
    int status;

    if ((status = check_secret_for_new(opening)) != PDICT_OK)
        return status;
    d = pdict__calloc(&opening->allocator, 1, sizeof(*d));
    if (!d)
        return PDICT_NOMEM;
    status = acquire_store(opening, &store);
    if (status == PDICT_OK && (status = fill_handle(d, opening, store)) != PDICT_OK)
        pdict__registry_release(store);
    if (status != PDICT_OK) {
        pdict__free(&opening->allocator, d->name);
        pdict__free(&opening->allocator, d);
        return status;
    }
    *out = d;
    return PDICT_OK;
}

int pdict_open(const char *uri, const pdict_options *options, pdict **out)
{
    struct opening opening = { 0 };
    int status;

    *out = NULL;
    pdict__call_begin();
    status = gather(&opening, uri, options);
    if (status == PDICT_OK)
        status = open_map(&opening, out);
    forget(&opening);
    pdict__call_end();
    return status;
}

void pdict_close(pdict *d)
{
    pdict_allocator allocator;
    struct store *store;

    if (!d)
        return;
    if (d->part) {
        pdict_abort(d);
        return;
    }
    store = d->map->store;
    allocator = store->allocator;
    if (d->listener.fn && store->fork_count == pdict__fork_count())
        pdict__listeners_leave(&store->listeners, &d->listener);
    pdict__call_begin();
    pdict__settings_expect(d, NULL);
    pdict__map_release(d->map);
    pdict__registry_release(store);
    pdict__call_end();
    pdict__free(&allocator, d->name);
    pdict__free(&allocator, d);
}
