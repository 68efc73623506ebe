/* SPDX-License-Identifier: MIT */
/* Goals on synced puts from many threads at once: what sharing a sync brings. */
#include "goals/goal.h"

#include <stdlib.h>
#include <string.h>

#define GROUP 16 /* puts that one raw thread commits at a time */

static const struct workload puts_of_new = { .name = "put", .percent = { [RUN_INSERT] = 100 } };

/* Nanoseconds a put, over all threads together. */
static int put_threads(struct goal_run *run, struct goal_pair *pair, int which, size_t n_threads,
                       uint64_t turn, double *ns)
{
    struct pace pace = { .budget_ns = run->round_ns, .every = 1 };
    size_t room = 40000 / n_threads;
    struct slice slice;
    int status = slice_make(&slice, &puts_of_new, &pair->contest.data, n_threads, room);

    if (status != PDICT_OK)
        return status;
    slice_draw(&slice, &pair->contest.settings, turn, 1,
               pair->contest.settings.keys + (turn + 1) * room * n_threads);
    if ((status = contestant_sessions(&pair->ones[which], n_threads, DRIVER_FULL)) == PDICT_OK)
        status = pace_run(&slice, &pair->ones[which].target, pair->ones[which].sessions, &pace);
    slice_free(&slice);
    *ns = pace.ops ? (double)pace.wall_ns / (double)pace.ops : 0;
    return status;
}

/* The engine's best without sharing: one thread that commits GROUP puts at a time. */
static int put_groups(struct goal_run *run, struct goal_pair *pair, uint64_t turn, double *ns)
{
    struct contestant *one = &pair->ones[GOAL_RAW];
    const struct run_data *data = &pair->contest.data;
    uint64_t number = (UINT64_C(1) << 36) + (turn << 24);
    char keys[GROUP][512];
    pdict_pair pairs[GROUP];
    uint64_t begun_ns;
    uint64_t took_ns = 0;
    uint64_t done = 0;
    int status = contestant_sessions(one, 1, DRIVER_FULL);

    begun_ns = bench_now_ns();
    while (status == PDICT_OK && took_ns < run->round_ns) {
        for (size_t i = 0; i < GROUP; i++, done++) {
            run_data_key(data, number + done, keys[i]);
            pairs[i] = (pdict_pair){ run_key(data, keys[i]), run_value(data, done) };
        }
        status = one->target.driver->put_many(one->sessions[0], pairs, GROUP);
        took_ns = bench_now_ns() - begun_ns;
    }
    *ns = done ? (double)took_ns / (double)done : 0;
    return status;
}

/* "ENGINE OURS grouped" or "ENGINE OURS RAW": threads of ours, and of the engine used raw. */
int goal_threads(struct goal_run *run, const char *argument, struct goal_samples *out)
{
    uint64_t keys = run->settings.keys < 100000 ? run->settings.keys : 100000;
    struct goal_pair pair;
    char engine[16];
    char raw[16];
    unsigned n_ours;
    uint64_t turn = 0;
    int status;

    if (sscanf(argument, "%15s %u %15s", engine, &n_ours, raw) != 3)
        return pdict_fail(PDICT_INVAL, "goals: %s is not an argument", argument);
    status = goal_pair_open(run, engine, keys, DRIVER_FULL, true, &pair);
    for (size_t round = 0; round <= run->rounds && status == PDICT_OK; round++) {
        double ns[2] = { 0, 0 };

        status = put_threads(run, &pair, GOAL_OURS, n_ours, turn++, &ns[GOAL_OURS]);
        if (status == PDICT_OK && strcmp(raw, "grouped") == 0)
            status = put_groups(run, &pair, turn++, &ns[GOAL_RAW]);
        else if (status == PDICT_OK)
            status =
                put_threads(run, &pair, GOAL_RAW, strtoul(raw, NULL, 10), turn++, &ns[GOAL_RAW]);
        if (status == PDICT_OK && round > 0)
            out->values[out->count++] = ns[GOAL_RAW] / ns[GOAL_OURS];
        if (status == PDICT_OK)
            status = bench_interrupted();
    }
    goal_pair_close(&pair);
    return status;
}
