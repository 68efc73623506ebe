/* SPDX-License-Identifier: MIT */
/* What the cases of the conformance suite share: checks, a fresh store each, short ways to use it. */
#ifndef PDICT_CONFORMANCE_H
#define PDICT_CONFORMANCE_H

#include <pdict/ext/backend.h>

#include <string.h>

enum {
    MAX_PATH = 1024,
    MAX_OPTIONS = 64
};

/* What a case may need from a backend beyond the required members. */
enum need {
    NEED_FILE = 1 << 0,          /* PDICT_CAP_FILE */
    NEED_MULTI_PROCESS = 1 << 1, /* PDICT_CAP_MULTI_PROCESS */
    NEED_WATCH = 1 << 2,
    NEED_LOG = 1 << 3, /* log_bytes and checkpoint */
    NEED_SYNC = 1 << 4,
    NEED_PROBE = 1 << 5,
    NEED_LIBRARY = 1 << 6,
    NEED_CHECK = 1 << 7,
    NEED_BACKUP = 1 << 8,
    NEED_COMPACT = 1 << 9,
    NEED_TRIM = 1 << 10,
    NEED_BATCH = 1 << 11,
    NEED_NEXT = 1 << 12, /* watch and is_next */
    NEED_RESERVE = 1 << 13,
    NEED_ACCESS = 1 << 14,
    NEED_CLOSED = 1 << 15, /* of the suite: the case opens the store itself */
    NEED_SAME = 1 << 16    /* watch and is_same */
};

/* The backend under test and the store of one case, in an empty directory of its own. */
struct subject {
    const pdict_backend *backend;
    pdict_option_value options[MAX_OPTIONS]; /* the defaults of the backend's specs */
    const pdict_backend *below;              /* when the backend is a layer, else NULL */
    pdict_option_value options_below[MAX_OPTIONS];
    pdict_allocator allocator;
    char directory[MAX_PATH];
    char path[MAX_PATH];
    void *self; /* the open store, or NULL */
    uint64_t seed;
};

struct test_case {
    const char *name;
    void (*run)(struct subject *t);
    unsigned needs;
};

/* clang-format off */
#define CASE(function, needs_) { .name = #function, .run = function, .needs = (needs_) }
/* clang-format on */

/* One table a file of cases; each ends with a row whose name is NULL. */
extern const struct test_case backend_table_cases[];
extern const struct test_case backend_open_cases[];
extern const struct test_case backend_memory_cases[];
extern const struct test_case backend_process_cases[];
extern const struct test_case backend_rows_cases[];
extern const struct test_case backend_apply_cases[];
extern const struct test_case backend_reserve_cases[];
extern const struct test_case backend_expiry_cases[];
extern const struct test_case backend_scan_cases[];
extern const struct test_case backend_times_cases[];
extern const struct test_case backend_order_cases[];
extern const struct test_case backend_maps_cases[];
extern const struct test_case backend_system_cases[];
extern const struct test_case backend_txn_cases[];
extern const struct test_case backend_threads_cases[];
extern const struct test_case backend_log_cases[];
extern const struct test_case backend_backup_cases[];
extern const struct test_case backend_upkeep_cases[];
extern const struct test_case backend_compact_cases[];
extern const struct test_case backend_model_cases[];

/* ---- checks: each ends the case when it does not hold; callable on any thread ---- */

_Noreturn void conformance_fail(const char *file, int line, const char *format, ...)
    PDICT_PRINTF(3, 4);
_Noreturn void conformance_skip(const char *reason);
void conformance_status(const char *file, int line, const char *what, int status, int expected);
void conformance_int(const char *file, int line, const char *what, uint64_t value,
                     uint64_t expected);
void conformance_bytes(const char *file, int line, const char *what, pdict_slice bytes,
                       pdict_slice expected);
void conformance_mark_text(void);
void conformance_text(const char *file, int line, const char *what, bool is_expected);

#define FAIL(...) conformance_fail(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            FAIL("%s does not hold", #condition);                                                  \
    } while (0)
