/* SPDX-License-Identifier: MIT */
/* A map and its engine used raw, with the same keys, measured in turns. */
#include "goals/goal.h"

#include <stdio.h>
#include <string.h>

static int one_open(struct goal_run *run, struct goal_pair *pair, int which, const char *label,
                    enum driver_durability durability)
{
    struct contestant *one = &pair->ones[which];
    char name[32];
    int status;

    snprintf(name, sizeof name, "%zu", run->n_stores++);
    if ((status = target_parse(label, &one->target)) != PDICT_OK ||
        (status = bench_directory_sub(run->directory, name, one->directory,
                                      sizeof one->directory)) != PDICT_OK ||
        (status = contestant_open(&pair->contest, one, true)) != PDICT_OK)
        return status;
    return contestant_sessions(one, 1, durability);
}

int goal_pair_open(struct goal_run *run, const char *engine, uint64_t keys,
                   enum driver_durability durability, bool is_filled, struct goal_pair *out)
{
    static const char *const families[] = { "pdict", "raw" };
    char label[64];
    int status;

    *out = (struct goal_pair){ .contest = { .settings = run->settings } };
    out->contest.settings.keys = keys;
    out->contest.settings.durability = (int)durability;
    out->contest.clock_ns = (uint64_t)bench_clock_cost_ns();
    status = run_data_make(&out->contest.settings, &out->contest.data);
    for (int i = 0; i < 2 && status == PDICT_OK; i++) {
        size_t size = i == GOAL_OURS ? strlen(engine) : strcspn(engine, "?");

        snprintf(label, sizeof label, "%s:%.*s", families[i], (int)size, engine);
        status = one_open(run, out, i, label, durability);
        if (status == PDICT_OK && is_filled &&
            (status = contest_fill(&out->contest, &out->ones[i])) == PDICT_OK)
            status = contestant_sessions(&out->ones[i], 1, durability);
    }
    return status;
}

void goal_pair_close(struct goal_pair *pair)
{
    for (int i = 0; i < 2; i++) {
        contestant_close(&pair->ones[i]);
        bench_directory_remove(pair->ones[i].directory);
    }
    run_data_free(&pair->contest.data);
}

/* Both do the same operations; who begins changes from round to round. The first time does not
 * count: it brings caches to where they stay. */
int goal_pair_time(struct goal_run *run, struct goal_pair *pair, const struct workload *workload,
                   uint64_t round, double ns[2])
{
    size_t room = 200000;
    struct slice slice;
    int status = slice_make(&slice, workload, &pair->contest.data, 1, room);

    if (status != PDICT_OK)
        return status;
    slice_draw(&slice, &pair->contest.settings, round, 1,
               pair->contest.settings.keys + (round + 1) * room);
    for (int turn = 0; turn < 2 && status == PDICT_OK; turn++) {
        int which = (turn + (int)round) % 2;
        struct pace pace = { .budget_ns = run->round_ns, .every = 16 };

        status = pace_run(&slice, &pair->ones[which].target, pair->ones[which].sessions, &pace);
        ns[which] = pace.ops ? (double)pace.wall_ns / (double)pace.ops : 0;
    }
    slice_free(&slice);
    return status == PDICT_OK ? bench_interrupted() : status;
}

double goal_anonymous_bytes(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[128];
    double kib = 0;

    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "RssAnon: %lf", &kib) == 1)
            break;
    }
    if (file)
        fclose(file);
    return kib * 1024;
}
