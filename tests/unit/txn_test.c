/* SPDX-License-Identifier: MIT */
/* Transactions: what they see, what conflicts, what does not, and what is left of them. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maps.h"

static pdict *begin(pdict *d)
{
    pdict *txn;

    CHECK_OK(pdict_begin(d, 0, &txn));
    return txn;
}

/* The keys of a walk, each followed by a blank. */
static const char *walk(pdict *d, unsigned flags, const char *from, const char *to)
{
    static char text[4][256];
    static int turn;
    pdict_range range = PDICT_RANGE_INIT;
    pdict_entry entry;
    pdict_iter *iter;
    char *out = text[turn = (turn + 1) % 4];

    range.flags = flags;
    range.from = pdict_str(from);
    range.to = pdict_str(to);
    out[0] = '\0';
    CHECK_OK(pdict_iter_open(d, &range, &iter));
    while (pdict_iter_next(iter, &entry) == PDICT_OK) {
        strncat(out, entry.key.data, entry.key.size);
        strcat(out, "=");
        strncat(out, entry.value.data ? entry.value.data : "", entry.value.size);
        strcat(out, " ");
    }
    pdict_iter_close(iter);
    return out;
}

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

TEST(txn, what_was_read_must_be_the_same_at_the_commit_and_nothing_else)
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

TEST(txn, an_entry_that_was_read_and_has_expired_since_is_a_conflict)
{
    for_each_setup(expires_meanwhile);
}

TEST(txn, an_entry_that_expires_between_two_reads_is_a_conflict_even_without_writes)
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

TEST(txn, a_count_that_expiry_changes_is_a_conflict)
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

TEST(txn, two_that_read_what_the_other_writes_do_not_both_commit)
{
    for_each_setup(write_skew);
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
    pdict *d = setup_open(setup, "alone", "&timeout=5ms"), *txn, *other;

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

/* ---- running ---- */

struct plan {
    pdict *d;
    int n_runs, n_conflicts; /* that are to happen */
    int status;
};

static int run_plan(void *ctx, pdict *txn)
{
    struct plan *plan = ctx;

    check_value(txn, "a", plan->n_runs == 0 ? "1" : "2");
    put(txn, "b", "v");
    if (plan->n_runs++ < plan->n_conflicts)
        put(plan->d, "a", "2");
    return plan->status;
}

TEST(txn, run_repeats_on_conflict_and_no_more_often_than_it_may)
{
    pdict *d = setup_open(&setups[0], "run", "");
    struct plan once = { d, 0, 1, PDICT_OK }, always = { d, 0, 99, PDICT_OK };
    struct plan refused = { d, 0, 0, 7 };

    put(d, "a", "1");
    CHECK_OK(pdict_run(d, run_plan, &once, 3));
    CHECK_INT(once.n_runs, 2);
    put(d, "a", "1");
    CHECK_STATUS(pdict_run(d, run_plan, &always, 3), PDICT_CONFLICT);
    CHECK_INT(always.n_runs, 4);
    put(d, "a", "1");
    CHECK_OK(pdict_del(d, pdict_str("b")));
    CHECK_STATUS(pdict_run(d, run_plan, &refused, 3), 7);
    CHECK_INT(refused.n_runs, 1);
    check_value(d, "b", NULL);
    pdict_close(d);
}

#define N_ACCOUNTS 8
#define N_THREADS  4
#define N_EACH     (TEST_IS_SLOW ? 20 : 100)

static pdict *bank;

static int transfer(void *ctx, pdict *txn)
{
    unsigned *random = ctx;
    char from[16], to[16];
    int status;

    snprintf(from, sizeof(from), "%d", rand_r(random) % N_ACCOUNTS);
    snprintf(to, sizeof(to), "%d", rand_r(random) % N_ACCOUNTS);
    if ((status = pdict_add(txn, pdict_str(from), -1, NULL, NULL)) != PDICT_OK)
        return status;
    return pdict_add(txn, pdict_str(to), 1, NULL, NULL);
}

static int add_all(void *ctx, pdict *txn)
{
    int64_t *total = ctx;
    pdict_entry entry;
    pdict_iter *iter;

    *total = 0;
    CHECK_OK(pdict_iter_open(txn, NULL, &iter));
    while (pdict_iter_next(iter, &entry) == PDICT_OK) {
        char text[24] = "";

        memcpy(text, entry.value.data, entry.value.size);
        *total += atoll(text);
    }
    pdict_iter_close(iter);
    return PDICT_OK;
}

static void *trade(void *arg)
{
    unsigned random = *(unsigned *)arg;

    for (int i = 0; i < N_EACH; i++) {
        int64_t total;

        CHECK_OK(pdict_run(bank, transfer, &random, 100000));
        CHECK_OK(pdict_run(bank, add_all, &total, 0));
        CHECK_INT(total, 0);
    }
    return NULL;
}

static void the_sum_stays(const struct setup *setup)
{
    pthread_t threads[N_THREADS];
    unsigned seeds[N_THREADS];
    int64_t total;

    bank = setup_open(setup, "bank", "&durability=unsafe");
    for (unsigned i = 0; i < N_THREADS; i++) {
        seeds[i] = i + 1;
        CHECK_INT(pthread_create(&threads[i], NULL, trade, &seeds[i]), 0);
    }
    for (unsigned i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_OK(pdict_run(bank, add_all, &total, 0));
    CHECK_INT(total, 0);
    pdict_close(bank);
}

TEST(txn, transfers_among_threads_keep_the_sum)
{
    for_each_setup(the_sum_stays);
}

/* ---- other processes ---- */

static void trade_in_a_process(const struct setup *setup, unsigned seed)
{
    pdict *counts = setup_open(setup, "branches", "&durability=unsafe&map=counts");

    bank = setup_open(setup, "branches", "&durability=unsafe");
    trade(&seed);
    for (int i = 0; i < N_EACH; i++)
        CHECK_OK(pdict_add(counts, pdict_str("n"), 1, NULL, NULL));
    pdict_close(bank);
    pdict_close(counts);
}

static void the_sum_stays_among_processes(const struct setup *setup)
{
    int64_t total;
    int how;

    if (!setup->is_persistent)
        return;
    for (unsigned i = 0; i < N_THREADS; i++) {
        if (fork() == 0) {
            trade_in_a_process(setup, i + 1);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < N_THREADS; i++) {
        wait(&how);
        CHECK_INT(how, 0);
    }
    bank = setup_open(setup, "branches", "");
    CHECK_OK(pdict_run(bank, add_all, &total, 0));
    CHECK_INT(total, 0);
    pdict_close(bank);
    bank = setup_open(setup, "branches", "&map=counts");
    CHECK_OK(pdict_run(bank, add_all, &total, 0));
    CHECK_INT(total, N_THREADS * N_EACH);
    pdict_close(bank);
}

TEST(txn, transfers_among_processes_keep_the_sum)
{
    if (TEST_UNDER_TSAN)
        SKIP("fork is not supported under the thread sanitizer");
    test_dir(); /* the same for all */
    for_each_setup(the_sum_stays_among_processes);
}
