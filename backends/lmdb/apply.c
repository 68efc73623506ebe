/* SPDX-License-Identifier: MIT */
/* Changes of rows, one at a time and in their order. */
#include "lmdb.h"

/* From here on sorting pays. */
#define BULK_MIN 64

/* What the file holds under a key. */
struct found {
    bool is_there;
    bool is_live; /* there, and not expired */
    uint64_t id;
    uint64_t version;
    int64_t created_ms, expires_ms;
    struct record_key at; /* of its record; while `is_there` */
};

static int find(struct work *work, pdict_slice key, struct found *found)
{
    MDB_val record, value;
    pdict_row row;
    int status;

    found->is_there = found->is_live = false;
    status = pdict__lmdb_find(work->view, ROWS, work->map, key, &found->at, &record, &value);
    if (status != PDICT_OK)
        return status == PDICT_NOTFOUND ? PDICT_OK : status;
    if ((status = pdict__lmdb_decode(work->view->store, &record, &value, &row)) != PDICT_OK)
        return status;
    found->is_there = true;
    found->is_live = row.expires_ms == 0 || row.expires_ms > work->now_ms;
    found->id = row.id;
    found->version = row.version;
    found->created_ms = row.created_ms;
    found->expires_ms = row.expires_ms;
    return PDICT_OK;
}

/* ---- the two indexes ---- */

void pdict__lmdb_order_key(struct record_key *out, uint32_t map, uint64_t id)
{
    put_be32(out->bytes, map);
    put_be64(out->bytes + 4, id);
    out->size = 12;
}

void pdict__lmdb_expiry_key(struct record_key *out, uint32_t map, int64_t expires_ms, uint64_t id)
{
    put_be32(out->bytes, map);
    put_be64(out->bytes + 4, sortable(expires_ms));
    put_be64(out->bytes + 12, id);
    out->size = 20;
}

static bool is_pending(const struct work *work, uint64_t id)
{
    return work->pending != NULL && id >= work->first_id;
}

static int order_add(struct work *work, uint64_t id, const struct record_key *at)
{
    struct record_key key;
    uint64_t n = id - work->first_id;

    if (is_pending(work, id)) {
        work->pending[n / 8] |= (unsigned char)(1u << n % 8);
        return PDICT_OK;
    }
    pdict__lmdb_order_key(&key, work->map, id);
    return pdict__lmdb_put(work->view, ORDER, &key, (pdict_slice){ at->bytes, at->size });
}

static int order_drop(struct work *work, uint64_t id)
{
    struct record_key key;
    uint64_t n = id - work->first_id;

    if (is_pending(work, id)) {
        work->pending[n / 8] &= (unsigned char)~(1u << n % 8);
        return PDICT_OK;
    }
    pdict__lmdb_order_key(&key, work->map, id);
    return pdict__lmdb_del(work->view, ORDER, &key);
}

/* No row will come under a reserved id. */
static int close_id(struct work *work, pdict_change *change)
{
    change->is_reserved = false;
    work->tally.open--;
    return pdict__lmdb_is_in_order(change->row.key) ? order_drop(work, change->row.id) : PDICT_OK;
}

static int expiry_add(struct work *work, int64_t expires_ms, uint64_t id)
{
    struct record_key key;

    if (expires_ms == 0)
        return PDICT_OK;
    pdict__lmdb_expiry_key(&key, work->map, expires_ms, id);
    return pdict__lmdb_put(work->view, EXPIRY, &key, (pdict_slice){ NULL, 0 });
}

static int expiry_drop(struct work *work, int64_t expires_ms, uint64_t id)
{
    struct record_key key;

    if (expires_ms == 0)
        return PDICT_OK;
    pdict__lmdb_expiry_key(&key, work->map, expires_ms, id);
    return pdict__lmdb_del(work->view, EXPIRY, &key);
}

/* ---- rows ---- */

static int write_row(struct work *work, const struct record_key *at, const pdict_row *row)
{
    bool is_long = (at->bytes[0] & 0x80) != 0;
    size_t key_size = is_long ? 4 + row->key.size : 0;
    unsigned char *room;
    int status;

    status =
        pdict__lmdb_put_room(work->view, ROWS, at, ROW_HEAD + key_size + row->value.size, &room);
    if (status != PDICT_OK)
        return status;
    put_be64(room, row->version);
    put_be64(room + 8, (uint64_t)row->created_ms);
    put_be64(room + 16, (uint64_t)row->expires_ms);
    put_be64(room + 24, row->id);
    if (is_long) {
        put_be32(room + ROW_HEAD, (uint32_t)row->key.size);
        memcpy(room + ROW_HEAD + 4, row->key.data, row->key.size);
    }
    if (row->value.size > 0)
        memcpy(room + ROW_HEAD + key_size, row->value.data, row->value.size);
    return PDICT_OK;
}

