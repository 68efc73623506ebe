/* SPDX-License-Identifier: MIT */
/* The background thread and its chores. */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/chores.h"
#include "test.h"

/* A chore that says when it runs, and where. */
struct probe {
    struct chore chore;
    sem_t ran;
    atomic_int runs;
    int64_t answer_ms;
    pthread_t thread;
    char thread_name[16];
    sigset_t blocked;
    sem_t *hold; /* not NULL: the run ends when this is posted */
};

static int64_t probe_run(void *ctx)
{
    struct probe *probe = ctx;

    probe->thread = pthread_self();
    pthread_getname_np(pthread_self(), probe->thread_name, sizeof(probe->thread_name));
    pthread_sigmask(SIG_BLOCK, NULL, &probe->blocked);
    atomic_fetch_add(&probe->runs, 1);
    sem_post(&probe->ran);
    if (probe->hold)
        sem_wait(probe->hold);
    return probe->answer_ms;
}

static void probe_init(struct probe *probe, const void *owner, bool is_manual, int64_t answer_ms)
{
    *probe = (struct probe){ .chore = { .name = "probe",
                                        .owner = owner,
                                        .is_manual = is_manual,
                                        .run = probe_run,
                                        .ctx = probe },
                             .answer_ms = answer_ms };
    sem_init(&probe->ran, 0, 0);
}

TEST(chores, added_chore_runs_on_a_thread_of_its_own_that_takes_no_signals)
{
    struct probe probe;

    probe_init(&probe, NULL, false, -1);
    CHECK_OK(pdict__chore_add(&probe.chore));
    sem_wait(&probe.ran);
    pdict__chore_remove(&probe.chore);
    CHECK(!pthread_equal(probe.thread, pthread_self()));
    CHECK_STR(probe.thread_name, "pdict");
    CHECK(sigismember(&probe.blocked, SIGTERM));
    CHECK_INT(atomic_load(&probe.runs), 1);
}

TEST(chores, chore_runs_again_when_it_is_woken)
{
    struct probe probe;

    probe_init(&probe, NULL, false, -1);
    CHECK_OK(pdict__chore_add(&probe.chore));
    sem_wait(&probe.ran);
    pdict__chore_wake(&probe.chore);
    sem_wait(&probe.ran);
    pdict__chore_remove(&probe.chore);
    CHECK_INT(atomic_load(&probe.runs), 2);
}

TEST(chores, wake_during_a_run_is_not_lost)
{
    struct probe probe;
    sem_t hold;

    sem_init(&hold, 0, 0);
    probe_init(&probe, NULL, false, -1);
    probe.hold = &hold;
    CHECK_OK(pdict__chore_add(&probe.chore));
    sem_wait(&probe.ran);
    pdict__chore_wake(&probe.chore);
    sem_post(&hold);
    sem_wait(&probe.ran);
    sem_post(&hold);
    pdict__chore_remove(&probe.chore);
    CHECK_INT(atomic_load(&probe.runs), 2);
}

TEST(chores, chore_runs_again_after_the_time_it_asked_for)
{
    struct probe probe;

    probe_init(&probe, NULL, false, 1);
    CHECK_OK(pdict__chore_add(&probe.chore));
    for (int i = 0; i < 3; i++)
        sem_wait(&probe.ran);
    pdict__chore_remove(&probe.chore);
}

TEST(chores, chore_that_always_has_more_to_do_keeps_no_other_waiting)
{
    struct probe busy, other;

    probe_init(&busy, NULL, false, 0);
    probe_init(&other, NULL, false, -1);
    CHECK_OK(pdict__chore_add(&busy.chore));
    sem_wait(&busy.ran);
    CHECK_OK(pdict__chore_add(&other.chore));
    sem_wait(&other.ran);
    pdict__chore_remove(&busy.chore);
    pdict__chore_remove(&other.chore);
}

static int64_t slow_run(void *ctx)
{
    struct probe *probe = ctx;

    sem_post(&probe->ran);
    for (int i = 0; i < 50; i++)
        sched_yield();
    atomic_fetch_add(&probe->runs, 1);
    return 0;
}

