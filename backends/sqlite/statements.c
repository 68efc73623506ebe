/* SPDX-License-Identifier: MIT */
/* The prepared statements of a connection: one text each, prepared on first use and kept. */
#include "sqlite.h"

#include <assert.h>
#include <errno.h>

/* '#' stands for the number of the map. CROSS JOIN fixes the order: key table first. */
static const char *const sql_text[SQL_COUNT] = {
    [SQL_BEGIN_READ] = "BEGIN",
    [SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_PIN] = "PRAGMA user_version",
    [SQL_MAP_FIND] = "SELECT id FROM pdict_map WHERE name = ?1",
    [SQL_MAP_NEXT] = "SELECT id, name FROM pdict_map WHERE id > ?1 ORDER BY id LIMIT 1",
    [SQL_MAP_EXISTS] = "SELECT view FROM pdict_map WHERE id = ?1",
    [SQL_MAP_OF_VIEW] = "SELECT id FROM pdict_map WHERE view = ?1",
    [SQL_MAP_ADD] = "INSERT INTO pdict_map(name, live, last_id) VALUES (?1, 0, 0)",
    [SQL_MAP_NAME] = "UPDATE pdict_map SET name = ?2, view = ?3 WHERE id = ?1",
    [SQL_MAP_DROP] = "DELETE FROM pdict_map WHERE id = ?1",
    [SQL_MAP_FOLD] = "UPDATE pdict_map SET live = ?2, last_id = ?3 WHERE id = ?1",
    [SQL_SYSTEM_GET] = "SELECT value FROM pdict_system WHERE map = ?1 AND name = ?2",
    [SQL_SYSTEM_PUT] = "INSERT INTO pdict_system(map, name, value) VALUES (?1, ?2, ?3) "
                       "ON CONFLICT DO UPDATE SET value = excluded.value",
    [SQL_SYSTEM_DROP] = "DELETE FROM pdict_system WHERE map = ?1 AND name = ?2",
    [SQL_SYSTEM_DROP_ALL] = "DELETE FROM pdict_system WHERE map = ?1",
    [SQL_GET] = "SELECT kv.id, kv.version, kv.created_ms, kv.expires_ms, kv.value "
                "FROM kvk_# AS k CROSS JOIN kv_# AS kv ON kv.id = k.id WHERE k.key = ?1",
    [SQL_FEED] = "SELECT kv.id, kv.version, kv.created_ms, kv.expires_ms, kv.value "
                 "FROM pdict_wanted AS w LEFT JOIN kvk_# AS k ON k.key = w.key "
                 "LEFT JOIN kv_# AS kv ON kv.id = k.id",
    [SQL_FIND] = "SELECT kv.id, kv.version, kv.created_ms, kv.expires_ms "
                 "FROM kvk_# AS k CROSS JOIN kv_# AS kv ON kv.id = k.id WHERE k.key = ?1",
    [SQL_KEY_ADD] = "INSERT INTO kvk_#(key, id) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
    [SQL_KEY_ID] = "SELECT id FROM kvk_# WHERE key = ?1",
    [SQL_KEYS_ADD] = "INSERT OR FAIL INTO kvk_#(key, id) SELECT key, id FROM pdict_load WHERE true "
                     "ON CONFLICT DO NOTHING",
    [SQL_KEY_MOVE] = "UPDATE kvk_# SET id = ?2 WHERE key = ?1",
    [SQL_KEY_DROP] = "DELETE FROM kvk_# WHERE key = ?1",
    [SQL_ROW_ADD] = "INSERT INTO kv_#(id, key, version, created_ms, expires_ms, value) "
                    "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [SQL_ROWS_ADD] = "INSERT OR FAIL INTO kv_#(id, key, version, created_ms, expires_ms, value) "
                     "SELECT id, key, version, created_ms, expires_ms, value FROM pdict_load",
    [SQL_ROW_CHANGE] = "UPDATE kv_# SET version = ?2, expires_ms = ?3, value = ?4 WHERE id = ?1",
    [SQL_ROW_DROP] = "DELETE FROM kv_# WHERE id = ?1",
    [SQL_TALLY] = "SELECT live, last_id, (SELECT max(id) FROM kv_#) FROM pdict_map WHERE id = #",
    [SQL_EXPIRED] = "SELECT count(*) FROM kv_# INDEXED BY kv_#_expires "
                    "WHERE expires_ms <> 0 AND expires_ms <= ?1",
    [SQL_ACCESS_EXISTS] = "SELECT 1 FROM sqlite_schema WHERE name = 'kva_#'",
    [SQL_ACCESS_PUT] = "INSERT INTO kva_#(id, accessed_ms) "
                       "SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM kv_# WHERE id = ?1) "
                       "ON CONFLICT DO UPDATE SET accessed_ms = excluded.accessed_ms "
                       "WHERE excluded.accessed_ms > accessed_ms",
    [SQL_ACCESS_GET] = "SELECT accessed_ms FROM kva_# WHERE id = ?1",
    [SQL_ACCESS_DROP] = "DELETE FROM kva_# WHERE id = ?1",
};

char *pdict__sqlite_expand(const char *text, uint32_t map)
{
    sqlite3_str *out = sqlite3_str_new(NULL);

    for (const char *mark; (mark = strchr(text, '#')) != NULL; text = mark + 1) {
        sqlite3_str_append(out, text, (int)(mark - text));
        sqlite3_str_appendf(out, "%u", map);
    }
    sqlite3_str_appendall(out, text);
    return sqlite3_str_finish(out);
}

