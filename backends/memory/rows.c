/* SPDX-License-Identifier: MIT */
/* Rows of the memory backend: reading, changing, counting and walking them. */
#include "store.h"

struct cursor {
    struct node *root;
    const struct state *state; /* by access: where the rows are; NULL in the other orders */
    size_t next;               /* the ranks next <= x < end are still to come */
    size_t end;
    bool is_reverse;
};

static void take_out_access(struct store *store, struct state *state, const struct item *access)
{
    if (access == NULL)
        return;
    pdict__memory_take_out(&store->heap, state, ACCESS_BY_TIME, access);
    pdict__memory_take_out(&store->heap, state, ACCESS_BY_ID, access);
}

/* ROWS_BY_KEY last: until then it keeps `row` alive. */
void pdict__memory_take_out_row(struct store *store, struct state *state, const struct item *row)
{
    take_out_access(store, state, pdict__memory_find(state, ACCESS_BY_ID, row));
    if (row->row.expires_ms != 0)
        pdict__memory_take_out(&store->heap, state, ROWS_BY_EXPIRY, row);
    pdict__memory_take_out(&store->heap, state, ROWS_BY_ID, row);
    pdict__memory_take_out(&store->heap, state, ROWS_BY_KEY, row);
}

int pdict__memory_get(void *self, void *txn, uint32_t map, pdict_slice key, pdict_row *row)
{
    struct item probe = { .map = map, .row.key = key };
    struct item *item = pdict__memory_find(state_of(txn), ROWS_BY_KEY, &probe);

    (void)self;
    if (item == NULL)
        return find_map(state_of(txn), map) != NULL ? PDICT_NOTFOUND : no_map(map);
    *row = item->row;
    return PDICT_OK;
}

static bool is_present(const struct item *item, int64_t now_ms)
{
    return item != NULL && (item->row.expires_ms == 0 || item->row.expires_ms > now_ms);
}

/* The new row takes the places of the old one; its access time stays. */
static void take_out_update(struct store *store, struct state *state, const struct item *old)
{
    if (old->row.expires_ms != 0)
        pdict__memory_take_out(&store->heap, state, ROWS_BY_EXPIRY, old);
}

static int put(struct store *store, struct state *state, uint32_t map, pdict_change *change,
               const struct item *old, int64_t now_ms)
{
    pdict_row row = change->row;
    bool is_update = is_present(old, now_ms);
    struct item *item;

    row.id = is_update ? old->row.id : store->last_id + 1;
    row.created_ms = is_update ? old->row.created_ms : row.created_ms;
    if ((item = pdict__memory_item_new(&store->heap, map, &row)) == NULL)
        return no_memory("a row");
    if (!is_update)
        store->last_id++;
    if (is_update)
        take_out_update(store, state, old);
    else if (old != NULL)
        pdict__memory_take_out_row(store, state, old);
    pdict__memory_add(&store->heap, state, ROWS_BY_KEY, item);
    pdict__memory_add(&store->heap, state, ROWS_BY_ID, item);
    if (row.expires_ms != 0)
        pdict__memory_add(&store->heap, state, ROWS_BY_EXPIRY, item);
    pdict__memory_item_drop(&store->heap, item);
    change->row.id = row.id;
    change->row.created_ms = row.created_ms;
    return PDICT_OK;
}

static int apply_one(struct store *store, struct state *state, uint32_t map, pdict_change *change,
                     int64_t now_ms)
{
    struct item probe = { .map = map, .row.key = change->row.key };
    struct item *old = pdict__memory_find(state, ROWS_BY_KEY, &probe);
    int status;

    change->status =
        pdict_change_judge(change, is_present(old, now_ms), old != NULL ? old->row.version : 0);
    if (change->status != PDICT_OK)
        return PDICT_OK;
    if ((status = pdict__memory_reserve(&store->heap, state, TAKE_OUT_EDITS + 3)) != PDICT_OK)
        return status;
    if (change->kind == PDICT_CHANGE_PUT)
        return put(store, state, map, change, old, now_ms);
    pdict__memory_take_out_row(store, state, old);
    return PDICT_OK;
}

int pdict__memory_apply(void *self, void *txn, uint32_t map, pdict_change *changes, size_t count,
                        int64_t now_ms)
{
    int status = find_map(state_of(txn), map) != NULL ? PDICT_OK : no_map(map);

    for (size_t i = 0; i < count && status == PDICT_OK; i++)
        status = apply_one(self, state_of(txn), map, &changes[i], now_ms);
    return status;
}

int pdict__memory_count(void *self, void *txn, uint32_t map, int64_t now_ms, uint64_t *count)
{
    const struct state *state = state_of(txn);
    struct item first = { .map = map, .row.expires_ms = INT64_MIN };
    struct item alive = { .map = map, .row.expires_ms = now_ms, .row.id = UINT64_MAX };
    struct item after = { .map = map + 1 };

    (void)self;
    if (find_map(state, map) == NULL)
        return no_map(map);
    *count = pdict__memory_rank(state, ROWS_BY_KEY, &after) -
             pdict__memory_rank(state, ROWS_BY_KEY, &first);
    *count -= pdict__memory_rank(state, ROWS_BY_EXPIRY, &alive) -
              pdict__memory_rank(state, ROWS_BY_EXPIRY, &first);
    return PDICT_OK;
}

