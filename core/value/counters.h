/* SPDX-License-Identifier: MIT */
/* What the stages of a pipeline have done: each bench counts for itself, readers add up. */
#ifndef PDICT_VALUE_COUNTERS_H
#define PDICT_VALUE_COUNTERS_H

#include <stdatomic.h>
#include <time.h>

#include "base/base.h"

enum stage {
    STAGE_ENCODE, /* all of it, from a value to a record */
    STAGE_CHECK,
    STAGE_COMPRESS,
    STAGE_SEAL, /* cipher or checksum */
    STAGE_DECODE,
    STAGE_OPEN,
    STAGE_DECOMPRESS,
    STAGES
};

/* One of so many records of a bench is timed: two clock readings cost about 50 ns. */
#define TIMED_EVERY 32

/* Written by the one thread that has the bench, read by any. */
struct stage_count {
    _Atomic(uint64_t) records, bytes_in, bytes_out;
    _Atomic(uint64_t) timed, nanoseconds; /* of these records, and what they took */
};

struct counters {
    struct stage_count stages[STAGES];
    uint32_t turn;
    bool is_timed; /* the record under way */
};

/* Sums, without atomics. */
struct stage_sum {
    uint64_t records, bytes_in, bytes_out, timed, nanoseconds;
};

static inline uint64_t pdict__counters_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A record begins. */
static inline void pdict__counters_turn(struct counters *counters)
{
    counters->is_timed = counters->turn++ % TIMED_EVERY == 0;
}

static inline uint64_t pdict__stage_begin(const struct counters *counters)
{
    return counters->is_timed ? pdict__counters_clock() : 0;
}

static inline void pdict__count(_Atomic(uint64_t) *counter, uint64_t more)
{
    uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, before + more, memory_order_relaxed);
}

static inline void pdict__stage_end(struct counters *counters, enum stage stage, uint64_t began,
                                    size_t bytes_in, size_t bytes_out)
{
    struct stage_count *count = &counters->stages[stage];

    pdict__count(&count->records, 1);
    pdict__count(&count->bytes_in, bytes_in);
    pdict__count(&count->bytes_out, bytes_out);
    if (!counters->is_timed)
        return;
    pdict__count(&count->timed, 1);
    pdict__count(&count->nanoseconds, pdict__counters_clock() - began);
}

static inline void pdict__counters_add(const struct counters *counters, struct stage_sum *sums)
{
    for (int i = 0; i < STAGES; i++) {
        const struct stage_count *count = &counters->stages[i];

        sums[i].records += atomic_load_explicit(&count->records, memory_order_relaxed);
        sums[i].bytes_in += atomic_load_explicit(&count->bytes_in, memory_order_relaxed);
        sums[i].bytes_out += atomic_load_explicit(&count->bytes_out, memory_order_relaxed);
        sums[i].timed += atomic_load_explicit(&count->timed, memory_order_relaxed);
        sums[i].nanoseconds += atomic_load_explicit(&count->nanoseconds, memory_order_relaxed);
    }
}

#endif
