/* SPDX-License-Identifier: MIT */
/* Hazard slots: blocks of them for each thread, and the barrier that spares readers a fence. */
#include "base/hazard.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(struct hazards) == 128, "two cache lines, none of them another thread's");

_Thread_local struct hazards *pdict__hazards PDICT__NEAR_TLS;

/* The same block, also where there is no barrier. */
static _Thread_local struct hazards *current;

static _Atomic(struct hazards *) all_blocks;
static atomic_uint n_blocks;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool has_barrier;
static pthread_key_t exit_key;

/* Circles of threads that have ended. Their slots may still be in use: a view outlives its
 * thread. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
#define ENDED_MOST 1024
static struct hazards *ended[ENDED_MOST];
static size_t n_ended;

static int membarrier(int command)
{
    return (int)syscall(SYS_membarrier, command, 0, 0);
}

static void thread_ends(void *circle)
{
    pthread_mutex_lock(&lock);
    /* Beyond that many the blocks are only ever looked at. */
    if (n_ended < ENDED_MOST)
        ended[n_ended++] = circle;
    pthread_mutex_unlock(&lock);
    pdict__hazards = NULL;
    current = NULL;
}

void pdict__hazards_fork_prepare(void)
{
    pthread_mutex_lock(&lock);
}

void pdict__hazards_fork_parent(void)
{
    pthread_mutex_unlock(&lock);
}

void pdict__hazards_fork_child(void)
{
    pthread_mutex_unlock(&lock);
    pdict__hazards = NULL;
    current = NULL;
}

static void set_up(void)
{
    has_barrier = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
    pthread_key_create(&exit_key, thread_ends);
}

/* A program may unload the library before its threads end. */
__attribute__((destructor)) static void tear_down(void)
{
    pthread_once(&once, set_up);
    pthread_key_delete(exit_key);
}

/* Process-wide, so the hooks of a store do not come into it. */
static struct hazards *block_new(void)
{
    struct hazards *block = aligned_alloc(sizeof(*block), sizeof(*block));
    struct hazards *first;

    if (!block)
        return NULL;
    memset(block, 0, sizeof(*block));
    block->spare = block->slots;
    block->sibling = block;
    block->number = atomic_fetch_add_explicit(&n_blocks, 1, memory_order_relaxed);
    first = atomic_load_explicit(&all_blocks, memory_order_relaxed);
    do
        block->next = first;
    while (!atomic_compare_exchange_weak_explicit(&all_blocks, &first, block, memory_order_release,
                                                  memory_order_relaxed));
    return block;
}

static struct hazards *take_ended(void)
{
    struct hazards *circle = NULL;

    pthread_mutex_lock(&lock);
    if (n_ended > 0)
        circle = ended[--n_ended];
    pthread_mutex_unlock(&lock);
    return circle;
}

static void use(struct hazards *block)
{
    block->fork_count = pdict__fork_count();
    current = block;
    if (has_barrier)
        pdict__hazards = block;
}

static bool begin_thread(void)
{
    struct hazards *block;

    pthread_once(&once, set_up);
    block = take_ended();
    if (!block)
        block = block_new();
    if (!block)
        return false;
    pthread_setspecific(exit_key, block);
    use(block);
    return true;
}

static hazard_slot *spare_of(struct hazards *block)
{
    for (size_t i = 0; i < HAZARD_SLOTS; i++) {
        if (!atomic_load_explicit(&block->slots[i], memory_order_relaxed))
            return block->spare = &block->slots[i];
    }
    return NULL;
}

hazard_slot *pdict__hazard_take(void)
{
    struct hazards *block;
    hazard_slot *slot;

    if (!current && !begin_thread())
        return NULL;
    block = current;
    do {
        if ((slot = spare_of(block))) {
            use(block);
            return slot;
        }
        block = block->sibling;
    } while (block != current);
    block = block_new();
    if (!block)
        return NULL;
    block->sibling = current->sibling;
    current->sibling = block;
    use(block);
    return block->spare;
}

void pdict__hazard_barrier(void)
{
    pthread_once(&once, set_up);
    if (has_barrier)
        membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    atomic_thread_fence(memory_order_seq_cst);
}

struct hazard_walk pdict__hazard_walk(void)
{
    return (struct hazard_walk){ atomic_load_explicit(&all_blocks, memory_order_acquire), 0 };
}

void *pdict__hazard_next(struct hazard_walk *walk)
{
    while (walk->block) {
        while (walk->at < HAZARD_SLOTS) {
            void *memory =
                atomic_load_explicit(&walk->block->slots[walk->at++], memory_order_seq_cst);

            if (memory)
                return memory;
        }
        walk->block = walk->block->next;
        walk->at = 0;
    }
    return NULL;
}
