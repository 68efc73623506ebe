/* SPDX-License-Identifier: MIT */
/* C structs as typed values, by their tables of fields. */
#include <float.h>
#include <pdict/object.h>

#include "base/base.h"

/* Tables are nested by hand; one that holds itself would never end. */
#define MOST_LEVELS (PDICT_VALUE_DEPTH - 1)

static int refused(const pdict_field *field, const char *what)
{
    return pdict_fail(PDICT_INVAL, "object: field '%s' %s", field->name, what);
}

/* ---- is the table sound? ---- */

/* Bytes that a member of this type has; 0: any. */
static size_t size_of_type(int type)
{
    static const size_t sizes[] = {
        [PDICT_BOOL] = sizeof(bool),
        [PDICT_INT8] = 1,
        [PDICT_INT16] = 2,
        [PDICT_INT32] = 4,
        [PDICT_INT64] = 8,
        [PDICT_UINT8] = 1,
        [PDICT_UINT16] = 2,
        [PDICT_UINT32] = 4,
        [PDICT_UINT64] = 8,
        [PDICT_FLOAT] = sizeof(float),
        [PDICT_DOUBLE] = sizeof(double),
        [PDICT_STRING] = sizeof(char *),
        [PDICT_BLOB] = sizeof(pdict_slice),
        [PDICT_STRUCT] = 0,
    };

    return sizes[type];
}

static int check_field(const pdict_field *field)
{
    size_t size;

    if (field->type < PDICT_BOOL || field->type > PDICT_STRUCT || field->form < PDICT_FIELD_ONE ||
        field->form > PDICT_FIELD_MANY)
        return refused(field, "has no type of enum pdict_field_type");
    size = size_of_type(field->type);
    if (field->size == 0 || (size != 0 && field->size != size))
        return refused(field, "is of another size than its type; correct the table of fields");
    if ((field->type == PDICT_STRUCT) != (field->fields != NULL))
        return refused(field, "needs a table of fields, if and only if it is a struct");
    return PDICT_OK;
}

/* ---- structs to values ---- */

static int64_t signed_at(const void *at, size_t size)
{
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;

    switch (size) {
    case 1:
        return memcpy(&i8, at, 1), i8;
    case 2:
        return memcpy(&i16, at, 2), i16;
    case 4:
        return memcpy(&i32, at, 4), i32;
    default:
        return memcpy(&i64, at, 8), i64;
    }
}

static uint64_t unsigned_at(const void *at, size_t size)
{
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;

    switch (size) {
    case 1:
        return memcpy(&u8, at, 1), u8;
    case 2:
        return memcpy(&u16, at, 2), u16;
    case 4:
        return memcpy(&u32, at, 4), u32;
    default:
        return memcpy(&u64, at, 8), u64;
    }
}

static int pack_text(const pdict_field *field, const char *text, size_t size, pdict_tree *tree,
                     pdict_value **out)
{
    if (!pdict_is_utf8((pdict_slice){ text, size }, NULL))
        return refused(field, "is not UTF-8; make it so, or use PDICT_BLOB");
    *out = pdict_tree_text_n(tree, text, size);
    return PDICT_OK;
}

static int pack_string(const pdict_field *field, const void *at, pdict_tree *tree,
                       pdict_value **out)
{
    const char *text;

    memcpy(&text, at, sizeof(text));
    if (text)
        return pack_text(field, text, strlen(text), tree, out);
    *out = pdict_tree_null(tree);
    return PDICT_OK;
}

static int pack_chars(const pdict_field *field, const void *at, pdict_tree *tree, pdict_value **out)
{
    const char *end = memchr(at, '\0', field->size);

    if (!end)
        return refused(field, "has no zero at its end");
    return pack_text(field, at, (size_t)(end - (const char *)at), tree, out);
}

static pdict_value *pack_blob(const void *at, pdict_tree *tree)
{
    pdict_slice bytes;

    memcpy(&bytes, at, sizeof(bytes));
    return bytes.data ? pdict_tree_bytes(tree, bytes.data, bytes.size) : pdict_tree_null(tree);
}

