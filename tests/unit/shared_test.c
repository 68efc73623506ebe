/* SPDX-License-Identifier: MIT */
/* Processes that write one store: turns, deaths, failed syncs, and the wish for a checkpoint. */
#include "map/map.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "process_fixture.h"

static const char *const schemes[] = { "sqlite", "lmdb" };

#define N_SCHEMES (sizeof(schemes) / sizeof(schemes[0]))

static bool is_built(const char *scheme)
{
    return pdict__backend_find(scheme) != NULL;
}

static pdict *open_map(const char *uri)
{
    pdict *d;

    CHECK_OK(pdict_open(uri, NULL, &d));
    return d;
}

static int put_number(pdict *d, const char *key, unsigned number)
{
    char value[16];

    snprintf(value, sizeof(value), "%u", number);
    return pdict_put(d, pdict_str(key), pdict_str(value), NULL);
}

static unsigned get_number(pdict *d, const char *key)
{
    char text[16] = "";
    pdict_view view;

    CHECK_OK(pdict_get(d, pdict_str(key), &view));
    CHECK(view.size < sizeof(text));
    memcpy(text, view.data, view.size);
    pdict_view_release(&view);
    return (unsigned)strtoul(text, NULL, 10);
}

static char *uri_of(const char *scheme, const char *query)
{
    const char *path = test_path("%s.db", scheme);
    size_t size = strlen(scheme) + strlen(path) + strlen(query) + 2;
    char *uri = test_alloc(size);

    snprintf(uri, size, "%s:%s%s", scheme, path, query);
    return uri;
}

static void make_store(const char *uri)
{
    pdict *d = open_map(uri);

    CHECK_OK(put_number(d, "start", 1));
    pdict_close(d);
}

WARM_UP()
{
    make_store(uri_of("sqlite", ""));
}

/* ---- turns ---- */

static void hold_turn(struct child *child, const char *uri)
{
    pdict *d = open_map(uri);

    CHECK_OK(pdict__shared_enter(d->map->store, pdict__steady_ms() + 1000));
    step_done(child);
    pdict__shared_leave(d->map->store);
    pdict_close(d);
}

TEST(shared, a_put_waits_no_longer_than_asked_for_another_process)
{
    for (size_t i = 0; i < N_SCHEMES; i++) {
        struct child child;
        pdict *d;

        if (!is_built(schemes[i]))
            continue;
        make_store(uri_of(schemes[i], ""));
        child = start(hold_turn, uri_of(schemes[i], ""));
        await_step(&child);
        d = open_map(uri_of(schemes[i], "?timeout=20ms"));
        CHECK_STATUS(put_number(d, "a", 1), PDICT_BUSY);
        CHECK(strstr(pdict_error_text(), "other processes") != NULL);
        CHECK_INT(get_number(d, "start"), 1);
        next_step(&child);
        finish(&child);
        CHECK_OK(put_number(d, "a", 1));
        pdict_close(d);
    }
}

TEST(shared, the_turn_of_a_killed_process_goes_on_at_once)
{
    for (size_t i = 0; i < N_SCHEMES; i++) {
        struct child child;
        int64_t start_ms;
        pdict *d;

        if (!is_built(schemes[i]))
            continue;
        make_store(uri_of(schemes[i], ""));
        for (int round = 0; round < 5; round++) {
            child = start(hold_turn, uri_of(schemes[i], ""));
            await_step(&child);
            kill_child(&child);
        }
        child = start(hold_turn, uri_of(schemes[i], ""));
        await_step(&child);
        d = open_map(uri_of(schemes[i], "?timeout=60s"));
        kill_child(&child);
        start_ms = pdict__steady_ms();
        CHECK_OK(put_number(d, "a", 1));
        /* Nothing is waited for; the limit is generous because the machine may be busy. */
        CHECK(pdict__steady_ms() - start_ms < 30000);
        CHECK_OK(put_number(d, "a", 2));
        pdict_close(d);
    }
}

static int die_inside(void *ctx, struct store *store, void *txn)
{
    pdict_change change = {
        .kind = PDICT_CHANGE_PUT,
        .row = { .key = pdict_str("half"), .value = pdict_str("x"), .version = 1, .created_ms = 1 }
    };

    CHECK_OK(store->backend->apply(store->engine, txn, 1, &change, 1, 1));
    step_done(ctx);
    return PDICT_OK;
}

