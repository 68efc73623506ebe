/* SPDX-License-Identifier: MIT */
/* What a map may hold at most, and how much it holds: kept in the store, obeyed in each commit. */
#ifndef PDICT_STORE_LIMITS_H
#define PDICT_STORE_LIMITS_H

#include <pdict/limits.h>

#include "base/base.h"

/* Names of values in the SYSTEM space of a map; a map without limits has neither. */
#define SYSTEM_LIMITS "limits"
#define SYSTEM_USAGE  "usage" /* absent: to be counted */

struct limits {
    uint64_t max_entries; /* 0: no limit */
    uint64_t max_bytes;   /* of keys and records; 0: no limit */
    unsigned evict;       /* enum pdict_evict */
    unsigned on_full;     /* enum pdict_on_full */
};

struct usage {
    uint64_t entries; /* expired ones included */
    uint64_t bytes;   /* of keys and records */
    uint64_t evictions;
};

/* Those of a few maps, as of one value of the word that moves with every change of limits. */
#define LIMITS_KNOWN 8

struct limits_memo {
    uint64_t word;
    struct {
        uint32_t map; /* 0: none */
        struct limits limits;
    } known[LIMITS_KNOWN];
};

struct store;

static inline bool pdict__has_limits(const struct limits *limits)
{
    return limits->max_entries > 0 || limits->max_bytes > 0;
}

/* From the store; all zero: the map has none. PDICT_NEWER_FORMAT, PDICT_DAMAGED. */
int pdict__limits_read(struct store *store, void *txn, uint32_t map, struct limits *out);
/* Every process keeps to them from the commit on; with none the usage goes too. */
int pdict__limits_write(struct store *store, void *txn, uint32_t map, const struct limits *limits);
/* What is stored, counted by a walk when that is not known. */
int pdict__usage_read(struct store *store, void *txn, uint32_t map, struct usage *out);
int pdict__usage_write(struct store *store, void *txn, uint32_t map, const struct usage *usage);
/* Under the gate: those in force, as of the last look; NULL: none. */
int pdict__limits_find(struct store *store, void *txn, uint32_t map, const struct limits **out);
/* Entries and bytes by a walk. */
int pdict__usage_count(struct store *store, void *txn, uint32_t map, struct usage *out);

/* ---- account.c ---- */

/*
 * Under the gate: make changes as the backend's apply, and keep to the limits of the map.
 * PDICT_TOO_BIG: an entry is larger than the map may be; PDICT_LIMIT: it is full.
 */
int pdict__rows_apply(struct store *store, void *txn, uint32_t map, pdict_change *changes,
                      size_t count, int64_t now_ms);
/* Delete rows, expired or not; `why`: enum pdict_removed_why. */
int pdict__rows_delete(struct store *store, void *txn, uint32_t map, pdict_change *changes,
                       size_t count, int why);
/* Remove what is above the limits, up to `most` entries or so; *count: how many went. */
int pdict__limits_trim(struct store *store, void *txn, uint32_t map, size_t most, size_t *count);

#endif
