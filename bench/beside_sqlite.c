/* SPDX-License-Identifier: MIT */
/* pdict on SQLite beside SQLite used raw, in one run: load, get, durable put; ratios, not seconds.
 *
 *     beside_sqlite [KEYS] [DIRECTORY]
 *
 * Same keys in the same random order, same values, the same durability; the contestants take turns
 * in rounds and the median of the rounds counts. Raw means what a careful user writes: prepared
 * statements, WAL, `kv(k TEXT PRIMARY KEY, v BLOB)`, one transaction per batch or per put.
 */
#include <inttypes.h>
#include <pdict/pdict.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KEY_SIZE   20
#define VALUE_SIZE 128
#define ROUNDS     5
#define BATCH      1000
#define BULK       100000
#define GETS       200000
#define PUTS       2000

static size_t n_keys = 200000;
static char *keys; /* n_keys * KEY_SIZE, in load order */
static uint32_t *draws;
static char value[VALUE_SIZE];

static void die(const char *what, const char *why)
{
    fprintf(stderr, "beside_sqlite: %s: %s\n", what, why);
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
    keys = malloc(n_keys * KEY_SIZE + 1);
    draws = malloc(GETS * sizeof(*draws));
    if (!keys || !draws)
        die("data", "out of memory");
    for (size_t i = 0; i < n_keys; i++)
        snprintf(keys + i * KEY_SIZE, KEY_SIZE + 1, "%020" PRIu64, next_random());
    for (size_t i = 0; i < VALUE_SIZE; i++)
        value[i] = (char)next_random();
}

static void draw(void)
{
    for (size_t i = 0; i < GETS; i++)
        draws[i] = (uint32_t)(next_random() % n_keys);
}

/* ---- raw SQLite ---- */

struct raw {
    sqlite3 *db;
    sqlite3_stmt *begin, *commit, *put, *get;
};

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        die(sql, sqlite3_errmsg(db));
    return statement;
}

static void run(sqlite3 *db, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);

    if (code != SQLITE_DONE && code != SQLITE_ROW)
        die("step", sqlite3_errmsg(db));
    sqlite3_reset(statement);
}

static void raw_open(struct raw *raw, const char *path)
{
    if (sqlite3_open(path, &raw->db) != SQLITE_OK)
        die(path, sqlite3_errmsg(raw->db));
    if (sqlite3_exec(raw->db,
                     "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;"
                     "CREATE TABLE IF NOT EXISTS kv(k TEXT PRIMARY KEY, v BLOB)",
                     NULL, NULL, NULL) != SQLITE_OK)
        die(path, sqlite3_errmsg(raw->db));
    raw->begin = prepare(raw->db, "BEGIN IMMEDIATE");
    raw->commit = prepare(raw->db, "COMMIT");
    raw->put = prepare(raw->db, "INSERT INTO kv VALUES(?1,?2) ON CONFLICT(k) DO UPDATE SET v=?2");
    raw->get = prepare(raw->db, "SELECT v FROM kv WHERE k=?1");
}

static void raw_close(struct raw *raw)
{
    sqlite3_finalize(raw->begin);
    sqlite3_finalize(raw->commit);
    sqlite3_finalize(raw->put);
    sqlite3_finalize(raw->get);
    sqlite3_close(raw->db);
}

static void raw_put(struct raw *raw, const char *key, const char *bytes)
{
    sqlite3_bind_text(raw->put, 1, key, KEY_SIZE, SQLITE_STATIC);
    sqlite3_bind_blob(raw->put, 2, bytes, VALUE_SIZE, SQLITE_STATIC);
    run(raw->db, raw->put);
}

static double raw_load(struct raw *raw)
{
    double start = now_s();

    for (size_t i = 0; i < n_keys; i++) {
        if (i % BATCH == 0)
            run(raw->db, raw->begin);
        raw_put(raw, key_at(i), value);
        if (i % BATCH == BATCH - 1 || i == n_keys - 1)
            run(raw->db, raw->commit);
    }
    return now_s() - start;
}

static double raw_gets(struct raw *raw)
{
    double start = now_s();

    for (size_t i = 0; i < GETS; i++) {
        void *copy;
        int size;

        sqlite3_bind_text(raw->get, 1, key_at(draws[i]), KEY_SIZE, SQLITE_STATIC);
        if (sqlite3_step(raw->get) != SQLITE_ROW)
            die("get", "a key is missing");
        size = sqlite3_column_bytes(raw->get, 0);
        copy = malloc((size_t)size);
        if (!copy)
            die("get", "out of memory");
        memcpy(copy, sqlite3_column_blob(raw->get, 0), (size_t)size);
        sqlite3_reset(raw->get);
        free(copy);
    }
    return now_s() - start;
}

static double raw_puts(struct raw *raw)
{
    double start = now_s();

    for (size_t i = 0; i < PUTS; i++) {
        value[0]++;
        run(raw->db, raw->begin);
        raw_put(raw, key_at(draws[i]), value);
        run(raw->db, raw->commit);
    }
    return now_s() - start;
}

/* ---- pdict ---- */

static void check(int status)
{
    if (status != PDICT_OK)
        die(pdict_status_name(status), pdict_error_text());
}

