/* SPDX-License-Identifier: MIT */
/* Policies that tell newcomers from regulars: S3-FIFO and W-TinyLFU. */
#include "policies/policy.h"

#include <stdlib.h>

enum where {
    NOWHERE,
    SMALL, /* S3-FIFO's probation; W-TinyLFU's window */
    MAIN,  /* S3-FIFO's main queue; W-TinyLFU's probation segment */
    GHOST, /* S3-FIFO: gone, but remembered */
    PROTECTED
};

/* ---- S3-FIFO (Yang and others, SOSP 2023): three queues, a tenth of the room for newcomers ---- */

struct s3 {
    struct links links;
    struct list small, main, ghost;
    uint32_t capacity;
    uint32_t small_room;
    unsigned char *where;
    unsigned char *uses; /* up to 3 */
};

void s3_destroy(void *self)
{
    struct s3 *cache = self;

    links_free(&cache->links);
    free(cache->where);
    free(cache->uses);
    free(cache);
}

void *s3_create(uint32_t n_ids, uint32_t capacity)
{
    struct s3 *cache = calloc(1, sizeof *cache);

    if (!cache)
        return NULL;
    cache->capacity = capacity;
    cache->small_room = capacity / 10 ? capacity / 10 : 1;
    cache->where = calloc((size_t)n_ids + 1, 1);
    cache->uses = calloc((size_t)n_ids + 1, 1);
    list_init(&cache->small);
    list_init(&cache->main);
    list_init(&cache->ghost);
    if (!links_make(&cache->links, n_ids) || !cache->where || !cache->uses) {
        s3_destroy(cache);
        return NULL;
    }
    return cache;
}

static void s3_to_main(struct s3 *cache, uint32_t id)
{
    list_push(&cache->links, &cache->main, id);
    cache->where[id] = MAIN;
    cache->uses[id] = 0;
}

static void s3_to_ghost(struct s3 *cache, uint32_t id)
{
    uint32_t oldest = cache->ghost.tail;

    if (cache->ghost.count >= cache->capacity - cache->small_room && oldest != NO_ID) {
        list_remove(&cache->links, &cache->ghost, oldest);
        cache->where[oldest] = NOWHERE;
    }
    list_push(&cache->links, &cache->ghost, id);
    cache->where[id] = GHOST;
}

static bool s3_evict_main(struct s3 *cache)
{
    while (cache->main.tail != NO_ID) {
        uint32_t id = cache->main.tail;

        list_remove(&cache->links, &cache->main, id);
        if (cache->uses[id] == 0) {
            cache->where[id] = NOWHERE;
            return true;
        }
        cache->uses[id]--;
        list_push(&cache->links, &cache->main, id);
    }
    return false;
}

/* Used more than once: worth the main queue. Else out, and remembered. */
static bool s3_evict_small(struct s3 *cache)
{
    while (cache->small.tail != NO_ID) {
        uint32_t id = cache->small.tail;

        list_remove(&cache->links, &cache->small, id);
        if (cache->uses[id] <= 1) {
            s3_to_ghost(cache, id);
            return true;
        }
        s3_to_main(cache, id);
    }
    return false;
}

static void s3_make_room(struct s3 *cache)
{
    while (cache->small.count + cache->main.count >= cache->capacity) {
        bool is_small_full = cache->small.count >= cache->small_room || cache->main.count == 0;

        if (!(is_small_full && s3_evict_small(cache)))
            s3_evict_main(cache);
    }
}

bool s3_access(void *self, uint32_t id)
{
    struct s3 *cache = self;

    if (cache->where[id] == SMALL || cache->where[id] == MAIN) {
        cache->uses[id] = cache->uses[id] < 3 ? cache->uses[id] + 1 : 3;
        return true;
    }
    s3_make_room(cache);
    if (cache->where[id] == GHOST) {
        list_remove(&cache->links, &cache->ghost, id);
        s3_to_main(cache, id);
    } else {
        list_push(&cache->links, &cache->small, id);
        cache->where[id] = SMALL;
        cache->uses[id] = 0;
    }
    return false;
}

/* ---- W-TinyLFU (Einziger and others, ACM ToS 2017): a window of a hundredth, then a contest by
 * frequency for a place among the regulars ---- */

#define SKETCH_ROWS 4

