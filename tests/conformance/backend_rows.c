/* SPDX-License-Identifier: MIT */
/* Rows as they are put and read back: keys and values of every kind, their small fields, lifetimes. */
#include "conformance.h"

static void put_then_get_returns_the_same_bytes(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader;

    put_now(t, map, TEXT("key"), TEXT("value"));
    reader = begin_read(t);
    check_value(t, reader, map, TEXT("key"), TEXT("value"));
    end_read(t, reader);
}

static void absent_key_is_not_found_without_a_text(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader;

    put_now(t, map, TEXT("key"), TEXT("value"));
    reader = begin_read(t);
    check_absent(t, reader, map, TEXT("other"));
    check_absent(t, reader, map, TEXT("ke"));
    check_absent(t, reader, map, TEXT("key\0"));
    check_absent(t, reader, map, TEXT(""));
    end_read(t, reader);
}

static bool is_untouched_or_zero(const void *bytes, size_t size, unsigned char fill)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < size; i++) {
        if (at[i] != fill && at[i] != 0)
            return false;
    }
    return true;
}

static void row_is_untouched_or_zero_when_not_found(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader = begin_read(t);
    pdict_row row;

    memset(&row, 0xa5, sizeof(row));
    CHECK_STATUS(t->backend->get(t->self, reader, map, TEXT("key"), &row), PDICT_NOTFOUND);
    CHECK(is_untouched_or_zero(&row, sizeof(row), 0xa5));
    end_read(t, reader);
}

static void unknown_map_is_reported_by_get(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader = begin_read(t);
    pdict_row row;

    CHECK_FAILURE(t->backend->get(t->self, reader, map + 1000, TEXT("key"), &row), PDICT_NO_MAP);
    end_read(t, reader);
}

static void the_empty_key_is_a_key(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader;

    put_now(t, map, TEXT(""), TEXT("empty"));
    put_now(t, map, TEXT("\0"), TEXT("one NUL"));
    reader = begin_read(t);
    check_value(t, reader, map, TEXT(""), TEXT("empty"));
    check_value(t, reader, map, TEXT("\0"), TEXT("one NUL"));
    CHECK_INT(count_at(t, reader, map, NOW), 2);
    end_read(t, reader);
}

static void the_empty_key_needs_no_address(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    pdict_slice nowhere = { .data = NULL, .size = 0 };
    void *txn = begin_write(t);

    put(t, txn, map, nowhere, TEXT("first"));
    put(t, txn, map, TEXT(""), TEXT("second"));
    check_value(t, txn, map, nowhere, TEXT("second"));
    del(t, txn, map, nowhere);
    check_absent(t, txn, map, TEXT(""));
    commit(t, txn);
}

static void keys_with_nul_bytes_are_different_keys(struct subject *t)
{
    const pdict_slice keys[] = { TEXT("a"), TEXT("a\0"), TEXT("a\0\0"), TEXT("a\0b"), TEXT("\0a") };
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    for (size_t i = 0; i < 5; i++)
        put(t, txn, map, keys[i], number_key((unsigned)i));
    for (size_t i = 0; i < 5; i++)
        check_value(t, txn, map, keys[i], number_key((unsigned)i));
    CHECK_INT(count_at(t, txn, map, NOW), 5);
    commit(t, txn);
}

static void every_byte_is_a_key(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t), *reader;

    for (unsigned byte = 0; byte < 256; byte++)
        put(t, txn, map, long_bytes(1, 0, byte), number_key(byte));
    commit(t, txn);
    reader = begin_read(t);
    for (unsigned byte = 0; byte < 256; byte++)
        check_value(t, reader, map, long_bytes(1, 0, byte), number_key(byte));
    end_read(t, reader);
}

static const size_t key_sizes[] = { 1,    2,     3,     16,    100,   254,   255,   256,
                                    257,  500,   510,   511,   512,   513,   1000,  1022,
                                    1023, 1024,  1025,  2000,  4095,  4096,  4097,  8192,
                                    9999, 16384, 32767, 32768, 65534, 65535, 65536, 70000 };
enum {
    KEY_SIZES = sizeof(key_sizes) / sizeof(key_sizes[0])
};

static void keys_of_1_to_70000_bytes_are_kept_whole(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t), *reader;

    for (unsigned i = 0; i < KEY_SIZES; i++)
        put(t, txn, map, long_bytes(key_sizes[i], 'k', 7), number_key(i));
    commit(t, txn);
    reader = begin_read(t);
    for (unsigned i = 0; i < KEY_SIZES; i++)
        check_value(t, reader, map, long_bytes(key_sizes[i], 'k', 7), number_key(i));
    CHECK_INT(count_at(t, reader, map, NOW), KEY_SIZES);
    end_read(t, reader);
}

