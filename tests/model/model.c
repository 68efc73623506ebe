/* SPDX-License-Identifier: MIT */
/* The promises of pdict.h for one store, written down a second time and as plainly as possible. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

void model_init(struct model *model)
{
    memset(model, 0, sizeof(*model));
    model->now_ms = MODEL_START_MS;
}

const char *model_map_name(const struct model *model, unsigned map)
{
    return map == 0 ? "main" : model->is_renamed ? "third" : "second";
}

static bool is_live(const struct model *model, const struct row *row)
{
    return row->is_there && (row->expires_ms == 0 || model->now_ms < row->expires_ms);
}

struct row *model_find(struct model *model, unsigned map, unsigned key)
{
    struct row *row = &model->maps[map].rows[key];

    return is_live(model, row) ? row : NULL;
}

uint64_t model_count(const struct model *model, unsigned map)
{
    uint64_t count = 0;

    for (unsigned key = 0; key < N_KEYS; key++)
        count += is_live(model, &model->maps[map].rows[key]);
    return count;
}

/* ---- writing ---- */

static int condition_status(const struct op *op, const struct row *live)
{
    switch (op->condition) {
    case PDICT_PUT_IF_ABSENT:
        return live ? PDICT_EXISTS : PDICT_OK;
    case PDICT_PUT_IF_PRESENT:
        return live ? PDICT_OK : PDICT_NOTFOUND;
    case PDICT_PUT_IF_VERSION:
        if (!live)
            return PDICT_NOTFOUND;
        return op->version == VERSION_CURRENT ? PDICT_OK : PDICT_CONFLICT;
    default:
        return PDICT_OK;
    }
}

bool model_expiry(const struct model *model, const struct op *op, int64_t *expires_ms)
{
    *expires_ms = 0;
    if (op->expiry == EXPIRY_NONE)
        return true;
    *expires_ms = op->time_ms > INT64_MAX - model->now_ms ? INT64_MAX : model->now_ms + op->time_ms;
    return *expires_ms > model->now_ms;
}

static int put(struct model *model, const struct op *op, unsigned key, struct value value)
{
    struct model_map *map = &model->maps[op->map];
    struct row *live = model_find(model, op->map, key), *row = &map->rows[key];
    int64_t expires_ms;
    int status = condition_status(op, live);

    if (value.size > VALUE_MAX)
        return PDICT_TOO_BIG;
    if (status != PDICT_OK)
        return status;
    if (!model_expiry(model, op, &expires_ms)) {
        if (live)
            row->is_there = false;
        return PDICT_OK;
    }
    row->old_version = live ? row->version : 0;
    row->version = 0;
    row->value = value;
    row->expires_ms = expires_ms;
    if (!live) {
        row->is_there = true;
        row->created_ms = model->now_ms;
        row->accessed_ms = 0;
        row->place = ++map->last_place;
    }
    model_use(model, op->map, row);
    return PDICT_OK;
}

/* The value of an entry that keeps its expiry. */
static void replace(const struct model *model, unsigned map, struct row *live, struct value value)
{
    model_use(model, map, live);
    live->old_version = live->version;
    live->version = 0;
    live->value = value;
}

static bool read_number(struct value value, int32_t *out)
{
    pdict_slice bytes = value_bytes(value);
    char text[16] = "";
    bool is_digits;

    *out = value.number;
    if (value.is_number)
        return true;
    if (bytes.size == 0 || bytes.size >= sizeof(text))
        return false;
    memcpy(text, bytes.data, bytes.size);
    is_digits =
        strspn(text, "0123456789") == bytes.size ||
        (text[0] == '-' && bytes.size > 1 && strspn(text + 1, "0123456789") == bytes.size - 1);
    *out = (int32_t)strtol(text, NULL, 10);
    return is_digits;
}

static int add(struct model *model, const struct op *op)
{
    struct row *live = model_find(model, op->map, op->key);
    struct value sum = op->value;
    int32_t number;

    if (!live)
        return put(model, op, op->key, sum);
    if (!read_number(live->value, &number))
        return PDICT_INVAL;
    sum.number += number;
    replace(model, op->map, live, sum);
    return PDICT_OK;
}

