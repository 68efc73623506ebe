/* SPDX-License-Identifier: MIT */
/* Care for the file as a whole: checking, copying while it is in use, giving space back. */
#include "sqlite.h"

#include <errno.h>
#include <stdio.h>

/* Virtual machine instructions between two looks at whether to go on: about a millisecond. */
#define CHECK_STEPS 100000

/* Pages between the same: as many as fit into 1 MiB of the usual size. */
#define BACKUP_PAGES 256

/* PRAGMA integrity_check stops after so many messages; one is enough to know. */
#define MOST_MESSAGES "100"

/* What PRAGMA auto_vacuum answers for a file that somebody made anew without it. */
#define AUTO_VACUUM_NONE 0

/* ---- checking ---- */

/* What runs while SQLite checks; its status ends the check. */
struct watcher {
    const pdict_backend_events *events;
    int status;
};

static int watch_check(void *ctx)
{
    struct watcher *watcher = ctx;

    watcher->status = pdict_backend_progress(watcher->events, 0, 0);
    return watcher->status != PDICT_OK;
}

/* A message of SQLite, which names tables and pages, and never holds a key. */
static int report_message(const pdict_backend_events *events, const char *message)
{
    static const pdict_slice no_key = { NULL, 0 };
    char text[256];

    if (message == NULL)
        return no_memory("a message");
    if (strcmp(message, "ok") == 0)
        return PDICT_OK;
    snprintf(text, sizeof(text), "SQLite finds: %s", message);
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    }
    return pdict_backend_finding(events, no_key, text);
}

static int report_messages(struct conn *conn, sqlite3_stmt *check, struct watcher *watcher)
{
    int status;

    while ((status = pdict__sqlite_step(conn, 0, check)) == PDICT_OK) {
        status = report_message(watcher->events, (const char *)sqlite3_column_text(check, 0));
        if (status != PDICT_OK)
            return status;
    }
    if (watcher->status != PDICT_OK)
        return watcher->status;
    return status == PDICT_END ? PDICT_OK : status;
}

static int check_file(struct conn *conn, const pdict_backend_events *events)
{
    struct watcher watcher = { .events = events };
    sqlite3_stmt *check;
    int rc, status;

    if ((status = pdict__sqlite_schema_check(conn)) != PDICT_OK)
        return status;
    errno = 0;
    rc =
        sqlite3_prepare_v2(conn->db, "PRAGMA integrity_check(" MOST_MESSAGES ")", -1, &check, NULL);
    if (rc != SQLITE_OK)
        return pdict__sqlite_fail(conn, rc);
    sqlite3_progress_handler(conn->db, CHECK_STEPS, watch_check, &watcher);
    status = report_messages(conn, check, &watcher);
    sqlite3_progress_handler(conn->db, 0, NULL, NULL);
    sqlite3_finalize(check);
    return status;
}

/* Keys that lead to no row, or to that of another key: a join over both tables leaves them out. */
static const char stray_keys[] =
    "SELECT k.key FROM kvk_# AS k LEFT JOIN kv_# AS kv ON kv.id = k.id "
    "WHERE kv.key IS NOT k.key";

static int report_strays(struct conn *conn, uint32_t map, const pdict_backend_events *events)
{
    char *sql = pdict__sqlite_expand(stray_keys, map);
    struct watcher watcher = { .events = events };
    sqlite3_stmt *strays;
    pdict_slice key;
    int rc, status;

    if (sql == NULL)
        return no_memory("a statement");
    errno = 0;
    rc = sqlite3_prepare_v2(conn->db, sql, -1, &strays, NULL);
    sqlite3_free(sql);
    if (rc != SQLITE_OK)
        return pdict__sqlite_fail_in_map(conn, map, rc);
    sqlite3_progress_handler(conn->db, CHECK_STEPS, watch_check, &watcher);
    while ((status = pdict__sqlite_step(conn, map, strays)) == PDICT_OK) {
        if ((status = pdict__sqlite_column(strays, 0, &key)) == PDICT_OK)
            status = pdict_backend_finding(events, key, "the key leads to no record of its own");
        if (status != PDICT_OK)
            break;
    }
    sqlite3_progress_handler(conn->db, 0, NULL, NULL);
    sqlite3_finalize(strays);
    if (watcher.status != PDICT_OK)
        return watcher.status;
    return status == PDICT_END ? PDICT_OK : status;
}

int pdict__sqlite_check(void *self, void *txn, uint32_t map, const pdict_backend_events *events)
{
    struct conn *conn = txn;

    (void)self;
    pdict__sqlite_rest(conn);
    return map == 0 ? check_file(conn, events) : report_strays(conn, map, events);
}

/* ---- backup ---- */

/* The file that the pages go to. */
struct copy {
    const char *path;
    sqlite3 *db;
};

static int fail_copy(const struct copy *copy, int rc)
{
    struct store store = { .files = { [FILE_MAIN] = (char *)copy->path } };
    struct conn conn = { .store = &store, .db = copy->db };

    return pdict__sqlite_fail(&conn, rc);
}

/* What is written is the copy, and nothing else is. */
static int fail_backup(const struct conn *conn, const struct copy *copy, int rc)
{
    bool is_write = (rc & 0xff) == SQLITE_FULL || rc == SQLITE_IOERR_WRITE ||
                    rc == SQLITE_IOERR_TRUNCATE || rc == SQLITE_IOERR_FSYNC;

    return is_write ? fail_copy(copy, rc) : pdict__sqlite_fail(conn, rc);
}

