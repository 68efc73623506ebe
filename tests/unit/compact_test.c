/* SPDX-License-Identifier: MIT */
/* Compacting: the file shrinks and nothing else changes. */
#include "map/map.h"
#include "upkeep_fixture.h"

#include <pdict/ext/register.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

static off_t size_of(const char *path)
{
    struct stat info;

    CHECK_INT(stat(path, &info), 0);
    return info.st_size;
}

/* 8 MiB of entries, of which one in ten stays. */
static void fill_and_delete(const char *uri)
{
    char *value = test_alloc(8192);
    pdict *d = map_open(uri, "main", "raw", false);

    memset(value, 'v', 8192);
    for (int i = 0; i < 1000; i++) {
        char key[16];

        snprintf(key, sizeof(key), "%d", i);
        CHECK_OK(pdict_put(d, pdict_str(key), pdict_bytes(value, 8192), NULL));
    }
    for (int i = 0; i < 1000; i++) {
        char key[16];

        snprintf(key, sizeof(key), "%d", i);
        if (i % 10 != 0)
            CHECK_OK(pdict_del(d, pdict_str(key)));
    }
    pdict_close(d);
}

TEST(compact, the_file_shrinks_after_deletes_and_the_rest_is_there)
{
    const char *a = uri_of("sqlite", "a.db"), *before;
    pdict_compact_result result = PDICT_COMPACT_RESULT_INIT;
    pdict_store *store;

    need_sqlite();
    fill_and_delete(a);
    before = map_text(a, "main", false);
    CHECK(size_of(test_path("a.db")) > 8 << 20);
    store = store_open(a);
    CHECK_OK(pdict_compact(store, NULL, &result));
    CHECK(size_of(test_path("a.db")) < 2 << 20);
    CHECK(result.before_bytes > 8 << 20);
    CHECK(result.after_bytes < 3 << 20);
    pdict_store_close(store);
    CHECK_STR(map_text(a, "main", false), before);
}

/* Somebody writes between the steps. */
static int write_between(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    int *calls = ctx;
    char key[16];
    pdict *d = map_open(uri_of("sqlite", "a.db"), "main", NULL, false);

    (void)phase;
    CHECK(done <= total);
    snprintf(key, sizeof(key), "new %d", ++*calls);
    put(d, key, "x");
    pdict_close(d);
    return 0;
}

TEST(compact, others_write_between_its_steps)
{
    const char *a = uri_of("sqlite", "a.db");
    pdict_compact_options options = PDICT_COMPACT_OPTIONS_INIT;
    pdict_store *store;
    int calls = 0;
    pdict *d;

    need_sqlite();
    fill_and_delete(a);
    d = map_open(a, "main", NULL, false);
    store = store_open(a);
    options.progress = write_between;
    options.progress_ctx = &calls;
    CHECK_OK(pdict_compact(store, &options, NULL));
    CHECK(calls >= 4);
    CHECK_INT(count_of(d), 100 + calls);
    pdict_store_close(store);
    pdict_close(d);
}

TEST(compact, cancelled_it_keeps_what_was_gained_and_can_go_on)
{
    const char *a = uri_of("sqlite", "a.db");
    pdict_compact_options options = PDICT_COMPACT_OPTIONS_INIT;
    struct stopper stopper = { NULL, 2 };
    pdict_store *store;

    need_sqlite();
    fill_and_delete(a);
    store = store_open(a);
    options.progress = stop;
    options.progress_ctx = &stopper;
    CHECK_STATUS(pdict_compact(store, &options, NULL), PDICT_CANCELLED);
    CHECK_OK(pdict_compact(store, NULL, NULL));
    pdict_store_close(store);
    CHECK(size_of(test_path("a.db")) < 2 << 20);
}

/* ---- lmdb: alone with the store ---- */

static const char *need_lmdb(void)
{
    if (!has_backend("lmdb"))
        SKIP("this build has no lmdb backend");
    return uri_of("lmdb", "a.mdb");
}

static int compact(const char *uri, const char *timeout)
{
    pdict_options options = test_options(false);
    pdict_setting setting = { "timeout", timeout };
    pdict_store *store;
    int status;

    options.settings = &setting;
    options.n_settings = 1;
    CHECK_OK(pdict_store_open(uri, &options, &store));
    status = pdict_compact(store, NULL, NULL);
    pdict_store_close(store);
    return status;
}

