/* SPDX-License-Identifier: MIT */
/* pdict: a dictionary that looks and acts like an in-memory map but persists. All a user needs. */
#ifndef PDICT_PDICT_H
#define PDICT_PDICT_H

#include <pdict/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Words used below. Borrowed: valid during the call (for inputs), or until the moment named.
 * Pinned: valid until its release function is called, whatever happens meanwhile, the close of the
 * map included. Owned: yours, freed by the function named.
 *
 * Threads. A `pdict` and a `pdict_store` may be used by any number of threads at once. A
 * `pdict_iter` is used by one thread at a time. Processes: any number on one machine may open one
 * store of a backend that says so (`pdict info`).
 *
 * Time is Unix time in milliseconds. Sizes are bytes. Structs that begin with `struct_size` are
 * made with their _INIT macro (or zeroed, and struct_size set); members are only ever appended.
 *
 * Any call may return PDICT_NOMEM, and PDICT_IO or PDICT_DAMAGED when the engine meets a failing
 * disk or a damaged file; this is not repeated at each.
 */

/** An open map. */
typedef struct pdict pdict;

/** An open store: the file, without any of its maps. */
typedef struct pdict_store pdict_store;

/* ---- 1. Opening --------------------------------------------------------------------------- */

/** One option in code, the same as `name=value` in the URI. */
typedef struct pdict_setting {
    const char *name;
    const char *value;
} pdict_setting;

/** Returns the time in Unix milliseconds. Called on any thread. */
typedef int64_t (*pdict_clock_fn)(void *ctx);

/** What cannot or should not be typed into a URI. Everything may stay zero. */
typedef struct pdict_options {
    size_t struct_size;

    /** Further options, count in n_settings. One that stands in the URI too must be equal there. */
    const pdict_setting *settings;
    size_t n_settings;

    /** The secret of an encrypted map: at most one of the two. Borrowed; copies are wiped. */
    pdict_slice passphrase; /**< 1 byte or more; goes through a memory-hard derivation */
    pdict_slice key;        /**< 32 bytes or more of randomness, such as the bytes of a key file */

    pdict_logger logger; /**< fn NULL: silent */

    /** Store-wide, the same for all handles of a store; zero: malloc and the system's clock. */
    pdict_allocator allocator;
    pdict_clock_fn clock;
    void *clock_ctx;
} pdict_options;

#define PDICT_OPTIONS_INIT                                                                         \
    {                                                                                              \
        .struct_size = sizeof(pdict_options)                                                       \
    }

/**
 * Open a map, making store and map when they are absent and the mode allows it.
 *
 * The URI is `BACKEND:PATH?NAME=VALUE&...`, with %XX escapes; or just a path, whose backend is
 * recognised by the file's content (a new file becomes SQLite). Layers stand before the backend:
 * `trace+sqlite:a.db`. A map that exists brings its own codecs and settings; options that
 * contradict them are refused, never silently applied.
 *
 * | option       | value                          | meaning                                       |
 * |--------------|--------------------------------|-----------------------------------------------|
 * | `map`        | 1-200 bytes, default `main`    | which map of the store                        |
 * | `mode`       | `ro`, `rw`, `rwc` (default)    | read-only; existing only; create              |
 * | `codecs`     | `raw,zstd:3,xchacha20`         | serializer, compressor, cipher, told by name;  |
 * |              |                                | each may be left out; `none` = `raw`          |
 * | `durability` | `full` (default), `ordered`,   | what a returned put survives, see              |
 * |              | `ordered:TIME`, `unsafe`       | enum pdict_commit_durability; TIME: `1s`      |
 * | `commit_delay` | microseconds, default `0`    | wait so long for other threads' writes, to    |
 * |              |                                | share one sync with them                      |
 * | `timeout`    | duration, default `10s`        | longest wait for another writer               |
 * | `max_value`  | size, default `64MiB`          | largest value, fixed at creation              |
 * | `checksum`   | `on` (default), `off`          | fixed at creation; sealed records need none   |
 * | `kdf`        | `interactive`, `moderate`      | cost of a passphrase at creation: 64 MiB x 2, |
 * |              | (default), `sensitive`, `test` | 256 MiB x 3, 1 GiB x 4; `test` protects nothing |
 * | `maintenance`| `thread` (default), `manual`   | in the background; in pdict_maintain() only   |
 * | `sweep`      | `auto` (default), `manual`     | expired entries are removed as part of        |
 * |              |                                | maintenance; by pdict_expire() only           |
 * | `cache`      | `off`, size, `sealed`,         | RAM for values that were read or put, default |
 * |              | `sealed:SIZE`                  | `64MiB`; see "The cache" below                |
 * | `coherence`  | `strict` (default),            | what a hit promises; the same for all handles |
 * |              | `bounded:MS`, `private`        | of a store in a process                       |
 *
 * Backends add options of their own; codecs take theirs after a colon. pdict_info_next() lists all.
 *
 * @param uri      Borrowed.
 * @param options  Borrowed; NULL: all defaults.
 * @param[out] out Owned; close with pdict_close(). NULL on failure.
 * @return PDICT_OK;
 *         PDICT_INVAL: the URI or a value in it is malformed; PDICT_UNKNOWN_OPTION (the text names
 *         the near match); PDICT_UNKNOWN_BACKEND; PDICT_UNKNOWN_CODEC; PDICT_CONTRADICTION: with
 *         what the map says, with another open handle, or within the options;
 *         PDICT_NO_STORE, PDICT_NO_MAP: absent, and the mode does not create; PDICT_NO_DIRECTORY;
 *         PDICT_NOT_A_STORE: a directory, another file, somebody else's database; nothing was
 *         changed; PDICT_NEWER_FORMAT; PDICT_DAMAGED;
 *         PDICT_WRONG_KEY, PDICT_NEED_KEY, PDICT_NOT_ENCRYPTED: before anything is written;
 *         PDICT_READ_ONLY, PDICT_PERMISSION, PDICT_FULL, PDICT_BUSY, PDICT_UNSUPPORTED:
 *         among others for a file with several names (hard links).
 *
 * While a store that several processes may open is open for writing, a small file PATH-pdict stands
 * beside it, through which they take turns.
 *
 * Threads: any. Two opens of one file, by whatever path, share one engine.
 * Cost: opening a store is a few file operations; a passphrase costs its derivation.
 * Since 0.1.
 */
PDICT_API int pdict_open(const char *uri, const pdict_options *options, pdict **out);

/**
 * Close a map. Views stay valid. The last handle of a store closes the engine.
 *
 * @param d  NULL is fine. No other thread is inside a call with it; its iterators are closed.
 *
 * Since 0.1.
 */
PDICT_API void pdict_close(pdict *d);

/* ---- 2. One key --------------------------------------------------------------------------- */

