/* SPDX-License-Identifier: MIT */
/* The keys that a transaction has come across: a hash table in memory over its snapshot. */
#include <stdlib.h>

#include "map/txn.h"

#define BUCKETS_FIRST 16

static const pdict_allocator *allocator_of(const struct txn_map *part)
{
    return &part->txn->store->allocator;
}

static uint64_t hash_of(const struct txn_map *part, pdict_slice key)
{
    return pdict__hash64(key.data, key.size, part->txn->seed);
}

static struct txn_row *find(const struct txn_map *part, pdict_slice key, uint64_t hash)
{
    struct txn_row *row = part->n_buckets ? part->buckets[hash % part->n_buckets] : NULL;

    while (row && (row->hash != hash || !pdict__slice_equal(row->key, key)))
        row = row->next;
    return row;
}

static void insert(struct txn_row **buckets, size_t n_buckets, struct txn_row *row)
{
    struct txn_row **bucket = &buckets[row->hash % n_buckets];

    row->next = *bucket;
    *bucket = row;
}

static int make_room(struct txn_map *part)
{
    size_t n_buckets = part->n_buckets ? part->n_buckets * 2 : BUCKETS_FIRST;
    struct txn_row **buckets;

    if (part->n_rows < part->n_buckets)
        return PDICT_OK;
    buckets = pdict__calloc(allocator_of(part), n_buckets, sizeof(struct txn_row *));
    if (!buckets)
        return PDICT_NOMEM;
    for (size_t i = 0; i < part->n_buckets; i++) {
        for (struct txn_row *row = part->buckets[i], *next; row; row = next) {
            next = row->next;
            insert(buckets, n_buckets, row);
        }
    }
    pdict__free(allocator_of(part), part->buckets);
    part->buckets = buckets;
    part->n_buckets = n_buckets;
    return PDICT_OK;
}

static struct txn_row *new_row(struct txn_map *part, pdict_slice key, uint64_t hash)
{
    struct txn_row *row;

    if (make_room(part) != PDICT_OK)
        return NULL;
    row = pdict__calloc(allocator_of(part), 1, sizeof(*row) + key.size);
    if (!row)
        return NULL;
    pdict__copy(row + 1, key.data, key.size);
    row->key = pdict_bytes(row + 1, key.size);
    row->hash = hash;
    insert(part->buckets, part->n_buckets, row);
    part->n_rows++;
    return row;
}

int pdict__txn_row(struct txn_map *part, pdict_slice key, struct txn_row **out, pdict_row *stored)
{
    uint64_t hash = hash_of(part, key);
    int64_t until_ms;
    int status;

    stored->version = 0;
    if ((*out = find(part, key, hash)) != NULL)
        return PDICT_OK;
    status = pdict__row_read(part->handle.map, part->txn->hold.reader, key, stored, &until_ms);
    if (status != PDICT_OK && status != PDICT_NOTFOUND)
        return status;
    if ((*out = new_row(part, key, hash)) == NULL)
        return PDICT_NOMEM;
    if (status == PDICT_OK)
        (*out)->base = (struct txn_state){ true, stored->version, stored->created_ms, until_ms };
    return PDICT_OK;
}

struct txn_row *pdict__txn_written(const struct txn_map *part, pdict_slice key)
{
    struct txn_row *row = part->n_written ? find(part, key, hash_of(part, key)) : NULL;

    return row && row->is_written ? row : NULL;
}

/* An expiry that has passed at the commit makes another answer of the same version. */
void pdict__txn_note_read(struct txn_map *part, struct txn_row *row)
{
    struct txn *txn = part->txn;
    bool is_live = pdict__txn_is_live(&row->base, pdict__handle_now(&part->handle));
    uint64_t version = is_live ? row->base.version : 0;

    if (row->is_read && row->seen_version != version)
        txn->is_doomed = true;
    row->is_read = true;
    row->seen_version = version;
}

void pdict__txn_rows_free(struct txn_map *part)
{
    const pdict_allocator *allocator = allocator_of(part);

    for (size_t i = 0; i < part->n_buckets; i++) {
        for (struct txn_row *row = part->buckets[i], *next; row; row = next) {
            next = row->next;
            pdict__free(allocator, row->record);
            pdict__free(allocator, row);
        }
    }
    pdict__free(allocator, part->buckets);
}

static int compare_places(const void *a, const void *b)
{
    const struct txn_row *x = *(struct txn_row *const *)a, *y = *(struct txn_row *const *)b;

    return (x->place > y->place) - (x->place < y->place);
}

int pdict__txn_written_rows(const struct txn_map *part, struct txn_row ***out)
{
    struct txn_row **rows = pdict__calloc(allocator_of(part), part->n_written, sizeof(*rows));
    size_t n = 0;

    *out = rows;
    if (!rows)
        return PDICT_NOMEM;
    for (size_t i = 0; n < part->n_written; i++) {
        for (struct txn_row *row = part->buckets[i]; row; row = row->next) {
            if (row->is_written)
                rows[n++] = row;
        }
    }
    qsort(rows, n, sizeof(struct txn_row *), compare_places);
    return PDICT_OK;
}
