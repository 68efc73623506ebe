/* SPDX-License-Identifier: MIT */
/* Many processes and threads on one store, for a long time: what they share and what they do. */
#ifndef PDICT_TEST_SOAK_H
#define PDICT_TEST_SOAK_H

#include <pdict/pdict.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    REGISTERS = 16, /* numbers that only grow, changed by everybody */
    ACCOUNTS = 32,  /* money that is moved in transactions */
    COMPUTED = 24,  /* values that expire and are computed again */
    OWN_KEYS = 20,  /* of each thread; nobody else touches them */
    START_MONEY = 1000
};

/* What a thread does; the names are those of the table that is printed. */
#define WORK_MAP(X)                                                                                \
    X(READ, "get of what others change")                                                           \
    X(RAISE, "modify")                                                                             \
    X(ADD, "add")                                                                                  \
    X(TRANSFER, "transaction that moves money")                                                    \
    X(AUDIT, "transaction that adds up")                                                           \
    X(COMPUTE, "get_or_compute")                                                                   \
    X(OWN, "put, get, del of own keys")                                                            \
    X(EXPIRE, "put with a time to live, and get")                                                  \
    X(WALK, "iteration")                                                                           \
    X(COUNT, "count")

enum work {
#define WORK_ENUM(name, text) WORK_##name,
    WORK_MAP(WORK_ENUM)
#undef WORK_ENUM
    WORKS
};

/* In memory of all processes. What a call has returned is noted here behind it, what a later call
 * must at least see is read from here before it. */
struct shared {
    atomic_bool is_over;
    _Atomic uint64_t done[WORKS];
    _Atomic uint64_t conflicts; /* transactions that were repeated */
    _Atomic uint64_t computations, stale_values;
    _Atomic uint64_t busy;
    _Atomic uint64_t errors;              /* calls that failed */
    _Atomic uint64_t violations;          /* answers that cannot be */
    _Atomic int64_t registers[REGISTERS]; /* at least */
    _Atomic int64_t added;                /* in all */
    atomic_int computing[COMPUTED];       /* computations under way: 0 or 1 */
    _Atomic int64_t computed[COMPUTED];   /* the newest that was begun */
};

struct worker {
    struct shared *shared;
    pdict *map, *bank;
    unsigned number; /* of the thread, among all */
    uint64_t random;
    int64_t seen[REGISTERS]; /* by this thread */
    int64_t own[OWN_KEYS];   /* 0: absent */
};

/* ---- work.c ---- */

/* Do things at random until it is over. */
void soak_work(struct worker *worker);
/* Before the processes begin. */
void soak_prepare(pdict *bank, struct shared *shared);
/* After they have ended: do the sums agree? */
void soak_settle(pdict *map, pdict *bank, struct shared *shared);

/* ---- report.c ---- */

/* A call that must not fail; false: it has, and that is counted and printed. */
bool soak_ok(struct shared *shared, int status, const char *what);
/* What must be so; else it is counted and printed. */
void soak_check(struct shared *shared, bool is_so, const char *format, ...) PDICT_PRINTF(3, 4);

#endif
