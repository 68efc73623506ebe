/* SPDX-License-Identifier: MIT */
/* One key: get, put, del, contains, metadata, count. */
#include "base/calls.h"
#include "map/cached.h"

int pdict__row_read(const struct map *map, void *reader, pdict_slice key, pdict_row *row,
                    int64_t *until_ms)
{
    struct store *store = map->store;
    int status = store->backend->get(store->engine, reader, map->number, key, row);

    *until_ms = status == PDICT_OK ? row->expires_ms : 0;
    if (status != PDICT_OK || map->lifetimes.idle_ms == 0)
        return status;
    status = pdict__row_until(store, reader, map->number, &map->lifetimes, row, until_ms);
    /* That was the reader's next call, so the row is to be had again. */
    return status == PDICT_OK ? store->backend->get(store->engine, reader, map->number, key, row)
                              : status;
}

int pdict__row_get(const pdict *d, void *reader, pdict_slice key, pdict_row *row)
{
    int64_t until_ms;
    int status;

    if (d->part)
        return pdict__txn_row_get(d, key, row);
    status = pdict__row_read(d->map, reader, key, row, &until_ms);
    if (status == PDICT_OK && until_ms != 0 && pdict__expired(until_ms, pdict__handle_now(d)))
        return PDICT_NOTFOUND;
    return status;
}

void pdict__tell(struct store *store, struct telling *telling, int status)
{
    char text[512];

    if (telling->removals.size == 0)
        return;
    /* The functions may fail something themselves. */
    memcpy(text, pdict_error_text(), strlen(pdict_error_text()) + 1);
    pdict__listeners_tell(&store->listeners, telling);
    if (status != PDICT_OK)
        pdict_fail(status, "%s", text);
}

int pdict__commit(struct store *store, struct commit *commit)
{
    struct telling telling = { .removals.size = 0 };
    struct group group;
    int status = pdict__writer_commit(store, commit, &group);

    pdict__publish(store, &group);
    if (group.first)
        pdict__removals_take(store, &telling);
    pdict__writer_finish(store, &group);
    if (commit->is_held)
        commit->telling = telling;
    else
        pdict__tell(store, &telling, status);
    return status;
}

/* Asked before anything is read, which a poisoned store may not be able to any more. */
static int check_poison(const pdict *d)
{
    const struct store *store = d->map->store;

    return atomic_load(&store->is_poisoned) ? pdict__fail_poisoned(store) : PDICT_OK;
}

static int check_writable(const pdict *d)
{
    if (d->is_read_only)
        return pdict_fail(PDICT_READ_ONLY, "%s: this handle was opened with mode=ro",
                          d->map->store->path);
    return check_poison(d);
}

int pdict__commit_for(const pdict *d, struct commit *commit, unsigned durability)
{
    int status = check_writable(d);

    if (status == PDICT_OK)
        status = pdict__settings_check(d);
    commit->durability = durability ? (int)durability : d->durability;
    commit->sync_within_ms = d->sync_within_ms;
    commit->timeout_ms = d->timeout_ms;
    commit->delay_us = d->delay_us;
    return status == PDICT_OK ? pdict__commit(d->map->store, commit) : status;
}

/* The settings moved while the records were on their way. */
static int change_anew(const pdict *d, pdict_change *changes, size_t count,
                       struct generation_ref sealed, unsigned durability)
{
    struct buf records = { .allocator = &d->map->store->allocator };
    int status = COMMIT_STALE;

    while (status == COMMIT_STALE) {
        struct commit commit = { .map = d->map->number, .changes = changes, .count = count };

        if ((status = pdict__settings_check(d)) == PDICT_OK)
            status = pdict__reseal(d, changes, count, &sealed, &records);
        commit.generation = sealed.number;
        if (status == PDICT_OK)
            status = pdict__commit_for(d, &commit, durability);
    }
    pdict__buf_free(&records);
    return status;
}

int pdict__change(const pdict *d, pdict_change *changes, size_t count,
                  const struct generation_ref *sealed, unsigned durability, struct entry *prepared)
{
    struct commit commit = { .map = d->map->number,
                             .changes = changes,
                             .count = count,
                             .generation = sealed ? sealed->number : 0,
                             .prepared = prepared };
    int status;

    if (!d->part) {
        status = pdict__commit_for(d, &commit, durability);
        pdict__cache_discard(d, commit.prepared);
        if (status == COMMIT_STALE)
            status = change_anew(d, changes, count, *sealed, durability);
        if (status == PDICT_OK)
            pdict__use_puts(d, changes, count);
        return status;
    }
    status = check_writable(d);
    return status == PDICT_OK ? pdict__txn_change(d, changes, count, sealed) : status;
}

