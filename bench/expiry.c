/* SPDX-License-Identifier: MIT */
/* What deadlines cost: to a hit of the cache, to a count, the sweep, and others during the sweep.
 *
 *     expiry [hits|sqlite|lmdb|all] [ENTRIES] [DIRECTORY]
 *
 * One entry of 100 has expired and was not removed when the count is asked for. Then one of ten has,
 * and is swept step by step, while two threads get and put. The map's clock stands still until
 * the program moves it, but for the hits, where the clock that is read is the system's.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "measure/measure.h"
#include "support/plain.h"

#define KEY_SIZE   20
#define VALUE_SIZE 100
#define BATCH      100000
#define N_REPEATS  1001
#define N_THREADS  2
#define ALONE_S    5
#define LIFE_MS    1000

/* Entries whose hits are timed: they fit into the processor's caches, or do not. */
#define HITS_FEW  1000
#define HITS_MANY 200000

#define HIT_ROUNDS 101
#define ROUND_HITS 200000

static _Atomic(int64_t) now_ms = 1700000000000;
static const char *directory = ".";
static uint64_t n_entries = 10000000;

static int64_t clock_now(void *ctx)
{
    (void)ctx;
    return now_ms;
}

static pdict_options options(void)
{
    pdict_options options = PDICT_OPTIONS_INIT;

    options.clock = clock_now;
    return options;
}

/* Of this thread alone: what others take of the processor is not in it. */
static uint64_t cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- hits of the cache ---- */

/* Whose hits are timed: those of the latter two are in one map. */
enum who {
    WHO_ALONE, /* no entry of the map expires */
    WHO_STAYS, /* every other entry expires, but not this one */
    WHO_EXPIRES,
    N_WHO
};

/* Of a map, at odd places those that expire. */
static char hit_keys[2 * HITS_MANY][KEY_SIZE + 1];

static void fill_hits(pdict *d, bool has_deadlines)
{
    char value[VALUE_SIZE] = { 0 };
    pdict_view view;

    for (int i = 0; i < 2 * HITS_MANY; i++) {
        pdict_put_options how = PDICT_PUT_OPTIONS_INIT;

        how.ttl_ms = has_deadlines && i % 2 == 1 ? 3600000 : 0;
        plain_check(pdict_put(d, pdict_str(hit_keys[i]), pdict_bytes(value, VALUE_SIZE), &how));
        plain_check(pdict_get(d, pdict_str(hit_keys[i]), &view));
        pdict_view_release(&view);
    }
}

/* Nanoseconds a hit. */
static double time_hits(pdict *d, enum who who, int n_timed)
{
    uint64_t begun_ns = bench_now_ns();
    pdict_view view;

    for (int i = 0, at = 0; i < ROUND_HITS; i++, at = at + 1 < n_timed ? at + 1 : 0) {
        const char *key = hit_keys[2 * at + (who == WHO_EXPIRES)];

        plain_check(pdict_get(d, pdict_bytes(key, KEY_SIZE), &view));
        pdict_view_release(&view);
    }
    return (double)(bench_now_ns() - begun_ns) / ROUND_HITS;
}

/* A read of the coarse clock, which steps with the kernel's tick. */
static double time_clock(void)
{
    uint64_t begun_ns = bench_now_ns();
    struct timespec now;

    for (int i = 0; i < ROUND_HITS; i++)
        clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return (double)(bench_now_ns() - begun_ns) / ROUND_HITS;
}

static void time_rounds(pdict *const maps[N_WHO], int n_timed)
{
    static double ns[N_WHO][HIT_ROUNDS], more[N_WHO][HIT_ROUNDS], clock[HIT_ROUNDS];

    for (int round = 0; round < HIT_ROUNDS; round++) {
        for (int who = 0; who < N_WHO; who++)
            ns[who][round] = time_hits(maps[who], (enum who)who, n_timed);
        for (int who = 1; who < N_WHO; who++)
            more[who][round] = ns[who][round] - ns[who - 1][round];
        clock[round] = time_clock();
    }
    printf("hit    of %d entries without deadlines %.1f ns; beside some that expire %+.1f ns; of "
           "one that expires %+.1f ns more, where a read of the coarse clock takes %.1f ns\n",
           n_timed, bench_median(ns[WHO_ALONE], HIT_ROUNDS),
           bench_median(more[WHO_STAYS], HIT_ROUNDS), bench_median(more[WHO_EXPIRES], HIT_ROUNDS),
           bench_median(clock, HIT_ROUNDS));
}

