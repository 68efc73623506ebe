/* SPDX-License-Identifier: MIT */
/* Limits of maps: never more than they allow, the right ones go, and the account is exact. */
#include "limits_fixture.h"

/* ---- who goes ---- */

static void check_fifo(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&max_entries=3&evict=fifo");
    pdict_stats stats = PDICT_STATS_INIT;

    for (int i = 0; i < 3; i++)
        put_number(d, i);
    put_number(d, 0);
    put_number(d, 3);
    check_number(d, 0, false);
    for (int i = 1; i < 4; i++)
        check_number(d, i, true);
    CHECK_OK(pdict_stats_get(d, 0, &stats));
    CHECK_INT(stats.max_entries, 3);
    CHECK_INT(stats.evictions, 1);
    CHECK_INT(stats.count, 3);
    check_account(setup);
    pdict_close(d);
}

TEST(limits, fifo_lets_the_first_inserted_go_although_it_was_updated)
{
    for_each_setup(check_fifo);
}

static void check_lru(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&max_entries=3");

    for (int i = 0; i < 3; i++, test_now_ms++)
        put_number(d, i);
    put_number(d, 0);
    test_now_ms++;
    put_number(d, 3);
    check_number(d, 1, false);
    check_number(d, 0, true);
    check_number(d, 3, true);
    check_account(setup);
    pdict_close(d);
}

TEST(limits, lru_lets_the_longest_unwritten_go)
{
    for_each_setup(check_lru);
}

/* Hits of the cache are uses too, once they are written down; also when the map is opened again. */
static void check_lru_used(const struct setup *setup)
{
    static const char more[] = "&max_entries=3&access=1s&maintenance=manual";
    pdict *d = setup_open(setup, "a", more);

    for (int i = 0; i < 3; i++, test_now_ms++)
        put_number(d, i);
    for (int i = 3; i < 6; i++) {
        test_now_ms += 10000;
        CHECK_OK(pdict_maintain(d, 0));
        check_number(d, 0, true);
        test_now_ms += 10000;
        CHECK_OK(pdict_maintain(d, 0));
        if (setup->is_persistent) {
            pdict_close(d);
            d = setup_open(setup, "a", more);
        }
        put_number(d, i);
        check_number(d, i - 2, false);
        check_number(d, 0, true);
    }
    check_account(setup);
    pdict_close(d);
}

TEST(limits, lru_lets_the_most_read_go_last_through_cache_hits_and_reopening)
{
    for_each_setup(check_lru_used);
}

static void check_ttl(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&max_entries=4&evict=ttl");

    put(d, "never", "v");
    put_ttl(d, "late", "v", 3000);
    put_ttl(d, "soon", "v", 1000);
    put(d, "never too", "v");
    put_ttl(d, "later", "v", 4000);
    check_value(d, "soon", NULL);
    put(d, "third", "v");
    check_value(d, "late", NULL);
    put(d, "fourth", "v");
    check_value(d, "later", NULL);
    put(d, "fifth", "v");
    check_value(d, "never", NULL);
    check_value(d, "never too", "v");
    check_account(setup);
    pdict_close(d);
}

TEST(limits, ttl_lets_the_soonest_to_expire_go_and_the_others_in_their_order)
{
    for_each_setup(check_ttl);
}

static void check_expired_first(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&max_entries=3&evict=fifo&sweep=manual");
    pdict_stats stats = PDICT_STATS_INIT;

    put(d, "first", "v");
    put_ttl(d, "dead", "v", 10);
    put(d, "third", "v");
    test_now_ms += 10;
    put(d, "fourth", "v");
    check_value(d, "first", "v");
    CHECK_OK(pdict_stats_get(d, 0, &stats));
    CHECK_INT(stats.evictions, 0);
    CHECK_INT(stats.count, 3);
    check_account(setup);
    pdict_close(d);
}

TEST(limits, expired_entry_goes_before_any_that_lives)
{
    for_each_setup(check_expired_first);
}

/* ---- how much ---- */

static void check_bytes(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&max_bytes=2000&evict=fifo&durability=unsafe");
    char value[2001];

    memset(value, 'v', sizeof(value));
    for (int i = 0; i < 200; i++) {
        char key[16];

        snprintf(key, sizeof(key), "%d", i);
        CHECK_OK(pdict_put(d, pdict_str(key), pdict_bytes(value, (size_t)i * 7 % 500), NULL));
        CHECK(limits_of(setup).bytes <= 2000);
        if (i % 16 == 0)
            check_account(setup);
    }
    check_value(d, "0", NULL);
    CHECK(limits_of(setup).bytes > 500);
    pdict_close(d);
}

