/* SPDX-License-Identifier: MIT */
/* The store of the SQLite backend, its connections, and what its files call from one another. */
#ifndef PDICT_BACKENDS_SQLITE_SQLITE_H
#define PDICT_BACKENDS_SQLITE_SQLITE_H

#include <pdict/ext/backend.h>

#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#define APPLICATION_ID 0x70646374 /* "pdct", at byte 68 of the file */
#define FORMAT_VERSION 1          /* user_version, at byte 60 */

/* The places of the options in the table of specs. */
enum option {
    OPTION_PAGE_CACHE,
    OPTION_MMAP,
    OPTION_SECURE_DELETE
};

/* The files of a store; all but the first come and go as SQLite needs them. */
enum file {
    FILE_MAIN,
    FILE_WAL,
    FILE_SHM,
    FILE_JOURNAL,
    FILE_COUNT
};

/* Every prepared statement; the text of each is in statements.c. Those below SQL_OF_MAP belong to
 * the store, the others to one map. */
enum sql {
    SQL_BEGIN_READ,
    SQL_BEGIN_WRITE,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_PIN,
    SQL_MAP_FIND,
    SQL_MAP_NEXT,
    SQL_MAP_EXISTS,
    SQL_MAP_OF_VIEW,
    SQL_MAP_ADD,
    SQL_MAP_NAME,
    SQL_MAP_DROP,
    SQL_MAP_FOLD,
    SQL_SYSTEM_GET,
    SQL_SYSTEM_PUT,
    SQL_SYSTEM_DROP,
    SQL_SYSTEM_DROP_ALL,
    SQL_OF_MAP,
    SQL_GET = SQL_OF_MAP,
    SQL_FEED,
    SQL_FIND,
    SQL_KEY_ADD,
    SQL_KEY_ID,
    SQL_KEYS_ADD,
    SQL_KEY_MOVE,
    SQL_KEY_DROP,
    SQL_ROW_ADD,
    SQL_ROWS_ADD,
    SQL_ROW_CHANGE,
    SQL_ROW_DROP,
    SQL_TALLY,
    SQL_EXPIRED,
    SQL_ACCESS_EXISTS,
    SQL_ACCESS_PUT,
    SQL_ACCESS_GET,
    SQL_ACCESS_DROP,
    SQL_COUNT
};

/*
 * How many rows a map has, without a write for each put: ids are dense, so the rows are those that
 * the catalogue counted when `last_id` was the highest id, and one for each id given since.
 */
struct tally {
    int64_t live;    /* rows, expired ones included */
    int64_t last_id; /* the highest id ever given */
};

/* Kinds of walks whose statements are kept: by key in eight ways, by id in four. */
#define SCAN_SHAPES 12

/* What a connection keeps of one map; map 0 stands for the store. */
struct map_entry {
    uint32_t map;
    bool has_tally; /* writer only: `tally` is what the file says */
    struct tally tally;
    bool expects_new; /* writer only: the last put met a key that was not there */
    /* Writer only, and true as long as `has_tally` may be: whether there are access times. */
    bool knows_access, has_access;
    bool is_fed; /* reader only: SQL_FEED stands on a row */
    sqlite3_stmt *statements[SQL_COUNT];
    sqlite3_stmt *scans[SCAN_SHAPES]; /* of cursors that are closed, see scan.c */
};

/* READ_FROZEN reads the main file alone, without locks, because no log exists beside it. */
enum access {
    ACCESS_WRITE,
    ACCESS_READ,
    ACCESS_READ_ONLY,
    ACCESS_READ_FROZEN
};

/* A connection, used by one thread at a time: a reader, or the writer. */
struct conn {
    struct store *store;
    sqlite3 *db;
    enum access access;
    struct stat frozen_stat; /* of the main file, when ACCESS_READ_FROZEN began to read it */

    struct map_entry *entries; /* the first is the store's */
    size_t entry_count;
    size_t recent; /* the entry used last */
    /* Stands on a row whose bytes the caller may still read; reset by the next call. */
    sqlite3_stmt *pending;
    unsigned n_gets;    /* of a reader: 1 when its snapshot has given a row */
    pdict_slice wanted; /* by SQL_FEED */
    struct load *load;  /* of a writer: what SQL_KEYS_ADD and SQL_ROWS_ADD insert */

