/* SPDX-License-Identifier: MIT */
/* Rows that a commit removes: what the caches have to know of them, and who hears of them. */
#ifndef PDICT_STORE_REMOVALS_H
#define PDICT_STORE_REMOVALS_H

#include <pdict/map.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/base.h"

/* ---- removals.c: rows that a commit removes ---- */

/* One that somebody wants to hear of. */
struct removal {
    uint32_t map;
    int why; /* enum pdict_removed_why */
    size_t key_size;
};

/* What is to be told when the gate is left. */
struct telling {
    struct buf removals; /* struct removal */
    struct buf keys;     /* one behind the other */
};

struct removals {
    struct buf hashes; /* of keys that nobody named, as in the ring */
    bool is_partial;   /* there was no memory for all: any row may be gone */
    struct telling telling;
    size_t kept_hashes, kept_removals, kept_keys; /* bytes, of what has been committed */
};

void pdict__removals_init(struct removals *removals, const pdict_allocator *allocator);
void pdict__removals_free(struct removals *removals);
void pdict__removals_clear(struct removals *removals);
/* A transaction was committed, or was not. */
void pdict__removals_keep(struct removals *removals);
void pdict__removals_undo(struct removals *removals);
size_t pdict__removals_count(const struct removals *removals);
const uint64_t *pdict__removals_hashes(const struct removals *removals);

/* ---- listeners.c: who hears of removals ---- */

struct listener {
    struct listener *next;
    uint32_t map;
    pdict_removed_fn fn;
    void *ctx;
    unsigned running; /* calls under way */
};

struct listeners {
    pthread_mutex_t lock;
    pthread_cond_t idle;
    struct listener *first;
    atomic_uint count;
};

void pdict__listeners_init(struct listeners *listeners);
void pdict__listeners_fork_child(struct listeners *listeners);
void pdict__listeners_destroy(struct listeners *listeners);
/* The listener is the caller's, and leaves before its memory goes. */
void pdict__listeners_join(struct listeners *listeners, struct listener *listener);
/* Waits for calls that are under way. */
void pdict__listeners_leave(struct listeners *listeners, struct listener *listener);
bool pdict__listeners_hear(struct listeners *listeners, uint32_t map);
/* Call them, with no lock held; the telling is empty then. */
void pdict__listeners_tell(struct listeners *listeners, struct telling *telling);

#endif
