/* SPDX-License-Identifier: MIT */
/* How long entries of a map live that were put without a word about it, and when nobody uses them. */
#ifndef PDICT_STORE_LIFETIMES_H
#define PDICT_STORE_LIFETIMES_H

#include "base/base.h"

/* The name of a value in the SYSTEM space of a map; absent: all zero. */
#define SYSTEM_LIFETIMES "lifetimes"

struct lifetimes {
    int64_t ttl_ms;  /* of an entry that is put without a deadline; 0: it has none */
    int64_t idle_ms; /* an entry that nobody has used for so long goes; 0: it stays */
    /* With idle_ms: how far stored access times may lag behind. Every row has one then. */
    int64_t granularity_ms;
};

/* Those of a few maps; they never change. */
#define LIFETIMES_KNOWN 8

struct lifetimes_memo {
    struct {
        uint32_t map; /* 0: none */
        struct lifetimes lifetimes;
    } known[LIFETIMES_KNOWN];
};

struct store;

int pdict__lifetimes_read(struct store *store, void *txn, uint32_t map, struct lifetimes *out);
/* The same under the gate, where they are kept. */
int pdict__lifetimes_find(struct store *store, void *txn, uint32_t map,
                          const struct lifetimes **out);
/* Of a map that is being made. */
int pdict__lifetimes_write(struct store *store, void *txn, uint32_t map,
                           const struct lifetimes *lifetimes);

/* When an entry goes that was last used then. */
static inline int64_t pdict__idle_deadline(const struct lifetimes *lifetimes, int64_t accessed_ms)
{
    return pdict__time_add(pdict__time_add(accessed_ms, lifetimes->idle_ms),
                           lifetimes->granularity_ms);
}

/* What has been unused for too long: the rows that a scan finds. False: there is none. */
bool pdict__unused_scan(const struct lifetimes *lifetimes, int64_t now_ms, pdict_scan *out);
/* From when on a row is absent, whether by its own deadline or unused; 0: never. */
int pdict__row_until(struct store *store, void *txn, uint32_t map,
                     const struct lifetimes *lifetimes, const pdict_row *row, int64_t *until_ms);
/* As the backend's count, without the unused. */
int pdict__rows_count(struct store *store, void *txn, uint32_t map,
                      const struct lifetimes *lifetimes, int64_t now_ms, uint64_t *count);

/* Under the gate, around changes: what is unused makes way for them, and what was put was used.
 * Where nothing goes unused, and no access time is restored, they do nothing. */
int pdict__lifetimes_before(struct store *store, void *txn, uint32_t map,
                            const pdict_change *changes, size_t count, int64_t now_ms);
int pdict__lifetimes_after(struct store *store, void *txn, uint32_t map,
                           const pdict_change *changes, size_t count, int64_t now_ms);

#endif
