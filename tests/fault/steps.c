/* SPDX-License-Identifier: MIT */
/* The calls of the API that are tried with a fault in each of their places. */
#include "world.h"

#include <stdio.h>

/* ---- one key ---- */

static int get_one(struct world *w)
{
    pdict_view view;
    int status = pdict_get(w->d, pdict_str("key07"), &view);

    CHECK(status == PDICT_OK ? view.size > 60 : view.pin == NULL);
    pdict_view_release(&view);
    return status;
}

static int look(void *ctx, const pdict_view *view)
{
    *(size_t *)ctx = view->size;
    return PDICT_OK;
}

static int get_with(struct world *w)
{
    size_t size = 0;
    int status = pdict_get_with(w->d, pdict_str("key07"), look, &size);

    CHECK((status == PDICT_OK) == (size > 60));
    return status;
}

static int contains(struct world *w)
{
    bool is_there;
    int status = pdict_contains(w->d, pdict_str("key07"), &is_there);

    CHECK(is_there == (status == PDICT_OK));
    return status;
}

static int meta(struct world *w)
{
    pdict_meta facts = PDICT_META_INIT;
    int status = pdict_meta_get(w->d, pdict_str("key07"), &facts);

    CHECK((facts.version != 0) == (status == PDICT_OK));
    return status;
}

static int count(struct world *w)
{
    uint64_t n;
    int status = pdict_count(w->d, &n);

    CHECK_INT(n, status == PDICT_OK ? 20 : 0);
    return status;
}

static int put_new(struct world *w)
{
    return pdict_put(w->d, pdict_str("new"), pdict_str("new value"), NULL);
}

static int put_over(struct world *w)
{
    return pdict_put(w->d, pdict_str("key07"), pdict_str("another value"), NULL);
}

static int put_expiring(struct world *w)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;

    how.ttl_ms = 1000;
    how.flags = PDICT_PUT_IF_PRESENT;
    return pdict_put(w->d, pdict_str("key07"), pdict_str("short-lived"), &how);
}

static int del_one(struct world *w)
{
    return pdict_del(w->d, pdict_str("key07"));
}

static int add_up(struct world *w)
{
    int64_t sum;
    int status = pdict_add(w->d, pdict_str("counter"), 5, NULL, &sum);

    CHECK_INT(sum, status == PDICT_OK ? 5 : 0);
    return status;
}

static int pop_one(struct world *w)
{
    pdict_view view;
    int status = pdict_pop(w->d, pdict_str("key07"), &view);

    CHECK((view.data != NULL) == (status == PDICT_OK));
    pdict_view_release(&view);
    return status;
}

static int replace(void *ctx, const pdict_view *old, pdict_slice *value)
{
    (void)ctx;
    CHECK(old != NULL);
    *value = pdict_str("modified");
    return PDICT_OK;
}

static int modify_one(struct world *w)
{
    return pdict_modify(w->d, pdict_str("key07"), replace, NULL, NULL);
}

static int find(void *ctx, const pdict_view *old, pdict_computed *out)
{
    (void)ctx;
    CHECK(old == NULL);
    out->value = pdict_str("computed");
    return PDICT_OK;
}

static int compute_one(struct world *w)
{
    pdict_view view;
    int status = pdict_get_or_compute(w->d, pdict_str("new"), find, NULL, NULL, &view);

    CHECK((view.data != NULL) == (status == PDICT_OK));
    pdict_view_release(&view);
    return status;
}

/* ---- many keys ---- */

static int get_many(struct world *w)
{
    pdict_slice keys[] = { pdict_str("key00"), pdict_str("absent"), pdict_str("key19") };
    pdict_view views[3];
    int statuses[3];
    int status = pdict_get_many(w->d, keys, 3, views, statuses);

    for (int i = 0; i < 3; i++) {
        CHECK((statuses[i] == PDICT_OK) == (views[i].pin != NULL));
        pdict_view_release(&views[i]);
    }
    return status;
}

