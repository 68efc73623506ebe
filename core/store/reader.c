/* SPDX-License-Identifier: MIT */
/* Snapshots: a pool of the engine's readers, one thread at a time on each; some keep theirs. */
#include "base/calls.h"
#include "base/fork.h"
#include "base/hazard.h"
#include "store/store.h"

/* A reader that is used as rarely as this keeps nothing: no thread is started for it. */
#define KEPT_FROM 16

/* Beyond so many a reader that nobody needs is closed. */
#define IDLE_MOST 16

/* What is kept goes after so long without use, and is begun anew after so long in all. */
#define KEPT_IDLE_MS 20
#define KEPT_AGE_MS  250

/* From here on a writer waits for readers to get the log's space back (writer.c). */
#define KEPT_LOG_BYTES ((uint64_t)64 << 20)

/* A snapshot that is held for longer is lost once the log is larger. */
#define HELD_AGE_MS    10000
#define HELD_LOG_BYTES ((uint64_t)256 << 20)

/* Where this thread found its reader the last time: a hint. */
static _Thread_local unsigned last_at PDICT__NEAR_TLS;

void pdict__readers_init(struct store *store, const pdict_backend *base)
{
    bool is_dear = (base->capabilities & PDICT_CAP_DEAR_SNAPSHOTS) != 0;

    store->keeping = (struct keeping){
        /* What is kept has to be ended by somebody. */
        .is_on = is_dear && store->words[0] && !store->is_manual,
        .idle_ms = KEPT_IDLE_MS,
        .age_ms = KEPT_AGE_MS,
        .log_bytes = KEPT_LOG_BYTES,
    };
    store->holding = (struct holding){ .age_ms = HELD_AGE_MS, .log_bytes = HELD_LOG_BYTES };
}

/* ---- which reader ---- */

static bool move(struct snapshot *snapshot, unsigned from, unsigned to)
{
    return atomic_load_explicit(&snapshot->state, memory_order_relaxed) == from &&
           atomic_compare_exchange_strong_explicit(&snapshot->state, &from, to,
                                                   memory_order_acq_rel, memory_order_relaxed);
}

static bool claim_one(struct snapshot *snapshot, bool *is_kept)
{
    *is_kept = move(snapshot, SNAPSHOT_KEPT, SNAPSHOT_USED);
    return *is_kept || move(snapshot, SNAPSHOT_RESTS, SNAPSHOT_USED);
}

/* One for which memory is asked. */
static struct snapshot *claim_further(struct store *store)
{
    struct snapshot *snapshot = pdict__calloc(&store->allocator, 1, sizeof(*snapshot));

    if (!snapshot)
        return NULL;
    atomic_init(&snapshot->state, SNAPSHOT_USED);
    pthread_mutex_lock(&store->pool_lock);
    snapshot->next = store->further;
    store->further = snapshot;
    pthread_mutex_unlock(&store->pool_lock);
    return snapshot;
}

/* The one that this thread had the last time, else any that is there, else a new one. */
static struct snapshot *claim(struct store *store, bool *is_kept)
{
    if (claim_one(&store->snapshots[last_at], is_kept))
        return &store->snapshots[last_at];
    for (unsigned i = 0; i < SNAPSHOTS; i++) {
        if (claim_one(&store->snapshots[i], is_kept)) {
            last_at = i;
            return &store->snapshots[i];
        }
    }
    for (unsigned i = 0; i < SNAPSHOTS; i++) {
        if (move(&store->snapshots[i], SNAPSHOT_NONE, SNAPSHOT_USED)) {
            last_at = i;
            return &store->snapshots[i];
        }
    }
    return claim_further(store);
}

static bool has_reader(const struct snapshot *snapshot, const void *reader)
{
    return atomic_load_explicit(&snapshot->reader, memory_order_relaxed) == reader;
}

static struct snapshot *find_further(struct store *store, const void *reader)
{
    struct snapshot *snapshot;

    pthread_mutex_lock(&store->pool_lock);
    snapshot = store->further;
    while (!has_reader(snapshot, reader))
        snapshot = snapshot->next;
    pthread_mutex_unlock(&store->pool_lock);
    return snapshot;
}

static struct snapshot *find(struct store *store, const void *reader)
{
    if (has_reader(&store->snapshots[last_at], reader))
        return &store->snapshots[last_at];
    for (size_t i = 0; i < SNAPSHOTS; i++) {
        if (has_reader(&store->snapshots[i], reader))
            return &store->snapshots[i];
    }
    return find_further(store, reader);
}

static bool is_further(const struct store *store, const struct snapshot *snapshot)
{
    return snapshot < store->snapshots || snapshot >= store->snapshots + SNAPSHOTS;
}

