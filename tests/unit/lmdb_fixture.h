/* SPDX-License-Identifier: MIT */
/* What the tests of the LMDB backend share: stores opened through its vtable, rows, children, and
 * LMDB itself as a stranger that looks into the file. */
#ifndef PDICT_LMDB_FIXTURE_H
#define PDICT_LMDB_FIXTURE_H

#include "test.h"

#include <pdict/ext/backend.h>

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern const pdict_backend pdict__backend_lmdb;

#define LMDB (&pdict__backend_lmdb)
#define NOW  INT64_C(1000000)
#define MIB  (INT64_C(1) << 20)

static void *fixture_allocate(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void *fixture_reallocate(void *ctx, void *memory, size_t size)
{
    (void)ctx;
    return realloc(memory, size);
}

static void fixture_release(void *ctx, void *memory)
{
    (void)ctx;
    free(memory);
}

struct how {
    unsigned flags;
    int64_t reserve; /* 0: 1 GiB */
    bool preflight;
    int64_t timeout_ms; /* 0: 5 s */
};

static inline int try_open(const char *path, struct how how, void **self)
{
    pdict_option_value options[] = { { .number = how.reserve != 0 ? how.reserve : 1024 * MIB },
                                     { .number = how.preflight },
                                     { .number = 0 } };
    pdict_backend_args args = {
        .struct_size = sizeof(args),
        .path = path,
        .flags = how.flags,
        .timeout_ms = how.timeout_ms != 0 ? how.timeout_ms : 5000,
        .options = options,
        .allocator = { fixture_allocate, fixture_reallocate, fixture_release, NULL },
    };

    return LMDB->open(&args, self);
}

/* What was opened last stays reachable, so that it is no leak of a child that ends in the middle. */
static inline void *keep(void *opened)
{
    static _Thread_local void *kept[8];
    static _Thread_local unsigned turn;

    return kept[turn++ % 8] = opened;
}

static inline void *open_how(const char *path, struct how how)
{
    void *self = NULL;

    if (how.flags & PDICT_BACKEND_CREATE && access(path, F_OK) != 0)
        test_write_file(path, "", 0);
    CHECK_OK(try_open(path, how, &self));
    return keep(self);
}

static inline void *open_store(const char *path)
{
    return open_how(path, (struct how){ .flags = PDICT_BACKEND_CREATE });
}

static inline pdict_slice text(const char *text)
{
    return (pdict_slice){ .data = text, .size = strlen(text) };
}

/* `size` bytes, all `fill`, but the last four are `number`, big-endian. */
static inline pdict_slice filled(size_t size, unsigned char fill, uint32_t number)
{
    unsigned char *bytes = test_alloc(size);

    memset(bytes, fill, size);
    for (size_t i = 1; i <= 4 && i <= size; i++, number >>= 8)
        bytes[size - i] = (unsigned char)number;
    return (pdict_slice){ .data = bytes, .size = size };
}

static inline void *begin(void *self)
{
    void *txn = NULL;

    CHECK_OK(LMDB->write_begin(self, PDICT_ORDERED, 5000, &txn));
    return txn;
}

static inline void commit(void *self, void *txn)
{
    CHECK_OK(LMDB->write_commit(self, txn));
}

/* A map of this name, made if it is new. */
static inline uint32_t make_map(void *self, const char *name)
{
    void *txn = begin(self);
    uint32_t map = 0;

    if (LMDB->map_find(self, txn, text(name), &map) == PDICT_NO_MAP)
        CHECK_OK(LMDB->map_create(self, txn, text(name), &map));
    commit(self, txn);
    return map;
}

static inline pdict_change put_change(pdict_slice key, pdict_slice value)
{
    return (pdict_change){
        .kind = PDICT_CHANGE_PUT,
        .status = 1,
        .row = { .key = key, .value = value, .version = 7, .created_ms = NOW },
    };
}

static inline void put_in(void *self, void *txn, uint32_t map, pdict_slice key, pdict_slice value)
{
    pdict_change change = put_change(key, value);

    CHECK_OK(LMDB->apply(self, txn, map, &change, 1, NOW));
    CHECK_OK(change.status);
}

static inline void del_in(void *self, void *txn, uint32_t map, pdict_slice key)
{
    pdict_change change = { .kind = PDICT_CHANGE_DEL, .status = 1, .row.key = key };

    CHECK_OK(LMDB->apply(self, txn, map, &change, 1, NOW));
    CHECK_OK(change.status);
}

static inline void put(void *self, uint32_t map, pdict_slice key, pdict_slice value)
{
    void *txn = begin(self);

    put_in(self, txn, map, key, value);
    commit(self, txn);
}

static inline void *snapshot(void *self)
{
    void *reader = NULL;

    CHECK_OK(LMDB->reader_open(self, &reader));
    CHECK_OK(LMDB->reader_begin(self, reader));
    return keep(reader);
}

static inline void end_snapshot(void *self, void *reader)
{
    LMDB->reader_end(self, reader);
    LMDB->reader_close(self, reader);
}

static inline void check_value(void *self, uint32_t map, pdict_slice key, pdict_slice value)
{
    void *reader = snapshot(self);
    pdict_row row;

    CHECK_OK(LMDB->get(self, reader, map, key, &row));
    CHECK_BYTES(row.value.data, row.value.size, value.data, value.size);
    end_snapshot(self, reader);
}

WARM_UP()
{
    void *self = open_store(test_path("store"));
    uint32_t map = make_map(self, "main");

    put(self, map, text("a"), text("value"));
    check_value(self, map, text("a"), text("value"));
    LMDB->close(self);
}

/* Runs in a child; a failed CHECK there is one here. Returns the wait status. */
static inline int in_child(void (*body)(const char *path), const char *path)
{
    int wait_status = 0;
    pid_t child;

    fflush(NULL);
    CHECK((child = fork()) >= 0);
    if (child == 0) {
        body(path);
        /* What the parent had open is not the child's to close, and no leak of its own either. */
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    CHECK(waitpid(child, &wait_status, 0) == child);
    return wait_status;
}

/* How many records a table of a closed store has. */
static inline size_t records_in(const char *path, const char *table)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_stat facts;

    CHECK_INT(mdb_env_create(&env), 0);
    CHECK_INT(mdb_env_set_maxdbs(env, 8), 0);
    CHECK_INT(mdb_env_set_mapsize(env, 1024 * MIB), 0);
    CHECK_INT(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_RDONLY, 0600), 0);
    CHECK_INT(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
    CHECK_INT(mdb_dbi_open(txn, table, 0, &dbi), 0);
    CHECK_INT(mdb_stat(txn, dbi, &facts), 0);
    mdb_txn_abort(txn);
    mdb_env_close(env);
    return facts.ms_entries;
}

#endif
