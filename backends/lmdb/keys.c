/* SPDX-License-Identifier: MIT */
/* Keys of any length in exact byte order, above an engine whose keys end at 511 bytes. */
#include "lmdb.h"

/*
 * A key is cut into parts. Each part is a record of a group, and the key of the record is the number
 * of the group followed by the part:
 *
 *   the last part    record of up to 510 bytes -> the row
 *   any other part   record of exactly 511 bytes -> be64, the group in which the key goes on
 *
 * The first group is the map, its number takes 4 bytes; the others have numbers of 8 bytes that grow
 * along a key. Of two keys of a group either one record sorts before the other, and then so do the
 * keys; or both go through the same record of 511 bytes, and then the next group decides. A record
 * that ends a key is shorter than one that continues it, so the two kinds cannot meet, and a key
 * sorts before the longer ones that begin with it. The last part may be empty.
 *
 * Few keys are longer than 506 bytes, and for those a lookup is one descent. Among long keys with a
 * common beginning that beginning is stored once in this tree; their rows repeat the whole key, so
 * that a scan needs no assembly.
 */

static size_t put_group(unsigned char *out, uint64_t group)
{
    if (group < GROUP_LONG) {
        put_be32(out, (uint32_t)group);
        return 4;
    }
    put_be64(out, group);
    return 8;
}

bool pdict__lmdb_record_key(struct record_key *out, uint64_t group, pdict_slice *rest)
{
    size_t head = put_group(out->bytes, group);
    bool is_last = rest->size < KEY_MAX - head;
    size_t part = is_last ? rest->size : KEY_MAX - head;

    if (part > 0) {
        memcpy(out->bytes + head, rest->data, part);
        rest->data = (const char *)rest->data + part;
        rest->size -= part;
    }
    out->size = head + part;
    return is_last;
}

void pdict__lmdb_group_start(struct record_key *out, uint64_t group)
{
    out->size = put_group(out->bytes, group);
}

bool pdict__lmdb_in_group(const MDB_val *record, uint64_t group)
{
    unsigned char head[8];
    size_t size = put_group(head, group);

    return record->mv_size >= size && memcmp(record->mv_data, head, size) == 0;
}

int pdict__lmdb_next_group(const struct store *store, const MDB_val *record, const MDB_val *value,
                           uint64_t *group)
{
    const unsigned char *key = record->mv_data;
    uint64_t from = key[0] & 0x80 ? get_be64(key) : 0;

    if (value->mv_size != 8 || get_be64(value->mv_data) < GROUP_LONG ||
        get_be64(value->mv_data) <= from)
        return pdict__lmdb_damaged(store, "a long key leads nowhere");
    *group = get_be64(value->mv_data);
    return PDICT_OK;
}

int pdict__lmdb_find(struct view *view, enum table table, uint64_t group, pdict_slice key,
                     struct record_key *key_out, MDB_val *record, MDB_val *value)
{
    for (;;) {
        bool is_last = pdict__lmdb_record_key(key_out, group, &key);
        int status;

        *record = (MDB_val){ key_out->size, key_out->bytes };
        status = pdict__lmdb_seek(view, table, record, value, MDB_SET_KEY);
        if (status != PDICT_OK || is_last)
            return status;
        status = pdict__lmdb_next_group(view->store, record, value, &group);
        if (status != PDICT_OK)
            return status;
    }
}

/* One above the highest number in use, which is above those of the groups on the way here. */
static int new_group(struct view *view, enum table table, uint64_t *group)
{
    MDB_val record, value;
    int status = pdict__lmdb_seek(view, table, &record, &value, MDB_LAST);

    *group = GROUP_LONG;
    if (status == PDICT_OK && *(unsigned char *)record.mv_data & 0x80)
        *group = get_be64(record.mv_data) + 1;
    return status == PDICT_NOTFOUND ? PDICT_OK : status;
}

/* The number must be in use before the next one is given: a group named by the last record only. */
static uint64_t above(uint64_t group, uint64_t parent)
{
    return group > parent || parent < GROUP_LONG ? group : parent + 1;
}

static int add_group(struct view *view, enum table table, const struct record_key *at,
                     uint64_t parent, uint64_t *group)
{
    unsigned char number[8];
    int status;

    if ((status = new_group(view, table, group)) != PDICT_OK)
        return status;
    *group = above(*group, parent);
    put_be64(number, *group);
    return pdict__lmdb_put(view, table, at, (pdict_slice){ number, sizeof(number) });
}

int pdict__lmdb_reach(struct view *view, enum table table, uint64_t group, pdict_slice key,
                      struct record_key *out)
{
    MDB_val record, value;
    int status;

