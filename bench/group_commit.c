/* SPDX-License-Identifier: MIT */
/* Durable single puts from one and from many threads, beside the engines used raw; ratios.
 *
 *     group_commit [sqlite|lmdb|all] [ROUNDS] [DIRECTORY]
 *
 * Everybody updates the same keys with values of the same size and syncs before a put is done.
 * Contestants take turns in slices, and the median of the rounds counts. Raw means what a careful
 * user writes: prepared statements and WAL with a connection for each thread, or one environment.
 */
#include <lmdb.h>
#include <pdict/pdict.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "measure/measure.h"
#include "support/plain.h"

#define KEY_SIZE    20
#define VALUE_SIZE  128
#define N_KEYS      100000
#define MOST        64 /* threads */
#define MOST_ROUNDS 101
#define SLICE_S     0.25
#define BLOCK       32 /* puts of one contestant in a row, with one thread */

static char keys[N_KEYS][KEY_SIZE + 1];
static const char *directory = ".";
static size_t n_rounds = 9;

struct worker {
    pthread_t thread;
    const struct contestant *contestant;
    struct bench_rng random;
    uint64_t n_puts;
    char value[VALUE_SIZE];
    sqlite3 *db;
    sqlite3_stmt *begin, *commit, *put;
};

static struct worker workers[MOST];

static const char *draw(struct worker *w)
{
    uint64_t number = bench_rng_next(&w->random);

    memcpy(w->value, &number, sizeof(number));
    return keys[(number >> 20) % N_KEYS];
}

static const char *path_of(const char *name)
{
    static char path[2][1024];
    static int turn;

    turn ^= 1;
    snprintf(path[turn], sizeof(path[0]), "%s/group-commit-%s", directory, name);
    return path[turn];
}

/* ---- raw SQLite ---- */

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        plain_die(sql, sqlite3_errmsg(db));
    return statement;
}

static void step(sqlite3 *db, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);

    if (code != SQLITE_DONE && code != SQLITE_ROW)
        plain_die("sqlite", sqlite3_errmsg(db));
    sqlite3_reset(statement);
}