static void measure_hits(void)
{
    pdict *alone, *mixed;

    for (uint64_t i = 0; i < 2 * HITS_MANY; i++)
        snprintf(hit_keys[i], KEY_SIZE + 1, "%0*llx", KEY_SIZE, (unsigned long long)bench_mix(i));
    plain_check(pdict_open("memory:alone?cache=1GiB", NULL, &alone));
    plain_check(pdict_open("memory:mixed?cache=1GiB", NULL, &mixed));
    fill_hits(alone, false);
    fill_hits(mixed, true);
    time_rounds((pdict *const[N_WHO]){ alone, mixed, mixed }, HITS_FEW);
    time_rounds((pdict *const[N_WHO]){ alone, mixed, mixed }, HITS_MANY);
    pdict_close(mixed);
    pdict_close(alone);
}

/* ---- filling ---- */

static char *key_of(uint64_t number, char *out)
{
    snprintf(out, KEY_SIZE + 1, "%0*llx", KEY_SIZE, (unsigned long long)bench_mix(number));
    return out;
}

/* Of each hundred one lives a second, ten live two, and the others for ever. */
static int64_t life_of(uint64_t number)
{
    return number % 100 == 0 ? LIFE_MS : number % 10 == 1 ? 2 * LIFE_MS : 0;
}

static void fill(pdict *d)
{
    static char keys[BATCH][KEY_SIZE + 1], value[VALUE_SIZE];
    static pdict_pair_times times[BATCH];
    static pdict_pair pairs[BATCH];
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;

    how.flags = PDICT_PUT_IN_SLICES;
    how.times = times;
    for (uint64_t done = 0; done < n_entries; done += BATCH) {
        size_t count = n_entries - done < BATCH ? (size_t)(n_entries - done) : BATCH;

        for (size_t i = 0; i < count; i++) {
            times[i] = (pdict_pair_times){ .ttl_ms = life_of(done + i) };
            pairs[i] = (pdict_pair){ pdict_str(key_of(done + i, keys[i])),
                                     pdict_bytes(value, VALUE_SIZE) };
        }
        plain_check(pdict_put_many(d, pairs, count, &how, NULL));
    }
}

/* ---- counting ---- */

struct times {
    double wall_ms, cpu_ms;
};

static struct times count(pdict *d, uint64_t expected)
{
    uint64_t begun_ns = bench_now_ns(), begun_cpu_ns = cpu_ns(), found;
    struct times times;

    plain_check(pdict_count(d, &found));
    times.cpu_ms = (double)(cpu_ns() - begun_cpu_ns) / 1e6;
    times.wall_ms = (double)(bench_now_ns() - begun_ns) / 1e6;
    if (found != expected)
        plain_die("count", "it is not exact");
    return times;
}

static void measure_count(pdict *d, const char *backend)
{
    uint64_t expected = n_entries - (n_entries + 99) / 100;
    double repeated[N_REPEATS], written[N_REPEATS / 10];
    struct times first = count(d, expected);
    char key[KEY_SIZE + 1];

    for (size_t i = 0; i < N_REPEATS; i++)
        repeated[i] = count(d, expected).wall_ms;
    for (size_t i = 0; i < N_REPEATS / 10; i++) {
        plain_check(pdict_put(d, pdict_str(key_of(2, key)), pdict_str("v"), NULL));
        written[i] = count(d, expected).wall_ms;
    }
    printf(
        "%-6s count, one of 100 expired: first %.2f ms (%.2f ms of the processor), repeated %.5f "
        "ms, after a put %.2f ms\n",
        backend, first.wall_ms, first.cpu_ms, bench_median(repeated, N_REPEATS),
        bench_median(written, N_REPEATS / 10));
}

/* ---- sweeping beside others ---- */

struct worker {
    pthread_t thread;
    pdict *d;
    uint64_t seed;
    /* Those gets that follow a put apart: after a wait the processor's caches are others'. */
    struct bench_histogram gets, firsts, puts;
};

/* Microseconds. */
struct p99 {
    double gets, firsts;
};

static struct worker workers[N_THREADS];
static atomic_bool is_over;

static void get_one(const struct worker *w, const char *key, struct bench_histogram *latency)
{
    uint64_t begun_ns = bench_now_ns();
    pdict_view view;
    int status = pdict_get(w->d, pdict_str(key), &view);

    bench_histogram_add(latency, bench_now_ns() - begun_ns);
    if (status != PDICT_NOTFOUND)
        plain_check(status);
    pdict_view_release(&view);
}

static void put_one(struct worker *w, const char *key)
{
    static const char value[VALUE_SIZE];
    uint64_t begun_ns = bench_now_ns();

    plain_check(pdict_put(w->d, pdict_str(key), pdict_bytes(value, VALUE_SIZE), NULL));
    bench_histogram_add(&w->puts, bench_now_ns() - begun_ns);
}

/* Nine gets of any entry, and a put of one that lives for ever. */
static void *work(void *ctx)
{
    struct worker *w = ctx;
    struct bench_rng rng;
    char key[KEY_SIZE + 1];

    bench_rng_seed(&rng, 42, w->seed);
    while (!is_over) {
        for (int i = 0; i < 9; i++)
            get_one(w, key_of(bench_rng_below(&rng, n_entries), key),
                    i == 0 ? &w->firsts : &w->gets);
        put_one(w, key_of(bench_rng_below(&rng, n_entries / 10) * 10 + 2, key));
    }
    return NULL;
}

