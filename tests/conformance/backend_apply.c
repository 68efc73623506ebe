/* SPDX-License-Identifier: MIT */
/* Changes: every kind x condition x state of the row, ids, and arrays that equal single changes. */
#include "conformance.h"

#include <stdlib.h>

enum row_state {
    ABSENT,
    PRESENT,
    EXPIRED,
    OTHER_VERSION
};

enum {
    OLD_VERSION = 11,
    NEW_VERSION = 22,
    OLD_CREATED = 500,
    NEW_CREATED = 600
};

static pdict_change old_row(enum row_state state)
{
    pdict_change change = change_put(TEXT("key"), TEXT("old"));

    change.row.version = state == OTHER_VERSION ? OLD_VERSION + 1 : OLD_VERSION;
    change.row.created_ms = OLD_CREATED;
    change.row.expires_ms = state == EXPIRED ? NOW : 0;
    return change;
}

static void check_same_row(pdict_row row, pdict_row expected)
{
    CHECK_BYTES(row.value, expected.value);
    CHECK_INT(row.version, expected.version);
    CHECK_INT(row.created_ms, expected.created_ms);
    CHECK_INT(row.expires_ms, expected.expires_ms);
    CHECK_INT(row.id, expected.id);
}

static void check_put(struct subject *t, void *txn, uint32_t map, const pdict_change *change,
                      const pdict_change *old, bool is_update)
{
    pdict_row row = row_of(t, txn, map, TEXT("key"));

    CHECK_BYTES(row.value, TEXT("new"));
    CHECK_INT(row.version, NEW_VERSION);
    CHECK_INT(row.expires_ms, NOW + 100);
    CHECK_INT(row.created_ms, is_update ? OLD_CREATED : NEW_CREATED);
    CHECK(is_update ? row.id == old->row.id : row.id > old->row.id);
    CHECK_INT(change->row.id, row.id);
    CHECK_INT(change->row.created_ms, row.created_ms);
}

/* One change over one row of which everything is checked before and after. */
static void try_change(struct subject *t, uint8_t kind, uint8_t condition, enum row_state state,
                       int expected)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    pdict_change old = old_row(state), change = change_put(TEXT("key"), TEXT("new"));

    if (state != ABSENT)
        CHECK_OK(apply_one(t, txn, map, &old, NOW - 1));
    change.kind = kind;
    change.condition = condition;
    change.if_version = OLD_VERSION;
    change.row.version = NEW_VERSION;
    change.row.created_ms = NEW_CREATED;
    change.row.expires_ms = NOW + 100;
    conformance_mark_text();
    CHECK_STATUS(apply_one(t, txn, map, &change, NOW), expected);
    conformance_text(__FILE__, __LINE__, "apply", true);
    if (expected == PDICT_OK && kind == PDICT_CHANGE_PUT)
        check_put(t, txn, map, &change, &old, state == PRESENT || state == OTHER_VERSION);
    else if (expected == PDICT_OK || state == ABSENT)
        check_absent(t, txn, map, TEXT("key"));
    else
        check_same_row(row_of(t, txn, map, TEXT("key")), old.row);
    commit(t, txn);
}

