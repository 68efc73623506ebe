/* SPDX-License-Identifier: MIT */
/* on_removed: who goes is told, why, once it is committed, and with no lock held. */
#include "maps.h"

#include <pthread.h>
#include <stdio.h>

#include "process_fixture.h"

/* What was heard, as "why key " after one another. */
struct heard {
    pthread_mutex_t lock;
    char text[4096];
    unsigned count;
    pdict *d; /* used from within when not NULL */
};

static void hear(void *ctx, pdict_slice key, int why)
{
    static const char *const words[] = {
        "?", "expired", "evicted", "replaced", "deleted", "cleared"
    };
    struct heard *heard = ctx;
    size_t size;

    pthread_mutex_lock(&heard->lock);
    size = strlen(heard->text);
    snprintf(heard->text + size, sizeof(heard->text) - size, "%s %.*s ", words[why], (int)key.size,
             key.size > 0 ? (const char *)key.data : "");
    heard->count++;
    pthread_mutex_unlock(&heard->lock);
    if (heard->d) {
        /* Gone already; and what is put here is heard of too. */
        check_value(heard->d, "k", NULL);
        if (heard->count < 3)
            put(heard->d, "from within", heard->count == 1 ? "one" : "two");
    }
}

static void check_heard(struct heard *heard, const char *expected)
{
    CHECK_STR(heard->text, expected);
    heard->text[0] = '\0';
}

static pdict *open_heard(const struct setup *setup, const char *more, struct heard *heard)
{
    pdict_options options = test_options(setup->is_sealed);
    pdict *d;

    *heard = (struct heard){ .count = 0 };
    pthread_mutex_init(&heard->lock, NULL);
    options.on_removed = hear;
    options.on_removed_ctx = heard;
    CHECK_OK(pdict_open(setup_uri(setup, "a", more), &options, &d));
    return d;
}

static void check_reasons(const struct setup *setup)
{
    struct heard heard;
    pdict *d = open_heard(setup, "&max_entries=2&evict=fifo&maintenance=manual", &heard);

    put(d, "a", "v");
    put(d, "b", "v");
    check_heard(&heard, "");
    put(d, "a", "w");
    check_heard(&heard, "replaced a ");
    put(d, "c", "v");
    check_heard(&heard, "evicted a ");
    CHECK_OK(pdict_del(d, pdict_str("b")));
    CHECK_STATUS(pdict_del(d, pdict_str("b")), PDICT_NOTFOUND);
    check_heard(&heard, "deleted b ");
    put_ttl(d, "e", "v", 10);
    CHECK_OK(pdict_touch(d, pdict_str("e"), 20));
    check_heard(&heard, "");
    test_now_ms += 20;
    put(d, "e", "over what has expired");
    check_heard(&heard, "expired e ");
    CHECK_OK(pdict_touch(d, pdict_str("e"), 20));
    test_now_ms += 20;
    CHECK_OK(pdict_maintain(d, 0));
    check_heard(&heard, "expired e ");
    CHECK_OK(pdict_clear(d, PDICT_CLEAR_EVERYTHING));
    check_heard(&heard, "cleared  ");
    pdict_close(d);
}

TEST(removed, every_removal_is_told_with_its_reason)
{
    for_each_setup(check_reasons);
}

static void check_unused(const struct setup *setup)
{
    struct heard heard;
    pdict *d = open_heard(setup, "&max_entries=2&evict=fifo&idle=160s&access=8s&maintenance=manual",
                          &heard);
    pdict_stats stats = PDICT_STATS_INIT;

    put(d, "first", "v");
    put(d, "unused", "v");
    test_now_ms += 100000;
    put(d, "first", "w");
    check_heard(&heard, "replaced first ");
    test_now_ms += 68000;
    put(d, "third", "v");
    check_heard(&heard, "expired unused ");
    CHECK_OK(pdict_stats_get(d, 0, &stats));
    CHECK_INT(stats.evictions, 0);
    put(d, "fourth", "v");
    check_heard(&heard, "evicted first ");
    pdict_close(d);
}

TEST(removed, full_map_lets_the_unused_go_first_and_tells_that_they_have_expired)
{
    for_each_setup(check_unused);
}

static void check_other_handles(const struct setup *setup)
{
    struct heard heard;
    pdict *d = open_heard(setup, "", &heard);
    pdict *other = setup_open(setup, "a", ""), *elsewhere = setup_open(setup, "a", "&map=other");

    put(other, "k", "v");
    CHECK_OK(pdict_del(other, pdict_str("k")));
    check_heard(&heard, "deleted k ");
    put(elsewhere, "k", "v");
    CHECK_OK(pdict_del(elsewhere, pdict_str("k")));
    check_heard(&heard, "");
    pdict_close(d);
    put(other, "k", "v");
    CHECK_OK(pdict_del(other, pdict_str("k")));
    CHECK_INT(heard.count, 1);
    pdict_close(other);
    pdict_close(elsewhere);
}

