/* SPDX-License-Identifier: MIT */
/* Values for people: typed ones as JSON; what JSON has not is shown as text. */
#include "tool.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pdict/object.h>

static json_t *show_double(double value)
{
    if (value != value)
        return json_string("NaN");
    if (value - value != 0)
        return json_string(value > 0 ? "Infinity" : "-Infinity");
    return json_real(value);
}

static json_t *show_large(uint64_t value)
{
    char digits[24];

    snprintf(digits, sizeof digits, "%" PRIu64, value);
    return json_string(digits);
}

static json_t *show_bytes(pdict_slice bytes)
{
    struct tool_buf encoded = { 0 };
    json_t *text;

    tool_base64_encode(bytes, &encoded);
    text = json_stringn((char *)encoded.data, encoded.size);
    free(encoded.data);
    return text;
}

static json_t *show(const pdict_value *value)
{
    pdict_slice bytes = pdict_value_bytes(value);
    size_t count = pdict_value_count(value);
    size_t key_size;
    const char *key;
    json_t *json;

    switch (pdict_value_type(value)) {
    case PDICT_VALUE_BOOL:
        return json_boolean(pdict_value_bool(value, false));
    case PDICT_VALUE_INT:
        return json_integer(pdict_value_int(value, 0));
    case PDICT_VALUE_UINT:
        return show_large(pdict_value_uint(value, 0));
    case PDICT_VALUE_DOUBLE:
        return show_double(pdict_value_double(value, 0));
    case PDICT_VALUE_TEXT:
        return json_stringn(bytes.data, bytes.size);
    case PDICT_VALUE_BYTES:
        return show_bytes(bytes);
    case PDICT_VALUE_ARRAY:
        json = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(json, show(pdict_value_item(value, i)));
        return json;
    case PDICT_VALUE_MAP:
        json = json_object();
        for (size_t i = 0; i < count; i++) {
            key = pdict_value_key(value, i, &key_size);
            json_object_setn_new(json, key, key_size, show(pdict_value_item(value, i)));
        }
        return json;
    default:
        return json_null();
    }
}

pdict *tool_typed(pdict *d)
{
    static const char *const plain[] = { "raw", "str", "json" };
    pdict_stats stats = PDICT_STATS_INIT;
    size_t size;

    if (pdict_stats_get(d, 0, &stats) != PDICT_OK)
        return NULL;
    size = strcspn(stats.codecs, ",:");
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (strlen(plain[i]) == size && memcmp(stats.codecs, plain[i], size) == 0)
            return NULL;
    }
    return d;
}

json_t *tool_value_json(pdict *typed, pdict_slice bytes)
{
    pdict_value *value;
    pdict_tree *tree;
    json_t *json = NULL;

    if (!typed || pdict_tree_new(NULL, &tree) != PDICT_OK)
        return NULL;
    if (pdict_value_decode(typed, bytes, tree, &value) == PDICT_OK)
        json = show(value);
    pdict_tree_free(tree);
    return json;
}

void tool_json_value(json_t *object, pdict *typed, pdict_slice bytes)
{
    json_t *json = tool_value_json(typed, bytes);

    if (json)
        json_object_set_new(object, "json", json);
}

void tool_value_print_json(pdict *typed, pdict_slice key, const pdict_view *view)
{
    pdict_slice bytes = pdict_bytes(view->data, view->size);
    json_t *object = tool_json_entry(key, view->created_ms, view->expires_ms);

    tool_json_slice(object, "v", bytes);
    tool_json_value(object, typed, bytes);
    tool_json_print(object);
}

void tool_value_print(const struct invocation *in, pdict *typed, const pdict_view *view)
{
    const unsigned char *bytes = view->data;
    json_t *shown = NULL;

    if (!tool_has(in, OPT_RAW))
        shown = tool_value_json(typed, pdict_bytes(view->data, view->size));
    if (shown) {
        tool_json_print(shown);
        return;
    }
    if (tool_has(in, OPT_RAW) || !isatty(STDOUT_FILENO)) {
        fwrite(view->data, 1, view->size, stdout);
        return;
    }
    tool_print_escaped(stdout, pdict_bytes(view->data, view->size), true);
    if (view->size > 0 && bytes[view->size - 1] != '\n')
        putchar('\n');
}
