/* SPDX-License-Identifier: MIT */
/* Typed values as CBOR in its deterministic form (RFC 8949, 4.2.1). */
#include <cbor.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cbor.h"

/* The head of a half, and NaN as section 4.2.2 would have it; any other is refused. */
#define HALF          0xF9
#define CANONICAL_NAN 0x7E00

/**
 * The half that is exactly this single; false: there is none. By its bits, IEEE 754: a sign, 8 bits
 * of exponent, 23 of fraction; a half has 5 and 10. (libcbor's own loses small ones.)
 */
static bool half_of(float value, uint16_t *out)
{
    uint32_t bits, fraction, whole, shift;
    int exponent;

    memcpy(&bits, &value, sizeof(bits));
    fraction = bits & 0x7FFFFFu;
    exponent = (int)(bits >> 23 & 0xFFu) - 127;
    *out = (uint16_t)(bits >> 16 & 0x8000u);
    if ((bits & 0x7FFFFFFFu) == 0)
        return true;
    if (exponent == 128) {
        *out |= 0x7C00u;
        return true;
    }
    if (exponent >= -14) {
        *out |= (uint16_t)((uint32_t)(exponent + 15) << 10 & 0x7C00u) | (uint16_t)(fraction >> 13);
        return exponent <= 15 && (fraction & 0x1FFFu) == 0;
    }
    if (exponent < -24)
        return false;
    /* Below 2^-14 a half counts in units of 2^-24. */
    whole = 0x800000u | fraction;
    shift = (uint32_t)(-1 - exponent);
    *out |= (uint16_t)(whole >> shift);
    return (whole & ((1u << shift) - 1)) == 0;
}

size_t pdict__cbor_double(double value, unsigned char *out)
{
    /* Out of the range of a float the conversion would not be defined. */
    bool is_small = isinf(value) || fabs(value) <= 3.4028234663852886e38;
    uint16_t half;

    if (isnan(value))
        half = CANONICAL_NAN;
    else if (!is_small || (double)(float)value != value)
        return cbor_encode_double(value, out, CBOR_HEAD_MOST);
    else if (!half_of((float)value, &half))
        return cbor_encode_single((float)value, out, CBOR_HEAD_MOST);
    out[0] = HALF;
    out[1] = (unsigned char)(half >> 8);
    out[2] = (unsigned char)half;
    return 3;
}

/* Writes what fits and counts everything. */
typedef struct writer {
    unsigned char *out;
    size_t capacity;
    size_t size;
} writer;

static void append(writer *w, const void *data, size_t size)
{
    if (w->size <= w->capacity && size <= w->capacity - w->size && size > 0)
        memcpy(w->out + w->size, data, size);
    w->size += size;
}

typedef size_t (*head_fn)(uint64_t number, unsigned char *out, size_t size);

static void append_head(writer *w, head_fn encode, uint64_t number)
{
    unsigned char head[CBOR_HEAD_MOST];

    append(w, head, encode(number, head, sizeof(head)));
}

static size_t encode_string_head(uint64_t size, unsigned char *out, size_t room)
{
    return cbor_encode_string_start((size_t)size, out, room);
}

static size_t encode_bytes_head(uint64_t size, unsigned char *out, size_t room)
{
    return cbor_encode_bytestring_start((size_t)size, out, room);
}

static size_t encode_array_head(uint64_t size, unsigned char *out, size_t room)
{
    return cbor_encode_array_start((size_t)size, out, room);
}

static size_t encode_map_head(uint64_t size, unsigned char *out, size_t room)
{
    return cbor_encode_map_start((size_t)size, out, room);
}

static void append_int(writer *w, int64_t value)
{
    if (value >= 0)
        append_head(w, cbor_encode_uint, (uint64_t)value);
    else
        append_head(w, cbor_encode_negint, (uint64_t)(-1 - value));
}