    int64_t timeout_ms;    /* as last set */
    int durability;        /* writer: as last set */
    uint32_t data_version; /* writer: the engine's, when the tallies were last true */
};

struct store {
    pdict_allocator allocator;
    char *files[FILE_COUNT];
    bool is_read_only;
    bool may_create;
    int64_t timeout_ms;
    int64_t page_cache; /* bytes, of each connection */
    int64_t mmap;       /* bytes */
    bool secure_delete;

    /* Opened first and closed last, so the wal-index stays mapped: the writer, or when read-only a
     * reader that nobody uses. */
    struct conn *anchor;
    uint32_t page_size;
    const volatile char *index; /* the first region of the wal-index, which stays; or NULL */
    char detail[128];
};

/* ---- error.c ---- */

/* A status and its text for an extended result code. */
int pdict__sqlite_fail(const struct conn *conn, int rc);
/* The same for a statement of a map: PDICT_NO_MAP if the map is gone. */
int pdict__sqlite_fail_in_map(struct conn *conn, uint32_t map, int rc);
/* The same for COMMIT: a failed write or sync leaves the outcome open. */
int pdict__sqlite_fail_commit(const struct conn *conn, int rc);

static inline int no_memory(const char *what)
{
    return pdict_fail(PDICT_NOMEM, "sqlite: no memory for %s; free some and try again", what);
}

static inline int fail_read_only(const struct store *store)
{
    return pdict_fail(PDICT_READ_ONLY,
                      "sqlite: %s is open read-only; open it with mode=rw to write",
                      store->files[FILE_MAIN]);
}

/* ---- conn.c ---- */

int pdict__sqlite_conn_open(struct store *store, enum access access, struct conn **out);
void pdict__sqlite_conn_close(struct conn *conn);
/* Close and open again in another way; statements are forgotten. */
int pdict__sqlite_conn_reopen(struct conn *conn, enum access access);
/* Take the settings of the store, read each back, and refuse to go on if one did not take. */
int pdict__sqlite_conn_configure(struct conn *conn);
/* The number that a query answers, 0 when it answers nothing. */
int pdict__sqlite_ask(struct conn *conn, const char *sql, int64_t *number);
int pdict__sqlite_pragma_get(struct conn *conn, const char *name, int64_t *value);
/* `name` is a pragma that answers with the number it was set to. */
int pdict__sqlite_pragma_set(struct conn *conn, const char *name, int64_t value);
int pdict__sqlite_exec(struct conn *conn, const char *sql);
void pdict__sqlite_set_timeout(struct conn *conn, int64_t timeout_ms);

/* ---- statements.c ---- */

/* `text` with the map's number in place of each '#'; owned: sqlite3_free(). NULL: no memory. */
char *pdict__sqlite_expand(const char *text, uint32_t map);
/* The statement, reset, prepared on first use; ends the life of bytes returned earlier. */
int pdict__sqlite_statement(struct conn *conn, uint32_t map, enum sql sql, sqlite3_stmt **out);
/* PDICT_OK: on a row. PDICT_END (expected): no more. The statement is reset unless PDICT_OK. */
int pdict__sqlite_step(struct conn *conn, uint32_t map, sqlite3_stmt *statement);
/* Step a statement that has no rows, and reset it. */
int pdict__sqlite_run(struct conn *conn, uint32_t map, sqlite3_stmt *statement);
/* End the life of returned bytes, so that the engine holds nothing for them. */
void pdict__sqlite_rest(struct conn *conn);
/* NULL: no memory. Valid until another map is met. */
struct map_entry *pdict__sqlite_entry(struct conn *conn, uint32_t map);
/* NULL: nothing is kept of it. */
struct map_entry *pdict__sqlite_known(struct conn *conn, uint32_t map);
void pdict__sqlite_forget_map(struct conn *conn, uint32_t map);
void pdict__sqlite_forget_tallies(struct conn *conn);
void pdict__sqlite_forget_statements(struct conn *conn);

/* A NULL pointer would bind SQL's NULL. The bytes stay bound until the statement's next use. */
static inline void bind_blob(sqlite3_stmt *statement, int at, pdict_slice bytes)
{
    sqlite3_bind_blob64(statement, at, bytes.size > 0 ? bytes.data : "", bytes.size, SQLITE_STATIC);
}

