/* SPDX-License-Identifier: MIT */
/* Many changes at once: keys are entered in key order, and new rows are appended in id order. */
#include "sqlite.h"

#include <stdlib.h>

/* The key of one change, so that most comparisons need not follow a pointer. */
struct sort_entry {
    uint64_t lead; /* 8 bytes of the key behind what all keys share, the first one highest */
    pdict_change *change;
};

struct bulk {
    struct work *work;
    pdict_change *changes;
    size_t count;
    struct sort_entry *order; /* by key, then by place */
    bool *is_deferred;        /* by place: the key is entered, the row is not yet */
    size_t n_deferred;
    int64_t first_id; /* change number i takes first_id + i if it inserts */
};

static size_t shared_size(pdict_slice a, pdict_slice b, size_t limit)
{
    const unsigned char *x = a.data, *y = b.data;
    size_t size = 0;

    if (limit > a.size)
        limit = a.size;
    if (limit > b.size)
        limit = b.size;
    while (size < limit && x[size] == y[size])
        size++;
    return size;
}

static uint64_t lead_of(pdict_slice key, size_t skip)
{
    const unsigned char *bytes = key.data;
    uint64_t lead = 0;

    for (size_t i = 0; i < 8; i++)
        lead = lead << 8 | (skip + i < key.size ? bytes[skip + i] : 0u);
    return lead;
}

static void fill_order(struct bulk *bulk)
{
    size_t skip = bulk->changes[0].row.key.size;

    for (size_t i = 1; i < bulk->count && skip > 0; i++)
        skip = shared_size(bulk->changes[0].row.key, bulk->changes[i].row.key, skip);
    for (size_t i = 0; i < bulk->count; i++) {
        bulk->order[i].lead = lead_of(bulk->changes[i].row.key, skip);
        bulk->order[i].change = &bulk->changes[i];
    }
}

static int compare_keys(pdict_slice a, pdict_slice b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size > 0 ? memcmp(a.data, b.data, size) : 0;

    if (order != 0)
        return order;
    return (a.size > b.size) - (a.size < b.size);
}

static int compare(const void *left, const void *right)
{
    const struct sort_entry *a = left, *b = right;
    int order;

    if (a->lead != b->lead)
        return a->lead < b->lead ? -1 : 1;
    order = compare_keys(a->change->row.key, b->change->row.key);
    if (order != 0)
        return order;
    return (a->change > b->change) - (a->change < b->change);
}

static bool same_key(const struct sort_entry *a, const struct sort_entry *b)
{
    return a->lead == b->lead && compare_keys(a->change->row.key, b->change->row.key) == 0;
}

/* The only change of its key, and one that inserts if the key is absent. */
static bool is_simple(const struct bulk *bulk, size_t at)
{
    const struct sort_entry *entry = &bulk->order[at];

    return pdict__sqlite_may_be_new(entry->change) && (at == 0 || !same_key(entry - 1, entry)) &&
           (at + 1 == bulk->count || !same_key(entry, entry + 1));
}

/* ---- keys, in their order ---- */

struct keys {
    struct load load; /* first */
    struct bulk *bulk;
    size_t at; /* in the order */
};

static int64_t id_of(const struct bulk *bulk, const pdict_change *change)
{
    return bulk->first_id + (change - bulk->changes);
}

/* Those of changes that may insert. */
static void next_key(struct load *load)
{
    struct keys *keys = (struct keys *)load;
    struct bulk *bulk = keys->bulk;

    load->row = NULL;
    for (; keys->at < bulk->count && load->row == NULL; keys->at++) {
        const pdict_change *change = bulk->order[keys->at].change;

        if (!is_simple(bulk, keys->at))
            continue;
        load->row = &change->row;
        load->id = id_of(bulk, change);
        bulk->is_deferred[change - bulk->changes] = true;
        bulk->n_deferred++;
    }
}

