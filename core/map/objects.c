/* SPDX-License-Identifier: MIT */
/* Typed values and objects: made into bytes before a put, and out of them after a get. */
#include <pdict/object.h>

#include "base/calls.h"
#include "map/cached.h"
#include "value/pipeline.h"
#include "value/tree.h"

/* ---- writing ---- */

int pdict_put_value(pdict *d, pdict_slice key, const pdict_value *value,
                    const pdict_put_options *how)
{
    struct workbench *bench;
    pdict_slice bytes;
    int status;

    if (!value)
        return pdict_fail(PDICT_INVAL,
                          "put: NULL is no value; pdict_tree_status() of its tree says "
                          "why there is none");
    bench = pdict__bench_for(d);
    if (!bench)
        return PDICT_NOMEM;
    status = pdict__serialize(d->map->pipeline, bench, value, &bytes);
    if (status == PDICT_OK)
        status = pdict_put(d, key, bytes, how);
    pdict__bench_give(d->map->pipeline, bench);
    return status;
}

int pdict_put_object(pdict *d, pdict_slice key, const pdict_type *type, const void *object,
                     const pdict_put_options *how)
{
    pdict_value *value;
    pdict_tree *tree;
    int status = pdict__tree_for(d->map->pipeline, &tree);

    if (status != PDICT_OK)
        return status;
    status = pdict_object_pack(type, object, tree, &value);
    if (status == PDICT_OK)
        status = pdict_put_value(d, key, value, how);
    pdict_tree_free(tree);
    return status;
}

/* ---- reading ---- */

/* What was decoded out of a value, of one view or of a cached entry. Lies in its own tree, as all
 * that it leads to. */
struct object {
    struct pin pin;         /* of a view that has it to itself, */
    struct decoded decoded; /* or of the entry, whose pin the views have */
    pdict_tree *tree;
    pdict_type type; /* zero: it is the value */
    const void *data;
    size_t size;
    void (*destroy)(void *object);
};

static void free_object(struct object *object)
{
    if (object->destroy)
        object->destroy((void *)object->data);
    pdict_tree_free(object->tree);
}

static void release_object(struct pin *pin)
{
    free_object((struct object *)pin);
}

static void free_decoded(struct decoded *decoded)
{
    free_object((struct object *)((char *)decoded - offsetof(struct object, decoded)));
}

struct wish {
    const pdict *d;
    pdict_type type; /* zero: the value itself */
    pdict_view *out;
    const struct generation *generation; /* before the bytes were got */
};

/* The serializer that the bytes are of may be another by now. */
#define DECODE_STALE 1

static int unpack(const struct wish *wish, const pdict_value *value, struct object *object)
{
    const pdict_type *type = &wish->type;
    void *memory = pdict_tree_alloc(object->tree, type->object_size);
    int status = memory ? pdict_object_unpack(type, value, object->tree, memory)
                        : pdict_tree_status(object->tree);

    if (status != PDICT_OK)
        return status;
    object->data = memory;
    object->size = type->object_size;
    object->destroy = type->destroy;
    return PDICT_OK;
}

/* What the bytes stand for, in a tree that the object comes to own. */
static int decode_in(const struct wish *wish, pdict_slice bytes, pdict_tree *tree,
                     struct object **out)
{
    struct object *object = pdict_tree_alloc(tree, sizeof(*object));
    pdict_value *value;
    int status;

    if (!object)
        return pdict_tree_status(tree);
    status = pdict__deserialize(wish->generation, bytes, tree, &value);
    if (pdict__generation_for(wish->d) != wish->generation)
        return DECODE_STALE;
    if (status != PDICT_OK)
        return status;
    *object = (struct object){ .pin.release = release_object,
                               .decoded.free = free_decoded,
                               .tree = tree,
                               .type = wish->type,
                               .data = value };
    if (wish->type.struct_size > 0)
        status = unpack(wish, value, object);
    object->decoded.size = pdict__tree_bytes(tree);
    *out = object;
    return status;
}

static int decode(const struct wish *wish, const pdict_view *bytes, struct object **out)
{
    pdict_tree *tree;
    int status = pdict__tree_for(wish->d->map->pipeline, &tree);

    if (status == PDICT_OK &&
        (status = decode_in(wish, pdict_bytes(bytes->data, bytes->size), tree, out)) != PDICT_OK)
        pdict_tree_free(tree);
    return status;
}

static void show(const struct wish *wish, const struct object *object)
{
    wish->out->data = object->data;
    wish->out->size = object->size;
}

