/* SPDX-License-Identifier: MIT */
/* A cached get beside GLib's GHashTable and a bare table, in one run: ratios with their goals.
 *
 *     cached_get [DIRECTORY]
 *
 * Same keys, same values, same order; the contestants take turns in rounds of fresh random keys, each
 * warmed up by a part of its round that is not counted, and the median of the rounds' ratios counts. The map
 * is one of SQLite, opened with default coherence, and reached through the shared library. The bare
 * table is open addressing with XXH3, at most half full, and nothing else: no locks, no pins, no
 * expiry, no eviction; GHashTable is used with g_str_hash, as is usual.
 */
#include <glib.h>
#include <inttypes.h>
#include <pdict/pdict.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure/measure.h"
#include "support/plain.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define KEY_SIZE   20
#define VALUE_SIZE 128
#define ROUNDS     31
#define BEST_OF    40
#define GETS       200000
#define WARM_UP    40000
#define BATCH      12

#define STRIDE 24 /* with a terminating zero for GLib */

static char *keys; /* n_keys * STRIDE */
static size_t n_keys;
static volatile uint64_t seen; /* so that no work is left out */
static uint32_t *draws;        /* GETS + WARM_UP */
static struct bench_rng rng;

static const char *key_at(size_t i)
{
    return keys + i * STRIDE;
}

static void draw(void)
{
    for (size_t i = 0; i < GETS + WARM_UP; i++)
        draws[i] = (uint32_t)(bench_rng_next(&rng) % n_keys);
}

/* ---- the bare table ---- */

struct item {
    uint32_t key_size, value_size;
    char bytes[];
};

struct slot {
    uint64_t hash;
    struct item *item;
};

static struct slot *slots;
static size_t slot_mask;

static void bare_put(const char *key, const char *value)
{
    uint64_t hash = XXH3_64bits(key, KEY_SIZE);
    size_t at = hash & slot_mask;
    struct item *item = plain_need(sizeof(*item) + KEY_SIZE + VALUE_SIZE);

    item->key_size = KEY_SIZE;
    item->value_size = VALUE_SIZE;
    memcpy(item->bytes, key, KEY_SIZE);
    memcpy(item->bytes + KEY_SIZE, value, VALUE_SIZE);
    while (slots[at].item)
        at = (at + 1) & slot_mask;
    slots[at] = (struct slot){ hash, item };
}

/* The length is known at run time only, as in any library. */
static inline const struct item *bare_get(const char *key, size_t size)
{
    uint64_t hash = XXH3_64bits(key, size);
    size_t at = hash & slot_mask;

    while (slots[at].hash != hash || slots[at].item->key_size != size ||
           memcmp(slots[at].item->bytes, key, size) != 0)
        at = (at + 1) & slot_mask;
    return slots[at].item;
}

static void bare_make(const char *value)
{
    size_t count = 16;

    while (count < n_keys * 2)
        count *= 2;
    slots = calloc(count, sizeof(*slots));
    if (!slots)
        plain_die("calloc", "out of memory");
    slot_mask = count - 1;
    for (size_t i = 0; i < n_keys; i++)
        bare_put(key_at(i), value);
}

static void bare_free(void)
{
    for (size_t i = 0; i <= slot_mask; i++)
        free(slots[i].item);
    free(slots);
}

/* ---- the contestants ---- */

static pdict *plain, *expiring;
static GHashTable *glib;

typedef uint64_t (*run_fn)(const uint32_t *from, size_t count);

static uint64_t run_glib(const uint32_t *from, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += *(const unsigned char *)g_hash_table_lookup(glib, key_at(from[i]));
    return sum;
}

static uint64_t run_bare(const uint32_t *from, size_t count)
{
    uint64_t sum = 0;
    volatile size_t size = KEY_SIZE;
    size_t n = size;

    for (size_t i = 0; i < count; i++)
        sum += (unsigned char)bare_get(key_at(from[i]), n)->bytes[KEY_SIZE];
    return sum;
}

static uint64_t run_map(pdict *d, const uint32_t *from, size_t count)
{
    uint64_t sum = 0;
    pdict_view view;

    for (size_t i = 0; i < count; i++) {
        if (pdict_get(d, pdict_bytes(key_at(from[i]), KEY_SIZE), &view) != PDICT_OK)
            plain_die("get", pdict_error_text());
        sum += *(const unsigned char *)view.data;
        pdict_view_release(&view);
    }
    return sum;
}

static uint64_t run_plain(const uint32_t *from, size_t count)
{
    return run_map(plain, from, count);
}

static uint64_t run_expiring(const uint32_t *from, size_t count)
{
    return run_map(expiring, from, count);
}

