/* SPDX-License-Identifier: MIT */
/* Transactions: what they see, what works inside, and what is left of them. */
#include <stdio.h>

#include "txn_fixture.h"

/* ---- what is seen ---- */

static void sees_itself(const struct setup *setup)
{
    pdict *d = setup_open(setup, "seen", ""), *txn;

    put(d, "a", "1");
    put(d, "b", "2");
    txn = begin(d);
    put(txn, "a", "one");
    put(txn, "c", "3");
    CHECK_OK(pdict_del(txn, pdict_str("b")));
    CHECK_STATUS(pdict_del(txn, pdict_str("b")), PDICT_NOTFOUND);
    check_value(txn, "a", "one");
    check_value(txn, "b", NULL);
    check_value(txn, "c", "3");
    CHECK_INT(count_of(txn), 2);
    check_value(d, "a", "1");
    check_value(d, "b", "2");
    check_value(d, "c", NULL);
    CHECK_OK(pdict_commit(txn));
    check_value(d, "a", "one");
    check_value(d, "b", NULL);
    check_value(d, "c", "3");
    CHECK_INT(count_of(d), 2);
    pdict_close(d);
}

TEST(txn, a_transaction_sees_its_own_writes_and_others_see_them_at_the_commit)
{
    for_each_setup(sees_itself);
}

static void sees_one_instant(const struct setup *setup)
{
    pdict *d = setup_open(setup, "instant", ""), *txn;

    put(d, "a", "1");
    txn = begin(d);
    put(d, "a", "2");
    put(d, "b", "2");
    check_value(txn, "a", "1");
    check_value(txn, "b", NULL);
    CHECK_INT(count_of(txn), 1);
    CHECK_STR(walk(txn, 0, NULL, NULL), "a=1 ");
    CHECK_OK(pdict_commit(txn));
    CHECK_INT(count_of(d), 2);
    pdict_close(d);
}

TEST(txn, a_transaction_that_only_reads_sees_one_instant_and_never_conflicts)
{
    for_each_setup(sees_one_instant);
}

static void leaves_no_trace(const struct setup *setup)
{
    pdict *d = setup_open(setup, "abort", ""), *txn = begin(d);

    put(txn, "a", "1");
    pdict_abort(txn);
    txn = begin(d);
    put(txn, "b", "1");
    pdict_close(txn);
    pdict_abort(NULL);
    CHECK_INT(count_of(d), 0);
    pdict_close(d);
}

TEST(txn, an_aborted_transaction_leaves_no_trace)
{
    for_each_setup(leaves_no_trace);
}

/* ---- walks ---- */

static void walks(const struct setup *setup)
{
    pdict *d = setup_open(setup, "walk", ""), *txn;

    put(d, "d", "1");
    put(d, "b", "2");
    put(d, "f", "3");
    put(d, "h", "4");
    txn = begin(d);
    put(txn, "e", "5");
    put(txn, "b", "two");
    CHECK_OK(pdict_del(txn, pdict_str("f")));
    put(txn, "a", "6");
    CHECK_OK(pdict_del(txn, pdict_str("d")));
    put(txn, "d", "again");
    put(txn, "z", "7");
    CHECK_OK(pdict_del(txn, pdict_str("z")));
    CHECK_STR(walk(txn, 0, NULL, NULL), "b=two h=4 e=5 a=6 d=again ");
    CHECK_STR(walk(txn, PDICT_REVERSE, NULL, NULL), "d=again a=6 e=5 h=4 b=two ");
    CHECK_STR(walk(txn, PDICT_BY_KEY, NULL, NULL), "a=6 b=two d=again e=5 h=4 ");
    CHECK_STR(walk(txn, PDICT_BY_KEY | PDICT_REVERSE | PDICT_SNAPSHOT, NULL, NULL),
              "h=4 e=5 d=again b=two a=6 ");
    CHECK_STR(walk(txn, 0, "b", "e"), "b=two d=again ");
    CHECK_STR(walk(txn, PDICT_REVERSE, "b", "e"), "d=again b=two ");
    CHECK_OK(pdict_commit(txn));
    CHECK_STR(walk(d, 0, NULL, NULL), "b=two h=4 e=5 a=6 d=again ");
    pdict_close(d);
}

TEST(txn, walks_mix_what_is_stored_with_what_was_written_in_every_order)
{
    for_each_setup(walks);
}

