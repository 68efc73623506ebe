/* SPDX-License-Identifier: MIT */
/* The gate file: there while somebody has the store open, and refused where it would mean nothing. */
#include "map/map.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "process_fixture.h"

static int try_open(const char *path, const char *query, pdict **out)
{
    char uri[512];

    snprintf(uri, sizeof(uri), "%s%s", path, query);
    return pdict_open(uri, NULL, out);
}

static pdict *open_map(const char *path, const char *query)
{
    pdict *d;

    CHECK_OK(try_open(path, query, &d));
    return d;
}

static void refuse(const char *path, const char *query, int status)
{
    pdict *d;

    CHECK_STATUS(try_open(path, query, &d), status);
}

static int put(pdict *d, const char *key)
{
    return pdict_put(d, pdict_str(key), pdict_str("value"), NULL);
}

static void make_store(const char *path)
{
    pdict *d = open_map(path, "");

    CHECK_OK(put(d, "a"));
    pdict_close(d);
}

static char *gate_of(const char *path)
{
    size_t size = strlen(path) + sizeof(GATEFILE_ENDING);
    char *gate = test_alloc(size);

    snprintf(gate, size, "%s%s", path, GATEFILE_ENDING);
    return gate;
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

WARM_UP()
{
    make_store(test_path("a.db"));
}

/* ---- coming and going ---- */

TEST(gatefile, it_is_there_while_the_store_is_open)
{
    static const char *const schemes[] = { "sqlite", "lmdb" };

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        char *path = (char *)test_path("%s.db", schemes[i]), *gate = gate_of(path);
        char uri[512];
        pdict *a, *b;

        snprintf(uri, sizeof(uri), "%s:%s", schemes[i], path);
        if (pdict_open(uri, NULL, &a) == PDICT_UNKNOWN_BACKEND)
            continue;
        b = open_map(path, "?map=other");
        CHECK(exists(gate));
        pdict_close(a);
        CHECK(exists(gate));
        pdict_close(b);
        CHECK(!exists(gate));
    }
}

TEST(gatefile, stores_that_no_other_process_can_open_have_none)
{
    pdict *d = open_map("memory:gatefile", "");

    CHECK(pdict__shared_ring(d->map->store) == NULL);
    CHECK(!pdict__checkpoint_wanted(d->map->store));
    pdict_close(d);
}

static void check_mode(const char *path, unsigned mode)
{
    struct stat info;
    pdict *d;

    make_store(path);
    CHECK(chmod(path, mode) == 0);
    d = open_map(path, "");
    CHECK(stat(gate_of(path), &info) == 0);
    CHECK_INT(info.st_mode & 0777, mode);
    CHECK_INT(info.st_nlink, 1);
    pdict_close(d);
}

TEST(gatefile, who_may_use_the_store_may_use_its_gate)
{
    check_mode(test_path("mine.db"), 0600);
    check_mode(test_path("ours.db"), 0660);
    check_mode(test_path("all.db"), 0666);
}

static void open_and_wait(struct child *child, const char *path)
{
    pdict *d = open_map(path, "");

    CHECK_OK(put(d, "b"));
    step_done(child);
    pdict_close(d);
}

TEST(gatefile, the_last_process_removes_it)
{
    const char *path = test_path("a.db"), *gate = gate_of(path);
    struct child child;
    pdict *d;

    make_store(path);
    child = start(open_and_wait, path);
    await_step(&child);
    d = open_map(path, "");
    pdict_close(d);
    CHECK(exists(gate));
    d = open_map(path, "");
    next_step(&child);
    finish(&child);
    CHECK(exists(gate));
    CHECK_OK(put(d, "c"));
    pdict_close(d);
    CHECK(!exists(gate));
}

TEST(gatefile, processes_that_come_and_go_at_once_leave_nothing)
{
    enum {
        ROUNDS = TEST_IS_SLOW ? 5 : 20,
        PROCESSES = 4
    };
    const char *path = test_path("a.db");

    make_store(path);
    for (int round = 0; round < ROUNDS; round++) {
        struct child children[PROCESSES];

        for (int i = 0; i < PROCESSES; i++)
            children[i] = start(open_and_wait, path);
        for (int i = 0; i < PROCESSES; i++)
            await_step(&children[i]);
        for (int i = 0; i < PROCESSES; i++)
            next_step(&children[i]);
        for (int i = 0; i < PROCESSES; i++)
            finish(&children[i]);
        CHECK(!exists(gate_of(path)));
    }
}

