/* SPDX-License-Identifier: MIT */
/* How often this process, or one it was forked from, came out of a fork as the child. */
#include <pthread.h>
#include <stdatomic.h>

#include "base/chores.h"

static atomic_uint fork_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void child(void)
{
    atomic_fetch_add(&fork_count, 1);
    pdict__chores_fork_child();
}

static void watch_forks(void)
{
    pthread_atfork(pdict__chores_fork_prepare, pdict__chores_fork_parent, child);
}

unsigned pdict__fork_count(void)
{
    pthread_once(&once, watch_forks);
    return atomic_load_explicit(&fork_count, memory_order_relaxed);
}
