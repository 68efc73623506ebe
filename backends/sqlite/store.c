/* SPDX-License-Identifier: MIT */
/* Opening and closing a store, and facts about it. */
#include "sqlite.h"

#include <errno.h>
#include <stdio.h>

#define SWITCH_PAUSE_MS 5 /* between two tries to switch to the log */

/* The wal-index header in shared memory ("WAL-Index File Format"): the change counter with its
 * neighbour, and the checksum of the last frame. A commit moves both. */
#define WAL_INDEX_CHANGE   8
#define WAL_INDEX_CHECKSUM 40
#define WAL_INDEX_REGION   32768

/* ---- opening ---- */

static int make_names(struct store *store, const char *path)
{
    static const char *const endings[FILE_COUNT] = { "", "-wal", "-shm", "-journal" };
    size_t size = strlen(path) + sizeof("-journal");

    for (size_t i = 0; i < FILE_COUNT; i++) {
        store->files[i] = store->allocator.allocate(store->allocator.ctx, size);
        if (store->files[i] == NULL)
            return no_memory("a path");
        snprintf(store->files[i], size, "%s%s", path, endings[i]);
    }
    return PDICT_OK;
}

static void release_store(struct store *store)
{
    pdict_allocator allocator = store->allocator;

    for (size_t i = 0; i < FILE_COUNT; i++)
        allocator.release(allocator.ctx, store->files[i]);
    allocator.release(allocator.ctx, store);
}

static int new_store(const pdict_backend_args *args, struct store **out)
{
    struct store *store = args->allocator.allocate(args->allocator.ctx, sizeof(*store));
    int status;

    if (store == NULL)
        return no_memory("the store");
    memset(store, 0, sizeof(*store));
    store->allocator = args->allocator;
    store->is_read_only = (args->flags & PDICT_BACKEND_READ_ONLY) != 0;
    store->may_create = (args->flags & PDICT_BACKEND_CREATE) != 0 && !store->is_read_only;
    store->timeout_ms = args->timeout_ms;
    store->page_cache = args->options[OPTION_PAGE_CACHE].number;
    store->mmap = args->options[OPTION_MMAP].number;
    store->secure_delete = args->options[OPTION_SECURE_DELETE].number != 0;
    if ((status = make_names(store, args->path)) != PDICT_OK) {
        release_store(store);
        return status;
    }
    *out = store;
    return PDICT_OK;
}

static int fail_empty(const struct store *store)
{
    return pdict_fail(PDICT_NOT_A_STORE,
                      "sqlite: %s is empty, not a store; open it with mode=rwc to make it one",
                      store->files[FILE_MAIN]);
}

static int check_file(struct store *store)
{
    const char *path = store->files[FILE_MAIN];
    struct stat facts;

    if (stat(path, &facts) != 0)
        return pdict_fail(errno == EACCES ? PDICT_PERMISSION : PDICT_IO, "sqlite: %s: %s", path,
                          strerror(errno));
    if (!S_ISREG(facts.st_mode))
        return pdict_fail(PDICT_NOT_A_STORE, "sqlite: %s is not a file; choose another path", path);
    if (facts.st_size > 0)
        return pdict__sqlite_identify(store);
    return store->may_create ? PDICT_OK : fail_empty(store);
}

/* The mode is committed after it has been shown. */
static bool is_in_log_mode(sqlite3 *db, int *rc)
{
    sqlite3_stmt *statement;
    bool is_wal = false;

    if ((*rc = sqlite3_prepare_v2(db, "PRAGMA journal_mode=WAL", -1, &statement, NULL)) != 0)
        return false;
    if (sqlite3_step(statement) == SQLITE_ROW)
        is_wal = sqlite3_stricmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
    *rc = sqlite3_finalize(statement);
    return is_wal && *rc == SQLITE_OK;
}

/* SQLite does not wait here, so we do. */
static int switch_to_log(struct conn *conn)
{
    int64_t waited_ms = 0;
    int rc;

    while (!is_in_log_mode(conn->db, &rc)) {
        if (rc == SQLITE_OK)
            return pdict_fail(PDICT_UNSUPPORTED,
                              "sqlite: %s lies where SQLite cannot keep a write-ahead log; move "
                              "it to a local file system",
                              conn->store->files[FILE_MAIN]);
        if ((rc & 0xff) != SQLITE_BUSY || waited_ms >= conn->store->timeout_ms)
            return pdict__sqlite_fail(conn, rc);
        sqlite3_sleep(SWITCH_PAUSE_MS);
        waited_ms += SWITCH_PAUSE_MS;
    }
    return PDICT_OK;
}

static int make_if_empty(struct conn *conn)
{
    int64_t pages;
    int status;

    if ((status = pdict__sqlite_pragma_get(conn, "page_count", &pages)) != PDICT_OK || pages > 0)
        return status;
    return conn->store->may_create ? pdict__sqlite_schema_create(conn) : fail_empty(conn->store);
}

static int open_for_writing(struct store *store)
{
    struct conn *conn;
    int status;

    if ((status = pdict__sqlite_conn_open(store, ACCESS_WRITE, &store->anchor)) != PDICT_OK)
        return status;
    conn = store->anchor;
    if (sqlite3_db_readonly(conn->db, "main") == 1)
        return pdict__sqlite_fail(conn, SQLITE_READONLY);
    if ((status = make_if_empty(conn)) != PDICT_OK)
        return status;
    if ((status = pdict__sqlite_identify_open(conn)) != PDICT_OK)
        return status;
    if ((status = switch_to_log(conn)) != PDICT_OK)
        return status;
    return pdict__sqlite_conn_configure(conn);
}