/*
 * The cache. All handles of a map in a process share one: its size is the largest any of them asked
 * for, and it goes with the last of them. A handle with `cache=off` reads around it, and what it
 * writes is seen by the others all the same. Decoded values are kept, absent keys are remembered,
 * and what has not been used makes room. With `sealed` records are kept as they are stored and
 * decoded at each get: no plaintext of an encrypted map stays in RAM longer than its view. Without,
 * such plaintext is overwritten when it leaves the cache. A store without a change token (the page
 * of its backend says so) has no cache.
 *
 * With `coherence=strict` every get, hit or not, is linearizable: it returns what the last put,
 * delete or clear left that had returned before the get was called, in whatever thread or process,
 * or something newer; and never something older than what any get has returned that had ended
 * before. A hit looks at the store's change token, and counts as having happened at that instant.
 * What other programs write through the engine itself is seen as soon as the engine shows it. With
 * `bounded:MS` a hit may be as old as that many milliseconds, except that what this process writes
 * is seen at once. `private` does not look at all: for stores that no other process writes to.
 * An entry that has expired is absent, cached or not.
 */

/** A value as it was at one instant. */
typedef struct pdict_view {
    const void *data; /**< never NULL on success, even when size is 0 */
    size_t size;
    uint64_t version;   /**< opaque; changes with every put; only equality means anything */
    int64_t created_ms; /**< when the key was inserted; a replacing put keeps it */
    int64_t expires_ms; /**< 0 = never */
    void *pin;          /**< private */
} pdict_view;

/**
 * Read a value.
 *
 * @param d         Map.
 * @param key       Borrowed.
 * @param[out] out  Pinned; release with pdict_view_release(). Zeroed on failure.
 * @return PDICT_OK; PDICT_NOTFOUND: absent or expired; PDICT_CHECKSUM, PDICT_FORMAT: the record is
 *         damaged; PDICT_AUTH: sealed by another key, or changed since; PDICT_DOWNGRADE: a plain
 *         record in an encrypted map; PDICT_UNKNOWN_CODEC, PDICT_NEWER_FORMAT: this build lacks
 *         what it was written with; PDICT_TOO_BIG: it claims to be larger than max_value;
 *         PDICT_BUSY.
 *
 * Ownership: the bytes stay unchanged until release, whatever is written meanwhile.
 * Threads:   any; a view may be released on another thread than the one that read it.
 *            They are aligned to 8 bytes.
 * Cost:      a hit takes no lock and copies nothing: the view pins the cached value, and with it
 *            the memory of that value alone. Otherwise one lookup, one allocation, one decode.
 * Since 0.1.
 */
PDICT_API int pdict_get(pdict *d, pdict_slice key, pdict_view *out);

/** Release a view; the struct is zeroed, so that a second release does nothing. NULL is fine. */
PDICT_API void pdict_view_release(pdict_view *view);

/**
 * Sees a value during pdict_get_with(). The view is borrowed and not released. The function must
 * not call into the library with the same store. Its result becomes that of pdict_get_with();
 * return PDICT_OK, a status by pdict_fail(), or a positive number of your own.
 */
typedef int (*pdict_reader_fn)(void *ctx, const pdict_view *view);

/**
 * Read a value without copying it, where no codec has to change the bytes.
 *
 * @param d       Map.
 * @param key     Borrowed.
 * @param reader  Called once, on this thread, if and only if the key is present.
 * @param ctx     Passed to reader.
 * @return What reader returned, or as pdict_get().
 *
 * Cost: one lookup; no allocation once warm; nothing is copied when the map has neither compressor
 * nor cipher. A long-running reader holds a snapshot open for as long.
 * Since 0.1.
 */
PDICT_API int pdict_get_with(pdict *d, pdict_slice key, pdict_reader_fn reader, void *ctx);

enum pdict_put_flags {
    PDICT_PUT_IF_ABSENT = 1 << 0,  /**< else PDICT_EXISTS */
    PDICT_PUT_IF_PRESENT = 1 << 1, /**< else PDICT_NOTFOUND */
    PDICT_PUT_IF_VERSION = 1 << 2, /**< else PDICT_CONFLICT, or PDICT_NOTFOUND when absent */
    PDICT_PUT_IN_SLICES = 1 << 3   /**< pdict_put_many only: may be committed in several parts */
};

/** How to put; zero means: no expiry, no condition, the handle's durability. */
typedef struct pdict_put_options {
    size_t struct_size;
    unsigned flags;        /**< enum pdict_put_flags, at most one PDICT_PUT_IF_ */
    unsigned durability;   /**< enum pdict_commit_durability */
    uint64_t if_version;   /**< with PDICT_PUT_IF_VERSION */
    int64_t ttl_ms;        /**< > 0: expires so long from now; at most one of ttl_ms, expires_ms */
    int64_t expires_ms;    /**< > 0: expires then; a time in the past deletes */
    uint64_t *version_out; /**< pdict_put only; NULL, or receives the new version */
    int64_t created_ms;    /**< > 0: of an entry that is inserted, when it is restored; else now */
    /** pdict_put_many only; NULL, or one of these for each pair, in place of ttl_ms, expires_ms and
     * created_ms above. Borrowed. */
    const struct pdict_pair_times *times;
} pdict_put_options;

/** The times of one pair. */
typedef struct pdict_pair_times {
    int64_t ttl_ms;     /**< as in pdict_put_options */
    int64_t expires_ms; /**< as in pdict_put_options */
    int64_t created_ms; /**< as in pdict_put_options */
} pdict_pair_times;

#define PDICT_PUT_OPTIONS_INIT                                                                     \
    {                                                                                              \
        .struct_size = sizeof(pdict_put_options)                                                   \
    }

/** What a commit survives, once the call has returned. All survive a crash of the process. */
enum pdict_commit_durability {
    PDICT_COMMIT_DEFAULT = 0, /**< as the handle was opened */
    PDICT_COMMIT_FULL = 1,    /**< power loss too */
    /** Power loss may undo the newest commits, in order, none halfway: those of the last second, or
     * of the TIME in `durability=ordered:TIME`. */
    PDICT_COMMIT_ORDERED = 2,
    PDICT_COMMIT_UNSAFE = 3 /**< power loss may damage the store */
};

/**
 * Write a value, replacing the one that is there.
 *
 * @param d      Map.
 * @param key    Borrowed; any bytes, any length up to 1 GiB, the empty key included.
 * @param value  Borrowed.
 * @param how    Borrowed; NULL: plain put.
 * @return PDICT_OK: done; PDICT_EXISTS, PDICT_NOTFOUND, PDICT_CONFLICT: the condition did not hold,
 *         nothing done; PDICT_INVAL: options malformed or the serializer refuses the bytes;
 *         PDICT_TOO_BIG: over max_value; PDICT_READ_ONLY; PDICT_FULL: nothing done; PDICT_BUSY:
 *         nothing done; PDICT_POISONED: a sync failed, here or in another process, nothing done;
 *         PDICT_UNKNOWN_OUTCOME: the commit failed midway, the value is the old or the new one;
 *         PDICT_NO_MAP: dropped meanwhile; PDICT_NO_STORE: the file was removed or replaced while
 *         the store was open, nothing done.
 *
 * Threads: any; compression and encryption run in the caller's thread, outside every lock. Writes
 *          that wait at the same time share one transaction and its sync, in the order in which
 *          they came; a thread's own writes keep their order, and one that fails fails alone.
 * Cost:    one commit, at durability full one sync of the disk, or a share of one.
 * Since 0.1.
 */
