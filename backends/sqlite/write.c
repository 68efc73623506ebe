/* SPDX-License-Identifier: MIT */
/* The write transaction: begun with the engine's write lock, and over in every case. */
#include "sqlite.h"

#include <errno.h>

/* Values of PRAGMA synchronous. */
enum {
    SYNCHRONOUS_OFF,
    SYNCHRONOUS_NORMAL,
    SYNCHRONOUS_FULL
};

int pdict__sqlite_set_durability(struct conn *conn, int durability)
{
    static const int synchronous[] = {
        [PDICT_FULL_SYNC] = SYNCHRONOUS_FULL,
        [PDICT_ORDERED] = SYNCHRONOUS_NORMAL,
        [PDICT_UNSAFE] = SYNCHRONOUS_OFF,
    };
    int status;

    if (conn->durability == durability)
        return PDICT_OK;
    status = pdict__sqlite_pragma_set(conn, "synchronous", synchronous[durability]);
    if (status == PDICT_OK)
        conn->durability = durability;
    return status;
}

/* Changes with every commit that this connection makes or meets, so between two transactions an
 * equal number means that nobody else wrote. */
static uint32_t data_version(const struct conn *conn)
{
    unsigned int version = 0;

    sqlite3_file_control(conn->db, "main", SQLITE_FCNTL_DATA_VERSION, &version);
    return version;
}

static void roll_back(struct conn *conn)
{
    sqlite3_stmt *statement;

    pdict__sqlite_rest(conn);
    pdict__sqlite_forget_tallies(conn);
    /* Some errors roll back by themselves. */
    if (sqlite3_get_autocommit(conn->db))
        return;
    if (pdict__sqlite_statement(conn, 0, SQL_ROLLBACK, &statement) == PDICT_OK)
        (void)pdict__sqlite_run(conn, 0, statement);
}

/* A transaction that failed for want of memory may have had none for its ROLLBACK either. */
static int end_last(struct conn *conn)
{
    if (sqlite3_get_autocommit(conn->db))
        return PDICT_OK;
    roll_back(conn);
    if (sqlite3_get_autocommit(conn->db))
        return PDICT_OK;
    return pdict_fail(
        PDICT_NOMEM,
        "sqlite: no memory to undo the last transaction on %s; free some and try again",
        conn->store->files[FILE_MAIN]);
}

int pdict__sqlite_write_begin(void *self, int durability, int64_t timeout_ms, void **txn)
{
    struct store *store = self;
    struct conn *conn = store->anchor;
    sqlite3_stmt *begin;
    int status;

    if (store->is_read_only)
        return fail_read_only(store);
    if ((status = end_last(conn)) != PDICT_OK)
        return status;
    if ((status = pdict__sqlite_set_durability(conn, durability)) != PDICT_OK)
        return status;
    pdict__sqlite_set_timeout(conn, timeout_ms);
    if ((status = pdict__sqlite_statement(conn, 0, SQL_BEGIN_WRITE, &begin)) != PDICT_OK)
        return status;
    if ((status = pdict__sqlite_run(conn, 0, begin)) != PDICT_OK) {
        roll_back(conn);
        return status;
    }
    if (data_version(conn) != conn->data_version)
        pdict__sqlite_forget_tallies(conn);
    *txn = conn;
    return PDICT_OK;
}

static int fail_rolled_back(const struct conn *conn)
{
    return pdict_fail(PDICT_IO,
                      "sqlite: the transaction on %s was undone by an earlier failure in it; "
                      "nothing was written, try again",
                      conn->store->files[FILE_MAIN]);
}

int pdict__sqlite_write_commit(void *self, void *txn)
{
    struct conn *conn = txn;
    sqlite3_stmt *commit;
    int rc, status;

    (void)self;
    if (sqlite3_get_autocommit(conn->db)) {
        roll_back(conn);
        return fail_rolled_back(conn);
    }
    if ((status = pdict__sqlite_statement(conn, 0, SQL_COMMIT, &commit)) != PDICT_OK) {
        roll_back(conn);
        return status;
    }
    errno = 0;
    rc = sqlite3_step(commit);
    sqlite3_reset(commit);
    if (rc != SQLITE_DONE) {
        status = pdict__sqlite_fail_commit(conn, rc);
        roll_back(conn);
        return status;
    }
    conn->data_version = data_version(conn);
    return PDICT_OK;
}

void pdict__sqlite_write_abort(void *self, void *txn)
{
    (void)self;
    roll_back(txn);
}
