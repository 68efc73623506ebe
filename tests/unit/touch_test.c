/* SPDX-License-Identifier: MIT */
/* Deadlines that move: touch, persist, get-and-touch; times of single pairs. */
#include "maps.h"

#include <stdio.h>

static int64_t expiry_of(pdict *d, const char *key)
{
    pdict_meta meta = PDICT_META_INIT;

    CHECK_OK(pdict_meta_get(d, pdict_str(key), &meta));
    return meta.expires_ms;
}

static void check_touch(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_view before, after;

    put_ttl(d, "k", "value", 1000);
    put(d, "other", "stays");
    CHECK_OK(pdict_get(d, pdict_str("k"), &before));
    test_now_ms += 999;
    CHECK_OK(pdict_touch(d, pdict_str("k"), 1000));
    test_now_ms += 999;
    CHECK_OK(pdict_get(d, pdict_str("k"), &after));
    CHECK_BYTES(after.data, after.size, "value", 5);
    CHECK(after.version == before.version);
    CHECK_INT(after.created_ms, before.created_ms);
    CHECK_INT(after.expires_ms, test_now_ms + 1);
    test_now_ms += 1;
    check_value(d, "k", NULL);
    CHECK_STATUS(pdict_touch(d, pdict_str("k"), 1000), PDICT_NOTFOUND);
    CHECK_STATUS(pdict_touch(d, pdict_str("none"), 1000), PDICT_NOTFOUND);
    check_value(d, "other", "stays");
    pdict_view_release(&before);
    pdict_view_release(&after);
    pdict_close(d);
}

TEST(touch, touched_entry_lives_on_with_its_value_version_and_creation)
{
    for_each_setup(check_touch);
}

static void check_persist(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");

    put_ttl(d, "k", "value", 1000);
    CHECK_OK(pdict_persist(d, pdict_str("k")));
    CHECK_INT(expiry_of(d, "k"), 0);
    test_now_ms += 100000;
    check_value(d, "k", "value");
    CHECK_OK(pdict_touch(d, pdict_str("k"), 5));
    test_now_ms += 5;
    check_value(d, "k", NULL);
    CHECK_STATUS(pdict_persist(d, pdict_str("k")), PDICT_NOTFOUND);
    pdict_close(d);
}

TEST(touch, persisted_entry_never_expires_and_can_be_given_a_deadline_again)
{
    for_each_setup(check_persist);
}

static void check_until(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");

    put(d, "k", "value");
    CHECK_OK(pdict_touch_until(d, pdict_str("k"), test_now_ms + 7));
    CHECK_INT(expiry_of(d, "k"), test_now_ms + 7);
    CHECK_OK(pdict_touch_until(d, pdict_str("k"), test_now_ms));
    check_value(d, "k", NULL);
    CHECK_INT(count_of(d), 0);
    pdict_close(d);
}

TEST(touch, deadline_that_has_passed_deletes)
{
    for_each_setup(check_until);
}

static void check_get_and_touch(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_view view;

    put_ttl(d, "k", "value", 10);
    CHECK_OK(pdict_get_and_touch(d, pdict_str("k"), 500, &view));
    CHECK_BYTES(view.data, view.size, "value", 5);
    CHECK_INT(view.expires_ms, test_now_ms + 500);
    pdict_view_release(&view);
    CHECK_INT(expiry_of(d, "k"), test_now_ms + 500);
    CHECK_STATUS(pdict_get_and_touch(d, pdict_str("none"), 500, &view), PDICT_NOTFOUND);
    CHECK(view.data == NULL);
    pdict_close(d);
}

TEST(touch, get_and_touch_reads_the_value_and_moves_the_deadline)
{
    for_each_setup(check_get_and_touch);
}

static void check_far(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");

    put(d, "k", "value");
    CHECK_OK(pdict_touch(d, pdict_str("k"), INT64_MAX));
    CHECK(expiry_of(d, "k") == INT64_MAX);
    check_value(d, "k", "value");
    CHECK_STATUS(pdict_touch(d, pdict_str("k"), 0), PDICT_INVAL);
    CHECK_STATUS(pdict_touch(d, pdict_str("k"), -1), PDICT_INVAL);
    CHECK_STATUS(pdict_touch_until(d, pdict_str("k"), 0), PDICT_INVAL);
    pdict_close(d);
}

TEST(touch, times_to_live_end_at_the_end_of_time_and_begin_at_one)
{
    for_each_setup(check_far);
}

static void check_pairs(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_pair pairs[] = { { pdict_str("a"), pdict_str("1") },
                           { pdict_str("b"), pdict_str("2") },
                           { pdict_str("c"), pdict_str("3") },
                           { pdict_str("d"), pdict_str("4") } };
    pdict_pair_times times[] = { { .ttl_ms = 10 },
                                 { .expires_ms = test_now_ms + 20, .created_ms = 77 },
                                 { .expires_ms = test_now_ms },
                                 { .created_ms = 88 } };
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    pdict_meta meta = PDICT_META_INIT;
    int statuses[4];

    how.times = times;
    CHECK_OK(pdict_put_many(d, pairs, 4, &how, statuses));
    for (int i = 0; i < 4; i++)
        CHECK_OK(statuses[i]);
    CHECK_INT(expiry_of(d, "a"), test_now_ms + 10);
    CHECK_INT(expiry_of(d, "b"), test_now_ms + 20);
    CHECK_OK(pdict_meta_get(d, pdict_str("b"), &meta));
    CHECK_INT(meta.created_ms, 77);
    check_value(d, "c", NULL);
    CHECK_OK(pdict_meta_get(d, pdict_str("d"), &meta));
    CHECK_INT(meta.created_ms, 88);
    CHECK_INT(meta.expires_ms, 0);
    times[1].expires_ms = -1;
    CHECK_STATUS(pdict_put_many(d, pairs, 4, &how, statuses), PDICT_INVAL);
    CHECK_STATUS(pdict_put(d, pairs[0].key, pairs[0].value, &how), PDICT_INVAL);
    pdict_close(d);
}

TEST(touch, pairs_of_one_commit_have_times_of_their_own)
{
    for_each_setup(check_pairs);
}

static void check_created(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    pdict_meta meta = PDICT_META_INIT;

    how.created_ms = 1234;
    CHECK_OK(pdict_put(d, pdict_str("k"), pdict_str("v"), &how));
    how.created_ms = 99;
    CHECK_OK(pdict_put(d, pdict_str("k"), pdict_str("w"), &how));
    CHECK_OK(pdict_meta_get(d, pdict_str("k"), &meta));
    CHECK_INT(meta.created_ms, 1234);
    how.created_ms = -1;
    CHECK_STATUS(pdict_put(d, pdict_str("k"), pdict_str("v"), &how), PDICT_INVAL);
    pdict_close(d);
}

TEST(touch, restored_entry_has_the_creation_it_was_given_and_keeps_it)
{
    for_each_setup(check_created);
}
