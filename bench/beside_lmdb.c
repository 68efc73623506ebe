/* SPDX-License-Identifier: MIT */
/* pdict on LMDB beside LMDB used raw, in one run.
 *
 *     beside_lmdb [all | load | gets | growth] [KEYS] [DIRECTORY]
 *
 * Raw means what a careful user writes: one named database, one transaction a batch or a put, and
 * for gets one read transaction that is renewed and reset around each.
 */
#include "support/beside.h"
#include "support/plain.h"

#include <lmdb.h>
#include <stdio.h>
#include <string.h>

static MDB_env *env;
static MDB_dbi dbi;
static MDB_txn *writer, *reader;

static void must(int rc, const char *what)
{
    if (rc != 0)
        plain_die(what, mdb_strerror(rc));
}

static void raw_open(const char *path, bool is_synced)
{
    must(mdb_env_create(&env), "env");
    must(mdb_env_set_mapsize(env, (size_t)64 << 30), "map size");
    must(mdb_env_set_maxdbs(env, 4), "databases");
    must(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOTLS | (is_synced ? 0 : MDB_NOMETASYNC), 0644),
         path);
    must(mdb_txn_begin(env, NULL, 0, &writer), "begin");
    must(mdb_dbi_open(writer, "kv", MDB_CREATE, &dbi), "database");
    must(mdb_txn_commit(writer), "commit");
    must(mdb_txn_begin(env, NULL, MDB_RDONLY, &reader), "begin");
    mdb_txn_reset(reader);
}

static void raw_close(void)
{
    mdb_txn_abort(reader);
    mdb_env_close(env);
}

static void raw_begin(void)
{
    must(mdb_txn_begin(env, NULL, 0, &writer), "begin");
}

static void raw_commit(void)
{
    must(mdb_txn_commit(writer), "commit");
}

static void raw_put(const char *key, const char *value)
{
    MDB_val k = { KEY_SIZE, (void *)key }, v = { VALUE_SIZE, (void *)value };

    must(mdb_put(writer, dbi, &k, &v, 0), "put");
}

static MDB_val raw_get(const char *key)
{
    MDB_val k = { KEY_SIZE, (void *)key }, v;

    must(mdb_txn_renew(reader), "renew");
    must(mdb_get(reader, dbi, &k, &v), "get");
    return v;
}

static void raw_get_copy(const char *key, char *out)
{
    MDB_val v = raw_get(key);

    memcpy(out, v.mv_data, v.mv_size);
    mdb_txn_reset(reader);
}

static char raw_get_in_place(const char *key)
{
    MDB_val v = raw_get(key);
    char first = *(const char *)v.mv_data;

    mdb_txn_reset(reader);
    return first;
}

int main(int argc, char **argv)
{
    static const char *const suffixes[] = { "", "-lock", "-pdict", NULL };
    char name[64];
    int major, minor, patch;
    struct raw_engine lmdb = {
        .name = name,
        .scheme = "lmdb",
        .options = "",
        .suffixes = suffixes,
        .open = raw_open,
        .close = raw_close,
        .begin = raw_begin,
        .put = raw_put,
        .commit = raw_commit,
        .get_copy = raw_get_copy,
        .get_in_place = raw_get_in_place,
        .goal_bulk = 1 / 7.5,
        .goal_get = 1.15,
        .goal_put = 1 / 0.95,
    };

    mdb_version(&major, &minor, &patch);
    snprintf(name, sizeof(name), "LMDB %d.%d.%d", major, minor, patch);
    return beside_main(&lmdb, argc, argv);
}