static int open_for_reading(struct store *store)
{
    enum access access;
    int status;

    if ((status = pdict__sqlite_choose_access(store, &access)) != PDICT_OK)
        return status;
    if ((status = pdict__sqlite_conn_open(store, access, &store->anchor)) != PDICT_OK)
        return status;
    if ((status = pdict__sqlite_identify_open(store->anchor)) != PDICT_OK)
        return status;
    return pdict__sqlite_conn_configure(store->anchor);
}

static int note_settings(struct store *store)
{
    struct conn *conn = store->anchor;
    int64_t page_size, vacuum, cache, mmap, erase;
    int status;

    if ((status = pdict__sqlite_pragma_get(conn, "page_size", &page_size)) != PDICT_OK ||
        (status = pdict__sqlite_pragma_get(conn, "auto_vacuum", &vacuum)) != PDICT_OK ||
        (status = pdict__sqlite_pragma_get(conn, "cache_size", &cache)) != PDICT_OK ||
        (status = pdict__sqlite_pragma_get(conn, "mmap_size", &mmap)) != PDICT_OK ||
        (status = pdict__sqlite_pragma_get(conn, "secure_delete", &erase)) != PDICT_OK)
        return status;
    store->page_size = (uint32_t)page_size;
    snprintf(
        store->detail, sizeof(store->detail),
        "%s, page_size %lld, auto_vacuum %lld, cache %lld KiB, mmap %lld B, secure_delete %lld",
        conn->access == ACCESS_READ_FROZEN ? "no log" : "wal", (long long)page_size,
        (long long)vacuum, -(long long)cache, (long long)mmap, (long long)erase);
    return PDICT_OK;
}

/* None where the file is read without its log. */
static void find_index(struct store *store)
{
    sqlite3_file *file = NULL;
    void volatile *index = NULL;
    int rc = SQLITE_NOTFOUND;

    sqlite3_file_control(store->anchor->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (store->anchor->access != ACCESS_READ_FROZEN && file->pMethods->iVersion >= 2)
        rc = file->pMethods->xShmMap(file, 0, WAL_INDEX_REGION, 0, &index);
    /* SQLITE_READONLY: mapped, but not for writing. */
    if (rc == SQLITE_OK || rc == SQLITE_READONLY)
        store->index = index;
}

int pdict__sqlite_open(const pdict_backend_args *args, void **self)
{
    struct store *store = NULL;
    int status;

    if (sqlite3_threadsafe() == 0)
        return pdict_fail(PDICT_UNSUPPORTED,
                          "sqlite: this SQLite was built without threads; use another build");
    if ((status = new_store(args, &store)) != PDICT_OK)
        return status;
    if ((status = check_file(store)) != PDICT_OK)
        goto done;
    status = store->is_read_only ? open_for_reading(store) : open_for_writing(store);
    if (status != PDICT_OK)
        goto done;
    if ((status = pdict__sqlite_schema_check(store->anchor)) != PDICT_OK)
        goto done;
    if ((status = note_settings(store)) != PDICT_OK)
        goto done;
    find_index(store);
    *self = store;
    store = NULL;
done:
    if (store != NULL)
        pdict__sqlite_close(store);
    return status;
}

void pdict__sqlite_close(void *self)
{
    struct store *store = self;

    pdict__sqlite_conn_close(store->anchor);
    release_store(store);
}

/* The last connection to be closed would fold in the log, which takes long while it is long. */
void pdict__sqlite_suspend(void *self)
{
    struct store *store = self;

    sqlite3_db_config(store->anchor->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    pdict__sqlite_close(store);
}

/* ---- facts ---- */

int pdict__sqlite_stat(void *self, pdict_backend_stat *stat)
{
    struct store *store = self;
    uint64_t size;
    bool exists;
    int status;

    stat->format_version = FORMAT_VERSION;
    for (enum file file = FILE_MAIN; file < FILE_COUNT; file++) {
        if ((status = pdict__sqlite_file_size(store, file, &size, &exists)) != PDICT_OK)
            return status;
        stat->file_bytes += size;
        if (file == FILE_WAL)
            stat->log_bytes = size;
    }
    memcpy(stat->detail, store->detail, sizeof(stat->detail));
    return PDICT_OK;
}

int pdict__sqlite_watch(void *self, const volatile uint64_t *words[2])
{
    struct store *store = self;

    if (store->index == NULL)
        return pdict_fail(PDICT_UNSUPPORTED,
                          "sqlite: %s is read without its log's index, so there is no change token",
                          store->files[FILE_MAIN]);
    words[0] = (const volatile uint64_t *)(store->index + WAL_INDEX_CHANGE);
    words[1] = (const volatile uint64_t *)(store->index + WAL_INDEX_CHECKSUM);
    return PDICT_OK;
}

/* The change counter is the first half of its word, and each commit adds one. */
static uint32_t change_count(uint64_t word)
{
    uint32_t count;

    memcpy(&count, &word, sizeof(count));
    return count;
}

bool pdict__sqlite_is_next(void *self, const uint64_t before[2], const uint64_t after[2])
{
    (void)self;
    return change_count(after[0]) - change_count(before[0]) == 1;
}

/* A log that is started anew has another checksum and the same count. After a crash the index is
 * made anew and counts from 0, so that says nothing. */
bool pdict__sqlite_is_same(void *self, const uint64_t before[2], const uint64_t after[2])
{
    (void)self;
    return change_count(before[0]) != 0 && change_count(after[0]) == change_count(before[0]);
}
