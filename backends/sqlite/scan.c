/* SPDX-License-Identifier: MIT */
/* Cursors: a statement of their own each, over a range of ids, of keys or of times; to prepare one
 * costs more than to walk fifty rows, so those of closed cursors are kept for the next. */
#include "sqlite.h"

#include <errno.h>

/* Columns of every scan; the value is the last, so that it can be left out. */
enum {
    COLUMN_ID,
    COLUMN_KEY,
    COLUMN_VERSION,
    COLUMN_CREATED,
    COLUMN_EXPIRES,
    COLUMN_VALUE
};

struct cursor {
    struct conn *conn;
    uint32_t map;
    bool has_values;
    bool is_over;
    int shape; /* among the statements that are kept; -1: none of them */
    sqlite3_stmt *statement;
    char *bounds; /* the keys from and to, one after the other */
};

static char *scan_sql(uint32_t map, const pdict_scan *scan)
{
    const char *value = scan->flags & PDICT_SCAN_NO_VALUES ? "" : ", kv.value";
    const char *way = scan->flags & PDICT_SCAN_REVERSE ? "DESC" : "ASC";

    if (scan->flags & PDICT_SCAN_BY_KEY)
        return sqlite3_mprintf("SELECT kv.id, k.key, kv.version, kv.created_ms, kv.expires_ms%s "
                               "FROM kvk_%u AS k CROSS JOIN kv_%u AS kv ON kv.id = k.id "
                               "WHERE k.key >= ?1%s ORDER BY k.key %s",
                               value, map, map, scan->to.data != NULL ? " AND k.key < ?2" : "",
                               way);
    if (scan->flags & PDICT_SCAN_BY_EXPIRY)
        return sqlite3_mprintf("SELECT kv.id, kv.key, kv.version, kv.created_ms, kv.expires_ms%s "
                               "FROM kv_%u AS kv INDEXED BY kv_%u_expires WHERE kv.expires_ms <> 0 "
                               "AND kv.expires_ms >= ?1 AND kv.expires_ms <= ?2 "
                               "ORDER BY kv.expires_ms %s, kv.id %s",
                               value, map, map, way, way);
    if (scan->flags & PDICT_SCAN_BY_ACCESS)
        return sqlite3_mprintf("SELECT kv.id, kv.key, kv.version, kv.created_ms, kv.expires_ms%s "
                               "FROM kva_%u AS a INDEXED BY kva_%u_accessed "
                               "CROSS JOIN kv_%u AS kv ON kv.id = a.id "
                               "WHERE a.accessed_ms >= ?1 AND a.accessed_ms <= ?2 "
                               "ORDER BY a.accessed_ms %s, a.id %s",
                               value, map, map, map, way, way);
    return sqlite3_mprintf("SELECT kv.id, kv.key, kv.version, kv.created_ms, kv.expires_ms%s "
                           "FROM kv_%u AS kv WHERE kv.id >= ?1 AND kv.id <= ?2 ORDER BY kv.id %s",
                           value, map, way);
}

static int64_t clamp_id(uint64_t id)
{
    return id < INT64_MAX ? (int64_t)id : INT64_MAX;
}

static void bind_ids(sqlite3_stmt *statement, const pdict_scan *scan)
{
    sqlite3_bind_int64(statement, 1, clamp_id(scan->from_id));
    sqlite3_bind_int64(statement, 2, scan->to_id != 0 ? clamp_id(scan->to_id - 1) : INT64_MAX);
}

static void bind_times(sqlite3_stmt *statement, const pdict_scan *scan)
{
    sqlite3_bind_int64(statement, 1, scan->from_ms);
    sqlite3_bind_int64(statement, 2, scan->to_ms != 0 ? scan->to_ms - 1 : INT64_MAX);
}

/* The caller's bytes are borrowed for the call, so the bounds are copied. */
static int bind_keys(struct cursor *cursor, const pdict_scan *scan)
{
    const pdict_allocator *allocator = &cursor->conn->store->allocator;
    size_t from_size = scan->from.data != NULL ? scan->from.size : 0;

    cursor->bounds = allocator->allocate(allocator->ctx, from_size + scan->to.size + 1);
    if (cursor->bounds == NULL)
        return no_memory("a cursor");
    if (from_size > 0)
        memcpy(cursor->bounds, scan->from.data, from_size);
    bind_blob(cursor->statement, 1, (pdict_slice){ cursor->bounds, from_size });
    if (scan->to.data == NULL)
        return PDICT_OK;
    memcpy(cursor->bounds + from_size, scan->to.data, scan->to.size);
    bind_blob(cursor->statement, 2, (pdict_slice){ cursor->bounds + from_size, scan->to.size });
    return PDICT_OK;
}

/* Scans of the same shape have the same text. Those by time are rare, and not kept. */
static int shape_of(const pdict_scan *scan)
{
    int ways =
        (scan->flags & PDICT_SCAN_REVERSE ? 1 : 0) + (scan->flags & PDICT_SCAN_NO_VALUES ? 2 : 0);

    if (scan->flags & PDICT_SCAN_BY_KEY)
        return ways + (scan->to.data != NULL ? 4 : 0);
    return scan->flags & (PDICT_SCAN_BY_EXPIRY | PDICT_SCAN_BY_ACCESS) ? -1 : 8 + ways;
}

