/* SPDX-License-Identifier: MIT */
/* pdict backup: a consistent copy of a store, while others write to it. */
#include "tool.h"

#include <sys/stat.h>

static void print_result(const struct invocation *in)
{
    struct stat info;
    uint64_t bytes = stat(in->args[1], &info) == 0 ? (uint64_t)info.st_size : 0;
    char text[32];

    if (tool_has(in, OPT_JSON)) {
        json_t *object = json_object();

        tool_json_int(object, "bytes", bytes);
        tool_json_print(object);
    } else if (!tool_has(in, OPT_QUIET)) {
        printf("%s: %s\n", in->args[1], tool_size_text(bytes, text));
    }
}

int tool_backup(struct invocation *in)
{
    pdict_backup_options options = PDICT_BACKUP_OPTIONS_INIT;
    struct progress progress;
    pdict_store *store = NULL;
    int status = tool_open_shared(in, &store);

    if (status == PDICT_OK) {
        options.progress = tool_upkeep_progress;
        options.progress_ctx = &progress;
        tool_upkeep_begin(&progress, in);
        status = pdict_backup(store, in->args[1], &options);
        tool_progress_end(&progress);
    }
    pdict_store_close(store);
    if (status == PDICT_OK)
        print_result(in);
    return tool_upkeep_fail(in, status);
}
