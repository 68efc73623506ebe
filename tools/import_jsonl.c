/* SPDX-License-Identifier: MIT */
/* Records from JSON lines: what `pdict dump` writes, and what people write by hand. */
#include "source.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What a dump says about itself; lines without a header are not a dump, and need no trailer. */
struct jsonl {
    struct tool_checksum *checksum; /* over the record lines, newlines included */
    json_t *line;                   /* the record handed out last points into it */
    uint64_t records;
    bool has_header;
    bool has_trailer;
    bool is_over; /* the end has been judged */
};

static int bad(const struct source *source, const char *why)
{
    return pdict_fail(PDICT_INVAL, "%s: %s: %s", source->reader.name, source->place, why);
}

static int parse(struct source *source, pdict_slice line)
{
    struct jsonl *jsonl = source->state;
    json_error_t error;

    json_decref(jsonl->line);
    jsonl->line = json_loadb(line.data, line.size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!jsonl->line)
        return pdict_fail(PDICT_INVAL, "%s: %s: this is not JSON at column %d: %.100s",
                          source->reader.name, source->place, error.column, error.text);
    if (!json_is_object(jsonl->line))
        return bad(source, "this is not a JSON object, a record is {\"k\":..,\"v\":..}");
    return PDICT_OK;
}

/* The member NAME as it is, or NAME64 out of base64 into `decoded`. */
static int take_bytes(struct source *source, const char *name, struct tool_buf *decoded,
                      pdict_slice *out)
{
    const struct jsonl *jsonl = source->state;
    char name64[8];
    const json_t *text = json_object_get(jsonl->line, name);
    const json_t *encoded;

    snprintf(name64, sizeof name64, "%s64", name);
    encoded = json_object_get(jsonl->line, name64);
    if (!text == !encoded || (text && !json_is_string(text)) ||
        (encoded && !json_is_string(encoded)))
        return pdict_fail(PDICT_INVAL, "%s: %s: the record needs a string \"%s\" or \"%s\"",
                          source->reader.name, source->place, name, name64);
    if (text) {
        *out = pdict_bytes(json_string_value(text), json_string_length(text));
        return PDICT_OK;
    }
    if (tool_base64_decode(json_string_value(encoded), json_string_length(encoded), decoded) !=
        PDICT_OK)
        return pdict_fail(PDICT_INVAL, "%s: %s: \"%s\" is not base64", source->reader.name,
                          source->place, name64);
    *out = tool_buf_slice(decoded);
    return PDICT_OK;
}

static int take_time(struct source *source, const char *name, int64_t *out)
{
    const struct jsonl *jsonl = source->state;
    const json_t *time = json_object_get(jsonl->line, name);

    if (time && (!json_is_integer(time) || json_integer_value(time) < 0))
        return pdict_fail(PDICT_INVAL, "%s: %s: \"%s\" is not a time in milliseconds",
                          source->reader.name, source->place, name);
    *out = json_integer_value(time);
    return PDICT_OK;
}

static int take_record(struct source *source, struct record *out)
{
    int status;

    if ((status = take_bytes(source, "k", &source->key, &out->key)) != PDICT_OK)
        return status;
    if ((status = take_bytes(source, "v", &source->value, &out->value)) != PDICT_OK)
        return status;
    if ((status = take_time(source, "exp", &out->expires_ms)) != PDICT_OK)
        return status;
    if ((status = take_time(source, "at", &out->accessed_ms)) != PDICT_OK)
        return status;
    return take_time(source, "ct", &out->created_ms);
}

static int check_header(struct source *source)
{
    struct jsonl *jsonl = source->state;
    const json_t *version = json_object_get(jsonl->line, "pdict_dump");

    if (json_integer_value(version) != 1)
        return pdict_fail(PDICT_NEWER_FORMAT,
                          "%s: %s: this dump is of a format that is newer than this pdict, use a "
                          "newer one",
                          source->reader.name, source->place);
    jsonl->has_header = true;
    return PDICT_OK;
}

static int check_trailer(struct source *source)
{
    struct jsonl *jsonl = source->state;
    const char *expected = json_string_value(json_object_get(jsonl->line, "xxh3"));
    char actual[17];
    pdict_slice rest;

    jsonl->has_trailer = true;
    jsonl->is_over = true;
    tool_checksum_text(jsonl->checksum, actual);
    if (json_integer_value(json_object_get(jsonl->line, "records")) != (json_int_t)jsonl->records)
        return pdict_fail(PDICT_CHECKSUM,
                          "%s: %s: %" PRIu64 " records stand before this trailer, "
                          "which says there were others: the dump was changed",
                          source->reader.name, source->place, jsonl->records);
    if (!expected || strcmp(expected, actual) != 0)
        return pdict_fail(PDICT_CHECKSUM,
                          "%s: %s: the records do not match the checksum of this "
                          "trailer: the dump was changed",
                          source->reader.name, source->place);
    if (source_line(source, &rest) == PDICT_OK)
        return pdict_fail(PDICT_CHECKSUM, "%s: %s: something follows the trailer of the dump",
                          source->reader.name, source->place);
    return PDICT_END;
}

static int check_end(struct source *source)
{
    struct jsonl *jsonl = source->state;

    jsonl->is_over = true;
    if (jsonl->has_header && !jsonl->has_trailer)
        return pdict_fail(PDICT_MISUSE, "%s ends without the trailer of a dump: it was cut short",
                          source->reader.name);
    return PDICT_END;
}

static int jsonl_next(struct source *source, struct record *out)
{
    struct jsonl *jsonl = source->state;
    pdict_slice line;
    int status;

    memset(out, 0, sizeof *out);
    if (jsonl->is_over)
        return PDICT_END;
    if ((status = source_line(source, &line)) == PDICT_END)
        return check_end(source);
    if (status != PDICT_OK)
        return status;
    /* Hashed before it is judged, so that a bad line spoils one record and not the checksum. */
    if ((status = parse(source, line)) == PDICT_OK) {
        if (source->reader.line == 1 && json_object_get(jsonl->line, "pdict_dump"))
            return (status = check_header(source)) == PDICT_OK ? jsonl_next(source, out) : status;
        if (json_is_true(json_object_get(jsonl->line, "end")) && jsonl->has_header)
            return check_trailer(source);
        status = take_record(source, out);
    }
    tool_checksum_add(jsonl->checksum, line);
    jsonl->records++;
    return status;
}

static void start(struct jsonl *jsonl)
{
    tool_checksum_reset(jsonl->checksum);
    json_decref(jsonl->line);
    jsonl->line = NULL;
    jsonl->records = 0;
    jsonl->has_header = false;
    jsonl->has_trailer = false;
    jsonl->is_over = false;
}

static int jsonl_open(struct source *source)
{
    struct jsonl *jsonl = tool_alloc(NULL, sizeof *jsonl);

    memset(jsonl, 0, sizeof *jsonl);
    source->state = jsonl;
    jsonl->checksum = tool_checksum_new();
    return source_open_lines(source);
}

static int jsonl_rewind(struct source *source)
{
    start(source->state);
    return source_rewind_lines(source);
}

static void jsonl_close(struct source *source)
{
    struct jsonl *jsonl = source->state;

    json_decref(jsonl->line);
    tool_checksum_free(jsonl->checksum);
    free(jsonl);
    source_close_lines(source);
}

const struct source_ops source_jsonl = {
    .name = "jsonl",
    .open = jsonl_open,
    .next = jsonl_next,
    .rewind = jsonl_rewind,
    .close = jsonl_close,
};
