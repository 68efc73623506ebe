/* SPDX-License-Identifier: MIT */
/* The json serializer: typed values as JSON (RFC 8259), with integers that stay exact. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include <pdict/ext/codec.h>

static const char *json_library(void)
{
    return "jansson " JANSSON_VERSION;
}

/* ---- encoding ---- */

static int no_memory(void)
{
    return pdict_fail(PDICT_NOMEM, "json: no memory for a value; free some and try again");
}

static int made(json_t *json, json_t **out)
{
    *out = json;
    return json != NULL ? PDICT_OK : no_memory();
}

static int from_scalar(const pdict_value *value, json_t **out)
{
    pdict_slice bytes = pdict_value_bytes(value);
    double real = pdict_value_double(value, 0);

    switch (pdict_value_type(value)) {
    case PDICT_VALUE_NULL:
        return made(json_null(), out);
    case PDICT_VALUE_BOOL:
        return made(json_boolean(pdict_value_bool(value, false)), out);
    case PDICT_VALUE_INT:
        return made(json_integer(pdict_value_int(value, 0)), out);
    case PDICT_VALUE_UINT:
        return pdict_fail(PDICT_INVAL, "json: an integer over 2^63-1 cannot be kept exactly; write "
                                       "it as text or use cbor");
    case PDICT_VALUE_DOUBLE:
        if (!isfinite(real))
            return pdict_fail(PDICT_INVAL, "json: there is no NaN and no infinity in JSON; write "
                                           "null or use cbor");
        return made(json_real(real), out);
    case PDICT_VALUE_TEXT:
        return made(json_stringn_nocheck(bytes.data, bytes.size), out);
    case PDICT_VALUE_BYTES:
        return pdict_fail(PDICT_INVAL, "json: there are no bytes in JSON; write them as text or "
                                       "use cbor");
    default:
        return pdict_fail(PDICT_INVAL, "json: there is no value to write");
    }
}

static int from_value(const pdict_value *value, json_t **out);

static int add_member(json_t *object, const pdict_value *map, size_t at)
{
    size_t key_size;
    const char *key = pdict_value_key(map, at, &key_size);
    json_t *json = NULL;
    int status;

    if (memchr(key, '\0', key_size) != NULL)
        return pdict_fail(PDICT_INVAL, "json: U+0000 in a key cannot be read back; use cbor");
    if ((status = from_value(pdict_value_item(map, at), &json)) != PDICT_OK)
        return status;
    /* Takes `json` over, also when it fails. */
    return json_object_setn_new_nocheck(object, key, key_size, json) == 0 ? PDICT_OK : no_memory();
}

static int add_item(json_t *array, const pdict_value *from, size_t at)
{
    json_t *json = NULL;
    int status = from_value(pdict_value_item(from, at), &json);

    if (status != PDICT_OK)
        return status;
    return json_array_append_new(array, json) == 0 ? PDICT_OK : no_memory();
}

