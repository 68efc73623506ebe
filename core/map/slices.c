/* SPDX-License-Identifier: MIT */
/* A bulk load in several commits: places in the order first, then the rows in the order of keys. */
#include <stdlib.h>

#include "map/map.h"

/* The first bytes of a key decide most comparisons without touching it. */
struct sorted {
    uint64_t head;
    pdict_change *change;
};

/* Equal keys stay in the order of the array: the last of them wins. */
static int compare(const void *left, const void *right)
{
    const struct sorted *a = left, *b = right;
    int order;

    if (a->head != b->head)
        return a->head < b->head ? -1 : 1;
    order = pdict__slice_compare(a->change->row.key, b->change->row.key);
    return order != 0 ? order : (a->change > b->change) - (a->change < b->change);
}

static int reserve(void *ctx, struct store *store, void *txn)
{
    const struct slices *slices = ctx;

    return store->backend->reserve(store->engine, txn, slices->map, slices->changes, slices->count);
}

static int commit_one(const struct slices *slices, const struct sorted *sorted,
                      pdict_change *changes, size_t count)
{
    int status;

    for (size_t i = 0; i < count; i++)
        changes[i] = *sorted[i].change;
    status = slices->commit(slices->ctx, changes, count);
    for (size_t i = 0; i < count; i++)
        *sorted[i].change = changes[i];
    return status;
}

static int commit_all(const struct slices *slices, struct sorted *sorted, pdict_change *changes,
                      size_t most)
{
    int status = PDICT_OK;

    for (size_t i = 0; i < slices->count; i++)
        sorted[i] =
            (struct sorted){ pdict__slice_head(slices->changes[i].row.key), &slices->changes[i] };
    qsort(sorted, slices->count, sizeof(*sorted), compare);
    for (size_t i = 0; i < slices->count && status == PDICT_OK; i += most) {
        size_t left = slices->count - i;
        status = commit_one(slices, sorted + i, changes, left < most ? left : most);
    }
    return status;
}

int pdict__commit_slices(struct store *store, const struct slices *slices)
{
    const pdict_backend *base = pdict__stack_base(&store->stack);
    struct commit first = { .durability = slices->durability,
                            .sync_within_ms = slices->sync_within_ms,
                            .timeout_ms = slices->timeout_ms,
                            .work = reserve,
                            .keeps_rows = true,
                            .ctx = (void *)slices };
    size_t most = base->batch_rows;
    struct sorted *sorted = NULL;
    pdict_change *changes = NULL;
    int status = PDICT_NOMEM;

    if (!base->reserve || most == 0 || slices->count <= most)
        return slices->commit(slices->ctx, slices->changes, slices->count);
    sorted = pdict__calloc(&store->allocator, slices->count, sizeof(*sorted));
    changes = pdict__calloc(&store->allocator, most, sizeof(*changes));
    if (sorted && changes && (status = pdict__commit(store, &first)) == PDICT_OK)
        status = commit_all(slices, sorted, changes, most);
    pdict__free(&store->allocator, sorted);
    pdict__free(&store->allocator, changes);
    return status;
}