#define CHANGE_CASE(function, kind, condition, state, expected)                                    \
    static void function(struct subject *t)                                                        \
    {                                                                                              \
        try_change(t, PDICT_CHANGE_##kind, PDICT_IF_##condition, state, PDICT_##expected);         \
    }

CHANGE_CASE(put_if_any_inserts_over_absent, PUT, ANY, ABSENT, OK)
CHANGE_CASE(put_if_any_updates_present, PUT, ANY, PRESENT, OK)
CHANGE_CASE(put_if_any_inserts_over_expired, PUT, ANY, EXPIRED, OK)
CHANGE_CASE(put_if_absent_inserts_over_absent, PUT, ABSENT, ABSENT, OK)
CHANGE_CASE(put_if_absent_finds_present_existing, PUT, ABSENT, PRESENT, EXISTS)
CHANGE_CASE(put_if_absent_inserts_over_expired, PUT, ABSENT, EXPIRED, OK)
CHANGE_CASE(put_if_present_does_not_find_absent, PUT, PRESENT, ABSENT, NOTFOUND)
CHANGE_CASE(put_if_present_updates_present, PUT, PRESENT, PRESENT, OK)
CHANGE_CASE(put_if_present_does_not_find_expired, PUT, PRESENT, EXPIRED, NOTFOUND)
CHANGE_CASE(put_if_version_does_not_find_absent, PUT, VERSION, ABSENT, NOTFOUND)
CHANGE_CASE(put_if_version_updates_that_version, PUT, VERSION, PRESENT, OK)
CHANGE_CASE(put_if_version_does_not_find_expired, PUT, VERSION, EXPIRED, NOTFOUND)
CHANGE_CASE(put_if_version_conflicts_with_another, PUT, VERSION, OTHER_VERSION, CONFLICT)
CHANGE_CASE(del_if_any_does_not_find_absent, DEL, ANY, ABSENT, NOTFOUND)
CHANGE_CASE(del_if_any_deletes_present, DEL, ANY, PRESENT, OK)
CHANGE_CASE(del_if_any_does_not_find_expired, DEL, ANY, EXPIRED, NOTFOUND)
CHANGE_CASE(del_if_absent_does_not_find_absent, DEL, ABSENT, ABSENT, NOTFOUND)
CHANGE_CASE(del_if_absent_finds_present_existing, DEL, ABSENT, PRESENT, EXISTS)
CHANGE_CASE(del_if_absent_does_not_find_expired, DEL, ABSENT, EXPIRED, NOTFOUND)
CHANGE_CASE(del_if_present_does_not_find_absent, DEL, PRESENT, ABSENT, NOTFOUND)
CHANGE_CASE(del_if_present_deletes_present, DEL, PRESENT, PRESENT, OK)
CHANGE_CASE(del_if_present_does_not_find_expired, DEL, PRESENT, EXPIRED, NOTFOUND)
CHANGE_CASE(del_if_version_does_not_find_absent, DEL, VERSION, ABSENT, NOTFOUND)
CHANGE_CASE(del_if_version_deletes_that_version, DEL, VERSION, PRESENT, OK)
CHANGE_CASE(del_if_version_does_not_find_expired, DEL, VERSION, EXPIRED, NOTFOUND)
CHANGE_CASE(del_if_version_conflicts_with_another, DEL, VERSION, OTHER_VERSION, CONFLICT)

static void no_changes_are_fine(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    CHECK_OK(t->backend->apply(t->self, txn, map, NULL, 0, NOW));
    CHECK_INT(count_at(t, txn, map, NOW), 0);
    commit(t, txn);
}

static void a_status_does_not_stop_the_others(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    pdict_change changes[] = { change_del(TEXT("none")), change_put(TEXT("a"), TEXT("1")),
                               change_put(TEXT("a"), TEXT("2")), change_put(TEXT("b"), TEXT("3")) };

    changes[2].condition = PDICT_IF_ABSENT;
    CHECK_OK(t->backend->apply(t->self, txn, map, changes, 4, NOW));
    CHECK_INT(changes[0].status, PDICT_NOTFOUND);
    CHECK_INT(changes[1].status, PDICT_OK);
    CHECK_INT(changes[2].status, PDICT_EXISTS);
    CHECK_INT(changes[3].status, PDICT_OK);
    check_value(t, txn, map, TEXT("a"), TEXT("1"));
    check_value(t, txn, map, TEXT("b"), TEXT("3"));
    commit(t, txn);
}

static void a_later_change_sees_the_earlier_ones(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    pdict_change changes[] = { change_put(TEXT("k"), TEXT("1")),
                               change_put(TEXT("k"), TEXT("2")),
                               change_del(TEXT("k")),
                               change_del(TEXT("k")),
                               change_put(TEXT("k"), TEXT("3")),
                               change_put(TEXT("k"), TEXT("4")) };

    changes[1].condition = PDICT_IF_VERSION;
    changes[1].if_version = 1;
    changes[5].condition = PDICT_IF_PRESENT;
    changes[5].row.created_ms = 1;
    CHECK_OK(t->backend->apply(t->self, txn, map, changes, 6, NOW));
    CHECK_INT(changes[1].status, PDICT_OK);
    CHECK_INT(changes[1].row.id, changes[0].row.id);
    CHECK_INT(changes[2].status, PDICT_OK);
    CHECK_INT(changes[3].status, PDICT_NOTFOUND);
    CHECK(changes[4].row.id > changes[0].row.id);
    CHECK_INT(changes[5].row.id, changes[4].row.id);
    CHECK_INT(changes[5].row.created_ms, NOW);
    check_value(t, txn, map, TEXT("k"), TEXT("4"));
    commit(t, txn);
}

static void the_first_of_two_inserts_if_absent_wins(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    pdict_change changes[] = { change_put(TEXT("k"), TEXT("1")), change_put(TEXT("j"), TEXT("2")),
                               change_put(TEXT("k"), TEXT("3")) };

    for (size_t i = 0; i < 3; i++)
        changes[i].condition = PDICT_IF_ABSENT;
    CHECK_OK(t->backend->apply(t->self, txn, map, changes, 3, NOW));
    CHECK_INT(changes[0].status, PDICT_OK);
    CHECK_INT(changes[2].status, PDICT_EXISTS);
    check_value(t, txn, map, TEXT("k"), TEXT("1"));
    commit(t, txn);
}

static void ids_grow_in_the_order_of_the_array(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    pdict_change changes[200];

    for (unsigned i = 0; i < 200; i++)
        changes[i] = change_put(number_key(i * 77 % 200), TEXT("value"));
    CHECK_OK(t->backend->apply(t->self, txn, map, changes, 200, NOW));
    CHECK(changes[0].row.id > 0);
    for (unsigned i = 1; i < 200; i++)
        CHECK(changes[i].row.id > changes[i - 1].row.id);
    for (unsigned i = 0; i < 200; i++)
        CHECK_INT(row_of(t, txn, map, changes[i].row.key).id, changes[i].row.id);
    commit(t, txn);
}

static void ids_grow_from_transaction_to_transaction(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    uint64_t last = 0;

    for (unsigned i = 0; i < 20; i++) {
        void *txn = begin_write(t);
        uint64_t id = put(t, txn, map, number_key(20 - i), TEXT("value"));
        CHECK(id > last);
        last = id;
        commit(t, txn);
    }
}

static void the_id_of_a_deleted_row_is_not_given_again(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    uint64_t id = put(t, txn, map, TEXT("a"), TEXT("value"));

    del(t, txn, map, TEXT("a"));
    CHECK(put(t, txn, map, TEXT("b"), TEXT("value")) > id);
    commit(t, txn);
    txn = begin_write(t);
    id = row_of(t, txn, map, TEXT("b")).id;
    del(t, txn, map, TEXT("b"));
    commit(t, txn);
    txn = begin_write(t);
    CHECK(put(t, txn, map, TEXT("c"), TEXT("value")) > id);
    commit(t, txn);
}

static void ids_keep_growing_after_an_abort(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    uint64_t id = put(t, txn, map, TEXT("a"), TEXT("value"));

    commit(t, txn);
    txn = begin_write(t);
    put(t, txn, map, TEXT("b"), TEXT("value"));
    abort_write(t, txn);
    txn = begin_write(t);
    CHECK(put(t, txn, map, TEXT("c"), TEXT("value")) > id);
    commit(t, txn);
}

static void a_deleted_key_put_again_is_a_new_row(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    pdict_change change = change_put(TEXT("key"), TEXT("new"));
    uint64_t id = put(t, txn, map, TEXT("key"), TEXT("old"));

    del(t, txn, map, TEXT("key"));
    change.row.created_ms = NOW + 5;
    CHECK_OK(apply_one(t, txn, map, &change, NOW));
    CHECK(change.row.id > id);
    CHECK_INT(row_of(t, txn, map, TEXT("key")).created_ms, NOW + 5);
    commit(t, txn);
}

static void apply_to_an_unknown_map_fails(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    pdict_change change = change_put(TEXT("key"), TEXT("value"));
    void *txn = begin_write(t);

    CHECK_FAILURE(t->backend->apply(t->self, txn, map + 1000, &change, 1, NOW), PDICT_NO_MAP);
    CHECK_OK(t->backend->map_drop(t->self, txn, map));
    CHECK_FAILURE(t->backend->apply(t->self, txn, map, &change, 1, NOW), PDICT_NO_MAP);
    abort_write(t, txn);
}

/* A stream with duplicates, deletes, conditions and expired rows in it. */
static pdict_change *mixed_changes(size_t count, unsigned keys)
{
    pdict_change *changes = keep_bytes(NULL, count * sizeof(*changes));
    uint64_t state = 42;

    for (size_t i = 0; i < count; i++) {
        pdict_slice key = number_key((unsigned)random_below(&state, keys));
        changes[i] = random_below(&state, 4) == 0
                         ? change_del(key)
                         : change_put(key, number_key((unsigned)random_below(&state, 99999)));
        changes[i].condition = (uint8_t)random_below(&state, 4);
        changes[i].if_version = 1 + random_below(&state, 3);
        changes[i].row.version = 1 + random_below(&state, 3);
        changes[i].row.created_ms = (int64_t)i;
        if (random_below(&state, 3) == 0)
            changes[i].row.expires_ms = NOW + (int64_t)random_below(&state, 3) - 1;
    }
    return changes;
}

static void compare_large_with_small(struct subject *t, size_t count, unsigned keys)
{
    uint32_t large = make_map(t, "large"), small = make_map(t, "small");
    pdict_change *whole = mixed_changes(count, keys);
    pdict_change *single = mixed_changes(count, keys);
    const pdict_scan orders[] = { { .flags = 0 }, { .flags = PDICT_SCAN_BY_KEY } };
    void *txn = begin_write(t);

    CHECK_OK(t->backend->apply(t->self, txn, large, whole, count, NOW));
    for (size_t i = 0; i < count; i++)
        CHECK_OK(t->backend->apply(t->self, txn, small, &single[i], 1, NOW));
    for (size_t i = 0; i < count; i++) {
        CHECK_STATUS(whole[i].status, single[i].status);
        if (whole[i].kind == PDICT_CHANGE_PUT && whole[i].status == PDICT_OK)
            CHECK_INT(whole[i].row.created_ms, single[i].row.created_ms);
    }
    for (size_t i = 0; i < 2; i++)
        check_same_rows(scan_rows(t, txn, large, &orders[i]), scan_rows(t, txn, small, &orders[i]));
    CHECK_INT(count_at(t, txn, large, NOW), count_at(t, txn, small, NOW));
    commit(t, txn);
}

static void an_array_of_5000_equals_5000_single_changes(struct subject *t)
{
    compare_large_with_small(t, 5000, 100000);
}

static void an_array_full_of_duplicates_equals_single_changes(struct subject *t)
{
    compare_large_with_small(t, 5000, 300);
}

static void a_large_array_over_a_filled_map_equals_single_changes(struct subject *t)
{
    compare_large_with_small(t, 3000, 2000);
    void *txn = begin_write(t);
    pdict_change *whole = mixed_changes(3000, 2500), *single = mixed_changes(3000, 2500);
    const pdict_scan by_id = { .flags = 0 };
    uint32_t large = 0, small = 0;

    CHECK_OK(t->backend->map_find(t->self, txn, TEXT("large"), &large));
    CHECK_OK(t->backend->map_find(t->self, txn, TEXT("small"), &small));
    CHECK_OK(t->backend->apply(t->self, txn, large, whole, 3000, NOW + 1));
    for (size_t i = 0; i < 3000; i++) {
        CHECK_OK(t->backend->apply(t->self, txn, small, &single[i], 1, NOW + 1));
        CHECK_STATUS(whole[i].status, single[i].status);
    }
    check_same_rows(scan_rows(t, txn, large, &by_id), scan_rows(t, txn, small, &by_id));
    commit(t, txn);
}

static void a_large_array_reports_the_id_of_each_row(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    pdict_change *changes = keep_bytes(NULL, 5000 * sizeof(*changes));

    for (unsigned i = 0; i < 5000; i++)
        changes[i] = change_put(number_key(i * 2003 % 5000), TEXT("value"));
    CHECK_OK(t->backend->apply(t->self, txn, map, changes, 5000, NOW));
    for (unsigned i = 0; i < 5000; i++) {
        CHECK_INT(row_of(t, txn, map, changes[i].row.key).id, changes[i].row.id);
        CHECK(i == 0 || changes[i].row.id > changes[i - 1].row.id);
    }
    commit(t, txn);
}

static void a_large_array_may_hold_long_keys_and_big_values(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    pdict_change *changes = keep_bytes(NULL, 600 * sizeof(*changes));

    for (unsigned i = 0; i < 600; i++)
        changes[i] = change_put(long_bytes(i * 37 % 3000 + 4, 'q', i), long_bytes(i * 50, 'v', i));
    CHECK_OK(t->backend->apply(t->self, txn, map, changes, 600, NOW));
    commit(t, txn);
    void *reader = begin_read(t);
    for (unsigned i = 0; i < 600; i++)
        check_value(t, reader, map, changes[i].row.key, long_bytes(i * 50, 'v', i));
    CHECK_INT(count_at(t, reader, map, NOW), 600);
    end_read(t, reader);
}

const struct test_case backend_apply_cases[] = {
    CASE(put_if_any_inserts_over_absent, 0),
    CASE(put_if_any_updates_present, 0),
    CASE(put_if_any_inserts_over_expired, 0),
    CASE(put_if_absent_inserts_over_absent, 0),
    CASE(put_if_absent_finds_present_existing, 0),
    CASE(put_if_absent_inserts_over_expired, 0),
    CASE(put_if_present_does_not_find_absent, 0),
    CASE(put_if_present_updates_present, 0),
    CASE(put_if_present_does_not_find_expired, 0),
    CASE(put_if_version_does_not_find_absent, 0),
    CASE(put_if_version_updates_that_version, 0),
    CASE(put_if_version_does_not_find_expired, 0),
    CASE(put_if_version_conflicts_with_another, 0),
    CASE(del_if_any_does_not_find_absent, 0),
    CASE(del_if_any_deletes_present, 0),
    CASE(del_if_any_does_not_find_expired, 0),
    CASE(del_if_absent_does_not_find_absent, 0),
    CASE(del_if_absent_finds_present_existing, 0),
    CASE(del_if_absent_does_not_find_expired, 0),
    CASE(del_if_present_does_not_find_absent, 0),
    CASE(del_if_present_deletes_present, 0),
    CASE(del_if_present_does_not_find_expired, 0),
    CASE(del_if_version_does_not_find_absent, 0),
    CASE(del_if_version_deletes_that_version, 0),
    CASE(del_if_version_does_not_find_expired, 0),
    CASE(del_if_version_conflicts_with_another, 0),
    CASE(no_changes_are_fine, 0),
    CASE(a_status_does_not_stop_the_others, 0),
    CASE(a_later_change_sees_the_earlier_ones, 0),
    CASE(the_first_of_two_inserts_if_absent_wins, 0),
    CASE(ids_grow_in_the_order_of_the_array, 0),
    CASE(ids_grow_from_transaction_to_transaction, 0),
    CASE(the_id_of_a_deleted_row_is_not_given_again, 0),
    CASE(ids_keep_growing_after_an_abort, 0),
    CASE(a_deleted_key_put_again_is_a_new_row, 0),
    CASE(apply_to_an_unknown_map_fails, 0),
    CASE(an_array_of_5000_equals_5000_single_changes, 0),
    CASE(an_array_full_of_duplicates_equals_single_changes, 0),
    CASE(a_large_array_over_a_filled_map_equals_single_changes, 0),
    CASE(a_large_array_reports_the_id_of_each_row, 0),
    CASE(a_large_array_may_hold_long_keys_and_big_values, 0),
    { .name = NULL },
};
