/* SPDX-License-Identifier: MIT */
/* Another deadline for an entry that is there: its record is sealed anew, its version stays. */
#include "map/map.h"

struct touch {
    const pdict *d;
    pdict_slice key;
    int64_t ttl_ms;     /* > 0: from the moment of the try */
    int64_t expires_ms; /* otherwise; 0: never */
    pdict_view *out;    /* NULL: the value is not wanted */
};

static int64_t deadline(const struct touch *touch)
{
    return touch->ttl_ms > 0 ? pdict__time_add(pdict__handle_now(touch->d), touch->ttl_ms)
                             : touch->expires_ms;
}

/* The record of the row with another expiry, borrowed from the bench. */
static int reseal(const struct touch *touch, struct workbench *bench, const pdict_row *row,
                  pdict_change *change)
{
    struct pipeline *pipeline = touch->d->map->pipeline;
    struct binding old = { touch->key, row->version, row->expires_ms };
    struct binding new = { touch->key, row->version, change->row.expires_ms };
    pdict_slice value;
    int status = pdict__decode(pipeline, bench, &old, row->value, NULL, &value);

    if (status != PDICT_OK)
        return status;
    return pdict__encode_named(pipeline, bench, &new, pdict__name_of(touch->d, touch->key), value,
                               &change->row.value);
}

/* From one snapshot: the change to be made, and the value if it is wanted. */
static int prepare(const struct touch *touch, struct workbench *bench, void *reader,
                   pdict_change *change)
{
    pdict_row row;
    int status;

    if ((status = pdict__row_get(touch->d, reader, touch->key, &row)) != PDICT_OK)
        return status;
    row.key = touch->key;
    change->if_version = change->row.version = row.version;
    if (touch->out && (status = pdict__view_fill(touch->d, bench, &row, touch->out)) != PDICT_OK)
        return status;
    if (touch->out)
        touch->out->expires_ms = change->row.expires_ms;
    return change->kind == PDICT_CHANGE_PUT ? reseal(touch, bench, &row, change) : PDICT_OK;
}

static int try_once(const struct touch *touch, struct workbench *bench)
{
    pdict_change change = { .kind = PDICT_CHANGE_PUT,
                            .condition = PDICT_IF_VERSION,
                            .row = { .key = touch->key, .expires_ms = deadline(touch) } };
    struct generation_ref sealed;
    void *reader;
    int status;

    if (change.row.expires_ms != 0)
        pdict__sweeper_start(touch->d->map->store);
    /* As with a put, a deadline that has passed deletes. */
    if (pdict__expired(change.row.expires_ms, pdict__handle_now(touch->d)))
        change.kind = PDICT_CHANGE_DEL;
    if ((status = pdict__begin_with(touch->d, &sealed, &reader)) != PDICT_OK)
        return status;
    pdict__bench_keep_to(bench, sealed);
    status = prepare(touch, bench, reader, &change);
    sealed = pdict__bench_settings(bench);
    pdict__end(touch->d, reader);
    if (status == PDICT_OK)
        status = pdict__change(touch->d, &change, 1, &sealed, 0, NULL);
    return status == PDICT_OK ? change.status : status;
}

/* A conflict means that somebody put the key meanwhile: their entry is touched then. */
static int run(struct touch *touch)
{
    struct pipeline *pipeline = touch->d->map->pipeline;
    struct hidden_key room;
    struct workbench *bench;
    int status = pdict__not_inside(touch->d, "touch");

    if (status != PDICT_OK)
        return status;
    if ((status = pdict__hide(touch->d, &touch->key, &room)) != PDICT_OK)
        return status;
    bench = pdict__bench_take(pipeline);
    status = bench ? PDICT_CONFLICT : PDICT_NOMEM;
    while (status == PDICT_CONFLICT) {
        status = try_once(touch, bench);
        if (touch->out && status != PDICT_OK)
            pdict_view_release(touch->out);
    }
    if (bench)
        pdict__bench_give(pipeline, bench);
    return status;
}

static int check_ttl(int64_t ttl_ms)
{
    if (ttl_ms > 0)
        return PDICT_OK;
    return pdict_fail(PDICT_INVAL,
                      "touch: a time to live is at least 1 ms; pdict_persist() lets an "
                      "entry stay for good");
}

int pdict_touch(pdict *d, pdict_slice key, int64_t ttl_ms)
{
    struct touch touch = { .d = d, .key = key, .ttl_ms = ttl_ms };
    int status = check_ttl(ttl_ms);

    return status == PDICT_OK ? run(&touch) : status;
}

int pdict_touch_until(pdict *d, pdict_slice key, int64_t expires_ms)
{
    struct touch touch = { .d = d, .key = key, .expires_ms = expires_ms };

    if (expires_ms <= 0)
        return pdict_fail(PDICT_INVAL, "touch: a deadline is a Unix time in milliseconds, above 0; "
                                       "pdict_persist() takes it away");
    return run(&touch);
}

int pdict_persist(pdict *d, pdict_slice key)
{
    struct touch touch = { .d = d, .key = key };

    return run(&touch);
}

int pdict_get_and_touch(pdict *d, pdict_slice key, int64_t ttl_ms, pdict_view *out)
{
    struct touch touch = { .d = d, .key = key, .ttl_ms = ttl_ms, .out = out };
    int status = check_ttl(ttl_ms);

    *out = (pdict_view){ 0 };
    return status == PDICT_OK ? run(&touch) : status;
}