TEST(txn, an_entry_of_a_walk_stays_while_its_key_is_written_again)
{
    pdict *d = setup_open(&setups[0], "stays", ""), *txn = begin(d);
    pdict_entry entry;
    pdict_iter *iter;

    put(txn, "a", "first");
    put(txn, "b", "second");
    CHECK_OK(pdict_iter_open(txn, NULL, &iter));
    CHECK_OK(pdict_iter_next(iter, &entry));
    put(txn, "a", "another");
    CHECK_OK(pdict_del(txn, pdict_str("b")));
    CHECK_BYTES(entry.value.data, entry.value.size, "first", 5);
    CHECK_STATUS(pdict_iter_next(iter, &entry), PDICT_END);
    CHECK_STATUS(pdict_commit(txn), PDICT_MISUSE);
    pdict_iter_close(iter);
    CHECK_OK(pdict_commit(txn));
    check_value(d, "a", "another");
    pdict_close(d);
}

static void deletes_along_a_walk(const struct setup *setup)
{
    pdict *d = setup_open(setup, "along", "&durability=unsafe"), *txn;
    pdict_entry entry;
    pdict_iter *iter;

    for (int i = 0; i < 700; i++) {
        char key[16];

        snprintf(key, sizeof(key), "%03d", i);
        put(d, key, "v");
    }
    txn = begin(d);
    CHECK_OK(pdict_iter_open(txn, NULL, &iter));
    for (int i = 0; pdict_iter_next(iter, &entry) == PDICT_OK; i++) {
        if (i % 2 == 0)
            CHECK_OK(pdict_del(txn, entry.key));
    }
    pdict_iter_close(iter);
    CHECK_INT(count_of(txn), 350);
    CHECK_OK(pdict_commit(txn));
    CHECK_INT(count_of(d), 350);
    check_value(d, "000", NULL);
    check_value(d, "699", "v");
    pdict_close(d);
}

TEST(txn, a_walk_may_delete_what_it_meets)
{
    for_each_setup(deletes_along_a_walk);
}

/* ---- single keys inside ---- */

static int append_x(void *ctx, const pdict_view *old, pdict_slice *value)
{
    char *text = ctx;

    snprintf(text, 16, "%.*sx", old ? (int)old->size : 0, old ? (const char *)old->data : "");
    *value = pdict_str(text);
    return PDICT_OK;
}

static void works_inside(const struct setup *setup)
{
    pdict *d = setup_open(setup, "inside", ""), *txn;
    pdict_meta meta = PDICT_META_INIT;
    pdict_slice keys[2] = { pdict_str("n"), pdict_str("gone") };
    pdict_pair pairs[2] = { { pdict_str("p"), pdict_str("1") },
                            { pdict_str("q"), pdict_str("2") } };
    pdict_view views[2];
    int statuses[2];
    char text[16];
    int64_t sum;

    put(d, "n", "1");
    put(d, "gone", "v");
    txn = begin(d);
    CHECK_OK(pdict_add(txn, pdict_str("n"), 2, NULL, &sum));
    CHECK_OK(pdict_add(txn, pdict_str("n"), 2, NULL, &sum));
    CHECK_INT(sum, 5);
    CHECK_OK(pdict_pop(txn, pdict_str("gone"), &views[0]));
    pdict_view_release(&views[0]);
    CHECK_OK(pdict_modify(txn, pdict_str("m"), append_x, text, NULL));
    CHECK_OK(pdict_modify(txn, pdict_str("m"), append_x, text, NULL));
    CHECK_OK(pdict_put_many(txn, pairs, 2, NULL, statuses));
    CHECK_OK(pdict_get_many(txn, keys, 2, views, statuses));
    CHECK_BYTES(views[0].data, views[0].size, "5", 1);
    CHECK_STATUS(statuses[1], PDICT_NOTFOUND);
    pdict_view_release(&views[0]);
    CHECK_OK(pdict_meta_get(txn, pdict_str("m"), &meta));
    CHECK_INT(meta.value_size, 2);
    CHECK_OK(pdict_commit(txn));
    CHECK_STR(walk(d, 0, NULL, NULL), "n=5 m=xx p=1 q=2 ");
    pdict_close(d);
}

TEST(txn, the_calls_of_a_map_work_on_a_transaction)
{
    for_each_setup(works_inside);
}

