/* SPDX-License-Identifier: MIT */
/* Readers and their snapshots; getting and counting rows. */
#include "lmdb.h"

/* ---- readers ---- */

int pdict__lmdb_reader_open(void *self, void **reader)
{
    struct store *store = self;
    struct view *view = allocate(store, sizeof(*view));

    if (view == NULL)
        return no_memory("a reader");
    *view = (struct view){ .store = store };
    *reader = view;
    return PDICT_OK;
}

void pdict__lmdb_reader_close(void *self, void *reader)
{
    struct view *view = reader;

    if (view == NULL)
        return;
    for (int i = 0; i < TABLE_COUNT; i++) {
        if (view->cursors[i] != NULL)
            mdb_cursor_close(view->cursors[i]);
    }
    if (view->txn != NULL)
        mdb_txn_abort(view->txn);
    release(self, view);
}

/* A new reader takes a slot in the lock file and keeps it. */
static int begin_snapshot(struct view *view)
{
    MDB_env *env = view->store->env;
    int rc;

    if (view->txn != NULL)
        return mdb_txn_renew(view->txn);
    rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &view->txn);
    if (rc == MDB_READERS_FULL) {
        clear_stale_readers(view->store);
        rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &view->txn);
    }
    if (rc != 0)
        view->txn = NULL;
    return rc;
}

int pdict__lmdb_reader_begin(void *self, void *reader)
{
    struct store *store = self;
    struct view *view = reader;
    int rc, status;

    for (;;) {
        pdict__lmdb_enter(store);
        if ((status = store->room.lost) == PDICT_OK && (rc = begin_snapshot(view)) == 0)
            return PDICT_OK;
        pdict__lmdb_leave(store);
        if (status != PDICT_OK)
            return pdict__lmdb_fail_lost(store);
        if (rc != MDB_MAP_RESIZED)
            return pdict__lmdb_fail(store, rc);
        if ((status = pdict__lmdb_adopt(store)) != PDICT_OK)
            return status;
    }
}

void pdict__lmdb_reader_rest(void *self, void *reader)
{
    struct store *store = self;
    struct view *view = reader;

    view->moves = store->room.moves;
    view->is_resting = true;
    pdict__lmdb_leave(store);
}

bool pdict__lmdb_reader_resume(void *self, void *reader)
{
    struct store *store = self;
    struct view *view = reader;

    pdict__lmdb_enter(store);
    view->is_resting = false;
    return view->moves == store->room.moves;
}

void pdict__lmdb_reader_end(void *self, void *reader)
{
    struct view *view = reader;

    if (view->is_resting)
        (void)pdict__lmdb_reader_resume(self, reader);
    mdb_txn_reset(view->txn);
    view->ready = 0;
    pdict__lmdb_leave(self);
}

/* ---- looking up ---- */

int pdict__lmdb_cursor(struct view *view, enum table table, MDB_cursor **cursor)
{
    MDB_cursor **own = &view->cursors[table];
    int rc = 0;

    if (!(view->ready & 1u << table)) {
        if (*own != NULL)
            rc = mdb_cursor_renew(view->txn, *own);
        else
            rc = mdb_cursor_open(view->txn, view->store->tables[table], own);
        if (rc != 0)
            return pdict__lmdb_fail(view->store, rc);
        view->ready |= 1u << table;
    }
    *cursor = *own;
    return PDICT_OK;
}

int pdict__lmdb_seek(struct view *view, enum table table, MDB_val *key, MDB_val *value,
                     MDB_cursor_op op)
{
    MDB_cursor *cursor = NULL;
    int rc, status;

    if ((status = pdict__lmdb_cursor(view, table, &cursor)) != PDICT_OK)
        return status;
    rc = mdb_cursor_get(cursor, key, value, op);
    if (rc == MDB_NOTFOUND)
        return PDICT_NOTFOUND;
    return rc == 0 ? PDICT_OK : pdict__lmdb_fail(view->store, rc);
}