/* Trees are at most PDICT_VALUE_DEPTH deep, so is this recursion. */
static int from_value(const pdict_value *value, json_t **out)
{
    bool is_map = pdict_value_type(value) == PDICT_VALUE_MAP;
    int status;

    if (!is_map && pdict_value_type(value) != PDICT_VALUE_ARRAY)
        return from_scalar(value, out);
    status = made(is_map ? json_object() : json_array(), out);
    for (size_t i = 0; i < pdict_value_count(value) && status == PDICT_OK; i++)
        status = is_map ? add_member(*out, value, i) : add_item(*out, value, i);
    if (status != PDICT_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

static int json_value_encode(const pdict_value *value, void *out, size_t capacity, size_t *out_size)
{
    json_t *json = NULL;
    int status = from_value(value, &json);

    if (status != PDICT_OK)
        return status;
    /* 17 digits give each double back; 0: it could not be written. */
    *out_size =
        json_dumpb(json, out, capacity, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    json_decref(json);
    return *out_size > 0 ? PDICT_OK : no_memory();
}

/* ---- decoding ---- */

static int too_big(void)
{
    return pdict_fail(PDICT_TOO_BIG,
                      "json: the value has more than %d levels or %u parts; store it in parts",
                      PDICT_VALUE_DEPTH, PDICT_VALUE_COUNT);
}

/**
 * Brackets, commas and colons outside strings bound depth and number of values, before the parser
 * spends stack and memory on them. Each comma is one value more, and so is each colon's key.
 */
static int check_limits(pdict_slice bytes)
{
    const char *at = bytes.data, *end = bytes.size > 0 ? at + bytes.size : at;
    size_t depth = 0, count = 1;
    bool in_string = false;

    for (; at < end; at++) {
        if (in_string) {
            in_string = *at != '"';
            at += *at == '\\';
            continue;
        }
        in_string = *at == '"';
        count += *at == ',' || *at == '[' || *at == '{';
        depth += *at == '[' || *at == '{';
        depth -= (*at == ']' || *at == '}') && depth > 0;
        if (depth >= PDICT_VALUE_DEPTH || count > PDICT_VALUE_COUNT)
            return too_big();
    }
    return PDICT_OK;
}

/* jansson's own texts quote the value. */
static const char *reason_of(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_premature_end_of_input:
        return "it ends early";
    case json_error_end_of_input_expected:
        return "something follows its end";
    case json_error_invalid_utf8:
        return "text that is not UTF-8";
    case json_error_duplicate_key:
        return "a key comes twice";
    case json_error_numeric_overflow:
        return "a number beyond a 64-bit integer or a double";
    case json_error_null_byte_in_key:
        return "U+0000 in a key";
    default:
        return "no JSON";
    }
}

static int parse(pdict_slice bytes, json_t **out, json_error_t *error)
{
    *out = json_loadb(bytes.size > 0 ? bytes.data : "", bytes.size,
                      JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, error);
    return *out != NULL                                         ? PDICT_OK
           : json_error_code(error) == json_error_out_of_memory ? no_memory()
                                                                : PDICT_INVAL;
}

static int json_check(pdict_slice bytes)
{
    json_error_t error;
    json_t *json = NULL;
    int status = check_limits(bytes);

    if (status == PDICT_OK)
        status = parse(bytes, &json, &error);
    json_decref(json);
    if (status == PDICT_INVAL)
        return pdict_fail(PDICT_INVAL, "json: the value is refused at byte %d of %zu: %s",
                          error.position, bytes.size, reason_of(&error));
    return status;
}

static pdict_value *to_value(json_t *json, pdict_tree *tree);

static pdict_value *to_map(json_t *json, pdict_tree *tree)
{
    pdict_value *map = pdict_tree_map(tree);

    for (void *at = json_object_iter(json); at != NULL; at = json_object_iter_next(json, at))
        pdict_value_set_n(map, json_object_iter_key(at), json_object_iter_key_len(at),
                          to_value(json_object_iter_value(at), tree));
    return map;
}

static pdict_value *to_array(json_t *json, pdict_tree *tree)
{
    pdict_value *array = pdict_tree_array(tree);

    for (size_t i = 0; i < json_array_size(json); i++)
        pdict_value_append(array, to_value(json_array_get(json, i), tree));
    return array;
}

/* check_limits() has bounded the depth. */
static pdict_value *to_value(json_t *json, pdict_tree *tree)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return to_map(json, tree);
    case JSON_ARRAY:
        return to_array(json, tree);
    case JSON_STRING:
        return pdict_tree_text_n(tree, json_string_value(json), json_string_length(json));
    case JSON_INTEGER:
        return pdict_tree_int(tree, json_integer_value(json));
    case JSON_REAL:
        return pdict_tree_double(tree, json_real_value(json));
    case JSON_TRUE:
    case JSON_FALSE:
        return pdict_tree_bool(tree, json_is_true(json));
    default:
        return pdict_tree_null(tree);
    }
}

static int json_value_decode(pdict_slice bytes, pdict_tree *tree, pdict_value **out)
{
    json_error_t error;
    json_t *json;
    int status = check_limits(bytes);

    if (status != PDICT_OK)
        return status;
    status = parse(bytes, &json, &error);
    if (status == PDICT_INVAL)
        return pdict_fail(PDICT_FORMAT,
                          "json: the stored value is malformed at byte %d of %zu (%s); restore "
                          "the entry from a backup",
                          error.position, bytes.size, reason_of(&error));
    if (status != PDICT_OK)
        return status;
    *out = to_value(json, tree);
    json_decref(json);
    return pdict_tree_status(tree);
}

static const pdict_serializer json_serializer = {
    .struct_size = sizeof(pdict_serializer),
    .check = json_check,
    .encode = json_value_encode,
    .decode = json_value_decode,
};

const pdict_codec pdict__codec_json = {
    PDICT_EXT_HEAD(pdict_codec),
    .kind = PDICT_SERIALIZER,
    .id = 4, /* in every record: never changes */
    .name = "json",
    .summary = "typed values that other programs read (RFC 8259)",
    .library = json_library,
    .serializer = &json_serializer,
};
