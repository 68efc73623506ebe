/* SPDX-License-Identifier: MIT */
/* Opening an LMDB store beside others that open it, or that died while they did. */
#include "lmdb_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>

enum {
    COMMITS = 6,
    SHORT_MS = 20,
    NUMBER_AT = 48 /* in LMDB's lock file: the number of the last commit */
};

static const struct how hasty = { .timeout_ms = SHORT_MS }, patient = { .timeout_ms = 5000 };

static void make_store(const char *path)
{
    void *self = open_store(path), *txn;
    uint32_t map = make_map(self, "m");

    for (uint32_t i = 0; i < COMMITS; i++) {
        txn = begin(self);
        put_in(self, txn, map, text("key"), filled(8, 'v', i));
        commit(self, txn);
    }
    LMDB->close(self);
}

static void check_last(const char *path)
{
    void *self = open_how(path, patient);

    check_value(self, make_map(self, "m"), text("key"), filled(8, 'v', COMMITS - 1));
    LMDB->close(self);
}

/* A child that does something, and keeps what it has until it is killed. */
static pid_t begin_child(void (*body)(const char *path), const char *path)
{
    int ends[2];
    char byte;
    pid_t child;

    fflush(NULL);
    CHECK(pipe(ends) == 0 && (child = fork()) >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        body(path);
        if (write(ends[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ends[1]);
    CHECK(read(ends[0], &byte, 1) == 1);
    close(ends[0]);
    return child;
}

static void end_child(pid_t child)
{
    int wait_status = 0;

    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, &wait_status, 0) == child);
}

/* ---- turns ---- */

static void lock_the_turn(const char *path)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = INT64_C(1) << 62, .l_len = 1
    };
    int fd = open(path, O_RDWR);

    if (fd < 0 || fcntl(fd, F_OFD_SETLK, &lock) != 0)
        _exit(1);
}

TEST(lmdb_opening, who_opens_waits_for_another_one_that_is_in_the_middle_of_it)
{
    const char *path = test_path("store");
    void *self = NULL;
    pid_t child;

    make_store(path);
    child = begin_child(lock_the_turn, test_path("store-lock"));
    CHECK_STATUS(try_open(path, hasty, &self), PDICT_BUSY);
    end_child(child);
    check_last(path);
}

/* ---- what a dead process left ---- */

static void open_as_stranger(const char *path)
{
    MDB_env *env;

    if (mdb_env_create(&env) != 0 || mdb_env_open(env, path, MDB_NOSUBDIR, 0600) != 0)
        _exit(1);
}

/* As the table is before its maker has read the data file. */
static void forget_commits(const char *lock_path)
{
    static const uint64_t none;
    int fd = open(lock_path, O_RDWR);
    uint64_t last = 0;

    CHECK(fd >= 0 && pread(fd, &last, sizeof(last), NUMBER_AT) == sizeof(last));
    CHECK(last >= COMMITS);
    CHECK(pwrite(fd, &none, sizeof(none), NUMBER_AT) == sizeof(none) && close(fd) == 0);
}

TEST(lmdb_opening, a_lock_file_that_a_dead_process_left_half_made_is_not_believed)
{
    const char *path = test_path("store");
    void *self = NULL;
    pid_t child;

    make_store(path);
    child = begin_child(open_as_stranger, path);
    forget_commits(test_path("store-lock"));
    CHECK_STATUS(try_open(path, hasty, &self), PDICT_BUSY);
    CHECK_STATUS(try_open(path,
                          (struct how){ .flags = PDICT_BACKEND_READ_ONLY, .timeout_ms = SHORT_MS },
                          &self),
                 PDICT_BUSY);
    end_child(child);
    check_last(path);
}