PDICT_API int pdict_put(pdict *d, pdict_slice key, pdict_slice value, const pdict_put_options *how);

/**
 * Let an entry expire so long from now, whether it had a deadline or not. Value, version, time of
 * creation and place stay. The deadline is bound to the record, so that is sealed anew.
 *
 * @param ttl_ms  1 or more; a sum beyond the end of time is the end of time.
 * @return PDICT_OK; PDICT_NOTFOUND: absent or expired; PDICT_INVAL; a status as from pdict_get()
 *         when the record cannot be read; else as pdict_put().
 *
 * Cost: a get and a put.
 * Since 0.1.
 */
PDICT_API int pdict_touch(pdict *d, pdict_slice key, int64_t ttl_ms);

/** The same with a Unix time in milliseconds, above 0; one that has passed deletes. Since 0.1. */
PDICT_API int pdict_touch_until(pdict *d, pdict_slice key, int64_t expires_ms);

/** The same, so that the entry never expires. Since 0.1. */
PDICT_API int pdict_persist(pdict *d, pdict_slice key);

/**
 * Read a value and let it expire so long from now, in one step.
 *
 * @param[out] out  As from pdict_get(), with the new deadline.
 * @return As pdict_touch().
 *
 * Since 0.1.
 */
PDICT_API int pdict_get_and_touch(pdict *d, pdict_slice key, int64_t ttl_ms, pdict_view *out);

/**
 * Delete a key.
 *
 * @return PDICT_OK; PDICT_NOTFOUND: absent or expired; else as pdict_put().
 *
 * Since 0.1.
 */
PDICT_API int pdict_del(pdict *d, pdict_slice key);

/**
 * Is there a value that has not expired? The record is not decoded.
 *
 * @param[out] out  The answer; false on failure.
 * @return PDICT_OK; PDICT_BUSY; PDICT_NO_MAP.
 *
 * Since 0.1.
 */
PDICT_API int pdict_contains(pdict *d, pdict_slice key, bool *out);

/**
 * Add to a number. It is kept as decimal text, such as "-12", which every language, the shell and
 * the store itself can read; in a map of typed values (codecs=cbor, json) it is one of its integers.
 * An absent key counts as 0 and is inserted; one that is there keeps its expiry.
 *
 * @param key           Borrowed.
 * @param delta         May be negative, or 0.
 * @param how           Borrowed; NULL: plain. Flags must be 0; an expiry is that of a new entry.
 * @param[out] result   NULL, or receives the sum; 0 on failure.
 * @return PDICT_OK; PDICT_INVAL: the value is not an integer of 64 bits, or flags are set; PDICT_TOO_BIG: the sum does not fit, nothing done; a status as from pdict_get() when
 *         the record is damaged; else as pdict_put().
 *
 * Threads: any number of threads and processes may add to one key: no addition is lost.
 * Cost:    one commit, of which adding threads share one like others; nothing is ever retried.
 * Since 0.1.
 */
PDICT_API int pdict_add(pdict *d, pdict_slice key, int64_t delta, const pdict_put_options *how,
                        int64_t *result);

/**
 * Read a value and delete its key, atomically: of several callers one gets it.
 *
 * @param key       Borrowed.
 * @param[out] out  Pinned; release with pdict_view_release(). Zeroed on failure.
 * @return PDICT_OK; PDICT_NOTFOUND: absent or expired; PDICT_UNKNOWN_OUTCOME: it may be deleted;
 *         a status as from pdict_get(), and the key stays; else as pdict_del().
 *
 * Cost: a get and a commit; again if somebody else changes the key in between.
 * Since 0.1.
 */
PDICT_API int pdict_pop(pdict *d, pdict_slice key, pdict_view *out);

/**
 * Says what is to become of an entry, during pdict_modify(). It may be called several times, the
 * last of which counts, and must not rely on earlier ones having come true.
 *
 * @param old         Borrowed; NULL: the key is absent.
 * @param[out] value  The new value; left as it is, with data NULL: no entry. Its bytes stay
 *                    unchanged until pdict_modify() returns or calls this again.
 * @return PDICT_OK, or a status by pdict_fail() or a positive number of your own, with which
 *         pdict_modify() returns at once, having changed nothing.
 */
typedef int (*pdict_modify_fn)(void *ctx, const pdict_view *old, pdict_slice *value);

/**
 * Replace a value by one that depends on it, atomically: put, changed or deleted as `fn` says. It
 * is called on this thread with no lock held, so it may take its time and call the library; when
 * the entry has changed meanwhile it is called again with the new one.
 *
 * @param key  Borrowed.
 * @param ctx  Passed to fn.
 * @param how  Borrowed; NULL: plain. Flags must be 0; an expiry is that of a new entry, one that is
 *             there keeps its own.
 * @return PDICT_OK; what fn returned; PDICT_BUSY: the entry kept changing until the timeout passed;
 *         else as pdict_get() and pdict_put().
 *
 * Cost: a get and a commit, as often as the entry changes in between.
 * Since 0.1.
 */
PDICT_API int pdict_modify(pdict *d, pdict_slice key, pdict_modify_fn fn, void *ctx,
                           const pdict_put_options *how);

/** Facts about an entry. */
typedef struct pdict_meta {
    size_t struct_size;
    uint64_t version;
    int64_t created_ms;
    int64_t expires_ms;   /**< 0 = never */
    uint64_t value_size;  /**< bytes of the value */
    uint64_t stored_size; /**< bytes of its record: header, compressed and sealed payload, tag */
} pdict_meta;

#define PDICT_META_INIT                                                                            \
    {                                                                                              \
        .struct_size = sizeof(pdict_meta)                                                          \
    }

/**
 * Read the facts about an entry without decoding it.
 *
 * @param[in,out] out  struct_size set by the caller.
 * @return PDICT_OK; PDICT_NOTFOUND; PDICT_FORMAT: the record's header is malformed.
 *
 * Since 0.1.
 */
PDICT_API int pdict_meta_get(pdict *d, pdict_slice key, pdict_meta *out);

/**
 * Count the entries that have not expired: exact, and without walking them.
 *
 * @return PDICT_OK; PDICT_BUSY; PDICT_NO_MAP.
 *
 * Cost: the entries that have expired and were not removed yet are counted one by one, once; while
 * nobody writes, repeating it costs as much as has expired meanwhile.
 * Since 0.1.
 */
PDICT_API int pdict_count(pdict *d, uint64_t *out);

/**
 * Delete every entry of the map; its settings, codecs and key slots stay.
 *
 * @param confirm  PDICT_CLEAR_EVERYTHING, else PDICT_INVAL and nothing is done: this is the one
 *                 call that destroys much, so it has to be asked for by name.
 * @return As pdict_put().
 *
 * Since 0.1.
 */
PDICT_API int pdict_clear(pdict *d, unsigned confirm);

