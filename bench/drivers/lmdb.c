/* SPDX-License-Identifier: MIT */
/* raw:lmdb: LMDB with one read transaction a session, renewed for each read. */
#include "drivers/driver.h"

#include <lmdb.h>
#include <stdlib.h>

/* Address space only: the file grows as it is written. */
#define MAP_SIZE ((size_t)64 << 30)

struct store {
    MDB_env *env;
    MDB_dbi dbi;
};

struct session {
    struct store *store;
    MDB_txn *reader; /* reset between reads */
    struct driver_copy copy;
};

static int failed(int code)
{
    return pdict_fail(PDICT_IO, "raw:lmdb: %s", mdb_strerror(code));
}

static MDB_val val(pdict_slice slice)
{
    return (MDB_val){ slice.size, (void *)(uintptr_t)slice.data };
}

static void lmdb_close(void *self)
{
    struct store *store = self;

    mdb_env_close(store->env);
    free(store);
}

static int open_dbi(struct store *store)
{
    MDB_txn *txn;
    int code;

    if ((code = mdb_txn_begin(store->env, NULL, 0, &txn)))
        return code;
    if ((code = mdb_dbi_open(txn, NULL, 0, &store->dbi))) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

static int lmdb_open(const struct driver_args *args, void **self)
{
    struct store *store = calloc(1, sizeof *store);
    char path[1024];
    int status;
    int code;

    if (!store)
        return driver_no_memory("raw:lmdb");
    if ((status = driver_path(path, sizeof path, args->directory, "raw.mdb")) != PDICT_OK) {
        free(store);
        return status;
    }
    if ((code = mdb_env_create(&store->env))) {
        free(store);
        return failed(code);
    }
    mdb_env_set_mapsize(store->env, MAP_SIZE);
    mdb_env_set_maxreaders(store->env, 512);
    code = mdb_env_open(store->env, path, MDB_NOSUBDIR | MDB_NOTLS, 0600);
    if (code || (code = open_dbi(store))) {
        lmdb_close(store);
        return failed(code);
    }
    *self = store;
    return PDICT_OK;
}

static void lmdb_session_close(void *session)
{
    struct session *mine = session;

    mdb_txn_abort(mine->reader);
    free(mine->copy.data);
    free(mine);
}

/* Durability belongs to the environment; all sessions of a run ask for the same. */
static int set_durability(MDB_env *env, enum driver_durability durability)
{
    int code = mdb_env_set_flags(env, MDB_NOSYNC | MDB_NOMETASYNC, 0);

    if (code == 0 && durability == DRIVER_CRASH)
        code = mdb_env_set_flags(env, MDB_NOMETASYNC, 1);
    if (code == 0 && durability == DRIVER_UNSAFE)
        code = mdb_env_set_flags(env, MDB_NOSYNC, 1);
    return code;
}

static int lmdb_session_open(void *self, enum driver_durability durability, void **session)
{
    struct store *store = self;
    struct session *made = calloc(1, sizeof *made);
    int code;

    if (!made)
        return driver_no_memory("raw:lmdb");
    made->store = store;
    if ((code = set_durability(store->env, durability)) ||
        (code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &made->reader))) {
        free(made);
        return failed(code);
    }
    mdb_txn_reset(made->reader);
    *session = made;
    return PDICT_OK;
}

static int find(struct session *session, pdict_slice key, MDB_val *value)
{
    MDB_val k = val(key);
    int code = mdb_txn_renew(session->reader);

    if (code == 0)
        code = mdb_get(session->reader, session->store->dbi, &k, value);
    return code == 0 ? PDICT_OK : code == MDB_NOTFOUND ? PDICT_NOTFOUND : failed(code);
}

static int lmdb_get(void *session, pdict_slice key, pdict_slice *value)
{
    struct session *mine = session;
    MDB_val found;
    int status = find(mine, key, &found);

    if (status == PDICT_OK)
        status = driver_copy(&mine->copy, found.mv_data, found.mv_size, value);
    mdb_txn_reset(mine->reader);
    return status;
}

