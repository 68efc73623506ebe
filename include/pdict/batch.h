/* SPDX-License-Identifier: MIT */
/* Many keys at once, and walking a map in order. */
#ifndef PDICT_BATCH_H
#define PDICT_BATCH_H

#include <pdict/map.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Many keys ------------------------------------------------------------------------------ */

/** One entry to put. */
typedef struct pdict_pair {
    pdict_slice key;
    pdict_slice value;
} pdict_pair;

/**
 * Read many keys, all as of one instant, whoever writes meanwhile (as far as the map's coherence=
 * goes).
 *
 * @param keys          Borrowed; duplicates are fine.
 * @param[out] views    `count` of them; each as from pdict_get(), zeroed where its status is not OK.
 * @param[out] statuses `count` of them, each as pdict_get() returns.
 * @return PDICT_OK: every status is OK or NOTFOUND; else the first other status, or a failure of
 *         the whole call, in which case all views are zeroed. Views that are not zero are pinned
 *         in either case.
 *
 * Cost: less than as many gets: cache misses of the processor overlap, and all keys that are not in
 *       the cache are read from one snapshot.
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

/* ---- Iteration ------------------------------------------------------------------------------ */

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
    uint64_t limit;     /**< so many entries at most; 0: all. No more are read ahead */
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
 * is a walk that takes days. With it, a snapshot of the engine is held until the close or, as in
 * transactions, until it keeps a log from shrinking, or the process forks.
 *
 * @param range     Borrowed; NULL: everything in insertion order.
 * @param[out] out  Owned; close with pdict_iter_close(). NULL on failure.
 * @return PDICT_OK; PDICT_INVAL; PDICT_BUSY; PDICT_NO_MAP; PDICT_UNSUPPORTED: an order of keys, a
 *         range or a prefix in a map that hides its keys.
 *
 * Cost: bounded memory, whatever the size of the map: 16 rows are read ahead, then twice as many
 * each time, up to 256 or about 1 MiB. Who wants the first few of many says so in range->limit.
 * Since 0.1.
 */
PDICT_API int pdict_iter_open(pdict *d, const pdict_range *range, pdict_iter **out);

/**
 * Step to the next entry that has not expired.
 *
 * @param[out] out  Borrowed until the next step or the close.
 * @return PDICT_OK; PDICT_END; a status as from pdict_get() when the record of `out->key` is
 *         damaged: out->value is empty then, and the next step goes on behind it. In a map that
 *         hides its keys, out->key is the hash of a key then; PDICT_CONFLICT: the snapshot was
 *         lost, see pdict/transaction.h.
 *
 * Since 0.1.
 */
PDICT_API int pdict_iter_next(pdict_iter *iter, pdict_entry *out);

/** End a walk. NULL is fine. Close iterators before their map. */
PDICT_API void pdict_iter_close(pdict_iter *iter);

#ifdef __cplusplus
}
#endif

#endif
