/* SPDX-License-Identifier: MIT */
/* Check, repair, copy, shrink, convert and train: upkeep of a store. */
#ifndef PDICT_UPKEEP_H
#define PDICT_UPKEEP_H

#include <pdict/store.h>

#ifdef __cplusplus
extern "C" {
#endif

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
    uint64_t most_bytes;        /**< the largest dictionary; 4 KiB to 256 KiB, 256 KiB */
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
 * background or in pdict_maintain(), once enough has been put to learn from. No put waits for it.
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

#ifdef __cplusplus
}
#endif

#endif
