/* SPDX-License-Identifier: MIT */
/* Images: sorted arrays of immutable records. A write transaction works on a copy of its own. */
#include "shelf.h"

static void *allocate(const pdict_allocator *allocator, size_t size)
{
    return allocator->allocate(allocator->ctx, size);
}

static void release(const pdict_allocator *allocator, void *memory)
{
    allocator->release(allocator->ctx, memory);
}

static int no_memory(void)
{
    return pdict_fail(PDICT_NOMEM, "shelf: no memory for a change; free some and try again");
}

/* ---- records ---- */

static struct record *record_new(const pdict_allocator *allocator, const pdict_row *row)
{
    struct record *record = allocate(allocator, sizeof(*record) + row->key.size + row->value.size);

    if (!record)
        return NULL;
    atomic_init(&record->references, 1);
    record->row = *row;
    record->row.key.data = record->bytes;
    record->row.value.data = record->bytes + row->key.size;
    if (row->key.size > 0)
        memcpy(record->bytes, row->key.data, row->key.size);
    if (row->value.size > 0)
        memcpy(record->bytes + row->key.size, row->value.data, row->value.size);
    return record;
}

static void record_drop(const pdict_allocator *allocator, struct record *record)
{
    if (record && atomic_fetch_sub(&record->references, 1) == 1)
        release(allocator, record);
}