static uint64_t run_many(const uint32_t *from, size_t count)
{
    uint64_t sum = 0;
    pdict_slice batch[BATCH];
    pdict_view views[BATCH];
    int statuses[BATCH];

    for (size_t i = 0; i + BATCH <= count; i += BATCH) {
        for (size_t j = 0; j < BATCH; j++)
            batch[j] = pdict_bytes(key_at(from[i + j]), KEY_SIZE);
        plain_check(pdict_get_many(plain, batch, BATCH, views, statuses));
        for (size_t j = 0; j < BATCH; j++) {
            sum += *(const unsigned char *)views[j].data;
            pdict_view_release(&views[j]);
        }
    }
    return sum;
}

enum {
    GLIB,
    BARE,
    PLAIN,
    EXPIRING,
    MANY,
    KINDS
};

static const run_fn runs[KINDS] = { run_glib, run_bare, run_plain, run_expiring, run_many };

/* ---- measuring ---- */

static double one_round(run_fn run)
{
    double begin;

    draw();
    seen = run(draws, WARM_UP);
    begin = plain_now_s();
    seen = run(draws + WARM_UP, GETS);
    return (plain_now_s() - begin) / GETS * 1e9;
}

static void print_goal(const char *id, const char *what, double value, double goal, bool at_least)
{
    bool is_met = at_least ? value >= goal : value <= goal;

    printf("%-4s %-56s %6.2f  goal %s %.2f  %s\n", id, what, value, at_least ? ">=" : "<=", goal,
           is_met ? "met" : "NOT MET");
}

static double ns[KINDS][ROUNDS];

/* The median of what each round says by itself: a busy moment slows both of its sides. */
static double ratio(size_t ours, size_t theirs)
{
    double ratios[ROUNDS];

    for (size_t i = 0; i < ROUNDS; i++)
        ratios[i] = ns[ours][i] / ns[theirs][i];
    return bench_median(ratios, ROUNDS);
}

static void measure_gets(void)
{
    double mid[KINDS];
    char what[80];

    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < KINDS; i++)
            ns[(i + round) % KINDS][round] = one_round(runs[(i + round) % KINDS]);
    }
    for (size_t i = 0; i < KINDS; i++)
        mid[i] = bench_median(ns[i], ROUNDS);
    printf("%zu keys, ns a get: GHashTable %.1f, bare %.1f, pdict %.1f, all expiring %.1f, by 12 "
           "%.1f\n",
           n_keys, mid[GLIB], mid[BARE], mid[PLAIN], mid[EXPIRING], mid[MANY]);
    snprintf(what, sizeof(what), "get, %zu keys, over GHashTable", n_keys);
    print_goal("P1", what, ratio(PLAIN, GLIB), 0.8, false);
    snprintf(what, sizeof(what), "get, %zu keys, over a bare table", n_keys);
    print_goal("P1", what, ratio(PLAIN, BARE), 2.0, false);
    snprintf(what, sizeof(what), "get, %zu keys that all expire, over a bare table", n_keys);
    print_goal("P1", what, ratio(EXPIRING, BARE), 2.8, false);
    if (n_keys >= 1000000)
        print_goal("P1", "get_many of 12, over a bare table", ratio(MANY, BARE), 0.8, false);
}

/* ---- two threads ---- */

static pthread_barrier_t start_line;

struct runner {
    run_fn run;
    double begin, end;
};

static void *run_one(void *ctx)
{
    struct runner *runner = ctx;
    uint32_t *own = plain_need(GETS * sizeof(*own));

    memcpy(own, draws, GETS * sizeof(*own));
    pthread_barrier_wait(&start_line);
    runner->begin = plain_now_s();
    seen = runner->run(own, GETS);
    runner->end = plain_now_s();
    free(own);
    return NULL;
}

/* Gets a second of so many threads, from the first begin to the last end. */
static double speed(run_fn run, unsigned n_threads)
{
    struct runner runners[2] = { { .run = run }, { .run = run } };
    pthread_t threads[2];
    double begin = 1e300, end = 0;

    pthread_barrier_init(&start_line, NULL, n_threads);
    for (unsigned i = 0; i < n_threads; i++)
        pthread_create(&threads[i], NULL, run_one, &runners[i]);
    for (unsigned i = 0; i < n_threads; i++) {
        pthread_join(threads[i], NULL);
        begin = runners[i].begin < begin ? runners[i].begin : begin;
        end = runners[i].end > end ? runners[i].end : end;
    }
    pthread_barrier_destroy(&start_line);
    return (double)GETS * n_threads / (end - begin);
}

static void measure_threads(void)
{
    double best[2][2] = { { 0 } };
    const run_fn both[2] = { run_bare, run_plain };
    double bare, ours;

    for (int round = 0; round < BEST_OF; round++) {
        draw();
        for (unsigned i = 0; i < 2; i++) {
            for (unsigned n = 0; n < 2; n++) {
                double now = speed(both[i], n + 1);

                if (now > best[i][n])
                    best[i][n] = now;
            }
        }
    }
    bare = best[0][1] / best[0][0];
    ours = best[1][1] / best[1][0];
    printf("%zu keys, two threads over one: bare %.2f, pdict %.2f\n", n_keys, bare, ours);
    print_goal("P2", "speed-up with two threads, over the bare table's", ours / bare, 0.95, true);
}