static void append_string(writer *w, head_fn encode, pdict_slice bytes)
{
    append_head(w, encode, bytes.size);
    append(w, bytes.data, bytes.size);
}

/* A member of a map on its way into the order of keys. */
typedef struct entry {
    pdict_slice key;
    const pdict_value *value;
} entry;

int pdict__cbor_compare_keys(pdict_slice a, pdict_slice b)
{
    if (a.size != b.size)
        return a.size < b.size ? -1 : 1;
    return a.size > 0 ? memcmp(a.data, b.data, a.size) : 0;
}

static int compare_entries(const void *a, const void *b)
{
    return pdict__cbor_compare_keys(((const entry *)a)->key, ((const entry *)b)->key);
}

static int append_value(writer *w, const pdict_value *value);

/* Small maps are sorted on the stack, so that a record costs no allocation. */
#define FEW_ENTRIES 32

static void fill_entries(const pdict_value *map, entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        entries[i].key.data = pdict_value_key(map, i, &entries[i].key.size);
        entries[i].value = pdict_value_item(map, i);
    }
    qsort(entries, count, sizeof(*entries), compare_entries);
}

static int append_map(writer *w, const pdict_value *map)
{
    entry few[FEW_ENTRIES], *entries = few;
    size_t count = pdict_value_count(map);
    int status = PDICT_OK;

    if (count > FEW_ENTRIES && (entries = malloc(count * sizeof(*entries))) == NULL)
        return pdict_fail(PDICT_NOMEM, "cbor: no memory to sort the keys of a map");
    fill_entries(map, entries, count);
    append_head(w, encode_map_head, count);
    for (size_t i = 0; i < count && status == PDICT_OK; i++) {
        append_string(w, encode_string_head, entries[i].key);
        status = append_value(w, entries[i].value);
    }
    if (entries != few)
        free(entries);
    return status;
}

static int append_array(writer *w, const pdict_value *array)
{
    size_t count = pdict_value_count(array);
    int status = PDICT_OK;

    append_head(w, encode_array_head, count);
    for (size_t i = 0; i < count && status == PDICT_OK; i++)
        status = append_value(w, pdict_value_item(array, i));
    return status;
}

/* Trees are at most PDICT_VALUE_DEPTH deep, so is this recursion. */
static int append_value(writer *w, const pdict_value *value)
{
    unsigned char head[CBOR_HEAD_MOST];

    switch (pdict_value_type(value)) {
    case PDICT_VALUE_NULL:
        append(w, head, cbor_encode_null(head, sizeof(head)));
        return PDICT_OK;
    case PDICT_VALUE_BOOL:
        append(w, head, cbor_encode_bool(pdict_value_bool(value, false), head, sizeof(head)));
        return PDICT_OK;
    case PDICT_VALUE_INT:
        append_int(w, pdict_value_int(value, 0));
        return PDICT_OK;
    case PDICT_VALUE_UINT:
        append_head(w, cbor_encode_uint, pdict_value_uint(value, 0));
        return PDICT_OK;
    case PDICT_VALUE_DOUBLE:
        append(w, head, pdict__cbor_double(pdict_value_double(value, 0), head));
        return PDICT_OK;
    case PDICT_VALUE_TEXT:
        append_string(w, encode_string_head, pdict_value_bytes(value));
        return PDICT_OK;
    case PDICT_VALUE_BYTES:
        append_string(w, encode_bytes_head, pdict_value_bytes(value));
        return PDICT_OK;
    case PDICT_VALUE_ARRAY:
        return append_array(w, value);
    case PDICT_VALUE_MAP:
        return append_map(w, value);
    default:
        return pdict_fail(PDICT_INVAL, "cbor: there is no value to write");
    }
}

int pdict__cbor_encode(const pdict_value *value, void *out, size_t capacity, size_t *out_size)
{
    writer w = { .out = out, .capacity = capacity };
    int status = append_value(&w, value);

    *out_size = w.size;
    return status;
}
