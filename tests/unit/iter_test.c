/* SPDX-License-Identifier: MIT */
/* Walking a map: orders, ranges, consistency, deleting meanwhile. */
#include "maps.h"

#include <stdio.h>
#include <stdlib.h>

/* The keys of a walk, joined by blanks. */
static const char *walk(pdict *d, const pdict_range *range)
{
    static char joined[4096];
    pdict_iter *iter;
    pdict_entry entry;
    size_t at = 0;
    int status;

    CHECK_OK(pdict_iter_open(d, range, &iter));
    while ((status = pdict_iter_next(iter, &entry)) == PDICT_OK)
        at += (size_t)snprintf(joined + at, sizeof(joined) - at, "%s%.*s", at ? " " : "",
                               (int)entry.key.size, (const char *)entry.key.data);
    CHECK_STATUS(status, PDICT_END);
    CHECK_STATUS(pdict_iter_next(iter, &entry), PDICT_END);
    pdict_iter_close(iter);
    joined[at] = '\0';
    return joined;
}

static const char *walk_flags(pdict *d, unsigned flags)
{
    pdict_range range = PDICT_RANGE_INIT;

    range.flags = flags;
    return walk(d, &range);
}

static const char *walk_range(pdict *d, unsigned flags, const char *prefix, const char *from,
                              const char *to)
{
    pdict_range range = PDICT_RANGE_INIT;

    range.flags = flags;
    range.prefix = pdict_str(prefix);
    range.from = pdict_str(from);
    range.to = pdict_str(to);
    return walk(d, &range);
}

static void check_orders(const struct setup *setup)
{
    static const unsigned kinds[] = { 0, PDICT_SNAPSHOT };
    pdict *d = setup_open(setup, "a", "");

    CHECK_STR(walk(d, NULL), "");
    put(d, "b", "1");
    put(d, "a", "2");
    put(d, "ab", "3");
    put(d, "c", "4");
    put(d, "b", "an update keeps its place");
    for (int i = 0; i < 2; i++) {
        CHECK_STR(walk_flags(d, kinds[i]), "b a ab c");
        CHECK_STR(walk_flags(d, kinds[i] | PDICT_REVERSE), "c ab a b");
        CHECK_STR(walk_flags(d, kinds[i] | PDICT_BY_KEY), "a ab b c");
        CHECK_STR(walk_flags(d, kinds[i] | PDICT_BY_KEY | PDICT_REVERSE), "c b ab a");
        CHECK_STR(walk_range(d, kinds[i], "a", NULL, NULL), "a ab");
        CHECK_STR(walk_range(d, kinds[i] | PDICT_REVERSE, "a", NULL, NULL), "ab a");
        CHECK_STR(walk_range(d, kinds[i], NULL, "ab", NULL), "ab b c");
        CHECK_STR(walk_range(d, kinds[i], NULL, NULL, "b"), "a ab");
        CHECK_STR(walk_range(d, kinds[i] | PDICT_REVERSE, NULL, "ab", "c"), "b ab");
        CHECK_STR(walk_range(d, kinds[i], "a", "aa", NULL), "ab");
        CHECK_STR(walk_range(d, kinds[i], "a", "A", "z"), "a ab");
        CHECK_STR(walk_range(d, kinds[i], NULL, "c", "a"), "");
        CHECK_STR(walk_range(d, kinds[i], NULL, NULL, ""), "");
        CHECK_STR(walk_range(d, kinds[i], "zz", NULL, NULL), "");
    }
    pdict_close(d);
}

TEST(iter, orders_and_ranges_come_as_asked_for)
{
    for_each_setup(check_orders);
}

static void check_limits(const struct setup *setup)
{
    static const unsigned kinds[] = { 0, PDICT_SNAPSHOT, PDICT_KEYS_ONLY };
    pdict_range range = PDICT_RANGE_INIT;
    pdict *d = setup_open(setup, "a", "");

    put_ttl(d, "a", "gone", 1);
    put(d, "c", "1");
    put_ttl(d, "b", "gone", 1);
    put(d, "e", "2");
    put(d, "d", "3");
    test_now_ms += 1;
    for (int i = 0; i < 3; i++) {
        range.flags = kinds[i];
        for (range.limit = 3; range.limit < 6; range.limit++)
            CHECK_STR(walk(d, &range), "c e d");
        range.limit = 2;
        CHECK_STR(walk(d, &range), "c e");
        range.flags = kinds[i] | PDICT_BY_KEY;
        CHECK_STR(walk(d, &range), "c d");
        range.flags = kinds[i] | PDICT_BY_KEY | PDICT_REVERSE;
        CHECK_STR(walk(d, &range), "e d");
        range.limit = 1;
        CHECK_STR(walk(d, &range), "e");
    }
    pdict_close(d);
}

