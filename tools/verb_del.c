/* SPDX-License-Identifier: MIT */
/* pdict del: delete keys by name, or all that share a prefix. */
#include "tool.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Keys deleted in one commit of del --prefix. */
enum {
    DEL_BATCH = 10000
};

static int report(const struct invocation *in, uint64_t deleted, uint64_t absent)
{
    if (tool_has(in, OPT_JSON))
        tool_json_print(
            json_pack("{s:I, s:I}", "deleted", (json_int_t)deleted, "absent", (json_int_t)absent));
    else if (absent && !tool_has(in, OPT_QUIET))
        tool_warn(in, "%" PRIu64 " deleted, %" PRIu64 " absent", deleted, absent);
    return absent ? TOOL_FALSE : TOOL_OK;
}

static int del_named(const struct invocation *in, pdict *d)
{
    size_t count = (size_t)in->n_args - 1;
    struct tool_buf *texts = tool_alloc(NULL, count * sizeof *texts);
    pdict_slice *keys = tool_alloc(NULL, count * sizeof *keys);
    int *statuses = tool_alloc(NULL, count * sizeof *statuses);
    uint64_t absent = 0;
    int status = PDICT_OK;
    int code;

    memset(texts, 0, count * sizeof *texts);
    for (size_t i = 0; i < count && status == PDICT_OK; i++) {
        status = tool_key(in, in->args[i + 1], &texts[i]);
        keys[i] = tool_buf_slice(&texts[i]);
    }
    if (status == PDICT_OK)
        status = pdict_del_many(d, keys, count, statuses);
    for (size_t i = 0; i < count && status == PDICT_OK; i++)
        absent += statuses[i] == PDICT_NOTFOUND;
    code = status == PDICT_OK ? report(in, count - absent, absent) : tool_fail_status(in, status);
    for (size_t i = 0; i < count; i++)
        free(texts[i].data);
    free(texts);
    free(keys);
    free(statuses);
    return code;
}

/* Up to DEL_BATCH keys of the walk, copied into `bytes`; the slices are set when all are there. */
static int collect(pdict_iter *iter, struct tool_buf *bytes, pdict_slice *keys, size_t *count)
{
    pdict_entry entry;
    size_t offset = 0;
    int status = PDICT_OK;

    bytes->size = 0;
    for (*count = 0; *count < DEL_BATCH; ++*count) {
        if ((status = pdict_iter_next(iter, &entry)) != PDICT_OK)
            break;
        tool_buf_add(bytes, entry.key.data, entry.key.size);
        keys[*count].size = entry.key.size;
    }
    for (size_t i = 0; i < *count; i++) {
        keys[i].data = bytes->data + offset;
        offset += keys[i].size;
    }
    return status;
}

static int del_prefix(pdict *d, const pdict_range *range, uint64_t *deleted)
{
    pdict_slice *keys = tool_alloc(NULL, DEL_BATCH * sizeof *keys);
    int *statuses = tool_alloc(NULL, DEL_BATCH * sizeof *statuses);
    struct tool_buf bytes = { 0 };
    pdict_iter *iter = NULL;
    size_t count;
    int status = pdict_iter_open(d, range, &iter);
    int put = PDICT_OK;

    while (status == PDICT_OK && put == PDICT_OK) {
        status = collect(iter, &bytes, keys, &count);
        if (status != PDICT_OK && status != PDICT_END)
            break;
        put = count ? pdict_del_many(d, keys, count, statuses) : PDICT_OK;
        for (size_t i = 0; i < count && put == PDICT_OK; i++)
            *deleted += statuses[i] == PDICT_OK;
    }
    pdict_iter_close(iter);
    free(bytes.data);
    free(keys);
    free(statuses);
    return put != PDICT_OK ? put : status == PDICT_END ? PDICT_OK : status;
}

static bool confirmed(const struct invocation *in)
{
    char answer[8] = "";

    if (tool_has(in, OPT_FORCE))
        return true;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return false;
    fputs("delete every key that begins with \"", stderr);
    tool_print_key(stderr, pdict_str(in->values[OPT_PREFIX]));
    fputs("\"? [y/N] ", stderr);
    return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static int del_by_prefix(const struct invocation *in, pdict *d)
{
    struct selection selection;
    uint64_t deleted = 0;
    char text[32];
    int status;

    if ((status = tool_select(in, NULL, &selection)) != PDICT_OK)
        return tool_fail_status(in, status);
    selection.range.flags |= PDICT_KEYS_ONLY | PDICT_BY_KEY;
    if ((status = del_prefix(d, &selection.range, &deleted)) != PDICT_OK)
        return tool_fail_status(in, status);
    if (!tool_has(in, OPT_JSON) && !tool_has(in, OPT_QUIET))
        printf("%s deleted\n", tool_grouped(deleted, text));
    return report(in, deleted, 0);
}

int tool_del(struct invocation *in)
{
    bool is_prefix = tool_has(in, OPT_PREFIX);
    pdict *d;
    int status;
    int code;

    if (is_prefix == (in->n_args > 1))
        return tool_fail(in, TOOL_USAGE, "give keys, or --prefix TEXT");
    if (is_prefix && !confirmed(in))
        return tool_fail(in, TOOL_USAGE, "nothing was deleted, --prefix needs --force");
    if ((status = tool_open(in, "rw", &d)) != PDICT_OK)
        return tool_fail_status(in, status);
    code = is_prefix ? del_by_prefix(in, d) : del_named(in, d);
    pdict_close(d);
    return code;
}
