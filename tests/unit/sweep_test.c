/* SPDX-License-Identifier: MIT */
/* Sweeping: what has expired goes, what lives stays, whenever and however often it is interrupted. */
#include "sweep_fixture.h"

#include <sched.h>
#include <stdlib.h>

#include "map/map.h"

static uint64_t expire(const char *uri, int64_t budget_ms)
{
    pdict_store *store = store_on(uri);
    uint64_t removed = 0;

    CHECK_OK(pdict_expire(store, budget_ms, &removed));
    pdict_store_close(store);
    return removed;
}

/* Entries 0 to count - 1; every other one has a time to live. */
static void fill(pdict *d, int count, int64_t ttl_ms)
{
    pdict_pair *pairs = test_alloc((size_t)count * sizeof(*pairs));
    pdict_pair_times *times = test_alloc((size_t)count * sizeof(*times));
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;

    for (int i = 0; i < count; i++) {
        char *key = test_alloc(16);

        snprintf(key, 16, "key %d", i);
        pairs[i] = (pdict_pair){ pdict_str(key), pdict_str("a value of some bytes") };
        times[i] = (pdict_pair_times){ .ttl_ms = i % 2 ? ttl_ms : 0 };
    }
    how.times = times;
    CHECK_OK(pdict_put_many(d, pairs, (size_t)count, &how, NULL));
}

/* Entries of 100,000 bytes, all with a second to live. */
static void fill_large(pdict *d, int count)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    char *value = test_alloc(100000);
    char key[16];

    memset(value, 'v', 100000);
    how.ttl_ms = 1000;
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "%d", i);
        CHECK_OK(pdict_put(d, pdict_str(key), pdict_bytes(value, 100000), &how));
    }
}

/* ---- on request ---- */

static void check_expire(const char *backend)
{
    const char *uri = uri_of(backend, "?sweep=manual"), *other = uri_of(backend, "?map=other");
    pdict *d = open_on(uri), *o = open_on(other);

    fill(d, 3000, 1000);
    fill(o, 100, 2000);
    CHECK_INT(expire(uri, -1), 0);
    test_now_ms += 1000;
    CHECK_INT(count_of(d), 1500);
    CHECK_INT(stored(uri), 3100);
    CHECK_INT(expire(uri, -1), 1500);
    CHECK_INT(stored(uri), 1600);
    CHECK_INT(count_of(d), 1500);
    CHECK_INT(count_of(o), 100);
    check_value(d, "key 8", "a value of some bytes");
    check_value(d, "key 9", NULL);
    test_now_ms += 1000;
    CHECK_INT(expire(uri, -1), 50);
    CHECK_INT(expire(uri, -1), 0);
    pdict_close(o);
    pdict_close(d);
}

TEST(sweep, expired_entries_of_all_maps_go_and_the_others_stay)
{
    for_each_backend(check_expire);
}

static void check_neighbours(const char *backend)
{
    const char *uri = uri_of(backend, "?sweep=manual");
    pdict *d = open_on(uri);

    put_ttl(d, "soon", "1", 1000);
    put_ttl(d, "later", "2", 1001);
    put_ttl(d, "much later", "3", 86400000);
    test_now_ms += 1000;
    CHECK_INT(expire(uri, -1), 1);
    check_value(d, "later", "2");
    check_value(d, "much later", "3");
    CHECK_INT(stored(uri), 2);
    pdict_close(d);
}

TEST(sweep, entry_whose_time_has_not_come_stays_beside_one_whose_has)
{
    for_each_backend(check_neighbours);
}

static void check_budget(const char *backend)
{
    const char *uri = uri_of(backend, "?sweep=manual");
    pdict *d = open_on(uri);
    uint64_t removed;

    fill(d, 3000, 1000);
    test_now_ms += 1000;
    removed = expire(uri, 0);
    CHECK(removed > 0 && removed <= 500);
    CHECK_INT(stored(uri), 3000 - removed);
    pdict_close(d);
}

TEST(sweep, one_step_is_one_short_transaction)
{
    for_each_backend(check_budget);
}

