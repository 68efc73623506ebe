/* SPDX-License-Identifier: MIT */
/* What pdict_get_or_compute() has before it computes: a value that lives or is stale, or the
 * knowledge that there is none. */
#include "map/compute.h"

void pdict__old_forget(struct computing *c)
{
    pdict_view_release(&c->old);
    c->having = HAVE_NOTHING;
}

static bool is_stale_enough(const struct computing *c, int64_t until_ms, int64_t now_ms)
{
    return c->stale_ms > 0 && now_ms < pdict__time_add(until_ms, c->stale_ms);
}

static int view_old(struct computing *c, struct generation_ref settings, const pdict_row *row)
{
    struct workbench *bench = pdict__bench_of(c->d, settings);
    int status = bench ? pdict__view_fill(c->d, bench, row, &c->old) : PDICT_NOMEM;

    if (bench)
        pdict__bench_give(c->d->map->pipeline, bench);
    return status;
}

static int look_inside(struct computing *c, struct generation_ref settings, void *reader)
{
    int64_t now_ms = pdict__handle_now(c->d), until_ms;
    enum having having;
    pdict_row row;
    int status = pdict__row_read(c->d->map, reader, c->stored_key, &row, &until_ms);

    if (status != PDICT_OK)
        return status == PDICT_NOTFOUND ? PDICT_OK : status;
    having = !pdict__expired(until_ms, now_ms)      ? HAVE_LIVE
             : is_stale_enough(c, until_ms, now_ms) ? HAVE_STALE
                                                    : HAVE_NOTHING;
    if (having == HAVE_NOTHING)
        return PDICT_OK;
    row.key = c->stored_key;
    if ((status = view_old(c, settings, &row)) == PDICT_OK)
        c->having = having;
    return status;
}

int pdict__old_look(struct computing *c)
{
    struct generation_ref settings;
    void *reader;
    int status;

    pdict__old_forget(c);
    if ((status = pdict__begin_with(c->d, &settings, &reader)) != PDICT_OK)
        return status;
    status = look_inside(c, settings, reader);
    pdict__end(c->d, reader);
    return status;
}

int pdict__old_give(struct computing *c, pdict_view *out)
{
    c->source = c->having == HAVE_LIVE ? PDICT_SOURCE_STORED : PDICT_SOURCE_STALE;
    c->having = HAVE_NOTHING;
    *out = c->old;
    c->old = (pdict_view){ 0 };
    return PDICT_OK;
}

bool pdict__known_absent(const struct computing *c)
{
    return c->having != HAVE_LIVE && c->how.absent_ttl_ms > 0 &&
           pdict__recall(c->d->map->store, MEMO_ABSENT_UNTIL, c->hash) >
               (uint64_t)pdict__handle_now(c->d);
}

int pdict__early_check(const struct computing *c, bool *is_early)
{
    uint64_t cost_ms, random;
    int status;

    *is_early = false;
    if (!(c->how.early > 0) || c->old.expires_ms == 0 || c->d->is_read_only)
        return PDICT_OK;
    if ((cost_ms = pdict__recall(c->d->map->store, MEMO_COST_MS, c->hash)) == 0)
        return PDICT_OK;
    if ((status = pdict__random_version(&random)) == PDICT_OK)
        *is_early = pdict__refresh_is_due(c->old.expires_ms - pdict__handle_now(c->d), cost_ms,
                                          c->how.early, random << 1);
    return status;
}
