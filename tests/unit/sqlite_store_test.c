/* SPDX-License-Identifier: MIT */
/* An SQLite store as a whole: its maps and how people see them, change token, log, upkeep. */
#include "sqlite_fixture.h"

/* ---- maps, and how they look in the sqlite3 shell ---- */

TEST(sqlite_store, map_is_readable_in_the_shell_under_its_own_name)
{
    const char *path = test_path("a.db");
    void *self = open_store(path);
    uint32_t map = make_map(self, "users");
    pdict_change change = put("ann", "12345");

    change.row.created_ms = INT64_C(1700000000123);
    change.row.expires_ms = INT64_C(1800000000000);
    apply_one(self, map, change);
    SQLITE->close(self);
    CHECK_STR(shell(path, "SELECT * FROM users;"),
              "ann|2023-11-14 22:13:20|2027-01-15 08:00:00|7|5");
}

TEST(sqlite_store, every_name_makes_a_map_and_a_view)
{
    static const char *const names[] = {
        "it's \"quoted\"",
        "[x]; DROP TABLE pdict_map; --",
        "users",
        "Users",
        "kv_1",
        "KVK_2",
        "sqlite_schema",
        "pdict_map",
        "select",
        "%s %d",
        "map_3",
        "\xc3\xa9",
    };
    enum {
        COUNT = sizeof(names) / sizeof(names[0])
    };
    const char *path = test_path("a.db");
    void *self = open_store(path), *reader;
    uint32_t map, found;

    for (uint32_t i = 0; i < COUNT; i++) {
        map = make_map(self, names[i]);
        CHECK_INT(map, i + 1);
        apply_one(self, map, put(names[i], "v"));
    }
    SQLITE->close(self);
    self = open_store(path);
    reader = snapshot(self);
    for (uint32_t i = 0; i < COUNT; i++) {
        CHECK_OK(SQLITE->map_find(self, reader, text(names[i]), &found));
        CHECK_INT(found, i + 1);
    }
    end_snapshot(self, reader);
    SQLITE->close(self);
    CHECK_STR(shell(path, "SELECT group_concat(view, '/') FROM (SELECT view FROM pdict_map"
                          " ORDER BY id);"),
              "it's \"quoted\"/[x]; DROP TABLE pdict_map; --/users/map_4/map_5/map_6/map_7/map_8/"
              "select/%s %d/map_11/\xc3\xa9");
    CHECK_STR(shell(path, "SELECT key FROM \"it's \"\"quoted\"\"\" UNION ALL"
                          " SELECT key FROM map_4;"),
              "it's \"quoted\"\nUsers");
}

TEST(sqlite_store, renamed_and_dropped_maps_leave_nothing_behind)
{
    const char *path = test_path("a.db");
    void *self = open_store(path), *txn;
    uint32_t one = make_map(self, "one"), two = make_map(self, "two"), map;

    txn = begin(self);
    CHECK_OK(SQLITE->system_put(self, txn, two, text("x"), text("1")));
    CHECK_INT(SQLITE->map_rename(self, txn, one, text("two")), PDICT_EXISTS);
    CHECK_OK(SQLITE->map_rename(self, txn, one, text("uno")));
    CHECK_OK(SQLITE->map_drop(self, txn, two));
    CHECK_OK(SQLITE->write_commit(self, txn));
    CHECK_INT(make_map(self, "two"), 3);
    txn = begin(self);
    CHECK_STATUS(SQLITE->map_drop(self, txn, two), PDICT_NO_MAP);
    CHECK_INT(SQLITE->map_find(self, txn, text("one"), &map), PDICT_NO_MAP);
    SQLITE->write_abort(self, txn);
    SQLITE->close(self);
    CHECK_STR(shell(path, "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')"
                          " AND name NOT LIKE 'sqlite%' ORDER BY name;"
                          "SELECT count(*) FROM pdict_system;"),
              "kv_1\nkv_3\nkvk_1\nkvk_3\npdict_map\npdict_system\ntwo\nuno\n0");
    SQLITE->close(open_store(path));
}

TEST(sqlite_store, reader_of_a_dropped_map_is_told_so)
{
    void *self = open_store(test_path("a.db")), *txn, *reader;
    uint32_t map = make_map(self, "main");
    pdict_row row;
    uint64_t count;

    apply_one(self, map, put("a", "1"));
    reader = snapshot(self);
    CHECK_OK(SQLITE->get(self, reader, map, text("a"), &row));
    txn = begin(self);
    CHECK_OK(SQLITE->map_drop(self, txn, map));
    CHECK_OK(SQLITE->write_commit(self, txn));
    /* The snapshot is older than that. */
    CHECK_OK(SQLITE->get(self, reader, map, text("a"), &row));
    SQLITE->reader_end(self, reader);
    CHECK_OK(SQLITE->reader_begin(self, reader));
    CHECK_STATUS(SQLITE->get(self, reader, map, text("a"), &row), PDICT_NO_MAP);
    CHECK_STATUS(SQLITE->count(self, reader, map, NOW, &count), PDICT_NO_MAP);
    end_snapshot(self, reader);
    SQLITE->close(self);
}

