/* SPDX-License-Identifier: MIT */
/* What the parts of crash_test share: writers that die, and what they said before. */
#ifndef PDICT_CRASH_KILLS_H
#define PDICT_CRASH_KILLS_H

#include <sys/types.h>

#include "io.h"
#include "ops.h"

#define MOST_LANES 8

/* What is known of a lane from the pipe. */
struct lane_facts {
    struct model model; /* after all operations that were acknowledged */
    struct op pending;  /* started and not acknowledged */
    bool is_pending;
    uint64_t next; /* number of an operation; in steps of MOST_LANES, so that no two are equal */
};

/* In memory that the process which checks shares with the one that starts it. */
struct oracle {
    struct lane_facts lanes[MOST_LANES];
    uint64_t counters[KEYS]; /* acknowledged */
    uint64_t started, acknowledged, unknown, happened;
    char text[1024]; /* of the first violation */
};

/* The life of one store: some kills long. */
struct plan {
    struct setup setup;
    uint64_t seed;
    unsigned processes, threads;
    unsigned mix;
    char directory[400];
};

/* Told through the pipe. Smaller than PIPE_BUF, so that none is torn. */
struct record {
    uint32_t lane;
    bool is_ack;
    bool is_done; /* with is_ack: otherwise nothing was done */
    struct op op;
};

/* worker.c: open the store and operate until killed; 1 says that something was wrong. */
_Noreturn void worker_run(const struct plan *plan, const struct oracle *oracle, unsigned process,
                          int out, const struct io_plan *death);

/* oracle.c */
struct oracle *oracle_new(void);
void oracle_free(struct oracle *oracle);
void oracle_begin(struct oracle *oracle);
void oracle_hear(struct oracle *oracle, const struct record *record);
/* In a child: open the store and hold it against what is known; what is unknown gets known. */
_Noreturn void oracle_check(struct oracle *oracle, const struct plan *plan, bool is_closed);

/* every.c: one writer dies at each call of a workload, in turn. */
bool every_call(const struct plan *plan, struct oracle *oracle, uint64_t ops, uint64_t *kills);

/* beside.c: one writer stops at each call of a workload, in turn; another one opens the store and
 * writes, and has to go on when the first is killed where it stopped. Then that is killed too. */
bool beside_every_call(const struct plan *plan, struct oracle *oracle, uint64_t ops,
                       uint64_t *kills);

/* Wait for a child; false, with a text in the oracle, unless it was killed or ended with 0. */
bool reap(struct oracle *oracle, pid_t pid, const char *what);
bool check_apart(struct oracle *oracle, const struct plan *plan, bool is_closed);

#endif
