/* SPDX-License-Identifier: MIT */
/* CBOR as typed values, hostile or not, and the table of the cbor serializer. */
#include <cbor.h>
#include <string.h>

#include "cbor.h"

/* The head of a data item, as libcbor's callbacks tell it. */
typedef struct item {
    int type; /* enum pdict_value_type; PDICT_VALUE_NONE: one that no value has */
    bool is_negative;
    uint64_t number; /* -1 - number if negative; count of an array or map */
    double real;
    pdict_slice bytes;
} item;

static void on_number(void *ctx, bool is_negative, uint64_t number)
{
    *(item *)ctx = (item){ .type = PDICT_VALUE_INT, .is_negative = is_negative, .number = number };
}

static void on_uint8(void *ctx, uint8_t value)
{
    on_number(ctx, false, value);
}

static void on_uint16(void *ctx, uint16_t value)
{
    on_number(ctx, false, value);
}

static void on_uint32(void *ctx, uint32_t value)
{
    on_number(ctx, false, value);
}

static void on_uint64(void *ctx, uint64_t value)
{
    on_number(ctx, false, value);
}

static void on_negint8(void *ctx, uint8_t value)
{
    on_number(ctx, true, value);
}

static void on_negint16(void *ctx, uint16_t value)
{
    on_number(ctx, true, value);
}

static void on_negint32(void *ctx, uint32_t value)
{
    on_number(ctx, true, value);
}

static void on_negint64(void *ctx, uint64_t value)
{
    on_number(ctx, true, value);
}

static void on_bytes(void *ctx, const unsigned char *data, size_t size)
{
    *(item *)ctx = (item){ .type = PDICT_VALUE_BYTES, .bytes = { data, size } };
}

static void on_string(void *ctx, const unsigned char *data, size_t size)
{
    *(item *)ctx = (item){ .type = PDICT_VALUE_TEXT, .bytes = { data, size } };
}

static void on_array(void *ctx, size_t count)
{
    *(item *)ctx = (item){ .type = PDICT_VALUE_ARRAY, .number = count };
}

static void on_map(void *ctx, size_t count)
{
    *(item *)ctx = (item){ .type = PDICT_VALUE_MAP, .number = count };
}

static void on_float(void *ctx, float value)
{
    *(item *)ctx = (item){ .type = PDICT_VALUE_DOUBLE, .real = (double)value };
}

static void on_double(void *ctx, double value)
{
    *(item *)ctx = (item){ .type = PDICT_VALUE_DOUBLE, .real = value };
}

static void on_null(void *ctx)
{
    *(item *)ctx = (item){ .type = PDICT_VALUE_NULL };
}

static void on_bool(void *ctx, bool value)
{
    *(item *)ctx = (item){ .type = PDICT_VALUE_BOOL, .number = value };
}

static void on_nothing(void *ctx)
{
    (void)ctx;
}

static void on_tag(void *ctx, uint64_t tag)
{
    (void)ctx;
    (void)tag;
}

static const struct cbor_callbacks callbacks = {
    .uint8 = on_uint8,
    .uint16 = on_uint16,
    .uint32 = on_uint32,
    .uint64 = on_uint64,
    .negint8 = on_negint8,
    .negint16 = on_negint16,
    .negint32 = on_negint32,
    .negint64 = on_negint64,
    .byte_string_start = on_nothing,
    .byte_string = on_bytes,
    .string = on_string,
    .string_start = on_nothing,
    .indef_array_start = on_nothing,
    .array_start = on_array,
    .indef_map_start = on_nothing,
    .map_start = on_map,
    .tag = on_tag,
    .float2 = on_float,
    .float4 = on_float,
    .float8 = on_double,
    .undefined = on_nothing,
    .null = on_null,
    .boolean = on_bool,
    .indef_break = on_nothing,
};

/* Reads bytes as a value, or, without a tree, only checks them. */
typedef struct reader {
    const unsigned char *start;
    size_t size;
    size_t at;
    uint32_t count; /* values so far */
    pdict_tree *tree;
} reader;