/* ---- reading ---- */

/* Show the caller a row; the value lies in the row itself, or in the bench. */
static int show(const pdict *d, struct workbench *bench, const pdict_row *row,
                pdict_reader_fn reader_fn, void *ctx)
{
    struct binding binding = { row->key, row->version, row->expires_ms };
    pdict_view view = { .version = row->version,
                        .created_ms = row->created_ms,
                        .expires_ms = row->expires_ms };
    pdict_slice value;
    int status;

    status = pdict__decode(d->map->pipeline, bench, &binding, row->value, NULL, &value);
    if (status != PDICT_OK)
        return status;
    view.data = value.data;
    view.size = value.size;
    return reader_fn(ctx, &view);
}

static int show_row(const pdict *d, pdict_slice key, pdict_reader_fn reader_fn, void *ctx)
{
    int64_t created_ms = 0;
    struct generation_ref settings;
    struct workbench *bench;
    bool is_there;
    void *reader;
    pdict_row row;
    int status;

    if ((status = pdict__begin_with(d, &settings, &reader)) != PDICT_OK)
        return status;
    status = pdict__row_get(d, reader, key, &row);
    is_there = status == PDICT_OK;
    if (is_there) {
        row.key = key;
        created_ms = row.created_ms;
        bench = pdict__bench_of(d, settings);
        status = bench ? show(d, bench, &row, reader_fn, ctx) : PDICT_NOMEM;
        if (bench)
            pdict__bench_give(d->map->pipeline, bench);
    }
    pdict__end(d, reader);
    if (is_there)
        pdict__use(d, key, created_ms);
    return status;
}

/* Do values lie in the store as they are? */
static bool is_plain(const pdict *d)
{
    const struct settings *settings = pdict__settings(d->map);

    return !settings->codecs.compressor.codec && !pdict__descriptor_cipher(&settings->descriptor);
}

int pdict_get_with(pdict *d, pdict_slice key, pdict_reader_fn reader_fn, void *ctx)
{
    struct hidden_key room;
    pdict_view view, shown;
    int status;

    if ((status = pdict__hide(d, &key, &room)) != PDICT_OK)
        return status;
    if (!d->cache || d->cache->is_sealed)
        return show_row(d, key, reader_fn, ctx);
    status = is_plain(d) ? pdict__get_hit(d, key, &view) : pdict__get_cached(d, key, &view);
    if (status == STATUS_UNKNOWN)
        return show_row(d, key, reader_fn, ctx);
    if (status != PDICT_OK)
        return status;
    shown = view;
    shown.pin = NULL;
    /* The reader is inside a call, also where nothing is read for it: see pdict_open() on forks. */
    pdict__call_begin();
    status = reader_fn(ctx, &shown);
    pdict__call_end();
    pdict_view_release(&view);
    return status;
}

int pdict_contains(pdict *d, pdict_slice key, bool *out)
{
    struct hidden_key room;
    void *reader;
    pdict_row row;
    int status;

    *out = false;
    if ((status = pdict__hide(d, &key, &room)) != PDICT_OK)
        return status;
    if (d->cache && pdict__peek_cached(d, key, out))
        return PDICT_OK;
    if ((status = pdict__begin(d, &reader)) != PDICT_OK)
        return status;
    status = pdict__row_get(d, reader, key, &row);
    pdict__end(d, reader);
    *out = status == PDICT_OK;
    return status == PDICT_NOTFOUND ? PDICT_OK : status;
}

static int meta_of(const pdict_row *row, pdict_meta *meta)
{
    struct record_header header;
    int status = pdict__record_header_read(row->value, &header);

    if (status != PDICT_OK)
        return status;
    meta->version = row->version;
    meta->created_ms = row->created_ms;
    meta->expires_ms = row->expires_ms;
    meta->value_size = header.plain_size;
    meta->stored_size = row->value.size;
    return PDICT_OK;
}

