/* SPDX-License-Identifier: MIT */
/* Forks while other threads and processes are at work, and what is left open at that moment. */
#include "fork_fixture.h"

#include <dirent.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

#include "process_fixture.h"

static int64_t steady_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void number_key(char *out, size_t size, const char *who, unsigned number)
{
    snprintf(out, size, "%s %u", who, number);
}

/* ---- busy threads ---- */

#define N_THREADS 4

struct worker {
    pthread_t thread;
    pdict *d;
    unsigned number;
    unsigned n_put;
    atomic_bool *is_over;
};

static void *work(void *ctx)
{
    struct worker *worker = ctx;
    char who[16], key[40];

    snprintf(who, sizeof(who), "thread %u", worker->number);
    while (!atomic_load(worker->is_over)) {
        number_key(key, sizeof(key), who, worker->n_put);
        put(worker->d, key, key);
        check_value(worker->d, key, key);
        CHECK(count_of(worker->d) > 0);
        worker->n_put++;
    }
    return NULL;
}

static void fork_often(pdict *d, unsigned n_forks)
{
    char key[40];

    for (unsigned i = 0; i < n_forks; i++) {
        pid_t pid = fork_child();

        number_key(key, sizeof(key), "child", i);
        if (pid == 0) {
            put(d, key, key);
            check_value(d, key, key);
            pdict_close(d);
            leave_everything();
        }
        end_child(pid);
    }
}

static void check_numbered(pdict *d, const char *who, unsigned count)
{
    char key[40];

    for (unsigned i = 0; i < count; i++) {
        number_key(key, sizeof(key), who, i);
        check_value(d, key, key);
    }
}

static void check_busy(const struct setup *setup)
{
    const unsigned n_forks = TEST_IS_SLOW ? 3 : 10;
    pdict *d = setup_open(setup, "a", "&durability=ordered:50ms&cache=1MiB");
    struct worker workers[N_THREADS];
    atomic_bool is_over = false;
    char who[16];

    for (unsigned i = 0; i < N_THREADS; i++) {
        workers[i] = (struct worker){ .d = d, .number = i, .is_over = &is_over };
        start_thread(&workers[i].thread, work, &workers[i]);
    }
    fork_often(d, n_forks);
    atomic_store(&is_over, true);
    for (unsigned i = 0; i < N_THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        snprintf(who, sizeof(who), "thread %u", i);
        check_numbered(d, who, workers[i].n_put);
    }
    if (setup->is_persistent)
        check_numbered(d, "child", n_forks);
    pdict_close(d);
    check_unharmed(setup, "a");
}

TEST(fork_threads, forks_among_busy_threads_lose_nothing)
{
    NO_FORKS_UNDER_TSAN;
    test_dir();
    for_each_setup(check_busy);
}

/* ---- threads that wait ---- */

static void *put_and_tell(void *ctx)
{
    struct worker *worker = ctx;

    put(worker->d, "of the thread", "1");
    atomic_store(worker->is_over, true);
    return NULL;
}

static void hold_the_gate(struct child *self, const char *uri)
{
    pdict_options options = test_options(true);
    pdict *d, *txn;

    CHECK_OK(pdict_open(uri, &options, &d));
    step_done(self);
    CHECK_OK(pdict_begin(d, PDICT_TXN_EXCLUSIVE, &txn));
    step_done(self);
    put(txn, "of the other", "1");
    CHECK_OK(pdict_commit(txn));
    pdict_close(d);
}

/* Until the thread sleeps there is no way to see it wait. */
static void let_it_wait(void)
{
    const struct timespec moment = { .tv_nsec = 50000000 };

    nanosleep(&moment, NULL);
}

static void check_waiting(const struct setup *setup)
{
    atomic_bool is_over = false;
    struct worker worker = { .is_over = &is_over };
    struct child other;
    int64_t begun_ms;
    pdict *d;
    pid_t pid;

    if (!setup->is_persistent || !setup->is_sealed)
        return;
    pdict_close(setup_open(setup, "a", ""));
    other = start(hold_the_gate, setup_uri(setup, "a", "&timeout=30s"));
    await_step(&other);
    d = worker.d = setup_open(setup, "a", "&timeout=30s");
    next_step(&other);
    await_step(&other);
    start_thread(&worker.thread, put_and_tell, &worker);
    let_it_wait();
    begun_ms = steady_ms();
    if ((pid = fork_child()) == 0) {
        put(d, "of the child", "1");
        pdict_close(d);
        leave_everything();
    }
    CHECK(steady_ms() - begun_ms < 15000); /* half of what a wait for the gate would take */
    CHECK(!atomic_load(&is_over));
    next_step(&other);
    finish(&other);
    pthread_join(worker.thread, NULL);
    end_child(pid);
    check_value(d, "of the thread", "1");
    check_value(d, "of the other", "1");
    check_value(d, "of the child", "1");
    pdict_close(d);
    check_unharmed(setup, "a");
}

TEST(fork_threads, a_writer_that_waits_for_another_process_holds_no_fork_up)
{
    NO_FORKS_UNDER_TSAN;
    test_dir();
    for_each_setup(check_waiting);
}

struct holder_thread {
    pthread_t thread;
    pdict *d;
    atomic_bool has_begun, may_end;
    int outcome;
};

static void *hold_for_a_while(void *ctx)
{
    struct holder_thread *holder = ctx;
    pdict *txn;

    CHECK_OK(pdict_begin(holder->d, PDICT_TXN_EXCLUSIVE, &txn));
    put(txn, "of the transaction", "1");
    atomic_store(&holder->has_begun, true);
    while (!atomic_load(&holder->may_end))
        let_it_wait();
    holder->outcome = pdict_commit(txn);
    return NULL;
}

