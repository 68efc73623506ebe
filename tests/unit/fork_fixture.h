/* SPDX-License-Identifier: MIT */
/* What the tests of forks share: children that end well, and stores that were not harmed. */
#ifndef PDICT_FORK_FIXTURE_H
#define PDICT_FORK_FIXTURE_H

#include "maps.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NO_FORKS_UNDER_TSAN                                                                        \
    do {                                                                                           \
        if (TEST_UNDER_TSAN)                                                                       \
            SKIP("fork is not supported under the thread sanitizer");                              \
    } while (0)

/* A child that hangs ends the test and not the run of all tests. */
static inline pid_t fork_child(void)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0)
        alarm(60);
    return pid;
}

struct beginning {
    void *(*body)(void *ctx);
    void *ctx;
    sem_t has_begun;
};

static inline void *begin_thread(void *ctx)
{
    struct beginning *beginning = ctx;
    void *(*body)(void *ctx) = beginning->body;
    void *body_ctx = beginning->ctx;

    sem_post(&beginning->has_begun);
    return body(body_ctx);
}

/* Returns when the thread is in its body: before that it allocates, and a sanitizer's allocator is
 * not ready for a fork then, other than the C library's. */
static inline void start_thread(pthread_t *thread, void *(*body)(void *ctx), void *ctx)
{
    struct beginning beginning = { .body = body, .ctx = ctx };

    CHECK(sem_init(&beginning.has_begun, 0, 0) == 0);
    CHECK(pthread_create(thread, NULL, begin_thread, &beginning) == 0);
    CHECK(sem_wait(&beginning.has_begun) == 0);
    sem_destroy(&beginning.has_begun);
}

/* The end of a child that cannot free all that it has: what threads of the parent were at, or maps
 * that are none of its own. As another program it is not asked for that by memcheck. */
static inline _Noreturn void leave_everything(void)
{
    if (TEST_UNDER_VALGRIND)
        execl("/bin/true", "true", (char *)NULL);
    _exit(0);
}

static inline void end_child(pid_t pid)
{
    int how;

    CHECK(waitpid(pid, &how, 0) == pid);
    CHECK(WIFEXITED(how));
    CHECK_INT(WEXITSTATUS(how), 0);
}

/* Nobody has the store open: it is sound, and a stranger can write. */
static inline void check_unharmed(const struct setup *setup, const char *name)
{
    pdict_options options = test_options(false);
    pdict_verify_options how = PDICT_VERIFY_OPTIONS_INIT;
    pdict_verify_result result = PDICT_VERIFY_RESULT_INIT;
    pdict_store *store;
    pid_t pid;

    if (!setup->is_persistent)
        return;
    if ((pid = fork_child()) == 0) {
        pdict *d = setup_open(setup, name, "");

        put(d, "of a stranger", "v");
        pdict_close(d);
        _exit(0);
    }
    end_child(pid);
    if (setup->is_sealed)
        how.key = test_key;
    CHECK_OK(pdict_store_open(setup_uri(setup, name, ""), &options, &store));
    CHECK_OK(pdict_verify(store, &how, &result));
    CHECK_INT(result.findings, 0);
    CHECK_INT(result.unproven, 0);
    pdict_store_close(store);
}

#endif
