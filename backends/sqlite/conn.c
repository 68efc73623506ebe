/* SPDX-License-Identifier: MIT */
/* A connection: opened without trusting the file, its settings made explicit and read back. */
#include "sqlite.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

/* How far the log's file may stay grown after the engine began it anew. */
#define JOURNAL_SIZE_LIMIT ((int64_t)64 << 20)

int pdict__sqlite_exec(struct conn *conn, const char *sql)
{
    int rc;

    pdict__sqlite_rest(conn);
    errno = 0;
    rc = sqlite3_exec(conn->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? PDICT_OK : pdict__sqlite_fail(conn, rc);
}

int pdict__sqlite_ask(struct conn *conn, const char *sql, int64_t *number)
{
    sqlite3_stmt *statement;
    int rc, status;

    *number = 0;
    pdict__sqlite_rest(conn);
    errno = 0;
    if ((rc = sqlite3_prepare_v2(conn->db, sql, -1, &statement, NULL)) != SQLITE_OK)
        return pdict__sqlite_fail(conn, rc);
    status = pdict__sqlite_step(conn, 0, statement);
    if (status == PDICT_OK)
        *number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return status == PDICT_END ? PDICT_OK : status;
}

/* A pragma that this SQLite does not know answers nothing, which leaves 0. */
int pdict__sqlite_pragma_get(struct conn *conn, const char *name, int64_t *value)
{
    char sql[64];

    snprintf(sql, sizeof(sql), "PRAGMA %s", name);
    return pdict__sqlite_ask(conn, sql, value);
}

int pdict__sqlite_pragma_set(struct conn *conn, const char *name, int64_t value)
{
    int64_t actual;
    char sql[96];
    int status;

    snprintf(sql, sizeof(sql), "PRAGMA %s=%lld", name, (long long)value);
    if ((status = pdict__sqlite_exec(conn, sql)) != PDICT_OK)
        return status;
    if ((status = pdict__sqlite_pragma_get(conn, name, &actual)) != PDICT_OK)
        return status;
    if (actual != value)
        return pdict_fail(PDICT_UNSUPPORTED,
                          "sqlite: this SQLite (%s) keeps %s at %lld where %lld is asked for; "
                          "change the option or use another build of SQLite",
                          sqlite3_libversion(), name, (long long)actual, (long long)value);
    return PDICT_OK;
}

static int harden_one(sqlite3 *db, int what, int wanted)
{
    int actual = -1;

    sqlite3_db_config(db, what, wanted, &actual);
    return actual == wanted ? PDICT_OK : PDICT_UNSUPPORTED;
}

/* The schema of a file may be hostile, so nothing in it is ever run. Our own writes keep key table
 * and tally themselves; the triggers are for others. */
static int harden(const struct conn *conn)
{
    if (harden_one(conn->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0) != PDICT_OK ||
        harden_one(conn->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0) != PDICT_OK ||
        harden_one(conn->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0) != PDICT_OK ||
        harden_one(conn->db, SQLITE_DBCONFIG_DEFENSIVE, 1) != PDICT_OK)
        return pdict_fail(PDICT_UNSUPPORTED,
                          "sqlite: SQLite %s cannot be told to distrust a file's schema; use a "
                          "build from 3.31 on",
                          sqlite3_libversion());
    if (conn->access != ACCESS_WRITE)
        sqlite3_db_config(conn->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_limit(conn->db, SQLITE_LIMIT_ATTACHED, 0);
    return PDICT_OK;
}

static int clamp_timeout(int64_t timeout_ms)
{
    if (timeout_ms < 0)
        return 0;
    return timeout_ms < INT_MAX ? (int)timeout_ms : INT_MAX;
}

void pdict__sqlite_set_timeout(struct conn *conn, int64_t timeout_ms)
{
    if (conn->timeout_ms != timeout_ms) {
        sqlite3_busy_timeout(conn->db, clamp_timeout(timeout_ms));
        conn->timeout_ms = timeout_ms;
    }
}

/* SQLite gives a file back its locks by itself; it must be the only one here that opens it, since
 * closing any other descriptor of the file would drop them. */
static int open_file(struct conn *conn)
{
    const char *path = conn->store->files[FILE_MAIN];
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    char *uri;
    int rc;

    errno = 0;
    if (conn->access == ACCESS_WRITE || conn->access == ACCESS_READ) {
        rc = sqlite3_open_v2(path, &conn->db, flags | SQLITE_OPEN_READWRITE, NULL);
    } else {
        uri = pdict__sqlite_uri(path, conn->access == ACCESS_READ_FROZEN ? "immutable=1"
                                                                         : "readonly_shm=1");
        if (uri == NULL)
            return no_memory("a path");
        rc = sqlite3_open_v2(uri, &conn->db, flags | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
        sqlite3_free(uri);
    }
    if (conn->db == NULL)
        return no_memory("a connection");
    return rc == SQLITE_OK ? PDICT_OK : pdict__sqlite_fail(conn, rc);
}

static int connect(struct conn *conn, enum access access)
{
    int status;

    conn->access = access;
    conn->durability = PDICT_DURABILITY_DEFAULT;
    conn->timeout_ms = -1;
    if (access == ACCESS_READ_FROZEN && (status = pdict__sqlite_freeze(conn)) != PDICT_OK)
        return status;
    if ((status = open_file(conn)) != PDICT_OK)
        return status;
    pdict__sqlite_set_timeout(conn, conn->store->timeout_ms);
    if ((status = pdict__sqlite_feed_add(conn)) != PDICT_OK)
        return status;
    if (access == ACCESS_WRITE && (status = pdict__sqlite_load_add(conn)) != PDICT_OK)
        return status;
    return harden(conn);
}

static void disconnect(struct conn *conn)
{
    pdict__sqlite_forget_statements(conn);
    sqlite3_close(conn->db);
    conn->db = NULL;
}

int pdict__sqlite_conn_open(struct store *store, enum access access, struct conn **out)
{
    struct conn *conn = store->allocator.allocate(store->allocator.ctx, sizeof(*conn));
    int status;

    if (conn == NULL)
        return no_memory("a connection");
    memset(conn, 0, sizeof(*conn));
    conn->store = store;
    if ((status = connect(conn, access)) != PDICT_OK) {
        pdict__sqlite_conn_close(conn);
        return status;
    }
    *out = conn;
    return PDICT_OK;
}

void pdict__sqlite_conn_close(struct conn *conn)
{
    if (conn == NULL)
        return;
    disconnect(conn);
    conn->store->allocator.release(conn->store->allocator.ctx, conn);
}

int pdict__sqlite_conn_reopen(struct conn *conn, enum access access)
{
    int status;

    disconnect(conn);
    status = connect(conn, access);
    return status == PDICT_OK ? pdict__sqlite_conn_configure(conn) : status;
}

static int configure_reader(struct conn *conn)
{
    return pdict__sqlite_pragma_set(conn, "query_only", 1);
}

/* Core says when to checkpoint; a full sync is what every commit that asks for no less gets. */
static int configure_writer(struct conn *conn)
{
    int status;

    if ((status = pdict__sqlite_pragma_set(conn, "wal_autocheckpoint", 0)) != PDICT_OK)
        return status;
    if ((status = pdict__sqlite_pragma_set(conn, "journal_size_limit", JOURNAL_SIZE_LIMIT)) !=
        PDICT_OK)
        return status;
    if ((status = pdict__sqlite_pragma_set(conn, "secure_delete", conn->store->secure_delete)) !=
        PDICT_OK)
        return status;
    return pdict__sqlite_set_durability(conn, PDICT_FULL_SYNC);
}

int pdict__sqlite_conn_configure(struct conn *conn)
{
    /* A frozen file may shrink under us, and then a mapping of it kills the process. */
    int64_t mmap = conn->access == ACCESS_READ_FROZEN ? 0 : conn->store->mmap;
    int status;

    if ((status = pdict__sqlite_pragma_set(conn, "cell_size_check", 1)) != PDICT_OK)
        return status;
    if ((status = pdict__sqlite_pragma_set(conn, "temp_store", 2)) != PDICT_OK)
        return status;
    /* Negative: KiB instead of pages. */
    if ((status = pdict__sqlite_pragma_set(conn, "cache_size", -(conn->store->page_cache >> 10))) !=
        PDICT_OK)
        return status;
    if ((status = pdict__sqlite_pragma_set(conn, "mmap_size", mmap)) != PDICT_OK)
        return status;
    return conn->access == ACCESS_WRITE ? configure_writer(conn) : configure_reader(conn);
}
