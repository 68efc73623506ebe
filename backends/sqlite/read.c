/* SPDX-License-Identifier: MIT */
/* Readers: a connection each, one snapshot at a time; a get is one step of one statement. */
#include "sqlite.h"

static enum access reader_access(const struct store *store)
{
    return store->is_read_only ? store->anchor->access : ACCESS_READ;
}

int pdict__sqlite_reader_open(void *self, void **reader)
{
    struct store *store = self;
    struct conn *conn;
    int status;

    if ((status = pdict__sqlite_conn_open(store, reader_access(store), &conn)) != PDICT_OK)
        return status;
    if ((status = pdict__sqlite_conn_configure(conn)) != PDICT_OK) {
        pdict__sqlite_conn_close(conn);
        return status;
    }
    *reader = conn;
    return PDICT_OK;
}

void pdict__sqlite_reader_close(void *self, void *reader)
{
    (void)self;
    pdict__sqlite_conn_close(reader);
}

static int run_plain(struct conn *conn, enum sql sql)
{
    sqlite3_stmt *statement;
    int status = pdict__sqlite_statement(conn, 0, sql, &statement);

    return status == PDICT_OK ? pdict__sqlite_run(conn, 0, statement) : status;
}

/* BEGIN alone takes no snapshot; the first read does. */
int pdict__sqlite_reader_begin(void *self, void *reader)
{
    struct conn *conn = reader;
    int status;

    /* The last snapshot is still there if there was no memory to end it. */
    if (!sqlite3_get_autocommit(conn->db))
        pdict__sqlite_reader_end(self, reader);
    if ((status = pdict__sqlite_refresh(reader)) != PDICT_OK)
        return status;
    if ((status = run_plain(reader, SQL_BEGIN_READ)) != PDICT_OK)
        return status;
    if ((status = run_plain(reader, SQL_PIN)) != PDICT_OK)
        pdict__sqlite_reader_end(self, reader);
    conn->n_gets = 0;
    return status;
}

/* A snapshot has nothing to commit, so the end of it cannot fail. */
void pdict__sqlite_reader_end(void *self, void *reader)
{
    struct conn *conn = reader;

    (void)self;
    pdict__sqlite_rest(conn);
    pdict__sqlite_feed_end(conn);
    if (!sqlite3_get_autocommit(conn->db))
        (void)run_plain(conn, SQL_COMMIT);
}

/* The row of a key that the caller has. */
static int fill_row(sqlite3_stmt *statement, pdict_slice key, pdict_row *row)
{
    pdict_row read = {
        .id = (uint64_t)sqlite3_column_int64(statement, 0),
        .key = key,
        .version = (uint64_t)sqlite3_column_int64(statement, 1),
        .created_ms = sqlite3_column_int64(statement, 2),
        .expires_ms = sqlite3_column_int64(statement, 3),
    };
    int status = pdict__sqlite_column(statement, 4, &read.value);

    if (status == PDICT_OK)
        *row = read;
    return status;
}

static int get_once(struct conn *conn, uint32_t map, pdict_slice key, sqlite3_stmt **get)
{
    int status = pdict__sqlite_statement(conn, map, SQL_GET, get);

    if (status != PDICT_OK)
        return status;
    bind_blob(*get, 1, key);
    if ((status = pdict__sqlite_step(conn, map, *get)) == PDICT_OK)
        conn->pending = *get;
    return status;
}

/* One get alone is dearer from a statement that is to give many. */
static bool is_one_of_many(struct conn *conn)
{
    return conn->access != ACCESS_WRITE && (conn->n_gets > 0 || conn->n_gets++ > 0);
}

int pdict__sqlite_get(void *self, void *txn, uint32_t map, pdict_slice key, pdict_row *row)
{
    struct conn *conn = txn;
    sqlite3_stmt *get;
    int status;

    (void)self;
    status = is_one_of_many(conn) ? pdict__sqlite_feed(conn, map, key, &get)
                                  : get_once(conn, map, key, &get);
    if (status == PDICT_END)
        return PDICT_NOTFOUND;
    return status == PDICT_OK ? fill_row(get, key, row) : status;
}

static int fail_tally(const struct conn *conn, uint32_t map)
{
    return pdict_fail(PDICT_DAMAGED,
                      "sqlite: %s is damaged (map number %u miscounts its rows); restore a backup",
                      conn->store->files[FILE_MAIN], map);
}

int pdict__sqlite_tally(struct conn *conn, uint32_t map, struct tally *tally)
{
    sqlite3_stmt *read;
    int64_t live, last_id, top;
    int status;

    if ((status = pdict__sqlite_statement(conn, map, SQL_TALLY, &read)) != PDICT_OK)
        return status;
    status = pdict__sqlite_step(conn, map, read);
    if (status == PDICT_END)
        return pdict__sqlite_fail_in_map(conn, map, SQLITE_ERROR);
    if (status != PDICT_OK)
        return status;
    live = sqlite3_column_int64(read, 0);
    last_id = sqlite3_column_int64(read, 1);
    top = sqlite3_column_int64(read, 2);
    sqlite3_reset(read);
    /* So the sum below cannot overflow, whatever the file says. */
    if (live < 0 || live > last_id)
        return fail_tally(conn, map);
    tally->live = top > last_id ? live + (top - last_id) : live;
    tally->last_id = top > last_id ? top : last_id;
    return PDICT_OK;
}

int pdict__sqlite_count(void *self, void *txn, uint32_t map, int64_t now_ms, uint64_t *count)
{
    struct conn *conn = txn;
    struct tally tally = { 0 };
    sqlite3_stmt *read;
    int64_t expired;
    int status;

    (void)self;
    if ((status = pdict__sqlite_tally(conn, map, &tally)) != PDICT_OK)
        return status;
    if ((status = pdict__sqlite_statement(conn, map, SQL_EXPIRED, &read)) != PDICT_OK)
        return status;
    sqlite3_bind_int64(read, 1, now_ms);
    if ((status = pdict__sqlite_step(conn, map, read)) != PDICT_OK)
        return status;
    expired = sqlite3_column_int64(read, 0);
    sqlite3_reset(read);
    if (expired > tally.live)
        return fail_tally(conn, map);
    *count = (uint64_t)(tally.live - expired);
    return PDICT_OK;
}
