/* SPDX-License-Identifier: MIT */
/* Scans: both orders, both directions, half-open bounds, several cursors, long and common keys. */
#include "conformance.h"

#include <stdio.h>

#define BY_ID(...)         ((pdict_scan){ .flags = 0, __VA_ARGS__ })
#define BY_KEY(...)        ((pdict_scan){ .flags = PDICT_SCAN_BY_KEY, __VA_ARGS__ })
#define BY_ID_REVERSE(...) ((pdict_scan){ .flags = PDICT_SCAN_REVERSE, __VA_ARGS__ })
#define BY_KEY_REVERSE(...)                                                                        \
    ((pdict_scan){ .flags = PDICT_SCAN_BY_KEY | PDICT_SCAN_REVERSE, __VA_ARGS__ })

/* d, b, e, a, c in this order of insertion; `ids` gets theirs. */
static void *begin_five(struct subject *t, uint32_t *map, uint64_t ids[5])
{
    const pdict_slice keys[] = { TEXT("d"), TEXT("b"), TEXT("e"), TEXT("a"), TEXT("c") };
    void *txn;

    *map = make_map(t, "m");
    txn = begin_write(t);
    for (size_t i = 0; i < 5; i++)
        ids[i] = put(t, txn, *map, keys[i], keys[i]);
    commit(t, txn);
    return begin_read(t);
}

/* `body` has the snapshot `reader` of five rows, their `map` and `ids`. */
#define FIVE_CASE(function, body)                                                                  \
    static void function(struct subject *t)                                                        \
    {                                                                                              \
        uint64_t ids[5];                                                                           \
        uint32_t map;                                                                              \
        void *reader = begin_five(t, &map, ids);                                                   \
                                                                                                   \
        body;                                                                                      \
        end_read(t, reader);                                                                       \
    }
#define CHECK_SCAN(scan, expected) CHECK_KEYS(t, reader, map, scan, expected)

FIVE_CASE(a_scan_is_in_insertion_order, CHECK_SCAN(BY_ID(.from_id = 0), "d,b,e,a,c"))
FIVE_CASE(a_reverse_scan_is_in_reverse_insertion_order,
          CHECK_SCAN(BY_ID_REVERSE(.from_id = 0), "c,a,e,b,d"))
FIVE_CASE(a_scan_by_key_is_in_key_order, CHECK_SCAN(BY_KEY(.from_id = 0), "a,b,c,d,e"))
FIVE_CASE(a_reverse_scan_by_key_is_in_reverse_key_order,
          CHECK_SCAN(BY_KEY_REVERSE(.from_id = 0), "e,d,c,b,a"))
FIVE_CASE(from_is_included_by_key, CHECK_SCAN(BY_KEY(.from = TEXT("c")), "c,d,e"))
FIVE_CASE(to_is_left_out_by_key, CHECK_SCAN(BY_KEY(.to = TEXT("c")), "a,b"))
FIVE_CASE(bounds_by_key_are_half_open,
          CHECK_SCAN(BY_KEY(.from = TEXT("b"), .to = TEXT("d")), "b,c"))
