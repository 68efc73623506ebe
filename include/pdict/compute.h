/* SPDX-License-Identifier: MIT */
/* Get a value, or compute it: once, however many threads and processes ask for it. */
#ifndef PDICT_COMPUTE_H
#define PDICT_COMPUTE_H

#include <pdict/map.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a computation has found; filled with the times of the options before it begins. */
typedef struct pdict_computed {
    pdict_slice value; /**< its bytes stay unchanged until pdict_get_or_compute() returns */
    int64_t ttl_ms;    /**< > 0: expires so long from the end of the computation; 0: never */
} pdict_computed;

/**
 * Computes the value of a key, during pdict_get_or_compute(), on its thread and with no lock held:
 * it may take its time and call the library, get and compute other keys included.
 *
 * @param old       Borrowed; the value that is to be refreshed; NULL: there is none.
 * @param[out] out  What was found.
 * @return PDICT_OK; PDICT_NOTFOUND: there is no such thing; or why it failed, by pdict_fail(), or a
 *         positive number of your own.
 */
typedef int (*pdict_compute_fn)(void *ctx, const pdict_view *old, pdict_computed *out);

/** Where a value came from. */
enum pdict_source {
    PDICT_SOURCE_STORED = 1,   /**< it was there */
    PDICT_SOURCE_COMPUTED = 2, /**< this call computed it */
    PDICT_SOURCE_AWAITED = 3,  /**< another thread or process computed it during this call */
    PDICT_SOURCE_STALE = 4     /**< it has expired, and is computed anew elsewhere or cannot be */
};

/** How to compute; zero means: a value lives as long as any of the map, and nothing is remembered of
 * what is absent. */
typedef struct pdict_compute_options {
    size_t struct_size;
    unsigned durability;   /**< of the put: enum pdict_commit_durability */
    unsigned *source_out;  /**< NULL, or receives enum pdict_source; 0 on failure */
    int64_t ttl_ms;        /**< > 0: a computed value expires after so long; 0: after the map's
                                ttl=, if it has one */
    int64_t timeout_ms;    /**< longest wait for somebody else's computation; 0: the handle's */
    int64_t absent_ttl_ms; /**< > 0: PDICT_NOTFOUND is remembered for so long */
    int64_t stale_ms;      /**< how long beyond its expiry a value may be returned; 0: the handle's
                                `stale_ok`; below 0: not at all */
    double early;          /**< > 0: refresh values that soon expire, see below; 1 is usual */
} pdict_compute_options;

#define PDICT_COMPUTE_OPTIONS_INIT                                                                 \
    {                                                                                              \
        .struct_size = sizeof(pdict_compute_options)                                               \
    }

/**
 * Read a value; when it is absent compute and put it. Of all threads and processes that miss a key
 * at the same time one calls its `fn`, the others wait for the result. Should its process die, one
 * of the others does it instead, at once.
 *
 * @param fn       See pdict_compute_fn.
 * @param ctx      Passed to fn.
 * @param how      Borrowed; NULL: plain.
 * @param[out] out Pinned; release with pdict_view_release(). Zeroed on failure.
 * @return PDICT_OK; what fn returned, in PDICT_NOTFOUND also when that is remembered;
 *         PDICT_BUSY: somebody else was computing until the timeout passed; PDICT_MISUSE: in a
 *         transaction, or fn asked for the key that it computes; PDICT_READ_ONLY: it would have to
 *         be computed, and the handle cannot put it; PDICT_INVAL; else as pdict_get() and
 *         pdict_put().
 *
 * Failures. What fn returns goes to the threads of this process that wait for it, too, since what
 * has just failed would fail again; except after PDICT_CANCELLED, when one of them tries in turn.
 * Other processes try for themselves. Nothing is put.
 *
 * Others. A value that somebody puts during the computation stays, and is returned. When somebody
 * deletes the key that is being refreshed, it is computed again.
 *
 * Refreshing. With `early` a value is refreshed before it expires, by one caller at a time: the
 * later and the dearer the computation was, the likelier (XFetch; a larger number means earlier).
 * When it fails, the value that is there is returned. How long it took is known while a process has
 * the store open, for the newest few thousand keys.
 *
 * Stale values. Within `stale_ms` after its expiry a value is still returned to all but the one
 * caller that computes it anew; and to that one, too, when that fails. All other calls see it
 * as absent. It may be swept unless the store is open with `stale_ok` of that length.
 *
 * Absence is remembered beside the map, for the newest few thousand keys and while a process has
 * the store open; it ends with its time or when the key is put.
 *
 * Threads: any. Where the backend is for one process only, so are the computations.
 * Cost:    a hit costs a get; a computation a get, a put and a copy of the value. Processes wait by
 *          asking again, after a part of the time that they have waited, 16 ms at most.
 * Since 0.1.
 */
PDICT_API int pdict_get_or_compute(pdict *d, pdict_slice key, pdict_compute_fn fn, void *ctx,
                                   const pdict_compute_options *how, pdict_view *out);

#ifdef __cplusplus
}
#endif

#endif