static int prepare_new(struct cursor *cursor, const pdict_scan *scan)
{
    char *sql = scan_sql(cursor->map, scan);
    int rc;

    if (sql == NULL)
        return no_memory("a cursor");
    errno = 0;
    rc = sqlite3_prepare_v3(cursor->conn->db, sql, -1,
                            cursor->shape >= 0 ? SQLITE_PREPARE_PERSISTENT : 0, &cursor->statement,
                            NULL);
    sqlite3_free(sql);
    return rc == SQLITE_OK ? PDICT_OK : pdict__sqlite_fail_in_map(cursor->conn, cursor->map, rc);
}

/* One that is kept leaves the entry while it is used: several cursors may be open. */
static int take_statement(struct cursor *cursor, const pdict_scan *scan)
{
    struct map_entry *entry;

    cursor->shape = shape_of(scan);
    if (cursor->shape < 0)
        return prepare_new(cursor, scan);
    if ((entry = pdict__sqlite_entry(cursor->conn, cursor->map)) == NULL)
        return no_memory("a cursor");
    cursor->statement = entry->scans[cursor->shape];
    entry->scans[cursor->shape] = NULL;
    return cursor->statement != NULL ? PDICT_OK : prepare_new(cursor, scan);
}

static void give_statement(struct cursor *cursor)
{
    struct map_entry *entry = NULL;

    if (cursor->statement != NULL && cursor->shape >= 0)
        entry = pdict__sqlite_known(cursor->conn, cursor->map);
    if (entry == NULL || entry->scans[cursor->shape] != NULL) {
        sqlite3_finalize(cursor->statement);
        return;
    }
    sqlite3_reset(cursor->statement);
    sqlite3_clear_bindings(cursor->statement);
    entry->scans[cursor->shape] = cursor->statement;
}

static int prepare(struct cursor *cursor, const pdict_scan *scan)
{
    bool has_access = true, exists = true;
    int status = PDICT_OK;

    if (scan->flags & PDICT_SCAN_BY_ACCESS)
        status = pdict__sqlite_has_access(cursor->conn, cursor->map, &has_access);
    if (status == PDICT_OK && !has_access)
        status = pdict__sqlite_map_exists(cursor->conn, cursor->map, &exists);
    /* Nothing was noted yet: a scan of nothing. */
    cursor->is_over = status == PDICT_OK && !has_access && exists;
    if (status != PDICT_OK || cursor->is_over)
        return status;
    if ((status = take_statement(cursor, scan)) != PDICT_OK)
        return status;
    if (scan->flags & PDICT_SCAN_BY_KEY)
        return bind_keys(cursor, scan);
    if (scan->flags & (PDICT_SCAN_BY_EXPIRY | PDICT_SCAN_BY_ACCESS))
        bind_times(cursor->statement, scan);
    else
        bind_ids(cursor->statement, scan);
    return PDICT_OK;
}

int pdict__sqlite_scan_open(void *self, void *txn, uint32_t map, const pdict_scan *scan, void **out)
{
    struct store *store = self;
    struct cursor *cursor = store->allocator.allocate(store->allocator.ctx, sizeof(*cursor));
    int status;

    if (cursor == NULL)
        return no_memory("a cursor");
    *cursor = (struct cursor){ .conn = txn,
                               .map = map,
                               .has_values = !(scan->flags & PDICT_SCAN_NO_VALUES) };
    if ((status = prepare(cursor, scan)) != PDICT_OK) {
        pdict__sqlite_scan_close(self, cursor);
        return status;
    }
    *out = cursor;
    return PDICT_OK;
}

int pdict__sqlite_scan_next(void *self, void *opaque, pdict_row *row)
{
    struct cursor *cursor = opaque;
    sqlite3_stmt *statement = cursor->statement;
    pdict_row read = { .id = 0 };
    int status;

    (void)self;
    /* A statement that ended would begin again. */
    if (cursor->is_over)
        return PDICT_END;
    status = pdict__sqlite_step(cursor->conn, cursor->map, statement);
    cursor->is_over = status != PDICT_OK;
    if (status != PDICT_OK)
        return status;
    read.id = (uint64_t)sqlite3_column_int64(statement, COLUMN_ID);
    read.version = (uint64_t)sqlite3_column_int64(statement, COLUMN_VERSION);
    read.created_ms = sqlite3_column_int64(statement, COLUMN_CREATED);
    read.expires_ms = sqlite3_column_int64(statement, COLUMN_EXPIRES);
    if ((status = pdict__sqlite_column(statement, COLUMN_KEY, &read.key)) != PDICT_OK)
        return status;
    if (cursor->has_values &&
        (status = pdict__sqlite_column(statement, COLUMN_VALUE, &read.value)) != PDICT_OK)
        return status;
    *row = read;
    return PDICT_OK;
}

void pdict__sqlite_scan_close(void *self, void *opaque)
{
    struct store *store = self;
    struct cursor *cursor = opaque;

    give_statement(cursor);
    store->allocator.release(store->allocator.ctx, cursor->bounds);
    store->allocator.release(store->allocator.ctx, cursor);
}