FIVE_CASE(bounds_by_key_mean_the_same_in_reverse, {
    CHECK_SCAN(BY_KEY_REVERSE(.from = TEXT("b"), .to = TEXT("d")), "c,b");
    CHECK_SCAN(BY_KEY_REVERSE(.from = TEXT("c")), "e,d,c");
    CHECK_SCAN(BY_KEY_REVERSE(.to = TEXT("c")), "b,a");
})
FIVE_CASE(bounds_by_key_need_not_be_keys, {
    CHECK_SCAN(BY_KEY(.from = TEXT("bb"), .to = TEXT("dd")), "c,d");
    CHECK_SCAN(BY_KEY_REVERSE(.from = TEXT("bb"), .to = TEXT("dd")), "d,c");
    CHECK_SCAN(BY_KEY(.from = TEXT("A"), .to = TEXT("zzz")), "a,b,c,d,e");
})
FIVE_CASE(an_empty_range_of_keys_gives_no_rows, {
    CHECK_SCAN(BY_KEY(.from = TEXT("c"), .to = TEXT("c")), "");
    CHECK_SCAN(BY_KEY_REVERSE(.from = TEXT("c"), .to = TEXT("c")), "");
    CHECK_SCAN(BY_KEY(.from = TEXT("d"), .to = TEXT("b")), "");
    CHECK_SCAN(BY_KEY_REVERSE(.from = TEXT("d"), .to = TEXT("b")), "");
    CHECK_SCAN(BY_KEY(.from = TEXT("x")), "");
    CHECK_SCAN(BY_KEY_REVERSE(.to = TEXT("A")), "");
    CHECK_SCAN(BY_KEY(.from = TEXT("c0"), .to = TEXT("c9")), "");
})
FIVE_CASE(the_empty_key_is_a_bound, {
    CHECK_SCAN(BY_KEY(.from = TEXT("")), "a,b,c,d,e");
    CHECK_SCAN(BY_KEY(.to = TEXT("")), "");
    CHECK_SCAN(BY_KEY_REVERSE(.to = TEXT("")), "");
    CHECK_SCAN(BY_KEY_REVERSE(.from = TEXT(""), .to = TEXT("b")), "a");
})
FIVE_CASE(from_is_included_by_id, CHECK_SCAN(BY_ID(.from_id = ids[2]), "e,a,c"))
FIVE_CASE(to_is_left_out_by_id, CHECK_SCAN(BY_ID(.to_id = ids[2]), "d,b"))
FIVE_CASE(bounds_by_id_are_half_open, CHECK_SCAN(BY_ID(.from_id = ids[1], .to_id = ids[3]), "b,e"))
FIVE_CASE(bounds_by_id_mean_the_same_in_reverse, {
    CHECK_SCAN(BY_ID_REVERSE(.from_id = ids[1], .to_id = ids[3]), "e,b");
    CHECK_SCAN(BY_ID_REVERSE(.from_id = ids[2]), "c,a,e");
    CHECK_SCAN(BY_ID_REVERSE(.to_id = ids[2]), "b,d");
})
FIVE_CASE(an_empty_range_of_ids_gives_no_rows, {
    CHECK_SCAN(BY_ID(.from_id = ids[2], .to_id = ids[2]), "");
    CHECK_SCAN(BY_ID_REVERSE(.from_id = ids[2], .to_id = ids[2]), "");
    CHECK_SCAN(BY_ID(.from_id = ids[3], .to_id = ids[1]), "");
    CHECK_SCAN(BY_ID_REVERSE(.from_id = ids[3], .to_id = ids[1]), "");
    CHECK_SCAN(BY_ID(.from_id = ids[4] + 1), "");
    CHECK_SCAN(BY_ID(.to_id = ids[0]), "");
})
FIVE_CASE(large_bounds_by_id_hold_everything, {
    CHECK_SCAN(BY_ID(.to_id = INT64_MAX), "d,b,e,a,c");
    CHECK_SCAN(BY_ID_REVERSE(.from_id = 1, .to_id = INT64_MAX), "c,a,e,b,d");
    CHECK_SCAN(BY_ID(.from_id = INT64_MAX), "");
})
FIVE_CASE(bounds_of_the_other_order_are_ignored, {
    CHECK_SCAN(BY_KEY(.from_id = ids[2], .to_id = ids[3]), "a,b,c,d,e");
    CHECK_SCAN(BY_ID(.from = TEXT("b"), .to = TEXT("c")), "d,b,e,a,c");
    CHECK_SCAN(BY_ID_REVERSE(.from = TEXT("b"), .from_id = ids[3]), "c,a");
})

static void an_empty_map_ends_at_once(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader = begin_read(t), *cursor = NULL;
    pdict_row row;

    for (unsigned flags = 0; flags < 8; flags++) {
        CHECK_OK(
            t->backend->scan_open(t->self, reader, map, &(pdict_scan){ .flags = flags }, &cursor));
        CHECK_EXPECTED(t->backend->scan_next(t->self, cursor, &row), PDICT_END);
        t->backend->scan_close(t->self, cursor);
    }
    end_read(t, reader);
}

static void a_scan_of_an_unknown_map_fails(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader = begin_read(t), *cursor = NULL;
    pdict_scan scan = { .flags = 0 };

    CHECK_FAILURE(t->backend->scan_open(t->self, reader, map + 1000, &scan, &cursor), PDICT_NO_MAP);
    CHECK(cursor == NULL);
    end_read(t, reader);
}

