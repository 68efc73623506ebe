/* SPDX-License-Identifier: MIT */
/* Threads that want one key computed: one does it, and what comes of it goes to those who wait. */
#include "maps.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#include "map/compute.h"

enum {
    THREADS = TEST_IS_SLOW ? 20 : 200
};

/* A computation that ends once so many threads wait for it. */
struct source {
    pdict *d;
    const char *value; /* NULL: status */
    int status;
    int64_t ttl_ms;
    unsigned awaited; /* threads */
    atomic_int calls;
    void (*meanwhile)(struct source *source);
};

struct call {
    struct source *source;
    pdict_compute_options how;
    pthread_t thread;
    int status;
    unsigned origin;
    char value[32];
    char text[128];
};

/* Threads that wait for the key "k". */
static unsigned waiters(pdict *d)
{
    struct flights *flights = &d->map->flights;
    unsigned count = 0;

    pthread_mutex_lock(&flights->lock);
    for (size_t i = 0; i < FLIGHT_BUCKETS; i++) {
        for (struct flight *flight = flights->buckets[i]; flight; flight = flight->next)
            count += flight->references - 1;
    }
    pthread_mutex_unlock(&flights->lock);
    return count;
}

static int find(void *ctx, const pdict_view *old, pdict_computed *out)
{
    struct source *source = ctx;

    (void)old;
    atomic_fetch_add(&source->calls, 1);
    while (waiters(source->d) < source->awaited)
        sched_yield();
    source->awaited = 0;
    if (source->meanwhile)
        source->meanwhile(source);
    if (!source->value)
        return pdict_fail(source->status, "the source is gone");
    out->value = pdict_str(source->value);
    out->ttl_ms = source->ttl_ms;
    return PDICT_OK;
}

static void *run(void *arg)
{
    struct call *call = arg;
    pdict_view view;

    call->how.struct_size = sizeof(call->how);
    call->how.source_out = &call->origin;
    call->status = pdict_get_or_compute(call->source->d, pdict_str("k"), find, call->source,
                                        &call->how, &view);
    snprintf(call->value, sizeof(call->value), "%.*s", (int)view.size,
             view.data ? (const char *)view.data : "");
    snprintf(call->text, sizeof(call->text), "%s", pdict_error_text());
    pdict_view_release(&view);
    return NULL;
}

static struct call *call_all(struct source *source, unsigned count)
{
    struct call *calls = test_alloc(count * sizeof(*calls));

    memset(calls, 0, count * sizeof(*calls));
    for (unsigned i = 0; i < count; i++) {
        calls[i].source = source;
        CHECK(pthread_create(&calls[i].thread, NULL, run, &calls[i]) == 0);
    }
    for (unsigned i = 0; i < count; i++)
        CHECK(pthread_join(calls[i].thread, NULL) == 0);
    return calls;
}

static unsigned count_of_origin(const struct call *calls, unsigned origin)
{
    unsigned count = 0;

    for (unsigned i = 0; i < THREADS; i++)
        count += calls[i].origin == origin;
    return count;
}

static void check_one(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    struct source source = { .d = d, .value = "value", .awaited = THREADS - 1 };
    struct call *calls = call_all(&source, THREADS);

    CHECK_INT(source.calls, 1);
    for (unsigned i = 0; i < THREADS; i++) {
        CHECK_INT(calls[i].status, PDICT_OK);
        CHECK_STR(calls[i].value, "value");
    }
    CHECK_INT(count_of_origin(calls, PDICT_SOURCE_COMPUTED), 1);
    CHECK_INT(count_of_origin(calls, PDICT_SOURCE_AWAITED), THREADS - 1);
    pdict_close(d);
}

TEST(compute_threads, of_many_threads_one_computes_and_all_get_the_value)
{
    for_each_setup(check_one);
}

static void check_failure(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    struct source source = { .d = d, .status = PDICT_IO, .awaited = THREADS - 1 };
    struct call *calls = call_all(&source, THREADS);

    CHECK_INT(source.calls, 1);
    for (unsigned i = 0; i < THREADS; i++) {
        CHECK_INT(calls[i].status, PDICT_IO);
        CHECK_STR(calls[i].text, "the source is gone");
    }
    pdict_close(d);
}

TEST(compute_threads, failure_goes_to_all_who_wait)
{
    for_each_setup(check_failure);
}

static void become_possible(struct source *source)
{
    if (source->calls == 2)
        source->value = "value";
}

static void check_cancelled(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    struct source source = {
        .d = d, .status = PDICT_CANCELLED, .awaited = 7, .meanwhile = become_possible
    };
    struct call *calls = call_all(&source, 8);
    int cancelled = 0;

    CHECK_INT(source.calls, 2);
    for (unsigned i = 0; i < 8; i++) {
        cancelled += calls[i].status == PDICT_CANCELLED;
        CHECK(calls[i].status == PDICT_CANCELLED || strcmp(calls[i].value, "value") == 0);
    }
    CHECK_INT(cancelled, 1);
    pdict_close(d);
}

TEST(compute_threads, who_is_cancelled_is_followed_by_one_who_waits)
{
    for_each_setup(check_cancelled);
}

static atomic_bool is_ticking;

static void *tick(void *arg)
{
    (void)arg;
    while (is_ticking)
        test_now_ms += 10;
    return NULL;
}

