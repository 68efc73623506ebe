/* SPDX-License-Identifier: MIT */
/* Running a slice: one loop a thread, the clock looked at as rarely as the operations are short. */
#include "workloads/run.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

/* What holds the threads until all are there. */
enum {
    GATE_CLOSED,
    GATE_OPEN,
    GATE_OFF /* not all could be started: nobody runs */
};

struct runner {
    const struct slice *slice;
    const struct slice_thread *thread;
    const struct driver *driver;
    void *session;
    struct pace pace; /* its own copy; ops is what this thread did */
    struct bench_histogram *latency;
    atomic_int *gate;  /* NULL: begin at once */
    uint64_t begun_ns; /* the same for all threads of a slice */
    uint64_t ended_ns;
    uint64_t in_time; /* operations that ended within the budget */
    struct bench_rng rng;
    uint64_t version;
    unsigned seen;
    int status;
    char error[256]; /* texts belong to threads */
};

static int put_batch(struct runner *runner, size_t at)
{
    const struct run_data *data = runner->slice->data;
    pdict_pair pairs[RUN_BATCH_SIZE];

    for (size_t i = 0; i < RUN_BATCH_SIZE; i++)
        pairs[i] = (pdict_pair){
            run_key(data, runner->thread->keys[(at + i) % runner->thread->count]),
            run_value(data, runner->version++),
        };
    return runner->driver->put_many(runner->session, pairs, RUN_BATCH_SIZE);
}

static int scan(struct runner *runner, pdict_slice from)
{
    const struct workload *workload = runner->slice->workload;
    size_t limit = workload->scan_limit;
    size_t count;

    if (!workload->is_fixed_scan)
        limit = 1 + bench_rng_below(&runner->rng, limit);
    return runner->driver->scan(runner->session, from, limit, &count);
}

static int modify(struct runner *runner, pdict_slice key)
{
    pdict_slice value;
    int status = runner->driver->get(runner->session, key, &value);

    if (status == PDICT_OK)
        status = runner->driver->put(runner->session, key,
                                     run_value(runner->slice->data, runner->version++));
    return status;
}

static int get(struct runner *runner, pdict_slice key)
{
    pdict_slice value;
    int status = runner->driver->get(runner->session, key, &value);

    if (status == PDICT_OK)
        runner->seen += *(const unsigned char *)value.data;
    return status;
}

static int absent(struct runner *runner, pdict_slice key)
{
    pdict_slice value;
    int status = runner->driver->get(runner->session, key, &value);

    return status == PDICT_NOTFOUND ? PDICT_OK : status;
}

static int step(struct runner *runner, size_t at)
{
    const struct driver *driver = runner->driver;
    pdict_slice key = run_key(runner->slice->data, runner->thread->keys[at]);

    switch (runner->thread->operations[at]) {
    case RUN_GET:
        return get(runner, key);
    case RUN_MISS:
        return absent(runner, key);
    case RUN_DELETE:
        return driver->del(runner->session, key);
    case RUN_SCAN:
        return scan(runner, key);
    case RUN_MODIFY:
        return modify(runner, key);
    case RUN_BATCH:
        return put_batch(runner, at);
    default:
        return driver->put(runner->session, key, run_value(runner->slice->data, runner->version++));
    }
}

static void note(struct runner *runner, uint64_t latency)
{
    uint64_t clock_ns = runner->pace.clock_ns;

    if (runner->latency)
        bench_histogram_add(runner->latency, latency > clock_ns ? latency - clock_ns : 0);
}

/* As fast as can be: one operation of every so many with the clock, the others without. */
static void run_closed(struct runner *runner)
{
    const struct pace *pace = &runner->pace;
    size_t count = runner->thread->count;
    size_t i = 0;

    while (i < count && runner->status == PDICT_OK) {
        size_t until = count - i < pace->every ? count : i + pace->every;
        uint64_t before = bench_now_ns();
        uint64_t after;

        runner->status = step(runner, i++);
        after = bench_now_ns();
        note(runner, after - before);
        if (!pace->budget_ns || after - runner->begun_ns < pace->budget_ns)
            runner->in_time = i;
        while (i < until && runner->status == PDICT_OK)
            runner->status = step(runner, i++);
        if (pace->budget_ns && after - runner->begun_ns >= pace->budget_ns)
            break;
    }
    if (i == count)
        runner->in_time = i;
    runner->pace.ops = i;
}

/* At a given rate: latency runs from the moment an operation should have begun, so that a stall
 * counts for all that it kept waiting. */
