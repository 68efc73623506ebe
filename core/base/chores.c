/* SPDX-License-Identifier: MIT */
/* Runs the chores: the one background thread, and the calls that do its work without it. */
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "base/calls.h"
#include "base/chores.h"

/* An innermost lock: nothing else is taken under it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed; /* on the steady clock; whoever waits looks again */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct chore *first; /* the one that ran longest ago */
static unsigned n_threaded; /* chores that are not manual */
static uint64_t passes;
static pthread_t thread;
static bool has_thread, is_up, is_ending; /* up: it has come as far as thread_main() */
static unsigned n_forking;                /* no chore begins */
static unsigned home_count;               /* of forks, of the process whose thread it is */

static void init_changed(void)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void init(void)
{
    init_changed();
    home_count = pdict__fork_count(); /* installs the fork handlers */
}

/* The functions from here to add_locked() are called with the lock held, and return so. */

/* In a child neither the thread is there, nor what it was running, nor who waited. */
static void notice_fork(void)
{
    if (pdict__fork_count() == home_count)
        return;
    home_count = pdict__fork_count();
    init_changed();
    for (struct chore *chore = first; chore; chore = chore->next)
        chore->is_running = false;
    has_thread = is_ending = false;
}

static void wait_until(int64_t steady_ms)
{
    struct timespec until = { .tv_sec = (time_t)(steady_ms / 1000),
                              .tv_nsec = (long)(steady_ms % 1000) * 1000000 };

    if (steady_ms == INT64_MAX)
        pthread_cond_wait(&changed, &lock);
    else
        pthread_cond_timedwait(&changed, &lock, &until);
}

static void let_fork_pass(void)
{
    while (n_forking > 0)
        wait_until(INT64_MAX);
}

static void append(struct chore *chore)
{
    struct chore **link = &first;

    while (*link)
        link = &(*link)->next;
    *link = chore;
    chore->next = NULL;
}

static bool unlink_chore(const struct chore *chore)
{
    struct chore **link = &first;

    while (*link && *link != chore)
        link = &(*link)->next;
    if (!*link)
        return false;
    *link = chore->next;
    return true;
}

static int64_t next_due(const struct chore *chore, int64_t answer_ms)
{
    if (chore->is_woken || answer_ms == 0)
        return 0;
    return answer_ms < 0 ? INT64_MAX : pdict__time_add(pdict__steady_ms(), answer_ms);
}

/* Returns what the chore answered. It runs as a call does, which begins without waiting: while no
 * fork holds the chores, none has stopped the calls. */
static int64_t run(struct chore *chore)
{
    int64_t answer_ms;

    pdict__call_begin();
    chore->is_running = true;
    chore->is_woken = false;
    unlink_chore(chore);
    append(chore);
    pthread_mutex_unlock(&lock);
    answer_ms = chore->run(chore->ctx);
    pdict__call_end();
    pthread_mutex_lock(&lock);
    chore->due_ms = next_due(chore, answer_ms);
    chore->is_running = false;
    pthread_cond_broadcast(&changed);
    return answer_ms;
}

/* ---- the thread ---- */

/* The next chore that may run now; NULL: none, and *wake_ms is when to look again. */
static struct chore *find_due(int64_t *wake_ms)
{
    int64_t now_ms = pdict__steady_ms();

    *wake_ms = INT64_MAX;
    if (n_forking > 0)
        return NULL;
    for (struct chore *chore = first; chore; chore = chore->next) {
        if (chore->is_manual || chore->is_running || chore->is_leaving)
            continue;
        if (chore->due_ms <= now_ms)
            return chore;
        if (chore->due_ms < *wake_ms)
            *wake_ms = chore->due_ms;
    }
    return NULL;
}

