/* SPDX-License-Identifier: MIT */
/* Transactions and growth of the LMDB backend: small mappings, other processes, other threads. */
#include "lmdb_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

/* `count` rows of 1,000 bytes in transactions of 100, numbered from `first`. */
static void fill(void *self, uint32_t map, uint32_t first, uint32_t count)
{
    pdict_slice value = filled(1000, 'v', first);

    for (uint32_t i = 0; i < count; i += 100) {
        void *txn = begin(self);
        for (uint32_t j = i; j < i + 100 && j < count; j++)
            put_in(self, txn, map, filled(8, 'k', first + j), value);
        commit(self, txn);
    }
}

static uint64_t count_of(void *self, uint32_t map)
{
    void *reader = snapshot(self);
    uint64_t count = 0;

    CHECK_OK(LMDB->count(self, reader, map, NOW, &count));
    end_snapshot(self, reader);
    return count;
}

/* ---- growth ---- */

static const struct how small = { .flags = PDICT_BACKEND_CREATE, .reserve = 1 << 20 };

TEST(lmdb_backend, a_store_grows_beyond_its_first_mapping)
{
    void *self = open_how(test_path("store"), small);
    uint32_t map = make_map(self, "m");
    pdict_backend_stat stat = { .struct_size = sizeof(stat) };

    fill(self, map, 0, 40000);
    CHECK_OK(LMDB->stat(self, &stat));
    CHECK(stat.file_bytes > 40 * MIB);
    CHECK_INT(count_of(self, map), 40000);
    check_value(self, map, filled(8, 'k', 39999), filled(1000, 'v', 0));
    LMDB->close(self);
}

TEST(lmdb_backend, one_array_larger_than_the_mapping_is_applied)
{
    enum {
        COUNT = 30000
    };
    void *self = open_how(test_path("store"), small);
    uint32_t map = make_map(self, "m");
    pdict_change *changes = test_alloc(COUNT * sizeof(*changes));
    void *txn = begin(self);

    for (uint32_t i = 0; i < COUNT; i++)
        changes[i] = put_change(filled(8, 'k', i * 7919), filled(1000, 'v', i));
    CHECK_OK(LMDB->apply(self, txn, map, changes, COUNT, NOW));
    commit(self, txn);
    CHECK_INT(count_of(self, map), COUNT);
    LMDB->close(self);
}

TEST(lmdb_backend, a_snapshot_that_stays_makes_growing_busy_and_nothing_is_lost)
{
    void *self = open_how(test_path("store"), small);
    uint32_t map = make_map(self, "m");
    pdict_change change = put_change(text("large"), filled(64 * MIB, 'v', 1));
    void *reader = snapshot(self), *txn = NULL;

    CHECK_OK(LMDB->write_begin(self, PDICT_ORDERED, 20, &txn));
    CHECK_STATUS(LMDB->apply(self, txn, map, &change, 1, NOW), PDICT_BUSY);
    CHECK(strstr(pdict_error_text(), "snapshot") != NULL);
    LMDB->write_abort(self, txn);
    end_snapshot(self, reader);
    put(self, map, change.row.key, change.row.value);
    check_value(self, map, change.row.key, change.row.value);
    LMDB->close(self);
}

TEST(lmdb_backend, a_transaction_that_outgrows_the_mapping_succeeds_when_it_is_tried_again)
{
    void *self = open_how(test_path("store"), small);
    uint32_t map = make_map(self, "m");
    pdict_slice value = filled(MIB, 'v', 1);
    int status = PDICT_BUSY;

    for (int tries = 0; tries < 10 && status == PDICT_BUSY; tries++) {
        void *txn = begin(self);
        for (uint32_t i = 0; i < 100; i++) {
            pdict_change change = put_change(filled(8, 'k', i), value);
            if ((status = LMDB->apply(self, txn, map, &change, 1, NOW)) != PDICT_OK)
                break;
        }
        if (status == PDICT_OK)
            commit(self, txn);
        else
            LMDB->write_abort(self, txn);
    }
    CHECK_OK(status);
    CHECK_INT(count_of(self, map), 100);
    LMDB->close(self);
}

struct reading {
    void *self;
    uint32_t map;
    atomic_bool is_over;
};

static void *read_until_over(void *ctx)
{
    struct reading *r = ctx;

    while (!atomic_load(&r->is_over))
        check_value(r->self, r->map, text("first"), text("value"));
    return NULL;
}

