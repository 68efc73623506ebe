/* SPDX-License-Identifier: MIT */
/* Folding the engine's log in, when commits have grown it. */
#include "store/store.h"

/* Bytes of log between two checkpoints that never block, and from where on one may block readers
 * for a moment to get the log's space back. Larger steps load faster and recover slower. */
#define STEP ((uint64_t)16 << 20)
#define WAIT ((uint64_t)64 << 20)

/* Of those that have a turn at the gate of their own: as much as a step of a sweep may write, so
 * that who waits for one waits no longer than for the other. */
#define SHORT_STEP ((uint64_t)4 << 20)

static bool has_log(const struct store *store)
{
    return store->backend->log_bytes && store->backend->checkpoint;
}

/* A checkpoint that fails has lost nothing: the log stays, and the next commit tries again. */
static void fold(struct store *store, uint64_t step)
{
    uint64_t log_bytes = store->backend->log_bytes(store->engine);
    int status;

    /* The log was started anew since: so is the count towards the next step. */
    if (log_bytes < store->folded_bytes)
        store->folded_bytes = 0;
    if (log_bytes - store->folded_bytes < step)
        return;
    status = pdict__checkpoint(store, log_bytes >= WAIT);
    store->folded_bytes = log_bytes;
    if (status != PDICT_OK && status != PDICT_BUSY)
        pdict__log(&store->logger, PDICT_LOG_WARN, "writer", status, "checkpoint: %s",
                   pdict_error_text());
}

void pdict__log_fold_if_due(struct store *store)
{
    if (has_log(store))
        fold(store, STEP);
}

static int fold_inside(void *ctx, struct store *store)
{
    (void)ctx;
    fold(store, SHORT_STEP);
    return PDICT_OK;
}

/* To look takes no turn. */
static int look(struct store *store, bool *is_due)
{
    int status = pdict__store_enter(store);

    if (status != PDICT_OK)
        return status;
    *is_due = has_log(store) && store->backend->log_bytes(store->engine) >= SHORT_STEP;
    pdict__store_leave();
    return PDICT_OK;
}

int pdict__log_fold(struct store *store, int64_t timeout_ms)
{
    bool is_due;
    int status = look(store, &is_due);

    if (status != PDICT_OK || !is_due)
        return status;
    return pdict__between_commits(store, timeout_ms, fold_inside, NULL);
}
