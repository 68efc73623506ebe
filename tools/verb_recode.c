/* SPDX-License-Identifier: MIT */
/* pdict recode and rekey: other codecs, or another data key, for a map that is in use. */
#include "tool.h"

#include <string.h>

#define MIB ((uint64_t)1 << 20)

typedef int (*recode_fn)(pdict *d, const pdict_recode_options *options, pdict_recode_result *out);

struct work {
    const struct invocation *in; /* its codecs are those to come */
    struct invocation bare;      /* without them */
    recode_fn fn;
    struct secret secret;
    pdict *d;
    pdict_recode_result result;
};

/* The secret is the one that the map has, or the one that it is to have. */
static int open_map(struct work *work)
{
    int status = tool_open_with(&work->bare, "rw", &work->secret, &work->d);

    if (status == PDICT_NOT_ENCRYPTED && tool_has(work->in, OPT_CODECS))
        return tool_open_with(&work->bare, "rw", NULL, &work->d);
    if (status != PDICT_NEED_KEY || work->secret.bytes)
        return status;
    if ((status = tool_secret_found(false, &work->secret)) != PDICT_OK)
        return status;
    return tool_open_with(&work->bare, "rw", &work->secret, &work->d);
}

static void add_result(pdict_recode_result *sum, const pdict_recode_result *result)
{
    sum->records += result->records;
    sum->rewritten += result->rewritten;
    sum->before_bytes += result->before_bytes;
    sum->after_bytes += result->after_bytes;
}

static int call(struct work *work, uint64_t rate)
{
    pdict_recode_options options = PDICT_RECODE_OPTIONS_INIT;
    pdict_recode_result result = PDICT_RECODE_RESULT_INIT;
    struct progress progress;
    int status;

    options.codecs = work->in->values[OPT_CODECS];
    options.kdf = work->in->values[OPT_KDF];
    options.bytes_per_second = rate * MIB;
    if (options.codecs)
        tool_secret_slices(&work->secret, &options.passphrase, &options.key);
    options.progress = tool_upkeep_progress;
    options.progress_ctx = &progress;
    tool_upkeep_begin(&progress, work->in);
    status = work->fn(work->d, &options, &result);
    add_result(&work->result, &result);
    tool_progress_end(&progress);
    return status;
}

static int run(struct work *work)
{
    uint64_t rate = 0;
    int status;

    if ((status = tool_number(work->in, OPT_RATE, &rate)) != PDICT_OK)
        return status;
    if ((status = tool_secret_given(work->in, &work->secret)) != PDICT_OK)
        return status;
    if ((status = open_map(work)) != PDICT_OK)
        return status;
    status = call(work, rate);
    if (status == PDICT_NEED_KEY && !work->secret.bytes &&
        (status = tool_secret_found(true, &work->secret)) == PDICT_OK)
        status = call(work, rate);
    return status;
}

static void print_result(const struct invocation *in, const pdict_recode_result *result)
{
    const struct tally tallies[] = {
        { "records", result->records, "looked at", false },
        { "rewritten", result->rewritten, "made anew", false },
        { "before_bytes", result->before_bytes, "of these, as they were", false },
        { "after_bytes", result->after_bytes, "as they are now", false },
    };

    tool_upkeep_print(in, tallies, sizeof tallies / sizeof *tallies);
}

static int recode(const struct invocation *in, recode_fn fn)
{
    struct work work = { .in = in, .bare = *in, .fn = fn, .result = PDICT_RECODE_RESULT_INIT };
    int status;

    work.bare.values[OPT_CODECS] = NULL;
    status = run(&work);
    pdict_close(work.d);
    tool_secret_wipe(&work.secret);
    if (status == PDICT_OK)
        print_result(in, &work.result);
    return tool_fail_status(in, status);
}

int tool_recode(struct invocation *in)
{
    return recode(in, pdict_recode);
}

int tool_rekey(struct invocation *in)
{
    return recode(in, pdict_rekey);
}
