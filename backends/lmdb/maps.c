/* SPDX-License-Identifier: MIT */
/* The catalogue of maps, and the SYSTEM space. */
#include "lmdb.h"

static pdict_slice number_slice(unsigned char bytes[4], uint32_t number)
{
    put_be32(bytes, number);
    return (pdict_slice){ .data = bytes, .size = 4 };
}

static pdict_slice slice_of(MDB_val value)
{
    return (pdict_slice){ .data = value.mv_data, .size = value.mv_size };
}

static int get(struct view *view, uint64_t group, pdict_slice name, MDB_val *value)
{
    struct record_key at;
    MDB_val record;

    return pdict__lmdb_find(view, SYSTEM, group, name, &at, &record, value);
}

static int put(struct view *view, uint64_t group, pdict_slice name, pdict_slice value)
{
    struct record_key at;
    int status = pdict__lmdb_reach(view, SYSTEM, group, name, &at);

    return status == PDICT_OK ? pdict__lmdb_put(view, SYSTEM, &at, value) : status;
}

/* ---- tallies ---- */

int pdict__lmdb_catalogue(struct view *view, uint32_t map, struct tally *tally)
{
    unsigned char number[4];
    MDB_val value;
    int status = get(view, GROUP_TALLIES, number_slice(number, map), &value);

    if (status == PDICT_NOTFOUND)
        return pdict__lmdb_no_map(view->store, map);
    if (status != PDICT_OK)
        return status;
    if (value.mv_size != TALLY_SIZE && value.mv_size != TALLY_OPEN_SIZE)
        return pdict__lmdb_damaged(view->store, "a tally is cut");
    tally->last_id = get_be64(value.mv_data);
    tally->rows = get_be64((const unsigned char *)value.mv_data + 8);
    tally->open = 0;
    if (value.mv_size == TALLY_OPEN_SIZE)
        tally->open = get_be64((const unsigned char *)value.mv_data + 16);
    return PDICT_OK;
}

int pdict__lmdb_write_tally(struct view *view, uint32_t map, const struct tally *tally)
{
    unsigned char number[4], value[TALLY_OPEN_SIZE];
    size_t size = tally->open > 0 ? TALLY_OPEN_SIZE : TALLY_SIZE;

    put_be64(value, tally->last_id);
    put_be64(value + 8, tally->rows);
    put_be64(value + 16, tally->open);
    return put(view, GROUP_TALLIES, number_slice(number, map), (pdict_slice){ value, size });
}

/* ---- maps ---- */

int pdict__lmdb_map_find(void *self, void *txn, pdict_slice name, uint32_t *map)
{
    MDB_val value;
    int status = get(txn, GROUP_NAMES, name, &value);

    if (status == PDICT_NOTFOUND)
        return PDICT_NO_MAP;
    if (status == PDICT_OK && value.mv_size != 4)
        return pdict__lmdb_damaged(self, "the catalogue is cut");
    if (status == PDICT_OK)
        *map = get_be32(value.mv_data);
    return status;
}

int pdict__lmdb_map_next(void *self, void *txn, uint32_t after, uint32_t *map, pdict_slice *name)
{
    struct record_key at;
    unsigned char number[4];
    pdict_slice first;
    MDB_val record, value;
    int status;

    if (after >= MAP_MAX)
        return PDICT_END;
    first = number_slice(number, after + 1);
    pdict__lmdb_record_key(&at, GROUP_NUMBERS, &first);
    record = (MDB_val){ at.size, at.bytes };
    status = pdict__lmdb_seek(txn, SYSTEM, &record, &value, MDB_SET_RANGE);
    if (status == PDICT_NOTFOUND ||
        (status == PDICT_OK && !pdict__lmdb_in_group(&record, GROUP_NUMBERS)))
        return PDICT_END;
    if (status == PDICT_OK && record.mv_size != 8)
        return pdict__lmdb_damaged(self, "the catalogue is cut");
    if (status != PDICT_OK)
        return status;
    *map = get_be32((const unsigned char *)record.mv_data + 4);
    *name = slice_of(value);
    return PDICT_OK;
}

/* The number after the last one given, which is kept although its map may be gone. */
static int take_number(struct view *view, uint32_t *map)
{
    unsigned char number[4];
    const pdict_slice nameless = { "", 0 };
    uint32_t last = 0;
    MDB_val value;
    int status = get(view, GROUP_COUNTER, nameless, &value);

    if (status == PDICT_OK && value.mv_size != 4)
        return pdict__lmdb_damaged(view->store, "the catalogue is cut");
    if (status == PDICT_OK)
        last = get_be32(value.mv_data);
    else if (status != PDICT_NOTFOUND)
        return status;
    if (last >= MAP_MAX)
        return pdict_fail(PDICT_FULL, "lmdb: all map numbers of %s were given; start a new store",
                          view->store->path);
    *map = last + 1;
    return put(view, GROUP_COUNTER, nameless, number_slice(number, *map));
}

