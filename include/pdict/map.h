/* SPDX-License-Identifier: MIT */
/* Open a map, and read and write one key of it. */
#ifndef PDICT_MAP_H
#define PDICT_MAP_H

#include <pdict/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An open map. */
typedef struct pdict pdict;

/* ---- Opening -------------------------------------------------------------------------------- */

/** One option in code, the same as `name=value` in the URI. */
typedef struct pdict_setting {
    const char *name;
    const char *value;
} pdict_setting;

/** Returns the time in Unix milliseconds. Called on any thread. */
typedef int64_t (*pdict_clock_fn)(void *ctx);

/** Why an entry is gone. */
enum pdict_removed_why {
    PDICT_REMOVED_EXPIRED = 1,  /**< its time was over: it was swept, or something took its place */
    PDICT_REMOVED_EVICTED = 2,  /**< the map was full */
    PDICT_REMOVED_REPLACED = 3, /**< by another value */
    PDICT_REMOVED_DELETED = 4,
    PDICT_REMOVED_CLEARED = 5 /**< all entries at once; the key is empty */
};

/**
 * Hears of an entry that this process has removed or replaced; other processes hear of theirs. It
 * is called once the removal is committed, outside all locks, on whichever thread made the commit,
 * maintenance's included; on several threads at once for several commits. It may use the library,
 * but not close the map it hears of. What has no memory to be told of is not told of.
 *
 * @param key  Borrowed.
 * @param why  enum pdict_removed_why.
 */
typedef void (*pdict_removed_fn)(void *ctx, pdict_slice key, int why);

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

    /** NULL, or called for each entry of the map that goes, while this handle is open. Each change
     * then looks up what it replaces. pdict_close() waits for calls that are under way. A map that
     * hides its keys has none: PDICT_UNSUPPORTED. */
    pdict_removed_fn on_removed;
    void *on_removed_ctx;
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
 * | `max_entries`, | a number, a size; default `0` | limits, given at creation; 0: none; see       |
 * | `max_bytes`  |                                | pdict/limits.h, also for changing them        |
 * | `evict`      | `lru` (default), `fifo`, `ttl` | who goes from a full map                      |
 * | `on_full`    | `evict` (default), `error`     | with `error`: puts fail with PDICT_LIMIT      |
 * | `names`      | `plain` (default), `hidden`    | fixed at creation; see "Hidden names" below   |
 * | `kdf`        | `interactive`, `moderate`      | cost of a passphrase at creation: 64 MiB x 2, |
 * |              | (default), `sensitive`, `test` | 256 MiB x 3, 1 GiB x 4; `test` protects nothing |
 * | `key_cache`  | `on` (default), `off`          | reopening with a passphrase costs no          |
 * |              |                                | derivation, see pdict_forget_keys()           |
 * | `maintenance`| `thread` (default), `manual`   | in the background; in pdict_maintain() only   |
 * | `sweep`      | `auto` (default), `manual`     | expired entries are removed as part of        |
 * |              |                                | maintenance; by pdict_expire() only           |
 * | `stale_ok`   | duration, default `0`          | pdict_get_or_compute() may return a value for |
 * |              |                                | so long after its expiry; nobody sweeps it    |
 * |              |                                | before, while the store is open with this     |
 * | `cache`      | `off`, size, `sealed`,         | RAM for values that were read or put, default |
 * |              | `sealed:SIZE`                  | `64MiB`; see "The cache" below                |
 * | `coherence`  | `strict` (default),            | what a hit promises; the same for all handles |
 * |              | `bounded:MS`, `private`        | of a store in a process                       |
 * | `access`     | `off`, duration, default `60s` | how far stored access times may lag behind    |
 * | `ttl`        | duration, default none         | of entries put without a deadline; fixed at   |
 * |              |                                | creation                                      |
 * | `idle`       | duration, default none         | entries expire when they have not been used   |
 * |              |                                | for so long; fixed at creation                |
 *
 * Hidden names: an encrypted map seals values, and its keys can be read by whoever has the file. With
 * `names=hidden` a row has a keyed hash as its key, and the key itself is sealed beside the value: the
 * file tells how many entries there are, how large key and value are together, and when they
 * expire. All calls do what they do elsewhere, except that there is no order of keys: a walk by key, a
 * range or a prefix is PDICT_UNSUPPORTED. Reading keys alone decodes the values too, and each call costs a
 * hash of its key more, also where the cache answers. Keys may have any length on every backend.
 *
 * Backends add options of their own; codecs take theirs after a colon. pdict_info_next() lists all.
 * Every compressor takes two more: `smallest=SIZE`, default 32, below which values are stored as
 * they are, and `gain=N`, default 0, the percent that a value has to shrink by:
 * `zstd:3:smallest=1KiB:gain=10`.
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
 * A fork hands everything that is open over to the child, and parent and child go on: a fork waits
 * until the calls of other threads have returned, but for those that wait for their turn to write,
 * and closes the engines' files; the next call in either process opens them again. Views stay, the
 * cache is compared with the store, and so do iterators, but for those with PDICT_SNAPSHOT, which
 * give PDICT_CONFLICT, as open transactions do. A store of `memory` is copied. In the child
 * everything gives PDICT_FORKED, and keys are wiped, when the fork came from a function that the
 * library had called, when calls were still running after two seconds, or when it went around the
 * handlers of pthread_atfork() (_Fork(), clone()). A child of vfork() may only call exec.
 *
 * Threads: any. Two opens of one file, by whatever path, share one engine.
 * Cost: opening a store is a few file operations; a passphrase costs its derivation
 *          the first time in a process.
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

