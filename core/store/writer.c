/* SPDX-License-Identifier: MIT */
/* Commits: through the gate, one transaction each; then the log is folded in when it has grown. */
#include "store/store.h"

/* Bytes of log between two checkpoints that never block, and from where on one may block readers
 * for a moment to get the log's space back. Larger steps load faster and recover slower. */
#define CHECKPOINT_STEP ((uint64_t)16 << 20)
#define CHECKPOINT_WAIT ((uint64_t)64 << 20)

static int enter(struct store *store, int64_t deadline_ms)
{
    int status;

    if ((status = pdict__store_check(store)) != PDICT_OK)
        return status;
    if (store->is_read_only)
        return pdict_fail(PDICT_READ_ONLY, "%s is open read-only; open it with mode=rw to write",
                          store->path);
    if (atomic_load(&store->is_poisoned))
        return pdict__fail_poisoned(store);
    if (pdict__gate_enter(&store->gate, deadline_ms) != PDICT_OK)
        return pdict_fail(PDICT_BUSY,
                          "%s: other threads kept writing until the timeout passed; try again or "
                          "raise timeout=",
                          store->path);
    if ((status = pdict__shared_enter(store, deadline_ms)) != PDICT_OK)
        pdict__gate_leave(&store->gate);
    return status;
}

static void leave(struct store *store)
{
    pdict__shared_leave(store);
    pdict__gate_leave(&store->gate);
}

/* A checkpoint that fails has lost nothing: the log stays, and the next commit tries again. */
static void checkpoint_if_due(struct store *store)
{
    uint64_t log_bytes;
    bool wait;
    int status;

    if (!store->backend->log_bytes || !store->backend->checkpoint)
        return;
    log_bytes = store->backend->log_bytes(store->engine);
    /* The log was started anew since: so is the count towards the next step. */
    if (log_bytes + CHECKPOINT_STEP < store->checkpoint_at)
        store->checkpoint_at = CHECKPOINT_STEP;
    if (log_bytes < CHECKPOINT_STEP || log_bytes < store->checkpoint_at)
        return;
    wait = log_bytes >= CHECKPOINT_WAIT;
    status = pdict__checkpoint(store, wait);
    store->checkpoint_at = log_bytes + CHECKPOINT_STEP;
    if (status != PDICT_OK && status != PDICT_BUSY)
        pdict__log(&store->logger, PDICT_LOG_WARN, "writer", status, "checkpoint: %s",
                   pdict_error_text());
}

static void stamp_created(struct commit *commit, int64_t now_ms)
{
    for (size_t i = 0; i < commit->count; i++) {
        if (commit->changes[i].row.created_ms == 0)
            commit->changes[i].row.created_ms = now_ms;
    }
}

static int run(struct store *store, struct commit *commit, void *txn)
{
    int64_t now_ms;

    if (commit->work)
        return commit->work(commit->ctx, store, txn);
    now_ms = pdict__now(&store->clock);
    stamp_created(commit, now_ms);
    return store->backend->apply(store->engine, txn, commit->map, commit->changes, commit->count,
                                 now_ms);
}

static int transact(struct store *store, struct commit *commit, int64_t deadline_ms)
{
    int64_t left_ms = deadline_ms - pdict__steady_ms();
    void *txn;
    int status;

    status = store->backend->write_begin(store->engine, commit->durability,
                                         left_ms > 0 ? left_ms : 0, &txn);
    if (status != PDICT_OK)
        return status;
    if ((status = run(store, commit, txn)) != PDICT_OK) {
        store->backend->write_abort(store->engine, txn);
        return status;
    }
    return store->backend->write_commit(store->engine, txn);
}

int pdict__commit(struct store *store, struct commit *commit)
{
    int64_t deadline_ms = pdict__time_add(pdict__steady_ms(), commit->timeout_ms);
    int status;

    if ((status = enter(store, deadline_ms)) != PDICT_OK)
        return status;
    status = transact(store, commit, deadline_ms);
    if (status == PDICT_UNKNOWN_OUTCOME)
        pdict__poison(store);
    if (status == PDICT_OK)
        checkpoint_if_due(store);
    leave(store);
    return status;
}

int pdict__between_commits(struct store *store, int64_t timeout_ms,
                           int (*work)(void *ctx, struct store *store), void *ctx)
{
    int status = enter(store, pdict__time_add(pdict__steady_ms(), timeout_ms));

    if (status != PDICT_OK)
        return status;
    status = work(ctx, store);
    leave(store);
    return status;
}

int pdict__store_sync(struct store *store, int64_t timeout_ms)
{
    int status;

    if (!store->backend->sync || store->is_read_only)
        return pdict__store_check(store);
    status = enter(store, pdict__time_add(pdict__steady_ms(), timeout_ms));
    if (status != PDICT_OK)
        return status;
    status = store->backend->sync(store->engine);
    if (status != PDICT_OK)
        pdict__poison(store);
    leave(store);
    return status;
}
