/* SPDX-License-Identifier: MIT */
/* Operations that read and change at once, and transactions around operations of all kinds. */
#include "run.h"

/* ---- one key ---- */

static void fill_expiry(struct run *run, const struct op *op, pdict_put_options *how)
{
    int64_t expires_ms;

    model_expiry(&run->model, op, &expires_ms);
    if (op->expiry == EXPIRY_TTL)
        how->ttl_ms = op->time_ms;
    else
        how->expires_ms = expires_ms;
}

bool run_add(struct run *run, const struct op *op)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    int32_t expected_sum = op->value.number;
    struct row *row;
    int64_t sum;
    int status;

    fill_expiry(run, op, &how);
    status = pdict_add(run->maps[op->map], key_bytes(op->key), op->value.number, &how, &sum);
    if (!run_expect(run, "add", status, model_write(&run->model, op, NULL)))
        return false;
    row = model_find(&run->model, op->map, op->key);
    if (status == PDICT_OK && row)
        expected_sum = row->value.number;
    return status != PDICT_OK || run_same_number(run, "add: the sum", sum, expected_sum);
}

bool run_pop(struct run *run, const struct op *op)
{
    struct row *row = model_find(&run->model, op->map, op->key);
    pdict_view view;
    int status = pdict_pop(run->maps[op->map], key_bytes(op->key), &view);
    bool is_fine = run_expect(run, "pop", status, run_presence(row)) &&
                   (row ? run_same_view(run, "pop", &view, row) : run_is_zeroed(run, "pop", &view));

    pdict_view_release(&view);
    return is_fine && run_expect(run, "pop", status, model_write(&run->model, op, NULL));
}

struct modification {
    struct run *run;
    const struct op *op;
    unsigned n_calls;
};

static int make_value(void *ctx, const pdict_view *old, pdict_slice *value)
{
    struct modification *m = ctx;
    struct row *row = model_find(&m->run->model, m->op->map, m->op->key);

    m->n_calls++;
    if (!old != !row)
        run_fail(m->run, "modify: presence of the old value");
    else if (old)
        run_same_view(m->run, "modify", old, row);
    if (!m->op->flags)
        *value = value_bytes(m->op->value);
    return PDICT_OK;
}

bool run_modify(struct run *run, const struct op *op)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    struct modification m = { run, op, 0 };
    int status;

    fill_expiry(run, op, &how);
    status = pdict_modify(run->maps[op->map], key_bytes(op->key), make_value, &m, &how);
    return !run->report->is_failed &&
           run_expect(run, "modify", status, model_write(&run->model, op, NULL)) &&
           run_same_number(run, "modify: calls", m.n_calls, 1);
}

static int touch(pdict *d, const struct op *op, int64_t until_ms, pdict_view *view)
{
    pdict_slice key = key_bytes(op->key);

    switch (op->flags) {
    case TOUCH_TTL:
        return pdict_touch(d, key, op->time_ms);
    case TOUCH_UNTIL:
        return pdict_touch_until(d, key, until_ms);
    case TOUCH_PERSIST:
        return pdict_persist(d, key);
    default:
        return pdict_get_and_touch(d, key, op->time_ms, view);
    }
}

bool run_touch(struct run *run, const struct op *op)
{
    int64_t until_ms = model_touched(&run->model, op);
    pdict_view view = { 0 };
    int status = touch(run->maps[op->map], op, until_ms, &view);
    struct row *row;
    bool is_fine = run_expect(run, "touch", status, model_write(&run->model, op, NULL));

    row = model_find(&run->model, op->map, op->key);
    if (is_fine && op->flags == TOUCH_GET)
        is_fine = row ? run_same_view(run, "get_and_touch", &view, row)
                      : run_is_zeroed(run, "get_and_touch", &view);
    pdict_view_release(&view);
    return is_fine;
}

/* ---- transactions ---- */

static bool begin(struct run *run, pdict **outside)
{
    for (unsigned map = 0; map < N_MAPS; map++)
        outside[map] = run->maps[map];
    run->model.is_inside = true;
    return run_expect(run, "begin", pdict_begin(outside[0], 0, &run->maps[0]), PDICT_OK) &&
           run_expect(run, "join", pdict_join(run->maps[0], outside[1], &run->maps[1]), PDICT_OK);
}

static bool same_outside(struct run *run, pdict *const *outside, const struct model *before)
{
    for (unsigned map = 0; map < N_MAPS; map++) {
        uint64_t count;

        if (!run_expect(run, "count", pdict_count(outside[map], &count), PDICT_OK) ||
            !run_same_number(run, "count beside a transaction", (int64_t)count,
                             (int64_t)model_count(before, map)))
            return false;
    }
    return true;
}

static bool do_inside(struct run *run, const struct op *ops, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        run->report->at++;
        if (!run_op(run, &ops[i]))
            return false;
        run->report->passed++;
    }
    return run_check_all(run);
}

static bool end(struct run *run, const struct op *op, const struct model *before)
{
    pdict *txn = run->maps[0];

    run->model.is_inside = false;
    if (op->flags) {
        pdict_abort(txn);
        run->model = *before;
        return true;
    }
    for (unsigned map = 0; map < N_MAPS; map++)
        model_evict(&run->model, map);
    return run_expect(run, "commit", pdict_commit(txn), PDICT_OK);
}

bool run_txn(struct run *run, const struct op *op)
{
    static struct model before;
    size_t left = run->count - run->report->at - 1;
    unsigned count = 0;
    pdict *outside[N_MAPS];
    bool is_fine;

    while (count < op->count && count < left && op_fits_inside(&op[1 + count]))
        count++;
    before = run->model;
    if (!begin(run, outside))
        return false;
    is_fine = do_inside(run, op + 1, count) && same_outside(run, outside, &before);
    if (is_fine)
        is_fine = end(run, op, &before);
    else
        pdict_abort(run->maps[0]);
    for (unsigned map = 0; map < N_MAPS; map++)
        run->maps[map] = outside[map];
    return is_fine && run_check_all(run);
}
