/* SPDX-License-Identifier: MIT */
/* Walking a map: in chunks that hold no snapshot between them, or along one snapshot. */
#include <stddef.h>

#include "base/calls.h"
#include "map/range.h"
#include "map/txn.h"

/* A chunk is what one snapshot reads ahead. It starts small and doubles, so that what is read in
 * vain by a walk that stops early is no more than what it has seen. */
#define CHUNK_ROWS_FIRST 16
#define CHUNK_ROWS       256
#define CHUNK_ROW_BYTES  4096 /* a chunk ends early when its rows are larger than this */

struct ahead {
    pdict_row row; /* slices valid once the chunk is complete */
    size_t key_at, value_at;
    int64_t until_ms; /* absent from then on; 0: never */
};

struct pdict_iter {
    pdict *d;
    struct workbench *bench;
    pdict_scan scan; /* what is still to be walked */
    struct bounds bounds;
    uint64_t last_id; /* of the map when the walk began: later inserts do not come */
    bool is_over;
    bool has_values; /* the caller wants them */
    bool is_limited;
    uint64_t left; /* of a limited walk: entries still to come */

    /* Weakly consistent: */
    struct buf bytes; /* keys and values of the chunk */
    size_t n_chunk, next;
    size_t ahead; /* rows of the next chunk, unless a limited walk wants more at once */

    /* With PDICT_SNAPSHOT; the row that was given out lies in `bytes` where the snapshot may go: */
    struct hold hold;
    void *cursor;

    struct txn_walk *walk; /* over a transaction, whose snapshot the chunks come from */

    struct ahead chunk[CHUNK_ROWS]; /* last, and not zeroed: it is most of the iterator */
};

/* ---- opening ---- */

/* The newest id of the map: what is inserted later does not come, so that a walk which puts new
 * keys ends. */
static int find_last_id(pdict_iter *iter, void *reader)
{
    struct store *store = iter->d->map->store;
    pdict_scan newest = { .flags = PDICT_SCAN_REVERSE | PDICT_SCAN_NO_VALUES };
    void *cursor;
    pdict_row row;
    int status;

    status =
        store->backend->scan_open(store->engine, reader, iter->d->map->number, &newest, &cursor);
    if (status != PDICT_OK)
        return status;
    status = store->backend->scan_next(store->engine, cursor, &row);
    if (status == PDICT_OK)
        iter->last_id = row.id;
    store->backend->scan_close(store->engine, cursor);
    return status == PDICT_END ? PDICT_OK : status;
}

static int begin_walk(pdict_iter *iter)
{
    void *reader;
    int status;

    if ((status = pdict__begin(iter->d, &reader)) != PDICT_OK)
        return status;
    status = find_last_id(iter, reader);
    pdict__end(iter->d, reader);
    return status;
}

static void close_cursor(struct hold *hold)
{
    pdict_iter *iter = (pdict_iter *)((char *)hold - offsetof(pdict_iter, hold));
    struct store *store = iter->d->map->store;

    /* In the child of a fork the cursor is the parent's. */
    if (iter->cursor && store->fork_count == pdict__fork_count())
        store->backend->scan_close(store->engine, iter->cursor);
    iter->cursor = NULL;
}

static int open_cursor(pdict_iter *iter)
{
    struct store *store = iter->d->map->store;
    void *reader;
    int status;

    iter->hold.lose = close_cursor;
    if ((status = pdict__hold_begin(store, &iter->hold)) != PDICT_OK ||
        (status = pdict__hold_enter(&iter->hold, &reader)) != PDICT_OK)
        return status;
    status = store->backend->scan_open(store->engine, reader, iter->d->map->number, &iter->scan,
                                       &iter->cursor);
    pdict__hold_leave(&iter->hold);
    return status;
}

static int begin_snapshot_walk(pdict_iter *iter)
{
    int status = pdict__store_hold(iter->d->map->store);

    if (status != PDICT_OK)
        return status;
    status = open_cursor(iter);
    pdict__store_let_go();
    return status;
}

