/* SPDX-License-Identifier: MIT */
/* Keys of any length in the LMDB backend: their order, and what removing them leaves behind. */
#include "lmdb_fixture.h"

static int compare(pdict_slice a, pdict_slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_slices(const void *a, const void *b)
{
    return compare(*(const pdict_slice *)a, *(const pdict_slice *)b);
}

/* A scan by key must give exactly those of `count` sorted keys that lie within the bounds. */
static void check_scan(void *self, void *txn, uint32_t map, const pdict_slice *keys, size_t count,
                       pdict_slice from, pdict_slice to, unsigned flags)
{
    pdict_scan scan = { .flags = PDICT_SCAN_BY_KEY | flags, .from = from, .to = to };
    void *cursor = NULL;
    pdict_row row;

    CHECK_OK(LMDB->scan_open(self, txn, map, &scan, &cursor));
    for (size_t n = 0; n < count; n++) {
        const pdict_slice *key = &keys[flags & PDICT_SCAN_REVERSE ? count - 1 - n : n];
        if ((from.data != NULL && compare(*key, from) < 0) ||
            (to.data != NULL && compare(*key, to) >= 0))
            continue;
        CHECK_OK(LMDB->scan_next(self, cursor, &row));
        CHECK_BYTES(row.key.data, row.key.size, key->data, key->size);
    }
    CHECK_STATUS(LMDB->scan_next(self, cursor, &row), PDICT_END);
    CHECK_STATUS(LMDB->scan_next(self, cursor, &row), PDICT_END);
    LMDB->scan_close(self, cursor);
}

static void check_both_ways(void *self, void *txn, uint32_t map, const pdict_slice *keys,
                            size_t count, pdict_slice from, pdict_slice to)
{
    check_scan(self, txn, map, keys, count, from, to, 0);
    check_scan(self, txn, map, keys, count, from, to, PDICT_SCAN_REVERSE);
}

static const pdict_slice none = { .data = NULL };

TEST(lmdb_keys, thousand_keys_with_2000_bytes_in_common_are_walked_both_ways_and_within_bounds)
{
    enum {
        COUNT = 1000
    };
    void *self = open_store(test_path("store"));
    uint32_t map = make_map(self, "m");
    pdict_slice keys[COUNT];
    void *txn = begin(self);

    for (uint32_t i = 0; i < COUNT; i++)
        keys[i] = filled(2004, 'p', i);
    for (uint32_t i = 0; i < COUNT; i++)
        put_in(self, txn, map, keys[i * 617 % COUNT], text("value"));
    check_both_ways(self, txn, map, keys, COUNT, none, none);
    commit(self, txn);
    txn = snapshot(self);
    check_both_ways(self, txn, map, keys, COUNT, none, none);
    check_both_ways(self, txn, map, keys, COUNT, keys[300], keys[700]);
    check_both_ways(self, txn, map, keys, COUNT, filled(2000, 'p', 0x70707070), none);
    check_both_ways(self, txn, map, keys, COUNT, filled(1000, 'p', 0x70707070), keys[1]);
    check_both_ways(self, txn, map, keys, COUNT, filled(2008, 'p', 0), none);
    check_both_ways(self, txn, map, keys, COUNT, none, filled(511, 'p', 0x70707071));
    check_both_ways(self, txn, map, keys, COUNT, filled(10, 'q', 0), none);
    end_snapshot(self, txn);
    LMDB->close(self);
}

/* Two letters and lengths around the ends of the parts, so that most keys share long beginnings. */
static pdict_slice random_key(uint64_t *state)
{
    static const size_t ends[] = {
        0, 1, 5, 506, 507, 508, 1009, 1010, 1011, 1512, 1513, 1514, 3000
    };
    size_t size;
    unsigned char *bytes;

    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    size = ends[(*state >> 33) % (sizeof(ends) / sizeof(ends[0]))];
    bytes = test_alloc(size + 1);
    memset(bytes, 'a', size);
    for (int i = 0; i < 3 && size > 0; i++) {
        *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        bytes[(*state >> 33) % size] = (*state >> 60) & 1 ? 'b' : '\0';
    }
    return (pdict_slice){ .data = bytes, .size = size };
}

static size_t without_doubles(pdict_slice *keys, size_t count)
{
    size_t kept = 0;

    qsort(keys, count, sizeof(*keys), compare_slices);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || compare(keys[kept - 1], keys[i]) != 0)
            keys[kept++] = keys[i];
    }
    return kept;
}

