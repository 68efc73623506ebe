/* SPDX-License-Identifier: MIT */
/* The change ring: which keys each commit moved, told to every process that has the store open. */
#ifndef PDICT_STORE_RING_H
#define PDICT_STORE_RING_H

#include <stdatomic.h>

#include "base/base.h"

/* The change token of a store: the two words of the backend's watch(). */
struct token {
    uint64_t words[2];
};

static inline bool pdict__token_equal(struct token a, struct token b)
{
    return a.words[0] == b.words[0] && a.words[1] == b.words[1];
}

static inline struct token pdict__token_read(const volatile uint64_t *const words[2])
{
    return (struct token){ { *words[0], *words[1] } };
}

#define RING_ENTRIES 4096
#define RING_HASHES  65536
#define RING_MOST    4096 /* keys of one commit; with more it moved all keys */

/* Of one commit. Torn while its `number` is 0, or moves while it is read. */
struct ring_entry {
    _Atomic uint64_t number; /* of the commits told here, from 1 */
    _Atomic uint64_t before[2], after[2];
    _Atomic uint64_t count; /* of keys moved; RING_ALL */
    _Atomic uint64_t first; /* their hashes are hashes[first % RING_HASHES] and what follows... */
    _Atomic uint64_t only;  /* ...but one alone stands here */
};

#define RING_ALL UINT64_MAX

/* All zero: empty. Written by whoever holds the gate of all processes, read without a lock. */
struct ring {
    _Atomic uint64_t turn; /* of the gate; odd while it is held, so an entry may be on its way */
    _Atomic uint64_t told; /* entries so far */
    _Atomic uint64_t used; /* hashes so far, those just being written included */
    struct ring_entry entries[RING_ENTRIES];
    _Atomic uint64_t hashes[RING_HASHES];
};

/*
 * Tell of a commit that moved the token from `before` to `after` in one step, under the gate and
 * before it is left. `hashes` are of the stored keys that it put or deleted; count 0: none, as
 * after a change of settings; RING_ALL: all may have moved. Nothing when the token did not move.
 * A commit of which nothing is told is a gap, so telling nothing is always right.
 */
void pdict__ring_publish(struct ring *ring, struct token before, struct token after,
                         const uint64_t *hashes, size_t count);

/* A turn at the gate whose entry was waited for in vain; zero: none. Of one reader at a time. */
struct ring_wait {
    uint64_t turn;
    int64_t since_ns; /* steady clock */
};

/* Around what the holder of the gate does. */
static inline void pdict__ring_turn_begin(struct ring *ring)
{
    uint64_t turn = atomic_load_explicit(&ring->turn, memory_order_relaxed);

    /* Odd: the last one has died. */
    atomic_store_explicit(&ring->turn, turn + 1 + turn % 2, memory_order_release);
}

static inline void pdict__ring_turn_end(struct ring *ring)
{
    atomic_fetch_add_explicit(&ring->turn, 1, memory_order_release);
}

/*
 * Every key that moved between two tokens; `from` is the older. `moved` is called with their
 * hashes, maybe more than once for one, and maybe for nothing when the answer is a gap.
 *
 * PDICT_CONFLICT (expected): a gap, every key may have moved: somebody else wrote, a writer was
 * killed, a commit moved all keys, or there were too many meanwhile. `ring` NULL: always a gap.
 * PDICT_BUSY (expected): who made the last commit has the gate still, and may be about to tell of
 * it; that was waited for, for a moment, once for each turn. Try again later; a writer that holds
 * the gate for a second without telling counts as dead, and its commit as a gap.
 */
int pdict__ring_walk(const struct ring *ring, struct token from, struct token to,
                     struct ring_wait *wait, void (*moved)(void *ctx, uint64_t hash), void *ctx);

#endif
