/* SPDX-License-Identifier: MIT */
/* Access times: what counts as a use, when it is written, and what that costs. */
#include "maps.h"

#include <pthread.h>
#include <stdio.h>

#include "map/map.h"

#define SECOND 1000

/* Steps of one second. */
#define WATCHED "&access=4s&maintenance=manual"

/* As this handle knows it, notes in RAM included. */
static int64_t used(pdict *d, const char *key)
{
    pdict_meta meta = PDICT_META_INIT;

    CHECK_OK(pdict_meta_get(d, pdict_str(key), &meta));
    return meta.accessed_ms;
}

/* As it is stored: by a handle that notes nothing. */
static int64_t stored(const struct setup *setup, const char *key)
{
    pdict *d = setup_open(setup, "a", "&access=off");
    int64_t accessed_ms = used(d, key);

    pdict_close(d);
    return accessed_ms;
}

static struct token token_of(const pdict *d)
{
    return pdict__token_read(d->map->store->words);
}

/* ---- what counts ---- */

static int look(void *ctx, const pdict_view *view)
{
    (void)ctx;
    (void)view;
    return PDICT_OK;
}

static void use_get(pdict *d)
{
    check_value(d, "k", "value");
}

static void use_get_with(pdict *d)
{
    CHECK_OK(pdict_get_with(d, pdict_str("k"), look, NULL));
}

static void use_get_many(pdict *d)
{
    pdict_slice keys[] = { pdict_str("other"), pdict_str("k") };
    pdict_view views[2];
    int statuses[2];

    CHECK_OK(pdict_get_many(d, keys, 2, views, statuses));
    pdict_view_release(&views[0]);
    pdict_view_release(&views[1]);
}

static void use_touch(pdict *d)
{
    CHECK_OK(pdict_touch(d, pdict_str("k"), 1000 * SECOND));
}

static void use_put(pdict *d)
{
    put(d, "k", "value");
}

static void use_put_many(pdict *d)
{
    pdict_pair pair = { pdict_str("k"), pdict_str("value") };

    CHECK_OK(pdict_put_many(d, &pair, 1, NULL, NULL));
}

static void use_get_in_transaction(pdict *d)
{
    pdict *txn;

    CHECK_OK(pdict_begin(d, 0, &txn));
    check_value(txn, "k", "value");
    pdict_abort(txn);
}

static void use_put_in_transaction(pdict *d)
{
    pdict *txn;

    CHECK_OK(pdict_begin(d, 0, &txn));
    put(txn, "k", "value");
    CHECK_OK(pdict_commit(txn));
}

static void check_uses(const struct setup *setup, const char *more)
{
    void (*const uses[])(pdict *) = { use_get,
                                      use_get_with,
                                      use_get_many,
                                      use_touch,
                                      use_put,
                                      use_put_many,
                                      use_get,
                                      use_get_in_transaction,
                                      use_put_in_transaction,
                                      use_get_many,
                                      use_get };
    pdict *d = setup_open(setup, "a", more);
    int64_t created_ms = test_now_ms;

    put(d, "k", "value");
    put(d, "other", "value");
    CHECK_INT(used(d, "k"), created_ms);
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        test_now_ms += 10 * SECOND;
        CHECK_OK(pdict_maintain(d, 0));
        uses[i](d);
        CHECK_INT(used(d, "k"), test_now_ms);
        CHECK(stored(setup, "k") < test_now_ms);
        CHECK_OK(pdict_maintain(d, 0));
        CHECK_INT(stored(setup, "k"), test_now_ms);
    }
    pdict_close(d);
}

static void check_cached_uses(const struct setup *setup)
{
    check_uses(setup, WATCHED);
}

TEST(access, reads_and_puts_are_uses_through_the_cache_too)
{
    for_each_setup(check_cached_uses);
}

static void check_uncached_uses(const struct setup *setup)
{
    check_uses(setup, WATCHED "&cache=off");
}

TEST(access, reads_and_puts_are_uses_without_a_cache)
{
    for_each_setup(check_uncached_uses);
}

static void check_looks(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", WATCHED);
    int64_t created_ms = test_now_ms;
    pdict_iter *iter;
    pdict_entry entry;
    bool is_there;

    put(d, "k", "value");
    for (int i = 0; i < 3; i++) {
        test_now_ms += 10 * SECOND;
        CHECK_OK(pdict_maintain(d, 0));
        CHECK_OK(pdict_contains(d, pdict_str("k"), &is_there));
        CHECK(is_there);
        CHECK_INT(count_of(d), 1);
        CHECK_OK(pdict_iter_open(d, NULL, &iter));
        CHECK_OK(pdict_iter_next(iter, &entry));
        pdict_iter_close(iter);
        CHECK_INT(used(d, "k"), created_ms);
    }
    check_value(d, "k", "value");
    CHECK_INT(used(d, "k"), test_now_ms);
    pdict_close(d);
}

