/* SPDX-License-Identifier: MIT */
/* What the calls of a map do on a transaction: its writes come before its snapshot. */
#include "map/txn.h"

/* ---- reading ---- */

int pdict__not_inside(const pdict *d, const char *call)
{
    if (!d->part)
        return PDICT_OK;
    return pdict_fail(
        PDICT_MISUSE,
        "%s() does not work inside a transaction; call it on the map, before or after", call);
}

struct generation_ref pdict__txn_settings(const pdict *d)
{
    return d->part->settings;
}

int pdict__txn_begin_read(const pdict *d, void **reader)
{
    int status = pdict__store_hold(d->map->store);

    if (status == PDICT_OK && (status = pdict__hold_enter(&d->part->txn->hold, reader)) != PDICT_OK)
        pdict__store_let_go();
    return status;
}

void pdict__txn_end_read(const pdict *d)
{
    pdict__hold_leave(&d->part->txn->hold);
    pdict__store_let_go();
}

static int get_written(const pdict *d, const struct txn_row *row, pdict_row *out)
{
    if (!pdict__txn_is_live(&row->now, pdict__handle_now(d)))
        return PDICT_NOTFOUND;
    *out = (pdict_row){ .key = row->key,
                        .value = { row->record, row->record_size },
                        .version = row->now.version,
                        .created_ms = row->now.created_ms,
                        .expires_ms = row->now.expires_ms };
    return PDICT_OK;
}

int pdict__txn_row_get(const pdict *d, pdict_slice key, pdict_row *out)
{
    struct store *store = d->map->store;
    struct txn_map *part = d->part;
    struct txn_row *row;
    int status = pdict__txn_row(part, key, &row, out);

    if (status != PDICT_OK)
        return status;
    if (row->is_written)
        return get_written(d, row, out);
    pdict__txn_note_read(part, row);
    if (row->seen_version == 0)
        return PDICT_NOTFOUND;
    if (out->version != 0)
        return PDICT_OK;
    return store->backend->get(store->engine, part->txn->hold.reader, d->map->number, key, out);
}

/* What was put or deleted may count differently than it did in the snapshot. */
static uint64_t count_with_writes(struct txn_map *part, uint64_t count)
{
    int64_t now_ms = pdict__handle_now(&part->handle);

    for (size_t i = 0; part->n_written > 0 && i < part->n_buckets; i++) {
        for (struct txn_row *row = part->buckets[i]; row; row = row->next) {
            if (!row->is_written)
                continue;
            pdict__txn_note_read(part, row);
            count += pdict__txn_is_live(&row->now, now_ms);
            count -= pdict__txn_is_live(&row->base, now_ms);
        }
    }
    return count;
}

int pdict__txn_count(const pdict *d, uint64_t *out)
{
    struct store *store = d->map->store;
    struct txn_map *part = d->part;
    uint64_t count;
    void *reader;
    int status;

    if ((status = pdict__txn_begin_read(d, &reader)) != PDICT_OK)
        return status;
    status = pdict__rows_count(store, reader, d->map->number, &d->map->lifetimes,
                               pdict__handle_now(d), &count);
    pdict__txn_end_read(d);
    if (status != PDICT_OK)
        return status;
    if (part->is_counted && part->count != count)
        part->txn->is_doomed = true;
    part->is_counted = true;
    part->count = count;
    *out = count_with_writes(part, count);
    return PDICT_OK;
}

int64_t pdict__txn_restored(const pdict *d, pdict_slice key)
{
    const struct txn_row *row = d->part ? pdict__txn_written(d->part, key) : NULL;

    return row ? row->accessed_ms : 0;
}

/* ---- writing ---- */

/* A change on its way into memory: all memory is had before the first is made. */
struct write {
    struct txn_row *row;
    uint8_t *record;
};

static int prepare_write(struct txn_map *part, const pdict_change *change, struct write *write)
{
    const pdict_slice *value = &change->row.value;
    pdict_row stored;
    int status = pdict__txn_row(part, change->row.key, &write->row, &stored);

    if (status != PDICT_OK || change->kind == PDICT_CHANGE_DEL)
        return status;
    write->record = pdict__alloc(&part->txn->store->allocator, value->size);
    if (!write->record)
        return PDICT_NOMEM;
    pdict__copy(write->record, value->data, value->size);
    return PDICT_OK;
}

static void put_row(struct txn_map *part, struct txn_row *row, const pdict_change *change,
                    bool is_live, int64_t now_ms)
{
    const struct txn_state *before = row->is_written ? &row->now : &row->base;
    int64_t created_ms = is_live                       ? before->created_ms
                         : change->row.created_ms != 0 ? change->row.created_ms
                                                       : now_ms;

    if (!is_live)
        row->place = ++part->txn->last_place;
    row->now = (struct txn_state){ true, change->row.version, created_ms, change->row.expires_ms };
    row->accessed_ms = change->accessed_ms;
    row->record_size = change->row.value.size;
}

static void drop_row(struct txn_row *row)
{
    row->is_dropped = row->is_dropped || row->place == 0;
    row->now = (struct txn_state){ .is_there = false };
    row->accessed_ms = 0;
    row->record_size = 0;
}

/* Cannot fail; the record is the row's from then on, if it is used. */
static void make_write(struct txn_map *part, pdict_change *change, struct write *write,
                       const struct generation_ref *sealed)
{
    int64_t now_ms = pdict__handle_now(&part->handle);
    struct txn_row *row = write->row;
    const struct txn_state *before = row->is_written ? &row->now : &row->base;
    bool is_live = pdict__txn_is_live(before, now_ms);

    if (!row->is_written && (change->condition != PDICT_IF_ANY || change->kind == PDICT_CHANGE_DEL))
        pdict__txn_note_read(part, row);
    change->status = pdict_change_judge(change, is_live, before->version);
    /* A put whose deadline had passed is a deletion, here of nothing. At the instant of the snapshot
     * the deadline may have been to come, so it is not then that the put has happened. */
    if (change->status == PDICT_NOTFOUND && change->kind == PDICT_CHANGE_DEL)
        part->must_hold = true;
    if (change->status != PDICT_OK)
        return;
    pdict__free(&part->txn->store->allocator, row->record);
    row->record = write->record;
    write->record = NULL;
    if (sealed)
        row->sealed = *sealed;
    if (change->kind == PDICT_CHANGE_PUT)
        put_row(part, row, change, is_live, now_ms);
    else
        drop_row(row);
    part->n_written += !row->is_written;
    row->is_written = true;
}

static int change_inside(const pdict *d, pdict_change *changes, size_t count,
                         const struct generation_ref *sealed)
{
    const pdict_allocator *allocator = &d->map->store->allocator;
    struct write *writes;
    int status = PDICT_OK;

    writes = pdict__calloc(allocator, count, sizeof(*writes));
    if (!writes)
        return PDICT_NOMEM;
    for (size_t i = 0; i < count && status == PDICT_OK; i++)
        status = prepare_write(d->part, &changes[i], &writes[i]);
    for (size_t i = 0; i < count && status == PDICT_OK; i++)
        make_write(d->part, &changes[i], &writes[i], sealed);
    for (size_t i = 0; i < count; i++)
        pdict__free(allocator, writes[i].record);
    pdict__free(allocator, writes);
    return status;
}

int pdict__txn_change(const pdict *d, pdict_change *changes, size_t count,
                      const struct generation_ref *sealed)
{
    void *reader;
    int status = pdict__txn_begin_read(d, &reader);

    if (status != PDICT_OK)
        return status;
    status = change_inside(d, changes, count, sealed);
    pdict__txn_end_read(d);
    return status;
}
