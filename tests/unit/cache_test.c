/* SPDX-License-Identifier: MIT */
/* The cache through the public API: what a hit promises, and for how long a view is good. */
#include "maps.h"

#include <pthread.h>
#include <stdio.h>

static pdict_stats stats_of(pdict *d)
{
    pdict_stats stats = PDICT_STATS_INIT;

    CHECK_OK(pdict_stats_get(d, 0, &stats));
    return stats;
}

/* ---- hits ---- */

static void check_hits(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");

    put(d, "k", "value");
    for (int i = 0; i < 100; i++)
        check_value(d, "k", "value");
    CHECK_INT(stats_of(d).cache_hits, 100);
    CHECK_INT(stats_of(d).cache_misses, 0);
    CHECK_OK(pdict_clear_cache(d));
    CHECK_INT(stats_of(d).cache_entries, 0);
    check_value(d, "k", "value");
    check_value(d, "k", "value");
    CHECK_INT(stats_of(d).cache_misses, 1);
    CHECK_INT(stats_of(d).cache_hits, 101);
    pdict_close(d);
}

TEST(cache, what_was_put_or_read_is_a_hit)
{
    for_each_setup(check_hits);
}

static void check_sums(const struct setup *setup)
{
    pdict_meta meta = PDICT_META_INIT;
    pdict *d = setup_open(setup, "sums", "");
    pdict_view view;

    put_ttl(d, "n", "40", 1000);
    for (int i = 1; i <= 2; i++)
        CHECK_OK(pdict_add(d, pdict_str("n"), 1, NULL, NULL));
    CHECK_OK(pdict_add(d, pdict_str("new"), -1, NULL, NULL));
    check_value(d, "n", "42");
    check_value(d, "new", "-1");
    CHECK_OK(pdict_meta_get(d, pdict_str("n"), &meta));
    CHECK_OK(pdict_pop(d, pdict_str("n"), &view));
    CHECK_INT(view.version, meta.version);
    CHECK_INT(view.created_ms, meta.created_ms);
    CHECK_INT(view.expires_ms, meta.expires_ms);
    pdict_view_release(&view);
    check_value(d, "n", NULL);
    CHECK_INT(stats_of(d).cache_hits, 3);
    CHECK_INT(stats_of(d).cache_absent_hits, 1);
    CHECK_INT(stats_of(d).cache_misses, 0);
    pdict_close(d);
}

TEST(cache, what_was_added_up_or_popped_is_a_hit)
{
    for_each_setup(check_sums);
}

static void get_many(pdict *d, const char *const *names, pdict_view *views, int *statuses)
{
    pdict_slice keys[4];

    for (int i = 0; i < 4; i++)
        keys[i] = pdict_str(names[i]);
    CHECK_OK(pdict_get_many(d, keys, 4, views, statuses));
}

static void release(pdict_view *views)
{
    for (int i = 0; i < 4; i++)
        pdict_view_release(&views[i]);
}

static void check_many(const struct setup *setup)
{
    static const char *const names[] = { "a", "none", "b", "c" };
    pdict *d = setup_open(setup, "a", "");
    pdict_view views[4];
    int statuses[4];

    put(d, "a", "1");
    put(d, "b", "2");
    put(d, "c", "3");
    CHECK_OK(pdict_clear_cache(d));
    check_value(d, "a", "1");
    check_value(d, "none", NULL);
    check_value(d, "c", "3");
    for (int i = 0; i < 2; i++) {
        get_many(d, names, views, statuses);
        CHECK_BYTES(views[0].data, views[0].size, "1", 1);
        CHECK_STATUS(statuses[1], PDICT_NOTFOUND);
        CHECK(!views[1].data);
        CHECK_BYTES(views[2].data, views[2].size, "2", 1);
        CHECK_BYTES(views[3].data, views[3].size, "3", 1);
        release(views);
        /* Three to fill the cache, and one. */
        if (!TEST_UNDER_VALGRIND)
            CHECK_INT(stats_of(d).cache_misses, 4);
    }
    /* Valgrind maps no page a second time, and then batches are read anew. */
    if (!TEST_UNDER_VALGRIND) {
        CHECK_INT(stats_of(d).cache_hits, 5);
        CHECK_INT(stats_of(d).cache_absent_hits, 2);
    }
    pdict_close(d);
}

TEST(cache, of_many_keys_only_those_are_read_that_are_missing)
{
    for_each_setup(check_many);
}

/* Somebody else, who puts two keys right after a reader was opened. */
struct interruption {
    pdict *d;
    bool is_armed;
};