TEST(access, contains_count_iteration_and_metadata_are_no_uses)
{
    for_each_setup(check_looks);
}

/* ---- when it is written ---- */

static void check_reopened(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", WATCHED), *other = NULL;

    if (!setup->is_persistent)
        other = setup_open(setup, "a", "&map=other"); /* keeps the store in memory */
    put(d, "k", "value");
    test_now_ms += 10 * SECOND;
    check_value(d, "k", "value");
    CHECK(stored(setup, "k") < test_now_ms);
    pdict_close(d);
    CHECK_INT(stored(setup, "k"), test_now_ms);
    pdict_close(other);
}

TEST(access, uses_are_written_when_the_map_is_closed)
{
    for_each_setup(check_reopened);
}

static void check_no_writes(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", WATCHED);
    struct token before;

    put(d, "k", "value");
    before = token_of(d);
    for (int i = 0; i < 1000; i++) {
        test_now_ms += 1;
        check_value(d, "k", "value");
        if (i % 100 == 0)
            CHECK_OK(pdict_maintain(d, 0));
    }
    CHECK(pdict__token_equal(before, token_of(d)));
    test_now_ms += SECOND;
    CHECK_OK(pdict_maintain(d, 0));
    for (int i = 0; i < 1000; i++)
        check_value(d, "k", "value");
    CHECK(pdict__token_equal(before, token_of(d)));
    CHECK_OK(pdict_maintain(d, 0));
    CHECK(!pdict__token_equal(before, token_of(d)));
    before = token_of(d);
    for (int i = 0; i < 100; i++)
        check_value(d, "k", "value");
    CHECK_OK(pdict_maintain(d, 0));
    CHECK(pdict__token_equal(before, token_of(d)));
    pdict_close(d);
}

TEST(access, thousands_of_reads_are_at_most_one_write_and_none_of_what_is_new)
{
    for_each_setup(check_no_writes);
}

static void check_lag(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", WATCHED);

    put(d, "k", "value");
    /* Maintained every step. */
    for (int i = 0; i < 400; i++) {
        test_now_ms += 100;
        check_value(d, "k", "value");
        if (i % 10 == 0)
            CHECK_OK(pdict_maintain(d, 0));
        CHECK(test_now_ms - stored(setup, "k") <= 4 * SECOND);
    }
    pdict_close(d);
}

TEST(access, what_is_stored_lags_behind_by_the_granularity_at_most)
{
    for_each_setup(check_lag);
}

static void check_off(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&access=off&maintenance=manual");
    int64_t created_ms = test_now_ms;
    struct token before;

    put(d, "k", "value");
    before = token_of(d);
    for (int i = 0; i < 10; i++) {
        test_now_ms += 1000 * SECOND;
        check_value(d, "k", "value");
        CHECK_OK(pdict_maintain(d, 0));
    }
    CHECK(pdict__token_equal(before, token_of(d)));
    CHECK_INT(used(d, "k"), created_ms);
    pdict_close(d);
    CHECK_STATUS(setup_try(setup, "a", "&access=3ms", &d), PDICT_INVAL);
    CHECK_STATUS(setup_try(setup, "a", "&access=often", &d), PDICT_INVAL);
}

TEST(access, off_notes_nothing)
{
    for_each_setup(check_off);
}

static void check_read_only(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", WATCHED), *reader;
    int64_t created_ms = test_now_ms;

    put(d, "k", "value");
    reader = setup_open(setup, "a", "&mode=ro&access=4s");
    test_now_ms += 100 * SECOND;
    check_value(reader, "k", "value");
    CHECK_OK(pdict_maintain(reader, 0));
    pdict_close(reader);
    CHECK_INT(used(d, "k"), created_ms);
    pdict_close(d);
}

TEST(access, read_only_handles_write_nothing)
{
    for_each_setup(check_read_only);
}

/* ---- rows that go ---- */

