/* SPDX-License-Identifier: MIT */
/* Sweeping: expired rows go, soonest first, in transactions so short that nobody waits for them. */
#include "map/map.h"

/* Of one transaction, commit included. Removing ends with the batch in which its part of the time
 * is up: the commit writes the pages that were changed, which takes about as long again. */
#define STEP_US    5000
#define REMOVE_US  3000
#define STEP_ROWS  500
#define LEAST_ROWS 25
#define BATCH_ROWS 50

/* Wall time may run ahead by so much before it is suspicious, and is trusted again after. */
#define JUMP_MS 60000
#define HOLD_MS 600000

/* Turns of the chore: when nothing was due, and when somebody else held the store. */
#define LEAST_PAUSE_MS   1000
#define LONGEST_PAUSE_MS 10000
#define BUSY_PAUSE_MS    100
#define SHRINK_PAUSE_MS  10
#define WAIT_MS          100

/* Turns without anything to remove before space is given back: under steady writing it is used
 * again at once. */
#define CALM_TURNS 2

#define SHRINK_BYTES ((uint64_t)1 << 20)

/* ---- is the clock to be believed? ---- */

bool pdict__jump_guard_allows(struct jump_guard *guard, int64_t wall_ms, int64_t boot_ms)
{
    int64_t ahead_ms = (wall_ms - guard->wall_ms) - (boot_ms - guard->boot_ms);

    if (guard->has_seen && ahead_ms > JUMP_MS)
        guard->hold_until_ms = boot_ms + HOLD_MS;
    if (guard->has_seen && ahead_ms < -JUMP_MS)
        guard->hold_until_ms = boot_ms; /* the step was taken back */
    guard->has_seen = true;
    guard->wall_ms = wall_ms;
    guard->boot_ms = boot_ms;
    return boot_ms >= guard->hold_until_ms;
}

/* ---- a step ---- */

struct step {
    uint32_t map;
    struct lifetimes lifetimes;
    unsigned most; /* rows */
    int64_t begun_us;
    struct swept *swept;
};

/* A step that had to wait for the processor says little about rows, so the least that was seen
 * counts, and is forgotten by and by. */
unsigned pdict__row_us(unsigned row_us, uint64_t removed, int64_t took_us)
{
    uint64_t now_us = removed > 0 && took_us > 0 ? (uint64_t)took_us / removed + 1 : row_us;
    uint64_t most_us = (uint64_t)row_us + row_us / 4 + 1;

    if (now_us > STEP_US)
        now_us = STEP_US;
    return (unsigned)(row_us == 0 || now_us < most_us ? now_us : most_us);
}

unsigned pdict__step_rows(unsigned row_us)
{
    unsigned rows = row_us > 0 ? STEP_US / row_us : STEP_ROWS;

    if (rows > STEP_ROWS)
        return STEP_ROWS;
    return rows < LEAST_ROWS ? LEAST_ROWS : rows;
}

/* What has expired by then may go: values that may be returned stale stay a while longer. */
static int64_t sweep_now(struct store *store)
{
    int64_t now_ms = pdict__now(&store->clock) - pdict__stale_kept_ms(store);

    return now_ms > 0 ? now_ms : 0;
}

static pdict_scan due_at(int64_t now_ms)
{
    return (pdict_scan){ .flags = PDICT_SCAN_BY_EXPIRY | PDICT_SCAN_NO_VALUES,
                         .to_ms = pdict__time_add(now_ms, 1) };
}

static int sweep_scan(struct step *step, struct store *store, void *txn, const pdict_scan *scan,
                      int64_t until_us)
{
    struct erasure erasure = { .scan = *scan, .why = PDICT_REMOVED_EXPIRED };
    size_t left;
    int status;

    do {
        left = step->most - step->swept->removed;
        erasure.most = erasure.rows = left < BATCH_ROWS ? left : BATCH_ROWS;
        if ((status = pdict__erase(store, txn, step->map, &erasure)) != PDICT_OK)
            return status;
        step->swept->removed += erasure.count;
        step->swept->has_more = erasure.count == erasure.most;
    } while (step->swept->has_more && step->swept->removed < step->most &&
             pdict__steady_us() < until_us);
    return PDICT_OK;
}

/* What was due when the step was decided on is looked up again, under the write lock. */
static int sweep_inside(void *ctx, struct store *store, void *txn)
{
    struct step *step = ctx;
    int64_t until_us, now_ms = sweep_now(store);
    pdict_scan expired = due_at(now_ms), unused;
    int status;

    step->begun_us = pdict__steady_us();
    until_us = step->begun_us + REMOVE_US;
    status = sweep_scan(step, store, txn, &expired, until_us);
    if (status != PDICT_OK || step->swept->removed == step->most ||
        !pdict__unused_scan(&step->lifetimes, now_ms, &unused))
        return status;
    return sweep_scan(step, store, txn, &unused, until_us);
}

