/* SPDX-License-Identifier: MIT */
/* Lifetimes of maps: the time to live of what is put without one, and entries that go unused. */
#include "maps.h"

#include <stdio.h>

#define SECOND 1000

/* A quarter of the granularity, two seconds, is a step. */
#define SLIDING "&idle=160s&access=8s&maintenance=manual"
#define IDLE    (160 * SECOND)
#define SLACK   (8 * SECOND)

static int64_t expiry_of(pdict *d, const char *key)
{
    pdict_meta meta = PDICT_META_INIT;

    CHECK_OK(pdict_meta_get(d, pdict_str(key), &meta));
    return meta.expires_ms;
}

/* ---- ttl= ---- */

static int keep(void *ctx, const pdict_view *old, pdict_slice *value)
{
    (void)ctx;
    (void)old;
    *value = pdict_str("modified");
    return PDICT_OK;
}

static void check_ttl(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "&ttl=1h"), *again;
    pdict_pair pair = { pdict_str("many"), pdict_str("value") };
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    int64_t due_ms = test_now_ms + 3600 * SECOND;

    put(d, "k", "value");
    CHECK_INT(expiry_of(d, "k"), due_ms);
    CHECK_OK(pdict_put_many(d, &pair, 1, NULL, NULL));
    CHECK_INT(expiry_of(d, "many"), due_ms);
    CHECK_OK(pdict_add(d, pdict_str("n"), 1, NULL, NULL));
    CHECK_INT(expiry_of(d, "n"), due_ms);
    again = setup_open(setup, "a", "");
    put(again, "k", "value");
    CHECK_INT(expiry_of(again, "k"), due_ms);
    pdict_close(again);
    put_ttl(d, "short", "value", 5);
    CHECK_INT(expiry_of(d, "short"), test_now_ms + 5);
    how.expires_ms = PDICT_NEVER;
    CHECK_OK(pdict_put(d, pdict_str("never"), pdict_str("value"), &how));
    CHECK_INT(expiry_of(d, "never"), 0);
    CHECK_OK(pdict_modify(d, pdict_str("never"), keep, NULL, NULL));
    CHECK_INT(expiry_of(d, "never"), 0);
    CHECK_OK(pdict_persist(d, pdict_str("k")));
    CHECK_INT(expiry_of(d, "k"), 0);
    CHECK_OK(pdict_add(d, pdict_str("n"), 1, NULL, NULL));
    CHECK_INT(expiry_of(d, "n"), due_ms);
    test_now_ms = due_ms;
    check_value(d, "many", NULL);
    check_value(d, "never", "modified");
    CHECK_INT(count_of(d), 2);
    CHECK_STATUS(setup_try(setup, "a", "&ttl=2h", &again), PDICT_CONTRADICTION);
    CHECK_STATUS(setup_try(setup, "a", "&idle=2h", &again), PDICT_CONTRADICTION);
    pdict_close(d);
}

TEST(lifetimes, what_is_put_without_a_deadline_has_that_of_its_map)
{
    for_each_setup(check_ttl);
}

/* ---- idle=: absent for every call ---- */

static unsigned walked(pdict *d, unsigned flags)
{
    pdict_range range = PDICT_RANGE_INIT;
    pdict_iter *iter;
    pdict_entry entry;
    unsigned n = 0;

    range.flags = flags;
    CHECK_OK(pdict_iter_open(d, &range, &iter));
    while (pdict_iter_next(iter, &entry) == PDICT_OK)
        n++;
    pdict_iter_close(iter);
    return n;
}

static void check_seen(pdict *d, const char *key, bool is_there)
{
    int expected = is_there ? PDICT_OK : PDICT_NOTFOUND, statuses[1];
    unsigned count = is_there ? 1 : 0;
    pdict_meta meta = PDICT_META_INIT;
    pdict_slice slice = pdict_str(key);
    pdict_stats stats = PDICT_STATS_INIT;
    pdict_view view;
    bool found;
    pdict *txn;

    CHECK_OK(pdict_contains(d, slice, &found));
    CHECK(found == is_there);
    CHECK_STATUS(pdict_meta_get(d, slice, &meta), expected);
    CHECK_INT(count_of(d), count);
    CHECK_INT(walked(d, 0), count);
    CHECK_INT(walked(d, PDICT_BY_KEY | PDICT_REVERSE), count);
    CHECK_INT(walked(d, PDICT_SNAPSHOT), count);
    CHECK_OK(pdict_stats_get(d, PDICT_STATS_SIZES, &stats));
    CHECK_INT(stats.count, count);
    CHECK((stats.stored_bytes > 0) == is_there);
    CHECK_OK(pdict_begin(d, 0, &txn));
    CHECK_INT(count_of(txn), count);
    CHECK_INT(walked(txn, 0), count);
    CHECK_OK(pdict_contains(txn, slice, &found));
    CHECK(found == is_there);
    CHECK_OK(pdict_commit(txn));
    if (is_there)
        return;
    CHECK_STATUS(pdict_get(d, slice, &view), expected);
    CHECK_OK(pdict_get_many(d, &slice, 1, &view, statuses));
    CHECK_STATUS(statuses[0], expected);
    CHECK_STATUS(pdict_touch(d, slice, 1000), expected);
}