static void forget_further(struct store *store, struct snapshot *snapshot)
{
    struct snapshot **link = &store->further;

    pthread_mutex_lock(&store->pool_lock);
    while (*link != snapshot)
        link = &(*link)->next;
    *link = snapshot->next;
    pthread_mutex_unlock(&store->pool_lock);
    pdict__free(&store->allocator, snapshot);
}

/* ---- giving back; the caller has the snapshot ---- */

static void end_snapshot(struct store *store, struct snapshot *snapshot)
{
    store->backend->reader_end(store->engine,
                               atomic_load_explicit(&snapshot->reader, memory_order_relaxed));
    atomic_store_explicit(&snapshot->begun_ms, 0, memory_order_relaxed);
}

static void give(struct snapshot *snapshot, unsigned state)
{
    /* Against the look of the reaper before it sleeps. */
    atomic_store_explicit(&snapshot->state, state, memory_order_seq_cst);
}

static void close_reader(struct store *store, struct snapshot *snapshot)
{
    void *reader = atomic_exchange_explicit(&snapshot->reader, NULL, memory_order_relaxed);

    if (reader)
        store->backend->reader_close(store->engine, reader);
    snapshot->n_begun = 0;
    if (is_further(store, snapshot))
        forget_further(store, snapshot);
    else
        give(snapshot, SNAPSHOT_NONE);
}

/* Is one of those that are found first to be had? */
static bool is_surplus(const struct store *store, const struct snapshot *snapshot)
{
    if (is_further(store, snapshot))
        return true;
    for (size_t i = 0; i < IDLE_MOST && snapshot >= store->snapshots + IDLE_MOST; i++) {
        if (atomic_load_explicit(&store->snapshots[i].state, memory_order_relaxed) ==
            SNAPSHOT_RESTS)
            return true;
    }
    return false;
}

static void rest(struct store *store, struct snapshot *snapshot)
{
    end_snapshot(store, snapshot);
    if (is_surplus(store, snapshot))
        close_reader(store, snapshot);
    else
        give(snapshot, SNAPSHOT_RESTS);
}

/* ---- keeping ---- */

static struct token peek(const struct store *store)
{
    struct token token;

    for (int i = 0; i < 2; i++)
        token.words[i] = atomic_load_explicit((const volatile _Atomic uint64_t *)store->words[i],
                                              memory_order_acquire);
    return token;
}

static bool is_young(const struct store *store, const struct snapshot *snapshot, int64_t now_ms)
{
    return now_ms - atomic_load_explicit(&snapshot->begun_ms, memory_order_relaxed) <
           store->keeping.age_ms;
}

/* Nobody has committed since, as of the peek, and nobody waits for it to go. */
static bool is_current(const struct store *store, const struct snapshot *snapshot, int64_t now_ms)
{
    return pdict__token_equal(snapshot->tag, peek(store)) && is_young(store, snapshot, now_ms) &&
           !pdict__checkpoint_wanted(store);
}

static bool is_log_short(const struct store *store)
{
    return !store->backend->log_bytes ||
           store->backend->log_bytes(store->engine) < store->keeping.log_bytes;
}

static bool is_worth_keeping(struct store *store, const struct snapshot *snapshot, int64_t now_ms)
{
    return store->keeping.is_on && snapshot->n_begun >= KEPT_FROM &&
           is_current(store, snapshot, now_ms) && is_log_short(store) && pdict__reaper_start(store);
}

/* ---- public ---- */

static int begin(struct store *store, struct snapshot *snapshot)
{
    void *reader = atomic_load_explicit(&snapshot->reader, memory_order_relaxed);
    int status;

    if (!reader && (status = store->backend->reader_open(store->engine, &reader)) != PDICT_OK)
        return status;
    atomic_store_explicit(&snapshot->reader, reader, memory_order_relaxed);
    if (store->keeping.is_on)
        snapshot->tag = peek(store);
    if ((status = store->backend->reader_begin(store->engine, reader)) != PDICT_OK)
        return status;
    /* The token of a commit may be there a moment before readers have it. */
    if (store->keeping.is_on && store->backend->watch_sees &&
        !store->backend->watch_sees(store->engine, reader, snapshot->tag.words))
        snapshot->tag = (struct token){ { UINT64_MAX, UINT64_MAX } };
    snapshot->n_begun++;
    atomic_store_explicit(&snapshot->begun_ms, pdict__steady_coarse_ms(), memory_order_relaxed);
    return PDICT_OK;
}

static void keep(struct store *store, struct snapshot *snapshot)
{
    if (store->backend->reader_rest)
        store->backend->reader_rest(store->engine,
                                    atomic_load_explicit(&snapshot->reader, memory_order_relaxed));
    give(snapshot, SNAPSHOT_KEPT);
    pdict__reaper_wake(store);
}

