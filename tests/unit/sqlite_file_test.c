/* SPDX-License-Identifier: MIT */
/* The files of the SQLite backend: what it opens, what it refuses, and disks that fail. */
#include "sqlite_fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* Every way to open it has this status, and leaves file and directory as they are. */
static void check_refused(const char *path, int expected)
{
    static const unsigned flags[] = { 0, PDICT_BACKEND_CREATE, PDICT_BACKEND_READ_ONLY };
    char *names = listing(), *bytes;
    size_t size;
    void *self = NULL;

    bytes = test_file(path, &size);
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        CHECK_STATUS(open_flags(path, flags[i], &self), expected);
        CHECK_STR(listing(), names);
        check_same_bytes(path, bytes, size);
    }
}

/* ---- what is no store ---- */

TEST(sqlite_file, foreign_database_is_refused_and_left_untouched)
{
    const char *path = alone("foreign.db");

    shell(path, "CREATE TABLE t(a); INSERT INTO t VALUES (1);");
    check_refused(path, PDICT_NOT_A_STORE);
    CHECK_STR(shell(path, "PRAGMA journal_mode;"), "delete");
}

TEST(sqlite_file, foreign_database_with_a_log_is_refused_and_left_untouched)
{
    const char *path = alone("foreign.db");

    shell(path, "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES (1);");
    check_refused(path, PDICT_NOT_A_STORE);
    CHECK_STR(listing(), "foreign.db ");
}

TEST(sqlite_file, foreign_database_without_tables_is_refused_and_left_untouched)
{
    const char *path = alone("foreign.db");

    shell(path, "PRAGMA user_version=5;");
    check_refused(path, PDICT_NOT_A_STORE);
}

TEST(sqlite_file, text_files_are_refused_and_left_untouched)
{
    static const char long_text[9000] = "once upon a time";
    const char *path = alone("text");

    test_write_file(path, "x", 1);
    check_refused(path, PDICT_NOT_A_STORE);
    test_write_file(path, long_text, sizeof(long_text));
    check_refused(path, PDICT_NOT_A_STORE);
    test_write_file(path, "SQLite format 3", 16);
    check_refused(path, PDICT_NOT_A_STORE);
}

TEST(sqlite_file, empty_file_becomes_a_store_only_on_request)
{
    const char *path = alone("empty");
    void *self;

    touch(path);
    CHECK_STATUS(open_flags(path, 0, &self), PDICT_NOT_A_STORE);
    CHECK_STATUS(open_flags(path, PDICT_BACKEND_READ_ONLY, &self), PDICT_NOT_A_STORE);
    CHECK_STATUS(open_flags(path, PDICT_BACKEND_READ_ONLY | PDICT_BACKEND_CREATE, &self),
                 PDICT_NOT_A_STORE);
    CHECK_STR(listing(), "empty ");
    CHECK_STR(test_file(path, NULL), "");
    CHECK_OK(open_flags(path, PDICT_BACKEND_CREATE, &self));
    SQLITE->close(self);
    CHECK_STR(listing(), "empty ");
    CHECK_STR(shell(path, "PRAGMA application_id; PRAGMA user_version; PRAGMA journal_mode;"
                          "PRAGMA page_size; PRAGMA auto_vacuum;"),
              "1885627252\n1\nwal\n4096\n2");
}

/* What a power loss leaves of the first transaction: its journal, and any of its pages. */
TEST(sqlite_file, a_store_whose_first_page_was_lost_while_creating_is_created_again)
{
    static const char journal[512] =
        "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7\0\0\0\0nonc\0\0\0\0\0\0\x02\0"
        "\0\0\x10";
    const char *path = alone("store");
    static char pages[2 * 4096];
    void *self;

    pages[4096] = 13;
    test_write_file(path, pages, sizeof(pages));
    CHECK_STATUS(open_flags(path, PDICT_BACKEND_CREATE, &self), PDICT_NOT_A_STORE);
    test_write_file(test_path("%s", "alone/store-journal"), journal, sizeof(journal));
    CHECK_STATUS(open_flags(path, 0, &self), PDICT_NOT_A_STORE);
    CHECK_OK(open_flags(path, PDICT_BACKEND_CREATE, &self));
    SQLITE->close(self);
    CHECK_STR(shell(path, "PRAGMA application_id; PRAGMA integrity_check;"), "1885627252\nok");
}

TEST(sqlite_file, directory_is_refused)
{
    void *self;

    mkdir(test_path("d"), 0700);
    CHECK_STATUS(open_flags(test_path("d"), PDICT_BACKEND_CREATE, &self), PDICT_NOT_A_STORE);
}

TEST(sqlite_file, path_with_question_mark_percent_and_hash_is_taken_literally)
{
    const char *path = store_with_rows("a?mode=ro%41#x.db", 1);
    void *self;

    CHECK_OK(open_flags(path, PDICT_BACKEND_READ_ONLY, &self));
    CHECK_INT(count_at(self, 1, NOW), 1);
    SQLITE->close(self);
    CHECK_STR(listing(), "a?mode=ro%41#x.db ");
}

