/* SPDX-License-Identifier: MIT */
/* Several keys and maps, all or nothing. */
#ifndef PDICT_TRANSACTION_H
#define PDICT_TRANSACTION_H

#include <pdict/map.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A transaction is a `pdict`: the calls of a map read and write it. It sees the store as it was
 * when it began, and its own writes, which nobody else sees before the commit. Transactions are
 * serializable: one that commits behaves as if it had happened at that moment, alone. So what it
 * has read, a key that was absent, a range that was walked and a count included, must be the same
 * at the commit; else that is refused with PDICT_CONFLICT, and the transaction is to be repeated.
 *
 * A transaction that is open when the process forks is in conflict from then on, in both.
 *
 * No lock is held before the commit. Writes are kept in RAM until then. A snapshot is held, so
 * long transactions keep the engine from giving back space; where that makes a log grow beyond 256
 * MiB, a transaction older than 10 s loses its snapshot, and its calls return PDICT_CONFLICT.
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
 * | begin, run, clear, clear_cache, stats_get, sync,            | PDICT_MISUSE                   |
 * | get_or_compute                                              |                                |
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

#ifdef __cplusplus
}
#endif

#endif
