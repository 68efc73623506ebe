/* SPDX-License-Identifier: MIT */
/* The log and what is durable: log_bytes, checkpoint and sync; and the words of the change token. */
#include "conformance.h"

static uint64_t log_of(struct subject *t)
{
    pdict_backend_stat stat = { .struct_size = sizeof(stat) };

    CHECK_OK(t->backend->stat(t->self, &stat));
    return stat.log_bytes;
}

static void log_bytes_are_zero_until_the_first_commit(struct subject *t)
{
    fill_store(t);
    reopen_store(t);
    CHECK_INT(t->backend->log_bytes(t->self), 0);
    check_store(t);
    CHECK_INT(t->backend->log_bytes(t->self), 0);
}

static void log_bytes_lie_within_the_log_that_stat_sees(struct subject *t)
{
    uint32_t map = make_map(t, "m");

    for (unsigned i = 0; i < 30; i++) {
        put_now(t, map, number_key(i), long_bytes(5000, 'v', i));
        if (i % 10 == 9)
            CHECK_OK(t->backend->checkpoint(t->self, i == 19));
        CHECK(t->backend->log_bytes(t->self) <= log_of(t));
    }
}

static void log_bytes_grow_with_commits(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    uint64_t before = t->backend->log_bytes(t->self);

    put_now(t, map, TEXT("key"), long_bytes(50000, 'v', 1));
    CHECK(t->backend->log_bytes(t->self) >= before + 50000);
}

static void an_empty_log_may_be_folded_in(struct subject *t)
{
    for (int i = 0; i < 2; i++) {
        CHECK_OK(t->backend->checkpoint(t->self, false));
        CHECK_OK(t->backend->checkpoint(t->self, true));
        CHECK_INT(t->backend->log_bytes(t->self), 0);
    }
}

static void a_checkpoint_folds_the_log_in(struct subject *t)
{
    uint64_t before;

    fill_store(t);
    CHECK(t->backend->log_bytes(t->self) > 0);
    before = log_of(t);
    CHECK_OK(t->backend->checkpoint(t->self, true));
    CHECK_INT(t->backend->log_bytes(t->self), 0);
    CHECK(log_of(t) < before);
    check_store(t);
    reopen_store(t);
    check_store(t);
}

static void a_checkpoint_does_not_disturb_a_snapshot(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader;

    fill_map(t, map, 100);
    reader = begin_read(t);
    for (unsigned i = 0; i < 100; i++)
        put_now(t, map, number_key(i), TEXT("changed"));
    CHECK_OK(t->backend->checkpoint(t->self, false));
    for (unsigned i = 0; i < 100; i++)
        check_value(t, reader, map, number_key(i), TEXT("value"));
    end_read(t, reader);
    CHECK_OK(t->backend->checkpoint(t->self, true));
    reader = begin_read(t);
    check_value(t, reader, map, number_key(1), TEXT("changed"));
    end_read(t, reader);
}

/* The snapshot may be in the way of it. */
static void a_waiting_checkpoint_beside_a_snapshot_loses_nothing(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader;
    int status;

    put_now(t, map, TEXT("key"), TEXT("before"));
    reader = begin_read(t);
    put_now(t, map, TEXT("key"), TEXT("after"));
    conformance_mark_text();
    if ((status = t->backend->checkpoint(t->self, true)) != PDICT_OK) {
        CHECK_STATUS(status, PDICT_BUSY);
        conformance_text(__FILE__, __LINE__, "checkpoint", false);
    }
    check_value(t, reader, map, TEXT("key"), TEXT("before"));
    end_read(t, reader);
    CHECK_OK(t->backend->checkpoint(t->self, true));
    reopen_store(t);
    reader = begin_read(t);
    check_value(t, reader, map, TEXT("key"), TEXT("after"));
    end_read(t, reader);
}

/* Where it is not said, the answer would be "no". */
static void a_checkpoint_is_told_from_a_commit(struct subject *t)
{
    const volatile uint64_t *words[2];
    uint32_t map = make_map(t, "m");

    CHECK_OK(t->backend->watch(t->self, words));
    for (unsigned i = 0; i < 20; i++) {
        uint64_t before[2], after[2];

        put_now(t, map, number_key(i), TEXT("value"));
        for (int w = 0; w < 2; w++)
            before[w] = *words[w];
        CHECK_OK(t->backend->checkpoint(t->self, true));
        for (int w = 0; w < 2; w++)
            after[w] = *words[w];
        CHECK(t->backend->is_same(t->self, before, after));
        CHECK(!t->backend->is_next || !t->backend->is_next(t->self, before, after));
        put_now(t, map, number_key(i), TEXT("other"));
        for (int w = 0; w < 2; w++)
            after[w] = *words[w];
        CHECK(!t->backend->is_same(t->self, before, after));
    }
}