static int compare_bytes(pdict_slice a, pdict_slice b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare(enum order order, const pdict_row *a, const pdict_row *b)
{
    if (order == BY_KEY)
        return compare_bytes(a->key, b->key);
    if (order == BY_EXPIRY && a->expires_ms != b->expires_ms)
        return a->expires_ms < b->expires_ms ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

/* ---- tables ---- */

size_t table_place(const struct table *table, enum order order, const pdict_row *probe)
{
    size_t low = 0, high = table->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare(order, &table->at[middle]->row, probe) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct record *table_find(const struct table *table, pdict_slice key)
{
    size_t place = table_place(table, BY_KEY, &(pdict_row){ .key = key });
    bool is_there = place < table->count && compare_bytes(table->at[place]->row.key, key) == 0;

    return is_there ? table->at[place] : NULL;
}

static int table_reserve(const pdict_allocator *allocator, struct table *table)
{
    size_t capacity = table->capacity * 2 + 8;
    struct record **grown;

    if (table->count < table->capacity)
        return PDICT_OK;
    grown = allocator->reallocate(allocator->ctx, table->at, capacity * sizeof(*grown));
    if (!grown)
        return no_memory();
    table->at = grown;
    table->capacity = capacity;
    return PDICT_OK;
}

/* There is room. */
static void table_add(struct table *table, enum order order, struct record *record)
{
    size_t place = table_place(table, order, &record->row);

    memmove(table->at + place + 1, table->at + place, (table->count - place) * sizeof(*table->at));
    table->at[place] = record;
    table->count++;
    atomic_fetch_add(&record->references, 1);
}

/* The record is there. */
static void table_remove(const pdict_allocator *allocator, struct table *table, enum order order,
                         const pdict_row *row)
{
    size_t place = table_place(table, order, row);
    struct record *record = table->at[place];

    table->count--;
    memmove(table->at + place, table->at + place + 1, (table->count - place) * sizeof(*table->at));
    record_drop(allocator, record);
}

static void table_free(const pdict_allocator *allocator, struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        record_drop(allocator, table->at[i]);
    release(allocator, table->at);
}

static int table_copy(const pdict_allocator *allocator, struct table *to, const struct table *from)
{
    *to = (struct table){ .capacity = from->count };
    if (from->count == 0)
        return PDICT_OK;
    to->at = allocate(allocator, from->count * sizeof(*to->at));
    if (!to->at)
        return no_memory();
    for (size_t i = 0; i < from->count; i++) {
        to->at[i] = from->at[i];
        atomic_fetch_add(&to->at[i]->references, 1);
    }
    to->count = from->count;
    return PDICT_OK;
}

/* ---- images ---- */

static void map_free(const pdict_allocator *allocator, struct map *map)
{
    record_drop(allocator, map->name);
    table_free(allocator, &map->system);
    for (int order = 0; order < ORDERS; order++)
        table_free(allocator, &map->rows[order]);
}

static int map_copy(const pdict_allocator *allocator, struct map *to, const struct map *from)
{
    int status = table_copy(allocator, &to->system, &from->system);

    to->number = from->number;
    to->name = from->name;
    if (to->name)
        atomic_fetch_add(&to->name->references, 1);
    for (int order = 0; order < ORDERS && status == PDICT_OK; order++)
        status = table_copy(allocator, &to->rows[order], &from->rows[order]);
    return status;
}

struct image *image_copy(const pdict_allocator *allocator, const struct image *from)
{
    static struct map store_itself;
    static const struct image empty = { .maps = &store_itself, .n_maps = 1 };
    struct image *image = allocate(allocator, sizeof(*image));
    int status = PDICT_OK;

    from = from ? from : &empty;
    if (!image)
        return NULL;
    *image = (struct image){ .references = 1 };
    image->maps = allocate(allocator, from->n_maps * sizeof(*image->maps));
    for (size_t i = 0; image->maps && status == PDICT_OK && i < from->n_maps; i++) {
        image->maps[i] = (struct map){ .number = 0 };
        status = map_copy(allocator, &image->maps[image->n_maps++], &from->maps[i]);
    }
    if (image->maps && status == PDICT_OK)
        return image;
    image_drop(allocator, image);
    return NULL;
}

void image_drop(const pdict_allocator *allocator, struct image *image)
{
    if (!image || atomic_fetch_sub(&image->references, 1) != 1)
        return;
    for (size_t i = 0; i < image->n_maps; i++)
        map_free(allocator, &image->maps[i]);
    release(allocator, image->maps);
    release(allocator, image);
}

struct map *image_map(const struct image *image, uint32_t number)
{
    for (size_t i = 0; i < image->n_maps; i++) {
        if (image->maps[i].number == number)
            return &image->maps[i];
    }
    return NULL;
}

struct map *image_map_named(const struct image *image, pdict_slice name)
{
    for (size_t i = 1; i < image->n_maps; i++) {
        if (compare_bytes(image->maps[i].name->row.key, name) == 0)
            return &image->maps[i];
    }
    return NULL;
}

/* ---- changes ---- */

static int map_set(const pdict_allocator *allocator, struct image *image, const struct op *op)
{
    struct record *name = record_new(allocator, &op->row);
    struct map *map = image_map(image, op->map), *grown;

    if (!name)
        return no_memory();
    if (map) {
        record_drop(allocator, map->name);
        map->name = name;
        return PDICT_OK;
    }
    grown =
        allocator->reallocate(allocator->ctx, image->maps, (image->n_maps + 1) * sizeof(*grown));
    if (!grown) {
        record_drop(allocator, name);
        return no_memory();
    }
    image->maps = grown;
    image->maps[image->n_maps++] = (struct map){ .number = op->map, .name = name };
    return PDICT_OK;
}

static void map_drop(const pdict_allocator *allocator, struct image *image, struct map *map)
{
    struct map *end = image->maps + image->n_maps;

    map_free(allocator, map);
    memmove(map, map + 1, (size_t)(end - map - 1) * sizeof(*map));
    image->n_maps--;
}

static void system_del(const pdict_allocator *allocator, struct map *map, pdict_slice name)
{
    if (table_find(&map->system, name))
        table_remove(allocator, &map->system, BY_KEY, &(pdict_row){ .key = name });
}

static int system_put(const pdict_allocator *allocator, struct map *map, const pdict_row *row)
{
    struct record *record;

    if (table_reserve(allocator, &map->system) != PDICT_OK)
        return PDICT_NOMEM;
    record = record_new(allocator, row);
    if (!record)
        return no_memory();
    system_del(allocator, map, row->key);
    table_add(&map->system, BY_KEY, record);
    record_drop(allocator, record);
    return PDICT_OK;
}

static void row_del(const pdict_allocator *allocator, struct map *map, pdict_slice key)
{
    struct record *old = table_find(&map->rows[BY_KEY], key);

    if (!old)
        return;
    if (old->row.expires_ms != 0)
        table_remove(allocator, &map->rows[BY_EXPIRY], BY_EXPIRY, &old->row);
    table_remove(allocator, &map->rows[BY_ID], BY_ID, &old->row);
    /* Last: it keeps the record alive. */
    table_remove(allocator, &map->rows[BY_KEY], BY_KEY, &old->row);
}

static int row_put(const pdict_allocator *allocator, struct map *map, const pdict_row *row)
{
    struct record *record;

    for (int order = 0; order < ORDERS; order++) {
        if (table_reserve(allocator, &map->rows[order]) != PDICT_OK)
            return PDICT_NOMEM;
    }
    record = record_new(allocator, row);
    if (!record)
        return no_memory();
    row_del(allocator, map, row->key);
    table_add(&map->rows[BY_KEY], BY_KEY, record);
    table_add(&map->rows[BY_ID], BY_ID, record);
    if (row->expires_ms != 0)
        table_add(&map->rows[BY_EXPIRY], BY_EXPIRY, record);
    record_drop(allocator, record);
    return PDICT_OK;
}

int image_change(const pdict_allocator *allocator, struct image *image, const struct op *op)
{
    struct map *map = image_map(image, op->map);

    if (op->kind == OP_MAP_SET)
        return map_set(allocator, image, op);
    if (!map)
        return pdict_fail(PDICT_DAMAGED, "shelf: a change names map %u, which is not there",
                          (unsigned)op->map);
    switch (op->kind) {
    case OP_SYSTEM_PUT:
        return system_put(allocator, map, &op->row);
    case OP_ROW_PUT:
        return row_put(allocator, map, &op->row);
    case OP_MAP_DROP:
        map_drop(allocator, image, map);
        return PDICT_OK;
    case OP_SYSTEM_DEL:
        system_del(allocator, map, op->row.key);
        return PDICT_OK;
    default:
        row_del(allocator, map, op->row.key);
        return PDICT_OK;
    }
}
