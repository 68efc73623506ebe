/* SPDX-License-Identifier: MIT */
/* Changes with their bytes, gathered up to a size and made at once. */
#include "upkeep/upkeep.h"

void pdict__batch_init(struct batch *batch, struct store *store, uint32_t map, int64_t timeout_ms)
{
    const pdict_backend *base = pdict__stack_base(&store->stack);

    *batch = (struct batch){
        .store = store,
        .map = map,
        .timeout_ms = timeout_ms,
        .bytes.allocator = &store->allocator,
        .changes.allocator = &store->allocator,
        .most = base->batch_rows > 0 && !base->reserve ? base->batch_rows : SIZE_MAX,
    };
}

void pdict__batch_free(struct batch *batch)
{
    pdict__buf_free(&batch->bytes);
    pdict__buf_free(&batch->changes);
}

static int add(struct batch *batch, const pdict_change *change)
{
    const pdict_row *row = &change->row;
    int status;

    /* The whole of it at once: growing by halves would leave the old half behind each time. */
    if ((status = pdict__buf_reserve(&batch->bytes, BATCH_BYTES)) != PDICT_OK)
        return status;
    if ((status = pdict__buf_append(&batch->bytes, row->key.data, row->key.size)) != PDICT_OK)
        return status;
    if ((status = pdict__buf_append(&batch->bytes, row->value.data, row->value.size)) != PDICT_OK)
        return status;
    if ((status = pdict__buf_append(&batch->changes, change, sizeof(*change))) != PDICT_OK)
        return status;
    batch->count++;
    return PDICT_OK;
}

int pdict__batch_put(struct batch *batch, const pdict_row *row)
{
    pdict_change change = { .kind = PDICT_CHANGE_PUT, .row = *row };

    change.row.id = 0;
    return add(batch, &change);
}

int pdict__batch_del(struct batch *batch, pdict_slice key)
{
    pdict_change change = { .kind = PDICT_CHANGE_DEL, .row.key = key };

    return add(batch, &change);
}

void pdict__batch_settle(struct batch *batch)
{
    pdict_change *changes = pdict__batch_changes(batch);
    const uint8_t *at = batch->bytes.data;

    for (size_t i = 0; i < batch->count; i++) {
        pdict_row *row = &changes[i].row;

        row->key.data = at;
        row->value.data = at + row->key.size;
        at += row->key.size + row->value.size;
    }
}

struct part {
    uint32_t map;
    pdict_change *changes;
    size_t count;
};

/* At the beginning of time nothing has expired: rows are there or not. */
static int apply(void *ctx, struct store *store, void *txn)
{
    struct part *part = ctx;

    return store->backend->apply(store->engine, txn, part->map, part->changes, part->count,
                                 INT64_MIN);
}

static int commit_part(void *ctx, pdict_change *changes, size_t count)
{
    const struct batch *batch = ctx;
    struct part part = { .map = batch->map, .changes = changes, .count = count };
    struct commit commit = {
        .durability = PDICT_ORDERED,
        .timeout_ms = batch->timeout_ms,
        .work = apply,
        .ctx = &part,
    };

    return pdict__commit(batch->store, &commit);
}

int pdict__batch_commit(struct batch *batch)
{
    struct slices slices = {
        .map = batch->map,
        .durability = PDICT_ORDERED,
        .timeout_ms = batch->timeout_ms,
        .changes = pdict__batch_changes(batch),
        .count = batch->count,
        .commit = commit_part,
        .ctx = batch,
    };
    int status = batch->count > 0 ? pdict__commit_slices(batch->store, &slices) : PDICT_OK;

    batch->bytes.size = batch->changes.size = 0;
    batch->count = 0;
    return status;
}
