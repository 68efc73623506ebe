/* SPDX-License-Identifier: MIT */
/* pdict get and pop: print one value, or those of every key in a file, and how fast they came. */
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A record over max_value was not written so: for a reader it is damage. */
static int fail_record(const struct invocation *in, int status)
{
    int code = tool_fail_status(in, status);

    return status == PDICT_TOO_BIG ? TOOL_DAMAGED : code;
}

/* Opened only now, so that a get that fails leaves the file as it was. */
static int write_file(const char *path, const pdict_view *view)
{
    FILE *file = fopen(path, "wb");
    bool is_whole;

    if (!file)
        return pdict_fail(PDICT_IO, "%s cannot be written: %s", path, strerror(errno));
    is_whole = fwrite(view->data, 1, view->size, file) == view->size;
    if (fclose(file) != 0 || !is_whole)
        return pdict_fail(PDICT_IO, "%s cannot be written: %s", path, strerror(errno));
    return PDICT_OK;
}

static int get_one(struct invocation *in, pdict *d)
{
    const char *path = in->values[OPT_OUTPUT];
    struct tool_buf key = { 0 };
    pdict_view view = { 0 };
    int status;

    if ((status = tool_key(in, in->args[1], &key)) != PDICT_OK)
        goto done;
    if ((status = pdict_get(d, tool_buf_slice(&key), &view)) != PDICT_OK)
        goto done;
    if (tool_has(in, OPT_JSON))
        tool_value_print_json(tool_typed(d), tool_buf_slice(&key), &view);
    else if (path && strcmp(path, "-") != 0)
        status = write_file(path, &view);
    else
        tool_value_print(in, tool_typed(d), &view);
done:
    pdict_view_release(&view);
    free(key.data);
    return fail_record(in, status);
}

/* Keys, each behind the other in `bytes`. */
struct key_list {
    struct tool_buf bytes;
    pdict_slice *keys;
    size_t count;
};

static int read_file(const char *path, struct tool_buf *out)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    size_t got;
    int status = PDICT_OK;

    if (!file)
        return pdict_fail(PDICT_IO, "%s cannot be opened: %s", path, strerror(errno));
    do {
        tool_buf_reserve(out, 65536);
        got = fread(out->data + out->size, 1, 65536, file);
        out->size += got;
    } while (got > 0);
    if (ferror(file))
        status = pdict_fail(PDICT_IO, "%s cannot be read: %s", path, strerror(errno));
    if (file != stdin)
        fclose(file);
    return status;
}

static int read_keys(const struct invocation *in, struct key_list *out)
{
    int separator = tool_has(in, OPT_NULL) ? '\0' : '\n';
    const unsigned char *at;
    const unsigned char *end;
    const unsigned char *stop;
    size_t capacity = 0;
    int status;

    if ((status = read_file(in->values[OPT_KEYS_FROM], &out->bytes)) != PDICT_OK)
        return status;
    at = out->bytes.data;
    for (end = at + out->bytes.size; at < end; at = stop + 1) {
        stop = memchr(at, separator, (size_t)(end - at));
        stop = stop ? stop : end;
        if (out->count == capacity) {
            capacity = capacity ? capacity * 2 : 1024;
            out->keys = tool_alloc(out->keys, capacity * sizeof *out->keys);
        }
        out->keys[out->count++] = pdict_bytes(at, (size_t)(stop - at));
    }
    return PDICT_OK;
}

static int print_all(const struct invocation *in, pdict *d, const struct key_list *list)
{
    pdict *typed = tool_typed(d);
    int code = TOOL_OK;
    pdict_view view;
    int status;

    for (size_t i = 0; i < list->count; i++) {
        status = pdict_get(d, list->keys[i], &view);
        if (status == PDICT_OK && tool_has(in, OPT_JSON)) {
            tool_value_print_json(typed, list->keys[i], &view);
        } else if (status == PDICT_OK) {
            fwrite(view.data, 1, view.size, stdout);
            putchar(tool_has(in, OPT_NULL) ? '\0' : '\n');
        } else if (status == PDICT_NOTFOUND) {
            code = TOOL_FALSE;
        } else {
            return fail_record(in, status);
        }
        pdict_view_release(&view);
    }
    return code;
}

