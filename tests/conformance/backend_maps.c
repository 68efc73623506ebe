/* SPDX-License-Identifier: MIT */
/* Maps: found, walked, made, renamed and dropped; their numbers are given once. */
#include "conformance.h"

static int find(struct subject *t, void *txn, pdict_slice name, uint32_t *map)
{
    return t->backend->map_find(t->self, txn, name, map);
}

static uint32_t create(struct subject *t, void *txn, pdict_slice name)
{
    uint32_t map = 0;

    CHECK_OK(t->backend->map_create(t->self, txn, name, &map));
    CHECK(map != 0);
    return map;
}

static void check_map(struct subject *t, void *txn, pdict_slice name, uint32_t expected)
{
    uint32_t map = 0;

    CHECK_OK(find(t, txn, name, &map));
    CHECK_INT(map, expected);
}

static void check_no_map(struct subject *t, void *txn, pdict_slice name)
{
    uint32_t map = 0;

    CHECK_EXPECTED(find(t, txn, name, &map), PDICT_NO_MAP);
    CHECK_INT(map, 0);
}

static void a_new_store_has_no_maps(struct subject *t)
{
    void *reader = begin_read(t);
    pdict_slice name = { 0 };
    uint32_t map = 0;

    check_no_map(t, reader, TEXT("m"));
    CHECK_EXPECTED(t->backend->map_next(t->self, reader, 0, &map, &name), PDICT_END);
    end_read(t, reader);
}

static void a_map_is_found_by_its_name(struct subject *t)
{
    void *txn = begin_write(t);
    uint32_t map = create(t, txn, TEXT("users"));

    check_map(t, txn, TEXT("users"), map);
    commit(t, txn);
    txn = begin_read(t);
    check_map(t, txn, TEXT("users"), map);
    check_no_map(t, txn, TEXT("user"));
    check_no_map(t, txn, TEXT("users2"));
    check_no_map(t, txn, TEXT("Users"));
    end_read(t, txn);
}

static void names_are_unique(struct subject *t)
{
    void *txn = begin_write(t);
    uint32_t map = create(t, txn, TEXT("users")), other = 0;

    CHECK_EXPECTED(t->backend->map_create(t->self, txn, TEXT("users"), &other), PDICT_EXISTS);
    CHECK_INT(other, 0);
    commit(t, txn);
    txn = begin_write(t);
    CHECK_EXPECTED(t->backend->map_create(t->self, txn, TEXT("users"), &other), PDICT_EXISTS);
    check_map(t, txn, TEXT("users"), map);
    commit(t, txn);
}

/* As core makes them: any bytes but zero. */
static void names_are_told_apart_byte_by_byte(struct subject *t)
{
    const pdict_slice names[] = { TEXT(""),          TEXT("a"),           TEXT("A"),
                                  TEXT("aa"),        TEXT("a "),          TEXT("\xc3\xa9"),
                                  TEXT("e\xcc\x81"), TEXT("a b/c'd\"e%"), TEXT("main") };
    enum {
        NAMES = sizeof(names) / sizeof(names[0])
    };
    uint32_t maps[NAMES];
    void *txn = begin_write(t);

    for (size_t i = 0; i < NAMES; i++)
        maps[i] = create(t, txn, names[i]);
    commit(t, txn);
    txn = begin_read(t);
    for (size_t i = 0; i < NAMES; i++)
        check_map(t, txn, names[i], maps[i]);
    end_read(t, txn);
}

static void names_may_be_long(struct subject *t)
{
    const pdict_slice names[] = { long_bytes(4000, 'n', 0x6e6e6e6f),
                                  long_bytes(4000, 'n', 0x6e6e6e70),
                                  long_bytes(600, 'n', 0x6e6e6e6f) };
    void *txn = begin_write(t);
    uint32_t maps[3];

    for (size_t i = 0; i < 3; i++)
        maps[i] = create(t, txn, names[i]);
    commit(t, txn);
    txn = begin_read(t);
    for (size_t i = 0; i < 3; i++)
        check_map(t, txn, names[i], maps[i]);
    check_no_map(t, txn, long_bytes(4000, 'n', 0x6e6e6e71));
    end_read(t, txn);
}

static void numbers_differ_and_are_never_0(struct subject *t)
{
    void *txn = begin_write(t);
    uint32_t last = 0;

    for (unsigned i = 0; i < 100; i++) {
        uint32_t map = create(t, txn, number_key(99 - i));
        CHECK(map > last);
        last = map;
    }
    commit(t, txn);
}