static void poison_and_wait(struct child *child, const char *path)
{
    pdict *d = open_map(path, "");

    pdict__shared_ring(d->map->store)->told = 1;
    pdict__poison(d->map->store);
    step_done(child);
}

TEST(gatefile, what_a_killed_process_left_is_made_anew)
{
    const char *path = test_path("a.db"), *gate = gate_of(path);
    struct child child;
    pdict *d;

    make_store(path);
    child = start(poison_and_wait, path);
    await_step(&child);
    kill_child(&child);
    CHECK(exists(gate));
    d = open_map(path, "");
    CHECK_INT(pdict__shared_ring(d->map->store)->told, 0);
    CHECK_OK(put(d, "c"));
    pdict_close(d);
    CHECK(!exists(gate));
}

TEST(gatefile, one_that_was_never_finished_is_made_anew)
{
    const char *path = test_path("a.db"), *gate = gate_of(path);
    char zeros[100] = { 0 };

    make_store(path);
    for (size_t size = 0; size <= sizeof(zeros); size += sizeof(zeros)) {
        pdict *d;

        test_write_file(gate, zeros, size);
        d = open_map(path, "");
        CHECK_OK(put(d, "b"));
        pdict_close(d);
        CHECK(!exists(gate));
    }
}

static void close_inherited(struct child *child, const char *path)
{
    pdict *d = open_map(path, "");
    pid_t pid = fork();
    int how;

    CHECK(pid >= 0);
    if (pid == 0) {
        pdict_close(d);
        _exit(0);
    }
    CHECK_OK(put(d, "b"));
    CHECK(waitpid(pid, &how, 0) == pid);
    CHECK_INT(how, 0);
    step_done(child);
    CHECK_OK(put(d, "c"));
    pdict_close(d);
}

TEST(gatefile, child_of_a_fork_takes_nothing_from_its_parent)
{
    const char *path = test_path("a.db"), *gate = gate_of(path);
    struct child child;

    make_store(path);
    child = start(close_inherited, path);
    await_step(&child);
    pdict_close(open_map(path, ""));
    CHECK(exists(gate));
    next_step(&child);
    finish(&child);
    CHECK(!exists(gate));
}

/* ---- what is refused ---- */

TEST(gatefile, a_file_of_somebody_else_is_left_alone)
{
    const char *path = test_path("a.db"), *gate = gate_of(path), text[] = "my notes";
    size_t size;
    char *left;

    make_store(path);
    test_write_file(gate, text, sizeof(text));
    refuse(path, "", PDICT_NOT_A_STORE);
    CHECK(strstr(pdict_error_text(), gate) != NULL);
    pdict_close(open_map(path, "?mode=ro"));
    left = test_file(gate, &size);
    CHECK_BYTES(left, size, text, sizeof(text));
}

TEST(gatefile, a_link_or_a_directory_in_its_place_is_refused)
{
    const char *path = test_path("a.db"), *gate = gate_of(path);

    make_store(path);
    CHECK(symlink("elsewhere", gate) == 0);
    refuse(path, "", PDICT_NOT_A_STORE);
    CHECK(!exists(test_path("elsewhere")));
    CHECK(unlink(gate) == 0);
    CHECK(mkdir(gate, 0700) == 0);
    refuse(path, "", PDICT_NOT_A_STORE);
    CHECK(rmdir(gate) == 0);
    CHECK(mkfifo(gate, 0600) == 0);
    refuse(path, "", PDICT_NOT_A_STORE);
}

TEST(gatefile, a_store_with_two_names_is_refused)
{
    const char *path = test_path("a.db"), *other = test_path("b.db");

    make_store(path);
    CHECK(link(path, other) == 0);
    refuse(path, "", PDICT_UNSUPPORTED);
    refuse(other, "?mode=ro", PDICT_UNSUPPORTED);
    CHECK(strstr(pdict_error_text(), "2 names") != NULL);
    CHECK(unlink(other) == 0);
    pdict_close(open_map(path, ""));
    CHECK(symlink(path, other) == 0);
    pdict_close(open_map(other, ""));
}