static int modify(struct model *model, const struct op *op)
{
    struct row *live = model_find(model, op->map, op->key);

    if (live && op->flags)
        live->is_there = false;
    else if (live)
        replace(model, op->map, live, op->value);
    else if (!op->flags)
        return put(model, op, op->key, op->value);
    return PDICT_OK;
}

static int del(struct model *model, const struct op *op, unsigned key)
{
    struct row *live = model_find(model, op->map, key);

    if (!live)
        return PDICT_NOTFOUND;
    live->is_there = false;
    return PDICT_OK;
}

static void clear(struct model_map *map)
{
    for (unsigned key = 0; key < N_KEYS; key++)
        map->rows[key].is_there = false;
}

int64_t model_touched(const struct model *model, const struct op *op)
{
    if (op->flags == TOUCH_PERSIST)
        return 0;
    return op->time_ms > INT64_MAX - model->now_ms ? INT64_MAX : model->now_ms + op->time_ms;
}

static int touch(struct model *model, const struct op *op)
{
    struct row *live = model_find(model, op->map, op->key);

    if (!live)
        return PDICT_NOTFOUND;
    live->expires_ms = model_touched(model, op);
    live->is_there = live->expires_ms == 0 || live->expires_ms > model->now_ms;
    model_use(model, op->map, live);
    return PDICT_OK;
}

static int write_rows(struct model *model, const struct op *op, int *statuses)
{
    switch (op->kind) {
    case OP_PUT:
        return put(model, op, op->key, op->value);
    case OP_DEL:
    case OP_POP:
        return del(model, op, op->key);
    case OP_ADD:
        return add(model, op);
    case OP_MODIFY:
        return modify(model, op);
    case OP_TOUCH:
        return touch(model, op);
    case OP_PUT_MANY:
        for (unsigned i = 0; i < op->count; i++)
            statuses[i] = put(model, op, batch_key(op, i), batch_value(op, i));
        return PDICT_OK;
    case OP_DEL_MANY:
        for (unsigned i = 0; i < op->count; i++)
            statuses[i] = del(model, op, batch_key(op, i));
        return PDICT_OK;
    default:
        clear(&model->maps[op->map]);
        return PDICT_OK;
    }
}

int model_write(struct model *model, const struct op *op, int *statuses)
{
    int status = write_rows(model, op, statuses);

    if (!model->is_inside)
        model_evict(model, op->map);
    return status;
}

/* ---- walking ---- */

struct range {
    char room[3][BOUND_ROOM];
    pdict_slice prefix, from, to;
};

static bool is_within(const struct range *range, pdict_slice key)
{
    if (range->prefix.size > 0 && (key.size < range->prefix.size ||
                                   memcmp(key.data, range->prefix.data, range->prefix.size) != 0))
        return false;
    if (range->from.data && compare_slices(key, range->from) < 0)
        return false;
    return !range->to.data || compare_slices(key, range->to) < 0;
}

/* The key of row `at` in its map, behind what it is sorted by. */
struct place {
    uint64_t order;
    uint16_t key;
};

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left, *b = right;

    return (a->order > b->order) - (a->order < b->order);
}

size_t model_walk(const struct model *model, const struct op *op, uint16_t *keys)
{
    const struct row *rows = model->maps[op->map].rows;
    struct place places[N_KEYS];
    struct range range;
    bool is_by_key;
    size_t count = 0;

    range.prefix = bound_bytes(&op->prefix, range.room[0]);
    range.from = bound_bytes(&op->from, range.room[1]);
    range.to = bound_bytes(&op->to, range.room[2]);
    is_by_key =
        (op->flags & PDICT_BY_KEY) || range.prefix.size > 0 || range.from.data || range.to.data;
    for (unsigned key = 0; key < N_KEYS; key++) {
        if (!is_live(model, &rows[key]) || !is_within(&range, key_bytes(key)))
            continue;
        places[count].key = (uint16_t)key;
        places[count++].order = is_by_key ? key_rank(key) : rows[key].place;
    }
    qsort(places, count, sizeof(places[0]), compare_places);
    for (size_t i = 0; i < count; i++)
        keys[i] = places[op->flags & PDICT_REVERSE ? count - 1 - i : i].key;
    return count;
}
