/* SPDX-License-Identifier: MIT */
/* The shelf backend: everything in memory, each commit appended to a file; for small stores. */
#include "shelf.h"

#include <pthread.h>
#include <stdio.h>

struct store {
    pdict_allocator allocator;
    struct journal journal;
    char *path;
    pthread_mutex_t lock; /* over `current` */
    struct image *current;
    /* Ever given, also by transactions that were aborted. */
    uint32_t last_map;
    uint64_t last_id;
};

/* A reader, or the write transaction: what `txn` points to. */
struct view {
    struct image *image;
    struct bytes block; /* of the writer */
    bool is_synced;
};

struct cursor {
    const struct table *table;
    size_t next, end; /* next <= x < end are still to come */
    bool is_reverse;
};

static int no_map(uint32_t map)
{
    return pdict_fail(PDICT_NO_MAP, "shelf: map number %u was dropped; open it again",
                      (unsigned)map);
}

static struct map *map_of(void *txn, uint32_t number)
{
    return image_map(((struct view *)txn)->image, number);
}

static void *allocate(struct store *store, size_t size)
{
    void *memory = store->allocator.allocate(store->allocator.ctx, size);

    if (!memory)
        pdict_fail(PDICT_NOMEM, "shelf: no memory; free some and try again");
    return memory;
}

static void release(struct store *store, void *memory)
{
    store->allocator.release(store->allocator.ctx, memory);
}

static struct image *current_image(struct store *store)
{
    struct image *image;

    pthread_mutex_lock(&store->lock);
    image = store->current;
    atomic_fetch_add(&image->references, 1);
    pthread_mutex_unlock(&store->lock);
    return image;
}

/* ---- store ---- */

static int replay(void *ctx, const struct op *op)
{
    struct store *store = ctx;

    if (op->kind == OP_MAP_SET && op->map > store->last_map)
        store->last_map = op->map;
    if (op->kind == OP_ROW_PUT && op->row.id > store->last_id)
        store->last_id = op->row.id;
    return image_change(&store->allocator, store->current, op);
}

static void shelf_close(void *self)
{
    struct store *store = self;
    pdict_allocator allocator = store->allocator;

    journal_close(&store->journal);
    image_drop(&allocator, store->current);
    pthread_mutex_destroy(&store->lock);
    allocator.release(allocator.ctx, store->path);
    allocator.release(allocator.ctx, store);
}

static int shelf_open(const pdict_backend_args *args, void **self)
{
    struct store *store = args->allocator.allocate(args->allocator.ctx, sizeof(*store));
    int status = PDICT_NOMEM;

    if (!store)
        return pdict_fail(PDICT_NOMEM, "shelf: no memory to open %s", args->path);
    *store = (struct store){ .allocator = args->allocator, .journal.fd = -1 };
    pthread_mutex_init(&store->lock, NULL);
    store->path = allocate(store, strlen(args->path) + 1);
    store->current = image_copy(&store->allocator, NULL);
    if (store->path && store->current) {
        store->journal.path = strcpy(store->path, args->path);
        status = journal_open(&store->journal, args, replay, store);
    }
    if (status != PDICT_OK) {
        shelf_close(store);
        return status;
    }
    *self = store;
    return PDICT_OK;
}

static bool shelf_probe(const void *head, size_t size)
{
    return size >= 8 && memcmp(head, "shelf\n\0", 8) == 0;
}

/* ---- snapshots: a reference to the image that is current ---- */

static int shelf_reader_open(void *self, void **reader)
{
    struct view *view = allocate(self, sizeof(*view));

    if (!view)
        return PDICT_NOMEM;
    *view = (struct view){ .image = NULL };
    *reader = view;
    return PDICT_OK;
}

static void shelf_reader_close(void *self, void *reader)
{
    release(self, reader);
}

static int shelf_reader_begin(void *self, void *reader)
{
    ((struct view *)reader)->image = current_image(self);
    return PDICT_OK;
}

static void shelf_reader_end(void *self, void *reader)
{
    image_drop(&((struct store *)self)->allocator, ((struct view *)reader)->image);
}

/* ---- the write transaction: a copy of the image, and a block for the journal ---- */

static int shelf_write_begin(void *self, int durability, int64_t timeout_ms, void **txn)
{
    struct store *store = self;
    struct view *view;
    void *reader;

    (void)timeout_ms; /* nobody else can write */
    if (store->journal.is_read_only)
        return pdict_fail(PDICT_READ_ONLY, "shelf: %s was opened read-only", store->path);
    if (shelf_reader_open(store, &reader) != PDICT_OK)
        return PDICT_NOMEM;
    view = reader;
    view->is_synced = durability != PDICT_UNSAFE;
    view->image = image_copy(&store->allocator, store->current);
    if (!view->image) {
        release(store, view);
        return pdict_fail(PDICT_NOMEM, "shelf: no memory for a transaction");
    }
    *txn = view;
    return PDICT_OK;
}

static void shelf_write_abort(void *self, void *txn)
{
    struct store *store = self;
    struct view *view = txn;

    image_drop(&store->allocator, view->image);
    release(store, view->block.data);
    release(store, view);
}