/* ---- the change token, and the log ---- */

TEST(sqlite_store, token_moves_with_own_and_foreign_commits_and_with_nothing_else)
{
    const char *path = test_path("a.db");
    void *self = open_store(path), *txn;
    uint32_t map = make_map(self, "main");
    const volatile uint64_t *words[2] = { NULL, NULL };
    pdict_change change = put("b", "1");
    uint64_t seen;

    CHECK_OK(SQLITE->watch(self, words));
    seen = *words[0] ^ *words[1];
    CHECK_INT(count_at(self, map, NOW), 0);
    txn = begin(self);
    CHECK_OK(SQLITE->apply(self, txn, map, &change, 1, NOW));
    SQLITE->write_abort(self, txn);
    CHECK(seen == (*words[0] ^ *words[1]));
    apply_one(self, map, put("a", "1"));
    CHECK(seen != (*words[0] ^ *words[1]));
    seen = *words[0] ^ *words[1];
    CHECK_STR(shell(path, "DELETE FROM kv_1;"), "");
    CHECK(seen != (*words[0] ^ *words[1]));
    SQLITE->close(self);
}

TEST(sqlite_store, checkpoint_folds_the_log_in_and_gives_its_space_back)
{
    void *self = open_store(test_path("a.db"));
    uint32_t map = make_map(self, "main");
    pdict_backend_stat stat = { .struct_size = sizeof(stat) };

    apply_one(self, map, put("a", "1"));
    CHECK(SQLITE->log_bytes(self) >= 4096);
    CHECK_OK(SQLITE->sync(self));
    CHECK_OK(SQLITE->checkpoint(self, false));
    CHECK_OK(SQLITE->checkpoint(self, true));
    CHECK_INT(SQLITE->log_bytes(self), 0);
    CHECK_OK(SQLITE->stat(self, &stat));
    CHECK_INT(stat.log_bytes, 0);
    CHECK_INT(stat.format_version, 1);
    CHECK(stat.file_bytes > 4096);
    CHECK_STR(stat.detail,
              "wal, page_size 4096, auto_vacuum 2, cache 1024 KiB, mmap 0 B, secure_delete 0");
    SQLITE->close(self);
}

/* ---- upkeep ---- */

struct findings {
    int count;
    char key[32];
    char text[128];
};

static int note_finding(void *ctx, pdict_slice key, const char *sentence)
{
    struct findings *findings = ctx;

    findings->count++;
    snprintf(findings->key, sizeof(findings->key), "%.*s", (int)key.size,
             key.data != NULL ? (const char *)key.data : "");
    snprintf(findings->text, sizeof(findings->text), "%s", sentence);
    return PDICT_OK;
}

static int note_progress(void *ctx, uint64_t done, uint64_t total)
{
    (void)ctx;
    return done <= total ? PDICT_OK : PDICT_INVAL;
}

static struct findings check_map(void *self, uint32_t map)
{
    struct findings findings = { .count = 0 };
    pdict_backend_events events = { .struct_size = sizeof(events),
                                    .ctx = &findings,
                                    .progress = note_progress,
                                    .finding = note_finding };
    void *reader = snapshot(self);

    CHECK_OK(SQLITE->check(self, reader, map, &events));
    end_snapshot(self, reader);
    return findings;
}

TEST(sqlite_store, check_finds_keys_without_row_and_rows_missing_in_the_index)
{
    const char *path = test_path("a.db");
    void *self = open_store(path);
    uint32_t map = make_map(self, "main");
    pdict_change expiring = put("b", "1");

    expiring.row.expires_ms = NOW + 5;
    apply_one(self, map, put("a", "1"));
    apply_one(self, map, expiring);
    CHECK_INT(check_map(self, 0).count, 0);
    CHECK_INT(check_map(self, map).count, 0);
    CHECK_STR(shell(path, "INSERT INTO kvk_1 VALUES (x'7a', 99);"), "");
    CHECK_INT(check_map(self, map).count, 1);
    CHECK_STR(check_map(self, map).key, "z");
    CHECK_STR(shell(path, "UPDATE kvk_1 SET id = 2 WHERE key = x'7a';"), "");
    CHECK_INT(check_map(self, map).count, 1);
    SQLITE->close(self);
    /* An index of another condition is emptied, then declared to be ours. */
    CHECK_STR(shell(path, "DELETE FROM kvk_1 WHERE key = x'7a'; DROP INDEX kv_1_expires;"
                          "CREATE INDEX kv_1_expires ON kv_1(expires_ms) WHERE expires_ms < 0;"
                          "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = 'CREATE INDEX"
                          " kv_1_expires ON kv_1(expires_ms) WHERE expires_ms <> 0' WHERE name ="
                          " 'kv_1_expires';"),
              "");
    self = open_store(path);
    CHECK(check_map(self, 0).count > 0);
    CHECK(strstr(check_map(self, 0).text, "kv_1_expires") != NULL);
    SQLITE->close(self);
}

