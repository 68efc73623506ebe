/* SPDX-License-Identifier: MIT */
/* What happens around a fork, so that both processes can go on with what was open before it. */
#ifndef PDICT_BASE_FORK_H
#define PDICT_BASE_FORK_H

#include <stdatomic.h>

#include "base/base.h"

/*
 * A fork is served when the forking thread is outside and all others come to the end of their
 * calls within two seconds (calls.h). Then no thread is inside while the hooks run and until the
 * fork has passed. Otherwise only `child` is called, in the child, and nothing that the parent had
 * open can be used there.
 */
struct fork_hooks {
    /* May the fork be served now? False: calls have to go on first. NULL: always. */
    bool (*is_ready)(void);
    void (*prepare)(void);
    void (*parent)(void); /* NULL: nothing to do */
    void (*child)(bool is_served);
    struct fork_hooks *next; /* private to fork.c */
};

/* Static, and added once; later ones are prepared first. */
void pdict__fork_hook(struct fork_hooks *hooks);

/* Do what a fork does in the parent, without one: run `work` while nobody is inside, and no chore runs.
 * False: this thread is inside itself, others stay there, or `work` says so. */
bool pdict__at_rest(bool (*work)(void *ctx), void *ctx);

/* The fork count, where it can be read faster; set once pdict__fork_count() was called. The page it
 * lies on is wiped in every child, and the handlers write it again. */
extern const atomic_uint *pdict__fork_count_at;

static inline unsigned pdict__fork_count_now(void)
{
    return atomic_load_explicit(pdict__fork_count_at, memory_order_relaxed);
}

/* Ask the system to wipe these pages in every child, or no longer; false: it cannot. */
bool pdict__fork_wipes(void *memory, size_t size, bool wipes);

#endif