static int put_many(struct world *w)
{
    char keys[40][16];
    pdict_pair pairs[40];

    for (int i = 0; i < 40; i++) {
        snprintf(keys[i], sizeof(keys[i]), "key%02d", i);
        pairs[i] = (pdict_pair){ pdict_str(keys[i]), pdict_str("from put_many") };
    }
    return pdict_put_many(w->d, pairs, 40, NULL, NULL);
}

static int del_many(struct world *w)
{
    pdict_slice keys[] = { pdict_str("key00"), pdict_str("absent"), pdict_str("key19") };

    return pdict_del_many(w->d, keys, 3, NULL);
}

static int clear(struct world *w)
{
    return pdict_clear(w->d, PDICT_CLEAR_EVERYTHING);
}

/* ---- walks ---- */

static int walk(struct world *w, const pdict_range *range, int expected)
{
    pdict_iter *iter;
    pdict_entry entry;
    int n = 0, status;

    if ((status = pdict_iter_open(w->d, range, &iter)) != PDICT_OK) {
        CHECK(iter == NULL);
        return status;
    }
    while ((status = pdict_iter_next(iter, &entry)) == PDICT_OK)
        n++;
    pdict_iter_close(iter);
    CHECK(status != PDICT_END || n == expected);
    return status == PDICT_END ? PDICT_OK : status;
}

static int walk_all(struct world *w)
{
    return walk(w, NULL, 20);
}

static int walk_snapshot(struct world *w)
{
    pdict_range range = PDICT_RANGE_INIT;

    range.flags = PDICT_SNAPSHOT | PDICT_REVERSE;
    return walk(w, &range, 20);
}

static int walk_prefix(struct world *w)
{
    pdict_range range = PDICT_RANGE_INIT;

    range.prefix = pdict_str("key1");
    return walk(w, &range, 10);
}

/* ---- transactions ---- */

static int read_inside(pdict *txn)
{
    pdict_iter *iter;
    pdict_entry entry;
    uint64_t n;
    bool is_there;
    int status;

    if ((status = pdict_contains(txn, pdict_str("key03"), &is_there)) != PDICT_OK)
        return status;
    if ((status = pdict_count(txn, &n)) != PDICT_OK)
        return status;
    if ((status = pdict_iter_open(txn, NULL, &iter)) != PDICT_OK)
        return status;
    while ((status = pdict_iter_next(iter, &entry)) == PDICT_OK)
        n--;
    pdict_iter_close(iter);
    CHECK(status != PDICT_END || n == 0);
    return status == PDICT_END ? PDICT_OK : status;
}

static int work_inside(void *ctx, pdict *txn)
{
    int status;

    (void)ctx;
    if ((status = pdict_put(txn, pdict_str("new"), pdict_str("v"), NULL)) != PDICT_OK)
        return status;
    if ((status = pdict_put(txn, pdict_str("key05"), pdict_str("v"), NULL)) != PDICT_OK)
        return status;
    if ((status = pdict_del(txn, pdict_str("key07"))) != PDICT_OK)
        return status;
    return read_inside(txn);
}

static int transact(struct world *w)
{
    return pdict_run(w->d, work_inside, NULL, 0);
}

static int transact_alone(struct world *w)
{
    pdict *txn;
    int status = pdict_begin(w->d, PDICT_TXN_EXCLUSIVE, &txn);

    CHECK((txn != NULL) == (status == PDICT_OK));
    if (status != PDICT_OK)
        return status;
    if ((status = work_inside(NULL, txn)) == PDICT_OK)
        return pdict_commit(txn);
    pdict_abort(txn);
    return status;
}

/* ---- maps and stores ---- */

static int open_map(struct world *w)
{
    pdict *d;
    int status = world_open_map(w, "&map=spare", &d);

    CHECK((d != NULL) == (status == PDICT_OK));
    pdict_close(d);
    return status;
}

static int create_map(struct world *w)
{
    pdict *d;
    int status = world_open_map(w, "&map=created", &d);

    CHECK((d != NULL) == (status == PDICT_OK));
    pdict_close(d);
    return status;
}