TEST(sqlite_store, backup_is_a_store_as_of_its_beginning_and_stands_alone)
{
    pdict_backend_events events = { .struct_size = sizeof(events), .progress = note_progress };
    const char *copy = test_path("copy.db");
    void *self = open_store(test_path("a.db")), *txn;
    uint32_t map = make_map(self, "main");
    pdict_change change = put("b", "1");

    apply_one(self, map, put("a", "1"));
    txn = begin(self);
    CHECK_OK(SQLITE->apply(self, txn, map, &change, 1, NOW));
    touch(copy);
    CHECK_OK(SQLITE->backup(self, copy, &events));
    CHECK_OK(SQLITE->write_commit(self, txn));
    SQLITE->close(self);
    CHECK(access(test_path("copy.db-wal"), F_OK) != 0);
    CHECK(access(test_path("copy.db-journal"), F_OK) != 0);
    CHECK_OK(open_flags(copy, PDICT_BACKEND_READ_ONLY, &self));
    CHECK_INT(count_at(self, map, NOW), 1);
    SQLITE->close(self);
    check_sound(copy, map);
}

/* As many rows of a page each. */
static void put_pages(void *self, uint32_t map, int rows)
{
    char *value = test_alloc(4001);

    memset(value, 'v', 4000);
    value[4000] = '\0';
    for (int i = 0; i < rows; i++) {
        char key[16];

        snprintf(key, sizeof(key), "k%d", i);
        apply_one(self, map, put(key, value));
    }
}

static void del_pages(void *self, uint32_t map, int rows)
{
    for (int i = 0; i < rows; i++) {
        char key[16];

        snprintf(key, sizeof(key), "k%d", i);
        apply_one(self, map, del(key));
    }
}

static uint64_t folded_bytes(void *self)
{
    pdict_backend_stat stat = { .struct_size = sizeof(stat) };

    CHECK_OK(SQLITE->checkpoint(self, true));
    CHECK_OK(SQLITE->stat(self, &stat));
    return stat.file_bytes;
}

TEST(sqlite_store, compact_makes_the_file_smaller_in_steps)
{
    enum {
        ROWS = 300,
        STEP = 64 * 4096
    };
    void *self = open_store(test_path("a.db"));
    uint32_t map = make_map(self, "main");
    uint64_t left = 1, last = UINT64_MAX, before;
    int steps = 0;

    put_pages(self, map, ROWS);
    del_pages(self, map, ROWS);
    before = folded_bytes(self);
    while (left > 0) {
        CHECK_OK(SQLITE->compact(self, STEP, 0, &left));
        CHECK(left < last);
        last = left;
        steps++;
    }
    CHECK(steps > 3);
    CHECK(folded_bytes(self) < before / 4);
    apply_one(self, map, put("a", "1"));
    CHECK_INT(count_at(self, map, NOW), 1);
    SQLITE->close(self);
    check_sound(test_path("a.db"), map);
}

TEST(sqlite_store, compact_makes_a_file_with_another_auto_vacuum_smaller_and_sets_it_back)
{
    static const char *const others[] = { "PRAGMA auto_vacuum=0; VACUUM;",
                                          "PRAGMA auto_vacuum=1; VACUUM;" };
    const char *path = test_path("a.db");

    for (int i = 0; i < 2; i++) {
        void *self = open_store(path), *reader;
        uint32_t map = make_map(self, "main");
        uint64_t left = 1, before;

        put_pages(self, map, 300);
        apply_one(self, map, put("kept", "value"));
        before = folded_bytes(self);
        SQLITE->close(self);
        CHECK_STR(shell(path, others[i]), "");
        self = open_store(path);
        reader = snapshot(self);
        end_snapshot(self, reader);
        del_pages(self, map, 300);
        CHECK_OK(SQLITE->compact(self, UINT64_C(1) << 20, 0, &left));
        CHECK_INT(left, 0);
        CHECK(folded_bytes(self) < before / 4);
        CHECK_INT(count_at(self, map, NOW), 1);
        CHECK(apply_one(self, map, put("new", "value")).row.id > 301);
        SQLITE->close(self);
        if (i == 0)
            CHECK_STR(shell(path, "PRAGMA auto_vacuum;"), "2");
        check_sound(path, map);
        unlink(path);
    }
}

TEST(sqlite_store, compact_of_a_file_without_auto_vacuum_is_refused_as_in_others)
{
    const char *path = test_path("a.db");
    void *self = open_store(path), *other, *txn;
    uint64_t left;

    put_pages(self, make_map(self, "main"), 10);
    SQLITE->close(self);
    CHECK_STR(shell(path, "PRAGMA auto_vacuum=0; VACUUM;"), "");
    CHECK_OK(open_flags(path, PDICT_BACKEND_READ_ONLY, &self));
    CHECK_STATUS(SQLITE->compact(self, 4096, 0, &left), PDICT_READ_ONLY);
    SQLITE->close(self);
    self = open_store(path);
    other = open_store(path);
    txn = begin(other);
    CHECK_STATUS(SQLITE->compact(self, 4096, 10, &left), PDICT_BUSY);
    SQLITE->write_abort(other, txn);
    CHECK_OK(SQLITE->compact(self, 4096, 10, &left));
    SQLITE->close(other);
    SQLITE->close(self);
}
