/* SPDX-License-Identifier: MIT */
/* Changes of rows, one at a time and in their order. */
#include "sqlite.h"

/* From here on sorting pays. */
#define BULK_MIN 256

/* What the file holds under a key. */
struct found {
    bool is_there;
    bool is_live; /* there, and not expired */
    int64_t id;
    uint64_t version;
    int64_t created_ms;
};

/* PDICT_OK: `out` shows the row, and is reset by the caller; PDICT_END: there is none. */
static int look_up(struct work *work, enum sql sql, pdict_slice key, sqlite3_stmt **out)
{
    int status = pdict__sqlite_statement(work->conn, work->map, sql, out);

    if (status != PDICT_OK)
        return status;
    bind_blob(*out, 1, key);
    return pdict__sqlite_step(work->conn, work->map, *out);
}

static int find(struct work *work, pdict_slice key, struct found *found)
{
    sqlite3_stmt *statement;
    int64_t expires_ms;
    int status;

    *found = (struct found){ .is_there = false };
    if ((status = look_up(work, SQL_FIND, key, &statement)) != PDICT_OK)
        return status == PDICT_END ? PDICT_OK : status;
    expires_ms = sqlite3_column_int64(statement, 3);
    found->is_there = true;
    found->is_live = expires_ms == 0 || expires_ms > work->now_ms;
    found->id = sqlite3_column_int64(statement, 0);
    found->version = (uint64_t)sqlite3_column_int64(statement, 1);
    found->created_ms = sqlite3_column_int64(statement, 2);
    sqlite3_reset(statement);
    return PDICT_OK;
}

static int key_add(struct work *work, pdict_slice key, int64_t id, bool *is_new)
{
    sqlite3_stmt *statement;
    int status;

    status = pdict__sqlite_statement(work->conn, work->map, SQL_KEY_ADD, &statement);
    if (status != PDICT_OK)
        return status;
    bind_blob(statement, 1, key);
    sqlite3_bind_int64(statement, 2, id);
    status = pdict__sqlite_run(work->conn, work->map, statement);
    *is_new = status == PDICT_OK && sqlite3_changes(work->conn->db) == 1;
    return status;
}

int pdict__sqlite_key_id(struct work *work, pdict_slice key, int64_t *id)
{
    sqlite3_stmt *statement;
    int status;

    *id = 0;
    if ((status = look_up(work, SQL_KEY_ID, key, &statement)) != PDICT_OK)
        return status == PDICT_END ? PDICT_OK : status;
    *id = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return PDICT_OK;
}

static int row_add(struct work *work, const pdict_row *row)
{
    sqlite3_stmt *statement;
    int status;

    status = pdict__sqlite_statement(work->conn, work->map, SQL_ROW_ADD, &statement);
    if (status != PDICT_OK)
        return status;
    sqlite3_bind_int64(statement, 1, (int64_t)row->id);
    bind_blob(statement, 2, row->key);
    sqlite3_bind_int64(statement, 3, (int64_t)row->version);
    sqlite3_bind_int64(statement, 4, row->created_ms);
    sqlite3_bind_int64(statement, 5, row->expires_ms);
    bind_blob(statement, 6, row->value);
    if ((status = pdict__sqlite_run(work->conn, work->map, statement)) != PDICT_OK)
        return status;
    work->tally.live++;
    if (work->tally.last_id < (int64_t)row->id)
        work->tally.last_id = (int64_t)row->id;
    return PDICT_OK;
}

static int row_change(struct work *work, int64_t id, const pdict_row *row)
{
    sqlite3_stmt *statement;
    int status;

    status = pdict__sqlite_statement(work->conn, work->map, SQL_ROW_CHANGE, &statement);
    if (status != PDICT_OK)
        return status;
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_int64(statement, 2, (int64_t)row->version);
    sqlite3_bind_int64(statement, 3, row->expires_ms);
    bind_blob(statement, 4, row->value);
    return pdict__sqlite_run(work->conn, work->map, statement);
}

static int row_drop(struct work *work, int64_t id)
{
    sqlite3_stmt *statement;
    int status;

    status = pdict__sqlite_statement(work->conn, work->map, SQL_ROW_DROP, &statement);
    if (status != PDICT_OK)
        return status;
    sqlite3_bind_int64(statement, 1, id);
    if ((status = pdict__sqlite_run(work->conn, work->map, statement)) != PDICT_OK)
        return status;
    work->tally.live--;
    return pdict__sqlite_access_drop(work->conn, work->map, id);
}

static int key_drop(struct work *work, pdict_slice key)
{
    sqlite3_stmt *statement;
    int status;

    status = pdict__sqlite_statement(work->conn, work->map, SQL_KEY_DROP, &statement);
    if (status != PDICT_OK)
        return status;
    bind_blob(statement, 1, key);
    return pdict__sqlite_run(work->conn, work->map, statement);
}

static int key_move(struct work *work, pdict_slice key, int64_t id)
{
    sqlite3_stmt *statement;
    int status;

    status = pdict__sqlite_statement(work->conn, work->map, SQL_KEY_MOVE, &statement);
    if (status != PDICT_OK)
        return status;
    bind_blob(statement, 1, key);
    sqlite3_bind_int64(statement, 2, id);
    return pdict__sqlite_run(work->conn, work->map, statement);
}

/* The row of a key that has just been entered. */
static int insert_row(struct work *work, pdict_change *change, int64_t new_id)
{
    int status;

    change->row.id = (uint64_t)new_id;
    if ((status = row_add(work, &change->row)) == PDICT_OK)
        change->status = PDICT_OK;
    return status;
}

