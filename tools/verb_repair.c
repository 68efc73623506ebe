/* SPDX-License-Identifier: MIT */
/* pdict repair: what is sound of a damaged store, into a new one. */
#include "tool.h"

static void print_result(const struct invocation *in, const pdict_repair_result *result)
{
    const struct tally tallies[] = {
        { "maps", result->maps, "", false },
        { "records", result->records, "sound, and copied", false },
        { "unproven", result->unproven, "of these, sealed ones seen from outside only", false },
        { "quarantined", result->quarantined, "damaged, set aside in maps named *.damaged", false },
        { "gaps", result->gaps, "stretches that could not be read", false },
        { "lost_maps", result->lost_maps, "maps without settings, all records set aside", false },
    };

    tool_upkeep_print(in, tallies, sizeof tallies / sizeof *tallies);
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
