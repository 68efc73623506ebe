/* SPDX-License-Identifier: MIT */
/* Counts the calls that are inside, without a cache line that all threads share. */
#include "base/calls.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/hazard.h"

#define COUNTERS 32

/* Between two looks at the counters. */
#define PAUSE_NS 20000

/* A thread has one of them for good; two that share one are slower and no less right. */
static struct {
    _Alignas(64) atomic_uint inside;
} counters[COUNTERS];

static atomic_uint n_threads;
static atomic_bool is_stopped;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gone_on = PTHREAD_COND_INITIALIZER;

static _Thread_local struct {
    atomic_uint *counter;
    unsigned depth;       /* of begin and end */
    unsigned held;        /* engines */
    unsigned callbacks;   /* of users */
    unsigned depth_later; /* while paused */
} self PDICT__NEAR_TLS;

static void wait_for_fork(void)
{
    pthread_mutex_lock(&lock);
    while (atomic_load(&is_stopped))
        pthread_cond_wait(&gone_on, &lock);
    pthread_mutex_unlock(&lock);
}

/* Either this thread sees that calls are stopped, or who stops them sees that it is inside. */
static void enter(void)
{
    if (!self.counter)
        self.counter = &counters[atomic_fetch_add(&n_threads, 1) % COUNTERS].inside;
    atomic_fetch_add(self.counter, 1);
    while (atomic_load(&is_stopped)) {
        atomic_fetch_sub(self.counter, 1);
        wait_for_fork();
        atomic_fetch_add(self.counter, 1);
    }
}

static void leave(void)
{
    atomic_fetch_sub_explicit(self.counter, 1, memory_order_release);
}

void pdict__call_begin(void)
{
    if (self.depth++ == 0)
        enter();
}

void pdict__call_end(void)
{
    if (--self.depth == 0)
        leave();
}

unsigned pdict__call_number(void)
{
    return (unsigned)((const char *)self.counter - (const char *)&counters[0].inside) /
           (unsigned)sizeof(counters[0]);
}

void pdict__engine_hold(void)
{
    self.held++;
}

void pdict__engine_let_go(void)
{
    self.held--;
}

bool pdict__call_pause(void)
{
    if (self.held > 0 || self.depth == 0)
        return false;
    self.depth_later = self.depth;
    self.depth = 0;
    leave();
    return true;
}

void pdict__call_resume(void)
{
    enter();
    self.depth = self.depth_later;
}

bool pdict__call_is_in_the_way(void)
{
    return atomic_load(&is_stopped);
}

void pdict__callback_begin(void)
{
    self.callbacks++;
}

void pdict__callback_end(void)
{
    self.callbacks--;
}

/* ---- for fork.c ---- */

bool pdict__calls_is_inside(void)
{
    return self.depth > 0 || self.callbacks > 0;
}

static bool is_anybody_inside(void)
{
    for (size_t i = 0; i < COUNTERS; i++) {
        if (atomic_load(&counters[i].inside) > 0)
            return true;
    }
    return false;
}

bool pdict__calls_stop(int64_t until_ms)
{
    const struct timespec pause = { .tv_nsec = PAUSE_NS };

    atomic_store(&is_stopped, true);
    while (is_anybody_inside()) {
        if (pdict__steady_ms() >= until_ms) {
            pdict__calls_go_on();
            return false;
        }
        nanosleep(&pause, NULL);
    }
    return true;
}

void pdict__calls_go_on(void)
{
    pthread_mutex_lock(&lock);
    atomic_store(&is_stopped, false);
    pthread_cond_broadcast(&gone_on);
    pthread_mutex_unlock(&lock);
}

void pdict__calls_child(void)
{
    pthread_mutex_init(&lock, NULL);
    pthread_cond_init(&gone_on, NULL);
    atomic_store(&is_stopped, false);
    for (size_t i = 0; i < COUNTERS; i++)
        atomic_store(&counters[i].inside, 0);
    if (self.depth > 0)
        atomic_store(self.counter, 1);
}
