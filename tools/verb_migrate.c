/* SPDX-License-Identifier: MIT */
/* pdict migrate: maps into a new store, by whatever backend and codecs. */
#include "tool.h"

static void print_result(const struct invocation *in, const pdict_migrate_result *result)
{
    const struct tally tallies[] = {
        { "maps", result->maps, "", false },
        { "records", result->records, "in the new store", false },
        { "copied", result->copied, "now", true },
        { "kept", result->kept, "from an earlier run", true },
        { "removed", result->removed, "of an earlier run, and gone from the source since", true },
        { "expired", result->expired, "left out", true },
    };

    tool_upkeep_print(in, tallies, sizeof tallies / sizeof *tallies);
    if (!tool_has(in, OPT_JSON) && !tool_has(in, OPT_QUIET))
        printf("what is written to the source from now on is not carried over\n");
}

static int migrate(const struct invocation *in, pdict_store *store, const struct secret *secret,
                   pdict_migrate_result *result)
{
    pdict_migrate_options options = PDICT_MIGRATE_OPTIONS_INIT;
    struct progress progress;
    int status;

    options.map = in->values[OPT_MAP];
    options.codecs = in->values[OPT_CODECS];
    options.verify = tool_has(in, OPT_VERIFY);
    tool_secret_slices(secret, &options.passphrase, &options.key);
    options.progress = tool_upkeep_progress;
    options.progress_ctx = &progress;
    tool_upkeep_begin(&progress, in);
    status = pdict_migrate(store, in->args[1], &options, result);
    tool_progress_end(&progress);
    return status;
}

static int see_map(void *ctx, const pdict_map_info *map)
{
    *(bool *)ctx |= map->is_encrypted;
    return PDICT_OK;
}

/* A passphrase that opens nothing yet is asked for twice. */
static int find_secret(pdict_store *store, struct secret *secret)
{
    bool is_encrypted = false;
    int status = pdict_store_maps(store, see_map, &is_encrypted);

    return status == PDICT_OK ? tool_secret_found(!is_encrypted, secret) : status;
}

/* Whether a secret is needed only the maps can tell, so the first attempt goes without one. */
static int migrate_with_secret(const struct invocation *in, pdict_store *store,
                               pdict_migrate_result *result)
{
    struct secret secret = { 0 };
    int status = tool_secret_given(in, &secret);

    if (status == PDICT_OK)
        status = migrate(in, store, &secret, result);
    if (status == PDICT_NEED_KEY && !secret.bytes) {
        status = find_secret(store, &secret);
        if (status == PDICT_OK)
            status = migrate(in, store, &secret, result);
    }
    tool_secret_wipe(&secret);
    return status;
}

int tool_migrate(struct invocation *in)
{
    pdict_migrate_result result = PDICT_MIGRATE_RESULT_INIT;
    pdict_store *store = NULL;
    int status = tool_open_shared(in, &store);

    if (status == PDICT_OK)
        status = migrate_with_secret(in, store, &result);
    pdict_store_close(store);
    if (status == PDICT_OK)
        print_result(in, &result);
    return tool_upkeep_fail(in, status);
}
