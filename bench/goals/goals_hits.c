/* SPDX-License-Identifier: MIT */
/* Goals on what the cache holds: bytes of an entry, hit ratio, and hits while others write. */
#include "goals/goal.h"
#include "policies/policy.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY_SIZE   20
#define VALUE_SIZE 128
#define STORED     1000 /* pairs a commit while loading */

static void make_key(char key[KEY_SIZE + 1], uint64_t number)
{
    snprintf(key, KEY_SIZE + 1, "%020llu", (unsigned long long)bench_mix(number));
}

/* A value that says when it was written. */
static void make_value(char value[VALUE_SIZE], uint64_t number)
{
    memset(value, 'v', VALUE_SIZE);
    memcpy(value, &number, sizeof number);
}

static int open_map(const struct goal_run *run, const char *name, const char *cache, pdict **out)
{
    char uri[700];

    snprintf(uri, sizeof uri, "sqlite:%s/%s.db?durability=unsafe&cache=%s", run->directory, name,
             cache);
    return pdict_open(uri, NULL, out);
}

static int load(pdict *d, uint64_t n_keys)
{
    static char keys[STORED][KEY_SIZE + 1];
    static char value[VALUE_SIZE];
    static pdict_pair pairs[STORED];
    int status = PDICT_OK;

    make_value(value, 0);
    for (uint64_t i = 0; i < n_keys && status == PDICT_OK; i += STORED) {
        size_t count = 0;

        for (; count < STORED && i + count < n_keys; count++) {
            make_key(keys[count], i + count);
            pairs[count] =
                (pdict_pair){ pdict_bytes(keys[count], KEY_SIZE), pdict_bytes(value, VALUE_SIZE) };
        }
        status = pdict_put_many(d, pairs, count, NULL, NULL);
    }
    return status;
}

static int read_one(pdict *d, uint64_t number, uint64_t *written)
{
    char key[KEY_SIZE + 1];
    pdict_view view;
    int status;

    make_key(key, number);
    if ((status = pdict_get(d, pdict_bytes(key, KEY_SIZE), &view)) != PDICT_OK)
        return status;
    memcpy(written, view.data, sizeof *written);
    pdict_view_release(&view);
    return PDICT_OK;
}

static int read_range(pdict *d, uint64_t n_keys)
{
    uint64_t written;
    int status = PDICT_OK;

    for (uint64_t i = 0; i < n_keys && status == PDICT_OK; i++)
        status = read_one(d, i, &written);
    return status;
}

static int stats_of(pdict *d, pdict_stats *out)
{
    *out = (pdict_stats)PDICT_STATS_INIT;
    return pdict_stats_get(d, 0, out);
}

/* ---- P10: in a process of its own, where nothing else takes memory ---- */

struct memory {
    int status;
    double overhead; /* bytes of an entry beside key and value */
    double resident; /* RssAnon over what the cache accounts for */
};

static void measure_memory(struct goal_run *run, struct memory *out)
{
    uint64_t n_keys = run->settings.keys;
    pdict_stats stats;
    double before = 0;
    pdict *d;

    if ((out->status = open_map(run, "memory", "off", &d)) != PDICT_OK)
        return;
    out->status = load(d, n_keys);
    pdict_close(d);
    if (out->status != PDICT_OK ||
        (out->status = open_map(run, "memory", "1GiB&page_cache=1MiB", &d)) != PDICT_OK)
        return;
    /* Or the cache would live on what the load has freed; and SQLite's pages are not its own. */
    malloc_trim(0);
    if ((out->status = read_range(d, 1)) == PDICT_OK) {
        before = goal_anonymous_bytes();
        out->status = read_range(d, n_keys);
    }
    if (out->status == PDICT_OK && (out->status = stats_of(d, &stats)) == PDICT_OK) {
        out->overhead =
            (double)stats.cache_bytes / (double)stats.cache_entries - KEY_SIZE - VALUE_SIZE;
        out->resident = (goal_anonymous_bytes() - before) / (double)stats.cache_bytes;
    }
    pdict_close(d);
}