#define PDICT_CLEAR_EVERYTHING 0xC1EA6u

/**
 * Forget what is kept in RAM for this map; the store is not touched.
 *
 * @return PDICT_OK; PDICT_FORKED.
 *
 * Since 0.1.
 */
PDICT_API int pdict_clear_cache(pdict *d);

/* ---- 3. Many keys ------------------------------------------------------------------------- */

/** One entry to put. */
typedef struct pdict_pair {
    pdict_slice key;
    pdict_slice value;
} pdict_pair;

/**
 * Read many keys, all from one snapshot.
 *
 * @param keys          Borrowed; duplicates are fine.
 * @param[out] views    `count` of them; each as from pdict_get(), zeroed where its status is not OK.
 * @param[out] statuses `count` of them, each as pdict_get() returns.
 * @return PDICT_OK: every status is OK or NOTFOUND; else the first other status, or a failure of
 *         the whole call, in which case all views are zeroed. Views that are not zero are pinned
 *         in either case.
 *
 * Since 0.1.
 */
PDICT_API int pdict_get_many(pdict *d, const pdict_slice *keys, size_t count, pdict_view *views,
                             int *statuses);

/**
 * Put many entries in one commit: all of them or, on failure, none. They come into the insertion
 * order as they stand in the array; of equal keys the last wins.
 *
 * @param pairs         Borrowed.
 * @param how           For each of them; NULL: plain. version_out must be NULL.
 * @param[out] statuses NULL, or `count` of them: PDICT_OK, or why the condition did not hold for
 *                      that entry, which does not stop the others.
 * @return PDICT_OK: committed; else as pdict_put(), nothing done unless PDICT_UNKNOWN_OUTCOME.
 *
 * With PDICT_PUT_IN_SLICES a large array may be committed in several parts, its keys in any order,
 * which bounds the memory that the engine takes and is the fast way to load. After a failure, and
 * after a crash, any part of the array may be there; others may see parts of it, and write between
 * them. Each entry is whole, and takes its place in the insertion order among the others of the
 * array; the place of the array as a whole is taken when the call begins. In a transaction the flag
 * changes nothing.
 *
 * Cost: one commit. Large arrays are much faster than single puts: keys are inserted in order.
 * Since 0.1.
 */
PDICT_API int pdict_put_many(pdict *d, const pdict_pair *pairs, size_t count,
                             const pdict_put_options *how, int *statuses);

/**
 * Delete many keys in one commit.
 *
 * @param[out] statuses NULL, or `count` of them: PDICT_OK or PDICT_NOTFOUND.
 * @return PDICT_OK: committed, also when some keys were absent; else as pdict_put_many().
 *
 * Since 0.1.
 */
PDICT_API int pdict_del_many(pdict *d, const pdict_slice *keys, size_t count, int *statuses);

/* ---- 4. Iteration ------------------------------------------------------------------------- */

enum pdict_range_flags {
    PDICT_BY_KEY = 1 << 0,   /**< byte order of keys; default is insertion order */
    PDICT_REVERSE = 1 << 1,  /**< from the other end */
    PDICT_SNAPSHOT = 1 << 2, /**< the map as it was at pdict_iter_open() */
    PDICT_KEYS_ONLY = 1 << 3 /**< values are not read: entry.value stays empty */
};

/** What to walk. A prefix or a bound implies PDICT_BY_KEY. */
typedef struct pdict_range {
    size_t struct_size;
    unsigned flags;
    pdict_slice prefix; /**< only keys that begin so */
    pdict_slice from;   /**< first key; data NULL: from the start */
    pdict_slice to;     /**< first key beyond; data NULL: to the end */
} pdict_range;

#define PDICT_RANGE_INIT                                                                           \
    {                                                                                              \
        .struct_size = sizeof(pdict_range)                                                         \
    }

/** One step of an iteration: everything is borrowed until the next step or the close. */
typedef struct pdict_entry {
    pdict_slice key;
    pdict_slice value;
    uint64_t version;
    int64_t created_ms;
    int64_t expires_ms;
    uint64_t stored_size;
} pdict_entry;

typedef struct pdict_iter pdict_iter;

/**
 * Begin to walk a map.
 *
 * Without PDICT_SNAPSHOT the walk is weakly consistent: every key that is present throughout comes
 * exactly once, in order; one that is put or deleted meanwhile may or may not come; no lock and no
 * snapshot is held between steps, so any call, deleting included, is safe during the walk, and so
 * is a walk that takes days. With it, a snapshot of the engine is held until the close.
 *
 * @param range     Borrowed; NULL: everything in insertion order.
 * @param[out] out  Owned; close with pdict_iter_close(). NULL on failure.
 * @return PDICT_OK; PDICT_INVAL; PDICT_BUSY; PDICT_NO_MAP.
 *
 * Cost: bounded memory, whatever the size of the map: up to 256 rows or about 1 MiB are read ahead.
 * Since 0.1.
 */
PDICT_API int pdict_iter_open(pdict *d, const pdict_range *range, pdict_iter **out);

/**
 * Step to the next entry that has not expired.
 *
 * @param[out] out  Borrowed until the next step or the close.
 * @return PDICT_OK; PDICT_END; a status as from pdict_get() when the record of `out->key` is
 *         damaged: out->value is empty then, and the next step goes on behind it.
 *
 * Since 0.1.
 */
PDICT_API int pdict_iter_next(pdict_iter *iter, pdict_entry *out);

/** End a walk. NULL is fine. Close iterators before their map. */
PDICT_API void pdict_iter_close(pdict_iter *iter);

/* ---- 5. Transactions ---------------------------------------------------------------------- */

/*
 * A transaction is a `pdict`: the calls of a map read and write it. It sees the store as it was
 * when it began, and its own writes, which nobody else sees before the commit. Transactions are
 * serializable: one that commits behaves as if it had happened at that moment, alone. So what it
 * has read, a key that was absent, a range that was walked and a count included, must be the same
 * at the commit; else that is refused with PDICT_CONFLICT, and the transaction is to be repeated.
 *
 * No lock is held before the commit. Writes are kept in RAM until then. A snapshot is held, so
 * long transactions keep the engine from giving back space.
 *
 * | inside a transaction                                        |                                |
 * |-------------------------------------------------------------|--------------------------------|
 * | get, get_with, get_many, contains, meta_get, count          | work                           |
 * | put, put_many, del, del_many, add, pop, modify              | work; durability is that of    |
 * |                                                             | the map, of several the        |
 * |                                                             | strongest                      |
 * | iter_open                                                   | works; what is written during  |
 * |                                                             | a walk may or may not come     |
 * | join, commit, abort, close (which is abort)                 | work                           |
 * | begin, run, clear, clear_cache, stats_get, sync             | PDICT_MISUSE                   |
 *
 * A transaction and what was joined to it belong to one thread at a time. Its maps stay open until
 * it ends.
 */

enum pdict_txn_flags {
    /** Nobody else writes to the store from the beginning on, other processes that use the library
     * included, so that there is no conflict; for work that would be dear to repeat. The thread
     * that began it ends it, and writes nothing to the store beside it. */
    PDICT_TXN_EXCLUSIVE = 1 << 0
};

