/* SPDX-License-Identifier: MIT */
/* pdict_compact(): gives the file's unused space back, in steps between which others write. */
#include "upkeep/upkeep.h"

/* One step: a commit of a few milliseconds. */
#define STEP_BYTES ((uint64_t)1 << 20)

/* As much log as may gather meanwhile. */
#define LOG_BYTES ((uint64_t)64 << 20)

/* Somebody who deletes may undo a step or two; this many in a row gain nothing. */
#define IDLE_STEPS 16

struct compaction {
    int64_t timeout_ms;
    uint64_t left_bytes;
    unsigned idle_steps; /* in a row, that left no less than there was */
    bool is_over;
};

static int file_bytes(struct store *store, uint64_t *out)
{
    pdict_backend_stat stat = { .struct_size = sizeof(stat) };
    int status = pdict__store_enter(store);

    if (status != PDICT_OK)
        return status;
    status = store->backend->stat(store->engine, &stat);
    pdict__store_leave();
    *out = stat.file_bytes;
    return status;
}

/* A checkpoint that somebody is in the way of has lost nothing. */
static int fold_log(struct store *store)
{
    int status = pdict__checkpoint(store, true);

    return status == PDICT_BUSY ? PDICT_OK : status;
}

static int step(void *ctx, struct store *store)
{
    struct compaction *compaction = ctx;
    const pdict_backend *backend = store->backend;
    uint64_t left_before = compaction->left_bytes;
    int status;

    pdict__readers_trim(store);
    status = backend->compact(store->engine, STEP_BYTES, compaction->timeout_ms,
                              &compaction->left_bytes);
    if (status != PDICT_OK)
        return status;
    compaction->idle_steps = compaction->left_bytes < left_before ? 0 : compaction->idle_steps + 1;
    compaction->is_over = compaction->left_bytes == 0 || compaction->idle_steps == IDLE_STEPS;
    /* The file shrinks when the log, which holds the shorter one, is folded in. */
    if (compaction->is_over ||
        (backend->log_bytes && backend->log_bytes(store->engine) >= LOG_BYTES))
        return fold_log(store);
    return PDICT_OK;
}

static int shrink(struct store *store, struct compaction *compaction, struct progress *progress)
{
    uint64_t most = 0;
    int status;

    do {
        status = pdict__between_commits(store, compaction->timeout_ms, step, compaction);
        if (status != PDICT_OK)
            return status;
        if (most < compaction->left_bytes)
            most = compaction->left_bytes;
        status = pdict__progress_at(progress, most - compaction->left_bytes, most);
    } while (status == PDICT_OK && !compaction->is_over);
    return status;
}

static int compact(struct store *store, int64_t timeout_ms, struct progress *progress)
{
    struct compaction compaction = { .timeout_ms = timeout_ms, .left_bytes = UINT64_MAX };
    int status = pdict__progress_begin(progress, "compact", 0);

    if (status == PDICT_OK)
        status = shrink(store, &compaction, progress);
    return status == PDICT_OK ? pdict__progress_end(progress) : status;
}

int pdict_compact(pdict_store *handle, const pdict_compact_options *options,
                  pdict_compact_result *result)
{
    pdict_compact_options full = PDICT_COMPACT_OPTIONS_INIT;
    pdict_compact_result facts = { 0 };
    struct store *store = handle->store;
    struct progress progress;
    int status;

    status = pdict__struct_take(&full, sizeof(full), options, "pdict_compact_options");
    if (status == PDICT_OK)
        status = file_bytes(store, &facts.before_bytes);
    if (status != PDICT_OK)
        return status;
    progress = (struct progress){ .fn = full.progress, .ctx = full.progress_ctx };
    if (store->backend->compact)
        status = compact(store, handle->timeout_ms, &progress);
    if (status == PDICT_OK)
        status = file_bytes(store, &facts.after_bytes);
    if (status == PDICT_OK)
        pdict__struct_give(result, &facts, sizeof(facts));
    return status;
}