static int drop_indexes(struct work *work, const struct found *found)
{
    int status = order_drop(work, found->id);

    if (status == PDICT_OK)
        status = expiry_drop(work, found->expires_ms, found->id);
    if (status == PDICT_OK)
        status = pdict__lmdb_access_drop(work->view, work->map, found->id);
    if (status == PDICT_OK)
        work->tally.rows--;
    return status;
}

static int insert(struct work *work, pdict_change *change, struct found *found, uint64_t new_id)
{
    int status;

    if (change->is_reserved)
        new_id = change->row.id;
    change->row.id = new_id;
    if (found->is_there)
        status = drop_indexes(work, found);
    else
        status = pdict__lmdb_reach(work->view, ROWS, work->map, change->row.key, &found->at);
    if (status != PDICT_OK)
        return status;
    if ((status = write_row(work, &found->at, &change->row)) != PDICT_OK)
        return status;
    if (!change->is_reserved || !pdict__lmdb_is_in_order(change->row.key))
        status = order_add(work, new_id, &found->at);
    if (status != PDICT_OK)
        return status;
    if ((status = expiry_add(work, change->row.expires_ms, new_id)) != PDICT_OK)
        return status;
    work->tally.rows++;
    work->tally.open -= change->is_reserved;
    if (new_id > work->tally.last_id)
        work->tally.last_id = new_id;
    return PDICT_OK;
}

static int update(struct work *work, pdict_change *change, const struct found *found)
{
    int status;

    change->row.id = found->id;
    change->row.created_ms = found->created_ms;
    if ((status = write_row(work, &found->at, &change->row)) != PDICT_OK)
        return status;
    if (found->expires_ms == change->row.expires_ms)
        return PDICT_OK;
    if ((status = expiry_drop(work, found->expires_ms, found->id)) != PDICT_OK)
        return status;
    return expiry_add(work, change->row.expires_ms, found->id);
}

int pdict__lmdb_change(struct work *work, pdict_change *change, uint64_t new_id)
{
    struct found found;
    int status;

    if ((status = find(work, change->row.key, &found)) != PDICT_OK)
        return status;
    change->status = pdict_change_judge(change, found.is_live, found.version);
    if (change->is_reserved && (change->status != PDICT_OK || found.is_live) &&
        (status = close_id(work, change)) != PDICT_OK)
        return status;
    if (change->status != PDICT_OK)
        return PDICT_OK;
    if (change->kind == PDICT_CHANGE_PUT)
        return found.is_live ? update(work, change, &found) : insert(work, change, &found, new_id);
    if ((status = drop_indexes(work, &found)) != PDICT_OK)
        return status;
    return pdict__lmdb_remove(work->view, ROWS, work->map, change->row.key);
}

static int apply_in_order(struct work *work, pdict_change *changes, size_t count)
{
    int status = PDICT_OK;

    for (size_t i = 0; i < count && status == PDICT_OK; i++)
        status = pdict__lmdb_change(work, &changes[i], work->tally.last_id + 1);
    return status;
}

/* Core has sorted those whose ids it reserved. */
static bool is_sorted(const pdict_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (changes[i].is_reserved)
            return true;
    }
    return false;
}

/* Sizes that LMDB would refuse halfway. */
static int measure(const pdict_change *changes, size_t count, uint64_t *bytes)
{
    *bytes = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t size = (uint64_t)changes[i].row.key.size + changes[i].row.value.size;
        if (size > UINT32_MAX - ROW_HEAD - 4)
            return pdict_fail(PDICT_TOO_BIG,
                              "lmdb: a key and its value have %llu bytes together; LMDB keeps at "
                              "most 4294967295",
                              (unsigned long long)size);
        *bytes += size;
    }
    return PDICT_OK;
}

int pdict__lmdb_apply(void *self, void *txn, uint32_t map, pdict_change *changes, size_t count,
                      int64_t now_ms)
{
    struct work work = { .view = txn, .map = map, .now_ms = now_ms };
    struct tally stored;
    uint64_t bytes;
    int status;

    (void)self;
    if ((status = measure(changes, count, &bytes)) != PDICT_OK)
        return status;
    if ((status = pdict__lmdb_claim(txn, count, bytes)) != PDICT_OK)
        return status;
    if ((status = pdict__lmdb_tally(txn, map, &stored, &work.tally)) != PDICT_OK)
        return status;
    if (count < BULK_MIN || is_sorted(changes, count))
        status = apply_in_order(&work, changes, count);
    else
        status = pdict__lmdb_apply_bulk(&work, changes, count);
    if (status != PDICT_OK)
        return status;
    /* Unless every id since the stored tally still stands for a row, it must be stored anew. */
    if (work.tally.rows == stored.rows + (work.tally.last_id - stored.last_id) &&
        work.tally.open == stored.open)
        return PDICT_OK;
    return pdict__lmdb_write_tally(txn, map, &work.tally);
}