int pdict__lmdb_map_create(void *self, void *txn, pdict_slice name, uint32_t *map)
{
    unsigned char number[4];
    MDB_val value;
    uint32_t given = 0;
    int status = get(txn, GROUP_NAMES, name, &value);

    (void)self;
    if (status != PDICT_NOTFOUND)
        return status == PDICT_OK ? PDICT_EXISTS : status;
    if ((status = take_number(txn, &given)) != PDICT_OK)
        return status;
    if ((status = put(txn, GROUP_NAMES, name, number_slice(number, given))) != PDICT_OK)
        return status;
    if ((status = put(txn, GROUP_NUMBERS, number_slice(number, given), name)) != PDICT_OK)
        return status;
    status = pdict__lmdb_write_tally(txn, given, &(struct tally){ .last_id = 0 });
    if (status == PDICT_OK)
        *map = given;
    return status;
}

/* The name is in the page, which the removal changes: it names the key once more before. */
static int remove_name(struct view *view, uint32_t map)
{
    const struct store *store = view->store;
    unsigned char number[4], *copy;
    MDB_val value;
    pdict_slice name;
    int status = get(view, GROUP_NUMBERS, number_slice(number, map), &value);

    if (status == PDICT_NOTFOUND)
        return pdict__lmdb_no_map(store, map);
    if (status != PDICT_OK)
        return status;
    if ((copy = allocate(store, value.mv_size + 1)) == NULL)
        return no_memory("a map's name");
    memcpy(copy, value.mv_data, value.mv_size);
    name = (pdict_slice){ .data = copy, .size = value.mv_size };
    status = pdict__lmdb_remove(view, SYSTEM, GROUP_NAMES, name);
    release(store, copy);
    return status;
}

int pdict__lmdb_map_rename(void *self, void *txn, uint32_t map, pdict_slice name)
{
    unsigned char number[4];
    struct tally tally;
    uint32_t owner = 0;
    int status;

    if ((status = pdict__lmdb_catalogue(txn, map, &tally)) != PDICT_OK)
        return status;
    status = pdict__lmdb_map_find(self, txn, name, &owner);
    if (status == PDICT_OK)
        return owner == map ? PDICT_OK : PDICT_EXISTS;
    if (status != PDICT_NO_MAP)
        return status;
    if ((status = remove_name(txn, map)) != PDICT_OK)
        return status;
    if ((status = put(txn, GROUP_NAMES, name, number_slice(number, map))) != PDICT_OK)
        return status;
    return put(txn, GROUP_NUMBERS, number_slice(number, map), name);
}

/* What a map has in each table lies together: its rows, long keys included, and its indexes. */
static int clear_tables(struct view *view, uint32_t map)
{
    int status = PDICT_OK;

    for (int table = 0; table < TABLE_COUNT && status == PDICT_OK; table++)
        status = pdict__lmdb_clear(view, (enum table)table, map);
    if (status == PDICT_OK)
        status = pdict__lmdb_clear(view, EXPIRY, GROUP_ACCESS + map);
    return status;
}

int pdict__lmdb_map_drop(void *self, void *txn, uint32_t map)
{
    unsigned char number[4];
    struct tally stored, tally;
    int status;

    (void)self;
    if ((status = pdict__lmdb_tally(txn, map, &stored, &tally)) != PDICT_OK)
        return status;
    if ((status = pdict__lmdb_claim(txn, tally.rows, 0)) != PDICT_OK)
        return status;
    if ((status = clear_tables(txn, map)) != PDICT_OK)
        return status;
    if ((status = remove_name(txn, map)) != PDICT_OK)
        return status;
    status = pdict__lmdb_remove(txn, SYSTEM, GROUP_NUMBERS, number_slice(number, map));
    if (status == PDICT_OK)
        status = pdict__lmdb_remove(txn, SYSTEM, GROUP_TALLIES, number_slice(number, map));
    return status;
}

/* ---- SYSTEM values ---- */

int pdict__lmdb_system_get(void *self, void *txn, uint32_t map, pdict_slice name,
                           pdict_slice *value)
{
    MDB_val found;
    int status = get(txn, map, name, &found);

    (void)self;
    if (status == PDICT_OK)
        *value = slice_of(found);
    return status;
}

int pdict__lmdb_system_put(void *self, void *txn, uint32_t map, pdict_slice name, pdict_slice value)
{
    struct tally tally;
    MDB_val found;
    int status;

    (void)self;
    if (map != 0 && (status = pdict__lmdb_catalogue(txn, map, &tally)) != PDICT_OK)
        return status;
    if (value.data != NULL) {
        status = pdict__lmdb_claim(txn, 1, name.size + value.size);
        return status == PDICT_OK ? put(txn, map, name, value) : status;
    }
    status = get(txn, map, name, &found);
    if (status == PDICT_NOTFOUND)
        return PDICT_OK;
    return status == PDICT_OK ? pdict__lmdb_remove(txn, SYSTEM, map, name) : status;
}
