/* SPDX-License-Identifier: MIT */
/* pdict-bench kv and ycsb: workloads over targets. */
#include "report/report.h"
#include "workloads/run.h"

#include <string.h>

#define MOST_WORKLOADS 32

static size_t workload_names(const struct workload *workloads, const char **names)
{
    size_t count = 0;

    for (; workloads[count].name; count++)
        names[count] = workloads[count].name;
    return count;
}

static int run(struct invocation *in, const char *kind, const struct workload *workloads,
               const char *default_targets)
{
    const char *names[MOST_WORKLOADS];
    size_t n_names = workload_names(workloads, names);
    int chosen[MOST_WORKLOADS];
    struct contest contest = { 0 };
    size_t count;
    int status;

    if ((status = bench_choices(in, OPT_WORKLOAD, names, n_names, chosen, MOST_WORKLOADS,
                                &count)) != PDICT_OK)
        return status;
    if ((status = contest_open(&contest, in, kind, default_targets)) != PDICT_OK)
        goto done;
    /* A load is of an empty store, so it comes first, wherever it was named. */
    for (size_t i = 0; i < count && status == PDICT_OK; i++) {
        if (workloads[chosen[i]].phase == RUN_LOAD)
            status = contest_run(&contest, &workloads[chosen[i]]);
    }
    for (size_t i = 0; i < count && status == PDICT_OK; i++) {
        if (workloads[chosen[i]].phase != RUN_LOAD)
            status = contest_run(&contest, &workloads[chosen[i]]);
    }
    bench_progress_end();
    if (status == PDICT_OK)
        status = report_finish(in, contest.document);
done:
    contest_close(&contest);
    return status;
}

int bench_kv(struct invocation *in)
{
    return run(in, "kv", kv_workloads, "pdict:sqlite,raw:sqlite,pdict:lmdb,raw:lmdb");
}

/* YCSB is what others publish of themselves, so those of this build are there. */
static void add_peers(char *targets, size_t size)
{
    for (size_t i = 0; drivers[i]; i++) {
        size_t used = strlen(targets);

        if (strcmp(drivers[i]->family, "peer") == 0)
            snprintf(targets + used, size - used, ",peer:%s", drivers[i]->name);
    }
}

int bench_ycsb(struct invocation *in)
{
    char targets[256] = "pdict:sqlite,raw:sqlite,pdict:lmdb,raw:lmdb";

    add_peers(targets, sizeof targets);
    if (!bench_has(in, OPT_VALUE_SIZE))
        in->values[OPT_VALUE_SIZE] = "1000";
    return run(in, "ycsb", ycsb_workloads, targets);
}