/* ---- stores that are not as they should be ---- */

TEST(sqlite_file, newer_format_is_refused_with_both_numbers)
{
    const char *path = store_with_rows("a.db", 1);

    shell(path, "PRAGMA user_version=2;");
    check_refused(path, PDICT_NEWER_FORMAT);
    CHECK(strstr(pdict_error_text(), "format 2") != NULL);
    CHECK(strstr(pdict_error_text(), "up to 1") != NULL);
}

TEST(sqlite_file, truncated_store_is_damaged)
{
    const char *path = store_with_rows("a.db", 500);
    struct stat facts;

    CHECK(stat(path, &facts) == 0 && facts.st_size > 8 * 4096);
    CHECK(truncate(path, facts.st_size - 1) == 0);
    check_refused(path, PDICT_DAMAGED);
    CHECK(truncate(path, facts.st_size - 2 * 4096) == 0);
    check_refused(path, PDICT_DAMAGED);
    CHECK(truncate(path, 100) == 0);
    check_refused(path, PDICT_DAMAGED);
}

TEST(sqlite_file, overwritten_schema_page_is_damaged)
{
    const char *path = store_with_rows("a.db", 10);
    static const char junk[3000] = { 1, 2, 3 };
    int file = open(path, O_WRONLY);
    void *self;

    CHECK(pwrite(file, junk, sizeof(junk), 100) == (ssize_t)sizeof(junk));
    close(file);
    CHECK_STATUS(open_flags(path, 0, &self), PDICT_DAMAGED);
    CHECK_STATUS(open_flags(path, PDICT_BACKEND_READ_ONLY, &self), PDICT_DAMAGED);
}

TEST(sqlite_file, overwritten_row_pages_are_damaged_not_fatal)
{
    const char *path = store_with_rows("a.db", 500);
    static const char junk[4096] = { 13, 0, 0, 0, 99 };
    struct stat facts;
    int file = open(path, O_WRONLY);
    void *self, *reader;
    uint64_t count;
    int status;

    CHECK(fstat(file, &facts) == 0);
    for (off_t at = 4096 * 20; at < facts.st_size; at += 4096)
        CHECK(pwrite(file, junk, sizeof(junk), at) == (ssize_t)sizeof(junk));
    close(file);
    status = open_flags(path, 0, &self);
    if (status == PDICT_OK) {
        reader = snapshot(self);
        status = SQLITE->count(self, reader, 1, NOW, &count);
        end_snapshot(self, reader);
        SQLITE->close(self);
    }
    CHECK_STATUS(status, PDICT_DAMAGED);
}

TEST(sqlite_file, objects_that_the_backend_did_not_make_are_refused_by_name)
{
    static const char *const made[][2] = {
        { "CREATE VIEW mine AS SELECT 1;", "DROP VIEW mine;" },
        { "CREATE INDEX mine ON kv_1(version);", "DROP INDEX mine;" },
        { "CREATE TABLE mine(a);", "DROP TABLE mine;" },
        { "CREATE TRIGGER mine AFTER INSERT ON kv_1 BEGIN SELECT 1; END;", "DROP TRIGGER mine;" },
        { "CREATE TABLE kv_2 AS SELECT 'mine';", "DROP TABLE kv_2;" },
    };
    const char *path = store_with_rows("a.db", 1);
    void *self;

    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        CHECK_STR(shell(path, made[i][0]), "");
        CHECK_STATUS(open_flags(path, 0, &self), PDICT_DAMAGED);
        CHECK(strstr(pdict_error_text(), "\"mine\"") != NULL ||
              strstr(pdict_error_text(), "\"kv_2\"") != NULL);
        CHECK_STATUS(open_flags(path, PDICT_BACKEND_READ_ONLY, &self), PDICT_DAMAGED);
        CHECK_STR(shell(path, made[i][1]), "");
        CHECK_OK(open_flags(path, 0, &self));
        SQLITE->close(self);
    }
}

TEST(sqlite_file, objects_that_are_gone_or_changed_are_damage)
{
    static const char *const breaks[] = {
        "DROP INDEX kv_1_expires;",
        "DROP TRIGGER kv_1_after_delete;",
        "DROP VIEW main;",
        "DROP TABLE kvk_1;",
        "ALTER TABLE kv_1 ADD COLUMN more;",
        "DROP VIEW main; CREATE VIEW main AS SELECT 1;",
        "DELETE FROM pdict_map;",
        "DROP TABLE pdict_system;",
    };

    for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
        char name[16];
        const char *path;
        void *self;

        snprintf(name, sizeof(name), "%zu.db", i);
        path = store_with_rows(name, 1);
        CHECK_STR(shell(path, breaks[i]), "");
        CHECK_STATUS(open_flags(path, 0, &self), PDICT_DAMAGED);
    }
}

