/* SPDX-License-Identifier: MIT */
/* What the threads of a history share, and what each keeps. */
#ifndef PDICT_TEST_LINEAR_RECORD_H
#define PDICT_TEST_LINEAR_RECORD_H

#include <pdict/pdict.h>

#include "linear.h"

/* What one thread did in the present history. It is read when the thread is at rest, or dead. */
struct log {
    _Atomic uint32_t finished; /* the round it has come to the end of */
    _Atomic uint32_t begun;    /* events, the last of which may not have returned */
    struct event events[MOST_OPS];
};

/* Shared by all processes. */
struct board {
    struct plan plan;
    _Atomic uint32_t round; /* histories have numbers from 1 */
    _Atomic uint32_t next_id;
    _Atomic int64_t clock_ms;
    char path[512];
    struct log logs[MOST_THREADS];
};

struct worker {
    struct board *board;
    pdict *d;
    pdict_store *store; /* to fold the log in; NULL: nobody does */
    unsigned number;
    uint64_t random;
    uint32_t first_round;
    /* What was last read of each key in this history. */
    uint32_t seen_ids[MOST_KEYS];
    uint64_t seen_versions[MOST_KEYS];
};

uint64_t next_random(uint64_t *state);
int64_t board_clock(void *ctx);
/* A child reports what cannot be by its exit; the message goes to the log of the test. */
void give_up(const char *what, int status);

/* ---- operate.c ---- */

/* Do the next operation of a thread. */
void operate(struct worker *worker, struct log *log);

#endif