TEST(lmdb_backend, readers_of_other_threads_go_on_while_the_store_grows)
{
    const uint32_t rows = TEST_IS_SLOW ? 8000 : 20000;
    struct reading r = { .self = open_how(test_path("store"), small) };
    pthread_t threads[3];

    r.map = make_map(r.self, "m");
    put(r.self, r.map, text("first"), text("value"));
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, read_until_over, &r) == 0);
    fill(r.self, r.map, 0, rows);
    atomic_store(&r.is_over, true);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK_INT(count_of(r.self, r.map), rows + 1);
    LMDB->close(r.self);
}

static void grow_from_a_child(const char *path)
{
    void *self = open_how(path, (struct how){ .reserve = 1024 * MIB });

    fill(self, make_map(self, "m"), 100000, 30000);
    LMDB->close(self);
}

TEST(lmdb_backend, what_another_process_grew_is_seen_by_readers_and_writers_here)
{
    const char *path = test_path("store");
    void *self = open_how(path, small), *before, *after = NULL;
    uint32_t map = make_map(self, "m");
    pdict_row row;

    CHECK_OK(LMDB->reader_open(self, &after));
    before = snapshot(self);
    CHECK_INT(in_child(grow_from_a_child, path), 0);
    CHECK_STATUS(LMDB->get(self, before, map, filled(8, 'k', 100000), &row), PDICT_NOTFOUND);
    end_snapshot(self, before);
    CHECK_OK(LMDB->reader_begin(self, after));
    CHECK_OK(LMDB->get(self, after, map, filled(8, 'k', 129999), &row));
    LMDB->reader_end(self, after);
    LMDB->reader_close(self, after);
    CHECK_INT(in_child(grow_from_a_child, path), 0);
    fill(self, map, 0, 1000);
    CHECK_INT(count_of(self, map), 31000);
    LMDB->close(self);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

static void write_in_little_space(const char *path)
{
    struct rlimit limit = { .rlim_cur = 1024 * MIB, .rlim_max = 1024 * MIB };
    void *self;

    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    self = open_how(path, (struct how){ .flags = PDICT_BACKEND_CREATE, .reserve = MIB * MIB });
    fill(self, make_map(self, "m"), 0, 30000);
    CHECK(malloc((size_t)450 * MIB) != NULL);
    LMDB->close(self);
}

TEST(lmdb_backend, little_address_space_is_shared_with_the_rest_of_the_process)
{
    if (IS_SANITIZED)
        SKIP("sanitizers need the address space for themselves");
    CHECK_INT(in_child(write_in_little_space, test_path("store")), 0);
}

static uint64_t address_space_in_use(void)
{
    FILE *statm = fopen("/proc/self/statm", "r");
    unsigned long long pages;

    CHECK(statm && fscanf(statm, "%llu", &pages) == 1);
    fclose(statm);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void write_where_the_reserve_just_fits(const char *path)
{
    const uint64_t reserve = 4096 * MIB;
    struct rlimit limit;
    void *self;

    limit.rlim_cur = limit.rlim_max = address_space_in_use() + reserve + MIB;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    self = open_how(path, (struct how){ .flags = PDICT_BACKEND_CREATE, .reserve = reserve });
    fill(self, make_map(self, "m"), 0, 1000);
    LMDB->close(self);
}

TEST(lmdb_backend, address_space_that_holds_the_reserve_and_nothing_else_suffices)
{
    if (IS_SANITIZED)
        SKIP("sanitizers need the address space for themselves");
    CHECK_INT(in_child(write_where_the_reserve_just_fits, test_path("store")), 0);
}

/* ---- other processes and threads ---- */

static void die_while_reading(const char *path)
{
    snapshot(open_store(path));
    raise(SIGKILL);
}

TEST(lmdb_backend, a_reader_that_died_does_not_make_the_file_grow_for_ever)
{
    const char *path = test_path("store");
    void *self = open_store(path);
    uint32_t map = make_map(self, "m");
    pdict_backend_stat stat = { .struct_size = sizeof(stat) };

    put(self, map, text("key"), filled(MIB, 'v', 0));
    CHECK(WIFSIGNALED(in_child(die_while_reading, path)));
    for (uint32_t i = 0; i < 100; i++)
        put(self, map, text("key"), filled(MIB, 'v', i));
    CHECK_OK(LMDB->stat(self, &stat));
    CHECK(stat.file_bytes < 40 * MIB);
    LMDB->close(self);
}

TEST(lmdb_backend, readers_beyond_the_slots_are_busy_and_slots_come_back)
{
    enum {
        SLOTS = 2048
    };
    void *self = open_store(test_path("store"));
    void *readers[SLOTS], *one_more = NULL;

    for (int i = 0; i < SLOTS; i++)
        readers[i] = snapshot(self);
    CHECK_OK(LMDB->reader_open(self, &one_more));
    CHECK_STATUS(LMDB->reader_begin(self, one_more), PDICT_BUSY);
    end_snapshot(self, readers[0]);
    CHECK_OK(LMDB->reader_begin(self, one_more));
    end_snapshot(self, one_more);
    for (int i = 1; i < SLOTS; i++)
        end_snapshot(self, readers[i]);
    LMDB->close(self);
}

struct handed_over {
    void *self, *txn;
    int status;
};

static void *commit_elsewhere(void *ctx)
{
    struct handed_over *h = ctx;

    h->status = LMDB->write_commit(h->self, h->txn);
    return NULL;
}

TEST(lmdb_backend, a_transaction_is_finished_by_the_thread_that_began_it)
{
    struct handed_over h = { .self = open_store(test_path("store")) };
    uint32_t map = make_map(h.self, "m");
    pthread_t thread;

    h.txn = begin(h.self);
    put_in(h.self, h.txn, map, text("key"), text("value"));
    CHECK(pthread_create(&thread, NULL, commit_elsewhere, &h) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_STATUS(h.status, PDICT_MISUSE);
    commit(h.self, h.txn);
    check_value(h.self, map, text("key"), text("value"));
    LMDB->close(h.self);
}

static void open_in_another_namespace(const char *path)
{
    void *self = NULL;
    int wait_status = 0;
    pid_t child;

    if (unshare(CLONE_NEWPID) != 0)
        _exit(77);
    CHECK((child = fork()) >= 0);
    if (child == 0) {
        CHECK_STATUS(try_open(path, (struct how){ .flags = 0 }, &self), PDICT_UNSUPPORTED);
        _exit(0);
    }
    CHECK(waitpid(child, &wait_status, 0) == child);
    _exit(WEXITSTATUS(wait_status));
}

TEST(lmdb_backend, a_store_open_in_one_pid_namespace_is_refused_in_another)
{
    const char *path = test_path("store");
    void *self = open_store(path);
    int wait_status = in_child(open_in_another_namespace, path);

    LMDB->close(self);
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 77)
        SKIP("making a PID namespace is not allowed here");
    CHECK_INT(wait_status, 0);
}

/* ---- bulk ---- */

TEST(lmdb_backend, a_large_array_with_doubles_does_the_same_as_one_change_after_the_other)
{
    enum {
        COUNT = 500,
        KEYS = 60
    };
    void *self = open_store(test_path("store"));
    uint32_t maps[2] = { make_map(self, "one"), make_map(self, "all") };
    pdict_change one[COUNT], all[COUNT];
    pdict_row rows[2];
    void *txn = begin(self), *cursors[2];
    uint64_t state = 5;
    int status;

    for (uint32_t i = 0; i < COUNT; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        one[i] = put_change(filled(state >> 62 ? 6 : 700, 'k', (state >> 33) % KEYS),
                            filled(50, 'v', i));
        one[i].kind = (state >> 20) % 3 == 0 ? PDICT_CHANGE_DEL : PDICT_CHANGE_PUT;
        one[i].condition = (state >> 25) % 3;
        one[i].row.expires_ms = (state >> 40) % 4 == 0 ? NOW - 1 + (int64_t)(state >> 45) % 3 : 0;
        all[i] = one[i];
        CHECK_OK(LMDB->apply(self, txn, maps[0], &one[i], 1, NOW));
    }
    CHECK_OK(LMDB->apply(self, txn, maps[1], all, COUNT, NOW));
    for (int i = 0; i < COUNT; i++)
        CHECK_INT(all[i].status, one[i].status);
    for (int m = 0; m < 2; m++)
        CHECK_OK(LMDB->scan_open(self, txn, maps[m], &(pdict_scan){ .flags = 0 }, &cursors[m]));
    while ((status = LMDB->scan_next(self, cursors[0], &rows[0])) == PDICT_OK) {
        CHECK_OK(LMDB->scan_next(self, cursors[1], &rows[1]));
        CHECK_BYTES(rows[0].key.data, rows[0].key.size, rows[1].key.data, rows[1].key.size);
        CHECK_BYTES(rows[0].value.data, rows[0].value.size, rows[1].value.data, rows[1].value.size);
        CHECK_INT(rows[0].expires_ms, rows[1].expires_ms);
    }
    CHECK_STATUS(status, PDICT_END);
    CHECK_STATUS(LMDB->scan_next(self, cursors[1], &rows[1]), PDICT_END);
    for (int m = 0; m < 2; m++)
        LMDB->scan_close(self, cursors[m]);
    commit(self, txn);
    LMDB->close(self);
}
