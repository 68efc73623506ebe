/* SPDX-License-Identifier: MIT */
/* Transactions: what conflicts, and what does not. */
#include <stdio.h>

#include "txn_fixture.h"

/* ---- conflicts ---- */

struct race {
    const char *name;
    void (*read)(pdict *txn);
    void (*write)(pdict *d); /* by somebody else, meanwhile */
    int expected;
};

static void read_a(pdict *txn)
{
    check_value(txn, "a", "1");
}

static void read_absent(pdict *txn)
{
    check_value(txn, "x", NULL);
}

static void read_contains(pdict *txn)
{
    bool is_there;

    CHECK_OK(pdict_contains(txn, pdict_str("a"), &is_there));
}

static void read_nothing(pdict *txn)
{
    put(txn, "a", "blind");
}

static void read_by_condition(pdict *txn)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;

    how.flags = PDICT_PUT_IF_ABSENT;
    CHECK_OK(pdict_put(txn, pdict_str("x"), pdict_str("v"), &how));
}

static void read_count(pdict *txn)
{
    CHECK_INT(count_of(txn), 3);
}

static void read_all(pdict *txn)
{
    CHECK_STR(walk(txn, 0, NULL, NULL), "a=1 m=2 t=3 ");
}

static void read_range(pdict *txn)
{
    CHECK_STR(walk(txn, 0, "b", "p"), "m=2 ");
}

static void read_first(pdict *txn)
{
    pdict_range range = PDICT_RANGE_INIT;
    pdict_entry entry;
    pdict_iter *iter;

    range.flags = PDICT_BY_KEY;
    CHECK_OK(pdict_iter_open(txn, &range, &iter));
    CHECK_OK(pdict_iter_next(iter, &entry));
    pdict_iter_close(iter);
}

static void write_a(pdict *d)
{
    put(d, "a", "1");
}

static void write_n(pdict *d)
{
    put(d, "n", "v");
}

static void write_x(pdict *d)
{
    put(d, "x", "v");
}

static void write_0(pdict *d)
{
    put(d, "0", "v");
}

static void delete_m(pdict *d)
{
    CHECK_OK(pdict_del(d, pdict_str("m")));
}

static void swap_two(pdict *d)
{
    delete_m(d);
    write_x(d);
}

static void expire_soon(pdict *d)
{
    (void)d;
    test_now_ms += 1000;
}

static const struct race races[] = {
    { "a key that was read changes", read_a, write_a, PDICT_CONFLICT },
    { "a key that was not read changes", read_a, write_n, PDICT_OK },
    { "a key that was absent comes", read_absent, write_x, PDICT_CONFLICT },
    { "another one comes", read_absent, write_n, PDICT_OK },
    { "a key that was looked for changes", read_contains, write_a, PDICT_CONFLICT },
    { "a key that was put blindly changes", read_nothing, write_a, PDICT_OK },
    { "a condition no longer holds", read_by_condition, write_x, PDICT_CONFLICT },
    { "the count changes", read_count, write_x, PDICT_CONFLICT },
    { "the count stays", read_count, swap_two, PDICT_OK },
    { "the count changes unseen", read_a, delete_m, PDICT_OK },
    { "something is added to all", read_all, write_x, PDICT_CONFLICT },
    { "something of all goes", read_all, delete_m, PDICT_CONFLICT },
    { "something comes into the range", read_range, write_n, PDICT_CONFLICT },
    { "something goes from the range", read_range, delete_m, PDICT_CONFLICT },
    { "something comes beside the range", read_range, write_x, PDICT_OK },
    { "the first one changes", read_first, write_a, PDICT_CONFLICT },
    { "another becomes the first", read_first, write_0, PDICT_CONFLICT },
    { "something comes behind where the walk ended", read_first, write_n, PDICT_OK },
    { "time passes", read_all, expire_soon, PDICT_OK },
};

