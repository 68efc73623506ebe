/* SPDX-License-Identifier: MIT */
/* Processes and their threads that want one key computed, and one that dies over it. */
#include "map/map.h"

#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>

#include "process_fixture.h"

enum {
    PROCESSES = 4,
    THREADS = TEST_IS_SLOW ? 20 : 1000,
    STACK_BYTES = 256 * 1024
};

/* In memory of all processes. */
struct shared {
    atomic_int waiting; /* threads that are about to ask */
    atomic_int calls;
    atomic_int killed;
    bool kills_first;
};

static struct shared *shared;

static int find(void *ctx, const pdict_view *old, pdict_computed *out)
{
    int missing = PROCESSES * THREADS;

    (void)ctx;
    (void)old;
    while (atomic_load(&shared->waiting) < missing - atomic_load(&shared->killed) * THREADS)
        sched_yield();
    if (atomic_fetch_add(&shared->calls, 1) == 0 && shared->kills_first) {
        atomic_fetch_add(&shared->killed, 1);
        kill(getpid(), SIGKILL);
    }
    out->value = pdict_str("value");
    return PDICT_OK;
}

static void *ask(void *arg)
{
    pdict_compute_options how = PDICT_COMPUTE_OPTIONS_INIT;
    pdict_view view;

    how.timeout_ms = 120000;
    atomic_fetch_add(&shared->waiting, 1);
    CHECK_OK(pdict_get_or_compute(arg, pdict_str("k"), find, NULL, &how, &view));
    CHECK_BYTES(view.data, view.size, "value", 5);
    pdict_view_release(&view);
    return NULL;
}

static void ask_with_all_threads(struct child *child, const char *uri)
{
    pthread_t *threads = test_alloc(THREADS * sizeof(*threads));
    pthread_attr_t attributes;
    pdict *d;

    CHECK_OK(pdict_open(uri, NULL, &d));
    step_done(child);
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], &attributes, ask, d) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    pthread_attr_destroy(&attributes);
    pdict_close(d);
}

static void check_value(const char *uri)
{
    pdict_view view;
    pdict *d;

    CHECK_OK(pdict_open(uri, NULL, &d));
    CHECK_OK(pdict_get(d, pdict_str("k"), &view));
    CHECK_BYTES(view.data, view.size, "value", 5);
    pdict_view_release(&view);
    pdict_close(d);
}

static void check(const char *scheme, bool kills_first)
{
    struct child children[PROCESSES];
    int killed = 0;
    char uri[4096];

    /* Patient: under memcheck each of four processes takes seconds to open it. */
    snprintf(uri, sizeof(uri), "%s:%s?timeout=120s", scheme, test_path("%s.db", scheme));
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    shared->kills_first = kills_first;
    for (int i = 0; i < PROCESSES; i++)
        children[i] = start(ask_with_all_threads, uri);
    for (int i = 0; i < PROCESSES; i++)
        await_step(&children[i]);
    for (int i = 0; i < PROCESSES; i++)
        next_step(&children[i]);
    for (int i = 0; i < PROCESSES; i++) {
        int how = await_end(&children[i]);

        killed += WIFSIGNALED(how);
        CHECK(WIFSIGNALED(how) ? WTERMSIG(how) == SIGKILL : WEXITSTATUS(how) == 0);
    }
    CHECK_INT(killed, kills_first);
    CHECK_INT(shared->calls, 1 + kills_first);
    check_value(uri);
    CHECK(munmap(shared, sizeof(*shared)) == 0);
}

static void check_all(bool kills_first)
{
    static const char *const schemes[] = { "sqlite", "lmdb" };

    for (size_t i = 0; i < 2; i++) {
        if (pdict__backend_find(schemes[i]))
            check(schemes[i], kills_first);
    }
}

TEST(compute_process, a_thousand_threads_in_each_of_four_processes_compute_once)
{
    check_all(false);
}

TEST(compute_process, computation_of_a_killed_process_is_done_once_more)
{
    check_all(true);
}
