/* SPDX-License-Identifier: MIT */
/* Records on their way into the store when the settings of the map have changed: made anew. */
#include "map/map.h"
#include "value/pipeline.h"

const struct generation *pdict__generation_for(const pdict *d)
{
    return d->part ? pdict__txn_settings(d).generation
                   : pdict__pipeline_settings(d->map->pipeline).generation;
}

struct workbench *pdict__bench_for(const pdict *d)
{
    struct workbench *bench = pdict__bench_take(d->map->pipeline);

    if (bench && d->part)
        pdict__bench_keep_to(bench, pdict__txn_settings(d));
    return bench;
}

struct workbench *pdict__bench_of(const pdict *d, struct generation_ref settings)
{
    struct workbench *bench = pdict__bench_take(d->map->pipeline);

    if (bench)
        pdict__bench_keep_to(bench, settings);
    return bench;
}

/* The value of one serializer as that of the other. */
static int turn(struct pipeline *pipeline, const struct workbench *old, struct workbench *new,
                pdict_slice *value)
{
    const pdict_serializer *from = pdict__bench_settings(old).generation->serializer;
    const pdict_serializer *to = pdict__bench_settings(new).generation->serializer;

    return from == to ? PDICT_OK : pdict__turn(pipeline, new, from, to, *value, value);
}

static int reseal_one(struct pipeline *pipeline, struct workbench *old, struct workbench *new,
                      pdict_row *row, struct buf *records)
{
    struct binding binding = { row->key, row->version, row->expires_ms };
    pdict_slice value, record;
    int status = pdict__decode(pipeline, old, &binding, row->value, NULL, &value);

    if (status == PDICT_OK)
        status = turn(pipeline, old, new, &value);
    if (status == PDICT_OK)
        status =
            pdict__encode_named(pipeline, new, &binding, pdict__bench_name(old), value, &record);
    if (status != PDICT_OK)
        return status;
    row->value.size = record.size;
    return pdict__buf_append(records, record.data, record.size);
}

/* The bytes stand still only now. */
static void point(pdict_change *changes, size_t count, const uint8_t *at)
{
    for (size_t i = 0; i < count; i++) {
        if (changes[i].kind != PDICT_CHANGE_PUT)
            continue;
        changes[i].row.value.data = at;
        at += changes[i].row.value.size;
    }
}

int pdict__reseal(const pdict *d, pdict_change *changes, size_t count,
                  struct generation_ref *sealed, struct buf *records)
{
    struct pipeline *pipeline = d->map->pipeline;
    struct workbench *old = pdict__bench_take(pipeline), *new = pdict__bench_take(pipeline);
    struct buf made = { .allocator = records->allocator };
    int status = old && new ? PDICT_OK : PDICT_NOMEM;

    if (status == PDICT_OK)
        pdict__bench_keep_to(old, *sealed);
    for (size_t i = 0; status == PDICT_OK && i < count; i++) {
        if (changes[i].kind == PDICT_CHANGE_PUT)
            status = reseal_one(pipeline, old, new, &changes[i].row, &made);
    }
    if (status == PDICT_OK) {
        point(changes, count, made.data);
        *sealed = pdict__bench_settings(new);
        pdict__buf_free(records);
        *records = made;
    } else {
        pdict__buf_free(&made);
    }
    if (old)
        pdict__bench_give(pipeline, old);
    if (new)
        pdict__bench_give(pipeline, new);
    return status;
}