static int copy_pages(struct conn *conn, const struct copy *copy, sqlite3_backup *backup,
                      const pdict_backend_events *events)
{
    uint64_t page_size = conn->store->page_size, pages, left;
    int rc, status;

    do {
        errno = 0;
        rc = sqlite3_backup_step(backup, BACKUP_PAGES);
        if (rc != SQLITE_OK && rc != SQLITE_DONE)
            return fail_backup(conn, copy, rc);
        if (conn->access == ACCESS_READ_FROZEN &&
            (status = pdict__sqlite_check_frozen(conn)) != PDICT_OK)
            return status;
        pages = (uint64_t)sqlite3_backup_pagecount(backup);
        left = (uint64_t)sqlite3_backup_remaining(backup);
        status = pdict_backend_progress(events, (pages - left) * page_size, pages * page_size);
        if (status != PDICT_OK)
            return status;
    } while (rc != SQLITE_DONE);
    return PDICT_OK;
}

/* While the snapshot is held no commit restarts the copy. */
static int copy_to(struct conn *conn, const struct copy *copy, const pdict_backend_events *events)
{
    sqlite3_backup *backup;
    int rc, status;

    if ((status = pdict__sqlite_reader_begin(conn->store, conn)) != PDICT_OK)
        return status;
    backup = sqlite3_backup_init(copy->db, "main", conn->db, "main");
    if (backup == NULL) {
        status = fail_copy(copy, sqlite3_extended_errcode(copy->db));
    } else {
        status = copy_pages(conn, copy, backup, events);
        errno = 0;
        rc = sqlite3_backup_finish(backup);
        if (status == PDICT_OK && rc != SQLITE_OK)
            status = fail_backup(conn, copy, rc);
    }
    pdict__sqlite_reader_end(conn->store, conn);
    return status;
}

/* The copy is thrown away if it does not get whole, so it needs neither a journal nor a sync. */
static int open_copy(struct copy *copy)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, rc;

    errno = 0;
    rc = sqlite3_open_v2(copy->path, &copy->db, flags, NULL);
    if (copy->db == NULL)
        return no_memory("a connection");
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(copy->db, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", NULL, NULL,
                          NULL);
    return rc == SQLITE_OK ? PDICT_OK : fail_copy(copy, rc);
}

int pdict__sqlite_backup(void *self, const char *path, const pdict_backend_events *events)
{
    struct copy copy = { .path = path };
    void *reader;
    int status;

    if ((status = pdict__sqlite_reader_open(self, &reader)) != PDICT_OK)
        return status;
    if ((status = open_copy(&copy)) == PDICT_OK)
        status = copy_to(reader, &copy, events);
    sqlite3_close(copy.db);
    pdict__sqlite_reader_close(self, reader);
    return status;
}

/* ---- compacting ---- */

/* One transaction that moves pages from the end of the file to free places further in front. */
static int vacuum_step(struct store *store, struct conn *conn, uint64_t step_bytes,
                       int64_t *free_pages)
{
    char sql[64];
    int status;

    snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%llu)",
             (unsigned long long)(step_bytes / store->page_size + 1));
    if ((status = pdict__sqlite_exec(conn, sql)) != PDICT_OK)
        return status;
    return pdict__sqlite_pragma_get(conn, "freelist_count", free_pages);
}

static int vacuum_in_steps(struct store *store, uint64_t step_bytes, int64_t timeout_ms,
                           uint64_t *left_bytes)
{
    int64_t free_pages;
    void *txn;
    int status;

    /* Of what this does nothing is missed after a power loss. */
    if ((status = pdict__sqlite_write_begin(store, PDICT_ORDERED, timeout_ms, &txn)) != PDICT_OK)
        return status;
    if ((status = vacuum_step(store, txn, step_bytes, &free_pages)) != PDICT_OK) {
        pdict__sqlite_write_abort(store, txn);
        return status;
    }
    if ((status = pdict__sqlite_write_commit(store, txn)) == PDICT_OK)
        *left_bytes = (uint64_t)free_pages * store->page_size;
    return status;
}

/* One long transaction. Without the pages that tell where each page is used, which only a file made
 * anew can have, no page can be moved in steps; and steps leave old bytes within pages. */
static int vacuum_whole(struct conn *conn, int64_t timeout_ms, uint64_t *left_bytes)
{
    int status;

    if ((status = pdict__sqlite_set_durability(conn, PDICT_ORDERED)) != PDICT_OK)
        return status;
    pdict__sqlite_set_timeout(conn, timeout_ms);
    /* VACUUM attaches the new file to the old one, which connections may not as a rule. */
    sqlite3_limit(conn->db, SQLITE_LIMIT_ATTACHED, 1);
    status = pdict__sqlite_exec(conn, "PRAGMA auto_vacuum=INCREMENTAL; VACUUM");
    sqlite3_limit(conn->db, SQLITE_LIMIT_ATTACHED, 0);
    if (status == PDICT_OK)
        *left_bytes = 0;
    return status;
}

int pdict__sqlite_compact(void *self, uint64_t step_bytes, int64_t timeout_ms, uint64_t *left_bytes)
{
    struct store *store = self;
    int64_t auto_vacuum;
    int status;

    if (store->is_read_only)
        return fail_read_only(store);
    status = pdict__sqlite_pragma_get(store->anchor, "auto_vacuum", &auto_vacuum);
    if (status != PDICT_OK)
        return status;
    if (auto_vacuum == AUTO_VACUUM_NONE || step_bytes == PDICT_COMPACT_WHOLE)
        return vacuum_whole(store->anchor, timeout_ms, left_bytes);
    return vacuum_in_steps(store, step_bytes, timeout_ms, left_bytes);
}

void pdict__sqlite_trim(void *self, void *reader)
{
    struct conn *conn = reader;

    (void)self;
    pdict__sqlite_rest(conn);
    sqlite3_db_release_memory(conn->db);
}