void pdict__sqlite_rest(struct conn *conn)
{
    if (conn->pending != NULL) {
        sqlite3_reset(conn->pending);
        conn->pending = NULL;
    }
}

static struct map_entry *add_entry(struct conn *conn, uint32_t map)
{
    const pdict_allocator *allocator = &conn->store->allocator;
    size_t size = (conn->entry_count + 1) * sizeof(*conn->entries);
    struct map_entry *grown = allocator->reallocate(allocator->ctx, conn->entries, size);

    if (grown == NULL)
        return NULL;
    conn->entries = grown;
    conn->recent = conn->entry_count++;
    memset(&grown[conn->recent], 0, sizeof(*grown));
    grown[conn->recent].map = map;
    return &grown[conn->recent];
}

struct map_entry *pdict__sqlite_known(struct conn *conn, uint32_t map)
{
    if (map == 0 && conn->entry_count > 0)
        return &conn->entries[0];
    if (conn->recent < conn->entry_count && conn->entries[conn->recent].map == map)
        return &conn->entries[conn->recent];
    for (size_t i = 0; i < conn->entry_count; i++) {
        if (conn->entries[i].map == map) {
            conn->recent = i;
            return &conn->entries[i];
        }
    }
    return NULL;
}

struct map_entry *pdict__sqlite_entry(struct conn *conn, uint32_t map)
{
    struct map_entry *entry;

    /* The store's entry comes first, whatever is asked for first. */
    if (conn->entry_count == 0 && map != 0 && add_entry(conn, 0) == NULL)
        return NULL;
    entry = pdict__sqlite_known(conn, map);
    return entry != NULL ? entry : add_entry(conn, map);
}

static void finalize_entry(struct map_entry *entry)
{
    for (size_t i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(entry->statements[i]);
    for (size_t i = 0; i < SCAN_SHAPES; i++)
        sqlite3_finalize(entry->scans[i]);
}

void pdict__sqlite_forget_map(struct conn *conn, uint32_t map)
{
    assert(map != 0);
    pdict__sqlite_rest(conn);
    for (size_t i = 1; i < conn->entry_count; i++) {
        if (conn->entries[i].map == map) {
            finalize_entry(&conn->entries[i]);
            conn->entries[i] = conn->entries[--conn->entry_count];
            return;
        }
    }
}

void pdict__sqlite_forget_statements(struct conn *conn)
{
    conn->pending = NULL;
    for (size_t i = 0; i < conn->entry_count; i++)
        finalize_entry(&conn->entries[i]);
    conn->store->allocator.release(conn->store->allocator.ctx, conn->entries);
    conn->entries = NULL;
    conn->entry_count = 0;
    conn->recent = 0;
}

void pdict__sqlite_forget_tallies(struct conn *conn)
{
    for (size_t i = 0; i < conn->entry_count; i++)
        conn->entries[i].has_tally = conn->entries[i].knows_access = false;
}

static int prepare(struct conn *conn, uint32_t map, enum sql sql, sqlite3_stmt **out)
{
    char *text = pdict__sqlite_expand(sql_text[sql], map);
    int rc;

    if (text == NULL)
        return no_memory("a statement");
    errno = 0;
    rc = sqlite3_prepare_v3(conn->db, text, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    sqlite3_free(text);
    return rc == SQLITE_OK ? PDICT_OK : pdict__sqlite_fail_in_map(conn, map, rc);
}

int pdict__sqlite_statement(struct conn *conn, uint32_t map, enum sql sql, sqlite3_stmt **out)
{
    struct map_entry *entry;
    sqlite3_stmt *made;
    int status;

    pdict__sqlite_rest(conn);
    if ((entry = pdict__sqlite_entry(conn, map)) == NULL)
        return no_memory("a statement");
    if (entry->statements[sql] == NULL) {
        if ((status = prepare(conn, map, sql, &made)) != PDICT_OK)
            return status;
        entry->statements[sql] = made;
    }
    *out = entry->statements[sql];
    return PDICT_OK;
}

int pdict__sqlite_step(struct conn *conn, uint32_t map, sqlite3_stmt *statement)
{
    int rc, status;

    errno = 0;
    rc = sqlite3_step(statement);
    if (rc != SQLITE_ROW)
        sqlite3_reset(statement);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return pdict__sqlite_fail_in_map(conn, map, rc);
    if (conn->access == ACCESS_READ_FROZEN) {
        status = pdict__sqlite_check_frozen(conn);
        if (status != PDICT_OK) {
            sqlite3_reset(statement);
            return status;
        }
    }
    return rc == SQLITE_ROW ? PDICT_OK : PDICT_END;
}

int pdict__sqlite_run(struct conn *conn, uint32_t map, sqlite3_stmt *statement)
{
    int status = pdict__sqlite_step(conn, map, statement);

    sqlite3_reset(statement);
    return status == PDICT_END ? PDICT_OK : status;
}

int pdict__sqlite_column(sqlite3_stmt *statement, int at, pdict_slice *bytes)
{
    const void *data = sqlite3_column_blob(statement, at);
    size_t size = (size_t)sqlite3_column_bytes(statement, at);

    if (data == NULL && size > 0)
        return no_memory("a value");
    *bytes = (pdict_slice){ .data = size > 0 ? data : "", .size = size };
    return PDICT_OK;
}
