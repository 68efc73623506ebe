/* SPDX-License-Identifier: MIT */
/* Processes with threads that put, get and delete a few keys at once, and write down when. */
#include <errno.h>
#include <pdict/pdict.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "record.h"

/* SplitMix64, by Steele, Lea and Flood: any seed will do. */
uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

int64_t board_clock(void *ctx)
{
    return atomic_load(&((struct board *)ctx)->clock_ms);
}

static void yield(void)
{
    struct timespec moment = { .tv_nsec = 20000 };

    nanosleep(&moment, NULL);
}

void give_up(const char *what, int status)
{
    fprintf(stderr, "%s: %s: %s\n", what, pdict_status_name(status), pdict_error_text());
    _exit(EXIT_FAILURE);
}

/* ---- workers ---- */

static void one_round(struct worker *worker, uint32_t round)
{
    struct log *log = &worker->board->logs[worker->number];

    worker->random = worker->board->plan.seed * 1000003 + round * 64 + worker->number;
    memset(worker->seen_ids, 0, sizeof(worker->seen_ids));
    for (unsigned i = 0; i < worker->board->plan.ops; i++)
        operate(worker, log);
    atomic_store(&log->finished, round);
}

static void *work(void *ctx)
{
    struct worker *worker = ctx;
    uint32_t done = worker->first_round;

    for (;;) {
        uint32_t round;

        while ((round = atomic_load(&worker->board->round)) == done)
            yield();
        if (round == UINT32_MAX)
            return NULL;
        one_round(worker, round);
        done = round;
    }
}

static pdict *open_map(struct board *board, pdict_store **store)
{
    const pdict_slice key = { "linear key of thirty-two bytes!!", 32 };
    pdict_options options = PDICT_OPTIONS_INIT;
    char uri[1024];
    pdict *d;
    int status;

    options.clock = board_clock;
    options.clock_ctx = board;
    if (strstr(board->plan.codecs, "xchacha20"))
        options.key = key;
    snprintf(uri, sizeof(uri), "%s:%s?codecs=%s&durability=unsafe%s", board->plan.backend,
             board->path, board->plan.codecs, board->plan.options);
    if ((status = pdict_open(uri, &options, &d)) != PDICT_OK)
        give_up(uri, status);
    *store = NULL;
    snprintf(uri, sizeof(uri), "%s:%s", board->plan.backend, board->path);
    if (board->plan.fold_percent > 0 &&
        (status = pdict_store_open(uri, &options, store)) != PDICT_OK)
        give_up(uri, status);
    return d;
}

/* A process of its own until the board says that all is over. */
static void run_process(struct board *board, unsigned process, uint32_t first_round)
{
    struct worker workers[MOST_THREADS];
    pthread_t threads[MOST_THREADS];
    pdict_store *store;
    pdict *d = open_map(board, &store);

    for (unsigned i = 0; i < board->plan.threads; i++) {
        workers[i] = (struct worker){ .board = board,
                                      .d = d,
                                      .store = store,
                                      .number = process * board->plan.threads + i,
                                      .first_round = first_round };
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
            abort();
    }
    for (unsigned i = 0; i < board->plan.threads; i++)
        pthread_join(threads[i], NULL);
    pdict_store_close(store);
    pdict_close(d);
    _exit(EXIT_SUCCESS);
}

/* ---- histories ---- */

struct referee {
    struct board *board;
    pid_t pids[MOST_THREADS];
    uint64_t random;
    uint64_t kills, unknown, events;
};

static void start(struct referee *referee, unsigned process)
{
    /* Read here: by the time the child runs the next round may have begun. */
    uint32_t last_round = atomic_load(&referee->board->round);
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid < 0)
        abort();
    if (pid == 0)
        run_process(referee->board, process, last_round);
    referee->pids[process] = pid;
}

static bool has_ended(const struct board *board, unsigned process, uint32_t round)
{
    for (unsigned i = 0; i < board->plan.threads; i++) {
        if (atomic_load(&board->logs[process * board->plan.threads + i].finished) != round)
            return false;
    }
    return true;
}

/* False: a process ended by itself, and has said why. */
static bool wait_for(struct referee *referee, uint32_t round)
{
    for (unsigned process = 0; process < referee->board->plan.processes; process++) {
        while (referee->pids[process] && !has_ended(referee->board, process, round)) {
            if (waitpid(referee->pids[process], NULL, WNOHANG) != 0)
                return false;
            yield();
        }
    }
    return true;
}

