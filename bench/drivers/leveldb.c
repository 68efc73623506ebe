/* SPDX-License-Identifier: MIT */
/* peer:leveldb: LevelDB through its C interface, with a bloom filter and a block cache. */
#include "drivers/driver.h"

#include <leveldb/c.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOOM_BITS 10

struct store {
    leveldb_options_t *options;
    leveldb_cache_t *cache;
    leveldb_filterpolicy_t *bloom;
    leveldb_t *db;
};

struct session {
    leveldb_t *db;
    leveldb_readoptions_t *read;
    leveldb_writeoptions_t *write;
    char *value; /* of the last get */
};

/* The texts of the library are its own to free. */
static int failed(char *text)
{
    int status = pdict_fail(PDICT_IO, "peer:leveldb: %s", text);

    leveldb_free(text);
    return status;
}

static void level_close(void *self)
{
    struct store *store = self;

    if (store->db)
        leveldb_close(store->db);
    leveldb_options_destroy(store->options);
    leveldb_cache_destroy(store->cache);
    leveldb_filterpolicy_destroy(store->bloom);
    free(store);
}

static int level_open(const struct driver_args *args, void **self)
{
    struct store *store = calloc(1, sizeof *store);
    char *error = NULL;
    char path[1024];
    int status;

    if (!store)
        return driver_no_memory("peer:leveldb");
    store->options = leveldb_options_create();
    store->cache = leveldb_cache_create_lru(args->page_cache);
    store->bloom = leveldb_filterpolicy_create_bloom(BLOOM_BITS);
    leveldb_options_set_create_if_missing(store->options, 1);
    leveldb_options_set_compression(store->options, leveldb_no_compression);
    leveldb_options_set_cache(store->options, store->cache);
    leveldb_options_set_filter_policy(store->options, store->bloom);
    if ((status = driver_path(path, sizeof path, args->directory, "leveldb")) == PDICT_OK) {
        store->db = leveldb_open(store->options, path, &error);
        status = error ? failed(error) : PDICT_OK;
    }
    if (status != PDICT_OK) {
        level_close(store);
        return status;
    }
    *self = store;
    return PDICT_OK;
}

static int level_session_open(void *self, enum driver_durability durability, void **session)
{
    struct store *store = self;
    struct session *made = calloc(1, sizeof *made);

    if (!made)
        return driver_no_memory("peer:leveldb");
    made->db = store->db;
    made->read = leveldb_readoptions_create();
    made->write = leveldb_writeoptions_create();
    leveldb_writeoptions_set_sync(made->write, durability == DRIVER_FULL);
    *session = made;
    return PDICT_OK;
}

static void level_session_close(void *session)
{
    struct session *mine = session;

    leveldb_free(mine->value);
    leveldb_readoptions_destroy(mine->read);
    leveldb_writeoptions_destroy(mine->write);
    free(mine);
}

static int level_get(void *session, pdict_slice key, pdict_slice *value)
{
    struct session *mine = session;
    char *error = NULL;

    leveldb_free(mine->value);
    mine->value = leveldb_get(mine->db, mine->read, key.data, key.size, &value->size, &error);
    if (error)
        return failed(error);
    value->data = mine->value;
    return mine->value ? PDICT_OK : PDICT_NOTFOUND;
}

static int level_put(void *session, pdict_slice key, pdict_slice value)
{
    struct session *mine = session;
    char *error = NULL;

    leveldb_put(mine->db, mine->write, key.data, key.size, value.data, value.size, &error);
    return error ? failed(error) : PDICT_OK;
}

static int level_put_many(void *session, const pdict_pair *pairs, size_t count)
{
    struct session *mine = session;
    leveldb_writebatch_t *batch = leveldb_writebatch_create();
    char *error = NULL;

    for (size_t i = 0; i < count; i++)
        leveldb_writebatch_put(batch, pairs[i].key.data, pairs[i].key.size, pairs[i].value.data,
                               pairs[i].value.size);
    leveldb_write(mine->db, mine->write, batch, &error);
    leveldb_writebatch_destroy(batch);
    return error ? failed(error) : PDICT_OK;
}

static int level_del(void *session, pdict_slice key)
{
    struct session *mine = session;
    char *error = NULL;

    leveldb_delete(mine->db, mine->write, key.data, key.size, &error);
    return error ? failed(error) : PDICT_OK;
}

static int level_scan(void *session, pdict_slice from, size_t limit, size_t *count)
{
    struct session *mine = session;
    leveldb_iterator_t *iter = leveldb_create_iterator(mine->db, mine->read);
    char *error = NULL;

    *count = 0;
    if (from.data)
        leveldb_iter_seek(iter, from.data, from.size);
    else
        leveldb_iter_seek_to_first(iter);
    for (; *count < limit && leveldb_iter_valid(iter); leveldb_iter_next(iter), ++*count) {
        size_t size;
        const char *value = leveldb_iter_value(iter, &size);

        driver_look(value, size);
    }
    leveldb_iter_get_error(iter, &error);
    leveldb_iter_destroy(iter);
    return error ? failed(error) : PDICT_OK;
}

static const char *level_library(void)
{
    static char text[32];

    snprintf(text, sizeof text, "LevelDB %d.%d", leveldb_major_version(), leveldb_minor_version());
    return text;
}

const struct driver driver_leveldb = {
    .family = "peer",
    .name = "leveldb",
    .summary = "LevelDB, no compression, bloom filter",
    .flags = DRIVER_THREADS | DRIVER_ORDERED | DRIVER_PERSISTS,
    .strictest = DRIVER_FULL,
    .loosest = DRIVER_CRASH,
    .library = level_library,
    .open = level_open,
    .close = level_close,
    .session_open = level_session_open,
    .session_close = level_session_close,
    .get = level_get,
    .put = level_put,
    .put_many = level_put_many,
    .del = level_del,
    .scan = level_scan,
};
