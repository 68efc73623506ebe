/* SPDX-License-Identifier: MIT */
/* The rules of backend.h for changes, counts and scans, written down a second time. */
#include "model.h"

#include <stdlib.h>

static int compare_slices(pdict_slice a, pdict_slice b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int difference = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;

    return difference != 0 ? difference : (a.size > b.size) - (a.size < b.size);
}

pdict_row *model_find(struct model_map *map, pdict_slice key)
{
    for (size_t i = 0; i < map->count; i++) {
        if (compare_slices(map->rows[i].key, key) == 0)
            return &map->rows[i];
    }
    return NULL;
}

static bool is_expired(const pdict_row *row, int64_t now_ms)
{
    return row->expires_ms != 0 && row->expires_ms <= now_ms;
}

static void model_remove(struct model_map *map, pdict_row *row)
{
    size_t at = (size_t)(row - map->rows);

    memmove(row, row + 1, (map->count - at - 1) * sizeof(*row));
    map->count--;
}

static int model_status(const pdict_change *change, const pdict_row *row)
{
    if (row == NULL && change->kind == PDICT_CHANGE_DEL)
        return PDICT_NOTFOUND;
    switch (change->condition) {
    case PDICT_IF_ABSENT:
        return row == NULL ? PDICT_OK : PDICT_EXISTS;
    case PDICT_IF_PRESENT:
        return row == NULL ? PDICT_NOTFOUND : PDICT_OK;
    case PDICT_IF_VERSION:
        if (row == NULL)
            return PDICT_NOTFOUND;
        return row->version == change->if_version ? PDICT_OK : PDICT_CONFLICT;
    default:
        return PDICT_OK;
    }
}

/* The ids are the backend's to choose; the model takes them over once they are checked. */
int model_change(struct model_map *map, const pdict_change *change, int64_t now_ms)
{
    pdict_row *any = model_find(map, change->row.key);
    pdict_row *row = any != NULL && !is_expired(any, now_ms) ? any : NULL;
    int status = model_status(change, row);

    if (status != PDICT_OK)
        return status;
    if (change->kind == PDICT_CHANGE_DEL) {
        model_remove(map, row);
    } else if (row != NULL) {
        row->value = change->row.value;
        row->version = change->row.version;
        row->expires_ms = change->row.expires_ms;
    } else {
        if (any != NULL)
            model_remove(map, any);
        map->rows[map->count++] = change->row;
    }
    return PDICT_OK;
}

uint64_t model_count(const struct model_map *map, int64_t now_ms)
{
    uint64_t count = 0;

    for (size_t i = 0; i < map->count; i++)
        count += !is_expired(&map->rows[i], now_ms);
    return count;
}

static int compare_keys(const void *a, const void *b)
{
    return compare_slices(((const pdict_row *)a)->key, ((const pdict_row *)b)->key);
}

static int compare_expiry(const void *a, const void *b)
{
    const pdict_row *x = a, *y = b;

    if (x->expires_ms != y->expires_ms)
        return x->expires_ms < y->expires_ms ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static bool is_within(const pdict_row *row, const pdict_scan *scan)
{
    if (scan->flags & PDICT_SCAN_BY_KEY)
        return (scan->from.data == NULL || compare_slices(row->key, scan->from) >= 0) &&
               (scan->to.data == NULL || compare_slices(row->key, scan->to) < 0);
    if (scan->flags & PDICT_SCAN_BY_EXPIRY)
        return row->expires_ms != 0 && row->expires_ms >= scan->from_ms &&
               (scan->to_ms == 0 || row->expires_ms < scan->to_ms);
    return row->id >= scan->from_id && (scan->to_id == 0 || row->id < scan->to_id);
}

struct rows model_scan(const struct model_map *map, const pdict_scan *scan)
{
    pdict_row sorted[MODEL_KEYS];
    struct rows rows = { .row = keep_bytes(NULL, sizeof(sorted)) };

    memcpy(sorted, map->rows, sizeof(sorted));
    if (scan->flags & PDICT_SCAN_BY_KEY)
        qsort(sorted, map->count, sizeof(sorted[0]), compare_keys);
    if (scan->flags & PDICT_SCAN_BY_EXPIRY)
        qsort(sorted, map->count, sizeof(sorted[0]), compare_expiry);
    for (size_t i = 0; i < map->count; i++) {
        const pdict_row *row = &sorted[scan->flags & PDICT_SCAN_REVERSE ? map->count - 1 - i : i];
        if (is_within(row, scan))
            rows.row[rows.count++] = *row;
    }
    return rows;
}