/* The value lives for a millisecond of a clock that runs: nobody could read it in time. */
static void check_expired(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    struct source source = { .d = d, .value = "value", .ttl_ms = 1, .awaited = 7 };
    struct call *calls;
    pthread_t ticker;

    is_ticking = true;
    CHECK(pthread_create(&ticker, NULL, tick, NULL) == 0);
    calls = call_all(&source, 8);
    is_ticking = false;
    CHECK(pthread_join(ticker, NULL) == 0);
    CHECK_INT(source.calls, 1);
    for (unsigned i = 0; i < 8; i++)
        CHECK_STR(calls[i].value, "value");
    pdict_close(d);
}

TEST(compute_threads, who_has_waited_gets_the_value_however_soon_it_expires)
{
    for_each_setup(check_expired);
}

/* The second asks while the put of the first is under way, after `wait_ms` of the clock. */
static void ask_late(const struct setup *setup, int64_t wait_ms, int calls_made, unsigned origin)
{
    pdict *d = setup_open(setup, "a", ""), *txn;
    struct source source = { .d = d, .value = "value", .ttl_ms = 10 };
    struct call calls[2] = { { .source = &source }, { .source = &source } };

    CHECK_OK(pdict_begin(d, PDICT_TXN_EXCLUSIVE, &txn));
    CHECK(pthread_create(&calls[0].thread, NULL, run, &calls[0]) == 0);
    while (atomic_load(&d->map->store->queue.count) == 0)
        sched_yield();
    test_now_ms += wait_ms;
    CHECK(pthread_create(&calls[1].thread, NULL, run, &calls[1]) == 0);
    while (waiters(d) == 0)
        sched_yield();
    pdict_abort(txn);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(calls[i].thread, NULL) == 0);
    CHECK_INT(calls[0].origin, PDICT_SOURCE_COMPUTED);
    CHECK_INT(calls[1].origin, origin);
    CHECK_INT(source.calls, calls_made);
    CHECK_OK(pdict_del(d, pdict_str("k")));
    pdict_close(d);
}

static void check_late(const struct setup *setup)
{
    ask_late(setup, 10, 2, PDICT_SOURCE_COMPUTED);
    ask_late(setup, 9, 1, PDICT_SOURCE_STORED);
}

TEST(compute_threads, who_asks_during_the_put_reads_what_is_there_then)
{
    for_each_setup(check_late);
}

static void check_absence(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    struct source source = { .d = d, .status = PDICT_NOTFOUND, .awaited = 7 };
    struct call *calls = call_all(&source, 8);

    CHECK_INT(source.calls, 1);
    for (unsigned i = 0; i < 8; i++)
        CHECK_INT(calls[i].status, PDICT_NOTFOUND);
    pdict_close(d);
}

TEST(compute_threads, absence_goes_to_all_who_wait)
{
    for_each_setup(check_absence);
}

/* ---- waiting has an end ---- */

static void wait_in_vain(struct source *source)
{
    struct call call = { .source = source, .how.timeout_ms = 20 };
    pthread_t thread;

    if (source->calls > 1)
        return;
    CHECK(pthread_create(&thread, NULL, run, &call) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_INT(call.status, PDICT_BUSY);
    CHECK(strstr(call.text, "still computing") != NULL);
    CHECK_INT(call.origin, 0);
}

static void check_deadline(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    struct source source = { .d = d, .value = "value", .meanwhile = wait_in_vain };
    struct call *calls = call_all(&source, 1);

    CHECK_INT(source.calls, 1);
    CHECK_STR(calls[0].value, "value");
    pdict_close(d);
}

TEST(compute_threads, who_waits_is_busy_after_the_timeout_and_no_sooner_done)
{
    for_each_setup(check_deadline);
}

static void read_stale(struct source *source)
{
    struct call call = { .source = source, .how.stale_ms = 1000 };
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, run, &call) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_INT(call.status, PDICT_OK);
    CHECK_INT(call.origin, PDICT_SOURCE_STALE);
    CHECK_STR(call.value, "old");
}

static void check_stale(const struct setup *setup)
{
    pdict *d = setup_open(setup, "a", "");
    struct source source = { .d = d, .value = "new", .meanwhile = read_stale };
    struct call *calls;

    put_ttl(d, "k", "old", 1);
    test_now_ms += 1;
    calls = call_all(&source, 1);
    CHECK_INT(source.calls, 1);
    CHECK_STR(calls[0].value, "new");
    pdict_close(d);
}

TEST(compute_threads, other_threads_get_the_stale_value_without_waiting)
{
    for_each_setup(check_stale);
}

/* ---- many keys ---- */

static int find_key(void *ctx, const pdict_view *old, pdict_computed *out)
{
    (void)old;
    atomic_fetch_add((atomic_int *)ctx, 1);
    out->value = pdict_str("value");
    return PDICT_OK;
}

struct many {
    pdict *d;
    atomic_int calls[50];
};

static void *ask_for_many(void *arg)
{
    struct many *many = arg;
    char key[16];
    pdict_view view;

    for (int i = 0; i < 50; i++) {
        snprintf(key, sizeof(key), "%d", i);
        CHECK_OK(
            pdict_get_or_compute(many->d, pdict_str(key), find_key, &many->calls[i], NULL, &view));
        pdict_view_release(&view);
    }
    return NULL;
}

static void check_many(const struct setup *setup)
{
    struct many many = { .d = setup_open(setup, "a", "") };
    pthread_t threads[8];

    for (int i = 0; i < 8; i++)
        CHECK(pthread_create(&threads[i], NULL, ask_for_many, &many) == 0);
    for (int i = 0; i < 8; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < 50; i++)
        CHECK_INT(many.calls[i], 1);
    pdict_close(many.d);
}

TEST(compute_threads, each_of_many_keys_is_computed_once)
{
    for_each_setup(check_many);
}