TEST(sqlite_file, analyze_vacuum_and_another_journal_mode_do_no_harm)
{
    const char *path = store_with_rows("a.db", 100);
    void *self;

    shell(path, "ANALYZE; PRAGMA journal_mode=DELETE; VACUUM;");
    CHECK_OK(open_flags(path, PDICT_BACKEND_READ_ONLY, &self));
    CHECK_INT(count_at(self, 1, NOW), 100);
    SQLITE->close(self);
    CHECK_OK(open_flags(path, 0, &self));
    CHECK_INT(count_at(self, 1, NOW), 100);
    SQLITE->close(self);
    CHECK_STR(shell(path, "PRAGMA journal_mode;"), "wal");
    check_sound(path, 1);
}

/* ---- failing disks ---- */

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;

    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

TEST(sqlite_file, full_disk_fails_the_write_and_nothing_else)
{
    const char *path = store_with_rows("a.db", 10);
    char *big = test_alloc(100001);
    pdict_change change = put("big", "");
    void *self = open_store(path), *txn;
    int status;

    memset(big, 'x', 100000);
    big[100000] = '\0';
    change.row.value = text(big);
    apply_one(self, 1, put("a", "1"));
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(60000);
    txn = begin(self);
    status = SQLITE->apply(self, txn, 1, &change, 1, NOW);
    if (status == PDICT_OK)
        status = SQLITE->write_commit(self, txn);
    else
        SQLITE->write_abort(self, txn);
    CHECK_STATUS(status, PDICT_FULL);
    CHECK_INT(count_at(self, 1, NOW), 11);
    apply_one(self, 1, del("a"));
    limit_file_size(RLIM_INFINITY);
    apply_one(self, 1, change);
    CHECK_INT(count_at(self, 1, NOW), 11);
    SQLITE->close(self);
    check_sound(path, 1);
}

TEST(sqlite_file, full_disk_makes_no_half_store)
{
    const char *path = alone("a.db");
    void *self;

    touch(path);
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(8192);
    CHECK_STATUS(open_flags(path, PDICT_BACKEND_CREATE, &self), PDICT_FULL);
    limit_file_size(RLIM_INFINITY);
    CHECK_STR(listing(), "a.db ");
    SQLITE->close(open_store(path));
}

/* In place of the C library's, for the engine too. */
static bool sync_fails;
static unsigned fails_at; /* the sync of those to come, from 1; 0: none */

int fdatasync(int file)
{
    if (sync_fails || (fails_at > 0 && --fails_at == 0)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, file);
}

TEST(sqlite_file, failed_sync_leaves_the_outcome_unknown)
{
    void *self = open_store(alone("a.db")), *txn;
    uint32_t map = make_map(self, "main");
    pdict_change change = put("a", "1");

    CHECK_OK(SQLITE->write_begin(self, PDICT_FULL_SYNC, 0, &txn));
    CHECK_OK(SQLITE->apply(self, txn, map, &change, 1, NOW));
    sync_fails = true;
    CHECK_STATUS(SQLITE->write_commit(self, txn), PDICT_UNKNOWN_OUTCOME);
    CHECK_STATUS(SQLITE->sync(self), PDICT_IO);
    sync_fails = false;
    CHECK_OK(SQLITE->sync(self));
    SQLITE->close(self);
}

/* Opened with the Nth sync failing; false when there is no such sync any more. */
static bool open_with_failing_sync(const char *path, unsigned number)
{
    void *self = NULL;
    bool is_hit;
    int status;

    fails_at = number;
    status = open_flags(path, PDICT_BACKEND_CREATE, &self);
    is_hit = fails_at == 0;
    fails_at = 0;
    if (!is_hit)
        CHECK_OK(status);
    if (status == PDICT_OK) {
        make_map(self, "main");
        CHECK(access(alone("a.db-wal"), F_OK) == 0);
        SQLITE->close(self);
    }
    return is_hit;
}

TEST(sqlite_file, a_store_that_cannot_be_given_its_log_is_not_opened_without_it)
{
    const char *path = alone("a.db");
    unsigned number = 0;

    do {
        unlink(path);
        touch(path);
    } while (open_with_failing_sync(path, ++number));
    CHECK(number > 2);
}

TEST(sqlite_file, durability_says_which_commits_are_synced)
{
    void *self = open_store(alone("a.db")), *txn;
    uint32_t map = make_map(self, "main");
    pdict_change change = put("a", "1");

    sync_fails = true;
    for (int durability = PDICT_ORDERED; durability <= PDICT_UNSAFE; durability++) {
        CHECK_OK(SQLITE->write_begin(self, durability, 0, &txn));
        change.row.version++;
        CHECK_OK(SQLITE->apply(self, txn, map, &change, 1, NOW));
        CHECK_OK(SQLITE->write_commit(self, txn));
    }
    /* A checkpoint moves earlier commits too, so it syncs even now. */
    CHECK_STATUS(SQLITE->checkpoint(self, false), PDICT_IO);
    sync_fails = false;
    CHECK_OK(SQLITE->checkpoint(self, false));
    SQLITE->close(self);
}
