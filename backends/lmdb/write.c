/* SPDX-License-Identifier: MIT */
/* The write transaction: its durability, its end; and how records are written in it. */
#include "lmdb.h"

#include <assert.h>

/* ---- the transaction ---- */

/* LMDB reads these when it commits. */
static int set_durability(struct store *store, int durability)
{
    unsigned wanted = durability == PDICT_UNSAFE    ? MDB_NOSYNC
                      : durability == PDICT_ORDERED ? MDB_NOMETASYNC
                                                    : 0;
    int rc = 0;

    if (wanted == store->sync_flags)
        return 0;
    rc = mdb_env_set_flags(store->env, MDB_NOSYNC | MDB_NOMETASYNC, 0);
    if (rc == 0 && wanted != 0)
        rc = mdb_env_set_flags(store->env, wanted, 1);
    store->sync_flags = wanted;
    return rc;
}

#define CHECK_EVERY_MS 30000

/* A reader that died keeps pages from being used again, so look for one as the file grows, and now
 * and then. Only writers need pages, so a timer beside them would find nothing that matters. */
static void check_readers(struct store *store)
{
    uint64_t last = pdict__lmdb_last_page(store);
    int64_t now_ms = pdict__lmdb_steady_ms();

    if (last < store->check_at && now_ms < store->check_at_ms)
        return;
    clear_stale_readers(store);
    store->check_at = last + last / 8 + 4096;
    store->check_at_ms = now_ms + CHECK_EVERY_MS;
}

static int begin(struct store *store, int durability)
{
    int rc;

    check_readers(store);
    if ((rc = set_durability(store, durability)) != 0)
        return rc;
    return mdb_txn_begin(store->env, NULL, 0, &store->writer.txn);
}

static int begin_mapped(struct store *store, int durability, int64_t timeout_ms)
{
    int rc, status;

    for (;;) {
        if ((status = pdict__lmdb_make_room(store, timeout_ms)) != PDICT_OK)
            return status;
        pdict__lmdb_enter(store);
        if ((status = store->room.lost) == PDICT_OK && (rc = begin(store, durability)) == 0)
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

int pdict__lmdb_write_begin(void *self, int durability, int64_t timeout_ms, void **txn)
{
    struct store *store = self;
    int status;

    if (store->is_read_only)
        return pdict_fail(PDICT_READ_ONLY,
                          "lmdb: %s is open read-only; open it with mode=rw to write", store->path);
    if ((status = pdict__lmdb_turn_take(store, timeout_ms)) != PDICT_OK)
        return status;
    store->writer = (struct view){
        .store = store, .is_writer = true, .timeout_ms = timeout_ms, .thread = pthread_self()
    };
    if ((status = begin_mapped(store, durability, timeout_ms)) != PDICT_OK) {
        pdict__lmdb_turn_end(store);
        return status;
    }
    store->has_written = true;
    *txn = &store->writer;
    return PDICT_OK;
}

static void end(struct store *store)
{
    store->writer.txn = NULL;
    pdict__lmdb_leave(store);
    pdict__lmdb_turn_end(store);
}

/* LMDB closes the cursors of a write transaction itself. */
void pdict__lmdb_write_abort(void *self, void *txn)
{
    struct view *view = txn;

    assert(pthread_equal(view->thread, pthread_self()));
    if (view->txn != NULL)
        mdb_txn_abort(view->txn);
    end(self);
}

/* After a failure in the middle LMDB refuses to begin anything. */
static bool has_stopped(struct store *store)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);

    if (rc == 0)
        mdb_txn_abort(txn);
    return rc == MDB_PANIC;
}

int pdict__lmdb_write_commit(void *self, void *txn)
{
    struct store *store = self;
    struct view *view = txn;
    int rc, status = PDICT_OK;

    if (!pthread_equal(view->thread, pthread_self()))
        return pdict_fail(
            PDICT_MISUSE,
            "lmdb: a transaction of %s is finished by the thread that began it, since "
            "LMDB's lock belongs to that",
            store->path);
    if (view->changes == 0) {
        pdict__lmdb_write_abort(self, txn);
        return PDICT_OK;
    }
    if ((rc = mdb_txn_commit(view->txn)) != 0) {
        store->has_failed_midway = has_stopped(store);
        status = pdict__lmdb_fail_commit(store, rc);
    }
    end(store);
    return status;
}

/* ---- records ---- */

int pdict__lmdb_put_room(struct view *view, enum table table, const struct record_key *key,
                         size_t size, unsigned char **room)
{
    MDB_val record = { key->size, (void *)key->bytes }, value = { size, NULL };
    MDB_cursor *cursor;
    int rc, status;

    if ((status = pdict__lmdb_cursor(view, table, &cursor)) != PDICT_OK)
        return status;
    view->changes++;
    if ((rc = mdb_cursor_put(cursor, &record, &value, MDB_RESERVE)) != 0)
        return pdict__lmdb_fail(view->store, rc);
    *room = value.mv_data;
    return PDICT_OK;
}

int pdict__lmdb_put(struct view *view, enum table table, const struct record_key *key,
                    pdict_slice value)
{
    unsigned char *room = NULL;
    int status = pdict__lmdb_put_room(view, table, key, value.size, &room);

    if (status == PDICT_OK && value.size > 0)
        memcpy(room, value.data, value.size);
    return status;
}

int pdict__lmdb_del_here(struct view *view, enum table table)
{
    MDB_cursor *cursor;
    int rc, status;

    if ((status = pdict__lmdb_cursor(view, table, &cursor)) != PDICT_OK)
        return status;
    view->changes++;
    rc = mdb_cursor_del(cursor, 0);
    return rc == 0 ? PDICT_OK : pdict__lmdb_fail(view->store, rc);
}

int pdict__lmdb_del(struct view *view, enum table table, const struct record_key *key)
{
    MDB_val record = { key->size, (void *)key->bytes }, value;
    int status = pdict__lmdb_seek(view, table, &record, &value, MDB_SET);

    if (status == PDICT_NOTFOUND)
        return pdict__lmdb_damaged(view->store, "an index lacks an entry");
    return status == PDICT_OK ? pdict__lmdb_del_here(view, table) : status;
}