TEST(lmdb_keys, keys_of_every_length_come_in_byte_order_within_any_bounds)
{
    enum {
        COUNT = 600
    };
    void *self = open_store(test_path("store"));
    uint32_t map = make_map(self, "m");
    pdict_slice keys[COUNT], bounds[2];
    uint64_t state = 1;
    size_t count;
    void *txn = begin(self);

    for (size_t i = 0; i < COUNT; i++) {
        keys[i] = random_key(&state);
        put_in(self, txn, map, keys[i], text("value"));
    }
    count = without_doubles(keys, COUNT);
    commit(self, txn);
    txn = snapshot(self);
    check_both_ways(self, txn, map, keys, count, none, none);
    for (int i = 0; i < 60; i++) {
        for (int j = 0; j < 2; j++)
            bounds[j] = i % 2 == 0 ? random_key(&state) : keys[(state >> 20) % count];
        check_both_ways(self, txn, map, keys, count, bounds[0], bounds[1]);
        check_both_ways(self, txn, map, keys, count, bounds[0], none);
        check_both_ways(self, txn, map, keys, count, none, bounds[1]);
    }
    end_snapshot(self, txn);
    LMDB->close(self);
}

TEST(lmdb_keys, removing_keys_in_any_order_keeps_the_others)
{
    enum {
        COUNT = 200
    };
    void *self = open_store(test_path("store"));
    uint32_t map = make_map(self, "m");
    pdict_slice keys[COUNT];
    uint64_t state = 7;
    size_t count;
    void *txn = begin(self);

    for (size_t i = 0; i < COUNT; i++) {
        keys[i] = random_key(&state);
        put_in(self, txn, map, keys[i], text("value"));
    }
    for (count = without_doubles(keys, COUNT); count > 0; count--) {
        size_t gone = (state >> 13) % count;
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        del_in(self, txn, map, keys[gone]);
        memmove(&keys[gone], &keys[gone + 1], (count - 1 - gone) * sizeof(*keys));
        if (count % 10 == 1)
            check_both_ways(self, txn, map, keys, count - 1, none, none);
    }
    commit(self, txn);
    LMDB->close(self);
    CHECK_INT(records_in(test_path("store"), "rows"), 0);
    CHECK_INT(records_in(test_path("store"), "order"), 0);
}

TEST(lmdb_keys, a_dropped_map_leaves_no_record_of_its_long_keys_and_names)
{
    void *self = open_store(test_path("store"));
    uint32_t map = make_map(self, (const char *)filled(3001, 'n', 0x6e6e6e00).data);
    uint64_t state = 3;
    size_t before;
    void *txn;

    LMDB->close(self);
    before = records_in(test_path("store"), "system");
    self = open_store(test_path("store"));
    txn = begin(self);
    for (int i = 0; i < 100; i++) {
        pdict_slice key = random_key(&state);
        pdict_change change = put_change(key, text("value"));
        change.row.expires_ms = NOW + i;
        CHECK_OK(LMDB->apply(self, txn, map, &change, 1, NOW));
        CHECK_OK(LMDB->system_put(self, txn, map, key, text("value")));
    }
    commit(self, txn);
    txn = begin(self);
    CHECK_OK(LMDB->map_drop(self, txn, map));
    commit(self, txn);
    LMDB->close(self);
    CHECK_INT(records_in(test_path("store"), "rows"), 0);
    CHECK_INT(records_in(test_path("store"), "order"), 0);
    CHECK_INT(records_in(test_path("store"), "expiry"), 0);
    /* The last number given is all that stays; the name took six parts. */
    CHECK_INT(records_in(test_path("store"), "system"), 1);
    CHECK_INT(before, 1 + 2 + 6);
}