static void write_and_die(struct child *child, const char *uri)
{
    pdict *d = open_map(uri);
    struct commit commit = {
        .durability = PDICT_FULL_SYNC, .timeout_ms = 10000, .work = die_inside, .ctx = child
    };

    pdict__commit(d->map->store, &commit);
}

TEST(shared, the_transaction_of_a_killed_process_is_undone_and_the_next_one_goes_on)
{
    for (size_t i = 0; i < N_SCHEMES; i++) {
        struct child child;
        bool is_there;
        pdict *d;

        if (!is_built(schemes[i]))
            continue;
        make_store(uri_of(schemes[i], ""));
        child = start(write_and_die, uri_of(schemes[i], ""));
        await_step(&child);
        d = open_map(uri_of(schemes[i], ""));
        kill_child(&child);
        CHECK_OK(put_number(d, "a", 1));
        CHECK_OK(pdict_contains(d, pdict_str("half"), &is_there));
        CHECK(!is_there);
        pdict_close(d);
    }
}

/* ---- fairness ---- */

/* Where a sync costs nothing hundreds of puts fit into a time slice: how many all make until each
 * had its share depends on the scheduler. Who starves has none however long the others go on. */
enum {
    WRITERS = 8,
    SHARE = TEST_IS_SLOW ? 4 : 20,
    PUTS_MOST = 10000 * SHARE
};

struct tally {
    _Atomic unsigned all, n_served, of[WRITERS];
};

static struct tally *tally; /* shared by all processes */

static void write_until_all_have(struct child *child, const char *uri)
{
    pdict *d = open_map(uri);
    unsigned own = (unsigned)atoi(strrchr(uri, '=') + 1);
    char key[16];

    snprintf(key, sizeof(key), "%u", own);
    step_done(child);
    while (tally->n_served < WRITERS && atomic_fetch_add(&tally->all, 1) < PUTS_MOST) {
        CHECK_OK(put_number(d, key, ++tally->of[own]));
        tally->n_served += tally->of[own] == SHARE;
    }
    CHECK_INT(get_number(d, key), tally->of[own]);
    pdict_close(d);
}

static void check_shares(const char *scheme)
{
    struct child children[WRITERS];
    char query[32];

    memset(tally, 0, sizeof(*tally));
    make_store(uri_of(scheme, ""));
    for (int i = 0; i < WRITERS; i++) {
        snprintf(query, sizeof(query), "?map=%d", i);
        make_store(uri_of(scheme, query));
        children[i] = start(write_until_all_have, uri_of(scheme, query));
    }
    for (int i = 0; i < WRITERS; i++)
        await_step(&children[i]);
    for (int i = 0; i < WRITERS; i++)
        next_step(&children[i]);
    for (int i = 0; i < WRITERS; i++)
        finish(&children[i]);
    for (int i = 0; i < WRITERS; i++)
        fprintf(stderr, "%s: process %d made %u puts\n", scheme, i, tally->of[i]);
    for (int i = 0; i < WRITERS; i++)
        CHECK(tally->of[i] >= SHARE);
}

TEST(shared, no_process_starves_among_eight_that_write)
{
    tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(tally != MAP_FAILED);
    for (size_t i = 0; i < N_SCHEMES; i++) {
        if (is_built(schemes[i]))
            check_shares(schemes[i]);
    }
    munmap(tally, sizeof(*tally));
}

/* ---- poison ---- */

static void fail_to_sync(struct child *child, const char *uri)
{
    pdict *d = open_map(uri);

    step_done(child);
    CHECK_STATUS(pdict_sync(d), PDICT_IO);
    CHECK_STATUS(put_number(d, "a", 1), PDICT_POISONED);
    step_done(child);
    pdict_close(d);
}

TEST(shared, a_failed_sync_stops_the_writes_of_all_until_all_have_closed)
{
    char *uri = uri_of("sqlite", ""), *faulty = test_alloc(strlen(uri) + 64);
    struct child child;
    pdict *d;

    if (!is_built("sqlite") || !is_built("fault"))
        SKIP("sqlite and fault are not both built");
    make_store(uri);
    sprintf(faulty, "fault+%s?fail=sync:1:IO", uri);
    child = start(fail_to_sync, faulty);
    await_step(&child);
    d = open_map(uri);
    CHECK_OK(put_number(d, "start", 2));
    next_step(&child);
    await_step(&child);
    CHECK_STATUS(put_number(d, "start", 3), PDICT_POISONED);
    CHECK_STATUS(pdict_sync(d), PDICT_POISONED);
    CHECK_INT(get_number(d, "start"), 2);
    pdict_close(d);
    d = open_map(uri);
    CHECK_STATUS(put_number(d, "start", 3), PDICT_POISONED);
    next_step(&child);
    finish(&child);
    pdict_close(d);
    d = open_map(uri);
    CHECK_OK(put_number(d, "start", 3));
    pdict_close(d);
}