/**
 * Begin a transaction.
 *
 * @param d         Map.
 * @param flags     enum pdict_txn_flags.
 * @param[out] out  The transaction; ended by pdict_commit() or pdict_abort(). NULL on failure.
 * @return PDICT_OK; PDICT_BUSY: exclusive, and others kept writing until the timeout passed;
 *         PDICT_MISUSE: `d` is a transaction; PDICT_INVAL; PDICT_READ_ONLY, PDICT_POISONED: when it
 *         is exclusive.
 *
 * Cost: a snapshot; no lock, unless exclusive.
 * Since 0.1.
 */
PDICT_API int pdict_begin(pdict *d, unsigned flags, pdict **out);

/**
 * Take another map of the same store into a transaction.
 *
 * @param d         Map.
 * @param[out] out  The same transaction, for this map; it ends with it, and is not closed.
 * @return PDICT_OK; PDICT_INVAL: it lies in another store; PDICT_MISUSE.
 *
 * Since 0.1.
 */
PDICT_API int pdict_join(pdict *txn, pdict *d, pdict **out);

/**
 * Make everything that was written in the transaction happen at once, or nothing. The transaction
 * is over in every case but PDICT_MISUSE, and its handles are gone.
 *
 * @return PDICT_OK; PDICT_CONFLICT: something that it has read has changed, nothing done; if it only
 *         read, something has expired between two reads of it;
 *         PDICT_MISUSE: iterators of it are open, or another thread began it exclusively; else as
 *         pdict_put().
 *
 * Cost: nothing for a transaction that only read. Else one commit, shared with others, in which
 * each key that was read is looked up again, and each range that was walked is walked again as far
 * as it was, without its values, while others wait to write.
 * Since 0.1.
 */
PDICT_API int pdict_commit(pdict *txn);

/** End a transaction without a trace; its iterators are closed. NULL is fine. Since 0.1. */
PDICT_API void pdict_abort(pdict *txn);

/** Works on a transaction during pdict_run(), and neither commits nor aborts it. */
typedef int (*pdict_txn_fn)(void *ctx, pdict *txn);

/**
 * Run a function in a transaction: commit when it returns PDICT_OK, else abort; after a conflict do
 * it again, with a new snapshot.
 *
 * @param ctx      Passed to fn.
 * @param retries  How often to repeat at most.
 * @return PDICT_OK; what fn returned; PDICT_CONFLICT: at the last try, too; else as pdict_begin()
 *         and pdict_commit().
 *
 * Since 0.1.
 */
PDICT_API int pdict_run(pdict *d, pdict_txn_fn fn, void *ctx, unsigned retries);

/* ---- 6. Maps of a store ------------------------------------------------------------------- */

/**
 * Open a store without opening a map: for listing, dropping and renaming. Needs no key.
 *
 * @param uri  As for pdict_open(), without options that concern a map.
 * @return As pdict_open().
 *
 * Since 0.1.
 */
PDICT_API int pdict_store_open(const char *uri, const pdict_options *options, pdict_store **out);
PDICT_API void pdict_store_close(pdict_store *store);

/** One map of a store. Borrowed during the callback. */
typedef struct pdict_map_info {
    const char *name;
    const char *codecs; /**< as in a URI: "raw,zstd:3,xchacha20" */
    uint64_t count;     /**< entries that have not expired */
    bool is_encrypted;
} pdict_map_info;

/** Return 0 to go on; anything else stops the listing and is returned by it. */
typedef int (*pdict_map_fn)(void *ctx, const pdict_map_info *map);

/** Call `fn` for each map, in the order of their creation, from one snapshot. Since 0.1. */
PDICT_API int pdict_store_maps(pdict_store *store, pdict_map_fn fn, void *ctx);

/**
 * Delete a map with everything in it. Handles of it, in any process, get PDICT_NO_MAP from then on.
 *
 * @return PDICT_OK; PDICT_NO_MAP; PDICT_BUSY: this process has the map open; else as pdict_put().
 *
 * Since 0.1.
 */
PDICT_API int pdict_store_drop(pdict_store *store, const char *name);

/**
 * Give a map another name. Open handles go on working.
 *
 * @return PDICT_OK; PDICT_NO_MAP; PDICT_EXISTS: the new name is taken; PDICT_INVAL: it is not a
 *         name; else as pdict_put().
 *
 * Since 0.1.
 */
PDICT_API int pdict_store_rename(pdict_store *store, const char *name, const char *new_name);

/* ---- 7. Facts ----------------------------------------------------------------------------- */

/** What one stage of the pipeline has done. */
typedef struct pdict_stage_stats {
    uint64_t records;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t timed;       /**< of these records; a sample, one of 32 */
    uint64_t nanoseconds; /**< that the timed ones took */
} pdict_stage_stats;

/** Facts about a map and its store. Strings belong to the handle and live as long as it. */
typedef struct pdict_stats {
    size_t struct_size;
    const char *backend;
    const char *path;
    const char *map; /**< its name when this handle was opened */
    const char *codecs;
    uint64_t count;
    uint64_t file_bytes;     /**< the whole store, all its files */
    uint64_t log_bytes;      /**< of these, the engine's log */
    uint32_t format_version; /**< of the backend's files */
    uint64_t max_value;
    bool is_encrypted;
    bool is_read_only;
    /** Only with PDICT_STATS_SIZES, else 0: */
    uint64_t logical_bytes; /**< keys and values as the user gave them */
    uint64_t stored_bytes;  /**< keys and records as they are kept */
    uint64_t damaged;       /**< records whose header is malformed, left out of logical_bytes */
    /** All handles of the map in this process, since the first of them was opened: */
    pdict_stage_stats encoded;    /**< values to records, all stages together; of these, */
    pdict_stage_stats checked;    /**< the serializer: is the value legal? */
    pdict_stage_stats compressed; /**< as large as before when it did not shrink */
    pdict_stage_stats sealed;     /**< cipher or checksum; out is the whole record */
    pdict_stage_stats decoded;    /**< records to values, all stages together; of these, */
    pdict_stage_stats opened;     /**< cipher or checksum */
    pdict_stage_stats decompressed;
    /** The map's cache in this process; all 0 when no handle uses one. Counted without locks: with
     * more than 64 threads at once a few may be missing. */
    uint64_t cache_hits;          /**< values that were there */
    uint64_t cache_absent_hits;   /**< keys known to be absent */
    uint64_t cache_misses;        /**< looks that had to ask the engine, revalidations included */
    uint64_t cache_revalidations; /**< of these: what the cache had was still right */
    uint64_t cache_evictions;
    uint64_t cache_entries;
    uint64_t cache_bytes; /**< all memory of entries and of what finds them */
} pdict_stats;

#define PDICT_STATS_INIT                                                                           \
    {                                                                                              \
        .struct_size = sizeof(pdict_stats)                                                         \
    }

#define PDICT_STATS_SIZES 1u /**< walk the map to add up sizes */