static void start(pdict *d)
{
    is_over = false;
    for (size_t i = 0; i < N_THREADS; i++) {
        workers[i].d = d;
        workers[i].seed++;
        bench_histogram_clear(&workers[i].gets);
        bench_histogram_clear(&workers[i].firsts);
        bench_histogram_clear(&workers[i].puts);
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            plain_die("start", "there is no thread");
    }
}

static struct p99 stop(const char *backend, const char *when)
{
    static struct bench_histogram gets, firsts, puts;
    struct p99 p99;

    is_over = true;
    bench_histogram_clear(&gets);
    bench_histogram_clear(&firsts);
    bench_histogram_clear(&puts);
    for (size_t i = 0; i < N_THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        bench_histogram_merge(&gets, &workers[i].gets);
        bench_histogram_merge(&firsts, &workers[i].firsts);
        bench_histogram_merge(&puts, &workers[i].puts);
    }
    p99.gets = bench_histogram_quantile(&gets, 0.99) / 1e3;
    p99.firsts = bench_histogram_quantile(&firsts, 0.99) / 1e3;
    printf("%-6s %s: %llu gets p50 %.1f p99 %.1f us, the first after a put %.1f and %.1f us, %llu "
           "puts p50 %.1f p99 %.1f us\n",
           backend, when, (unsigned long long)(gets.total + firsts.total),
           bench_histogram_quantile(&gets, 0.5) / 1e3, p99.gets,
           bench_histogram_quantile(&firsts, 0.5) / 1e3, p99.firsts, (unsigned long long)puts.total,
           bench_histogram_quantile(&puts, 0.5) / 1e3, bench_histogram_quantile(&puts, 0.99) / 1e3);
    return p99;
}

static void sweep(pdict_store *store, const char *backend, const char *when)
{
    static struct bench_histogram steps, cpu;
    uint64_t total = 0, removed = 1;
    double begun_s = plain_now_s();

    bench_histogram_clear(&steps);
    bench_histogram_clear(&cpu);
    while (removed > 0) {
        uint64_t begun_ns = bench_now_ns(), begun_cpu_ns = cpu_ns();

        plain_check(pdict_expire(store, 0, &removed));
        bench_histogram_add(&cpu, cpu_ns() - begun_cpu_ns);
        bench_histogram_add(&steps, bench_now_ns() - begun_ns);
        total += removed;
    }
    printf("%-6s sweep %s: %llu entries in %.1f s, steps p50 %.2f p99 %.2f max %.2f ms, of the "
           "processor p50 %.2f p99 %.2f max %.2f ms\n",
           backend, when, (unsigned long long)total, plain_now_s() - begun_s,
           bench_histogram_quantile(&steps, 0.5) / 1e6,
           bench_histogram_quantile(&steps, 0.99) / 1e6, (double)steps.max / 1e6,
           bench_histogram_quantile(&cpu, 0.5) / 1e6, bench_histogram_quantile(&cpu, 0.99) / 1e6,
           (double)cpu.max / 1e6);
}

static void measure(const char *backend)
{
    pdict_options with = options();
    struct p99 alone, during;
    pdict_store *store;
    char uri[1024];
    pdict *d;

    snprintf(uri, sizeof(uri), "%s:%s/expiry-bench.%s?durability=ordered&sweep=manual&cache=off",
             backend, directory, backend);
    plain_check(pdict_open(uri, &with, &d));
    plain_check(pdict_store_open(uri, &with, &store));
    fill(d);
    now_ms += LIFE_MS;
    measure_count(d, backend);
    sweep(store, backend, "alone");
    now_ms += LIFE_MS;
    start(d);
    bench_sleep_until(bench_now_ns() + (uint64_t)ALONE_S * 1000000000);
    alone = stop(backend, "without a sweep");
    start(d);
    sweep(store, backend, "beside two threads");
    during = stop(backend, "during the sweep");
    printf("%-6s p99 of gets during the sweep, over that without: %.2f; of the first after a put: "
           "%.2f\n",
           backend, during.gets / alone.gets, during.firsts / alone.firsts);
    pdict_store_close(store);
    pdict_close(d);
    now_ms -= 2 * LIFE_MS;
}

int main(int argc, char **argv)
{
    const char *which = argc > 1 ? argv[1] : "all";

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 2)
        n_entries = strtoull(argv[2], NULL, 10);
    if (argc > 3)
        directory = argv[3];
    if (strcmp(which, "hits") == 0 || strcmp(which, "all") == 0)
        measure_hits();
    if (strcmp(which, "sqlite") == 0 || strcmp(which, "all") == 0)
        measure("sqlite");
    if (strcmp(which, "lmdb") == 0 || strcmp(which, "all") == 0)
        measure("lmdb");
    return 0;
}