/* ---- checkpoints ---- */

static int checkpoint(void *ctx, struct store *store)
{
    (void)ctx;
    return pdict__checkpoint(store, true);
}

static void wait_for_readers(struct child *child, const char *uri)
{
    pdict *d = open_map(uri);
    int status;

    CHECK_OK(put_number(d, "a", 1));
    step_done(child);
    /* The reader may be late on a busy machine. */
    do
        status = pdict__between_commits(d->map->store, 10000, checkpoint, NULL);
    while (status == PDICT_BUSY);
    CHECK_OK(status);
    CHECK(!pdict__checkpoint_wanted(d->map->store));
    step_done(child);
    pdict_close(d);
}

TEST(shared, who_holds_a_snapshot_learns_that_a_checkpoint_waits_for_it)
{
    char *uri = uri_of("sqlite", "");
    struct child child;
    void *reader;
    pdict *d;

    if (!is_built("sqlite"))
        SKIP("sqlite is not built");
    make_store(uri);
    child = start(wait_for_readers, uri);
    await_step(&child);
    d = open_map(uri);
    CHECK_OK(pdict__read_begin(d->map->store, &reader));
    CHECK(!pdict__checkpoint_wanted(d->map->store));
    next_step(&child);
    while (!pdict__checkpoint_wanted(d->map->store))
        sched_yield();
    pdict__read_end(d->map->store, reader);
    await_step(&child);
    CHECK(!pdict__checkpoint_wanted(d->map->store));
    next_step(&child);
    finish(&child);
    pdict_close(d);
}

static uint64_t revalidated(pdict *d)
{
    pdict_stats stats = PDICT_STATS_INIT;

    CHECK_OK(pdict_stats_get(d, 0, &stats));
    return stats.cache_revalidations;
}

static void has_moved(pdict *d, struct token *token)
{
    struct token now = pdict__token_read(d->map->store->words);

    CHECK(!pdict__token_equal(now, *token));
    *token = now;
}

/* So many that the ring tells of all keys. */
static void put_very_many(pdict *d)
{
    static char names[RING_MOST + 1][8];
    static pdict_pair pairs[RING_MOST + 1];

    for (size_t i = 0; i < RING_MOST + 1; i++) {
        snprintf(names[i], sizeof(names[i]), "%zu", i);
        pairs[i] = (pdict_pair){ pdict_str(names[i]), pdict_str("") };
    }
    CHECK_OK(pdict_put_many(d, pairs, RING_MOST + 1, NULL, NULL));
}

static void put_and_fold_in_steps(struct child *child, const char *uri)
{
    pdict *d = open_map(uri);

    step_done(child);
    CHECK_OK(put_number(d, "other", 2));
    CHECK_OK(pdict__between_commits(d->map->store, 10000, checkpoint, NULL));
    step_done(child);
    CHECK_OK(put_number(d, "start", 3));
    CHECK_OK(pdict__between_commits(d->map->store, 10000, checkpoint, NULL));
    CHECK_OK(put_number(d, "other", 4));
    step_done(child);
    pdict_close(d);
}

/* The token moves, and nothing is read anew. */
TEST(shared, what_is_cached_stays_true_over_the_checkpoints_of_anybody)
{
    char *uri = uri_of("sqlite", "?maintenance=manual");
    struct child child;
    struct token token;
    pdict *d;

    if (!is_built("sqlite"))
        SKIP("sqlite is not built");
    make_store(uri);
    child = start(put_and_fold_in_steps, uri);
    await_step(&child);
    d = open_map(uri);
    CHECK_OK(put_number(d, "own", 5));
    CHECK_INT(get_number(d, "start"), 1);
    token = pdict__token_read(d->map->store->words);
    CHECK_OK(pdict__between_commits(d->map->store, 10000, checkpoint, NULL));
    has_moved(d, &token);
    CHECK_INT(get_number(d, "start"), 1);
    CHECK_INT(revalidated(d), 0);
    /* Nobody reads between this and an own commit. */
    CHECK_OK(pdict__between_commits(d->map->store, 10000, checkpoint, NULL));
    put_very_many(d);
    CHECK_INT(get_number(d, "start"), 1);
    CHECK_INT(revalidated(d), 0);
    token = pdict__token_read(d->map->store->words);
    next_step(&child);
    await_step(&child);
    has_moved(d, &token);
    CHECK_INT(get_number(d, "start"), 1);
    CHECK_INT(get_number(d, "own"), 5);
    CHECK_INT(revalidated(d), 0);
    next_step(&child);
    await_step(&child);
    /* What has moved since the last look is not passed over. */
    CHECK_OK(pdict__between_commits(d->map->store, 10000, checkpoint, NULL));
    CHECK_INT(get_number(d, "start"), 3);
    CHECK_INT(get_number(d, "other"), 4);
    CHECK_INT(get_number(d, "own"), 5);
    CHECK_INT(revalidated(d), 0);
    next_step(&child);
    finish(&child);
    pdict_close(d);
}

