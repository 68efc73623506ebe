/* SPDX-License-Identifier: MIT */
/* The SYSTEM space: named values of maps and of the store itself. */
#include "conformance.h"

static int put_system(struct subject *t, void *txn, uint32_t map, pdict_slice name,
                      pdict_slice value)
{
    return t->backend->system_put(t->self, txn, map, name, value);
}

static void check_system(struct subject *t, void *txn, uint32_t map, pdict_slice name,
                         pdict_slice expected)
{
    pdict_slice value = { 0 };

    CHECK_OK(t->backend->system_get(t->self, txn, map, name, &value));
    CHECK_BYTES(value, expected);
}

static void check_no_system(struct subject *t, void *txn, uint32_t map, pdict_slice name)
{
    pdict_slice value = { 0 };

    CHECK_EXPECTED(t->backend->system_get(t->self, txn, map, name, &value), PDICT_NOTFOUND);
    CHECK(value.data == NULL && value.size == 0);
}

static const pdict_slice delete = { .data = NULL, .size = 0 };

static void a_named_value_is_read_back(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    CHECK_OK(put_system(t, txn, map, TEXT("descriptor"), TEXT("bytes\0of it")));
    check_system(t, txn, map, TEXT("descriptor"), TEXT("bytes\0of it"));
    commit(t, txn);
    txn = begin_read(t);
    check_system(t, txn, map, TEXT("descriptor"), TEXT("bytes\0of it"));
    check_no_system(t, txn, map, TEXT("descripto"));
    check_no_system(t, txn, map, TEXT("descriptor\0"));
    end_read(t, txn);
}

static void map_0_is_the_store_itself(struct subject *t)
{
    void *txn = begin_write(t);

    check_no_system(t, txn, 0, TEXT("name"));
    CHECK_OK(put_system(t, txn, 0, TEXT("name"), TEXT("of the store")));
    commit(t, txn);
    txn = begin_read(t);
    check_system(t, txn, 0, TEXT("name"), TEXT("of the store"));
    end_read(t, txn);
}

static void each_map_has_its_own_values(struct subject *t)
{
    uint32_t one = make_map(t, "one"), two = make_map(t, "two");
    void *txn = begin_write(t);

    CHECK_OK(put_system(t, txn, one, TEXT("name"), TEXT("one")));
    CHECK_OK(put_system(t, txn, 0, TEXT("name"), TEXT("store")));
    check_no_system(t, txn, two, TEXT("name"));
    CHECK_OK(put_system(t, txn, two, TEXT("name"), TEXT("two")));
    check_system(t, txn, one, TEXT("name"), TEXT("one"));
    check_system(t, txn, two, TEXT("name"), TEXT("two"));
    check_system(t, txn, 0, TEXT("name"), TEXT("store"));
    commit(t, txn);
}

static void a_value_is_replaced(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    CHECK_OK(put_system(t, txn, map, TEXT("name"), TEXT("old")));
    commit(t, txn);
    txn = begin_write(t);
    CHECK_OK(put_system(t, txn, map, TEXT("name"), TEXT("a longer new one")));
    check_system(t, txn, map, TEXT("name"), TEXT("a longer new one"));
    commit(t, txn);
    txn = begin_read(t);
    check_system(t, txn, map, TEXT("name"), TEXT("a longer new one"));
    end_read(t, txn);
}

static void a_null_value_deletes(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    CHECK_OK(put_system(t, txn, map, TEXT("name"), TEXT("value")));
    CHECK_OK(put_system(t, txn, map, TEXT("other"), TEXT("stays")));
    CHECK_OK(put_system(t, txn, map, TEXT("name"), delete));
    check_no_system(t, txn, map, TEXT("name"));
    commit(t, txn);
    txn = begin_read(t);
    check_no_system(t, txn, map, TEXT("name"));
    check_system(t, txn, map, TEXT("other"), TEXT("stays"));
    end_read(t, txn);
}

static void deleting_an_absent_value_is_fine(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    CHECK_EXPECTED(put_system(t, txn, map, TEXT("name"), delete), PDICT_OK);
    CHECK_EXPECTED(put_system(t, txn, 0, TEXT("name"), delete), PDICT_OK);
    commit(t, txn);
}

static void an_empty_value_is_not_a_deletion(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    CHECK_OK(put_system(t, txn, map, TEXT("name"), TEXT("")));
    check_system(t, txn, map, TEXT("name"), TEXT(""));
    commit(t, txn);
}

