/* SPDX-License-Identifier: MIT */
/* The files of the SQLite backend: what it opens, what it refuses, what it leaves untouched. */
#include "sqlite_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* ---- the store's files, before and after ---- */

/* A directory for the store alone, so that its listing says what the store left there. */
static const char *alone(const char *name)
{
    mkdir(test_path("alone"), 0700);
    return test_path("alone/%s", name);
}

static char *listing(void)
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

static void check_same_bytes(const char *path, const char *before, size_t before_size)
{
    size_t size;
    char *bytes = test_file(path, &size);

    CHECK_BYTES(bytes, size, before, before_size);
}

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

static const char *store_with_rows(const char *name, int rows)
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

/* ---- other processes ---- */

struct child {
    pid_t pid;
    int go[2]; /* a byte to the child: next step */
    int at[2]; /* a byte from the child: step done */
};

static struct child start(void (*body)(struct child *child, const char *path), const char *path)
{
    struct child child = { .pid = 0 };

    if (TEST_UNDER_TSAN)
        SKIP("fork is not supported under the thread sanitizer");
    CHECK(pipe(child.go) == 0 && pipe(child.at) == 0);
    child.pid = fork();
    CHECK(child.pid >= 0);
    if (child.pid == 0) {
        close(child.go[1]);
        close(child.at[0]);
        body(&child, path);
        _exit(0);
    }
    close(child.go[0]);
    close(child.at[1]);
    return child;
}

static void step_done(struct child *child)
{
    char byte;

    CHECK(write(child->at[1], "x", 1) == 1);
    CHECK(read(child->go[0], &byte, 1) == 1);
}

static void await_step(struct child *child)
{
    char byte;

    if (read(child->at[0], &byte, 1) != 1)
        FAIL("the other process ended early");
}

static void next_step(struct child *child)
{
    CHECK(write(child->go[1], "x", 1) == 1);
}

static void finish(struct child *child)
{
    int how;

    CHECK(waitpid(child->pid, &how, 0) == child->pid);
    CHECK_INT(WEXITSTATUS(how), 0);
    close(child->go[1]);
    close(child->at[0]);
}

static void create_and_put(struct child *child, const char *path)
{
    void *self = NULL;
    char key[16];
    uint32_t map;

    step_done(child);
    CHECK_OK(open_flags(path, PDICT_BACKEND_CREATE, &self));
    map = make_map(self, "main");
    snprintf(key, sizeof(key), "%d", (int)getpid());
    apply_one(self, map, put(key, "v"));
    SQLITE->close(self);
}

TEST(sqlite_file, processes_that_create_one_path_at_once_make_one_store)
{
    enum {
        ROUNDS = 15,
        PROCESSES = 4
    };

    for (int round = 0; round < ROUNDS; round++) {
        const char *path = test_path("%d.db", round);
        struct child children[PROCESSES];
        void *self;

        touch(path);
        for (int i = 0; i < PROCESSES; i++)
            children[i] = start(create_and_put, path);
        for (int i = 0; i < PROCESSES; i++)
            await_step(&children[i]);
        for (int i = 0; i < PROCESSES; i++)
            next_step(&children[i]);
        for (int i = 0; i < PROCESSES; i++)
            finish(&children[i]);
        self = open_store(path);
        CHECK_INT(count_at(self, make_map(self, "main"), NOW), PROCESSES);
        SQLITE->close(self);
        check_sound(path, 1);
    }
}

static void hold_write_lock(struct child *child, const char *path)
{
    void *self = open_store(path);
    void *txn = begin(self);

    step_done(child);
    SQLITE->write_abort(self, txn);
    SQLITE->close(self);
}

TEST(sqlite_file, writer_waits_no_longer_than_asked_for_another_process)
{
    const char *path = store_with_rows("a.db", 1);
    struct child child = start(hold_write_lock, path);
    void *self, *txn;

    await_step(&child);
    self = open_store(path);
    CHECK_STATUS(SQLITE->write_begin(self, PDICT_ORDERED, 0, &txn), PDICT_BUSY);
    CHECK_STATUS(SQLITE->write_begin(self, PDICT_ORDERED, 20, &txn), PDICT_BUSY);
    CHECK_INT(count_at(self, 1, NOW), 1);
    next_step(&child);
    finish(&child);
    apply_one(self, 1, put("b", "1"));
    CHECK_INT(count_at(self, 1, NOW), 2);
    SQLITE->close(self);
}