static int open_range(pdict_iter *iter, const pdict_range *range)
{
    int status;

    iter->has_values = !(range->flags & PDICT_KEYS_ONLY);
    if ((status = pdict__range_flags(iter->d, range, &iter->scan.flags)) != PDICT_OK)
        return status;
    if ((status = pdict__range_bounds(range, &iter->bounds, &iter->scan)) != PDICT_OK)
        return status;
    if (iter->d->part &&
        (status = pdict__txn_walk_open(iter->d->part, &iter->scan, &iter->walk)) != PDICT_OK)
        return status;
    if (!iter->walk && (range->flags & PDICT_SNAPSHOT))
        return begin_snapshot_walk(iter);
    return begin_walk(iter);
}

int pdict_iter_open(pdict *d, const pdict_range *range, pdict_iter **out)
{
    const pdict_allocator *allocator = &d->map->store->allocator;
    pdict_range full = PDICT_RANGE_INIT;
    pdict_iter *iter;
    int status;

    *out = NULL;
    if (range && range->struct_size < sizeof(range->struct_size))
        return pdict_fail(PDICT_INVAL, "pdict_range: set struct_size, see PDICT_RANGE_INIT");
    if (!(iter = pdict__alloc(allocator, sizeof(*iter))))
        return PDICT_NOMEM;
    memset(iter, 0, offsetof(pdict_iter, chunk));
    iter->d = d;
    iter->bounds.from.allocator = iter->bounds.to.allocator = allocator;
    iter->bytes.allocator = allocator;
    iter->bench = pdict__bench_for(d);
    if (range)
        memcpy(&full, range, range->struct_size < sizeof(full) ? range->struct_size : sizeof(full));
    iter->is_limited = full.limit > 0;
    iter->left = full.limit;
    iter->ahead = iter->is_limited ? 1 : CHUNK_ROWS_FIRST;
    status = iter->bench ? open_range(iter, &full) : PDICT_NOMEM;
    /* Between its steps a walk is not inside a call. */
    if (iter->bench)
        pdict__call_end();
    if (status != PDICT_OK) {
        pdict_iter_close(iter);
        return status;
    }
    *out = iter;
    return PDICT_OK;
}

void pdict_iter_close(pdict_iter *iter)
{
    struct store *store;

    if (!iter)
        return;
    store = iter->d->map->store;
    pdict__call_begin();
    pdict__txn_walk_close(iter->walk);
    pdict__hold_end(store, &iter->hold);
    if (iter->bench)
        pdict__bench_give(iter->d->map->pipeline, iter->bench);
    else
        pdict__call_end();
    pdict__buf_free(&iter->bounds.from);
    pdict__buf_free(&iter->bounds.to);
    pdict__buf_free(&iter->bytes);
    pdict__free(&store->allocator, iter);
}

/* ---- reading ahead ---- */

static int keep_row(pdict_iter *iter, void *reader, const pdict_row *row)
{
    struct ahead *ahead = &iter->chunk[iter->n_chunk];
    const struct map *map = iter->d->map;
    int status;

    ahead->row = *row;
    ahead->key_at = iter->bytes.size;
    ahead->value_at = iter->bytes.size + row->key.size;
    if ((status = pdict__buf_append(&iter->bytes, row->key.data, row->key.size)) != PDICT_OK)
        return status;
    if ((status = pdict__buf_append(&iter->bytes, row->value.data, row->value.size)) != PDICT_OK)
        return status;
    iter->n_chunk++;
    return pdict__row_until(map->store, reader, map->number, &map->lifetimes, &ahead->row,
                            &ahead->until_ms);
}

/* What a limited walk still wants comes at once, if all of it is in use. */
static size_t chunk_rows(pdict_iter *iter)
{
    uint64_t rows = iter->left > iter->ahead ? iter->left : iter->ahead;

    iter->ahead *= iter->ahead < CHUNK_ROWS ? 2 : 1;
    return rows < CHUNK_ROWS ? (size_t)rows : CHUNK_ROWS;
}

