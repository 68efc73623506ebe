/* SPDX-License-Identifier: MIT */
/* Calls on a store; and the engine, closed before a fork and opened again by whoever calls next. */
#include <sys/stat.h>

#include "base/calls.h"
#include "store/store.h"

/* ---- calls ---- */

int pdict__store_enter(struct store *store)
{
    int status;

    pdict__call_begin();
    if ((status = pdict__store_check(store)) == PDICT_OK)
        status = pdict__store_wake(store);
    if (status != PDICT_OK)
        pdict__call_end();
    return status;
}

void pdict__store_leave(void)
{
    pdict__call_end();
}

int pdict__store_hold(struct store *store)
{
    int status = pdict__store_enter(store);

    if (status == PDICT_OK)
        pdict__engine_hold();
    return status;
}

void pdict__store_let_go(void)
{
    pdict__engine_let_go();
    pdict__call_end();
}

/* ---- parking ---- */

/* A robust mutex is left by the thread that has it, and by nobody else. */
bool pdict__store_may_park(const struct store *store)
{
    for (const struct hold *hold = store->holds; hold; hold = hold->next) {
        if (hold->has_gate && !pthread_equal(hold->thread, pthread_self()))
            return false;
    }
    return true;
}

/* Others are copied by the fork as they are. */
static bool is_in_file(const struct store *store)
{
    return (pdict__stack_base(&store->stack)->capabilities & PDICT_CAP_FILE) != 0;
}

/* What the caches hold is not believed again before it was compared, see pdict__store_wake(). */
static void disconnect(struct store *store)
{
    void (*suspend)(void *self) = store->backend->suspend;

    pdict__readers_trim(store);
    store->limits = (struct limits_memo){ 0 };
    store->lifetimes = (struct lifetimes_memo){ 0 };
    pdict__gen_odd(&store->coherence);
    if (suspend)
        suspend(store->engine);
    else
        store->backend->close(store->engine);
    store->engine = NULL;
    pdict__window_blank(&store->window);
    pdict__shared_part(store);
}

void pdict__store_park(struct store *store)
{
    if (atomic_load(&store->is_parked))
        return;
    pdict__holds_lose(store);
    if (is_in_file(store))
        disconnect(store);
    atomic_store(&store->is_parked, true);
}

/* ---- in the child ---- */

static void renew_locks(struct store *store)
{
    pdict__queue_init(&store->queue);
    pdict__gate_init(&store->gate);
    pthread_mutex_init(&store->pool_lock, NULL);
    pthread_mutex_init(&store->maps_lock, NULL);
    pthread_mutex_init(&store->park_lock, NULL);
    pthread_mutex_init(&store->coherence.advance, NULL);
}

/* Who waited in the queue or had the gate is a thread of the parent, which will see to it; and so
 * will it to syncs that are due. */
void pdict__store_inherit(struct store *store, bool is_served)
{
    renew_locks(store);
    pdict__leases_fork_child(&store->leases);
    pdict__listeners_fork_child(&store->listeners);
    store->sync_due_ms = 0;
    if (is_served)
        store->fork_count = pdict__fork_count();
    else if (atomic_load(&store->coherence.gen) % 2 == 0)
        pdict__gen_odd(&store->coherence);
}

/* ---- waking ---- */

static int check_same(const struct store *store)
{
    struct stat facts;

    if (stat(store->path, &facts) == 0 && facts.st_dev == store->device &&
        facts.st_ino == store->inode)
        return PDICT_OK;
    return pdict_fail(PDICT_NO_STORE,
                      "%s was removed or replaced after a fork, before it was used again; close "
                      "every handle and open it again",
                      store->path);
}

/* A token may come again after a close, so none of before is compared with one of now: no token is
 * this one, and whoever reads first doubts everything. */
static void doubt(struct store *store)
{
    const uint64_t none[2] = { UINT64_MAX, UINT64_MAX };

    pthread_mutex_lock(&store->coherence.advance);
    pdict__coherence_move(&store->coherence, store->words);
    pdict__gen_even(&store->coherence, none);
    pthread_mutex_unlock(&store->coherence.advance);
}

static int reconnect(struct store *store)
{
    int status = check_same(store);

    if (status == PDICT_OK)
        status = pdict__store_connect(store);
    if (status == PDICT_OK)
        doubt(store);
    return status;
}

static int wake(struct store *store)
{
    int status = is_in_file(store) ? reconnect(store) : PDICT_OK;

    if (status != PDICT_OK)
        return status;
    atomic_store_explicit(&store->is_parked, false, memory_order_release);
    pdict__chores_go_on();
    return PDICT_OK;
}

int pdict__store_wake(struct store *store)
{
    int status = PDICT_OK;

    if (!atomic_load_explicit(&store->is_parked, memory_order_acquire))
        return PDICT_OK;
    pthread_mutex_lock(&store->park_lock);
    if (atomic_load(&store->is_parked))
        status = wake(store);
    pthread_mutex_unlock(&store->park_lock);
    return status;
}