int pdict__lmdb_decode(const struct store *store, const MDB_val *record, const MDB_val *value,
                       pdict_row *row)
{
    const unsigned char *at = value->mv_data, *key = record->mv_data;
    size_t left = value->mv_size, key_size;

    if (left < ROW_HEAD || record->mv_size < 4)
        return pdict__lmdb_damaged(store, "a row is cut");
    row->version = get_be64(at);
    row->created_ms = (int64_t)get_be64(at + 8);
    row->expires_ms = (int64_t)get_be64(at + 16);
    row->id = get_be64(at + 24);
    at += ROW_HEAD;
    left -= ROW_HEAD;
    if (key[0] & 0x80) {
        if (left < 4 || (key_size = get_be32(at)) > left - 4)
            return pdict__lmdb_damaged(store, "a row is cut");
        row->key = (pdict_slice){ .data = at + 4, .size = key_size };
        at += 4 + key_size;
        left -= 4 + key_size;
    } else {
        row->key = (pdict_slice){ .data = key + 4, .size = record->mv_size - 4 };
    }
    row->value = (pdict_slice){ .data = at, .size = left };
    return PDICT_OK;
}

int pdict__lmdb_get(void *self, void *txn, uint32_t map, pdict_slice key, pdict_row *row)
{
    struct record_key at;
    MDB_val record, value;
    struct tally tally;
    pdict_row found;
    int status = pdict__lmdb_find(txn, ROWS, map, key, &at, &record, &value);

    if (status == PDICT_NOTFOUND) {
        status = pdict__lmdb_catalogue(txn, map, &tally);
        return status == PDICT_OK ? PDICT_NOTFOUND : status;
    }
    if (status == PDICT_OK &&
        (status = pdict__lmdb_decode(self, &record, &value, &found)) == PDICT_OK)
        *row = found;
    return status;
}

/* ---- counting ---- */

/* The id of the map's last row, or 0. */
static int last_id(struct view *view, uint32_t map, uint64_t *id)
{
    unsigned char after[4];
    MDB_val key = { sizeof(after), after }, value;
    int status;

    *id = 0;
    put_be32(after, map + 1);
    status = pdict__lmdb_seek(view, ORDER, &key, &value, MDB_SET_RANGE);
    if (status == PDICT_OK || status == PDICT_NOTFOUND)
        status =
            pdict__lmdb_seek(view, ORDER, &key, &value, status == PDICT_OK ? MDB_PREV : MDB_LAST);
    if (status == PDICT_OK && key.mv_size == 12 && get_be32(key.mv_data) == map)
        *id = get_be64((const unsigned char *)key.mv_data + 4);
    return status == PDICT_NOTFOUND ? PDICT_OK : status;
}

int pdict__lmdb_tally(struct view *view, uint32_t map, struct tally *stored, struct tally *now)
{
    uint64_t last;
    int status;

    if ((status = pdict__lmdb_catalogue(view, map, stored)) != PDICT_OK)
        return status;
    if ((status = last_id(view, map, &last)) != PDICT_OK)
        return status;
    *now = *stored;
    if (last > stored->last_id) {
        now->last_id = last;
        now->rows += last - stored->last_id;
    }
    return PDICT_OK;
}

/* Rows whose expires_ms is not 0 and <= now_ms. */
static int count_expired(struct view *view, uint32_t map, int64_t now_ms, uint64_t *count)
{
    unsigned char from[4];
    MDB_val key = { sizeof(from), from }, value;
    int status;

    put_be32(from, map);
    status = pdict__lmdb_seek(view, EXPIRY, &key, &value, MDB_SET_RANGE);
    for (*count = 0; status == PDICT_OK; ++*count) {
        const unsigned char *at = key.mv_data;

        /* Behind the maps come access times, which have another form. */
        if (key.mv_size < 4 || get_be32(at) != map)
            return PDICT_OK;
        if (key.mv_size != 20)
            return pdict__lmdb_damaged(view->store, "a time of expiry is cut");
        if (get_be64(at + 4) > sortable(now_ms))
            return PDICT_OK;
        status = pdict__lmdb_seek(view, EXPIRY, &key, &value, MDB_NEXT);
    }
    return status == PDICT_NOTFOUND ? PDICT_OK : status;
}

int pdict__lmdb_count(void *self, void *txn, uint32_t map, int64_t now_ms, uint64_t *count)
{
    struct tally stored, now;
    uint64_t expired;
    int status;

    if ((status = pdict__lmdb_tally(txn, map, &stored, &now)) != PDICT_OK)
        return status;
    if ((status = count_expired(txn, map, now_ms, &expired)) != PDICT_OK)
        return status;
    if (expired > now.rows)
        return pdict__lmdb_damaged(self, "more rows have expired than there are");
    *count = now.rows - expired;
    return PDICT_OK;
}