TEST(shared, the_wish_of_a_dead_process_is_forgotten)
{
    char *uri = uri_of("sqlite", "");
    struct gate_page *page;
    pdict *d;

    if (!is_built("sqlite"))
        SKIP("sqlite is not built");
    d = open_map(uri);
    page = d->map->store->gatefile.page;
    page->checkpoint_wanted_ms = pdict__steady_ms();
    CHECK(pdict__checkpoint_wanted(d->map->store));
    page->checkpoint_wanted_ms = pdict__steady_ms() - 10000;
    CHECK(!pdict__checkpoint_wanted(d->map->store));
    pdict_close(d);
}

/* ---- the change ring ---- */

static const uint64_t hash = 4711;

/* A commit around the writer, which would tell of it; ctx: tell or not. */
static int put_around(void *ctx, struct store *store)
{
    const volatile uint64_t *words[2];
    struct token before, after;
    pdict_change change = { .kind = PDICT_CHANGE_PUT,
                            .row = { .key = pdict_str("k"), .value = pdict_str("v") } };
    void *txn;

    CHECK_OK(store->backend->watch(store->engine, words));
    CHECK_OK(pdict__random_version(&change.row.version));
    CHECK_OK(store->backend->write_begin(store->engine, PDICT_ORDERED, 1000, &txn));
    before = pdict__token_read(words);
    CHECK_OK(store->backend->apply(store->engine, txn, 1, &change, 1, 1));
    CHECK_OK(store->backend->write_commit(store->engine, txn));
    after = pdict__token_read(words);
    if (ctx)
        pdict__shared_publish(store, before, after, &hash, 1);
    return PDICT_OK;
}

static void put_in_steps(struct child *child, const char *uri)
{
    pdict *d = open_map(uri);

    step_done(child);
    for (int i = 0; i < 3; i++)
        CHECK_OK(pdict__between_commits(d->map->store, 10000, put_around, child));
    step_done(child);
    CHECK_OK(pdict__between_commits(d->map->store, 10000, put_around, NULL));
    step_done(child);
    pdict_close(d);
}

static unsigned n_moved;

static void note_moved(void *ctx, uint64_t moved)
{
    (void)ctx;
    CHECK(moved == hash);
    n_moved++;
}

TEST(shared, commits_of_another_process_are_told_and_what_is_not_told_is_a_gap)
{
    for (size_t i = 0; i < N_SCHEMES; i++) {
        const volatile uint64_t *words[2];
        struct ring_wait wait = { 0 };
        struct token from, to;
        struct child child;
        struct store *store;
        pdict *d;

        if (!is_built(schemes[i]))
            continue;
        n_moved = 0;
        make_store(uri_of(schemes[i], ""));
        child = start(put_in_steps, uri_of(schemes[i], ""));
        await_step(&child);
        d = open_map(uri_of(schemes[i], ""));
        store = d->map->store;
        CHECK_OK(store->backend->watch(store->engine, words));
        from = pdict__token_read(words);
        next_step(&child);
        await_step(&child);
        to = pdict__token_read(words);
        CHECK_OK(pdict__ring_walk(pdict__shared_ring(store), from, to, &wait, note_moved, NULL));
        CHECK_INT(n_moved, 3);
        next_step(&child);
        await_step(&child);
        from = to;
        to = pdict__token_read(words);
        CHECK(!pdict__token_equal(from, to));
        CHECK_STATUS(pdict__ring_walk(pdict__shared_ring(store), from, to, &wait, note_moved, NULL),
                     PDICT_CONFLICT);
        next_step(&child);
        finish(&child);
        pdict_close(d);
    }
}