static int refuse(const reader *r, const char *what)
{
    if (r->tree != NULL)
        return pdict_fail(PDICT_FORMAT,
                          "cbor: the stored value is malformed at byte %zu of %zu (%s); restore "
                          "the entry from a backup",
                          r->at, r->size, what);
    return pdict_fail(PDICT_INVAL, "cbor: the value is refused at byte %zu of %zu: %s", r->at,
                      r->size, what);
}

/** The bytes that a head with this number takes at least, and so has to take. */
static size_t head_size(uint64_t number)
{
    if (number < 24)
        return 1;
    return number <= UINT8_MAX ? 2 : number <= UINT16_MAX ? 3 : number <= UINT32_MAX ? 5 : 9;
}

/** Is the item, `read` bytes long, written in the one form that it may have? */
static bool is_shortest(const reader *r, const item *head, size_t read)
{
    unsigned char again[CBOR_HEAD_MOST];

    switch (head->type) {
    case PDICT_VALUE_NULL:
    case PDICT_VALUE_BOOL:
        return read == 1;
    case PDICT_VALUE_TEXT:
    case PDICT_VALUE_BYTES:
        return read == head_size(head->bytes.size) + head->bytes.size;
    case PDICT_VALUE_DOUBLE:
        return pdict__cbor_double(head->real, again) == read &&
               memcmp(again, r->start + r->at, read) == 0;
    default:
        return read == head_size(head->number);
    }
}

static int read_head(reader *r, item *head, size_t *read)
{
    struct cbor_decoder_result result;

    *head = (item){ .type = PDICT_VALUE_NONE };
    if (r->at == r->size)
        return refuse(r, "it ends early");
    result = cbor_stream_decode(r->start + r->at, r->size - r->at, &callbacks, head);
    *read = result.read;
    if (result.status == CBOR_DECODER_NEDATA)
        return refuse(r, "it ends early");
    if (result.status != CBOR_DECODER_FINISHED)
        return refuse(r, "no CBOR");
    if (head->type == PDICT_VALUE_NONE)
        return refuse(r, "tags, undefined, indefinite lengths and simple values are not taken");
    if (!is_shortest(r, head, *read))
        return refuse(r, "not in the shortest form");
    return PDICT_OK;
}

static int read_integer(reader *r, const item *head, pdict_value **out)
{
    if (!head->is_negative)
        *out = pdict_tree_uint(r->tree, head->number);
    else if (head->number > INT64_MAX)
        return refuse(r, "an integer below -2^63");
    else
        *out = pdict_tree_int(r->tree, -1 - (int64_t)head->number);
    return PDICT_OK;
}

static int read_text(reader *r, const item *head, pdict_value **out)
{
    if (!pdict_is_utf8(head->bytes, NULL))
        return refuse(r, "text that is not UTF-8");
    *out = pdict_tree_text_n(r->tree, head->bytes.data, head->bytes.size);
    return PDICT_OK;
}

static int read_value(reader *r, unsigned depth, pdict_value **out);

static int read_array(reader *r, unsigned depth, uint64_t count, pdict_value **out)
{
    pdict_value *array = pdict_tree_array(r->tree), *value = NULL;
    int status = PDICT_OK;

    for (uint64_t i = 0; i < count && status == PDICT_OK; i++) {
        status = read_value(r, depth, &value);
        pdict_value_append(array, value);
    }
    *out = array;
    return status;
}

static int read_key(reader *r, pdict_slice *last, bool is_first)
{
    item head;
    size_t read;
    int status = read_head(r, &head, &read);

    if (status != PDICT_OK)
        return status;
    if (head.type != PDICT_VALUE_TEXT || !pdict_is_utf8(head.bytes, NULL))
        return refuse(r, "the key of a map is not text");
    if (!is_first && pdict__cbor_compare_keys(*last, head.bytes) == 0)
        return refuse(r, "a key comes twice");
    if (!is_first && pdict__cbor_compare_keys(*last, head.bytes) > 0)
        return refuse(r, "keys are not in their order");
    *last = head.bytes;
    r->at += read;
    return PDICT_OK;
}