static void a_scan_may_be_closed_midway(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader, *cursor = NULL;
    pdict_row row;

    fill_map(t, map, 100);
    reader = begin_read(t);
    for (unsigned flags = 0; flags < 4; flags++) {
        CHECK_OK(
            t->backend->scan_open(t->self, reader, map, &(pdict_scan){ .flags = flags }, &cursor));
        CHECK_OK(t->backend->scan_next(t->self, cursor, &row));
        t->backend->scan_close(t->self, cursor);
    }
    check_value(t, reader, map, number_key(5), TEXT("value"));
    end_read(t, reader);
    fill_map(t, map, 110);
}

static void a_scan_gives_whole_rows(struct subject *t)
{
    const pdict_scan scans[] = { BY_ID(.from_id = 0), BY_KEY(.from_id = 0),
                                 BY_ID_REVERSE(.from_id = 0), BY_KEY_REVERSE(.from_id = 0) };
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    pdict_change change = change_put(TEXT("key"), TEXT("value"));

    change.row.version = 7;
    change.row.expires_ms = NOW + 9;
    CHECK_OK(apply_one(t, txn, map, &change, NOW));
    for (size_t i = 0; i < 4; i++) {
        struct rows rows = scan_rows(t, txn, map, &scans[i]);
        check_same_rows(rows, (struct rows){ .row = &change.row, .count = 1 });
        CHECK_INT(rows.row[0].id, change.row.id);
    }
    commit(t, txn);
}

static void a_scan_without_values_gives_the_rest(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    uint64_t id = put_expiring(t, txn, map, TEXT("key"), NOW + 9);

    for (unsigned order = 0; order < 4; order++) {
        pdict_scan scan = { .flags = PDICT_SCAN_NO_VALUES | order };
        struct rows rows = scan_rows(t, txn, map, &scan);
        CHECK_INT(rows.count, 1);
        CHECK_BYTES(rows.row[0].key, TEXT("key"));
        CHECK_INT(rows.row[0].version, 1);
        CHECK_INT(rows.row[0].created_ms, NOW);
        CHECK_INT(rows.row[0].expires_ms, NOW + 9);
        CHECK_INT(rows.row[0].id, id);
    }
    commit(t, txn);
}

static void an_updated_row_keeps_its_place(struct subject *t)
{
    uint64_t ids[5];
    uint32_t map;
    void *txn;

    end_read(t, begin_five(t, &map, ids));
    txn = begin_write(t);
    CHECK_INT(put(t, txn, map, TEXT("b"), TEXT("a much longer value than there was")), ids[1]);
    CHECK_KEYS(t, txn, map, BY_ID(.from_id = 0), "d,b,e,a,c");
    commit(t, txn);
}

static void a_row_deleted_and_put_again_goes_to_the_end(struct subject *t)
{
    uint64_t ids[5];
    uint32_t map;
    void *txn;

    end_read(t, begin_five(t, &map, ids));
    txn = begin_write(t);
    del(t, txn, map, TEXT("b"));
    CHECK_KEYS(t, txn, map, BY_ID(.from_id = 0), "d,e,a,c");
    put(t, txn, map, TEXT("b"), TEXT("again"));
    CHECK_KEYS(t, txn, map, BY_ID(.from_id = 0), "d,e,a,c,b");
    CHECK_KEYS(t, txn, map, BY_KEY(.from_id = 0), "a,b,c,d,e");
    commit(t, txn);
}

static void a_scan_is_of_one_map(struct subject *t)
{
    uint32_t left = make_map(t, "left"), middle = make_map(t, "middle"),
             right = make_map(t, "right");
    void *txn = begin_write(t);

    put(t, txn, right, TEXT("r"), TEXT("value"));
    put(t, txn, middle, TEXT("m2"), TEXT("value"));
    put(t, txn, left, TEXT("l"), TEXT("value"));
    put(t, txn, middle, TEXT("m1"), TEXT("value"));
    CHECK_KEYS(t, txn, middle, BY_ID(.from_id = 0), "m2,m1");
    CHECK_KEYS(t, txn, middle, BY_ID_REVERSE(.from_id = 0), "m1,m2");
    CHECK_KEYS(t, txn, middle, BY_KEY(.from_id = 0), "m1,m2");
    CHECK_KEYS(t, txn, middle, BY_KEY_REVERSE(.from_id = 0), "m2,m1");
    commit(t, txn);
}

