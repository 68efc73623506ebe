/* SPDX-License-Identifier: MIT */
/* Records on their way into a map: collected, then put at once. */
#include "batch.h"

#include <stdlib.h>

/* The bytes may have moved while they grew, so addresses are taken only when all are there. */
static void set_addresses(struct batch *batch)
{
    const unsigned char *at = batch->bytes.data;

    for (size_t i = 0; i < batch->count; i++) {
        batch->pairs[i].key.data = at;
        at += batch->pairs[i].key.size;
        batch->pairs[i].value.data = at;
        at += batch->pairs[i].value.size;
    }
}

/* Ordered, not full: one sync at the end of the load makes all of it durable. */
int batch_put(struct batch *batch)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    int status;

    if (batch->count == 0)
        return PDICT_OK;
    how.flags = batch->flags;
    how.durability = PDICT_COMMIT_ORDERED;
    how.times = batch->times;
    set_addresses(batch);
    batch->is_begun = true;
    status = pdict_put_many(batch->d, batch->pairs, batch->count, &how, batch->statuses);
    if (status != PDICT_OK)
        return status;
    for (size_t i = 0; i < batch->count; i++)
        batch->skipped += batch->statuses[i] == PDICT_EXISTS;
    batch->stored += batch->count;
    batch->count = 0;
    batch->bytes.size = 0;
    return PDICT_OK;
}

static void grow(struct batch *batch)
{
    batch->capacity = batch->capacity ? batch->capacity * 2 : 1024;
    batch->pairs = tool_alloc(batch->pairs, batch->capacity * sizeof *batch->pairs);
    batch->times = tool_alloc(batch->times, batch->capacity * sizeof *batch->times);
    batch->statuses = tool_alloc(batch->statuses, batch->capacity * sizeof *batch->statuses);
}

int batch_add(struct batch *batch, const struct record *record)
{
    pdict_slice key = record->key, value = record->value;
    bool is_full = batch->count == batch->max_records ||
                   batch->bytes.size + key.size + value.size > BATCH_BYTES;
    int status;

    if (batch->count > 0 && is_full) {
        if ((status = batch_put(batch)) != PDICT_OK)
            return status;
    }
    if (batch->count == batch->capacity)
        grow(batch);
    tool_buf_add(&batch->bytes, key.data, key.size);
    tool_buf_add(&batch->bytes, value.data, value.size);
    batch->times[batch->count] =
        (pdict_pair_times){ .ttl_ms = record->expires_ms ? 0 : batch->ttl_ms,
                            .expires_ms = record->expires_ms,
                            .created_ms = record->created_ms,
                            .accessed_ms = record->accessed_ms };
    batch->pairs[batch->count].key.size = key.size;
    batch->pairs[batch->count++].value.size = value.size;
    return PDICT_OK;
}

void batch_free(struct batch *batch)
{
    free(batch->bytes.data);
    free(batch->pairs);
    free(batch->times);
    free(batch->statuses);
}
