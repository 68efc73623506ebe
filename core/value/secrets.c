/* SPDX-License-Identifier: MIT */
/* Memory for keys: wiped in every child, unless its fork is one that hands the stores over. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fork.h"
#include "value/keyring.h"

/* Process-wide, so the hooks of a store do not come into it. */
struct secret_block {
    void *memory;
    unsigned char *pages; /* that it lies on, alone */
    size_t size;          /* of these */
    unsigned fork_count;  /* of the process in which it holds what was written into it */
    struct secret_block *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct secret_block *blocks;

/* ---- forks ---- */

static void prepare(void)
{
    pthread_mutex_lock(&lock);
    for (const struct secret_block *block = blocks; block; block = block->next)
        pdict__fork_wipes(block->pages, block->size, false);
}

static void wipe_from_now_on(void)
{
    for (const struct secret_block *block = blocks; block; block = block->next)
        pdict__fork_wipes(block->pages, block->size, true);
}

static void parent(void)
{
    wipe_from_now_on();
    pthread_mutex_unlock(&lock);
}

/* Locks of pages are not inherited. */
static void child(bool is_served)
{
    pthread_mutex_init(&lock, NULL);
    if (!is_served)
        return;
    wipe_from_now_on();
    for (struct secret_block *block = blocks; block; block = block->next) {
        (void)mlock(block->pages, block->size);
        block->fork_count = pdict__fork_count();
    }
}

static struct fork_hooks fork_hooks = { .prepare = prepare, .parent = parent, .child = child };

static void watch_forks(void)
{
    pdict__fork_hook(&fork_hooks);
}

/* ---- blocks ---- */

static void add(struct secret_block *block, void *memory, size_t size)
{
    uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)memory;

    block->memory = memory;
    block->pages = (unsigned char *)memory - at % page_size;
    block->size = (at % page_size + size + page_size - 1) / page_size * page_size;
    block->fork_count = pdict__fork_count();
    pthread_mutex_lock(&lock);
    pdict__fork_wipes(block->pages, block->size, true);
    block->next = blocks;
    blocks = block;
    pthread_mutex_unlock(&lock);
}

static struct secret_block *take_out(const void *memory)
{
    struct secret_block **link = &blocks, *block;

    pthread_mutex_lock(&lock);
    while ((*link)->memory != memory)
        link = &(*link)->next;
    block = *link;
    *link = block->next;
    pthread_mutex_unlock(&lock);
    return block;
}

void *pdict__secret_alloc(const pdict_cipher *cipher, size_t size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct secret_block *block = malloc(sizeof(*block));
    void *memory = block ? cipher->secret_alloc(size) : NULL;

    pthread_once(&once, watch_forks);
    if (memory)
        add(block, memory, size);
    else
        free(block);
    return memory;
}

/* What was wiped with the key are the marks of its allocator too, which must not see that. */
void pdict__secret_free(const pdict_cipher *cipher, void *memory)
{
    struct secret_block *block;

    if (!memory)
        return;
    block = take_out(memory);
    if (block->fork_count == pdict__fork_count())
        cipher->secret_free(memory);
    free(block);
}