static pdict_value *pack_real(const pdict_field *field, const void *at, pdict_tree *tree)
{
    float single;
    double real;

    if (field->type == PDICT_DOUBLE)
        return memcpy(&real, at, sizeof(real)), pdict_tree_double(tree, real);
    memcpy(&single, at, sizeof(single));
    return pdict_tree_double(tree, (double)single);
}

static int pack_fields(const pdict_field *fields, const char *object, pdict_tree *tree,
                       unsigned level, pdict_value **out);

/* One of the field's type. */
static int pack_one(const pdict_field *field, const void *at, pdict_tree *tree, unsigned level,
                    pdict_value **out)
{
    bool truth;

    switch (field->type) {
    case PDICT_BOOL:
        memcpy(&truth, at, sizeof(truth));
        *out = pdict_tree_bool(tree, truth);
        return PDICT_OK;
    case PDICT_FLOAT:
    case PDICT_DOUBLE:
        *out = pack_real(field, at, tree);
        return PDICT_OK;
    case PDICT_STRING:
        return pack_string(field, at, tree, out);
    case PDICT_CHARS:
        return pack_chars(field, at, tree, out);
    case PDICT_BLOB:
        *out = pack_blob(at, tree);
        return PDICT_OK;
    case PDICT_STRUCT:
        return pack_fields(field->fields, at, tree, level + 1, out);
    default:
        *out = field->type <= PDICT_INT64 ? pdict_tree_int(tree, signed_at(at, field->size))
                                          : pdict_tree_uint(tree, unsigned_at(at, field->size));
        return PDICT_OK;
    }
}

static int pack_many(const pdict_field *field, const char *object, pdict_tree *tree, unsigned level,
                     pdict_value **out)
{
    pdict_value *array = pdict_tree_array(tree), *item = NULL;
    const char *first;
    size_t count;
    int status = PDICT_OK;

    memcpy(&first, object + field->offset, sizeof(first));
    memcpy(&count, object + field->other_offset, sizeof(count));
    if (count > PDICT_VALUE_COUNT)
        return pdict_fail(PDICT_TOO_BIG, "object: field '%s' has more than %u items", field->name,
                          PDICT_VALUE_COUNT);
    for (size_t i = 0; i < count && status == PDICT_OK; i++) {
        status = pack_one(field, first + i * field->size, tree, level, &item);
        pdict_value_append(array, item);
    }
    *out = array;
    return status;
}

static int pack_field(const pdict_field *field, const char *object, pdict_tree *tree,
                      unsigned level, pdict_value *map)
{
    pdict_value *value = NULL;
    bool is_there = true;
    int status = check_field(field);

    if (status != PDICT_OK)
        return status;
    if (field->form == PDICT_FIELD_MAYBE)
        memcpy(&is_there, object + field->other_offset, sizeof(is_there));
    if (!is_there)
        return PDICT_OK;
    if (field->form == PDICT_FIELD_MANY)
        status = pack_many(field, object, tree, level, &value);
    else
        status = pack_one(field, object + field->offset, tree, level, &value);
    if (status == PDICT_OK && !pdict_value_set(map, field->name, value))
        status = pdict_tree_status(tree);
    return status;
}

static int pack_fields(const pdict_field *fields, const char *object, pdict_tree *tree,
                       unsigned level, pdict_value **out)
{
    pdict_value *map = pdict_tree_map(tree);
    int status = map ? PDICT_OK : pdict_tree_status(tree);

    if (level > MOST_LEVELS)
        return pdict_fail(PDICT_TOO_BIG, "object: structs are more than %d levels deep",
                          MOST_LEVELS);
    for (; fields->name && status == PDICT_OK; fields++)
        status = pack_field(fields, object, tree, level, map);
    *out = map;
    return status;
}

/* ---- values to structs ---- */

static int unpack_signed(const pdict_field *field, const pdict_value *value, void *at)
{
    int64_t number = pdict_value_int(value, 0);
    int64_t most = INT64_MAX >> (64 - 8 * field->size);

    if (pdict_value_type(value) != PDICT_VALUE_INT || number > most || number < -1 - most)
        return refused(field, "holds no integer that fits");
    switch (field->size) {
    case 1:
        memcpy(at, &(int8_t){ (int8_t)number }, 1);
        break;
    case 2:
        memcpy(at, &(int16_t){ (int16_t)number }, 2);
        break;
    case 4:
        memcpy(at, &(int32_t){ (int32_t)number }, 4);
        break;
    default:
        memcpy(at, &number, 8);
    }
    return PDICT_OK;
}

