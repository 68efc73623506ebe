/* SPDX-License-Identifier: MIT */
/* The schema: what a store and each of its maps consist of, and the check that it is just that. */
#include "sqlite.h"

#include <errno.h>
#include <stdlib.h>

struct object {
    const char *name;
    const char *sql; /* as sqlite_schema keeps it, so to the letter */
};

/* `live` and `last_id`: struct tally. `view` folds case because the names of views do. */
static const struct object store_objects[] = {
    { "pdict_map", "CREATE TABLE pdict_map(\n"
                   "    id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
                   "    name TEXT NOT NULL UNIQUE,\n"
                   "    view TEXT UNIQUE COLLATE NOCASE,\n"
                   "    live INTEGER NOT NULL,\n"
                   "    last_id INTEGER NOT NULL\n"
                   ")" },
    { "pdict_system", "CREATE TABLE pdict_system(\n"
                      "    map INTEGER NOT NULL,\n"
                      "    name TEXT NOT NULL,\n"
                      "    value BLOB NOT NULL,\n"
                      "    PRIMARY KEY (map, name)\n"
                      ") WITHOUT ROWID" },
};

/* The triggers keep key table and tally right when somebody writes to kv_N with other tools. They
 * check what conflict clauses of the outer statement (OR REPLACE, OR IGNORE) would hide, and give
 * a row whose id is at or below the highest ever given the next one. */
static const struct object map_objects[] = {
    { "kv_#", "CREATE TABLE kv_#(\n"
              "    id INTEGER PRIMARY KEY,\n"
              "    key BLOB NOT NULL,\n"
              "    version INTEGER NOT NULL,\n"
              "    created_ms INTEGER NOT NULL,\n"
              "    expires_ms INTEGER NOT NULL,\n"
              "    value BLOB NOT NULL\n"
              ")" },
    { "kvk_#", "CREATE TABLE kvk_#(\n"
               "    key BLOB PRIMARY KEY,\n"
               "    id INTEGER NOT NULL\n"
               ") WITHOUT ROWID" },
    { "kv_#_expires", "CREATE INDEX kv_#_expires ON kv_#(expires_ms) WHERE expires_ms <> 0" },
    { "kv_#_before_insert",
      "CREATE TRIGGER kv_#_before_insert BEFORE INSERT ON kv_# BEGIN\n"
      "    SELECT RAISE(ABORT, 'key and value must be blobs')\n"
      "        WHERE typeof(NEW.key) <> 'blob' OR typeof(NEW.value) <> 'blob';\n"
      "    SELECT RAISE(ABORT, 'this key is present, use UPDATE')\n"
      "        WHERE EXISTS (SELECT 1 FROM kvk_# WHERE key = NEW.key);\n"
      "    SELECT RAISE(ABORT, 'this id is taken')\n"
      "        WHERE EXISTS (SELECT 1 FROM kv_# WHERE id = NEW.id);\n"
      "    UPDATE pdict_map SET live = live + (SELECT max(id) FROM kv_#) - last_id,\n"
      "        last_id = (SELECT max(id) FROM kv_#)\n"
      "        WHERE id = # AND last_id < (SELECT max(id) FROM kv_#);\n"
      "END" },
    { "kv_#_after_insert",
      "CREATE TRIGGER kv_#_after_insert AFTER INSERT ON kv_# BEGIN\n"
      "    INSERT INTO kvk_#(key, id) VALUES (NEW.key, NEW.id);\n"
      "    UPDATE kv_# SET id = (SELECT last_id + 1 FROM pdict_map WHERE id = #)\n"
      "        WHERE id = NEW.id AND NEW.id <= (SELECT last_id FROM pdict_map WHERE id = #);\n"
      "    UPDATE pdict_map SET live = live + 1, last_id = max(last_id, NEW.id) WHERE id = #;\n"
      "END" },
    { "kv_#_before_update",
      "CREATE TRIGGER kv_#_before_update BEFORE UPDATE ON kv_# BEGIN\n"
      "    SELECT RAISE(ABORT, 'key and value must be blobs')\n"
      "        WHERE typeof(NEW.key) <> 'blob' OR typeof(NEW.value) <> 'blob';\n"
      "    SELECT RAISE(ABORT, 'another row has this key')\n"
      "        WHERE EXISTS (SELECT 1 FROM kvk_# WHERE key = NEW.key AND id <> OLD.id);\n"
      "    UPDATE pdict_map SET live = live + (SELECT max(id) FROM kv_#) - last_id,\n"
      "        last_id = (SELECT max(id) FROM kv_#)\n"
      "        WHERE id = # AND last_id < (SELECT max(id) FROM kv_#) AND NEW.id <> OLD.id;\n"
      "    SELECT RAISE(ABORT, 'an id can only grow beyond all others')\n"
      "        WHERE NEW.id <> OLD.id\n"
      "        AND NEW.id <= (SELECT last_id FROM pdict_map WHERE id = #);\n"
      "END" },
    { "kv_#_after_update", "CREATE TRIGGER kv_#_after_update AFTER UPDATE ON kv_#\n"
                           "    WHEN NEW.key <> OLD.key OR NEW.id <> OLD.id BEGIN\n"
                           "    UPDATE kvk_# SET key = NEW.key, id = NEW.id WHERE key = OLD.key;\n"
                           "    UPDATE pdict_map SET last_id = max(last_id, NEW.id)\n"
                           "        WHERE id = # AND NEW.id <> OLD.id;\n"
                           "END" },
    { "kv_#_before_delete",
      "CREATE TRIGGER kv_#_before_delete BEFORE DELETE ON kv_# BEGIN\n"
      "    UPDATE pdict_map SET live = live + (SELECT max(id) FROM kv_#) - last_id,\n"
      "        last_id = (SELECT max(id) FROM kv_#)\n"
      "        WHERE id = # AND last_id < (SELECT max(id) FROM kv_#);\n"
      "END" },
    { "kv_#_after_delete", "CREATE TRIGGER kv_#_after_delete AFTER DELETE ON kv_# BEGIN\n"
                           "    DELETE FROM kvk_# WHERE key = OLD.key;\n"
                           "    UPDATE pdict_map SET live = live - 1 WHERE id = #;\n"
                           "END" },
};

