/* SPDX-License-Identifier: MIT */
/* Reading trees of typed values: scalars, members, paths, comparing. */
#include "value/tree.h"

static bool is_many(const pdict_value *value)
{
    int type = pdict_value_type(value);

    return type == PDICT_VALUE_ARRAY || type == PDICT_VALUE_MAP;
}

int pdict_value_type(const pdict_value *value)
{
    return value ? value->type : PDICT_VALUE_NONE;
}

bool pdict_value_bool(const pdict_value *value, bool fallback)
{
    return pdict_value_type(value) == PDICT_VALUE_BOOL ? value->as.truth : fallback;
}

int64_t pdict_value_int(const pdict_value *value, int64_t fallback)
{
    return pdict_value_type(value) == PDICT_VALUE_INT ? value->as.integer : fallback;
}

uint64_t pdict_value_uint(const pdict_value *value, uint64_t fallback)
{
    switch (pdict_value_type(value)) {
    case PDICT_VALUE_INT:
        return value->as.integer >= 0 ? (uint64_t)value->as.integer : fallback;
    case PDICT_VALUE_UINT:
        return value->as.large;
    default:
        return fallback;
    }
}

double pdict_value_double(const pdict_value *value, double fallback)
{
    switch (pdict_value_type(value)) {
    case PDICT_VALUE_INT:
        return (double)value->as.integer;
    case PDICT_VALUE_UINT:
        return (double)value->as.large;
    case PDICT_VALUE_DOUBLE:
        return value->as.real;
    default:
        return fallback;
    }
}

const char *pdict_value_text(const pdict_value *value)
{
    return pdict_value_type(value) == PDICT_VALUE_TEXT ? value->as.bytes.data : NULL;
}

pdict_slice pdict_value_bytes(const pdict_value *value)
{
    int type = pdict_value_type(value);

    if (type == PDICT_VALUE_TEXT || type == PDICT_VALUE_BYTES)
        return value->as.bytes;
    return (pdict_slice){ 0 };
}

size_t pdict_value_count(const pdict_value *value)
{
    return is_many(value) ? value->as.many.count : 0;
}

const pdict_value *pdict_value_item(const pdict_value *value, size_t index)
{
    return index < pdict_value_count(value) ? value->as.many.members[index].value : NULL;
}

const char *pdict_value_key(const pdict_value *value, size_t index, size_t *size)
{
    const struct member *member =
        index < pdict_value_count(value) ? &value->as.many.members[index] : NULL;

    if (size)
        *size = member ? member->key_size : 0;
    return member ? member->key : NULL;
}

const pdict_value *pdict_value_get_n(const pdict_value *map, const char *key, size_t key_size)
{
    if (pdict_value_type(map) != PDICT_VALUE_MAP)
        return NULL;
    return pdict_value_item(map, pdict__tree_find(map, key, key_size));
}

const pdict_value *pdict_value_get(const pdict_value *map, const char *key)
{
    return pdict_value_get_n(map, key, strlen(key));
}

/* An index in decimal without leading zeros; SIZE_MAX: it is none. */
static size_t parse_index(const char *text, size_t size)
{
    size_t index = 0;

    if (size == 0 || size > 9 || (size > 1 && text[0] == '0'))
        return SIZE_MAX;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return SIZE_MAX;
        index = index * 10 + (size_t)(text[i] - '0');
    }
    return index;
}

const pdict_value *pdict_value_at(const pdict_value *value, const char *path)
{
    for (;;) {
        size_t size = strcspn(path, ".");

        if (pdict_value_type(value) == PDICT_VALUE_ARRAY)
            value = pdict_value_item(value, parse_index(path, size));
        else
            value = pdict_value_get_n(value, path, size);
        if (!value || !path[size])
            return value;
        path += size + 1;
    }
}

/* NaN is one value; the two zeros are two. */
static bool equal_doubles(double a, double b)
{
    return (a != a && b != b) || memcmp(&a, &b, sizeof(a)) == 0;
}

static bool equal_many(const pdict_value *a, const pdict_value *b)
{
    if (a->as.many.count != b->as.many.count)
        return false;
    for (uint32_t i = 0; i < a->as.many.count; i++) {
        const struct member *member = &a->as.many.members[i];
        const pdict_value *other = member->key ? pdict_value_get_n(b, member->key, member->key_size)
                                               : pdict_value_item(b, i);

        if (!pdict_value_equal(member->value, other))
            return false;
    }
    return true;
}

bool pdict_value_equal(const pdict_value *a, const pdict_value *b)
{
    if (pdict_value_type(a) != pdict_value_type(b))
        return false;
    switch (pdict_value_type(a)) {
    case PDICT_VALUE_BOOL:
        return a->as.truth == b->as.truth;
    case PDICT_VALUE_INT:
        return a->as.integer == b->as.integer;
    case PDICT_VALUE_UINT:
        return a->as.large == b->as.large;
    case PDICT_VALUE_DOUBLE:
        return equal_doubles(a->as.real, b->as.real);
    case PDICT_VALUE_TEXT:
    case PDICT_VALUE_BYTES:
        return pdict__slice_equal(a->as.bytes, b->as.bytes);
    case PDICT_VALUE_ARRAY:
    case PDICT_VALUE_MAP:
        return equal_many(a, b);
    default:
        return true;
    }
}
