/* SPDX-License-Identifier: MIT */
/* One key and many keys through the public API, on every setup. */
#include "maps.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- get and put ---- */

static void check_roundtrip(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_view view;

    put(d, "k", "first");
    put(d, "k", "second");
    put(d, "", "value of the empty key");
    CHECK_OK(pdict_put(d, pdict_bytes("a\0b", 3), pdict_bytes("\0\xff", 2), NULL));
    CHECK_OK(pdict_put(d, pdict_str("empty"), pdict_bytes(NULL, 0), NULL));
    check_value(d, "k", "second");
    check_value(d, "", "value of the empty key");
    check_value(d, "a", NULL);
    CHECK_OK(pdict_get(d, pdict_bytes("a\0b", 3), &view));
    CHECK_BYTES(view.data, view.size, "\0\xff", 2);
    pdict_view_release(&view);
    CHECK_OK(pdict_get(d, pdict_str("empty"), &view));
    CHECK(view.data != NULL);
    CHECK_INT(view.size, 0);
    pdict_view_release(&view);
    CHECK_INT(count_of(d), 4);
    pdict_close(d);
}

TEST(ops, put_then_get_returns_the_same_bytes)
{
    for_each_setup(check_roundtrip);
}

static void check_reopen(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_view before, after;

    if (!setup->is_persistent) {
        pdict_close(d);
        return;
    }
    put(d, "k", "kept");
    CHECK_OK(pdict_get(d, pdict_str("k"), &before));
    pdict_close(d);
    d = setup_open(setup, "a", "&mode=rw");
    CHECK_OK(pdict_get(d, pdict_str("k"), &after));
    CHECK_BYTES(after.data, after.size, "kept", 4);
    CHECK(after.version == before.version);
    CHECK_INT(after.created_ms, before.created_ms);
    pdict_close(d);
    /* Views own their bytes: they outlive the map. */
    CHECK_BYTES(before.data, before.size, "kept", 4);
    pdict_view_release(&before);
    pdict_view_release(&after);
    pdict_view_release(&after);
    pdict_view_release(NULL);
}

TEST(ops, a_value_survives_close_and_a_view_survives_its_map)
{
    for_each_setup(check_reopen);
}

static void check_view_facts(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    int64_t created_ms = test_now_ms;
    pdict_view first, second;

    put_ttl(d, "k", "one", 5000);
    CHECK_OK(pdict_get(d, pdict_str("k"), &first));
    CHECK(first.version != 0);
    CHECK_INT(first.created_ms, created_ms);
    CHECK_INT(first.expires_ms, created_ms + 5000);
    test_now_ms += 100;
    put(d, "k", "two");
    CHECK_OK(pdict_get(d, pdict_str("k"), &second));
    CHECK(second.version != first.version);
    CHECK_INT(second.created_ms, created_ms);
    CHECK_INT(second.expires_ms, 0);
    CHECK_BYTES(first.data, first.size, "one", 3);
    pdict_view_release(&first);
    pdict_view_release(&second);
    pdict_close(d);
}

TEST(ops, a_view_carries_version_creation_and_expiry)
{
    for_each_setup(check_view_facts);
}

static int see(void *ctx, const pdict_view *view)
{
    *(size_t *)ctx = view->size;
    return view->size == 3 ? 42 : PDICT_OK;
}

static void check_get_with(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    size_t size = 99;

    CHECK_STATUS(pdict_get_with(d, pdict_str("k"), see, &size), PDICT_NOTFOUND);
    CHECK_INT(size, 99);
    put(d, "k", "abcd");
    CHECK_OK(pdict_get_with(d, pdict_str("k"), see, &size));
    CHECK_INT(size, 4);
    put(d, "k", "abc");
    CHECK_INT(pdict_get_with(d, pdict_str("k"), see, &size), 42);
    pdict_close(d);
}

TEST(ops, a_reader_sees_the_value_once_and_its_result_is_returned)
{
    for_each_setup(check_get_with);
}