static void names_are_any_bytes_of_any_length(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    const pdict_slice names[] = { TEXT(""),
                                  TEXT("\0"),
                                  TEXT("a\0b"),
                                  long_bytes(600, 'n', 1),
                                  long_bytes(600, 'n', 2),
                                  long_bytes(4000, 'n', 1) };
    void *txn = begin_write(t);

    for (unsigned i = 0; i < 6; i++)
        CHECK_OK(put_system(t, txn, map, names[i], number_key(i)));
    commit(t, txn);
    txn = begin_read(t);
    for (unsigned i = 0; i < 6; i++)
        check_system(t, txn, map, names[i], number_key(i));
    end_read(t, txn);
}

static void a_value_of_a_megabyte_is_kept_whole(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    CHECK_OK(put_system(t, txn, map, TEXT("dictionary"), long_bytes(1 << 20, 'd', 1)));
    commit(t, txn);
    txn = begin_read(t);
    check_system(t, txn, map, TEXT("dictionary"), long_bytes(1 << 20, 'd', 1));
    end_read(t, txn);
}

static void system_values_are_not_rows(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    CHECK_OK(put_system(t, txn, map, TEXT("name"), TEXT("system")));
    CHECK_INT(count_at(t, txn, map, NOW), 0);
    check_absent(t, txn, map, TEXT("name"));
    CHECK_KEYS(t, txn, map, ((pdict_scan){ .flags = PDICT_SCAN_BY_KEY }), "");
    put(t, txn, map, TEXT("name"), TEXT("row"));
    check_system(t, txn, map, TEXT("name"), TEXT("system"));
    CHECK_OK(put_system(t, txn, map, TEXT("name"), delete));
    check_value(t, txn, map, TEXT("name"), TEXT("row"));
    commit(t, txn);
}

static void a_system_value_for_an_unknown_map_fails(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    CHECK_FAILURE(put_system(t, txn, map + 1000, TEXT("name"), TEXT("value")), PDICT_NO_MAP);
    abort_write(t, txn);
}

static void abort_undoes_system_changes(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    CHECK_OK(put_system(t, txn, map, TEXT("changed"), TEXT("old")));
    CHECK_OK(put_system(t, txn, map, TEXT("deleted"), TEXT("old")));
    commit(t, txn);
    txn = begin_write(t);
    CHECK_OK(put_system(t, txn, map, TEXT("changed"), TEXT("new")));
    CHECK_OK(put_system(t, txn, map, TEXT("deleted"), delete));
    CHECK_OK(put_system(t, txn, map, TEXT("added"), TEXT("new")));
    CHECK_OK(put_system(t, txn, 0, TEXT("added"), TEXT("new")));
    abort_write(t, txn);
    txn = begin_read(t);
    check_system(t, txn, map, TEXT("changed"), TEXT("old"));
    check_system(t, txn, map, TEXT("deleted"), TEXT("old"));
    check_no_system(t, txn, map, TEXT("added"));
    check_no_system(t, txn, 0, TEXT("added"));
    end_read(t, txn);
}

static void a_snapshot_keeps_its_system_values(struct subject *t)
{
    void *txn = begin_write(t), *reader;

    CHECK_OK(put_system(t, txn, 0, TEXT("changed"), TEXT("old")));
    CHECK_OK(put_system(t, txn, 0, TEXT("deleted"), TEXT("old")));
    commit(t, txn);
    reader = begin_read(t);
    txn = begin_write(t);
    CHECK_OK(put_system(t, txn, 0, TEXT("changed"), TEXT("new")));
    CHECK_OK(put_system(t, txn, 0, TEXT("deleted"), delete));
    CHECK_OK(put_system(t, txn, 0, TEXT("added"), TEXT("new")));
    commit(t, txn);
    check_system(t, reader, 0, TEXT("changed"), TEXT("old"));
    check_system(t, reader, 0, TEXT("deleted"), TEXT("old"));
    check_no_system(t, reader, 0, TEXT("added"));
    end_read(t, reader);
    reader = begin_read(t);
    check_system(t, reader, 0, TEXT("changed"), TEXT("new"));
    check_no_system(t, reader, 0, TEXT("deleted"));
    end_read(t, reader);
}

const struct test_case backend_system_cases[] = {
    CASE(a_named_value_is_read_back, 0),
    CASE(map_0_is_the_store_itself, 0),
    CASE(each_map_has_its_own_values, 0),
    CASE(a_value_is_replaced, 0),
    CASE(a_null_value_deletes, 0),
    CASE(deleting_an_absent_value_is_fine, 0),
    CASE(an_empty_value_is_not_a_deletion, 0),
    CASE(names_are_any_bytes_of_any_length, 0),
    CASE(a_value_of_a_megabyte_is_kept_whole, 0),
    CASE(system_values_are_not_rows, 0),
    CASE(a_system_value_for_an_unknown_map_fails, 0),
    CASE(abort_undoes_system_changes, 0),
    CASE(a_snapshot_keeps_its_system_values, 0),
    { .name = NULL },
};
