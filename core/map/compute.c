/* SPDX-License-Identifier: MIT */
/* pdict_get_or_compute(): one computation for all threads and processes that miss a key. */
#include <stdio.h>

#include "base/calls.h"
#include "map/compute.h"

uint64_t pdict__compute_hash(const struct map *map, pdict_slice stored_key)
{
    /* Multiples of an odd number are as many as the maps. */
    return pdict__hash_keyed(map->store->hash_secret, stored_key.data, stored_key.size) ^
           map->number * UINT64_C(0x9E3779B97F4A7C15);
}

/* ---- reading what was asked ---- */

static int read_how(struct computing *c, const pdict_compute_options *how)
{
    int64_t timeout_ms;

    c->how = (pdict_compute_options)PDICT_COMPUTE_OPTIONS_INIT;
    if (how && how->struct_size < sizeof(how->struct_size))
        return pdict_fail(PDICT_INVAL,
                          "get_or_compute: set struct_size, see PDICT_COMPUTE_OPTIONS_INIT");
    if (how)
        memcpy(&c->how, how, how->struct_size < sizeof(c->how) ? how->struct_size : sizeof(c->how));
    if (c->how.durability > PDICT_COMMIT_UNSAFE)
        return pdict_fail(PDICT_INVAL, "get_or_compute: %u is no durability", c->how.durability);
    if (c->how.ttl_ms < 0 || c->how.timeout_ms < 0 || c->how.absent_ttl_ms < 0)
        return pdict_fail(PDICT_INVAL, "get_or_compute: times are 0 or more");
    if (!(c->how.early >= 0))
        return pdict_fail(PDICT_INVAL, "get_or_compute: early is 0 or more");
    timeout_ms = c->how.timeout_ms ? c->how.timeout_ms : c->d->timeout_ms;
    c->deadline_ms = pdict__time_add(pdict__steady_ms(), timeout_ms);
    c->stale_ms = c->how.stale_ms ? c->how.stale_ms : c->d->stale_ok_ms;
    return pdict__not_inside(c->d, "pdict_get_or_compute");
}

/* ---- computing ---- */

static int fail_busy(const struct computing *c)
{
    return pdict_fail(PDICT_BUSY,
                      "%s: somebody else was still computing the value when the timeout passed; "
                      "try again or raise timeout_ms",
                      c->d->map->store->path);
}

static int fail_own(const struct computing *c)
{
    return pdict_fail(PDICT_MISUSE,
                      "%s: the function that computes a value asked for the same key; let it "
                      "compute the value without",
                      c->d->map->store->path);
}

static int fail_read_only(const struct computing *c)
{
    return pdict_fail(PDICT_READ_ONLY,
                      "%s: the value would have to be computed, and this handle was opened with "
                      "mode=ro",
                      c->d->map->store->path);
}

static int call(struct computing *c, pdict_computed *computed)
{
    int64_t began_ms = pdict__steady_ms(), cost_ms;
    int status;

    *computed = (pdict_computed){ .ttl_ms = c->how.ttl_ms };
    if (computed->ttl_ms == 0)
        computed->ttl_ms = c->d->map->lifetimes.ttl_ms;
    pdict__callback_begin();
    status = c->fn(c->ctx, c->having == HAVE_NOTHING ? NULL : &c->old, computed);
    pdict__callback_end();
    if (status == PDICT_END)
        return pdict_fail(PDICT_INVAL, "get_or_compute: the function returned PDICT_END, which "
                                       "says nothing here; let it return PDICT_NOTFOUND");
    if (status != PDICT_OK)
        return status;
    if (computed->ttl_ms < 0)
        return pdict_fail(PDICT_INVAL, "get_or_compute: a computed ttl_ms is 0 or more");
    cost_ms = pdict__steady_ms() - began_ms;
    pdict__remember(c->d->map->store, MEMO_COST_MS, c->hash, cost_ms > 0 ? (uint64_t)cost_ms : 1);
    return PDICT_OK;
}

/* ---- what came of it ---- */

static bool is_old_alive(const struct computing *c)
{
    return c->having == HAVE_LIVE && !pdict__expired(c->old.expires_ms, pdict__handle_now(c->d));
}