static void a_read_only_store_refuses_a_checkpoint(struct subject *t)
{
    fill_store(t);
    close_store(t);
    open_store(t, PDICT_BACKEND_READ_ONLY);
    CHECK_FAILURE(t->backend->checkpoint(t->self, false), PDICT_READ_ONLY);
    CHECK_FAILURE(t->backend->checkpoint(t->self, true), PDICT_READ_ONLY);
    check_store(t);
}

static void sync_keeps_everything(struct subject *t)
{
    fill_store(t);
    CHECK_OK(t->backend->sync(t->self));
    CHECK_OK(t->backend->sync(t->self));
    reopen_store(t);
    check_store(t);
}

static void sync_follows_commits_of_every_durability(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = NULL, *reader;

    CHECK_OK(t->backend->sync(t->self));
    for (int durability = PDICT_FULL_SYNC; durability <= PDICT_UNSAFE; durability++) {
        CHECK_OK(t->backend->write_begin(t->self, durability, 5000, &txn));
        put(t, txn, map, number_key((unsigned)durability), TEXT("value"));
        commit(t, txn);
        CHECK_OK(t->backend->sync(t->self));
    }
    reopen_store(t);
    reader = begin_read(t);
    CHECK_INT(count_at(t, reader, map, NOW), 3);
    end_read(t, reader);
}

static void sync_does_not_disturb_a_snapshot(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader;

    put_now(t, map, TEXT("key"), TEXT("before"));
    reader = begin_read(t);
    put_now(t, map, TEXT("key"), TEXT("after"));
    CHECK_OK(t->backend->sync(t->self));
    check_value(t, reader, map, TEXT("key"), TEXT("before"));
    end_read(t, reader);
}

/* Through all that may move the engine's memory about. */
static void the_words_of_the_token_stay_readable_while_the_store_is_open(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    const volatile uint64_t *words[2], *again[2];
    uint64_t seen[2];

    CHECK_OK(t->backend->watch(t->self, words));
    for (unsigned i = 0; i < 40; i++) {
        seen[0] = *words[0];
        seen[1] = *words[1];
        put_now(t, map, number_key(i), long_bytes(300000, 'v', i));
        CHECK(*words[0] != seen[0] || *words[1] != seen[1]);
        if (i % 10 == 9 && t->backend->checkpoint != NULL)
            CHECK_OK(t->backend->checkpoint(t->self, true));
    }
    CHECK_OK(t->backend->watch(t->self, again));
    CHECK(*again[0] == *words[0] && *again[1] == *words[1]);
}

const struct test_case backend_log_cases[] = {
    CASE(log_bytes_are_zero_until_the_first_commit, NEED_LOG | NEED_FILE),
    CASE(log_bytes_lie_within_the_log_that_stat_sees, NEED_LOG),
    CASE(log_bytes_grow_with_commits, NEED_LOG),
    CASE(an_empty_log_may_be_folded_in, NEED_LOG),
    CASE(a_checkpoint_folds_the_log_in, NEED_LOG),
    CASE(a_checkpoint_does_not_disturb_a_snapshot, NEED_LOG),
    CASE(a_waiting_checkpoint_beside_a_snapshot_loses_nothing, NEED_LOG | NEED_FILE),
    CASE(a_checkpoint_is_told_from_a_commit, NEED_LOG | NEED_SAME),
    CASE(a_read_only_store_refuses_a_checkpoint, NEED_LOG | NEED_FILE),
    CASE(sync_keeps_everything, NEED_SYNC | NEED_FILE),
    CASE(sync_follows_commits_of_every_durability, NEED_SYNC | NEED_FILE),
    CASE(sync_does_not_disturb_a_snapshot, NEED_SYNC),
    CASE(the_words_of_the_token_stay_readable_while_the_store_is_open, NEED_WATCH),
    { .name = NULL },
};