TEST(removed, what_other_handles_of_the_map_remove_is_told_until_the_close)
{
    for_each_setup(check_other_handles);
}

static void check_transaction(const struct setup *setup)
{
    struct heard heard;
    pdict *d = open_heard(setup, "", &heard);

    put(d, "a", "v");
    put(d, "b", "v");
    for (unsigned flags = 0; flags <= PDICT_TXN_EXCLUSIVE; flags += PDICT_TXN_EXCLUSIVE) {
        pdict *txn;

        CHECK_OK(pdict_begin(d, flags, &txn));
        CHECK_OK(pdict_del(txn, pdict_str("a")));
        put(txn, "b", "w");
        check_heard(&heard, "");
        pdict_abort(txn);
        check_heard(&heard, "");
        CHECK_OK(pdict_begin(d, flags, &txn));
        CHECK_OK(pdict_del(txn, pdict_str("a")));
        put(txn, "b", "w");
        check_heard(&heard, "");
        CHECK_OK(pdict_commit(txn));
        CHECK_INT(heard.count, 2);
        put(d, "a", "again");
        heard.count = 0;
        heard.text[0] = '\0';
    }
    pdict_close(d);
}

TEST(removed, transaction_tells_when_it_is_committed_and_an_aborted_one_nothing)
{
    for_each_setup(check_transaction);
}

static void check_within(const struct setup *setup)
{
    struct heard heard;
    pdict *d = open_heard(setup, "", &heard), *txn;

    put(d, "from within", "zero");
    put(d, "k", "v");
    heard.d = d;
    CHECK_OK(pdict_del(d, pdict_str("k")));
    check_heard(&heard, "deleted k replaced from within replaced from within ");
    heard.d = NULL;
    put(d, "k", "v");
    heard.d = d;
    heard.count = 0;
    CHECK_OK(pdict_begin(d, PDICT_TXN_EXCLUSIVE, &txn));
    CHECK_OK(pdict_del(txn, pdict_str("k")));
    CHECK_OK(pdict_commit(txn));
    CHECK(heard.count >= 2);
    heard.d = NULL;
    pdict_close(d);
}

TEST(removed, function_that_is_told_may_use_the_library)
{
    for_each_setup(check_within);
}

TEST(removed, map_that_hides_its_keys_cannot_tell_them)
{
    pdict_options options = test_options(true);
    pdict *d;

    options.on_removed = hear;
    CHECK_STATUS(pdict_open("memory:a?codecs=xchacha20&names=hidden", &options, &d),
                 PDICT_UNSUPPORTED);
}

static void check_failed(const struct setup *setup)
{
    struct heard heard;
    pdict *d = open_heard(setup, "&max_entries=1&on_full=error", &heard);

    put(d, "a", "v");
    CHECK_STATUS(pdict_put(d, pdict_str("b"), pdict_str("v"), NULL), PDICT_LIMIT);
    check_heard(&heard, "");
    pdict_close(d);
}

TEST(removed, what_was_not_committed_is_not_told)
{
    for_each_setup(check_failed);
}

/* ---- threads ---- */

enum {
    N_THREADS = 4,
    N_PUTS = TEST_IS_SLOW ? 20 : 200
};

static void *replace_many(void *ctx)
{
    for (int i = 0; i < N_PUTS; i++)
        put(ctx, "k", "v");
    return NULL;
}

TEST(removed, each_of_many_commits_that_share_a_transaction_is_told_once)
{
    struct heard heard;
    pdict *d = open_heard(&setups[2], "&durability=unsafe", &heard);
    pthread_t threads[N_THREADS];

    for (int i = 0; i < N_THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, replace_many, d) == 0);
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(heard.count, N_THREADS * N_PUTS - 1);
    pdict_close(d);
}

static void delete_it(struct child *child, const char *uri)
{
    pdict_options options = test_options(false);
    pdict *d;

    step_done(child);
    CHECK_OK(pdict_open(uri, &options, &d));
    CHECK_OK(pdict_del(d, pdict_str("k")));
    pdict_close(d);
}

TEST(removed, what_another_process_removes_is_told_there_only)
{
    const struct setup *setup = &setups[2];
    struct child child = start(delete_it, setup_uri(setup, "a", ""));
    struct heard heard;
    pdict *d;

    await_step(&child);
    d = open_heard(setup, "", &heard);
    put(d, "k", "v");
    next_step(&child);
    finish(&child);
    check_value(d, "k", NULL);
    CHECK_INT(heard.count, 0);
    pdict_close(d);
}