/* When the first row of a map expires; INT64_MAX: none does. */
static int first_expiry(struct store *store, void *reader, uint32_t map, int64_t *expires_ms)
{
    pdict_scan scan = { .flags = PDICT_SCAN_BY_EXPIRY | PDICT_SCAN_NO_VALUES };
    void *cursor;
    pdict_row row;
    int status = store->backend->scan_open(store->engine, reader, map, &scan, &cursor);

    *expires_ms = INT64_MAX;
    if (status != PDICT_OK)
        return status;
    status = store->backend->scan_next(store->engine, cursor, &row);
    if (status == PDICT_OK)
        *expires_ms = row.expires_ms;
    store->backend->scan_close(store->engine, cursor);
    return status == PDICT_END ? PDICT_OK : status;
}

/* When the first row of a map goes unused; INT64_MAX: none does. */
static int first_unused(struct store *store, void *reader, uint32_t map,
                        const struct lifetimes *lifetimes, int64_t *until_ms)
{
    pdict_scan scan = { .flags = PDICT_SCAN_BY_ACCESS | PDICT_SCAN_NO_VALUES };
    void *cursor;
    pdict_row row;
    int status;

    *until_ms = INT64_MAX;
    if (lifetimes->idle_ms == 0)
        return PDICT_OK;
    if ((status = store->backend->scan_open(store->engine, reader, map, &scan, &cursor)) !=
        PDICT_OK)
        return status;
    status = store->backend->scan_next(store->engine, cursor, &row);
    store->backend->scan_close(store->engine, cursor);
    if (status == PDICT_OK)
        status = pdict__row_until(store, reader, map, lifetimes, &row, until_ms);
    return status == PDICT_END ? PDICT_OK : status;
}

/* When the first row of a map is to go, for whatever reason. */
static int first_due(struct store *store, void *reader, uint32_t map, struct lifetimes *lifetimes,
                     int64_t *due_ms)
{
    int64_t unused_ms;
    int status = pdict__lifetimes_read(store, reader, map, lifetimes);

    if (status == PDICT_OK)
        status = first_expiry(store, reader, map, due_ms);
    if (status == PDICT_OK)
        status = first_unused(store, reader, map, lifetimes, &unused_ms);
    if (status == PDICT_OK && unused_ms < *due_ms)
        *due_ms = unused_ms;
    return status;
}

/* A map with something to remove, or 0 and when there will be. */
static int find_due(struct store *store, void *reader, struct step *step, int64_t *next_ms)
{
    int64_t now_ms = sweep_now(store), expires_ms;
    uint32_t number = 0;
    pdict_slice name;
    int status;

    step->map = 0;
    *next_ms = INT64_MAX;
    while ((status = store->backend->map_next(store->engine, reader, number, &number, &name)) ==
           PDICT_OK) {
        if ((status = first_due(store, reader, number, &step->lifetimes, &expires_ms)) != PDICT_OK)
            return status;
        if (pdict__expired(expires_ms, now_ms)) {
            step->map = number;
            return PDICT_OK;
        }
        if (expires_ms < *next_ms)
            *next_ms = expires_ms;
    }
    return status == PDICT_END ? PDICT_OK : status;
}

/* The step of a map. */
static int commit_step(struct store *store, int64_t timeout_ms, struct step *step)
{
    /* A sweep that a power loss undoes is done again. */
    struct commit commit = { .durability = PDICT_ORDERED,
                             .timeout_ms = timeout_ms,
                             .work = sweep_inside,
                             .ctx = step,
                             .keeps_rows = true,
                             .leaves_log = true };
    atomic_uint *known = &store->sweeper.row_us;
    unsigned row_us = atomic_load_explicit(known, memory_order_relaxed);
    int status;

    step->most = pdict__step_rows(row_us);
    status = pdict__commit(store, &commit);
    if (status != PDICT_OK)
        return status;
    row_us = pdict__row_us(row_us, step->swept->removed, pdict__steady_us() - step->begun_us);
    atomic_store_explicit(known, row_us, memory_order_relaxed);
    return PDICT_OK;
}

