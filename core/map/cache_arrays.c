/* SPDX-License-Identifier: MIT */
/* Memory for the buckets of a cache: it may go, but its addresses stay, for readers who are late. */
#include "map/cache.h"

#include <sys/mman.h>

/* Arrays from this size on are mapped, so that their memory can go while their addresses stay. */
#define MAPPED_FROM 4096

/* A cache that is larger has its buckets in huge pages, as it has its entries. */
#define HUGE_FROM ((size_t)16 << 20)

struct array {
    struct array *next;
    const void *buckets; /* NULL: a chunk, of which arrays are cut */
    void *memory;        /* to be freed; NULL: it is part of a chunk */
    size_t size;
    bool is_mapped;
};

static struct array *add_array(struct cache *cache, void *memory, size_t size, bool is_mapped)
{
    struct array *array = cache->allocator.allocate(cache->allocator.ctx, sizeof(*array));

    if (!array)
        return NULL;
    *array = (struct array){ cache->arrays, NULL, memory, size, is_mapped };
    cache->arrays = array;
    return array;
}

static bool add_chunk(struct cache *cache)
{
    char *chunk = pdict__chunk_map();

    if (!chunk)
        return false;
    if (!add_array(cache, chunk, CHUNK_SIZE, true)) {
        munmap(chunk, CHUNK_SIZE);
        return false;
    }
    if (atomic_load_explicit(&cache->bytes, memory_order_relaxed) >= HUGE_FROM)
        madvise(chunk, CHUNK_SIZE, MADV_HUGEPAGE);
    cache->chunk = chunk;
    cache->chunk_left = CHUNK_SIZE;
    return true;
}

/* The shards grow at about the same time, and their arrays lie together. */
static struct array *cut(struct cache *cache, size_t size)
{
    struct array *array;

    if (cache->chunk_left < size && !add_chunk(cache))
        return NULL;
    if ((array = add_array(cache, NULL, size, true)) == NULL)
        return NULL;
    cache->chunk_left -= size;
    array->buckets = cache->chunk + cache->chunk_left;
    return array;
}

static struct array *map_large(struct cache *cache, size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct array *array;

    if (memory == MAP_FAILED)
        return NULL;
    if ((array = add_array(cache, memory, size, true)) == NULL) {
        munmap(memory, size);
        return NULL;
    }
    madvise(memory, size, MADV_HUGEPAGE);
    array->buckets = memory;
    return array;
}

static struct array *allocate(struct cache *cache, size_t size)
{
    size_t padded = size + sizeof(struct bucket);
    char *memory = cache->allocator.allocate(cache->allocator.ctx, padded);
    struct array *array = memory ? add_array(cache, memory, size, false) : NULL;

    if (!array) {
        pdict__free(&cache->allocator, memory);
        return NULL;
    }
    memset(memory, 0, padded);
    array->buckets = memory + (-(uintptr_t)memory & (sizeof(struct bucket) - 1));
    return array;
}

struct bucket *pdict__array_new(struct cache *cache, unsigned log)
{
    size_t size = sizeof(struct bucket) << log;
    struct array *array;

    pthread_mutex_lock(&cache->arrays_lock);
    if (size < MAPPED_FROM || !pdict__allocator_is_system(&cache->allocator))
        array = allocate(cache, size);
    else
        array = size < CHUNK_SIZE ? cut(cache, size) : map_large(cache, size);
    pthread_mutex_unlock(&cache->arrays_lock);
    if (!array)
        return NULL;
    atomic_fetch_add_explicit(&cache->bytes, size, memory_order_relaxed);
    return (struct bucket *)(uintptr_t)array->buckets; // NOLINT
}

/* A reader may have read the table's word a moment ago: what it finds here then must be buckets,
 * and empty ones will do. */
void pdict__array_retire(struct cache *cache, const struct bucket *buckets)
{
    struct array *array;

    pthread_mutex_lock(&cache->arrays_lock);
    for (array = cache->arrays; array; array = array->next) {
        if (array->is_mapped && array->buckets == buckets) {
            madvise((void *)(uintptr_t)buckets, array->size, MADV_DONTNEED);
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
        if (!array->is_mapped)
            pdict__free(&cache->allocator, array->memory);
        else if (array->memory)
            munmap(array->memory, array->size);
        pdict__free(&cache->allocator, array);
    }
    pthread_mutex_destroy(&cache->arrays_lock);
}
