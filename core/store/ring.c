/* SPDX-License-Identifier: MIT */
/* The change ring: entries chained token to token, each torn until its number is written. */
#include <sched.h>
#include <time.h>

#include "store/ring.h"

/* For an entry that is on its way, at once; and how long its writer, who may have been preempted or
 * have died, is believed to be about to tell it. */
#define WAIT_NS    50000
#define BELIEVE_NS 1000000000

/* Plain fields are stored with release and loaded with acquire, instead of fences: who sees one of
 * a new entry sees then that the number or the count of used hashes has moved. */
static void set(_Atomic uint64_t *field, uint64_t value)
{
    atomic_store_explicit(field, value, memory_order_release);
}

static uint64_t get(const _Atomic uint64_t *field)
{
    return atomic_load_explicit(field, memory_order_acquire);
}

/* ---- telling ---- */

static uint64_t tell_hashes(struct ring *ring, const uint64_t *hashes, size_t count)
{
    uint64_t first = get(&ring->used);

    /* Before the first of them is overwritten: who has read an old one looks here again. */
    set(&ring->used, first + count);
    for (size_t i = 0; i < count; i++)
        set(&ring->hashes[(first + i) % RING_HASHES], hashes[i]);
    return first;
}

void pdict__ring_publish(struct ring *ring, struct token before, struct token after,
                         const uint64_t *hashes, size_t count)
{
    uint64_t told;
    struct ring_entry *entry;

    if (!ring || pdict__token_equal(before, after))
        return;
    told = get(&ring->told);
    entry = &ring->entries[told % RING_ENTRIES];
    set(&entry->number, 0);
    for (int i = 0; i < 2; i++) {
        set(&entry->before[i], before.words[i]);
        set(&entry->after[i], after.words[i]);
    }
    set(&entry->count, count > RING_MOST ? RING_ALL : count);
    if (count == 1)
        set(&entry->only, hashes[0]);
    else if (count > 1 && count <= RING_MOST)
        set(&entry->first, tell_hashes(ring, hashes, count));
    set(&entry->number, told + 1);
    set(&ring->told, told + 1);
}

/* ---- walking ---- */

/* What a commit says, as far as it has been read whole. */
struct telling {
    struct token before, after;
    uint64_t count, first, only;
};

static bool read_entry(const struct ring *ring, uint64_t number, struct telling *out)
{
    const struct ring_entry *entry = &ring->entries[(number - 1) % RING_ENTRIES];

    if (get(&entry->number) != number)
        return false;
    for (int i = 0; i < 2; i++) {
        out->before.words[i] = get(&entry->before[i]);
        out->after.words[i] = get(&entry->after[i]);
    }
    out->count = get(&entry->count);
    out->first = get(&entry->first);
    out->only = get(&entry->only);
    return get(&entry->number) == number;
}

/* A stretch of entries that leads from one token to another. */
struct chain {
    uint64_t first, last; /* last 0: of the commit that led there nothing is told */
};

/* From the newest entry back: the last of the chain, and from there to its first. */
static bool find_chain(const struct ring *ring, struct token from, struct token to,
                       struct chain *chain)
{
    struct token wanted = to;
    struct telling telling;

    chain->last = 0;
    for (uint64_t number = get(&ring->told); number > 0; number--) {
        if (!read_entry(ring, number, &telling))
            return false;
        if (!pdict__token_equal(telling.after, wanted)) {
            if (chain->last != 0 || pdict__token_equal(telling.after, from))
                return false;
            continue;
        }
        if (chain->last == 0)
            chain->last = number;
        chain->first = number;
        if (pdict__token_equal(telling.before, from))
            return true;
        wanted = telling.before;
    }
    return false;
}

static int64_t steady_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* In vain: from now on nobody waits for this turn, but looks again later. */
static int give_up(struct ring_wait *wait, uint64_t turn, int64_t now_ns)
{
    *wait = (struct ring_wait){ turn, now_ns };
    return PDICT_BUSY;
}

/* Nothing can be on its way any more once the gate was seen free after `to` was. */
static int await_chain(const struct ring *ring, struct token from, struct token to,
                       struct ring_wait *wait, struct chain *chain)
{
    int64_t begun_ns = 0, now_ns;

    for (;;) {
        uint64_t turn = get(&ring->turn);

        if (find_chain(ring, from, to, chain))
            return PDICT_OK;
        if (turn % 2 == 0 || chain->last != 0)
            return PDICT_CONFLICT;
        now_ns = steady_ns();
        if (turn == wait->turn)
            return now_ns - wait->since_ns < BELIEVE_NS ? PDICT_BUSY : PDICT_CONFLICT;
        if (begun_ns == 0)
            begun_ns = now_ns;
        if (now_ns - begun_ns >= WAIT_NS)
            return give_up(wait, turn, now_ns);
        sched_yield();
    }
}

static bool are_intact(const struct ring *ring, const struct telling *telling)
{
    return get(&ring->used) - telling->first <= RING_HASHES;
}

/* False: it was overwritten meanwhile, or moved all keys. */
static bool hand_out(const struct ring *ring, uint64_t number,
                     void (*moved)(void *ctx, uint64_t hash), void *ctx)
{
    struct telling telling;

    if (!read_entry(ring, number, &telling) || telling.count > RING_MOST)
        return false;
    if (telling.count <= 1) {
        if (telling.count == 1)
            moved(ctx, telling.only);
        return true;
    }
    for (uint64_t i = 0; i < telling.count; i++)
        moved(ctx, get(&ring->hashes[(telling.first + i) % RING_HASHES]));
    return are_intact(ring, &telling);
}

int pdict__ring_walk(const struct ring *ring, struct token from, struct token to,
                     struct ring_wait *wait, void (*moved)(void *ctx, uint64_t hash), void *ctx)
{
    struct chain chain;
    int status = ring ? await_chain(ring, from, to, wait, &chain) : PDICT_CONFLICT;

    if (status != PDICT_OK)
        return status;
    for (uint64_t number = chain.first; number <= chain.last; number++) {
        if (!hand_out(ring, number, moved, ctx))
            return PDICT_CONFLICT;
    }
    return PDICT_OK;
}