/* Whose key was there before has kept another id. */
static int sort_out(struct bulk *bulk)
{
    int status = PDICT_OK;

    for (size_t i = 0; i < bulk->count && status == PDICT_OK; i++) {
        const pdict_change *change = bulk->order[i].change;
        size_t place = (size_t)(change - bulk->changes);
        int64_t id;

        if (!bulk->is_deferred[place])
            continue;
        status = pdict__sqlite_key_id(bulk->work, change->row.key, &id);
        if (id == id_of(bulk, change))
            continue;
        bulk->is_deferred[place] = false;
        bulk->n_deferred--;
    }
    return status;
}

static int enter_keys(struct bulk *bulk)
{
    struct keys keys = { .load.next = next_key, .bulk = bulk };
    size_t n_new;
    int status =
        pdict__sqlite_load(bulk->work->conn, bulk->work->map, SQL_KEYS_ADD, &keys.load, &n_new);

    return status == PDICT_OK && n_new != bulk->n_deferred ? sort_out(bulk) : status;
}

/* Changes of one key stay in their order, and those of different keys do not meet. */
static int change_others(struct bulk *bulk)
{
    int status = PDICT_OK;

    if (bulk->n_deferred == bulk->count)
        return PDICT_OK;
    /* All that may be new have been tried. */
    bulk->work->expects_new = false;
    for (size_t i = 0; i < bulk->count && status == PDICT_OK; i++) {
        pdict_change *change = bulk->order[i].change;

        if (!bulk->is_deferred[change - bulk->changes])
            status = pdict__sqlite_change(bulk->work, change, id_of(bulk, change));
    }
    return status;
}

/* ---- rows, in the order of ids ---- */

struct rows {
    struct load load; /* first */
    struct bulk *bulk;
    size_t at; /* in the changes */
};

static void next_row(struct load *load)
{
    struct rows *rows = (struct rows *)load;
    const struct bulk *bulk = rows->bulk;

    while (rows->at < bulk->count && !bulk->is_deferred[rows->at])
        rows->at++;
    load->row = NULL;
    if (rows->at == bulk->count)
        return;
    load->row = &bulk->changes[rows->at].row;
    load->id = bulk->first_id + (int64_t)rows->at++;
}

static void note_rows(struct bulk *bulk)
{
    struct tally *tally = &bulk->work->tally;

    for (size_t i = 0; i < bulk->count; i++) {
        pdict_change *change = &bulk->changes[i];

        if (!bulk->is_deferred[i])
            continue;
        change->status = PDICT_OK;
        change->row.id = (uint64_t)(bulk->first_id + (int64_t)i);
        tally->live++;
        if (tally->last_id < (int64_t)change->row.id)
            tally->last_id = (int64_t)change->row.id;
    }
}

static int append_rows(struct bulk *bulk)
{
    struct rows rows = { .load.next = next_row, .bulk = bulk };
    size_t count;
    int status =
        pdict__sqlite_load(bulk->work->conn, bulk->work->map, SQL_ROWS_ADD, &rows.load, &count);

    if (status == PDICT_OK)
        note_rows(bulk);
    return status;
}

int pdict__sqlite_apply_bulk(struct work *work, pdict_change *changes, size_t count)
{
    const pdict_allocator *allocator = &work->conn->store->allocator;
    struct bulk bulk = {
        .work = work, .changes = changes, .count = count, .first_id = work->tally.last_id + 1
    };
    int status;

    bulk.order = allocator->allocate(allocator->ctx, count * sizeof(*bulk.order));
    bulk.is_deferred = allocator->allocate(allocator->ctx, count * sizeof(*bulk.is_deferred));
    if (bulk.order == NULL || bulk.is_deferred == NULL) {
        status = no_memory("a large write");
        goto done;
    }
    memset(bulk.is_deferred, 0, count * sizeof(*bulk.is_deferred));
    fill_order(&bulk);
    qsort(bulk.order, count, sizeof(*bulk.order), compare);
    if ((status = enter_keys(&bulk)) == PDICT_OK && (status = change_others(&bulk)) == PDICT_OK)
        status = append_rows(&bulk);
done:
    allocator->release(allocator->ctx, bulk.is_deferred);
    allocator->release(allocator->ctx, bulk.order);
    return status;
}
