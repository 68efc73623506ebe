/* SPDX-License-Identifier: MIT */
/* Records out of one pipeline and into another, a batch at a time, on every processor. */
#include <pthread.h>
#include <unistd.h>

#include "upkeep/upkeep.h"

#define MOST_THREADS 4

/* The part of a batch that one thread does. */
struct share {
    const struct recoder *recoder;
    pdict_change *changes;
    size_t count;
    struct buf records;
    int status;
    char text[512]; /* of a failure: each thread has its own */
    pthread_t thread;
    bool is_running;
};

struct recoded {
    const pdict_allocator *allocator;
    struct share shares[MOST_THREADS];
    size_t count;
};

static int recode_one(struct share *share, struct workbench *from, struct workbench *to,
                      pdict_row *row)
{
    struct binding binding = { row->key, row->version, row->expires_ms };
    pdict_slice value, record;
    int status;

    status =
        pdict__decode(share->recoder->from->pipeline, from, &binding, row->value, NULL, &value);
    if (status == PDICT_OK)
        status = pdict__encode_named(share->recoder->to->pipeline, to, &binding,
                                     pdict__bench_name(from), value, &record);
    if (status != PDICT_OK)
        return status;
    row->value.size = record.size;
    return pdict__buf_append(&share->records, record.data, record.size);
}

static int recode_all(struct share *share, struct workbench *from, struct workbench *to)
{
    int status = from && to ? PDICT_OK : PDICT_NOMEM;

    for (size_t i = 0; status == PDICT_OK && i < share->count; i++) {
        if (share->changes[i].kind == PDICT_CHANGE_PUT)
            status = recode_one(share, from, to, &share->changes[i].row);
    }
    return status;
}

/* The bytes stand still only now. */
static void point(struct share *share)
{
    const uint8_t *at = share->records.data;

    for (size_t i = 0; i < share->count; i++) {
        pdict_slice *value = &share->changes[i].row.value;

        value->data = at;
        at += value->size;
    }
}

static void *run_share(void *ctx)
{
    struct share *share = ctx;
    struct pipeline *from_pipeline = share->recoder->from->pipeline;
    struct pipeline *to_pipeline = share->recoder->to->pipeline;
    struct workbench *from = pdict__bench_take(from_pipeline);
    struct workbench *to = pdict__bench_take(to_pipeline);

    share->status = recode_all(share, from, to);
    if (share->status == PDICT_OK)
        point(share);
    else
        memcpy(share->text, pdict_error_text(), strlen(pdict_error_text()) + 1);
    if (from)
        pdict__bench_give(from_pipeline, from);
    if (to)
        pdict__bench_give(to_pipeline, to);
    return NULL;
}

static size_t thread_count(size_t changes)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t count = processors > MOST_THREADS ? MOST_THREADS
                   : processors < 1          ? 1
                                             : (size_t)processors;

    return changes < count ? changes : count;
}

static void divide(const struct recoder *recoder, struct batch *batch, struct recoded *recoded)
{
    pdict_change *changes = pdict__batch_changes(batch);
    size_t done = 0;

    recoded->count = thread_count(batch->count);
    for (size_t i = 0; i < recoded->count; i++) {
        size_t end = batch->count * (i + 1) / recoded->count;

        recoded->shares[i] = (struct share){
            .recoder = recoder,
            .changes = changes + done,
            .count = end - done,
            .records.allocator = recoded->allocator,
        };
        done = end;
    }
}

/* Where no thread can be made, this one does the share. */
static void run_all(struct recoded *recoded)
{
    for (size_t i = 1; i < recoded->count; i++) {
        struct share *share = &recoded->shares[i];

        share->is_running = pthread_create(&share->thread, NULL, run_share, share) == 0;
    }
    for (size_t i = 0; i < recoded->count; i++) {
        if (!recoded->shares[i].is_running)
            run_share(&recoded->shares[i]);
    }
    for (size_t i = 0; i < recoded->count; i++) {
        if (recoded->shares[i].is_running)
            pthread_join(recoded->shares[i].thread, NULL);
    }
}

int pdict__recode_batch(const struct recoder *recoder, struct batch *batch, struct recoded **out)
{
    const pdict_allocator *allocator = &recoder->to->store->allocator;
    struct recoded *recoded = pdict__calloc(allocator, 1, sizeof(*recoded));

    if (!recoded)
        return PDICT_NOMEM;
    recoded->allocator = allocator;
    divide(recoder, batch, recoded);
    run_all(recoded);
    for (size_t i = 0; i < recoded->count; i++) {
        const struct share *share = &recoded->shares[i];
        int status = share->status;

        if (status != PDICT_OK) {
            pdict_fail(status, "%s", share->text);
            pdict__recoded_free(recoded);
            return status;
        }
    }
    *out = recoded;
    return PDICT_OK;
}

void pdict__recoded_free(struct recoded *recoded)
{
    if (!recoded)
        return;
    for (size_t i = 0; i < recoded->count; i++)
        pdict__buf_free(&recoded->shares[i].records);
    pdict__free(recoded->allocator, recoded);
}
