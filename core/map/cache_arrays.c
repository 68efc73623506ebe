/* SPDX-License-Identifier: MIT */
/* Memory for the buckets of a cache: it may go, but its addresses stay, for readers who are late. */
#include <sys/mman.h>

#include "map/cache.h"

/* Arrays from this size on are mapped, so that their memory can go while their addresses stay. */
#define MAPPED_FROM 4096

struct array {
    struct array *next;
    void *memory;
    size_t size;
    bool is_mapped;
};

static void *array_memory(struct cache *cache, struct array *array)
{
    array->is_mapped = array->size >= MAPPED_FROM && pdict__allocator_is_system(&cache->allocator);
    if (array->is_mapped) {
        array->memory =
            mmap(NULL, array->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return array->memory == MAP_FAILED ? NULL : array->memory;
    }
    array->memory =
        cache->allocator.allocate(cache->allocator.ctx, array->size + sizeof(struct bucket));
    if (!array->memory)
        return NULL;
    memset(array->memory, 0, array->size + sizeof(struct bucket));
    return (void *)(((uintptr_t)array->memory + 63) & ~(uintptr_t)63);
}

struct bucket *pdict__array_new(struct cache *cache, unsigned log)
{
    struct array *array = cache->allocator.allocate(cache->allocator.ctx, sizeof(*array));
    void *buckets = NULL;

    if (array) {
        array->size = sizeof(struct bucket) << log;
        buckets = array_memory(cache, array);
    }
    if (!buckets) {
        pdict__free(&cache->allocator, array);
        return NULL;
    }
    pthread_mutex_lock(&cache->arrays_lock);
    array->next = cache->arrays;
    cache->arrays = array;
    pthread_mutex_unlock(&cache->arrays_lock);
    atomic_fetch_add_explicit(&cache->bytes, array->size, memory_order_relaxed);
    return buckets;
}

/* What such a reader finds then must be buckets, and empty ones will do. */
void pdict__array_retire(struct cache *cache, const struct bucket *buckets)
{
    struct array *array;

    pthread_mutex_lock(&cache->arrays_lock);
    for (array = cache->arrays; array; array = array->next) {
        if (array->is_mapped && array->memory == buckets) {
            madvise(array->memory, array->size, MADV_DONTNEED);
            atomic_fetch_sub_explicit(&cache->bytes, array->size, memory_order_relaxed);
            break;
        }
    }
    pthread_mutex_unlock(&cache->arrays_lock);
}

void pdict__arrays_free(struct cache *cache)
{
    struct array *array;

    while ((array = cache->arrays)) {
        cache->arrays = array->next;
        if (array->is_mapped)
            munmap(array->memory, array->size);
        else
            pdict__free(&cache->allocator, array->memory);
        pdict__free(&cache->allocator, array);
    }
    pthread_mutex_destroy(&cache->arrays_lock);
}