TEST(sweep, steps_of_rows_that_take_long_remove_fewer)
{
    unsigned row_us = pdict__row_us(0, 500, 3000);

    CHECK_INT(pdict__step_rows(0), 500);
    CHECK_INT(pdict__step_rows(row_us), 500);
    CHECK_INT(pdict__step_rows(pdict__row_us(0, 500, 20000)), 121);
    /* However slow, it goes on. */
    CHECK_INT(pdict__step_rows(pdict__row_us(0, 1, INT64_MAX)), 25);
    /* A step that was held up once is not believed, and a disk that is slow is by and by. */
    row_us = pdict__row_us(row_us, 500, 500000);
    CHECK_INT(pdict__step_rows(row_us), 500);
    for (int i = 0; i < 20; i++)
        row_us = pdict__row_us(row_us, 500, 500000);
    CHECK_INT(pdict__step_rows(row_us), 25);
    CHECK_INT(pdict__step_rows(pdict__row_us(row_us, 25, 200)), 500);
    CHECK_INT(pdict__row_us(row_us, 0, 100), row_us);
}

TEST(sweep, step_folds_in_the_log_that_has_grown)
{
    const char *uri = uri_of("sqlite", "?sweep=manual");
    pdict *d = open_on(uri);

    fill_large(d, 60);
    CHECK_INT(d->map->store->folded_bytes, 0);
    test_now_ms += 1000;
    CHECK(expire(uri, 0) > 0);
    CHECK(d->map->store->folded_bytes > 6000000);
    pdict_close(d);
}

TEST(sweep, read_only_store_is_not_swept)
{
    const char *uri = uri_of("sqlite", "?sweep=manual");
    uint64_t removed = 7;
    pdict_store *store;
    pdict *d = open_on(uri);

    put_ttl(d, "k", "v", 10);
    test_now_ms += 10;
    pdict_close(d);
    store = store_on(uri_of("sqlite", "?mode=ro"));
    CHECK_STATUS(pdict_expire(store, -1, &removed), PDICT_READ_ONLY);
    CHECK_INT(removed, 0);
    pdict_store_close(store);
}

TEST(sweep, sqlite_gives_the_space_back)
{
    const char *uri = uri_of("sqlite", "?sweep=manual");
    pdict *d = open_on(uri);
    pdict_stats before = PDICT_STATS_INIT, after = PDICT_STATS_INIT;

    fill_large(d, 100);
    pdict_close(d);
    d = open_on(uri);
    CHECK_OK(pdict_stats_get(d, 0, &before));
    test_now_ms += 1000;
    CHECK_INT(expire(uri, -1), 100);
    pdict_close(d);
    d = open_on(uri);
    CHECK_OK(pdict_stats_get(d, 0, &after));
    CHECK(before.file_bytes > 10000000);
    CHECK(after.file_bytes < 2500000);
    pdict_close(d);
}

/* ---- as maintenance ---- */

static void check_maintain(const char *backend)
{
    const char *uri = uri_of(backend, "?maintenance=manual");
    pdict *d = open_on(uri);

    fill(d, 2000, 1000);
    CHECK_OK(pdict_maintain(d, 0));
    CHECK_INT(stored(uri), 2000);
    test_now_ms += 1000;
    CHECK_OK(pdict_maintain(d, 100000));
    CHECK_INT(stored(uri), 1000);
    CHECK_STATUS(pdict_maintain(d, -1), PDICT_INVAL);
    pdict_close(d);
}

TEST(sweep, manual_maintenance_sweeps_when_it_is_called)
{
    for_each_backend(check_maintain);
}

TEST(sweep, maintenance_removes_nothing_after_a_suspicious_step_of_the_clock)
{
    const char *uri = uri_of("memory", "?maintenance=manual");
    pdict *d = open_on(uri);

    fill(d, 100, 1000);
    CHECK_OK(pdict_maintain(d, 0));
    test_now_ms += 86400000;
    CHECK_OK(pdict_maintain(d, 1000));
    CHECK_INT(stored(uri), 100);
    CHECK_INT(count_of(d), 50);
    test_now_ms -= 86400000;
    CHECK_OK(pdict_maintain(d, 1000));
    CHECK_INT(count_of(d), 100);
    test_now_ms += 1000;
    CHECK_OK(pdict_maintain(d, 1000));
    CHECK_INT(stored(uri), 50);
    pdict_close(d);
}