/* ---- reading only ---- */

TEST(sqlite_file, read_only_writes_nothing_and_leaves_nothing)
{
    const char *path = store_with_rows("a.db", 100);
    size_t size;
    char *bytes = test_file(path, &size);
    const volatile uint64_t *words[2];
    void *self, *txn, *reader;
    pdict_row row;

    CHECK_OK(open_flags(path, PDICT_BACKEND_READ_ONLY, &self));
    reader = snapshot(self);
    CHECK_OK(SQLITE->get(self, reader, 1, text("key42"), &row));
    CHECK_STR(listing(), "a.db ");
    end_snapshot(self, reader);
    CHECK_STATUS(SQLITE->write_begin(self, PDICT_ORDERED, 0, &txn), PDICT_READ_ONLY);
    CHECK_STATUS(SQLITE->watch(self, words), PDICT_UNSUPPORTED);
    SQLITE->close(self);
    CHECK_STR(listing(), "a.db ");
    check_same_bytes(path, bytes, size);
}

static void write_twice(struct child *child, const char *path)
{
    void *self = open_store(path);

    apply_one(self, 1, put("b", "1"));
    step_done(child);
    apply_one(self, 1, put("c", "1"));
    step_done(child);
    SQLITE->close(self);
}

TEST(sqlite_file, read_only_sees_the_commits_of_a_live_writer)
{
    const char *path = store_with_rows("a.db", 1);
    struct child child = start(write_twice, path);
    const volatile uint64_t *words[2];
    void *self, *reader;
    uint64_t count, seen;

    await_step(&child);
    CHECK_OK(open_flags(path, PDICT_BACKEND_READ_ONLY, &self));
    CHECK_OK(SQLITE->watch(self, words));
    reader = snapshot(self);
    seen = *words[0] ^ *words[1];
    next_step(&child);
    await_step(&child);
    CHECK(seen != (*words[0] ^ *words[1]));
    CHECK_OK(SQLITE->count(self, reader, 1, NOW, &count));
    CHECK_INT(count, 2);
    end_snapshot(self, reader);
    CHECK_INT(count_at(self, 1, NOW), 3);
    CHECK_STR(listing(), "a.db a.db-shm a.db-wal ");
    next_step(&child);
    finish(&child);
    CHECK_INT(count_at(self, 1, NOW), 3);
    SQLITE->close(self);
}

TEST(sqlite_file, read_only_handle_notices_a_writer_that_comes_later)
{
    const char *path = store_with_rows("a.db", 1);
    struct child child;
    void *self, *reader;
    uint64_t count;

    CHECK_OK(open_flags(path, PDICT_BACKEND_READ_ONLY, &self));
    CHECK_OK(SQLITE->reader_open(self, &reader));
    CHECK_OK(SQLITE->reader_begin(self, reader));
    child = start(write_twice, path);
    await_step(&child);
    CHECK_OK(SQLITE->count(self, reader, 1, NOW, &count));
    CHECK_INT(count, 1);
    SQLITE->reader_end(self, reader);
    CHECK_OK(SQLITE->reader_begin(self, reader));
    CHECK_OK(SQLITE->count(self, reader, 1, NOW, &count));
    CHECK_INT(count, 2);
    end_snapshot(self, reader);
    next_step(&child);
    await_step(&child);
    CHECK_INT(count_at(self, 1, NOW), 3);
    next_step(&child);
    finish(&child);
    SQLITE->close(self);
}

static void write_and_fold(struct child *child, const char *path)
{
    void *self = open_store(path);

    apply_one(self, 1, put("b", "1"));
    CHECK_OK(SQLITE->checkpoint(self, true));
    SQLITE->close(self);
    step_done(child);
}