static void check_gone(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", WATCHED);

    put(d, "a", "value");
    put(d, "b", "value");
    test_now_ms += 10 * SECOND;
    check_value(d, "a", "value");
    check_value(d, "b", "value");
    CHECK_OK(pdict_del(d, pdict_str("a")));
    CHECK_OK(pdict_maintain(d, 0));
    CHECK_OK(pdict_del(d, pdict_str("b")));
    test_now_ms += 1;
    put(d, "a", "anew");
    put(d, "b", "anew");
    CHECK_INT(stored(setup, "a"), test_now_ms);
    CHECK_INT(stored(setup, "b"), test_now_ms);
    CHECK_OK(pdict_clear(d, PDICT_CLEAR_EVERYTHING));
    CHECK_OK(pdict_maintain(d, 0));
    CHECK_INT(count_of(d), 0);
    pdict_close(d);
}

TEST(access, deleted_entry_takes_its_access_time_along)
{
    for_each_setup(check_gone);
}

/* ---- many ---- */

static void check_many(const struct setup *setup)
{
    enum {
        /* Half of them are looked up, and written in several steps. */
        KEYS = TEST_IS_SLOW ? 3000 : 5000
    };
    pdict *d = setup_open(setup, "a", WATCHED "&durability=unsafe");
    char key[32];

    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof(key), "a key of some bytes %d", i);
        put(d, key, "value");
    }
    test_now_ms += 10 * SECOND;
    for (int i = 0; i < KEYS; i += 2) {
        snprintf(key, sizeof(key), "a key of some bytes %d", i);
        check_value(d, key, "value");
    }
    CHECK_OK(pdict_maintain(d, 10000));
    for (int i = 0; i < KEYS; i += 71) {
        snprintf(key, sizeof(key), "a key of some bytes %d", i);
        CHECK_INT(stored(setup, key), i % 2 ? test_now_ms - 10 * SECOND : test_now_ms);
    }
    pdict_close(d);
}

TEST(access, many_entries_are_each_noted)
{
    for_each_setup(check_many);
}

/* Short keys and long ones, more than a thread notes at a time without a lock. */
static void check_repeated(const struct setup *setup, const char *more)
{
    enum {
        KEYS = 400
    };
    pdict *d = setup_open(setup, "a", more);
    char key[128];

    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof(key), "%0*d", i % 100 + 3, i);
        put(d, key, "value");
    }
    for (int i = 0; i < 3 * KEYS; i++) {
        if (i % KEYS == 0) {
            test_now_ms += 3 * SECOND;
            put(d, "another", "value"); /* what was noted is noted anew from now on */
        }
        snprintf(key, sizeof(key), "%0*d", i % KEYS % 100 + 3, i % KEYS);
        check_value(d, key, "value");
        if (i % 7 == 0)
            CHECK_INT(used(d, key), test_now_ms);
    }
    CHECK_OK(pdict_maintain(d, 10000));
    for (int i = 0; i < KEYS; i += 13) {
        snprintf(key, sizeof(key), "%0*d", i % 100 + 3, i);
        CHECK_INT(stored(setup, key), test_now_ms);
    }
    pdict_close(d);
}

static void check_cached_repeated(const struct setup *setup)
{
    check_repeated(setup, WATCHED "&durability=unsafe");
}

static void check_uncached_repeated(const struct setup *setup)
{
    check_repeated(setup, WATCHED "&durability=unsafe&cache=off");
}

TEST(access, of_several_uses_the_latest_counts)
{
    for_each_setup(check_cached_repeated);
    for_each_setup(check_uncached_repeated);
}

static void *read_all(void *ctx)
{
    pdict *d = ctx;
    pdict_view view;
    char key[32];

    for (int i = 0; i < 4000; i++) {
        snprintf(key, sizeof(key), "%d", i % 100);
        CHECK_OK(pdict_get(d, pdict_str(key), &view));
        pdict_view_release(&view);
        if (i % 100 == 0)
            test_now_ms += SECOND;
    }
    return NULL;
}

static void check_threads(const struct setup *setup, const char *more)
{
    pdict *d = setup_open(setup, "a", more);
    pthread_t threads[4];
    char key[32];

    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "%d", i);
        put(d, key, "value");
    }
    test_now_ms += SECOND;
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, read_all, d) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    check_value(d, "99", "value");
    pdict_close(d);
}

static void check_cached_threads(const struct setup *setup)
{
    check_threads(setup, "&access=4ms&durability=unsafe");
}

/* Without a cache there is no entry that could say when it was noted. */
static void check_uncached_threads(const struct setup *setup)
{
    check_threads(setup, "&access=4ms&durability=unsafe&cache=off");
    if (setup->is_persistent)
        CHECK_INT(stored(setup, "99"), test_now_ms);
}

TEST(access, threads_note_while_the_background_writes)
{
    for_each_setup(check_cached_threads);
    for_each_setup(check_uncached_threads);
}
