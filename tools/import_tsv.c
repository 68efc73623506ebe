/* SPDX-License-Identifier: MIT */
/* Records from lines of KEY, a tab, VALUE, with escapes for the bytes that cannot stand there. */
#include "source.h"

#include <string.h>

static int unescape(const struct source *source, pdict_slice field, struct tool_buf *out)
{
    static const char letters[] = "tnr0\\";
    static const char bytes[] = "\t\n\r\0\\";
    const char *text = field.data;
    const char *found;

    out->size = 0;
    tool_buf_reserve(out, field.size);
    for (size_t i = 0; i < field.size; i++) {
        out->data[out->size] = (unsigned char)text[i];
        if (text[i] == '\\') {
            found = ++i < field.size ? memchr(letters, text[i], sizeof letters - 1) : NULL;
            if (!found)
                return pdict_fail(PDICT_INVAL,
                                  "%s: %s: a backslash stands before t, n, r, 0 or a backslash "
                                  "only",
                                  source->reader.name, source->place);
            out->data[out->size] = (unsigned char)bytes[found - letters];
        }
        out->size++;
    }
    return PDICT_OK;
}

static int tsv_next(struct source *source, struct record *out)
{
    pdict_slice line;
    const char *text;
    const char *tab;
    int status;

    if ((status = source_line(source, &line)) != PDICT_OK)
        return status;
    text = line.data;
    if (line.size > 0 && text[line.size - 1] == '\n')
        line.size--;
    tab = memchr(text, '\t', line.size);
    if (!tab)
        return pdict_fail(PDICT_INVAL, "%s: %s: there is no tab between a key and a value",
                          source->reader.name, source->place);
    if (memchr(tab + 1, '\t', line.size - (size_t)(tab + 1 - text)))
        return pdict_fail(PDICT_INVAL,
                          "%s: %s: there are more than two columns, write \\t for a tab",
                          source->reader.name, source->place);
    status = unescape(source, pdict_bytes(text, (size_t)(tab - text)), &source->key);
    if (status == PDICT_OK)
        status = unescape(source, pdict_bytes(tab + 1, line.size - (size_t)(tab + 1 - text)),
                          &source->value);
    *out = (struct record){ .key = tool_buf_slice(&source->key),
                            .value = tool_buf_slice(&source->value) };
    return status;
}

const struct source_ops source_tsv = {
    .name = "tsv",
    .open = source_open_lines,
    .next = tsv_next,
    .rewind = source_rewind_lines,
    .close = source_close_lines,
};