TEST(iter, a_limit_counts_what_comes_and_not_what_is_passed_over)
{
    for_each_setup(check_limits);
}

/* More than a chunk, with a limit before, at and behind each of its borders. */
static void check_long_limits(const struct setup *setup)
{
    static const uint64_t limits[] = { 1, 15, 16, 17, 47, 48, 49, 255, 256, 257, 599, 600 };
    pdict_range range = PDICT_RANGE_INIT;
    pdict *d = setup_open(setup, "a", "");
    char key[16];

    for (int i = 0; i < 600; i++) {
        snprintf(key, sizeof(key), "%03d", i);
        put(d, key, "value");
    }
    for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
        const char *joined;

        range.limit = limits[i];
        joined = walk(d, &range);
        CHECK_INT(strlen(joined), limits[i] * 4 - 1);
        snprintf(key, sizeof(key), "%03d", (int)limits[i] - 1);
        CHECK_STR(joined + strlen(joined) - 3, key);
    }
    pdict_close(d);
}

TEST(iter, a_limit_may_lie_anywhere_beside_the_borders_of_chunks)
{
    for_each_setup(check_long_limits);
}

static void check_prefix_of_255(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_range range = PDICT_RANGE_INIT;

    put(d, "\xff", "1");
    put(d, "\xff\xff", "2");
    put(d, "\xfe\xff", "3");
    put(d, "\xfe\xff\x01", "4");
    range.prefix = pdict_str("\xff\xff");
    CHECK_STR(walk(d, &range), "\xff\xff");
    range.prefix = pdict_str("\xfe\xff");
    CHECK_STR(walk(d, &range), "\xfe\xff \xfe\xff\x01");
    pdict_close(d);
}

TEST(iter, a_prefix_of_the_highest_bytes_has_no_end)
{
    for_each_setup(check_prefix_of_255);
}

static void check_entries(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_range range = PDICT_RANGE_INIT, no_size = { 0 };
    pdict_iter *iter;
    pdict_entry entry;
    pdict_view view;

    put_ttl(d, "k", "value", 9000);
    put_ttl(d, "gone", "value", 1);
    test_now_ms += 1;
    CHECK_OK(pdict_get(d, pdict_str("k"), &view));
    CHECK_OK(pdict_iter_open(d, &range, &iter));
    CHECK_OK(pdict_iter_next(iter, &entry));
    CHECK_BYTES(entry.key.data, entry.key.size, "k", 1);
    CHECK_BYTES(entry.value.data, entry.value.size, "value", 5);
    CHECK(entry.version == view.version);
    CHECK_INT(entry.created_ms, view.created_ms);
    CHECK_INT(entry.expires_ms, view.expires_ms);
    CHECK(entry.stored_size > 5);
    CHECK_STATUS(pdict_iter_next(iter, &entry), PDICT_END);
    pdict_iter_close(iter);
    range.flags = PDICT_KEYS_ONLY;
    CHECK_OK(pdict_iter_open(d, &range, &iter));
    CHECK_OK(pdict_iter_next(iter, &entry));
    CHECK_INT(entry.value.size, 0);
    pdict_iter_close(iter);
    pdict_iter_close(NULL);
    CHECK_STATUS(pdict_iter_open(d, &no_size, &iter), PDICT_INVAL);
    CHECK(iter == NULL);
    pdict_view_release(&view);
    pdict_close(d);
}

TEST(iter, an_entry_carries_what_a_view_does_and_the_expired_do_not_come)
{
    for_each_setup(check_entries);
}

/* ---- while the map changes ---- */

#define N_KEYS (TEST_IS_SLOW ? 600 : 1000) /* more than two of the largest chunks */

static void fill(pdict *d)
{
    char key[16];

    for (int i = 0; i < N_KEYS; i++) {
        snprintf(key, sizeof(key), "k%04d", i * 7 % N_KEYS);
        put(d, key, "v");
    }
}

