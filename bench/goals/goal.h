/* SPDX-License-Identifier: MIT */
/* The project's own goals: what each promises, and how it is measured. */
#ifndef BENCH_GOAL_H
#define BENCH_GOAL_H

#include "workloads/run.h"

#define GOAL_ROUNDS 15 /* at most */
#define GOAL_KEYS   1000000

/** What all goals measure with. */
struct goal_run {
    const struct invocation *in;
    struct run_settings settings;
    size_t rounds;
    uint64_t round_ns; /**< of one contestant in one round */
    char directory[512];
    size_t n_stores; /**< made so far; each has a directory of its own */
};

/** Ratios or other numbers, one a round. */
struct goal_samples {
    double values[GOAL_ROUNDS];
    size_t count;
};

/** One row of the table. `argument` is what tells rows with the same function apart. */
struct goal {
    const char *id;
    const char *title;
    bool is_floor; /**< at least the bound; else at most */
    double bound;
    int (*measure)(struct goal_run *run, const char *argument, struct goal_samples *out);
    const char *argument;
};

extern const struct goal goals[]; /**< ends with a NULL id */

/* A map beside its engine: both stores open, one session each. */
struct goal_pair {
    struct contest contest;
    struct contestant ones[2]; /**< the map, then the engine */
};

#define GOAL_OURS 0
#define GOAL_RAW  1

/* pair.c */
/* Options behind a ? of the engine are for ours only. */
int goal_pair_open(struct goal_run *run, const char *engine, uint64_t keys,
                   enum driver_durability durability, bool is_filled, struct goal_pair *out);
void goal_pair_close(struct goal_pair *pair);
/** Nanoseconds an operation of a workload, for both, on the same keys, in turns. */
int goal_pair_time(struct goal_run *run, struct goal_pair *pair, const struct workload *workload,
                   uint64_t round, double ns[2]);
/** Anonymous memory of this process, RssAnon of /proc/self/status. */
double goal_anonymous_bytes(void);

/* goals_store.c, goals_growth.c, goals_threads.c, goals_load.c, goals_codec.c */
int goal_get(struct goal_run *run, const char *engine, struct goal_samples *out);
int goal_visit(struct goal_run *run, const char *engine, struct goal_samples *out);
int goal_put(struct goal_run *run, const char *engine, struct goal_samples *out);
int goal_open(struct goal_run *run, const char *engine, struct goal_samples *out);
int goal_growth(struct goal_run *run, const char *argument, struct goal_samples *out);
int goal_growth_open(struct goal_run *run, const char *argument, struct goal_samples *out);
int goal_threads(struct goal_run *run, const char *argument, struct goal_samples *out);
int goal_load(struct goal_run *run, const char *engine, struct goal_samples *out);
int goal_load_memory(struct goal_run *run, const char *engine, struct goal_samples *out);
int goal_codec(struct goal_run *run, const char *which, struct goal_samples *out);

/* goals_cache.c (where GLib is), goals_hits.c, goals_dictionary.c */
int goal_cached(struct goal_run *run, const char *argument, struct goal_samples *out);
int goal_two_threads(struct goal_run *run, const char *argument, struct goal_samples *out);
int goal_entry_memory(struct goal_run *run, const char *which, struct goal_samples *out);
int goal_hit_ratio(struct goal_run *run, const char *policy, struct goal_samples *out);
int goal_foreign(struct goal_run *run, const char *which, struct goal_samples *out);
int goal_dictionary(struct goal_run *run, const char *which, struct goal_samples *out);

#endif
