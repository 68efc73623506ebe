/* SPDX-License-Identifier: MIT */
/* The count is exact at every instant, counted again or not. */
#include "maps.h"

#include <stdio.h>
#include <stdlib.h>

#include "map/map.h"

static void check_steps(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&sweep=manual");
    char key[16];

    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "%d", i);
        put_ttl(d, key, "value", 10 + i);
    }
    put(d, "stays", "value");
    CHECK_INT(count_of(d), 101);
    CHECK_INT(count_of(d), 101);
    test_now_ms += 9;
    CHECK_INT(count_of(d), 101);
    for (int i = 0; i < 100; i++) {
        test_now_ms++;
        CHECK_INT(count_of(d), 100 - i);
        if (i % 7 == 0)
            CHECK_INT(count_of(d), 100 - i);
    }
    test_now_ms -= 60;
    CHECK_INT(count_of(d), 61);
    test_now_ms += 30;
    CHECK_INT(count_of(d), 31);
    pdict_close(d);
}

TEST(count, is_exact_as_entries_expire_one_by_one_and_when_the_clock_goes_back)
{
    for_each_setup(check_steps);
}

static void check_changes(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&sweep=manual"), *other = setup_open(setup, "a", "");

    put_ttl(d, "a", "1", 10);
    CHECK_INT(count_of(d), 1);
    put(other, "b", "2");
    CHECK_INT(count_of(d), 2);
    CHECK_OK(pdict_touch(other, pdict_str("a"), 100));
    test_now_ms += 10;
    CHECK_INT(count_of(d), 2);
    CHECK_OK(pdict_del(d, pdict_str("b")));
    CHECK_INT(count_of(other), 1);
    test_now_ms += 90;
    CHECK_INT(count_of(d), 0);
    CHECK_INT(count_of(other), 0);
    pdict_close(other);
    pdict_close(d);
}

TEST(count, follows_changes_between_two_counts)
{
    for_each_setup(check_changes);
}

TEST(count, repeated_without_a_change_asks_the_engine_no_more)
{
    pdict *d;
    pdict_options options = test_options(false);
    struct counted before;

    CHECK_OK(pdict_open("memory:a?sweep=manual", &options, &d));
    put_ttl(d, "a", "1", 10);
    CHECK_INT(count_of(d), 1);
    before = d->map->counted.counted;
    CHECK_INT(before.next_ms, test_now_ms + 10);
    test_now_ms += 5;
    CHECK_INT(count_of(d), 1);
    CHECK_INT(d->map->counted.counted.at_ms, before.at_ms);
    test_now_ms += 5;
    CHECK_INT(count_of(d), 0);
    CHECK_INT(d->map->counted.counted.at_ms, test_now_ms);
    pdict_close(d);
}
