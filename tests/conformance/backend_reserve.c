/* SPDX-License-Identifier: MIT */
/* Ids that are given before their rows come: places in the insertion order, seen by nobody yet. */
#include "conformance.h"

enum {
    COUNT = 300
};

/* Not on a layer whose backend has none. */
static void reserve(struct subject *t, void *txn, uint32_t map, pdict_change *changes, size_t count)
{
    int status = t->backend->reserve(t->self, txn, map, changes, count);

    if (status == PDICT_UNSUPPORTED && t->below != NULL)
        conformance_skip("no reserve below the layer");
    CHECK_OK(status);
}

/* Puts of number_key(0) .. number_key(COUNT - 1), reserved and committed. */
static pdict_change *begin_load(struct subject *t, uint32_t map)
{
    static pdict_change changes[COUNT];
    void *txn = begin_write(t);

    for (unsigned i = 0; i < COUNT; i++)
        changes[i] = change_put(keep_slice(number_key(i)), TEXT("value"));
    reserve(t, txn, map, changes, COUNT);
    commit(t, txn);
    return changes;
}

static void apply_now(struct subject *t, uint32_t map, pdict_change *changes, size_t count)
{
    void *txn = begin_write(t);

    CHECK_OK(t->backend->apply(t->self, txn, map, changes, count, NOW));
    commit(t, txn);
}

static void reserved_ids_are_new_and_grow_in_the_order_of_the_array(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    pdict_change *changes;
    void *txn = begin_write(t);
    uint64_t last = put(t, txn, map, TEXT("before"), TEXT("value"));

    commit(t, txn);
    changes = begin_load(t, map);
    for (unsigned i = 0; i < COUNT; i++) {
        CHECK(changes[i].is_reserved);
        CHECK(changes[i].row.id > last);
        last = changes[i].row.id;
    }
    txn = begin_write(t);
    CHECK(put(t, txn, map, TEXT("behind"), TEXT("value")) > last);
    commit(t, txn);
}

static void rows_take_their_reserved_places_whatever_the_order_they_come_in(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    pdict_change *changes = begin_load(t, map);
    pdict_scan forward = { .flags = 0 };
    struct rows rows;
    void *reader;

    apply_now(t, map, changes + COUNT / 2, COUNT / 2);
    put_now(t, map, TEXT("between"), TEXT("value"));
    for (unsigned i = 0; i < COUNT / 2; i++)
        apply_now(t, map, &changes[COUNT / 2 - 1 - i], 1);
    reader = begin_read(t);
    rows = scan_rows(t, reader, map, &forward);
    CHECK_INT(rows.count, COUNT + 1);
    CHECK_INT(count_at(t, reader, map, NOW), COUNT + 1);
    for (unsigned i = 0; i < COUNT; i++) {
        CHECK_BYTES(rows.row[i].key, number_key(i));
        CHECK_INT(rows.row[i].id, changes[i].row.id);
    }
    CHECK_BYTES(rows.row[COUNT].key, TEXT("between"));
    end_read(t, reader);
}

static void check_only(struct subject *t, uint32_t map, const char *keys)
{
    void *reader = begin_read(t);
    uint64_t count = 0;

    for (const char *at = keys; *at != '\0'; at++)
        count += *at == ',';
    CHECK_KEYS(t, reader, map, ((pdict_scan){ .flags = 0 }), keys);
    CHECK_INT(count_at(t, reader, map, NOW), count + (*keys != '\0'));
    check_absent(t, reader, map, number_key(COUNT - 1));
    end_read(t, reader);
}

static void an_id_without_a_row_is_seen_by_nobody(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    pdict_change *changes;
    void *reader;

    put_now(t, map, TEXT("a"), TEXT("value"));
    changes = begin_load(t, map);
    check_only(t, map, "a");
    apply_now(t, map, &changes[100], 1);
    put_now(t, map, TEXT("z"), TEXT("value"));
    check_only(t, map, "a,k00100,z");
    reader = begin_read(t);
    CHECK_KEYS(t, reader, map, ((pdict_scan){ .flags = PDICT_SCAN_REVERSE }), "z,k00100,a");
    CHECK_KEYS(t, reader, map, ((pdict_scan){ .from_id = changes[101].row.id }), "z");
    CHECK_KEYS(t, reader, map, ((pdict_scan){ .flags = PDICT_SCAN_BY_KEY }), "a,k00100,z");
    end_read(t, reader);
}

static void an_id_without_a_row_outlives_closing(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    uint64_t last = begin_load(t, map)[COUNT - 1].row.id;
    void *txn;

    reopen_store(t);
    check_only(t, map, "");
    txn = begin_write(t);
    CHECK(put(t, txn, map, TEXT("a"), TEXT("value")) > last);
    commit(t, txn);
    reopen_store(t);
    check_only(t, map, "a");
}

static void a_key_that_is_there_keeps_its_place(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    pdict_change *changes;
    void *txn = begin_write(t);
    uint64_t id = put(t, txn, map, number_key(7), TEXT("old"));

    commit(t, txn);
    changes = begin_load(t, map);
    apply_now(t, map, &changes[7], 1);
    CHECK_OK(changes[7].status);
    CHECK_INT(changes[7].row.id, id);
    CHECK(!changes[7].is_reserved);
    txn = begin_read(t);
    check_value(t, txn, map, number_key(7), TEXT("value"));
    end_read(t, txn);
    check_only(t, map, "k00007");
}

