/* SPDX-License-Identifier: MIT */
/* Takes the place of malloc() for the whole process, engines and libc included: counted, refused. */
#include <stdatomic.h>
#include <stdlib.h>

#include "io.h"

#if defined(__SANITIZE_ADDRESS__)

long memory_blocks(void)
{
    return 0;
}

#else

/* glibc's own, under the names that it keeps for this. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void __libc_free(void *memory);

static atomic_long n_blocks;

static void *counted(void *memory)
{
    if (memory)
        atomic_fetch_add(&n_blocks, 1);
    return memory;
}

void *malloc(size_t size)
{
    return io_refuses(IO_MEMORY) ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return io_refuses(IO_MEMORY) ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *memory, size_t size)
{
    void *bigger;

    if (io_refuses(IO_MEMORY))
        return NULL;
    bigger = __libc_realloc(memory, size);
    return memory ? bigger : counted(bigger);
}

void free(void *memory)
{
    if (memory)
        atomic_fetch_sub(&n_blocks, 1);
    __libc_free(memory);
}

long memory_blocks(void)
{
    return atomic_load(&n_blocks);
}

#endif
