/* SPDX-License-Identifier: MIT */
/* Expiry as told by now_ms: what is counted, what is absent for a change, what is never dropped. */
#include "conformance.h"

static void an_empty_map_counts_zero(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader = begin_read(t);

    CHECK_INT(count_at(t, reader, map, NOW), 0);
    end_read(t, reader);
}

static void count_follows_inserts_updates_and_deletes(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    for (unsigned i = 0; i < 10; i++)
        put(t, txn, map, number_key(i), TEXT("value"));
    CHECK_INT(count_at(t, txn, map, NOW), 10);
    put(t, txn, map, number_key(3), TEXT("updated"));
    CHECK_INT(count_at(t, txn, map, NOW), 10);
    del(t, txn, map, number_key(3));
    del(t, txn, map, number_key(4));
    CHECK_INT(count_at(t, txn, map, NOW), 8);
    put(t, txn, map, number_key(3), TEXT("again"));
    CHECK_INT(count_at(t, txn, map, NOW), 9);
    commit(t, txn);
}

static void count_is_of_one_map(struct subject *t)
{
    uint32_t left = make_map(t, "left"), middle = make_map(t, "middle"),
             right = make_map(t, "right");
    void *reader;

    fill_map(t, left, 3);
    fill_map(t, right, 5);
    reader = begin_read(t);
    CHECK_INT(count_at(t, reader, left, NOW), 3);
    CHECK_INT(count_at(t, reader, middle, NOW), 0);
    CHECK_INT(count_at(t, reader, right, NOW), 5);
    end_read(t, reader);
}

static void count_of_an_unknown_map_fails(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader = begin_read(t);
    uint64_t count = 0;

    CHECK_FAILURE(t->backend->count(t->self, reader, map + 1000, NOW, &count), PDICT_NO_MAP);
    CHECK_INT(count, 0);
    end_read(t, reader);
}

static void count_leaves_out_what_has_expired_at_that_moment(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    for (unsigned i = 0; i < 100; i++)
        put_expiring(t, txn, map, number_key(i), i % 4 == 0 ? 0 : NOW + i);
    commit(t, txn);
    txn = begin_read(t);
    CHECK_INT(count_at(t, txn, map, NOW), 100);
    CHECK_INT(count_at(t, txn, map, NOW + 3), 97);
    CHECK_INT(count_at(t, txn, map, NOW + 50), 100 - 38);
    CHECK_INT(count_at(t, txn, map, NOW + 1000), 25);
    CHECK_INT(count_at(t, txn, map, NOW), 100);
    CHECK_INT(count_at(t, txn, map, 0), 100);
    end_read(t, txn);
}

static void a_row_expires_at_its_millisecond(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    put_expiring(t, txn, map, TEXT("key"), NOW + 10);
    CHECK_INT(count_at(t, txn, map, NOW + 9), 1);
    CHECK_INT(count_at(t, txn, map, NOW + 10), 0);
    CHECK_INT(count_at(t, txn, map, NOW + 11), 0);
    commit(t, txn);
}

static void expiry_zero_is_never(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    put_expiring(t, txn, map, TEXT("never"), 0);
    put_expiring(t, txn, map, TEXT("last"), INT64_MAX);
    CHECK_INT(count_at(t, txn, map, 0), 2);
    CHECK_INT(count_at(t, txn, map, INT64_MAX - 1), 2);
    CHECK_INT(count_at(t, txn, map, INT64_MAX), 1);
    commit(t, txn);
}

static void an_update_moves_the_expiry(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    put_expiring(t, txn, map, TEXT("key"), NOW + 10);
    put_expiring(t, txn, map, TEXT("key"), NOW + 20);
    CHECK_INT(count_at(t, txn, map, NOW + 15), 1);
    put_expiring(t, txn, map, TEXT("key"), NOW + 5);
    CHECK_INT(count_at(t, txn, map, NOW + 15), 0);
    CHECK_INT(count_at(t, txn, map, NOW + 4), 1);
    put_expiring(t, txn, map, TEXT("key"), 0);
    CHECK_INT(count_at(t, txn, map, NOW + 1000), 1);
    put_expiring(t, txn, map, TEXT("key"), NOW + 7);
    CHECK_INT(count_at(t, txn, map, NOW + 7), 0);
    commit(t, txn);
}

static void a_deleted_row_expires_no_more(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    put_expiring(t, txn, map, TEXT("key"), NOW + 10);
    put(t, txn, map, TEXT("other"), TEXT("value"));
    del(t, txn, map, TEXT("key"));
    CHECK_INT(count_at(t, txn, map, NOW + 10), 1);
    put(t, txn, map, TEXT("key"), TEXT("value"));
    CHECK_INT(count_at(t, txn, map, NOW + 10), 2);
    commit(t, txn);
}

static void rows_with_one_expiry_are_all_counted(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    for (unsigned i = 0; i < 300; i++)
        put_expiring(t, txn, map, number_key(i), NOW + 10);
    del(t, txn, map, number_key(150));
    CHECK_INT(count_at(t, txn, map, NOW + 9), 299);
    CHECK_INT(count_at(t, txn, map, NOW + 10), 0);
    commit(t, txn);
}

static void an_expired_row_is_still_read(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    put_expiring(t, txn, map, TEXT("key"), 1);
    commit(t, txn);
    txn = begin_read(t);
    CHECK_INT(row_of(t, txn, map, TEXT("key")).expires_ms, 1);
    end_read(t, txn);
}

