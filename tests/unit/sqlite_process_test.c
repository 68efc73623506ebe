/* SPDX-License-Identifier: MIT */
/* The SQLite backend beside other processes: creating at once, waiting, and reading only. */
#include "sqlite_fixture.h"

#include <signal.h>
#include <sys/wait.h>

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

static int await_end(struct child *child)
{
    int how;

    CHECK(waitpid(child->pid, &how, 0) == child->pid);
    close(child->go[1]);
    close(child->at[0]);
    return how;
}

static void finish(struct child *child)
{
    int how = await_end(child);

    CHECK(WIFEXITED(how));
    CHECK_INT(WEXITSTATUS(how), 0);
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

TEST(sqlite_process, processes_that_create_one_path_at_once_make_one_store)
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

TEST(sqlite_process, writer_waits_no_longer_than_asked_for_another_process)
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

TEST(sqlite_process, read_only_writes_nothing_and_leaves_nothing)
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

TEST(sqlite_process, read_only_sees_the_commits_of_a_live_writer)
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

TEST(sqlite_process, read_only_handle_notices_a_writer_that_comes_later)
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

TEST(sqlite_process, read_only_snapshot_is_never_a_mix_of_before_and_after)
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
    kill(getpid(), SIGKILL);
}

TEST(sqlite_process, read_only_reads_what_a_killed_writer_committed)
{
    const char *path = store_with_rows("a.db", 1);
    struct child child = start(write_and_die, path);
    char *log, *index;
    size_t log_size, index_size;
    void *self;

    await_step(&child);
    next_step(&child);
    CHECK(WIFSIGNALED(await_end(&child)));
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

TEST(sqlite_process, file_and_directory_without_write_permission_can_be_read)
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
