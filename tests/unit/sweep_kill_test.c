/* SPDX-License-Identifier: MIT */
/* Sweeps that are killed at any moment: nothing alive is lost, nothing dead returned. */
#include "sweep_fixture.h"

#include <stdlib.h>
#include <time.h>

#define N_LIVING 500
#define N_DEAD   4000

static void put_round(const char *uri)
{
    static char keys[N_LIVING + N_DEAD][16];
    static pdict_pair pairs[N_LIVING + N_DEAD];
    static pdict_pair_times times[N_LIVING + N_DEAD];
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    pdict *d = open_on(uri);

    for (int i = 0; i < N_LIVING + N_DEAD; i++) {
        snprintf(keys[i], sizeof(keys[i]), "key %d", i * 7919 % (N_LIVING + N_DEAD));
        pairs[i] = (pdict_pair){ pdict_str(keys[i]), pdict_str(keys[i]) };
        times[i] = (pdict_pair_times){ .ttl_ms = i % 9 == 0 ? 0 : 1000 };
    }
    how.times = times;
    CHECK_OK(pdict_put_many(d, pairs, N_LIVING + N_DEAD, &how, NULL));
    pdict_close(d);
    test_now_ms += 1000;
}

static void check_round(const char *uri)
{
    pdict *d = open_on(uri);

    CHECK_INT(count_of(d), N_LIVING);
    for (int i = 0; i < N_LIVING + N_DEAD; i++) {
        char key[16];

        snprintf(key, sizeof(key), "key %d", i * 7919 % (N_LIVING + N_DEAD));
        check_value(d, key, i % 9 == 0 ? key : NULL);
    }
    pdict_close(d);
}

/* The kernel kills this process when it has used so much of a processor, whoever else wants it. */
static void kill_after(int64_t cpu_us)
{
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
    struct itimerspec when = { .it_value = { cpu_us / 1000000, cpu_us % 1000000 * 1000 + 1 } };
    timer_t timer;

    CHECK(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0, &when, NULL) == 0);
}

/* True: the sweep had ended before. */
static bool sweep_and_kill(const char *uri, int64_t cpu_us)
{
    pid_t child = fork();
    int how;

    CHECK(child >= 0);
    if (child == 0) {
        pdict_store *store = store_on(uri);

        kill_after(cpu_us);
        (void)pdict_expire(store, -1, NULL);
        _exit(0);
    }
    CHECK(waitpid(child, &how, 0) == child);
    return WIFEXITED(how);
}

/* How long a sweep takes is found out by and by, so that most of them die in its midst. */
static void check_killed(const char *backend)
{
    enum {
        ROUNDS = TEST_IS_SLOW ? 5 : 50
    };
    const char *uri = uri_of(backend, "?sweep=manual&durability=ordered");
    unsigned random = 12345;
    int64_t most_us = 20000;
    int halfway = 0;

    if (strcmp(backend, "memory") == 0)
        return;
    for (int round = 0; round < ROUNDS; round++) {
        bool has_ended;
        uint64_t left;

        put_round(uri);
        random = random * 1103515245 + 12345;
        has_ended = sweep_and_kill(uri, (random >> 8) % most_us);
        left = stored(uri);
        halfway += left > N_LIVING && left < N_LIVING + N_DEAD;
        if (has_ended)
            most_us -= most_us / 8;
        else if (left == N_LIVING + N_DEAD)
            most_us += most_us / 8;
        check_round(uri);
    }
    CHECK(TEST_IS_SLOW || halfway > 0);
}

TEST(sweep_kill, killed_sweep_loses_nothing_alive_and_returns_nothing_dead)
{
    for_each_backend(check_killed);
}
