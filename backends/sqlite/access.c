/* SPDX-License-Identifier: MIT */
/* Access times: a narrow table beside the rows, so that noting one rewrites no value. */
#include "sqlite.h"

/* ---- is there anything? ---- */

static int look(struct conn *conn, uint32_t map, bool *has_access)
{
    sqlite3_stmt *exists;
    int status;

    if ((status = pdict__sqlite_statement(conn, map, SQL_ACCESS_EXISTS, &exists)) != PDICT_OK)
        return status;
    status = pdict__sqlite_step(conn, map, exists);
    *has_access = status == PDICT_OK;
    sqlite3_reset(exists);
    return status == PDICT_END ? PDICT_OK : status;
}

static void remember(struct conn *conn, uint32_t map, bool has_access)
{
    struct map_entry *entry = pdict__sqlite_entry(conn, map);

    if (entry == NULL || conn->access != ACCESS_WRITE)
        return;
    entry->knows_access = true;
    entry->has_access = has_access;
}

int pdict__sqlite_has_access(struct conn *conn, uint32_t map, bool *has_access)
{
    struct map_entry *entry = pdict__sqlite_entry(conn, map);
    int status = PDICT_OK;

    if (entry != NULL && entry->knows_access) {
        *has_access = entry->has_access;
        return PDICT_OK;
    }
    if ((status = look(conn, map, has_access)) == PDICT_OK)
        remember(conn, map, *has_access);
    return status;
}

static int check_map(struct conn *conn, uint32_t map)
{
    bool exists;
    int status = pdict__sqlite_map_exists(conn, map, &exists);

    if (status == PDICT_OK && !exists)
        status = pdict__sqlite_fail_in_map(conn, map, SQLITE_ERROR);
    return status;
}

/* ---- noting and reading ---- */

static int make_place(struct conn *conn, uint32_t map)
{
    bool has_access;
    int status;

    if ((status = pdict__sqlite_has_access(conn, map, &has_access)) != PDICT_OK || has_access)
        return status;
    if ((status = check_map(conn, map)) != PDICT_OK)
        return status;
    if ((status = pdict__sqlite_schema_add_access(conn, map)) == PDICT_OK)
        remember(conn, map, true);
    return status;
}

int pdict__sqlite_access_put(void *self, void *txn, uint32_t map, const pdict_access *items,
                             size_t count)
{
    struct conn *conn = txn;
    sqlite3_stmt *put;
    int status;

    (void)self;
    if ((status = make_place(conn, map)) != PDICT_OK)
        return status;
    if ((status = pdict__sqlite_statement(conn, map, SQL_ACCESS_PUT, &put)) != PDICT_OK)
        return status;
    for (size_t i = 0; i < count && status == PDICT_OK; i++) {
        sqlite3_bind_int64(put, 1, (int64_t)items[i].id);
        sqlite3_bind_int64(put, 2, items[i].accessed_ms);
        status = pdict__sqlite_run(conn, map, put);
    }
    return status;
}

int pdict__sqlite_access_get(void *self, void *txn, uint32_t map, uint64_t id, int64_t *accessed_ms)
{
    struct conn *conn = txn;
    sqlite3_stmt *get;
    bool has_access;
    int status;

    (void)self;
    if ((status = pdict__sqlite_has_access(conn, map, &has_access)) != PDICT_OK)
        return status;
    if (!has_access)
        return (status = check_map(conn, map)) == PDICT_OK ? PDICT_NOTFOUND : status;
    if ((status = pdict__sqlite_statement(conn, map, SQL_ACCESS_GET, &get)) != PDICT_OK)
        return status;
    sqlite3_bind_int64(get, 1, (int64_t)id);
    status = pdict__sqlite_step(conn, map, get);
    if (status == PDICT_OK)
        *accessed_ms = sqlite3_column_int64(get, 0);
    sqlite3_reset(get);
    return status == PDICT_END ? PDICT_NOTFOUND : status;
}

int pdict__sqlite_access_drop(struct conn *conn, uint32_t map, int64_t id)
{
    sqlite3_stmt *drop;
    bool has_access;
    int status;

    if ((status = pdict__sqlite_has_access(conn, map, &has_access)) != PDICT_OK || !has_access)
        return status;
    if ((status = pdict__sqlite_statement(conn, map, SQL_ACCESS_DROP, &drop)) != PDICT_OK)
        return status;
    sqlite3_bind_int64(drop, 1, id);
    return pdict__sqlite_run(conn, map, drop);
}
