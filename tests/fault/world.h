/* SPDX-License-Identifier: MIT */
/* A small store with something of everything, and one call of the API at a time to try on it. */
#ifndef PDICT_TEST_WORLD_H
#define PDICT_TEST_WORLD_H

#include <pdict/pdict.h>
#include <stdatomic.h>

#include "fault.h"
#include "test.h"

/* How the store is kept. */
struct setup {
    const char *backend;
    const char *codecs;
    bool is_persistent;
    bool is_sealed;
};

/* The first two are in memory, the others in files. */
extern const struct setup setups[];
extern const size_t n_setups;

bool setup_is_built(const struct setup *setup);

/* An allocator that counts, and fails when it is told to. */
struct memory {
    atomic_ulong n_calls;
    atomic_long n_live;
    atomic_ulong n_failed;
    unsigned long fail_at; /* from 1; 0: never */
    bool is_onward;
};

/* The value of key00 to key19 in the map "main". */
extern const char world_value[];

struct world {
    const struct setup *setup;
    char path[1024]; /* as the layer knows it */
    pdict_options options;
    struct memory memory;
    pdict_store *store;
    pdict *d; /* of the map "main"; the map "spare" is not open */
};

/* A new store with its maps and entries, open. */
void world_make(struct world *w, const struct setup *setup);
void world_open(struct world *w);
/* Nothing allocated for it is left. */
void world_close(struct world *w);
/* Close it, and make another. */
void world_renew(struct world *w);
/* Open a map of it; `more` is put behind the URI. */
int world_open_map(struct world *w, const char *more, pdict **out);

/* Everything in it as text, without versions and times of creation. Valid for the test. */
const char *world_text(struct world *w);
/* Reading and writing work. */
void world_check_works(struct world *w);

/* A call of the API that returns its first failure, and otherwise checks what it got. */
struct step {
    const char *name;
    int (*run)(struct world *w);
    bool is_write;
    bool is_more_than_a_commit; /* it may fail after its commit, which then stays */
    bool needs_order;           /* of keys, which a map that hides them has not */
};

extern const struct step steps[];
extern const size_t n_steps;

bool step_suits(const struct step *step, const struct setup *setup);
/* What the store holds after a step without any fault. */
const char *step_result(const struct setup *setup, const struct step *step);

#endif
