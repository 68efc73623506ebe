/* SPDX-License-Identifier: MIT */
/* pdict expire: expired entries are removed, and their space is given back where that is cheap. */
#include "tool.h"

#include <inttypes.h>

int tool_expire(struct invocation *in)
{
    pdict_store *store = NULL;
    uint64_t removed = 0;
    int status = tool_open_store(in, "rw", &store);

    if (status == PDICT_OK)
        status = pdict_expire(store, -1, &removed);
    pdict_store_close(store);
    if (status == PDICT_OK && tool_has(in, OPT_JSON))
        tool_json_print(json_pack("{s:I}", "removed", (json_int_t)removed));
    else if (status == PDICT_OK && !tool_has(in, OPT_QUIET))
        printf("%" PRIu64 " expired entries removed\n", removed);
    return tool_fail_status(in, status);
}
