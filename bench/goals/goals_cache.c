/* SPDX-License-Identifier: MIT */
/* Goals on cached gets, one thread and two, beside GLib's hash table and a bare one. */
#include "goals/bare.h"
#include "goals/goal.h"

#include <glib.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define GETS    200000
#define WARM_UP 40000
#define MANY    12
#define BEST_OF 40

/* All contestants over the same keys and values. */
struct contest_in_ram {
    struct run_data data;
    struct bare bare;
    GHashTable *glib;
    pdict *plain, *expiring;
    const char **order; /* GETS + WARM_UP keys in the order of one round */
    struct bench_rng rng;
};

typedef uint64_t (*run_fn)(const struct contest_in_ram *contest, const char *const *keys,
                           size_t count);

static uint64_t run_glib(const struct contest_in_ram *contest, const char *const *keys,
                         size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += *(const unsigned char *)g_hash_table_lookup(contest->glib, keys[i]);
    return sum;
}

static uint64_t run_bare(const struct contest_in_ram *contest, const char *const *keys,
                         size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += *bare_get(&contest->bare, keys[i], contest->data.key_size);
    return sum;
}

static uint64_t run_map(pdict *d, const struct contest_in_ram *contest, const char *const *keys,
                        size_t count)
{
    uint64_t sum = 0;
    pdict_view view;

    for (size_t i = 0; i < count; i++) {
        if (pdict_get(d, run_key(&contest->data, keys[i]), &view) != PDICT_OK)
            return 0;
        sum += *(const unsigned char *)view.data;
        pdict_view_release(&view);
    }
    return sum;
}

static uint64_t run_plain(const struct contest_in_ram *contest, const char *const *keys,
                          size_t count)
{
    return run_map(contest->plain, contest, keys, count);
}

static uint64_t run_expiring(const struct contest_in_ram *contest, const char *const *keys,
                             size_t count)
{
    return run_map(contest->expiring, contest, keys, count);
}

static uint64_t run_many(const struct contest_in_ram *contest, const char *const *keys,
                         size_t count)
{
    uint64_t sum = 0;
    pdict_slice batch[MANY];
    pdict_view views[MANY];
    int statuses[MANY];

    for (size_t i = 0; i + MANY <= count; i += MANY) {
        for (size_t j = 0; j < MANY; j++)
            batch[j] = run_key(&contest->data, keys[i + j]);
        if (pdict_get_many(contest->plain, batch, MANY, views, statuses) != PDICT_OK)
            return 0;
        for (size_t j = 0; j < MANY; j++) {
            sum += *(const unsigned char *)views[j].data;
            pdict_view_release(&views[j]);
        }
    }
    return sum;
}

static const struct {
    const char *name;
    run_fn run;
} runs[] = {
    { "glib", run_glib },         { "bare", run_bare }, { "plain", run_plain },
    { "expiring", run_expiring }, { "many", run_many },
};

#define RUNS (sizeof runs / sizeof *runs)

/* ---- making them ---- */

static int open_map(const struct goal_run *run, const char *name, pdict **out)
{
    char uri[700];

    snprintf(uri, sizeof uri, "sqlite:%s/cached.db?map=%s&durability=unsafe&cache=1GiB",
             run->directory, name);
    return pdict_open(uri, NULL, out);
}

static int fill_map(pdict *d, const struct run_data *data, int64_t ttl_ms)
{
    enum {
        CHUNK = 20000
    };
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    pdict_pair *pairs = malloc(CHUNK * sizeof *pairs);
    int status = pairs ? PDICT_OK : pdict_fail(PDICT_NOMEM, "goals: out of memory");
    pdict_view view;

    how.ttl_ms = ttl_ms;
    for (size_t i = 0; i < data->n_keys && status == PDICT_OK; i += CHUNK) {
        size_t count = data->n_keys - i < CHUNK ? data->n_keys - i : CHUNK;

        for (size_t j = 0; j < count; j++)
            pairs[j] = (pdict_pair){ run_key(data, data->keys + (i + j) * data->stride),
                                     run_value(data, i + j) };
        status = pdict_put_many(d, pairs, count, &how, NULL);
    }
    for (size_t i = 0; i < data->n_keys && status == PDICT_OK; i++) {
        status = pdict_get(d, run_key(data, data->keys + i * data->stride), &view);
        if (status == PDICT_OK)
            pdict_view_release(&view);
    }
    free(pairs);
    return status;
}

static int fill_tables(struct contest_in_ram *contest)
{
    const struct run_data *data = &contest->data;

    contest->glib = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (!bare_make(&contest->bare, data->n_keys))
        return pdict_fail(PDICT_NOMEM, "goals: out of memory");
    for (size_t i = 0; i < data->n_keys; i++) {
        const char *key = data->keys + i * data->stride;
        pdict_slice value = run_value(data, i);
        char *copy = g_malloc(value.size + 1); /* its length belongs to it, as in a map */

        memcpy(copy, value.data, value.size);
        g_hash_table_insert(contest->glib, g_strdup(key), copy);
        if (!bare_put(&contest->bare, key, data->key_size, value.data, value.size))
            return pdict_fail(PDICT_NOMEM, "goals: out of memory");
    }
    return PDICT_OK;
}

static void contest_free(struct contest_in_ram *contest)
{
    pdict_close(contest->plain);
    pdict_close(contest->expiring);
    if (contest->glib)
        g_hash_table_destroy(contest->glib);
    bare_free(&contest->bare);
    free(contest->order);
    run_data_free(&contest->data);
}

