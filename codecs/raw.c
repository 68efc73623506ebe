/* SPDX-License-Identifier: MIT */
/* The raw serializer: a value is whatever bytes it is. */
#include <string.h>

#include <pdict/ext/codec.h>

static int raw_encode(const pdict_value *value, void *out, size_t capacity, size_t *out_size)
{
    pdict_slice bytes = pdict_value_bytes(value);

    if (pdict_value_type(value) != PDICT_VALUE_BYTES)
        return pdict_fail(PDICT_INVAL, "raw: only bytes can be written; use cbor or json");
    if (bytes.size > 0 && bytes.size <= capacity)
        memcpy(out, bytes.data, bytes.size);
    *out_size = bytes.size;
    return PDICT_OK;
}

static int raw_decode(pdict_slice bytes, pdict_tree *tree, pdict_value **out)
{
    *out = pdict_tree_bytes(tree, bytes.data, bytes.size);
    return *out != NULL ? PDICT_OK : pdict_tree_status(tree);
}

static const pdict_serializer raw_serializer = {
    .struct_size = sizeof(pdict_serializer),
    .check = NULL, /* all bytes are legal */
    .encode = raw_encode,
    .decode = raw_decode,
};

const pdict_codec pdict__codec_raw = {
    PDICT_EXT_HEAD(pdict_codec),
    .kind = PDICT_SERIALIZER,
    .id = 1, /* in every record: never changes */
    .name = "raw",
    .summary = "any bytes",
    .serializer = &raw_serializer,
};