static void put_between(void *ctx, int level, const char *component, int status,
                        const char *message)
{
    struct interruption *interruption = ctx;
    const pdict_pair pairs[] = { { pdict_str("a"), pdict_str("new") },
                                 { pdict_str("b"), pdict_str("new") } };

    (void)level;
    (void)component;
    (void)status;
    if (!interruption->is_armed || !strstr(message, "reader_open"))
        return;
    interruption->is_armed = false;
    CHECK_OK(pdict_put_many(interruption->d, pairs, 2, NULL, NULL));
}

static void check_instant(const char *scheme)
{
    static const char *const names[] = { "a", "b", "a", "b" };
    struct interruption interruption = { .d = NULL };
    pdict_options options = PDICT_OPTIONS_INIT;
    char uri[512];
    pdict_view views[4];
    int statuses[4];
    pdict *d;

    snprintf(uri, sizeof(uri), "trace+%s:%s", scheme, test_path("%s.db", scheme));
    options.logger = (pdict_logger){ put_between, &interruption, PDICT_LOG_DEBUG };
    if (pdict_open(uri, &options, &d) == PDICT_UNKNOWN_BACKEND)
        return;
    interruption.d = d;
    put(d, "b", "old");
    /* Neither a value nor a reader is left. */
    CHECK_OK(pdict_clear_cache(d));
    put(d, "a", "old");
    interruption.is_armed = true;
    get_many(d, names, views, statuses);
    CHECK(!interruption.is_armed);
    for (int i = 0; i < 4; i++)
        CHECK_BYTES(views[i].data, views[i].size, "new", 3);
    release(views);
    pdict_close(d);
}

TEST(cache, many_keys_are_of_one_instant_whoever_commits_meanwhile)
{
    check_instant("memory");
    check_instant("sqlite");
    check_instant("lmdb");
}

static void check_absent(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");

    for (int i = 0; i < 10; i++)
        check_value(d, "k", NULL);
    CHECK_INT(stats_of(d).cache_absent_hits, 9);
    put(d, "k", "there now");
    check_value(d, "k", "there now");
    CHECK_OK(pdict_del(d, pdict_str("k")));
    check_value(d, "k", NULL);
    CHECK_INT(stats_of(d).cache_absent_hits, 10);
    pdict_close(d);
}

TEST(cache, an_absent_key_is_remembered_until_it_is_put)
{
    for_each_setup(check_absent);
}

static void check_facts_of_hits(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_view read, hit;
    uint64_t version;
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;

    how.ttl_ms = 1000;
    how.version_out = &version;
    CHECK_OK(pdict_put(d, pdict_str("k"), pdict_str("v"), &how));
    CHECK_OK(pdict_get(d, pdict_str("k"), &hit));
    CHECK_OK(pdict_clear_cache(d));
    CHECK_OK(pdict_get(d, pdict_str("k"), &read));
    CHECK(hit.version == version && read.version == version);
    CHECK_INT(hit.created_ms, test_now_ms);
    CHECK_INT(read.created_ms, test_now_ms);
    CHECK_INT(hit.expires_ms, test_now_ms + 1000);
    CHECK_INT(read.expires_ms, test_now_ms + 1000);
    pdict_view_release(&read);
    pdict_view_release(&hit);
    pdict_close(d);
}

TEST(cache, a_hit_knows_version_and_times)
{
    for_each_setup(check_facts_of_hits);
}

static void check_expiry(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");

    put_ttl(d, "k", "value", 1000);
    check_value(d, "k", "value");
    test_now_ms += 999;
    check_value(d, "k", "value");
    test_now_ms += 1;
    check_value(d, "k", NULL);
    check_value(d, "k", NULL);
    put(d, "k", "again");
    check_value(d, "k", "again");
    pdict_close(d);
}

TEST(cache, a_cached_entry_is_absent_from_the_moment_it_expires)
{
    for_each_setup(check_expiry);
}

static void check_every_write(const struct setup *setup)
{
    pdict_pair pairs[] = { { pdict_str("a"), pdict_str("many") },
                           { pdict_str("b"), pdict_str("many") } };
    pdict *d = setup_open(setup, "a", "");

    for (int i = 0; i < 2; i++)
        put(d, pairs[i].key.data, "one");
    CHECK_OK(pdict_put_many(d, pairs, 2, NULL, NULL));
    check_value(d, "a", "many");
    check_value(d, "b", "many");
    CHECK_OK(pdict_del_many(d, &pairs[0].key, 1, NULL));
    check_value(d, "a", NULL);
    check_value(d, "b", "many");
    CHECK_OK(pdict_clear(d, PDICT_CLEAR_EVERYTHING));
    check_value(d, "b", NULL);
    pdict_close(d);
}

