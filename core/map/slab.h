/* SPDX-License-Identifier: MIT */
/* Memory for many small pieces of any size that come and go, with little beside them. */
#ifndef PDICT_MAP_SLAB_H
#define PDICT_MAP_SLAB_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/base.h"

/* Pieces of up to SLAB_MOST bytes; one list of spans with free pieces for each class of sizes. */
#define SLAB_MOST    8192
#define SLAB_CLASSES 176

/* The size of a huge page. */
#define CHUNK_SIZE ((size_t)2 << 20)

/* Memory of CHUNK_SIZE, aligned to it; munmap() it. NULL: none. */
void *pdict__chunk_map(void);

struct span;
struct chunk;

struct slab {
    pthread_mutex_t lock;
    const pdict_allocator *allocator;
    bool is_plain; /* every piece is an allocation of its own */
    struct span *partial[SLAB_CLASSES];
    struct span *unused; /* spans that no class has */
    struct chunk *chunks;
    size_t n_chunks;
    atomic_size_t held; /* bytes of spans that a class has, and of large pieces */
};

void pdict__slab_init(struct slab *slab, const pdict_allocator *allocator);
/* Gives back all memory; every piece is free. */
void pdict__slab_destroy(struct slab *slab);
/* 8-byte aligned; NULL: no memory, without an error text. */
void *pdict__slab_take(struct slab *slab, size_t size);
void pdict__slab_give(struct slab *slab, void *piece, size_t size);
/* What a piece of this size takes. */
size_t pdict__slab_charge(const struct slab *slab, size_t size);

#endif
