/* SPDX-License-Identifier: MIT */
/* Operations that read. */
#include "run.h"

bool run_get(struct run *run, const struct op *op)
{
    struct row *row = model_find(&run->model, op->map, op->key);
    pdict_view view;
    bool is_fine;

    is_fine = run_expect(run, "get", pdict_get(run->maps[op->map], key_bytes(op->key), &view),
                         run_presence(row)) &&
              (row ? run_same_view(run, "get", &view, row) : run_is_zeroed(run, "get", &view));
    pdict_view_release(&view);
    return is_fine && run_is_zeroed(run, "release", &view);
}

struct reading {
    struct run *run;
    struct row *row;
    bool is_fine;
};

static int read_view(void *ctx, const pdict_view *view)
{
    struct reading *reading = ctx;

    reading->is_fine = reading->row && run_same_view(reading->run, "get_with", view, reading->row);
    return 41;
}

bool run_get_with(struct run *run, const struct op *op)
{
    struct row *row = model_find(&run->model, op->map, op->key);
    struct reading reading = { run, row, row == NULL };
    int status = pdict_get_with(run->maps[op->map], key_bytes(op->key), read_view, &reading);

    return run_expect(run, "get_with", status, row ? 41 : PDICT_NOTFOUND) &&
           (reading.is_fine || run_fail(run, "get_with: the reader was not called as it should"));
}

bool run_contains(struct run *run, const struct op *op)
{
    bool is_there, is_live = model_find(&run->model, op->map, op->key) != NULL;
    int status = pdict_contains(run->maps[op->map], key_bytes(op->key), &is_there);

    return run_expect(run, "contains", status, PDICT_OK) &&
           run_same_number(run, "contains", is_there, is_live);
}

bool run_meta(struct run *run, const struct op *op)
{
    struct row *row = model_find(&run->model, op->map, op->key);
    pdict_meta meta = PDICT_META_INIT;
    int status = pdict_meta_get(run->maps[op->map], key_bytes(op->key), &meta);

    if (!run_expect(run, "meta", status, run_presence(row)) || !row)
        return !run->report->is_failed;
    return run_same_version(run, "meta", row, meta.version) &&
           run_same_number(run, "meta: created_ms", meta.created_ms, row->created_ms) &&
           run_same_number(run, "meta: expires_ms", meta.expires_ms, row->expires_ms) &&
           run_same_number(run, "meta: value_size", (int64_t)meta.value_size,
                           (int64_t)value_bytes(row->value).size);
}

bool run_count(struct run *run, const struct op *op)
{
    uint64_t count;

    return run_expect(run, "count", pdict_count(run->maps[op->map], &count), PDICT_OK) &&
           run_same_number(run, "count", (int64_t)count,
                           (int64_t)model_count(&run->model, op->map));
}

/* What a walk adds up to. */
static bool add_sizes(struct run *run, unsigned map, uint64_t *logical, uint64_t *stored)
{
    pdict_entry entry;
    pdict_iter *iter;
    int status;

    *logical = *stored = 0;
    if (!run_expect(run, "iter_open", pdict_iter_open(run->maps[map], NULL, &iter), PDICT_OK))
        return false;
    while ((status = pdict_iter_next(iter, &entry)) == PDICT_OK) {
        *logical += entry.key.size + entry.value.size;
        *stored += entry.key.size + entry.stored_size;
    }
    pdict_iter_close(iter);
    return run_expect(run, "iter_next", status, PDICT_END);
}

bool run_stats(struct run *run, const struct op *op)
{
    pdict_stats stats = PDICT_STATS_INIT;
    uint64_t logical, stored;
    int status = pdict_stats_get(run->maps[op->map], PDICT_STATS_SIZES, &stats);

    return run_expect(run, "stats", status, PDICT_OK) &&
           run_same_number(run, "stats: count", (int64_t)stats.count,
                           (int64_t)model_count(&run->model, op->map)) &&
           add_sizes(run, op->map, &logical, &stored) &&
           run_same_number(run, "stats: logical", (int64_t)stats.logical_bytes, (int64_t)logical) &&
           run_same_number(run, "stats: stored", (int64_t)stats.stored_bytes, (int64_t)stored) &&
           run_same_number(run, "stats: damaged", (int64_t)stats.damaged, 0) &&
           run_same_number(run, "stats: max_value", (int64_t)stats.max_value, VALUE_MAX) &&
           run_same_number(run, "stats: encrypted", stats.is_encrypted, run->setup->is_sealed) &&
           run_same_text(run, "stats: codecs", stats.codecs, run->setup->codecs);
}

static bool same_views(struct run *run, const struct op *op, const pdict_view *views,
                       const int *statuses)
{
    for (unsigned i = 0; i < op->count; i++) {
        struct row *row = model_find(&run->model, op->map, batch_key(op, i));

        if (!run_expect(run, "get_many: one", statuses[i], run_presence(row)) ||
            !(row ? run_same_view(run, "get_many", &views[i], row)
                  : run_is_zeroed(run, "get_many", &views[i])))
            return false;
    }
    return true;
}

bool run_get_many(struct run *run, const struct op *op)
{
    pdict_slice keys[BATCH_MAX];
    pdict_view views[BATCH_MAX];
    int statuses[BATCH_MAX], status;
    bool is_fine;

    for (unsigned i = 0; i < op->count; i++)
        keys[i] = key_bytes(batch_key(op, i));
    status = pdict_get_many(run->maps[op->map], keys, op->count, views, statuses);
    is_fine = run_expect(run, "get_many", status, PDICT_OK) && same_views(run, op, views, statuses);
    for (unsigned i = 0; i < op->count; i++)
        pdict_view_release(&views[i]);
    return is_fine;
}

/* ---- held views ---- */

bool run_let(struct run *run, const struct op *op)
{
    struct held *held = &run->held[op->count % N_HELD];
    bool is_fine = !held->is_held ||
                   run_same_value(run, "a view held for a while",
                                  pdict_bytes(held->view.data, held->view.size), held->value);

    pdict_view_release(&held->view);
    held->is_held = false;
    return is_fine;
}

bool run_hold(struct run *run, const struct op *op)
{
    struct row *row = model_find(&run->model, op->map, op->key);
    struct held *held = &run->held[op->count % N_HELD];
    int status;

    if (!run_let(run, op))
        return false;
    status = pdict_get(run->maps[op->map], key_bytes(op->key), &held->view);
    held->is_held = status == PDICT_OK && row;
    if (held->is_held)
        held->value = row->value;
    return run_expect(run, "get", status, run_presence(row));
}