    while (!pdict__lmdb_record_key(out, group, &key)) {
        uint64_t parent = group;
        record = (MDB_val){ out->size, out->bytes };
        status = pdict__lmdb_seek(view, table, &record, &value, MDB_SET_KEY);
        if (status == PDICT_NOTFOUND)
            status = add_group(view, table, out, parent, &group);
        else if (status == PDICT_OK)
            status = pdict__lmdb_next_group(view->store, &record, &value, &group);
        if (status != PDICT_OK)
            return status;
    }
    return PDICT_OK;
}

/* ---- removing ---- */

/* Position at the first record of a group. PDICT_NOTFOUND (expected): it is empty. */
static int first_record(struct view *view, enum table table, uint64_t group, MDB_val *record,
                        MDB_val *value)
{
    struct record_key start;
    int status;

    pdict__lmdb_group_start(&start, group);
    *record = (MDB_val){ start.size, start.bytes };
    status = pdict__lmdb_seek(view, table, record, value, MDB_SET_RANGE);
    if (status == PDICT_OK && !pdict__lmdb_in_group(record, group))
        status = PDICT_NOTFOUND;
    return status;
}

/* Does the group have a second record? */
static int is_shared(struct view *view, enum table table, uint64_t group, bool *answer)
{
    MDB_val record, value;
    int status = first_record(view, table, group, &record, &value);

    if (status == PDICT_OK)
        status = pdict__lmdb_seek(view, table, &record, &value, MDB_NEXT);
    *answer = status == PDICT_OK && pdict__lmdb_in_group(&record, group);
    return status == PDICT_NOTFOUND ? PDICT_OK : status;
}

/* The deepest group on the way that the key does not have to itself, and the key from there. */
static int find_cut(struct view *view, enum table table, uint64_t *group, pdict_slice *key)
{
    struct record_key at;
    pdict_slice rest = *key;
    MDB_val record, value;
    uint64_t next = *group;
    bool answer;
    int status = PDICT_OK;

    while (status == PDICT_OK && !pdict__lmdb_record_key(&at, next, &rest)) {
        record = (MDB_val){ at.size, at.bytes };
        if ((status = pdict__lmdb_seek(view, table, &record, &value, MDB_SET_KEY)) != PDICT_OK ||
            (status = pdict__lmdb_next_group(view->store, &record, &value, &next)) != PDICT_OK ||
            (status = is_shared(view, table, next, &answer)) != PDICT_OK)
            break;
        if (answer) {
            *group = next;
            *key = rest;
        }
    }
    return status;
}

int pdict__lmdb_remove(struct view *view, enum table table, uint64_t group, pdict_slice key)
{
    struct record_key at;
    MDB_val record, value;
    bool is_last = false;
    int status = find_cut(view, table, &group, &key);

    while (status == PDICT_OK && !is_last) {
        is_last = pdict__lmdb_record_key(&at, group, &key);
        record = (MDB_val){ at.size, at.bytes };
        status = pdict__lmdb_seek(view, table, &record, &value, MDB_SET_KEY);
        if (status == PDICT_OK && !is_last)
            status = pdict__lmdb_next_group(view->store, &record, &value, &group);
        if (status == PDICT_OK)
            status = pdict__lmdb_del_here(view, table);
    }
    return status == PDICT_NOTFOUND ? pdict__lmdb_damaged(view->store, "a long key leads nowhere")
                                    : status;
}

/* Delete the first record that can go: one that ends a key, or whose group is empty. */
static int clear_one(struct view *view, enum table table, uint64_t group)
{
    struct record_key at = { 0 };
    MDB_val record, value;
    bool has_parent = false;
    int status;

    for (;;) {
        status = first_record(view, table, group, &record, &value);
        if (status == PDICT_NOTFOUND && has_parent) {
            record = (MDB_val){ at.size, at.bytes };
            status = pdict__lmdb_seek(view, table, &record, &value, MDB_SET_KEY);
            return status == PDICT_OK ? pdict__lmdb_del_here(view, table) : status;
        }
        if (status != PDICT_OK)
            return status;
        if (record.mv_size != KEY_MAX)
            return pdict__lmdb_del_here(view, table);
        at.size = KEY_MAX;
        memcpy(at.bytes, record.mv_data, KEY_MAX);
        has_parent = true;
        if ((status = pdict__lmdb_next_group(view->store, &record, &value, &group)) != PDICT_OK)
            return status;
    }
}

int pdict__lmdb_clear(struct view *view, enum table table, uint64_t group)
{
    int status;

    do
        status = clear_one(view, table, group);
    while (status == PDICT_OK);
    return status == PDICT_NOTFOUND ? PDICT_OK : status;
}
