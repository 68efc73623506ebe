/* SPDX-License-Identifier: MIT */
/* Group commit: who shares a transaction, whose failure is whose, and what a deadline means. */
#include "map/map.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "maps.h"

/* ---- a store that is watched ---- */

/* Stands between core and the memory backend. */
static struct {
    const pdict_backend *next;
    int n_begun, n_committed;
    atomic_int n_synced;
    int durability;         /* of the last transaction */
    int begin_status;       /* instead of beginning, unless PDICT_OK */
    int commit_statuses[8]; /* of the next commits; a failing one commits nothing */
} spy;

static int spy_write_begin(void *self, int durability, int64_t timeout_ms, void **txn)
{
    spy.n_begun++;
    spy.durability = durability;
    if (spy.begin_status != PDICT_OK)
        return pdict_fail(spy.begin_status, "spy: not now");
    return spy.next->write_begin(self, durability, timeout_ms, txn);
}

static int spy_write_commit(void *self, void *txn)
{
    int status = spy.n_committed < 8 ? spy.commit_statuses[spy.n_committed] : PDICT_OK;

    spy.n_committed++;
    if (status == PDICT_OK)
        return spy.next->write_commit(self, txn);
    spy.next->write_abort(self, txn);
    return pdict_fail(status, "spy: commit failed");
}

static int spy_sync(void *self)
{
    (void)self;
    spy.n_synced++;
    return PDICT_OK;
}

static pdict_backend watched;

static pdict *open_watched(const char *options)
{
    char uri[128];
    pdict *d;

    snprintf(uri, sizeof(uri), "memory:%s", options);
    CHECK_OK(pdict_open(uri, NULL, &d));
    spy.next = d->map->store->backend;
    watched = *spy.next;
    watched.write_begin = spy_write_begin;
    watched.write_commit = spy_write_commit;
    watched.sync = spy_sync;
    d->map->store->backend = &watched;
    spy.n_begun = spy.n_committed = 0;
    atomic_store(&spy.n_synced, 0);
    return d;
}

/* ---- commits that wait together ---- */

#define N_PUTS 8

struct putter {
    pthread_t thread;
    pdict *d;
    char key[8];
    pdict_put_options how;
    struct commit *commit; /* NULL: a put */
    int status;
    char text[128];
};

static struct putter putters[N_PUTS];
static size_t n_putters;

static void *run_putter(void *arg)
{
    struct putter *p = arg;

    p->status = p->commit ? pdict__commit(p->d->map->store, p->commit)
                          : pdict_put(p->d, pdict_str(p->key), pdict_str("v"), &p->how);
    snprintf(p->text, sizeof(p->text), "%s", pdict_error_text());
    return NULL;
}

/* From here on whoever leads waits, and the others queue behind. */
static void hold(pdict *d)
{
    n_putters = 0;
    CHECK_OK(pdict__gate_enter(&d->map->store->gate, pdict__steady_ms()));
}

static unsigned n_joined(struct queue *queue)
{
    unsigned n;

    pthread_mutex_lock(&queue->lock);
    n = queue->n_joined;
    pthread_mutex_unlock(&queue->lock);
    return n;
}

static void start(struct putter *p)
{
    struct queue *queue = &p->d->map->store->queue;
    unsigned n = n_joined(queue);

    CHECK_INT(pthread_create(&p->thread, NULL, run_putter, p), 0);
    while (n_joined(queue) == n)
        sched_yield();
}

static struct putter *next_putter(pdict *d)
{
    struct putter *p = &putters[n_putters];

    *p = (struct putter){ .d = d, .how = PDICT_PUT_OPTIONS_INIT };
    snprintf(p->key, sizeof(p->key), "k%zu", n_putters++);
    return p;
}

static struct putter *start_put(pdict *d)
{
    struct putter *p = next_putter(d);

    start(p);
    return p;
}

static struct putter *start_commit(pdict *d, struct commit *commit)
{
    struct putter *p = next_putter(d);

    commit->durability = commit->durability ? commit->durability : PDICT_FULL_SYNC;
    commit->timeout_ms = commit->timeout_ms ? commit->timeout_ms : 60000;
    p->commit = commit;
    start(p);
    return p;
}

static void join_all(void)
{
    for (size_t i = 0; i < n_putters; i++)
        pthread_join(putters[i].thread, NULL);
}

static void let_go(pdict *d)
{
    pdict__gate_leave(&d->map->store->gate);
    join_all();
}