/* What somebody put meanwhile stays. `out` gets the version and times of the new entry. */
static int put_over(struct computing *c, const pdict_computed *computed, bool is_old_there,
                    pdict_view *out)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    int64_t now_ms = pdict__handle_now(c->d);

    out->created_ms = is_old_there ? c->old.created_ms : now_ms;
    out->expires_ms = computed->ttl_ms > 0 ? pdict__time_add(now_ms, computed->ttl_ms) : 0;
    how.flags = is_old_there ? PDICT_PUT_IF_VERSION : PDICT_PUT_IF_ABSENT;
    how.if_version = c->old.version;
    how.durability = c->how.durability;
    how.created_ms = out->created_ms;
    how.expires_ms = computed->ttl_ms > 0 ? out->expires_ms : PDICT_NEVER;
    how.version_out = &out->version;
    return pdict_put(c->d, c->key, computed->value, &how);
}

/* The view is had first: once the value is put nothing can fail. PDICT_END (expected): somebody
 * else has changed the entry. */
static int put(struct computing *c, const pdict_computed *computed, pdict_view *out)
{
    int status = pdict__shared_view(c->d->map, computed->value, &(pdict_view){ 0 }, out);

    if (status != PDICT_OK)
        return status;
    status = put_over(c, computed, is_old_alive(c), out);
    /* Absent since it expired on the way here, or since somebody deleted it? */
    if (status == PDICT_NOTFOUND && !is_old_alive(c))
        status = put_over(c, computed, false, out);
    if (status != PDICT_OK)
        pdict_view_release(out);
    if (status == PDICT_EXISTS || status == PDICT_CONFLICT || status == PDICT_NOTFOUND)
        return PDICT_END;
    if (status == PDICT_OK) {
        pdict__remember(c->d->map->store, MEMO_ABSENT_UNTIL, c->hash, 0);
        c->source = PDICT_SOURCE_COMPUTED;
    }
    return status;
}

/* The old row, be it expired: at the beginning of time nothing was. */
static int drop_inside(void *ctx, struct store *store, void *txn)
{
    const struct computing *c = ctx;
    pdict_change change = { .kind = PDICT_CHANGE_DEL,
                            .condition = PDICT_IF_VERSION,
                            .if_version = c->old.version,
                            .row.key = c->stored_key };

    return pdict__rows_apply(store, txn, c->d->map->number, &change, 1, INT64_MIN);
}

static int note_absence(struct computing *c)
{
    struct commit commit = { .work = drop_inside, .ctx = c };
    int status = PDICT_OK;

    if (c->how.absent_ttl_ms > 0)
        pdict__remember(c->d->map->store, MEMO_ABSENT_UNTIL, c->hash,
                        (uint64_t)pdict__time_add(pdict__handle_now(c->d), c->how.absent_ttl_ms));
    if (c->having != HAVE_NOTHING)
        status = pdict__commit_for(c->d, &commit, c->how.durability);
    pdict__old_forget(c);
    return status == PDICT_OK ? PDICT_NOTFOUND : status;
}

/* With the lease: has somebody else done it meanwhile? */
static int look_again(struct computing *c, bool *is_done, pdict_view *out)
{
    uint64_t version = c->having == HAVE_LIVE ? c->old.version : 0;
    int status = pdict__old_look(c);

    *is_done = status != PDICT_OK || (c->having == HAVE_LIVE && c->old.version != version) ||
               pdict__known_absent(c);
    if (!*is_done || status != PDICT_OK)
        return status;
    if (c->having != HAVE_LIVE) {
        pdict__old_forget(c);
        return PDICT_NOTFOUND;
    }
    c->source = PDICT_SOURCE_AWAITED;
    return pdict__shared_view(c->d->map, pdict_bytes(c->old.data, c->old.size), &c->old, out);
}

static void next_phase(struct computing *c)
{
    pdict__flight_next_phase(&c->d->map->flights, c->flight);
}

static int compute(struct computing *c, pdict_view *out)
{
    pdict_computed computed;
    bool is_done;
    int status;

    next_phase(c);
    status = look_again(c, &is_done, out);
    if (is_done)
        return status;
    status = call(c, &computed);
    next_phase(c);
    if (status == PDICT_OK)
        return put(c, &computed, out);
    return status == PDICT_NOTFOUND ? note_absence(c) : status;
}

/* ---- who computes ---- */

static void land(struct computing *c, int status, const pdict_view *view)
{
    struct landing landing = { .status = status };

    landing.is_void = status == PDICT_END || status == PDICT_CANCELLED || status == PDICT_BUSY;
    if (status == PDICT_OK)
        landing.view = *view;
    else
        snprintf(landing.text, sizeof(landing.text), "%s", pdict_error_text());
    pdict__flight_land(&c->d->map->flights, c->flight, &landing);
}

