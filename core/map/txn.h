/* SPDX-License-Identifier: MIT */
/* A transaction in memory: what it has read, what it will write, of each of its maps. */
#ifndef PDICT_MAP_TXN_H
#define PDICT_MAP_TXN_H

#include "map/map.h"

/* What there is under a key, apart from the record. */
struct txn_state {
    bool is_there; /* maybe expired */
    uint64_t version;
    int64_t created_ms;
    int64_t expires_ms; /* of the base: or when it goes unused */
};

/* A key that the transaction has come across. */
struct txn_row {
    struct txn_row *next; /* in its bucket */
    uint64_t hash;
    pdict_slice key; /* behind this struct */

    struct txn_state base; /* in the snapshot */

    /* Whether the outcome depends on what is stored under the key: then that must be the same at
     * the commit. */
    bool is_read;
    uint64_t seen_version; /* 0: absent */

    /* Under `is_written`, what will be there instead: */
    bool is_written;
    struct txn_state now;
    int64_t accessed_ms; /* that was restored; 0: none */
    uint8_t *record;
    size_t record_size;
    struct generation_ref sealed; /* what the record was made by */
    uint64_t place;  /* in the order of insertion, behind all stored rows; 0: that of the base */
    bool is_dropped; /* the base was deleted, whatever was put since */
};

/* A stretch of the snapshot that was walked, and what came. */
struct txn_range {
    struct txn_range *next;
    pdict_scan scan; /* its bounds lie behind this struct */
    uint64_t n_rows;
    uint64_t sum;  /* of keys and versions in their order */
    bool is_whole; /* seen to its end */
};

/* One map of a transaction. */
struct txn_map {
    struct pdict handle; /* what the caller holds; a copy of that of the map, and `part` */
    struct txn *txn;
    struct generation_ref settings; /* when the map joined */
    struct txn_map *next;
    struct txn_row **buckets;
    size_t n_buckets, n_rows, n_written;
    struct txn_range *ranges;
    bool must_hold; /* what was read has to be true at the commit, even if nothing is written */
    bool is_counted;
    uint64_t count; /* of the snapshot, if counted */
};

struct txn {
    struct store *store;
    struct hold hold; /* the snapshot */
    uint64_t seed;    /* of the hashes of keys */
    uint64_t last_place;
    bool is_exclusive;
    bool is_doomed; /* two reads cannot both be true at one instant, or a fork took the snapshot */
    unsigned n_iters;
    struct telling telling; /* of an exclusive one that was committed */
    struct txn_map *maps;   /* the one it was begun on comes last */
};

/* ---- txn_rows.c ---- */

/* The row of a key, inside the hold. One that is new has been looked up in the snapshot, and `stored` is what was
 * found, borrowed from the reader; else stored->version is 0. */
int pdict__txn_row(struct txn_map *part, pdict_slice key, struct txn_row **out, pdict_row *stored);
/* The row of a key that the transaction has written; else NULL. */
struct txn_row *pdict__txn_written(const struct txn_map *part, pdict_slice key);
/* The outcome depends on the row, as the snapshot has it. */
void pdict__txn_note_read(struct txn_map *part, struct txn_row *row);
void pdict__txn_rows_free(struct txn_map *part);
/* All written rows in an array; those with a place behind the others, in its order. Owned. */
int pdict__txn_written_rows(const struct txn_map *part, struct txn_row ***out);

/* ---- txn_seal.c ---- */

/* The earliest settings by which one of its records was made; 0: there is none. */
uint64_t pdict__txn_oldest(const struct txn *txn);
/* Make all its records anew by the settings of now. */
int pdict__txn_reseal(struct txn *txn);

/* ---- txn_ranges.c ---- */

/* Remember that a walk begins; the range lives as long as the transaction. */
int pdict__txn_range_new(struct txn_map *part, const pdict_scan *scan, struct txn_range **out);
/* The walk has come across a row of the snapshot that has not expired. */
void pdict__txn_range_note(struct txn_range *range, const pdict_row *row);
/* Does everything that was read still hold in a write transaction? PDICT_CONFLICT. */
int pdict__txn_validate(const struct txn *txn, void *write_txn);
void pdict__txn_ranges_free(struct txn_map *part);

/* ---- txn_walk.c ---- */

struct txn_walk;

/* Walk the rows that `next` gives, which are those of the scan in the snapshot, together with what
 * the transaction has written until now; close it also after a failure. */
int pdict__txn_walk_open(struct txn_map *part, const pdict_scan *scan, struct txn_walk **out);
/* Borrowed until the next step. PDICT_END. */
int pdict__txn_walk_next(struct txn_walk *walk, int (*next)(void *ctx, pdict_row *row), void *ctx,
                         pdict_row *out);
void pdict__txn_walk_close(struct txn_walk *walk);

static inline bool pdict__txn_is_live(const struct txn_state *state, int64_t now_ms)
{
    return state->is_there && !pdict__expired(state->expires_ms, now_ms);
}

#endif