/**
 * Read facts about a map.
 *
 * @param flags        0 or PDICT_STATS_SIZES.
 * @param[in,out] out  struct_size set by the caller.
 * @return PDICT_OK; PDICT_INVAL; as pdict_count().
 *
 * Cost: as a count; with PDICT_STATS_SIZES one walk over the map.
 * Since 0.1.
 */
PDICT_API int pdict_stats_get(pdict *d, unsigned flags, pdict_stats *out);

/**
 * Make every put that has returned survive power loss, whatever durability it had.
 *
 * @return PDICT_OK; PDICT_IO, PDICT_POISONED.
 *
 * Since 0.1.
 */
PDICT_API int pdict_sync(pdict *d);

enum pdict_info_kind {
    PDICT_INFO_CORE = 0, /**< one entry: the options of pdict_open() itself */
    PDICT_INFO_BACKEND = 1,
    PDICT_INFO_SERIALIZER = 2,
    PDICT_INFO_COMPRESSOR = 3,
    PDICT_INFO_CIPHER = 4
};

/** One backend or codec of this build. Everything is static. */
typedef struct pdict_info {
    size_t struct_size;
    int kind;    /**< enum pdict_info_kind */
    unsigned id; /**< codecs: as written into records */
    const char *name;
    const char *summary;
    const char *library;              /**< "SQLite 3.40.1"; "" when it needs none */
    const pdict_option_spec *options; /**< ends with a NULL name; never NULL */
} pdict_info;

#define PDICT_INFO_INIT                                                                            \
    {                                                                                              \
        .struct_size = sizeof(pdict_info)                                                          \
    }

/**
 * Walk what this build can do.
 *
 * @param[in,out] cursor  Begin with 0.
 * @param[in,out] out     struct_size set by the caller.
 * @return PDICT_OK; PDICT_END.
 *
 * Since 0.1.
 */
PDICT_API int pdict_info_next(size_t *cursor, pdict_info *out);

/** The library's version, "0.1.0"; PDICT_VERSION_STRING is the header's. Static. Since 0.1. */
PDICT_API const char *pdict_version(void);

/* ---- 8. Keys of an encrypted map ---------------------------------------------------------- */

/*
 * An encrypted map has up to 16 slots, each of which opens with one passphrase or key. Changing
 * them writes a few hundred bytes, whatever the size of the map. It takes nothing away from those
 * who copied the store before or know its keys already.
 *
 * All of these return PDICT_NOT_ENCRYPTED, with a text, for a plain map.
 */

/** A passphrase or key, and what a passphrase is to cost. */
typedef struct pdict_secret {
    size_t struct_size;
    pdict_slice passphrase; /**< exactly one of the two; borrowed, copies are wiped */
    pdict_slice key;        /**< 32 bytes or more of randomness */
    const char *kdf;        /**< as the option `kdf`; NULL: "moderate"; of a passphrase only */
} pdict_secret;

#define PDICT_SECRET_INIT                                                                          \
    {                                                                                              \
        .struct_size = sizeof(pdict_secret)                                                        \
    }

/** One slot. */
typedef struct pdict_slot {
    unsigned number; /**< from 1; stays when others come and go */
    bool is_passphrase;
    bool is_own;           /**< the one this handle was opened through */
    uint64_t operations;   /**< of Argon2id; 0 for a key */
    uint64_t memory_bytes; /**< of Argon2id; 0 for a key */
} pdict_slot;

/** Borrowed during the callback. Return 0 to go on; anything else ends the walk, as its result. */
typedef int (*pdict_slot_fn)(void *ctx, const pdict_slot *slot);

/**
 * Call `fn` for each slot, in the order of their numbers.
 *
 * @return PDICT_OK; what `fn` returned; PDICT_DAMAGED: the keyring was changed without the key.
 *
 * Since 0.1.
 */
PDICT_API int pdict_slots(pdict *d, pdict_slot_fn fn, void *ctx);

/**
 * Let one more passphrase or key open the map.
 *
 * @param secret       Borrowed.
 * @param[out] number  NULL, or the slot it got.
 * @return PDICT_OK; PDICT_INVAL: none or both given, an empty passphrase, a short key, an unknown
 *         kdf; PDICT_TOO_BIG: all 16 slots are taken; else as pdict_put(), at durability full.
 *
 * Cost: one derivation, as at opening, outside every lock; one small commit.
 * Since 0.1.
 */
PDICT_API int pdict_slot_add(pdict *d, const pdict_secret *secret, unsigned *number);

/**
 * Let a slot open with another passphrase or key: the change of a passphrase.
 *
 * @param number  0: the slot this handle was opened through.
 * @return As pdict_slot_add(); PDICT_NOTFOUND, with a text: there is no such slot.
 *
 * Since 0.1.
 */
PDICT_API int pdict_slot_set(pdict *d, unsigned number, const pdict_secret *secret);

/**
 * Let a slot open no more. Handles that are open stay so.
 *
 * @return PDICT_OK; PDICT_NOTFOUND, with a text; PDICT_MISUSE: it is the last one; else as
 *         pdict_put(), at durability full.
 *
 * Since 0.1.
 */
PDICT_API int pdict_slot_remove(pdict *d, unsigned number);

/* ---- 9. Upkeep ---------------------------------------------------------------------------- */

/*
 * Care for whole stores. All of it works on a pdict_store, which needs no key to open, and while
 * the store is in use, unless said otherwise; where encrypted maps are to be looked into, their
 * passphrase or key is given with the options. Options may be NULL: all defaults.
 */

/**
 * Hears how far a long call is. `phase` is a static word, such as "copy"; a call goes through one
 * or more of them. `done` of `total` counts records, and in "backup" and "compact" bytes; total 0:
 * not known. Called on the thread of the call, with no more than a few milliseconds between, and it
 * must not call into the library with the same store.
 *
 * @return 0 to go on; anything else ends the call with PDICT_CANCELLED.
 */
typedef int (*pdict_progress_fn)(void *ctx, const char *phase, uint64_t done, uint64_t total);

enum pdict_finding_kind {
    PDICT_FINDING_ENGINE = 1, /**< the file, as its engine sees it */
    PDICT_FINDING_MAP = 2,    /**< what a map says about itself: settings, codecs, keyring */
    PDICT_FINDING_RECORD = 3, /**< a record cannot be read, or is not what was put */
    PDICT_FINDING_INDEX = 4,  /**< a key and its record do not belong together */
    PDICT_FINDING_COUNT = 5   /**< there are not as many records as the store counts */
};

/** One thing that is wrong. Borrowed during the callback. */
typedef struct pdict_finding {
    int kind;         /**< enum pdict_finding_kind */
    int status;       /**< what a get would say, such as PDICT_CHECKSUM; else PDICT_DAMAGED */
    const char *map;  /**< NULL: the store as a whole */
    pdict_slice key;  /**< data NULL: it is not about one key */
    const char *text; /**< a sentence; it holds neither key nor value */
} pdict_finding;

/** Return 0 to go on; anything else ends the call with PDICT_CANCELLED. */
typedef int (*pdict_finding_fn)(void *ctx, const pdict_finding *finding);

