/* SPDX-License-Identifier: MIT */
/* Reading and writing a map through its cache. */
#ifndef PDICT_MAP_CACHED_H
#define PDICT_MAP_CACHED_H

#include "map/cache.h"
#include "map/map.h"

/* What may be said of the cache now; what was read since may be cached while it holds. */
void pdict__ticket_take(const struct store *store, struct ticket *out);
/* The same, having caught up with what others have committed, where that can be done at once. */
void pdict__cache_current(struct store *store, struct ticket *ticket);

/* One look into the cache. */
struct cache_look {
    uint64_t hash;
    struct ticket ticket;
    hazard_slot *slot; /* NULL: no memory for one */
    bool is_true;      /* the entry was, at one moment of the call */
};

/* The entry of a key, pinned with look->slot; NULL: none. */
struct entry *pdict__cache_look(const pdict *d, pdict_slice key, struct cache_look *look);

/* An entry of d->cache is used: for its eviction, and for its access time. */
void pdict__cache_visit(const pdict *d, struct entry *entry);
/* d->cache is not NULL. */
int pdict__get_cached(const pdict *d, pdict_slice key, pdict_view *out);

/* Does the cache know at once whether the key is there? */
bool pdict__peek_cached(const pdict *d, pdict_slice key, bool *is_there);
/* Read many keys from one snapshot, into views and cache. As pdict_get_many(). */
int pdict__get_many_cached(const pdict *d, const pdict_slice *keys, size_t count, pdict_view *views,
                           int *statuses);
/* True: all of them were known at one instant, present or absent; else nothing is pinned. */
bool pdict__get_many_near(const pdict *d, const pdict_slice *keys, size_t count, pdict_view *views,
                          int *statuses);

/* What a change of one key will leave in the cache; NULL: nothing. Made before any lock is taken.
 * `value` is what the user gave, change->row.value the record. */
struct entry *pdict__cache_prepare(const pdict *d, const pdict_change *change, pdict_slice value);

/* ---- publish.c ---- */

/* Between pdict__writer_commit() and pdict__writer_finish(): tell other processes what a group has
 * moved, and bring the caches of this one up to date. */
void pdict__publish(struct store *store, const struct group *group);

/* A view is pinned by a slot or by a block of its own: odd numbers are slots. */
static inline void *pdict__view_pin_slot(hazard_slot *slot)
{
    return (void *)((uintptr_t)slot | 1); // NOLINT
}

static inline hazard_slot *pdict__view_slot(void *pin)
{
    return (hazard_slot *)((uintptr_t)pin & ~(uintptr_t)1); // NOLINT
}

#endif