static void keys_of_any_length_that_differ_in_the_last_byte_are_different(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    for (unsigned i = 0; i < KEY_SIZES; i++) {
        put(t, txn, map, long_bytes(key_sizes[i], 'k', 1), TEXT("one"));
        put(t, txn, map, long_bytes(key_sizes[i], 'k', 2), TEXT("two"));
    }
    for (unsigned i = 0; i < KEY_SIZES; i++) {
        check_value(t, txn, map, long_bytes(key_sizes[i], 'k', 1), TEXT("one"));
        check_value(t, txn, map, long_bytes(key_sizes[i], 'k', 2), TEXT("two"));
        check_absent(t, txn, map, long_bytes(key_sizes[i], 'k', 3));
    }
    commit(t, txn);
}

static void long_keys_are_updated_and_deleted_like_short_ones(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    for (unsigned i = 0; i < KEY_SIZES; i++) {
        pdict_slice key = long_bytes(key_sizes[i], 'k', 9);
        uint64_t id = put(t, txn, map, key, TEXT("old"));
        CHECK_INT(put(t, txn, map, key, TEXT("new")), id);
        check_value(t, txn, map, key, TEXT("new"));
        if (i % 2 == 0)
            del(t, txn, map, key);
    }
    for (unsigned i = 0; i < KEY_SIZES; i += 2)
        check_absent(t, txn, map, long_bytes(key_sizes[i], 'k', 9));
    CHECK_INT(count_at(t, txn, map, NOW), KEY_SIZES / 2);
    commit(t, txn);
}

static void keys_that_share_2000_bytes_are_told_apart(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t), *reader;

    for (unsigned i = 0; i < 1000; i++)
        put(t, txn, map, long_bytes(2004, 'p', i), number_key(i));
    commit(t, txn);
    reader = begin_read(t);
    for (unsigned i = 0; i < 1000; i++)
        check_value(t, reader, map, long_bytes(2004, 'p', i), number_key(i));
    check_absent(t, reader, map, long_bytes(2004, 'p', 1000));
    check_absent(t, reader, map, long_bytes(2000, 'p', 0x70707070));
    end_read(t, reader);
}

static void an_empty_value_is_a_value(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    put(t, txn, map, TEXT("a"), TEXT(""));
    put(t, txn, map, TEXT("b"), (pdict_slice){ .data = NULL, .size = 0 });
    check_value(t, txn, map, TEXT("a"), TEXT(""));
    check_value(t, txn, map, TEXT("b"), TEXT(""));
    CHECK_INT(count_at(t, txn, map, NOW), 2);
    commit(t, txn);
}

static void values_hold_every_byte(struct subject *t)
{
    unsigned char bytes[512];
    pdict_slice value = { .data = bytes, .size = sizeof(bytes) };
    uint32_t map = make_map(t, "m");
    void *reader;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 7);
    put_now(t, map, TEXT("key"), value);
    reader = begin_read(t);
    check_value(t, reader, map, TEXT("key"), value);
    end_read(t, reader);
}

static pdict_slice random_bytes(size_t size)
{
    unsigned char *bytes = keep_bytes(NULL, size);
    uint64_t state = size;

    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)random_next(&state);
    return (pdict_slice){ .data = bytes, .size = size };
}

static void a_value_of_10_megabytes_is_kept_whole(struct subject *t)
{
    pdict_slice value = random_bytes(10 * 1000 * 1000);
    uint32_t map = make_map(t, "m");
    void *reader;

    put_now(t, map, TEXT("before"), TEXT("small"));
    put_now(t, map, TEXT("big"), value);
    put_now(t, map, TEXT("behind"), TEXT("small"));
    reader = begin_read(t);
    check_value(t, reader, map, TEXT("big"), value);
    check_value(t, reader, map, TEXT("before"), TEXT("small"));
    check_value(t, reader, map, TEXT("behind"), TEXT("small"));
    end_read(t, reader);
}

static void values_of_sizes_around_a_page_are_kept_whole(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t), *reader;

    for (unsigned size = 0; size < 20000; size += 509)
        put(t, txn, map, number_key(size), random_bytes(size));
    commit(t, txn);
    reader = begin_read(t);
    for (unsigned size = 0; size < 20000; size += 509)
        check_value(t, reader, map, number_key(size), random_bytes(size));
    end_read(t, reader);
}

static void a_value_may_grow_and_shrink(struct subject *t)
{
    const size_t sizes[] = { 10, 100000, 0, 5000, 1, 1000000, 20 };
    uint32_t map = make_map(t, "m");
    void *reader;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        put_now(t, map, TEXT("key"), random_bytes(sizes[i]));
        reader = begin_read(t);
        check_value(t, reader, map, TEXT("key"), random_bytes(sizes[i]));
        end_read(t, reader);
    }
}

