/* SPDX-License-Identifier: MIT */
/* Values of one serializer as those of another, where a map is being converted. */
#include "value/pipeline.h"
#include "value/tree.h"

/* Into the bench, whose other buffers may hold the value. */
static int write(struct pipeline *pipeline, struct workbench *bench, const pdict_serializer *to,
                 const pdict_value *value, pdict_slice *out)
{
    struct buf *buf = &bench->turned;
    size_t size = 0;
    int status;

    buf->size = buf->capacity;
    if ((status = to->encode(value, buf->data, buf->capacity, &size)) != PDICT_OK)
        return status;
    if (size > buf->capacity) {
        if ((status = pdict__bench_room(pipeline, buf, size)) != PDICT_OK)
            return status;
        if ((status = to->encode(value, buf->data, size, &size)) != PDICT_OK)
            return status;
    }
    *out = (pdict_slice){ buf->data, size };
    return PDICT_OK;
}

/* Without typed values the bytes stay, if the other serializer can read them. */
int pdict__turn(struct pipeline *pipeline, struct workbench *bench, const pdict_serializer *from,
                const pdict_serializer *to, pdict_slice bytes, pdict_slice *out)
{
    pdict_value *value;
    pdict_tree *tree;
    int status;

    if (!from->decode || !to->encode) {
        *out = bytes;
        return to->check ? to->check(bytes) : PDICT_OK;
    }
    if ((status = pdict__tree_for(pipeline, &tree)) != PDICT_OK)
        return status;
    if ((status = from->decode(bytes, tree, &value)) == PDICT_OK)
        status = write(pipeline, bench, to, value, out);
    pdict_tree_free(tree);
    return status;
}
