/* SPDX-License-Identifier: MIT */
/* Snapshots that are kept for the next read, and those that are held: seen fresh, and gone in time. */
#include "map/map.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "process_fixture.h"

#define FOREVER (INT64_MAX / 2)

static char *store_uri(const char *query)
{
    const char *path = test_path("store.db");
    size_t size = strlen(path) + strlen(query) + 64;
    char *uri = test_alloc(size);

    snprintf(uri, size, "sqlite:%s?cache=off&durability=unsafe%s", path, query);
    return uri;
}

static pdict *open_map(const char *uri)
{
    pdict *d;

    CHECK_OK(pdict_open(uri, NULL, &d));
    return d;
}

static void put(pdict *d, const char *key, unsigned number)
{
    CHECK_OK(pdict_put(d, pdict_str(key), pdict_bytes(&number, sizeof(number)), NULL));
}

static unsigned get(pdict *d, const char *key)
{
    unsigned number;
    pdict_view view;

    CHECK_OK(pdict_get(d, pdict_str(key), &view));
    CHECK_INT(view.size, sizeof(number));
    memcpy(&number, view.data, sizeof(number));
    pdict_view_release(&view);
    return number;
}

static unsigned number_in(const pdict_entry *entry)
{
    unsigned number;

    CHECK_INT(entry->value.size, sizeof(number));
    memcpy(&number, entry->value.data, sizeof(number));
    return number;
}

static size_t count_kept(struct store *store)
{
    size_t count = 0;

    for (size_t i = 0; i < SNAPSHOTS; i++)
        count += atomic_load(&store->snapshots[i].state) == SNAPSHOT_KEPT;
    return count;
}

static unsigned count_begun(struct store *store)
{
    unsigned count = 0;

    for (size_t i = 0; i < SNAPSHOTS; i++)
        count += store->snapshots[i].n_begun;
    return count;
}

static void read_often(pdict *d)
{
    for (int i = 0; i < 50; i++)
        get(d, "key");
}

/* A map whose reads keep a snapshot that the background thread leaves alone. */
static pdict *open_keeping(const char *query)
{
    pdict *d = open_map(store_uri(query));

    d->map->store->keeping.idle_ms = d->map->store->keeping.age_ms = FOREVER;
    put(d, "key", 1);
    return d;
}

static size_t tick(pdict *d, int64_t later_ms)
{
    return pdict__reaper_tick(d->map->store, pdict__steady_coarse_ms() + later_ms);
}

WARM_UP()
{
    pdict *d = open_keeping("");

    read_often(d);
    pdict_close(d);
}

/* ---- kept ---- */

TEST(sqlite_snapshots, one_is_used_again_while_nobody_commits)
{
    pdict *d = open_keeping("");
    unsigned begun;

    read_often(d);
    CHECK_INT(count_kept(d->map->store), 1);
    begun = count_begun(d->map->store);
    read_often(d);
    CHECK_INT(count_begun(d->map->store), begun);
    pdict_close(d);
}

TEST(sqlite_snapshots, none_is_kept_for_a_few_reads)
{
    pdict *d = open_keeping("");

    get(d, "key");
    CHECK_INT(count_kept(d->map->store), 0);
    CHECK(!d->map->store->has_reaper);
    pdict_close(d);
}

TEST(sqlite_snapshots, a_commit_is_seen_by_the_next_read)
{
    pdict *d = open_keeping("");

    read_often(d);
    for (unsigned i = 2; i < 50; i++) {
        put(d, "key", i);
        CHECK_INT(get(d, "key"), i);
        CHECK_INT(get(d, "key"), i);
    }
    pdict_close(d);
}

static void put_in_turn(struct child *child, const char *uri)
{
    pdict *d = open_map(uri);

    for (unsigned i = 1; i < 50; i++) {
        put(d, "key", i);
        step_done(child);
    }
    pdict_close(d);
}

TEST(sqlite_snapshots, a_commit_of_another_process_is_seen_by_the_next_read)
{
    char *uri = store_uri("");
    struct child child = start(put_in_turn, uri);
    pdict *d;

    await_step(&child);
    d = open_keeping("");
    read_often(d);
    for (unsigned i = 2; i < 50; i++) {
        next_step(&child);
        await_step(&child);
        CHECK_INT(get(d, "key"), i);
        CHECK_INT(count_kept(d->map->store), 1);
        CHECK_INT(get(d, "key"), i);
    }
    next_step(&child);
    finish(&child);
    pdict_close(d);
}