TEST(compact, lmdb_shrinks_under_an_open_map_which_goes_on)
{
    const char *a = need_lmdb(), *before;
    pdict *d;

    fill_and_delete(a);
    before = map_text(a, "main", false);
    CHECK(size_of(test_path("a.mdb")) > 8 << 20);
    d = map_open(a, "main", NULL, false);
    check_value(d, "absent", NULL);
    CHECK_OK(compact(a, "1s"));
    CHECK(size_of(test_path("a.mdb")) < 2 << 20);
    CHECK(!exists(test_path("a.mdb-compact")));
    CHECK(!exists(test_path("a.mdb-compact.tmp")));
    CHECK_STR(map_text(a, "main", false), before);
    put(d, "new", "x");
    check_value(d, "new", "x");
    CHECK_INT(count_of(d), 101);
    CHECK_OK(pdict_del(d, pdict_str("new")));
    CHECK_OK(compact(a, "1s"));
    pdict_close(d);
    CHECK_STR(map_text(a, "main", false), before);
    CHECK_STR(map_text(uri_of("lmdb", "a.mdb?preflight=on"), "main", false), before);
}

/* Nothing has changed, so what somebody remembers of the store is still true. */
TEST(compact, lmdb_keeps_its_change_token)
{
    const char *a = need_lmdb();
    const volatile uint64_t *words[2];
    uint64_t before[2];
    struct store *store;
    pdict *d;

    fill_and_delete(a);
    d = map_open(a, "main", NULL, false);
    store = d->map->store;
    CHECK_OK(store->backend->watch(store->engine, words));
    before[0] = *words[0];
    before[1] = *words[1];
    CHECK_OK(compact(a, "1s"));
    CHECK(size_of(test_path("a.mdb")) < 2 << 20);
    CHECK(*words[0] == before[0] && *words[1] == before[1]);
    put(d, "new", "x");
    CHECK(*words[0] != before[0] || *words[1] != before[1]);
    pdict_close(d);
}

TEST(compact, lmdb_is_busy_while_a_snapshot_is_held)
{
    const char *a = need_lmdb();
    pdict_range range = PDICT_RANGE_INIT;
    pdict_iter *iter;
    pdict *d;

    fill_and_delete(a);
    d = map_open(a, "main", NULL, false);
    range.flags = PDICT_SNAPSHOT;
    CHECK_OK(pdict_iter_open(d, &range, &iter));
    CHECK_STATUS(compact(a, "10ms"), PDICT_BUSY);
    pdict_iter_close(iter);
    CHECK_OK(compact(a, "10ms"));
    pdict_close(d);
}

TEST(compact, lmdb_is_busy_while_another_process_has_the_store)
{
    const char *a = need_lmdb();
    int ready[2], done[2];
    char byte;
    pid_t pid;

    fill_and_delete(a);
    CHECK_INT(pipe(ready), 0);
    CHECK_INT(pipe(done), 0);
    fflush(NULL);
    if ((pid = fork()) == 0) {
        pdict *d = map_open(a, "main", NULL, false);

        (void)!write(ready[1], "", 1);
        (void)!read(done[0], &byte, 1);
        pdict_close(d);
        _exit(0);
    }
    CHECK_INT(read(ready[0], &byte, 1), 1);
    CHECK_STATUS(compact(a, "10ms"), PDICT_BUSY);
    CHECK_INT(write(done[1], "", 1), 1);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    CHECK_OK(compact(a, "10ms"));
}

/* As if the process had died while it carried the copy over. */
TEST(compact, lmdb_finishes_what_a_dead_process_left_half_done)
{
    const char *a = need_lmdb(), *before;
    pdict_options options = test_options(false);
    char *whole, *torn;
    size_t size;
    pdict *d;

    fill_and_delete(a);
    before = map_text(a, "main", false);
    CHECK_OK(compact(a, "1s"));
    whole = test_file(test_path("a.mdb"), &size);
    test_write_file(test_path("a.mdb-compact"), whole, size);
    torn = test_alloc(size);
    memset(torn, 0, size);
    memcpy(torn, whole, size / 2);
    test_write_file(test_path("a.mdb"), torn, size);
    CHECK_STATUS(pdict_open(uri_of("lmdb", "a.mdb?mode=ro"), &options, &d), PDICT_UNSUPPORTED);
    CHECK_STR(map_text(a, "main", false), before);
    CHECK(!exists(test_path("a.mdb-compact")));
}