struct tiny {
    struct links links;
    struct list window, probation, protected;
    uint32_t window_room;
    uint32_t protected_room;
    uint32_t main_room;
    unsigned char *where;
    unsigned char *sketch; /* SKETCH_ROWS rows of `mask` + 1 counters up to 15 */
    uint32_t mask;
    uint64_t seen; /* since the counters were halved last */
    uint64_t period;
};

void tiny_destroy(void *self)
{
    struct tiny *cache = self;

    links_free(&cache->links);
    free(cache->where);
    free(cache->sketch);
    free(cache);
}

void *tiny_create(uint32_t n_ids, uint32_t capacity)
{
    struct tiny *cache = calloc(1, sizeof *cache);

    if (!cache)
        return NULL;
    cache->window_room = capacity / 100 ? capacity / 100 : 1;
    cache->main_room = capacity > cache->window_room ? capacity - cache->window_room : 1;
    cache->protected_room = cache->main_room * 4 / 5;
    for (cache->mask = 63; cache->mask < capacity * 4 && cache->mask < 1u << 28;)
        cache->mask = cache->mask * 2 + 1;
    cache->period = (uint64_t)capacity * 10;
    cache->where = calloc((size_t)n_ids + 1, 1);
    cache->sketch = calloc((size_t)(cache->mask + 1) * SKETCH_ROWS, 1);
    list_init(&cache->window);
    list_init(&cache->probation);
    list_init(&cache->protected);
    if (!links_make(&cache->links, n_ids) || !cache->where || !cache->sketch) {
        tiny_destroy(cache);
        return NULL;
    }
    return cache;
}

static unsigned char *counter(const struct tiny *cache, uint32_t id, unsigned row)
{
    uint64_t hash = bench_mix(((uint64_t)row + 1) << 40 | id);

    return cache->sketch + (size_t)row * (cache->mask + 1) + (hash & cache->mask);
}

static unsigned frequency(const struct tiny *cache, uint32_t id)
{
    unsigned least = 15;

    for (unsigned row = 0; row < SKETCH_ROWS; row++)
        least = *counter(cache, id, row) < least ? *counter(cache, id, row) : least;
    return least;
}

static void count_use(struct tiny *cache, uint32_t id)
{
    for (unsigned row = 0; row < SKETCH_ROWS; row++) {
        unsigned char *at = counter(cache, id, row);

        *at = *at < 15 ? *at + 1 : 15;
    }
    if (++cache->seen < cache->period)
        return;
    cache->seen = 0;
    for (size_t i = 0; i < (size_t)(cache->mask + 1) * SKETCH_ROWS; i++)
        cache->sketch[i] /= 2;
}

static void move(struct tiny *cache, struct list *from, struct list *to, uint32_t id, int where)
{
    list_remove(&cache->links, from, id);
    list_push(&cache->links, to, id);
    cache->where[id] = (unsigned char)where;
}

static void drop(struct tiny *cache, struct list *from, uint32_t id)
{
    list_remove(&cache->links, from, id);
    cache->where[id] = NOWHERE;
}

/* The oldest of the window against the oldest on probation: the more frequent stays. */
static void contest(struct tiny *cache)
{
    uint32_t candidate = cache->window.tail;
    uint32_t victim = cache->probation.tail;

    if (cache->probation.count + cache->protected.count < cache->main_room || victim == NO_ID) {
        move(cache, &cache->window, &cache->probation, candidate, MAIN);
    } else if (frequency(cache, candidate) > frequency(cache, victim)) {
        drop(cache, &cache->probation, victim);
        move(cache, &cache->window, &cache->probation, candidate, MAIN);
    } else {
        drop(cache, &cache->window, candidate);
    }
}

static void promote(struct tiny *cache, uint32_t id)
{
    move(cache, &cache->probation, &cache->protected, id, PROTECTED);
    if (cache->protected.count > cache->protected_room)
        move(cache, &cache->protected, &cache->probation, cache->protected.tail, MAIN);
}

bool tiny_access(void *self, uint32_t id)
{
    struct tiny *cache = self;

    count_use(cache, id);
    switch (cache->where[id]) {
    case SMALL:
        move(cache, &cache->window, &cache->window, id, SMALL);
        return true;
    case MAIN:
        promote(cache, id);
        return true;
    case PROTECTED:
        move(cache, &cache->protected, &cache->protected, id, PROTECTED);
        return true;
    default:
        list_push(&cache->links, &cache->window, id);
        cache->where[id] = SMALL;
        if (cache->window.count > cache->window_room)
            contest(cache);
        return false;
    }
}