static void maps_are_walked_in_the_order_of_creation(struct subject *t)
{
    const pdict_slice names[] = { TEXT("z"), TEXT("m"), TEXT("a"), TEXT("q") };
    uint32_t maps[4], map = 0;
    pdict_slice name = { 0 };
    void *txn = begin_write(t);

    for (size_t i = 0; i < 4; i++)
        maps[i] = create(t, txn, names[i]);
    commit(t, txn);
    txn = begin_read(t);
    for (size_t i = 0; i < 4; i++) {
        CHECK_OK(t->backend->map_next(t->self, txn, map, &map, &name));
        CHECK_INT(map, maps[i]);
        CHECK_BYTES(name, names[i]);
    }
    CHECK_EXPECTED(t->backend->map_next(t->self, txn, map, &map, &name), PDICT_END);
    CHECK_EXPECTED(t->backend->map_next(t->self, txn, UINT32_MAX, &map, &name), PDICT_END);
    end_read(t, txn);
}

static void the_walk_goes_on_after_a_dropped_map(struct subject *t)
{
    void *txn = begin_write(t);
    uint32_t one = create(t, txn, TEXT("one")), two = create(t, txn, TEXT("two")),
             three = create(t, txn, TEXT("three")), map = 0;
    pdict_slice name = { 0 };

    CHECK_OK(t->backend->map_drop(t->self, txn, two));
    CHECK_OK(t->backend->map_next(t->self, txn, one, &map, &name));
    CHECK_INT(map, three);
    CHECK_BYTES(name, TEXT("three"));
    CHECK_OK(t->backend->map_next(t->self, txn, two, &map, &name));
    CHECK_INT(map, three);
    commit(t, txn);
}

static void a_dropped_map_is_gone(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    pdict_slice value;
    pdict_row row;
    uint64_t count;
    int status;
    void *txn;

    fill_map(t, map, 10);
    txn = begin_write(t);
    CHECK_OK(t->backend->system_put(t->self, txn, map, TEXT("name"), TEXT("value")));
    CHECK_OK(t->backend->map_drop(t->self, txn, map));
    check_no_map(t, txn, TEXT("m"));
    CHECK_STATUS(t->backend->get(t->self, txn, map, number_key(0), &row), PDICT_NO_MAP);
    commit(t, txn);
    txn = begin_read(t);
    check_no_map(t, txn, TEXT("m"));
    CHECK_FAILURE(t->backend->get(t->self, txn, map, number_key(0), &row), PDICT_NO_MAP);
    CHECK_FAILURE(t->backend->count(t->self, txn, map, NOW, &count), PDICT_NO_MAP);
    status = t->backend->system_get(t->self, txn, map, TEXT("name"), &value);
    CHECK(status == PDICT_NOTFOUND || status == PDICT_NO_MAP);
    end_read(t, txn);
}

static void drop_leaves_the_other_maps_alone(struct subject *t)
{
    uint32_t left = make_map(t, "left"), middle = make_map(t, "middle"),
             right = make_map(t, "right");
    void *txn;

    fill_map(t, left, 300);
    fill_map(t, middle, 300);
    fill_map(t, right, 300);
    txn = begin_write(t);
    CHECK_OK(t->backend->system_put(t->self, txn, left, TEXT("name"), TEXT("left")));
    CHECK_OK(t->backend->system_put(t->self, txn, middle, TEXT("name"), TEXT("middle")));
    CHECK_OK(t->backend->system_put(t->self, txn, 0, TEXT("name"), TEXT("store")));
    CHECK_OK(t->backend->map_drop(t->self, txn, middle));
    commit(t, txn);
    txn = begin_read(t);
    pdict_slice value = { 0 };
    CHECK_INT(count_at(t, txn, left, NOW), 300);
    CHECK_INT(count_at(t, txn, right, NOW), 300);
    check_value(t, txn, left, number_key(299), TEXT("value"));
    check_value(t, txn, right, number_key(0), TEXT("value"));
    CHECK_OK(t->backend->system_get(t->self, txn, left, TEXT("name"), &value));
    CHECK_BYTES(value, TEXT("left"));
    CHECK_OK(t->backend->system_get(t->self, txn, 0, TEXT("name"), &value));
    CHECK_BYTES(value, TEXT("store"));
    end_read(t, txn);
}

