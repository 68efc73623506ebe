/* SPDX-License-Identifier: MIT */
/* pdict compact: the space that deleted entries have left, given back. */
#include "tool.h"

static void print_result(const struct invocation *in, const pdict_compact_result *result)
{
    char before[32];
    char after[32];

    if (tool_has(in, OPT_JSON)) {
        json_t *object = json_object();

        tool_json_int(object, "before_bytes", result->before_bytes);
        tool_json_int(object, "after_bytes", result->after_bytes);
        tool_json_print(object);
    } else if (!tool_has(in, OPT_QUIET)) {
        printf("%s before, %s after\n", tool_size_text(result->before_bytes, before),
               tool_size_text(result->after_bytes, after));
    }
}

int tool_compact(struct invocation *in)
{
    pdict_compact_options options = PDICT_COMPACT_OPTIONS_INIT;
    pdict_compact_result result = PDICT_COMPACT_RESULT_INIT;
    struct progress progress;
    pdict_store *store = NULL;
    int status = tool_open_store(in, "rw", &store);

    if (status == PDICT_OK) {
        options.progress = tool_upkeep_progress;
        options.progress_ctx = &progress;
        tool_upkeep_begin(&progress, in);
        status = pdict_compact(store, &options, &result);
        tool_progress_end(&progress);
    }
    pdict_store_close(store);
    if (status == PDICT_OK)
        print_result(in, &result);
    return tool_fail_status(in, status);
}
