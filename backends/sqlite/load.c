/* SPDX-License-Identifier: MIT */
/* Many rows by one statement: it selects them from a virtual table, which takes them one by one. */
#include "sqlite.h"

/*
 * To bind, step and reset a statement for each row costs as much as to insert it. A statement that
 * inserts what it selects opens its cursors once. It runs to its end, so nobody sees it between two
 * rows, and what its table has is valid until then.
 */
struct loading {
    sqlite3_vtab base; /* first: SQLite sees no more */
    const struct conn *conn;
};

enum column {
    COLUMN_ID,
    COLUMN_KEY,
    COLUMN_VERSION,
    COLUMN_CREATED,
    COLUMN_EXPIRES,
    COLUMN_VALUE
};

static struct load *load_of(sqlite3_vtab_cursor *cursor)
{
    return ((const struct loading *)cursor->pVtab)->conn->load;
}

static int load_connect(sqlite3 *db, void *conn, int argc, const char *const *argv,
                        sqlite3_vtab **out, char **error)
{
    struct loading *loading;
    int rc;

    (void)argc, (void)argv, (void)error;
    rc = sqlite3_declare_vtab(db,
                              "CREATE TABLE load(id, key, version, created_ms, expires_ms, value)");
    if (rc != SQLITE_OK)
        return rc;
    if ((loading = sqlite3_malloc(sizeof(*loading))) == NULL)
        return SQLITE_NOMEM;
    *loading = (struct loading){ .conn = conn };
    *out = &loading->base;
    return SQLITE_OK;
}

static int load_disconnect(sqlite3_vtab *loading)
{
    sqlite3_free(loading);
    return SQLITE_OK;
}

static int load_plan(sqlite3_vtab *loading, sqlite3_index_info *info)
{
    (void)loading, (void)info;
    return SQLITE_OK;
}

static int load_open(sqlite3_vtab *loading, sqlite3_vtab_cursor **out)
{
    (void)loading;
    if ((*out = sqlite3_malloc(sizeof(**out))) == NULL)
        return SQLITE_NOMEM;
    memset(*out, 0, sizeof(**out));
    return SQLITE_OK;
}

static int load_close(sqlite3_vtab_cursor *cursor)
{
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int load_next(sqlite3_vtab_cursor *cursor)
{
    struct load *load = load_of(cursor);

    load->next(load);
    return SQLITE_OK;
}

static int load_filter(sqlite3_vtab_cursor *cursor, int plan, const char *name, int argc,
                       sqlite3_value **argv)
{
    (void)plan, (void)name, (void)argc, (void)argv;
    return load_next(cursor);
}

static int load_is_over(sqlite3_vtab_cursor *cursor)
{
    return load_of(cursor)->row == NULL;
}

static void answer_blob(sqlite3_context *context, pdict_slice bytes)
{
    sqlite3_result_blob64(context, bytes.size > 0 ? bytes.data : "", bytes.size, SQLITE_STATIC);
}

static int load_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
    const struct load *load = load_of(cursor);

    switch (column) {
    case COLUMN_ID:
        sqlite3_result_int64(context, load->id);
        break;
    case COLUMN_KEY:
        answer_blob(context, load->row->key);
        break;
    case COLUMN_VERSION:
        sqlite3_result_int64(context, (int64_t)load->row->version);
        break;
    case COLUMN_CREATED:
        sqlite3_result_int64(context, load->row->created_ms);
        break;
    case COLUMN_EXPIRES:
        sqlite3_result_int64(context, load->row->expires_ms);
        break;
    case COLUMN_VALUE:
        answer_blob(context, load->row->value);
        break;
    default:
        break;
    }
    return SQLITE_OK;
}

static int load_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *id)
{
    *id = load_of(cursor)->id;
    return SQLITE_OK;
}

/* Without xCreate it is there by its name, and no schema can hold it. */
static const sqlite3_module load_module = {
    .xConnect = load_connect,
    .xBestIndex = load_plan,
    .xDisconnect = load_disconnect,
    .xOpen = load_open,
    .xClose = load_close,
    .xFilter = load_filter,
    .xNext = load_next,
    .xEof = load_is_over,
    .xColumn = load_column,
    .xRowid = load_rowid,
};

int pdict__sqlite_load_add(struct conn *conn)
{
    int rc = sqlite3_create_module(conn->db, "pdict_load", &load_module, conn);

    return rc == SQLITE_OK ? PDICT_OK : pdict__sqlite_fail(conn, rc);
}

int pdict__sqlite_load(struct conn *conn, uint32_t map, enum sql sql, struct load *load,
                       size_t *count)
{
    sqlite3_stmt *statement;
    int status = pdict__sqlite_statement(conn, map, sql, &statement);

    if (status != PDICT_OK)
        return status;
    conn->load = load;
    status = pdict__sqlite_run(conn, map, statement);
    conn->load = NULL;
    *count = (size_t)sqlite3_changes(conn->db);
    return status;
}