static void sqlite_connect(struct worker *w, bool is_synced)
{
    if (sqlite3_open(path_of("raw.db"), &w->db) != SQLITE_OK)
        plain_die("sqlite", sqlite3_errmsg(w->db));
    sqlite3_busy_timeout(w->db, 60000);
    if (sqlite3_exec(w->db,
                     is_synced ? "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"
                               : "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
                     NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(w->db,
                     "PRAGMA cache_size=-65536;"
                     "CREATE TABLE IF NOT EXISTS kv(k TEXT PRIMARY KEY, v BLOB)",
                     NULL, NULL, NULL) != SQLITE_OK)
        plain_die("sqlite", sqlite3_errmsg(w->db));
    w->begin = prepare(w->db, "BEGIN IMMEDIATE");
    w->commit = prepare(w->db, "COMMIT");
    w->put = prepare(w->db, "INSERT INTO kv VALUES(?1,?2) ON CONFLICT(k) DO UPDATE SET v=?2");
}

static void sqlite_begin(struct worker *w)
{
    step(w->db, w->begin);
}

static void sqlite_put(struct worker *w, const char *key)
{
    sqlite3_bind_text(w->put, 1, key, KEY_SIZE, SQLITE_STATIC);
    sqlite3_bind_blob(w->put, 2, w->value, VALUE_SIZE, SQLITE_STATIC);
    step(w->db, w->put);
}

static void sqlite_commit(struct worker *w)
{
    step(w->db, w->commit);
}

static void sqlite_open(bool is_synced)
{
    for (int i = 0; i < MOST; i++)
        sqlite_connect(&workers[i], is_synced);
}

static void sqlite_close(void)
{
    for (int i = 0; i < MOST; i++) {
        sqlite3_finalize(workers[i].begin);
        sqlite3_finalize(workers[i].commit);
        sqlite3_finalize(workers[i].put);
        sqlite3_close(workers[i].db);
    }
}

/* ---- raw LMDB ---- */

static MDB_env *env;
static MDB_dbi dbi;
static MDB_txn *write_txn; /* of whoever holds LMDB's lock */

static void lmdb_check(int rc)
{
    if (rc != 0)
        plain_die("lmdb", mdb_strerror(rc));
}

static void lmdb_begin(struct worker *w)
{
    MDB_txn *txn;

    (void)w;
    lmdb_check(mdb_txn_begin(env, NULL, 0, &txn));
    write_txn = txn;
}

static void lmdb_put(struct worker *w, const char *key)
{
    MDB_val k = { KEY_SIZE, (void *)(uintptr_t)key }, v = { VALUE_SIZE, w->value };

    lmdb_check(mdb_put(write_txn, dbi, &k, &v, 0));
}

static void lmdb_commit(struct worker *w)
{
    (void)w;
    lmdb_check(mdb_txn_commit(write_txn));
}

static void lmdb_open(bool is_synced)
{
    lmdb_check(mdb_env_create(&env));
    lmdb_check(mdb_env_set_mapsize(env, (size_t)1 << 30));
    lmdb_check(mdb_env_open(env, path_of("raw.mdb"),
                            MDB_NOSUBDIR | (is_synced ? 0u : (unsigned)MDB_NOMETASYNC), 0644));
    lmdb_begin(NULL);
    lmdb_check(mdb_dbi_open(write_txn, NULL, 0, &dbi));
    lmdb_commit(NULL);
}

static void lmdb_close(void)
{
    mdb_env_close(env);
}

/* ---- contestants ---- */

struct engine {
    const char *name;
    const char *uri_options;
    void (*open)(bool is_synced);
    void (*close)(void);
    void (*begin)(struct worker *w);
    void (*put)(struct worker *w, const char *key);
    void (*commit)(struct worker *w);
};

static const struct engine engines[] = {
    { "sqlite", "page_cache=64MiB", sqlite_open, sqlite_close, sqlite_begin, sqlite_put,
      sqlite_commit },
    { "lmdb", "", lmdb_open, lmdb_close, lmdb_begin, lmdb_put, lmdb_commit },
};

static const struct engine *engine;
static pdict *ours;

enum {
    RAW_1,
    RAW_16,
    RAW_1_BY_16,
    OURS_1,
    OURS_16,
    OURS_64,
    N_CONTESTANTS
};

struct contestant {
    const char *name;
    int n_threads;
    int n_together; /* puts in a commit */
    bool is_ours;
};

static const struct contestant contestants[N_CONTESTANTS] = {
    { "raw, 1 thread", 1, 1, false },
    { "raw, 16 threads", 16, 1, false },
    { "raw, 1 thread, 16 puts a commit", 1, 16, false },
    { "pdict, 1 thread", 1, 1, true },
    { "pdict, 16 threads", 16, 1, true },
    { "pdict, 64 threads", 64, 1, true },
};

static double rates[N_CONTESTANTS][MOST_ROUNDS];
static atomic_bool is_over;

static void raw_put(struct worker *w, int n_together)
{
    engine->begin(w);
    for (int i = 0; i < n_together; i++)
        engine->put(w, draw(w));
    engine->commit(w);
}

static void our_put(struct worker *w)
{
    const char *key = draw(w);

    if (pdict_put(ours, pdict_bytes(key, KEY_SIZE), pdict_bytes(w->value, VALUE_SIZE), NULL) !=
        PDICT_OK)
        plain_die("put", pdict_error_text());
}

static void put_once(struct worker *w, const struct contestant *contestant)
{
    if (contestant->is_ours)
        our_put(w);
    else
        raw_put(w, contestant->n_together);
    w->n_puts += (uint64_t)contestant->n_together;
}

static void *work(void *arg)
{
    struct worker *w = arg;

    while (!atomic_load(&is_over))
        put_once(w, w->contestant);
    return NULL;
}

static double slice(const struct contestant *contestant)
{
    struct timespec span = { .tv_nsec = (long)(SLICE_S * 1e9) };
    double begun = plain_now_s();
    uint64_t n_puts = 0;

    atomic_store(&is_over, false);
    for (int i = 0; i < contestant->n_threads; i++) {
        workers[i].contestant = contestant;
        workers[i].n_puts = 0;
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    nanosleep(&span, NULL);
    atomic_store(&is_over, true);
    for (int i = 0; i < contestant->n_threads; i++) {
        pthread_join(workers[i].thread, NULL);
        n_puts += workers[i].n_puts;
    }
    return (double)n_puts / (plain_now_s() - begun);
}

/* ---- the stores ---- */

static void remove_stores(void)
{
    static const char *const names[] = { "raw.db",         "raw.db-wal",     "raw.db-shm",
                                         "raw.mdb",        "raw.mdb-lock",   "our.sqlite",
                                         "our.sqlite-wal", "our.sqlite-shm", "our.sqlite-pdict",
                                         "our.lmdb",       "our.lmdb-lock",  "our.lmdb-pdict" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(path_of(names[i]));
}

static void fill_ours(void)
{
    static pdict_pair pairs[N_KEYS];

    for (size_t i = 0; i < N_KEYS; i++)
        pairs[i] = (pdict_pair){ pdict_bytes(keys[i], KEY_SIZE),
                                 pdict_bytes(workers[0].value, VALUE_SIZE) };
    if (pdict_put_many(ours, pairs, N_KEYS, NULL, NULL) != PDICT_OK)
        plain_die("fill", pdict_error_text());
}

static void open_stores(const char *durability)
{
    char uri[1200];

    remove_stores();
    engine->open(strcmp(durability, "full") == 0);
    engine->begin(&workers[0]);
    for (size_t i = 0; i < N_KEYS; i++)
        engine->put(&workers[0], keys[i]);
    engine->commit(&workers[0]);
    snprintf(uri, sizeof(uri), "%s:%s?durability=%s&%s", engine->name,
             path_of(engine->name[0] == 's' ? "our.sqlite" : "our.lmdb"), durability,
             engine->uri_options);
    if (pdict_open(uri, NULL, &ours) != PDICT_OK)
        plain_die(uri, pdict_error_text());
    fill_ours();
}

static void close_stores(void)
{
    pdict_close(ours);
    engine->close();
    remove_stores();
}

/* ---- the tables ---- */

static double ratio(int a, int b)
{
    double ratios[MOST_ROUNDS];

    for (size_t i = 0; i < n_rounds; i++)
        ratios[i] = rates[a][i] / rates[b][i];
    return bench_median(ratios, n_rounds);
}

static void goal(const char *goal_name, const char *what, double reached, double wanted)
{
    printf("%-3s %-56s %6.2f   goal %5.2f   %s\n", goal_name, what, reached, wanted,
           reached >= wanted ? "met" : "not met");
}

static void many_threads(void)
{
    open_stores("full");
    for (size_t round = 0; round < n_rounds; round++) {
        for (int i = 0; i < N_CONTESTANTS; i++)
            rates[i][round] = slice(&contestants[i]);
    }
    close_stores();
    printf("\n%s, durable puts, medians of %zu rounds\n\n", engine->name, n_rounds);
    for (int i = 0; i < N_CONTESTANTS; i++)
        printf("%-36s %10.0f puts/s %8.2fx raw 1 thread\n", contestants[i].name,
               bench_median(rates[i], n_rounds), ratio(i, RAW_1));
    printf("\n");
    goal("P6", "16 threads over raw 1 thread, 16 puts a commit", ratio(OURS_16, RAW_1_BY_16), 0.9);
    goal("P6", "16 threads over raw 16 threads", ratio(OURS_16, RAW_16), 4);
    if (strcmp(engine->name, "lmdb") == 0)
        goal("P6", "64 threads over raw 1 thread", ratio(OURS_64, RAW_1), 7);
}

static double block(const struct contestant *contestant)
{
    double begun = plain_now_s();

    for (int i = 0; i < BLOCK; i++)
        put_once(&workers[0], contestant);
    return BLOCK / (plain_now_s() - begun);
}

/* One thread: short blocks in turns, since there it is a matter of a few percent. */
static void one_thread(const char *durability, double wanted)
{
    size_t n_before = n_rounds;

    n_rounds = MOST_ROUNDS;
    open_stores(durability);
    for (size_t round = 0; round < n_rounds; round++) {
        int first = round % 2 ? OURS_1 : RAW_1, second = RAW_1 + OURS_1 - first;

        rates[first][round] = block(&contestants[first]);
        rates[second][round] = block(&contestants[second]);
    }
    close_stores();
    goal("P5",
         strcmp(durability, "full") == 0 ? "1 thread over raw 1 thread, full"
                                         : "1 thread over raw 1 thread, ordered",
         ratio(OURS_1, RAW_1), wanted);
    n_rounds = n_before;
}

int main(int argc, char **argv)
{
    const char *which = argc > 1 ? argv[1] : "all";
    bool is_known = strcmp(which, "all") == 0;
    struct bench_rng rng;

    for (size_t i = 0; i < 2; i++)
        is_known = is_known || strcmp(which, engines[i].name) == 0;
    if (argc > 2)
        n_rounds = strtoul(argv[2], NULL, 10);
    if (argc > 3)
        directory = argv[3];
    if (!is_known || n_rounds < 1 || n_rounds > MOST_ROUNDS)
        plain_die("usage", "group_commit [sqlite|lmdb|all] [ROUNDS 1..101] [DIRECTORY]");
    bench_rng_seed(&rng, 1, MOST);
    for (size_t i = 0; i < N_KEYS; i++)
        snprintf(keys[i], sizeof(keys[i]), "%020llu", (unsigned long long)bench_rng_next(&rng));
    for (int i = 0; i < MOST; i++)
        bench_rng_seed(&workers[i].random, 1, (uint64_t)i);
    for (size_t i = 0; i < 2; i++) {
        engine = &engines[i];
        if (strcmp(which, "all") != 0 && strcmp(which, engine->name) != 0)
            continue;
        many_threads();
        one_thread("full", 0.95);
        one_thread("ordered", 0.9);
    }
    return 0;
}
