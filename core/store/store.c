/* SPDX-License-Identifier: MIT */
/* An open store: the engine and what core keeps beside it. */
#include <sys/stat.h>

#include "base/fork.h"
#include "store/store.h"

static int engine_open(struct store *store)
{
    pdict_backend_args args = {
        .struct_size = sizeof(args),
        .path = store->path,
        .flags = store->open_flags,
        .timeout_ms = store->open_timeout_ms,
        .allocator = store->allocator,
        .logger = store->logger,
    };

    return pdict__stack_open(&store->stack, &args, &store->engine);
}

static int fail_token(const struct store *store)
{
    return pdict_fail(PDICT_NOMEM,
                      "%s: the page with its change token could not be mapped once more; free "
                      "some memory and try again",
                      store->path);
}

/* Words of an engine that is closed for a while are looked at through the window. It is made when
 * the store is opened first, or never, and shows them where they were. */
static int show_words(struct store *store, const volatile uint64_t *const words[2])
{
    bool is_file = (pdict__stack_base(&store->stack)->capabilities & PDICT_CAP_FILE) != 0;
    bool is_first = !store->words[0], has_window = store->window.pages != NULL;
    const volatile uint64_t *shown[2] = { words[0], words[1] };
    bool is_shown = is_file && words[0] && (is_first || has_window) &&
                    pdict__window_show(&store->window, words, shown);

    if (!is_shown && !has_window) {
        pdict__window_close(&store->window);
        shown[0] = words[0];
        shown[1] = words[1];
    }
    if (has_window && (!is_shown || shown[0] != store->words[0] || shown[1] != store->words[1]))
        return fail_token(store);
    store->words[0] = shown[0];
    store->words[1] = shown[1];
    return PDICT_OK;
}

static int find_token(struct store *store)
{
    const volatile uint64_t *words[2] = { NULL, NULL };
    int status = PDICT_UNSUPPORTED;

    if (store->backend->watch)
        status = store->backend->watch(store->engine, words);
    if (status != PDICT_OK && status != PDICT_UNSUPPORTED)
        return status;
    return show_words(store, words);
}

bool pdict__store_is_watched(const struct store *store)
{
    const pdict_backend *base = pdict__stack_base(&store->stack);

    return store->window.pages || !(base->capabilities & PDICT_CAP_FILE);
}

/* The gate file is there for longer than the engine: whoever is alone in it has no store open. */
int pdict__store_connect(struct store *store)
{
    int status = pdict__shared_join(store);

    if (status != PDICT_OK)
        return status;
    if ((status = engine_open(store)) == PDICT_OK && (status = find_token(store)) != PDICT_OK)
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
    pthread_mutex_init(&store->park_lock, NULL);
    pthread_mutex_init(&store->coherence.advance, NULL);
    pdict__listeners_init(&store->listeners);
    return PDICT_OK;
}

static void store_release(struct store *store)
{
    pdict_allocator allocator = store->allocator;

    pdict__removals_free(&store->removals);
    pdict__window_close(&store->window);
    pdict__listeners_destroy(&store->listeners);
    pdict__coherence_destroy(&store->coherence);
    pdict__leases_destroy(&store->leases);
    pthread_mutex_destroy(&store->park_lock);
    pthread_mutex_destroy(&store->maps_lock);
    pthread_mutex_destroy(&store->pool_lock);
    pdict__queue_destroy(&store->queue);
    pdict__gate_destroy(&store->gate);
    pdict__stack_free(&store->stack);
    pdict__free(&allocator, store->path);
    pdict__free(&allocator, store);
}

static void fill(struct store *store, const struct store_config *config)
{
    store->backend = config->stack->backends[0];
    store->is_read_only = (config->flags & PDICT_BACKEND_READ_ONLY) != 0;
    store->fork_count = pdict__fork_count();
    store->open_flags = config->flags;
    store->open_timeout_ms = config->timeout_ms;
    store->allocator = config->allocator;
    pdict__removals_init(&store->removals, &store->allocator);
    store->logger = config->logger;
    store->clock = config->clock;
    store->is_manual = config->is_manual;
    store->sweeper.is_auto = config->is_swept && !store->is_read_only;
}

static int open_all(struct store *store, const char *path)
{
    struct stat facts;
    int status;

    store->path = pdict__strdup(&store->allocator, path, strlen(path));
    if (!store->path)
        return PDICT_NOMEM;
    if ((status = pdict__store_connect(store)) != PDICT_OK)
        return status;
    pdict__coherence_init(&store->coherence, store->words);
    if (stat(path, &facts) == 0) {
        store->device = facts.st_dev;
        store->inode = facts.st_ino;
    }
    pdict__readers_init(store, pdict__stack_base(&store->stack));
    /* What is missing later is missing, and not to be made again. */
    store->open_flags &= ~(unsigned)PDICT_BACKEND_CREATE;
    return PDICT_OK;
}

int pdict__store_new(const struct store_config *config, struct store **out)
{
    const pdict_allocator *lent = config->stack->allocator;
    struct store *store = pdict__calloc(&config->allocator, 1, sizeof(*store));
    int status;

    if (!store)
        return PDICT_NOMEM;
    fill(store, config);
    if ((status = locks_init(store)) != PDICT_OK) {
        pdict__free(&config->allocator, store);
        return status;
    }
    pdict__stack_move(&store->stack, config->stack, &store->allocator);
    if ((status = open_all(store, config->path)) != PDICT_OK) {
        pdict__stack_move(config->stack, &store->stack, lent);
        store_release(store);
        return status;
    }
    *out = store;
    return PDICT_OK;
}

/* What was committed shortly before a fork may still have to be synced. */
static bool is_connected(struct store *store)
{
    if (pdict__store_check(store) != PDICT_OK)
        return false;
    if (store->sync_due_ms != 0 && pdict__store_wake(store) != PDICT_OK)
        return false;
    return store->engine != NULL;
}

void pdict__store_free(struct store *store)
{
    pdict__chore_remove(&store->sweeper.chore);
    pdict__chore_remove(&store->sync_chore);
    pdict__chore_remove(&store->reaper);
    if (is_connected(store)) {
        pdict__store_settle(store);
        pdict__readers_trim(store);
        store->backend->close(store->engine);
    }
    pdict__shared_part(store);
    store_release(store);
}

int pdict__store_check(const struct store *store)
{
    /* It was asked for when the store was made. */
    if (store->fork_count == pdict__fork_count_now())
        return PDICT_OK;
    return pdict_fail(PDICT_FORKED,
                      "%s was opened before a fork that could not hand it over: one that came "
                      "from inside a call, around the handlers, or while a call took longer than "
                      "2 s; open it in a new process",
                      store->path);
}