/* Use it again, if it is the newest still. */
static bool resume(struct store *store, struct snapshot *snapshot)
{
    bool (*resume_reader)(void *self, void *reader) = store->backend->reader_resume;

    return is_current(store, snapshot, pdict__steady_coarse_ms()) &&
           (!resume_reader ||
            resume_reader(store->engine,
                          atomic_load_explicit(&snapshot->reader, memory_order_relaxed)));
}

int pdict__reader_begin(struct store *store, void **out)
{
    struct snapshot *snapshot;
    bool is_kept;
    int status;

    if ((snapshot = claim(store, &is_kept)) == NULL)
        return PDICT_NOMEM;
    if (is_kept && !resume(store, snapshot)) {
        end_snapshot(store, snapshot);
        is_kept = false;
    }
    if (!is_kept && (status = begin(store, snapshot)) != PDICT_OK) {
        close_reader(store, snapshot);
        return status;
    }
    *out = atomic_load_explicit(&snapshot->reader, memory_order_relaxed);
    return PDICT_OK;
}

void pdict__reader_end(struct store *store, void *reader)
{
    struct snapshot *snapshot;
    int64_t now_ms;

    /* In the child of a fork from inside a call the reader is the parent's: leave it alone. */
    if (store->fork_count != pdict__fork_count_now())
        return;
    snapshot = find(store, reader);
    now_ms = store->keeping.is_on ? pdict__steady_coarse_ms() : 0;
    if (is_further(store, snapshot) || !is_worth_keeping(store, snapshot, now_ms)) {
        rest(store, snapshot);
        return;
    }
    atomic_store_explicit(&snapshot->used_ms, now_ms, memory_order_relaxed);
    keep(store, snapshot);
}

int pdict__read_begin_inside(struct store *store, void **out)
{
    int status;

    pdict__engine_hold();
    if ((status = pdict__reader_begin(store, out)) != PDICT_OK)
        pdict__engine_let_go();
    return status;
}

int pdict__read_begin(struct store *store, void **out)
{
    int status = pdict__store_enter(store);

    if (status == PDICT_OK && (status = pdict__read_begin_inside(store, out)) != PDICT_OK)
        pdict__store_leave();
    return status;
}

void pdict__read_end(struct store *store, void *reader)
{
    pdict__reader_end(store, reader);
    pdict__store_let_go();
}

size_t pdict__readers_release(struct store *store)
{
    size_t left;

    return pdict__readers_reap(store, INT64_MAX, &left);
}

size_t pdict__readers_reap(struct store *store, int64_t now_ms, size_t *left)
{
    bool is_wanted = pdict__checkpoint_wanted(store);
    size_t count = 0;

    *left = 0;
    for (size_t i = 0; i < SNAPSHOTS; i++) {
        struct snapshot *snapshot = &store->snapshots[i];

        if (atomic_load_explicit(&snapshot->state, memory_order_seq_cst) != SNAPSHOT_KEPT)
            continue;
        ++*left;
        if (!is_wanted && is_young(store, snapshot, now_ms) &&
            now_ms - atomic_load_explicit(&snapshot->used_ms, memory_order_relaxed) <
                store->keeping.idle_ms)
            continue;
        if (move(snapshot, SNAPSHOT_KEPT, SNAPSHOT_USED)) {
            rest(store, snapshot);
            count++;
            --*left;
        }
    }
    return count;
}

void pdict__readers_trim(struct store *store)
{
    pdict__readers_release(store);
    for (size_t i = 0; i < SNAPSHOTS; i++) {
        if (move(&store->snapshots[i], SNAPSHOT_RESTS, SNAPSHOT_USED))
            close_reader(store, &store->snapshots[i]);
    }
}

static int64_t older(int64_t oldest_ms, const struct snapshot *snapshot)
{
    int64_t begun_ms = atomic_load_explicit(&snapshot->begun_ms, memory_order_relaxed);

    return begun_ms != 0 && begun_ms < oldest_ms ? begun_ms : oldest_ms;
}

int64_t pdict__readers_oldest_ms(struct store *store)
{
    int64_t oldest_ms = INT64_MAX;

    for (size_t i = 0; i < SNAPSHOTS; i++)
        oldest_ms = older(oldest_ms, &store->snapshots[i]);
    pthread_mutex_lock(&store->pool_lock);
    for (const struct snapshot *snapshot = store->further; snapshot; snapshot = snapshot->next)
        oldest_ms = older(oldest_ms, snapshot);
    pthread_mutex_unlock(&store->pool_lock);
    return oldest_ms;
}
