/* SPDX-License-Identifier: MIT */
/* Snapshots and transactions: one instant, all or nothing, and the change token that tells of both. */
#include "conformance.h"

static void a_snapshot_is_not_changed_by_a_later_commit(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader;

    put_now(t, map, TEXT("changed"), TEXT("old"));
    put_now(t, map, TEXT("deleted"), TEXT("old"));
    reader = begin_read(t);
    put_now(t, map, TEXT("changed"), TEXT("new"));
    put_now(t, map, TEXT("added"), TEXT("new"));
    del_now(t, map, TEXT("deleted"));
    check_value(t, reader, map, TEXT("changed"), TEXT("old"));
    check_value(t, reader, map, TEXT("deleted"), TEXT("old"));
    check_absent(t, reader, map, TEXT("added"));
    CHECK_KEYS(t, reader, map, ((pdict_scan){ .flags = PDICT_SCAN_BY_KEY }), "changed,deleted");
    end_read(t, reader);
}

static void a_snapshot_is_fixed_at_begin_not_at_the_first_read(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader;

    put_now(t, map, TEXT("key"), TEXT("old"));
    reader = begin_read(t);
    put_now(t, map, TEXT("key"), TEXT("new"));
    check_value(t, reader, map, TEXT("key"), TEXT("old"));
    end_read(t, reader);
}

static void a_new_snapshot_sees_every_earlier_commit(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader = NULL;

    CHECK_OK(t->backend->reader_open(t->self, &reader));
    for (unsigned i = 0; i < 50; i++) {
        put_now(t, map, TEXT("key"), number_key(i));
        CHECK_OK(t->backend->reader_begin(t->self, reader));
        check_value(t, reader, map, TEXT("key"), number_key(i));
        t->backend->reader_end(t->self, reader);
    }
    t->backend->reader_close(t->self, reader);
}

static void a_reader_opened_first_sees_what_is_committed_before_it_begins(struct subject *t)
{
    void *reader = NULL;
    uint32_t map;

    CHECK_OK(t->backend->reader_open(t->self, &reader));
    map = make_map(t, "m");
    put_now(t, map, TEXT("key"), TEXT("value"));
    CHECK_OK(t->backend->reader_begin(t->self, reader));
    check_value(t, reader, map, TEXT("key"), TEXT("value"));
    t->backend->reader_end(t->self, reader);
    t->backend->reader_close(t->self, reader);
}

static void snapshots_of_different_instants_live_side_by_side(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *readers[20];

    for (unsigned i = 0; i < 20; i++) {
        put_now(t, map, TEXT("key"), number_key(i));
        put_now(t, map, number_key(i), TEXT("value"));
        readers[i] = begin_read(t);
    }
    for (unsigned i = 0; i < 20; i++) {
        unsigned j = i * 7 % 20;
        check_value(t, readers[j], map, TEXT("key"), number_key(j));
        CHECK_INT(count_at(t, readers[j], map, NOW), j + 2);
        end_read(t, readers[j]);
    }
}

static void many_readers_may_be_open(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *readers[100];

    put_now(t, map, TEXT("key"), TEXT("value"));
    for (unsigned i = 0; i < 100; i++)
        readers[i] = begin_read(t);
    for (unsigned i = 0; i < 100; i++)
        check_value(t, readers[i], map, TEXT("key"), TEXT("value"));
    for (unsigned i = 0; i < 100; i++)
        end_read(t, readers[99 - i]);
}

static void a_reader_may_be_closed_unused(struct subject *t)
{
    void *reader = NULL;

    CHECK_OK(t->backend->reader_open(t->self, &reader));
    t->backend->reader_close(t->self, reader);
    CHECK_OK(t->backend->reader_open(t->self, &reader));
    CHECK_OK(t->backend->reader_begin(t->self, reader));
    t->backend->reader_end(t->self, reader);
    t->backend->reader_close(t->self, reader);
}

static void the_writer_sees_its_own_writes(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    pdict_slice value = { 0 };

    put(t, txn, map, TEXT("key"), TEXT("1"));
    check_value(t, txn, map, TEXT("key"), TEXT("1"));
    CHECK_INT(count_at(t, txn, map, NOW), 1);
    put(t, txn, map, TEXT("key"), TEXT("2"));
    check_value(t, txn, map, TEXT("key"), TEXT("2"));
    CHECK_OK(t->backend->system_put(t->self, txn, map, TEXT("name"), TEXT("system")));
    CHECK_OK(t->backend->system_get(t->self, txn, map, TEXT("name"), &value));
    CHECK_BYTES(value, TEXT("system"));
    del(t, txn, map, TEXT("key"));
    check_absent(t, txn, map, TEXT("key"));
    CHECK_INT(count_at(t, txn, map, NOW), 0);
    commit(t, txn);
}