/* ---- conditions ---- */

static int put_if(pdict *d, const char *value, unsigned flags, uint64_t version, uint64_t *out)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;

    how.flags = flags;
    how.if_version = version;
    how.version_out = out;
    return pdict_put(d, pdict_str("k"), pdict_str(value), &how);
}

static void check_conditions(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    uint64_t v1 = 0, v2 = 0, untouched = 7;

    CHECK_STATUS(put_if(d, "x", PDICT_PUT_IF_PRESENT, 0, &untouched), PDICT_NOTFOUND);
    CHECK_STATUS(put_if(d, "x", PDICT_PUT_IF_VERSION, 5, &untouched), PDICT_NOTFOUND);
    CHECK_INT(untouched, 7);
    CHECK_OK(put_if(d, "one", PDICT_PUT_IF_ABSENT, 0, &v1));
    CHECK_STATUS(put_if(d, "x", PDICT_PUT_IF_ABSENT, 0, &untouched), PDICT_EXISTS);
    CHECK_OK(put_if(d, "two", PDICT_PUT_IF_VERSION, v1, &v2));
    CHECK(v1 != v2 && v2 != 0);
    CHECK_STATUS(put_if(d, "x", PDICT_PUT_IF_VERSION, v1, &untouched), PDICT_CONFLICT);
    check_value(d, "k", "two");
    CHECK_OK(put_if(d, "three", PDICT_PUT_IF_PRESENT, 0, NULL));
    check_value(d, "k", "three");
    pdict_close(d);
}

TEST(ops, a_put_whose_condition_fails_changes_nothing)
{
    for_each_setup(check_conditions);
}

static void check_malformed(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;

    how.flags = PDICT_PUT_IF_ABSENT | PDICT_PUT_IF_PRESENT;
    CHECK_STATUS(pdict_put(d, pdict_str("k"), pdict_str("v"), &how), PDICT_INVAL);
    how.flags = 0;
    how.ttl_ms = 5;
    how.expires_ms = 5;
    CHECK_STATUS(pdict_put(d, pdict_str("k"), pdict_str("v"), &how), PDICT_INVAL);
    how.expires_ms = 0;
    how.ttl_ms = -1;
    CHECK_STATUS(pdict_put(d, pdict_str("k"), pdict_str("v"), &how), PDICT_INVAL);
    how.ttl_ms = 0;
    how.durability = 99;
    CHECK_STATUS(pdict_put(d, pdict_str("k"), pdict_str("v"), &how), PDICT_INVAL);
    how = (pdict_put_options){ .struct_size = 0 };
    CHECK_STATUS(pdict_put(d, pdict_str("k"), pdict_str("v"), &how), PDICT_INVAL);
    check_value(d, "k", NULL);
    pdict_close(d);
}

TEST(ops, contradicting_put_options_are_refused)
{
    for_each_setup(check_malformed);
}

/* ---- time ---- */

static void check_expiry(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_meta meta = PDICT_META_INIT;
    pdict_view view;
    bool is_there;

    put(d, "stays", "x");
    put_ttl(d, "goes", "x", 1000);
    test_now_ms += 999;
    check_value(d, "goes", "x");
    CHECK_INT(count_of(d), 2);
    test_now_ms += 1;
    check_value(d, "goes", NULL);
    CHECK_STATUS(pdict_meta_get(d, pdict_str("goes"), &meta), PDICT_NOTFOUND);
    CHECK_OK(pdict_contains(d, pdict_str("goes"), &is_there));
    CHECK(!is_there);
    CHECK_INT(count_of(d), 1);
    CHECK_STATUS(pdict_del(d, pdict_str("goes")), PDICT_NOTFOUND);
    put(d, "goes", "again");
    CHECK_OK(pdict_get(d, pdict_str("goes"), &view));
    CHECK_INT(view.created_ms, test_now_ms);
    pdict_view_release(&view);
    pdict_close(d);
}

