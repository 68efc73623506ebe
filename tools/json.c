/* SPDX-License-Identifier: MIT */
/* JSON as the command writes it: compact lines, bytes that are not text in base64. */
#include "tool.h"

#include <stdlib.h>

/* A member of text, or of NAME64 when the bytes are not UTF-8. */
void tool_json_slice(json_t *object, const char *name, pdict_slice bytes)
{
    json_t *text = json_stringn(bytes.size ? bytes.data : "", bytes.size);
    struct tool_buf encoded = { 0 };
    char name64[32];

    if (text) {
        json_object_set_new(object, name, text);
        return;
    }
    tool_base64_encode(bytes, &encoded);
    snprintf(name64, sizeof name64, "%s64", name);
    json_object_set_new(object, name64, json_stringn((char *)encoded.data, encoded.size));
    free(encoded.data);
}

void tool_json_int(json_t *object, const char *name, uint64_t number)
{
    json_object_set_new(object, name, json_integer((json_int_t)number));
}

/* What every line about an entry begins with. */
json_t *tool_json_entry(pdict_slice key, int64_t created_ms, int64_t expires_ms)
{
    json_t *object = json_object();

    tool_json_slice(object, "k", key);
    if (created_ms)
        tool_json_int(object, "ct", (uint64_t)created_ms);
    if (expires_ms)
        tool_json_int(object, "exp", (uint64_t)expires_ms);
    return object;
}

/* The line with its newline; owned, end it with free(). */
char *tool_json_line(json_t *object, size_t *out_size)
{
    size_t size = json_dumpb(object, NULL, 0, JSON_COMPACT | JSON_REAL_PRECISION(9));
    char *line = tool_alloc(NULL, size + 1);

    json_dumpb(object, line, size, JSON_COMPACT | JSON_REAL_PRECISION(9));
    line[size] = '\n';
    *out_size = size + 1;
    json_decref(object);
    return line;
}

void tool_json_print(json_t *object)
{
    size_t size;
    char *line = tool_json_line(object, &size);

    fwrite(line, 1, size, stdout);
    free(line);
}
