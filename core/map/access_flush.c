/* SPDX-License-Identifier: MIT */
/* Writing what was noted: keys are looked up in their order, and rows written in that of ids. */
#include <stdlib.h>

#include "map/access.h"

/* Of one snapshot, and of one transaction: some ten milliseconds at most. */
#define LOOK_UP_ROWS 2000
#define FLUSH_ROWS   1000

struct due {
    uint64_t head; /* the first bytes of the key, which decide most comparisons */
    pdict_slice key;
    int64_t at_ms;
};

static void forget_keys(struct access_flush *flush)
{
    pdict__free(flush->taken[0].log.allocator, flush->due);
    flush->due = NULL;
    flush->n_due = flush->n_known = 0;
    for (size_t i = 0; i < ACCESS_SHARDS; i++)
        pdict__notes_free(&flush->taken[i]);
}

void pdict__access_flush_free(struct access_flush *flush)
{
    forget_keys(flush);
    pdict__free(flush->taken[0].log.allocator, flush->items);
    flush->items = NULL;
    flush->n_items = flush->n_written = 0;
}

/* ---- what is due ---- */

static int compare_keys(const struct due *a, const struct due *b)
{
    if (a->head != b->head)
        return a->head < b->head ? -1 : 1;
    return pdict__slice_compare(a->key, b->key);
}

/* By key, and by time. */
static int compare_due(const void *left, const void *right)
{
    const struct due *a = left, *b = right;
    int order = compare_keys(a, b);

    return order ? order : (a->at_ms > b->at_ms) - (a->at_ms < b->at_ms);
}

static void append_due(struct access_flush *flush, const struct notes *notes)
{
    struct note note;

    for (size_t at = 0; at < notes->log.size;) {
        at = pdict__note_read(notes, at, &note);
        flush->due[flush->n_due++] =
            (struct due){ pdict__slice_head(note.key), note.key, note.at_ms };
    }
}

/* Sorted, and of each key only the latest. */
static void sort_due(struct access_flush *flush)
{
    struct due *due = flush->due;
    size_t count = 0;

    qsort(due, flush->n_due, sizeof(*due), compare_due);
    for (size_t i = 0; i < flush->n_due; i++) {
        if (i + 1 == flush->n_due || compare_keys(&due[i], &due[i + 1]) != 0)
            due[count++] = due[i];
    }
    flush->n_due = count;
}

static size_t take_notes(struct access *access)
{
    size_t count = 0;

    for (size_t i = 0; i < ACCESS_SHARDS; i++) {
        struct access_shard *shard = &access->shards[i];
        struct notes *taken = &access->flush.taken[i];

        pthread_mutex_lock(&shard->lock);
        pdict__notes_drain(shard);
        *taken = shard->notes;
        shard->notes = (struct notes){ .log.allocator = taken->log.allocator };
        pthread_mutex_unlock(&shard->lock);
        count += taken->count;
    }
    return count;
}

static int take(struct access *access)
{
    struct access_flush *flush = &access->flush;
    const pdict_allocator *allocator = flush->taken[0].log.allocator;
    size_t count = take_notes(access);

    if (count == 0)
        return PDICT_OK;
    flush->due = pdict__calloc(allocator, count, sizeof(*flush->due));
    flush->items = pdict__calloc(allocator, count, sizeof(*flush->items));
    if (!flush->due || !flush->items) {
        pdict__access_flush_free(flush);
        return pdict__nomem(count * sizeof(*flush->due));
    }
    for (size_t i = 0; i < ACCESS_SHARDS; i++)
        append_due(flush, &flush->taken[i]);
    sort_due(flush);
    return PDICT_OK;
}

/* ---- which rows these are ---- */

static bool is_near(const struct access *access, int64_t at_ms, int64_t before_ms)
{
    return at_ms - access->step_ms < before_ms;
}

