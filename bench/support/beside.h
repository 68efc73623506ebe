/* SPDX-License-Identifier: MIT */
/* What the benchmarks that set pdict beside a raw engine share: data, clock, rounds, the tables. */
#ifndef PDICT_BENCH_BESIDE_H
#define PDICT_BENCH_BESIDE_H

#include <pdict/pdict.h>

#define KEY_SIZE   20
#define VALUE_SIZE 128

/* The engine as a careful user of it writes it; one store at a time. */
struct raw_engine {
    const char *name;            /* with its version and settings, for the heading */
    const char *scheme;          /* of pdict's backend on it */
    const char *options;         /* of the URI, each after an & */
    const char *const *suffixes; /* of all files of a store; ends with NULL */

    void (*open)(const char *path, bool is_synced);
    void (*close)(void);
    void (*begin)(void);
    void (*put)(const char *key, const char *value);
    void (*commit)(void);
    /* A snapshot of its own for each call: the value's bytes in `out`, or their first as answer. */
    void (*get_copy)(const char *key, char *out);
    char (*get_in_place)(const char *key);

    /* Goals, as time of pdict over time of raw; 0: none. */
    double goal_bulk, goal_get, goal_put;
};

/* The whole program: [all | load | growth] [KEYS] [DIRECTORY]. */
int beside_main(const struct raw_engine *engine, int argc, char **argv);

#endif
