/* SPDX-License-Identifier: MIT */
/* The access times of a map, to the rows of the same keys in another. */
#include "upkeep/upkeep.h"

/* Of one transaction. */
#define PART_ROWS 500

struct part {
    const struct map_copy *copy;
    struct buf keys;
    size_t sizes[PART_ROWS];
    int64_t times_ms[PART_ROWS];
    size_t count;
};

/* The next times of the source, in their order. PDICT_END: these are the last. */
static int collect(struct part *part, void *cursor)
{
    const struct map_copy *copy = part->copy;
    struct store *from = copy->from;
    pdict_row row;
    int status = PDICT_OK;

    part->count = part->keys.size = 0;
    while (part->count < PART_ROWS &&
           (status = from->backend->scan_next(from->engine, cursor, &row)) == PDICT_OK) {
        part->sizes[part->count] = row.key.size;
        status = pdict__buf_append(&part->keys, row.key.data, row.key.size);
        if (status == PDICT_OK)
            status = from->backend->access_get(from->engine, copy->snapshot, copy->from_map, row.id,
                                               &part->times_ms[part->count]);
        if (status != PDICT_OK)
            return status;
        part->count++;
    }
    return status;
}

/* Rows that the target does not have had expired. */
static int put_inside(void *ctx, struct store *store, void *txn)
{
    const struct part *part = ctx;
    const uint8_t *key = part->keys.data;
    uint32_t map = part->copy->to_map;
    int status = PDICT_OK;

    for (size_t i = 0; i < part->count && status == PDICT_OK; key += part->sizes[i++]) {
        pdict_access access = { .accessed_ms = part->times_ms[i] };
        pdict_row row = { .id = 0 };

        status = store->backend->get(store->engine, txn, map, (pdict_slice){ key, part->sizes[i] },
                                     &row);
        access.id = row.id;
        if (status == PDICT_OK)
            status = store->backend->access_put(store->engine, txn, map, &access, 1);
        else if (status == PDICT_NOTFOUND)
            status = PDICT_OK;
    }
    return status;
}

static int put_part(struct part *part)
{
    struct commit commit = { .durability = PDICT_ORDERED,
                             .timeout_ms = part->copy->timeout_ms,
                             .work = put_inside,
                             .keeps_rows = true,
                             .ctx = part };

    return part->count > 0 ? pdict__commit(part->copy->to, &commit) : PDICT_OK;
}

static int copy_all(struct part *part, void *cursor)
{
    int status, collected;

    do {
        collected = collect(part, cursor);
        if (collected != PDICT_OK && collected != PDICT_END)
            return collected;
        if ((status = put_part(part)) != PDICT_OK)
            return status;
    } while (collected == PDICT_OK);
    return PDICT_OK;
}

int pdict__copy_access(const struct map_copy *copy)
{
    struct part part = { .copy = copy, .keys.allocator = &copy->to->allocator };
    pdict_scan scan = { .flags = PDICT_SCAN_BY_ACCESS | PDICT_SCAN_NO_VALUES };
    struct store *from = copy->from;
    void *cursor;
    int status;

    if (!pdict__stack_base(&from->stack)->access_get ||
        !pdict__stack_base(&copy->to->stack)->access_put)
        return PDICT_OK;
    status = from->backend->scan_open(from->engine, copy->snapshot, copy->from_map, &scan, &cursor);
    if (status != PDICT_OK)
        return status;
    status = copy_all(&part, cursor);
    from->backend->scan_close(from->engine, cursor);
    pdict__buf_free(&part.keys);
    return status;
}