static int look_up(struct access *access, void *reader, const struct due *due)
{
    struct store *store = access->map->store;
    struct access_flush *flush = &access->flush;
    pdict_row row;
    int status = store->backend->get(store->engine, reader, access->map->number, due->key, &row);

    if (status != PDICT_OK)
        return status == PDICT_NOTFOUND ? PDICT_OK : status;
    if (!is_near(access, due->at_ms, row.created_ms))
        flush->items[flush->n_items++] = (pdict_access){ .id = row.id, .accessed_ms = due->at_ms };
    return PDICT_OK;
}

static int compare_ids(const void *left, const void *right)
{
    const pdict_access *a = left, *b = right;

    return (a->id > b->id) - (a->id < b->id);
}

static size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int look_up_some(struct access *access)
{
    struct access_flush *flush = &access->flush;
    size_t until = lesser(flush->n_known + LOOK_UP_ROWS, flush->n_due), n_before = flush->n_items;
    void *reader;
    int status = pdict__read_begin(access->map->store, &reader);

    if (status == PDICT_OK) {
        for (size_t i = flush->n_known; status == PDICT_OK && i < until; i++)
            status = look_up(access, reader, &flush->due[i]);
        pdict__read_end(access->map->store, reader);
    }
    if (status == PDICT_BUSY)
        flush->n_items = n_before;
    else
        flush->n_known = until;
    return status;
}

/* ---- writing ---- */

struct writing {
    uint32_t map;
    pdict_access items[FLUSH_ROWS];
    size_t count;
};

/* Unless the time that is stored is near enough. */
static int add_item(const struct access *access, void *reader, const pdict_access *item,
                    struct writing *writing)
{
    struct store *store = access->map->store;
    int64_t stored_ms;
    int status =
        store->backend->access_get(store->engine, reader, writing->map, item->id, &stored_ms);

    if (status != PDICT_OK && status != PDICT_NOTFOUND)
        return status;
    if (status == PDICT_NOTFOUND || !is_near(access, item->accessed_ms, stored_ms))
        writing->items[writing->count++] = *item;
    return PDICT_OK;
}

/* What is to be written is found out before anybody has to wait for it. */
static int gather(const struct access *access, size_t until, struct writing *writing)
{
    const struct access_flush *flush = &access->flush;
    void *reader;
    int status = pdict__read_begin(access->map->store, &reader);

    if (status != PDICT_OK)
        return status;
    for (size_t i = flush->n_written; status == PDICT_OK && i < until; i++)
        status = add_item(access, reader, &flush->items[i], writing);
    pdict__read_end(access->map->store, reader);
    return status;
}

static int write_inside(void *ctx, struct store *store, void *txn)
{
    const struct writing *writing = ctx;

    return store->backend->access_put(store->engine, txn, writing->map, writing->items,
                                      writing->count);
}

static int write_some(struct access *access, int64_t timeout_ms)
{
    struct access_flush *flush = &access->flush;
    size_t until = lesser(flush->n_written + FLUSH_ROWS, flush->n_items);
    struct writing writing = { .map = access->map->number };
    struct commit commit = { .durability = PDICT_ORDERED,
                             .timeout_ms = timeout_ms,
                             .work = write_inside,
                             .keeps_rows = true,
                             .ctx = &writing };
    int status = gather(access, until, &writing);

    if (status == PDICT_OK && writing.count > 0)
        status = pdict__commit(access->map->store, &commit);
    if (status != PDICT_BUSY)
        flush->n_written = until;
    return status;
}

int pdict__access_flush(struct access *access, int64_t timeout_ms, bool *has_more)
{
    struct access_flush *flush = &access->flush;
    int status = PDICT_OK;

    if (!flush->items)
        status = take(access);
    if (status == PDICT_OK && flush->n_known < flush->n_due)
        status = look_up_some(access);
    if (flush->due && flush->n_known == flush->n_due) {
        forget_keys(flush);
        qsort(flush->items, flush->n_items, sizeof(*flush->items), compare_ids);
    }
    if (status == PDICT_OK && !flush->due && flush->n_written < flush->n_items)
        status = write_some(access, timeout_ms);
    if (!flush->due && flush->n_written == flush->n_items)
        pdict__access_flush_free(flush);
    *has_more = flush->items != NULL;
    /* Dropped meanwhile. */
    return status == PDICT_NO_MAP ? PDICT_OK : status;
}
