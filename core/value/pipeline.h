/* SPDX-License-Identifier: MIT */
/* A pipeline and its benches in memory, shared by encode.c, decode.c and bench.c. */
#ifndef PDICT_VALUE_PIPELINE_H
#define PDICT_VALUE_PIPELINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "value/value.h"

#define IDLE_BENCHES 16

/* A compressor that was opened; lives as long as the pipeline. */
struct compressor {
    const pdict_codec *codec;
    uint64_t options_hash;
    void *self;
    size_t smallest; /* of the writer: values below are stored as they are, */
    unsigned gain;   /* and what shrinks by less than so many percent */
    struct compressor *next;
};

/* Working memory of one bench for one compressor. */
struct context {
    const struct compressor *compressor;
    void *memory;
    struct context *next;
};

struct dictionary; /* dictionary.h */

/*
 * How values are encoded now, and which records are read. Never changes: other settings are another
 * generation. A call keeps to the one of its bench, the pipeline keeps all it has had.
 */
struct generation {
    _Atomic uint64_t number; /* of the settings it was made of; 0: there are no others */
    const pdict_serializer *serializer;
    const pdict_cipher *cipher; /* of new records; NULL: not encrypted */
    struct keyring *ring;
    struct record_header header; /* what all new records have in common */
    size_t payload_at;           /* in a new record */
    size_t trailer_size;         /* of a new record: tag or checksum */
    struct compressor *writer;   /* of new records; NULL: none */
    /* Of the records that are read: */
    bool takes_plain;
    bool takes_unchecked;                    /* of plain ones, those without a checksum */
    uint8_t sealed_id;                       /* of the cipher of sealed ones; 0: none is taken */
    const pdict_cipher *opener;              /* that cipher */
    uint8_t from_id;                         /* a serializer that is taken too; 0: none */
    const pdict_serializer *from_serializer; /* that serializer */
    struct generation *before;
};

struct workbench {
    struct buf bound;  /* the bytes that tag or checksum bind */
    struct buf record; /* encode: the record; never plaintext of an encrypted map after success */
    struct buf packed; /* decode: opened, still compressed; `size` is the most used since taken */
    struct buf value;  /* decode: the value; `size` as in packed */
    pdict_slice name;  /* decode: in packed; only where names are hidden */
    struct buf turned; /* decode: the value in another serializer; `size` as in packed */
    struct context *contexts;
    struct generation_ref settings;
    struct counters counters;
    struct workbench *next; /* of all benches, under benches_lock */
};

/* A cache line each, so that threads at neighbouring places do not slow each other. */
struct idle_place {
    _Atomic(struct workbench *) bench;
    char padding[64 - sizeof(_Atomic(struct workbench *))];
};

struct pipeline {
    const pdict_allocator *allocator;
    uint8_t map_id[MAP_ID_SIZE];
    uint64_t max_value;
    _Atomic(struct generation *) current;
    /* Wipes what was plaintext; NULL: no generation was encrypted. Set once. */
    _Atomic(const pdict_cipher *) wiper;

    /* All opened ones, writers included: read without the lock, pushed under it. */
    _Atomic(struct compressor *) compressors;
    pthread_mutex_t opening;

    /* Newest first: read without the lock, pushed under it, freed with the pipeline. */
    _Atomic(struct dictionary *) dictionaries;
    atomic_bool has_dictionaries; /* what is stored was read once */
    int (*read_dictionaries)(void *ctx, struct buf *out);
    int (*refresh)(void *ctx);
    void *ctx; /* of both */

    pthread_mutex_t benches_lock;  /* held for a few instructions, nothing is taken under it */
    struct workbench *benches;     /* all there are */
    struct stage_sum sums[STAGES]; /* of those that were freed */

    struct idle_place idle[IDLE_BENCHES];
};

static inline struct generation *pdict__generation_of(const struct pipeline *pipeline)
{
    return atomic_load_explicit(&pipeline->current, memory_order_acquire);
}

static inline const pdict_cipher *pdict__wiper(const struct pipeline *pipeline)
{
    return atomic_load_explicit(&pipeline->wiper, memory_order_acquire);
}

/* Open a compressor; only by the thread that opens the pipeline or holds `opening`. */
int pdict__compressor_open(struct pipeline *pipeline, const pdict_codec *codec,
                           const pdict_option_value *options, struct compressor **out);
/* The opened compressor with this id, opened now if it is the first record of its kind. */
int pdict__compressor_for_reading(struct pipeline *pipeline, uint8_t id, struct compressor **out);

/* The bytes that tag or checksum bind, in the bench until its next use. */
static inline int pdict__bound_bytes(const struct pipeline *pipeline, struct workbench *bench,
                                     const void *header_bytes, const struct binding *binding,
                                     pdict_slice *out)
{
    int status;

    bench->bound.size = 0;
    status = pdict__record_bound(pipeline->map_id, header_bytes, binding, &bench->bound);
    *out = (pdict_slice){ bench->bound.data, bench->bound.size };
    return status;
}

/* Says that a value of this size is over the map's limit. */
int pdict__value_too_big(const struct pipeline *pipeline, size_t size);

/* Overwrite what may be plaintext: for good in an encrypted map. */
void pdict__pipeline_erase(const struct pipeline *pipeline, void *memory, size_t size);

/* What stands before a value in the payload of a map that hides names, else nothing. */
size_t pdict__name_room(const struct pipeline *pipeline, pdict_slice name);
void pdict__name_write(pdict_slice name, uint8_t *out);
/* Take it off an opened payload: `key` is that of the row. PDICT_FORMAT. */
int pdict__name_read(const struct pipeline *pipeline, const struct record_header *header,
                     pdict_slice key, pdict_slice *payload, pdict_slice *name);
/* turn.c: bytes of one serializer into those of another, in the bench until its next use. */
int pdict__turn(struct pipeline *pipeline, struct workbench *bench, const pdict_serializer *from,
                const pdict_serializer *to, pdict_slice bytes, pdict_slice *out);

/* Room for `size` bytes in one of the bench's buffers; its old content is gone. */
int pdict__bench_room(const struct pipeline *pipeline, struct buf *buf, size_t size);
/* Erase what a decode that failed may have left. */
void pdict__bench_erase(const struct pipeline *pipeline, struct workbench *bench);
/* The working memory for a compressor, made at its first use. */
int pdict__bench_context(const struct pipeline *pipeline, struct workbench *bench,
                         const struct compressor *compressor, void **memory);

#endif
