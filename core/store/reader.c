/* SPDX-License-Identifier: MIT */
/* Snapshots: a pool of the engine's readers, one thread at a time on each. */
#include "store/store.h"

static void *pop(struct store *store)
{
    void *reader = NULL;

    pthread_mutex_lock(&store->pool_lock);
    if (store->n_idle > 0)
        reader = store->idle_readers[--store->n_idle];
    pthread_mutex_unlock(&store->pool_lock);
    return reader;
}

static bool push(struct store *store, void *reader)
{
    bool has_room;

    pthread_mutex_lock(&store->pool_lock);
    has_room = store->n_idle < READER_POOL_SIZE;
    if (has_room)
        store->idle_readers[store->n_idle++] = reader;
    pthread_mutex_unlock(&store->pool_lock);
    return has_room;
}

int pdict__read_begin(struct store *store, void **out)
{
    void *reader;
    int status;

    if ((status = pdict__store_check(store)) != PDICT_OK)
        return status;
    reader = pop(store);
    if (!reader && (status = store->backend->reader_open(store->engine, &reader)) != PDICT_OK)
        return status;
    if ((status = store->backend->reader_begin(store->engine, reader)) != PDICT_OK) {
        store->backend->reader_close(store->engine, reader);
        return status;
    }
    *out = reader;
    return PDICT_OK;
}

void pdict__read_end(struct store *store, void *reader)
{
    /* In the child of a fork the handle is the parent's: leave it alone. */
    if (store->fork_count != pdict__fork_count())
        return;
    store->backend->reader_end(store->engine, reader);
    if (!push(store, reader))
        store->backend->reader_close(store->engine, reader);
}

void pdict__readers_trim(struct store *store)
{
    void *reader;

    while ((reader = pop(store)))
        store->backend->reader_close(store->engine, reader);
}