TEST(writer, commits_that_wait_together_share_one_transaction_in_the_order_they_came)
{
    pdict *d = open_watched("");
    pdict_entry entry;
    pdict_iter *iter;

    hold(d);
    for (int i = 0; i < N_PUTS; i++)
        start_put(d);
    let_go(d);
    CHECK_INT(spy.n_committed, 1);
    CHECK_OK(pdict_iter_open(d, NULL, &iter));
    for (int i = 0; i < N_PUTS; i++) {
        CHECK_STATUS(putters[i].status, PDICT_OK);
        CHECK_OK(pdict_iter_next(iter, &entry));
        CHECK_BYTES(entry.key.data, entry.key.size, putters[i].key, strlen(putters[i].key));
    }
    pdict_iter_close(iter);
    pdict_close(d);
}

TEST(writer, a_shared_transaction_takes_the_strongest_durability)
{
    pdict *d = open_watched("?durability=unsafe");

    hold(d);
    start_put(d);
    next_putter(d)->how.durability = PDICT_COMMIT_FULL;
    start(&putters[1]);
    let_go(d);
    CHECK_INT(spy.n_committed, 1);
    CHECK_INT(spy.durability, PDICT_FULL_SYNC);
    pdict_close(d);
}

TEST(writer, conditions_of_neighbours_are_seen_in_the_order_of_the_queue)
{
    pdict *d = open_watched("");

    hold(d);
    for (int i = 0; i < 2; i++) {
        struct putter *p = next_putter(d);

        snprintf(p->key, sizeof(p->key), "same");
        p->how.flags = PDICT_PUT_IF_ABSENT;
        start(p);
    }
    let_go(d);
    CHECK_INT(spy.n_committed, 1);
    CHECK_STATUS(putters[0].status, PDICT_OK);
    CHECK_STATUS(putters[1].status, PDICT_EXISTS);
    pdict_close(d);
}

TEST(writer, a_commit_that_fails_alone_leaves_its_neighbours_alone)
{
    pdict *d = open_watched("");
    pdict_change change = { .kind = PDICT_CHANGE_PUT, .row = { .version = 1 } };
    struct commit bad = { .map = 999, .changes = &change, .count = 1 };

    hold(d);
    start_put(d);
    start_commit(d, &bad);
    start_put(d);
    let_go(d);
    CHECK_STATUS(putters[0].status, PDICT_OK);
    CHECK_STATUS(putters[1].status, PDICT_NO_MAP);
    CHECK(strstr(putters[1].text, "999") != NULL);
    CHECK_STATUS(putters[2].status, PDICT_OK);
    CHECK_INT(count_of(d), 2);
    pdict_close(d);
}

TEST(writer, a_group_that_does_not_fit_goes_one_by_one)
{
    pdict *d = open_watched("");

    spy.commit_statuses[0] = spy.commit_statuses[2] = PDICT_FULL;
    hold(d);
    for (int i = 0; i < 3; i++)
        start_put(d);
    let_go(d);
    CHECK_STATUS(putters[0].status, PDICT_OK);
    CHECK_STATUS(putters[1].status, PDICT_FULL);
    CHECK_STR(putters[1].text, "spy: commit failed");
    CHECK_STATUS(putters[2].status, PDICT_OK);
    CHECK_INT(count_of(d), 2);
    pdict_close(d);
}

TEST(writer, a_commit_that_fails_midway_is_unknown_to_all_and_poisons_the_store)
{
    pdict *d = open_watched("");

    spy.commit_statuses[0] = PDICT_UNKNOWN_OUTCOME;
    hold(d);
    for (int i = 0; i < 3; i++)
        start_put(d);
    let_go(d);
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(putters[i].status, PDICT_UNKNOWN_OUTCOME);
        CHECK_STR(putters[i].text, "spy: commit failed");
    }
    CHECK_STATUS(pdict_put(d, pdict_str("k"), pdict_str("v"), NULL), PDICT_POISONED);
    pdict_close(d);
}

TEST(writer, commit_delay_waits_for_company)
{
    pdict *d = open_watched("?commit_delay=500000");

    n_putters = 0;
    start_put(d);
    start_put(d);
    start_put(d);
    join_all();
    CHECK_INT(spy.n_committed, 1);
    CHECK_INT(count_of(d), 3);
    pdict_close(d);
}

