/* SPDX-License-Identifier: MIT */
/* What the parts of pdict-conformance share: what was asked for, and counting the results. */
#ifndef PDICT_CONFORMANCE_PROGRAM_H
#define PDICT_CONFORMANCE_PROGRAM_H

#include <pdict/ext/register.h>

enum {
    EXIT_SKIPPED = 77
};

struct settings {
    const char *filter; /* NULL: all */
    const char *only;   /* NULL: all */
    uint64_t seed;
    bool is_list;
    bool is_forking;
};

struct tally {
    unsigned passed, failed, skipped;
};

/* ---- main.c ---- */

/* Is the case to be run now? When cases are to be listed this lists it, and says no. */
bool is_chosen(const struct settings *settings, const char *name);
/* Count and print a result; `reason` for a skip that was known before, else NULL. */
void report(int exit_code, const char *name, const char *reason, struct tally *tally);
/* Print the last line of a backend or codec, and add it to the total. */
void sum_up(const struct settings *settings, const char *label, const struct tally *tally,
            struct tally *total);

/* ---- run_backend.c, run_codec.c: false when there is none of this name ---- */

/* "NAME", or "LAYER+NAME". */
bool run_backend(const struct settings *settings, const char *label, struct tally *total);
bool run_codec(const struct settings *settings, const char *label, struct tally *total);

#endif
