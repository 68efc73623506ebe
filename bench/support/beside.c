/* SPDX-License-Identifier: MIT */
/* pdict beside a raw engine in one run: load, get, durable put, growth; ratios, not seconds. */
#include "beside.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5
#define BATCH  1000
#define BULK   100000
#define LARGE  250000
#define GETS   200000
#define PUTS   2000
#define TURN   100 /* puts before the other one has its turn */

static const struct raw_engine *engine;
static const char *directory = ".";
static size_t n_keys = 200000;
static char *keys; /* n_keys, in load order, then PUTS new ones */
static uint32_t *draws;
static char value[VALUE_SIZE];

void beside_die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", engine->program, what, why);
    exit(1);
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* xorshift64*, Vigna 2016: enough for shuffling keys. */
static uint64_t next_random(void)
{
    static uint64_t x = 88172645463325252u;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    return x * 2685821657736338717u;
}

static const char *key_at(size_t i)
{
    return keys + i * KEY_SIZE;
}

static void make_data(void)
{
    size_t count = n_keys + PUTS;

    keys = malloc(count * KEY_SIZE + 1);
    draws = malloc(GETS * sizeof(*draws));
    if (!keys || !draws)
        beside_die("data", "out of memory");
    for (size_t i = 0; i < count; i++)
        snprintf(keys + i * KEY_SIZE, KEY_SIZE + 1, "%020" PRIu64, next_random());
    for (size_t i = 0; i < VALUE_SIZE; i++)
        value[i] = (char)next_random();
}

static void draw(void)
{
    for (size_t i = 0; i < GETS; i++)
        draws[i] = (uint32_t)(next_random() % n_keys);
}

/* ---- memory ---- */

static long rss_anon_kib(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[128];
    long kib = 0;

    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "RssAnon: %ld", &kib) == 1)
            break;
    }
    if (file)
        fclose(file);
    return kib;
}

static atomic_bool is_watching;
static atomic_long peak_kib;

static void *watch_memory(void *unused)
{
    const struct timespec pause = { .tv_nsec = 2000000 };

    while (atomic_load(&is_watching)) {
        long kib = rss_anon_kib();

        if (kib > atomic_load(&peak_kib))
            atomic_store(&peak_kib, kib);
        nanosleep(&pause, NULL);
    }
    return unused;
}

/* ---- the raw engine ---- */

static double raw_load(size_t count, size_t batch)
{
    double start = now_s();

    for (size_t i = 0; i < count; i++) {
        if (i % batch == 0)
            engine->begin();
        engine->put(key_at(i), value);
        if (i % batch == batch - 1 || i == count - 1)
            engine->commit();
    }
    return now_s() - start;
}

static double raw_gets(void)
{
    char *copy = malloc(VALUE_SIZE);
    double start = now_s();

    for (size_t i = 0; i < GETS && copy; i++) {
        engine->get_copy(key_at(draws[i]), copy);
        /* pdict hands out memory of the caller's own, too. */
        free(copy);
        copy = malloc(VALUE_SIZE);
    }
    free(copy);
    return now_s() - start;
}

static double raw_gets_in_place(void)
{
    double start = now_s();
    volatile char sum = 0;

    for (size_t i = 0; i < GETS; i++)
        sum = (char)(sum + engine->get_in_place(key_at(draws[i])));
    return now_s() - start;
}

static double raw_puts(const char *const *which, size_t count)
{
    double start = now_s();

    for (size_t i = 0; i < count; i++) {
        value[0]++;
        engine->begin();
        engine->put(which[i], value);
        engine->commit();
    }
    return now_s() - start;
}

/* ---- pdict ---- */

static void check(int status)
{
    if (status != PDICT_OK)
        beside_die(pdict_status_name(status), pdict_error_text());
}