static void a_change_that_is_not_made_gives_no_row(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    pdict_change *changes = begin_load(t, map);

    put_now(t, map, number_key(1), TEXT("other"));
    changes[0].condition = PDICT_IF_PRESENT;
    changes[1].condition = PDICT_IF_ABSENT;
    apply_now(t, map, changes, 3);
    CHECK_INT(changes[0].status, PDICT_NOTFOUND);
    CHECK_INT(changes[1].status, PDICT_EXISTS);
    CHECK_OK(changes[2].status);
    check_only(t, map, "k00002,k00001");
}

static void of_equal_keys_the_first_gives_the_place_and_the_last_the_value(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    pdict_change changes[] = { change_put(TEXT("a"), TEXT("1")), change_put(TEXT("b"), TEXT("2")),
                               change_put(TEXT("a"), TEXT("3")) };
    pdict_change sorted[3];
    void *txn = begin_write(t);

    reserve(t, txn, map, changes, 3);
    sorted[0] = changes[0];
    sorted[1] = changes[2];
    sorted[2] = changes[1];
    CHECK_OK(t->backend->apply(t->self, txn, map, sorted, 3, NOW));
    CHECK_KEYS(t, txn, map, ((pdict_scan){ .flags = 0 }), "a,b");
    check_value(t, txn, map, TEXT("a"), TEXT("3"));
    CHECK_INT(count_at(t, txn, map, NOW), 2);
    commit(t, txn);
}

static void keys_of_any_length_can_be_reserved(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    pdict_change changes[40];
    pdict_scan forward = { .flags = 0 };
    void *txn = begin_write(t);
    struct rows rows;

    for (unsigned i = 0; i < 40; i++)
        changes[i] = change_put(long_bytes(490 + i * 50 % 40 * 13, 'k', 1000 - i), TEXT("value"));
    reserve(t, txn, map, changes, 40);
    CHECK_INT(scan_rows(t, txn, map, &forward).count, 0);
    commit(t, txn);
    apply_now(t, map, changes + 20, 20);
    apply_now(t, map, changes, 19);
    txn = begin_read(t);
    rows = scan_rows(t, txn, map, &forward);
    CHECK_INT(rows.count, 39);
    for (unsigned i = 0; i < 39; i++)
        CHECK_BYTES(rows.row[i].key, changes[i < 19 ? i : i + 1].row.key);
    end_read(t, txn);
}

static void a_deletion_needs_no_id(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    pdict_change changes[] = { change_del(TEXT("a")), change_put(TEXT("b"), TEXT("1")) };
    void *txn;

    put_now(t, map, TEXT("a"), TEXT("value"));
    txn = begin_write(t);
    reserve(t, txn, map, changes, 2);
    CHECK(!changes[0].is_reserved);
    commit(t, txn);
    apply_now(t, map, changes, 2);
    check_only(t, map, "b");
}

static void an_aborted_reservation_was_none(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    pdict_change change = change_put(TEXT("a"), TEXT("1"));
    void *txn = begin_write(t);
    uint64_t id;

    reserve(t, txn, map, &change, 1);
    abort_write(t, txn);
    put_now(t, map, TEXT("b"), TEXT("value"));
    check_only(t, map, "b");
    change = change_put(TEXT("a"), TEXT("1"));
    txn = begin_write(t);
    id = row_of(t, txn, map, TEXT("b")).id;
    reserve(t, txn, map, &change, 1);
    CHECK(change.row.id > id);
    commit(t, txn);
}

static void reserving_in_an_unknown_map_fails(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    pdict_change change = change_put(TEXT("key"), TEXT("value"));
    void *txn = begin_write(t);

    reserve(t, txn, map, &change, 1);
    CHECK_FAILURE(t->backend->reserve(t->self, txn, map + 1000, &change, 1), PDICT_NO_MAP);
    abort_write(t, txn);
}

static void a_dropped_map_takes_its_reserved_ids_along(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    pdict_change *changes = begin_load(t, map);
    void *txn = begin_write(t);

    CHECK_OK(t->backend->map_drop(t->self, txn, map));
    commit(t, txn);
    txn = begin_write(t);
    CHECK_FAILURE(t->backend->apply(t->self, txn, map, changes, 1, NOW), PDICT_NO_MAP);
    abort_write(t, txn);
    map = make_map(t, "m");
    put_now(t, map, TEXT("a"), TEXT("value"));
    check_only(t, map, "a");
}

const struct test_case backend_reserve_cases[] = {
    CASE(reserved_ids_are_new_and_grow_in_the_order_of_the_array, NEED_RESERVE),
    CASE(rows_take_their_reserved_places_whatever_the_order_they_come_in, NEED_RESERVE),
    CASE(an_id_without_a_row_is_seen_by_nobody, NEED_RESERVE),
    CASE(an_id_without_a_row_outlives_closing, NEED_RESERVE | NEED_FILE),
    CASE(a_key_that_is_there_keeps_its_place, NEED_RESERVE),
    CASE(a_change_that_is_not_made_gives_no_row, NEED_RESERVE),
    CASE(of_equal_keys_the_first_gives_the_place_and_the_last_the_value, NEED_RESERVE),
    CASE(keys_of_any_length_can_be_reserved, NEED_RESERVE),
    CASE(a_deletion_needs_no_id, NEED_RESERVE),
    CASE(an_aborted_reservation_was_none, NEED_RESERVE),
    CASE(reserving_in_an_unknown_map_fails, NEED_RESERVE),
    CASE(a_dropped_map_takes_its_reserved_ids_along, NEED_RESERVE),
    { .name = NULL },
};
