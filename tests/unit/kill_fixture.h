/* SPDX-License-Identifier: MIT */
/* Maps of many entries that are made anew by a process which is killed. */
#ifndef KILL_FIXTURE_H
#define KILL_FIXTURE_H

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "recode_fixture.h"

#define CHUNK 1000

static inline unsigned entries(void)
{
    const char *text = getenv("RECODE_ENTRIES");

    return text ? (unsigned)strtoul(text, NULL, 10) : TEST_IS_SLOW ? 2000 : 20000;
}

/* More where more was asked for. */
static inline unsigned kills(void)
{
    return getenv("RECODE_ENTRIES") ? 20 : TEST_IS_SLOW ? 2 : 6;
}

static inline int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline pdict_slice text_of(char *text, size_t size, const char *format, unsigned i)
{
    return pdict_bytes(text, (size_t)snprintf(text, size, format, i, i * 7919u));
}

static inline pdict_slice entry_key(unsigned i, char *text)
{
    return text_of(text, 16, "k%u", i);
}

static inline pdict_slice entry_value_of(unsigned i, char *text)
{
    return text_of(text, 128, "plaintext %u, some words, some words and some more words, %u", i);
}

static inline void fill_all(pdict *d)
{
    pdict_pair pairs[CHUNK];
    char(*texts)[2][128] = test_alloc(sizeof(*texts) * CHUNK);

    for (unsigned from = 0; from < entries(); from += CHUNK) {
        for (unsigned i = 0; i < CHUNK; i++)
            pairs[i] = (pdict_pair){ entry_key(from + i, texts[i][0]),
                                     entry_value_of(from + i, texts[i][1]) };
        CHECK_OK(pdict_put_many(d, pairs, CHUNK, NULL, NULL));
    }
}

static inline bool is_entry(pdict *d, unsigned i)
{
    char key[16], value[128];
    pdict_slice expected = entry_value_of(i, value);
    pdict_view view;
    bool is_same = pdict_get(d, entry_key(i, key), &view) == PDICT_OK &&
                   view.size == expected.size && memcmp(view.data, expected.data, view.size) == 0;

    pdict_view_release(&view);
    return is_same;
}

static inline void check_all(pdict *d)
{
    for (unsigned i = 0; i < entries(); i++)
        CHECK(is_entry(d, i));
}

/* ---- the process that is killed ---- */

typedef void (*work_fn)(const void *ctx);

static inline pid_t start_work(work_fn work, const void *ctx)
{
    pid_t pid;

    fflush(NULL);
    if ((pid = fork()) == 0) {
        work(ctx);
        _exit(0);
    }
    return pid;
}

static inline void finish_work(work_fn work, const void *ctx)
{
    pid_t pid = start_work(work, ctx);
    int status;

    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
}

/* Whether it came to its end before it was killed. */
static inline bool work_for(work_fn work, const void *ctx, int64_t us)
{
    struct timespec wait = { us / 1000000, us % 1000000 * 1000 };
    pid_t pid = start_work(work, ctx);
    int status;

    nanosleep(&wait, NULL);
    kill(pid, SIGKILL);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFEXITED(status);
}

/* A random moment of something that takes so long, sooner rather than later. */
static inline int64_t moment_of(int64_t whole_us, unsigned *seed)
{
    double part = (double)rand_r(seed) / RAND_MAX;

    return (int64_t)(part * part * 0.8 * (double)whole_us);
}

#endif