/* Made with the first access time of a map. */
static const struct object access_objects[] = {
    { "kva_#", "CREATE TABLE kva_#(\n"
               "    id INTEGER PRIMARY KEY,\n"
               "    accessed_ms INTEGER NOT NULL\n"
               ")" },
    { "kva_#_accessed", "CREATE INDEX kva_#_accessed ON kva_#(accessed_ms)" },
    { "kva_#_update", "CREATE TRIGGER kva_#_update AFTER UPDATE OF id ON kv_# BEGIN\n"
                      "    UPDATE kva_# SET id = NEW.id WHERE id = OLD.id;\n"
                      "END" },
    { "kva_#_delete", "CREATE TRIGGER kva_#_delete AFTER DELETE ON kv_# BEGIN\n"
                      "    DELETE FROM kva_# WHERE id = OLD.id;\n"
                      "END" },
};

static const char view_sql[] =
    "CREATE VIEW \"%w\" AS SELECT CAST(key AS TEXT) AS key,\n"
    "    datetime(created_ms / 1000, 'unixepoch') AS created,\n"
    "    CASE WHEN expires_ms <> 0 THEN datetime(expires_ms / 1000, 'unixepoch') END AS expires,\n"
    "    version, length(value) AS size FROM kv_%u";

/* What SQLite itself adds: the counter of map numbers, and after ANALYZE its statistics. */
static const struct object engine_objects[] = {
    { "sqlite_sequence", "CREATE TABLE sqlite_sequence(name,seq)" },
    { "sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat)" },
    { "sqlite_stat4", "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)" },
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- making ---- */

static int make_store_objects(struct conn *conn)
{
    int status = PDICT_OK;

    for (size_t i = 0; i < COUNT_OF(store_objects) && status == PDICT_OK; i++)
        status = pdict__sqlite_exec(conn, store_objects[i].sql);
    if (status == PDICT_OK)
        status = pdict__sqlite_pragma_set(conn, "application_id", APPLICATION_ID);
    if (status == PDICT_OK)
        status = pdict__sqlite_pragma_set(conn, "user_version", FORMAT_VERSION);
    return status;
}

/* Asking for incremental vacuum writes, so it belongs into the transaction; and from then on the
 * first page counts as there, so the question is what is on it. */
static int make_store_if_still_empty(struct conn *conn)
{
    int64_t objects;
    int status;

    if ((status = pdict__sqlite_exec(conn, "PRAGMA auto_vacuum=INCREMENTAL")) != PDICT_OK)
        return status;
    status = pdict__sqlite_ask(conn, "SELECT count(*) FROM sqlite_schema", &objects);
    return status == PDICT_OK && objects == 0 ? make_store_objects(conn) : status;
}

/* Still with a rollback journal: a crash leaves the empty file, never half a store. */
int pdict__sqlite_schema_create(struct conn *conn)
{
    int status;

    if ((status = pdict__sqlite_exec(conn, "PRAGMA page_size=4096; BEGIN")) != PDICT_OK)
        return status;
    if ((status = make_store_if_still_empty(conn)) == PDICT_OK)
        status = pdict__sqlite_exec(conn, "COMMIT");
    if (!sqlite3_get_autocommit(conn->db))
        sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

static int add_objects(struct conn *conn, uint32_t map, const struct object *objects, size_t count)
{
    int status = PDICT_OK;

    for (size_t i = 0; i < count && status == PDICT_OK; i++) {
        char *sql = pdict__sqlite_expand(objects[i].sql, map);

        status = sql != NULL ? pdict__sqlite_exec(conn, sql) : no_memory("a map");
        sqlite3_free(sql);
    }
    return status;
}

int pdict__sqlite_schema_add_map(struct conn *conn, uint32_t map)
{
    return add_objects(conn, map, map_objects, COUNT_OF(map_objects));
}

int pdict__sqlite_schema_add_access(struct conn *conn, uint32_t map)
{
    return add_objects(conn, map, access_objects, COUNT_OF(access_objects));
}

/* Indexes and triggers go with their table. */
int pdict__sqlite_schema_drop_map(struct conn *conn, uint32_t map)
{
    char *sql =
        pdict__sqlite_expand("DROP TABLE kv_#; DROP TABLE kvk_#; DROP TABLE IF EXISTS kva_#", map);
    int status = sql != NULL ? pdict__sqlite_exec(conn, sql) : no_memory("a statement");

    sqlite3_free(sql);
    return status;
}

int pdict__sqlite_schema_add_view(struct conn *conn, uint32_t map, const char *view)
{
    char *sql = sqlite3_mprintf(view_sql, view, map);
    int status = sql != NULL ? pdict__sqlite_exec(conn, sql) : no_memory("a view");

    sqlite3_free(sql);
    return status;
}

int pdict__sqlite_schema_drop_view(struct conn *conn, const char *view)
{
    char *sql = sqlite3_mprintf("DROP VIEW \"%w\"", view);
    int status = sql != NULL ? pdict__sqlite_exec(conn, sql) : no_memory("a statement");

    sqlite3_free(sql);
    return status;
}

/* ---- checking ---- */

/* Names come from the file: no control characters into somebody's terminal. */
static int fail_object(const struct conn *conn, const char *name)
{
    char shown[65];
    size_t i;

    for (i = 0; name[i] != '\0' && i < sizeof(shown) - 1; i++)
        shown[i] = (unsigned char)name[i] < 0x20 || name[i] == 0x7f ? '?' : name[i];
    shown[i] = '\0';
    return pdict_fail(PDICT_DAMAGED,
                      "sqlite: %s holds \"%s\", which pdict did not make, or not like this; remove "
                      "it with the sqlite3 shell if it is yours, else restore a backup",
                      conn->store->files[FILE_MAIN], shown);
}

static bool equals(const char *text, uint32_t map, const char *actual)
{
    char *expected = pdict__sqlite_expand(text, map);
    bool is_equal = expected != NULL && strcmp(expected, actual) == 0;

    sqlite3_free(expected);
    return is_equal;
}

static bool matches(const struct object *object, uint32_t map, const char *name, const char *sql)
{
    return equals(object->name, map, name) && equals(object->sql, map, sql);
}

static bool is_one_of(const struct object *objects, size_t count, uint32_t map, const char *name,
                      const char *sql)
{
    for (size_t i = 0; i < count; i++) {
        if (matches(&objects[i], map, name, sql))
            return true;
    }
    return false;
}

/* An index that has no text was made by a UNIQUE of its table. */
static bool is_of_engine(const char *name, const char *sql)
{
    if (sql == NULL)
        return strncmp(name, "sqlite_autoindex_", 17) == 0;
    return is_one_of(engine_objects, COUNT_OF(engine_objects), 0, name, sql);
}

/* The number in kv_N..., kvk_N or kva_N...; 0 when there is none. */
static uint32_t number_in(const char *name)
{
    const char *digits = strchr(name, '_');
    unsigned long number;

    if (digits == NULL || digits[1] < '1' || digits[1] > '9')
        return 0;
    number = strtoul(digits + 1, NULL, 10);
    return number <= UINT32_MAX ? (uint32_t)number : 0;
}

static bool is_view_of(uint32_t map, const char *name, const char *sql)
{
    char *expected = sqlite3_mprintf(view_sql, name, map);
    bool is_equal = expected != NULL && strcmp(expected, sql) == 0;

    sqlite3_free(expected);
    return is_equal;
}

/* The view's map by its name in the catalogue; 0 when there is none. */
static int view_owner(struct conn *conn, const char *name, uint32_t *map)
{
    sqlite3_stmt *find;
    int status;

    *map = 0;
    if ((status = pdict__sqlite_statement(conn, 0, SQL_MAP_OF_VIEW, &find)) != PDICT_OK)
        return status;
    bind_text(find, 1, (pdict_slice){ .data = name, .size = strlen(name) });
    status = pdict__sqlite_step(conn, 0, find);
    if (status == PDICT_OK)
        *map = (uint32_t)sqlite3_column_int64(find, 0);
    sqlite3_reset(find);
    return status == PDICT_END ? PDICT_OK : status;
}

struct counts {
    int64_t required; /* objects that a store has to have */
    int64_t access;   /* that a map has all of, or none */
};

/* Counts the objects, to find out whether one is missing. */
static int check_object(struct conn *conn, const char *name, const char *sql, struct counts *counts)
{
    uint32_t map = number_in(name);
    bool exists = false, is_access;
    int status;

    if (is_of_engine(name, sql))
        return PDICT_OK;
    if (sql == NULL)
        return fail_object(conn, name);
    is_access = map != 0 && is_one_of(access_objects, COUNT_OF(access_objects), map, name, sql);
    if (is_access)
        counts->access++;
    else
        counts->required++;
    if (is_one_of(store_objects, COUNT_OF(store_objects), 0, name, sql))
        return PDICT_OK;
    if (is_access || (map != 0 && is_one_of(map_objects, COUNT_OF(map_objects), map, name, sql))) {
        status = pdict__sqlite_map_exists(conn, map, &exists);
        return status == PDICT_OK && !exists ? fail_object(conn, name) : status;
    }
    if ((status = view_owner(conn, name, &map)) != PDICT_OK)
        return status;
    return map != 0 && is_view_of(map, name, sql) ? PDICT_OK : fail_object(conn, name);
}

static int fail_incomplete(const struct conn *conn)
{
    return pdict_fail(PDICT_DAMAGED,
                      "sqlite: %s is damaged (a table, index, trigger or view of a map is gone); "
                      "restore a backup",
                      conn->store->files[FILE_MAIN]);
}

static int check_objects(struct conn *conn, sqlite3_stmt *schema)
{
    struct counts counts = { 0 };
    int64_t maps = 0;
    int status;

    while ((status = pdict__sqlite_step(conn, 0, schema)) == PDICT_OK) {
        const char *name = (const char *)sqlite3_column_text(schema, 0);
        const char *sql = (const char *)sqlite3_column_text(schema, 1);

        maps = sqlite3_column_int64(schema, 2);
        if (name == NULL)
            return no_memory("the schema");
        if ((status = check_object(conn, name, sql, &counts)) != PDICT_OK)
            return status;
    }
    if (status != PDICT_END)
        return status;
    counts.required -=
        (int64_t)COUNT_OF(store_objects) + maps * ((int64_t)COUNT_OF(map_objects) + 1);
    counts.access %= (int64_t)COUNT_OF(access_objects);
    return counts.required == 0 && counts.access == 0 ? PDICT_OK : fail_incomplete(conn);
}

/* One statement, so that schema and catalogue are of the same instant. */
int pdict__sqlite_schema_check(struct conn *conn)
{
    static const char query[] =
        "SELECT name, sql, (SELECT count(*) FROM pdict_map) FROM sqlite_schema";
    sqlite3_stmt *schema;
    int rc, status;

    errno = 0;
    if ((rc = sqlite3_prepare_v2(conn->db, query, -1, &schema, NULL)) != SQLITE_OK)
        return pdict__sqlite_fail(conn, rc);
    status = check_objects(conn, schema);
    sqlite3_finalize(schema);
    return status;
}