/* ---- deadlines ---- */

TEST(writer, a_commit_still_queued_at_its_deadline_is_withdrawn)
{
    pdict *d = open_watched("");
    pdict_change change = { .kind = PDICT_CHANGE_PUT,
                            .row = { .key = pdict_str("late"), .version = 1 } };
    struct commit late = { .map = d->map->number, .changes = &change, .count = 1, .timeout_ms = 5 };

    hold(d);
    start_put(d);
    start_commit(d, &late);
    start_put(d);
    pthread_join(putters[1].thread, NULL);
    CHECK_STATUS(putters[1].status, PDICT_BUSY);
    CHECK(strstr(putters[1].text, "timeout") != NULL);
    pdict__gate_leave(&d->map->store->gate);
    pthread_join(putters[0].thread, NULL);
    pthread_join(putters[2].thread, NULL);
    CHECK_INT(count_of(d), 2);
    check_value(d, "late", NULL);
    pdict_close(d);
}

TEST(writer, who_leads_gives_up_at_its_deadline_and_the_next_one_leads)
{
    pdict *d = open_watched("");
    pdict_change change = { .kind = PDICT_CHANGE_PUT,
                            .row = { .key = pdict_str("late"), .version = 1 } };
    struct commit late = { .map = d->map->number, .changes = &change, .count = 1, .timeout_ms = 5 };

    hold(d);
    start_commit(d, &late);
    start_put(d);
    start_put(d);
    pthread_join(putters[0].thread, NULL);
    CHECK_STATUS(putters[0].status, PDICT_BUSY);
    pdict__gate_leave(&d->map->store->gate);
    pthread_join(putters[1].thread, NULL);
    pthread_join(putters[2].thread, NULL);
    CHECK_INT(count_of(d), 2);
    CHECK_INT(spy.n_committed, 1);
    pdict_close(d);
}

TEST(writer, an_engine_that_is_busy_is_only_the_business_of_who_leads)
{
    pdict *d = open_watched("");

    hold(d);
    start_put(d);
    start_put(d);
    spy.begin_status = PDICT_BUSY;
    let_go(d);
    CHECK_STATUS(putters[0].status, PDICT_BUSY);
    CHECK_STATUS(putters[1].status, PDICT_BUSY);
    CHECK_INT(spy.n_begun, 2);
    spy.begin_status = PDICT_OK;
    put(d, "k", "v");
    pdict_close(d);
}

/* ---- works and preparations ---- */

static int count_inside(void *ctx, struct store *store, void *txn)
{
    return store->backend->count(store->engine, txn, 1, 0, ctx);
}

TEST(writer, work_goes_alone_and_in_its_turn)
{
    pdict *d = open_watched("");
    uint64_t count = 99;
    struct commit work = { .work = count_inside, .ctx = &count };

    hold(d);
    start_put(d);
    start_put(d);
    start_commit(d, &work);
    start_put(d);
    let_go(d);
    CHECK_INT(count, 2);
    CHECK_INT(spy.n_committed, 3);
    CHECK_INT(count_of(d), 3);
    pdict_close(d);
}

static int refuse_inside(void *ctx, struct store *store, void *txn)
{
    int status = count_inside(ctx, store, txn);

    return status == PDICT_OK ? pdict_fail(PDICT_CONFLICT, "refused") : status;
}

TEST(writer, a_preparation_sees_what_came_before_and_refuses_only_itself)
{
    pdict *d = open_watched("");
    pdict_change changes[2] = {
        { .kind = PDICT_CHANGE_PUT, .row = { .key = pdict_str("a"), .version = 1 } },
        { .kind = PDICT_CHANGE_PUT, .row = { .key = pdict_str("b"), .version = 1 } }
    };
    uint64_t counts[2] = { 99, 99 };
    struct commit refused = { .map = d->map->number,
                              .changes = &changes[0],
                              .count = 1,
                              .prepare = refuse_inside,
                              .ctx = &counts[0] };
    struct commit allowed = { .map = d->map->number,
                              .changes = &changes[1],
                              .count = 1,
                              .prepare = count_inside,
                              .ctx = &counts[1] };

    hold(d);
    start_put(d);
    start_commit(d, &refused);
    start_commit(d, &allowed);
    start_put(d);
    let_go(d);
    CHECK_INT(spy.n_committed, 1);
    CHECK_INT(counts[0], 1);
    CHECK_INT(counts[1], 1);
    CHECK_STATUS(putters[1].status, PDICT_CONFLICT);
    CHECK_STR(putters[1].text, "refused");
    CHECK_STATUS(putters[2].status, PDICT_OK);
    CHECK(changes[1].row.id > 0);
    CHECK_INT(count_of(d), 3);
    pdict_close(d);
}

