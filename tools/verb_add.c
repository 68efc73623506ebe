/* SPDX-License-Identifier: MIT */
/* pdict add: add to the number that is kept under a key. */
#include "tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static int read_delta(const char *text, int64_t *out)
{
    char *end;
    long long number;

    errno = 0;
    number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        return pdict_fail(PDICT_INVAL, "'%s' is not an integer of 64 bits", text);
    *out = number;
    return PDICT_OK;
}

int tool_add(struct invocation *in)
{
    pdict_put_options how = PDICT_PUT_OPTIONS_INIT;
    struct tool_buf key = { 0 };
    int64_t delta = 1, sum;
    pdict *d = NULL;
    int status;

    if (in->n_args > 2 && (status = read_delta(in->args[2], &delta)) != PDICT_OK)
        goto done;
    if ((status = tool_duration(in, OPT_TTL, &how.ttl_ms)) != PDICT_OK)
        goto done;
    if ((status = tool_key(in, in->args[1], &key)) != PDICT_OK)
        goto done;
    if ((status = tool_open(in, "rw", &d)) != PDICT_OK)
        goto done;
    if ((status = pdict_add(d, tool_buf_slice(&key), delta, &how, &sum)) != PDICT_OK)
        goto done;
    if (tool_has(in, OPT_JSON))
        tool_json_print(json_pack("{s:I}", "sum", (json_int_t)sum));
    else
        printf("%" PRId64 "\n", sum);
done:
    pdict_close(d);
    free(key.data);
    return tool_fail_status(in, status);
}
