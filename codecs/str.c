/* SPDX-License-Identifier: MIT */
/* The str serializer: a value is text in UTF-8, checked before it is stored. */
#include <string.h>

#include <pdict/ext/codec.h>

/** How many bytes at the start are ASCII, looking at eight at a time: short of the end by < 8. */
static size_t ascii_blocks(const unsigned char *bytes, size_t size)
{
    size_t done = 0;
    uint64_t block;

    while (size - done >= sizeof(block)) {
        memcpy(&block, bytes + done, sizeof(block));
        if ((block & UINT64_C(0x8080808080808080)) != 0)
            break;
        done += sizeof(block);
    }
    return done;
}

/**
 * The length of the character at `bytes`, 0 if there is none. The ranges are table 3-7 of the
 * Unicode Standard: they leave out overlong forms, surrogates and everything above U+10FFFF, and
 * all of these show in the second byte.
 */
static size_t character_size(const unsigned char *bytes, size_t size)
{
    unsigned char lead = bytes[0], lowest = 0x80, highest = 0xBF;
    size_t length;

    if (lead < 0x80)
        return 1;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (size < length)
        return 0;
    if (lead == 0xE0)
        lowest = 0xA0;
    else if (lead == 0xED)
        highest = 0x9F;
    else if (lead == 0xF0)
        lowest = 0x90;
    else if (lead == 0xF4)
        highest = 0x8F;
    if (bytes[1] < lowest || bytes[1] > highest)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

static int str_check(pdict_slice bytes)
{
    const unsigned char *data = bytes.data;
    size_t at = 0, length;

    while (at < bytes.size) {
        at += ascii_blocks(data + at, bytes.size - at);
        if (at == bytes.size)
            break;
        length = character_size(data + at, bytes.size - at);
        if (length == 0)
            return pdict_fail(PDICT_INVAL,
                              "str: the value is not UTF-8 at byte %zu of %zu; encode it as UTF-8 "
                              "or use the raw serializer",
                              at, bytes.size);
        at += length;
    }
    return PDICT_OK;
}

static int str_encode(const pdict_value *value, void *out, size_t capacity, size_t *out_size)
{
    pdict_slice text = pdict_value_bytes(value);

    if (pdict_value_type(value) != PDICT_VALUE_TEXT)
        return pdict_fail(PDICT_INVAL, "str: only text can be written; use cbor or json");
    if (text.size > 0 && text.size <= capacity)
        memcpy(out, text.data, text.size);
    *out_size = text.size;
    return PDICT_OK;
}

static int str_decode(pdict_slice bytes, pdict_tree *tree, pdict_value **out)
{
    if (str_check(bytes) != PDICT_OK)
        return pdict_fail(PDICT_FORMAT,
                          "str: the value is not UTF-8; restore the entry from a backup or read "
                          "its bytes");
    *out = pdict_tree_text_n(tree, bytes.data, bytes.size);
    return *out != NULL ? PDICT_OK : pdict_tree_status(tree);
}

static const pdict_serializer str_serializer = {
    .struct_size = sizeof(pdict_serializer),
    .check = str_check,
    .encode = str_encode,
    .decode = str_decode,
};

const pdict_codec pdict__codec_str = {
    PDICT_EXT_HEAD(pdict_codec),
    .kind = PDICT_SERIALIZER,
    .id = 2, /* in every record: never changes */
    .name = "str",
    .summary = "text in UTF-8",
    .serializer = &str_serializer,
};