static void each_of_5000_rows_is_given_once(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader;

    fill_map(t, map, 5000);
    reader = begin_read(t);
    for (unsigned flags = 0; flags < 4; flags++) {
        pdict_scan scan = { .flags = flags };
        struct rows rows = scan_rows(t, reader, map, &scan);
        CHECK_INT(rows.count, 5000);
        for (unsigned i = 0; i < 5000; i++)
            CHECK_BYTES(rows.row[flags & PDICT_SCAN_REVERSE ? 4999 - i : i].key, number_key(i));
    }
    end_read(t, reader);
}

static void several_cursors_on_one_reader_do_not_disturb_each_other(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader, *cursors[8] = { NULL };
    pdict_row row;

    fill_map(t, map, 200);
    reader = begin_read(t);
    for (unsigned i = 0; i < 8; i++) {
        pdict_scan scan = { .flags = i % 4 };
        CHECK_OK(t->backend->scan_open(t->self, reader, map, &scan, &cursors[i]));
    }
    for (unsigned step = 0; step < 200; step++) {
        for (unsigned i = 0; i < 8; i++) {
            CHECK_OK(t->backend->scan_next(t->self, cursors[i], &row));
            CHECK_BYTES(row.key, number_key(i & PDICT_SCAN_REVERSE ? 199 - step : step));
            CHECK_BYTES(row.value, TEXT("value"));
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        CHECK_STATUS(t->backend->scan_next(t->self, cursors[i], &row), PDICT_END);
        t->backend->scan_close(t->self, cursors[i]);
    }
    end_read(t, reader);
}

static void reads_between_steps_do_not_disturb_a_scan(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader, *cursor = NULL;
    pdict_scan scan = BY_KEY(.from_id = 0);
    pdict_row row;

    fill_map(t, map, 100);
    reader = begin_read(t);
    CHECK_OK(t->backend->scan_open(t->self, reader, map, &scan, &cursor));
    for (unsigned i = 0; i < 100; i++) {
        CHECK_OK(t->backend->scan_next(t->self, cursor, &row));
        CHECK_BYTES(row.key, number_key(i));
        check_value(t, reader, map, number_key(99 - i), TEXT("value"));
        check_absent(t, reader, map, TEXT("none"));
        CHECK_INT(count_at(t, reader, map, NOW), 100);
    }
    t->backend->scan_close(t->self, cursor);
    end_read(t, reader);
}

static void a_scan_keeps_its_snapshot_while_others_commit(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader, *by_id = NULL, *by_key = NULL;
    pdict_row row;

    fill_map(t, map, 300);
    reader = begin_read(t);
    CHECK_OK(t->backend->scan_open(t->self, reader, map, &BY_ID(.from_id = 0), &by_id));
    CHECK_OK(t->backend->scan_open(t->self, reader, map, &BY_KEY(.from_id = 0), &by_key));
    for (unsigned i = 0; i < 300; i++) {
        CHECK_OK(t->backend->scan_next(t->self, by_id, &row));
        CHECK_BYTES(row.key, number_key(i));
        CHECK_BYTES(row.value, TEXT("value"));
        if (i % 10 == 0) {
            del_now(t, map, number_key((i + 150) % 300));
            put_now(t, map, number_key(i + 1), TEXT("changed"));
            put_now(t, map, number_key(1000 + i), TEXT("added"));
        }
    }
    CHECK_STATUS(t->backend->scan_next(t->self, by_id, &row), PDICT_END);
    for (unsigned i = 0; i < 300; i++) {
        CHECK_OK(t->backend->scan_next(t->self, by_key, &row));
        CHECK_BYTES(row.key, number_key(i));
        CHECK_BYTES(row.value, TEXT("value"));
    }
    t->backend->scan_close(t->self, by_key);
    t->backend->scan_close(t->self, by_id);
    end_read(t, reader);
}

static void bounds_are_borrowed_for_the_call_only(struct subject *t)
{
    char from[] = "k00010", to[] = "k00013";
    pdict_scan scan = BY_KEY(.from = { from, 6 }, .to = { to, 6 });
    uint32_t map = make_map(t, "m");
    void *reader, *cursor = NULL;
    pdict_row row;

    fill_map(t, map, 20);
    reader = begin_read(t);
    CHECK_OK(t->backend->scan_open(t->self, reader, map, &scan, &cursor));
    memset(from, 'z', 6);
    memset(to, 'a', 6);
    memset(&scan, 0xff, sizeof(scan));
    for (unsigned i = 10; i < 13; i++) {
        CHECK_OK(t->backend->scan_next(t->self, cursor, &row));
        CHECK_BYTES(row.key, number_key(i));
    }
    CHECK_STATUS(t->backend->scan_next(t->self, cursor, &row), PDICT_END);
    t->backend->scan_close(t->self, cursor);
    end_read(t, reader);
}

static void the_writer_scans_its_own_writes(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn;

    put_now(t, map, TEXT("b"), TEXT("value"));
    txn = begin_write(t);
    put(t, txn, map, TEXT("a"), TEXT("value"));
    CHECK_KEYS(t, txn, map, BY_ID(.from_id = 0), "b,a");
    CHECK_KEYS(t, txn, map, BY_KEY(.from_id = 0), "a,b");
    del(t, txn, map, TEXT("b"));
    put(t, txn, map, TEXT("c"), TEXT("value"));
    CHECK_KEYS(t, txn, map, BY_ID_REVERSE(.from_id = 0), "c,a");
    CHECK_KEYS(t, txn, map, BY_KEY_REVERSE(.from = TEXT("b")), "c");
    commit(t, txn);
}

static void a_scan_passes_big_values_unharmed(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t), *cursor = NULL;
    pdict_scan scan = BY_KEY(.from_id = 0);
    pdict_row row;

    for (unsigned i = 0; i < 20; i++)
        put(t, txn, map, number_key(i), long_bytes(i % 3 == 0 ? 200000 : 20, 'v', i));
    CHECK_OK(t->backend->scan_open(t->self, txn, map, &scan, &cursor));
    for (unsigned i = 0; i < 20; i++) {
        CHECK_OK(t->backend->scan_next(t->self, cursor, &row));
        CHECK_BYTES(row.value, long_bytes(i % 3 == 0 ? 200000 : 20, 'v', i));
    }
    t->backend->scan_close(t->self, cursor);
    commit(t, txn);
}