TEST(ops, an_expired_key_is_absent_for_everything_from_its_deadline_on)
{
    for_each_setup(check_expiry);
}

static void check_past(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    uint64_t version = 7;

    how.expires_ms = test_now_ms;
    how.version_out = &version;
    CHECK_OK(pdict_put(d, pdict_str("absent"), pdict_str("v"), &how));
    put(d, "k", "v");
    CHECK_OK(pdict_put(d, pdict_str("k"), pdict_str("v"), &how));
    CHECK_INT(version, 0);
    check_value(d, "k", NULL);
    how.flags = PDICT_PUT_IF_PRESENT;
    CHECK_STATUS(pdict_put(d, pdict_str("k"), pdict_str("v"), &how), PDICT_NOTFOUND);
    how.flags = PDICT_PUT_IF_ABSENT;
    CHECK_OK(pdict_put(d, pdict_str("k"), pdict_str("v"), &how));
    check_value(d, "k", NULL);
    how.flags = 0;
    how.expires_ms = 0;
    how.ttl_ms = INT64_MAX;
    CHECK_OK(pdict_put(d, pdict_str("k"), pdict_str("v"), &how));
    check_value(d, "k", "v");
    pdict_close(d);
}

TEST(ops, a_deadline_in_the_past_deletes_and_one_beyond_all_time_saturates)
{
    for_each_setup(check_past);
}

/* ---- del, contains, meta ---- */

static void check_del(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    bool is_there;

    put(d, "k", "v");
    CHECK_OK(pdict_contains(d, pdict_str("k"), &is_there));
    CHECK(is_there);
    CHECK_OK(pdict_del(d, pdict_str("k")));
    CHECK_STATUS(pdict_del(d, pdict_str("k")), PDICT_NOTFOUND);
    CHECK_OK(pdict_contains(d, pdict_str("k"), &is_there));
    CHECK(!is_there);
    CHECK_INT(count_of(d), 0);
    pdict_close(d);
}

TEST(ops, a_deleted_key_is_gone_and_deleting_it_again_says_so)
{
    for_each_setup(check_del);
}

static void check_meta(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_meta meta = PDICT_META_INIT, no_size = { 0 };
    struct {
        size_t struct_size;
        uint64_t version;
        int64_t guard;
    } older = { .struct_size = 16, .guard = 5 };
    uint64_t version;

    CHECK_OK(put_if(d, "12345", 0, 0, &version));
    CHECK_OK(pdict_meta_get(d, pdict_str("k"), &meta));
    CHECK(meta.version == version);
    CHECK_INT(meta.value_size, 5);
    CHECK(meta.stored_size > 16 + 5);
    CHECK_INT(meta.created_ms, test_now_ms);
    CHECK_STATUS(pdict_meta_get(d, pdict_str("k"), &no_size), PDICT_INVAL);
    /* A caller built against a shorter struct gets what fits, and nothing behind it. */
    CHECK_OK(pdict_meta_get(d, pdict_str("k"), (pdict_meta *)(void *)&older));
    CHECK(older.version == version);
    CHECK_INT(older.guard, 5);
    pdict_close(d);
}

TEST(ops, metadata_is_read_without_decoding_and_by_size)
{
    for_each_setup(check_meta);
}

/* ---- limits ---- */

static void check_limits(const struct setup *setup)
{
    pdict *d = setup_open(setup, "small", "&max_value=100");
    char *big = calloc(1, 101);
    pdict_pair pairs[2] = { { pdict_str("a"), pdict_str("fits") },
                            { pdict_str("b"), pdict_bytes(big, 101) } };

    CHECK(big != NULL);
    CHECK_OK(pdict_put(d, pdict_str("k"), pdict_bytes(big, 100), NULL));
    CHECK_STATUS(pdict_put(d, pdict_str("k"), pdict_bytes(big, 101), NULL), PDICT_TOO_BIG);
    CHECK(strstr(pdict_error_text(), "100") != NULL);
    CHECK_STATUS(pdict_put_many(d, pairs, 2, NULL, NULL), PDICT_TOO_BIG);
    check_value(d, "a", NULL);
    CHECK_INT(count_of(d), 1);
    free(big);
    pdict_close(d);
}

