/* SPDX-License-Identifier: MIT */
/* pdict repair: what is sound of a damaged store, into a new one. */
#include "tool.h"

static void print_result(const struct invocation *in, const pdict_repair_result *result)
{
    const struct {
        const char *name;
        uint64_t number;
        const char *note;
    } rows[] = {
        { "maps", result->maps, "" },
        { "records", result->records, "sound, and copied" },
        { "unproven", result->unproven, "of these, sealed ones seen from outside only" },
        { "quarantined", result->quarantined, "damaged, set aside in maps named *.damaged" },
        { "gaps", result->gaps, "stretches that could not be read" },
        { "lost_maps", result->lost_maps, "maps without settings, all records set aside" },
    };
    json_t *object = tool_has(in, OPT_JSON) ? json_object() : NULL;
    char number[32];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (object)
            tool_json_int(object, rows[i].name, rows[i].number);
        else if (!tool_has(in, OPT_QUIET))
            printf("%-11s %14s  %s\n", rows[i].name, tool_grouped(rows[i].number, number),
                   rows[i].note);
    }
    if (object)
        tool_json_print(object);
}

int tool_repair(struct invocation *in)
{
    pdict_repair_options options = PDICT_REPAIR_OPTIONS_INIT;
    pdict_repair_result result = PDICT_REPAIR_RESULT_INIT;
    struct secret secret = { 0 };
    struct progress progress;
    pdict_store *store = NULL;
    int status;

    if ((status = tool_secret_given(in, &secret)) != PDICT_OK)
        goto done;
    tool_secret_slices(&secret, &options.passphrase, &options.key);
    if ((status = tool_open_store(in, "ro", &store)) != PDICT_OK)
        goto done;
    options.progress = tool_upkeep_progress;
    options.progress_ctx = &progress;
    tool_upkeep_begin(&progress, in);
    status = pdict_repair(store, in->args[1], &options, &result);
    tool_progress_end(&progress);
    if (status == PDICT_OK)
        print_result(in, &result);
done:
    pdict_store_close(store);
    tool_secret_wipe(&secret);
    if (status == PDICT_OK && (result.quarantined || result.gaps))
        return TOOL_PARTIAL;
    return tool_upkeep_fail(in, status);
}
