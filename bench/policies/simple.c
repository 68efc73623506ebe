/* SPDX-License-Identifier: MIT */
/* Policies of one list: FIFO, LRU, SIEVE. */
#include "policies/policy.h"

#include <stdlib.h>

struct simple {
    struct links links;
    struct list list;
    uint32_t capacity;
    uint32_t hand; /* SIEVE: where the search for a victim goes on */
    bool *is_held;
    bool *is_visited;
};

void fifo_destroy(void *self)
{
    struct simple *cache = self;

    links_free(&cache->links);
    free(cache->is_held);
    free(cache->is_visited);
    free(cache);
}

void *fifo_create(uint32_t n_ids, uint32_t capacity)
{
    struct simple *cache = calloc(1, sizeof *cache);

    if (!cache)
        return NULL;
    cache->capacity = capacity;
    cache->hand = NO_ID;
    cache->is_held = calloc((size_t)n_ids + 1, sizeof *cache->is_held);
    cache->is_visited = calloc((size_t)n_ids + 1, sizeof *cache->is_visited);
    list_init(&cache->list);
    if (!links_make(&cache->links, n_ids) || !cache->is_held || !cache->is_visited) {
        fifo_destroy(cache);
        return NULL;
    }
    return cache;
}

static void evict(struct simple *cache, uint32_t id)
{
    list_remove(&cache->links, &cache->list, id);
    cache->is_held[id] = false;
}

static void insert(struct simple *cache, uint32_t id)
{
    list_push(&cache->links, &cache->list, id);
    cache->is_held[id] = true;
    cache->is_visited[id] = false;
}

bool fifo_access(void *self, uint32_t id)
{
    struct simple *cache = self;

    if (cache->is_held[id])
        return true;
    if (cache->list.count == cache->capacity)
        evict(cache, cache->list.tail);
    insert(cache, id);
    return false;
}

bool lru_access(void *self, uint32_t id)
{
    struct simple *cache = self;

    if (!cache->is_held[id])
        return fifo_access(self, id);
    list_remove(&cache->links, &cache->list, id);
    list_push(&cache->links, &cache->list, id);
    return true;
}

/* Zhang and others, NSDI 2024: the hand walks from the oldest, spares the visited once, and the
 * entries stay where they are. */
static void sieve_evict(struct simple *cache)
{
    uint32_t at = cache->hand != NO_ID ? cache->hand : cache->list.tail;

    while (cache->is_visited[at]) {
        cache->is_visited[at] = false;
        at = cache->links.prev[at] != NO_ID ? cache->links.prev[at] : cache->list.tail;
    }
    cache->hand = cache->links.prev[at];
    evict(cache, at);
}

bool sieve_access(void *self, uint32_t id)
{
    struct simple *cache = self;

    if (cache->is_held[id]) {
        cache->is_visited[id] = true;
        return true;
    }
    if (cache->list.count == cache->capacity)
        sieve_evict(cache);
    insert(cache, id);
    return false;
}