/* A power loss may bring its name back, and then the store has gone on long since. */
TEST(compact, lmdb_does_not_go_back_to_a_copy_that_was_carried_over_long_ago)
{
    const char *a = need_lmdb(), *after;
    pdict_options options = test_options(false);
    char *whole;
    size_t size;
    pdict *d;

    fill_and_delete(a);
    CHECK_OK(compact(a, "1s"));
    whole = test_file(test_path("a.mdb"), &size);
    CHECK_OK(pdict_open(a, &options, &d));
    CHECK_OK(pdict_put(d, pdict_str("later"), pdict_str("value"), NULL));
    pdict_close(d);
    after = map_text(a, "main", false);
    test_write_file(test_path("a.mdb-compact"), whole, size);
    CHECK_STR(map_text(a, "main", false), after);
    CHECK(strstr(after, "later") != NULL);
    CHECK(!exists(test_path("a.mdb-compact")));
}

/* ---- all ---- */

static void check_killed(const char *uri, const char *path)
{
    const char *before;
    unsigned seed = (unsigned)getpid();
    int killed = 0;
    long longest_us = 30000;

    fill_and_delete(uri);
    before = map_text(uri, "main", false);
    for (int i = 0; i < 20 || (killed < 5 && i < 200); i++) {
        struct timespec wait = { 0, rand_r(&seed) % longest_us * 1000 };
        size_t size;
        char *bytes = test_file(path, &size);
        int status;
        pid_t pid;

        fflush(NULL);
        if ((pid = fork()) == 0)
            _exit(compact(uri, "1s") != PDICT_OK);
        nanosleep(&wait, NULL);
        kill(pid, SIGKILL);
        CHECK_INT(waitpid(pid, &status, 0), pid);
        killed += WIFSIGNALED(status);
        longest_us =
            WIFSIGNALED(status) ? longest_us + longest_us / 8 : longest_us - longest_us / 8;
        CHECK_STR(map_text(uri, "main", false), before);
        test_write_file(path, bytes, size);
    }
    CHECK(killed >= 5);
}

TEST(compact, killed_at_any_moment_nothing_is_lost)
{
    if (TEST_IS_SLOW)
        SKIP("one thread, and who is killed tells memcheck nothing");
    need_sqlite();
    check_killed(uri_of("sqlite", "a.db"), test_path("a.db"));
    if (has_backend("lmdb"))
        check_killed(uri_of("lmdb", "a.mdb"), test_path("a.mdb"));
}

TEST(compact, a_store_open_for_reading_only_is_refused)
{
    pdict_options options = test_options(false);
    pdict_store *store;

    need_sqlite();
    fill_store(uri_of("sqlite", "a.db"), 5);
    CHECK_OK(pdict_store_open(test_path("a.db?mode=ro"), &options, &store));
    CHECK_STATUS(pdict_compact(store, NULL, NULL), PDICT_READ_ONLY);
    pdict_store_close(store);
}

TEST(compact, a_store_without_a_file_has_nothing_to_give_back)
{
    pdict_compact_result result = PDICT_COMPACT_RESULT_INIT;
    pdict_store *store = store_open("memory:a");

    CHECK_OK(pdict_compact(store, NULL, &result));
    CHECK_INT(result.before_bytes, 0);
    CHECK_INT(result.after_bytes, 0);
    pdict_store_close(store);
}

/* An engine that has more to give than it can. */
static int compact_nothing(void *self, uint64_t step_bytes, int64_t timeout_ms,
                           uint64_t *left_bytes)
{
    (void)self;
    (void)step_bytes;
    (void)timeout_ms;
    *left_bytes = 4096;
    return PDICT_OK;
}

TEST(compact, an_engine_that_gains_nothing_is_not_asked_for_ever)
{
    static pdict_backend stuck;
    pdict_store *store;
    pdict *d;

    stuck = *pdict_backend_find("memory");
    stuck.name = "stuck";
    stuck.compact = compact_nothing;
    CHECK_OK(pdict_register_backend(&stuck));
    d = map_open("stuck:a", "main", "raw", false);
    store = store_open("stuck:a");
    CHECK_OK(pdict_compact(store, NULL, NULL));
    pdict_store_close(store);
    pdict_close(d);
}
