/* SPDX-License-Identifier: MIT */
/* The records of a transaction, when the settings of a map have changed since they were made. */
#include "map/txn.h"

typedef int (*row_fn)(struct txn_map *part, struct txn_row *row, void *ctx);

static int each_record(const struct txn *txn, row_fn fn, void *ctx)
{
    int status = PDICT_OK;

    for (struct txn_map *part = txn->maps; part; part = part->next) {
        for (size_t i = 0; part->n_written > 0 && i < part->n_buckets; i++) {
            for (struct txn_row *row = part->buckets[i]; row; row = row->next) {
                if (status == PDICT_OK && row->is_written && row->now.is_there)
                    status = fn(part, row, ctx);
            }
        }
    }
    return status;
}

static int find_oldest(struct txn_map *part, struct txn_row *row, void *ctx)
{
    uint64_t *oldest = ctx;

    (void)part;
    if (*oldest == 0 || row->sealed.number < *oldest)
        *oldest = row->sealed.number;
    return PDICT_OK;
}

uint64_t pdict__txn_oldest(const struct txn *txn)
{
    uint64_t oldest = 0;

    each_record(txn, find_oldest, &oldest);
    return oldest;
}

static int keep(struct txn_map *part, struct txn_row *row, const struct buf *records)
{
    const pdict_allocator *allocator = &part->txn->store->allocator;
    uint8_t *record = pdict__alloc(allocator, records->size);

    if (!record)
        return PDICT_NOMEM;
    pdict__copy(record, records->data, records->size);
    pdict__free(allocator, row->record);
    row->record = record;
    row->record_size = records->size;
    return PDICT_OK;
}

static int reseal_row(struct txn_map *part, struct txn_row *row, void *ctx)
{
    struct buf records = { .allocator = &part->txn->store->allocator };
    pdict_change change = { .kind = PDICT_CHANGE_PUT,
                            .row = { .key = row->key,
                                     .value = { row->record, row->record_size },
                                     .version = row->now.version,
                                     .expires_ms = row->now.expires_ms } };
    int status = pdict__reseal(&part->handle, &change, 1, &row->sealed, &records);

    (void)ctx;
    if (status == PDICT_OK)
        status = keep(part, row, &records);
    pdict__buf_free(&records);
    return status;
}

static int check_settings(const struct txn *txn)
{
    int status = PDICT_OK;

    for (const struct txn_map *part = txn->maps; part && status == PDICT_OK; part = part->next)
        status = pdict__settings_check(&part->handle);
    return status;
}

int pdict__txn_reseal(struct txn *txn)
{
    int status = check_settings(txn);

    return status == PDICT_OK ? each_record(txn, reseal_row, NULL) : status;
}
