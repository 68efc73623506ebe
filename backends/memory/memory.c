/* SPDX-License-Identifier: MIT */
/* The memory backend: a store that lives until it is closed. Copy it to start a new backend. */
#include "store.h"

#include <stdio.h>
#include <string.h>

static struct state *current_state(struct store *store)
{
    struct state *state;

    pthread_mutex_lock(&store->lock);
    state = store->current;
    atomic_fetch_add_explicit(&state->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&store->lock);
    return state;
}

/* ---- store, snapshots, transactions ---- */

static int memory_open(const pdict_backend_args *args, void **self)
{
    struct store *store;

    if (!(args->flags & PDICT_BACKEND_CREATE))
        return pdict_fail(PDICT_NOT_A_STORE,
                          "memory: there is no store named %s yet; open it so that it is created",
                          args->path);
    store = args->allocator.allocate(args->allocator.ctx, sizeof(*store));
    if (store == NULL)
        return no_memory("the store");
    memset(store, 0, sizeof(*store));
    store->heap.allocator = args->allocator;
    store->is_read_only = (args->flags & PDICT_BACKEND_READ_ONLY) != 0;
    store->current = pdict__memory_state_copy(&store->heap, NULL);
    if (store->current == NULL) {
        pdict__memory_release(&store->heap, store);
        return no_memory("the store");
    }
    pthread_mutex_init(&store->lock, NULL);
    *self = store;
    return PDICT_OK;
}

static void memory_close(void *self)
{
    struct store *store = self;
    struct heap heap = store->heap;

    pdict__memory_state_drop(&store->heap, store->current);
    pdict__memory_unreserve(&heap);
    pthread_mutex_destroy(&store->lock);
    pdict__memory_release(&heap, store);
}

static int memory_reader_open(void *self, void **reader)
{
    struct store *store = self;
    struct view *view = pdict__memory_allocate(&store->heap, sizeof(*view));

    if (view == NULL)
        return no_memory("a reader");
    view->state = NULL;
    *reader = view;
    return PDICT_OK;
}

static void memory_reader_close(void *self, void *reader)
{
    struct store *store = self;

    pdict__memory_release(&store->heap, reader);
}

static int memory_reader_begin(void *self, void *reader)
{
    struct view *view = reader;

    view->state = current_state(self);
    return PDICT_OK;
}

static void memory_reader_end(void *self, void *reader)
{
    struct view *view = reader;

    pdict__memory_state_drop(&((struct store *)self)->heap, view->state);
    view->state = NULL;
}

static int memory_write_begin(void *self, int durability, int64_t timeout_ms, void **txn)
{
    struct store *store = self;
    struct state *before, *state;

    (void)durability;
    (void)timeout_ms;
    if (store->is_read_only)
        return pdict_fail(PDICT_READ_ONLY, "memory: the store was opened read-only; open it for "
                                           "writing to change it");
    before = current_state(store);
    state = pdict__memory_state_copy(&store->heap, before);
    pdict__memory_state_drop(&store->heap, before);
    if (state == NULL)
        return no_memory("a transaction");
    store->writer.state = state;
    *txn = &store->writer;
    return PDICT_OK;
}

static void memory_write_abort(void *self, void *txn)
{
    struct store *store = self;

    pdict__memory_state_drop(&store->heap, state_of(txn));
    store->writer.state = NULL;
}

/* The root of a changed tree is another node, and cannot be where the current one still is. */
static bool is_changed(const struct state *state, const struct state *since)
{
    return memcmp(state->root, since->root, sizeof(state->root)) != 0;
}

static int memory_write_commit(void *self, void *txn)
{
    struct store *store = self;
    struct state *before = store->current;

    if (!is_changed(state_of(txn), before)) {
        memory_write_abort(self, txn);
        return PDICT_OK;
    }
    /* One word before the swap, so that nobody finds the new state under the old token; the other
     * one behind it, so that what was read in between belongs to a token that soon is past. */
    atomic_fetch_add_explicit(&store->words[0], 1, memory_order_release);
    pthread_mutex_lock(&store->lock);
    store->current = state_of(txn);
    pthread_mutex_unlock(&store->lock);
    atomic_fetch_add_explicit(&store->words[1], 1, memory_order_release);
    store->writer.state = NULL;
    pdict__memory_state_drop(&store->heap, before);
    return PDICT_OK;
}

/* ---- maps and SYSTEM values ---- */