static void small_fields_are_kept_as_given(struct subject *t)
{
    static const struct {
        uint64_t version;
        int64_t created_ms, expires_ms;
    } cases[] = {
        { 1, 0, 0 },
        { INT64_MAX, NOW, NOW + 1 },
        { (uint64_t)1 << 63, -1, INT64_MAX },
        { UINT64_MAX, INT64_MAX, NOW + 2 },
        { 77, INT64_MIN, NOW + ((int64_t)1 << 40) },
    };
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);

    for (unsigned i = 0; i < 5; i++) {
        pdict_change change = change_put(number_key(i), TEXT("value"));
        change.row.version = cases[i].version;
        change.row.created_ms = cases[i].created_ms;
        change.row.expires_ms = cases[i].expires_ms;
        CHECK_OK(apply_one(t, txn, map, &change, NOW));
    }
    for (unsigned i = 0; i < 5; i++) {
        pdict_row row = row_of(t, txn, map, number_key(i));
        CHECK_INT(row.version, cases[i].version);
        CHECK_INT(row.created_ms, cases[i].created_ms);
        CHECK_INT(row.expires_ms, cases[i].expires_ms);
        CHECK(row.id != 0);
    }
    commit(t, txn);
}

static void the_same_key_in_two_maps_is_two_rows(struct subject *t)
{
    uint32_t left = make_map(t, "left"), right = make_map(t, "right");
    void *txn = begin_write(t);

    put(t, txn, left, TEXT("key"), TEXT("on the left"));
    put(t, txn, right, TEXT("key"), TEXT("on the right"));
    check_value(t, txn, left, TEXT("key"), TEXT("on the left"));
    check_value(t, txn, right, TEXT("key"), TEXT("on the right"));
    del(t, txn, left, TEXT("key"));
    check_absent(t, txn, left, TEXT("key"));
    check_value(t, txn, right, TEXT("key"), TEXT("on the right"));
    commit(t, txn);
}

static void rows_of_two_readers_are_valid_side_by_side(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *one, *two;
    pdict_row row_one, row_two;

    put_now(t, map, TEXT("a"), TEXT("value of a"));
    put_now(t, map, TEXT("b"), TEXT("value of b"));
    one = begin_read(t);
    two = begin_read(t);
    row_one = row_of(t, one, map, TEXT("a"));
    row_two = row_of(t, two, map, TEXT("b"));
    CHECK_BYTES(row_one.value, TEXT("value of a"));
    CHECK_BYTES(row_two.value, TEXT("value of b"));
    row_of(t, two, map, TEXT("a"));
    CHECK_BYTES(row_one.key, TEXT("a"));
    CHECK_BYTES(row_one.value, TEXT("value of a"));
    end_read(t, two);
    CHECK_BYTES(row_one.value, TEXT("value of a"));
    end_read(t, one);
}

static void a_row_of_a_reader_outlives_changes_by_the_writer(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    pdict_slice value = random_bytes(30000);
    void *reader, *txn;
    pdict_row row;

    put_now(t, map, TEXT("key"), value);
    reader = begin_read(t);
    row = row_of(t, reader, map, TEXT("key"));
    txn = begin_write(t);
    put(t, txn, map, TEXT("key"), TEXT("another"));
    for (unsigned i = 0; i < 50; i++)
        put(t, txn, map, number_key(i), random_bytes(5000));
    commit(t, txn);
    del_now(t, map, TEXT("key"));
    CHECK_BYTES(row.key, TEXT("key"));
    CHECK_BYTES(row.value, value);
    end_read(t, reader);
}

static void what_is_passed_in_is_borrowed_for_the_call_only(struct subject *t)
{
    char key[] = "key", value[] = "value", name[] = "other";
    uint32_t map = make_map(t, "m"), other = 0;
    void *txn = begin_write(t);

    CHECK_OK(t->backend->map_create(t->self, txn, (pdict_slice){ name, 5 }, &other));
    put(t, txn, map, (pdict_slice){ key, 3 }, (pdict_slice){ value, 5 });
    CHECK_OK(t->backend->system_put(t->self, txn, map, (pdict_slice){ key, 3 },
                                    (pdict_slice){ value, 5 }));
    memset(key, 'x', 3);
    memset(value, 'x', 5);
    memset(name, 'x', 5);
    check_value(t, txn, map, TEXT("key"), TEXT("value"));
    commit(t, txn);
    txn = begin_write(t);
    pdict_slice system = { 0 };
    check_value(t, txn, map, TEXT("key"), TEXT("value"));
    CHECK_OK(t->backend->system_get(t->self, txn, map, TEXT("key"), &system));
    CHECK_BYTES(system, TEXT("value"));
    CHECK_OK(t->backend->map_find(t->self, txn, TEXT("other"), &map));
    CHECK_INT(map, other);
    abort_write(t, txn);
}

