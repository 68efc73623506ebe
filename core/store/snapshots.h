/* SPDX-License-Identifier: MIT */
/* Snapshots of a store: those of one read, those kept for the next, those held between calls. */
#ifndef PDICT_STORE_SNAPSHOTS_H
#define PDICT_STORE_SNAPSHOTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/ring.h"

struct store;

/* ---- reader.c: snapshots, and the engine's readers that hold them ---- */

#define SNAPSHOTS 128 /* at a time without asking for memory */

enum snapshot_state {
    SNAPSHOT_NONE,  /* there is no reader */
    SNAPSHOT_RESTS, /* a reader without a snapshot */
    SNAPSHOT_KEPT,  /* one whose snapshot may still be the newest */
    SNAPSHOT_USED   /* of one thread */
};

/*
 * A reader of the engine. Its snapshot may be used again, where to begin one is dear, as long as the
 * change token is its tag: the token was read before the snapshot began, so no commit has become
 * visible that it does not hold.
 */
struct snapshot {
    atomic_uint state; /* enum snapshot_state; who moves it to USED owns the rest */
    unsigned n_begun;
    _Atomic(void *) reader;
    _Atomic int64_t begun_ms; /* steady clock, coarse */
    _Atomic int64_t used_ms;  /* of a kept one: until then */
    struct token tag;
    struct snapshot *next; /* beyond the first SNAPSHOTS, under pool_lock */
};

/* When a kept snapshot goes, so that no log grows on its account; set before there are readers. */
struct keeping {
    bool is_on;
    _Atomic int64_t idle_ms, age_ms; /* these are changed by tests, while a thread looks */
    _Atomic uint64_t log_bytes;
};

/* ---- reaper.c: nothing that nobody uses keeps a log from being folded in ---- */

/*
 * A snapshot that is held between calls, by a transaction or an iterator. It is lost when it has
 * grown old and the log has grown too large: then everything that needs it is PDICT_CONFLICT.
 */
enum hold_state {
    HOLD_NONE,
    HOLD_RESTS,  /* no call is inside */
    HOLD_INSIDE, /* its thread is in a call */
    HOLD_LEAVES, /* is being lost */
    HOLD_LOST
};

struct hold {
    atomic_uint state; /* enum hold_state */
    unsigned depth;    /* calls may call others */
    void *reader;
    int64_t begun_ms;                /* steady clock */
    void (*lose)(struct hold *hold); /* ends what lies on the snapshot, not the snapshot; or NULL */
    bool has_gate; /* of an exclusive transaction, which only this thread leaves */
    pthread_t thread;
    struct hold *next; /* under pool_lock, as are the links to it */
};

struct holding {
    _Atomic int64_t age_ms; /* as above */
    _Atomic uint64_t log_bytes;
};

/* ---- reader.c ---- */

/* As it is with nothing injected; the stack and the words are known. */
void pdict__readers_init(struct store *store, const pdict_backend *base);
/* Begin a snapshot of the store as it is now; `reader` serves as `txn` in the backend's calls. */
int pdict__read_begin(struct store *store, void **reader);
/* The same for who has entered the store, and does not leave it but by read_end. */
int pdict__read_begin_inside(struct store *store, void **reader);
void pdict__read_end(struct store *store, void *reader);
/* The same inside a call, for what outlasts it: a hold. */
int pdict__reader_begin(struct store *store, void **reader);
void pdict__reader_end(struct store *store, void *reader);
/* End the snapshots that are kept: all of them, or those that have been long enough by `now_ms` on
 * the coarse steady clock. Returns how many; *left: how many are still kept. */
size_t pdict__readers_release(struct store *store);
size_t pdict__readers_reap(struct store *store, int64_t now_ms, size_t *left);
/* Close the readers that are not in use. */
void pdict__readers_trim(struct store *store);
/* When the oldest snapshot began that is open, on the coarse steady clock; INT64_MAX: there is none. */
int64_t pdict__readers_oldest_ms(struct store *store);

/* ---- reaper.c ---- */

/* Begin a snapshot to be held between calls; `lose` is set. All of these inside a call. */
int pdict__hold_begin(struct store *store, struct hold *hold);
/* Around everything that uses it. PDICT_CONFLICT (expected): it is lost. */
int pdict__hold_enter(struct hold *hold, void **reader);
void pdict__hold_leave(struct hold *hold);
/* Once it is not inside; one that was not begun is fine. */
void pdict__hold_end(struct store *store, struct hold *hold);
bool pdict__hold_is_lost(const struct hold *hold);
/* With nobody inside a call, for a fork. */
void pdict__holds_lose(struct store *store);
/* Is there somebody to look after what is kept and held? If not, try to get one. */
bool pdict__reaper_start(struct store *store);
/* Something is kept or held from now on; it was started. */
void pdict__reaper_wake(struct store *store);
/* What it does now and then, at a time of the coarse steady clock; how many are still kept. */
size_t pdict__reaper_tick(struct store *store, int64_t now_ms);

#endif