TEST(lmdb_keys, a_key_of_a_megabyte_is_one_key)
{
    void *self = open_store(test_path("store"));
    uint32_t map = make_map(self, "m");
    pdict_slice keys[2] = { filled(MIB, 'k', 1), filled(MIB, 'k', 2) };
    void *txn = begin(self);

    put_in(self, txn, map, keys[1], text("two"));
    put_in(self, txn, map, keys[0], text("one"));
    commit(self, txn);
    check_value(self, map, keys[0], text("one"));
    check_value(self, map, keys[1], text("two"));
    txn = begin(self);
    check_both_ways(self, txn, map, keys, 2, none, none);
    del_in(self, txn, map, keys[0]);
    check_both_ways(self, txn, map, &keys[1], 1, none, none);
    del_in(self, txn, map, keys[1]);
    commit(self, txn);
    LMDB->close(self);
    CHECK_INT(records_in(test_path("store"), "rows"), 0);
}

TEST(lmdb_keys, a_scan_in_a_transaction_meets_each_row_once_while_it_deletes_them)
{
    const unsigned orders[] = { 0, PDICT_SCAN_REVERSE, PDICT_SCAN_BY_KEY,
                                PDICT_SCAN_BY_KEY | PDICT_SCAN_REVERSE };
    void *self = open_store(test_path("store"));
    uint32_t map = make_map(self, "m");

    for (size_t i = 0; i < 4; i++) {
        pdict_scan scan = { .flags = orders[i] };
        void *txn = begin(self), *cursor = NULL;
        pdict_row row;
        for (uint32_t n = 0; n < 300; n++)
            put_in(self, txn, map, filled(n % 3 == 0 ? 1200 : 8, 'k', n), text("value"));
        CHECK_OK(LMDB->scan_open(self, txn, map, &scan, &cursor));
        for (uint32_t n = 0; n < 300; n++) {
            unsigned char key[1200];
            CHECK_OK(LMDB->scan_next(self, cursor, &row));
            memcpy(key, row.key.data, row.key.size);
            del_in(self, txn, map, (pdict_slice){ key, row.key.size });
        }
        CHECK_STATUS(LMDB->scan_next(self, cursor, &row), PDICT_END);
        LMDB->scan_close(self, cursor);
        commit(self, txn);
    }
    LMDB->close(self);
}

TEST(lmdb_keys, a_scan_in_a_transaction_meets_each_row_once_while_it_changes_them)
{
    const unsigned orders[] = { 0, PDICT_SCAN_REVERSE, PDICT_SCAN_BY_KEY,
                                PDICT_SCAN_BY_KEY | PDICT_SCAN_REVERSE };
    void *self = open_store(test_path("store"));
    uint32_t map = make_map(self, "m");
    void *txn = begin(self);

    for (uint32_t n = 0; n < 300; n++)
        put_in(self, txn, map, filled(n % 3 == 0 ? 1200 : 8, 'k', n), text("value"));
    for (size_t i = 0; i < 4; i++) {
        pdict_scan scan = { .flags = orders[i] };
        void *cursor = NULL;
        pdict_row row;
        CHECK_OK(LMDB->scan_open(self, txn, map, &scan, &cursor));
        for (uint32_t n = 0; n < 300; n++) {
            unsigned char key[1200];
            CHECK_OK(LMDB->scan_next(self, cursor, &row));
            memcpy(key, row.key.data, row.key.size);
            put_in(self, txn, map, (pdict_slice){ key, row.key.size }, filled(500 + n, 'v', n));
        }
        CHECK_STATUS(LMDB->scan_next(self, cursor, &row), PDICT_END);
        LMDB->scan_close(self, cursor);
    }
    commit(self, txn);
    LMDB->close(self);
}