TEST(sqlite_snapshots, what_nobody_uses_is_reaped)
{
    pdict *d = open_keeping("");
    pdict_stats stats = PDICT_STATS_INIT;

    read_often(d);
    CHECK_INT(tick(d, 0), 1);
    d->map->store->keeping.idle_ms = 20;
    CHECK_INT(tick(d, 1000), 0);
    CHECK_INT(count_kept(d->map->store), 0);
    CHECK_OK(pdict_stats_get(d, 0, &stats));
    CHECK(stats.snapshots_reaped >= 1);
    pdict_close(d);
}

TEST(sqlite_snapshots, an_old_one_is_begun_anew_however_much_it_is_used)
{
    pdict *d = open_keeping("");
    unsigned begun;

    read_often(d);
    begun = count_begun(d->map->store);
    CHECK_INT(tick(d, 249), 1);
    d->map->store->keeping.age_ms = 0;
    get(d, "key");
    CHECK_INT(count_begun(d->map->store), begun + 1);
    CHECK_INT(tick(d, 0), 0);
    pdict_close(d);
}

/* With what is built in, and as the thread does it. */
TEST(sqlite_snapshots, the_background_thread_reaps)
{
    pdict *d = open_map(store_uri(""));
    int64_t until_ms = pdict__steady_ms() + 20000;

    put(d, "key", 1);
    read_often(d);
    while (count_kept(d->map->store) > 0 && pdict__steady_ms() < until_ms)
        sched_yield();
    CHECK_INT(count_kept(d->map->store), 0);
    pdict_close(d);
}

TEST(sqlite_snapshots, none_is_kept_without_the_background_thread)
{
    pdict *d = open_keeping("&maintenance=manual");

    read_often(d);
    CHECK_INT(count_kept(d->map->store), 0);
    pdict_close(d);
}

TEST(sqlite_snapshots, none_is_kept_on_a_long_log)
{
    pdict *d = open_keeping("");

    d->map->store->keeping.log_bytes = 1;
    read_often(d);
    CHECK_INT(count_kept(d->map->store), 0);
    pdict_close(d);
}

static int checkpoint(void *ctx, struct store *store)
{
    (void)ctx;
    return pdict__checkpoint(store, true);
}

TEST(sqlite_snapshots, none_is_in_the_way_of_a_checkpoint)
{
    pdict *d = open_keeping("");

    read_often(d);
    CHECK_INT(count_kept(d->map->store), 1);
    CHECK_OK(pdict__between_commits(d->map->store, 1000, checkpoint, NULL));
    CHECK_INT(count_kept(d->map->store), 0);
    CHECK_INT(d->map->store->backend->log_bytes(d->map->store->engine), 0);
    pdict_close(d);
}

TEST(sqlite_snapshots, none_is_kept_while_somebody_waits_for_a_checkpoint)
{
    pdict *d = open_keeping("");
    struct gate_page *page = d->map->store->gatefile.page;

    read_often(d);
    page->checkpoint_wanted_ms = pdict__steady_ms();
    get(d, "key");
    CHECK_INT(count_kept(d->map->store), 0);
    page->checkpoint_wanted_ms = 0;
    pdict_close(d);
}

static void read_and_forget(struct child *child, const char *uri)
{
    pdict *d = open_map(uri);

    put(d, "key", 1);
    read_often(d);
    step_done(child);
    pdict_close(d);
}

TEST(sqlite_snapshots, a_forgotten_handle_does_not_make_the_log_grow)
{
    char *uri = store_uri("");
    struct child child = start(read_and_forget, uri);
    size_t size = 100000;
    char *value = test_alloc(size);
    uint64_t most = 0;
    pdict *d;

    await_step(&child);
    d = open_map(uri);
    for (unsigned i = 0; i < 500; i++) {
        uint64_t log_bytes;

        /* SQLite leaves out the pages that stay as they are. */
        memset(value, 'a' + (int)(i % 26), size);
        CHECK_OK(pdict_put(d, pdict_str("long"), pdict_bytes(value, size), NULL));
        log_bytes = d->map->store->backend->log_bytes(d->map->store->engine);
        most = log_bytes > most ? log_bytes : most;
    }
    CHECK(most < (uint64_t)40 << 20);
    next_step(&child);
    finish(&child);
    pdict_close(d);
}

/* ---- held ---- */

static void limit_holds(pdict *d, int64_t age_ms, uint64_t log_bytes)
{
    d->map->store->holding.log_bytes = log_bytes;
    d->map->store->holding.age_ms = age_ms;
}