static void a_name_used_again_is_an_empty_map_with_another_number(struct subject *t)
{
    uint32_t map = make_map(t, "m"), again;
    pdict_slice value = { 0 };
    void *txn;

    fill_map(t, map, 20);
    txn = begin_write(t);
    put_expiring(t, txn, map, TEXT("expiring"), NOW + 1);
    CHECK_OK(t->backend->system_put(t->self, txn, map, TEXT("name"), TEXT("value")));
    CHECK_OK(t->backend->map_drop(t->self, txn, map));
    again = create(t, txn, TEXT("m"));
    CHECK(again > map);
    CHECK_INT(count_at(t, txn, again, 0), 0);
    CHECK_INT(count_at(t, txn, again, NOW + 1), 0);
    check_absent(t, txn, again, number_key(0));
    CHECK_KEYS(t, txn, again, ((pdict_scan){ .flags = 0 }), "");
    CHECK_EXPECTED(t->backend->system_get(t->self, txn, again, TEXT("name"), &value),
                   PDICT_NOTFOUND);
    commit(t, txn);
}

static void numbers_are_not_given_again_after_a_drop(struct subject *t)
{
    uint32_t last = 0;

    for (unsigned i = 0; i < 5; i++) {
        void *txn;
        uint32_t map = make_map(t, "m");
        CHECK(map > last);
        last = map;
        txn = begin_write(t);
        CHECK_OK(t->backend->map_drop(t->self, txn, map));
        commit(t, txn);
    }
}

static void drop_of_an_unknown_map_fails(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    CHECK_FAILURE(t->backend->map_drop(t->self, txn, map + 1000), PDICT_NO_MAP);
    check_map(t, txn, TEXT("m"), map);
    CHECK_OK(t->backend->map_drop(t->self, txn, map));
    CHECK_FAILURE(t->backend->map_drop(t->self, txn, map), PDICT_NO_MAP);
    commit(t, txn);
}

static void a_map_of_5000_rows_is_dropped_whole(struct subject *t)
{
    uint32_t map = make_map(t, "m"), other;
    void *txn;

    fill_map(t, map, 5000);
    txn = begin_write(t);
    CHECK_OK(t->backend->map_drop(t->self, txn, map));
    other = create(t, txn, TEXT("other"));
    put(t, txn, other, number_key(1), TEXT("value"));
    CHECK_INT(count_at(t, txn, other, NOW), 1);
    commit(t, txn);
}

static void a_renamed_map_keeps_number_rows_and_system_values(struct subject *t)
{
    uint32_t map = make_map(t, "old");
    pdict_slice value = { 0 };
    void *txn;

    fill_map(t, map, 10);
    txn = begin_write(t);
    CHECK_OK(t->backend->system_put(t->self, txn, map, TEXT("name"), TEXT("value")));
    CHECK_OK(t->backend->map_rename(t->self, txn, map, TEXT("new")));
    check_map(t, txn, TEXT("new"), map);
    commit(t, txn);
    txn = begin_read(t);
    check_map(t, txn, TEXT("new"), map);
    check_no_map(t, txn, TEXT("old"));
    CHECK_INT(count_at(t, txn, map, NOW), 10);
    CHECK_OK(t->backend->system_get(t->self, txn, map, TEXT("name"), &value));
    CHECK_BYTES(value, TEXT("value"));
    end_read(t, txn);
}

static void a_rename_is_seen_by_the_walk(struct subject *t)
{
    uint32_t one = make_map(t, "one"), map = 0;
    pdict_slice name = { 0 };
    void *txn = begin_write(t);

    create(t, txn, TEXT("two"));
    CHECK_OK(t->backend->map_rename(t->self, txn, one, TEXT("zzz")));
    CHECK_OK(t->backend->map_next(t->self, txn, 0, &map, &name));
    CHECK_INT(map, one);
    CHECK_BYTES(name, TEXT("zzz"));
    commit(t, txn);
}

static void rename_to_a_name_in_use_changes_nothing(struct subject *t)
{
    uint32_t one = make_map(t, "one"), two = make_map(t, "two");
    void *txn = begin_write(t);

    CHECK_EXPECTED(t->backend->map_rename(t->self, txn, one, TEXT("two")), PDICT_EXISTS);
    check_map(t, txn, TEXT("one"), one);
    check_map(t, txn, TEXT("two"), two);
    commit(t, txn);
}

static void rename_frees_the_old_name(struct subject *t)
{
    uint32_t one = make_map(t, "one"), two = make_map(t, "two");
    void *txn = begin_write(t);

    CHECK_OK(t->backend->map_rename(t->self, txn, one, TEXT("swap")));
    CHECK_OK(t->backend->map_rename(t->self, txn, two, TEXT("one")));
    CHECK_OK(t->backend->map_rename(t->self, txn, one, TEXT("two")));
    check_map(t, txn, TEXT("one"), two);
    check_map(t, txn, TEXT("two"), one);
    check_no_map(t, txn, TEXT("swap"));
    commit(t, txn);
}