static int show_own(void *ctx, const pdict_view *bytes)
{
    const struct wish *wish = ctx;
    struct object *object;
    int status = decode(wish, bytes, &object);

    if (status != PDICT_OK)
        return status;
    *wish->out = *bytes;
    show(wish, object);
    wish->out->pin = &object->pin;
    return PDICT_OK;
}

/* ---- through the cache: decoded once for each entry ---- */

static struct object *find_object(const struct wish *wish, struct decoded *first)
{
    for (struct decoded *at = first; at; at = at->next) {
        struct object *object = (struct object *)((char *)at - offsetof(struct object, decoded));

        if (memcmp(&object->type, &wish->type, sizeof(wish->type)) == 0)
            return object;
    }
    return NULL;
}

static struct decoded *decoded_of(void *pin)
{
    return entry_first_decoded(atomic_load_explicit(pdict__view_slot(pin), memory_order_relaxed));
}

static bool keep(const struct wish *wish, const struct decoded *seen, struct object *object)
{
    bool is_kept;

    pdict__call_begin();
    is_kept =
        pdict__cache_keep(wish->d->cache, pdict__view_slot(wish->out->pin), seen, &object->decoded);
    pdict__call_end();
    return is_kept;
}

/* The view pins an entry, or bytes of its own where these did not fit into the cache. */
static int show_shared(const struct wish *wish)
{
    pdict_view bytes = *wish->out;
    struct decoded *first = pdict__view_has_slot(bytes.pin) ? decoded_of(bytes.pin) : NULL;
    struct object *object = find_object(wish, first);
    bool is_shared = object != NULL;
    int status = is_shared ? PDICT_OK : decode(wish, &bytes, &object);

    if (status == PDICT_OK && !is_shared && pdict__view_has_slot(bytes.pin))
        is_shared = keep(wish, first, object);
    if (status == PDICT_OK)
        show(wish, object);
    if (is_shared)
        return PDICT_OK;
    if (status == PDICT_OK)
        wish->out->pin = &object->pin;
    pdict_view_release(&bytes);
    return status;
}

static int get_once(pdict *d, pdict_slice key, struct wish *wish)
{
    int status;

    wish->generation = pdict__generation_for(d);
    if (!d->cache || d->cache->is_sealed)
        return pdict_get_with(d, key, show_own, wish);
    status = pdict_get(d, key, wish->out);
    return status == PDICT_OK ? show_shared(wish) : status;
}

static int get_tree(pdict *d, pdict_slice key, const pdict_type *type, pdict_view *out)
{
    struct wish wish = { .d = d, .out = out };
    int status;

    *out = (pdict_view){ 0 };
    if (type)
        memcpy(&wish.type, type,
               type->struct_size < sizeof(*type) ? type->struct_size : sizeof(*type));
    do
        status = get_once(d, key, &wish);
    while (status == DECODE_STALE);
    if (status != PDICT_OK)
        *out = (pdict_view){ 0 };
    return status;
}

int pdict_get_value(pdict *d, pdict_slice key, pdict_view *out)
{
    return get_tree(d, key, NULL, out);
}

int pdict_get_object(pdict *d, pdict_slice key, const pdict_type *type, pdict_view *out)
{
    *out = (pdict_view){ 0 };
    if (!type || type->struct_size < offsetof(pdict_type, defaults) || type->object_size == 0)
        return pdict_fail(PDICT_INVAL, "object: the type has no size, see PDICT_TYPE");
    return get_tree(d, key, type, out);
}

/* ---- without a key ---- */

int pdict_value_decode(pdict *d, pdict_slice bytes, pdict_tree *tree, pdict_value **out)
{
    return pdict__deserialize(pdict__generation_for(d), bytes, tree, out);
}

static int keep_bytes(pdict_tree *tree, pdict_slice bytes, pdict_slice *out)
{
    void *copy = pdict_tree_alloc(tree, bytes.size);

    if (!copy)
        return pdict_tree_status(tree);
    pdict__copy(copy, bytes.data, bytes.size);
    *out = (pdict_slice){ copy, bytes.size };
    return PDICT_OK;
}

int pdict_value_encode(pdict *d, const pdict_value *value, pdict_tree *tree, pdict_slice *out)
{
    struct workbench *bench = pdict__bench_for(d);
    pdict_slice bytes;
    int status;

    *out = (pdict_slice){ 0 };
    if (!bench)
        return PDICT_NOMEM;
    status = pdict__serialize(d->map->pipeline, bench, value, &bytes);
    if (status == PDICT_OK)
        status = keep_bytes(tree, bytes, out);
    pdict__bench_give(d->map->pipeline, bench);
    return status;
}
