/* SPDX-License-Identifier: MIT */
/* Many keys: one snapshot to read them from, one commit to write them with. */
#include "map/map.h"

/* ---- reading ---- */

static int get_each(const pdict *d, void *reader, struct workbench *bench, const pdict_slice *keys,
                    size_t count, pdict_view *views, int *statuses)
{
    int result = PDICT_OK;

    for (size_t i = 0; i < count; i++) {
        pdict_row row;

        statuses[i] = pdict__row_get(d, reader, keys[i], &row);
        if (statuses[i] == PDICT_OK) {
            row.key = keys[i];
            statuses[i] = pdict__view_fill(d, bench, &row, &views[i]);
        }
        if (statuses[i] != PDICT_OK && statuses[i] != PDICT_NOTFOUND && result == PDICT_OK)
            result = statuses[i];
    }
    return result;
}

int pdict_get_many(pdict *d, const pdict_slice *keys, size_t count, pdict_view *views,
                   int *statuses)
{
    struct workbench *bench;
    void *reader;
    int status;

    for (size_t i = 0; i < count; i++)
        views[i] = (pdict_view){ 0 };
    status = pdict__begin(d, &reader);
    if (status == PDICT_OK) {
        bench = pdict__bench_take(d->map->pipeline);
        status = bench ? get_each(d, reader, bench, keys, count, views, statuses) : PDICT_NOMEM;
        if (bench)
            pdict__bench_give(d->map->pipeline, bench);
        pdict__end(d, reader);
        if (bench)
            return status;
    }
    for (size_t i = 0; i < count; i++)
        statuses[i] = status;
    return status;
}

/* ---- writing ---- */

/* The records of a batch, one behind the other; `offsets` since the memory moves as it grows. */
struct batch {
    pdict_change *changes;
    size_t *offsets;
    size_t count;
    struct buf records;
    const pdict_allocator *allocator;
};

static int batch_init(struct batch *batch, const pdict *d, size_t count)
{
    const pdict_allocator *allocator = &d->map->store->allocator;

    *batch =
        (struct batch){ .count = count, .allocator = allocator, .records.allocator = allocator };
    batch->changes = pdict__calloc(allocator, count, sizeof(*batch->changes));
    batch->offsets = pdict__calloc(allocator, count, sizeof(*batch->offsets));
    return batch->changes && batch->offsets ? PDICT_OK : PDICT_NOMEM;
}

static void batch_free(struct batch *batch)
{
    pdict__free(batch->allocator, batch->changes);
    pdict__free(batch->allocator, batch->offsets);
    pdict__buf_free(&batch->records);
}

static int batch_encode_one(const pdict *d, struct workbench *bench, const struct put_plan *plan,
                            const pdict_pair *pair, struct batch *batch, size_t at)
{
    pdict_change *change = &batch->changes[at];
    struct binding binding;
    pdict_slice record;
    int status;

    *change = (pdict_change){ .kind = plan->kind,
                              .condition = plan->condition,
                              .if_version = plan->if_version,
                              .row = { .key = pair->key, .expires_ms = plan->expires_ms } };
    if (plan->kind == PDICT_CHANGE_DEL)
        return PDICT_OK;
    if ((status = pdict__random_version(&change->row.version)) != PDICT_OK)
        return status;
    binding = (struct binding){ pair->key, change->row.version, plan->expires_ms };
    if ((status = pdict__encode(d->map->pipeline, bench, &binding, pair->value, &record)) !=
        PDICT_OK)
        return status;
    batch->offsets[at] = batch->records.size;
    change->row.value.size = record.size;
    return pdict__buf_append(&batch->records, record.data, record.size);
}

static int batch_encode(const pdict *d, const struct put_plan *plan, const pdict_pair *pairs,
                        struct batch *batch)
{
    struct workbench *bench = pdict__bench_take(d->map->pipeline);
    int status = bench ? PDICT_OK : PDICT_NOMEM;

    for (size_t i = 0; status == PDICT_OK && i < batch->count; i++)
        status = batch_encode_one(d, bench, plan, &pairs[i], batch, i);
    if (bench)
        pdict__bench_give(d->map->pipeline, bench);
    for (size_t i = 0; status == PDICT_OK && i < batch->count; i++)
        batch->changes[i].row.value.data = batch->records.data + batch->offsets[i];
    return status;
}

/* `plan` NULL: of deletions. */
static void batch_statuses(const struct batch *batch, const struct put_plan *plan, int *statuses)
{
    for (size_t i = 0; statuses && i < batch->count; i++) {
        statuses[i] = batch->changes[i].status;
        if (plan)
            statuses[i] = pdict__put_result(plan, statuses[i]);
    }
}