TEST(sweep, clock_that_ran_ahead_is_trusted_again_after_ten_minutes)
{
    struct jump_guard guard = { 0 };

    CHECK(pdict__jump_guard_allows(&guard, 1000000, 50));
    CHECK(pdict__jump_guard_allows(&guard, 1000000 + 60000, 50));
    CHECK(!pdict__jump_guard_allows(&guard, 2000000, 60));
    CHECK(!pdict__jump_guard_allows(&guard, 2000000 + 599999, 60 + 599999));
    CHECK(pdict__jump_guard_allows(&guard, 2000000 + 600000, 60 + 600000));
}

TEST(sweep, background_thread_sweeps_by_itself)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    const char *uri = uri_of("memory", "");
    uint64_t left = 1;
    pdict *d;

    CHECK_OK(pdict_open(uri, NULL, &d));
    how.ttl_ms = 1;
    CHECK_OK(pdict_put(d, pdict_str("k"), pdict_str("v"), &how));
    while (left > 0) {
        pdict_verify_result result = PDICT_VERIFY_RESULT_INIT;
        pdict_store *store;

        sched_yield();
        CHECK_OK(pdict_store_open(uri, NULL, &store));
        CHECK_OK(pdict_verify(store, NULL, &result));
        left = result.records;
        pdict_store_close(store);
    }
    pdict_close(d);
}

TEST(sweep, handles_of_a_store_agree_on_its_maintenance)
{
    pdict_options options = test_options(false);
    pdict *d = open_on(uri_of("memory", "?maintenance=manual")), *other;

    CHECK_STATUS(pdict_open(uri_of("memory", "?maintenance=thread"), &options, &other),
                 PDICT_CONTRADICTION);
    CHECK_STATUS(pdict_open(uri_of("memory", "?sweep=manual"), &options, &other),
                 PDICT_CONTRADICTION);
    CHECK_OK(pdict_open(uri_of("memory", ""), &options, &other));
    pdict_close(other);
    pdict_close(d);
}

/* ---- beside the cache ---- */

static void check_swept_back(const char *backend)
{
    const char *uri = uri_of(backend, "?sweep=manual");
    pdict *d = open_on(uri);

    fill(d, 20, 1000);
    for (int i = 0; i < 2; i++)
        check_value(d, "key 3", "a value of some bytes");
    test_now_ms += 1000;
    CHECK_INT(expire(uri, -1), 10);
    test_now_ms -= 1000;
    check_value(d, "key 3", NULL);
    check_value(d, "key 4", "a value of some bytes");
    CHECK_INT(count_of(d), 10);
    pdict_close(d);
}

TEST(sweep, swept_entry_is_gone_from_the_cache_when_the_clock_goes_back)
{
    for_each_backend(check_swept_back);
}

static void sweep_later(struct child *child, const char *uri)
{
    step_done(child);
    test_now_ms += 1000;
    CHECK_INT(expire(uri, -1), 10);
}

static void check_swept_elsewhere(const char *backend)
{
    const char *uri = uri_of(backend, "?sweep=manual");
    pdict_stats before = PDICT_STATS_INIT, after = PDICT_STATS_INIT;
    struct child child;
    pdict *d;

    if (strcmp(backend, "memory") == 0)
        return;
    child = start(sweep_later, uri);
    await_step(&child);
    d = open_on(uri);
    fill(d, 20, 1000);
    for (int i = 0; i < 2; i++) {
        check_value(d, "key 3", "a value of some bytes");
        check_value(d, "key 4", "a value of some bytes");
    }
    CHECK_OK(pdict_stats_get(d, 0, &before));
    next_step(&child);
    finish(&child);
    check_value(d, "key 3", NULL);
    check_value(d, "key 4", "a value of some bytes");
    CHECK_OK(pdict_stats_get(d, 0, &after));
    CHECK_INT(after.cache_misses - before.cache_misses, 1);
    pdict_close(d);
}

TEST(sweep, what_another_process_has_swept_is_gone_from_the_cache_and_the_rest_stays)
{
    for_each_backend(check_swept_elsewhere);
}

/* ---- interrupted ---- */
