/* SPDX-License-Identifier: MIT */
/* Is what a transaction has read still true? Keys by their versions, ranges by walking them again. */
#include "map/txn.h"

/* ---- ranges ---- */

static size_t bounds_size(const pdict_scan *scan)
{
    return (scan->from.data ? scan->from.size : 0) + (scan->to.data ? scan->to.size : 0);
}

/* A bound that is empty is one all the same. */
static uint8_t *copy_bound(pdict_slice *bound, uint8_t *out)
{
    if (!bound->data)
        return out;
    pdict__copy(out, bound->data, bound->size);
    bound->data = out;
    return out + bound->size;
}

int pdict__txn_range_new(struct txn_map *part, const pdict_scan *scan, struct txn_range **out)
{
    struct txn_range *range =
        pdict__calloc(&part->txn->store->allocator, 1, sizeof(*range) + bounds_size(scan) + 1);

    if (!range)
        return PDICT_NOMEM;
    range->scan = *scan;
    range->scan.flags |= PDICT_SCAN_NO_VALUES;
    copy_bound(&range->scan.to, copy_bound(&range->scan.from, (uint8_t *)(range + 1)));
    range->next = part->ranges;
    part->ranges = range;
    *out = range;
    return PDICT_OK;
}

void pdict__txn_ranges_free(struct txn_map *part)
{
    for (struct txn_range *range = part->ranges, *next; range; range = next) {
        next = range->next;
        pdict__free(&part->txn->store->allocator, range);
    }
}

static uint64_t add_to_sum(uint64_t sum, const pdict_row *row)
{
    return pdict__hash64(&row->version, sizeof(row->version),
                         pdict__hash64(row->key.data, row->key.size, sum));
}

void pdict__txn_range_note(struct txn_range *range, const pdict_row *row)
{
    range->n_rows++;
    range->sum = add_to_sum(range->sum, row);
}

/* ---- validating ---- */

static int conflict_unless(bool holds)
{
    return holds ? PDICT_OK : PDICT_CONFLICT;
}

static int check_row(const struct txn_map *part, const struct txn_row *row, void *write_txn)
{
    int64_t until_ms;
    pdict_row found;
    int status = pdict__row_read(part->handle.map, write_txn, row->key, &found, &until_ms);
    bool is_live =
        status == PDICT_OK && !pdict__expired(until_ms, pdict__handle_now(&part->handle));

    if (status != PDICT_OK && status != PDICT_NOTFOUND)
        return status;
    return conflict_unless((is_live ? found.version : 0) == row->seen_version);
}

static int check_rows(const struct txn_map *part, void *write_txn)
{
    int status = PDICT_OK;

    for (size_t i = 0; i < part->n_buckets && status == PDICT_OK; i++) {
        const struct txn_row *row = part->buckets[i];

        for (; row && status == PDICT_OK; row = row->next) {
            if (row->is_read)
                status = check_row(part, row, write_txn);
        }
    }
    return status;
}

static int walk_again(const struct txn_map *part, const struct txn_range *range, void *write_txn,
                      void *cursor)
{
    const struct map *map = part->handle.map;
    struct store *store = map->store;
    uint64_t n_rows = 0, sum = 0, next_sum;
    int status = PDICT_OK;
    int64_t until_ms;
    pdict_row row;

    while (status == PDICT_OK && (range->is_whole || n_rows < range->n_rows)) {
        status = store->backend->scan_next(store->engine, cursor, &row);
        if (status != PDICT_OK)
            continue;
        next_sum = add_to_sum(sum, &row);
        status = pdict__row_until(store, write_txn, map->number, &map->lifetimes, &row, &until_ms);
        if (status != PDICT_OK || pdict__expired(until_ms, pdict__handle_now(&part->handle)))
            continue;
        if (++n_rows > range->n_rows)
            return PDICT_CONFLICT;
        sum = next_sum;
    }
    if (status != PDICT_OK && status != PDICT_END)
        return status;
    return conflict_unless(n_rows == range->n_rows && sum == range->sum);
}

static int check_ranges(const struct txn_map *part, void *write_txn)
{
    struct store *store = part->txn->store;
    int status = PDICT_OK;
    void *cursor;

    for (const struct txn_range *range = part->ranges; range; range = range->next) {
        status = store->backend->scan_open(store->engine, write_txn, part->handle.map->number,
                                           &range->scan, &cursor);
        if (status != PDICT_OK)
            return status;
        status = walk_again(part, range, write_txn, cursor);
        store->backend->scan_close(store->engine, cursor);
        if (status != PDICT_OK)
            return status;
    }
    return PDICT_OK;
}

static int check_count(const struct txn_map *part, void *write_txn)
{
    struct store *store = part->txn->store;
    uint64_t count;
    int status;

    if (!part->is_counted)
        return PDICT_OK;
    status =
        pdict__rows_count(store, write_txn, part->handle.map->number, &part->handle.map->lifetimes,
                          pdict__handle_now(&part->handle), &count);
    return status == PDICT_OK ? conflict_unless(count == part->count) : status;
}

int pdict__txn_validate(const struct txn *txn, void *write_txn)
{
    int status = conflict_unless(!txn->is_doomed);

    for (const struct txn_map *part = txn->maps; part && status == PDICT_OK; part = part->next) {
        status = check_count(part, write_txn);
        if (status == PDICT_OK)
            status = check_rows(part, write_txn);
        if (status == PDICT_OK)
            status = check_ranges(part, write_txn);
    }
    return status;
}