/* ---- syncs of ordered commits ---- */

TEST(writer, an_ordered_commit_is_synced_with_the_first_commit_behind_its_time)
{
    pdict *d = open_watched("?durability=ordered:1ms&maintenance=manual");
    int64_t begun_ms;

    put(d, "a", "1");
    CHECK_INT(spy.durability, PDICT_ORDERED);
    begun_ms = pdict__steady_ms();
    while (pdict__steady_ms() < begun_ms + 2)
        sched_yield();
    put(d, "a", "2");
    CHECK(spy.n_synced >= 1); /* on a slow machine the first one was late itself */
    pdict_close(d);
}

TEST(writer, an_ordered_commit_is_synced_when_nobody_writes_on)
{
    pdict *d = open_watched("?durability=ordered:20ms");
    int64_t begun_ms = pdict__steady_ms();

    put(d, "a", "1");
    while (atomic_load(&spy.n_synced) == 0 && pdict__steady_ms() < begun_ms + 20000)
        sched_yield();
    CHECK(pdict__steady_ms() >= begun_ms + 20);
    CHECK(atomic_load(&spy.n_synced) == 1);
    pdict_close(d);
    CHECK_INT(spy.n_synced, 1);
}

TEST(writer, an_ordered_commit_is_synced_by_the_close)
{
    pdict *d = open_watched("?durability=ordered:1h");

    put(d, "a", "1");
    CHECK_INT(spy.n_synced, 0);
    pdict_close(d);
    CHECK_INT(spy.n_synced, 1);
}

/* ---- many threads ---- */

#define N_THREADS 8
#define N_ROUNDS  (TEST_IS_SLOW ? 200 : 1500)

struct worker {
    pthread_t thread;
    pdict *d;
    int id, n_done, n_busy;
};

static void put_number(struct worker *w, int64_t timeout_ms, int number)
{
    char key[16], value[16];
    pdict handle = *w->d;
    int status;

    snprintf(key, sizeof(key), "%d", w->id);
    snprintf(value, sizeof(value), "%d", number);
    handle.timeout_ms = timeout_ms;
    status = pdict_put(&handle, pdict_str(key), pdict_str(value), NULL);
    if (status == PDICT_OK)
        w->n_done = number;
    else if (status == PDICT_BUSY)
        w->n_busy++;
    else
        CHECK_OK(status);
}

/* Some give up at once, some fail, and some go alone. */
static void *work_hard(void *arg)
{
    struct worker *w = arg;
    uint64_t count;

    for (int i = 1; i <= N_ROUNDS; i++) {
        pdict_change change = { .kind = PDICT_CHANGE_DEL };
        struct commit bad = { .durability = PDICT_FULL_SYNC,
                              .timeout_ms = 60000,
                              .map = 999,
                              .changes = &change,
                              .count = 1 };
        struct commit work = {
            .durability = PDICT_UNSAFE, .timeout_ms = 60000, .work = count_inside, .ctx = &count
        };

        put_number(w, i % 7 == 0 ? 0 : 60000, i);
        if (i % 40 == w->id)
            CHECK_STATUS(pdict__commit(w->d->map->store, &bad), PDICT_NO_MAP);
        if (i % 30 == w->id)
            CHECK_OK(pdict__commit(w->d->map->store, &work));
    }
    return NULL;
}

TEST(writer, many_threads_each_keep_their_order_and_lose_nothing)
{
    static struct worker workers[N_THREADS];
    pdict *d = open_watched("");

    for (int i = 0; i < N_THREADS; i++) {
        workers[i] = (struct worker){ .d = d, .id = i };
        CHECK_INT(pthread_create(&workers[i].thread, NULL, work_hard, &workers[i]), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        char key[16], value[16];

        pthread_join(workers[i].thread, NULL);
        snprintf(key, sizeof(key), "%d", i);
        snprintf(value, sizeof(value), "%d", workers[i].n_done);
        check_value(d, key, value);
    }
    CHECK(d->map->store->queue.first == NULL);
    CHECK(!d->map->store->queue.is_led);
    pdict_close(d);
}
