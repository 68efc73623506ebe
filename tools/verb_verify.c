/* SPDX-License-Identifier: MIT */
/* pdict verify: everything that is stored, looked at; a line for each thing that is wrong. */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

static const char *kind_name(int kind)
{
    static const char *const names[] = {
        [PDICT_FINDING_ENGINE] = "engine", [PDICT_FINDING_MAP] = "map",
        [PDICT_FINDING_RECORD] = "record", [PDICT_FINDING_INDEX] = "index",
        [PDICT_FINDING_COUNT] = "count",
    };

    return kind >= PDICT_FINDING_ENGINE && kind <= PDICT_FINDING_COUNT ? names[kind] : "other";
}

static void print_json(const pdict_finding *finding)
{
    json_t *object = json_object();

    json_object_set_new(object, "kind", json_string(kind_name(finding->kind)));
    json_object_set_new(object, "status", json_string(pdict_status_name(finding->status)));
    if (finding->map)
        tool_json_slice(object, "map", pdict_str(finding->map));
    if (finding->key.data)
        tool_json_slice(object, "k", finding->key);
    tool_json_slice(object, "text", pdict_str(finding->text));
    tool_json_print(object);
}

static void print_plain(const pdict_finding *finding)
{
    printf("%-6s  ", kind_name(finding->kind));
    if (finding->map)
        tool_print_key(stdout, pdict_str(finding->map));
    if (finding->key.data) {
        printf("  ");
        tool_print_key(stdout, finding->key);
    }
    printf("%s%s\n", finding->map ? "  " : "", finding->text);
}

struct verification {
    const struct invocation *in;
    struct progress progress;
};

static int print_finding(void *ctx, const pdict_finding *finding)
{
    struct verification *verification = ctx;

    tool_progress_clear(&verification->progress);
    if (tool_has(verification->in, OPT_JSON))
        print_json(finding);
    else
        print_plain(finding);
    return 0;
}

static int show_progress(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    struct verification *verification = ctx;

    return tool_upkeep_progress(&verification->progress, phase, done, total);
}

static void print_summary(const struct invocation *in, const pdict_verify_result *result)
{
    char records[32];
    char unproven[32];
    char findings[32];

    if (tool_has(in, OPT_JSON)) {
        json_t *object = json_pack("{s:b}", "end", 1);

        tool_json_int(object, "maps", result->maps);
        tool_json_int(object, "records", result->records);
        tool_json_int(object, "bytes", result->bytes);
        tool_json_int(object, "unproven", result->unproven);
        tool_json_int(object, "findings", result->findings);
        tool_json_print(object);
        return;
    }
    if (tool_has(in, OPT_QUIET))
        return;
    printf("%s records, %s findings\n", tool_grouped(result->records, records),
           tool_grouped(result->findings, findings));
    if (result->unproven)
        printf("%s of the records are sealed, and were looked at from outside; give the "
               "passphrase or key\n",
               tool_grouped(result->unproven, unproven));
}

/* N/T, from 1. */
static int parse_subset(const struct invocation *in, pdict_verify_options *options)
{
    const char *text = in->values[OPT_SUBSET];
    unsigned long subset, subsets;
    char *end;

    if (!text)
        return TOOL_OK;
    subset = strtoul(text, &end, 10);
    if (*end == '/' && end != text && end[1] >= '1' && end[1] <= '9') {
        subsets = strtoul(end + 1, &end, 10);
        if (!*end && subset >= 1 && subset <= subsets && subsets <= UINT32_MAX) {
            options->subset = (unsigned)subset;
            options->subsets = (unsigned)subsets;
            return TOOL_OK;
        }
    }
    return tool_fail(in, TOOL_USAGE, "--subset %s is not N/T, such as 1/10", text);
}

static int verify(struct verification *verification, pdict_verify_options *options,
                  pdict_verify_result *result)
{
    const struct invocation *in = verification->in;
    struct secret secret = { 0 };
    pdict_store *store = NULL;
    int status;

    if ((status = tool_secret_given(in, &secret)) != PDICT_OK)
        goto done;
    tool_secret_slices(&secret, &options->passphrase, &options->key);
    if ((status = tool_open_store(in, "ro", &store)) != PDICT_OK)
        goto done;
    tool_upkeep_begin(&verification->progress, in);
    status = pdict_verify(store, options, result);
    tool_progress_end(&verification->progress);
done:
    pdict_store_close(store);
    tool_secret_wipe(&secret);
    return status;
}

int tool_verify(struct invocation *in)
{
    struct verification verification = { .in = in };
    pdict_verify_options options = PDICT_VERIFY_OPTIONS_INIT;
    pdict_verify_result result = PDICT_VERIFY_RESULT_INIT;
    int status;

    if (parse_subset(in, &options) != TOOL_OK)
        return TOOL_USAGE;
    options.map = in->values[OPT_MAP];
    options.finding = print_finding;
    options.finding_ctx = &verification;
    options.progress = show_progress;
    options.progress_ctx = &verification;
    if ((status = verify(&verification, &options, &result)) != PDICT_OK)
        return tool_fail_status(in, status);
    print_summary(in, &result);
    return result.findings ? TOOL_DAMAGED : TOOL_OK;
}
