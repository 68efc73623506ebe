/* SPDX-License-Identifier: MIT */
/* Many changes at once: keys in their order, so that neighbours meet on one page, and ids in theirs.
 */
#include "lmdb.h"

#include <stdlib.h>

/* The first bytes of a key decide most comparisons without touching it. */
struct sorted {
    uint64_t head;
    const pdict_change *change;
};

static uint64_t head_of(pdict_slice key)
{
    unsigned char bytes[8] = { 0 };

    if (key.size > 0)
        memcpy(bytes, key.data, key.size < sizeof(bytes) ? key.size : sizeof(bytes));
    return get_be64(bytes);
}

/* Equal keys stay in the order of the array. */
static int compare(const void *left, const void *right)
{
    const struct sorted *a = left, *b = right;
    pdict_slice one = a->change->row.key, two = b->change->row.key;
    size_t common = one.size < two.size ? one.size : two.size;
    int order;

    if (a->head != b->head)
        return a->head < b->head ? -1 : 1;
    order = common > 0 ? memcmp(one.data, two.data, common) : 0;
    if (order == 0)
        order = (one.size > two.size) - (one.size < two.size);
    return order != 0 ? order : (a->change > b->change) - (a->change < b->change);
}

static int apply_by_key(struct work *work, pdict_change *changes, size_t count,
                        struct sorted *sorted)
{
    int status = PDICT_OK;

    for (size_t i = 0; i < count; i++)
        sorted[i] = (struct sorted){ .head = head_of(changes[i].row.key), .change = &changes[i] };
    qsort(sorted, count, sizeof(*sorted), compare);
    for (size_t i = 0; i < count && status == PDICT_OK; i++) {
        size_t at = (size_t)(sorted[i].change - changes);
        /* The place in the array gives the id; those of changes that insert nothing are unused. */
        status = pdict__lmdb_change(work, &changes[at], work->first_id + at);
    }
    return status;
}

/* New ids go behind all others, unless a map with a higher number has rows. */
static int can_append(struct work *work, bool *answer)
{
    MDB_val entry, record;
    struct record_key first;
    int status = pdict__lmdb_seek(work->view, ORDER, &entry, &record, MDB_LAST);

    pdict__lmdb_order_key(&first, work->map, work->first_id);
    *answer = status == PDICT_NOTFOUND || (status == PDICT_OK && entry.mv_size == first.size &&
                                           memcmp(entry.mv_data, first.bytes, first.size) < 0);
    return status == PDICT_NOTFOUND ? PDICT_OK : status;
}

static int add_to_order(struct work *work, uint64_t id, pdict_slice key, unsigned flags)
{
    struct view *view = work->view;
    struct record_key at, place;
    MDB_val entry, record;
    MDB_cursor *cursor;
    int rc, status;

    pdict__lmdb_order_key(&place, work->map, id);
    if ((status = pdict__lmdb_reach(view, ROWS, work->map, key, &at)) != PDICT_OK)
        return status;
    if ((status = pdict__lmdb_cursor(view, ORDER, &cursor)) != PDICT_OK)
        return status;
    entry = (MDB_val){ place.size, place.bytes };
    record = (MDB_val){ at.size, at.bytes };
    view->changes++;
    rc = mdb_cursor_put(cursor, &entry, &record, flags);
    return rc == 0 ? PDICT_OK : pdict__lmdb_fail(view->store, rc);
}

static int apply_to_order(struct work *work, const pdict_change *changes, size_t count)
{
    bool is_append;
    int status = can_append(work, &is_append);

    for (size_t i = 0; i < count && status == PDICT_OK; i++) {
        if (work->pending[i / 8] & 1u << i % 8)
            status = add_to_order(work, work->first_id + i, changes[i].row.key,
                                  is_append ? MDB_APPEND : 0);
    }
    return status;
}

int pdict__lmdb_apply_bulk(struct work *work, pdict_change *changes, size_t count)
{
    const struct store *store = work->view->store;
    struct sorted *sorted = allocate(store, count * sizeof(*sorted));
    int status = PDICT_NOMEM;

    work->first_id = work->tally.last_id + 1;
    work->pending = allocate(store, count / 8 + 1);
    if (sorted == NULL || work->pending == NULL) {
        no_memory("sorting changes");
        goto done;
    }
    memset(work->pending, 0, count / 8 + 1);
    if ((status = apply_by_key(work, changes, count, sorted)) == PDICT_OK)
        status = apply_to_order(work, changes, count);
done:
    release(store, sorted);
    release(store, work->pending);
    work->pending = NULL;
    return status;
}

/* ---- ids ahead of their rows ---- */

/*
 * The order of a whole array is written at once, at its end, and the rows follow in the order of
 * keys, in transactions small enough for memory: so each page of either is written once. The other
 * way round a crash in between would leave rows that no iteration meets.
 */

bool pdict__lmdb_is_in_order(pdict_slice key)
{
    return key.size < KEY_MAX - 4; /* a longer one may need groups, which come with the row */
}

static int add_ids(struct work *work, pdict_change *changes, size_t count)
{
    bool is_append;
    int status = can_append(work, &is_append);

    for (size_t i = 0; i < count && status == PDICT_OK; i++) {
        pdict_change *change = &changes[i];
        if (change->kind != PDICT_CHANGE_PUT)
            continue;
        change->is_reserved = true;
        change->row.id = ++work->tally.last_id;
        work->tally.open++;
        if (pdict__lmdb_is_in_order(change->row.key))
            status =
                add_to_order(work, change->row.id, change->row.key, is_append ? MDB_APPEND : 0);
    }
    return status;
}

int pdict__lmdb_reserve_ids(void *self, void *txn, uint32_t map, pdict_change *changes,
                            size_t count)
{
    struct work work = { .view = txn, .map = map };
    struct tally stored;
    uint64_t bytes = 0;
    int status;

    (void)self;
    for (size_t i = 0; i < count; i++)
        bytes += changes[i].row.key.size;
    if ((status = pdict__lmdb_claim(txn, count, bytes)) != PDICT_OK)
        return status;
    if ((status = pdict__lmdb_tally(txn, map, &stored, &work.tally)) != PDICT_OK)
        return status;
    work.first_id = work.tally.last_id + 1;
    if ((status = add_ids(&work, changes, count)) != PDICT_OK)
        return status;
    return pdict__lmdb_write_tally(txn, map, &work.tally);
}
