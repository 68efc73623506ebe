/* SPDX-License-Identifier: MIT */
/* Checks, stores and short ways to use them, for the cases of the conformance suite. */
#include "conformance.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char mark[] = "no call of the backend has set a text";

static void end_case(int exit_code)
{
    fflush(stdout);
    _exit(exit_code);
}

void conformance_fail(const char *file, int line, const char *format, ...)
{
    va_list args;

    printf("    %s:%d: ", file, line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    end_case(EXIT_FAILURE);
    abort();
}

void conformance_skip(const char *reason)
{
    printf("    %s\n", reason);
    end_case(77);
    abort();
}

void conformance_status(const char *file, int line, const char *what, int status, int expected)
{
    if (status != expected)
        conformance_fail(file, line, "%s gave %s, not %s; the last error text is: %s", what,
                         pdict_status_name(status), pdict_status_name(expected),
                         pdict_error_text());
}

void conformance_int(const char *file, int line, const char *what, uint64_t value,
                     uint64_t expected)
{
    if (value != expected)
        conformance_fail(file, line, "%s is %lld, not %lld", what, (long long)value,
                         (long long)expected);
}

static bool is_same(pdict_slice a, pdict_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

void conformance_bytes(const char *file, int line, const char *what, pdict_slice bytes,
                       pdict_slice expected)
{
    if (!is_same(bytes, expected))
        conformance_fail(file, line, "%s: %zu bytes that differ from the %zu expected", what,
                         bytes.size, expected.size);
}

void conformance_mark_text(void)
{
    (void)pdict_fail(PDICT_INVAL, "%s", mark);
}

void conformance_text(const char *file, int line, const char *what, bool is_expected)
{
    bool is_left_alone = strcmp(pdict_error_text(), mark) == 0;

    if (is_expected && !is_left_alone)
        conformance_fail(file, line, "%s is an expected outcome, but set the text: %s", what,
                         pdict_error_text());
    if (!is_expected && (is_left_alone || pdict_error_text()[0] == '\0'))
        conformance_fail(file, line, "%s failed without an error text", what);
}

/* ---- bytes ---- */

/* Not freed one by one: a case is a process of its own. The list keeps them reachable. */
struct kept {
    struct kept *next;
    unsigned char bytes[];
};
static struct kept *_Atomic all_kept;

void *keep_bytes(const void *data, size_t size)
{
    struct kept *kept = malloc(sizeof(*kept) + size + 1);

    if (kept == NULL)
        FAIL("the suite itself is out of memory");
    kept->next = atomic_load(&all_kept);
    while (!atomic_compare_exchange_weak(&all_kept, &kept->next, kept)) {
    }
    if (data != NULL && size > 0)
        memcpy(kept->bytes, data, size);
    kept->bytes[size] = '\0';
    return kept->bytes;
}

pdict_slice keep_slice(pdict_slice bytes)
{
    return (pdict_slice){ .data = keep_bytes(bytes.data, bytes.size), .size = bytes.size };
}

pdict_slice long_bytes(size_t size, unsigned char first, uint32_t number)
{
    unsigned char *bytes = keep_bytes(NULL, size);

    memset(bytes, first, size);
    for (size_t i = 1; i <= 4 && i <= size; i++, number >>= 8)
        bytes[size - i] = (unsigned char)number;
    return (pdict_slice){ .data = bytes, .size = size };
}

pdict_slice number_key(unsigned number)
{
    char text[16];
    int size = snprintf(text, sizeof(text), "k%05u", number);

    return keep_slice((pdict_slice){ .data = text, .size = (size_t)size });
}

/* ---- the store ---- */

int try_open(struct subject *t, unsigned flags)
{
    pdict_backend_args args = { .struct_size = sizeof(args),
                                .path = t->path,
                                .flags = flags,
                                .timeout_ms = 5000,
                                .options = t->options,
                                .allocator = t->allocator };
    pdict_backend_args args_below = args;
    int status;

    args_below.options = t->options_below;
    if (t->below != NULL) {
        args.next = t->below;
        args.next_args = &args_below;
    }
    t->self = NULL;
    status = t->backend->open(&args, &t->self);
    if (status != PDICT_OK)
        CHECK(t->self == NULL);
    return status;
}

void open_store(struct subject *t, unsigned flags)
{
    CHECK_OK(try_open(t, flags));
    CHECK(t->self != NULL);
}

void close_store(struct subject *t)
{
    if (t->self != NULL)
        t->backend->close(t->self);
    t->self = NULL;
}

void reopen_store(struct subject *t)
{
    close_store(t);
    open_store(t, 0);
}

void *begin_read(struct subject *t)
{
    void *reader = NULL;

    CHECK_OK(t->backend->reader_open(t->self, &reader));
    CHECK_OK(t->backend->reader_begin(t->self, reader));
    return reader;
}

void end_read(struct subject *t, void *reader)
{
    t->backend->reader_end(t->self, reader);
    t->backend->reader_close(t->self, reader);
}

void *begin_write(struct subject *t)
{
    void *txn = NULL;

    CHECK_OK(t->backend->write_begin(t->self, PDICT_ORDERED, 5000, &txn));
    return txn;
}

void commit(struct subject *t, void *txn)
{
    CHECK_OK(t->backend->write_commit(t->self, txn));
}

void abort_write(struct subject *t, void *txn)
{
    t->backend->write_abort(t->self, txn);
}

uint32_t make_map(struct subject *t, const char *name)
{
    void *txn = begin_write(t);
    uint32_t map = 0;

    CHECK_OK(t->backend->map_create(t->self, txn,
                                    (pdict_slice){ .data = name, .size = strlen(name) }, &map));
    CHECK(map != 0);
    commit(t, txn);
    return map;
}

void put_now(struct subject *t, uint32_t map, pdict_slice key, pdict_slice value)
{
    void *txn = begin_write(t);

    put(t, txn, map, key, value);
    commit(t, txn);
}

void del_now(struct subject *t, uint32_t map, pdict_slice key)
{
    void *txn = begin_write(t);

    del(t, txn, map, key);
    commit(t, txn);
}

void fill_map(struct subject *t, uint32_t map, unsigned count)
{
    void *txn = begin_write(t);

    for (unsigned i = 0; i < count; i++)
        put(t, txn, map, number_key(i), TEXT("value"));
    commit(t, txn);
}

pdict_change change_put(pdict_slice key, pdict_slice value)
{
    return (pdict_change){
        .kind = PDICT_CHANGE_PUT,
        .status = PDICT_INVAL,
        .row = { .key = key, .value = value, .version = 1, .created_ms = NOW },
    };
}

pdict_change change_del(pdict_slice key)
{
    return (pdict_change){ .kind = PDICT_CHANGE_DEL, .status = PDICT_INVAL, .row.key = key };
}

int apply_one(struct subject *t, void *txn, uint32_t map, pdict_change *change, int64_t now_ms)
{
    CHECK_OK(t->backend->apply(t->self, txn, map, change, 1, now_ms));
    return change->status;
}

uint64_t put(struct subject *t, void *txn, uint32_t map, pdict_slice key, pdict_slice value)
{
    pdict_change change = change_put(key, value);

    CHECK_OK(apply_one(t, txn, map, &change, NOW));
    CHECK(change.row.id != 0);
    return change.row.id;
}

uint64_t put_expiring(struct subject *t, void *txn, uint32_t map, pdict_slice key,
                      int64_t expires_ms)
{
    pdict_change change = change_put(key, TEXT("expiring"));

    change.row.expires_ms = expires_ms;
    CHECK_OK(apply_one(t, txn, map, &change, NOW));
    return change.row.id;
}

void del(struct subject *t, void *txn, uint32_t map, pdict_slice key)
{
    pdict_change change = change_del(key);

    CHECK_OK(apply_one(t, txn, map, &change, NOW));
}

pdict_row row_of(struct subject *t, void *txn, uint32_t map, pdict_slice key)
{
    pdict_row row = { .id = 0 };

    CHECK_OK(t->backend->get(t->self, txn, map, key, &row));
    CHECK_BYTES(row.key, key);
    return row;
}

void check_value(struct subject *t, void *txn, uint32_t map, pdict_slice key, pdict_slice value)
{
    CHECK_BYTES(row_of(t, txn, map, key).value, value);
}

void check_absent(struct subject *t, void *txn, uint32_t map, pdict_slice key)
{
    pdict_row row = { .id = 0 };

    CHECK_EXPECTED(t->backend->get(t->self, txn, map, key, &row), PDICT_NOTFOUND);
}

uint64_t count_at(struct subject *t, void *txn, uint32_t map, int64_t now_ms)
{
    uint64_t count = UINT64_MAX;

    CHECK_OK(t->backend->count(t->self, txn, map, now_ms, &count));
    return count;
}

struct rows scan_rows(struct subject *t, void *txn, uint32_t map, const pdict_scan *scan)
{
    struct rows rows = { 0 };
    size_t capacity = 0;
    void *cursor = NULL;
    pdict_row row = { .id = 0 };
    int status;

    CHECK_OK(t->backend->scan_open(t->self, txn, map, scan, &cursor));
    while ((status = t->backend->scan_next(t->self, cursor, &row)) == PDICT_OK) {
        if (rows.count == capacity) {
            pdict_row *grown = keep_bytes(NULL, (capacity * 2 + 16) * sizeof(*grown));
            if (rows.count > 0)
                memcpy(grown, rows.row, rows.count * sizeof(*grown));
            rows.row = grown;
            capacity = capacity * 2 + 16;
        }
        row.key = keep_slice(row.key);
        if (!(scan->flags & PDICT_SCAN_NO_VALUES))
            row.value = keep_slice(row.value);
        rows.row[rows.count++] = row;
    }
    CHECK_STATUS(status, PDICT_END);
    t->backend->scan_close(t->self, cursor);
    return rows;
}

void check_same_rows(struct rows rows, struct rows expected)
{
    CHECK_INT(rows.count, expected.count);
    for (size_t i = 0; i < rows.count; i++) {
        CHECK_BYTES(rows.row[i].key, expected.row[i].key);
        CHECK_BYTES(rows.row[i].value, expected.row[i].value);
        CHECK_INT(rows.row[i].version, expected.row[i].version);
        CHECK_INT(rows.row[i].created_ms, expected.row[i].created_ms);
        CHECK_INT(rows.row[i].expires_ms, expected.row[i].expires_ms);
    }
}

const char *scan_keys(struct subject *t, void *txn, uint32_t map, pdict_scan scan)
{
    struct rows rows = scan_rows(t, txn, map, &scan);
    size_t size = 0;
    char *text, *at;

    for (size_t i = 0; i < rows.count; i++)
        size += rows.row[i].key.size + 1;
    text = at = keep_bytes(NULL, size);
    for (size_t i = 0; i < rows.count; i++) {
        if (i > 0)
            *at++ = ',';
        memcpy(at, rows.row[i].key.data, rows.row[i].key.size);
        at += rows.row[i].key.size;
    }
    *at = '\0';
    return text;
}

/* ---- a store with something of everything ---- */

void fill_store(struct subject *t)
{
    uint32_t map = make_map(t, "m");
    void *txn;

    fill_map(t, map, 200);
    txn = begin_write(t);
    put_expiring(t, txn, map, TEXT("expiring"), NOW + 5);
    put(t, txn, map, long_bytes(5000, 'k', 1), long_bytes(100000, 'v', 1));
    del(t, txn, map, number_key(100));
    CHECK_OK(t->backend->system_put(t->self, txn, map, TEXT("name"), TEXT("of the map")));
    CHECK_OK(t->backend->system_put(t->self, txn, 0, TEXT("name"), TEXT("of the store")));
    commit(t, txn);
}

uint32_t check_store(struct subject *t)
{
    void *reader = begin_read(t);
    pdict_slice value = { 0 };
    uint32_t map = 0;

    CHECK_OK(t->backend->map_find(t->self, reader, TEXT("m"), &map));
    CHECK_INT(count_at(t, reader, map, NOW), 201);
    CHECK_INT(count_at(t, reader, map, NOW + 5), 200);
    CHECK_INT(row_of(t, reader, map, TEXT("expiring")).expires_ms, NOW + 5);
    check_value(t, reader, map, long_bytes(5000, 'k', 1), long_bytes(100000, 'v', 1));
    check_absent(t, reader, map, number_key(100));
    CHECK_INT(scan_rows(t, reader, map, &(pdict_scan){ .flags = 0 }).count, 201);
    CHECK_OK(t->backend->system_get(t->self, reader, map, TEXT("name"), &value));
    CHECK_BYTES(value, TEXT("of the map"));
    CHECK_OK(t->backend->system_get(t->self, reader, 0, TEXT("name"), &value));
    CHECK_BYTES(value, TEXT("of the store"));
    end_read(t, reader);
    return map;
}

pdict_slice read_file(const char *path)
{
    int file = open(path, O_RDONLY);
    struct stat stat;
    unsigned char *bytes;

    CHECK(file >= 0 && fstat(file, &stat) == 0);
    bytes = keep_bytes(NULL, (size_t)stat.st_size);
    CHECK(read(file, bytes, (size_t)stat.st_size) == stat.st_size && close(file) == 0);
    return (pdict_slice){ .data = bytes, .size = (size_t)stat.st_size };
}

/* ---- random numbers: SplitMix64 ---- */

uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t random_below(uint64_t *state, uint64_t limit)
{
    return random_next(state) % limit;
}