static int memory_map_find(void *self, void *txn, pdict_slice name, uint32_t *map)
{
    struct item *item =
        pdict__memory_find(state_of(txn), MAPS_BY_NAME, &(struct item){ .row.key = name });

    (void)self;
    if (item == NULL)
        return PDICT_NO_MAP;
    *map = item->map;
    return PDICT_OK;
}

static int memory_map_next(void *self, void *txn, uint32_t after, uint32_t *map, pdict_slice *name)
{
    const struct node *root = state_of(txn)->root[MAPS_BY_NUMBER];
    struct item *item;
    size_t rank;

    (void)self;
    if (after == UINT32_MAX)
        return PDICT_END;
    rank = pdict__memory_rank(state_of(txn), MAPS_BY_NUMBER, &(struct item){ .map = after + 1 });
    if (rank == tree_size(root))
        return PDICT_END;
    item = pdict__memory_at(root, rank);
    *map = item->map;
    *name = item->row.key;
    return PDICT_OK;
}

static int memory_map_create(void *self, void *txn, pdict_slice name, uint32_t *map)
{
    struct store *store = self;
    struct item *item;
    int status;

    if (pdict__memory_find(state_of(txn), MAPS_BY_NAME, &(struct item){ .row.key = name }) != NULL)
        return PDICT_EXISTS;
    if (store->last_map == UINT32_MAX - 1)
        return pdict_fail(PDICT_FULL, "memory: all map numbers were given; start a new store");
    if ((status = pdict__memory_reserve(&store->heap, state_of(txn), 2)) != PDICT_OK)
        return status;
    item = pdict__memory_item_new(&store->heap, store->last_map + 1, &(pdict_row){ .key = name });
    if (item == NULL)
        return no_memory("a map");
    pdict__memory_add(&store->heap, state_of(txn), MAPS_BY_NAME, item);
    pdict__memory_add(&store->heap, state_of(txn), MAPS_BY_NUMBER, item);
    *map = ++store->last_map;
    pdict__memory_item_drop(&store->heap, item);
    return PDICT_OK;
}

static int memory_map_rename(void *self, void *txn, uint32_t map, pdict_slice name)
{
    struct store *store = self;
    struct state *state = state_of(txn);
    struct item *old = find_map(state, map);
    struct item *other = pdict__memory_find(state, MAPS_BY_NAME, &(struct item){ .row.key = name });
    struct item *item;
    int status;

    if (old == NULL)
        return no_map(map);
    if (other != NULL)
        return other == old ? PDICT_OK : PDICT_EXISTS;
    if ((status = pdict__memory_reserve(&store->heap, state, 3)) != PDICT_OK)
        return status;
    if ((item = pdict__memory_item_new(&store->heap, map, &(pdict_row){ .key = name })) == NULL)
        return no_memory("a map's name");
    pdict__memory_take_out(&store->heap, state, MAPS_BY_NAME, old);
    pdict__memory_add(&store->heap, state, MAPS_BY_NAME, item);
    pdict__memory_add(&store->heap, state, MAPS_BY_NUMBER, item);
    pdict__memory_item_drop(&store->heap, item);
    return PDICT_OK;
}

/* The first item that belongs to `map`, or NULL. */
static struct item *first_of(const struct state *state, enum order order, uint32_t map)
{
    size_t rank =
        pdict__memory_rank(state, order, &(struct item){ .map = map, .row.expires_ms = INT64_MIN });
    struct item *item;

    if (rank == tree_size(state->root[order]))
        return NULL;
    item = pdict__memory_at(state->root[order], rank);
    return item->map == map ? item : NULL;
}

static int empty_map(struct store *store, struct state *state, uint32_t map)
{
    struct item *item;
    int status;

    while ((item = first_of(state, ROWS_BY_KEY, map)) != NULL) {
        if ((status = pdict__memory_reserve(&store->heap, state, TAKE_OUT_EDITS)) != PDICT_OK)
            return status;
        pdict__memory_take_out_row(store, state, item);
    }
    while ((item = first_of(state, SYSTEM_BY_NAME, map)) != NULL) {
        if ((status = pdict__memory_reserve(&store->heap, state, 1)) != PDICT_OK)
            return status;
        pdict__memory_take_out(&store->heap, state, SYSTEM_BY_NAME, item);
    }
    return PDICT_OK;
}