/* Room for a chunk of rows like the first, so that it need not move while it grows. */
static int make_room(pdict_iter *iter, const pdict_row *first, size_t rows)
{
    size_t size = first->key.size + first->value.size;

    if (size < CHUNK_ROW_BYTES)
        size *= rows;
    return pdict__buf_reserve(&iter->bytes, size);
}

static int fill_chunk(pdict_iter *iter, void *reader)
{
    struct store *store = iter->d->map->store;
    size_t rows = chunk_rows(iter);
    void *cursor;
    pdict_row row;
    int status;

    status = store->backend->scan_open(store->engine, reader, iter->d->map->number, &iter->scan,
                                       &cursor);
    if (status != PDICT_OK)
        return status;
    while (status == PDICT_OK && iter->n_chunk < rows &&
           iter->bytes.size < rows * CHUNK_ROW_BYTES) {
        status = store->backend->scan_next(store->engine, cursor, &row);
        if (status == PDICT_OK && iter->n_chunk == 0)
            status = make_room(iter, &row, rows);
        if (status == PDICT_OK && row.id <= iter->last_id)
            status = keep_row(iter, reader, &row);
    }
    store->backend->scan_close(store->engine, cursor);
    if (status == PDICT_END) {
        iter->is_over = true;
        return PDICT_OK;
    }
    return status;
}

/* The rest of the walk begins behind the last row of the chunk. */
static int move_on(pdict_iter *iter)
{
    const pdict_row *last = &iter->chunk[iter->n_chunk - 1].row;
    bool is_reverse = (iter->scan.flags & PDICT_SCAN_REVERSE) != 0;
    struct buf *from = &iter->bounds.from;
    int status;

    if (!(iter->scan.flags & PDICT_SCAN_BY_KEY)) {
        if (is_reverse)
            iter->scan.to_id = last->id;
        else
            iter->scan.from_id = last->id + 1;
        return PDICT_OK;
    }
    if (is_reverse)
        return pdict__bound_set(&iter->bounds.to, &iter->scan.to, last->key.data, last->key.size);
    /* key + NUL is the very next key in byte order. */
    if ((status = pdict__bound_set(from, &iter->scan.from, last->key.data, last->key.size)) !=
        PDICT_OK)
        return status;
    from->data[from->size++] = 0;
    iter->scan.from.size++;
    return PDICT_OK;
}

static int read_ahead(pdict_iter *iter)
{
    struct generation_ref settings;
    const uint8_t *bytes;
    void *reader;
    int status;

    iter->n_chunk = iter->next = 0;
    iter->bytes.size = 0;
    if ((status = pdict__begin_with(iter->d, &settings, &reader)) != PDICT_OK)
        return status;
    pdict__bench_keep_to(iter->bench, settings);
    status = fill_chunk(iter, reader);
    pdict__end(iter->d, reader);
    if (status != PDICT_OK)
        return status;
    /* Rows without key and value take no memory. */
    bytes = iter->bytes.data ? iter->bytes.data : (const uint8_t *)"";
    for (size_t i = 0; i < iter->n_chunk; i++) {
        struct ahead *ahead = &iter->chunk[i];

        ahead->row.key.data = bytes + ahead->key_at;
        ahead->row.value.data = bytes + ahead->value_at;
    }
    return iter->n_chunk > 0 && !iter->is_over ? move_on(iter) : PDICT_OK;
}

/* ---- stepping ---- */

static int next_from_chunk(pdict_iter *iter, pdict_row *row)
{
    const struct ahead *ahead;
    int status;

    do {
        while (iter->next == iter->n_chunk) {
            if (iter->is_over)
                return PDICT_END;
            if ((status = read_ahead(iter)) != PDICT_OK) {
                iter->n_chunk = 0;
                return status;
            }
        }
        ahead = &iter->chunk[iter->next++];
    } while (ahead->until_ms != 0 && pdict__expired(ahead->until_ms, pdict__handle_now(iter->d)));
    *row = ahead->row;
    return PDICT_OK;
}

