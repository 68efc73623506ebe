/* SPDX-License-Identifier: MIT */
/* Migration killed at random moments: the name is free, or the store is whole. */
#include "migrate_fixture.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static _Noreturn void migrate_in_child(const char *from, const char *to)
{
    pdict_options options = test_options(false);
    pdict_store *store;

    CHECK_OK(pdict_store_open(from, &options, &store));
    CHECK_OK(pdict_migrate(store, to, NULL, NULL));
    pdict_store_close(store);
    _exit(0);
}

/* Whether it came to its end before it was killed. */
static bool run_for(const char *from, const char *to, int64_t us)
{
    struct timespec wait = { us / 1000000, us % 1000000 * 1000 };
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0)
        migrate_in_child(from, to);
    nanosleep(&wait, NULL);
    kill(pid, SIGKILL);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFEXITED(status);
}

static void check_killed(const char *to)
{
    const char *a = uri_of("sqlite", "a.db"), *path = strchr(to, ':') + 1;
    int64_t began, longest_us;
    unsigned seed = (unsigned)now_us();
    int killed = 0;
    pdict *d = map_open(a, "main", "raw", false);

    fprintf(stderr, "seed %u\n", seed);
    for (int i = 0; i < 20; i++)
        fill(d, 300);
    pdict_close(d);
    fill_store(a, 300);
    began = now_us();
    migrate(a, to, NULL);
    longest_us = now_us() - began;
    for (int i = 0; i < 20 || (killed < 10 && i < 200); i++) {
        unlink(path);
        for (int tries = 0;; tries++) {
            int64_t us;

            srand(seed++);
            us = rand() % (longest_us + 1);
            if (run_for(a, to, us)) {
                longest_us = us; /* the first migration was slower than this one */
                break;
            }
            killed++;
            longest_us += longest_us / 8;
            if (exists(path))
                break;
            if (tries == 2) {
                migrate(a, to, NULL);
                break;
            }
        }
        check_same(a, to);
    }
    fprintf(stderr, "killed %d times\n", killed);
    CHECK(killed >= 10);
}

TEST(migrate_kill, killed_at_any_moment_the_name_is_free_or_the_store_whole)
{
    need_sqlite();
    check_killed(uri_of("sqlite", "b.db"));
}

TEST(migrate_kill, killed_on_its_way_to_lmdb_it_is_the_same)
{
    need_sqlite();
    if (!has_backend("lmdb"))
        SKIP("this build has no lmdb backend");
    check_killed(uri_of("lmdb", "b.mdb"));
    CHECK(!exists(test_path("b.mdb.migrating")));
    CHECK(!exists(test_path("b.mdb.migrating-lock")));
}