static void check_idle(const struct setup *setup, const char *more)
{
    pdict *d = setup_open(setup, "a", more);

    put(d, "k", "value");
    test_now_ms += IDLE + SLACK - 1;
    check_seen(d, "k", true);
    test_now_ms += 1;
    check_seen(d, "k", false);
    CHECK_STATUS(pdict_del(d, pdict_str("k")), PDICT_NOTFOUND);
    pdict_close(d);
}

static void check_idle_cached(const struct setup *setup)
{
    check_idle(setup, SLIDING);
}

static void check_idle_uncached(const struct setup *setup)
{
    check_idle(setup, SLIDING "&cache=off");
}

static void check_idle_sealed(const struct setup *setup)
{
    check_idle(setup, SLIDING "&cache=sealed");
}

TEST(lifetimes, unused_entry_is_absent_for_every_call_from_its_deadline_on)
{
    for_each_setup(check_idle_cached);
    for_each_setup(check_idle_uncached);
    for_each_setup(check_idle_sealed);
}

static void check_insert(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", SLIDING);
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    pdict_meta meta = PDICT_META_INIT;
    pdict_entry entry;
    pdict_iter *iter;
    int64_t sum;

    put(d, "a", "old");
    put(d, "n", "5");
    test_now_ms += IDLE / 2;
    put(d, "b", "value");
    test_now_ms += IDLE / 2 + SLACK;
    how.flags = PDICT_PUT_IF_PRESENT;
    CHECK_STATUS(pdict_put(d, pdict_str("a"), pdict_str("new"), &how), PDICT_NOTFOUND);
    how.flags = PDICT_PUT_IF_ABSENT;
    CHECK_OK(pdict_put(d, pdict_str("a"), pdict_str("new"), &how));
    CHECK_STATUS(pdict_put(d, pdict_str("a"), pdict_str("newer"), &how), PDICT_EXISTS);
    CHECK_OK(pdict_meta_get(d, pdict_str("a"), &meta));
    CHECK_INT(meta.created_ms, test_now_ms);
    CHECK_INT(meta.accessed_ms, test_now_ms);
    CHECK_OK(pdict_add(d, pdict_str("n"), 1, NULL, &sum));
    CHECK_INT(sum, 1);
    CHECK_OK(pdict_iter_open(d, NULL, &iter));
    CHECK_OK(pdict_iter_next(iter, &entry));
    CHECK_BYTES(entry.key.data, entry.key.size, "b", 1);
    pdict_iter_close(iter);
    CHECK_INT(count_of(d), 3);
    pdict_close(d);
}

TEST(lifetimes, put_over_an_unused_entry_inserts)
{
    for_each_setup(check_insert);
}

/* ---- idle=: what is used stays ---- */

/* Reads `key` every `pause_ms` for four times as long as it could lie idle. */
static void use_for_long(pdict *d, const char *key, int64_t pause_ms)
{
    for (int64_t ms = 0; ms < 4 * IDLE; ms += pause_ms) {
        test_now_ms += pause_ms;
        check_value(d, key, "value");
        CHECK_OK(pdict_maintain(d, 0));
    }
}

static void check_used(const struct setup *setup)
{
    const int64_t pauses[] = { SECOND, 2 * SECOND - 1, 50 * SECOND, IDLE };
    pdict *d = setup_open(setup, "a", SLIDING), *other;

    for (size_t i = TEST_IS_SLOW ? 1 : 0; i < 4; i++) {
        put(d, "hot", "value");
        put(d, "cold", "value");
        other = setup_open(setup, "a", SLIDING "&cache=off");
        use_for_long(d, "hot", pauses[i]);
        use_for_long(other, "hot", pauses[i]);
        pdict_close(other);
        check_value(d, "cold", NULL);
    }
    pdict_close(d);
}

TEST(lifetimes, entry_that_is_used_within_idle_stays_by_hits_and_by_reads)
{
    for_each_setup(check_used);
}

static void check_puts(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", SLIDING);

    for (int i = 0; i < 5; i++) {
        put(d, "k", "value");
        test_now_ms += IDLE;
    }
    check_value(d, "k", "value");
    test_now_ms += IDLE + SLACK;
    check_value(d, "k", NULL);
    pdict_close(d);
}

TEST(lifetimes, put_is_a_use_and_written_with_it)
{
    for_each_setup(check_puts);
}