int pdict_put_many(pdict *d, const pdict_pair *pairs, size_t count, const pdict_put_options *how,
                   int *statuses)
{
    struct put_plan plan;
    struct batch batch;
    int status;

    if ((status = pdict__put_plan(d, how, &plan)) != PDICT_OK)
        return status;
    if (how && how->struct_size >= sizeof(*how) && how->version_out)
        return pdict_fail(PDICT_INVAL, "put_many: version_out must be NULL; it is for one put");
    status = batch_init(&batch, d, count);
    if (status == PDICT_OK)
        status = batch_encode(d, &plan, pairs, &batch);
    if (status == PDICT_OK)
        status = pdict__change(d, batch.changes, count, plan.durability);
    if (status == PDICT_OK)
        batch_statuses(&batch, &plan, statuses);
    batch_free(&batch);
    return status;
}

int pdict_del_many(pdict *d, const pdict_slice *keys, size_t count, int *statuses)
{
    struct batch batch;
    int status = batch_init(&batch, d, count);

    for (size_t i = 0; status == PDICT_OK && i < count; i++)
        batch.changes[i] = (pdict_change){ .kind = PDICT_CHANGE_DEL, .row.key = keys[i] };
    if (status == PDICT_OK)
        status = pdict__change(d, batch.changes, count, 0);
    if (status == PDICT_OK)
        batch_statuses(&batch, NULL, statuses);
    batch_free(&batch);
    return status;
}

/* ---- clearing ---- */

/* Rows deleted at a time inside the one transaction: bounds memory, not atomicity. */
#define CLEAR_CHUNK 1000

struct clear {
    const pdict *d;
    struct buf keys;
    size_t sizes[CLEAR_CHUNK];
    pdict_change changes[CLEAR_CHUNK];
};

/* Collect the keys of the next rows; their place in the changes follows once keys stands still. */
static int collect(struct clear *clear, struct store *store, void *txn, size_t *count)
{
    pdict_scan scan = { .flags = PDICT_SCAN_NO_VALUES };
    void *cursor;
    pdict_row row;
    int status;

    *count = 0;
    clear->keys.size = 0;
    status = store->backend->scan_open(store->engine, txn, clear->d->map->number, &scan, &cursor);
    if (status != PDICT_OK)
        return status;
    while (*count < CLEAR_CHUNK &&
           (status = store->backend->scan_next(store->engine, cursor, &row)) == PDICT_OK) {
        if ((status = pdict__buf_append(&clear->keys, row.key.data, row.key.size)) != PDICT_OK)
            break;
        clear->sizes[(*count)++] = row.key.size;
    }
    store->backend->scan_close(store->engine, cursor);
    return status == PDICT_END ? PDICT_OK : status;
}

static void fill_changes(struct clear *clear, size_t count)
{
    const uint8_t *key = clear->keys.data;

    for (size_t i = 0; i < count; i++) {
        clear->changes[i] =
            (pdict_change){ .kind = PDICT_CHANGE_DEL, .row.key = { key, clear->sizes[i] } };
        key += clear->sizes[i];
    }
}

static int clear_inside(void *ctx, struct store *store, void *txn)
{
    struct clear *clear = ctx;
    size_t count;
    int status;

    do {
        if ((status = collect(clear, store, txn, &count)) != PDICT_OK)
            return status;
        fill_changes(clear, count);
        /* At the beginning of time nothing has expired: the dead rows go too. */
        status = store->backend->apply(store->engine, txn, clear->d->map->number, clear->changes,
                                       count, INT64_MIN);
    } while (status == PDICT_OK && count > 0);
    return status;
}

int pdict_clear(pdict *d, unsigned confirm)
{
    const pdict_allocator *allocator = &d->map->store->allocator;
    struct commit commit = { .work = clear_inside };
    struct clear *clear;
    int status;

    if ((status = pdict__not_inside(d, "pdict_clear")) != PDICT_OK)
        return status;
    if (confirm != PDICT_CLEAR_EVERYTHING)
        return pdict_fail(PDICT_INVAL,
                          "clear: nothing was deleted; pass PDICT_CLEAR_EVERYTHING to delete every "
                          "entry of map '%s'",
                          d->name);
    clear = pdict__alloc(allocator, sizeof(*clear));
    if (!clear)
        return PDICT_NOMEM;
    clear->d = d;
    clear->keys = (struct buf){ .allocator = allocator };
    commit.ctx = clear;
    status = pdict__commit_for(d, &commit, 0);
    pdict__buf_free(&clear->keys);
    pdict__free(allocator, clear);
    return status;
}