TEST(ops, a_value_over_max_value_is_refused_and_changes_nothing)
{
    for_each_setup(check_limits);
}

static void check_large(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    size_t size = (TEST_IS_SLOW ? 1 : 10) << 20;
    char *value = malloc(size);
    uint32_t x = 1;
    pdict_view view;

    CHECK(value != NULL);
    for (size_t i = 0; i < size; i++) {
        x = x * 1664525u + 1013904223u;
        value[i] = (char)(x >> 24);
    }
    CHECK_OK(pdict_put(d, pdict_bytes(value, 70000), pdict_bytes(value, size), NULL));
    CHECK_OK(pdict_get(d, pdict_bytes(value, 70000), &view));
    CHECK_BYTES(view.data, view.size, value, size);
    pdict_view_release(&view);
    free(value);
    pdict_close(d);
}

TEST(ops, long_keys_and_large_values_come_back_whole)
{
    for_each_setup(check_large);
}

/* ---- many ---- */

static void check_get_many(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_slice keys[4] = { pdict_str("b"), pdict_str("none"), pdict_str("a"), pdict_str("b") };
    pdict_view views[4];
    int statuses[4];

    put(d, "a", "1");
    put(d, "b", "22");
    CHECK_OK(pdict_get_many(d, keys, 4, views, statuses));
    CHECK_BYTES(views[0].data, views[0].size, "22", 2);
    CHECK_STATUS(statuses[1], PDICT_NOTFOUND);
    CHECK(views[1].data == NULL);
    CHECK_BYTES(views[2].data, views[2].size, "1", 1);
    CHECK_BYTES(views[3].data, views[3].size, "22", 2);
    for (int i = 0; i < 4; i++)
        pdict_view_release(&views[i]);
    CHECK_OK(pdict_get_many(d, keys, 0, NULL, NULL));
    pdict_close(d);
}

TEST(ops, get_many_answers_for_each_key)
{
    for_each_setup(check_get_many);
}

#define N_MANY 1500

static void check_put_many(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    static char keys[N_MANY][16], values[N_MANY][32];
    static pdict_pair pairs[N_MANY];
    static pdict_slice slices[N_MANY];
    static int statuses[N_MANY];
    pdict_put_options if_absent = PDICT_PUT_OPTIONS_INIT;

    for (int i = 0; i < N_MANY; i++) {
        snprintf(keys[i], sizeof(keys[i]), "k%d", i * 7 % N_MANY);
        snprintf(values[i], sizeof(values[i]), "value %d", i);
        slices[i] = pdict_str(keys[i]);
        pairs[i] = (pdict_pair){ slices[i], pdict_str(values[i]) };
    }
    CHECK_OK(pdict_put_many(d, pairs, N_MANY, NULL, statuses));
    for (int i = 0; i < N_MANY; i++) {
        CHECK_OK(statuses[i]);
        check_value(d, keys[i], values[i]);
    }
    CHECK_INT(count_of(d), N_MANY);
    CHECK_OK(pdict_del(d, slices[3]));
    if_absent.flags = PDICT_PUT_IF_ABSENT;
    CHECK_OK(pdict_put_many(d, pairs, N_MANY, &if_absent, statuses));
    for (int i = 0; i < N_MANY; i++)
        CHECK_STATUS(statuses[i], i == 3 ? PDICT_OK : PDICT_EXISTS);
    CHECK_OK(pdict_del(d, slices[5]));
    CHECK_OK(pdict_del_many(d, slices, N_MANY, statuses));
    for (int i = 0; i < N_MANY; i++)
        CHECK_STATUS(statuses[i], i == 5 ? PDICT_NOTFOUND : PDICT_OK);
    CHECK_INT(count_of(d), 0);
    CHECK_OK(pdict_put_many(d, NULL, 0, NULL, NULL));
    CHECK_OK(pdict_del_many(d, NULL, 0, NULL));
    pdict_close(d);
}