/* In some histories one process dies, somewhere in the middle. */
static void kill_one(struct referee *referee)
{
    const struct plan *plan = &referee->board->plan;
    uint64_t dice = next_random(&referee->random);
    unsigned process = (unsigned)(dice >> 16) % plan->processes;
    struct log *log = &referee->board->logs[process * plan->threads];

    if (dice % 100 >= plan->kill_percent)
        return;
    while (atomic_load(&log->begun) <= (dice >> 32) % plan->ops)
        sched_yield();
    kill(referee->pids[process], SIGKILL);
    waitpid(referee->pids[process], NULL, 0);
    referee->pids[process] = 0;
    referee->kills++;
}

static void begin_round(struct referee *referee, uint32_t round)
{
    for (unsigned i = 0; i < MOST_THREADS; i++)
        atomic_store(&referee->board->logs[i].begun, 0);
    for (unsigned process = 0; process < referee->board->plan.processes; process++) {
        if (!referee->pids[process])
            start(referee, process);
    }
    atomic_store(&referee->board->round, round);
}

static size_t collect(struct referee *referee, unsigned key, struct event *out)
{
    size_t count = 0;

    for (unsigned thread = 0; thread < MOST_THREADS; thread++) {
        const struct log *log = &referee->board->logs[thread];

        for (unsigned i = 0; i < atomic_load(&log->begun); i++) {
            const struct event *event = &log->events[i];

            /* A get that did not return says nothing. */
            if (event->key != key || (event->kind == GET && event->outcome == UNKNOWN))
                continue;
            if (count == MOST_KEY_EVENTS)
                abort();
            referee->unknown += event->outcome == UNKNOWN;
            out[count++] = *event;
        }
    }
    referee->events += count;
    return count;
}

static bool check_round(struct referee *referee, uint32_t round)
{
    struct event events[MOST_KEY_EVENTS];

    for (unsigned key = 0; key < referee->board->plan.keys; key++) {
        size_t count = collect(referee, key, events);

        if (is_linearizable(events, count))
            continue;
        printf("history %u of seed %llu: no order explains what was seen of key %u\n", round,
               (unsigned long long)referee->board->plan.seed, key);
        print_history(events, count);
        return false;
    }
    return true;
}

static void stop_all(struct referee *referee)
{
    atomic_store(&referee->board->round, UINT32_MAX);
    for (unsigned process = 0; process < referee->board->plan.processes; process++) {
        if (referee->pids[process])
            waitpid(referee->pids[process], NULL, 0);
    }
}

/* The files of the store, whatever the engine, and the directory that was made for them. */
static void remove_store(const struct board *board)
{
    static const char *const suffixes[] = { "", "-wal", "-shm", "-journal", "-lock", "-pdict" };
    char path[600];

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", board->path, suffixes[i]);
        unlink(path);
    }
    *strrchr(strcpy(path, board->path), '/') = '\0';
    rmdir(path);
}

static void make_directory(struct board *board)
{
    const char *parent = getenv("TMPDIR");

    snprintf(board->path, sizeof(board->path), "%s/pdict-linear-XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(board->path))
        abort();
    strcat(board->path, "/store");
}

bool record_and_check(const struct plan *plan)
{
    struct board *board =
        mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct referee referee = { .board = board, .random = plan->seed };
    bool is_right = true;

    if (board == MAP_FAILED)
        abort();
    board->plan = *plan;
    atomic_store(&board->clock_ms, INT64_C(1700000000000));
    make_directory(board);
    for (uint32_t round = 1; is_right && round <= plan->rounds; round++) {
        begin_round(&referee, round);
        kill_one(&referee);
        is_right = wait_for(&referee, round) && check_round(&referee, round);
    }
    stop_all(&referee);
    remove_store(board);
    printf("%llu histories, %llu events of which %llu have an unknown outcome, %llu kills: %s\n",
           (unsigned long long)plan->rounds, (unsigned long long)referee.events,
           (unsigned long long)referee.unknown, (unsigned long long)referee.kills,
           is_right ? "all linearizable" : "FAILED");
    munmap(board, sizeof(*board));
    return is_right;
}
