/* SPDX-License-Identifier: MIT */
/* The cache through the public API: what a hit promises beside other threads and processes. */
#include "maps.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- threads ---- */

/* One writer counts up; what a reader gets is never below what was acknowledged before the get, nor
 * below what it got last time. */
struct race {
    pdict *d;
    atomic_int acknowledged;
    atomic_bool stop;
};

static int read_number(pdict *d)
{
    pdict_view view;
    int number;

    CHECK_OK(pdict_get(d, pdict_str("n"), &view));
    CHECK_INT(view.size, sizeof(number));
    memcpy(&number, view.data, sizeof(number));
    pdict_view_release(&view);
    return number;
}

static void put_number(pdict *d, int number)
{
    CHECK_OK(pdict_put(d, pdict_str("n"), pdict_bytes(&number, sizeof(number)), NULL));
}

static void *read_on(void *ctx)
{
    struct race *race = ctx;
    int last = 0;

    while (!atomic_load(&race->stop)) {
        int least = atomic_load(&race->acknowledged);
        int number = read_number(race->d);

        if (number < least || number < last)
            FAIL("%d was read after %d was acknowledged and %d was read", number, least, last);
        last = number;
    }
    return NULL;
}

static void check_race(const struct setup *setup)
{
    /* Valgrind runs one thread at a time: the writer waits for three readers at each step. */
    const int puts = TEST_UNDER_VALGRIND ? 30 : TEST_IS_SLOW ? 300 : 3000;
    struct race race = { .d = setup_open(setup, "a", "&durability=unsafe") };
    pthread_t threads[3];

    put_number(race.d, 0);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, read_on, &race) == 0);
    for (int i = 1; i < puts; i++) {
        put_number(race.d, i);
        atomic_store(&race.acknowledged, i);
        if (i % (puts / 6) == 0)
            CHECK_OK(pdict_clear_cache(race.d));
    }
    atomic_store(&race.stop, true);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    pdict_close(race.d);
}

TEST(cache_coherence, readers_never_go_back_behind_what_was_acknowledged_or_read)
{
    for_each_setup(check_race);
}

/* ---- processes ---- */

/* The other process puts number after number and says so through a pipe. */
static void write_numbers(const struct setup *setup, int go, int done, int count)
{
    pdict *d = setup_open(setup, "a", "&durability=unsafe");
    char byte;

    CHECK(write(done, "x", 1) == 1);
    for (int i = 1; i <= count; i++) {
        CHECK(read(go, &byte, 1) == 1);
        put_number(d, i);
        CHECK(write(done, "x", 1) == 1);
    }
    pdict_close(d);
}

static void check_other_process(const struct setup *setup, const char *more, int count,
                                void (*check_step)(pdict *d, int i))
{
    int go[2], done[2], how;
    char byte;
    pdict *d;
    pid_t pid;

    test_dir(); /* the same for both */
    CHECK(pipe(go) == 0 && pipe(done) == 0);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(go[1]);
        close(done[0]);
        write_numbers(setup, go[0], done[1], count);
        _exit(0);
    }
    close(go[0]);
    close(done[1]);
    d = setup_open(setup, "a", more);
    CHECK(read(done[0], &byte, 1) == 1);
    /* The other one has opened the store: until it is told to, it commits nothing. */
    put_number(d, 0);
    put(d, "steady", "value");
    CHECK_INT(read_number(d), 0);
    check_value(d, "steady", "value");
    for (int i = 1; i <= count; i++) {
        CHECK(write(go[1], "x", 1) == 1);
        CHECK(read(done[0], &byte, 1) == 1);
        check_step(d, i);
    }
    CHECK(waitpid(pid, &how, 0) == pid && WIFEXITED(how) && WEXITSTATUS(how) == 0);
    pdict_close(d);
}

static uint64_t revalidations(pdict *d)
{
    pdict_stats stats = PDICT_STATS_INIT;

    CHECK_OK(pdict_stats_get(d, 0, &stats));
    return stats.cache_revalidations;
}

static void must_be_current(pdict *d, int i)
{
    static uint64_t compared;

    CHECK_INT(read_number(d), i);
    check_value(d, "steady", "value");
    /* A commit that is told costs only what it has moved. */
    if (i <= 2)
        compared = revalidations(d);
    CHECK_INT(revalidations(d), compared);
}

static void check_strict(const struct setup *setup)
{
    if (setup->is_persistent)
        check_other_process(setup, "", TEST_UNDER_VALGRIND ? 20 : 200, must_be_current);
}

TEST(cache_coherence, what_another_process_has_put_is_seen_by_the_next_get)
{
    if (TEST_UNDER_TSAN)
        SKIP("fork is not supported under the thread sanitizer");
    for_each_setup(check_strict);
}

/* An own commit behind the other's does not make true what was cached before both. */
static void must_be_current_behind_an_own_put(pdict *d, int i)
{
    put(d, "own", "value");
    CHECK_INT(read_number(d), i);
    check_value(d, "own", "value");
}

static void check_own_put(const struct setup *setup)
{
    if (setup->is_persistent)
        check_other_process(setup, "", 20, must_be_current_behind_an_own_put);
}

TEST(cache_coherence, what_another_process_has_put_is_seen_after_an_own_put)
{
    if (TEST_UNDER_TSAN)
        SKIP("fork is not supported under the thread sanitizer");
    for_each_setup(check_own_put);
}

static void may_be_old(pdict *d, int i)
{
    /* An hour has not passed since the first look. */
    (void)i;
    CHECK_INT(read_number(d), 0);
}

static void check_bounded(const struct setup *setup)
{
    /* The commits of a background thread would make it look. */
    if (setup->is_persistent)
        check_other_process(setup, "&coherence=bounded:3600000&maintenance=manual", 3, may_be_old);
    if (setup->is_persistent)
        check_other_process(setup, "&coherence=private&maintenance=manual", 3, may_be_old);
}

TEST(cache_coherence, bounded_and_private_hits_do_not_follow_other_processes)
{
    if (TEST_UNDER_TSAN)
        SKIP("fork is not supported under the thread sanitizer");
    for_each_setup(check_bounded);
}
