/* SPDX-License-Identifier: MIT */
/* Hazard slots: a thread names the memory it reads, and whoever frees such memory asks first. */
#ifndef PDICT_BASE_HAZARD_H
#define PDICT_BASE_HAZARD_H

#include <stdatomic.h>

#include "base/base.h"

/*
 * A reader stores a pointer into a slot and then looks again whether the memory is still linked; a
 * reclaimer unlinks, calls pdict__hazard_barrier() and then looks into all slots. The barrier runs
 * on every thread of the process, so the reader needs none: either the reclaimer sees the slot or
 * the reader sees that the memory is gone. A slot names memory until NULL is stored, by any thread.
 */

typedef _Atomic(void *) hazard_slot;

#define HAZARD_SLOTS 12

/* Slots of one thread, on cache lines of their own; a thread has as many blocks as it needs. */
struct hazards {
    hazard_slot slots[HAZARD_SLOTS];
    hazard_slot *spare;      /* the owner's: likely free, look here first */
    struct hazards *sibling; /* the owner's: the blocks of one thread form a circle */
    struct hazards *next;    /* in the list of all blocks, which only grows */
    uint32_t number;         /* of this block, from 0; spreads what threads count */
    unsigned fork_count;     /* of the process in which a thread took it */
};

#if defined(__GNUC__)
#define PDICT__NEAR_TLS __attribute__((tls_model("initial-exec")))
#else
#define PDICT__NEAR_TLS
#endif

/* The block this thread uses; NULL before its first read, or for good where the system has no such
 * barrier: then every read goes the long way, with a fence of its own. */
extern _Thread_local struct hazards *pdict__hazards PDICT__NEAR_TLS;

/* A free slot of this thread, for pdict__hazard_pin(); NULL: no memory for more. */
hazard_slot *pdict__hazard_take(void);

/* Name memory that may be unlinked at any time; then look again whether it is still linked. */
static inline void pdict__hazard_pin(hazard_slot *slot, void *memory)
{
    atomic_store_explicit(slot, memory, memory_order_seq_cst);
}

/* The same where pdict__hazards is not NULL. */
static inline void pdict__hazard_pin_fast(hazard_slot *slot, void *memory)
{
    atomic_store_explicit(slot, memory, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

static inline void pdict__hazard_release(hazard_slot *slot)
{
    atomic_store_explicit(slot, NULL, memory_order_release);
}

/* After unlinking and before looking into the slots. */
void pdict__hazard_barrier(void);

/* The next pointer that a slot names, or NULL behind the last. */
struct hazard_walk {
    const struct hazards *block;
    size_t at;
};

struct hazard_walk pdict__hazard_walk(void);
void *pdict__hazard_next(struct hazard_walk *walk);

/* For the fork handlers (fork.c). The views of the parent stay in the child, so its blocks do; the
 * child's one thread takes another. */
void pdict__hazards_fork_prepare(void);
void pdict__hazards_fork_parent(void);
void pdict__hazards_fork_child(void);

#endif