int pdict__sweep_step(struct store *store, int64_t timeout_ms, struct swept *swept)
{
    struct step step = { .swept = swept };
    void *reader;
    int status;

    *swept = (struct swept){ .removed = 0 };
    if ((status = pdict__read_begin(store, &reader)) != PDICT_OK)
        return status;
    status = find_due(store, reader, &step, &swept->next_ms);
    pdict__read_end(store, reader);
    if (status != PDICT_OK || step.map == 0)
        return status;
    if ((status = commit_step(store, timeout_ms, &step)) != PDICT_OK) {
        *swept = (struct swept){ .next_ms = INT64_MAX };
        /* Dropped meanwhile. */
        return status == PDICT_NO_MAP ? PDICT_OK : status;
    }
    swept->has_more = true; /* perhaps in another map: the next step looks */
    /* What was removed is removed: somebody who waits for the turn as well folds the log in. */
    status = pdict__log_fold(store, timeout_ms);
    return status == PDICT_BUSY ? PDICT_OK : status;
}

/* ---- giving space back ---- */

struct shrink {
    int64_t timeout_ms;
    uint64_t left_bytes;
};

static int shrink_inside(void *ctx, struct store *store)
{
    struct shrink *shrink = ctx;

    return store->backend->compact(store->engine, SHRINK_BYTES, shrink->timeout_ms,
                                   &shrink->left_bytes);
}

int pdict__shrink_step(struct store *store, int64_t timeout_ms, bool *has_more)
{
    const pdict_backend *base = pdict__stack_base(&store->stack);
    struct shrink shrink = { .timeout_ms = timeout_ms };
    int status;

    *has_more = false;
    if (!(base->capabilities & PDICT_CAP_SHRINKS) || !store->backend->compact)
        return PDICT_OK;
    status = pdict__between_commits(store, timeout_ms, shrink_inside, &shrink);
    *has_more = status == PDICT_OK && shrink.left_bytes >= SHRINK_BYTES;
    return status;
}

/* ---- the chore ---- */

static int64_t pause_after(struct store *store, int status, const struct swept *swept)
{
    int64_t wait_ms;

    if (status == PDICT_BUSY)
        return BUSY_PAUSE_MS;
    if (status != PDICT_OK) {
        pdict__log(&store->logger, PDICT_LOG_WARN, "sweep", status, "%s", pdict_error_text());
        return LONGEST_PAUSE_MS;
    }
    if (swept->has_more)
        return 0;
    wait_ms = swept->next_ms - sweep_now(store);
    if (wait_ms < LEAST_PAUSE_MS)
        return LEAST_PAUSE_MS;
    return wait_ms < LONGEST_PAUSE_MS ? wait_ms : LONGEST_PAUSE_MS;
}

static int64_t shrink(struct store *store, int64_t pause_ms)
{
    if (pdict__shrink_step(store, WAIT_MS, &store->sweeper.may_shrink) != PDICT_OK)
        store->sweeper.may_shrink = false;
    return store->sweeper.may_shrink ? SHRINK_PAUSE_MS : pause_ms;
}

static int64_t run(void *ctx)
{
    struct store *store = ctx;
    struct sweeper *sweeper = &store->sweeper;
    struct swept swept = { .removed = 0 };
    int64_t pause_ms;
    int status;

    if (pdict__store_check(store) != PDICT_OK || atomic_load(&store->is_poisoned))
        return -1;
    if (!pdict__jump_guard_allows(&sweeper->guard, pdict__now(&store->clock), pdict__boot_ms()))
        return LONGEST_PAUSE_MS;
    status = pdict__sweep_step(store, WAIT_MS, &swept);
    pause_ms = pause_after(store, status, &swept);
    sweeper->may_shrink |= swept.removed > 0;
    sweeper->calm_turns = swept.removed > 0 ? 0 : sweeper->calm_turns + 1;
    if (status == PDICT_OK && sweeper->may_shrink && sweeper->calm_turns >= CALM_TURNS)
        return shrink(store, pause_ms);
    return pause_ms;
}

void pdict__sweeper_start(struct store *store)
{
    struct sweeper *sweeper = &store->sweeper;

    if (!sweeper->is_auto || atomic_load_explicit(&sweeper->is_on, memory_order_relaxed) ||
        atomic_exchange(&sweeper->is_on, true))
        return;
    pdict__jump_guard_allows(&sweeper->guard, pdict__now(&store->clock), pdict__boot_ms());
    sweeper->chore = (struct chore){ .name = "sweep",
                                     .owner = store,
                                     .is_manual = store->is_manual,
                                     .first_ms = LEAST_PAUSE_MS,
                                     .run = run,
                                     .ctx = store };
    if (pdict__chore_add(&sweeper->chore) == PDICT_OK)
        return;
    pdict__log(&store->logger, PDICT_LOG_WARN, "sweep", PDICT_NOMEM, "%s", pdict_error_text());
    atomic_store(&sweeper->is_on, false);
}
