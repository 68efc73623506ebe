/* SPDX-License-Identifier: MIT */
/* The gate before the writer: first come first served, with a deadline. */
#include <errno.h>
#include <time.h>

#include "base/calls.h"
#include "store/store.h"

struct waiter {
    pthread_cond_t wake;
    bool is_granted;
    struct waiter *next;
};

/* Waiting is measured on the steady clock, so that setting the time of day wakes nobody. */
static void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void enqueue(struct gate *gate, struct waiter *waiter)
{
    if (gate->last)
        gate->last->next = waiter;
    else
        gate->first = waiter;
    gate->last = waiter;
}

static void withdraw(struct gate *gate, struct waiter *waiter)
{
    struct waiter **link = &gate->first, *before = NULL;

    while (*link != waiter) {
        before = *link;
        link = &before->next;
    }
    *link = waiter->next;
    if (gate->last == waiter)
        gate->last = before;
}

/* True once granted, false at the deadline; the lock is held before and after. */
static bool wait_for_turn(struct gate *gate, struct waiter *waiter, int64_t deadline_ms)
{
    struct timespec until = { .tv_sec = (time_t)(deadline_ms / 1000),
                              .tv_nsec = (long)(deadline_ms % 1000) * 1000000 };

    while (!waiter->is_granted) {
        if (pthread_cond_timedwait(&waiter->wake, &gate->lock, &until) == ETIMEDOUT)
            break;
    }
    return waiter->is_granted;
}

int pdict__gate_init(struct gate *gate)
{
    *gate = (struct gate){ .is_taken = false };
    if (pthread_mutex_init(&gate->lock, NULL) != 0)
        return pdict__nomem(sizeof(gate->lock));
    return PDICT_OK;
}

void pdict__gate_destroy(struct gate *gate)
{
    pthread_mutex_destroy(&gate->lock);
}

int pdict__gate_enter(struct gate *gate, int64_t deadline_ms)
{
    struct waiter waiter = { .is_granted = false };
    bool is_ours = true, is_away = false;

    pthread_mutex_lock(&gate->lock);
    if (!gate->is_taken) {
        gate->is_taken = true;
    } else {
        cond_init(&waiter.wake);
        enqueue(gate, &waiter);
        is_away = pdict__call_pause();
        is_ours = wait_for_turn(gate, &waiter, deadline_ms);
        if (!is_ours)
            withdraw(gate, &waiter);
        pthread_cond_destroy(&waiter.wake);
    }
    pthread_mutex_unlock(&gate->lock);
    if (is_away)
        pdict__call_resume();
    return is_ours ? PDICT_OK : PDICT_BUSY;
}

void pdict__gate_leave(struct gate *gate)
{
    struct waiter *next;

    pthread_mutex_lock(&gate->lock);
    next = gate->first;
    if (next) {
        /* Handed over while taken: nobody can slip in between. */
        gate->first = next->next;
        if (!gate->first)
            gate->last = NULL;
        next->is_granted = true;
        pthread_cond_signal(&next->wake);
    } else {
        gate->is_taken = false;
    }
    pthread_mutex_unlock(&gate->lock);
}