static void check_order(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", SLIDING), *other = setup_open(setup, "a", "&map=other");
    const char *const keys[] = { "a", "b", "hot", "d" };
    pdict_store *store;
    uint64_t removed;

    for (int i = 0; i < 4; i++)
        put(d, keys[i], "value");
    for (int i = 0; i < 20; i++) {
        test_now_ms += 5 * SECOND;
        check_value(d, "hot", "value");
        if (i == 10)
            check_value(d, "d", "value");
        CHECK_OK(pdict_maintain(d, 0));
    }
    pdict_close(d);
    d = setup_open(setup, "a", "&maintenance=manual");
    test_now_ms += IDLE + SLACK - 100 * SECOND;
    CHECK_INT(count_of(d), 2);
    check_value(d, "a", NULL);
    CHECK_OK(pdict_maintain(d, 1000));
    test_now_ms += 55 * SECOND;
    CHECK_INT(count_of(d), 1);
    check_value(d, "hot", "value");
    CHECK_OK(pdict_maintain(d, 1000));
    test_now_ms += 2 * IDLE;
    CHECK_INT(count_of(d), 0);
    pdict_close(d);
    if (setup->is_persistent) {
        pdict_options options = test_options(false);

        CHECK_OK(pdict_store_open(setup_uri(setup, "a", ""), &options, &store));
        CHECK_OK(pdict_expire(store, -1, &removed));
        CHECK(removed >= 1);
        pdict_store_close(store);
    }
    pdict_close(other);
}

TEST(lifetimes, most_read_entry_is_the_last_to_go_through_hits_reopening_and_sweeps)
{
    for_each_setup(check_order);
}

/* ---- refusals ---- */

static int64_t use_of(pdict *d, const char *key)
{
    pdict_meta meta = PDICT_META_INIT;

    CHECK_OK(pdict_meta_get(d, pdict_str(key), &meta));
    return meta.accessed_ms;
}

static int restore(pdict *d, const char *key, int64_t created_ms, int64_t accessed_ms)
{
    pdict_pair pair = { pdict_str(key), pdict_str("v") };
    pdict_pair_times times = { .created_ms = created_ms, .accessed_ms = accessed_ms };
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;

    how.times = &times;
    return pdict_put_many(d, &pair, 1, &how, NULL);
}

static void check_restored(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", SLIDING), *plain = setup_open(setup, "a", "&map=plain");
    int64_t now_ms = test_now_ms, used_ms = now_ms - 100 * SECOND, made_ms = used_ms - SECOND;

    CHECK_OK(restore(d, "k", made_ms, used_ms));
    CHECK_OK(restore(plain, "k", made_ms, used_ms));
    CHECK_INT(use_of(d, "k"), used_ms);
    CHECK_INT(use_of(plain, "k"), used_ms);
    put(d, "used", "v");
    CHECK_OK(restore(d, "used", made_ms, used_ms));
    CHECK_INT(use_of(d, "used"), now_ms);
    CHECK_STATUS(restore(d, "k", made_ms, -1), PDICT_INVAL);
    test_now_ms = used_ms + IDLE + SLACK - 1;
    CHECK_INT(count_of(d), 2);
    test_now_ms++;
    CHECK_INT(count_of(d), 1);
    check_value(d, "k", NULL);
    pdict_close(plain);
    plain = setup_open(setup, "a", "&map=plain");
    CHECK_INT(use_of(plain, "k"), used_ms);
    pdict_close(plain);
    pdict_close(d);
}

TEST(lifetimes, restored_entry_was_last_used_when_it_is_said_to_have_been)
{
    for_each_setup(check_restored);
}

static void check_restored_inside(const struct setup *setup)
{
    const char *const more[] = { SLIDING, "&map=plain" };
    int64_t now_ms = test_now_ms, used_ms = now_ms - 100 * SECOND, made_ms = used_ms - SECOND;

    for (size_t i = 0; i < 2; i++) {
        pdict *d = setup_open(setup, "a", more[i]), *txn;

        CHECK_OK(pdict_begin(d, 0, &txn));
        CHECK_OK(restore(txn, "k", made_ms, used_ms));
        CHECK_INT(use_of(txn, "k"), used_ms);
        CHECK_OK(restore(txn, "again", made_ms, used_ms));
        put(txn, "again", "v");
        CHECK_OK(restore(txn, "gone", made_ms, used_ms));
        CHECK_OK(pdict_del(txn, pdict_str("gone")));
        put(txn, "gone", "v");
        CHECK_OK(pdict_commit(txn));
        CHECK_INT(use_of(d, "k"), used_ms);
        CHECK_INT(use_of(d, "again"), now_ms);
        CHECK_INT(use_of(d, "gone"), now_ms);
        pdict_close(d);
        d = setup_open(setup, "a", more[i]);
        if (setup->is_persistent)
            CHECK_INT(use_of(d, "k"), used_ms);
        pdict_close(d);
    }
}

TEST(lifetimes, so_was_one_that_a_transaction_restores)
{
    for_each_setup(check_restored_inside);
}

static void check_refusals(const struct setup *setup)
{
    pdict *d, *none;

    CHECK_STATUS(setup_try(setup, "a", "&idle=1h&access=off", &none), PDICT_CONTRADICTION);
    CHECK_STATUS(setup_try(setup, "a", "&idle=63ms", &none), PDICT_INVAL);
    d = setup_open(setup, "b", "&idle=1h");
    CHECK_STATUS(setup_try(setup, "b", "&access=off", &none), PDICT_CONTRADICTION);
    CHECK_STATUS(setup_try(setup, "b", "&idle=2h", &none), PDICT_CONTRADICTION);
    pdict_close(d);
}

TEST(lifetimes, contradictions_are_refused)
{
    for_each_setup(check_refusals);
}
