/* SPDX-License-Identifier: MIT */
/* pdict beside a raw engine in one run: load, get, durable put, growth; ratios, not seconds. */
#include "support/beside.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "measure/measure.h"
#include "support/plain.h"
#include "support/side.h"

#define BATCH 1000
#define LARGE 250000

/* ---- memory ---- */

static atomic_bool is_watching;
static atomic_long peak_kib;

static void *watch_memory(void *unused)
{
    const struct timespec pause = { .tv_nsec = 2000000 };

    while (atomic_load(&is_watching)) {
        long kib = side_rss_anon_kib();

        if (kib > atomic_load(&peak_kib))
            atomic_store(&peak_kib, kib);
        nanosleep(&pause, NULL);
    }
    return unused;
}

/* ---- the works ---- */

enum work {
    LOAD,
    BULK_LOAD,
    LARGE_LOAD,
    GET,
    GET_IN_PLACE,
    INSERT,
    UPDATE,
    N_WORKS
};

static double ours[N_WORKS][ROUNDS], theirs[N_WORKS][ROUNDS];

struct bulk {
    double seconds;
    long before_kib, peak_kib;
};

static struct bulk bulks[2][ROUNDS];

static void check_order(pdict *d)
{
    pdict_entry entry;
    pdict_iter *iter;
    size_t i = 0;
    int status;

    plain_check(pdict_iter_open(d, NULL, &iter));
    while ((status = pdict_iter_next(iter, &entry)) == PDICT_OK) {
        if (i == side.n_keys || memcmp(entry.key.data, side_key_at(i), KEY_SIZE) != 0)
            plain_die("load", "the insertion order was not kept");
        i++;
    }
    pdict_iter_close(iter);
    if (status != PDICT_END || i != side.n_keys)
        plain_die("load", "entries are missing");
}

static void bulk_load(struct bulk *bulk, size_t batch)
{
    pthread_t watcher;
    pdict *d = side_open_ours("bulk", true);

    bulk->before_kib = side_rss_anon_kib();
    atomic_store(&is_watching, true);
    if (pthread_create(&watcher, NULL, watch_memory, NULL) != 0)
        plain_die("thread", "cannot be made");
    bulk->seconds = side_our_load(d, side.n_keys, batch, PDICT_PUT_IN_SLICES);
    atomic_store(&is_watching, false);
    pthread_join(watcher, NULL);
    bulk->peak_kib = atomic_load(&peak_kib);
    check_order(d);
    pdict_close(d);
}

/* In a process of its own, so that nobody else's memory is counted. */
static void play_bulk(struct bulk *bulk, size_t batch)
{
    int ends[2], state;
    pid_t child;

    if (pipe(ends) != 0 || (child = fork()) < 0)
        plain_die("fork", "cannot");
    if (child == 0) {
        bulk_load(bulk, batch);
        _exit(write(ends[1], bulk, sizeof(*bulk)) == (ssize_t)sizeof(*bulk) ? 0 : 1);
    }
    close(ends[1]);
    if (read(ends[0], bulk, sizeof(*bulk)) != (ssize_t)sizeof(*bulk))
        plain_die("bulk load", "failed");
    close(ends[0]);
    waitpid(child, &state, 0);
    side_remove_store("bulk");
}

static void play_loads(int round)
{
    play_bulk(&bulks[0][round], BULK);
    play_bulk(&bulks[1][round], LARGE);
    ours[BULK_LOAD][round] = bulks[0][round].seconds;
    ours[LARGE_LOAD][round] = bulks[1][round].seconds;
    side.engine->open(side_path_of("raw"), true);
    theirs[LOAD][round] = side_raw_load(side.n_keys, BATCH);
    theirs[BULK_LOAD][round] = theirs[LARGE_LOAD][round] = theirs[LOAD][round];
}

static void play_gets(pdict *d, int round)
{
    for (int turn = 0; turn < 2; turn++) { /* the first warms both */
        theirs[GET][round] = side_raw_gets();
        ours[GET][round] = side_our_gets(d);
    }
    for (int turn = 0; turn < 2; turn++) {
        theirs[GET_IN_PLACE][round] = side_raw_gets_in_place();
        ours[GET_IN_PLACE][round] = side_our_gets_in_place(d);
    }
}

static void play_round(int round)
{
    const char *which[PUTS];
    pdict *d;

    side_remove_all();
    side_draw();
    play_loads(round);
    d = side_open_ours("our", true);
    ours[LOAD][round] = side_our_load(d, side.n_keys, BATCH, 0);
    play_gets(d, round);
    for (size_t i = 0; i < PUTS; i++)
        which[i] = side_key_at(side.n_keys + i);
    side_play_puts(d, which, &ours[INSERT][round], &theirs[INSERT][round]);
    for (size_t i = 0; i < PUTS; i++)
        which[i] = side_key_at(side.draws[i]);
    side_play_puts(d, which, &ours[UPDATE][round], &theirs[UPDATE][round]);
    pdict_close(d);
    side.engine->close();
    side_remove_all();
}

