/* SPDX-License-Identifier: MIT */
/* What taking turns with other processes costs a single put: with and without gate file, in one run.
 *
 *     turns [PUTS]
 *
 * Two stores of one engine and one thread that makes the same puts in both. One of them is opened
 * through a copy of the engine's table that promises to share the file with no other process, and
 * so has no gate file. They take turns in short rounds; what counts is the median of the ratios
 * of neighbours. Files go to the current directory.
 */
#include <inttypes.h>
#include <pdict/ext/register.h>
#include <pdict/pdict.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure/measure.h"
#include "support/plain.h"

#define ROUNDS     61
#define N_KEYS     10000
#define VALUE_SIZE 128

extern const pdict_backend pdict__backend_sqlite;
extern const pdict_backend pdict__backend_lmdb;

static int n_puts = 200; /* of a round */

/* ---- stores with and without ---- */

static void register_alone(pdict_backend *alone, const pdict_backend *engine, const char *name)
{
    *alone = *engine;
    alone->name = name;
    alone->capabilities &= ~(uint32_t)PDICT_CAP_MULTI_PROCESS;
    alone->probe = NULL;
    plain_check(pdict_register_backend(alone));
}

static void remove_files(const char *path)
{
    static const char *const endings[] = { "", "-wal", "-shm", "-lock" };
    char name[64];

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        snprintf(name, sizeof(name), "%s%s", path, endings[i]);
        unlink(name);
    }
}

static pdict *open_new(const char *scheme, const char *path, const char *durability)
{
    char uri[128];
    pdict *d;

    remove_files(path);
    snprintf(uri, sizeof(uri), "%s:%s?durability=%s", scheme, path, durability);
    plain_check(pdict_open(uri, NULL, &d));
    return d;
}

/* ---- puts ---- */

static double put_some(pdict *d, unsigned round)
{
    char key[24], value[VALUE_SIZE] = { 0 };
    double start = plain_now_s();

    for (int i = 0; i < n_puts; i++) {
        unsigned n = (round * 7919u + (unsigned)i * 104729u) % N_KEYS;

        snprintf(key, sizeof(key), "%020u", n);
        memcpy(value, &round, sizeof(round));
        memcpy(value + sizeof(round), &i, sizeof(i));
        plain_check(pdict_put(d, pdict_str(key), pdict_bytes(value, sizeof(value)), NULL));
    }
    return (plain_now_s() - start) / n_puts;
}

/* ---- the table ---- */

static void row(const char *engine, const char *alone, const char *durability, double goal)
{
    double with[ROUNDS], without[ROUNDS], ratios[ROUNDS], ratio;
    pdict *shared = open_new(engine, "turns-shared.db", durability);
    pdict *single = open_new(alone, "turns-alone.db", durability);

    put_some(shared, 0);
    put_some(single, 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        bool is_first = i % 2 == 0;

        if (is_first)
            with[i] = put_some(shared, i + 1);
        without[i] = put_some(single, i + 1);
        if (!is_first)
            with[i] = put_some(shared, i + 1);
        ratios[i] = without[i] / with[i];
    }
    ratio = bench_median(ratios, ROUNDS);
    printf("%-8s %-10s %12.1f %12.1f %10.3f %8.2f  %s\n", engine, durability,
           bench_median(without, ROUNDS) * 1e6, bench_median(with, ROUNDS) * 1e6, ratio, goal,
           ratio >= goal ? "met" : "not met");
    pdict_close(shared);
    pdict_close(single);
    remove_files("turns-shared.db");
    remove_files("turns-alone.db");
}

int main(int argc, char **argv)
{
    static pdict_backend sqlite_alone, lmdb_alone;

    if (argc > 1)
        n_puts = atoi(argv[1]);
    if (n_puts < 1) {
        fprintf(stderr, "usage: turns [PUTS]\n");
        return 2;
    }
    register_alone(&sqlite_alone, &pdict__backend_sqlite, "sqlitealone");
    register_alone(&lmdb_alone, &pdict__backend_lmdb, "lmdbalone");
    printf("Single puts of %d bytes, one thread, us a put; the ratio is speed with gate file over "
           "speed without.\n\n",
           VALUE_SIZE);
    printf("%-8s %-10s %12s %12s %10s %8s\n", "engine", "durability", "without", "with", "ratio",
           "goal");
    row("sqlite", "sqlitealone", "full", 0.95);
    row("sqlite", "sqlitealone", "ordered", 0.90);
    row("lmdb", "lmdbalone", "full", 0.95);
    row("lmdb", "lmdbalone", "ordered", 0.90);
    return 0;
}