TEST(ops, many_keys_are_put_and_deleted_in_one_commit_with_a_status_each)
{
    for_each_setup(check_put_many);
}

static void check_put_many_twice(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_pair pairs[3] = { { pdict_str("k"), pdict_str("first") },
                            { pdict_str("other"), pdict_str("x") },
                            { pdict_str("k"), pdict_str("last") } };
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    uint64_t version;
    int statuses[3];

    CHECK_OK(pdict_put_many(d, pairs, 3, NULL, NULL));
    check_value(d, "k", "last");
    CHECK_INT(count_of(d), 2);
    how.version_out = &version;
    CHECK_STATUS(pdict_put_many(d, pairs, 3, &how, NULL), PDICT_INVAL);
    how.version_out = NULL;
    how.expires_ms = 1;
    CHECK_OK(pdict_put_many(d, pairs, 3, &how, statuses));
    for (int i = 0; i < 3; i++)
        CHECK_OK(statuses[i]);
    CHECK_INT(count_of(d), 0);
    pdict_close(d);
}

TEST(ops, of_equal_keys_in_one_batch_the_last_wins)
{
    for_each_setup(check_put_many_twice);
}

/* ---- clearing ---- */

static void check_clear(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    char key[16];

    for (int i = 0; i < 50; i++) {
        snprintf(key, sizeof(key), "%d", i);
        put_ttl(d, key, "v", i % 2 ? 0 : 10);
    }
    test_now_ms += 10;
    CHECK_INT(count_of(d), 25);
    CHECK_STATUS(pdict_clear(d, 0), PDICT_INVAL);
    CHECK_STATUS(pdict_clear(d, 1), PDICT_INVAL);
    CHECK_INT(count_of(d), 25);
    CHECK_OK(pdict_clear(d, PDICT_CLEAR_EVERYTHING));
    CHECK_INT(count_of(d), 0);
    put(d, "after", "v");
    check_value(d, "after", "v");
    CHECK_OK(pdict_clear_cache(d));
    check_value(d, "after", "v");
    pdict_close(d);
}

TEST(ops, clear_has_to_be_asked_for_by_name)
{
    for_each_setup(check_clear);
}

/* ---- stats and sync ---- */

static void check_stats(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&map=users");
    pdict_stats stats = PDICT_STATS_INIT, no_size = { 0 };

    put(d, "key", "0123456789");
    put(d, "k2", "x");
    CHECK_OK(pdict_sync(d));
    CHECK_OK(pdict_stats_get(d, 0, &stats));
    CHECK_STR(stats.backend, setup->backend);
    CHECK_STR(stats.map, "users");
    CHECK_STR(stats.codecs, setup->codecs);
    CHECK_INT(stats.count, 2);
    CHECK_INT(stats.is_encrypted, setup->is_sealed);
    CHECK_INT(stats.max_value, 64 << 20);
    CHECK_INT(stats.logical_bytes, 0);
    CHECK(!setup->is_persistent || stats.file_bytes > 0);
    CHECK_OK(pdict_stats_get(d, PDICT_STATS_SIZES, &stats));
    CHECK_INT(stats.logical_bytes, 3 + 10 + 2 + 1);
    CHECK(stats.stored_bytes > stats.logical_bytes);
    CHECK_INT(stats.damaged, 0);
    CHECK_STATUS(pdict_stats_get(d, 0, &no_size), PDICT_INVAL);
    CHECK_STATUS(pdict_stats_get(d, 8, &stats), PDICT_INVAL);
    pdict_close(d);
}

TEST(ops, stats_say_what_the_map_is_and_how_large)
{
    for_each_setup(check_stats);
}