const struct test_case backend_scan_cases[] = {
    CASE(a_scan_is_in_insertion_order, 0),
    CASE(a_reverse_scan_is_in_reverse_insertion_order, 0),
    CASE(a_scan_by_key_is_in_key_order, 0),
    CASE(a_reverse_scan_by_key_is_in_reverse_key_order, 0),
    CASE(from_is_included_by_key, 0),
    CASE(to_is_left_out_by_key, 0),
    CASE(bounds_by_key_are_half_open, 0),
    CASE(bounds_by_key_mean_the_same_in_reverse, 0),
    CASE(bounds_by_key_need_not_be_keys, 0),
    CASE(an_empty_range_of_keys_gives_no_rows, 0),
    CASE(the_empty_key_is_a_bound, 0),
    CASE(from_is_included_by_id, 0),
    CASE(to_is_left_out_by_id, 0),
    CASE(bounds_by_id_are_half_open, 0),
    CASE(bounds_by_id_mean_the_same_in_reverse, 0),
    CASE(an_empty_range_of_ids_gives_no_rows, 0),
    CASE(large_bounds_by_id_hold_everything, 0),
    CASE(bounds_of_the_other_order_are_ignored, 0),
    CASE(an_empty_map_ends_at_once, 0),
    CASE(a_scan_of_an_unknown_map_fails, 0),
    CASE(a_scan_may_be_closed_midway, 0),
    CASE(a_scan_gives_whole_rows, 0),
    CASE(a_scan_without_values_gives_the_rest, 0),
    CASE(an_updated_row_keeps_its_place, 0),
    CASE(a_row_deleted_and_put_again_goes_to_the_end, 0),
    CASE(a_scan_is_of_one_map, 0),
    CASE(each_of_5000_rows_is_given_once, 0),
    CASE(several_cursors_on_one_reader_do_not_disturb_each_other, 0),
    CASE(reads_between_steps_do_not_disturb_a_scan, 0),
    CASE(a_scan_keeps_its_snapshot_while_others_commit, 0),
    CASE(bounds_are_borrowed_for_the_call_only, 0),
    CASE(the_writer_scans_its_own_writes, 0),
    CASE(a_scan_passes_big_values_unharmed, 0),
    { .name = NULL },
};
