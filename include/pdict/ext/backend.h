/* SPDX-License-Identifier: MIT */
/* The contract of a storage backend: rows in, rows out, atomically; no codecs, caches or clocks. */
#ifndef PDICT_EXT_BACKEND_H
#define PDICT_EXT_BACKEND_H

#include <pdict/ext/ext.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A store holds maps; a map holds rows (the DATA space) and small named values (the SYSTEM space:
 * descriptor, keyring, dictionaries). A backend keeps both and gives them back unchanged. It never
 * looks into `value`, never reads the time of day and never drops a row that it was not told to
 * drop; the steady clock serves for waiting and for its own upkeep.
 *
 * Threads. `open` and `close` are called once each. Between them core calls with any number of
 * threads, but: at most one thread uses one reader (and its cursors) at a time; at most one write
 * transaction is open at a time, and one thread begins, uses and ends it (engines lock for their
 * writer, and a lock is given back by the thread that took it). Different readers, and readers and
 * the writer, run in parallel.
 *
 * Lifetimes. Every slice in a row that a backend returns is borrowed: it is valid until the next
 * call with the same reader, writer or cursor, and no longer than the transaction. Every slice that
 * core passes in is borrowed for the call.
 *
 * A store that is open read-only may be read without the engine's locks, and then every function
 * that reads may answer PDICT_BUSY: somebody wrote meanwhile.
 *
 * Errors. A function that fails calls pdict_fail() and returns its status; statuses named
 * "expected" are returned without text. Outputs are untouched or zero after a failure. Every
 * function may return PDICT_NOMEM, PDICT_IO and PDICT_DAMAGED (the engine found damage), and every
 * function that takes a map number PDICT_NO_MAP for one that is not there (only system_get may
 * answer PDICT_NOTFOUND instead); these are not repeated below.
 */

/** One row of the DATA space. */
typedef struct pdict_row {
    pdict_slice key;
    pdict_slice value;
    uint64_t version;   /**< opaque, never 0 in a stored row */
    int64_t created_ms; /**< Unix time */
    int64_t expires_ms; /**< Unix time; 0 = never */
    uint64_t id;        /**< place in the insertion order; grows with each insert; 0 = none yet */
} pdict_row;

enum pdict_change_kind {
    PDICT_CHANGE_PUT = 1,
    PDICT_CHANGE_DEL = 2
};

enum pdict_condition {
    PDICT_IF_ANY = 0,
    PDICT_IF_ABSENT = 1,  /**< else status PDICT_EXISTS */
    PDICT_IF_PRESENT = 2, /**< else status PDICT_NOTFOUND */
    PDICT_IF_VERSION = 3  /**< absent: PDICT_NOTFOUND; another version: PDICT_CONFLICT */
};

/**
 * One change of the DATA space. A row whose expires_ms is not 0 and <= the `now_ms` of the call is
 * absent for everything said here.
 *
 * PUT of an absent key inserts: a new id above every id ever given in this map, or the one that
 * `reserve` gave to this change, and created_ms as given. PUT of a present key replaces value, version and expires_ms and keeps id and created_ms.
 * DEL of an absent key has status PDICT_NOTFOUND, whatever its condition, and changes nothing; so a
 * dead row goes only with a `now_ms` at which it was alive, or when its key is put again.
 */
typedef struct pdict_change {
    uint8_t kind;        /**< enum pdict_change_kind */
    uint8_t condition;   /**< enum pdict_condition */
    bool is_reserved;    /**< row.id is from `reserve`; out: false when it was not needed */
    int status;          /**< out: PDICT_OK, or why this change was not made (expected outcomes) */
    uint64_t if_version; /**< for PDICT_IF_VERSION */
    pdict_row row;       /**< in: DEL needs key only; out of a PUT: id and created_ms as stored */
    int64_t accessed_ms; /**< not for the backend, which gets it by `access_put` */
} pdict_change;

/**
 * What is said above, as code: may this change be made?
 *
 * @param is_present  There is a row under the key, and it has not expired.
 * @param version     Of that row; not looked at when there is none.
 * @return The status of the change (expected).
 */
static inline int pdict_change_judge(const pdict_change *change, bool is_present, uint64_t version)
{
    if (!is_present) {
        bool is_insert = change->kind == PDICT_CHANGE_PUT && (change->condition == PDICT_IF_ANY ||
                                                              change->condition == PDICT_IF_ABSENT);

        return is_insert ? PDICT_OK : PDICT_NOTFOUND;
    }
    if (change->condition == PDICT_IF_ABSENT)
        return PDICT_EXISTS;
    if (change->condition == PDICT_IF_VERSION && change->if_version != version)
        return PDICT_CONFLICT;
    return PDICT_OK;
}

