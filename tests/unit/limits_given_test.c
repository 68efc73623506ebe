/* SPDX-License-Identifier: MIT */
/* Limits given to a map in use, seen by other processes, and an account that outlives kills. */
#include <sched.h>

#include "limits_fixture.h"
#include "process_fixture.h"

static int set_limits(const struct setup *setup, pdict_limits limits)
{
    pdict_store *store = store_of(setup);
    int status;

    limits.struct_size = sizeof(limits);
    status = pdict_limits_set(store, "main", &limits);
    pdict_store_close(store);
    return status;
}

/* ---- giving, changing, keeping ---- */

static void check_given(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_limits limits;

    put_numbers(d, 1500);
    limits = limits_of(setup);
    CHECK_INT(limits.max_entries, 0);
    CHECK_INT(limits.entries, 1500);
    check_number(d, 5, true);
    CHECK_OK(set_limits(setup, (pdict_limits){ .max_entries = 60, .evict = PDICT_EVICT_FIFO }));
    CHECK_INT(count_of(d), 60);
    check_number(d, 5, false);
    check_number(d, 1440, true);
    put_number(d, 2000);
    check_number(d, 1440, false);
    CHECK_INT(limits_of(setup).evictions, 1441);
    check_account(setup);
    CHECK_OK(set_limits(setup, (pdict_limits){ .max_entries = 0 }));
    put_numbers(d, 100);
    CHECK_INT(count_of(d), 160);
    pdict_close(d);
}

TEST(limits_given, map_that_is_open_keeps_to_limits_that_it_is_given)
{
    for_each_setup(check_given);
}

static void check_lru_given(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");

    for (int i = 0; i < 5; i++, test_now_ms++)
        put_number(d, i);
    CHECK_OK(set_limits(setup, (pdict_limits){ .max_entries = 5 }));
    put_number(d, 0);
    test_now_ms++;
    put_number(d, 5);
    check_number(d, 1, false);
    check_number(d, 0, true);
    pdict_close(d);
}

TEST(limits_given, entries_from_before_lru_count_as_used_when_they_were_made)
{
    for_each_setup(check_lru_given);
}

static void check_contradiction(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&max_entries=5&evict=fifo"), *other;

    CHECK_OK(setup_try(setup, "a", "&max_entries=5", &other));
    pdict_close(other);
    CHECK_OK(setup_try(setup, "a", "", &other));
    pdict_close(other);
    CHECK_STATUS(setup_try(setup, "a", "&max_entries=6", &other), PDICT_CONTRADICTION);
    CHECK_STATUS(setup_try(setup, "a", "&max_bytes=1MiB", &other), PDICT_CONTRADICTION);
    CHECK_STATUS(setup_try(setup, "a", "&evict=lru", &other), PDICT_CONTRADICTION);
    CHECK_STATUS(setup_try(setup, "a", "&on_full=error", &other), PDICT_CONTRADICTION);
    CHECK_STATUS(set_limits(setup, (pdict_limits){ .evict = 3 }), PDICT_INVAL);
    pdict_close(d);
}

TEST(limits_given, opening_with_other_limits_than_the_map_has_is_refused)
{
    for_each_setup(check_contradiction);
}

TEST(limits_given, limits_of_a_map_that_is_not_there_are_not_found)
{
    pdict_limits limits = PDICT_LIMITS_INIT;
    pdict_options options = test_options(false);
    pdict_store *store;

    CHECK_OK(pdict_store_open("memory:a?mode=rwc", &options, &store));
    CHECK_STATUS(pdict_limits_get(store, "none", &limits), PDICT_NO_MAP);
    CHECK_STATUS(pdict_limits_set(store, "none", &limits), PDICT_NO_MAP);
    limits.struct_size = 0;
    CHECK_STATUS(pdict_limits_get(store, "none", &limits), PDICT_INVAL);
    CHECK_STATUS(pdict_limits_set(store, "none", &limits), PDICT_INVAL);
    pdict_store_close(store);
}

/* ---- in company ---- */