/* A gate file that is in use, with one byte of its head changed. */
static int hold_other(const char *gate, size_t at)
{
    struct flock byte = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1 };
    unsigned char changed;
    int fd = open(gate, O_RDWR);

    CHECK(fd >= 0);
    CHECK(fcntl(fd, F_OFD_SETLK, &byte) == 0);
    CHECK(pread(fd, &changed, 1, (off_t)at) == 1);
    changed ^= 1;
    CHECK(pwrite(fd, &changed, 1, (off_t)at) == 1);
    return fd;
}

static void check_other(size_t at, const char *said)
{
    const char *path = test_path("%zu.db", at), *gate = gate_of(path);
    pdict *d;
    int fd;

    make_store(path);
    d = open_map(path, "");
    fd = hold_other(gate, at);
    pdict_close(d);
    CHECK(exists(gate));
    refuse(path, "", PDICT_UNSUPPORTED);
    CHECK(strstr(pdict_error_text(), said) != NULL);
    pdict_close(open_map(path, "?mode=ro"));
    close(fd);
    pdict_close(open_map(path, ""));
    CHECK(!exists(gate));
}

TEST(gatefile, one_that_cannot_be_shared_is_refused_while_it_is_in_use)
{
    check_other(offsetof(struct gate_head, boot_id), "another machine");
    check_other(offsetof(struct gate_head, layout), "another build");
    check_other(offsetof(struct gate_head, mutex_size), "another build");
}

/* ---- removed or replaced while open ---- */

static void check_gone(pdict *d, const char *named)
{
    CHECK_STATUS(put(d, "b"), PDICT_NO_STORE);
    CHECK(strstr(pdict_error_text(), named) != NULL);
    CHECK_STATUS(put(d, "b"), PDICT_NO_STORE);
    pdict_close(d);
}

TEST(gatefile, a_write_notices_that_the_gate_file_was_removed_or_replaced)
{
    const char *path = test_path("a.db"), *gate = gate_of(path);
    pdict *d;

    make_store(path);
    d = open_map(path, "");
    CHECK_OK(put(d, "a"));
    CHECK(unlink(gate) == 0);
    check_gone(d, gate);

    d = open_map(path, "");
    test_write_file(test_path("new"), "", 0);
    CHECK(rename(test_path("new"), gate) == 0);
    check_gone(d, gate);

    /* Whoever put it there: it is empty, so the next one may have it. */
    d = open_map(path, "");
    CHECK_OK(put(d, "c"));
    pdict_close(d);
}

TEST(gatefile, a_write_notices_that_the_store_was_removed_or_replaced)
{
    const char *path = test_path("a.db"), *copy = test_path("copy.db");
    pdict *d;

    make_store(path);
    make_store(copy);
    d = open_map(path, "");
    CHECK(rename(copy, path) == 0);
    check_gone(d, path);

    d = open_map(path, "");
    CHECK_OK(put(d, "c"));
    CHECK(unlink(path) == 0);
    check_gone(d, path);
}

/* ---- readers ---- */

TEST(gatefile, a_reader_makes_none_and_joins_one_that_is_there)
{
    const char *path = test_path("a.db"), *gate = gate_of(path);
    struct child child;
    pdict *d;

    make_store(path);
    child = start(open_and_wait, path);
    await_step(&child);
    d = open_map(path, "?mode=ro");
    CHECK(pdict__shared_ring(d->map->store) != NULL);
    CHECK(!pdict__checkpoint_wanted(d->map->store));
    pdict_close(d);
    next_step(&child);
    finish(&child);

    d = open_map(path, "?mode=ro");
    CHECK(!exists(gate));
    CHECK(pdict__shared_ring(d->map->store) == NULL);
    CHECK(pdict__checkpoint_wanted(d->map->store));
    pdict_close(d);
}

TEST(gatefile, a_directory_that_cannot_be_written_is_read_only)
{
    const char *path = test_path("sub/a.db");

    CHECK(mkdir(test_path("sub"), 0755) == 0);
    make_store(path);
    CHECK(chmod(path, 0666) == 0);
    CHECK(chmod(test_path("sub"), 0555) == 0);
    CHECK(chmod(test_dir(), 0755) == 0);
    if (geteuid() == 0)
        CHECK(seteuid(65534) == 0);
    refuse(path, "?mode=rw", PDICT_PERMISSION);
    CHECK(strstr(pdict_error_text(), "mode=ro") != NULL);
    pdict_close(open_map(path, "?mode=ro"));
    if (getuid() == 0)
        CHECK(seteuid(0) == 0);
    CHECK(chmod(test_path("sub"), 0755) == 0);
}