TEST(limits, map_never_holds_more_bytes_than_it_may)
{
    for_each_setup(check_bytes);
}

static void check_too_big(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&max_bytes=500");
    unsigned random = 7;
    uint8_t value[600];

    for (size_t i = 0; i < sizeof(value); i++)
        value[i] = (uint8_t)((random = random * 1103515245 + 12345) >> 24);
    put(d, "k", "v");
    CHECK_STATUS(pdict_put(d, pdict_str("big"), pdict_bytes(value, sizeof(value)), NULL),
                 PDICT_TOO_BIG);
    check_value(d, "k", "v");
    check_account(setup);
    pdict_close(d);
}

TEST(limits, entry_that_does_not_fit_alone_is_refused_and_nothing_goes)
{
    for_each_setup(check_too_big);
}

/* All kinds of changes, at random; after each the account is exact. */
static void check_exact(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a",
                          "&max_entries=100&sweep=manual&maintenance=manual&durability=unsafe");
    unsigned random = 7;

    for (int i = 0; i < 400; i++) {
        char key[16], other[16];
        pdict_pair pairs[2];
        pdict *txn;

        random = random * 1103515245 + 12345;
        snprintf(key, sizeof(key), "%u", random >> 16 & 127);
        snprintf(other, sizeof(other), "%u", random >> 20 & 255);
        pairs[0] = (pdict_pair){ pdict_str(key), pdict_bytes(key, random >> 18 & 1) };
        pairs[1] = (pdict_pair){ pdict_str(other), pdict_str("other value") };
        switch (random >> 24 & 7) {
        case 0:
            CHECK_OK(pdict_put_many(d, pairs, 2, NULL, NULL));
            break;
        case 1:
            (void)pdict_del(d, pairs[0].key);
            break;
        case 2:
            put_ttl(d, key, "expires", 1 + (random >> 16 & 15));
            break;
        case 3:
            test_now_ms += 3;
            break;
        case 4:
            CHECK_OK(pdict_begin(d, 0, &txn));
            (void)pdict_del(txn, pairs[1].key);
            put(txn, key, "in a transaction");
            CHECK_OK(pdict_commit(txn));
            break;
        case 5:
            CHECK_OK(pdict_maintain(d, 0));
            break;
        default:
            put(d, key, "value");
        }
        if (i == 300)
            CHECK_OK(pdict_clear(d, PDICT_CLEAR_EVERYTHING));
        if (i % 8 == 0)
            check_account(setup);
    }
    check_account(setup);
    pdict_close(d);
}

TEST(limits, account_is_exact_after_every_kind_of_change)
{
    for_each_setup(check_exact);
}

static void check_many(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&max_entries=10&evict=fifo");

    put_numbers(d, 500);
    CHECK_INT(count_of(d), 10);
    check_number(d, 489, false);
    check_number(d, 490, true);
    check_account(setup);
    pdict_close(d);
}

TEST(limits, many_put_at_once_leave_the_last_of_them)
{
    for_each_setup(check_many);
}

/* ---- full, and nothing may go ---- */

static void check_error(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&max_entries=2&on_full=error&sweep=manual");
    pdict_pair pairs[] = { { pdict_str("x"), pdict_str("v") }, { pdict_str("y"), pdict_str("v") } };
    pdict *txn;

    put(d, "a", "v");
    CHECK_STATUS(pdict_put_many(d, pairs, 2, NULL, NULL), PDICT_LIMIT);
    check_value(d, "x", NULL);
    put_ttl(d, "b", "v", 10);
    CHECK_STATUS(pdict_put(d, pdict_str("c"), pdict_str("v"), NULL), PDICT_LIMIT);
    CHECK(strstr(pdict_error_text(), "max_entries=2") != NULL);
    check_value(d, "c", NULL);
    put(d, "a", "an update is no growth");
    CHECK_OK(pdict_begin(d, 0, &txn));
    put(txn, "c", "v");
    CHECK_OK(pdict_del(txn, pdict_str("a")));
    CHECK_OK(pdict_commit(txn));
    check_value(d, "a", NULL);
    test_now_ms += 10;
    put(d, "d", "takes the place of what has expired");
    CHECK_STATUS(pdict_put(d, pdict_str("e"), pdict_str("v"), NULL), PDICT_LIMIT);
    CHECK_OK(pdict_del(d, pdict_str("c")));
    put(d, "e", "v");
    check_account(setup);
    pdict_close(d);
}

TEST(limits, full_map_refuses_what_would_grow_it_and_nothing_else)
{
    for_each_setup(check_error);
}
