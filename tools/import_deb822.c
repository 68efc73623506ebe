/* SPDX-License-Identifier: MIT */
/* Records from paragraphs between blank lines, as in /var/lib/dpkg/status: one field is the key. */
#include "source.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

static bool is_blank(pdict_slice line)
{
    const char *text = line.data;

    for (size_t i = 0; i < line.size; i++) {
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\n')
            return false;
    }
    return true;
}

static pdict_slice trimmed(const char *text, size_t size)
{
    while (size > 0 && strchr(" \t\r\n", *text) && *text) {
        text++;
        size--;
    }
    while (size > 0 && text[size - 1] && strchr(" \t\r\n", text[size - 1]))
        size--;
    return pdict_bytes(text, size);
}

/* Field names are told apart without regard to case (Debian policy 5.1). */
static bool take_key(struct source *source, pdict_slice line)
{
    size_t size = strlen(source->key_field);
    const char *text = line.data;
    pdict_slice key;

    if (line.size <= size || text[size] != ':' || strncasecmp(text, source->key_field, size) != 0)
        return false;
    key = trimmed(text + size + 1, line.size - size - 1);
    source->key.size = 0;
    tool_buf_add(&source->key, key.data, key.size);
    return true;
}

/* The lines of one paragraph into source->value, as they are. PDICT_END: there is none. */
static int read_paragraph(struct source *source, uint64_t *first_line, bool *has_key)
{
    pdict_slice line;
    int status;

    source->value.size = 0;
    *has_key = false;
    while ((status = source_line(source, &line)) == PDICT_OK) {
        if (is_blank(line) && source->value.size > 0)
            return PDICT_OK;
        if (is_blank(line))
            continue;
        if (source->value.size == 0)
            *first_line = source->reader.line;
        if (line.size > READER_LINE_MAX - source->value.size)
            return pdict_fail(PDICT_TOO_BIG, "%s: line %" PRIu64 ": the paragraph is over 1 GiB",
                              source->reader.name, *first_line);
        *has_key = *has_key || take_key(source, line);
        tool_buf_add(&source->value, line.data, line.size);
    }
    return status == PDICT_END && source->value.size > 0 ? PDICT_OK : status;
}

static int deb822_next(struct source *source, struct record *out)
{
    uint64_t first_line = 0;
    bool has_key;
    int status;

    if ((status = read_paragraph(source, &first_line, &has_key)) != PDICT_OK)
        return status;
    snprintf(source->place, sizeof source->place, "line %" PRIu64, first_line);
    if (!has_key)
        return pdict_fail(PDICT_INVAL, "%s: %s: the paragraph that begins here has no field %s",
                          source->reader.name, source->place, source->key_field);
    *out = (struct record){ .key = tool_buf_slice(&source->key),
                            .value = tool_buf_slice(&source->value) };
    return PDICT_OK;
}

const struct source_ops source_deb822 = {
    .name = "deb822",
    .open = source_open_lines,
    .next = deb822_next,
    .rewind = source_rewind_lines,
    .close = source_close_lines,
};