static int contest_make(struct goal_run *run, uint64_t keys, struct contest_in_ram *out)
{
    struct run_settings settings = run->settings;
    int status;

    memset(out, 0, sizeof *out);
    settings.keys = keys;
    bench_rng_seed(&out->rng, settings.seed, 71);
    if ((status = run_data_make(&settings, &out->data)) != PDICT_OK ||
        (status = fill_tables(out)) != PDICT_OK ||
        (status = open_map(run, keys == 10000 ? "few" : "many", &out->plain)) != PDICT_OK ||
        (status = open_map(run, keys == 10000 ? "few-expiring" : "many-expiring",
                           &out->expiring)) != PDICT_OK ||
        (status = fill_map(out->plain, &out->data, 0)) != PDICT_OK ||
        (status = fill_map(out->expiring, &out->data, 86400000)) != PDICT_OK)
        return status;
    out->order = malloc((GETS + WARM_UP) * sizeof *out->order);
    return out->order ? PDICT_OK : pdict_fail(PDICT_NOMEM, "goals: out of memory");
}

static void draw(struct contest_in_ram *contest)
{
    for (size_t i = 0; i < GETS + WARM_UP; i++)
        contest->order[i] =
            contest->data.keys +
            bench_rng_below(&contest->rng, contest->data.n_keys) * contest->data.stride;
}

/* ---- P1 ---- */

static volatile uint64_t seen; /* so that no work is left out */

static double one_round(struct contest_in_ram *contest, run_fn run)
{
    uint64_t begun_ns;

    draw(contest);
    seen = run(contest, contest->order, WARM_UP);
    begun_ns = bench_now_ns();
    seen = run(contest, contest->order + WARM_UP, GETS);
    return (double)(bench_now_ns() - begun_ns);
}

/* All contestants of one size are measured together, once; the rows look up what they want. */
struct measured {
    uint64_t keys;
    size_t rounds;
    double ns[RUNS][GOAL_ROUNDS];
};

static int measure_all(struct goal_run *run, struct measured *out)
{
    struct contest_in_ram contest;
    int status = contest_make(run, out->keys, &contest);

    for (; out->rounds < run->rounds && status == PDICT_OK; out->rounds++) {
        for (size_t i = 0; i < RUNS; i++) {
            size_t turn = (i + out->rounds) % RUNS;

            out->ns[turn][out->rounds] = one_round(&contest, runs[turn].run);
        }
        status = bench_interrupted();
    }
    contest_free(&contest);
    return status;
}

static size_t run_named(const char *name)
{
    size_t i = 0;

    while (strcmp(runs[i].name, name) != 0)
        i++;
    return i;
}

/* "few OURS THEIRS": 10,000 keys; "many ...": all of --keys. */
int goal_cached(struct goal_run *run, const char *argument, struct goal_samples *out)
{
    static struct measured sizes[2];
    struct measured *measured = &sizes[argument[0] == 'm'];
    char ours[16], theirs[16];
    int status = PDICT_OK;

    if (sscanf(argument, "%*s %15s %15s", ours, theirs) != 2)
        return pdict_fail(PDICT_INVAL, "goals: %s is not an argument", argument);
    if (measured->rounds == 0) {
        measured->keys = argument[0] == 'm' ? run->settings.keys : 10000;
        status = measure_all(run, measured);
    }
    for (size_t i = 0; i < measured->rounds && status == PDICT_OK; i++)
        out->values[out->count++] =
            measured->ns[run_named(ours)][i] / measured->ns[run_named(theirs)][i];
    return status;
}

/* ---- P2 ---- */

struct runner {
    pthread_t thread;
    const struct contest_in_ram *contest;
    run_fn run;
    pthread_barrier_t *start_line;
    uint64_t begun_ns, done_ns;
};

static void *run_apart(void *arg)
{
    struct runner *runner = arg;

    pthread_barrier_wait(runner->start_line);
    runner->begun_ns = bench_now_ns();
    seen = runner->run(runner->contest, runner->contest->order, GETS);
    runner->done_ns = bench_now_ns();
    return NULL;
}

/* Gets a second of so many threads, from the first begin to the last end. */
static double speed(const struct contest_in_ram *contest, run_fn run, unsigned n_threads)
{
    struct runner runners[2];
    pthread_barrier_t start_line;
    uint64_t begun_ns = UINT64_MAX, done_ns = 0;

    pthread_barrier_init(&start_line, NULL, n_threads);
    for (unsigned i = 0; i < n_threads; i++) {
        runners[i] = (struct runner){ .contest = contest, .run = run, .start_line = &start_line };
        pthread_create(&runners[i].thread, NULL, run_apart, &runners[i]);
    }
    for (unsigned i = 0; i < n_threads; i++) {
        pthread_join(runners[i].thread, NULL);
        begun_ns = runners[i].begun_ns < begun_ns ? runners[i].begun_ns : begun_ns;
        done_ns = runners[i].done_ns > done_ns ? runners[i].done_ns : done_ns;
    }
    pthread_barrier_destroy(&start_line);
    return (double)GETS * n_threads / (double)(done_ns - begun_ns);
}

/* The best of many short runs, each thread count by itself: what the machine can, undisturbed. */
int goal_two_threads(struct goal_run *run, const char *argument, struct goal_samples *out)
{
    static const run_fn both[2] = { run_bare, run_plain };
    double best[2][2] = { { 0 } };
    struct contest_in_ram contest;
    int status = contest_make(run, 10000, &contest);

    (void)argument;
    for (int round = 0; round < BEST_OF && status == PDICT_OK; round++) {
        draw(&contest);
        for (unsigned i = 0; i < 4; i++) {
            double now = speed(&contest, both[i / 2], i % 2 + 1);

            if (now > best[i / 2][i % 2])
                best[i / 2][i % 2] = now;
        }
        status = bench_interrupted();
    }
    contest_free(&contest);
    out->values[out->count++] = (best[1][1] / best[1][0]) / (best[0][1] / best[0][0]);
    return status;
}
