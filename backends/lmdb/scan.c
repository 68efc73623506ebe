/* SPDX-License-Identifier: MIT */
/* Scans: rows in the order of their keys, ids or times, in either direction, between bounds. */
#include "lmdb.h"

#define BY_TIME (PDICT_SCAN_BY_EXPIRY | PDICT_SCAN_BY_ACCESS)

/* A bound of its own memory; data NULL: none. */
struct bound {
    unsigned char *data;
    size_t size, capacity;
};

struct cursor {
    struct view *view;
    uint32_t map;
    unsigned flags;
    struct bound from, to; /* by key; in a transaction what is still to come */
    uint64_t from_id, to_id;
    int64_t from_ms, to_ms; /* by time: from here and from_id on, up to here and to_id */
    struct walk walk;
    int64_t time_ms;   /* by time: of the row it stands on */
    MDB_cursor *order; /* by id and by time: on the table of that order */
    bool has_open_ids;
    bool is_placed, is_over;
    uint64_t changes; /* of the transaction, when the cursor was placed */
};

/* data NULL sets no bound; one byte more is set aside for narrow(). */
static int set_bound(struct cursor *c, struct bound *bound, pdict_slice key)
{
    const pdict_allocator *a = &c->view->store->allocator;

    if (bound->capacity < key.size + 1) {
        unsigned char *grown = a->reallocate(a->ctx, bound->data, key.size + 1);
        if (grown == NULL)
            return no_memory("a cursor");
        bound->data = grown;
        bound->capacity = key.size + 1;
    }
    if (key.size > 0)
        memcpy(bound->data, key.data, key.size);
    bound->size = key.size;
    return PDICT_OK;
}

static pdict_slice slice_of(const struct bound *bound)
{
    return (pdict_slice){ .data = bound->data, .size = bound->size };
}