static void nobody_else_sees_uncommitted_writes(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *before = begin_read(t), *txn, *during;

    txn = begin_write(t);
    put(t, txn, map, TEXT("key"), TEXT("value"));
    during = begin_read(t);
    check_absent(t, before, map, TEXT("key"));
    check_absent(t, during, map, TEXT("key"));
    CHECK_INT(count_at(t, during, map, NOW), 0);
    commit(t, txn);
    check_absent(t, during, map, TEXT("key"));
    end_read(t, during);
    end_read(t, before);
}

static void the_writer_reads_what_was_committed_before(struct subject *t)
{
    uint32_t map = make_map(t, "m");

    for (unsigned i = 0; i < 30; i++) {
        void *txn = begin_write(t);
        CHECK_INT(count_at(t, txn, map, NOW), i);
        if (i > 0)
            check_value(t, txn, map, number_key(i - 1), TEXT("value"));
        put(t, txn, map, number_key(i), TEXT("value"));
        commit(t, txn);
    }
}

static void abort_undoes_inserts_updates_and_deletes(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    uint64_t id;

    put(t, txn, map, TEXT("deleted"), TEXT("old"));
    id = put(t, txn, map, TEXT("updated"), TEXT("old"));
    commit(t, txn);
    txn = begin_write(t);
    del(t, txn, map, TEXT("deleted"));
    put(t, txn, map, TEXT("updated"), TEXT("new"));
    put(t, txn, map, TEXT("inserted"), TEXT("new"));
    put_expiring(t, txn, map, TEXT("updated"), NOW + 1);
    abort_write(t, txn);
    txn = begin_read(t);
    check_value(t, txn, map, TEXT("deleted"), TEXT("old"));
    check_value(t, txn, map, TEXT("updated"), TEXT("old"));
    CHECK_INT(row_of(t, txn, map, TEXT("updated")).id, id);
    check_absent(t, txn, map, TEXT("inserted"));
    CHECK_KEYS(t, txn, map, ((pdict_scan){ .flags = 0 }), "deleted,updated");
    CHECK_INT(count_at(t, txn, map, NOW + 1), 2);
    end_read(t, txn);
}

static void abort_of_a_large_transaction_undoes_all_of_it(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn;

    fill_map(t, map, 1000);
    txn = begin_write(t);
    for (unsigned i = 500; i < 5000; i++)
        put(t, txn, map, number_key(i), long_bytes(500, 'v', i));
    for (unsigned i = 0; i < 300; i++)
        del(t, txn, map, number_key(i));
    abort_write(t, txn);
    txn = begin_read(t);
    CHECK_INT(count_at(t, txn, map, NOW), 1000);
    for (unsigned i = 0; i < 1000; i++)
        check_value(t, txn, map, number_key(i), TEXT("value"));
    end_read(t, txn);
}

static void a_transaction_may_follow_an_abort(struct subject *t)
{
    uint32_t map = make_map(t, "m");

    for (unsigned i = 0; i < 20; i++) {
        void *txn = begin_write(t);
        put(t, txn, map, number_key(i), TEXT("value"));
        if (i % 2 == 0)
            abort_write(t, txn);
        else
            commit(t, txn);
    }
    void *reader = begin_read(t);
    CHECK_INT(count_at(t, reader, map, NOW), 10);
    check_absent(t, reader, map, number_key(0));
    check_value(t, reader, map, number_key(1), TEXT("value"));
    end_read(t, reader);
}

static void an_empty_transaction_commits(struct subject *t)
{
    uint32_t map = make_map(t, "m");

    for (unsigned i = 0; i < 3; i++)
        commit(t, begin_write(t));
    put_now(t, map, TEXT("key"), TEXT("value"));
    commit(t, begin_write(t));
}

