/* SPDX-License-Identifier: MIT */
/* Scans by expiry and by access, and the access times themselves. */
#include "conformance.h"

#include <stdio.h>

#define BY_EXPIRY(...) ((pdict_scan){ .flags = PDICT_SCAN_BY_EXPIRY, __VA_ARGS__ })
#define BY_EXPIRY_REVERSE(...)                                                                     \
    ((pdict_scan){ .flags = PDICT_SCAN_BY_EXPIRY | PDICT_SCAN_REVERSE, __VA_ARGS__ })
#define BY_ACCESS(...) ((pdict_scan){ .flags = PDICT_SCAN_BY_ACCESS, __VA_ARGS__ })
#define BY_ACCESS_REVERSE(...)                                                                     \
    ((pdict_scan){ .flags = PDICT_SCAN_BY_ACCESS | PDICT_SCAN_REVERSE, __VA_ARGS__ })

/* ---- by expiry ---- */

/* Inserted in this order: a never, b at +30, c at +10, d at +20, e at +10. */
static uint32_t fill_expiring(struct subject *t)
{
    uint32_t left = make_map(t, "left"), map = make_map(t, "m"), right = make_map(t, "right");
    void *txn = begin_write(t);

    put_expiring(t, txn, left, TEXT("x"), NOW + 15);
    put_expiring(t, txn, map, TEXT("a"), 0);
    put_expiring(t, txn, map, TEXT("b"), NOW + 30);
    put_expiring(t, txn, map, TEXT("c"), NOW + 10);
    put_expiring(t, txn, map, TEXT("d"), NOW + 20);
    put_expiring(t, txn, map, TEXT("e"), NOW + 10);
    put_expiring(t, txn, right, TEXT("y"), NOW + 15);
    commit(t, txn);
    return map;
}

static void a_scan_by_expiry_gives_the_soonest_first(struct subject *t)
{
    uint32_t map = fill_expiring(t);
    void *reader = begin_read(t);

    CHECK_KEYS(t, reader, map, BY_EXPIRY(.from_ms = 0), "c,e,d,b");
    CHECK_KEYS(t, reader, map, BY_EXPIRY_REVERSE(.from_ms = 0), "b,d,e,c");
    end_read(t, reader);
}

static void bounds_by_expiry_are_half_open(struct subject *t)
{
    uint32_t map = fill_expiring(t);
    void *reader = begin_read(t);

    CHECK_KEYS(t, reader, map, BY_EXPIRY(.to_ms = NOW + 20), "c,e");
    CHECK_KEYS(t, reader, map, BY_EXPIRY(.from_ms = NOW + 20), "d,b");
    CHECK_KEYS(t, reader, map, BY_EXPIRY(.from_ms = NOW + 11, .to_ms = NOW + 30), "d");
    CHECK_KEYS(t, reader, map, BY_EXPIRY_REVERSE(.to_ms = NOW + 20), "e,c");
    CHECK_KEYS(t, reader, map, BY_EXPIRY_REVERSE(.from_ms = NOW + 20), "b,d");
    CHECK_KEYS(t, reader, map, BY_EXPIRY(.to_ms = NOW + 10), "");
    CHECK_KEYS(t, reader, map, BY_EXPIRY_REVERSE(.from_ms = NOW + 31), "");
    end_read(t, reader);
}

static void the_last_time_of_all_is_in_a_scan_by_expiry(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    put_expiring(t, txn, map, TEXT("last"), INT64_MAX);
    CHECK_KEYS(t, txn, map, BY_EXPIRY(.from_ms = 0), "last");
    CHECK_KEYS(t, txn, map, BY_EXPIRY_REVERSE(.from_ms = INT64_MAX), "last");
    CHECK_KEYS(t, txn, map, BY_EXPIRY(.to_ms = INT64_MAX), "");
    commit(t, txn);
}

static void a_scan_by_expiry_follows_updates_and_deletes(struct subject *t)
{
    uint32_t map = fill_expiring(t);
    void *txn = begin_write(t);

    put_expiring(t, txn, map, TEXT("c"), NOW + 40);
    put_expiring(t, txn, map, TEXT("a"), NOW + 5);
    put_expiring(t, txn, map, TEXT("d"), 0);
    del(t, txn, map, TEXT("e"));
    CHECK_KEYS(t, txn, map, BY_EXPIRY(.from_ms = 0), "a,b,c");
    commit(t, txn);
}