static int meta_give(pdict_meta *meta, pdict_meta *out)
{
    meta->struct_size = out->struct_size;
    memcpy(out, meta, out->struct_size < sizeof(*meta) ? out->struct_size : sizeof(*meta));
    return PDICT_OK;
}

int pdict_meta_get(pdict *d, pdict_slice key, pdict_meta *out)
{
    pdict_meta meta = PDICT_META_INIT;
    struct hidden_key room;
    void *reader;
    pdict_row row;
    int status;

    if (out->struct_size < sizeof(out->struct_size))
        return pdict_fail(PDICT_INVAL, "pdict_meta: set struct_size, see PDICT_META_INIT");
    if ((status = pdict__hide(d, &key, &room)) != PDICT_OK)
        return status;
    if ((status = pdict__begin(d, &reader)) != PDICT_OK)
        return status;
    status = pdict__row_get(d, reader, key, &row);
    if (status == PDICT_OK)
        status = meta_of(&row, &meta);
    if (status == PDICT_OK)
        status = pdict__last_used(d, reader, key, &row, &meta.accessed_ms);
    pdict__end(d, reader);
    return status == PDICT_OK ? meta_give(&meta, out) : status;
}

int pdict_count(pdict *d, uint64_t *out)
{
    int status;

    *out = 0;
    if (d->part)
        return pdict__txn_count(d, out);
    if ((status = pdict__settings_check(d)) != PDICT_OK)
        return status;
    return pdict__map_count(d->map, pdict__handle_now(d), out);
}

/* ---- writing ---- */

static int plan_condition(const pdict_put_options *how, struct put_plan *plan)
{
    plan->is_in_slices = (how->flags & PDICT_PUT_IN_SLICES) != 0;
    switch (how->flags & ~(unsigned)PDICT_PUT_IN_SLICES) {
    case 0:
        plan->condition = PDICT_IF_ANY;
        return PDICT_OK;
    case PDICT_PUT_IF_ABSENT:
        plan->condition = PDICT_IF_ABSENT;
        return PDICT_OK;
    case PDICT_PUT_IF_PRESENT:
        plan->condition = PDICT_IF_PRESENT;
        return PDICT_OK;
    case PDICT_PUT_IF_VERSION:
        plan->condition = PDICT_IF_VERSION;
        plan->if_version = how->if_version;
        return PDICT_OK;
    default:
        return pdict_fail(PDICT_INVAL,
                          "put: flags must hold at most one of the PDICT_PUT_IF_ flags");
    }
}

/* One that says nothing has the map's. */
static int64_t deadline_of(const pdict *d, const pdict_pair_times *times, int64_t now_ms)
{
    int64_t ttl_ms = times->ttl_ms;

    if (ttl_ms == 0 && times->expires_ms == 0)
        ttl_ms = d->map->lifetimes.ttl_ms;
    return ttl_ms > 0 ? pdict__time_add(now_ms, ttl_ms) : times->expires_ms;
}

int pdict__plan_times(const pdict *d, const pdict_pair_times *times, struct put_plan *plan)
{
    bool is_never = times->expires_ms == PDICT_NEVER;
    int64_t now_ms = pdict__handle_now(d);

    if (times->ttl_ms < 0 || (times->expires_ms < 0 && !is_never) ||
        (times->ttl_ms > 0 && times->expires_ms != 0))
        return pdict_fail(PDICT_INVAL, "put: give one of ttl_ms and expires_ms, and not below 0");
    if (times->created_ms < 0 || times->accessed_ms < 0)
        return pdict_fail(PDICT_INVAL,
                          "put: created_ms and accessed_ms are Unix times, not below 0");
    plan->expires_ms = is_never ? 0 : deadline_of(d, times, now_ms);
    plan->created_ms = times->created_ms;
    plan->accessed_ms = times->accessed_ms;
    if (plan->expires_ms != 0)
        pdict__sweeper_start(d->map->store);
    plan->kind = pdict__expired(plan->expires_ms, now_ms) ? PDICT_CHANGE_DEL : PDICT_CHANGE_PUT;
    return PDICT_OK;
}