static int unpack_unsigned(const pdict_field *field, const pdict_value *value, void *at)
{
    /* Two fallbacks tell a value of 1 from none. */
    bool is_number = pdict_value_uint(value, 0) == pdict_value_uint(value, 1);
    uint64_t number = pdict_value_uint(value, 0);

    if (!is_number || number > UINT64_MAX >> (64 - 8 * field->size))
        return refused(field, "holds no unsigned integer that fits");
    switch (field->size) {
    case 1:
        memcpy(at, &(uint8_t){ (uint8_t)number }, 1);
        break;
    case 2:
        memcpy(at, &(uint16_t){ (uint16_t)number }, 2);
        break;
    case 4:
        memcpy(at, &(uint32_t){ (uint32_t)number }, 4);
        break;
    default:
        memcpy(at, &number, 8);
    }
    return PDICT_OK;
}

static int unpack_real(const pdict_field *field, const pdict_value *value, void *at)
{
    double real = pdict_value_double(value, 0);
    bool is_finite = real - real == 0,
         is_small = real <= (double)FLT_MAX && real >= -(double)FLT_MAX;
    int type = pdict_value_type(value);
    float single;

    if (type != PDICT_VALUE_DOUBLE && type != PDICT_VALUE_INT && type != PDICT_VALUE_UINT)
        return refused(field, "holds no number");
    if (field->type == PDICT_DOUBLE) {
        memcpy(at, &real, sizeof(real));
        return PDICT_OK;
    }
    if (is_finite && !is_small)
        return refused(field, "holds a number beyond a float");
    single = (float)real;
    memcpy(at, &single, sizeof(single));
    return PDICT_OK;
}

static int unpack_string(const pdict_field *field, const pdict_value *value, void *at)
{
    const char *text = pdict_value_text(value);
    size_t size = pdict_value_bytes(value).size;

    if (pdict_value_type(value) != PDICT_VALUE_NULL && (!text || strlen(text) != size))
        return refused(field, "holds no text without zeros");
    memcpy(at, &text, sizeof(text));
    return PDICT_OK;
}

static int unpack_chars(const pdict_field *field, const pdict_value *value, void *at)
{
    const char *text = pdict_value_text(value);
    size_t size = pdict_value_bytes(value).size;

    if (!text || strlen(text) != size)
        return refused(field, "holds no text without zeros");
    if (size >= field->size)
        return refused(field, "holds a longer text than fits");
    memset(at, 0, field->size);
    memcpy(at, text, size);
    return PDICT_OK;
}

static int unpack_blob(const pdict_field *field, const pdict_value *value, void *at)
{
    pdict_slice bytes = pdict_value_bytes(value);
    int type = pdict_value_type(value);

    if (type != PDICT_VALUE_NULL && type != PDICT_VALUE_BYTES)
        return refused(field, "holds no bytes");
    memcpy(at, &bytes, sizeof(bytes));
    return PDICT_OK;
}

static int unpack_bool(const pdict_field *field, const pdict_value *value, void *at)
{
    bool truth = pdict_value_bool(value, false);

    if (pdict_value_type(value) != PDICT_VALUE_BOOL)
        return refused(field, "holds neither true nor false");
    memcpy(at, &truth, sizeof(truth));
    return PDICT_OK;
}

static int unpack_fields(const pdict_field *fields, const pdict_value *value, pdict_tree *tree,
                         char *object);

static int unpack_one(const pdict_field *field, const pdict_value *value, pdict_tree *tree,
                      void *at)
{
    switch (field->type) {
    case PDICT_BOOL:
        return unpack_bool(field, value, at);
    case PDICT_FLOAT:
    case PDICT_DOUBLE:
        return unpack_real(field, value, at);
    case PDICT_STRING:
        return unpack_string(field, value, at);
    case PDICT_CHARS:
        return unpack_chars(field, value, at);
    case PDICT_BLOB:
        return unpack_blob(field, value, at);
    case PDICT_STRUCT:
        if (pdict_value_type(value) != PDICT_VALUE_MAP)
            return refused(field, "holds no map");
        return unpack_fields(field->fields, value, tree, at);
    default:
        return field->type <= PDICT_INT64 ? unpack_signed(field, value, at)
                                          : unpack_unsigned(field, value, at);
    }
}