static int read_map(reader *r, unsigned depth, uint64_t count, pdict_value **out)
{
    pdict_value *map = pdict_tree_map(r->tree), *value = NULL;
    pdict_slice key = { 0 };
    int status = PDICT_OK;

    for (uint64_t i = 0; i < count && status == PDICT_OK; i++) {
        status = read_key(r, &key, i == 0);
        if (status == PDICT_OK)
            status = read_value(r, depth, &value);
        if (status == PDICT_OK)
            pdict_value_set_n(map, key.data, key.size, value);
    }
    *out = map;
    return status;
}

static int read_scalar(reader *r, const item *head, pdict_value **out)
{
    switch (head->type) {
    case PDICT_VALUE_NULL:
        *out = pdict_tree_null(r->tree);
        return PDICT_OK;
    case PDICT_VALUE_BOOL:
        *out = pdict_tree_bool(r->tree, head->number != 0);
        return PDICT_OK;
    case PDICT_VALUE_DOUBLE:
        *out = pdict_tree_double(r->tree, head->real);
        return PDICT_OK;
    case PDICT_VALUE_BYTES:
        *out = pdict_tree_bytes(r->tree, head->bytes.data, head->bytes.size);
        return PDICT_OK;
    case PDICT_VALUE_TEXT:
        return read_text(r, head, out);
    default:
        return read_integer(r, head, out);
    }
}

/* `depth` levels are around it. What a head claims costs nothing before it is there. */
static int read_value(reader *r, unsigned depth, pdict_value **out)
{
    item head;
    size_t read;
    int status;

    *out = NULL;
    if (depth == PDICT_VALUE_DEPTH || ++r->count > PDICT_VALUE_COUNT)
        return pdict_fail(PDICT_TOO_BIG,
                          "cbor: the value has more than %d levels or %u parts; store it in parts",
                          PDICT_VALUE_DEPTH, PDICT_VALUE_COUNT);
    if ((status = read_head(r, &head, &read)) != PDICT_OK)
        return status;
    if (head.type != PDICT_VALUE_ARRAY && head.type != PDICT_VALUE_MAP) {
        status = read_scalar(r, &head, out);
        r->at += read;
        return status;
    }
    r->at += read;
    if (head.type == PDICT_VALUE_ARRAY)
        return read_array(r, depth + 1, head.number, out);
    return read_map(r, depth + 1, head.number, out);
}

static int read_all(reader *r, pdict_value **out)
{
    int status = read_value(r, 0, out);

    if (status == PDICT_OK && r->at != r->size)
        status = refuse(r, "something follows its end");
    return status;
}

static int cbor_check(pdict_slice bytes)
{
    reader r = { .start = bytes.data, .size = bytes.size };
    pdict_value *none;

    return read_all(&r, &none);
}

static int cbor_value_decode(pdict_slice bytes, pdict_tree *tree, pdict_value **out)
{
    reader r = { .start = bytes.data, .size = bytes.size, .tree = tree };
    int status = read_all(&r, out);

    return status == PDICT_OK ? pdict_tree_status(tree) : status;
}

static const char *cbor_library(void)
{
    return "libcbor " CBOR_VERSION;
}

static const pdict_serializer cbor_serializer = {
    .struct_size = sizeof(pdict_serializer),
    .check = cbor_check,
    .encode = pdict__cbor_encode,
    .decode = cbor_value_decode,
};

const pdict_codec pdict__codec_cbor = {
    PDICT_EXT_HEAD(pdict_codec),
    .kind = PDICT_SERIALIZER,
    .id = 3, /* in every record: never changes */
    .name = "cbor",
    .summary = "typed values, small and exact (RFC 8949)",
    .library = cbor_library,
    .serializer = &cbor_serializer,
};
