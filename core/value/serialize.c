/* SPDX-License-Identifier: MIT */
/* Typed values to the bytes that a map stores, and back, by its serializer. */
#include "value/pipeline.h"
#include "value/tree.h"

static int no_typed_values(void)
{
    return pdict_fail(PDICT_UNSUPPORTED,
                      "the serializer of the map has no typed values; put and get bytes, or use a "
                      "map with codecs=cbor");
}

/* Into the bench's buffer for values, as it is or grown once. */
int pdict__serialize(struct pipeline *pipeline, struct workbench *bench, const pdict_value *value,
                     pdict_slice *bytes)
{
    const pdict_serializer *serializer = bench->settings.generation->serializer;
    struct buf *buf = &bench->value;
    size_t room = buf->capacity, size = 0;
    int status;

    if (!serializer->encode)
        return no_typed_values();
    /* All of it is erased in the end, also when the value turns out not to fit. */
    buf->size = room;
    if ((status = serializer->encode(value, buf->data, room, &size)) != PDICT_OK)
        return status;
    if (size > pipeline->max_value)
        return pdict__value_too_big(pipeline, size);
    if (size > room) {
        if ((status = pdict__bench_room(pipeline, buf, size)) != PDICT_OK)
            return status;
        if ((status = serializer->encode(value, buf->data, size, &size)) != PDICT_OK)
            return status;
    }
    *bytes = (pdict_slice){ buf->data, size };
    return PDICT_OK;
}

int pdict__tree_for(struct pipeline *pipeline, pdict_tree **out)
{
    return pdict__tree_new_secret(pipeline->allocator, pdict__wiper(pipeline) != NULL, out);
}

int pdict__deserialize(const struct generation *settings, pdict_slice bytes, pdict_tree *tree,
                       pdict_value **value)
{
    const pdict_serializer *serializer = settings->serializer;
    int status;

    *value = NULL;
    if (!serializer->decode)
        return no_typed_values();
    if ((status = serializer->decode(bytes, tree, value)) != PDICT_OK)
        *value = NULL;
    return status;
}