/** What to verify. */
typedef struct pdict_verify_options {
    size_t struct_size;
    const char *map;        /**< NULL: all maps */
    pdict_slice passphrase; /**< at most one of the two; for the encrypted maps that it opens */
    pdict_slice key;
    unsigned subset;  /**< look at the records of one part of several, by the hash of the key: */
    unsigned subsets; /**< part `subset`, from 1, of `subsets`; 0 of 0: all */
    pdict_finding_fn finding;
    void *finding_ctx;
    pdict_progress_fn progress; /**< phases "engine" and "records", each record counted twice */
    void *progress_ctx;
} pdict_verify_options;

#define PDICT_VERIFY_OPTIONS_INIT                                                                  \
    {                                                                                              \
        .struct_size = sizeof(pdict_verify_options)                                                \
    }

/** What was verified. */
typedef struct pdict_verify_result {
    size_t struct_size;
    uint64_t maps;
    uint64_t records;  /**< looked at, expired ones included */
    uint64_t bytes;    /**< of their keys and records */
    uint64_t findings; /**< 0: nothing is wrong */
    uint64_t unproven; /**< sealed records whose map was not opened: seen from outside */
} pdict_verify_result;

#define PDICT_VERIFY_RESULT_INIT                                                                   \
    {                                                                                              \
        .struct_size = sizeof(pdict_verify_result)                                                 \
    }

/**
 * Look at everything that is stored: the file as its engine sees it, what each map says about
 * itself, every record through checksum or tag and decompression, that every record is found by its
 * key and every key leads to its record, and the counts. Nothing is changed, from one snapshot.
 *
 * @param[in,out] out  NULL, or struct_size set by the caller; filled on success.
 * @return PDICT_OK: done, whatever was found; PDICT_INVAL: no such subset; PDICT_NO_MAP;
 *         PDICT_WRONG_KEY: for the map that was named; PDICT_CANCELLED; PDICT_BUSY.
 *
 * Cost: reads everything, with each record looked up by its key; bounded memory.
 * Since 0.1.
 */
PDICT_API int pdict_verify(pdict_store *store, const pdict_verify_options *options,
                           pdict_verify_result *out);

/** How to repair. */
typedef struct pdict_repair_options {
    size_t struct_size;
    pdict_slice passphrase; /**< at most one of the two; without, as in pdict_verify() */
    pdict_slice key;
    pdict_progress_fn progress; /**< phase "copy" */
    void *progress_ctx;
} pdict_repair_options;

#define PDICT_REPAIR_OPTIONS_INIT                                                                  \
    {                                                                                              \
        .struct_size = sizeof(pdict_repair_options)                                                \
    }

/** What became of the records. */
typedef struct pdict_repair_result {
    size_t struct_size;
    uint64_t maps;
    uint64_t lost_maps;   /**< of these, maps whose settings are gone: all records set aside */
    uint64_t records;     /**< sound, and in the new store */
    uint64_t unproven;    /**< of these, sealed ones seen only from outside */
    uint64_t quarantined; /**< damaged, and set aside */
    uint64_t gaps;        /**< stretches of rows that the engine could not read at all */
} pdict_repair_result;

#define PDICT_REPAIR_RESULT_INIT                                                                   \
    {                                                                                              \
        .struct_size = sizeof(pdict_repair_result)                                                 \
    }

/**
 * Copy what is sound of a damaged store into a new one. A damaged record is set aside there, as it
 * is, as the value of its key in the map `NAME.damaged`, which is plain and has a checksum. Expired
 * records are copied too. The source is only read.
 *
 * @param to           URI of the new store, without mode, map and codecs; see pdict_migrate().
 * @param[in,out] out  NULL, or struct_size set by the caller; filled on success.
 * @return PDICT_OK: the store is there, whatever it lacks; PDICT_EXISTS, with a text: something
 *         has this name; PDICT_CANCELLED, and nothing is left; else as pdict_migrate().
 *
 * Since 0.1.
 */
PDICT_API int pdict_repair(pdict_store *store, const char *to, const pdict_repair_options *options,
                           pdict_repair_result *out);

/** How to back up. */
typedef struct pdict_backup_options {
    size_t struct_size;
    pdict_progress_fn progress; /**< phase "backup", in bytes */
    void *progress_ctx;
} pdict_backup_options;

#define PDICT_BACKUP_OPTIONS_INIT                                                                  \
    {                                                                                              \
        .struct_size = sizeof(pdict_backup_options)                                                \
    }

/**
 * Copy the store, as it is at one instant during the call, into a file of the same kind, while
 * others read and write. The file has its name only once it is whole and synced; until then it is
 * called PATH.partial.
 *
 * @param path  A path and no URI. Borrowed.
 * @return PDICT_OK; PDICT_EXISTS, with a text: something has this name; PDICT_NO_DIRECTORY;
 *         PDICT_UNSUPPORTED: the store has no file; PDICT_BUSY: another backup to this path is on
 *         its way; PDICT_PERMISSION; PDICT_FULL; PDICT_CANCELLED, and nothing is left.
 *
 * Cost: one sequential read of the file and one write; the log grows meanwhile by what is written.
 * Since 0.1.
 */
PDICT_API int pdict_backup(pdict_store *store, const char *path,
                           const pdict_backup_options *options);

/** How to compact. */
typedef struct pdict_compact_options {
    size_t struct_size;
    pdict_progress_fn progress; /**< phase "compact", in bytes */
    void *progress_ctx;
} pdict_compact_options;

#define PDICT_COMPACT_OPTIONS_INIT                                                                 \
    {                                                                                              \
        .struct_size = sizeof(pdict_compact_options)                                               \
    }

/** What it brought. */
typedef struct pdict_compact_result {
    size_t struct_size;
    uint64_t before_bytes; /**< all files of the store */
    uint64_t after_bytes;
} pdict_compact_result;

#define PDICT_COMPACT_RESULT_INIT                                                                  \
    {                                                                                              \
        .struct_size = sizeof(pdict_compact_result)                                                \
    }

/**
 * Give back the space that deleted entries have left in the file. Where the engine can, this is
 * done in short steps, between which others write; else it has to be alone with the store, and the
 * page of the backend says so. Cancelling keeps what was gained so far.
 *
 * @param[in,out] out  NULL, or struct_size set by the caller; filled on success.
 * @return PDICT_OK; PDICT_BUSY: somebody else has the store open, or is using it now;
 *         PDICT_READ_ONLY; PDICT_FULL; PDICT_CANCELLED.
 *
 * Since 0.1.
 */
PDICT_API int pdict_compact(pdict_store *store, const pdict_compact_options *options,
                            pdict_compact_result *out);

