/* SPDX-License-Identifier: MIT */
/* Which keys have left a shard of a cache lately; under the lock of the shard. */
#ifndef PDICT_MAP_GHOSTS_H
#define PDICT_MAP_GHOSTS_H

#include "map/cache.h"

/*
 * A mark of 16 bits for each of the last keys that were evicted, a quarter to a half as many as the
 * shard has entries, where their hash says; a later one takes the place of an earlier one. So what
 * is remembered is mostly what went last, and one key in 65,536 is taken for another's.
 *
 * What comes back so soon would have been a hit of a slightly larger cache: SIEVE spares it once, as
 * if it had been used. The idea is that of the ghost queue of S3-FIFO (Yang et al., SOSP 2023).
 */

/* Where there is no memory it is not remembered. */
void pdict__ghost_note(struct cache *cache, struct shard *shard, uint64_t hash);

/* True: it has left lately; once. */
bool pdict__ghost_take(struct shard *shard, uint64_t hash);

void pdict__ghosts_free(struct cache *cache, struct shard *shard);

#endif