static void changes_of_several_maps_commit_together(struct subject *t)
{
    uint32_t one = make_map(t, "one"), two = make_map(t, "two");
    void *txn = begin_write(t), *reader = begin_read(t);

    put(t, txn, one, TEXT("key"), TEXT("1"));
    put(t, txn, two, TEXT("key"), TEXT("2"));
    check_absent(t, reader, one, TEXT("key"));
    check_absent(t, reader, two, TEXT("key"));
    end_read(t, reader);
    commit(t, txn);
    reader = begin_read(t);
    check_value(t, reader, one, TEXT("key"), TEXT("1"));
    check_value(t, reader, two, TEXT("key"), TEXT("2"));
    end_read(t, reader);
}

static void every_durability_commits(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    const int levels[] = { PDICT_FULL_SYNC, PDICT_ORDERED, PDICT_UNSAFE, PDICT_FULL_SYNC };

    for (unsigned i = 0; i < 4; i++) {
        void *txn = NULL, *reader;
        CHECK_OK(t->backend->write_begin(t->self, levels[i], 5000, &txn));
        put(t, txn, map, number_key(i), TEXT("value"));
        commit(t, txn);
        reader = begin_read(t);
        CHECK_INT(count_at(t, reader, map, NOW), i + 1);
        end_read(t, reader);
    }
}

static void a_timeout_of_0_is_enough_when_nobody_writes(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = NULL;

    CHECK_OK(t->backend->write_begin(t->self, PDICT_ORDERED, 0, &txn));
    put(t, txn, map, TEXT("key"), TEXT("value"));
    commit(t, txn);
}

static void a_reader_may_stay_over_many_commits(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader;

    fill_map(t, map, 100);
    reader = begin_read(t);
    for (unsigned i = 0; i < 100; i++) {
        put_now(t, map, number_key(i), long_bytes(2000, 'v', i));
        del_now(t, map, number_key((i + 50) % 100));
    }
    for (unsigned i = 0; i < 100; i++)
        check_value(t, reader, map, number_key(i), TEXT("value"));
    CHECK_INT(count_at(t, reader, map, NOW), 100);
    end_read(t, reader);
}

/* ---- the change token ---- */

struct token {
    const volatile uint64_t *words[2];
    uint64_t seen[2];
};

static struct token token_of(struct subject *t)
{
    struct token token = { { NULL, NULL }, { 0, 0 } };

    CHECK_OK(t->backend->watch(t->self, token.words));
    CHECK(token.words[0] != NULL && token.words[1] != NULL);
    for (int i = 0; i < 2; i++)
        token.seen[i] = *token.words[i];
    return token;
}

static bool has_moved(struct token *token)
{
    bool moved = false;

    for (int i = 0; i < 2; i++) {
        uint64_t word = *token->words[i];
        moved = moved || word != token->seen[i];
        token->seen[i] = word;
    }
    return moved;
}

static void the_token_moves_with_each_commit_of_rows(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    struct token token = token_of(t);

    for (unsigned i = 0; i < 100; i++) {
        put_now(t, map, number_key(i % 10), number_key(i));
        CHECK(has_moved(&token));
    }
    del_now(t, map, number_key(3));
    CHECK(has_moved(&token));
}

static void the_token_moves_with_each_commit_of_maps_and_system_values(struct subject *t)
{
    struct token token = token_of(t);
    uint32_t map = make_map(t, "m");
    void *txn;

    CHECK(has_moved(&token));
    txn = begin_write(t);
    CHECK_OK(t->backend->system_put(t->self, txn, 0, TEXT("name"), TEXT("value")));
    commit(t, txn);
    CHECK(has_moved(&token));
    txn = begin_write(t);
    CHECK_OK(t->backend->map_rename(t->self, txn, map, TEXT("n")));
    commit(t, txn);
    CHECK(has_moved(&token));
    txn = begin_write(t);
    CHECK_OK(t->backend->map_drop(t->self, txn, map));
    commit(t, txn);
    CHECK(has_moved(&token));
}

static void the_token_stands_still_while_nobody_commits(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn, *reader;
    struct token token;

    fill_map(t, map, 20);
    token = token_of(t);
    reader = begin_read(t);
    check_value(t, reader, map, number_key(3), TEXT("value"));
    CHECK_INT(count_at(t, reader, map, NOW), 20);
    scan_rows(t, reader, map, &(pdict_scan){ .flags = 0 });
    end_read(t, reader);
    CHECK(!has_moved(&token));
    txn = begin_write(t);
    put(t, txn, map, TEXT("key"), TEXT("value"));
    CHECK(!has_moved(&token));
    abort_write(t, txn);
    CHECK(!has_moved(&token));
}

