/* SPDX-License-Identifier: MIT */
/* Walks: what comes, in which order, and that changes on the way do not disturb it. */
#include "run.h"

/* What a walk has to meet, noted before it begins. */
struct expected {
    size_t count;
    uint16_t keys[N_KEYS];
    struct row rows[N_KEYS];
};

static bool same_entry(struct run *run, const struct op *op, struct row *row, unsigned key,
                       const pdict_entry *entry)
{
    if (compare_slices(entry->key, key_bytes(key)) != 0)
        return run_fail(run, "walk: another key than number %u comes", key);
    if (entry->created_ms != row->created_ms || entry->expires_ms != row->expires_ms)
        return run_fail(run, "walk: key %u: created %lld, expires %lld, not %lld, %lld", key,
                        (long long)entry->created_ms, (long long)entry->expires_ms,
                        (long long)row->created_ms, (long long)row->expires_ms);
    if (!run_same_version(run, "walk", row, entry->version))
        return false;
    if (!(op->flags & PDICT_KEYS_ONLY))
        return run_same_value(run, "walk", entry->value, row->value);
    return entry->value.size == 0 || run_fail(run, "walk: a value comes with keys only");
}

static bool edit(struct run *run, const struct op *walk, unsigned key)
{
    struct op op = { .kind = walk->edit == EDIT_DELETE ? OP_DEL : OP_PUT,
                     .map = walk->map,
                     .key = (uint16_t)key,
                     .value = EDIT_VALUE };

    if (walk->edit == EDIT_OTHER)
        op.key = (uint16_t)((key + walk->seed) % N_KEYS);
    return run_op(run, &op);
}

static bool step_through(struct run *run, const struct op *op, pdict_iter *iter,
                         struct expected *expected)
{
    size_t limit = op->count < expected->count ? op->count : expected->count;
    pdict_entry entry;

    for (size_t i = 0; i < limit; i++) {
        unsigned key = expected->keys[i];

        if (!run_expect(run, "iter_next", pdict_iter_next(iter, &entry), PDICT_OK) ||
            !same_entry(run, op, &expected->rows[i], key, &entry))
            return false;
        if (op->edit == EDIT_NONE)
            run->model.maps[op->map].rows[key].version = expected->rows[i].version;
        else if (i % op->seed == 0 && !edit(run, op, key))
            return false;
    }
    if (op->count <= expected->count)
        return true;
    return run_expect(run, "iter_next", pdict_iter_next(iter, &entry), PDICT_END) &&
           run_expect(run, "iter_next behind the end", pdict_iter_next(iter, &entry), PDICT_END);
}

static bool walk(struct run *run, const struct op *op)
{
    char room[3][BOUND_ROOM];
    pdict_range range = PDICT_RANGE_INIT;
    struct expected expected;
    pdict_iter *iter;
    bool is_fine;

    range.flags = op->flags;
    range.prefix = bound_bytes(&op->prefix, room[0]);
    range.from = bound_bytes(&op->from, room[1]);
    range.to = bound_bytes(&op->to, room[2]);
    expected.count = model_walk(&run->model, op, expected.keys);
    for (size_t i = 0; i < expected.count; i++)
        expected.rows[i] = run->model.maps[op->map].rows[expected.keys[i]];
    if (!run_expect(run, "iter_open", pdict_iter_open(run->maps[op->map], &range, &iter), PDICT_OK))
        return false;
    is_fine = step_through(run, op, iter, &expected);
    pdict_iter_close(iter);
    return is_fine;
}

bool run_walk(struct run *run, const struct op *op)
{
    struct op plain = *op;

    /* So that every version is known before something changes. */
    plain.edit = EDIT_NONE;
    plain.count = UINT16_MAX;
    if (op->edit != EDIT_NONE && !walk(run, &plain))
        return false;
    return walk(run, op);
}

bool run_check_all(struct run *run)
{
    for (uint8_t map = 0; map < N_MAPS; map++) {
        struct op by_place = { .kind = OP_WALK, .map = map, .count = UINT16_MAX };
        struct op by_key = by_place, count = { .kind = OP_COUNT, .map = map };

        by_key.flags = PDICT_BY_KEY | PDICT_REVERSE;
        if (!run_op(run, &count) || !walk(run, &by_place) || !walk(run, &by_key))
            return false;
    }
    return true;
}