TEST(txn, what_does_not_work_inside_says_so)
{
    pdict *d = setup_open(&setups[0], "misuse", ""), *txn = begin(d), *other;
    pdict_stats stats = PDICT_STATS_INIT;

    CHECK_STATUS(pdict_clear(txn, PDICT_CLEAR_EVERYTHING), PDICT_MISUSE);
    CHECK(strstr(pdict_error_text(), "pdict_clear") != NULL);
    CHECK_STATUS(pdict_sync(txn), PDICT_MISUSE);
    CHECK_STATUS(pdict_clear_cache(txn), PDICT_MISUSE);
    CHECK_STATUS(pdict_stats_get(txn, 0, &stats), PDICT_MISUSE);
    CHECK_STATUS(pdict_begin(txn, 0, &other), PDICT_MISUSE);
    CHECK_STATUS(pdict_commit(d), PDICT_MISUSE);
    CHECK_STATUS(pdict_begin(d, 99, &other), PDICT_INVAL);
    CHECK(other == NULL);
    pdict_abort(txn);
    pdict_close(d);
}

/* ---- several maps ---- */

static void joins(const struct setup *setup)
{
    pdict *d = setup_open(setup, "join", ""), *e = setup_open(setup, "join", "&map=second");
    pdict *txn, *both, *same;

    put(d, "a", "1");
    txn = begin(d);
    CHECK_OK(pdict_join(txn, e, &both));
    CHECK_OK(pdict_join(txn, e, &same));
    CHECK(both == same);
    put(txn, "a", "2");
    put(both, "a", "other");
    check_value(txn, "a", "2");
    check_value(both, "a", "other");
    CHECK_INT(count_of(e), 0);
    CHECK_OK(pdict_commit(txn));
    check_value(d, "a", "2");
    check_value(e, "a", "other");
    txn = begin(d);
    CHECK_OK(pdict_join(txn, e, &both));
    check_value(both, "a", "other");
    put(txn, "b", "v");
    put(e, "a", "changed");
    CHECK_STATUS(pdict_commit(txn), PDICT_CONFLICT);
    check_value(d, "b", NULL);
    pdict_close(e);
    pdict_close(d);
}

TEST(txn, maps_of_one_store_join)
{
    for_each_setup(joins);
}

static void joins_to_read(const struct setup *setup)
{
    pdict *d, *readable, *txn, *other;

    if (!setup->is_persistent)
        return;
    d = setup_open(setup, "both", "");
    readable = setup_open(setup, "both", "&mode=ro");
    put(d, "a", "1");
    txn = begin(readable);
    CHECK_STATUS(pdict_put(txn, pdict_str("a"), pdict_str("2"), NULL), PDICT_READ_ONLY);
    pdict_abort(txn);
    pdict_close(readable);
    readable = setup_open(setup, "both", "&map=other");
    pdict_close(readable);
    readable = setup_open(setup, "both", "&map=other&mode=ro");
    txn = begin(d);
    CHECK_OK(pdict_join(txn, readable, &other));
    put(txn, "a", "2");
    check_value(other, "a", NULL);
    CHECK_OK(pdict_commit(other));
    check_value(d, "a", "2");
    pdict_close(readable);
    pdict_close(d);
}

TEST(txn, a_map_that_may_only_be_read_joins_one_that_is_written)
{
    for_each_setup(joins_to_read);
}

TEST(txn, maps_of_two_stores_do_not_join)
{
    pdict *d = setup_open(&setups[0], "one", ""), *e = setup_open(&setups[0], "two", "");
    pdict *txn = begin(d), *both;

    CHECK_STATUS(pdict_join(txn, e, &both), PDICT_INVAL);
    CHECK(both == NULL);
    CHECK_STATUS(pdict_join(d, e, &both), PDICT_MISUSE);
    pdict_abort(txn);
    pdict_close(e);
    pdict_close(d);
}

/* ---- exclusive ones ---- */

static void excludes(const struct setup *setup)
{
    pdict *d = setup_open(setup, "alone", "&timeout=5ms&maintenance=manual"), *txn, *other;

    put(d, "a", "1");
    CHECK_OK(pdict_begin(d, PDICT_TXN_EXCLUSIVE, &txn));
    check_value(txn, "a", "1");
    CHECK_STATUS(pdict_put(d, pdict_str("a"), pdict_str("2"), NULL), PDICT_BUSY);
    CHECK_STATUS(pdict_begin(d, PDICT_TXN_EXCLUSIVE, &other), PDICT_BUSY);
    put(txn, "a", "3");
    CHECK_OK(pdict_commit(txn));
    check_value(d, "a", "3");
    CHECK_OK(pdict_begin(d, PDICT_TXN_EXCLUSIVE, &txn));
    pdict_abort(txn);
    CHECK_OK(pdict_begin(d, PDICT_TXN_EXCLUSIVE, &txn));
    CHECK_OK(pdict_commit(txn));
    put(d, "a", "4");
    pdict_close(d);
}

TEST(txn, nobody_else_writes_during_an_exclusive_one)
{
    for_each_setup(excludes);
}
