/* SPDX-License-Identifier: MIT */
/* Typed values and objects: made into bytes before a put, and out of them after a get. */
#include <pdict/object.h>

#include "map/map.h"

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
    bench = pdict__bench_take(d->map->pipeline);
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

/* Lies in its own tree, as all that the view shows. */
struct tree_pin {
    struct pin pin;
    pdict_tree *tree;
    void *object; /* NULL: the view shows the value */
    void (*destroy)(void *object);
};

static void release_tree(struct pin *pin)
{
    struct tree_pin *mine = (struct tree_pin *)pin;

    if (mine->destroy)
        mine->destroy(mine->object);
    pdict_tree_free(mine->tree);
}

struct wish {
    const pdict *d;
    const pdict_type *type; /* NULL: the value itself */
    pdict_view *out;
};

static int show_object(const struct wish *wish, const pdict_value *value, struct tree_pin *pin)
{
    const pdict_type *type = wish->type;
    void *object = pdict_tree_alloc(pin->tree, type->object_size);
    int status =
        object ? pdict_object_unpack(type, value, pin->tree, object) : pdict_tree_status(pin->tree);

    if (status != PDICT_OK)
        return status;
    pin->object = object;
    if (type->struct_size > offsetof(pdict_type, destroy))
        pin->destroy = type->destroy;
    wish->out->data = object;
    wish->out->size = type->object_size;
    return PDICT_OK;
}

/* What the bytes stand for, in a tree that the view comes to own. */
static int show_in(const struct wish *wish, const pdict_view *bytes, pdict_tree *tree)
{
    struct tree_pin *pin = pdict_tree_alloc(tree, sizeof(*pin));
    pdict_value *value;
    int status;

    if (!pin)
        return pdict_tree_status(tree);
    status = pdict__deserialize(wish->d->map->pipeline, pdict_bytes(bytes->data, bytes->size), tree,
                                &value);
    if (status != PDICT_OK)
        return status;
    *pin = (struct tree_pin){ .pin.release = release_tree, .tree = tree };
    *wish->out = *bytes;
    wish->out->data = value;
    wish->out->size = 0;
    wish->out->pin = pin;
    return wish->type ? show_object(wish, value, pin) : PDICT_OK;
}

static int show_tree(void *ctx, const pdict_view *bytes)
{
    const struct wish *wish = ctx;
    pdict_tree *tree;
    int status = pdict__tree_for(wish->d->map->pipeline, &tree);

    if (status == PDICT_OK && (status = show_in(wish, bytes, tree)) != PDICT_OK)
        pdict_tree_free(tree);
    return status;
}

static int get_tree(pdict *d, pdict_slice key, const pdict_type *type, pdict_view *out)
{
    struct wish wish = { d, type, out };
    int status;

    *out = (pdict_view){ 0 };
    status = pdict_get_with(d, key, show_tree, &wish);
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
    return pdict__deserialize(d->map->pipeline, bytes, tree, out);
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
    struct workbench *bench = pdict__bench_take(d->map->pipeline);
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