/* As a writer that the processor was taken from between its commit and its entry. */
static int put_and_linger(void *ctx, struct store *store)
{
    CHECK_OK(put_around(NULL, store));
    step_done(ctx);
    return PDICT_OK;
}

static void linger_in_steps(struct child *child, const char *uri)
{
    pdict *d = open_map(uri);

    step_done(child);
    CHECK_OK(pdict__between_commits(d->map->store, 10000, put_and_linger, child));
    step_done(child);
    pdict_close(d);
}

/* What was put is no record, so who reads it is told so. */
static void check_linger(const char *uri)
{
    struct child child;
    pdict_view view;
    pdict *d;

    make_store(uri);
    child = start(linger_in_steps, uri);
    await_step(&child);
    d = open_map(uri);
    CHECK_OK(put_number(d, "k", 1));
    CHECK_INT(get_number(d, "start"), 1);
    CHECK_INT(get_number(d, "k"), 1);
    next_step(&child);
    await_step(&child);
    CHECK_INT(get_number(d, "start"), 1);
    CHECK_STATUS(pdict_get(d, pdict_str("k"), &view), PDICT_FORMAT);
    next_step(&child);
    await_step(&child);
    CHECK_STATUS(pdict_get(d, pdict_str("k"), &view), PDICT_FORMAT);
    CHECK_INT(get_number(d, "start"), 1);
    next_step(&child);
    finish(&child);
    pdict_close(d);
}

TEST(shared, what_is_not_told_yet_is_read_from_the_store)
{
    for (size_t i = 0; i < N_SCHEMES; i++) {
        if (is_built(schemes[i]))
            check_linger(uri_of(schemes[i], "?maintenance=manual"));
    }
}

/* Stands for an engine that starts its log anew within a commit: between the tokens before and
 * after, which are told, it shows one that is not. */
struct teller {
    const struct coherence *coherence;
    struct ring *ring;
    _Atomic uint64_t words[2];
    int64_t longest_ms; /* that it took to commit */
    atomic_bool is_done;
};

static void *commit_on(void *ctx)
{
    struct teller *teller = ctx;

    for (int i = 0; i < (TEST_IS_SLOW ? 200 : 2000); i++) {
        int64_t begun_ms = pdict__steady_ms();
        struct token before = { { teller->words[0], teller->words[1] } };
        struct token after = { { before.words[0] + 1, before.words[1] + 1 } };

        pdict__ring_turn_begin(teller->ring);
        teller->words[1] = ~before.words[1];
        sched_yield();
        teller->words[0] = after.words[0];
        teller->words[1] = after.words[1];
        pdict__ring_publish(teller->ring, before, after, NULL, 0);
        pdict__ring_turn_end(teller->ring);
        if (pdict__steady_ms() - begun_ms > teller->longest_ms)
            teller->longest_ms = pdict__steady_ms() - begun_ms;
        while (!pdict__tag_is(teller->coherence, after.words))
            sched_yield();
    }
    atomic_store(&teller->is_done, true);
    return NULL;
}

static void check_within(const char *uri)
{
    struct teller teller = { .is_done = false };
    const volatile uint64_t *words[2];
    struct coherence *coherence;
    pthread_t thread;
    uint32_t floor;
    pdict *d;

    make_store(uri);
    d = open_map(uri);
    teller.coherence = coherence = &d->map->store->coherence;
    CHECK_INT(get_number(d, "start"), 1);
    teller.ring = pdict__shared_ring(d->map->store);
    for (int i = 0; i < 2; i++) {
        words[i] = coherence->words[i];
        teller.words[i] = coherence->tag[i];
        coherence->words[i] = (const volatile uint64_t *)&teller.words[i];
    }
    floor = coherence->floor;
    CHECK(pthread_create(&thread, NULL, commit_on, &teller) == 0);
    while (!atomic_load(&teller.is_done))
        CHECK_INT(get_number(d, "start"), 1);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_INT(get_number(d, "start"), 1);
    /* A writer that was kept from going on for a second may be taken for dead. */
    if (teller.longest_ms < 500)
        CHECK_INT(coherence->floor, floor);
    for (int i = 0; i < 2; i++)
        coherence->words[i] = words[i];
    pdict_close(d);
}

TEST(shared, a_token_seen_within_a_commit_is_no_gap)
{
    for (size_t i = 0; i < N_SCHEMES; i++) {
        if (is_built(schemes[i]))
            check_within(uri_of(schemes[i], "?maintenance=manual"));
    }
}