/** The order of a scan (at most one; none: insertion order, by id), and what else it does. */
enum pdict_scan_flags {
    PDICT_SCAN_BY_KEY = 1 << 0, /**< byte order of keys */
    PDICT_SCAN_REVERSE = 1 << 1,
    PDICT_SCAN_NO_VALUES = 1 << 2, /**< row.value may be left empty */
    /** Soonest first, then by id; rows that never expire stay out. */
    PDICT_SCAN_BY_EXPIRY = 1 << 3,
    /** Longest unused first, then by id; rows without an access time stay out. PDICT_UNSUPPORTED
     * where the backend has no access_put. */
    PDICT_SCAN_BY_ACCESS = 1 << 4
};

/**
 * What to walk. Bounds are half-open: from <= x < to, whatever the direction; those of the order
 * not asked for are ignored.
 */
typedef struct pdict_scan {
    unsigned flags;
    pdict_slice from; /**< data NULL: from the first key */
    pdict_slice to;   /**< data NULL: to the last key */
    uint64_t from_id; /**< 0: from the first */
    uint64_t to_id;   /**< 0: to the last */
    int64_t from_ms;  /**< by expiry and by access: Unix time */
    int64_t to_ms;    /**< 0: to the last */
} pdict_scan;

/** When a row was last used. */
typedef struct pdict_access {
    uint64_t id;
    int64_t accessed_ms; /**< Unix time, above 0 */
} pdict_access;

enum pdict_durability {
    PDICT_DURABILITY_DEFAULT = 0, /**< as the map was opened; never passed to a backend */
    PDICT_FULL_SYNC = 1,          /**< acknowledged = survives power loss */
    PDICT_ORDERED = 2, /**< survives a crash of the process; power loss may cost a suffix */
    PDICT_UNSAFE = 3   /**< survives a crash of the process; power loss may corrupt */
};

enum pdict_backend_open_flags {
    PDICT_BACKEND_CREATE = 1 << 0,   /**< the file may be empty: make it a store */
    PDICT_BACKEND_READ_ONLY = 1 << 1 /**< write nothing at all into the store */
};

#define PDICT_COMPACT_WHOLE UINT64_MAX

enum pdict_capability {
    PDICT_CAP_FILE = 1 << 0,          /**< the path names a file; else a name within the process */
    PDICT_CAP_MULTI_PROCESS = 1 << 1, /**< several processes may open one store */
    PDICT_CAP_LAYER = 1 << 2,         /**< keeps nothing itself, see pdict_backend_args.next */
    PDICT_CAP_SHRINKS = 1 << 3,       /**< compact takes short steps, beside readers and others */
    /** A snapshot costs more to begin than to have: core may keep one after its use, as long as the
     * change token stays, but no longer than some 20 ms without use, and ends it before a
     * checkpoint. Needs watch. */
    PDICT_CAP_DEAR_SNAPSHOTS = 1 << 4
};

typedef struct pdict_backend_args {
    size_t struct_size;
    const char *path; /**< absolute, symbolic links resolved, the file exists (maybe empty) */
    unsigned flags;
    int64_t timeout_ms;                /**< how long any call may wait for another process */
    const pdict_option_value *options; /**< parallel to the backend's specs */
    pdict_allocator allocator;
    pdict_logger logger;

    /**
     * For a layer, else NULL: the backend below it in `layer+backend:path`, which may be a layer
     * too, and the arguments to open it with. A layer opens, closes and calls it, and changes what
     * it is there to change. Its own optional members are all there, and where the one below has
     * none they do what its absence means; watch, backup and reserve are PDICT_UNSUPPORTED then.
     */
    const struct pdict_backend *next;
    const struct pdict_backend_args *next_args;
} pdict_backend_args;

/** Cheap facts about an open store. */
typedef struct pdict_backend_stat {
    size_t struct_size;
    uint32_t format_version; /**< of this backend's files */
    uint64_t file_bytes;     /**< all files of the store together, as their sizes say */
    uint64_t log_bytes;      /**< of these, a log that a checkpoint would fold in */
    char detail[128];        /**< settings as read back from the engine, for people */
    uint64_t stale_readers;  /**< that dead processes left behind, cleared since it was opened */
} pdict_backend_stat;

/**
 * What upkeep tells core. A function that does not return 0 ends the call, which returns that;
 * one that is NULL wants to know nothing.
 */
