/* SPDX-License-Identifier: MIT */
/* pdict-bench procs: independent processes on one store, each with a handle of its own. */
#include "report/report.h"
#include "workloads/run.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_PROCS 64

/* What a child leaves behind, in memory shared with its parent. */
struct child {
    atomic_int is_ready;
    uint64_t ops;
    uint64_t wall_ns;
    int status;
    char error[256];
    struct bench_histogram latency;
};

struct yard {
    atomic_int is_open; /* children wait for it */
    struct child children[MOST_PROCS];
};

/* 95 % reads and 5 % updates, by Zipf: YCSB's B. */
static const struct workload work = { .name = "procs",
                                      .percent = { [RUN_GET] = 95, [RUN_UPDATE] = 5 },
                                      .distribution = BENCH_ZIPF,
                                      .threads = 1 };

static int child_prepare(struct contest *contest, struct contestant *one, size_t number,
                         struct slice *slice)
{
    uint64_t room = contest->settings.time_ns / contest->settings.samples / 500 + 1000;
    int status;

    if ((status = contestant_open(contest, one, false)) == PDICT_OK &&
        (status = contestant_sessions(one, 1, target_durability(&one->target, DRIVER_CRASH))) ==
            PDICT_OK &&
        (status = slice_make(slice, &work, &contest->data, 1,
                             room < 1000000 ? (size_t)room : 1000000)) == PDICT_OK)
        slice_draw(slice, &contest->settings, number, MOST_PROCS, contest->settings.keys);
    return status;
}

static void child_run(struct contest *contest, struct contestant *one, struct yard *yard,
                      size_t number)
{
    struct child *child = &yard->children[number];
    struct slice slice = { 0 };
    struct pace pace = { .budget_ns = contest->settings.time_ns / contest->settings.samples,
                         .every = 8,
                         .clock_ns = contest->clock_ns,
                         .latency = &child->latency };

    child->status = child_prepare(contest, one, number, &slice);
    atomic_store(&child->is_ready, 1);
    while (!atomic_load(&yard->is_open))
        usleep(100);
    if (child->status == PDICT_OK)
        child->status = pace_run(&slice, &one->target, one->sessions, &pace);
    if (child->status != PDICT_OK)
        snprintf(child->error, sizeof child->error, "%.255s", pdict_error_text());
    child->ops = pace.ops;
    child->wall_ns = pace.wall_ns;
    contestant_close(one);
    slice_free(&slice);
}

static int start(struct contest *contest, struct contestant *one, struct yard *yard, size_t count)
{
    size_t started = 0;

    for (; started < count; started++) {
        pid_t pid = fork();

        if (pid < 0)
            break;
        if (pid == 0) {
            child_run(contest, one, yard, started);
            _exit(0);
        }
    }
    for (size_t i = 0; i < started; i++) {
        while (!atomic_load(&yard->children[i].is_ready))
            usleep(200);
    }
    atomic_store(&yard->is_open, 1);
    for (size_t i = 0; i < started; i++)
        wait(NULL);
    if (started < count)
        return pdict_fail(PDICT_IO, "--procs: the system lets only %zu processes begin", started);
    return PDICT_OK;
}

/* One sample: nanoseconds an operation, over all processes together. */
static int sample(struct contest *contest, struct contestant *one, struct yard *yard, size_t count)
{
    double per_s = 0;
    uint64_t ops = 0;
    int status;

    memset(yard, 0, sizeof *yard);
    if ((status = start(contest, one, yard, count)) != PDICT_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        struct child *child = &yard->children[i];

        if (child->status != PDICT_OK || child->wall_ns == 0)
            return pdict_fail(child->status ? child->status : PDICT_IO, "%s: process %zu: %s",
                              one->target.label, i + 1, child->error);
        per_s += (double)child->ops * 1e9 / (double)child->wall_ns;
        ops += child->ops;
        bench_histogram_merge(&one->latency, &child->latency);
    }
    one->samples[one->n_samples++] = 1e9 / per_s;
    one->ops += ops;
    return PDICT_OK;
}