/**
 * Remove expired entries of all maps and, where the engine can do so in short steps, give the space
 * back. Nobody sees a difference in what is there: an expired entry is absent, removed or not. Each
 * step is a transaction of some ten milliseconds at most; between them others write.
 *
 * Without this call a store is swept in the background by a process that has put entries that
 * expire, within some ten seconds of their expiry; not while the clock of the machine is suspicious,
 * having run ahead of the time that passed by more than a minute. This call takes the clock as it
 * is.
 *
 * @param budget_ms     Stop after about so long; below 0: when all are gone.
 * @param[out] removed  NULL, or how many were removed, also on failure.
 * @return PDICT_OK: done, or the time is up; PDICT_READ_ONLY; PDICT_BUSY; PDICT_FULL.
 *
 * Since 0.1.
 */
PDICT_API int pdict_expire(pdict_store *store, int64_t budget_ms, uint64_t *removed);

/**
 * Do on this thread what is done in the background otherwise, for the store of this map: each kind
 * of work once and, while there is time, again as long as there is more of it.
 *
 * @param budget_ms  0 or more.
 * @return PDICT_OK; PDICT_FORKED.
 *
 * Cost: some ten milliseconds at most for each kind of work, and the budget.
 * Since 0.1.
 */
PDICT_API int pdict_maintain(pdict *d, int64_t budget_ms);

/** How to migrate. */
typedef struct pdict_migrate_options {
    size_t struct_size;
    const char *map;        /**< NULL: all maps */
    const char *codecs;     /**< NULL: as they are; else what all copied maps are to have */
    pdict_slice passphrase; /**< at most one of the two; only `codecs` can make it necessary: */
    pdict_slice key;        /**< for encrypted maps, and for those that become so */
    bool verify;            /**< read everything back and compare before the store has its name */
    pdict_progress_fn progress; /**< phases "copy" and, with verify, "compare" */
    void *progress_ctx;
} pdict_migrate_options;

#define PDICT_MIGRATE_OPTIONS_INIT                                                                 \
    {                                                                                              \
        .struct_size = sizeof(pdict_migrate_options)                                               \
    }

/** What was migrated. */
typedef struct pdict_migrate_result {
    size_t struct_size;
    uint64_t maps;
    uint64_t records; /**< in the new store */
    uint64_t copied;  /**< of these, by this call; */
    uint64_t kept;    /**< and by an earlier one that did not come to its end */
    uint64_t removed; /**< copied earlier, and gone from the source since */
    uint64_t expired; /**< left out */
} pdict_migrate_result;

#define PDICT_MIGRATE_RESULT_INIT                                                                  \
    {                                                                                              \
        .struct_size = sizeof(pdict_migrate_result)                                                \
    }

/**
 * Copy maps into a new store, of whatever backend, as they are at one instant; the source stays in
 * use, and what is written to it from then on is not carried over. Versions, times of creation and
 * expiry, insertion order, settings and the identity of the maps are kept; entries that have
 * expired when the call begins are left out. Records are copied as they are, which needs no key;
 * where `codecs` asks for other codecs than a map has, its records are made anew, on several
 * threads, and damaged ones end the call.
 *
 * Until everything is there the store is called PATH.migrating. A call that did not come to its end
 * leaves that behind, and the next one to the same place goes on with it: it copies what differs
 * and removes what is gone. A store without files has to be open in this process and may hold other
 * maps; there the maps are called NAME.migrating and do not outlast a failure.
 *
 * @param to           URI of the new store, without mode, map and codecs; it uses the allocator,
 *                     clock and log of the source. Borrowed.
 * @param[in,out] out  NULL, or struct_size set by the caller; filled on success.
 * @return PDICT_OK; PDICT_EXISTS, with a text: something has this name; PDICT_NO_MAP;
 *         PDICT_BUSY: another migration to this place is on its way; PDICT_NEED_KEY,
 *         PDICT_WRONG_KEY; PDICT_DAMAGED: what was written does not read back the same, and is
 *         removed; a status as from pdict_get() for a record that cannot be made anew;
 *         PDICT_CANCELLED; else as pdict_store_open() and pdict_put_many().
 *
 * Cost: a bulk load; a snapshot of the source is held throughout; tens of MiB of memory.
 * Since 0.1.
 */
PDICT_API int pdict_migrate(pdict_store *store, const char *to,
                            const pdict_migrate_options *options, pdict_migrate_result *out);

/** How to train. Zero: the default. */
typedef struct pdict_train_options {
    size_t struct_size;
    uint64_t sample_bytes;      /**< the most values to learn from; 8 MiB */
    uint64_t most_bytes;        /**< the largest dictionary; 4 KiB to 256 KiB, 128 KiB */
    pdict_progress_fn progress; /**< phase "sample" */
    void *progress_ctx;
} pdict_train_options;

#define PDICT_TRAIN_OPTIONS_INIT                                                                   \
    {                                                                                              \
        .struct_size = sizeof(pdict_train_options)                                                 \
    }

/** What was learnt. */
typedef struct pdict_train_result {
    size_t struct_size;
    unsigned number;           /**< of the new dictionary; 0: none was added, since it would not
                                    make values a twentieth smaller, or is there already */
    uint64_t dictionary_bytes; /**< its size */
    uint64_t samples;          /**< values that it was made of */
    uint64_t sample_bytes;
    uint64_t held_out_bytes; /**< of these, values on which its size was searched, */
    uint64_t without_bytes;  /**< what they take compressed without a dictionary, */
    uint64_t with_bytes;     /**< and with one that has not seen them */
} pdict_train_result;

#define PDICT_TRAIN_RESULT_INIT                                                                    \
    {                                                                                              \
        .struct_size = sizeof(pdict_train_result)                                                  \
    }

/**
 * Train a dictionary for the compressor of a map, from a sample of its values, and use it for all
 * new records; those that are there stay as they are, and their dictionaries are kept. What is in
 * a dictionary comes from values: in an encrypted map it is sealed like them.
 *
 * With "+dict" behind the compressor (`codecs=raw,zstd:3+dict`) a map does this by itself, in the
 * put that has brought enough to learn from, which takes a few tenths of a second longer.
 *
 * @param options      Borrowed; NULL: all defaults.
 * @param[in,out] out  NULL, or struct_size set by the caller; filled on success.
 * @return PDICT_OK; PDICT_UNSUPPORTED: the map has no compressor that has dictionaries;
 *         PDICT_TOO_BIG: it has 16 already; PDICT_INVAL; PDICT_CANCELLED; PDICT_MISUSE: inside a
 *         transaction; else as pdict_iter_open() and pdict_put().
 *
 * Cost: one walk over the map, a sample in memory three times, a second or two of work.
 * Since 0.1.
 */
PDICT_API int pdict_train(pdict *d, const pdict_train_options *options, pdict_train_result *out);

/* ---- 10. Conveniences ---------------------------------------------------------------------- */

/** A slice over a C string, without its terminator. Borrowed from it. */
static inline pdict_slice pdict_str(const char *text)
{
    pdict_slice slice = { text, 0 };

    if (text) {
        while (text[slice.size])
            slice.size++;
    }
    return slice;
}

/** A slice over `size` bytes. Borrowed from them. */
static inline pdict_slice pdict_bytes(const void *data, size_t size)
{
    pdict_slice slice = { data, size };

    return slice;
}

#ifdef __cplusplus
}
#endif

#endif