typedef struct pdict_backend_events {
    size_t struct_size;
    void *ctx;
    /** How far it is, every now and then; total 0: not known. */
    int (*progress)(void *ctx, uint64_t done, uint64_t total);
    /** Something is wrong. Borrowed: the key, data NULL when it is not about one; a sentence. */
    int (*finding)(void *ctx, pdict_slice key, const char *text);
} pdict_backend_events;

/** Tell how far it is, if anybody wants to know. */
static inline int pdict_backend_progress(const pdict_backend_events *events, uint64_t done,
                                         uint64_t total)
{
    return events->progress ? events->progress(events->ctx, done, total) : PDICT_OK;
}

/** Tell what is wrong, if anybody wants to know. */
static inline int pdict_backend_finding(const pdict_backend_events *events, pdict_slice key,
                                        const char *text)
{
    return events->finding ? events->finding(events->ctx, key, text) : PDICT_OK;
}

/**
 * A backend. One const static table; `self` is an open store. Members after `close` are required
 * unless they say optional; NULL then has the meaning given.
 */
typedef struct pdict_backend {
    size_t struct_size;
    uint32_t abi_version;
    uint32_t capabilities;
    const char *name;                 /**< the scheme of the URI: lower case letters and digits */
    const char *summary;              /**< one line */
    const pdict_option_spec *options; /**< NULL: none */
    /** If not NULL: a directory as path means this file inside it. */
    const char *file_in_directory;

    /** The engine's name and version, such as "SQLite 3.40.1". Optional. */
    const char *(*library)(void);

    /**
     * Does a file with these first bytes (up to 64) belong to this engine? Used when a path comes
     * without a scheme. Optional: never chosen by content.
     */
    bool (*probe)(const void *head, size_t size);

    /**
     * Open a store.
     *
     * An empty file with PDICT_BACKEND_CREATE becomes a store; two processes doing so at once end
     * with one store. Anything that is not a store of this backend is left untouched.
     *
     * @return PDICT_OK; PDICT_NOT_A_STORE: empty without CREATE, or not this backend's;
     *         PDICT_NEWER_FORMAT; PDICT_READ_ONLY: READ_ONLY not given but the file cannot be
     *         written; PDICT_PERMISSION; PDICT_BUSY; PDICT_UNSUPPORTED: READ_ONLY given but
     *         reading would need a write (the text says why); PDICT_FULL.
     */
    int (*open)(const pdict_backend_args *args, void **self);

    /** Close the store. No reader, cursor or transaction is open. Does not fail. */
    void (*close)(void *self);

    /**
     * A reader is a handle that can hold one snapshot at a time. Making one may be dear (a
     * connection, a reader slot), beginning and ending snapshots on it should be cheap.
     */
    int (*reader_open)(void *self, void **reader);
    void (*reader_close)(void *self, void *reader);

    /**
     * Begin a snapshot: every read until reader_end sees the store as it was at one instant
     * between call and return, unchanged by later commits.
     *
     * @return PDICT_OK; PDICT_BUSY.
     */
    int (*reader_begin)(void *self, void *reader);
    void (*reader_end)(void *self, void *reader);

    /**
     * Begin the write transaction and take the engine's write lock. The returned `txn` serves
     * wherever a reader does and sees its own writes.
     *
     * @param durability  PDICT_FULL_SYNC, PDICT_ORDERED or PDICT_UNSAFE, for this commit.
     * @return PDICT_OK; PDICT_BUSY after timeout_ms; PDICT_READ_ONLY; PDICT_FULL.
     */
    int (*write_begin)(void *self, int durability, int64_t timeout_ms, void **txn);

    /**
     * Make all changes of the transaction durable as asked, at once, or none of them; the
     * transaction is over either way. A transaction that changed nothing commits nothing.
     *
     * @return PDICT_OK; PDICT_FULL: nothing was changed; PDICT_UNKNOWN_OUTCOME: the engine cannot
     *         tell (a failed sync); the store should then be reopened.
     */
    int (*write_commit)(void *self, void *txn);

    /** Undo the transaction. Does not fail. */
    void (*write_abort)(void *self, void *txn);

    /**
     * Find a map by name, or walk all maps in the order of their creation. Numbers are given by
     * map_create, grow, are never 0 and never given twice in a store. Names hold no zero byte.
     *
     * @return PDICT_OK; PDICT_NO_MAP (expected); map_next: PDICT_END after the last (expected).
     */
    int (*map_find)(void *self, void *txn, pdict_slice name, uint32_t *map);
    int (*map_next)(void *self, void *txn, uint32_t after, uint32_t *map, pdict_slice *name);

    /**
     * Make, drop (rows and SYSTEM values with it) or rename a map; `txn` is a write transaction,
     * and the change is part of it. Names are unique: PDICT_EXISTS (expected).
     */
    int (*map_create)(void *self, void *txn, pdict_slice name, uint32_t *map);
    int (*map_drop)(void *self, void *txn, uint32_t map);
    int (*map_rename)(void *self, void *txn, uint32_t map, pdict_slice name);

    /**
     * Read a named value of the SYSTEM space; map 0 is the store itself.
     *
     * @return PDICT_OK; PDICT_NOTFOUND (expected).
     */
    int (*system_get)(void *self, void *txn, uint32_t map, pdict_slice name, pdict_slice *value);

    /** Write a named value, or delete it where value.data is NULL (absent is fine). */
    int (*system_put)(void *self, void *txn, uint32_t map, pdict_slice name, pdict_slice value);

    /**
     * Read a row, expired or not; its key may be the caller's bytes.
     *
     * @return PDICT_OK; PDICT_NOTFOUND (expected); PDICT_NO_MAP: the map was dropped meanwhile.
     */
    int (*get)(void *self, void *txn, uint32_t map, pdict_slice key, pdict_row *row);

    /**
     * Make `count` changes in the order of the array; a later one sees the earlier ones. Inserted
     * rows get growing ids in that order. The backend may visit keys in any order that gives the
     * same result, so a large array is the fast way to load. A status of a change other than
     * PDICT_OK (see pdict_change) does not stop the others.
     *
     * @param now_ms  What expired means in this call.
     * @return PDICT_OK; PDICT_FULL, PDICT_NO_MAP and the like: the caller aborts the transaction.
     */
    int (*apply)(void *self, void *txn, uint32_t map, pdict_change *changes, size_t count,
                 int64_t now_ms);

    /** How many rows are there that are not expired at `now_ms`? No full scan of the rows. */
    int (*count)(void *self, void *txn, uint32_t map, int64_t now_ms, uint64_t *count);

    /**
     * Walk rows, expired or not; each once. Several cursors may be open on one reader. A cursor on
     * the write transaction may only be closed once the transaction has changed something.
     * scan_next returns PDICT_END after the last row (expected).
     */
    int (*scan_open)(void *self, void *txn, uint32_t map, const pdict_scan *scan, void **cursor);
    int (*scan_next)(void *self, void *cursor, pdict_row *row);
    void (*scan_close)(void *self, void *cursor);

    /** Fill what is known; the caller zeroed the struct and set struct_size. */
    int (*stat)(void *self, pdict_backend_stat *stat);

    /**
     * Where the change token lives: two aligned 64-bit words that stay readable while the store is
     * open; "neither has moved" means that no commit by anybody has become visible: a commit moves
     * one of them before any reader can see it, and both have come to rest before write_commit
     * returns. Read without a lock.
     * Optional: NULL, the store keeps no token and nothing is cached.
     *
     * @return PDICT_OK; PDICT_UNSUPPORTED: this store keeps none, the way it is opened.
     */
    int (*watch)(void *self, const volatile uint64_t *words[2]);

    /**
     * How long the log is now, whoever wrote it. What is folded in already counts until the log is
     * started anew. Any thread may ask, and often: it should cost no more than a few loads.
     * Optional, together with checkpoint: NULL, the engine has no log.
     */
    uint64_t (*log_bytes)(void *self);

    /**
     * Fold the log in. Called by the writer between transactions. `wait` = true may block writers
     * and readers for a moment and gives the log's space back; false never blocks, and folds in
     * what it can.
     *
     * @return PDICT_OK; PDICT_BUSY: somebody was in the way, what could be folded in was, and
     *         nothing is lost; PDICT_READ_ONLY; PDICT_FULL.
     */
    int (*checkpoint)(void *self, bool wait);

    /**
     * Make every acknowledged commit survive power loss. Called by the writer between
     * transactions. Optional: NULL, nothing to do.
     */
    int (*sync)(void *self);

    /**
     * Look for damage that is not seen by reading every row by id and by key and counting them:
     * `map` 0 is the file as a whole, else what belongs to that map. Findings go to
     * events->finding; nothing is changed. Optional: NULL, there is no more to look at.
     *
     * @return PDICT_OK, whatever was found; what a function of `events` returned.
     */
    int (*check)(void *self, void *txn, uint32_t map, const pdict_backend_events *events);

    /**
     * Write the store, as it is at one instant during the call, to the empty file `path`, which
     * nobody has open: ids and map numbers are kept. Readers and the writer go on meanwhile; the
     * caller syncs the file. Optional: NULL, the store has no file.
     *
     * @return PDICT_OK; PDICT_FULL: where `path` is, which the text names; PDICT_BUSY; what a
     *         function of `events` returned.
     */
    int (*backup)(void *self, const char *path, const pdict_backend_events *events);

    /**
     * Make the file smaller by up to about `step_bytes`, or by all that can be where the engine
     * has no steps. Called by the writer between transactions, with no reader open that is not in
     * use. Optional: NULL, the file is always as small as it can be.
     *
     * @param step_bytes  PDICT_COMPACT_WHOLE: write the whole file anew, so that with the next
     *             checkpoint nothing is left in it of what was deleted or replaced.
     * @param[out] left_bytes  What further calls would gain; 0: nothing. It falls from call to call
     *             unless somebody makes more room meanwhile.
     * @return PDICT_OK; PDICT_BUSY: somebody else writes or, where the engine has to be alone,
     *         has the store open; PDICT_READ_ONLY; PDICT_FULL.
     */
    int (*compact)(void *self, uint64_t step_bytes, int64_t timeout_ms, uint64_t *left_bytes);

    /**
     * Give back memory that only makes later reads faster; ends the life of borrowed slices. For
     * long walks. Optional: NULL, there is none.
     */
    void (*trim)(void *self, void *reader);

    /**
     * For bulk loads: so many changes of small rows in one transaction, in whatever order of keys,
     * take no more than about 40 MiB of memory. 0: any number does.
     */
    size_t batch_rows;

    /**
     * Did exactly one commit, of whomever, move the token from `before` to `after`? Both were read
     * through watch(), `before` inside the write transaction. "No" is always a right answer.
     * Optional: NULL, that cannot be told.
     */
    bool (*is_next)(void *self, const uint64_t before[2], const uint64_t after[2]);

    /**
     * For bulk loads in several transactions: give each PUT of the array the id with which apply is
     * to insert it, in `row.id`, and set `is_reserved`. The ids are new ones, above every id ever
     * given, and grow in the order of the array. Core commits this, and then passes the changes to
     * apply in the order of their keys, at most `batch_rows` in a transaction. In between others may
     * write, and what is left may never come.
     *
     * A reserved id is given to nobody else, and seen by nobody before a row is inserted under it;
     * where none is (the key was there, the change was not made, the process died), never.
     * Optional: NULL, core makes all changes of an array in one transaction.
     *
     * @return PDICT_OK; PDICT_FULL, PDICT_NO_MAP and the like: the caller aborts the transaction.
     */
    int (*reserve)(void *self, void *txn, uint32_t map, pdict_change *changes, size_t count);

    /**
     * Access times, kept apart from the rows, so that noting one rewrites no value. access_put keeps
     * the later of two times of a row and passes over ids that no row has; the access time of a row
     * goes when the row does, and stays when the row is replaced. Optional as a group: NULL, the
     * store keeps none.
     *
     * @return PDICT_OK; access_get: PDICT_NOTFOUND (expected): the row has none.
     */
    int (*access_put)(void *self, void *txn, uint32_t map, const pdict_access *items, size_t count);
    int (*access_get)(void *self, void *txn, uint32_t map, uint64_t id, int64_t *accessed_ms);

    /**
     * Does the reader's snapshot hold every commit that the token counts? Asked with a token read
     * before the snapshot began. Optional: NULL, it always does.
     */
    bool (*watch_sees)(void *self, void *reader, const uint64_t token[2]);

    /**
     * Close the store for a moment: a fork is about to copy this process, and both will open it
     * again. Like close, but work that can wait is left to a later close. After it and after close
     * nothing of the store is left in this process: no descriptor, no mapping, no lock, no thread.
     * Optional: NULL, as close.
     */
    void (*suspend)(void *self);

    /**
     * Of a snapshot that core keeps (PDICT_CAP_DEAR_SNAPSHOTS): from reader_rest on nobody reads in
     * it, and the engine may do what it does not do while somebody may. Either reader_end follows,
     * or reader_resume. Optional, both or none: NULL, there is no such thing.
     *
     * @return reader_resume: false, the snapshot cannot be read any more; reader_end follows.
     */
    void (*reader_rest)(void *self, void *reader);
    bool (*reader_resume)(void *self, void *reader);

    /**
     * Did the token move from `before` to `after` without any commit in between, of whomever? An
     * engine may move it by itself when it folds its log in. Both were read through watch(), around
     * a checkpoint. "No" is always a right answer. Optional: NULL, that cannot be told.
     */
    bool (*is_same)(void *self, const uint64_t before[2], const uint64_t after[2]);
} pdict_backend;

#ifdef __cplusplus
}
#endif

#endif