static void add_row(struct contest *contest, struct contestant *one, size_t count)
{
    char id[200];
    json_t *row;

    snprintf(id, sizeof id, "procs/%s/%zu", one->target.label, count);
    row = report_row(contest->document, "procs", id);
    json_object_set_new(row, "workload", json_string("procs"));
    json_object_set_new(row, "target", json_string(one->target.label));
    json_object_set_new(row, "threads", json_integer((json_int_t)count));
    json_object_set_new(row, "keys", json_integer((json_int_t)contest->settings.keys));
    json_object_set_new(row, "value_size", json_integer((json_int_t)contest->settings.value_size));
    json_object_set_new(
        row, "durability",
        json_string(driver_durability_names[target_durability(&one->target, DRIVER_CRASH)]));
    json_object_set_new(row, "ops", json_integer((json_int_t)one->ops));
    report_samples(row, one->samples, one->n_samples);
    json_object_set_new(row, "ops_per_s",
                        json_real(1e9 / bench_median(one->samples, one->n_samples)));
    report_latency(row, &one->latency);
}

static int run_count(struct contest *contest, struct yard *yard, size_t count)
{
    int status = PDICT_OK;

    for (size_t i = 0; i < contest->count; i++) {
        contest->contestants[i].n_samples = 0;
        contest->contestants[i].ops = 0;
        bench_histogram_clear(&contest->contestants[i].latency);
    }
    for (uint64_t turn = 0; turn < contest->settings.samples && status == PDICT_OK; turn++) {
        for (size_t i = 0; i < contest->count && status == PDICT_OK; i++) {
            if (contest->contestants[i].is_out)
                continue;
            bench_progress("%zu processes, sample %llu, %s", count, (unsigned long long)turn + 1,
                           contest->contestants[i].target.label);
            status = sample(contest, &contest->contestants[i], yard, count);
            if (status == PDICT_OK)
                status = bench_interrupted();
        }
    }
    for (size_t i = 0; i < contest->count && status == PDICT_OK; i++) {
        if (!contest->contestants[i].is_out)
            add_row(contest, &contest->contestants[i], count);
    }
    return status;
}

/* Stores are filled and closed before the first fork: no handle crosses it. */
static int fill_all(struct contest *contest)
{
    int status = PDICT_OK;

    for (size_t i = 0; i < contest->count && status == PDICT_OK; i++) {
        struct contestant *one = &contest->contestants[i];

        if (!(one->target.flags & DRIVER_PROCESSES)) {
            report_skip(contest->document, "procs", one->target.label,
                        "one process at a time may open it");
            one->is_out = true;
            continue;
        }
        if ((status = contestant_open(contest, one, false)) == PDICT_OK)
            status = contest_fill(contest, one);
        contestant_close(one);
    }
    return status;
}

int bench_procs(struct invocation *in)
{
    uint64_t counts[16] = { 1, 2, 4 };
    size_t n_counts = 3;
    struct contest contest = { 0 };
    struct yard *yard = MAP_FAILED;
    int status;

    if ((status = bench_numbers(in, OPT_PROCS, MOST_PROCS, counts, 16, &n_counts)) != PDICT_OK ||
        (status = contest_open(&contest, in, "procs",
                               "pdict:sqlite,raw:sqlite,pdict:lmdb,raw:lmdb")) != PDICT_OK)
        goto done;
    yard = mmap(NULL, sizeof *yard, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (yard == MAP_FAILED) {
        status = pdict_fail(PDICT_NOMEM, "procs: out of memory");
        goto done;
    }
    status = fill_all(&contest);
    for (size_t i = 0; i < n_counts && status == PDICT_OK; i++)
        status = run_count(&contest, yard, (size_t)counts[i]);
    bench_progress_end();
    if (status == PDICT_OK)
        status = report_finish(in, contest.document);
done:
    if (yard != MAP_FAILED)
        munmap(yard, sizeof *yard);
    contest_close(&contest);
    return status;
}