static void a_scan_by_expiry_gives_whole_rows(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    pdict_change change = change_put(TEXT("key"), TEXT("value"));
    pdict_scan scan = BY_EXPIRY(.from_ms = 0);
    struct rows rows;

    change.row.version = 7;
    change.row.expires_ms = NOW + 9;
    CHECK_OK(apply_one(t, txn, map, &change, NOW));
    rows = scan_rows(t, txn, map, &scan);
    check_same_rows(rows, (struct rows){ .row = &change.row, .count = 1 });
    CHECK_INT(rows.row[0].id, change.row.id);
    scan.flags |= PDICT_SCAN_NO_VALUES;
    rows = scan_rows(t, txn, map, &scan);
    CHECK_INT(rows.count, 1);
    CHECK_BYTES(rows.row[0].key, TEXT("key"));
    CHECK_INT(rows.row[0].expires_ms, NOW + 9);
    commit(t, txn);
}

/* ---- access times ---- */

static void note(struct subject *t, void *txn, uint32_t map, uint64_t id, int64_t accessed_ms)
{
    pdict_access access = { .id = id, .accessed_ms = accessed_ms };

    CHECK_OK(t->backend->access_put(t->self, txn, map, &access, 1));
}

/* 0: it has none. */
static int64_t noted(struct subject *t, void *txn, uint32_t map, uint64_t id)
{
    int64_t accessed_ms = 0;

    if (t->backend->access_get(t->self, txn, map, id, &accessed_ms) != PDICT_OK)
        CHECK_EXPECTED(t->backend->access_get(t->self, txn, map, id, &accessed_ms), PDICT_NOTFOUND);
    return accessed_ms;
}

/* Rows a, b, c and d, used at +30, +10, never and +20. */
static uint32_t fill_accessed(struct subject *t, uint64_t ids[4])
{
    const pdict_slice keys[] = { TEXT("a"), TEXT("b"), TEXT("c"), TEXT("d") };
    uint32_t left = make_map(t, "left"), map = make_map(t, "m");
    void *txn = begin_write(t);

    note(t, txn, left, put(t, txn, left, TEXT("x"), TEXT("value")), NOW + 15);
    for (size_t i = 0; i < 4; i++)
        ids[i] = put(t, txn, map, keys[i], keys[i]);
    note(t, txn, map, ids[0], NOW + 30);
    note(t, txn, map, ids[1], NOW + 10);
    note(t, txn, map, ids[3], NOW + 20);
    commit(t, txn);
    return map;
}

static void an_access_time_is_read_back(struct subject *t)
{
    uint64_t ids[4];
    uint32_t map = fill_accessed(t, ids);
    void *reader = begin_read(t);

    CHECK_INT(noted(t, reader, map, ids[0]), NOW + 30);
    CHECK_INT(noted(t, reader, map, ids[1]), NOW + 10);
    CHECK_INT(noted(t, reader, map, ids[2]), 0);
    CHECK_INT(noted(t, reader, map, ids[3] + 1000), 0);
    end_read(t, reader);
}

static void access_times_do_not_count_as_rows(struct subject *t)
{
    uint64_t ids[4];
    uint32_t map = fill_accessed(t, ids);
    void *reader = begin_read(t);

    CHECK_INT(count_at(t, reader, map, NOW), 4);
    CHECK_INT(count_at(t, reader, map, INT64_MAX), 4);
    CHECK_INT(count_at(t, reader, map, INT64_MIN), 4);
    end_read(t, reader);
}

static void the_later_access_time_is_kept(struct subject *t)
{
    uint64_t ids[4];
    uint32_t map = fill_accessed(t, ids);
    void *txn = begin_write(t);

    note(t, txn, map, ids[1], NOW + 9);
    CHECK_INT(noted(t, txn, map, ids[1]), NOW + 10);
    note(t, txn, map, ids[1], NOW + 11);
    CHECK_INT(noted(t, txn, map, ids[1]), NOW + 11);
    CHECK_KEYS(t, txn, map, BY_ACCESS(.from_ms = 0), "b,d,a");
    commit(t, txn);
}

