/* SPDX-License-Identifier: MIT */
/* What the model promises of sweeps and limits: who goes, and when. */
#include "model.h"

static bool is_expired(const struct model *model, const struct row *row)
{
    return row->expires_ms != 0 && model->now_ms >= row->expires_ms;
}

uint64_t model_stored(const struct model *model, unsigned map)
{
    uint64_t count = 0;

    for (unsigned key = 0; key < N_KEYS; key++)
        count += model->maps[map].rows[key].is_there;
    return count;
}

uint64_t model_sweep(struct model *model)
{
    uint64_t count = 0;

    for (unsigned at = 0; at < N_MAPS * N_KEYS; at++) {
        struct row *row = &model->maps[at / N_KEYS].rows[at % N_KEYS];

        if (row->is_there && is_expired(model, row)) {
            row->is_there = false;
            count++;
        }
    }
    return count;
}

/* Does `a` go before `b`, which is NULL or goes itself before all others so far? */
static bool goes_before(const struct row *a, const struct row *b, bool is_by_expiry)
{
    if (!b)
        return true;
    if (is_by_expiry && a->expires_ms != b->expires_ms)
        return b->expires_ms == 0 || (a->expires_ms != 0 && a->expires_ms < b->expires_ms);
    return a->place < b->place;
}

/* What has expired goes first, soonest first. */
static struct row *next_to_go(struct model *model, unsigned map)
{
    struct row *dead = NULL, *live = NULL;

    for (unsigned key = 0; key < N_KEYS; key++) {
        struct row *row = &model->maps[map].rows[key];

        if (!row->is_there)
            continue;
        if (is_expired(model, row))
            dead = goes_before(row, dead, true) ? row : dead;
        else if (goes_before(row, live, model->maps[map].evicts_by_expiry))
            live = row;
    }
    return dead ? dead : live;
}

void model_evict(struct model *model, unsigned map)
{
    unsigned most = model->maps[map].max_entries;
    uint64_t stored = model_stored(model, map);

    if (most == 0 || stored <= most)
        return;
    /* One of 64 more than it has to; at most 32, which no map of these has. */
    for (; stored > most - most / 64; stored--)
        next_to_go(model, map)->is_there = false;
}

void model_limit(struct model *model, const struct op *op)
{
    model->maps[op->map].max_entries = op->count;
    model->maps[op->map].evicts_by_expiry = op->flags != 0;
    model_evict(model, op->map);
}
