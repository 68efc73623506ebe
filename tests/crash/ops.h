/* SPDX-License-Identifier: MIT */
/* Seeded operations on one map, what they leave behind, and reading it back. */
#ifndef PDICT_CRASH_OPS_H
#define PDICT_CRASH_OPS_H

#include <pdict/pdict.h>

#define KEYS  12 /* of a map */
#define BATCH 8  /* keys of one operation */

/* The map that all writers share; others are called "lane-N" and have one writer each. */
#define SHARED_MAP "shared"

enum op_kind {
    OP_PUT,
    OP_PUT_MANY,
    OP_DEL,
    OP_DEL_MANY,
    OP_PUT_IF_VERSION,
    OP_CLEAR,
    OP_SYNC,
    OP_COUNT_UP, /* a counter of the shared map, by put-if-version */
    OP_COMPACT,
    OP_BACKUP,
    OP_MIGRATE,
    OP_RECODE, /* a new data key, where there is one */
    OP_SWEEP,  /* entries that expire, and their end */
    OP_TRAIN,  /* a dictionary, where the compressor takes one */
    OP_GROW,   /* a value for which LMDB has to map more */
    OP_KINDS
};

/* Everything about an operation, so that two processes mean the same by it. */
struct op {
    uint32_t kind;   /* enum op_kind */
    uint32_t count;  /* of keys */
    uint64_t number; /* from 1; what is put says it */
    uint8_t keys[BATCH];
};

/* What a map holds: for each key the number of the operation that put it, or 0. */
struct model {
    uint64_t numbers[KEYS];
};

/* How a store is opened. */
struct setup {
    const char *backend;
    const char *codecs;
    const char *durability;
    char path[512];
};

/* A map, with what the operations need beside it. */
struct lane {
    const struct setup *setup;
    const pdict_allocator *allocator; /* NULL: the usual one */
    unsigned number;
    pdict_store *store;
    pdict *d;
    pdict *shared;
    uint64_t counters[KEYS]; /* the most that was seen of each */
};

uint64_t next_random(uint64_t *state);
/* A number from 0 to below - 1. */
uint64_t random_below(uint64_t *state, uint64_t below);

/* The same for the same arguments. `mix` is a mask of 1 << enum op_kind. */
void op_make(uint64_t seed, uint64_t number, unsigned mix, struct op *out);
const char *op_name(const struct op *op);
void model_apply(struct model *model, const struct op *op);
bool model_equal(const struct model *a, const struct model *b);

/* Options of every open: the clock, and the key where the codecs need one. */
pdict_options setup_options(const struct setup *setup);
/* "BACKEND:PATH?codecs=...&durability=...&map=MAP" or, for NULL, that of the store. Static. */
const char *setup_uri(const struct setup *setup, const char *map);

/* Open the map of a lane; waits while the store is being compacted. */
int lane_open(struct lane *lane, const struct setup *setup, unsigned number,
              const pdict_allocator *allocator);
void lane_close(struct lane *lane);
/* Do it. PDICT_BUSY: nothing was done to what the models describe. */
int op_do(struct lane *lane, const struct op *op);
/* The same of those from OP_COMPACT on, of which the models know nothing. */
int upkeep_do(struct lane *lane, const struct op *op);
/* The time, and what sweeps have added to it. */
int64_t op_clock(void *ctx);

/*
 * Read a map by walking it, and each key of it once more by itself. PDICT_DAMAGED, with a text:
 * the walk, the gets and the count disagree, or a value is not what any operation put.
 */
int model_read(pdict *d, struct model *out);
/* The counters of the shared map. */
int counters_read(pdict *shared, uint64_t counters[KEYS]);
/* What sweeps and growth have left in the shared map; PDICT_DAMAGED: none of it was put. */
int rest_read(pdict *shared);
/* pdict_verify() of everything; PDICT_DAMAGED, with a text, when it finds something. */
int verify_all(const struct setup *setup, pdict_store *store);

/* Remove a store with all its files. */
void remove_files(const char *path);

#endif
