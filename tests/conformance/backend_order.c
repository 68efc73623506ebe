/* SPDX-License-Identifier: MIT */
/* Key order: unsigned bytes, prefixes first, at any length and after any common beginning. */
#include "conformance.h"

#define BY_KEY(...) ((pdict_scan){ .flags = PDICT_SCAN_BY_KEY, __VA_ARGS__ })
#define BY_KEY_REVERSE(...)                                                                        \
    ((pdict_scan){ .flags = PDICT_SCAN_BY_KEY | PDICT_SCAN_REVERSE, __VA_ARGS__ })

static void key_order_is_of_unsigned_bytes(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    pdict_scan scan = BY_KEY(.from_id = 0);
    struct rows rows;

    for (unsigned i = 0; i < 256; i++)
        put(t, txn, map, long_bytes(1, 0, i * 149 % 256), TEXT("value"));
    rows = scan_rows(t, txn, map, &scan);
    CHECK_INT(rows.count, 256);
    for (unsigned i = 0; i < 256; i++)
        CHECK_BYTES(rows.row[i].key, long_bytes(1, 0, i));
    commit(t, txn);
}

static void a_prefix_comes_before_what_it_begins(struct subject *t)
{
    const pdict_slice keys[] = { TEXT(""),       TEXT("\0"),      TEXT("\0\0"), TEXT("a"),
                                 TEXT("a\0"),    TEXT("a\0\0"),   TEXT("a\0b"), TEXT("a\1"),
                                 TEXT("aa"),     TEXT("a\xff"),   TEXT("b"),    TEXT("\xff"),
                                 TEXT("\xff\0"), TEXT("\xff\xff") };
    enum {
        KEYS = sizeof(keys) / sizeof(keys[0])
    };
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    pdict_scan forward = BY_KEY(.from_id = 0), reverse = BY_KEY_REVERSE(.from_id = 0);
    struct rows up, down;

    for (size_t i = 0; i < KEYS; i++)
        put(t, txn, map, keys[i * 5 % KEYS], TEXT("value"));
    up = scan_rows(t, txn, map, &forward);
    down = scan_rows(t, txn, map, &reverse);
    CHECK_INT(up.count, KEYS);
    CHECK_INT(down.count, KEYS);
    for (size_t i = 0; i < KEYS; i++) {
        CHECK_BYTES(up.row[i].key, keys[i]);
        CHECK_BYTES(down.row[KEYS - 1 - i].key, keys[i]);
    }
    commit(t, txn);
}

/* 1,000 keys with 2,000 bytes in common, inserted out of order, and two that are such a prefix. */
static void *begin_common(struct subject *t, uint32_t *map)
{
    void *txn;

    *map = make_map(t, "m");
    txn = begin_write(t);
    for (unsigned i = 0; i < 1000; i++)
        put(t, txn, *map, long_bytes(2004, 'p', i * 619 % 1000), TEXT("value"));
    commit(t, txn);
    return begin_read(t);
}

static void check_common(struct subject *t, void *reader, uint32_t map, pdict_scan scan,
                         unsigned from, unsigned to)
{
    struct rows rows = scan_rows(t, reader, map, &scan);

    CHECK_INT(rows.count, to - from);
    for (unsigned i = from; i < to; i++) {
        size_t at = scan.flags & PDICT_SCAN_REVERSE ? to - 1 - i : i - from;
        CHECK_BYTES(rows.row[at].key, long_bytes(2004, 'p', i));
    }
}

static void keys_that_share_2000_bytes_are_scanned_in_order(struct subject *t)
{
    uint32_t map;
    void *reader = begin_common(t, &map);

    check_common(t, reader, map, BY_KEY(.from_id = 0), 0, 1000);
    check_common(t, reader, map, BY_KEY_REVERSE(.from_id = 0), 0, 1000);
    end_read(t, reader);
}

