/* SPDX-License-Identifier: MIT */
/* Views: a value in RAM of its own, so that it stays whatever happens to the store. */
#include "map/map.h"

/* Lies before the bytes of a view. It carries the allocator since a view may outlive its map. */
struct pin {
    pdict_allocator allocator;
    max_align_t bytes[];
};

struct pin_sink {
    const pdict_allocator *allocator;
    struct pin *pin;
};

static void *reserve(void *ctx, size_t size)
{
    struct pin_sink *sink = ctx;

    if (size > SIZE_MAX - sizeof(struct pin)) {
        pdict__nomem(size);
        return NULL;
    }
    sink->pin = pdict__alloc(sink->allocator, sizeof(struct pin) + size);
    if (!sink->pin)
        return NULL;
    sink->pin->allocator = *sink->allocator;
    return sink->pin->bytes;
}

int pdict__view_fill(const pdict *d, struct workbench *bench, const pdict_row *row, pdict_view *out)
{
    struct map *map = d->map;
    struct pin_sink target = { .allocator = &map->store->allocator };
    struct sink sink = { reserve, &target };
    struct binding binding = { row->key, row->version, row->expires_ms };
    pdict_slice value;
    int status;

    status = pdict__decode(map->pipeline, bench, &binding, row->value, &sink, &value);
    if (status != PDICT_OK) {
        if (target.pin)
            pdict__free(target.allocator, target.pin);
        return status;
    }
    *out = (pdict_view){
        .data = value.data,
        .size = value.size,
        .version = row->version,
        .created_ms = row->created_ms,
        .expires_ms = row->expires_ms,
        .pin = target.pin,
    };
    return PDICT_OK;
}

void pdict_view_release(pdict_view *view)
{
    struct pin *pin;

    if (!view)
        return;
    pin = view->pin;
    if (pin) {
        pdict_allocator allocator = pin->allocator;

        pdict__free(&allocator, pin);
    }
    *view = (pdict_view){ 0 };
}
