/* SPDX-License-Identifier: MIT */
/* soak: processes and threads that do everything to one store at once, and know the answers. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arguments.h"
#include "soak.h"

static const char usage[] =
    "usage: soak [options]\n"
    "  --backend NAME    sqlite (default) or lmdb\n"
    "  --codecs LIST     as in a URI (default: raw)\n"
    "  --durability TEXT as in a URI (default: full)\n"
    "  --processes N     (default: 8)\n"
    "  --threads N       of each process (default: 4)\n"
    "  --seconds N       (default: 60)\n"
    "  --seed N          (default: 1)\n"
    "The store is made in a new directory under $TMPDIR, and removed when nothing was wrong.\n";

enum {
    EXIT_USAGE = 2,
    THREADS_MOST = 64
};

struct plan {
    const char *backend, *codecs, *durability;
    unsigned processes, threads, seconds;
    uint64_t seed;
    char directory[4096];
    struct shared *shared;
};

static bool read_arguments(int argc, char **argv, struct plan *out)
{
    const struct argument known[] = {
        { "backend", .text = &out->backend },       { "codecs", .text = &out->codecs },
        { "durability", .text = &out->durability }, { "processes", .count = &out->processes },
        { "threads", .count = &out->threads },      { "seconds", .count = &out->seconds },
        { "seed", .number = &out->seed },           { .name = NULL },
    };

    if (!arguments_read(known, usage, argc, argv))
        return false;
    if (out->processes >= 1 && out->threads >= 1 && out->threads <= THREADS_MOST &&
        out->seconds >= 1)
        return true;
    fprintf(stderr, "soak: there is at least 1 process, 1 second, and 1 to %d threads\n",
            THREADS_MOST);
    return false;
}

static void open_map(const struct plan *plan, const char *name, pdict **out)
{
    char uri[8192];

    snprintf(uri, sizeof(uri), "%s:%s/store?map=%s&codecs=%s&durability=%s", plan->backend,
             plan->directory, name, plan->codecs, plan->durability);
    if (pdict_open(uri, NULL, out) == PDICT_OK)
        return;
    fprintf(stderr, "soak: %s\n", pdict_error_text());
    exit(EXIT_FAILURE);
}

/* ---- a process ---- */

static void *run_thread(void *arg)
{
    soak_work(arg);
    return NULL;
}

static void run_process(const struct plan *plan, unsigned process)
{
    static struct worker workers[THREADS_MOST];
    pthread_t threads[THREADS_MOST];
    pdict *map, *bank;

    open_map(plan, "main", &map);
    open_map(plan, "bank", &bank);
    for (unsigned i = 0; i < plan->threads; i++) {
        unsigned number = process * plan->threads + i;

        workers[i] = (struct worker){ .shared = plan->shared,
                                      .map = map,
                                      .bank = bank,
                                      .number = number,
                                      .random = (plan->seed * 1000 + number + 1) *
                                                UINT64_C(0x9E3779B97F4A7C15) };
        if (pthread_create(&threads[i], NULL, run_thread, &workers[i]) != 0)
            _exit(EXIT_FAILURE);
    }
    for (unsigned i = 0; i < plan->threads; i++)
        pthread_join(threads[i], NULL);
    pdict_close(bank);
    pdict_close(map);
}

/* ---- all of them ---- */

static bool wait_for_all(const struct plan *plan)
{
    bool is_well = true;
    int how;

    for (unsigned i = 0; i < plan->processes; i++)
        is_well = wait(&how) > 0 && WIFEXITED(how) && WEXITSTATUS(how) == 0 && is_well;
    return is_well;
}

static bool run_all(const struct plan *plan)
{
    struct timespec time = { .tv_sec = plan->seconds };

    fflush(stdout);
    for (unsigned i = 0; i < plan->processes; i++) {
        pid_t pid = fork();

        if (pid < 0)
            return false;
        if (pid == 0) {
            run_process(plan, i);
            _exit(EXIT_SUCCESS);
        }
    }
    while (nanosleep(&time, &time) != 0)
        ;
    atomic_store(&plan->shared->is_over, true);
    return wait_for_all(plan);
}

static void verify(const struct plan *plan)
{
    pdict_verify_result result = PDICT_VERIFY_RESULT_INIT;
    pdict_store *store;
    char uri[8192];

    snprintf(uri, sizeof(uri), "%s:%s/store", plan->backend, plan->directory);
    if (!soak_ok(plan->shared, pdict_store_open(uri, NULL, &store), "open"))
        return;
    soak_ok(plan->shared, pdict_verify(store, NULL, &result), "verify");
    soak_check(plan->shared, result.findings == 0, "verify has %" PRIu64 " findings",
               (uint64_t)result.findings);
    pdict_store_close(store);
}

static void report(const struct shared *shared)
{
    static const char *const names[] = {
#define WORK_NAME(name, text) text,
        WORK_MAP(WORK_NAME)
#undef WORK_NAME
    };
    uint64_t all = 0;

    for (int i = 0; i < WORKS; i++) {
        printf("%10" PRIu64 "  %s\n", shared->done[i], names[i]);
        all += shared->done[i];
    }
    printf("%10" PRIu64 "  in all; %" PRIu64 " conflicts, %" PRIu64 " computations, %" PRIu64
           " stale values\n",
           all, shared->conflicts, shared->computations, shared->stale_values);
    printf("%" PRIu64 " errors, %" PRIu64 " busy, %" PRIu64 " violations\n", shared->errors,
           shared->busy, shared->violations);
}

static bool make_place(struct plan *plan)
{
    const char *parent = getenv("TMPDIR");

    snprintf(plan->directory, sizeof(plan->directory), "%s/pdict-soak-XXXXXX",
             parent ? parent : "/tmp");
    plan->shared = mmap(NULL, sizeof(*plan->shared), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return plan->shared != MAP_FAILED && mkdtemp(plan->directory);
}

static void remove_place(const struct plan *plan)
{
    static const char *const endings[] = { "", "-wal", "-shm", "-lock", "-pdict" };
    char path[4200];

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        snprintf(path, sizeof(path), "%s/store%s", plan->directory, endings[i]);
        unlink(path);
    }
    rmdir(plan->directory);
}

int main(int argc, char **argv)
{
    struct plan plan = { .backend = "sqlite",
                         .codecs = "raw",
                         .durability = "full",
                         .processes = 8,
                         .threads = 4,
                         .seconds = 60,
                         .seed = 1 };
    bool is_well;
    pdict *map, *bank;

    if (!read_arguments(argc, argv, &plan))
        return EXIT_USAGE;
    if (!make_place(&plan)) {
        perror(plan.directory);
        return EXIT_FAILURE;
    }
    printf("%s, %s, durability %s: %u processes x %u threads x %u s, seed %" PRIu64 "\n",
           plan.backend, plan.codecs, plan.durability, plan.processes, plan.threads, plan.seconds,
           plan.seed);
    open_map(&plan, "main", &map);
    open_map(&plan, "bank", &bank);
    soak_prepare(bank, plan.shared);
    pdict_close(bank);
    pdict_close(map);
    is_well = run_all(&plan);
    open_map(&plan, "main", &map);
    open_map(&plan, "bank", &bank);
    soak_settle(map, bank, plan.shared);
    pdict_close(bank);
    pdict_close(map);
    verify(&plan);
    report(plan.shared);
    is_well = is_well && plan.shared->errors + plan.shared->busy + plan.shared->violations == 0;
    if (is_well)
        remove_place(&plan);
    else
        printf("the store is left in %s\n", plan.directory);
    return is_well ? EXIT_SUCCESS : EXIT_FAILURE;
}