static int see_map(void *ctx, const pdict_map_info *map)
{
    CHECK(map->name[0] != '\0');
    ++*(int *)ctx;
    return 0;
}

static int list_maps(struct world *w)
{
    int n = 0, status = pdict_store_maps(w->store, see_map, &n);

    CHECK(status != PDICT_OK || n == 2);
    return status;
}

static int drop_map(struct world *w)
{
    return pdict_store_drop(w->store, "spare");
}

static int rename_map(struct world *w)
{
    return pdict_store_rename(w->store, "spare", "renamed");
}

static int stats(struct world *w)
{
    pdict_stats facts = PDICT_STATS_INIT;
    int status = pdict_stats_get(w->d, PDICT_STATS_SIZES, &facts);

    CHECK_INT(facts.count, status == PDICT_OK ? 20 : 0);
    return status;
}

/* ---- deadlines, limits, upkeep ---- */

static int touch(struct world *w)
{
    return pdict_touch(w->d, pdict_str("key07"), 86400000);
}

static int persist(struct world *w)
{
    return pdict_persist(w->d, pdict_str("key07"));
}

static int get_and_touch(struct world *w)
{
    pdict_view view;
    int status = pdict_get_and_touch(w->d, pdict_str("key07"), 86400000, &view);

    CHECK(status == PDICT_OK ? view.size > 60 : view.pin == NULL);
    pdict_view_release(&view);
    return status;
}

static int get_limits(struct world *w)
{
    pdict_limits limits = PDICT_LIMITS_INIT;

    return pdict_limits_get(w->store, "main", &limits);
}

static int set_limits(struct world *w)
{
    pdict_limits limits = PDICT_LIMITS_INIT;

    limits.max_entries = 100;
    return pdict_limits_set(w->store, "main", &limits);
}

static int expire(struct world *w)
{
    uint64_t removed;

    return pdict_expire(w->store, -1, &removed);
}

const struct step steps[] = {
    { .name = "get", .run = get_one },
    { .name = "get_with", .run = get_with },
    { .name = "contains", .run = contains },
    { .name = "meta_get", .run = meta },
    { .name = "count", .run = count },
    { .name = "put of a new key", .run = put_new, .is_write = true },
    { .name = "put of a present key", .run = put_over, .is_write = true },
    { .name = "put with a time to live", .run = put_expiring, .is_write = true },
    { .name = "del", .run = del_one, .is_write = true },
    { .name = "add", .run = add_up, .is_write = true },
    { .name = "pop", .run = pop_one, .is_write = true },
    { .name = "modify", .run = modify_one, .is_write = true },
    { .name = "get_or_compute", .run = compute_one, .is_write = true },
    { .name = "get_many", .run = get_many },
    { .name = "put_many", .run = put_many, .is_write = true },
    { .name = "del_many", .run = del_many, .is_write = true },
    { .name = "clear", .run = clear, .is_write = true },
    { .name = "iteration", .run = walk_all },
    { .name = "iteration of a snapshot", .run = walk_snapshot },
    { .name = "iteration of a prefix", .run = walk_prefix, .needs_order = true },
    { .name = "transaction", .run = transact, .is_write = true },
    { .name = "exclusive transaction", .run = transact_alone, .is_write = true },
    { .name = "open of a map", .run = open_map },
    { .name = "open of a new map",
      .run = create_map,
      .is_write = true,
      .is_more_than_a_commit = true },
    { .name = "store_maps", .run = list_maps },
    { .name = "store_drop", .run = drop_map, .is_write = true },
    { .name = "store_rename", .run = rename_map, .is_write = true },
    { .name = "stats_get", .run = stats },
    { .name = "touch", .run = touch, .is_write = true },
    { .name = "persist", .run = persist, .is_write = true },
    { .name = "get_and_touch", .run = get_and_touch, .is_write = true },
    { .name = "limits_get", .run = get_limits },
    { .name = "limits_set", .run = set_limits, .is_write = true },
    { .name = "expire", .run = expire },
};
const size_t n_steps = sizeof(steps) / sizeof(steps[0]);
