/* SPDX-License-Identifier: MIT */
/* The store of the memory backend, and its part of the vtable that works on rows. */
#ifndef PDICT_BACKENDS_MEMORY_STORE_H
#define PDICT_BACKENDS_MEMORY_STORE_H

#include "tree.h"

#include <pthread.h>

/* A reader or the write transaction: what a `txn` points to. */
struct view {
    struct state *state;
};

struct store {
    struct heap heap;
    bool is_read_only;
    pthread_mutex_t lock; /* over `current` */
    struct state *current;
    struct view writer;
    uint64_t last_id; /* neither this nor last_map is taken back by an abort */
    uint32_t last_map;
    _Atomic uint64_t words[2];
};

static inline int no_memory(const char *what)
{
    return pdict_fail(PDICT_NOMEM, "memory: no memory for %s; free some and try again", what);
}

static inline int no_map(uint32_t map)
{
    return pdict_fail(PDICT_NO_MAP, "memory: map number %u was dropped; open the map again", map);
}

static inline struct state *state_of(void *txn)
{
    return ((struct view *)txn)->state;
}

enum {
    TAKE_OUT_EDITS = 5
};

static inline struct item *find_map(const struct state *state, uint32_t map)
{
    return pdict__memory_find(state, MAPS_BY_NUMBER, &(struct item){ .map = map });
}

/* Takes a row and its access time out of all trees: TAKE_OUT_EDITS at most. */
void pdict__memory_take_out_row(struct store *store, struct state *state, const struct item *row);

int pdict__memory_get(void *self, void *txn, uint32_t map, pdict_slice key, pdict_row *row);
int pdict__memory_apply(void *self, void *txn, uint32_t map, pdict_change *changes, size_t count,
                        int64_t now_ms);
int pdict__memory_count(void *self, void *txn, uint32_t map, int64_t now_ms, uint64_t *count);
int pdict__memory_scan_open(void *self, void *txn, uint32_t map, const pdict_scan *scan,
                            void **cursor);
int pdict__memory_scan_next(void *self, void *cursor, pdict_row *row);
void pdict__memory_scan_close(void *self, void *cursor);
int pdict__memory_access_put(void *self, void *txn, uint32_t map, const pdict_access *items,
                             size_t count);
int pdict__memory_access_get(void *self, void *txn, uint32_t map, uint64_t id,
                             int64_t *accessed_ms);

#endif
