/* SPDX-License-Identifier: MIT */
/* Cache policies on traces: each says, access by access, whether the cache would have answered. */
#ifndef BENCH_POLICY_H
#define BENCH_POLICY_H

#include "measure/measure.h"
#include "tool/tool.h"

/** Accesses as dense ids, so that policies keep their state in arrays. */
struct trace {
    char name[64];
    uint32_t *ids; /**< owned */
    size_t count;
    size_t room;
    uint32_t n_ids;
};

/* trace.c */
int trace_add(struct trace *trace, uint32_t id);
/** A file: a key a line, or JSON lines with "key". */
int trace_read(const char *path, struct trace *out);
/** Zipf 0.99 over `keys`; with scans: one access in five belongs to a walk over all keys. */
int trace_make(uint64_t keys, size_t count, uint64_t seed, bool has_scans, struct trace *out);
void trace_free(struct trace *trace);

/** A cache of `capacity` entries over ids below `n_ids`. */
struct policy {
    const char *name;
    void *(*create)(uint32_t n_ids, uint32_t capacity); /**< NULL: out of memory */
    bool (*access)(void *self, uint32_t id);            /**< true: it was there */
    void (*destroy)(void *self);
};

extern const struct policy policies[]; /**< ends with a NULL name */

/** The hit ratio of a policy on a trace; the first fifth warms it up. */
int policy_simulate(const struct trace *trace, const struct policy *policy, uint32_t capacity,
                    double *hit_ratio);

/* ---- lists.c: doubly linked lists of ids in shared arrays ------------------------------------ */

#define NO_ID UINT32_MAX

struct links {
    uint32_t *next;
    uint32_t *prev;
};

struct list {
    uint32_t head; /**< the newest */
    uint32_t tail;
    uint32_t count;
};

bool links_make(struct links *links, uint32_t n_ids);
void links_free(struct links *links);
void list_init(struct list *list);
void list_push(struct links *links, struct list *list, uint32_t id);
void list_remove(struct links *links, struct list *list, uint32_t id);

/* simple.c: fifo, lru, sieve; adaptive.c: s3-fifo, w-tinylfu */
void *fifo_create(uint32_t n_ids, uint32_t capacity);
bool fifo_access(void *self, uint32_t id);
bool lru_access(void *self, uint32_t id);
bool sieve_access(void *self, uint32_t id);
void fifo_destroy(void *self);
void *s3_create(uint32_t n_ids, uint32_t capacity);
bool s3_access(void *self, uint32_t id);
void s3_destroy(void *self);
void *tiny_create(uint32_t n_ids, uint32_t capacity);
bool tiny_access(void *self, uint32_t id);
void tiny_destroy(void *self);

#endif
