/* SPDX-License-Identifier: MIT */
/* Access times: by row, and in their own order, in `expiry`; no value is rewritten for one. */
#include "lmdb.h"

/* Behind the group's number: which of the two a record is. */
enum {
    OF_ROW,
    IN_ORDER
};

static void row_key(struct record_key *out, uint32_t map, uint64_t id)
{
    put_be32(out->bytes, GROUP_ACCESS + map);
    out->bytes[4] = OF_ROW;
    put_be64(out->bytes + 5, id);
    out->size = 13;
}

void pdict__lmdb_access_key(struct record_key *out, uint32_t map, int64_t accessed_ms, uint64_t id)
{
    put_be32(out->bytes, GROUP_ACCESS + map);
    out->bytes[4] = IN_ORDER;
    put_be64(out->bytes + 5, sortable(accessed_ms));
    put_be64(out->bytes + 13, id);
    out->size = 21;
}

/* PDICT_NOTFOUND (expected): the row has none. */
static int find(struct view *view, uint32_t map, uint64_t id, int64_t *accessed_ms)
{
    struct record_key at;
    MDB_val key, value;
    int status;

    row_key(&at, map, id);
    key = (MDB_val){ at.size, at.bytes };
    if ((status = pdict__lmdb_seek(view, EXPIRY, &key, &value, MDB_SET)) != PDICT_OK)
        return status;
    if (value.mv_size != 8)
        return pdict__lmdb_damaged(view->store, "an access time is cut");
    *accessed_ms = (int64_t)get_be64(value.mv_data);
    return PDICT_OK;
}

int pdict__lmdb_access_get(void *self, void *txn, uint32_t map, uint64_t id, int64_t *accessed_ms)
{
    struct tally tally;
    int status = find(txn, map, id, accessed_ms);

    (void)self;
    if (status != PDICT_NOTFOUND)
        return status;
    status = pdict__lmdb_catalogue(txn, map, &tally);
    return status == PDICT_OK ? PDICT_NOTFOUND : status;
}

/* `old_ms` 0: there is none yet. */
static int replace(struct view *view, uint32_t map, int64_t old_ms, const pdict_access *access)
{
    unsigned char time[8];
    struct record_key at;
    int status = PDICT_OK;

    if (old_ms != 0) {
        pdict__lmdb_access_key(&at, map, old_ms, access->id);
        status = pdict__lmdb_del(view, EXPIRY, &at);
    }
    if (status != PDICT_OK)
        return status;
    row_key(&at, map, access->id);
    put_be64(time, (uint64_t)access->accessed_ms);
    if ((status = pdict__lmdb_put(view, EXPIRY, &at, (pdict_slice){ time, 8 })) != PDICT_OK)
        return status;
    pdict__lmdb_access_key(&at, map, access->accessed_ms, access->id);
    return pdict__lmdb_put(view, EXPIRY, &at, (pdict_slice){ NULL, 0 });
}

static int put_one(struct view *view, uint32_t map, const pdict_access *access)
{
    int64_t old_ms = 0;
    struct record_key at;
    MDB_val key, value;
    int status;

    pdict__lmdb_order_key(&at, map, access->id);
    key = (MDB_val){ at.size, at.bytes };
    if ((status = pdict__lmdb_seek(view, ORDER, &key, &value, MDB_SET)) != PDICT_OK)
        return status == PDICT_NOTFOUND ? PDICT_OK : status;
    status = find(view, map, access->id, &old_ms);
    if (status != PDICT_OK && status != PDICT_NOTFOUND)
        return status;
    return old_ms < access->accessed_ms ? replace(view, map, old_ms, access) : PDICT_OK;
}

int pdict__lmdb_access_put(void *self, void *txn, uint32_t map, const pdict_access *items,
                           size_t count)
{
    struct tally tally;
    int status;

    (void)self;
    if ((status = pdict__lmdb_claim(txn, count, 0)) != PDICT_OK)
        return status;
    if ((status = pdict__lmdb_catalogue(txn, map, &tally)) != PDICT_OK)
        return status;
    for (size_t i = 0; i < count && status == PDICT_OK; i++)
        status = put_one(txn, map, &items[i]);
    return status;
}

int pdict__lmdb_access_drop(struct view *view, uint32_t map, uint64_t id)
{
    struct record_key at;
    int64_t accessed_ms;
    int status = find(view, map, id, &accessed_ms);

    if (status != PDICT_OK)
        return status == PDICT_NOTFOUND ? PDICT_OK : status;
    if ((status = pdict__lmdb_del_here(view, EXPIRY)) != PDICT_OK)
        return status;
    pdict__lmdb_access_key(&at, map, accessed_ms, id);
    return pdict__lmdb_del(view, EXPIRY, &at);
}
