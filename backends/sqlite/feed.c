/* SPDX-License-Identifier: MIT */
/* Gets of one snapshot from a statement that never ends: each step takes the next key. */
#include "sqlite.h"

/*
 * To bind, step and reset a statement opens and closes its cursors for every key. SQL_FEED joins a
 * virtual table of one column that has no end: its only value is the key that is wanted now. So each
 * step moves to the next of its rows, finds the key in cursors that are open, and comes back with
 * the row of it, or with NULLs.
 */
struct feed {
    sqlite3_vtab base; /* first: SQLite sees no more */
    const struct conn *conn;
};

static int feed_connect(sqlite3 *db, void *conn, int argc, const char *const *argv,
                        sqlite3_vtab **out, char **error)
{
    struct feed *feed;
    int rc;

    (void)argc, (void)argv, (void)error;
    if ((rc = sqlite3_declare_vtab(db, "CREATE TABLE wanted(key BLOB)")) != SQLITE_OK)
        return rc;
    if ((feed = sqlite3_malloc(sizeof(*feed))) == NULL)
        return SQLITE_NOMEM;
    *feed = (struct feed){ .conn = conn };
    *out = &feed->base;
    return SQLITE_OK;
}

static int feed_disconnect(sqlite3_vtab *feed)
{
    sqlite3_free(feed);
    return SQLITE_OK;
}

static int feed_plan(sqlite3_vtab *feed, sqlite3_index_info *info)
{
    (void)feed;
    info->estimatedCost = 1;
    info->estimatedRows = 1;
    return SQLITE_OK;
}

static int feed_open(sqlite3_vtab *feed, sqlite3_vtab_cursor **out)
{
    (void)feed;
    if ((*out = sqlite3_malloc(sizeof(**out))) == NULL)
        return SQLITE_NOMEM;
    memset(*out, 0, sizeof(**out));
    return SQLITE_OK;
}

static int feed_close(sqlite3_vtab_cursor *cursor)
{
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int feed_filter(sqlite3_vtab_cursor *cursor, int plan, const char *name, int argc,
                       sqlite3_value **argv)
{
    (void)cursor, (void)plan, (void)name, (void)argc, (void)argv;
    return SQLITE_OK;
}

static int feed_next(sqlite3_vtab_cursor *cursor)
{
    (void)cursor;
    return SQLITE_OK;
}

static int feed_is_over(sqlite3_vtab_cursor *cursor)
{
    (void)cursor;
    return 0;
}

static int feed_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
    pdict_slice key = ((const struct feed *)cursor->pVtab)->conn->wanted;

    (void)column;
    sqlite3_result_blob64(context, key.size > 0 ? key.data : "", key.size, SQLITE_STATIC);
    return SQLITE_OK;
}

static int feed_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *id)
{
    (void)cursor;
    *id = 0;
    return SQLITE_OK;
}

/* Without xCreate it is there by its name, and no schema can hold it. */
static const sqlite3_module feed_module = {
    .xConnect = feed_connect,
    .xBestIndex = feed_plan,
    .xDisconnect = feed_disconnect,
    .xOpen = feed_open,
    .xClose = feed_close,
    .xFilter = feed_filter,
    .xNext = feed_next,
    .xEof = feed_is_over,
    .xColumn = feed_column,
    .xRowid = feed_rowid,
};

int pdict__sqlite_feed_add(struct conn *conn)
{
    int rc = sqlite3_create_module(conn->db, "pdict_wanted", &feed_module, conn);

    return rc == SQLITE_OK ? PDICT_OK : pdict__sqlite_fail(conn, rc);
}

int pdict__sqlite_feed(struct conn *conn, uint32_t map, pdict_slice key, sqlite3_stmt **out)
{
    struct map_entry *entry = pdict__sqlite_entry(conn, map);
    int status = PDICT_OK;

    pdict__sqlite_rest(conn);
    if (entry == NULL || !entry->is_fed)
        status = pdict__sqlite_statement(conn, map, SQL_FEED, out);
    else
        *out = entry->statements[SQL_FEED];
    if (status != PDICT_OK)
        return status;
    conn->wanted = key;
    status = pdict__sqlite_step(conn, map, *out);
    /* The entry is there now, and may lie elsewhere. */
    pdict__sqlite_entry(conn, map)->is_fed = status == PDICT_OK;
    if (status != PDICT_OK)
        return status;
    return sqlite3_column_type(*out, 0) == SQLITE_NULL ? PDICT_END : PDICT_OK;
}

void pdict__sqlite_feed_end(struct conn *conn)
{
    for (size_t i = 0; i < conn->entry_count; i++) {
        if (conn->entries[i].is_fed)
            sqlite3_reset(conn->entries[i].statements[SQL_FEED]);
        conn->entries[i].is_fed = false;
    }
}
