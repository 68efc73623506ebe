/* SPDX-License-Identifier: MIT */
/* The catalogue of maps, and the named values of the SYSTEM space. */
#include "sqlite.h"

/* ---- finding ---- */

static int find(struct conn *conn, pdict_slice name, uint32_t *map)
{
    sqlite3_stmt *statement;
    int status;

    if ((status = pdict__sqlite_statement(conn, 0, SQL_MAP_FIND, &statement)) != PDICT_OK)
        return status;
    bind_text(statement, 1, name);
    status = pdict__sqlite_step(conn, 0, statement);
    if (status == PDICT_OK)
        *map = (uint32_t)sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return status == PDICT_END ? PDICT_NO_MAP : status;
}

int pdict__sqlite_map_find(void *self, void *txn, pdict_slice name, uint32_t *map)
{
    (void)self;
    return find(txn, name, map);
}

int pdict__sqlite_map_next(void *self, void *txn, uint32_t after, uint32_t *map, pdict_slice *name)
{
    struct conn *conn = txn;
    sqlite3_stmt *statement;
    pdict_slice read;
    int status;

    (void)self;
    if ((status = pdict__sqlite_statement(conn, 0, SQL_MAP_NEXT, &statement)) != PDICT_OK)
        return status;
    sqlite3_bind_int64(statement, 1, after);
    if ((status = pdict__sqlite_step(conn, 0, statement)) != PDICT_OK)
        return status;
    conn->pending = statement;
    if ((status = pdict__sqlite_column(statement, 1, &read)) != PDICT_OK)
        return status;
    *map = (uint32_t)sqlite3_column_int64(statement, 0);
    *name = read;
    return PDICT_OK;
}

int pdict__sqlite_map_exists(struct conn *conn, uint32_t map, bool *exists)
{
    sqlite3_stmt *find;
    int status;

    if ((status = pdict__sqlite_statement(conn, 0, SQL_MAP_EXISTS, &find)) != PDICT_OK)
        return status;
    sqlite3_bind_int64(find, 1, map);
    status = pdict__sqlite_step(conn, 0, find);
    *exists = status == PDICT_OK;
    sqlite3_reset(find);
    return status == PDICT_END ? PDICT_OK : status;
}

static int fail_no_map(const struct conn *conn, uint32_t map)
{
    return pdict_fail(PDICT_NO_MAP, "sqlite: %s has no map number %u; open the map again",
                      conn->store->files[FILE_MAIN], map);
}

/* ---- views: a map's rows for people with the sqlite3 shell ---- */

/* Names of ours and of SQLite, in whatever case. */
static bool is_reserved(const char *name)
{
    static const char *const prefixes[] = { "kv_", "kva_", "kvk_", "map_", "pdict_", "sqlite_" };

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (sqlite3_strnicmp(name, prefixes[i], (int)strlen(prefixes[i])) == 0)
            return true;
    }
    return name[0] == '\0';
}

static int view_is_taken(struct conn *conn, uint32_t map, const char *view, bool *is_taken)
{
    sqlite3_stmt *statement;
    int status;

    if ((status = pdict__sqlite_statement(conn, 0, SQL_MAP_OF_VIEW, &statement)) != PDICT_OK)
        return status;
    bind_text(statement, 1, (pdict_slice){ .data = view, .size = strlen(view) });
    status = pdict__sqlite_step(conn, 0, statement);
    *is_taken = status == PDICT_OK && (uint32_t)sqlite3_column_int64(statement, 0) != map;
    sqlite3_reset(statement);
    return status == PDICT_END ? PDICT_OK : status;
}

/* The view is named like its map where that is possible, else map_N. Owned: sqlite3_free(). */
static int choose_view(struct conn *conn, uint32_t map, pdict_slice name, char **view)
{
    char *wanted = sqlite3_mprintf("%.*s", (int)name.size, (const char *)name.data);
    bool is_taken = true;
    int status = PDICT_OK;

    if (wanted != NULL && !is_reserved(wanted))
        status = view_is_taken(conn, map, wanted, &is_taken);
    if (wanted != NULL && is_taken) {
        sqlite3_free(wanted);
        wanted = sqlite3_mprintf("map_%u", map);
    }
    if (status == PDICT_OK && wanted == NULL)
        status = no_memory("a view");
    if (status != PDICT_OK) {
        sqlite3_free(wanted);
        return status;
    }
    *view = wanted;
    return PDICT_OK;
}

