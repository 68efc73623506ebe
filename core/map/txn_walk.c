/* SPDX-License-Identifier: MIT */
/* A walk over a transaction: the rows of its snapshot, and what it has written in their place. */
#include <stdlib.h>

#include "map/txn.h"

struct txn_walk {
    struct txn_map *part;
    struct txn_range *range;
    unsigned flags;           /* enum pdict_scan_flags */
    struct txn_row **inserts; /* in the order of the walk */
    size_t n_inserts, next;
    bool has_stored, is_over;
    pdict_row stored; /* the next row of the snapshot, while has_stored */
    struct buf bytes; /* of a written row, which may be written again before the next step */
};

/* ---- the order ---- */

static int compare_rows(const void *a, const void *b)
{
    return pdict__slice_compare((*(struct txn_row *const *)a)->key,
                                (*(struct txn_row *const *)b)->key);
}

static bool is_insert(const struct txn_row *row)
{
    return row->now.is_there && row->place != 0;
}

static bool is_within(const pdict_scan *scan, pdict_slice key)
{
    if (!(scan->flags & PDICT_SCAN_BY_KEY))
        return true;
    return (!scan->from.data || pdict__slice_compare(key, scan->from) >= 0) &&
           (!scan->to.data || pdict__slice_compare(key, scan->to) < 0);
}

static void turn_round(struct txn_row **rows, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        struct txn_row *row = rows[i];

        rows[i] = rows[n - 1 - i];
        rows[n - 1 - i] = row;
    }
}

/* The inserts of the transaction so far that lie in the range. */
static int gather(struct txn_walk *walk, const pdict_scan *scan)
{
    size_t n = 0;
    int status;

    if (walk->part->n_written == 0)
        return PDICT_OK;
    if ((status = pdict__txn_written_rows(walk->part, &walk->inserts)) != PDICT_OK)
        return status;
    for (size_t i = 0; i < walk->part->n_written; i++) {
        if (is_insert(walk->inserts[i]) && is_within(scan, walk->inserts[i]->key))
            walk->inserts[n++] = walk->inserts[i];
    }
    walk->n_inserts = n;
    if (scan->flags & PDICT_SCAN_BY_KEY)
        qsort(walk->inserts, n, sizeof(struct txn_row *), compare_rows);
    if (scan->flags & PDICT_SCAN_REVERSE)
        turn_round(walk->inserts, n);
    return PDICT_OK;
}

/* ---- opening ---- */

int pdict__txn_walk_open(struct txn_map *part, const pdict_scan *scan, struct txn_walk **out)
{
    const pdict_allocator *allocator = &part->txn->store->allocator;
    struct txn_walk *walk = pdict__calloc(allocator, 1, sizeof(*walk));
    int status;

    if (!walk)
        return PDICT_NOMEM;
    walk->part = part;
    walk->flags = scan->flags;
    walk->bytes.allocator = allocator;
    part->txn->n_iters++;
    *out = walk;
    status = pdict__txn_range_new(part, scan, &walk->range);
    return status == PDICT_OK ? gather(walk, scan) : status;
}

void pdict__txn_walk_close(struct txn_walk *walk)
{
    const pdict_allocator *allocator;

    if (!walk)
        return;
    allocator = walk->bytes.allocator;
    walk->part->txn->n_iters--;
    pdict__free(allocator, walk->inserts);
    pdict__buf_free(&walk->bytes);
    pdict__free(allocator, walk);
}

/* ---- stepping ---- */

static int fetch(struct txn_walk *walk, int (*next)(void *ctx, pdict_row *row), void *ctx)
{
    int64_t now_ms = pdict__handle_now(&walk->part->handle);
    int status = PDICT_OK;

    if (walk->has_stored)
        return PDICT_OK;
    while (!walk->has_stored && !walk->is_over && status == PDICT_OK) {
        status = next(ctx, &walk->stored);
        walk->has_stored = status == PDICT_OK && !pdict__expired(walk->stored.expires_ms, now_ms);
        walk->is_over = status == PDICT_END;
    }
    if (status == PDICT_OK && walk->has_stored)
        pdict__txn_range_note(walk->range, &walk->stored);
    if (walk->is_over)
        walk->range->is_whole = true;
    return walk->is_over ? PDICT_OK : status;
}

/* What the transaction inserts comes behind all that is stored, or in the order of keys. */
static bool insert_comes_first(const struct txn_walk *walk, const struct txn_row *row)
{
    bool is_reverse = (walk->flags & PDICT_SCAN_REVERSE) != 0;

    if (!(walk->flags & PDICT_SCAN_BY_KEY))
        return is_reverse;
    return (pdict__slice_compare(row->key, walk->stored.key) < 0) != is_reverse;
}

static int emit_written(struct txn_walk *walk, const struct txn_row *row, pdict_row *out)
{
    int status;

    walk->bytes.size = 0;
    if ((status = pdict__buf_append(&walk->bytes, row->record, row->record_size)) != PDICT_OK)
        return status;
    *out = (pdict_row){ .key = row->key,
                        .value = { walk->bytes.data, walk->bytes.size },
                        .version = row->now.version,
                        .created_ms = row->now.created_ms,
                        .expires_ms = row->now.expires_ms };
    return PDICT_OK;
}

static struct txn_row *next_insert(struct txn_walk *walk)
{
    while (walk->next < walk->n_inserts && !is_insert(walk->inserts[walk->next]))
        walk->next++;
    return walk->next < walk->n_inserts ? walk->inserts[walk->next] : NULL;
}

int pdict__txn_walk_next(struct txn_walk *walk, int (*next)(void *ctx, pdict_row *row), void *ctx,
                         pdict_row *out)
{
    for (;;) {
        struct txn_row *row = next_insert(walk);
        int status = fetch(walk, next, ctx);

        if (status != PDICT_OK)
            return status;
        if (row && (!walk->has_stored || insert_comes_first(walk, row))) {
            walk->next++;
            return emit_written(walk, row, out);
        }
        if (!walk->has_stored)
            return PDICT_END;
        walk->has_stored = false;
        row = pdict__txn_written(walk->part, walk->stored.key);
        if (!row) {
            *out = walk->stored;
            return PDICT_OK;
        }
        if (row->now.is_there && row->place == 0)
            return emit_written(walk, row, out);
    }
}