static void print_measure(const struct invocation *in, const struct key_list *list, size_t absent,
                          uint64_t bytes, double seconds)
{
    double rate = seconds > 0 ? (double)list->count / seconds : 0;
    char texts[3][32];

    if (tool_has(in, OPT_JSON)) {
        tool_json_print(json_pack("{s:I, s:I, s:I, s:f, s:f}", "gets", (json_int_t)list->count,
                                  "absent", (json_int_t)absent, "bytes", (json_int_t)bytes,
                                  "seconds", seconds, "gets_per_second", rate));
        return;
    }
    printf("%s gets, %zu absent, %s, %.3f s: %s gets/s\n", tool_grouped(list->count, texts[0]),
           absent, tool_size_text(bytes, texts[1]), seconds,
           tool_grouped((uint64_t)rate, texts[2]));
}

/* The clock stands around the gets alone: keys are in memory, and nothing is printed. */
static int measure(const struct invocation *in, pdict *d, const struct key_list *list)
{
    double began = tool_seconds();
    size_t absent = 0;
    uint64_t bytes = 0;
    pdict_view view;
    int status;

    for (size_t i = 0; i < list->count; i++) {
        status = pdict_get(d, list->keys[i], &view);
        if (status != PDICT_OK && status != PDICT_NOTFOUND)
            return fail_record(in, status);
        absent += status == PDICT_NOTFOUND;
        bytes += view.size;
        pdict_view_release(&view);
    }
    print_measure(in, list, absent, bytes, tool_seconds() - began);
    return absent ? TOOL_FALSE : TOOL_OK;
}

static int get_many(struct invocation *in, pdict *d)
{
    struct key_list list = { 0 };
    int status = read_keys(in, &list);
    int code;

    if (status != PDICT_OK)
        code = tool_fail_status(in, status);
    else if (tool_has(in, OPT_MEASURE))
        code = measure(in, d, &list);
    else
        code = print_all(in, d, &list);
    free(list.keys);
    free(list.bytes.data);
    return code;
}

int tool_get(struct invocation *in)
{
    bool is_many = tool_has(in, OPT_KEYS_FROM);
    pdict *d;
    int status;
    int code;

    if (is_many == (in->n_args == 2))
        return tool_fail(in, TOOL_USAGE, "give one KEY, or --keys-from FILE");
    if (tool_has(in, OPT_MEASURE) && !is_many)
        return tool_fail(in, TOOL_USAGE, "--measure goes with --keys-from FILE");
    if (is_many && tool_has(in, OPT_OUTPUT))
        return tool_fail(in, TOOL_USAGE, "--output takes one value, redirect standard output");
    if ((status = tool_open(in, "ro", &d)) != PDICT_OK)
        return tool_fail_status(in, status);
    code = is_many ? get_many(in, d) : get_one(in, d);
    pdict_close(d);
    return code;
}

int tool_pop(struct invocation *in)
{
    struct tool_buf key = { 0 };
    pdict_view view = { 0 };
    pdict *d = NULL;
    int status;

    if ((status = tool_key(in, in->args[1], &key)) != PDICT_OK)
        goto done;
    if ((status = tool_open(in, "rw", &d)) != PDICT_OK)
        goto done;
    if ((status = pdict_pop(d, tool_buf_slice(&key), &view)) != PDICT_OK)
        goto done;
    if (tool_has(in, OPT_JSON))
        tool_value_print_json(tool_typed(d), tool_buf_slice(&key), &view);
    else
        tool_value_print(in, tool_typed(d), &view);
done:
    pdict_view_release(&view);
    pdict_close(d);
    free(key.data);
    return fail_record(in, status);
}