/* ---- walking ---- */

static enum order order_of(unsigned flags)
{
    if (flags & PDICT_SCAN_BY_KEY)
        return ROWS_BY_KEY;
    if (flags & PDICT_SCAN_BY_EXPIRY)
        return ROWS_BY_EXPIRY;
    return flags & PDICT_SCAN_BY_ACCESS ? ACCESS_BY_TIME : ROWS_BY_ID;
}

static void bounds_of(const pdict_scan *scan, enum order order, uint32_t map, struct item *from,
                      struct item *to)
{
    bool is_open = order == ROWS_BY_KEY  ? scan->to.data == NULL
                   : order == ROWS_BY_ID ? scan->to_id == 0
                                         : scan->to_ms == 0;

    *from = (struct item){ .map = map, .row.key = scan->from, .row.expires_ms = scan->from_ms };
    *to = (struct item){ .map = map, .row.key = scan->to, .row.expires_ms = scan->to_ms };
    if (order == ROWS_BY_ID) {
        from->row.id = scan->from_id;
        to->row.id = scan->to_id;
    }
    if (is_open)
        *to = (struct item){ .map = map + 1, .row.expires_ms = INT64_MIN };
}

int pdict__memory_scan_open(void *self, void *txn, uint32_t map, const pdict_scan *scan,
                            void **cursor)
{
    struct store *store = self;
    const struct state *state = state_of(txn);
    enum order order = order_of(scan->flags);
    struct item from, to;
    struct cursor *c;

    if (find_map(state, map) == NULL)
        return no_map(map);
    bounds_of(scan, order, map, &from, &to);
    if ((c = pdict__memory_allocate(&store->heap, sizeof(*c))) == NULL)
        return no_memory("a cursor");
    c->root = pdict__memory_tree_keep(state->root[order]);
    c->state = order == ACCESS_BY_TIME ? state : NULL;
    c->next = pdict__memory_rank(state, order, &from);
    c->end = pdict__memory_rank(state, order, &to);
    c->is_reverse = (scan->flags & PDICT_SCAN_REVERSE) != 0;
    *cursor = c;
    return PDICT_OK;
}

int pdict__memory_scan_next(void *self, void *cursor, pdict_row *row)
{
    struct cursor *c = cursor;
    struct item *item;

    (void)self;
    if (c->next >= c->end)
        return PDICT_END;
    item = pdict__memory_at(c->root, c->is_reverse ? --c->end : c->next++);
    if (c->state != NULL)
        item = pdict__memory_find(c->state, ROWS_BY_ID, item);
    *row = item->row;
    return PDICT_OK;
}

void pdict__memory_scan_close(void *self, void *cursor)
{
    struct store *store = self;
    struct cursor *c = cursor;

    pdict__memory_tree_drop(&store->heap, c->root);
    pdict__memory_release(&store->heap, c);
}

/* ---- access times ---- */

static int access_one(struct store *store, struct state *state, uint32_t map,
                      const pdict_access *access)
{
    struct item probe = { .map = map, .row.id = access->id };
    struct item *old = pdict__memory_find(state, ACCESS_BY_ID, &probe), *item;
    int status;

    if (pdict__memory_find(state, ROWS_BY_ID, &probe) == NULL ||
        (old != NULL && old->row.expires_ms >= access->accessed_ms))
        return PDICT_OK;
    if ((status = pdict__memory_reserve(&store->heap, state, 4)) != PDICT_OK)
        return status;
    item = pdict__memory_item_new(
        &store->heap, map, &(pdict_row){ .id = access->id, .expires_ms = access->accessed_ms });
    if (item == NULL)
        return no_memory("an access time");
    take_out_access(store, state, old);
    pdict__memory_add(&store->heap, state, ACCESS_BY_ID, item);
    pdict__memory_add(&store->heap, state, ACCESS_BY_TIME, item);
    pdict__memory_item_drop(&store->heap, item);
    return PDICT_OK;
}

int pdict__memory_access_put(void *self, void *txn, uint32_t map, const pdict_access *items,
                             size_t count)
{
    int status = find_map(state_of(txn), map) != NULL ? PDICT_OK : no_map(map);

    for (size_t i = 0; i < count && status == PDICT_OK; i++)
        status = access_one(self, state_of(txn), map, &items[i]);
    return status;
}

int pdict__memory_access_get(void *self, void *txn, uint32_t map, uint64_t id, int64_t *accessed_ms)
{
    struct item probe = { .map = map, .row.id = id };
    struct item *item = pdict__memory_find(state_of(txn), ACCESS_BY_ID, &probe);

    (void)self;
    if (item == NULL)
        return find_map(state_of(txn), map) != NULL ? PDICT_NOTFOUND : no_map(map);
    *accessed_ms = item->row.expires_ms;
    return PDICT_OK;
}
