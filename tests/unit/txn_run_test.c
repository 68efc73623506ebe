/* SPDX-License-Identifier: MIT */
/* Transactions that are run again on conflict, among threads and processes. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "txn_fixture.h"

/* ---- running ---- */

struct plan {
    pdict *d;
    int n_runs, n_conflicts; /* that are to happen */
    int status;
};

static int run_plan(void *ctx, pdict *txn)
{
    struct plan *plan = ctx;

    check_value(txn, "a", plan->n_runs == 0 ? "1" : "2");
    put(txn, "b", "v");
    if (plan->n_runs++ < plan->n_conflicts)
        put(plan->d, "a", "2");
    return plan->status;
}

TEST(txn_run, run_repeats_on_conflict_and_no_more_often_than_it_may)
{
    pdict *d = setup_open(&setups[0], "run", "");
    struct plan once = { d, 0, 1, PDICT_OK }, always = { d, 0, 99, PDICT_OK };
    struct plan refused = { d, 0, 0, 7 };

    put(d, "a", "1");
    CHECK_OK(pdict_run(d, run_plan, &once, 3));
    CHECK_INT(once.n_runs, 2);
    put(d, "a", "1");
    CHECK_STATUS(pdict_run(d, run_plan, &always, 3), PDICT_CONFLICT);
    CHECK_INT(always.n_runs, 4);
    put(d, "a", "1");
    CHECK_OK(pdict_del(d, pdict_str("b")));
    CHECK_STATUS(pdict_run(d, run_plan, &refused, 3), 7);
    CHECK_INT(refused.n_runs, 1);
    check_value(d, "b", NULL);
    pdict_close(d);
}

#define N_ACCOUNTS 8
#define N_THREADS  4
#define N_EACH     (TEST_IS_SLOW ? 20 : 100)

static pdict *bank;

static int transfer(void *ctx, pdict *txn)
{
    unsigned *random = ctx;
    char from[16], to[16];
    int status;

    snprintf(from, sizeof(from), "%d", rand_r(random) % N_ACCOUNTS);
    snprintf(to, sizeof(to), "%d", rand_r(random) % N_ACCOUNTS);
    if ((status = pdict_add(txn, pdict_str(from), -1, NULL, NULL)) != PDICT_OK)
        return status;
    return pdict_add(txn, pdict_str(to), 1, NULL, NULL);
}

static int add_all(void *ctx, pdict *txn)
{
    int64_t *total = ctx;
    pdict_entry entry;
    pdict_iter *iter;

    *total = 0;
    CHECK_OK(pdict_iter_open(txn, NULL, &iter));
    while (pdict_iter_next(iter, &entry) == PDICT_OK) {
        char text[24] = "";

        memcpy(text, entry.value.data, entry.value.size);
        *total += atoll(text);
    }
    pdict_iter_close(iter);
    return PDICT_OK;
}

static void *trade(void *arg)
{
    unsigned random = *(unsigned *)arg;

    for (int i = 0; i < N_EACH; i++) {
        int64_t total;

        CHECK_OK(pdict_run(bank, transfer, &random, 100000));
        CHECK_OK(pdict_run(bank, add_all, &total, 0));
        CHECK_INT(total, 0);
    }
    return NULL;
}

static void the_sum_stays(const struct setup *setup)
{
    pthread_t threads[N_THREADS];
    unsigned seeds[N_THREADS];
    int64_t total;

    bank = setup_open(setup, "bank", "&durability=unsafe");
    for (unsigned i = 0; i < N_THREADS; i++) {
        seeds[i] = i + 1;
        CHECK_INT(pthread_create(&threads[i], NULL, trade, &seeds[i]), 0);
    }
    for (unsigned i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_OK(pdict_run(bank, add_all, &total, 0));
    CHECK_INT(total, 0);
    pdict_close(bank);
}

TEST(txn_run, transfers_among_threads_keep_the_sum)
{
    for_each_setup(the_sum_stays);
}

/* ---- other processes ---- */

static void trade_in_a_process(const struct setup *setup, unsigned seed)
{
    pdict *counts = setup_open(setup, "branches", "&durability=unsafe&map=counts");

    bank = setup_open(setup, "branches", "&durability=unsafe");
    trade(&seed);
    for (int i = 0; i < N_EACH; i++)
        CHECK_OK(pdict_add(counts, pdict_str("n"), 1, NULL, NULL));
    pdict_close(bank);
    pdict_close(counts);
}

static void the_sum_stays_among_processes(const struct setup *setup)
{
    int64_t total;
    int how;

    if (!setup->is_persistent)
        return;
    for (unsigned i = 0; i < N_THREADS; i++) {
        if (fork() == 0) {
            trade_in_a_process(setup, i + 1);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < N_THREADS; i++) {
        wait(&how);
        CHECK_INT(how, 0);
    }
    bank = setup_open(setup, "branches", "");
    CHECK_OK(pdict_run(bank, add_all, &total, 0));
    CHECK_INT(total, 0);
    pdict_close(bank);
    bank = setup_open(setup, "branches", "&map=counts");
    CHECK_OK(pdict_run(bank, add_all, &total, 0));
    CHECK_INT(total, N_THREADS * N_EACH);
    pdict_close(bank);
}

TEST(txn_run, transfers_among_processes_keep_the_sum)
{
    if (TEST_UNDER_TSAN)
        SKIP("fork is not supported under the thread sanitizer");
    test_dir(); /* the same for all */
    for_each_setup(the_sum_stays_among_processes);
}