static void check_every_write_private(const struct setup *setup)
{
    pdict *d = setup_open(setup, "p", "&coherence=private");

    put(d, "k", "1");
    check_value(d, "k", "1");
    CHECK_OK(pdict_clear(d, PDICT_CLEAR_EVERYTHING));
    check_value(d, "k", NULL);
    put(d, "k", "2");
    check_value(d, "k", "2");
    CHECK(stats_of(d).cache_hits >= 2);
    pdict_close(d);
}

TEST(cache, every_way_of_writing_is_seen_by_the_next_get)
{
    for_each_setup(check_every_write);
    for_each_setup(check_every_write_private);
}

/* ---- views ---- */

static void check_many_views(const struct setup *setup)
{
    enum {
        COUNT = TEST_UNDER_VALGRIND ? 2000 : 10000
    };
    pdict_view *views = test_alloc(COUNT * sizeof(*views));
    pdict *d = setup_open(setup, "a", "&durability=unsafe&cache=1MiB");
    char key[16];

    for (int i = 0; i < COUNT; i++) {
        snprintf(key, sizeof(key), "%d", i % 100);
        if (i < 100)
            put(d, key, "first");
        CHECK_OK(pdict_get(d, pdict_str(key), &views[i]));
    }
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "%d", i);
        put(d, key, "second");
    }
    CHECK_OK(pdict_clear_cache(d));
    pdict_close(d);
    for (int i = 0; i < COUNT; i++)
        CHECK_BYTES(views[i].data, views[i].size, "first", 5);
    for (int i = 0; i < COUNT; i++)
        pdict_view_release(&views[i]);
}

TEST(cache, ten_thousand_views_at_once_outlive_replacement_and_close)
{
    for_each_setup(check_many_views);
}

struct handed_over {
    pdict *d;
    pdict_view view;
};

static void *get_view(void *ctx)
{
    struct handed_over *it = ctx;

    CHECK_OK(pdict_get(it->d, pdict_str("k"), &it->view));
    return NULL;
}

static void check_other_thread(const struct setup *setup)
{
    struct handed_over it = { .d = setup_open(setup, "a", "") };
    pthread_t thread;

    put(it.d, "k", "value");
    CHECK(pthread_create(&thread, NULL, get_view, &it) == 0);
    pthread_join(thread, NULL);
    put(it.d, "k", "another");
    CHECK_OK(pdict_clear_cache(it.d));
    CHECK_BYTES(it.view.data, it.view.size, "value", 5);
    pdict_view_release(&it.view);
    pdict_close(it.d);
}

TEST(cache, a_view_outlives_its_thread_and_is_released_on_another)
{
    for_each_setup(check_other_thread);
}

/* ---- handles ---- */

static void check_off(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", ""), *around = setup_open(setup, "a", "&cache=off");

    put(d, "k", "1");
    check_value(d, "k", "1");
    put(around, "k", "2");
    check_value(d, "k", "2");
    CHECK_INT(stats_of(d).cache_hits, 1);
    check_value(around, "k", "2");
    CHECK_INT(stats_of(d).cache_hits, 1);
    pdict_close(around);
    pdict_close(d);
}

TEST(cache, a_handle_without_cache_is_heard_by_those_with_one)
{
    for_each_setup(check_off);
}

static void check_sealed(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&cache=sealed");
    pdict *other;

    put(d, "k", "value");
    check_value(d, "k", "value");
    check_value(d, "k", "value");
    CHECK_INT(stats_of(d).cache_hits, 2);
    CHECK_STATUS(setup_try(setup, "a", "&cache=2MiB", &other), PDICT_CONTRADICTION);
    CHECK_OK(setup_try(setup, "a", "&cache=sealed:128MiB", &other));
    pdict_close(other);
    CHECK_STATUS(setup_try(setup, "a", "&coherence=private", &other), PDICT_CONTRADICTION);
    pdict_close(d);
}

TEST(cache, records_are_kept_sealed_on_request_and_handles_must_agree)
{
    for_each_setup(check_sealed);
}

TEST(cache, malformed_sizes_and_bounds_are_refused)
{
    static const char *const bad[] = { "&cache=none",        "&cache=1KiB",
                                       "&cache=sealed:",     "&cache=sealed:off",
                                       "&coherence=bounded", "&coherence=bounded:0",
                                       "&coherence=loose",   "&coherence=bounded:-1" };
    pdict *d;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_STATUS(setup_try(&setups[0], "a", bad[i], &d), PDICT_INVAL);
        CHECK(strstr(pdict_error_text(), i < 4 ? "cache=" : "coherence="));
    }
}