static inline void bind_text(sqlite3_stmt *statement, int at, pdict_slice bytes)
{
    sqlite3_bind_text64(statement, at, bytes.size > 0 ? bytes.data : "", bytes.size, SQLITE_STATIC,
                        SQLITE_UTF8);
}

/* PDICT_NOMEM when the engine had none to assemble the bytes. */
int pdict__sqlite_column(sqlite3_stmt *statement, int at, pdict_slice *bytes);

/* ---- feed.c ---- */

/* Before SQL_FEED is prepared. */
int pdict__sqlite_feed_add(struct conn *conn);
/* The statement on the row of a key of the snapshot. PDICT_END (expected): there is none. What it
 * returned before is gone, and it runs on until the snapshot ends. */
int pdict__sqlite_feed(struct conn *conn, uint32_t map, pdict_slice key, sqlite3_stmt **out);
void pdict__sqlite_feed_end(struct conn *conn);

/* ---- load.c ---- */

/* Rows one after the other. */
struct load {
    const pdict_row *row; /* out of `next`; NULL: there are no more */
    int64_t id;           /* out of `next`: the id it gets */
    void (*next)(struct load *load);
};

/* Before SQL_KEYS_ADD and SQL_ROWS_ADD are prepared. */
int pdict__sqlite_load_add(struct conn *conn);
/* Insert all with one statement; `count` says how many it inserted. */
int pdict__sqlite_load(struct conn *conn, uint32_t map, enum sql sql, struct load *load,
                       size_t *count);

/* ---- schema.c ---- */

/* Turn an empty file into a store, unless another process did so first. */
int pdict__sqlite_schema_create(struct conn *conn);
/* Compare the schema with the one this backend writes; the name of what differs is in the text. */
int pdict__sqlite_schema_check(struct conn *conn);
int pdict__sqlite_schema_add_map(struct conn *conn, uint32_t map);
/* What the access times of a map are kept in. */
int pdict__sqlite_schema_add_access(struct conn *conn, uint32_t map);
int pdict__sqlite_schema_drop_map(struct conn *conn, uint32_t map);
int pdict__sqlite_schema_add_view(struct conn *conn, uint32_t map, const char *view);
int pdict__sqlite_schema_drop_view(struct conn *conn, const char *view);

/* ---- identity.c ---- */

/* What the first bytes of a file say it is, read through the engine but without its locks, so that
 * nothing of anybody's is touched. */
int pdict__sqlite_identify(struct store *store);
/* The same of an open store, log included. */
int pdict__sqlite_identify_open(struct conn *conn);

/* ---- readonly.c ---- */

/* The size of a file, 0 when it is absent. */
int pdict__sqlite_file_size(const struct store *store, enum file file, uint64_t *size,
                            bool *exists);
/* The way to read without writing, as the files lie now. PDICT_UNSUPPORTED: there is none. */
int pdict__sqlite_choose_access(const struct store *store, enum access *access);
/* Note how the main file looks before ACCESS_READ_FROZEN first reads it. */
int pdict__sqlite_freeze(struct conn *conn);
/* PDICT_BUSY when the main file was written since, so that what was read may be torn. */
int pdict__sqlite_check_frozen(const struct conn *conn);
/* Before a snapshot: is the connection's way of reading still the right one? */
int pdict__sqlite_refresh(struct conn *conn);
/* The path as a URI with a query; owned: sqlite3_free(). NULL: no memory. */
char *pdict__sqlite_uri(const char *path, const char *query);

/* ---- store.c ---- */

int pdict__sqlite_open(const pdict_backend_args *args, void **self);
void pdict__sqlite_close(void *self);
void pdict__sqlite_suspend(void *self);
int pdict__sqlite_stat(void *self, pdict_backend_stat *stat);
int pdict__sqlite_watch(void *self, const volatile uint64_t *words[2]);
bool pdict__sqlite_is_next(void *self, const uint64_t before[2], const uint64_t after[2]);
bool pdict__sqlite_is_same(void *self, const uint64_t before[2], const uint64_t after[2]);

/* ---- log.c ---- */

uint64_t pdict__sqlite_log_bytes(void *self);
int pdict__sqlite_checkpoint(void *self, bool wait);
int pdict__sqlite_sync(void *self);