static int unpack_many(const pdict_field *field, const pdict_value *value, pdict_tree *tree,
                       char *object)
{
    size_t count = pdict_value_count(value);
    char *first = NULL;
    int status = PDICT_OK;

    if (pdict_value_type(value) != PDICT_VALUE_ARRAY)
        return refused(field, "holds no array");
    if (count > 0 && !(first = pdict_tree_alloc(tree, count * field->size)))
        return pdict_tree_status(tree);
    for (size_t i = 0; i < count && status == PDICT_OK; i++)
        status = unpack_one(field, pdict_value_item(value, i), tree, first + i * field->size);
    memcpy(object + field->offset, &first, sizeof(first));
    memcpy(object + field->other_offset, &count, sizeof(count));
    return status;
}

static bool takes_null(const pdict_field *field)
{
    return field->form == PDICT_FIELD_ONE &&
           (field->type == PDICT_STRING || field->type == PDICT_BLOB);
}

static int unpack_field(const pdict_field *field, const pdict_value *map, pdict_tree *tree,
                        char *object)
{
    const pdict_value *value = pdict_value_get(map, field->name);
    int status = check_field(field);

    if (status != PDICT_OK)
        return status;
    /* null where there is no pointer to say so with is as if it were not there. */
    if (!value || (pdict_value_type(value) == PDICT_VALUE_NULL && !takes_null(field)))
        return PDICT_OK;
    if (field->form == PDICT_FIELD_MANY)
        return unpack_many(field, value, tree, object);
    if (field->form == PDICT_FIELD_MAYBE)
        memcpy(object + field->other_offset, &(bool){ true }, sizeof(bool));
    return unpack_one(field, value, tree, object + field->offset);
}

/* The value ends this recursion, being no deeper than a tree. */
static int unpack_fields(const pdict_field *fields, const pdict_value *value, pdict_tree *tree,
                         char *object)
{
    int status = PDICT_OK;

    for (; fields->name && status == PDICT_OK; fields++)
        status = unpack_field(fields, value, tree, object);
    return status;
}

/* ---- types ---- */

static int take_type(const pdict_type *type, pdict_type *out)
{
    bool is_sound;

    if (!type || type->struct_size < offsetof(pdict_type, defaults))
        return pdict_fail(PDICT_INVAL, "object: the type has no struct_size, see PDICT_TYPE");
    memset(out, 0, sizeof(*out));
    memcpy(out, type, type->struct_size < sizeof(*out) ? type->struct_size : sizeof(*out));
    is_sound = out->object_size > 0 && (out->fields || (out->pack && out->unpack));
    return is_sound ? PDICT_OK
                    : pdict_fail(PDICT_INVAL,
                                 "object: a type needs a size, and a table of fields or pack and "
                                 "unpack");
}

int pdict_object_pack(const pdict_type *given, const void *object, pdict_tree *tree,
                      pdict_value **out)
{
    pdict_type type;
    int status;

    *out = NULL;
    if ((status = take_type(given, &type)) != PDICT_OK)
        return status;
    if (type.fields)
        status = pack_fields(type.fields, object, tree, 1, out);
    else
        status = type.pack(object, tree, out);
    return status == PDICT_OK ? pdict_tree_status(tree) : status;
}

int pdict_object_unpack(const pdict_type *given, const pdict_value *value, pdict_tree *tree,
                        void *object)
{
    pdict_type type;
    int status;

    if ((status = take_type(given, &type)) != PDICT_OK)
        return status;
    if (type.defaults)
        memcpy(object, type.defaults, type.object_size);
    else
        memset(object, 0, type.object_size);
    if (!type.fields)
        return type.unpack(value, tree, object);
    if (pdict_value_type(value) != PDICT_VALUE_MAP)
        return pdict_fail(PDICT_INVAL, "object: the value is no map of fields");
    return unpack_fields(type.fields, value, tree, object);
}