static void an_access_to_a_row_that_is_not_there_is_passed_over(struct subject *t)
{
    uint64_t ids[4];
    uint32_t map = fill_accessed(t, ids);
    pdict_access items[] = { { .id = ids[3] + 1000, .accessed_ms = NOW + 1 },
                             { .id = ids[2], .accessed_ms = NOW + 2 } };
    void *txn = begin_write(t);

    CHECK_OK(t->backend->access_put(t->self, txn, map, items, 2));
    CHECK_INT(noted(t, txn, map, ids[3] + 1000), 0);
    CHECK_KEYS(t, txn, map, BY_ACCESS(.from_ms = 0), "c,b,d,a");
    commit(t, txn);
}

static void a_scan_by_access_gives_the_longest_unused_first(struct subject *t)
{
    uint64_t ids[4];
    uint32_t map = fill_accessed(t, ids);
    void *reader = begin_read(t);

    CHECK_KEYS(t, reader, map, BY_ACCESS(.from_ms = 0), "b,d,a");
    CHECK_KEYS(t, reader, map, BY_ACCESS_REVERSE(.from_ms = 0), "a,d,b");
    CHECK_KEYS(t, reader, map, BY_ACCESS(.from_ms = NOW + 11), "d,a");
    CHECK_KEYS(t, reader, map, BY_ACCESS(.to_ms = NOW + 20), "b");
    CHECK_KEYS(t, reader, map, BY_ACCESS_REVERSE(.from_ms = NOW + 10, .to_ms = NOW + 21), "d,b");
    CHECK_KEYS(t, reader, map, BY_ACCESS(.to_ms = NOW + 10), "");
    end_read(t, reader);
}

static void equal_access_times_come_in_insertion_order(struct subject *t)
{
    uint64_t ids[4];
    uint32_t map = fill_accessed(t, ids);
    void *txn = begin_write(t);

    for (unsigned i = 0; i < 4; i++)
        note(t, txn, map, ids[3 - i], NOW + 50);
    CHECK_KEYS(t, txn, map, BY_ACCESS(.from_ms = 0), "a,b,c,d");
    CHECK_KEYS(t, txn, map, BY_ACCESS_REVERSE(.from_ms = 0), "d,c,b,a");
    commit(t, txn);
}

static void an_update_keeps_the_access_time_and_a_new_row_has_none(struct subject *t)
{
    uint64_t ids[4];
    uint32_t map = fill_accessed(t, ids);
    void *txn = begin_write(t);
    uint64_t id;

    put(t, txn, map, TEXT("a"), TEXT("a longer value"));
    CHECK_INT(noted(t, txn, map, ids[0]), NOW + 30);
    del(t, txn, map, TEXT("b"));
    CHECK_INT(noted(t, txn, map, ids[1]), 0);
    id = put(t, txn, map, TEXT("b"), TEXT("again"));
    CHECK_INT(noted(t, txn, map, id), 0);
    CHECK_KEYS(t, txn, map, BY_ACCESS(.from_ms = 0), "d,a");
    commit(t, txn);
}

static void a_put_over_an_expired_row_takes_its_access_time_away(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    uint64_t old = put_expiring(t, txn, map, TEXT("key"), NOW + 10), id;
    pdict_change change = change_put(TEXT("key"), TEXT("value"));

    note(t, txn, map, old, NOW + 5);
    CHECK_OK(apply_one(t, txn, map, &change, NOW + 10));
    id = change.row.id;
    CHECK(id != old);
    CHECK_INT(noted(t, txn, map, old), 0);
    CHECK_INT(noted(t, txn, map, id), 0);
    CHECK_KEYS(t, txn, map, BY_ACCESS(.from_ms = 0), "");
    commit(t, txn);
}

static void an_aborted_access_time_is_gone(struct subject *t)
{
    uint64_t ids[4];
    uint32_t map = fill_accessed(t, ids);
    void *txn = begin_write(t), *reader;

    note(t, txn, map, ids[2], NOW + 40);
    abort_write(t, txn);
    reader = begin_read(t);
    CHECK_INT(noted(t, reader, map, ids[2]), 0);
    end_read(t, reader);
}

