/* SPDX-License-Identifier: MIT */
/* An open store: the engine and what core keeps beside it. */
#include "store/store.h"

static int engine_open(struct store *store, const struct store_config *config)
{
    pdict_backend_args args = {
        .struct_size = sizeof(args),
        .path = store->path,
        .flags = config->flags,
        .timeout_ms = config->timeout_ms,
        .allocator = config->allocator,
        .logger = config->logger,
    };

    return pdict__stack_open(config->stack, &args, &store->engine);
}

/* What the ring tells is found in the caches by the same hash. */
static int find_secret(struct store *store)
{
    const uint8_t *shared = pdict__shared_secret(store);

    if (!shared)
        return pdict__random(store->hash_secret, sizeof(store->hash_secret));
    memcpy(store->hash_secret, shared, sizeof(store->hash_secret));
    return PDICT_OK;
}

static int find_token(struct store *store)
{
    int status = PDICT_UNSUPPORTED;

    if (store->backend->watch)
        status = store->backend->watch(store->engine, store->words);
    if (status == PDICT_UNSUPPORTED)
        status = PDICT_OK;
    pdict__coherence_init(&store->coherence, store->words);
    return status == PDICT_OK ? find_secret(store) : status;
}

/* The gate file is there for longer than the engine: whoever is alone in it has no store open. */
static int open_all(struct store *store, const struct store_config *config)
{
    int status = pdict__shared_join(store, config);

    if (status != PDICT_OK)
        return status;
    if ((status = engine_open(store, config)) == PDICT_OK &&
        (status = find_token(store)) != PDICT_OK)
        store->backend->close(store->engine);
    if (status != PDICT_OK)
        pdict__shared_part(store);
    return status;
}

static int locks_init(struct store *store)
{
    int status = pdict__gate_init(&store->gate);

    if (status == PDICT_OK && (status = pdict__queue_init(&store->queue)) != PDICT_OK)
        pdict__gate_destroy(&store->gate);
    if (status != PDICT_OK)
        return status;
    /* Default mutexes do not fail to initialise on Linux. */
    pthread_mutex_init(&store->pool_lock, NULL);
    pthread_mutex_init(&store->maps_lock, NULL);
    pdict__leases_init(&store->leases);
    pthread_mutex_init(&store->coherence.advance, NULL);
    pdict__listeners_init(&store->listeners);
    return PDICT_OK;
}

static void store_release(struct store *store)
{
    pdict_allocator allocator = store->allocator;

    pdict__removals_free(&store->removals);
    pdict__listeners_destroy(&store->listeners);
    pdict__coherence_destroy(&store->coherence);
    pdict__leases_destroy(&store->leases);
    pthread_mutex_destroy(&store->maps_lock);
    pthread_mutex_destroy(&store->pool_lock);
    pdict__queue_destroy(&store->queue);
    pdict__gate_destroy(&store->gate);
    pdict__stack_free(&store->stack);
    pdict__free(&allocator, store->path);
    pdict__free(&allocator, store);
}

int pdict__store_new(const struct store_config *config, struct store **out)
{
    struct store *store = pdict__calloc(&config->allocator, 1, sizeof(*store));
    int status;

    if (!store)
        return PDICT_NOMEM;
    store->backend = config->stack->backends[0];
    store->is_read_only = (config->flags & PDICT_BACKEND_READ_ONLY) != 0;
    store->fork_count = pdict__fork_count();
    store->allocator = config->allocator;
    pdict__removals_init(&store->removals, &store->allocator);
    store->logger = config->logger;
    store->clock = config->clock;
    store->is_manual = config->is_manual;
    store->sweeper.is_auto = config->is_swept && !store->is_read_only;
    if ((status = locks_init(store)) != PDICT_OK) {
        pdict__free(&config->allocator, store);
        return status;
    }
    store->path = pdict__strdup(&store->allocator, config->path, strlen(config->path));
    status = store->path ? open_all(store, config) : PDICT_NOMEM;
    if (status != PDICT_OK) {
        store_release(store);
        return status;
    }
    pdict__readers_init(store, pdict__stack_base(config->stack));
    pdict__stack_move(&store->stack, config->stack, &store->allocator);
    *out = store;
    return PDICT_OK;
}

void pdict__store_free(struct store *store)
{
    pdict__chore_remove(&store->sweeper.chore);
    pdict__chore_remove(&store->sync_chore);
    pdict__chore_remove(&store->reaper);
    if (pdict__store_check(store) == PDICT_OK) {
        pdict__store_settle(store);
        pdict__readers_trim(store);
        store->backend->close(store->engine);
    }
    pdict__shared_part(store);
    store_release(store);
}

int pdict__store_check(const struct store *store)
{
    if (store->fork_count == pdict__fork_count())
        return PDICT_OK;
    return pdict_fail(PDICT_FORKED,
                      "%s was opened before a fork: close it in the parent before forking, or "
                      "open it in the child only",
                      store->path);
}