static void start_holder(struct holder_thread *holder, pdict *d)
{
    *holder = (struct holder_thread){ .d = d };
    start_thread(&holder->thread, hold_for_a_while, holder);
    while (!atomic_load(&holder->has_begun))
        sched_yield();
}

static void check_exclusive_elsewhere(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    struct holder_thread holder;
    pid_t pid;

    start_holder(&holder, d);
    atomic_store(&holder.may_end, true);
    if ((pid = fork_child()) == 0) {
        check_value(d, "of the transaction", "1");
        put(d, "of the child", "1");
        pdict_close(d);
        _exit(0);
    }
    end_child(pid);
    pthread_join(holder.thread, NULL);
    CHECK_OK(holder.outcome);
    pdict_close(d);
    check_unharmed(setup, "a");
}

TEST(fork_threads, an_exclusive_transaction_of_another_thread_is_waited_for)
{
    NO_FORKS_UNDER_TSAN;
    test_dir();
    for_each_setup(check_exclusive_elsewhere);
}

static void check_late(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    struct holder_thread holder;
    pdict_view view;
    pid_t pid;

    put(d, "k", "v");
    start_holder(&holder, d);
    if ((pid = fork_child()) == 0) {
        CHECK_STATUS(pdict_get(d, pdict_str("k"), &view), PDICT_FORKED);
        pdict_close(d);
        leave_everything();
    }
    end_child(pid);
    check_value(d, "k", "v");
    atomic_store(&holder.may_end, true);
    pthread_join(holder.thread, NULL);
    CHECK_OK(holder.outcome);
    put(d, "k", "w");
    pdict_close(d);
    check_unharmed(setup, "a");
}

TEST(fork_threads, after_two_seconds_the_child_gets_nothing_and_the_parent_goes_on)
{
    NO_FORKS_UNDER_TSAN;
    test_dir();
    check_late(&setups[2]);
}

/* ---- chores ---- */

static void check_chores(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&durability=ordered:20ms");
    char key[40];

    for (unsigned i = 0; i < 200; i++) {
        number_key(key, sizeof(key), "short-lived", i);
        put_ttl(d, key, "v", 1 + i % 3);
        if (i % 50 == 0)
            fork_often(d, 2);
        test_now_ms++;
    }
    test_now_ms += 10;
    if (setup->is_persistent)
        CHECK_INT(count_of(d), 2);
    pdict_close(d);
    check_unharmed(setup, "a");
}

TEST(fork_threads, sweeps_and_late_syncs_go_on_around_forks)
{
    NO_FORKS_UNDER_TSAN;
    test_dir();
    for_each_setup(check_chores);
}

/* ---- what is open at that moment ---- */

static const char *watched_dir; /* NULL: nobody looks */
static unsigned n_open;

static void look(void)
{
    DIR *fds = watched_dir ? opendir("/proc/self/fd") : NULL;
    char target[512];
    const struct dirent *fd;

    n_open = 0;
    while (fds && (fd = readdir(fds))) {
        ssize_t size = readlinkat(dirfd(fds), fd->d_name, target, sizeof(target) - 1);

        target[size > 0 ? size : 0] = '\0';
        n_open += strncmp(target, watched_dir, strlen(watched_dir)) == 0;
    }
    if (fds)
        closedir(fds);
}

/* Handlers that were added first are run last before a fork: the library adds its own when a map is
 * first opened. */
__attribute__((constructor)) static void look_at_forks(void)
{
    pthread_atfork(look, NULL, NULL);
}

static void check_descriptors(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", ""), *txn;
    pdict_range range = PDICT_RANGE_INIT;
    pdict_iter *iter;
    pid_t pid;

    put(d, "k", "v");
    range.flags = PDICT_SNAPSHOT;
    CHECK_OK(pdict_iter_open(d, &range, &iter));
    CHECK_OK(pdict_begin(d, 0, &txn));
    check_value(txn, "k", "v");
    look();
    CHECK(n_open > 0 || !setup->is_persistent);
    if ((pid = fork_child()) == 0)
        _exit(0);
    CHECK_INT(n_open, 0);
    end_child(pid);
    pdict_abort(txn);
    pdict_iter_close(iter);
    pdict_close(d);
}

TEST(fork_threads, no_file_of_a_store_is_open_at_the_moment_of_the_fork)
{
    NO_FORKS_UNDER_TSAN;
    watched_dir = test_dir();
    for_each_setup(check_descriptors);
    watched_dir = NULL;
}

static void check_replaced(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&cache=1MiB");
    pdict_view view;
    const char *path;
    pid_t pid;

    if (!setup->is_persistent) {
        pdict_close(d);
        return;
    }
    path = test_path("a-%zu.db", (size_t)(setup - setups));
    put(d, "k", "v");
    check_value(d, "k", "v");
    if ((pid = fork_child()) == 0)
        _exit(0);
    end_child(pid);
    CHECK(rename(path, test_path("moved.db")) == 0);
    CHECK_STATUS(pdict_get(d, pdict_str("k"), &view), PDICT_NO_STORE);
    CHECK_STATUS(pdict_put(d, pdict_str("k"), pdict_str("v"), NULL), PDICT_NO_STORE);
    CHECK(rename(test_path("moved.db"), path) == 0);
    check_value(d, "k", "v");
    pdict_close(d);
}

TEST(fork_threads, a_store_that_was_moved_away_meanwhile_is_missed)
{
    NO_FORKS_UNDER_TSAN;
    test_dir();
    for_each_setup(check_replaced);
}
