/* SPDX-License-Identifier: MIT */
/* What the tests of the SQLite backend share: stores opened through its vtable, rows, and SQL run
 * by the sqlite3 shell, which is a stranger to the backend's connections. */
#ifndef PDICT_SQLITE_FIXTURE_H
#define PDICT_SQLITE_FIXTURE_H

#include "test.h"

#include <pdict/ext/backend.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

extern const pdict_backend pdict__backend_sqlite;

#define SQLITE (&pdict__backend_sqlite)
#define NOW    INT64_C(1000000)

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

/* The places of the options, and as few pages in memory as make the engine work for them. */
static inline int open_flags(const char *path, unsigned flags, void **self)
{
    static const pdict_option_value options[] = { { .number = 1 << 20 },
                                                  { .number = 0 },
                                                  { .number = 0 } };
    pdict_backend_args args = {
        .struct_size = sizeof(args),
        .path = path,
        .flags = flags,
        .timeout_ms = 5000,
        .options = options,
        .allocator = { fixture_allocate, fixture_reallocate, fixture_release, NULL },
    };

    return SQLITE->open(&args, self);
}

static inline void touch(const char *path)
{
    if (access(path, F_OK) != 0)
        test_write_file(path, "", 0);
}

static inline void *open_store(const char *path)
{
    void *self = NULL;

    touch(path);
    CHECK_OK(open_flags(path, PDICT_BACKEND_CREATE, &self));
    return self;
}

static inline pdict_slice text(const char *text)
{
    return (pdict_slice){ .data = text, .size = strlen(text) };
}

static inline void *begin(void *self)
{
    void *txn = NULL;

    CHECK_OK(SQLITE->write_begin(self, PDICT_ORDERED, 5000, &txn));
    return txn;
}

/* A map of this name, made if it is new. */
static inline uint32_t make_map(void *self, const char *name)
{
    void *txn = begin(self);
    uint32_t map = 0;

    if (SQLITE->map_find(self, txn, text(name), &map) == PDICT_NO_MAP)
        CHECK_OK(SQLITE->map_create(self, txn, text(name), &map));
    CHECK_OK(SQLITE->write_commit(self, txn));
    return map;
}

static inline pdict_change put(const char *key, const char *value)
{
    return (pdict_change){
        .kind = PDICT_CHANGE_PUT,
        .status = 1,
        .row = { .key = text(key), .value = text(value), .version = 7, .created_ms = NOW },
    };
}

static inline pdict_change del(const char *key)
{
    return (pdict_change){ .kind = PDICT_CHANGE_DEL, .status = 1, .row = { .key = text(key) } };
}

static inline void apply(void *self, uint32_t map, pdict_change *changes, size_t count)
{
    void *txn = begin(self);

    CHECK_OK(SQLITE->apply(self, txn, map, changes, count, NOW));
    CHECK_OK(SQLITE->write_commit(self, txn));
}

static inline pdict_change apply_one(void *self, uint32_t map, pdict_change change)
{
    apply(self, map, &change, 1);
    return change;
}

static inline void *snapshot(void *self)
{
    void *reader = NULL;

    CHECK_OK(SQLITE->reader_open(self, &reader));
    CHECK_OK(SQLITE->reader_begin(self, reader));
    return reader;
}

static inline void end_snapshot(void *self, void *reader)
{
    SQLITE->reader_end(self, reader);
    SQLITE->reader_close(self, reader);
}

static inline uint64_t count_at(void *self, uint32_t map, int64_t now_ms)
{
    void *reader = snapshot(self);
    uint64_t count = 0;

    CHECK_OK(SQLITE->count(self, reader, map, now_ms, &count));
    end_snapshot(self, reader);
    return count;
}

WARM_UP()
{
    void *self = open_store(test_path("a.db"));
    uint32_t map = make_map(self, "main");

    apply_one(self, map, put("a", "value"));
    apply_one(self, map, del("a"));
    CHECK_INT(count_at(self, map, NOW), 0);
    SQLITE->close(self);
}

/* Run SQL in the sqlite3 shell; what it printed, without the last newline. */
static inline char *shell(const char *path, const char *sql)
{
    const char *script = test_path("shell.sql"), *output = test_path("shell.out");
    char command[1024], *printed;
    size_t size;

    if (system("command -v sqlite3 >/dev/null 2>&1") != 0)
        SKIP("the sqlite3 shell is not installed");
    test_write_file(script, sql, strlen(sql));
    snprintf(command, sizeof(command), "sqlite3 -batch '%s' <'%s' >'%s' 2>&1", path, script,
             output);
    (void)!system(command);
    printed = test_file(output, &size);
    if (size > 0 && printed[size - 1] == '\n')
        printed[size - 1] = '\0';
    return printed;
}

/* Key table, rows and count agree, and the file is sound. */
static inline void check_sound(const char *path, uint32_t map)
{
    char sql[1024];

    CHECK_STR(shell(path, "PRAGMA integrity_check;"), "ok");
    snprintf(sql, sizeof(sql),
             "SELECT (SELECT count(*) FROM kv_%u), (SELECT count(*) FROM kvk_%u) -"
             " (SELECT count(*) FROM kv_%u AS a JOIN kvk_%u AS b ON a.id = b.id AND a.key = b.key),"
             " (SELECT count(*) FROM kv_%u) - (SELECT live + max(0, (SELECT ifnull(max(id), 0)"
             " FROM kv_%u) - last_id) FROM pdict_map WHERE id = %u) FROM (SELECT 1)"
             " WHERE (SELECT count(*) FROM kv_%u) = (SELECT count(*) FROM kvk_%u);",
             map, map, map, map, map, map, map, map, map);
    CHECK_STR(strchr(shell(path, sql), '|'), "|0|0");
}

/* ---- the store's files, before and after ---- */

/* A directory for the store alone, so that its listing says what the store left there. */
static inline const char *alone(const char *name)
{
    mkdir(test_path("alone"), 0700);
    return test_path("alone/%s", name);
}

static inline char *listing(void)
{
    struct dirent **entries;
    int count = scandir(test_path("alone"), &entries, NULL, alphasort);
    char *names = test_alloc(4096);

    CHECK(count >= 0);
    names[0] = '\0';
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.') {
            strcat(names, entries[i]->d_name);
            strcat(names, " ");
        }
        free(entries[i]);
    }
    free(entries);
    return names;
}

static inline void check_same_bytes(const char *path, const char *before, size_t before_size)
{
    size_t size;
    char *bytes = test_file(path, &size);

    CHECK_BYTES(bytes, size, before, before_size);
}

static inline const char *store_with_rows(const char *name, int rows)
{
    const char *path = alone(name);
    void *self = open_store(path);
    uint32_t map = make_map(self, "main");

    for (int i = 0; i < rows; i++) {
        char *key = test_alloc(16);

        snprintf(key, 16, "key%d", i);
        apply_one(self, map, put(key, "a value of some length, so that there are pages of it"));
    }
    SQLITE->close(self);
    return path;
}

#endif