/* An old value is better than none. */
static int recover(struct computing *c, int status, pdict_view *out)
{
    struct store *store = c->d->map->store;

    if (status == PDICT_OK || status == PDICT_NOTFOUND || status == PDICT_END ||
        c->having == HAVE_NOTHING)
        return status;
    pdict__log(&store->logger, PDICT_LOG_WARN, "compute", status,
               "a value could not be refreshed: %s", pdict_error_text());
    return pdict__old_give(c, out);
}

static int lead(struct computing *c, pdict_view *out)
{
    struct store *store = c->d->map->store;
    int64_t deadline_ms = c->having == HAVE_NOTHING ? c->deadline_ms : INT64_MIN;
    int status = pdict__lease_take(store, c->hash, deadline_ms);

    if (status == PDICT_BUSY) {
        land(c, status, out);
        return c->having == HAVE_NOTHING ? fail_busy(c) : pdict__old_give(c, out);
    }
    if (status == PDICT_OK) {
        status = compute(c, out);
        pdict__lease_give(store, c->hash);
    }
    land(c, status, out);
    return recover(c, status, out);
}

static int take_landing(struct computing *c, const struct landing *landing, pdict_view *out)
{
    if (landing->is_void)
        return PDICT_END;
    *out = landing->view;
    c->source = PDICT_SOURCE_AWAITED;
    if (landing->status == PDICT_OK || landing->status == PDICT_NOTFOUND)
        return landing->status;
    return pdict_fail(landing->status, "%s", landing->text);
}

static int lead_or_wait(struct computing *c, pdict_view *out)
{
    int64_t deadline_ms = c->having == HAVE_NOTHING ? c->deadline_ms : INT64_MIN;
    struct landing landing;

    switch (pdict__flight_join(&c->d->map->flights, c->hash, c->key, deadline_ms, &c->flight,
                               &landing)) {
    case FLIGHT_LEADS:
        return lead(c, out);
    case FLIGHT_LANDED:
        return take_landing(c, &landing, out);
    case FLIGHT_TAKEN:
        return pdict__old_give(c, out);
    case FLIGHT_LATE:
        return fail_busy(c);
    case FLIGHT_OWN:
        return fail_own(c);
    default:
        return PDICT_NOMEM;
    }
}

/* ---- a try ---- */

/* *is_over: the status and *out are what the call returns. */
static int look_first(struct computing *c, bool *is_over, pdict_view *out)
{
    bool is_early = false;
    int status;

    pdict__old_forget(c);
    status = pdict_get(c->d, c->key, &c->old);
    if (status == PDICT_OK) {
        c->having = HAVE_LIVE;
        status = pdict__early_check(c, &is_early);
    } else if (status == PDICT_NOTFOUND) {
        status = c->stale_ms > 0 ? pdict__old_look(c) : PDICT_OK;
    }
    *is_over = status != PDICT_OK || (c->having == HAVE_LIVE && !is_early);
    return status == PDICT_OK && *is_over ? pdict__old_give(c, out) : status;
}

/* PDICT_END (expected): once more. */
static int try_once(struct computing *c, pdict_view *out)
{
    bool is_over;
    int status = look_first(c, &is_over, out);

    if (is_over)
        return status;
    if (c->d->is_read_only)
        return c->having == HAVE_NOTHING ? fail_read_only(c) : pdict__old_give(c, out);
    if (pdict__known_absent(c))
        return PDICT_NOTFOUND;
    return lead_or_wait(c, out);
}

int pdict_get_or_compute(pdict *d, pdict_slice key, pdict_compute_fn fn, void *ctx,
                         const pdict_compute_options *how, pdict_view *out)
{
    struct computing c = { .d = d, .key = key, .stored_key = key, .fn = fn, .ctx = ctx };
    struct hidden_key room;
    int status = read_how(&c, how);

    *out = (pdict_view){ 0 };
    if (c.how.source_out)
        *c.how.source_out = 0;
    if (status != PDICT_OK || (status = pdict__hide(d, &c.stored_key, &room)) != PDICT_OK)
        return status;
    c.hash = pdict__compute_hash(d->map, c.stored_key);
    do
        status = try_once(&c, out);
    while (status == PDICT_END && pdict__steady_ms() < c.deadline_ms);
    if (status == PDICT_END)
        status = fail_busy(&c);
    pdict_view_release(&c.old);
    if (status == PDICT_OK && c.how.source_out)
        *c.how.source_out = c.source;
    return status;
}
