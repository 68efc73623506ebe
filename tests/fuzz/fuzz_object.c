/* SPDX-License-Identifier: MIT */
/* Any bytes as cbor, read into a struct with a field of every kind: refused, or packed as the same. */
#include <pdict/ext/register.h>
#include <pdict/object.h>
#include <string.h>

#include "fuzz.h"

struct point {
    int8_t x;
    float y;
};

struct thing {
    bool flag, has_u16;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    double number;
    const char *text;
    char name[8];
    pdict_slice bytes;
    struct point one;
    struct point *many;
    size_t n_many;
    int32_t *numbers;
    size_t n_numbers;
    const char **texts;
    size_t n_texts;
};

static const pdict_field point_fields[] = {
    PDICT_FIELD(struct point, x, PDICT_INT8),
    PDICT_FIELD(struct point, y, PDICT_FLOAT),
    PDICT_FIELD_END,
};

static const pdict_field thing_fields[] = {
    PDICT_FIELD(struct thing, flag, PDICT_BOOL),
    PDICT_FIELD(struct thing, i16, PDICT_INT16),
    PDICT_FIELD(struct thing, i32, PDICT_INT32),
    PDICT_FIELD(struct thing, i64, PDICT_INT64),
    PDICT_FIELD(struct thing, u8, PDICT_UINT8),
    PDICT_FIELD_OPTIONAL(struct thing, u16, has_u16, PDICT_UINT16),
    PDICT_FIELD(struct thing, u32, PDICT_UINT32),
    PDICT_FIELD(struct thing, u64, PDICT_UINT64),
    PDICT_FIELD(struct thing, number, PDICT_DOUBLE),
    PDICT_FIELD(struct thing, text, PDICT_STRING),
    PDICT_FIELD(struct thing, name, PDICT_CHARS),
    PDICT_FIELD(struct thing, bytes, PDICT_BLOB),
    PDICT_FIELD_STRUCT(struct thing, one, point_fields),
    PDICT_FIELD_STRUCTS(struct thing, many, n_many, point_fields),
    PDICT_FIELD_ARRAY(struct thing, numbers, n_numbers, PDICT_INT32),
    PDICT_FIELD_ARRAY(struct thing, texts, n_texts, PDICT_STRING),
    PDICT_FIELD_END,
};

static const pdict_type thing_type = PDICT_TYPE(struct thing, thing_fields);

static void pack_again(const struct thing *thing, pdict_tree *tree)
{
    struct thing again;
    pdict_value *packed, *same;

    expect(pdict_object_pack(&thing_type, thing, tree, &packed) == PDICT_OK);
    memset(&again, 0, sizeof(again));
    expect(pdict_object_unpack(&thing_type, packed, tree, &again) == PDICT_OK);
    expect(pdict_object_pack(&thing_type, &again, tree, &same) == PDICT_OK);
    expect(pdict_value_equal(packed, same));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const pdict_codec *codec = pdict_codec_find("cbor");
    struct thing thing;
    pdict_value *value;
    pdict_tree *tree;

    if (!codec)
        return 0;
    memset(&thing, 0, sizeof(thing));
    expect(pdict_tree_new(NULL, &tree) == PDICT_OK);
    if (codec->serializer->decode((pdict_slice){ data, size }, tree, &value) == PDICT_OK &&
        pdict_object_unpack(&thing_type, value, tree, &thing) == PDICT_OK)
        pack_again(&thing, tree);
    pdict_tree_free(tree);
    return 0;
}
