/* SPDX-License-Identifier: MIT */
/* The handlers of a fork: stop the calls, run the hooks, and count; children that bypass them see 0. */
#include "base/fork.h"

#include <pthread.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/calls.h"
#include "base/chores.h"
#include "base/hazard.h"

/* How long a fork waits for calls that are inside. */
#define WAIT_MS 2000

/* How long calls go on that must end before a fork can be served. */
#define GO_ON_MS 1

static atomic_uint *count_page; /* wiped in every child */
static atomic_uint fallback;
static unsigned last_count; /* the same, not wiped */
static pthread_once_t once = PTHREAD_ONCE_INIT;

const atomic_uint *pdict__fork_count_at = &fallback;

static _Atomic(struct fork_hooks *) all_hooks;

/* One fork at a time; what it decided. */
static pthread_mutex_t forking = PTHREAD_MUTEX_INITIALIZER;
static bool is_served;
static _Thread_local bool has_lock;

/* ---- before ---- */

static bool are_ready(void)
{
    for (const struct fork_hooks *hooks = all_hooks; hooks; hooks = hooks->next) {
        if (hooks->is_ready && !hooks->is_ready())
            return false;
    }
    return true;
}

/* A transaction of another thread that holds the store's gate, for one, has to be ended there. */
static bool stop(void)
{
    int64_t until_ms = pdict__time_add(pdict__steady_ms(), WAIT_MS);
    const struct timespec while_they_go_on = { .tv_nsec = GO_ON_MS * 1000000 };

    while (pdict__calls_stop(until_ms)) {
        if (are_ready())
            return true;
        pdict__calls_go_on();
        if (pdict__steady_ms() >= until_ms)
            return false;
        nanosleep(&while_they_go_on, NULL);
    }
    return false;
}

/* From inside a call there is no waiting for another fork, which may wait for this thread. */
static void prepare(void)
{
    has_lock = !pdict__calls_is_inside();
    if (has_lock) {
        pthread_mutex_lock(&forking);
        pdict__chores_fork_hold();
        is_served = stop();
        for (const struct fork_hooks *hooks = all_hooks; is_served && hooks; hooks = hooks->next)
            hooks->prepare();
    }
    pdict__chores_fork_prepare();
    pdict__hazards_fork_prepare();
}

/* ---- after ---- */

static void parent(void)
{
    pdict__hazards_fork_parent();
    pdict__chores_fork_parent(has_lock);
    if (!has_lock)
        return;
    for (const struct fork_hooks *hooks = all_hooks; is_served && hooks; hooks = hooks->next) {
        if (hooks->parent)
            hooks->parent();
    }
    if (is_served)
        pdict__calls_go_on();
    pthread_mutex_unlock(&forking);
}

static void child(void)
{
    bool was_served = has_lock && is_served;

    atomic_store(count_page, ++last_count);
    /* It may be a thread's that this process has not. */
    if (has_lock)
        pthread_mutex_unlock(&forking);
    else
        pthread_mutex_init(&forking, NULL);
    pdict__hazards_fork_child();
    pdict__chores_fork_child();
    pdict__calls_child();
    for (const struct fork_hooks *hooks = all_hooks; hooks; hooks = hooks->next)
        hooks->child(was_served);
}

/* ---- without a fork ---- */

bool pdict__at_rest(bool (*work)(void *ctx), void *ctx)
{
    bool is_done = false;

    if (pdict__calls_is_inside())
        return false;
    pthread_mutex_lock(&forking);
    pdict__chores_fork_hold();
    if (stop()) {
        is_done = work(ctx);
        pdict__calls_go_on();
    }
    pdict__chores_fork_prepare();
    pdict__chores_fork_parent(true);
    pthread_mutex_unlock(&forking);
    return is_done;
}

/* ---- counting ---- */

bool pdict__fork_wipes(void *memory, size_t size, bool wipes)
{
#ifdef MADV_WIPEONFORK
    return madvise(memory, size, wipes ? MADV_WIPEONFORK : MADV_KEEPONFORK) == 0;
#else
    (void)memory;
    (void)size;
    return !wipes;
#endif
}

/* Where there are no such pages, children that bypass the handlers are not noticed. */
static void make_page(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    count_page = &fallback;
    if (page != MAP_FAILED) {
        pdict__fork_wipes(page, size, true);
        count_page = page;
    }
}

static void watch_forks(void)
{
    make_page();
    last_count = 1;
    atomic_store(count_page, last_count);
    pdict__fork_count_at = count_page;
    pthread_atfork(prepare, parent, child);
}

unsigned pdict__fork_count(void)
{
    pthread_once(&once, watch_forks);
    return atomic_load_explicit(count_page, memory_order_relaxed);
}

void pdict__fork_hook(struct fork_hooks *hooks)
{
    hooks->next = all_hooks;
    while (!atomic_compare_exchange_weak(&all_hooks, &hooks->next, hooks))
        ;
}
