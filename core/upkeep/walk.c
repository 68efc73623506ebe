/* SPDX-License-Identifier: MIT */
/* All rows that can be read, in the order of their ids, around those that cannot. */
#include "upkeep/upkeep.h"

/* So many ids are tried one by one behind a row that cannot be read; then ever larger steps are
 * taken, since a whole branch of the engine's tree may be gone. */
#define SINGLE_STEPS 4096

/* Rows between two times that the engine's memory of pages already passed is given back. */
#define TRIM_STEPS 65536

void pdict__walk_begin(struct walk *walk, struct store *store, void *txn, uint32_t map)
{
    *walk = (struct walk){ .store = store, .txn = txn, .map = map };
}

void pdict__walk_end(struct walk *walk)
{
    if (walk->cursor)
        walk->store->backend->scan_close(walk->store->engine, walk->cursor);
    walk->cursor = NULL;
}

static bool is_gap(int status)
{
    return status == PDICT_DAMAGED || status == PDICT_IO;
}

static int open_at(struct walk *walk, uint64_t id)
{
    pdict_scan scan = { .from_id = id };

    pdict__walk_end(walk);
    return walk->store->backend->scan_open(walk->store->engine, walk->txn, walk->map, &scan,
                                           &walk->cursor);
}

static int step(struct walk *walk, pdict_row *row)
{
    int status = PDICT_OK;

    if (!walk->cursor)
        status = open_at(walk, walk->next_id);
    if (status == PDICT_OK)
        status = walk->store->backend->scan_next(walk->store->engine, walk->cursor, row);
    return status;
}

/* Can the engine go on from `id`? */
static int try_at(struct walk *walk, uint64_t id)
{
    pdict_row row;
    int status = open_at(walk, id);

    if (status == PDICT_OK)
        status = walk->store->backend->scan_next(walk->store->engine, walk->cursor, &row);
    pdict__walk_end(walk);
    return status == PDICT_END ? PDICT_OK : status;
}

/* Set next_id to where reading goes on. */
static int pass_gap(struct walk *walk)
{
    uint64_t width = 1, id = walk->next_id;
    int status;

    walk->gap_from = id;
    for (unsigned tries = 1;; tries++) {
        if (id > INT64_MAX - width) {
            walk->next_id = INT64_MAX;
            break;
        }
        id += width;
        status = try_at(walk, id);
        if (status == PDICT_OK) {
            walk->next_id = id;
            break;
        }
        if (!is_gap(status))
            return status;
        if (tries > SINGLE_STEPS)
            width *= 2;
    }
    walk->gap_to = walk->next_id;
    return PDICT_OK;
}

int pdict__walk_next(struct walk *walk, pdict_row *row)
{
    const struct store *store = walk->store;
    int status, passed;

    if (walk->next_id >= INT64_MAX)
        return PDICT_END;
    if (++walk->steps % TRIM_STEPS == 0 && store->backend->trim)
        store->backend->trim(store->engine, walk->txn);
    status = step(walk, row);
    if (status == PDICT_OK) {
        /* A damaged tree may hold ids out of their order; the walk only ever goes forward. */
        if (row->id >= walk->next_id)
            walk->next_id = row->id + 1;
        return PDICT_OK;
    }
    /* The snapshot that named the map does not have it: nothing of it can be read. */
    if (status == PDICT_NO_MAP) {
        walk->gap_from = walk->next_id;
        walk->gap_to = walk->next_id = INT64_MAX;
        return PDICT_DAMAGED;
    }
    if (!is_gap(status))
        return status;
    passed = pass_gap(walk);
    return passed == PDICT_OK ? status : passed;
}