static void *thread_main(void *unused)
{
    int64_t wake_ms;

    (void)unused;
    pthread_setname_np(pthread_self(), "pdict");
    pthread_mutex_lock(&lock);
    is_up = true;
    pthread_cond_broadcast(&changed);
    while (!is_ending) {
        struct chore *chore = find_due(&wake_ms);

        if (chore)
            run(chore);
        else
            wait_until(wake_ms);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static int thread_start(void)
{
    sigset_t all, before;
    int failure;

    is_up = false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failure = pthread_create(&thread, NULL, thread_main, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure)
        return pdict_fail(PDICT_NOMEM,
                          "the background thread could not be started: %s; raise the limit of "
                          "threads, or open with maintenance=manual",
                          strerror(failure));
    has_thread = true;
    return PDICT_OK;
}

/* With nothing left to do: end it and wait for that. */
static void thread_end(void)
{
    pthread_t ending = thread;

    is_ending = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    pthread_join(ending, NULL);
    pthread_mutex_lock(&lock);
    is_ending = has_thread = false;
    pthread_cond_broadcast(&changed);
}

static int ensure_thread(const struct chore *chore)
{
    if (chore->is_manual)
        return PDICT_OK;
    while (is_ending)
        wait_until(INT64_MAX);
    return has_thread ? PDICT_OK : thread_start();
}

static int add_locked(struct chore *chore)
{
    int status = ensure_thread(chore);

    if (status != PDICT_OK)
        return status;
    chore->due_ms = pdict__time_add(pdict__steady_ms(), chore->first_ms);
    append(chore);
    n_threaded += !chore->is_manual;
    pthread_cond_broadcast(&changed);
    return PDICT_OK;
}

static void lock_chores(void)
{
    pthread_once(&once, init);
    pthread_mutex_lock(&lock);
    notice_fork();
}

int pdict__chore_add(struct chore *chore)
{
    int status;

    lock_chores();
    status = add_locked(chore);
    pthread_mutex_unlock(&lock);
    return status;
}

void pdict__chore_wake(struct chore *chore)
{
    lock_chores();
    chore->is_woken = true;
    chore->due_ms = 0;
    /* In the child of a fork the thread may be missing; if it cannot start, the next wake tries. */
    if (!has_thread && n_threaded > 0)
        ensure_thread(chore);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

void pdict__chore_remove(struct chore *chore)
{
    lock_chores();
    chore->is_leaving = true;
    while (chore->is_running)
        wait_until(INT64_MAX);
    if (unlink_chore(chore)) {
        n_threaded -= !chore->is_manual;
        if (!chore->is_manual && n_threaded == 0 && has_thread)
            thread_end();
    }
    chore->is_leaving = false;
    pthread_mutex_unlock(&lock);
}

/* ---- without the thread ---- */

static struct chore *find_of(const void *owner, uint64_t pass)
{
    for (struct chore *chore = first; chore; chore = chore->next) {
        if (chore->owner == owner && chore->pass < pass && !chore->is_running && !chore->is_leaving)
            return chore;
    }
    return NULL;
}

void pdict__chores_run(const void *owner, int64_t budget_ms)
{
    int64_t until_ms = pdict__time_add(pdict__steady_ms(), budget_ms);
    struct chore *chore;
    uint64_t pass;

    lock_chores();
    pass = ++passes;
    for (;;) {
        bool has_more;

        let_fork_pass();
        chore = find_of(owner, pass);
        if (!chore)
            break;
        has_more = run(chore) == 0;
        if (!has_more || pdict__steady_ms() >= until_ms)
            chore->pass = pass;
    }
    pthread_mutex_unlock(&lock);
}

/* ---- fork ---- */

/* Threads that begin or end are inside the C library, or a sanitizer's, which need not be ready
 * for a fork there. */
void pdict__chores_fork_hold(void)
{
    pthread_mutex_lock(&lock);
    while (is_ending || (has_thread && !is_up))
        wait_until(INT64_MAX);
    n_forking++;
    pthread_mutex_unlock(&lock);
}

void pdict__chores_fork_prepare(void)
{
    pthread_mutex_lock(&lock);
}

void pdict__chores_fork_parent(bool was_held)
{
    if (was_held)
        n_forking--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

void pdict__chores_fork_child(void)
{
    notice_fork();
    n_forking = 0;
    pthread_mutex_unlock(&lock);
}

/* If the thread cannot start, the next wake tries. */
void pdict__chores_go_on(void)
{
    pthread_mutex_lock(&lock);
    if (!has_thread && !is_ending && n_threaded > 0)
        (void)thread_start();
    pthread_mutex_unlock(&lock);
}