static double our_load(pdict *d, size_t count, size_t batch, unsigned flags)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    pdict_pair *pairs = malloc(batch * sizeof(*pairs));
    double start = now_s();

    if (!pairs)
        beside_die("load", "out of memory");
    how.flags = flags;
    for (size_t i = 0; i < count; i += batch) {
        size_t n = count - i < batch ? count - i : batch;

        for (size_t j = 0; j < n; j++)
            pairs[j] = (pdict_pair){ pdict_bytes(key_at(i + j), KEY_SIZE),
                                     pdict_bytes(value, VALUE_SIZE) };
        check(pdict_put_many(d, pairs, n, &how, NULL));
    }
    start = now_s() - start;
    free(pairs);
    return start;
}

static void check_order(pdict *d)
{
    pdict_entry entry;
    pdict_iter *iter;
    size_t i = 0;
    int status;

    check(pdict_iter_open(d, NULL, &iter));
    while ((status = pdict_iter_next(iter, &entry)) == PDICT_OK) {
        if (i == n_keys || memcmp(entry.key.data, key_at(i), KEY_SIZE) != 0)
            beside_die("load", "the insertion order was not kept");
        i++;
    }
    pdict_iter_close(iter);
    if (status != PDICT_END || i != n_keys)
        beside_die("load", "entries are missing");
}

static double our_gets(pdict *d)
{
    double start = now_s();

    for (size_t i = 0; i < GETS; i++) {
        pdict_view view;

        check(pdict_get(d, pdict_bytes(key_at(draws[i]), KEY_SIZE), &view));
        pdict_view_release(&view);
    }
    return now_s() - start;
}

static int look(void *ctx, const pdict_view *view)
{
    char *sum = ctx;

    *sum = (char)(*sum + *(const char *)view->data);
    return PDICT_OK;
}

static double our_gets_in_place(pdict *d)
{
    double start = now_s();
    char sum = 0;

    for (size_t i = 0; i < GETS; i++)
        check(pdict_get_with(d, pdict_bytes(key_at(draws[i]), KEY_SIZE), look, &sum));
    return now_s() - start;
}

static double our_puts(pdict *d, const char *const *which, size_t count)
{
    double start = now_s();

    for (size_t i = 0; i < count; i++) {
        value[0]++;
        check(pdict_put(d, pdict_bytes(which[i], KEY_SIZE), pdict_bytes(value, VALUE_SIZE), NULL));
    }
    return now_s() - start;
}

/* ---- files ---- */

static const char *path_of(const char *name)
{
    static char path[2][1024];
    static int turn;

    turn ^= 1;
    snprintf(path[turn], sizeof(path[0]), "%s/beside-%s-%s", directory, engine->scheme, name);
    return path[turn];
}

static void remove_store(const char *name)
{
    char path[1100];

    for (const char *const *suffix = engine->suffixes; *suffix; suffix++) {
        snprintf(path, sizeof(path), "%s%s", path_of(name), *suffix);
        unlink(path);
    }
}

static void remove_all(void)
{
    remove_store("raw");
    remove_store("our");
    remove_store("bulk");
}

