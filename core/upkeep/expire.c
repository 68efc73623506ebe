/* SPDX-License-Identifier: MIT */
/* Sweeping and maintenance at the caller's wish. */
#include "upkeep/upkeep.h"

static bool is_over(int64_t until_ms)
{
    return pdict__steady_ms() >= until_ms;
}

static int sweep(struct store *store, int64_t timeout_ms, int64_t until_ms, uint64_t *removed)
{
    struct swept swept;
    int status;

    do {
        status = pdict__sweep_step(store, timeout_ms, &swept);
        *removed += swept.removed;
    } while (status == PDICT_OK && swept.has_more && !is_over(until_ms));
    return status;
}

static int shrink(struct store *store, int64_t timeout_ms, int64_t until_ms)
{
    bool has_more = true;
    int status = PDICT_OK;

    while (status == PDICT_OK && has_more && !is_over(until_ms))
        status = pdict__shrink_step(store, timeout_ms, &has_more);
    return status;
}

int pdict_expire(pdict_store *handle, int64_t budget_ms, uint64_t *removed)
{
    struct store *store = handle->store;
    int64_t until_ms = budget_ms < 0 ? INT64_MAX : pdict__time_add(pdict__steady_ms(), budget_ms);
    uint64_t count = 0;
    int status = sweep(store, handle->timeout_ms, until_ms, &count);

    if (status == PDICT_OK && count > 0)
        status = shrink(store, handle->timeout_ms, until_ms);
    if (removed)
        *removed = count;
    return status;
}

int pdict_maintain(pdict *d, int64_t budget_ms)
{
    struct store *store = d->map->store;
    int status = pdict__store_check(store);

    if (status != PDICT_OK)
        return status;
    if (budget_ms < 0)
        return pdict_fail(PDICT_INVAL, "maintain: the budget is 0 ms or more");
    pdict__sweeper_start(store);
    pdict__chores_run(store, budget_ms);
    return PDICT_OK;
}
