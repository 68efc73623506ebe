/* SPDX-License-Identifier: MIT */
/* pdict set: write one value, from the command line or from standard input. */
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reading stops over the limit: how large the value would have been is not known then. */
static int read_input(uint64_t limit, struct tool_buf *out)
{
    ssize_t got;

    do {
        tool_buf_reserve(out, 65536);
        got = read(STDIN_FILENO, out->data + out->size, 65536);
        if (got < 0)
            return pdict_fail(PDICT_IO, "standard input cannot be read: %s", strerror(errno));
        out->size += (size_t)got;
    } while (got > 0 && out->size <= limit);
    if (out->size <= limit)
        return PDICT_OK;
    return pdict_fail(PDICT_TOO_BIG,
                      "the value is larger than %llu bytes, the most that the map takes "
                      "(max_value); store it in parts or in a map with a larger max_value",
                      (unsigned long long)limit);
}

static int read_value(const struct invocation *in, pdict *d, struct tool_buf *out)
{
    pdict_stats stats = PDICT_STATS_INIT;
    int status;

    if (strcmp(in->args[2], "-") != 0) {
        tool_buf_add(out, in->args[2], strlen(in->args[2]));
        return PDICT_OK;
    }
    if ((status = pdict_stats_get(d, 0, &stats)) != PDICT_OK)
        return status;
    return read_input(stats.max_value, out);
}

static int put_options(const struct invocation *in, pdict_put_options *how)
{
    if (tool_has(in, OPT_NX) && tool_has(in, OPT_XX))
        return pdict_fail(PDICT_CONTRADICTION, "--nx and --xx exclude each other, keep one");
    if (tool_has(in, OPT_NX))
        how->flags = PDICT_PUT_IF_ABSENT;
    if (tool_has(in, OPT_XX))
        how->flags = PDICT_PUT_IF_PRESENT;
    return tool_duration(in, OPT_TTL, &how->ttl_ms);
}

int tool_set(struct invocation *in)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    struct tool_buf key = { 0 };
    struct tool_buf value = { 0 };
    uint64_t version = 0;
    json_t *object;
    pdict *d = NULL;
    int status;

    how.version_out = &version;
    if ((status = put_options(in, &how)) != PDICT_OK)
        goto done;
    if ((status = tool_key(in, in->args[1], &key)) != PDICT_OK)
        goto done;
    if ((status = tool_open(in, "rw", &d)) != PDICT_OK)
        goto done;
    if ((status = read_value(in, d, &value)) != PDICT_OK)
        goto done;
    status = pdict_put(d, tool_buf_slice(&key), tool_buf_slice(&value), &how);
    if (status == PDICT_OK && tool_has(in, OPT_JSON)) {
        object = json_object();
        tool_json_int(object, "version", version);
        tool_json_print(object);
    }
done:
    pdict_close(d);
    free(key.data);
    free(value.data);
    return tool_fail_status(in, status);
}