TEST(chores, remove_waits_for_a_run_and_nothing_runs_after_it)
{
    struct probe probe;
    int runs;

    probe_init(&probe, NULL, false, 0);
    probe.chore.run = slow_run;
    CHECK_OK(pdict__chore_add(&probe.chore));
    sem_wait(&probe.ran);
    pdict__chore_remove(&probe.chore);
    runs = atomic_load(&probe.runs);
    CHECK(runs > 0);
    for (int i = 0; i < 100; i++)
        sched_yield();
    CHECK_INT(atomic_load(&probe.runs), runs);
}

TEST(chores, removing_what_was_not_added_is_fine)
{
    struct probe probe;

    probe_init(&probe, NULL, false, -1);
    pdict__chore_remove(&probe.chore);
    CHECK_INT(atomic_load(&probe.runs), 0);
}

TEST(chores, manual_chore_runs_only_when_its_owner_is_maintained)
{
    struct probe ours, theirs, threaded;

    probe_init(&ours, "ours", true, 1000);
    probe_init(&theirs, "theirs", true, 1000);
    probe_init(&threaded, NULL, false, -1);
    CHECK_OK(pdict__chore_add(&ours.chore));
    CHECK_OK(pdict__chore_add(&theirs.chore));
    CHECK_OK(pdict__chore_add(&threaded.chore));
    sem_wait(&threaded.ran);
    CHECK_INT(atomic_load(&ours.runs), 0);
    pdict__chores_run(ours.chore.owner, 0);
    CHECK_INT(atomic_load(&ours.runs), 1);
    CHECK(pthread_equal(ours.thread, pthread_self()));
    pdict__chores_run(ours.chore.owner, 0);
    CHECK_INT(atomic_load(&ours.runs), 2);
    CHECK_INT(atomic_load(&theirs.runs), 0);
    pdict__chore_remove(&ours.chore);
    pdict__chore_remove(&theirs.chore);
    pdict__chore_remove(&threaded.chore);
}

static int64_t run_three_times(void *ctx)
{
    probe_run(ctx);
    return atomic_load(&((struct probe *)ctx)->runs) < 3 ? 0 : -1;
}

/* The budget is an hour, which no machine is too slow for. */
TEST(chores, maintenance_goes_on_for_its_budget_while_there_is_more)
{
    struct probe probe;

    probe_init(&probe, "owner", true, 0);
    probe.chore.run = run_three_times;
    CHECK_OK(pdict__chore_add(&probe.chore));
    pdict__chores_run(probe.chore.owner, 3600000);
    CHECK_INT(atomic_load(&probe.runs), 3);
    pdict__chore_remove(&probe.chore);
}

TEST(chores, child_of_a_fork_has_no_thread_until_a_chore_is_woken)
{
    struct probe probe;
    int outcome;
    pid_t child;

    if (TEST_UNDER_TSAN)
        SKIP("TSan starts no thread in the child of a fork");
    probe_init(&probe, NULL, false, -1);
    CHECK_OK(pdict__chore_add(&probe.chore));
    sem_wait(&probe.ran);
    child = fork();
    if (child == 0) {
        alarm(60); /* a lost wake ends the test, not the run of all tests */
        pdict__chore_wake(&probe.chore);
        sem_wait(&probe.ran);
        pdict__chore_remove(&probe.chore);
        _exit(atomic_load(&probe.runs) == 2 ? 0 : 1);
    }
    CHECK(waitpid(child, &outcome, 0) == child);
    CHECK(WIFEXITED(outcome));
    CHECK_INT(WEXITSTATUS(outcome), 0);
    pdict__chore_wake(&probe.chore);
    sem_wait(&probe.ran);
    pdict__chore_remove(&probe.chore);
}

/* Two numbers that a run makes different for a while; a child must never see that. */
static atomic_int left, right;

static int64_t unequal_for_a_while(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&left, 1);
    for (int i = 0; i < 20; i++)
        sched_yield();
    atomic_fetch_add(&right, 1);
    return 0;
}

TEST(chores, fork_waits_until_no_chore_runs)
{
    struct chore chore = { .name = "unequal", .run = unequal_for_a_while };
    int outcome;

    if (TEST_UNDER_MSAN)
        SKIP("clang 14's runtime may wait forever for itself: a thread begins while another forks");
    CHECK_OK(pdict__chore_add(&chore));
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();

        if (child == 0)
            _exit(atomic_load(&left) == atomic_load(&right) ? 0 : 1);
        CHECK(waitpid(child, &outcome, 0) == child);
        CHECK_INT(WEXITSTATUS(outcome), 0);
    }
    pdict__chore_remove(&chore);
}