TEST(sqlite_file, read_only_snapshot_is_never_a_mix_of_before_and_after)
{
    const char *path = store_with_rows("a.db", 1);
    struct child child;
    void *self, *reader;
    uint64_t count;

    CHECK_OK(open_flags(path, PDICT_BACKEND_READ_ONLY, &self));
    CHECK_OK(SQLITE->reader_open(self, &reader));
    CHECK_OK(SQLITE->reader_begin(self, reader));
    child = start(write_and_fold, path);
    await_step(&child);
    CHECK_STATUS(SQLITE->count(self, reader, 1, NOW, &count), PDICT_BUSY);
    SQLITE->reader_end(self, reader);
    CHECK_OK(SQLITE->reader_begin(self, reader));
    CHECK_OK(SQLITE->count(self, reader, 1, NOW, &count));
    CHECK_INT(count, 2);
    end_snapshot(self, reader);
    next_step(&child);
    finish(&child);
    SQLITE->close(self);
    CHECK_STR(listing(), "a.db ");
}

static void write_and_die(struct child *child, const char *path)
{
    void *self = open_store(path);

    apply_one(self, 1, put("b", "1"));
    step_done(child);
}

TEST(sqlite_file, read_only_reads_what_a_killed_writer_committed)
{
    const char *path = store_with_rows("a.db", 1);
    struct child child = start(write_and_die, path);
    char *log, *index;
    size_t log_size, index_size;
    void *self;

    await_step(&child);
    next_step(&child);
    finish(&child);
    log = test_file(test_path("alone/a.db-wal"), &log_size);
    index = test_file(test_path("alone/a.db-shm"), &index_size);
    CHECK_OK(open_flags(path, PDICT_BACKEND_READ_ONLY, &self));
    CHECK_INT(count_at(self, 1, NOW), 2);
    SQLITE->close(self);
    check_same_bytes(test_path("alone/a.db-wal"), log, log_size);
    check_same_bytes(test_path("alone/a.db-shm"), index, index_size);

    CHECK(unlink(test_path("alone/a.db-shm")) == 0);
    CHECK_STATUS(open_flags(path, PDICT_BACKEND_READ_ONLY, &self), PDICT_UNSUPPORTED);
    CHECK(strstr(pdict_error_text(), "mode=rw") != NULL);
    CHECK_STR(listing(), "a.db a.db-wal ");
    self = open_store(path);
    CHECK_INT(count_at(self, 1, NOW), 2);
    SQLITE->close(self);
    check_sound(path, 1);
}

/* Root may open anything, so somebody else does. */
static void open_as_nobody(struct child *child, const char *path)
{
    void *self = NULL;

    (void)child;
    if (geteuid() == 0)
        CHECK(seteuid(65534) == 0);
    CHECK_STATUS(open_flags(path, 0, &self), PDICT_READ_ONLY);
    CHECK_OK(open_flags(path, PDICT_BACKEND_READ_ONLY, &self));
    CHECK_INT(count_at(self, 1, NOW), 3);
    SQLITE->close(self);
}

static void open_unreadable_as_nobody(struct child *child, const char *path)
{
    void *self = NULL;

    (void)child;
    if (geteuid() == 0)
        CHECK(seteuid(65534) == 0);
    CHECK_STATUS(open_flags(path, 0, &self), PDICT_PERMISSION);
    CHECK_STATUS(open_flags(path, PDICT_BACKEND_READ_ONLY, &self), PDICT_PERMISSION);
}

TEST(sqlite_file, file_and_directory_without_write_permission_can_be_read)
{
    const char *path = store_with_rows("a.db", 3);
    struct child child;

    CHECK(chmod(test_dir(), 0755) == 0 && chmod(path, 0444) == 0);
    CHECK(chmod(test_path("alone"), 0555) == 0);
    child = start(open_as_nobody, path);
    finish(&child);
    CHECK(chmod(path, 0000) == 0);
    child = start(open_unreadable_as_nobody, path);
    finish(&child);
    CHECK(chmod(test_path("alone"), 0755) == 0);
    CHECK_STR(listing(), "a.db ");
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
    pdict_change change = put("big", big);
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

int fdatasync(int file)
{
    if (sync_fails) {
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
