/* SPDX-License-Identifier: MIT */
/* What the verbs that care for a whole store share: opening, progress, and the interrupt key. */
#include "tool.h"

#include <string.h>

/* The library counts bytes where it copies files, and records elsewhere. */
static bool counts_bytes(const char *phase)
{
    return strcmp(phase, "backup") == 0 || strcmp(phase, "compact") == 0;
}

int tool_upkeep_progress(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    struct progress *progress = ctx;

    if (progress->verb) {
        progress->verb = phase;
        progress->is_bytes = counts_bytes(phase);
    }
    if (done == 0)
        progress->began = tool_seconds();
    tool_progress_show(progress, done, done, total);
    return tool_interrupted();
}

void tool_upkeep_begin(struct progress *progress, const struct invocation *in)
{
    tool_progress_begin(progress, in, in->verb->name);
    tool_interrupt_catch();
}

/* Opened for writing a store can be read while others write to it, which is why that is tried
 * first; nothing is written. */
int tool_open_shared(const struct invocation *in, pdict_store **out)
{
    int status = tool_open_store(in, "rw", out);

    if (status == PDICT_READ_ONLY || status == PDICT_PERMISSION)
        status = tool_open_store(in, "ro", out);
    return status;
}

/* PDICT_EXISTS is a mistake on the command line here. */
int tool_upkeep_fail(const struct invocation *in, int status)
{
    if (status == PDICT_EXISTS)
        return tool_fail(in, TOOL_USAGE, "%s", pdict_error_text());
    return tool_fail_status(in, status);
}

static int longest_name(const struct tally *tallies, size_t count)
{
    size_t longest = 0;

    for (size_t i = 0; i < count; i++) {
        if (longest < strlen(tallies[i].name))
            longest = strlen(tallies[i].name);
    }
    return (int)longest;
}

static void print_json(const struct tally *tallies, size_t count)
{
    json_t *object = json_object();

    for (size_t i = 0; i < count; i++)
        tool_json_int(object, tallies[i].name, tallies[i].number);
    tool_json_print(object);
}

void tool_upkeep_print(const struct invocation *in, const struct tally *tallies, size_t count)
{
    char number[32];

    if (tool_has(in, OPT_JSON)) {
        print_json(tallies, count);
        return;
    }
    for (size_t i = 0; i < count && !tool_has(in, OPT_QUIET); i++) {
        if (tallies[i].number > 0 || !tallies[i].is_rare)
            printf("%-*s %14s  %s\n", longest_name(tallies, count), tallies[i].name,
                   tool_grouped(tallies[i].number, number), tallies[i].note);
    }
}

void tool_secret_slices(const struct secret *secret, pdict_slice *passphrase, pdict_slice *key)
{
    pdict_slice bytes = pdict_bytes(secret->bytes, secret->size);

    if (secret->bytes)
        *(secret->is_key ? key : passphrase) = bytes;
}