/* The expired row goes, and the key takes the new id. */
static int insert_over(struct work *work, pdict_change *change, const struct found *found,
                       int64_t new_id)
{
    int status;

    if ((status = row_drop(work, found->id)) != PDICT_OK)
        return status;
    if ((status = key_move(work, change->row.key, new_id)) != PDICT_OK)
        return status;
    return insert_row(work, change, new_id);
}

bool pdict__sqlite_may_be_new(const pdict_change *change)
{
    return change->kind == PDICT_CHANGE_PUT &&
           (change->condition == PDICT_IF_ANY || change->condition == PDICT_IF_ABSENT);
}

static int insert_if_new(struct work *work, pdict_change *change, int64_t new_id, bool *is_new)
{
    int status = key_add(work, change->row.key, new_id, is_new);

    return status == PDICT_OK && *is_new ? insert_row(work, change, new_id) : status;
}

static int insert(struct work *work, pdict_change *change, const struct found *found,
                  int64_t new_id)
{
    bool is_new;
    int status;

    if (found->is_there)
        return insert_over(work, change, found, new_id);
    if ((status = insert_if_new(work, change, new_id, &is_new)) != PDICT_OK || is_new)
        return status;
    /* The key is entered, but its row is not there. */
    return pdict__sqlite_fail(work->conn, SQLITE_CORRUPT);
}

static int update(struct work *work, pdict_change *change, const struct found *found)
{
    int status = row_change(work, found->id, &change->row);

    if (status == PDICT_OK) {
        change->row.id = (uint64_t)found->id;
        change->row.created_ms = found->created_ms;
    }
    return status;
}

static int change_found(struct work *work, pdict_change *change, int64_t new_id)
{
    struct found found;
    int status;

    if ((status = find(work, change->row.key, &found)) != PDICT_OK)
        return status;
    change->status = pdict_change_judge(change, found.is_live, found.version);
    work->expects_new = change->status == PDICT_OK && !found.is_there;
    if (change->status != PDICT_OK)
        return PDICT_OK;
    if (change->kind == PDICT_CHANGE_DEL) {
        status = row_drop(work, found.id);
        return status == PDICT_OK ? key_drop(work, change->row.key) : status;
    }
    return found.is_live ? update(work, change, &found) : insert(work, change, &found, new_id);
}

/* Puts come in runs of new keys or of known ones, so what the last one met is tried first. */
int pdict__sqlite_change(struct work *work, pdict_change *change, int64_t new_id)
{
    bool is_new = false;
    int status = PDICT_OK;

    if (work->expects_new && pdict__sqlite_may_be_new(change))
        status = insert_if_new(work, change, new_id, &is_new);
    return status == PDICT_OK && !is_new ? change_found(work, change, new_id) : status;
}

static int apply_in_order(struct work *work, pdict_change *changes, size_t count)
{
    int status = PDICT_OK;

    for (size_t i = 0; i < count && status == PDICT_OK; i++)
        status = pdict__sqlite_change(work, &changes[i], work->tally.last_id + 1);
    return status;
}

static int begin_work(struct work *work, size_t count)
{
    struct map_entry *entry = pdict__sqlite_entry(work->conn, work->map);
    int status;

    work->expects_new = entry != NULL && entry->expects_new;
    if (entry != NULL && entry->has_tally)
        work->tally = entry->tally;
    else if ((status = pdict__sqlite_tally(work->conn, work->map, &work->tally)) != PDICT_OK)
        return status;
    if (work->tally.last_id > INT64_MAX - 1 - (int64_t)count)
        return pdict_fail(PDICT_FULL, "sqlite: map number %u of %s has used up its ids; copy it",
                          work->map, work->conn->store->files[FILE_MAIN]);
    return PDICT_OK;
}

static int fold_tally(struct work *work)
{
    sqlite3_stmt *statement;
    int status = pdict__sqlite_statement(work->conn, 0, SQL_MAP_FOLD, &statement);

    if (status != PDICT_OK)
        return status;
    sqlite3_bind_int64(statement, 1, work->map);
    sqlite3_bind_int64(statement, 2, work->tally.live);
    sqlite3_bind_int64(statement, 3, work->tally.last_id);
    return pdict__sqlite_run(work->conn, 0, statement);
}

/* As many rows more as ids given: the catalogue's tally still gives the right count. */
static int end_work(struct work *work, const struct tally *before)
{
    struct map_entry *entry;
    int status = PDICT_OK;

    if (work->tally.live - before->live != work->tally.last_id - before->last_id)
        status = fold_tally(work);
    if ((entry = pdict__sqlite_entry(work->conn, work->map)) != NULL) {
        entry->expects_new = work->expects_new;
        entry->has_tally = status == PDICT_OK;
        entry->tally = work->tally;
    }
    return status;
}

int pdict__sqlite_apply(void *self, void *txn, uint32_t map, pdict_change *changes, size_t count,
                        int64_t now_ms)
{
    struct work work = { .conn = txn, .map = map, .now_ms = now_ms };
    struct tally before;
    int status;

    (void)self;
    if ((status = begin_work(&work, count)) != PDICT_OK)
        return status;
    before = work.tally;
    status = count < BULK_MIN ? apply_in_order(&work, changes, count)
                              : pdict__sqlite_apply_bulk(&work, changes, count);
    if (status == PDICT_OK)
        status = end_work(&work, &before);
    return status;
}