#define CHECK_STATUS(call, expected)                                                               \
    conformance_status(__FILE__, __LINE__, #call, (call), (expected))
#define CHECK_OK(call) CHECK_STATUS(call, PDICT_OK)
#define CHECK_INT(value, expected)                                                                 \
    conformance_int(__FILE__, __LINE__, #value, (uint64_t)(value), (uint64_t)(expected))
#define CHECK_BYTES(bytes, expected) conformance_bytes(__FILE__, __LINE__, #bytes, bytes, expected)

/* An expected outcome: this status, and the error text is left alone. */
#define CHECK_EXPECTED(call, expected)                                                             \
    do {                                                                                           \
        conformance_mark_text();                                                                   \
        CHECK_STATUS(call, expected);                                                              \
        conformance_text(__FILE__, __LINE__, #call, true);                                         \
    } while (0)

/* A failure: this status, and an error text of its own. */
#define CHECK_FAILURE(call, expected)                                                              \
    do {                                                                                           \
        conformance_mark_text();                                                                   \
        CHECK_STATUS(call, expected);                                                              \
        conformance_text(__FILE__, __LINE__, #call, false);                                        \
    } while (0)

/* ---- bytes ---- */

/* A slice of a string literal, with the NULs inside it. */
#define TEXT(literal) ((pdict_slice){ .data = (literal), .size = sizeof(literal) - 1 })

/* Memory of the case; it is given back when the case ends. */
void *keep_bytes(const void *data, size_t size);
pdict_slice keep_slice(pdict_slice bytes);

/* `size` bytes, all `first`, the last four spelling `number` big-endian where there is room. */
pdict_slice long_bytes(size_t size, unsigned char first, uint32_t number);

/* "k00042" and the like. */
pdict_slice number_key(unsigned number);

/* ---- the store ---- */

enum {
    NOW = 1000000
}; /* ms; nothing in the suite reads a clock */

int try_open(struct subject *t, unsigned flags);
void open_store(struct subject *t, unsigned flags);
void close_store(struct subject *t);
void reopen_store(struct subject *t);

void *begin_read(struct subject *t);
void end_read(struct subject *t, void *reader);
void *begin_write(struct subject *t);
void commit(struct subject *t, void *txn);
void abort_write(struct subject *t, void *txn);

/* Each in a transaction of its own. */
uint32_t make_map(struct subject *t, const char *name);
void put_now(struct subject *t, uint32_t map, pdict_slice key, pdict_slice value);
void del_now(struct subject *t, uint32_t map, pdict_slice key);
/* Rows with the keys number_key(0) .. number_key(count - 1), inserted in this order. */
void fill_map(struct subject *t, uint32_t map, unsigned count);

pdict_change change_put(pdict_slice key, pdict_slice value);
pdict_change change_del(pdict_slice key);

/* Make one change and return its status; the call itself must succeed. */
int apply_one(struct subject *t, void *txn, uint32_t map, pdict_change *change, int64_t now_ms);
/* Unconditional; must succeed. put returns the row's id. */
uint64_t put(struct subject *t, void *txn, uint32_t map, pdict_slice key, pdict_slice value);
uint64_t put_expiring(struct subject *t, void *txn, uint32_t map, pdict_slice key,
                      int64_t expires_ms);
void del(struct subject *t, void *txn, uint32_t map, pdict_slice key);

/* The row must be there. */
pdict_row row_of(struct subject *t, void *txn, uint32_t map, pdict_slice key);
void check_value(struct subject *t, void *txn, uint32_t map, pdict_slice key, pdict_slice value);
void check_absent(struct subject *t, void *txn, uint32_t map, pdict_slice key);
uint64_t count_at(struct subject *t, void *txn, uint32_t map, int64_t now_ms);

/* Rows copied out of a scan; they live as long as the case. */
struct rows {
    pdict_row *row;
    size_t count;
};
struct rows scan_rows(struct subject *t, void *txn, uint32_t map, const pdict_scan *scan);
void check_same_rows(struct rows rows, struct rows expected);

/* The keys of a scan, joined by commas. */
const char *scan_keys(struct subject *t, void *txn, uint32_t map, pdict_scan scan);
#define CHECK_KEYS(t, txn, map, scan, expected)                                                    \
    do {                                                                                           \
        const char *keys_ = scan_keys(t, txn, map, scan);                                          \
        if (strcmp(keys_, expected) != 0)                                                          \
            FAIL("the scan gave \"%s\", not \"%s\"", keys_, expected);                             \
    } while (0)

/* ---- a store with something of everything, and what must be in it; returns its map ---- */

void fill_store(struct subject *t);
uint32_t check_store(struct subject *t);
pdict_slice read_file(const char *path);

/* ---- random numbers: the same stream on every machine ---- */

uint64_t random_next(uint64_t *state);
uint64_t random_below(uint64_t *state, uint64_t limit);

#endif
