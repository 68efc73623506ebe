/* SPDX-License-Identifier: MIT */
/* Work that nobody waits for, on one background thread of the process or when it is asked for. */
#ifndef PDICT_BASE_CHORES_H
#define PDICT_BASE_CHORES_H

#include "base/base.h"

/*
 * The thread starts with the first chore that is not manual and ends with the last one. It is
 * called "pdict" and takes no signals. Chores run one after the other, each a bounded bit of work
 * (some ten milliseconds at most, but some hundred for the training of a dictionary), so that none
 * keeps the others waiting. No lock of this file is held while one runs; it may wake chores, but
 * neither add nor remove them.
 */
struct chore {
    const char *name;  /* static */
    const void *owner; /* what pdict__chores_run() is told: the store */
    bool is_manual;    /* the thread leaves it alone */
    int64_t first_ms;  /* until the thread runs it for the first time */
    /* A bit of the work. Returns in how many ms it wants to run again; 0: there is more to do;
     * -1: once it is woken. */
    int64_t (*run)(void *ctx);
    void *ctx;

    /* Private to chores.c, under its lock; zero before it is added. */
    struct chore *next;
    int64_t due_ms; /* steady clock */
    uint64_t pass;  /* of pdict__chores_run() */
    bool is_running, is_woken, is_leaving;
};

/* The chore stays where it is in memory until it is removed. PDICT_NOMEM: the thread could not be started, and nothing is added. */
int pdict__chore_add(struct chore *chore);
/* Run it soon, whatever it returned. Takes a lock: not for every get or put. Any thread. */
void pdict__chore_wake(struct chore *chore);
/* When this returns it does not run and never will; a chore that was not added is fine. */
void pdict__chore_remove(struct chore *chore);
/* Run the chores of `owner`, due or not, on this thread: each once, and those with more to do again
 * until `budget_ms` are used up. One that runs on another thread is left out. */
void pdict__chores_run(const void *owner, int64_t budget_ms);

/* For the fork handlers (fork.c). After hold no chore begins; one that runs is inside a call.
 * prepare locks until parent or child. The child has no thread: it starts again with the next chore
 * that is added or woken there, or when it is told to go on. */
void pdict__chores_fork_hold(void);
void pdict__chores_fork_prepare(void);
void pdict__chores_fork_parent(bool was_held);
void pdict__chores_fork_child(void);
void pdict__chores_go_on(void);

#endif
