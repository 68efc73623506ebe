/* SPDX-License-Identifier: MIT */
/* The reaper: ends snapshots that nobody uses, and those that keep a log from shrinking for long. */
#include <sched.h>

#include "store/store.h"

/* How often it looks at what is kept, and at what is only held. */
#define TICK_MS 20
#define HELD_MS 1000

/* After so many ticks with nothing to do it sleeps until it is woken. */
#define CALM_MOST 10

/* ---- losing ---- */

static bool is_log_too_long(const struct store *store)
{
    return store->backend->log_bytes &&
           store->backend->log_bytes(store->engine) > store->holding.log_bytes;
}

/* One that may go now, marked; its owner waits in pdict__hold_end(). */
static struct hold *choose(struct store *store, int64_t now_ms)
{
    struct hold *hold;

    pthread_mutex_lock(&store->pool_lock);
    for (hold = store->holds; hold; hold = hold->next) {
        unsigned rests = HOLD_RESTS;

        if (now_ms - hold->begun_ms >= store->holding.age_ms &&
            atomic_compare_exchange_strong(&hold->state, &rests, HOLD_LEAVES))
            break;
    }
    pthread_mutex_unlock(&store->pool_lock);
    return hold;
}

static void lose_some(struct store *store, int64_t now_ms)
{
    struct hold *hold;

    while (is_log_too_long(store) && (hold = choose(store, now_ms)) != NULL) {
        if (hold->lose)
            hold->lose(hold);
        pdict__reader_end(store, hold->reader);
        pdict__readers_release(store);
        atomic_fetch_add_explicit(&store->n_reaped, 1, memory_order_relaxed);
        /* From here on it is its owner's alone. */
        atomic_store(&hold->state, HOLD_LOST);
    }
}

/* ---- the chore ---- */

static bool holds_some(struct store *store)
{
    bool has_some;

    pthread_mutex_lock(&store->pool_lock);
    has_some = store->holds != NULL;
    pthread_mutex_unlock(&store->pool_lock);
    return has_some;
}

size_t pdict__reaper_tick(struct store *store, int64_t now_ms)
{
    size_t left, count = pdict__readers_reap(store, now_ms, &left);

    atomic_fetch_add_explicit(&store->n_reaped, count, memory_order_relaxed);
    lose_some(store, now_ms);
    return left;
}

static int64_t run(void *ctx)
{
    struct store *store = ctx;
    size_t left;

    /* A store that is parked keeps nothing, and the next call opens it. */
    if (store->fork_count != pdict__fork_count() || atomic_load(&store->is_parked)) {
        atomic_store(&store->is_reaper_awake, false);
        return -1;
    }
    left = pdict__reaper_tick(store, pdict__steady_coarse_ms());
    store->calm_ticks = left == 0 ? store->calm_ticks + 1 : 0;
    if (store->calm_ticks < CALM_MOST)
        return TICK_MS;
    /* First this, then another look: who keeps something now is seen, or sees this. */
    atomic_store(&store->is_reaper_awake, false);
    if (pdict__reaper_tick(store, pdict__steady_coarse_ms()) > 0) {
        pdict__reaper_wake(store);
        return TICK_MS;
    }
    return holds_some(store) ? HELD_MS : -1;
}

bool pdict__reaper_start(struct store *store)
{
    bool is_there;

    if (atomic_load_explicit(&store->has_reaper, memory_order_acquire))
        return true;
    pthread_mutex_lock(&store->pool_lock);
    if (!atomic_load(&store->has_reaper)) {
        store->reaper = (struct chore){ .name = "reaper",
                                        .owner = store,
                                        .is_manual = store->is_manual,
                                        .run = run,
                                        .ctx = store };
        atomic_store(&store->has_reaper, pdict__chore_add(&store->reaper) == PDICT_OK);
    }
    is_there = atomic_load(&store->has_reaper);
    pthread_mutex_unlock(&store->pool_lock);
    return is_there;
}

void pdict__reaper_wake(struct store *store)
{
    if (!atomic_load(&store->is_reaper_awake) && !atomic_exchange(&store->is_reaper_awake, true))
        pdict__chore_wake(&store->reaper);
}

/* ---- holding ---- */

static void link_hold(struct store *store, struct hold *hold)
{
    pthread_mutex_lock(&store->pool_lock);
    hold->next = store->holds;
    store->holds = hold;
    pthread_mutex_unlock(&store->pool_lock);
}

static void unlink_hold(struct store *store, const struct hold *hold)
{
    struct hold **link = &store->holds;

    pthread_mutex_lock(&store->pool_lock);
    while (*link != hold)
        link = &(*link)->next;
    *link = hold->next;
    pthread_mutex_unlock(&store->pool_lock);
}

int pdict__hold_begin(struct store *store, struct hold *hold)
{
    int status = pdict__reader_begin(store, &hold->reader);

    if (status != PDICT_OK)
        return status;
    hold->begun_ms = pdict__steady_coarse_ms();
    atomic_store(&hold->state, HOLD_RESTS);
    link_hold(store, hold);
    /* Without a reaper it is held for as long as it takes. */
    if (store->backend->log_bytes && pdict__reaper_start(store))
        pdict__reaper_wake(store);
    return PDICT_OK;
}

bool pdict__hold_is_lost(const struct hold *hold)
{
    return atomic_load(&hold->state) >= HOLD_LEAVES;
}

int pdict__hold_enter(struct hold *hold, void **reader)
{
    unsigned rests = HOLD_RESTS;

    if (hold->depth == 0 && !atomic_compare_exchange_strong(&hold->state, &rests, HOLD_INSIDE))
        return PDICT_CONFLICT;
    hold->depth++;
    *reader = hold->reader;
    return PDICT_OK;
}

void pdict__hold_leave(struct hold *hold)
{
    if (--hold->depth == 0)
        atomic_store(&hold->state, HOLD_RESTS);
}

void pdict__holds_lose(struct store *store)
{
    for (struct hold *hold = store->holds; hold; hold = hold->next) {
        if (hold->has_gate)
            pdict__writer_let_go(store);
        hold->has_gate = false;
        if (atomic_load(&hold->state) != HOLD_RESTS)
            continue;
        if (hold->lose)
            hold->lose(hold);
        pdict__reader_end(store, hold->reader);
        atomic_store(&hold->state, HOLD_LOST);
    }
}

void pdict__hold_end(struct store *store, struct hold *hold)
{
    unsigned rests = HOLD_RESTS;

    if (atomic_load(&hold->state) == HOLD_NONE)
        return;
    if (atomic_compare_exchange_strong(&hold->state, &rests, HOLD_INSIDE)) {
        if (hold->lose)
            hold->lose(hold);
        pdict__reader_end(store, hold->reader);
    }
    while (atomic_load(&hold->state) == HOLD_LEAVES)
        sched_yield();
    unlink_hold(store, hold);
    atomic_store(&hold->state, HOLD_NONE);
}
