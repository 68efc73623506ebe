/* SPDX-License-Identifier: MIT */
/* Records on their way into a map: collected, then put at once. */
#ifndef PDICT_TOOLS_BATCH_H
#define PDICT_TOOLS_BATCH_H

#include "source.h"

/** Records that are put together. */
struct batch {
    pdict *d;       /**< borrowed */
    unsigned flags; /**< of pdict_put_options */
    int64_t ttl_ms; /**< 0: none; a record's own expiry comes first */
    uint64_t max_records;
    struct tool_buf bytes; /**< keys and values, one behind the other */
    pdict_pair *pairs;     /**< their sizes; the data is set when the batch is full */
    pdict_pair_times *times;
    size_t count;
    size_t capacity;
    int *statuses;
    bool is_begun;    /**< something was put, or tried to be */
    uint64_t stored;  /**< records put so far */
    uint64_t skipped; /**< present already, with PDICT_PUT_IF_ABSENT */
};

/** Bytes of keys and values after which a batch is put. */
#define BATCH_BYTES ((size_t)64 << 20)

/** Copies the record. */
int batch_add(struct batch *batch, const struct record *record);
int batch_put(struct batch *batch);
void batch_free(struct batch *batch);

#endif