TEST(sqlite_snapshots, an_old_transaction_on_a_long_log_loses_its_snapshot)
{
    pdict *d = open_keeping(""), *txn;

    limit_holds(d, 10000, 1);
    CHECK_OK(pdict_begin(d, 0, &txn));
    CHECK_INT(get(txn, "key"), 1);
    put(d, "key", 2);
    tick(d, 9000);
    CHECK_INT(get(txn, "key"), 1);
    tick(d, 11000);
    CHECK_STATUS(pdict_contains(txn, pdict_str("key"), &(bool){ false }), PDICT_CONFLICT);
    CHECK_STATUS(pdict_del(txn, pdict_str("key")), PDICT_CONFLICT);
    CHECK_STATUS(pdict_commit(txn), PDICT_CONFLICT);
    CHECK_INT(get(d, "key"), 2);
    pdict_close(d);
}

TEST(sqlite_snapshots, an_old_transaction_on_a_short_log_keeps_its_snapshot)
{
    pdict *d = open_keeping(""), *txn;

    CHECK_OK(pdict_begin(d, 0, &txn));
    put(d, "key", 2);
    tick(d, 1000000);
    CHECK_INT(get(txn, "key"), 1);
    CHECK_OK(pdict_commit(txn));
    pdict_close(d);
}

TEST(sqlite_snapshots, one_that_is_in_use_is_not_lost)
{
    pdict *d = open_keeping(""), *txn;
    void *reader;

    CHECK_OK(pdict_begin(d, 0, &txn));
    CHECK_OK(pdict__begin(txn, &reader));
    limit_holds(d, 0, 1);
    tick(d, 1000);
    CHECK_INT(get(txn, "key"), 1);
    pdict__end(txn, reader);
    tick(d, 1000);
    CHECK_STATUS(pdict_commit(txn), PDICT_CONFLICT);
    pdict_close(d);
}

TEST(sqlite_snapshots, an_iterator_that_loses_its_snapshot_says_so_and_keeps_its_row)
{
    pdict_range range = PDICT_RANGE_INIT;
    pdict *d = open_keeping("");
    pdict_entry entry;
    pdict_iter *iter;

    put(d, "other", 2);
    range.flags = PDICT_SNAPSHOT;
    CHECK_OK(pdict_iter_open(d, &range, &iter));
    CHECK_OK(pdict_iter_next(iter, &entry));
    /* From here on the background thread may be faster. */
    limit_holds(d, 0, 1);
    tick(d, 1000);
    CHECK_BYTES(entry.key.data, entry.key.size, "key", 3);
    CHECK_INT(number_in(&entry), 1);
    CHECK_STATUS(pdict_iter_next(iter, &entry), PDICT_CONFLICT);
    pdict_iter_close(iter);
    /* Nothing is left that holds the log. */
    CHECK_OK(pdict__between_commits(d->map->store, 1000, checkpoint, NULL));
    pdict_close(d);
}

TEST(sqlite_snapshots, more_are_held_at_once_than_there_is_room_for)
{
    enum {
        COUNT = SNAPSHOTS + 20
    };
    pdict_range range = PDICT_RANGE_INIT;
    pdict *d = open_keeping("");
    pdict_iter *iters[COUNT];
    pdict_entry entry;

    range.flags = PDICT_SNAPSHOT;
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_OK(pdict_iter_open(d, &range, &iters[i]));
        put(d, "key", 2 + (unsigned)i);
    }
    CHECK(pdict__readers_oldest_ms(d->map->store) != INT64_MAX);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_OK(pdict_iter_next(iters[i], &entry));
        CHECK_INT(number_in(&entry), 1 + i);
        pdict_iter_close(iters[i]);
    }
    pdict__readers_release(d->map->store);
    CHECK(pdict__readers_oldest_ms(d->map->store) == INT64_MAX);
    pdict_close(d);
}

/* ---- all together ---- */

struct race {
    pdict *d;
    atomic_bool is_over;
    unsigned most;
};

static void *read_on(void *ctx)
{
    struct race *race = ctx;
    unsigned last = 0;

    while (!atomic_load(&race->is_over)) {
        unsigned now = get(race->d, "key");

        CHECK(now >= last);
        last = now;
    }
    return NULL;
}

TEST(sqlite_snapshots, readers_a_writer_and_the_reaper_get_along)
{
    struct race race = { .d = open_keeping(""), .most = TEST_UNDER_VALGRIND ? 100 : 1000 };
    pthread_t threads[3];

    for (size_t i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, read_on, &race) == 0);
    for (unsigned i = 2; i < race.most; i++) {
        put(race.d, "key", i);
        CHECK_INT(get(race.d, "key"), i);
        if (i % 16 == 0)
            pdict__readers_release(race.d->map->store);
    }
    atomic_store(&race.is_over, true);
    for (size_t i = 0; i < 3; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    pdict_close(race.d);
}
