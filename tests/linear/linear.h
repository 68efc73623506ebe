/* SPDX-License-Identifier: MIT */
/* Recorded histories of threads and processes on one store, and whether one order explains them. */
#ifndef PDICT_TEST_LINEAR_H
#define PDICT_TEST_LINEAR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MOST_THREADS = 16,
    MOST_OPS = 32, /* of one thread in one history */
    MOST_KEYS = 4,
    MOST_KEY_EVENTS = 64 /* of one key in one history: the search keeps them as bits of a word */
};

enum kind {
    GET,
    PUT,
    PUT_IF_ABSENT,
    PUT_IF_SAME, /* compare and swap, by the version that was read with the value if_id */
    DEL,
    POP,
    MODIFY /* a put over the value if_id, or over nothing; what is there keeps its expiry */
};

enum outcome {
    UNKNOWN, /* the call did not return, or returned that it does not know */
    DONE,    /* read something, wrote, deleted */
    ABSENT,  /* the key was absent, or had expired */
    PRESENT, /* PUT_IF_ABSENT: it was not */
    OTHER    /* PUT_IF_SAME: another value was there */
};

/* One operation. Each put of a history writes a value of its own, told by its number. */
struct event {
    uint8_t kind;
    uint8_t key;
    _Atomic uint8_t outcome;
    uint32_t id;        /* the value that it writes; GET, POP: that it saw */
    uint32_t if_id;     /* PUT_IF_SAME: the value that it expects; MODIFY: that it saw; 0: none */
    int64_t expires_ms; /* of what it writes; 0: never */
    int64_t called_ns, returned_ns;
    int64_t clock_called, clock_returned; /* the injected clock, which only grows */
    uint8_t thread;
};

/* ---- checker.c ---- */

/*
 * Is there one order of the events, each at one instant between its call and its return, in which
 * a map with expiry would have answered as recorded? Events with an unknown outcome may have
 * happened at any time after their call, or never. The search of Wing and Gong with the memory of
 * Lowe, one key at a time. At most MOST_KEY_EVENTS events, of one key.
 */
bool is_linearizable(const struct event *events, size_t count);

/* ---- record.c ---- */

struct plan {
    const char *backend; /* "sqlite", or with a layer before it */
    const char *codecs;
    const char *options;         /* further ones, "&name=value...", or "" */
    unsigned processes, threads; /* threads of each process */
    unsigned ops, keys;          /* of a thread; of a history */
    unsigned kill_percent;       /* of the histories in which one process is killed */
    unsigned fold_percent;       /* of the operations before which the log is folded in */
    uint64_t rounds, seed;
};

/* Record histories and check each; prints the first that nothing explains. False: there was one. */
bool record_and_check(const struct plan *plan);

/* ---- print.c ---- */

void print_history(const struct event *events, size_t count);

#endif