/* ---- One key -------------------------------------------------------------------------------- */

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
 * Ownership: the bytes stay unchanged until release, whatever is written meanwhile. They are
 *            aligned to 8 bytes.
 * Threads:   any; a view may be released on another thread than the one that read it.
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
 * Cost: one lookup; no allocation once warm. What is cached is shown out of the cache. Else nothing is
 * copied, nor cached, when the map has neither compressor nor cipher; when it has one, the decoded
 * value is cached as by pdict_get(). A long-running reader holds a snapshot open for as long, or the
 * cached entry.
 * Since 0.1.
 */
PDICT_API int pdict_get_with(pdict *d, pdict_slice key, pdict_reader_fn reader, void *ctx);

enum pdict_put_flags {
    PDICT_PUT_IF_ABSENT = 1 << 0,  /**< else PDICT_EXISTS */
    PDICT_PUT_IF_PRESENT = 1 << 1, /**< else PDICT_NOTFOUND */
    PDICT_PUT_IF_VERSION = 1 << 2, /**< else PDICT_CONFLICT, or PDICT_NOTFOUND when absent */
    PDICT_PUT_IN_SLICES = 1 << 3   /**< pdict_put_many only: may be committed in several parts */
};

/** A deadline that never comes. */
#define PDICT_NEVER INT64_MIN

/** How to put; zero means: no expiry, no condition, the handle's durability. */
typedef struct pdict_put_options {
    size_t struct_size;
    unsigned flags;      /**< enum pdict_put_flags, at most one PDICT_PUT_IF_ */
    unsigned durability; /**< enum pdict_commit_durability */
    uint64_t if_version; /**< with PDICT_PUT_IF_VERSION */
    /** > 0: expires so long from now; at most one of ttl_ms, expires_ms. With neither: after the
     * map's ttl=, if it has one. */
    int64_t ttl_ms;
    int64_t expires_ms;    /**< > 0: expires then, or PDICT_NEVER; a time in the past deletes */
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
    /** > 0: last used then, when it is restored, unless it is known to have been used later; else now.
     * Not where no access times are kept. */
    int64_t accessed_ms;
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
 * @return PDICT_OK; PDICT_INVAL: the value is not an integer of 64 bits, or flags are set;
 *         PDICT_TOO_BIG: the sum does not fit, nothing done; a status as from pdict_get() when the
 *         record is damaged; else as pdict_put().
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
    int64_t accessed_ms;  /**< when it was last read or put, as docs/time.md says */
} pdict_meta;

#define PDICT_META_INIT                                                                            \
    {                                                                                              \
        .struct_size = sizeof(pdict_meta)                                                          \
    }

/**
 * Read the facts about an entry from the store, without decoding it.
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

/* ---- Conveniences --------------------------------------------------------------------------- */

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