int pdict__put_plan(const pdict *d, const pdict_put_options *how, struct put_plan *plan)
{
    pdict_put_options full = PDICT_PUT_OPTIONS_INIT;
    int status;

    *plan = (struct put_plan){ .kind = PDICT_CHANGE_PUT };
    if ((status = check_poison(d)) != PDICT_OK)
        return status;
    if (!how && d->map->lifetimes.ttl_ms == 0)
        return PDICT_OK;
    if (how && how->struct_size < sizeof(how->struct_size))
        return pdict_fail(PDICT_INVAL, "put: set struct_size, see PDICT_PUT_OPTIONS_INIT");
    if (how)
        memcpy(&full, how, how->struct_size < sizeof(full) ? how->struct_size : sizeof(full));
    if (full.durability > PDICT_COMMIT_UNSAFE)
        return pdict_fail(PDICT_INVAL, "put: %u is no durability", full.durability);
    plan->durability = full.durability;
    plan->version_out = full.version_out;
    plan->times = full.times;
    if ((status = plan_condition(&full, plan)) != PDICT_OK)
        return status;
    return pdict__plan_times(d,
                             &(pdict_pair_times){ .ttl_ms = full.ttl_ms,
                                                  .expires_ms = full.expires_ms,
                                                  .created_ms = full.created_ms },
                             plan);
}

static int put_record(const pdict *d, struct workbench *bench, const struct put_plan *plan,
                      pdict_slice value, pdict_change *change)
{
    struct binding binding = { change->row.key, change->row.version, change->row.expires_ms };
    struct generation_ref sealed = pdict__bench_settings(bench);
    int status;

    if (plan->kind == PDICT_CHANGE_PUT) {
        status = pdict__encode_named(d->map->pipeline, bench, &binding,
                                     pdict__name_of(d, change->row.key), value, &change->row.value);
        if (status != PDICT_OK)
            return status;
    }
    status = pdict__change(d, change, 1, &sealed, plan->durability,
                           pdict__cache_prepare(d, change, value));
    return status == PDICT_OK ? change->status : status;
}

/* A put whose expiry has passed deletes, and is fine when there was nothing to delete, unless it
 * asked for something to be there. */
int pdict__put_result(const struct put_plan *plan, int kind, int status)
{
    bool absent_is_fine = kind == PDICT_CHANGE_DEL &&
                          (plan->condition == PDICT_IF_ANY || plan->condition == PDICT_IF_ABSENT);

    return absent_is_fine && status == PDICT_NOTFOUND ? PDICT_OK : status;
}

int pdict_put(pdict *d, pdict_slice key, pdict_slice value, const pdict_put_options *how)
{
    pdict_change change = { .row.key = key };
    struct workbench *bench;
    struct hidden_key room;
    struct put_plan plan;
    int status;

    if ((status = pdict__put_plan(d, how, &plan)) != PDICT_OK)
        return status;
    if (plan.is_in_slices)
        return pdict_fail(PDICT_INVAL, "put: PDICT_PUT_IN_SLICES is for pdict_put_many");
    if (plan.times)
        return pdict_fail(PDICT_INVAL, "put: times must be NULL; they are for put_many");
    if ((status = pdict__hide(d, &change.row.key, &room)) != PDICT_OK)
        return status;
    if ((status = pdict__random_version(&change.row.version)) != PDICT_OK)
        return status;
    change.kind = plan.kind;
    change.condition = plan.condition;
    change.if_version = plan.if_version;
    change.row.expires_ms = plan.expires_ms;
    change.row.created_ms = plan.created_ms;
    if ((status = pdict__settings_check(d)) != PDICT_OK)
        return status;
    bench = pdict__bench_for(d);
    if (!bench)
        return PDICT_NOMEM;
    status = pdict__put_result(&plan, plan.kind, put_record(d, bench, &plan, value, &change));
    pdict__bench_give(d->map->pipeline, bench);
    if (status == PDICT_OK && plan.version_out)
        *plan.version_out = plan.kind == PDICT_CHANGE_PUT ? change.row.version : 0;
    if (status == PDICT_OK)
        pdict__train_if_due(d, value.size);
    return status;
}

int pdict_del(pdict *d, pdict_slice key)
{
    pdict_change change = { .kind = PDICT_CHANGE_DEL, .row.key = key };
    struct hidden_key room;
    int status;

    if ((status = pdict__hide(d, &change.row.key, &room)) != PDICT_OK)
        return status;
    status =
        pdict__change(d, &change, 1, NULL, 0, pdict__cache_prepare(d, &change, change.row.value));
    return status == PDICT_OK ? change.status : status;
}