static void the_token_stands_still_when_nothing_was_changed(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    pdict_change change = change_put(TEXT("key"), TEXT("value"));
    struct token token;
    void *txn;

    put_now(t, map, TEXT("key"), TEXT("value"));
    token = token_of(t);
    commit(t, begin_write(t));
    CHECK(!has_moved(&token));
    txn = begin_write(t);
    change.condition = PDICT_IF_ABSENT;
    CHECK_INT(apply_one(t, txn, map, &change, NOW), PDICT_EXISTS);
    change.kind = PDICT_CHANGE_DEL;
    change.condition = PDICT_IF_ANY;
    change.row.key = TEXT("none");
    CHECK_INT(apply_one(t, txn, map, &change, NOW), PDICT_NOTFOUND);
    commit(t, txn);
    CHECK(!has_moved(&token));
}

static void the_token_read_before_a_snapshot_is_not_newer_than_it(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    struct token token = token_of(t);
    void *reader;

    put_now(t, map, TEXT("key"), TEXT("1"));
    CHECK(has_moved(&token));
    reader = begin_read(t);
    check_value(t, reader, map, TEXT("key"), TEXT("1"));
    CHECK(!has_moved(&token));
    end_read(t, reader);
}

static bool is_next(struct subject *t, const struct token *from)
{
    uint64_t now[2] = { *from->words[0], *from->words[1] };

    return t->backend->is_next(t->self, from->seen, now);
}

static void the_next_token_is_that_of_one_commit(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn;

    for (unsigned i = 0; i < 50; i++) {
        struct token token = token_of(t);

        CHECK(!is_next(t, &token));
        txn = begin_write(t);
        put(t, txn, map, number_key(i), TEXT("value"));
        put(t, txn, map, number_key(i + 100), TEXT("value"));
        CHECK(!is_next(t, &token));
        commit(t, txn);
        CHECK(is_next(t, &token));
        put_now(t, map, number_key(i), TEXT("other"));
        CHECK(!is_next(t, &token));
        put_now(t, map, number_key(i), TEXT("third"));
        CHECK(!is_next(t, &token));
    }
}

static void the_token_stays_where_it_is(struct subject *t)
{
    struct token before = token_of(t), after;
    uint32_t map = make_map(t, "m");

    fill_map(t, map, 2000);
    after = token_of(t);
    CHECK(before.words[0] == after.words[0] && before.words[1] == after.words[1]);
}

const struct test_case backend_txn_cases[] = {
    CASE(a_snapshot_is_not_changed_by_a_later_commit, 0),
    CASE(a_snapshot_is_fixed_at_begin_not_at_the_first_read, 0),
    CASE(a_new_snapshot_sees_every_earlier_commit, 0),
    CASE(a_reader_opened_first_sees_what_is_committed_before_it_begins, 0),
    CASE(snapshots_of_different_instants_live_side_by_side, 0),
    CASE(many_readers_may_be_open, 0),
    CASE(a_reader_may_be_closed_unused, 0),
    CASE(the_writer_sees_its_own_writes, 0),
    CASE(nobody_else_sees_uncommitted_writes, 0),
    CASE(the_writer_reads_what_was_committed_before, 0),
    CASE(abort_undoes_inserts_updates_and_deletes, 0),
    CASE(abort_of_a_large_transaction_undoes_all_of_it, 0),
    CASE(a_transaction_may_follow_an_abort, 0),
    CASE(an_empty_transaction_commits, 0),
    CASE(changes_of_several_maps_commit_together, 0),
    CASE(every_durability_commits, 0),
    CASE(a_timeout_of_0_is_enough_when_nobody_writes, 0),
    CASE(a_reader_may_stay_over_many_commits, 0),
    CASE(the_token_moves_with_each_commit_of_rows, NEED_WATCH),
    CASE(the_token_moves_with_each_commit_of_maps_and_system_values, NEED_WATCH),
    CASE(the_token_stands_still_while_nobody_commits, NEED_WATCH),
    CASE(the_token_stands_still_when_nothing_was_changed, NEED_WATCH),
    CASE(the_token_read_before_a_snapshot_is_not_newer_than_it, NEED_WATCH),
    CASE(the_next_token_is_that_of_one_commit, NEED_NEXT),
    CASE(the_token_stays_where_it_is, NEED_WATCH),
    { .name = NULL },
};