static void limit_later(struct child *child, const char *path)
{
    pdict_limits limits = PDICT_LIMITS_INIT;
    pdict_options options = test_options(false);
    pdict_store *store;

    step_done(child);
    limits.max_entries = 3;
    limits.evict = PDICT_EVICT_FIFO;
    CHECK_OK(pdict_store_open(path, &options, &store));
    CHECK_OK(pdict_limits_set(store, "main", &limits));
    pdict_store_close(store);
}

static void check_elsewhere(const struct setup *setup)
{
    struct child child;
    char uri[512];
    pdict *d;

    if (!setup->is_persistent)
        return;
    snprintf(uri, sizeof(uri), "%s", setup_uri(setup, "a", ""));
    *strchr(uri, '?') = '\0';
    child = start(limit_later, uri);
    await_step(&child);
    d = setup_open(setup, "a", "");
    for (int i = 0; i < 5; i++)
        put_number(d, i);
    check_number(d, 0, true);
    next_step(&child);
    finish(&child);
    check_number(d, 1, false);
    check_number(d, 2, true);
    put_number(d, 5);
    check_number(d, 2, false);
    CHECK_INT(count_of(d), 3);
    check_account(setup);
    pdict_close(d);
}

TEST(limits_given, process_that_has_the_map_open_keeps_to_limits_that_another_gives_it)
{
    for_each_setup(check_elsewhere);
}

static void check_evicted_from_cache(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&max_entries=2&evict=fifo");
    pdict_pair pairs[] = { { pdict_str("x"), pdict_str("v") },
                           { pdict_str("y"), pdict_str("v") },
                           { pdict_str("z"), pdict_str("v") } };

    put_number(d, 0);
    put_number(d, 1);
    check_number(d, 0, true);
    put_number(d, 2);
    check_number(d, 0, false);
    check_number(d, 1, true);
    /* What was just put went at once. */
    CHECK_OK(pdict_put_many(d, pairs, 3, NULL, NULL));
    check_value(d, "x", NULL);
    check_value(d, "z", "v");
    pdict_close(d);
}

TEST(limits_given, evicted_entry_is_gone_from_the_cache)
{
    for_each_setup(check_evicted_from_cache);
}

static void check_migrated(const struct setup *setup)
{
    pdict_options options = test_options(false);
    pdict_store *store;
    char uri[512];
    pdict *d;

    if (!setup->is_persistent || setup->is_sealed)
        return;
    d = setup_open(setup, "a", "&max_entries=5&evict=fifo");
    for (int i = 0; i < 8; i++)
        put_number(d, i);
    pdict_close(d);
    store = store_of(setup);
    snprintf(uri, sizeof(uri), "sqlite:%s", test_path("moved-%zu", (size_t)(setup - setups)));
    CHECK_OK(pdict_migrate(store, uri, NULL, NULL));
    pdict_store_close(store);
    CHECK_OK(pdict_open(uri, &options, &d));
    CHECK_INT(count_of(d), 5);
    put_number(d, 8);
    check_number(d, 3, false);
    CHECK_INT(count_of(d), 5);
    pdict_close(d);
}

TEST(limits_given, migrated_map_keeps_its_limits)
{
    for_each_setup(check_migrated);
}

/* ---- killed ---- */

static void put_on(struct child *child, const char *uri)
{
    pdict_options options = test_options(false);
    pdict *d;

    CHECK_OK(pdict_open(uri, &options, &d));
    step_done(child);
    for (int i = 0;; i++)
        put_number(d, i % 1000);
}

static void check_killed(const struct setup *setup)
{
    enum {
        ROUNDS = TEST_IS_SLOW ? 3 : 15
    };
    pdict *d;

    if (!setup->is_persistent || setup->is_sealed)
        return;
    d = setup_open(setup, "a", "&max_entries=50&durability=ordered");
    pdict_close(d);
    for (int round = 0; round < ROUNDS; round++) {
        struct child child = start(put_on, setup_uri(setup, "a", "&durability=ordered"));

        await_step(&child);
        next_step(&child);
        for (int i = 0; i < round * 20; i++)
            sched_yield();
        kill_child(&child);
        check_account(setup);
    }
}

TEST(limits_given, account_is_exact_after_a_kill_at_any_moment)
{
    for_each_setup(check_killed);
}