static int memory_map_drop(void *self, void *txn, uint32_t map)
{
    struct store *store = self;
    struct view *view = txn;
    struct item *item = find_map(view->state, map);
    struct state *state, *dropped;
    int status;

    if (item == NULL)
        return no_map(map);
    if ((state = pdict__memory_state_copy(&store->heap, view->state)) == NULL)
        return no_memory("dropping a map");
    if ((status = empty_map(store, state, map)) != PDICT_OK)
        goto done;
    if ((status = pdict__memory_reserve(&store->heap, state, 2)) != PDICT_OK)
        goto done;
    pdict__memory_take_out(&store->heap, state, MAPS_BY_NAME, item);
    pdict__memory_take_out(&store->heap, state, MAPS_BY_NUMBER, item);
    dropped = state;
    state = view->state;
    view->state = dropped;
done:
    pdict__memory_state_drop(&store->heap, state);
    return status;
}

static int memory_system_get(void *self, void *txn, uint32_t map, pdict_slice name,
                             pdict_slice *value)
{
    struct item probe = { .map = map, .row.key = name };
    struct item *item = pdict__memory_find(state_of(txn), SYSTEM_BY_NAME, &probe);

    (void)self;
    if (item == NULL)
        return PDICT_NOTFOUND;
    *value = item->row.value;
    return PDICT_OK;
}

static int memory_system_put(void *self, void *txn, uint32_t map, pdict_slice name,
                             pdict_slice value)
{
    struct store *store = self;
    struct state *state = state_of(txn);
    struct item *old =
        pdict__memory_find(state, SYSTEM_BY_NAME, &(struct item){ .map = map, .row.key = name });
    struct item *item;
    int status;

    if (map != 0 && find_map(state, map) == NULL)
        return no_map(map);
    if ((status = pdict__memory_reserve(&store->heap, state, 1)) != PDICT_OK)
        return status;
    if (value.data == NULL) {
        if (old != NULL)
            pdict__memory_take_out(&store->heap, state, SYSTEM_BY_NAME, old);
        return PDICT_OK;
    }
    item = pdict__memory_item_new(&store->heap, map, &(pdict_row){ .key = name, .value = value });
    if (item == NULL)
        return no_memory("a SYSTEM value");
    pdict__memory_add(&store->heap, state, SYSTEM_BY_NAME, item);
    pdict__memory_item_drop(&store->heap, item);
    return PDICT_OK;
}

/* ---- facts ---- */

static int memory_stat(void *self, pdict_backend_stat *stat)
{
    struct state *state = current_state(self);

    snprintf(stat->detail, sizeof(stat->detail), "maps %zu, rows %zu, nothing on disk",
             tree_size(state->root[MAPS_BY_NUMBER]), tree_size(state->root[ROWS_BY_KEY]));
    pdict__memory_state_drop(&((struct store *)self)->heap, state);
    return PDICT_OK;
}

_Static_assert(sizeof(_Atomic uint64_t) == sizeof(uint64_t), "watch() hands out plain words");

static int memory_watch(void *self, const volatile uint64_t *words[2])
{
    struct store *store = self;

    for (int i = 0; i < 2; i++)
        words[i] = (const volatile uint64_t *)&store->words[i];
    return PDICT_OK;
}

static bool memory_is_next(void *self, const uint64_t before[2], const uint64_t after[2])
{
    (void)self;
    return after[0] - before[0] == 1 && after[1] - before[1] == 1;
}

/* A token from within a commit belongs to two states. */
static bool memory_watch_sees(void *self, void *reader, const uint64_t token[2])
{
    (void)self;
    (void)reader;
    return token[0] == token[1];
}

const pdict_backend pdict__backend_memory = {
    PDICT_EXT_HEAD(pdict_backend),
    .name = "memory",
    .summary = "in memory, gone when closed; ordered, transactional, for caches and tests",
    .open = memory_open,
    .close = memory_close,
    .reader_open = memory_reader_open,
    .reader_close = memory_reader_close,
    .reader_begin = memory_reader_begin,
    .reader_end = memory_reader_end,
    .write_begin = memory_write_begin,
    .write_commit = memory_write_commit,
    .write_abort = memory_write_abort,
    .map_find = memory_map_find,
    .map_next = memory_map_next,
    .map_create = memory_map_create,
    .map_drop = memory_map_drop,
    .map_rename = memory_map_rename,
    .system_get = memory_system_get,
    .system_put = memory_system_put,
    .get = pdict__memory_get,
    .apply = pdict__memory_apply,
    .count = pdict__memory_count,
    .scan_open = pdict__memory_scan_open,
    .scan_next = pdict__memory_scan_next,
    .scan_close = pdict__memory_scan_close,
    .stat = memory_stat,
    .watch = memory_watch,
    .is_next = memory_is_next,
    .access_put = pdict__memory_access_put,
    .access_get = pdict__memory_access_get,
    .watch_sees = memory_watch_sees,
};
