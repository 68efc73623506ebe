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

/* By what a row goes; 0: after all that have it. */
static int64_t turn(const struct row *row, enum limit limit)
{
    if (limit == LIMIT_TTL)
        return row->expires_ms;
    return limit == LIMIT_LRU ? row->accessed_ms : 0;
}

/* Does `a` go before `b`, which is NULL or goes itself before all others so far? */
static bool goes_before(const struct row *a, const struct row *b, enum limit limit)
{
    if (!b)
        return true;
    if (turn(a, limit) != turn(b, limit))
        return turn(b, limit) == 0 || (turn(a, limit) != 0 && turn(a, limit) < turn(b, limit));
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
            dead = goes_before(row, dead, LIMIT_TTL) ? row : dead;
        else if (goes_before(row, live, model->maps[map].limit))
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

void model_use(const struct model *model, unsigned map, struct row *row)
{
    bool is_noted = model->maps[map].max_entries != 0 && model->maps[map].limit == LIMIT_LRU;

    if (is_noted && row->accessed_ms < model->now_ms)
        row->accessed_ms = model->now_ms;
}

enum limit model_limit_of(const struct op *op)
{
    enum limit limit = (enum limit)(op->flags % N_LIMITS);

    return limit == LIMIT_LRU && op->map != MODEL_LRU_MAP ? LIMIT_FIFO : limit;
}

/* Rows that were never used, as far as is known, count as used when they were made. */
static void note_creations(struct model_map *map)
{
    for (unsigned key = 0; key < N_KEYS; key++) {
        struct row *row = &map->rows[key];

        if (row->accessed_ms < row->created_ms)
            row->accessed_ms = row->created_ms;
    }
}

void model_limit(struct model *model, const struct op *op)
{
    struct model_map *map = &model->maps[op->map];

    map->max_entries = op->count;
    map->limit = model_limit_of(op);
    if (map->max_entries != 0 && map->limit == LIMIT_LRU)
        note_creations(map);
    model_evict(model, op->map);
}
