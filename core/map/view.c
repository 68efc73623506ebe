/* SPDX-License-Identifier: MIT */
/* Views: a value in RAM of its own, so that it stays whatever happens to the store. */
#include "base/calls.h"
#include "map/cached.h"

/* Lies before the bytes of a view. It carries the allocator since a view may outlive its map. */
struct block {
    struct pin pin;
    pdict_allocator allocator;
    void (*wipe)(void *memory, size_t size); /* NULL: the value may stay in freed memory */
    size_t size;
    max_align_t bytes[];
};

struct block_sink {
    const pdict_allocator *allocator;
    const pdict_codec *cipher; /* NULL: not encrypted */
    struct block *block;
};

static void release_block(struct pin *pin)
{
    struct block *block = (struct block *)pin;
    pdict_allocator allocator = block->allocator;

    if (block->wipe)
        block->wipe(block->bytes, block->size);
    pdict__free(&allocator, block);
}

static void *reserve(void *ctx, size_t size)
{
    struct block_sink *sink = ctx;

    if (size > SIZE_MAX - sizeof(struct block)) {
        pdict__nomem(size);
        return NULL;
    }
    if (sink->block)
        pdict__free(sink->allocator, sink->block);
    sink->block = pdict__alloc(sink->allocator, sizeof(struct block) + size);
    if (!sink->block)
        return NULL;
    sink->block->pin.release = release_block;
    sink->block->allocator = *sink->allocator;
    sink->block->wipe = sink->cipher ? sink->cipher->cipher->wipe : NULL;
    sink->block->size = size;
    return sink->block->bytes;
}

int pdict__view_fill(const pdict *d, struct workbench *bench, const pdict_row *row, pdict_view *out)
{
    struct map *map = d->map;
    struct block_sink target = { .allocator = &map->store->allocator,
                                 .cipher =
                                     pdict__descriptor_cipher(&pdict__settings(map)->descriptor) };
    struct sink sink = { reserve, &target };
    struct binding binding = { row->key, row->version, row->expires_ms };
    pdict_slice value;
    int status;

    status = pdict__decode(map->pipeline, bench, &binding, row->value, &sink, &value);
    if (status != PDICT_OK) {
        if (target.block)
            pdict__free(target.allocator, target.block);
        return status;
    }
    *out = (pdict_view){
        .data = value.data,
        .size = value.size,
        .version = row->version,
        .created_ms = row->created_ms,
        .expires_ms = row->expires_ms,
        .pin = target.block,
    };
    return PDICT_OK;
}

static PDICT__APART void release_pin(struct pin *pin)
{
    if (pin)
        pin->release(pin);
}

static PDICT__APART void reap(void)
{
    pdict__call_begin();
    pdict__cache_reap();
    pdict__call_end();
}

void pdict_view_release(pdict_view *view)
{
    void *pin;

    if (!view)
        return;
    pin = view->pin;
    *view = (pdict_view){ 0 };
    if (PDICT__RARE(!pdict__view_has_slot(pin))) {
        release_pin(pin);
        return;
    }
    pdict__hazard_release(pdict__view_slot(pin));
    /* See pdict__cache_reap(). */
    atomic_signal_fence(memory_order_seq_cst);
    if (PDICT__RARE(atomic_load_explicit(&pdict__cache_has_orphans, memory_order_relaxed)))
        reap();
}