/* A walk in which each step deletes the key it stands on and one that comes later, updates one, and
 * inserts one: what is there throughout comes exactly once. */
static void walk_and_change(pdict *d, unsigned flags)
{
    static int seen[N_KEYS];
    pdict_range range = PDICT_RANGE_INIT;
    pdict_iter *iter;
    pdict_entry entry;
    int n = 0, status;
    char key[16];

    memset(seen, 0, sizeof(seen));
    range.flags = flags;
    CHECK_OK(pdict_iter_open(d, &range, &iter));
    while ((status = pdict_iter_next(iter, &entry)) == PDICT_OK) {
        char text[8] = "";
        int at;

        memcpy(text, entry.key.data, entry.key.size < 7 ? entry.key.size : 7);
        CHECK(text[0] == 'k'); /* not what this walk inserts */
        at = atoi(text + 1);
        seen[at]++;
        CHECK_OK(pdict_del(d, pdict_str(text)));
        snprintf(key, sizeof(key), "k%04d", (at + 500) % N_KEYS / 2 * 2);
        if (at % 2 == 1)
            put(d, key, "updated");
        snprintf(key, sizeof(key), "new%d", n++);
        put(d, key, "inserted meanwhile");
    }
    CHECK_STATUS(status, PDICT_END);
    pdict_iter_close(iter);
    for (int i = 1; i < N_KEYS; i += 2)
        CHECK_INT(seen[i], 1);
}

static void check_changes(const struct setup *setup)
{
    static const unsigned orders[] = { 0, PDICT_REVERSE, PDICT_BY_KEY,
                                       PDICT_BY_KEY | PDICT_REVERSE };
    char name[8] = "a";

    if (setup->is_persistent && setup->is_sealed)
        return; /* the same walk as without codecs, at many times the cost */
    for (size_t i = 0; i < 4; i++) {
        pdict *d;

        name[0] = (char)('a' + i);
        d = setup_open(setup, name, "&durability=unsafe");
        fill(d);
        walk_and_change(d, orders[i]);
        pdict_close(d);
    }
}

TEST(iter, deleting_and_inserting_during_a_walk_is_safe_and_it_ends)
{
    for_each_setup(check_changes);
}

static void check_snapshot(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    pdict_range range = PDICT_RANGE_INIT;
    pdict_iter *iter;
    pdict_entry entry;

    put(d, "a", "1");
    put(d, "b", "2");
    range.flags = PDICT_SNAPSHOT;
    CHECK_OK(pdict_iter_open(d, &range, &iter));
    put(d, "b", "changed");
    CHECK_OK(pdict_del(d, pdict_str("a")));
    put(d, "c", "3");
    CHECK_OK(pdict_iter_next(iter, &entry));
    CHECK_BYTES(entry.key.data, entry.key.size, "a", 1);
    CHECK_OK(pdict_iter_next(iter, &entry));
    CHECK_BYTES(entry.value.data, entry.value.size, "2", 1);
    CHECK_STATUS(pdict_iter_next(iter, &entry), PDICT_END);
    pdict_iter_close(iter);
    CHECK_STR(walk(d, NULL), "b c");
    pdict_close(d);
}

TEST(iter, a_snapshot_walk_sees_the_map_as_it_was_at_the_open)
{
    for_each_setup(check_snapshot);
}

static void check_many_rows(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&durability=unsafe");
    static char big[300000];
    int n = 0;
    pdict_iter *iter;
    pdict_entry entry;
    char key[16];

    memset(big, 'x', sizeof(big));
    for (int i = 0; i < 12; i++) { /* more than a chunk of bytes */
        snprintf(key, sizeof(key), "%02d", i);
        CHECK_OK(pdict_put(d, pdict_str(key), pdict_bytes(big, sizeof(big)), NULL));
    }
    CHECK_OK(pdict_iter_open(d, NULL, &iter));
    for (; pdict_iter_next(iter, &entry) == PDICT_OK; n++) {
        snprintf(key, sizeof(key), "%02d", n);
        CHECK_BYTES(entry.key.data, entry.key.size, key, 2);
        CHECK_BYTES(entry.value.data, entry.value.size, big, sizeof(big));
    }
    CHECK_INT(n, 12);
    pdict_iter_close(iter);
    pdict_close(d);
}

TEST(iter, large_values_are_walked_in_several_chunks)
{
    for_each_setup(check_many_rows);
}
