/* SPDX-License-Identifier: MIT */
/* Other processes for tests: they are told when to take their next step, and say when it is done. */
#ifndef PDICT_TESTS_PROCESS_FIXTURE_H
#define PDICT_TESTS_PROCESS_FIXTURE_H

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

struct child {
    pid_t pid;
    int go[2]; /* a byte to the child: next step */
    int at[2]; /* a byte from the child: step done */
};

/* The tests fork before they open anything, so what a child opens is its own. */
static inline struct child start(void (*body)(struct child *child, const char *path),
                                 const char *path)
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

/* In the child: this step is done, wait for the next. */
static inline void step_done(struct child *child)
{
    char byte;

    CHECK(write(child->at[1], "x", 1) == 1);
    CHECK(read(child->go[0], &byte, 1) == 1);
}

static inline void await_step(struct child *child)
{
    char byte;

    if (read(child->at[0], &byte, 1) != 1)
        FAIL("the other process ended early");
}

static inline void next_step(struct child *child)
{
    CHECK(write(child->go[1], "x", 1) == 1);
}

static inline int await_end(struct child *child)
{
    int how;

    CHECK(waitpid(child->pid, &how, 0) == child->pid);
    close(child->go[1]);
    close(child->at[0]);
    return how;
}

static inline void finish(struct child *child)
{
    int how = await_end(child);

    CHECK(WIFEXITED(how));
    CHECK_INT(WEXITSTATUS(how), 0);
}

static inline void kill_child(struct child *child)
{
    CHECK(kill(child->pid, SIGKILL) == 0);
    CHECK(WIFSIGNALED(await_end(child)));
}

#endif