/* ---- the table ---- */

static void print_goal(double ratio, double goal)
{
    if (goal > 0)
        printf("  <= %.3f %s", goal, ratio <= goal ? "met" : "not met");
    printf("\n");
}

/* `ratio` is pdict over raw by time: below 1 is faster. */
static void row(const char *what, enum work work, size_t n, double goal)
{
    double ratios[ROUNDS], ratio;

    for (size_t i = 0; i < ROUNDS; i++)
        ratios[i] = ours[work][i] / theirs[work][i];
    ratio = bench_median(ratios, ROUNDS);
    printf("%-36s %11.0f %11.0f %7.3f", what, (double)n / bench_median(ours[work], ROUNDS),
           (double)n / bench_median(theirs[work], ROUNDS), ratio);
    print_goal(ratio, goal);
}

static void print_memory(const struct bulk *bulk)
{
    double peaks[ROUNDS], before[ROUNDS];

    for (size_t i = 0; i < ROUNDS; i++) {
        peaks[i] = (double)bulk[i].peak_kib / 1024;
        before[i] = (double)bulk[i].before_kib / 1024;
    }
    printf("%-36s %7.0f MiB, %.0f MiB of them before", "peak RssAnon of that load",
           bench_median(peaks, ROUNDS), bench_median(before, ROUNDS));
    print_goal(bench_median(peaks, ROUNDS), 100);
}

static void print_heading(void)
{
    printf("%zu keys of %d bytes in random order, values of %d bytes, %s, synced commits, medians "
           "of %d rounds\n\n",
           side.n_keys, KEY_SIZE, VALUE_SIZE, side.engine->name, ROUNDS);
    printf("%-36s %11s %11s %7s  %s\n", "work", "pdict op/s", "raw op/s", "time", "goal");
}

static void print_loads(void)
{
    row("load, 100,000 against raw 1,000", BULK_LOAD, side.n_keys, side.engine->goal_bulk);
    print_memory(bulks[0]);
    row("load, 250,000 against raw 1,000", LARGE_LOAD, side.n_keys, side.engine->goal_bulk);
    print_memory(bulks[1]);
}

static void compare_works(void)
{
    for (int round = 0; round < ROUNDS; round++)
        play_round(round);
    print_heading();
    row("load, batches of 1,000", LOAD, side.n_keys, 0);
    print_loads();
    row("get, random keys, copied out", GET, GETS, side.engine->goal_get);
    row("get, random keys, in place", GET_IN_PLACE, GETS, 0);
    row("insert, one synced commit each", INSERT, PUTS, side.engine->goal_put);
    row("update, one synced commit each", UPDATE, PUTS, side.engine->goal_put);
}

static void compare_loads(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        side_remove_all();
        play_loads(round);
        side.engine->close();
    }
    side_remove_all();
    print_heading();
    print_loads();
}

/* Of stores that were loaded once. */
static void compare_gets(void)
{
    pdict *d;

    side_remove_all();
    side.engine->open(side_path_of("raw"), false);
    side_raw_load(side.n_keys, BULK);
    d = side_open_ours("our", false);
    side_our_load(d, side.n_keys, BULK, PDICT_PUT_IN_SLICES);
    for (int round = 0; round < ROUNDS; round++) {
        side_draw();
        play_gets(d, round);
    }
    pdict_close(d);
    side.engine->close();
    side_remove_all();
    print_heading();
    row("get, random keys, copied out", GET, GETS, side.engine->goal_get);
    row("get, random keys, in place", GET_IN_PLACE, GETS, 0);
}

static const struct {
    const char *name;
    void (*compare)(void);
} modes[] = { { "all", compare_works },
              { "load", compare_loads },
              { "gets", compare_gets },
              { "growth", side_compare_growth } };

int beside_main(const struct raw_engine *which, int argc, char **argv)
{
    size_t mode = 0;

    side.engine = which;
    for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(argv[1], modes[i].name) == 0) {
            mode = i;
            argc--;
            argv++;
            break;
        }
    }
    if (argc > 1)
        side.n_keys = strtoul(argv[1], NULL, 10);
    if (argc > 2)
        side.directory = argv[2];
    if (side.n_keys < 10000)
        plain_die("usage", "[all | load | gets | growth] [KEYS >= 10000] [DIRECTORY]");
    side_make_data();
    modes[mode].compare();
    side_free_data();
    return 0;
}
