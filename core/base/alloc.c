/* SPDX-License-Identifier: MIT */
/* Memory through the hooks of a store, or malloc. */
#include <stdlib.h>

#include "base/base.h"

static void *system_allocate(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void *system_reallocate(void *ctx, void *memory, size_t size)
{
    (void)ctx;
    return realloc(memory, size);
}

static void system_release(void *ctx, void *memory)
{
    (void)ctx;
    free(memory);
}

static const pdict_allocator system_allocator = { system_allocate, system_reallocate,
                                                  system_release, NULL };

int pdict__allocator_choose(const pdict_allocator *wanted, pdict_allocator *out)
{
    int given = !!wanted->allocate + !!wanted->reallocate + !!wanted->release;

    if (given != 0 && given != 3)
        return pdict_fail(PDICT_INVAL, "allocator: give all of allocate, reallocate and release, "
                                       "or none of them");
    *out = given == 3 ? *wanted : system_allocator;
    return PDICT_OK;
}

bool pdict__allocator_same(const pdict_allocator *a, const pdict_allocator *b)
{
    return a->allocate == b->allocate && a->reallocate == b->reallocate &&
           a->release == b->release && a->ctx == b->ctx;
}

bool pdict__allocator_is_system(const pdict_allocator *allocator)
{
    return pdict__allocator_same(allocator, &system_allocator);
}

int pdict__nomem(size_t size)
{
    return pdict_fail(PDICT_NOMEM, "out of memory: %zu bytes could not be allocated", size);
}

void *pdict__alloc(const pdict_allocator *allocator, size_t size)
{
    void *memory = allocator->allocate(allocator->ctx, size > 0 ? size : 1);

    if (!memory)
        pdict__nomem(size);
    return memory;
}

void *pdict__calloc(const pdict_allocator *allocator, size_t count, size_t size)
{
    void *memory;

    if (size > 0 && count > SIZE_MAX / size) {
        pdict__nomem(SIZE_MAX);
        return NULL;
    }
    memory = pdict__alloc(allocator, count * size);
    if (memory)
        memset(memory, 0, count * size);
    return memory;
}

void pdict__free(const pdict_allocator *allocator, void *memory)
{
    if (memory)
        allocator->release(allocator->ctx, memory);
}

char *pdict__strdup(const pdict_allocator *allocator, const char *text, size_t size)
{
    char *copy = pdict__alloc(allocator, size + 1);

    if (copy) {
        pdict__copy(copy, text, size);
        copy[size] = '\0';
    }
    return copy;
}
