/* SPDX-License-Identifier: MIT */
/* peer:rocksdb: RocksDB through its C interface, with a bloom filter and a block cache. */
#include "drivers/driver.h"

#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOOM_BITS 10

struct store {
    rocksdb_options_t *options;
    rocksdb_t *db;
};

struct session {
    rocksdb_t *db;
    rocksdb_readoptions_t *read;
    rocksdb_writeoptions_t *write;
    rocksdb_pinnableslice_t *pinned; /* of the last get */
};

/* The texts of the library are its own to free. */
static int failed(char *text)
{
    int status = pdict_fail(PDICT_IO, "peer:rocksdb: %s", text);

    rocksdb_free(text);
    return status;
}

static void rocks_close(void *self)
{
    struct store *store = self;

    if (store->db)
        rocksdb_close(store->db);
    rocksdb_options_destroy(store->options);
    free(store);
}

static void set_table(rocksdb_options_t *options, size_t cache_bytes)
{
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_cache_t *cache = rocksdb_cache_create_lru(cache_bytes);

    rocksdb_block_based_options_set_block_cache(table, cache);
    rocksdb_block_based_options_set_filter_policy(table,
                                                  rocksdb_filterpolicy_create_bloom(BLOOM_BITS));
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
    rocksdb_cache_destroy(cache);
}

static int rocks_open(const struct driver_args *args, void **self)
{
    struct store *store = calloc(1, sizeof *store);
    char *error = NULL;
    char path[1024];
    int status;

    if (!store)
        return driver_no_memory("peer:rocksdb");
    store->options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(store->options, 1);
    rocksdb_options_set_compression(store->options, rocksdb_no_compression);
    set_table(store->options, args->page_cache);
    if ((status = driver_path(path, sizeof path, args->directory, "rocksdb")) == PDICT_OK) {
        store->db = rocksdb_open(store->options, path, &error);
        status = error ? failed(error) : PDICT_OK;
    }
    if (status != PDICT_OK) {
        rocks_close(store);
        return status;
    }
    *self = store;
    return PDICT_OK;
}

static int rocks_session_open(void *self, enum driver_durability durability, void **session)
{
    struct store *store = self;
    struct session *made = calloc(1, sizeof *made);

    if (!made)
        return driver_no_memory("peer:rocksdb");
    made->db = store->db;
    made->read = rocksdb_readoptions_create();
    made->write = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(made->write, durability == DRIVER_FULL);
    *session = made;
    return PDICT_OK;
}

static void rocks_session_close(void *session)
{
    struct session *mine = session;

    if (mine->pinned)
        rocksdb_pinnableslice_destroy(mine->pinned);
    rocksdb_readoptions_destroy(mine->read);
    rocksdb_writeoptions_destroy(mine->write);
    free(mine);
}

static int rocks_get(void *session, pdict_slice key, pdict_slice *value)
{
    struct session *mine = session;
    char *error = NULL;

    if (mine->pinned)
        rocksdb_pinnableslice_destroy(mine->pinned);
    mine->pinned = rocksdb_get_pinned(mine->db, mine->read, key.data, key.size, &error);
    if (error)
        return failed(error);
    if (!mine->pinned)
        return PDICT_NOTFOUND;
    value->data = rocksdb_pinnableslice_value(mine->pinned, &value->size);
    return PDICT_OK;
}

static int rocks_put(void *session, pdict_slice key, pdict_slice value)
{
    struct session *mine = session;
    char *error = NULL;

    rocksdb_put(mine->db, mine->write, key.data, key.size, value.data, value.size, &error);
    return error ? failed(error) : PDICT_OK;
}

static int rocks_put_many(void *session, const pdict_pair *pairs, size_t count)
{
    struct session *mine = session;
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    char *error = NULL;

    for (size_t i = 0; i < count; i++)
        rocksdb_writebatch_put(batch, pairs[i].key.data, pairs[i].key.size, pairs[i].value.data,
                               pairs[i].value.size);
    rocksdb_write(mine->db, mine->write, batch, &error);
    rocksdb_writebatch_destroy(batch);
    return error ? failed(error) : PDICT_OK;
}

static int rocks_del(void *session, pdict_slice key)
{
    struct session *mine = session;
    char *error = NULL;

    rocksdb_delete(mine->db, mine->write, key.data, key.size, &error);
    return error ? failed(error) : PDICT_OK;
}

static int rocks_scan(void *session, pdict_slice from, size_t limit, size_t *count)
{
    struct session *mine = session;
    rocksdb_iterator_t *iter = rocksdb_create_iterator(mine->db, mine->read);
    char *error = NULL;

    *count = 0;
    if (from.data)
        rocksdb_iter_seek(iter, from.data, from.size);
    else
        rocksdb_iter_seek_to_first(iter);
    for (; *count < limit && rocksdb_iter_valid(iter); rocksdb_iter_next(iter), ++*count) {
        size_t size;
        const char *value = rocksdb_iter_value(iter, &size);

        driver_look(value, size);
    }
    rocksdb_iter_get_error(iter, &error);
    rocksdb_iter_destroy(iter);
    return error ? failed(error) : PDICT_OK;
}

static const char *rocks_library(void)
{
    return "RocksDB " BENCH_ROCKSDB;
}

const struct driver driver_rocksdb = {
    .family = "peer",
    .name = "rocksdb",
    .summary = "RocksDB, no compression, bloom filter",
    .flags = DRIVER_THREADS | DRIVER_ORDERED | DRIVER_PERSISTS,
    .strictest = DRIVER_FULL,
    .loosest = DRIVER_CRASH,
    .library = rocks_library,
    .open = rocks_open,
    .close = rocks_close,
    .session_open = rocks_session_open,
    .session_close = rocks_session_close,
    .get = rocks_get,
    .put = rocks_put,
    .put_many = rocks_put_many,
    .del = rocks_del,
    .scan = rocks_scan,
};