static void a_dropped_map_takes_its_access_times_along(struct subject *t)
{
    uint64_t ids[4];
    uint32_t map = fill_accessed(t, ids), left = 0;
    void *txn = begin_write(t);
    int64_t accessed_ms = 0;

    CHECK_OK(t->backend->map_drop(t->self, txn, map));
    CHECK_FAILURE(t->backend->access_get(t->self, txn, map, ids[0], &accessed_ms), PDICT_NO_MAP);
    CHECK_OK(t->backend->map_find(t->self, txn, TEXT("left"), &left));
    CHECK_KEYS(t, txn, left, BY_ACCESS(.from_ms = 0), "x");
    commit(t, txn);
}

static void access_times_outlast_a_close(struct subject *t)
{
    uint64_t ids[4];
    uint32_t map = fill_accessed(t, ids);
    void *reader;

    reopen_store(t);
    reader = begin_read(t);
    CHECK_INT(noted(t, reader, map, ids[0]), NOW + 30);
    CHECK_KEYS(t, reader, map, BY_ACCESS(.from_ms = 0), "b,d,a");
    end_read(t, reader);
}

static void many_access_times_are_each_given_once(struct subject *t)
{
    enum {
        COUNT = 3000
    };
    pdict_access *items = keep_bytes(NULL, COUNT * sizeof(*items));
    uint32_t map = make_map(t, "m");
    pdict_scan scan = BY_ACCESS(.from_ms = 0);
    struct rows rows;
    void *txn;

    fill_map(t, map, COUNT);
    txn = begin_write(t);
    for (unsigned i = 0; i < COUNT; i++)
        items[i] = (pdict_access){ .id = row_of(t, txn, map, number_key(i)).id,
                                   .accessed_ms = NOW + (i * 7919u) % COUNT };
    CHECK_OK(t->backend->access_put(t->self, txn, map, items, COUNT));
    commit(t, txn);
    txn = begin_read(t);
    rows = scan_rows(t, txn, map, &scan);
    CHECK_INT(rows.count, COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        CHECK_INT(noted(t, txn, map, rows.row[i].id), NOW + i);
    end_read(t, txn);
}

static void a_store_without_access_times_says_so(struct subject *t)
{
    pdict_scan scan = BY_ACCESS(.from_ms = 0);
    uint32_t map = make_map(t, "m");
    void *reader = begin_read(t), *cursor = NULL;
    int status = PDICT_UNSUPPORTED;

    CHECK(!t->backend->access_put == !t->backend->access_get);
    if (t->backend->access_put == NULL) {
        CHECK_FAILURE(t->backend->scan_open(t->self, reader, map, &scan, &cursor), status);
        CHECK(cursor == NULL);
    } else {
        CHECK_KEYS(t, reader, map, scan, "");
    }
    end_read(t, reader);
}

const struct test_case backend_times_cases[] = {
    CASE(a_scan_by_expiry_gives_the_soonest_first, 0),
    CASE(bounds_by_expiry_are_half_open, 0),
    CASE(the_last_time_of_all_is_in_a_scan_by_expiry, 0),
    CASE(a_scan_by_expiry_follows_updates_and_deletes, 0),
    CASE(a_scan_by_expiry_gives_whole_rows, 0),
    CASE(an_access_time_is_read_back, NEED_ACCESS),
    CASE(access_times_do_not_count_as_rows, NEED_ACCESS),
    CASE(the_later_access_time_is_kept, NEED_ACCESS),
    CASE(an_access_to_a_row_that_is_not_there_is_passed_over, NEED_ACCESS),
    CASE(a_scan_by_access_gives_the_longest_unused_first, NEED_ACCESS),
    CASE(equal_access_times_come_in_insertion_order, NEED_ACCESS),
    CASE(an_update_keeps_the_access_time_and_a_new_row_has_none, NEED_ACCESS),
    CASE(a_put_over_an_expired_row_takes_its_access_time_away, NEED_ACCESS),
    CASE(an_aborted_access_time_is_gone, NEED_ACCESS),
    CASE(a_dropped_map_takes_its_access_times_along, NEED_ACCESS),
    CASE(access_times_outlast_a_close, NEED_ACCESS | NEED_FILE),
    CASE(many_access_times_are_each_given_once, NEED_ACCESS),
    CASE(a_store_without_access_times_says_so, 0),
    { .name = NULL },
};
