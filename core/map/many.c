/* SPDX-License-Identifier: MIT */
/* Many keys: one snapshot to read them from, one commit to write them with. */
#include "map/cached.h"

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
            if (statuses[i] == PDICT_OK)
                pdict__use(d, keys[i], row.created_ms);
        }
        if (statuses[i] != PDICT_OK && statuses[i] != PDICT_NOTFOUND && result == PDICT_OK)
            result = statuses[i];
    }
    return result;
}

static int get_snapshot(const pdict *d, const pdict_slice *keys, size_t count, pdict_view *views,
                        int *statuses)
{
    struct generation_ref settings;
    struct workbench *bench;
    void *reader;
    int status;

    status = pdict__begin_with(d, &settings, &reader);
    if (status == PDICT_OK) {
        bench = pdict__bench_of(d, settings);
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

static int get_many(const pdict *d, const pdict_slice *keys, size_t count, pdict_view *views,
                    int *statuses)
{
    if (d->cache)
        return pdict__get_many_cached(d, keys, count, views, statuses);
    return get_snapshot(d, keys, count, views, statuses);
}

static int get_many_hidden(const pdict *d, const pdict_slice *names, size_t count,
                           pdict_view *views, int *statuses)
{
    const pdict_allocator *allocator = &d->map->store->allocator;
    struct hidden_key *hidden = pdict__calloc(allocator, count, sizeof(*hidden));
    pdict_slice *keys = pdict__calloc(allocator, count, sizeof(*keys));
    int status = hidden && keys ? PDICT_OK : PDICT_NOMEM;

    for (size_t i = 0; i < count && status == PDICT_OK; i++) {
        keys[i] = names[i];
        status = pdict__hide(d, &keys[i], &hidden[i]);
    }
    for (size_t i = 0; i < count; i++)
        statuses[i] = status;
    if (status == PDICT_OK)
        status = get_many(d, keys, count, views, statuses);
    pdict__free(allocator, keys);
    pdict__free(allocator, hidden);
    return status;
}

int pdict_get_many(pdict *d, const pdict_slice *keys, size_t count, pdict_view *views,
                   int *statuses)
{
    if (d->near)
        return pdict__get_many_cached(d, keys, count, views, statuses);
    for (size_t i = 0; i < count; i++)
        views[i] = (pdict_view){ 0 };
    if (pdict__settings(d->map)->descriptor.hides_names)
        return get_many_hidden(d, keys, count, views, statuses);
    return get_many(d, keys, count, views, statuses);
}

/* ---- writing ---- */

/* Encoded records never move, and together take little more than they are long. */
#define BLOCK_LEAST ((size_t)4 << 10)
#define BLOCK_MOST  ((size_t)1 << 20)

struct block {
    struct block *next;
    size_t used, size;
    uint8_t bytes[];
};

/* Puts or deletions on their way; until they are encoded the rows have plain values. */
struct batch {
    const pdict *d;
    struct put_plan plan; /* of puts */
    pdict_change *changes;
    struct hidden_key *hidden; /* of their keys; NULL: names are not hidden */
    size_t count;
    struct block *records; /* of what is being committed; the one that is filled comes first */
    struct generation_ref sealed;
};

static int batch_init(struct batch *batch, const pdict *d, size_t count)
{
    const pdict_allocator *allocator = &d->map->store->allocator;

    *batch = (struct batch){ .d = d, .count = count };
    batch->changes = pdict__calloc(allocator, count, sizeof(*batch->changes));
    if (!batch->changes)
        return PDICT_NOMEM;
    if (!pdict__settings(d->map)->descriptor.hides_names)
        return PDICT_OK;
    batch->hidden = pdict__calloc(allocator, count, sizeof(*batch->hidden));
    return batch->hidden ? PDICT_OK : PDICT_NOMEM;
}

/* When all keys are filled in. */
static int batch_hide(struct batch *batch)
{
    int status = PDICT_OK;

    for (size_t i = 0; batch->hidden && i < batch->count && status == PDICT_OK; i++)
        status = pdict__hide(batch->d, &batch->changes[i].row.key, &batch->hidden[i]);
    return status;
}

static void drop_records(struct batch *batch)
{
    const pdict_allocator *allocator = &batch->d->map->store->allocator;

    for (struct block *block = batch->records, *next; block; block = next) {
        next = block->next;
        pdict__free(allocator, block);
    }
    batch->records = NULL;
}

static void batch_free(struct batch *batch)
{
    const pdict_allocator *allocator = &batch->d->map->store->allocator;

    pdict__free(allocator, batch->changes);
    pdict__free(allocator, batch->hidden);
    drop_records(batch);
}

static void fill_one(const struct put_plan *plan, const pdict_pair *pair, pdict_change *change)
{
    *change = (pdict_change){
        .kind = plan->kind,
        .condition = plan->condition,
        .if_version = plan->if_version,
        .row = { .key = pair->key, .expires_ms = plan->expires_ms, .created_ms = plan->created_ms },
        .accessed_ms = plan->accessed_ms
    };
    if (plan->kind == PDICT_CHANGE_PUT)
        change->row.value = pair->value;
}

static int batch_fill(struct batch *batch, const pdict_pair *pairs)
{
    struct put_plan plan = batch->plan;
    int status = PDICT_OK;

    for (size_t i = 0; i < batch->count && status == PDICT_OK; i++) {
        if (plan.times)
            status = pdict__plan_times(batch->d, &plan.times[i], &plan);
        fill_one(&plan, &pairs[i], &batch->changes[i]);
    }
    return status;
}

/* Each block is twice as large as the last, up to a limit. */
static int add_block(struct batch *batch, size_t least)
{
    size_t size = batch->records ? 2 * batch->records->size : BLOCK_LEAST;
    struct block *block;

    if (size > BLOCK_MOST)
        size = BLOCK_MOST;
    if (size < least)
        size = least;
    block = pdict__alloc(&batch->d->map->store->allocator, sizeof(*block) + size);
    if (!block)
        return PDICT_NOMEM;
    *block = (struct block){ .next = batch->records, .size = size };
    batch->records = block;
    return PDICT_OK;
}

static int keep_record(struct batch *batch, pdict_slice *record)
{
    struct block *block = batch->records;
    int status;

    if (!block || block->size - block->used < record->size) {
        if ((status = add_block(batch, record->size)) != PDICT_OK)
            return status;
        block = batch->records;
    }
    pdict__copy(block->bytes + block->used, record->data, record->size);
    record->data = block->bytes + block->used;
    block->used += record->size;
    return PDICT_OK;
}

static int encode_one(struct batch *batch, struct workbench *bench, pdict_row *row)
{
    struct binding binding;
    pdict_slice record;
    int status;

    if ((status = pdict__random_version(&row->version)) != PDICT_OK)
        return status;
    binding = (struct binding){ row->key, row->version, row->expires_ms };
    status = pdict__encode_named(batch->d->map->pipeline, bench, &binding,
                                 pdict__name_of(batch->d, row->key), row->value, &record);
    if (status == PDICT_OK && (status = keep_record(batch, &record)) == PDICT_OK)
        row->value = record;
    return status;
}

static int encode(struct batch *batch, pdict_change *changes, size_t count)
{
    struct pipeline *pipeline = batch->d->map->pipeline;
    struct workbench *bench = pdict__bench_for(batch->d);
    int status = bench ? PDICT_OK : PDICT_NOMEM;

    drop_records(batch);
    if (bench)
        batch->sealed = pdict__bench_settings(bench);
    for (size_t i = 0; status == PDICT_OK && i < count; i++) {
        if (changes[i].kind == PDICT_CHANGE_PUT)
            status = encode_one(batch, bench, &changes[i].row);
    }
    if (bench)
        pdict__bench_give(pipeline, bench);
    return status;
}

static int commit_part(void *ctx, pdict_change *changes, size_t count)
{
    struct batch *batch = ctx;
    int status = pdict__settings_check(batch->d);

    if (status == PDICT_OK)
        status = encode(batch, changes, count);
    if (status != PDICT_OK)
        return status;
    return pdict__change(batch->d, changes, count, &batch->sealed, batch->plan.durability, NULL);
}

static int batch_commit(struct batch *batch)
{
    const pdict *d = batch->d;
    struct slices slices = {
        .map = d->map->number,
        .durability = batch->plan.durability ? (int)batch->plan.durability : d->durability,
        .sync_within_ms = d->sync_within_ms,
        .timeout_ms = d->timeout_ms,
        .changes = batch->changes,
        .count = batch->count,
        .commit = commit_part,
        .ctx = batch,
    };

    if (!batch->plan.is_in_slices || d->is_read_only || d->part)
        return commit_part(batch, batch->changes, batch->count);
    return pdict__commit_slices(d->map->store, &slices);
}

static void batch_statuses(const struct batch *batch, int *statuses)
{
    for (size_t i = 0; statuses && i < batch->count; i++) {
        const pdict_change *change = &batch->changes[i];

        /* Deletions have no plan. */
        statuses[i] = batch->plan.kind != 0
                          ? pdict__put_result(&batch->plan, change->kind, change->status)
                          : change->status;
    }
}

static size_t bytes_of(const pdict_pair *pairs, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += pairs[i].value.size;
    return bytes;
}

int pdict_put_many(pdict *d, const pdict_pair *pairs, size_t count, const pdict_put_options *how,
                   int *statuses)
{
    struct put_plan plan;
    struct batch batch;
    int status;

    if ((status = pdict__put_plan(d, how, &plan)) != PDICT_OK)
        return status;
    if (plan.version_out)
        return pdict_fail(PDICT_INVAL, "put_many: version_out must be NULL; it is for one put");
    status = batch_init(&batch, d, count);
    batch.plan = plan;
    if (status == PDICT_OK)
        status = batch_fill(&batch, pairs);
    if (status == PDICT_OK)
        status = batch_hide(&batch);
    if (status == PDICT_OK)
        status = batch_commit(&batch);
    if (status == PDICT_OK)
        batch_statuses(&batch, statuses);
    batch_free(&batch);
    if (status == PDICT_OK)
        pdict__train_if_due(d, bytes_of(pairs, count));
    return status;
}

int pdict_del_many(pdict *d, const pdict_slice *keys, size_t count, int *statuses)
{
    struct batch batch;
    int status = batch_init(&batch, d, count);

    for (size_t i = 0; status == PDICT_OK && i < count; i++)
        batch.changes[i] = (pdict_change){ .kind = PDICT_CHANGE_DEL, .row.key = keys[i] };
    if (status == PDICT_OK)
        status = batch_hide(&batch);
    if (status == PDICT_OK)
        status = pdict__change(d, batch.changes, count, NULL, 0, NULL);
    if (status == PDICT_OK)
        batch_statuses(&batch, statuses);
    batch_free(&batch);
    return status;
}

/* ---- clearing ---- */

/* Rows deleted at a time inside the one transaction: bounds memory, not atomicity. */
#define CLEAR_CHUNK 1000

static int clear_inside(void *ctx, struct store *store, void *txn)
{
    const pdict *d = ctx;
    struct erasure everything = { .scan = { .flags = PDICT_SCAN_NO_VALUES },
                                  .most = CLEAR_CHUNK,
                                  .rows = CLEAR_CHUNK,
                                  .why = PDICT_REMOVED_CLEARED };
    int status;

    do
        status = pdict__erase(store, txn, d->map->number, &everything);
    while (status == PDICT_OK && everything.count > 0);
    if (status == PDICT_OK)
        pdict__removals_note(store, d->map->number, (pdict_slice){ 0 }, PDICT_REMOVED_CLEARED);
    return status;
}

int pdict_clear(pdict *d, unsigned confirm)
{
    struct commit commit = { .work = clear_inside, .ctx = d };
    int status;

    if ((status = pdict__not_inside(d, "pdict_clear")) != PDICT_OK)
        return status;
    if (confirm != PDICT_CLEAR_EVERYTHING)
        return pdict_fail(PDICT_INVAL,
                          "clear: nothing was deleted; pass PDICT_CLEAR_EVERYTHING to delete every "
                          "entry of map '%s'",
                          d->name);
    return pdict__commit_for(d, &commit, 0);
}
