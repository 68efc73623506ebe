/* SPDX-License-Identifier: MIT */
/* Operations that write, and those that are refused. */
#include "run.h"

static bool fill_condition(struct run *run, const struct op *op, pdict_put_options *how)
{
    struct row *row = model_find(&run->model, op->map, op->key);
    struct op meta = { .kind = OP_META, .map = op->map, .key = op->key };

    how->flags = op->condition;
    if (op->condition != PDICT_PUT_IF_VERSION)
        return true;
    if (row && row->version == 0 && !run_meta(run, &meta))
        return false;
    if (!row)
        how->if_version = 7;
    else if (op->version == VERSION_CURRENT)
        how->if_version = row->version;
    else
        how->if_version = row->old_version ? row->old_version : row->version + 1;
    return true;
}

static bool fill_how(struct run *run, const struct op *op, pdict_put_options *how)
{
    int64_t expires_ms;

    model_expiry(&run->model, op, &expires_ms);
    if (op->expiry == EXPIRY_TTL)
        how->ttl_ms = op->time_ms;
    else
        how->expires_ms = expires_ms;
    return fill_condition(run, op, how);
}

bool run_put(struct run *run, const struct op *op)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    bool is_plain = !op->condition && op->expiry == EXPIRY_NONE && op->flags == 0;
    uint64_t version = 0;
    int status, expected;
    struct row *row;

    if (!fill_how(run, op, &how))
        return false;
    how.version_out = op->flags & 1 ? &version : NULL;
    status = pdict_put(run->maps[op->map], key_bytes(op->key), value_bytes(op->value),
                       is_plain ? NULL : &how);
    expected = model_write(&run->model, op, NULL);
    if (!run_expect(run, "put", status, expected))
        return false;
    row = model_find(&run->model, op->map, op->key);
    return status != PDICT_OK || !how.version_out || !row ||
           run_same_version(run, "put: version_out", row, version);
}

bool run_del(struct run *run, const struct op *op)
{
    int status = pdict_del(run->maps[op->map], key_bytes(op->key));

    return run_expect(run, "del", status, model_write(&run->model, op, NULL));
}

static bool same_statuses(struct run *run, const struct op *op, const char *what, int status,
                          const int *statuses)
{
    int expected[BATCH_MAX];

    if (!run_expect(run, what, status, model_write(&run->model, op, expected)))
        return false;
    for (unsigned i = 0; i < op->count; i++) {
        if (!run_expect(run, what, statuses[i], expected[i]))
            return false;
    }
    return true;
}

bool run_put_many(struct run *run, const struct op *op)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    pdict_pair pairs[BATCH_MAX];
    int statuses[BATCH_MAX], status;

    if (!fill_how(run, op, &how))
        return false;
    /* With a limit each slice would make room of its own. */
    if (op->flags && run->model.maps[op->map].max_entries == 0)
        how.flags |= PDICT_PUT_IN_SLICES;
    for (unsigned i = 0; i < op->count; i++)
        pairs[i] = (pdict_pair){ key_bytes(batch_key(op, i)), value_bytes(batch_value(op, i)) };
    status = pdict_put_many(run->maps[op->map], pairs, op->count, &how, statuses);
    return same_statuses(run, op, "put_many", status, statuses);
}

bool run_del_many(struct run *run, const struct op *op)
{
    pdict_slice keys[BATCH_MAX];
    int statuses[BATCH_MAX], status;

    for (unsigned i = 0; i < op->count; i++)
        keys[i] = key_bytes(batch_key(op, i));
    status = pdict_del_many(run->maps[op->map], keys, op->count, statuses);
    return same_statuses(run, op, "del_many", status, statuses);
}

bool run_clear(struct run *run, const struct op *op)
{
    int status = pdict_clear(run->maps[op->map], PDICT_CLEAR_EVERYTHING);

    return run_expect(run, "clear", status, model_write(&run->model, op, NULL));
}

bool run_bad_put(struct run *run, const struct op *op)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    pdict_slice key = key_bytes(op->key);
    pdict_pair pair = { key, key };
    uint64_t version;

    switch (op->count % 5) {
    case 0:
        how.flags = PDICT_PUT_IF_ABSENT | PDICT_PUT_IF_PRESENT;
        break;
    case 1:
        how.ttl_ms = how.expires_ms = 1;
        break;
    case 2:
        how.ttl_ms = -1;
        break;
    case 3:
        how.durability = PDICT_COMMIT_UNSAFE + 1;
        break;
    default:
        how.version_out = &version;
        return run_expect(run, "bad put_many",
                          pdict_put_many(run->maps[op->map], &pair, 1, &how, NULL), PDICT_INVAL);
    }
    return run_expect(run, "bad put", pdict_put(run->maps[op->map], key, key, &how), PDICT_INVAL);
}