static void try_races(const struct setup *setup)
{
    for (size_t i = 0; i < sizeof(races) / sizeof(races[0]); i++) {
        pdict *d = setup_open(setup, "race", ""), *txn;

        fprintf(stderr, "  %s\n", races[i].name);
        put(d, "a", "1");
        put(d, "m", "2");
        put(d, "t", "3");
        txn = begin(d);
        races[i].read(txn);
        put(txn, "result", "v");
        races[i].write(d);
        CHECK_STATUS(pdict_commit(txn), races[i].expected);
        check_value(d, "result", races[i].expected == PDICT_OK ? "v" : NULL);
        CHECK_OK(pdict_clear(d, PDICT_CLEAR_EVERYTHING));
        pdict_close(d);
    }
}

TEST(txn_conflict, what_was_read_must_be_the_same_at_the_commit_and_nothing_else)
{
    for_each_setup(try_races);
}

static void expires_meanwhile(const struct setup *setup)
{
    pdict *d = setup_open(setup, "expires", ""), *txn;

    put_ttl(d, "a", "1", 1000);
    txn = begin(d);
    read_a(txn);
    put(txn, "b", "v");
    test_now_ms += 999;
    CHECK_OK(pdict_commit(txn));
    txn = begin(d);
    read_a(txn);
    put(txn, "c", "v");
    test_now_ms += 1;
    CHECK_STATUS(pdict_commit(txn), PDICT_CONFLICT);
    txn = begin(d);
    check_value(txn, "a", NULL);
    put(txn, "a", "new");
    CHECK_OK(pdict_commit(txn));
    check_value(d, "a", "new");
    pdict_close(d);
}

TEST(txn_conflict, an_entry_that_was_read_and_has_expired_since_is_a_conflict)
{
    for_each_setup(expires_meanwhile);
}

TEST(txn_conflict, an_entry_that_expires_between_two_reads_is_a_conflict_even_without_writes)
{
    pdict *d = setup_open(&setups[0], "twice", ""), *txn;

    put_ttl(d, "a", "1", 1000);
    txn = begin(d);
    read_a(txn);
    test_now_ms += 1000;
    check_value(txn, "a", NULL);
    CHECK_STATUS(pdict_commit(txn), PDICT_CONFLICT);
    pdict_close(d);
}

TEST(txn_conflict, a_count_that_expiry_changes_is_a_conflict)
{
    pdict *d = setup_open(&setups[0], "count", ""), *txn;

    put_ttl(d, "a", "1", 1000);
    txn = begin(d);
    CHECK_INT(count_of(txn), 1);
    put(txn, "b", "v");
    test_now_ms += 1000;
    CHECK_STATUS(pdict_commit(txn), PDICT_CONFLICT);
    pdict_close(d);
}

static pdict *begin_with_a_dead_put(pdict *d)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    pdict *txn = begin(d);

    check_value(txn, "a", NULL);
    how.expires_ms = test_now_ms;
    CHECK_OK(pdict_put(txn, pdict_str("a"), pdict_str("dead"), &how));
    return txn;
}

/* At its snapshot the deadline may have been to come, and then somebody had to see the entry. */
static void dead_put(const struct setup *setup)
{
    pdict *d = setup_open(setup, "dead", ""), *txn = begin_with_a_dead_put(d);

    put(d, "a", "of another");
    CHECK_STATUS(pdict_commit(txn), PDICT_CONFLICT);
    check_value(d, "a", "of another");
    CHECK_OK(pdict_del(d, pdict_str("a")));
    txn = begin_with_a_dead_put(d);
    CHECK_OK(pdict_commit(txn));
    check_value(d, "a", NULL);
    pdict_close(d);
}

TEST(txn_conflict, a_put_whose_deadline_has_passed_happens_at_the_commit_too)
{
    for_each_setup(dead_put);
}

/* Two that each read what the other writes: one of the two orders must have happened. */
static void write_skew(const struct setup *setup)
{
    pdict *d = setup_open(setup, "skew", ""), *one, *two;

    put(d, "a", "1");
    put(d, "b", "1");
    one = begin(d);
    two = begin(d);
    check_value(one, "a", "1");
    check_value(two, "b", "1");
    put(one, "b", "0");
    put(two, "a", "0");
    CHECK_OK(pdict_commit(one));
    CHECK_STATUS(pdict_commit(two), PDICT_CONFLICT);
    check_value(d, "a", "1");
    pdict_close(d);
}

TEST(txn_conflict, two_that_read_what_the_other_writes_do_not_both_commit)
{
    for_each_setup(write_skew);
}