static void ranges_of_keys_that_share_2000_bytes_are_exact(struct subject *t)
{
    uint32_t map;
    void *reader = begin_common(t, &map);
    pdict_slice low = long_bytes(2004, 'p', 300), high = long_bytes(2004, 'p', 700);

    check_common(t, reader, map, BY_KEY(.from = low, .to = high), 300, 700);
    check_common(t, reader, map, BY_KEY_REVERSE(.from = low, .to = high), 300, 700);
    check_common(t, reader, map, BY_KEY(.from = high), 700, 1000);
    check_common(t, reader, map, BY_KEY_REVERSE(.to = low), 0, 300);
    check_common(t, reader, map, BY_KEY(.from = low, .to = low), 300, 300);
    end_read(t, reader);
}

static void bounds_may_be_a_prefix_of_keys_that_share_2000_bytes(struct subject *t)
{
    uint32_t map;
    void *reader = begin_common(t, &map);
    pdict_slice prefix = { .data = long_bytes(2004, 'p', 0).data, .size = 2000 };
    /* The first 2,002 bytes are common to the keys below 65536; 0x01 in the third of four splits. */
    pdict_slice middle = { .data = long_bytes(2004, 'p', 512).data, .size = 2003 };

    check_common(t, reader, map, BY_KEY(.from = prefix), 0, 1000);
    check_common(t, reader, map, BY_KEY(.to = prefix), 0, 0);
    check_common(t, reader, map, BY_KEY(.from = middle), 512, 1000);
    check_common(t, reader, map, BY_KEY_REVERSE(.to = middle), 0, 512);
    check_common(t, reader, map, BY_KEY(.from = long_bytes(2005, 'p', 0), .to = middle), 512, 512);
    end_read(t, reader);
}

static void long_and_short_keys_are_scanned_in_one_order(struct subject *t)
{
    const size_t sizes[] = { 1, 5, 510, 511, 512, 600, 1022, 1023, 2000, 5000, 65536, 70000 };
    enum {
        SIZES = sizeof(sizes) / sizeof(sizes[0])
    };
    uint32_t map = make_map(t, "m");
    void *txn = begin_write(t);
    pdict_scan forward = BY_KEY(.from_id = 0), by_id = { .flags = 0 };
    struct rows rows;

    /* Each size twice: as a prefix of all larger ones, and with a last byte above all of these. */
    for (size_t i = 0; i < SIZES; i++) {
        size_t size = sizes[i * 7 % SIZES];
        unsigned char *high = keep_bytes(NULL, size);
        memset(high, 'x', size);
        put(t, txn, map, keep_slice((pdict_slice){ high, size }), TEXT("low"));
        high[size - 1] = 'y';
        put(t, txn, map, (pdict_slice){ high, size }, TEXT("high"));
    }
    rows = scan_rows(t, txn, map, &forward);
    CHECK_INT(rows.count, 2 * SIZES);
    for (size_t i = 0; i < SIZES; i++) {
        CHECK_INT(rows.row[i].key.size, sizes[i]);
        CHECK_BYTES(rows.row[i].value, TEXT("low"));
        CHECK_INT(rows.row[2 * SIZES - 1 - i].key.size, sizes[i]);
        CHECK_BYTES(rows.row[2 * SIZES - 1 - i].value, TEXT("high"));
    }
    rows = scan_rows(t, txn, map, &by_id);
    CHECK_INT(rows.count, 2 * SIZES);
    for (size_t i = 0; i < 2 * SIZES; i++)
        CHECK_INT(rows.row[i].key.size, sizes[i / 2 * 7 % SIZES]);
    commit(t, txn);
}

const struct test_case backend_order_cases[] = {
    CASE(key_order_is_of_unsigned_bytes, 0),
    CASE(a_prefix_comes_before_what_it_begins, 0),
    CASE(keys_that_share_2000_bytes_are_scanned_in_order, 0),
    CASE(ranges_of_keys_that_share_2000_bytes_are_exact, 0),
    CASE(bounds_may_be_a_prefix_of_keys_that_share_2000_bytes, 0),
    CASE(long_and_short_keys_are_scanned_in_one_order, 0),
    { .name = NULL },
};