int goal_entry_memory(struct goal_run *run, const char *which, struct goal_samples *out)
{
    static struct memory *memory;
    pid_t child;

    if (!memory) {
        memory =
            mmap(NULL, sizeof *memory, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED || (child = fork()) < 0)
            return pdict_fail(PDICT_IO, "goals: no process: %s", strerror(errno));
        if (child == 0) {
            measure_memory(run, memory);
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
    if (memory->status != PDICT_OK)
        return pdict_fail(memory->status, "goals: the memory of the cache was not measured");
    out->values[out->count++] = strcmp(which, "entry") == 0 ? memory->overhead : memory->resident;
    return PDICT_OK;
}

/* ---- P11 ---- */

static int our_hit_ratio(struct goal_run *run, const struct trace *trace, double *ratio,
                         uint64_t *capacity)
{
    size_t warm_up = trace->count / 5;
    pdict_stats before = PDICT_STATS_INIT, after;
    uint64_t written;
    char size[32];
    pdict *d;
    int status;

    /* A tenth of the keys; just how many entries that is, the map says itself. */
    snprintf(size, sizeof size, "%u", trace->n_ids / 10 * (KEY_SIZE + VALUE_SIZE + 49));
    if ((status = open_map(run, "hits", size, &d)) != PDICT_OK)
        return status;
    status = load(d, trace->n_ids);
    for (size_t i = 0; i < trace->count && status == PDICT_OK; i++) {
        if (i == warm_up)
            status = stats_of(d, &before);
        if (status == PDICT_OK)
            status = read_one(d, trace->ids[i], &written);
    }
    if (status == PDICT_OK && (status = stats_of(d, &after)) == PDICT_OK) {
        *capacity = after.cache_entries;
        *ratio = (double)(after.cache_hits - before.cache_hits) / (double)(trace->count - warm_up);
    }
    pdict_close(d);
    return status;
}

/* Over the hit ratio that the named policy reaches with as many entries. */
int goal_hit_ratio(struct goal_run *run, const char *name, struct goal_samples *out)
{
    const uint64_t keys = 100000;
    const struct policy *policy = policies;
    int status = PDICT_OK;

    while (strcmp(policy->name, name) != 0)
        policy++;
    for (uint64_t round = 0; round < 3 && status == PDICT_OK; round++) {
        struct trace trace = { 0 };
        double ours, theirs;
        uint64_t capacity;

        status = trace_make(keys, keys * 10, run->settings.seed + round, true, &trace);
        if (status == PDICT_OK)
            status = our_hit_ratio(run, &trace, &ours, &capacity);
        if (status == PDICT_OK)
            status = policy_simulate(&trace, policy, (uint32_t)capacity, &theirs);
        if (status == PDICT_OK)
            out->values[out->count++] = ours / theirs;
        trace_free(&trace);
        if (status == PDICT_OK)
            status = bench_interrupted();
    }
    return status;
}

/* ---- P12: another process writes one key in a hundred ---- */

#define COMMITS_S 1000

struct foreign {
    atomic_bool is_loaded, is_writing, is_done;
    atomic_int status;      /* of the writer */
    atomic_ulong n_commits; /* that have returned */
    uint64_t n_keys;
};

static void pause_1ms(void)
{
    bench_sleep_until(bench_now_ns() + 1000000);
}

/* Key number k * 100 holds the number of the last commit that wrote it. */
static int write_on(struct goal_run *run, struct foreign *shared)
{
    uint64_t n_written = shared->n_keys / 100, n = 0, next_ns = 0;
    char key[KEY_SIZE + 1], value[VALUE_SIZE];
    pdict *d;
    int status;

    while (!atomic_load(&shared->is_loaded))
        pause_1ms();
    status = open_map(run, "foreign", "off", &d);
    while (status == PDICT_OK && !atomic_load(&shared->is_done)) {
        if (!atomic_load(&shared->is_writing)) {
            pause_1ms();
            next_ns = bench_now_ns();
            continue;
        }
        make_key(key, ++n % n_written * 100);
        make_value(value, n);
        status = pdict_put(d, pdict_bytes(key, KEY_SIZE), pdict_bytes(value, VALUE_SIZE), NULL);
        atomic_store(&shared->n_commits, n);
        bench_sleep_until(next_ns += 1000000000u / COMMITS_S);
    }
    pdict_close(d);
    return status;
}

struct reading {
    double hit_ratio;
    double ns; /* of a get */
    double commits;
    uint64_t n_gets, n_stale;
};

/* A key's value is never older than the last commit to it that had returned before the get. */
static bool is_stale(const struct foreign *shared, uint64_t number, uint64_t written, uint64_t told)
{
    uint64_t n_written = shared->n_keys / 100;
    uint64_t place = number / 100;
    uint64_t newest;

    if (number % 100 != 0 || told < place || told == 0)
        return false;
    newest = told - (told - place) % n_written;
    return written < newest && newest > 0;
}

static int read_for(struct goal_run *run, pdict *d, struct foreign *shared, uint64_t seed,
                    struct reading *out)
{
    pdict_stats before, after;
    struct bench_draw draw;
    struct bench_rng rng;
    uint64_t begun_ns, took_ns = 0;
    uint64_t commits = atomic_load(&shared->n_commits);
    int status;

    memset(out, 0, sizeof *out);
    bench_draw_init(&draw, BENCH_ZIPF, shared->n_keys, run->settings.seed);
    bench_rng_seed(&rng, run->settings.seed, seed);
    if ((status = stats_of(d, &before)) != PDICT_OK)
        return status;
    begun_ns = bench_now_ns();
    while (took_ns < 5 * run->round_ns && status == PDICT_OK) {
        for (int i = 0; i < 200 && status == PDICT_OK; i++, out->n_gets++) {
            uint64_t number = bench_draw_next(&draw, &rng);
            uint64_t told = atomic_load(&shared->n_commits), written = 0;

            status = read_one(d, number, &written);
            out->n_stale += is_stale(shared, number, written, told);
        }
        took_ns = bench_now_ns() - begun_ns;
    }
    if (status == PDICT_OK)
        status = stats_of(d, &after);
    if (status == PDICT_OK) {
        out->ns = (double)took_ns / (double)out->n_gets;
        out->hit_ratio = (double)(after.cache_hits - before.cache_hits) / (double)out->n_gets;
        out->commits = (double)(atomic_load(&shared->n_commits) - commits);
    }
    return status;
}

struct foreign_figures {
    size_t count;
    double lost_points[GOAL_ROUNDS];
    double refresh_us[GOAL_ROUNDS];
    double stale[GOAL_ROUNDS];
};

static int one_round(struct goal_run *run, pdict *d, struct foreign *shared,
                     struct foreign_figures *out)
{
    struct reading alone, beside;
    int status = read_for(run, d, shared, out->count * 2 + 101, &alone);

    if (status != PDICT_OK)
        return status;
    atomic_store(&shared->is_writing, true);
    status = read_for(run, d, shared, out->count * 2 + 102, &beside);
    atomic_store(&shared->is_writing, false);
    if (status == PDICT_OK)
        status = atomic_load(&shared->status);
    if (status != PDICT_OK || beside.commits == 0)
        return status;
    out->lost_points[out->count] = (alone.hit_ratio - beside.hit_ratio) * 100;
    out->refresh_us[out->count] =
        (beside.ns - alone.ns) * (double)beside.n_gets / beside.commits / 1000;
    out->stale[out->count++] = (double)beside.n_stale;
    return status;
}

static int read_beside(struct goal_run *run, struct foreign *shared, struct foreign_figures *out)
{
    pdict *d;
    int status = open_map(run, "foreign", "1GiB", &d);

    if (status == PDICT_OK)
        status = load(d, shared->n_keys);
    atomic_store(&shared->is_loaded, true);
    if (status == PDICT_OK)
        status = read_range(d, shared->n_keys);
    while (status == PDICT_OK && out->count < run->rounds) {
        if ((status = one_round(run, d, shared, out)) == PDICT_OK)
            status = bench_interrupted();
    }
    atomic_store(&shared->is_done, true);
    pdict_close(d);
    return status;
}

static int measure_foreign(struct goal_run *run, struct foreign_figures *out)
{
    struct foreign *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child;
    int status;

    if (shared == MAP_FAILED)
        return pdict_fail(PDICT_IO, "goals: no shared memory: %s", strerror(errno));
    shared->n_keys = run->settings.keys < 100000 ? run->settings.keys : 100000;
    /* Before any map is open, as an independent process is. */
    if ((child = fork()) == 0) {
        atomic_store(&shared->status, write_on(run, shared));
        _exit(0);
    }
    status = child < 0 ? pdict_fail(PDICT_IO, "goals: no process: %s", strerror(errno))
                       : read_beside(run, shared, out);
    if (child > 0)
        waitpid(child, NULL, 0);
    munmap(shared, sizeof *shared);
    return status;
}

int goal_foreign(struct goal_run *run, const char *which, struct goal_samples *out)
{
    static struct foreign_figures figures;
    const double *values = strcmp(which, "points") == 0    ? figures.lost_points
                           : strcmp(which, "refresh") == 0 ? figures.refresh_us
                                                           : figures.stale;
    int status = figures.count > 0 ? PDICT_OK : measure_foreign(run, &figures);

    for (size_t i = 0; i < figures.count && status == PDICT_OK; i++)
        out->values[out->count++] = values[i];
    return status;
}
