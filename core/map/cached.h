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
    const struct settings *settings; /* before it */
    struct ticket ticket;
    hazard_slot *slot;             /* NULL: no memory for one */
    bool is_true;                  /* the entry was, at one moment of the call */
    int64_t until_ms;              /* of the row, once it is read: absent from then on; 0: never */
    struct generation_ref of_rows; /* the settings of the snapshot that it is read from */
};

/* The entry of a key, pinned with look->slot; NULL: none. */
struct entry *pdict__cache_look(const pdict *d, pdict_slice key, struct cache_look *look);

#define VISITS_MOST 12

/* Entries of d->cache, at most VISITS_MOST, are used: for their eviction, and for their access
 * times. */
void pdict__cache_visit(const pdict *d, struct entry *const *entries, size_t count);
/* What a snapshot says of a key, `row` and `status`, as a result; `entry` is what the cache has,
 * doubted and pinned with look->slot, or NULL. It is cached if the snapshot `sees`. */
int pdict__cache_compare(const pdict *d, const struct cache_look *look, struct entry *entry,
                         const pdict_row *row, int status, bool sees, pdict_view *out);
/* Does the snapshot hold every commit that the ticket counts? */
bool pdict__snapshot_sees(const struct store *store, void *reader, const struct ticket *ticket);

/* d->cache is not NULL. */
int pdict__get_cached(const pdict *d, pdict_slice key, pdict_view *out);

/* Only what the cache knows is true; else STATUS_UNKNOWN, and nothing is read or cached. */
int pdict__get_hit(const pdict *d, pdict_slice key, pdict_view *out);

/* Does the cache know at once whether the key is there? */
bool pdict__peek_cached(const pdict *d, pdict_slice key, bool *is_there);

/* What the cache does not know. */
#define STATUS_UNKNOWN 1

/* What the cache knows of many keys at one instant, that of the ticket; the others are
 * STATUS_UNKNOWN. False: it cannot be told, and all are. d->near is not NULL. */
bool pdict__get_many_near(const pdict *d, const pdict_slice *keys, size_t count, pdict_view *views,
                          int *statuses, struct ticket *ticket, size_t *n_unknown);
/* At first, and with what is known released. */
void pdict__know_nothing(pdict_view *views, int *statuses, size_t count);
void pdict__give_up(pdict_view *views, int *statuses, size_t count);
/* Read many keys as of one instant, those that the cache does not know from a snapshot. As
 * pdict_get_many(). */
int pdict__get_many_cached(const pdict *d, const pdict_slice *keys, size_t count, pdict_view *views,
                           int *statuses);

/* What a change of one key will leave in the cache; NULL: nothing. Made before any lock is taken
 * where the value is known then. `value` is what the user gave, change->row.value the record. */
struct entry *pdict__cache_prepare(const pdict *d, const pdict_change *change, pdict_slice value);
/* What no commit has taken. NULL is fine. */
void pdict__cache_discard(const pdict *d, struct entry *prepared);

/* ---- publish.c ---- */

/* Between pdict__writer_commit() and pdict__writer_finish(): tell other processes what a group has
 * moved, and bring the caches of this one up to date. */
void pdict__publish(struct store *store, const struct group *group);

/* A view is pinned by a slot or by a block of its own: odd numbers are slots. */
static inline void *pdict__view_pin_slot(hazard_slot *slot)
{
    return (void *)((uintptr_t)slot | 1); // NOLINT
}

static inline bool pdict__view_has_slot(void *pin)
{
    return (uintptr_t)pin & 1;
}

static inline hazard_slot *pdict__view_slot(void *pin)
{
    return (hazard_slot *)((uintptr_t)pin & ~(uintptr_t)1); // NOLINT
}

#endif