/* [commit] */
static int shelf_write_commit(void *self, void *txn)
{
    struct store *store = self;
    struct view *view = txn;
    struct image *old = store->current;
    int status = PDICT_OK;

    if (view->block.size > 0)
        status = journal_write(&store->journal, &view->block, view->is_synced);
    if (status == PDICT_OK && view->block.size > 0) {
        pthread_mutex_lock(&store->lock);
        store->current = view->image;
        pthread_mutex_unlock(&store->lock);
        view->image = old; /* dropped below */
    }
    shelf_write_abort(self, txn);
    return status;
}
/* [commit] */

/* Every change goes through here: into the block, then into the image. */
static int change(struct store *store, void *txn, const struct op *op)
{
    struct view *view = txn;
    size_t size = view->block.size;
    int status = journal_add(&store->allocator, &view->block, op);

    if (status == PDICT_OK)
        status = image_change(&store->allocator, view->image, op);
    if (status != PDICT_OK)
        view->block.size = size;
    return status;
}

/* ---- maps and SYSTEM values ---- */

static int shelf_map_find(void *self, void *txn, pdict_slice name, uint32_t *map)
{
    struct map *found = image_map_named(((struct view *)txn)->image, name);

    (void)self;
    if (!found)
        return PDICT_NO_MAP;
    *map = found->number;
    return PDICT_OK;
}

/* Maps lie in the order of their creation, which is that of their numbers. */
static int shelf_map_next(void *self, void *txn, uint32_t after, uint32_t *map, pdict_slice *name)
{
    const struct image *image = ((struct view *)txn)->image;

    (void)self;
    for (size_t i = 1; i < image->n_maps; i++) {
        if (image->maps[i].number > after) {
            *map = image->maps[i].number;
            *name = image->maps[i].name->row.key;
            return PDICT_OK;
        }
    }
    return PDICT_END;
}

static int shelf_map_create(void *self, void *txn, pdict_slice name, uint32_t *map)
{
    struct store *store = self;
    struct op op = { .kind = OP_MAP_SET, .map = store->last_map + 1, .row.key = name };
    int status;

    if (image_map_named(((struct view *)txn)->image, name))
        return PDICT_EXISTS;
    if ((status = change(store, txn, &op)) != PDICT_OK)
        return status;
    *map = ++store->last_map;
    return PDICT_OK;
}

static int shelf_map_drop(void *self, void *txn, uint32_t map)
{
    struct op op = { .kind = OP_MAP_DROP, .map = map };

    return map_of(txn, map) ? change(self, txn, &op) : no_map(map);
}

static int shelf_map_rename(void *self, void *txn, uint32_t map, pdict_slice name)
{
    struct op op = { .kind = OP_MAP_SET, .map = map, .row.key = name };
    struct map *other = image_map_named(((struct view *)txn)->image, name);

    if (!map_of(txn, map))
        return no_map(map);
    if (other)
        return other->number == map ? PDICT_OK : PDICT_EXISTS;
    return change(self, txn, &op);
}

static int shelf_system_get(void *self, void *txn, uint32_t map, pdict_slice name,
                            pdict_slice *value)
{
    struct map *found = map_of(txn, map);
    struct record *record = found ? table_find(&found->system, name) : NULL;

    (void)self;
    if (!record)
        return PDICT_NOTFOUND;
    *value = record->row.value;
    return PDICT_OK;
}

static int shelf_system_put(void *self, void *txn, uint32_t map, pdict_slice name,
                            pdict_slice value)
{
    struct op op = { .kind = value.data ? OP_SYSTEM_PUT : OP_SYSTEM_DEL,
                     .map = map,
                     .row = { .key = name, .value = value } };
    struct map *found = map_of(txn, map);

    if (!found)
        return no_map(map);
    if (!value.data && !table_find(&found->system, name))
        return PDICT_OK;
    return change(self, txn, &op);
}

/* ---- rows ---- */

static int shelf_get(void *self, void *txn, uint32_t map, pdict_slice key, pdict_row *row)
{
    struct map *found = map_of(txn, map);
    struct record *record = found ? table_find(&found->rows[BY_KEY], key) : NULL;

    (void)self;
    if (!found)
        return no_map(map);
    if (!record)
        return PDICT_NOTFOUND;
    *row = record->row;
    return PDICT_OK;
}

static int apply_one(struct store *store, void *txn, uint32_t map, pdict_change *wanted,
                     int64_t now_ms)
{
    struct op op = { .kind = OP_ROW_DEL, .map = map, .row = wanted->row };
    struct record *old = table_find(&map_of(txn, map)->rows[BY_KEY], wanted->row.key);

    if (old && old->row.expires_ms != 0 && old->row.expires_ms <= now_ms)
        old = NULL;
    wanted->status = pdict_change_judge(wanted, old != NULL, old ? old->row.version : 0);
    if (wanted->status != PDICT_OK)
        return PDICT_OK;
    if (wanted->kind == PDICT_CHANGE_PUT) {
        op.kind = OP_ROW_PUT;
        op.row.id = old ? old->row.id : ++store->last_id;
        op.row.created_ms = old ? old->row.created_ms : wanted->row.created_ms;
        wanted->row.id = op.row.id;
        wanted->row.created_ms = op.row.created_ms;
    } else {
        op.row.value = (pdict_slice){ 0 };
    }
    return change(store, txn, &op);
}