static int compare(pdict_slice a, pdict_slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

void pdict__lmdb_scan_close(void *self, void *cursor)
{
    struct cursor *c = cursor;

    if (c == NULL)
        return;
    if (c->walk.view != NULL)
        pdict__lmdb_walk_close(&c->walk);
    if (c->order != NULL)
        mdb_cursor_close(c->order);
    release(self, c->from.data);
    release(self, c->to.data);
    release(self, c);
}

static int open_by_key(struct cursor *c, const pdict_scan *scan)
{
    int status = PDICT_OK;

    if (scan->from.data != NULL)
        status = set_bound(c, &c->from, scan->from);
    if (status == PDICT_OK && scan->to.data != NULL)
        status = set_bound(c, &c->to, scan->to);
    if (status != PDICT_OK)
        return status;
    return pdict__lmdb_walk_open(&c->walk, c->view, c->map, (c->flags & PDICT_SCAN_REVERSE) != 0);
}

static int open_order(struct cursor *c, enum table table)
{
    struct store *store = c->view->store;
    int rc = mdb_cursor_open(c->view->txn, store->tables[table], &c->order);

    if (rc == 0)
        return PDICT_OK;
    c->order = NULL;
    return pdict__lmdb_fail(store, rc);
}

static int open_by_id(struct cursor *c, const pdict_scan *scan)
{
    c->from_id = scan->from_id;
    c->to_id = scan->to_id != 0 ? scan->to_id : UINT64_MAX;
    return open_order(c, ORDER);
}

static int open_by_time(struct cursor *c, const pdict_scan *scan)
{
    c->from_ms = scan->from_ms;
    c->to_ms = scan->to_ms != 0 ? scan->to_ms : INT64_MAX;
    c->to_id = scan->to_ms != 0 ? 0 : UINT64_MAX;
    return open_order(c, EXPIRY);
}

static int open_in(struct cursor *c, const pdict_scan *scan)
{
    if (scan->flags & PDICT_SCAN_BY_KEY)
        return open_by_key(c, scan);
    return scan->flags & BY_TIME ? open_by_time(c, scan) : open_by_id(c, scan);
}

int pdict__lmdb_scan_open(void *self, void *txn, uint32_t map, const pdict_scan *scan,
                          void **cursor)
{
    struct cursor *c;
    struct tally tally;
    int status;

    if ((status = pdict__lmdb_catalogue(txn, map, &tally)) != PDICT_OK)
        return status;
    if ((c = allocate(self, sizeof(*c))) == NULL)
        return no_memory("a cursor");
    *c = (struct cursor){
        .view = txn, .map = map, .flags = scan->flags, .has_open_ids = tally.open > 0
    };
    if ((status = open_in(c, scan)) != PDICT_OK) {
        pdict__lmdb_scan_close(self, c);
        return status;
    }
    *cursor = c;
    return PDICT_OK;
}

/* In a transaction changes may move what the cursor stands on, so the bounds follow it and it is
 * placed anew after each change. The least key above another is that key and a zero byte. */
static int narrow(struct cursor *c, const pdict_row *row)
{
    int status;

    c->from_id = c->flags & PDICT_SCAN_REVERSE ? c->from_id : row->id + 1;
    c->to_id = c->flags & PDICT_SCAN_REVERSE ? row->id : c->to_id;
    c->from_ms = c->flags & PDICT_SCAN_REVERSE ? c->from_ms : c->time_ms;
    c->to_ms = c->flags & PDICT_SCAN_REVERSE ? c->time_ms : c->to_ms;
    if (!(c->flags & PDICT_SCAN_BY_KEY))
        return PDICT_OK;
    if (c->flags & PDICT_SCAN_REVERSE)
        return set_bound(c, &c->to, row->key);
    if ((status = set_bound(c, &c->from, row->key)) == PDICT_OK)
        c->from.data[c->from.size++] = '\0';
    return status;
}

/* ---- by key ---- */

static int next_by_key(struct cursor *c, bool is_first, pdict_row *row)
{
    bool is_reverse = (c->flags & PDICT_SCAN_REVERSE) != 0;
    const struct bound *start = is_reverse ? &c->to : &c->from;
    const struct bound *end = is_reverse ? &c->from : &c->to;
    MDB_val record, value;
    int order, status;

    if (is_first)
        status = pdict__lmdb_walk_seek(&c->walk, slice_of(start), &record, &value);
    else
        status = pdict__lmdb_walk_next(&c->walk, &record, &value);
    if (status != PDICT_OK)
        return status;
    if ((status = pdict__lmdb_decode(c->view->store, &record, &value, row)) != PDICT_OK)
        return status;
    if (end->data == NULL)
        return PDICT_OK;
    order = compare(row->key, slice_of(end));
    return (is_reverse ? order >= 0 : order < 0) ? PDICT_OK : PDICT_END;
}

/* ---- by id ---- */

/* On the first entry at or above `at`; in reverse on the last one below it. */
static int place(struct cursor *c, struct record_key *at, MDB_val *entry, MDB_val *record)
{
    bool is_reverse = (c->flags & PDICT_SCAN_REVERSE) != 0;
    int rc;

    *entry = (MDB_val){ at->size, at->bytes };
    rc = mdb_cursor_get(c->order, entry, record, MDB_SET_RANGE);
    if (is_reverse && (rc == 0 || rc == MDB_NOTFOUND))
        rc = mdb_cursor_get(c->order, entry, record, rc == 0 ? MDB_PREV : MDB_LAST);
    return rc;
}

static int step(struct cursor *c, MDB_val *entry, MDB_val *record)
{
    return mdb_cursor_get(c->order, entry, record,
                          c->flags & PDICT_SCAN_REVERSE ? MDB_PREV : MDB_NEXT);
}

static int row_at(struct cursor *c, uint64_t id, MDB_val *record, pdict_row *row)
{
    struct store *store = c->view->store;
    MDB_val value;
    int status;

    if (record->mv_size < 4 || record->mv_size >= KEY_MAX)
        return pdict__lmdb_damaged(store, "the order names a key that cannot be");
    status = pdict__lmdb_seek(c->view, ROWS, record, &value, MDB_SET_KEY);
    if (status == PDICT_NOTFOUND && !c->has_open_ids)
        return pdict__lmdb_damaged(store, "the order names a row that is not there");
    if (status == PDICT_OK)
        status = pdict__lmdb_decode(store, record, &value, row);
    if (status == PDICT_OK && row->id != id)
        return c->has_open_ids ? PDICT_NOTFOUND
                               : pdict__lmdb_damaged(store, "the order names another row");
    return status;
}

/* PDICT_NOTFOUND: there is no row with this id, which was only reserved. */
static int step_by_id(struct cursor *c, bool is_first, pdict_row *row)
{
    struct record_key at;
    MDB_val entry, record;
    uint64_t id;
    int rc;

    pdict__lmdb_order_key(&at, c->map, c->flags & PDICT_SCAN_REVERSE ? c->to_id : c->from_id);
    rc = is_first ? place(c, &at, &entry, &record) : step(c, &entry, &record);
    if (rc == MDB_NOTFOUND)
        return PDICT_END;
    if (rc != 0)
        return pdict__lmdb_fail(c->view->store, rc);
    if (entry.mv_size != 12)
        return pdict__lmdb_damaged(c->view->store, "an entry of the order is cut");
    id = get_be64((const unsigned char *)entry.mv_data + 4);
    if (get_be32(entry.mv_data) != c->map || id < c->from_id || id >= c->to_id)
        return PDICT_END;
    return row_at(c, id, &record, row);
}

static int next_by_id(struct cursor *c, bool is_first, pdict_row *row)
{
    int status = step_by_id(c, is_first, row);

    while (status == PDICT_NOTFOUND)
        status = step_by_id(c, false, row);
    return status;
}

/* ---- by time ---- */

static void time_key(const struct cursor *c, struct record_key *out, int64_t ms, uint64_t id)
{
    if (c->flags & PDICT_SCAN_BY_ACCESS)
        pdict__lmdb_access_key(out, c->map, ms, id);
    else
        pdict__lmdb_expiry_key(out, c->map, ms, id);
}

/* PDICT_END (expected) behind the bounds. */
static int entry_at(struct cursor *c, const MDB_val *entry, uint64_t *id)
{
    size_t lead = c->flags & PDICT_SCAN_BY_ACCESS ? 5 : 4;
    const unsigned char *bytes = entry->mv_data;
    struct record_key least, most;

    time_key(c, &least, c->from_ms, c->from_id);
    time_key(c, &most, c->to_ms, c->to_id);
    if (entry->mv_size < lead || memcmp(bytes, least.bytes, lead) != 0)
        return PDICT_END;
    if (entry->mv_size != least.size)
        return pdict__lmdb_damaged(c->view->store, "a time in an index is cut");
    if (memcmp(bytes, least.bytes, least.size) < 0 || memcmp(bytes, most.bytes, most.size) >= 0)
        return PDICT_END;
    *id = get_be64(bytes + least.size - 8);
    c->time_ms = (int64_t)(get_be64(bytes + least.size - 16) ^ UINT64_C(1) << 63);
    return PDICT_OK;
}

static int next_by_time(struct cursor *c, bool is_first, pdict_row *row)
{
    bool is_reverse = (c->flags & PDICT_SCAN_REVERSE) != 0;
    MDB_val entry, record, unused;
    struct record_key at;
    uint64_t id = 0;
    int rc, status;

    time_key(c, &at, is_reverse ? c->to_ms : c->from_ms, is_reverse ? c->to_id : c->from_id);
    rc = is_first ? place(c, &at, &entry, &unused) : step(c, &entry, &unused);
    if (rc == MDB_NOTFOUND)
        return PDICT_END;
    if (rc != 0)
        return pdict__lmdb_fail(c->view->store, rc);
    if ((status = entry_at(c, &entry, &id)) != PDICT_OK)
        return status;
    pdict__lmdb_order_key(&at, c->map, id);
    entry = (MDB_val){ at.size, at.bytes };
    status = pdict__lmdb_seek(c->view, ORDER, &entry, &record, MDB_SET);
    if (status == PDICT_OK)
        status = row_at(c, id, &record, row);
    if (status == PDICT_NOTFOUND)
        return pdict__lmdb_damaged(c->view->store, "a time in an index names no row");
    return status;
}

static int next_in(struct cursor *c, bool is_first, pdict_row *row)
{
    if (c->flags & PDICT_SCAN_BY_KEY)
        return next_by_key(c, is_first, row);
    return c->flags & BY_TIME ? next_by_time(c, is_first, row) : next_by_id(c, is_first, row);
}

int pdict__lmdb_scan_next(void *self, void *cursor, pdict_row *row)
{
    struct cursor *c = cursor;
    bool is_first = !c->is_placed || c->changes != c->view->changes;
    pdict_row found;
    int status;

    (void)self;
    if (c->is_over)
        return PDICT_END;
    c->is_placed = true;
    c->changes = c->view->changes;
    status = next_in(c, is_first, &found);
    if (status == PDICT_OK && c->view->is_writer)
        status = narrow(c, &found);
    if (status == PDICT_OK)
        *row = found;
    c->is_over = status == PDICT_END;
    return status;
}