/* ---- read.c ---- */

int pdict__sqlite_reader_open(void *self, void **reader);
void pdict__sqlite_reader_close(void *self, void *reader);
int pdict__sqlite_reader_begin(void *self, void *reader);
void pdict__sqlite_reader_end(void *self, void *reader);
int pdict__sqlite_get(void *self, void *txn, uint32_t map, pdict_slice key, pdict_row *row);
int pdict__sqlite_count(void *self, void *txn, uint32_t map, int64_t now_ms, uint64_t *count);
/* What the file says; the present tally, not the one in the catalogue. */
int pdict__sqlite_tally(struct conn *conn, uint32_t map, struct tally *tally);

/* ---- scan.c ---- */

int pdict__sqlite_scan_open(void *self, void *txn, uint32_t map, const pdict_scan *scan,
                            void **cursor);
int pdict__sqlite_scan_next(void *self, void *cursor, pdict_row *row);
void pdict__sqlite_scan_close(void *self, void *cursor);

/* ---- access.c ---- */

int pdict__sqlite_access_put(void *self, void *txn, uint32_t map, const pdict_access *items,
                             size_t count);
int pdict__sqlite_access_get(void *self, void *txn, uint32_t map, uint64_t id,
                             int64_t *accessed_ms);
/* Does the map have a place for access times? */
int pdict__sqlite_has_access(struct conn *conn, uint32_t map, bool *has_access);
/* Forget the access time of a row that goes. */
int pdict__sqlite_access_drop(struct conn *conn, uint32_t map, int64_t id);

/* ---- write.c ---- */

/* The work of one apply(): the tally moves along and is written at the end if it has to be. */
struct work {
    struct conn *conn;
    uint32_t map;
    int64_t now_ms;
    bool expects_new; /* the last put met a key that was not there */
    struct tally tally;
};

int pdict__sqlite_write_begin(void *self, int durability, int64_t timeout_ms, void **txn);
int pdict__sqlite_write_commit(void *self, void *txn);
void pdict__sqlite_write_abort(void *self, void *txn);
/* Between transactions only. */
int pdict__sqlite_set_durability(struct conn *conn, int durability);

/* ---- apply.c ---- */

int pdict__sqlite_apply(void *self, void *txn, uint32_t map, pdict_change *changes, size_t count,
                        int64_t now_ms);
/* Make one change; an insert takes `new_id`. */
int pdict__sqlite_change(struct work *work, pdict_change *change, int64_t new_id);
/* The id that the key table has for the key, 0 when it has none. */
int pdict__sqlite_key_id(struct work *work, pdict_slice key, int64_t *id);
/* A put that, if its key is not there, needs nothing else to be known. */
bool pdict__sqlite_may_be_new(const pdict_change *change);

/* ---- bulk.c ---- */

/* The same as change after change, in an order that the engine's trees like. */
int pdict__sqlite_apply_bulk(struct work *work, pdict_change *changes, size_t count);

/* ---- upkeep.c ---- */

int pdict__sqlite_check(void *self, void *txn, uint32_t map, const pdict_backend_events *events);
int pdict__sqlite_backup(void *self, const char *path, const pdict_backend_events *events);
int pdict__sqlite_compact(void *self, uint64_t step_bytes, int64_t timeout_ms,
                          uint64_t *left_bytes);
void pdict__sqlite_trim(void *self, void *reader);

/* ---- maps.c ---- */

int pdict__sqlite_map_exists(struct conn *conn, uint32_t map, bool *exists);
int pdict__sqlite_map_find(void *self, void *txn, pdict_slice name, uint32_t *map);
int pdict__sqlite_map_next(void *self, void *txn, uint32_t after, uint32_t *map, pdict_slice *name);
int pdict__sqlite_map_create(void *self, void *txn, pdict_slice name, uint32_t *map);
int pdict__sqlite_map_drop(void *self, void *txn, uint32_t map);
int pdict__sqlite_map_rename(void *self, void *txn, uint32_t map, pdict_slice name);
int pdict__sqlite_system_get(void *self, void *txn, uint32_t map, pdict_slice name,
                             pdict_slice *value);
int pdict__sqlite_system_put(void *self, void *txn, uint32_t map, pdict_slice name,
                             pdict_slice value);

#endif