static double pdict_load(pdict *d, size_t batch)
{
    pdict_pair *pairs = malloc(batch * sizeof(*pairs));
    double start = now_s();

    if (!pairs)
        die("load", "out of memory");
    for (size_t i = 0; i < n_keys; i += batch) {
        size_t n = n_keys - i < batch ? n_keys - i : batch;

        for (size_t j = 0; j < n; j++)
            pairs[j] = (pdict_pair){ pdict_bytes(key_at(i + j), KEY_SIZE),
                                     pdict_bytes(value, VALUE_SIZE) };
        check(pdict_put_many(d, pairs, n, NULL, NULL));
    }
    start = now_s() - start;
    free(pairs);
    return start;
}

static double pdict_gets(pdict *d)
{
    double start = now_s();

    for (size_t i = 0; i < GETS; i++) {
        pdict_view view;

        check(pdict_get(d, pdict_bytes(key_at(draws[i]), KEY_SIZE), &view));
        pdict_view_release(&view);
    }
    return now_s() - start;
}

static double pdict_puts(pdict *d)
{
    double start = now_s();

    for (size_t i = 0; i < PUTS; i++) {
        value[0]++;
        check(pdict_put(d, pdict_bytes(key_at(draws[i]), KEY_SIZE), pdict_bytes(value, VALUE_SIZE),
                        NULL));
    }
    return now_s() - start;
}

/* ---- the table ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *samples)
{
    qsort(samples, ROUNDS, sizeof(*samples), compare);
    return samples[ROUNDS / 2];
}

/* `ratio` is pdict over raw by time: below 1 is faster. */
static void row(const char *work, size_t n, double *ours, double *raw)
{
    double ratios[ROUNDS];

    for (size_t i = 0; i < ROUNDS; i++)
        ratios[i] = ours[i] / raw[i];
    printf("%-34s %12.0f %12.0f %10.2f\n", work, (double)n / median(ours), (double)n / median(raw),
           median(ratios));
}

static const char *directory = ".";

static const char *path_of(const char *name, int round)
{
    static char path[2][1024];
    static int turn;

    turn ^= 1;
    snprintf(path[turn], sizeof(path[0]), "%s/beside-%d-%s", directory, round, name);
    return path[turn];
}

static void remove_all(int round)
{
    static const char *const names[] = { "raw.db",  "raw.db-wal",  "raw.db-shm",
                                         "our.db",  "our.db-wal",  "our.db-shm",
                                         "bulk.db", "bulk.db-wal", "bulk.db-shm" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(path_of(names[i], round));
}

static pdict *open_ours(const char *name, int round, const char *more)
{
    char uri[1200];
    pdict *d;

    snprintf(uri, sizeof(uri), "sqlite:%s?%s", path_of(name, round), more);
    check(pdict_open(uri, NULL, &d));
    return d;
}

enum {
    LOAD,
    BULK_LOAD,
    GET,
    PUT,
    N_WORKS
};

static double ours[N_WORKS][ROUNDS], theirs[N_WORKS][ROUNDS];

static void play_round(int round)
{
    struct raw raw;
    pdict *d;

    remove_all(round);
    draw();
    raw_open(&raw, path_of("raw.db", round));
    theirs[LOAD][round] = theirs[BULK_LOAD][round] = raw_load(&raw);
    d = open_ours("our.db", round, "page_cache=64MiB");
    ours[LOAD][round] = pdict_load(d, BATCH);
    for (int turn = 0; turn < 2; turn++) { /* the first warms both */
        theirs[GET][round] = raw_gets(&raw);
        ours[GET][round] = pdict_gets(d);
    }
    theirs[PUT][round] = raw_puts(&raw);
    ours[PUT][round] = pdict_puts(d);
    pdict_close(d);
    raw_close(&raw);
    d = open_ours("bulk.db", round, "page_cache=64MiB");
    ours[BULK_LOAD][round] = pdict_load(d, BULK);
    pdict_close(d);
    remove_all(round);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        n_keys = strtoul(argv[1], NULL, 10);
    if (argc > 2)
        directory = argv[2];
    if (n_keys < 1000)
        die("usage", "beside_sqlite [KEYS >= 1000] [DIRECTORY]");
    make_data();
    for (int round = 0; round < ROUNDS; round++)
        play_round(round);
    printf("%zu keys of %d bytes in random order, values of %d bytes, SQLite %s, synchronous=FULL, "
           "medians of %d rounds\n\n",
           n_keys, KEY_SIZE, VALUE_SIZE, sqlite3_libversion(), ROUNDS);
    printf("%-34s %12s %12s %10s\n", "work", "pdict op/s", "raw op/s", "time ratio");
    row("load, batches of 1,000", n_keys, ours[LOAD], theirs[LOAD]);
    row("load, 100,000 against raw 1,000", n_keys, ours[BULK_LOAD], theirs[BULK_LOAD]);
    row("get, random keys, copied out", GETS, ours[GET], theirs[GET]);
    row("put, one commit each, synced", PUTS, ours[PUT], theirs[PUT]);
    free(keys);
    free(draws);
    return 0;
}
