/* SPDX-License-Identifier: MIT */
/* raw:sqlite: SQLite as a careful user writes it: WAL, prepared statements, one table. */
#include "drivers/driver.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    GET,
    PUT,
    DEL,
    SCAN,
    BEGIN,
    COMMIT,
    ROLLBACK,
    STATEMENTS
};

static const char *const statements[STATEMENTS] = {
    [GET] = "SELECT v FROM kv WHERE k=?1",
    [PUT] = "INSERT INTO kv VALUES(?1,?2) ON CONFLICT(k) DO UPDATE SET v=?2",
    [DEL] = "DELETE FROM kv WHERE k=?1",
    [SCAN] = "SELECT k, v FROM kv WHERE k>=?1 ORDER BY k LIMIT ?2",
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
};

struct store {
    char path[1024];
    size_t page_cache;
};

struct session {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    struct driver_copy copy;
};

static int failed(struct session *session)
{
    return pdict_fail(PDICT_IO, "raw:sqlite: %s", sqlite3_errmsg(session->db));
}

static int sqlite_open(const struct driver_args *args, void **self)
{
    struct store *store = malloc(sizeof *store);
    int status;

    if (!store)
        return driver_no_memory("raw:sqlite");
    store->page_cache = args->page_cache;
    if ((status = driver_path(store->path, sizeof store->path, args->directory, "raw.db")) !=
        PDICT_OK) {
        free(store);
        return status;
    }
    *self = store;
    return PDICT_OK;
}

static void sqlite_session_close(void *session)
{
    struct session *mine = session;

    if (!mine)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(mine->statements[i]);
    sqlite3_close(mine->db);
    free(mine->copy.data);
    free(mine);
}

static int configure(struct session *session, const struct store *store,
                     enum driver_durability durability)
{
    static const char *const synchronous[] = { "FULL", "NORMAL", "OFF", "OFF" };
    char sql[256];

    snprintf(sql, sizeof sql,
             "PRAGMA journal_mode=WAL; PRAGMA synchronous=%s; PRAGMA cache_size=-%zu;"
             "CREATE TABLE IF NOT EXISTS kv(k TEXT PRIMARY KEY, v BLOB)",
             synchronous[durability], store->page_cache / 1024);
    sqlite3_busy_timeout(session->db, 60000);
    if (sqlite3_exec(session->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return failed(session);
    for (int i = 0; i < STATEMENTS; i++) {
        if (sqlite3_prepare_v2(session->db, statements[i], -1, &session->statements[i], NULL))
            return failed(session);
    }
    return PDICT_OK;
}

static int sqlite_session_open(void *self, enum driver_durability durability, void **session)
{
    struct store *store = self;
    struct session *made = calloc(1, sizeof *made);
    int status;

    if (!made)
        return driver_no_memory("raw:sqlite");
    if (sqlite3_open(store->path, &made->db) != SQLITE_OK)
        status = failed(made);
    else
        status = configure(made, store, durability);
    if (status != PDICT_OK) {
        sqlite_session_close(made);
        return status;
    }
    *session = made;
    return PDICT_OK;
}

static int step(struct session *session, int which)
{
    int code = sqlite3_step(session->statements[which]);

    sqlite3_reset(session->statements[which]);
    return code == SQLITE_DONE ? PDICT_OK : failed(session);
}

static void bind_key(sqlite3_stmt *statement, pdict_slice key)
{
    sqlite3_bind_text(statement, 1, key.data, (int)key.size, SQLITE_STATIC);
}

static int sqlite_get(void *session, pdict_slice key, pdict_slice *value)
{
    struct session *mine = session;
    sqlite3_stmt *get = mine->statements[GET];
    int status = PDICT_OK;
    int code;

    bind_key(get, key);
    if ((code = sqlite3_step(get)) == SQLITE_ROW) {
        const void *blob = sqlite3_column_blob(get, 0);

        status = driver_copy(&mine->copy, blob, (size_t)sqlite3_column_bytes(get, 0), value);
    } else {
        status = code == SQLITE_DONE ? PDICT_NOTFOUND : failed(mine);
    }
    sqlite3_reset(get);
    return status;
}

static int sqlite_put(void *session, pdict_slice key, pdict_slice value)
{
    struct session *mine = session;

    bind_key(mine->statements[PUT], key);
    sqlite3_bind_blob(mine->statements[PUT], 2, value.data, (int)value.size, SQLITE_STATIC);
    return step(mine, PUT);
}

static int sqlite_put_many(void *session, const pdict_pair *pairs, size_t count)
{
    int status = step(session, BEGIN);

    for (size_t i = 0; i < count && status == PDICT_OK; i++)
        status = sqlite_put(session, pairs[i].key, pairs[i].value);
    if (status == PDICT_OK)
        return step(session, COMMIT);
    step(session, ROLLBACK);
    return status;
}

static int sqlite_del(void *session, pdict_slice key)
{
    struct session *mine = session;

    bind_key(mine->statements[DEL], key);
    return step(mine, DEL);
}

static int sqlite_scan(void *session, pdict_slice from, size_t limit, size_t *count)
{
    struct session *mine = session;
    sqlite3_stmt *scan = mine->statements[SCAN];
    int code;

    *count = 0;
    bind_key(scan, from.data ? from : pdict_str(""));
    sqlite3_bind_int64(scan, 2, (sqlite3_int64)limit);
    while ((code = sqlite3_step(scan)) == SQLITE_ROW) {
        const unsigned char *value = sqlite3_column_blob(scan, 1);

        driver_look(value, value != NULL);
        ++*count;
    }
    sqlite3_reset(scan);
    return code == SQLITE_DONE ? PDICT_OK : failed(mine);
}

static const char *sqlite_library(void)
{
    return "SQLite " SQLITE_VERSION;
}

const struct driver driver_sqlite = {
    .family = "raw",
    .name = "sqlite",
    .summary = "SQLite, WAL, prepared statements, kv(k TEXT PRIMARY KEY, v BLOB)",
    .flags = DRIVER_THREADS | DRIVER_ORDERED | DRIVER_PROCESSES | DRIVER_PERSISTS,
    .strictest = DRIVER_FULL,
    .loosest = DRIVER_UNSAFE,
    .library = sqlite_library,
    .open = sqlite_open,
    .close = free,
    .session_open = sqlite_session_open,
    .session_close = sqlite_session_close,
    .get = sqlite_get,
    .put = sqlite_put,
    .put_many = sqlite_put_many,
    .del = sqlite_del,
    .scan = sqlite_scan,
};