static void an_expired_row_is_still_scanned(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    put_expiring(t, txn, map, TEXT("b"), 1);
    put_expiring(t, txn, map, TEXT("a"), NOW - 1);
    put(t, txn, map, TEXT("c"), TEXT("value"));
    CHECK_KEYS(t, txn, map, ((pdict_scan){ .flags = 0 }), "b,a,c");
    CHECK_KEYS(t, txn, map, ((pdict_scan){ .flags = PDICT_SCAN_BY_KEY }), "a,b,c");
    commit(t, txn);
}

static void other_changes_do_not_drop_expired_rows(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    put_expiring(t, txn, map, TEXT("old"), 1);
    commit(t, txn);
    fill_map(t, map, 500);
    txn = begin_write(t);
    CHECK_INT(row_of(t, txn, map, TEXT("old")).expires_ms, 1);
    CHECK_INT(count_at(t, txn, map, NOW), 500);
    CHECK_INT(count_at(t, txn, map, 0), 501);
    commit(t, txn);
}

static void a_put_over_an_expired_row_goes_to_the_end(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    put_expiring(t, txn, map, TEXT("a"), NOW - 1);
    put(t, txn, map, TEXT("b"), TEXT("value"));
    put(t, txn, map, TEXT("a"), TEXT("anew"));
    CHECK_KEYS(t, txn, map, ((pdict_scan){ .flags = 0 }), "b,a");
    CHECK_INT(count_at(t, txn, map, NOW), 2);
    CHECK_INT(count_at(t, txn, map, 0), 2);
    commit(t, txn);
}

static void an_expired_row_is_deleted_by_a_call_for_which_it_is_not(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    pdict_change change = change_del(TEXT("key"));
    void *txn = begin_write(t);

    put_expiring(t, txn, map, TEXT("key"), NOW - 1);
    CHECK_INT(apply_one(t, txn, map, &change, NOW), PDICT_NOTFOUND);
    change.condition = PDICT_IF_VERSION;
    change.if_version = 1;
    CHECK_INT(apply_one(t, txn, map, &change, 0), PDICT_OK);
    check_absent(t, txn, map, TEXT("key"));
    CHECK_INT(count_at(t, txn, map, 0), 0);
    commit(t, txn);
}

static void expired_is_as_of_the_call(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    pdict_change change = change_put(TEXT("key"), TEXT("new"));
    void *txn = begin_write(t);

    put_expiring(t, txn, map, TEXT("key"), NOW + 10);
    change.condition = PDICT_IF_ABSENT;
    CHECK_INT(apply_one(t, txn, map, &change, NOW + 9), PDICT_EXISTS);
    CHECK_INT(apply_one(t, txn, map, &change, NOW + 10), PDICT_OK);
    CHECK_INT(apply_one(t, txn, map, &change, NOW + 10), PDICT_EXISTS);
    commit(t, txn);
}

static void a_row_put_already_expired_is_absent_at_once(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    pdict_change changes[] = { change_put(TEXT("key"), TEXT("dead")),
                               change_put(TEXT("key"), TEXT("alive")) };

    changes[0].row.expires_ms = NOW;
    changes[1].condition = PDICT_IF_ABSENT;
    CHECK_OK(t->backend->apply(t->self, txn, map, changes, 2, NOW));
    CHECK_INT(changes[0].status, PDICT_OK);
    CHECK_INT(changes[1].status, PDICT_OK);
    CHECK(changes[1].row.id > changes[0].row.id);
    check_value(t, txn, map, TEXT("key"), TEXT("alive"));
    CHECK_INT(count_at(t, txn, map, NOW), 1);
    commit(t, txn);
}

static void count_is_of_the_snapshot(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader, *txn;

    fill_map(t, map, 10);
    reader = begin_read(t);
    txn = begin_write(t);
    put_expiring(t, txn, map, number_key(0), 1);
    put(t, txn, map, TEXT("more"), TEXT("value"));
    put(t, txn, map, TEXT("and more"), TEXT("value"));
    CHECK_INT(count_at(t, txn, map, NOW), 11);
    CHECK_INT(count_at(t, reader, map, NOW), 10);
    commit(t, txn);
    CHECK_INT(count_at(t, reader, map, NOW), 10);
    end_read(t, reader);
    reader = begin_read(t);
    CHECK_INT(count_at(t, reader, map, NOW), 11);
    end_read(t, reader);
}

const struct test_case backend_expiry_cases[] = {
    CASE(an_empty_map_counts_zero, 0),
    CASE(count_follows_inserts_updates_and_deletes, 0),
    CASE(count_is_of_one_map, 0),
    CASE(count_of_an_unknown_map_fails, 0),
    CASE(count_leaves_out_what_has_expired_at_that_moment, 0),
    CASE(a_row_expires_at_its_millisecond, 0),
    CASE(expiry_zero_is_never, 0),
    CASE(an_update_moves_the_expiry, 0),
    CASE(a_deleted_row_expires_no_more, 0),
    CASE(rows_with_one_expiry_are_all_counted, 0),
    CASE(an_expired_row_is_still_read, 0),
    CASE(an_expired_row_is_still_scanned, 0),
    CASE(other_changes_do_not_drop_expired_rows, 0),
    CASE(a_put_over_an_expired_row_goes_to_the_end, 0),
    CASE(an_expired_row_is_deleted_by_a_call_for_which_it_is_not, 0),
    CASE(expired_is_as_of_the_call, 0),
    CASE(a_row_put_already_expired_is_absent_at_once, 0),
    CASE(count_is_of_the_snapshot, 0),
    { .name = NULL },
};