static int lmdb_visit(void *session, pdict_slice key, unsigned *seen)
{
    struct session *mine = session;
    MDB_val found;
    int status = find(mine, key, &found);

    if (status == PDICT_OK)
        *seen += *(const unsigned char *)found.mv_data;
    mdb_txn_reset(mine->reader);
    return status;
}

static int lmdb_put_many(void *session, const pdict_pair *pairs, size_t count)
{
    struct session *mine = session;
    MDB_txn *txn;
    int code;

    if ((code = mdb_txn_begin(mine->store->env, NULL, 0, &txn)))
        return failed(code);
    for (size_t i = 0; i < count && code == 0; i++) {
        MDB_val k = val(pairs[i].key);
        MDB_val v = val(pairs[i].value);

        code = mdb_put(txn, mine->store->dbi, &k, &v, 0);
    }
    if (code) {
        mdb_txn_abort(txn);
        return failed(code);
    }
    code = mdb_txn_commit(txn);
    return code ? failed(code) : PDICT_OK;
}

static int lmdb_put(void *session, pdict_slice key, pdict_slice value)
{
    pdict_pair pair = { key, value };

    return lmdb_put_many(session, &pair, 1);
}

static int lmdb_del(void *session, pdict_slice key)
{
    struct session *mine = session;
    MDB_val k = val(key);
    MDB_txn *txn;
    int code;

    if ((code = mdb_txn_begin(mine->store->env, NULL, 0, &txn)))
        return failed(code);
    code = mdb_del(txn, mine->store->dbi, &k, NULL);
    if (code && code != MDB_NOTFOUND) {
        mdb_txn_abort(txn);
        return failed(code);
    }
    code = mdb_txn_commit(txn);
    return code ? failed(code) : PDICT_OK;
}

static int walk(MDB_cursor *cursor, pdict_slice from, size_t limit, size_t *count)
{
    MDB_val k = val(from);
    MDB_val v;
    int code = mdb_cursor_get(cursor, &k, &v, from.size > 0 ? MDB_SET_RANGE : MDB_FIRST);

    while (code == 0 && *count < limit) {
        driver_look(v.mv_data, v.mv_size);
        ++*count;
        code = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
    }
    return code == 0 || code == MDB_NOTFOUND ? PDICT_OK : failed(code);
}

static int lmdb_scan(void *session, pdict_slice from, size_t limit, size_t *count)
{
    struct session *mine = session;
    MDB_cursor *cursor;
    int status;
    int code;

    *count = 0;
    if ((code = mdb_txn_renew(mine->reader)))
        return failed(code);
    if ((code = mdb_cursor_open(mine->reader, mine->store->dbi, &cursor))) {
        status = failed(code);
    } else {
        status = walk(cursor, from, limit, count);
        mdb_cursor_close(cursor);
    }
    mdb_txn_reset(mine->reader);
    return status;
}

static const char *lmdb_library(void)
{
    return mdb_version(NULL, NULL, NULL);
}

const struct driver driver_lmdb = {
    .family = "raw",
    .name = "lmdb",
    .summary = "LMDB, renew + get + reset, one transaction a put",
    .flags = DRIVER_THREADS | DRIVER_ORDERED | DRIVER_PROCESSES | DRIVER_PERSISTS,
    .strictest = DRIVER_FULL,
    .loosest = DRIVER_UNSAFE,
    .library = lmdb_library,
    .open = lmdb_open,
    .close = lmdb_close,
    .session_open = lmdb_session_open,
    .session_close = lmdb_session_close,
    .get = lmdb_get,
    .put = lmdb_put,
    .put_many = lmdb_put_many,
    .del = lmdb_del,
    .scan = lmdb_scan,
    .visit = lmdb_visit,
};
