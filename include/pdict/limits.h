/* SPDX-License-Identifier: MIT */
/* How large a map may grow, and what goes when it is full. */
#ifndef PDICT_LIMITS_H
#define PDICT_LIMITS_H

#include <pdict/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A map has no limits unless it was made with `max_entries=` or `max_bytes=`, or is given them here.
 * They belong to the map: every process keeps to them, whatever it opened the map with.
 *
 * What is counted is what is stored, exactly: entries, and the bytes of their keys and records,
 * those included that have expired and were not removed yet. A commit that would leave more than
 * the limits allow first removes expired entries, then others as `evict` says, within itself: what
 * it put and what had to go become visible, and durable, together. It removes some more than it
 * has to, one of 64 and 32 at most, so that not each put has to. What was just put may be what goes.
 * A map that is over its limits, since they were lowered, shrinks with each commit.
 */

/** Who goes first. */
enum pdict_evict {
    /** Longest unused. A put is a use; a get counts with the access times that are stored. */
    PDICT_EVICT_LRU = 0,
    /** First inserted; an update keeps its place. */
    PDICT_EVICT_FIFO = 1,
    /** Soonest to expire; entries that never do come last, first inserted first. */
    PDICT_EVICT_TTL = 2
};

enum pdict_on_full {
    PDICT_ON_FULL_EVICT = 0,
    /** A commit that would grow a full map fails with PDICT_LIMIT, and nothing of it is done. */
    PDICT_ON_FULL_ERROR = 1
};

/** The limits of a map and how full it is. */
typedef struct pdict_limits {
    size_t struct_size;
    uint64_t max_entries; /**< 0: no limit */
    uint64_t max_bytes;   /**< of keys and records; 0: no limit */
    unsigned evict;       /**< enum pdict_evict */
    unsigned on_full;     /**< enum pdict_on_full */
    /** Not looked at by pdict_limits_set(): */
    uint64_t entries;   /**< that are stored, expired ones included */
    uint64_t bytes;     /**< of their keys and records */
    uint64_t evictions; /**< of entries that had not expired, since the map has limits */
} pdict_limits;

#define PDICT_LIMITS_INIT                                                                          \
    {                                                                                              \
        .struct_size = sizeof(pdict_limits)                                                        \
    }

/**
 * Read the limits of a map. Needs no key.
 *
 * @param map          Its name. Borrowed.
 * @param[in,out] out  struct_size set by the caller.
 * @return PDICT_OK; PDICT_NO_MAP; PDICT_INVAL; PDICT_NEWER_FORMAT.
 *
 * Cost: a get; one walk over the map where it is not yet known how full it is, as in a map without
 * limits.
 * Since 0.1.
 */
PDICT_API int pdict_limits_get(pdict_store *store, const char *map, pdict_limits *out);

/**
 * Give a map other limits, or none. Needs no key; every process keeps to them from its next commit
 * on. What is above them goes before the call returns, in short transactions, unless `on_full` says
 * that nothing is to go.
 *
 * @param map     Its name. Borrowed.
 * @param limits  Borrowed.
 * @return PDICT_OK; PDICT_NO_MAP; PDICT_INVAL; PDICT_UNSUPPORTED: PDICT_EVICT_LRU where the backend
 *         keeps no access times; else as pdict_put(), and then the limits may be in force already.
 *
 * Cost: one walk over the map, in one transaction, to count what is there.
 * Since 0.1.
 */
PDICT_API int pdict_limits_set(pdict_store *store, const char *map, const pdict_limits *limits);

#ifdef __cplusplus
}
#endif

#endif
