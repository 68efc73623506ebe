/* SPDX-License-Identifier: MIT */
/* What the parts of pdict_get_or_compute() share. */
#ifndef PDICT_MAP_COMPUTE_H
#define PDICT_MAP_COMPUTE_H

#include "map/map.h"

/* What this call has of the value before it is computed. */
enum having {
    HAVE_NOTHING,
    HAVE_STALE, /* expired, and may be returned all the same */
    HAVE_LIVE   /* to be refreshed before it expires */
};

struct computing {
    pdict *d;
    pdict_slice key;
    pdict_slice stored_key; /* the same, where names are hidden another one */
    pdict_compute_fn fn;
    void *ctx;
    pdict_compute_options how;
    uint64_t hash;
    int64_t stale_ms;
    int64_t deadline_ms; /* steady clock */
    enum having having;
    pdict_view old; /* pinned unless HAVE_NOTHING */
    unsigned source;
    struct flight *flight; /* while this thread leads it */
};

/* What is remembered of a key lies under this hash, and so does its lease. */
uint64_t pdict__compute_hash(const struct map *map, pdict_slice stored_key);

/* ---- compute_old.c: what there is before it is computed ---- */

void pdict__old_forget(struct computing *c);
/* What is stored now, around the cache: that may lag behind, and has no expired values. */
int pdict__old_look(struct computing *c);
/* Return the old value, as it is computed elsewhere or need not or cannot be. */
int pdict__old_give(struct computing *c, pdict_view *out);
bool pdict__known_absent(const struct computing *c);
/* Does the value that is there expire so soon that this call should refresh it? */
int pdict__early_check(const struct computing *c, bool *is_early);

/* ---- refresh.c: is it time to refresh a value that has not expired? ---- */

/*
 * XFetch (Vattani, Chierichetti, Lowenstein 2015): yes, if cost_ms * early * -ln(u) reaches the
 * time that is left, with u = (random + 1) / 2^64. Of callers who come at random moments one is
 * then likely to refresh in time, and few are likely to do it twice.
 */
bool pdict__refresh_is_due(int64_t left_ms, uint64_t cost_ms, double early, uint64_t random);

#endif