static int next_stored(void *ctx, pdict_row *row)
{
    return next_from_chunk(ctx, row);
}

/* The caller has the row until the next step, also where the snapshot goes meanwhile. */
static int copy_out(pdict_iter *iter, void *reader, pdict_row *row)
{
    int status;

    iter->n_chunk = 0;
    iter->bytes.size = 0;
    if ((status = keep_row(iter, reader, row)) != PDICT_OK)
        return status;
    row->key.data = iter->bytes.data;
    row->value.data = iter->bytes.data + row->key.size;
    return PDICT_OK;
}

/* The next row that is in use, copied: to find out is the reader's next call, and the row may outlive
 * the engine. */
static int next_of_cursor(pdict_iter *iter, void *reader, pdict_row *row)
{
    const struct map *map = iter->d->map;
    struct store *store = map->store;
    int64_t until_ms = 0;
    int status;

    do {
        if ((status = store->backend->scan_next(store->engine, iter->cursor, row)) != PDICT_OK)
            return status;
        if ((status = copy_out(iter, reader, row)) != PDICT_OK)
            return status;
        until_ms = iter->chunk[0].until_ms;
    } while (map->lifetimes.idle_ms > 0 && until_ms != 0 &&
             pdict__expired(until_ms, pdict__handle_now(iter->d)));
    return PDICT_OK;
}

static int step(pdict_iter *iter, pdict_row *row)
{
    void *reader;
    int status;

    if ((status = pdict__hold_enter(&iter->hold, &reader)) != PDICT_OK)
        return status;
    status = next_of_cursor(iter, reader, row);
    pdict__hold_leave(&iter->hold);
    return status;
}

static int next_of_snapshot(pdict_iter *iter, pdict_row *row)
{
    int status = pdict__store_hold(iter->d->map->store);

    if (status != PDICT_OK)
        return status;
    status = step(iter, row);
    pdict__store_let_go();
    return status;
}

static int next_row(pdict_iter *iter, pdict_row *row)
{
    if (iter->walk)
        return pdict__txn_walk_next(iter->walk, next_stored, iter, row);
    if (iter->hold.lose)
        return next_of_snapshot(iter, row);
    return next_from_chunk(iter, row);
}

static int decode_row(pdict_iter *iter, const pdict_row *row, pdict_entry *out)
{
    struct binding binding = { row->key, row->version, row->expires_ms };
    pdict_slice value;
    int status;

    *out = (pdict_entry){ .key = row->key,
                          .version = row->version,
                          .created_ms = row->created_ms,
                          .expires_ms = row->expires_ms,
                          .stored_size = row->value.size };
    if (iter->scan.flags & PDICT_SCAN_NO_VALUES)
        return PDICT_OK;
    status = pdict__decode(iter->d->map->pipeline, iter->bench, &binding, row->value, NULL, &value);
    if (status == PDICT_OK && pdict__settings(iter->d->map)->descriptor.hides_names)
        out->key = pdict__bench_name(iter->bench);
    if (status == PDICT_OK && iter->has_values)
        out->value = value;
    return status;
}

static int next(pdict_iter *iter, pdict_entry *out)
{
    pdict_row row;
    int status;

    do {
        if ((status = next_row(iter, &row)) != PDICT_OK)
            return status;
    } while (row.expires_ms != 0 && pdict__expired(row.expires_ms, pdict__handle_now(iter->d)));
    return decode_row(iter, &row, out);
}

int pdict_iter_next(pdict_iter *iter, pdict_entry *out)
{
    int status;

    *out = (pdict_entry){ 0 };
    if (iter->is_limited && iter->left == 0)
        return PDICT_END;
    pdict__call_begin();
    status = next(iter, out);
    pdict__call_end();
    iter->left -= status == PDICT_OK && iter->is_limited;
    return status;
}