static pdict *open_ours(const char *name, bool is_synced)
{
    char uri[1200];
    pdict *d;

    snprintf(uri, sizeof(uri), "%s:%s?cache=off&durability=%s%s", engine->scheme, path_of(name),
             is_synced ? "full" : "ordered", engine->options);
    check(pdict_open(uri, NULL, &d));
    return d;
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

static void bulk_load(struct bulk *bulk, size_t batch)
{
    pthread_t watcher;
    pdict *d = open_ours("bulk", true);

    bulk->before_kib = rss_anon_kib();
    atomic_store(&is_watching, true);
    if (pthread_create(&watcher, NULL, watch_memory, NULL) != 0)
        beside_die("thread", "cannot be made");
    bulk->seconds = our_load(d, n_keys, batch, PDICT_PUT_IN_SLICES);
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
        beside_die("fork", "cannot");
    if (child == 0) {
        bulk_load(bulk, batch);
        _exit(write(ends[1], bulk, sizeof(*bulk)) == (ssize_t)sizeof(*bulk) ? 0 : 1);
    }
    close(ends[1]);
    if (read(ends[0], bulk, sizeof(*bulk)) != (ssize_t)sizeof(*bulk))
        beside_die("bulk load", "failed");
    close(ends[0]);
    waitpid(child, &state, 0);
    remove_store("bulk");
}

static void play_loads(int round)
{
    play_bulk(&bulks[0][round], BULK);
    play_bulk(&bulks[1][round], LARGE);
    ours[BULK_LOAD][round] = bulks[0][round].seconds;
    ours[LARGE_LOAD][round] = bulks[1][round].seconds;
    engine->open(path_of("raw"), true);
    theirs[LOAD][round] = raw_load(n_keys, BATCH);
    theirs[BULK_LOAD][round] = theirs[LARGE_LOAD][round] = theirs[LOAD][round];
}

static void play_puts(pdict *d, const char *const *which, double *our_s, double *raw_s)
{
    *our_s = *raw_s = 0;
    for (size_t i = 0; i < PUTS; i += TURN) {
        *raw_s += raw_puts(which + i, TURN);
        *our_s += our_puts(d, which + i, TURN);
    }
}

static void play_gets(pdict *d, int round)
{
    for (int turn = 0; turn < 2; turn++) { /* the first warms both */
        theirs[GET][round] = raw_gets();
        ours[GET][round] = our_gets(d);
    }
    for (int turn = 0; turn < 2; turn++) {
        theirs[GET_IN_PLACE][round] = raw_gets_in_place();
        ours[GET_IN_PLACE][round] = our_gets_in_place(d);
    }
}

static void play_round(int round)
{
    const char *which[PUTS];
    pdict *d;

    remove_all();
    draw();
    play_loads(round);
    d = open_ours("our", true);
    ours[LOAD][round] = our_load(d, n_keys, BATCH, 0);
    play_gets(d, round);
    for (size_t i = 0; i < PUTS; i++)
        which[i] = key_at(n_keys + i);
    play_puts(d, which, &ours[INSERT][round], &theirs[INSERT][round]);
    for (size_t i = 0; i < PUTS; i++)
        which[i] = key_at(draws[i]);
    play_puts(d, which, &ours[UPDATE][round], &theirs[UPDATE][round]);
    pdict_close(d);
    engine->close();
    remove_all();
}

/* ---- the table ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(const double *samples)
{
    double sorted[ROUNDS];

    memcpy(sorted, samples, sizeof(sorted));
    qsort(sorted, ROUNDS, sizeof(*sorted), compare);
    return sorted[ROUNDS / 2];
}

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
    ratio = median(ratios);
    printf("%-36s %11.0f %11.0f %7.3f", what, (double)n / median(ours[work]),
           (double)n / median(theirs[work]), ratio);
    print_goal(ratio, goal);
}

static void print_memory(const struct bulk *bulk)
{
    double peaks[ROUNDS], before[ROUNDS];

    for (size_t i = 0; i < ROUNDS; i++) {
        peaks[i] = (double)bulk[i].peak_kib / 1024;
        before[i] = (double)bulk[i].before_kib / 1024;
    }
    printf("%-36s %7.0f MiB, %.0f MiB of them before", "peak RssAnon of that load", median(peaks),
           median(before));
    print_goal(median(peaks), 100);
}

static void print_heading(void)
{
    printf("%zu keys of %d bytes in random order, values of %d bytes, %s, synced commits, medians "
           "of %d rounds\n\n",
           n_keys, KEY_SIZE, VALUE_SIZE, engine->name, ROUNDS);
    printf("%-36s %11s %11s %7s  %s\n", "work", "pdict op/s", "raw op/s", "time", "goal");
}

static void print_loads(void)
{
    row("load, 100,000 against raw 1,000", BULK_LOAD, n_keys, engine->goal_bulk);
    print_memory(bulks[0]);
    row("load, 250,000 against raw 1,000", LARGE_LOAD, n_keys, engine->goal_bulk);
    print_memory(bulks[1]);
}

static void compare_works(void)
{
    for (int round = 0; round < ROUNDS; round++)
        play_round(round);
    print_heading();
    row("load, batches of 1,000", LOAD, n_keys, 0);
    print_loads();
    row("get, random keys, copied out", GET, GETS, engine->goal_get);
    row("get, random keys, in place", GET_IN_PLACE, GETS, 0);
    row("insert, one synced commit each", INSERT, PUTS, engine->goal_put);
    row("update, one synced commit each", UPDATE, PUTS, engine->goal_put);
}

static void compare_loads(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        remove_all();
        play_loads(round);
        engine->close();
    }
    remove_all();
    print_heading();
    print_loads();
}

/* ---- growth ---- */

static double open_and_close(int whose)
{
    double start = now_s();

    if (whose == 0) {
        engine->open(path_of("raw"), false);
        engine->close();
    } else {
        pdict_close(open_ours("our", false));
    }
    return now_s() - start;
}

static void grow_to(size_t count)
{
    const char *which[PUTS];
    double gets[2][ROUNDS], puts[2][ROUNDS], opens[2][ROUNDS];
    long before_kib;
    pdict *d;

    n_keys = count;
    for (int i = 0; i < ROUNDS; i++) {
        opens[0][i] = open_and_close(0);
        opens[1][i] = open_and_close(1);
    }
    before_kib = rss_anon_kib();
    engine->open(path_of("raw"), false);
    d = open_ours("our", false);
    for (int i = 0; i < ROUNDS; i++) {
        draw();
        for (size_t j = 0; j < PUTS; j++)
            which[j] = key_at(draws[j]);
        gets[0][i] = raw_gets() / GETS * 1e6;
        gets[1][i] = our_gets(d) / GETS * 1e6;
        play_puts(d, which, &puts[1][i], &puts[0][i]);
    }
    printf("%9zu %8.2f %8.2f %6.2f %9.1f %9.1f %6.2f %8.2f %8.2f %8.1f\n", count, median(gets[1]),
           median(gets[0]), median(gets[1]) / median(gets[0]), median(puts[1]) / PUTS * 1e6,
           median(puts[0]) / PUTS * 1e6, median(puts[1]) / median(puts[0]), median(opens[1]) * 1e3,
           median(opens[0]) * 1e3, (double)(rss_anon_kib() - before_kib) / 1024);
    fflush(stdout);
    pdict_close(d);
    engine->close();
}

static void load_for_growth(size_t count)
{
    pdict *d = open_ours("our", false);

    our_load(d, count, BULK, PDICT_PUT_IN_SLICES);
    pdict_close(d);
    engine->open(path_of("raw"), false);
    raw_load(count, BULK);
    engine->close();
}

static void compare_growth(void)
{
    size_t most = n_keys;

    printf("gets copied out, updates committed one by one, %s; us each, ms an opening, MiB of "
           "RssAnon that both took together, medians of %d rounds\n\n",
           engine->name, ROUNDS);
    printf("%9s %8s %8s %6s %9s %9s %6s %8s %8s %8s\n", "keys", "get", "raw", "ratio", "put", "raw",
           "ratio", "open", "raw", "RssAnon");
    for (size_t count = 10000; count <= most; count *= 10) {
        remove_all();
        load_for_growth(count);
        grow_to(count);
    }
    remove_all();
}

static const struct {
    const char *name;
    void (*compare)(void);
} modes[] = { { "all", compare_works }, { "load", compare_loads }, { "growth", compare_growth } };

int beside_main(const struct raw_engine *which, int argc, char **argv)
{
    size_t mode = 0;

    engine = which;
    for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(argv[1], modes[i].name) == 0) {
            mode = i;
            argc--;
            argv++;
            break;
        }
    }
    if (argc > 1)
        n_keys = strtoul(argv[1], NULL, 10);
    if (argc > 2)
        directory = argv[2];
    if (n_keys < 10000)
        beside_die("usage", "[all | load | growth] [KEYS >= 10000] [DIRECTORY]");
    make_data();
    modes[mode].compare();
    free(keys);
    free(draws);
    return 0;
}