static void run_open(struct runner *runner)
{
    const struct pace *pace = &runner->pace;
    double interval = 1e9 / (double)pace->rate;
    size_t i;

    for (i = 0; i < runner->thread->count && runner->status == PDICT_OK; i++) {
        uint64_t due = runner->begun_ns + (uint64_t)((double)i * interval);
        uint64_t now = bench_now_ns();

        if (pace->budget_ns && due - runner->begun_ns >= pace->budget_ns)
            break;
        if (due > now + 60000)
            bench_sleep_until(due - 50000);
        while (bench_now_ns() < due)
            continue;
        runner->status = step(runner, i);
        note(runner, bench_now_ns() - due);
    }
    runner->pace.ops = runner->in_time = i;
}

static void *run_thread(void *argument)
{
    struct runner *runner = argument;

    while (runner->gate && atomic_load(runner->gate) == GATE_CLOSED)
        sched_yield();
    if (runner->gate && atomic_load(runner->gate) == GATE_OFF)
        return NULL;
    if (runner->pace.rate)
        run_open(runner);
    else
        run_closed(runner);
    runner->ended_ns = bench_now_ns();
    if (runner->status != PDICT_OK)
        snprintf(runner->error, sizeof runner->error, "%s%s%s", pdict_status_name(runner->status),
                 *pdict_error_text() ? ": " : "", pdict_error_text());
    return NULL;
}

static int start_all(struct runner *runners, size_t count)
{
    pthread_t threads[RUN_THREADS];
    atomic_int gate = GATE_CLOSED;
    size_t started = 0;

    if (count == 1) {
        runners[0].begun_ns = bench_now_ns();
        run_thread(&runners[0]);
        return PDICT_OK;
    }
    for (size_t i = 0; i < count; i++)
        runners[i].gate = &gate;
    while (started < count &&
           pthread_create(&threads[started], NULL, run_thread, &runners[started]) == 0)
        started++;
    for (size_t i = 0; i < count; i++)
        runners[i].begun_ns = bench_now_ns();
    atomic_store(&gate, started == count ? GATE_OPEN : GATE_OFF);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (started < count)
        return pdict_fail(PDICT_IO, "--threads: the system lets only %zu threads begin", started);
    return PDICT_OK;
}

static int gather(struct runner *runners, size_t count, const struct target *target,
                  struct pace *pace)
{
    uint64_t last_ns = 0;
    uint64_t in_time = 0;

    pace->ops = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t took_ns = runners[i].ended_ns - runners[0].begun_ns;

        if (runners[i].status != PDICT_OK)
            return pdict_fail(runners[i].status == PDICT_NOTFOUND ? PDICT_DAMAGED
                                                                  : runners[i].status,
                              "%s: %.200s", target->label, runners[i].error);
        pace->ops += runners[i].pace.ops;
        in_time += runners[i].in_time;
        last_ns = took_ns > last_ns ? took_ns : last_ns;
        if (pace->latency && runners[i].latency != pace->latency)
            bench_histogram_merge(pace->latency, runners[i].latency);
    }
    pace->wall_ns = last_ns;
    /* Among many, one may wait long for its last operation when the others have stopped: what
     * counts is what they did together in the time they had. */
    if (count > 1 && in_time > 0 && pace->budget_ns && last_ns > pace->budget_ns) {
        pace->ops = in_time;
        pace->wall_ns = pace->budget_ns;
    }
    return PDICT_OK;
}

int pace_run(const struct slice *slice, const struct target *target, void *const *sessions,
             struct pace *pace)
{
    size_t count = slice->n_threads;
    struct runner *runners = calloc(count, sizeof *runners);
    struct bench_histogram *own = NULL;
    int status;

    if (count > 1 && pace->latency)
        own = calloc(count, sizeof *own);
    if (!runners || (count > 1 && pace->latency && !own)) {
        status = driver_no_memory("threads");
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        runners[i].slice = slice;
        runners[i].thread = &slice->threads[i];
        runners[i].driver = target->driver;
        runners[i].session = sessions[i];
        runners[i].pace = *pace;
        runners[i].latency = own ? &own[i] : pace->latency;
        runners[i].version = slice->threads[i].seed >> 20;
        bench_rng_seed(&runners[i].rng, slice->threads[i].seed, 7);
    }
    if ((status = start_all(runners, count)) == PDICT_OK)
        status = gather(runners, count, target, pace);
done:
    free(own);
    free(runners);
    return status;
}
