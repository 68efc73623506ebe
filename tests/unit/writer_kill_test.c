/* SPDX-License-Identifier: MIT */
/* Group commit in processes that are killed: what was acknowledged is there, in order. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maps.h"

/* ---- killed processes ---- */

#define N_KILLS 4

struct pen {
    pdict *d;
    int fd, id;
};

static void *write_and_tell(void *arg)
{
    const struct pen *pen = arg;

    for (unsigned n = 1;; n++) {
        unsigned record[2] = { (unsigned)pen->id, n };
        char key[32];

        snprintf(key, sizeof(key), "%d-%u", pen->id, n);
        if (pdict_put(pen->d, pdict_str(key), pdict_str("v"), NULL) != PDICT_OK ||
            write(pen->fd, record, sizeof(record)) != (ssize_t)sizeof(record))
            return NULL;
    }
}

static void write_until_killed(const struct setup *setup, int fd)
{
    pdict *d = setup_open(setup, "killed", "");
    struct pen pens[4];
    pthread_t thread;

    for (int i = 0; i < 4; i++) {
        pens[i] = (struct pen){ d, fd, i };
        pthread_create(&thread, NULL, write_and_tell, &pens[i]);
    }
    for (;;)
        pause();
}

/* Everything up to the last one that was acknowledged, and at most one more of each thread. */
static void check_prefix(pdict *d, int id, unsigned last)
{
    char key[32];
    bool is_there;

    for (unsigned n = 1; n <= last + 2; n++) {
        snprintf(key, sizeof(key), "%d-%u", id, n);
        CHECK_OK(pdict_contains(d, pdict_str(key), &is_there));
        if (n != last + 1)
            CHECK_INT(is_there, n <= last);
    }
}

static void kill_a_writer(const struct setup *setup, unsigned n_acknowledged)
{
    unsigned last[4] = { 0 }, record[2];
    int pipes[2];
    pid_t child;
    pdict *d;

    test_dir(); /* the same for parent and child */
    CHECK_INT(pipe(pipes), 0);
    if ((child = fork()) == 0) {
        close(pipes[0]);
        write_until_killed(setup, pipes[1]);
    }
    close(pipes[1]);
    for (unsigned i = 0; read(pipes[0], record, sizeof(record)) == (ssize_t)sizeof(record); i++) {
        last[record[0]] = record[1];
        if (i == n_acknowledged)
            kill(child, SIGKILL);
    }
    close(pipes[0]);
    waitpid(child, NULL, 0);
    d = setup_open(setup, "killed", "");
    for (int i = 0; i < 4; i++)
        check_prefix(d, i, last[i]);
    CHECK_OK(pdict_clear(d, PDICT_CLEAR_EVERYTHING));
    pdict_close(d);
}

static void acknowledged_stays(const struct setup *setup)
{
    for (unsigned i = 0; setup->is_persistent && i < N_KILLS; i++)
        kill_a_writer(setup, 3 + 37 * i);
}

TEST(writer_kill, what_was_acknowledged_before_a_kill_is_there_and_no_hole_before_it)
{
    if (TEST_UNDER_TSAN)
        SKIP("a child of a process with threads may not start threads there");
    for_each_setup(acknowledged_stays);
}