static int drop_view(struct conn *conn, uint32_t map)
{
    sqlite3_stmt *statement;
    char *view;
    int status;

    if ((status = pdict__sqlite_statement(conn, 0, SQL_MAP_EXISTS, &statement)) != PDICT_OK)
        return status;
    sqlite3_bind_int64(statement, 1, map);
    status = pdict__sqlite_step(conn, 0, statement);
    if (status != PDICT_OK)
        return status == PDICT_END ? fail_no_map(conn, map) : status;
    view = sqlite3_mprintf("%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_reset(statement);
    status = view != NULL ? pdict__sqlite_schema_drop_view(conn, view) : no_memory("a view");
    sqlite3_free(view);
    return status;
}

static int set_name(struct conn *conn, uint32_t map, pdict_slice name, const char *view)
{
    sqlite3_stmt *statement;
    int status;

    if ((status = pdict__sqlite_statement(conn, 0, SQL_MAP_NAME, &statement)) != PDICT_OK)
        return status;
    sqlite3_bind_int64(statement, 1, map);
    bind_text(statement, 2, name);
    bind_text(statement, 3, (pdict_slice){ .data = view, .size = strlen(view) });
    return pdict__sqlite_run(conn, 0, statement);
}

static int name_map(struct conn *conn, uint32_t map, pdict_slice name)
{
    char *view;
    int status;

    if ((status = choose_view(conn, map, name, &view)) != PDICT_OK)
        return status;
    if ((status = set_name(conn, map, name, view)) == PDICT_OK)
        status = pdict__sqlite_schema_add_view(conn, map, view);
    sqlite3_free(view);
    return status;
}

/* ---- making, dropping, renaming ---- */

/* PDICT_EXISTS with its owner, or PDICT_OK: the name is free. */
static int check_name(struct conn *conn, pdict_slice name, uint32_t *owner)
{
    int status = find(conn, name, owner);

    if (status == PDICT_OK)
        return PDICT_EXISTS;
    return status == PDICT_NO_MAP ? PDICT_OK : status;
}

static int add_to_catalogue(struct conn *conn, pdict_slice name, uint32_t *map)
{
    sqlite3_stmt *statement;
    sqlite3_int64 number;
    int status;

    if ((status = pdict__sqlite_statement(conn, 0, SQL_MAP_ADD, &statement)) != PDICT_OK)
        return status;
    bind_text(statement, 1, name);
    if ((status = pdict__sqlite_run(conn, 0, statement)) != PDICT_OK)
        return status;
    number = sqlite3_last_insert_rowid(conn->db);
    if (number < 1 || number > UINT32_MAX)
        return pdict_fail(PDICT_FULL, "sqlite: %s has used up its map numbers; copy it",
                          conn->store->files[FILE_MAIN]);
    *map = (uint32_t)number;
    return PDICT_OK;
}

int pdict__sqlite_map_create(void *self, void *txn, pdict_slice name, uint32_t *map)
{
    struct conn *conn = txn;
    uint32_t number = 0;
    int status;

    (void)self;
    if ((status = check_name(conn, name, &number)) != PDICT_OK)
        return status;
    if ((status = add_to_catalogue(conn, name, &number)) != PDICT_OK)
        return status;
    if ((status = pdict__sqlite_schema_add_map(conn, number)) != PDICT_OK)
        return status;
    if ((status = name_map(conn, number, name)) != PDICT_OK)
        return status;
    *map = number;
    return PDICT_OK;
}

static int run_for_map(struct conn *conn, enum sql sql, uint32_t map)
{
    sqlite3_stmt *statement;
    int status = pdict__sqlite_statement(conn, 0, sql, &statement);

    if (status != PDICT_OK)
        return status;
    sqlite3_bind_int64(statement, 1, map);
    return pdict__sqlite_run(conn, 0, statement);
}

int pdict__sqlite_map_drop(void *self, void *txn, uint32_t map)
{
    struct conn *conn = txn;
    int status;

    (void)self;
    if ((status = drop_view(conn, map)) != PDICT_OK)
        return status;
    pdict__sqlite_forget_map(conn, map);
    if ((status = pdict__sqlite_schema_drop_map(conn, map)) != PDICT_OK)
        return status;
    if ((status = run_for_map(conn, SQL_SYSTEM_DROP_ALL, map)) != PDICT_OK)
        return status;
    return run_for_map(conn, SQL_MAP_DROP, map);
}

int pdict__sqlite_map_rename(void *self, void *txn, uint32_t map, pdict_slice name)
{
    struct conn *conn = txn;
    uint32_t owner = 0;
    int status;

    (void)self;
    status = check_name(conn, name, &owner);
    if (status == PDICT_EXISTS && owner == map)
        return PDICT_OK;
    if (status != PDICT_OK)
        return status;
    status = drop_view(conn, map);
    return status == PDICT_OK ? name_map(conn, map, name) : status;
}

/* ---- named values ---- */

int pdict__sqlite_system_get(void *self, void *txn, uint32_t map, pdict_slice name,
                             pdict_slice *value)
{
    struct conn *conn = txn;
    sqlite3_stmt *statement;
    int status;

    (void)self;
    if ((status = pdict__sqlite_statement(conn, 0, SQL_SYSTEM_GET, &statement)) != PDICT_OK)
        return status;
    sqlite3_bind_int64(statement, 1, map);
    bind_text(statement, 2, name);
    status = pdict__sqlite_step(conn, 0, statement);
    if (status != PDICT_OK)
        return status == PDICT_END ? PDICT_NOTFOUND : status;
    conn->pending = statement;
    return pdict__sqlite_column(statement, 0, value);
}

int pdict__sqlite_system_put(void *self, void *txn, uint32_t map, pdict_slice name,
                             pdict_slice value)
{
    struct conn *conn = txn;
    enum sql sql = value.data != NULL ? SQL_SYSTEM_PUT : SQL_SYSTEM_DROP;
    bool exists = true;
    sqlite3_stmt *statement;
    int status;

    (void)self;
    if (map != 0 && (status = pdict__sqlite_map_exists(conn, map, &exists)) != PDICT_OK)
        return status;
    if (!exists)
        return fail_no_map(conn, map);
    if ((status = pdict__sqlite_statement(conn, 0, sql, &statement)) != PDICT_OK)
        return status;
    sqlite3_bind_int64(statement, 1, map);
    bind_text(statement, 2, name);
    if (sql == SQL_SYSTEM_PUT)
        bind_blob(statement, 3, value);
    return pdict__sqlite_run(conn, 0, statement);
}
