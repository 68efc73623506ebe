/* SPDX-License-Identifier: MIT */
/* pdict on SQLite beside SQLite used raw, in one run.
 *
 *     beside_sqlite [all | load | gets | growth] [KEYS] [DIRECTORY]
 *
 * Raw means what a careful user writes: prepared statements, WAL, `kv(k TEXT PRIMARY KEY, v BLOB)`,
 * one transaction per batch or per put, the same page cache.
 */
#include "support/beside.h"
#include "support/plain.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static sqlite3 *db;
static sqlite3_stmt *begin, *commit, *put, *get;

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *statement;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        plain_die(sql, sqlite3_errmsg(db));
    return statement;
}

static void run(sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);

    if (code != SQLITE_DONE && code != SQLITE_ROW)
        plain_die("step", sqlite3_errmsg(db));
    sqlite3_reset(statement);
}

static void raw_open(const char *path, bool is_synced)
{
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db,
                     "PRAGMA journal_mode=WAL; PRAGMA cache_size=-65536;"
                     "CREATE TABLE IF NOT EXISTS kv(k TEXT PRIMARY KEY, v BLOB)",
                     NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db, is_synced ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", NULL,
                     NULL, NULL) != SQLITE_OK)
        plain_die(path, sqlite3_errmsg(db));
    begin = prepare("BEGIN IMMEDIATE");
    commit = prepare("COMMIT");
    put = prepare("INSERT INTO kv VALUES(?1,?2) ON CONFLICT(k) DO UPDATE SET v=?2");
    get = prepare("SELECT v FROM kv WHERE k=?1");
}

static void raw_close(void)
{
    sqlite3_finalize(begin);
    sqlite3_finalize(commit);
    sqlite3_finalize(put);
    sqlite3_finalize(get);
    sqlite3_close(db);
}

static void raw_begin(void)
{
    run(begin);
}

static void raw_commit(void)
{
    run(commit);
}

static void raw_put(const char *key, const char *value)
{
    sqlite3_bind_text(put, 1, key, KEY_SIZE, SQLITE_STATIC);
    sqlite3_bind_blob(put, 2, value, VALUE_SIZE, SQLITE_STATIC);
    run(put);
}

static const void *raw_get(const char *key)
{
    sqlite3_bind_text(get, 1, key, KEY_SIZE, SQLITE_STATIC);
    if (sqlite3_step(get) != SQLITE_ROW)
        plain_die("get", "a key is missing");
    return sqlite3_column_blob(get, 0);
}

static void raw_get_copy(const char *key, char *out)
{
    memcpy(out, raw_get(key), VALUE_SIZE);
    sqlite3_reset(get);
}

static char raw_get_in_place(const char *key)
{
    char first = *(const char *)raw_get(key);

    sqlite3_reset(get);
    return first;
}

int main(int argc, char **argv)
{
    static const char *const suffixes[] = { "", "-wal", "-shm", "-pdict", NULL };
    char name[64];
    struct raw_engine sqlite = {
        .name = name,
        .scheme = "sqlite",
        .options = "&page_cache=64MiB",
        .suffixes = suffixes,
        .open = raw_open,
        .close = raw_close,
        .begin = raw_begin,
        .put = raw_put,
        .commit = raw_commit,
        .get_copy = raw_get_copy,
        .get_in_place = raw_get_in_place,
        .goal_bulk = 1 / 8.0,
        .goal_get = 0.7,
        .goal_put = 1 / 0.95,
    };

    snprintf(name, sizeof(name), "SQLite %s, 64 MiB of page cache", sqlite3_libversion());
    return beside_main(&sqlite, argc, argv);
}