/* ---- memory ---- */

static double anonymous_bytes(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    double kib = 0;

    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "RssAnon: %lf", &kib) == 1)
            break;
    }
    if (file)
        fclose(file);
    return kib * 1024;
}

static void read_all(pdict *d)
{
    for (size_t i = 0; i < n_keys; i++) {
        pdict_view view;

        plain_check(pdict_get(d, pdict_bytes(key_at(i), KEY_SIZE), &view));
        pdict_view_release(&view);
    }
}

static void measure_memory(double before)
{
    pdict_stats stats = PDICT_STATS_INIT;
    double after = anonymous_bytes();

    plain_check(pdict_stats_get(plain, 0, &stats));
    printf("%zu keys in the cache: %.1f bytes an entry, %.1f MiB more RssAnon\n", n_keys,
           (double)stats.cache_bytes / (double)stats.cache_entries, (after - before) / (1 << 20));
    print_goal("P10", "bytes an entry beside key and value",
               (double)stats.cache_bytes / (double)stats.cache_entries - KEY_SIZE - VALUE_SIZE, 56,
               false);
    print_goal("P10", "RssAnon over what the cache accounts for",
               (after - before) / (double)stats.cache_bytes, 1.2, false);
}

/* ---- one size ---- */

static pdict *open_map(const char *directory, const char *name)
{
    char uri[1200];
    pdict *d;

    snprintf(uri, sizeof(uri),
             "sqlite:%s/cached_get-%ld.db?map=%s&durability=unsafe&cache=1GiB&page_cache=2MiB",
             directory, (long)getpid(), name);
    plain_check(pdict_open(uri, NULL, &d));
    return d;
}

static void load(pdict *d, const char *value, int64_t ttl_ms)
{
    enum {
        CHUNK = 50000
    };
    pdict_pair *pairs = plain_need(CHUNK * sizeof(*pairs));
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;

    how.ttl_ms = ttl_ms;
    for (size_t i = 0; i < n_keys; i += CHUNK) {
        size_t count = n_keys - i < CHUNK ? n_keys - i : CHUNK;

        for (size_t j = 0; j < count; j++)
            pairs[j] = (pdict_pair){ pdict_bytes(key_at(i + j), KEY_SIZE),
                                     pdict_bytes(value, VALUE_SIZE) };
        plain_check(pdict_put_many(d, pairs, count, &how, NULL));
    }
    free(pairs);
}

static void remove_store(const char *directory)
{
    static const char *const endings[] = { "", "-wal", "-shm", "-pdict" };
    char path[1200];

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        snprintf(path, sizeof(path), "%s/cached_get-%ld.db%s", directory, (long)getpid(),
                 endings[i]);
        unlink(path);
    }
}

static void make_keys(size_t count)
{
    n_keys = count;
    keys = plain_need(count * STRIDE);
    for (size_t i = 0; i < count; i++)
        snprintf(keys + i * STRIDE, STRIDE, "%08" PRIx32 "%012" PRIu32,
                 (uint32_t)bench_rng_next(&rng), (uint32_t)i);
}

static void glib_make(const char *value)
{
    glib = g_hash_table_new_full(g_str_hash, g_str_equal, free, free);
    for (size_t i = 0; i < n_keys; i++)
        g_hash_table_insert(glib, strdup(key_at(i)),
                            memcpy(plain_need(VALUE_SIZE), value, VALUE_SIZE));
}

static void one_size(const char *directory, size_t count)
{
    char value[VALUE_SIZE];
    double before;

    memset(value, 'v', sizeof(value));
    make_keys(count);
    plain = open_map(directory, "plain");
    expiring = open_map(directory, "expiring");
    load(plain, value, 0);
    load(expiring, value, 86400000);
    read_all(expiring);
    before = anonymous_bytes();
    read_all(plain);
    if (count >= 1000000)
        measure_memory(before);
    bare_make(value);
    glib_make(value);
    measure_gets();
    if (count == 10000)
        measure_threads();
    g_hash_table_destroy(glib);
    bare_free();
    pdict_close(expiring);
    pdict_close(plain);
    remove_store(directory);
    free(keys);
}

int main(int argc, char **argv)
{
    const char *directory = argc > 1 ? argv[1] : "/tmp";
    size_t most = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;

    bench_rng_seed(&rng, 1, 0);
    draws = plain_need((GETS + WARM_UP) * sizeof(*draws));
    one_size(directory, 10000);
    if (most > 10000)
        one_size(directory, most);
    free(draws);
    return 0;
}
