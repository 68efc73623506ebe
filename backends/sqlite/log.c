/* SPDX-License-Identifier: MIT */
/* The write-ahead log: how long it is, folding it into the file, and making it durable. */
#include "sqlite.h"

#include <errno.h>

#define WAL_FRAME_HEADER   24 /* bytes before each page in the log */
#define CHECKPOINT_WAIT_MS 500

/* In the header of the wal-index ("WAL-Index File Format"): mxFrame. */
#define WAL_INDEX_FRAMES 16

/* The wal-index counts frames from the start of the log, those already folded in included: what
 * matters to the caller is also how long the file has become. */
uint64_t pdict__sqlite_log_bytes(void *self)
{
    const struct store *store = self;
    uint32_t frames;

    if (store->index == NULL)
        return 0;
    frames = atomic_load_explicit(
        (const volatile _Atomic uint32_t *)(store->index + WAL_INDEX_FRAMES), memory_order_relaxed);
    return (uint64_t)frames * (store->page_size + WAL_FRAME_HEADER);
}

static int run_checkpoint(struct conn *conn, int mode)
{
    int rc;

    errno = 0;
    rc = sqlite3_wal_checkpoint_v2(conn->db, "main", mode, NULL, NULL);
    /* Busy without waiting: somebody else's checkpoint is on its way. */
    if (rc == SQLITE_OK || (rc == SQLITE_BUSY && mode == SQLITE_CHECKPOINT_PASSIVE))
        return PDICT_OK;
    return pdict__sqlite_fail(conn, rc);
}

int pdict__sqlite_checkpoint(void *self, bool wait)
{
    struct store *store = self;
    struct conn *conn = store->anchor;
    int status;

    if (store->is_read_only)
        return fail_read_only(store);
    pdict__sqlite_rest(conn);
    /* A checkpoint moves commits that were promised to be durable, so it has to sync. */
    if (conn->durability == PDICT_UNSAFE &&
        (status = pdict__sqlite_set_durability(conn, PDICT_ORDERED)) != PDICT_OK)
        return status;
    /* Most of the work first, while readers go on. */
    if ((status = run_checkpoint(conn, SQLITE_CHECKPOINT_PASSIVE)) != PDICT_OK || !wait)
        return status;
    pdict__sqlite_set_timeout(conn, CHECKPOINT_WAIT_MS);
    return run_checkpoint(conn, SQLITE_CHECKPOINT_TRUNCATE);
}

static int sync_file(const struct store *store, sqlite3_file *file)
{
    int rc = SQLITE_OK;

    if (file != NULL && file->pMethods != NULL)
        rc = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
    if (rc == SQLITE_OK)
        return PDICT_OK;
    return pdict_fail(PDICT_IO,
                      "sqlite: %s could not be synced (code %d), so recent writes may not survive "
                      "a power loss; check the disk, then reopen the store",
                      store->files[FILE_MAIN], rc);
}

/* The log first: it holds what the file does not have yet. */
int pdict__sqlite_sync(void *self)
{
    struct store *store = self;
    sqlite3_file *log = NULL, *file = NULL;
    int status;

    if (store->is_read_only)
        return PDICT_OK;
    sqlite3_file_control(store->anchor->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    sqlite3_file_control(store->anchor->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if ((status = sync_file(store, log)) != PDICT_OK)
        return status;
    return sync_file(store, file);
}