static void rename_of_an_unknown_map_fails(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    CHECK_FAILURE(t->backend->map_rename(t->self, txn, map + 1000, TEXT("new")), PDICT_NO_MAP);
    check_no_map(t, txn, TEXT("new"));
    commit(t, txn);
}

static void abort_undoes_create_drop_and_rename(struct subject *t)
{
    uint32_t dropped = make_map(t, "dropped"), renamed = make_map(t, "renamed");
    void *txn;

    fill_map(t, dropped, 50);
    txn = begin_write(t);
    create(t, txn, TEXT("created"));
    CHECK_OK(t->backend->map_drop(t->self, txn, dropped));
    CHECK_OK(t->backend->map_rename(t->self, txn, renamed, TEXT("new")));
    abort_write(t, txn);
    txn = begin_read(t);
    check_no_map(t, txn, TEXT("created"));
    check_no_map(t, txn, TEXT("new"));
    check_map(t, txn, TEXT("dropped"), dropped);
    check_map(t, txn, TEXT("renamed"), renamed);
    CHECK_INT(count_at(t, txn, dropped, NOW), 50);
    end_read(t, txn);
}

static void a_snapshot_keeps_the_maps_it_has(struct subject *t)
{
    uint32_t dropped = make_map(t, "dropped"), renamed = make_map(t, "renamed");
    void *reader, *txn;

    fill_map(t, dropped, 50);
    reader = begin_read(t);
    txn = begin_write(t);
    create(t, txn, TEXT("created"));
    CHECK_OK(t->backend->map_drop(t->self, txn, dropped));
    CHECK_OK(t->backend->map_rename(t->self, txn, renamed, TEXT("new")));
    check_no_map(t, reader, TEXT("created"));
    commit(t, txn);
    check_no_map(t, reader, TEXT("created"));
    check_map(t, reader, TEXT("dropped"), dropped);
    check_map(t, reader, TEXT("renamed"), renamed);
    CHECK_INT(count_at(t, reader, dropped, NOW), 50);
    check_value(t, reader, dropped, number_key(49), TEXT("value"));
    end_read(t, reader);
}

static void maps_rows_and_system_values_commit_together(struct subject *t)
{
    void *txn = begin_write(t);
    uint32_t map = create(t, txn, TEXT("m"));
    pdict_slice value = { 0 };

    put(t, txn, map, TEXT("key"), TEXT("value"));
    CHECK_OK(t->backend->system_put(t->self, txn, map, TEXT("name"), TEXT("system")));
    commit(t, txn);
    txn = begin_read(t);
    check_map(t, txn, TEXT("m"), map);
    check_value(t, txn, map, TEXT("key"), TEXT("value"));
    CHECK_OK(t->backend->system_get(t->self, txn, map, TEXT("name"), &value));
    CHECK_BYTES(value, TEXT("system"));
    end_read(t, txn);
}

const struct test_case backend_maps_cases[] = {
    CASE(a_new_store_has_no_maps, 0),
    CASE(a_map_is_found_by_its_name, 0),
    CASE(names_are_unique, 0),
    CASE(names_are_told_apart_byte_by_byte, 0),
    CASE(names_may_be_long, 0),
    CASE(numbers_differ_and_are_never_0, 0),
    CASE(maps_are_walked_in_the_order_of_creation, 0),
    CASE(the_walk_goes_on_after_a_dropped_map, 0),
    CASE(a_dropped_map_is_gone, 0),
    CASE(drop_leaves_the_other_maps_alone, 0),
    CASE(a_name_used_again_is_an_empty_map_with_another_number, 0),
    CASE(numbers_are_not_given_again_after_a_drop, 0),
    CASE(drop_of_an_unknown_map_fails, 0),
    CASE(a_map_of_5000_rows_is_dropped_whole, 0),
    CASE(a_renamed_map_keeps_number_rows_and_system_values, 0),
    CASE(a_rename_is_seen_by_the_walk, 0),
    CASE(rename_to_a_name_in_use_changes_nothing, 0),
    CASE(rename_frees_the_old_name, 0),
    CASE(rename_of_an_unknown_map_fails, 0),
    CASE(abort_undoes_create_drop_and_rename, 0),
    CASE(a_snapshot_keeps_the_maps_it_has, 0),
    CASE(maps_rows_and_system_values_commit_together, 0),
    { .name = NULL },
};