static void a_row_just_read_may_be_put_elsewhere(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    pdict_slice value = random_bytes(6000);
    void *txn = begin_write(t);
    pdict_row row;

    put(t, txn, map, TEXT("from"), value);
    commit(t, txn);
    txn = begin_write(t);
    void *reader = begin_read(t);
    row = row_of(t, reader, map, TEXT("from"));
    put(t, txn, map, TEXT("to"), row.value);
    put(t, txn, map, row.key, row.value);
    check_value(t, txn, map, TEXT("to"), value);
    check_value(t, txn, map, TEXT("from"), value);
    end_read(t, reader);
    commit(t, txn);
}

static void a_snapshot_answers_one_key_after_the_other(struct subject *t)
{
    uint32_t first = make_map(t, "m"), second = make_map(t, "n");
    void *reader;
    pdict_row row;

    put_now(t, first, TEXT("a"), TEXT("1"));
    put_now(t, first, TEXT(""), TEXT("empty"));
    put_now(t, second, TEXT("a"), TEXT("2"));
    reader = begin_read(t);
    for (int i = 0; i < 3; i++) {
        check_value(t, reader, first, TEXT("a"), TEXT("1"));
        check_absent(t, reader, first, TEXT("b"));
        check_value(t, reader, second, TEXT("a"), TEXT("2"));
        CHECK_FAILURE(t->backend->get(t->self, reader, second + 1000, TEXT("a"), &row),
                      PDICT_NO_MAP);
        check_value(t, reader, first, TEXT(""), TEXT("empty"));
        check_absent(t, reader, second, TEXT(""));
        CHECK_INT(count_at(t, reader, first, NOW), 2);
        put_now(t, first, TEXT("b"), TEXT("later"));
    }
    end_read(t, reader);
    reader = begin_read(t);
    check_value(t, reader, second, TEXT("a"), TEXT("2"));
    check_value(t, reader, second, TEXT("a"), TEXT("2"));
    end_read(t, reader);
}

static void a_snapshot_that_rested_is_the_same_one(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *reader;

    if (t->backend->reader_rest == NULL)
        return;
    put_now(t, map, TEXT("a"), TEXT("1"));
    reader = begin_read(t);
    for (int i = 0; i < 3; i++) {
        check_value(t, reader, map, TEXT("a"), TEXT("1"));
        t->backend->reader_rest(t->self, reader);
        put_now(t, map, TEXT("a"), TEXT("2"));
        CHECK(t->backend->reader_resume(t->self, reader));
    }
    check_value(t, reader, map, TEXT("a"), TEXT("1"));
    t->backend->reader_rest(t->self, reader);
    t->backend->reader_end(t->self, reader);
    CHECK_OK(t->backend->reader_begin(t->self, reader));
    check_value(t, reader, map, TEXT("a"), TEXT("2"));
    end_read(t, reader);
}

const struct test_case backend_rows_cases[] = {
    CASE(put_then_get_returns_the_same_bytes, 0),
    CASE(absent_key_is_not_found_without_a_text, 0),
    CASE(row_is_untouched_or_zero_when_not_found, 0),
    CASE(unknown_map_is_reported_by_get, 0),
    CASE(the_empty_key_is_a_key, 0),
    CASE(the_empty_key_needs_no_address, 0),
    CASE(keys_with_nul_bytes_are_different_keys, 0),
    CASE(every_byte_is_a_key, 0),
    CASE(keys_of_1_to_70000_bytes_are_kept_whole, 0),
    CASE(keys_of_any_length_that_differ_in_the_last_byte_are_different, 0),
    CASE(long_keys_are_updated_and_deleted_like_short_ones, 0),
    CASE(keys_that_share_2000_bytes_are_told_apart, 0),
    CASE(an_empty_value_is_a_value, 0),
    CASE(values_hold_every_byte, 0),
    CASE(a_value_of_10_megabytes_is_kept_whole, 0),
    CASE(values_of_sizes_around_a_page_are_kept_whole, 0),
    CASE(a_value_may_grow_and_shrink, 0),
    CASE(small_fields_are_kept_as_given, 0),
    CASE(the_same_key_in_two_maps_is_two_rows, 0),
    CASE(rows_of_two_readers_are_valid_side_by_side, 0),
    CASE(a_row_of_a_reader_outlives_changes_by_the_writer, 0),
    CASE(what_is_passed_in_is_borrowed_for_the_call_only, 0),
    CASE(a_row_just_read_may_be_put_elsewhere, 0),
    CASE(a_snapshot_answers_one_key_after_the_other, 0),
    CASE(a_snapshot_that_rested_is_the_same_one, 0),
    { .name = NULL },
};