static int shelf_apply(void *self, void *txn, uint32_t map, pdict_change *changes, size_t count,
                       int64_t now_ms)
{
    int status = map_of(txn, map) ? PDICT_OK : no_map(map);

    for (size_t i = 0; i < count && status == PDICT_OK; i++)
        status = apply_one(self, txn, map, &changes[i], now_ms);
    return status;
}

static int shelf_count(void *self, void *txn, uint32_t map, int64_t now_ms, uint64_t *count)
{
    pdict_row alive = { .expires_ms = now_ms, .id = UINT64_MAX };
    struct map *found = map_of(txn, map);

    (void)self;
    if (!found)
        return no_map(map);
    *count = found->rows[BY_KEY].count - table_place(&found->rows[BY_EXPIRY], BY_EXPIRY, &alive);
    return PDICT_OK;
}

static void bounds_of(const pdict_scan *scan, struct cursor *c, const struct map *map)
{
    enum order order = scan->flags & PDICT_SCAN_BY_KEY      ? BY_KEY
                       : scan->flags & PDICT_SCAN_BY_EXPIRY ? BY_EXPIRY
                                                            : BY_ID;
    bool has_end = order == BY_KEY  ? scan->to.data != NULL
                   : order == BY_ID ? scan->to_id != 0
                                    : scan->to_ms != 0;
    pdict_row from = { .key = scan->from, .expires_ms = scan->from_ms };
    pdict_row to = { .key = scan->to, .expires_ms = scan->to_ms };

    if (order == BY_ID) {
        from.id = scan->from_id;
        to.id = scan->to_id;
    }
    c->table = &map->rows[order];
    c->next = table_place(c->table, order, &from);
    c->end = has_end ? table_place(c->table, order, &to) : c->table->count;
}

static int shelf_scan_open(void *self, void *txn, uint32_t map, const pdict_scan *scan,
                           void **cursor)
{
    struct map *found = map_of(txn, map);
    struct cursor *c;

    if (!found)
        return no_map(map);
    if (scan->flags & PDICT_SCAN_BY_ACCESS)
        return pdict_fail(PDICT_UNSUPPORTED, "shelf: no access times are kept");
    if (!(c = allocate(self, sizeof(*c))))
        return PDICT_NOMEM;
    bounds_of(scan, c, found);
    c->is_reverse = (scan->flags & PDICT_SCAN_REVERSE) != 0;
    *cursor = c;
    return PDICT_OK;
}

static int shelf_scan_next(void *self, void *cursor, pdict_row *row)
{
    struct cursor *c = cursor;

    (void)self;
    if (c->next >= c->end)
        return PDICT_END;
    *row = c->table->at[c->is_reverse ? --c->end : c->next++]->row;
    return PDICT_OK;
}

static void shelf_scan_close(void *self, void *cursor)
{
    release(self, cursor);
}

/* ---- facts ---- */

static int shelf_stat(void *self, pdict_backend_stat *stat)
{
    struct store *store = self;

    stat->format_version = 1;
    pthread_mutex_lock(&store->lock);
    stat->file_bytes = store->journal.end;
    snprintf(stat->detail, sizeof(stat->detail), "%zu maps", store->current->n_maps - 1);
    pthread_mutex_unlock(&store->lock);
    return PDICT_OK;
}

static int shelf_sync(void *self)
{
    return journal_sync(&((struct store *)self)->journal);
}

/* [table] */
static const pdict_backend shelf = {
    PDICT_EXT_HEAD(pdict_backend),
    .capabilities = PDICT_CAP_FILE,
    .name = "shelf",
    .summary = "example: in memory, each commit appended to a file",
    .probe = shelf_probe,
    .open = shelf_open,
    .close = shelf_close,
    .reader_open = shelf_reader_open,
    .reader_close = shelf_reader_close,
    .reader_begin = shelf_reader_begin,
    .reader_end = shelf_reader_end,
    .write_begin = shelf_write_begin,
    .write_commit = shelf_write_commit,
    .write_abort = shelf_write_abort,
    .map_find = shelf_map_find,
    .map_next = shelf_map_next,
    .map_create = shelf_map_create,
    .map_drop = shelf_map_drop,
    .map_rename = shelf_map_rename,
    .system_get = shelf_system_get,
    .system_put = shelf_system_put,
    .get = shelf_get,
    .apply = shelf_apply,
    .count = shelf_count,
    .scan_open = shelf_scan_open,
    .scan_next = shelf_scan_next,
    .scan_close = shelf_scan_close,
    .stat = shelf_stat,
    .sync = shelf_sync,
};

static const pdict_backend *const backends[] = { &shelf, NULL };

const pdict_extension pdict_this_extension = {
    PDICT_EXT_HEAD(pdict_extension),
    .name = "shelf",
    .version = "1.0",
    .backends = backends,
};
/* [table] */
