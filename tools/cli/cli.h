/* SPDX-License-Identifier: MIT */
/* What the commands pdict and pdict-bench share: options by a table, their help, "did you mean". */
#ifndef PDICT_CLI_H
#define PDICT_CLI_H

#include <getopt.h>
#include <stdint.h>
#include <stdio.h>

#define CLI_MOST_OPTIONS 64 /* a verb names those it takes by the bits of a number */
#define CLI_OPTION_CODE  256

/** One option of the command line, whichever verbs take it. Strings are static. */
struct cli_option {
    const char *name;
    char letter;          /**< 0: long form only */
    const char *argument; /**< NULL: a flag */
    const char *help;
};

/** All options of a command. */
struct cli_options {
    const struct cli_option *list;
    int count;
};

/** What getopt_long() reads. */
struct cli_tables {
    char letters[2 * CLI_MOST_OPTIONS + 2];
    struct option
        longs[CLI_MOST_OPTIONS + 1]; /* their codes: CLI_OPTION_CODE + place in the list */
};

/** Tables for a verb that takes the options of which `taken` has the bits. */
void cli_tables_make(struct cli_options options, uint64_t taken, struct cli_tables *out);

/** The option that getopt_long() has found, by its code or letter. */
int cli_option_of(struct cli_options options, int result);

/** Print the help of those options, a line each. */
void cli_options_print(FILE *out, struct cli_options options, uint64_t taken);

/** The name nearest to the word of an option that is not taken, `--word=value`; NULL: none is. */
const char *cli_option_nearest(struct cli_options options, uint64_t taken, const char *text);

/** The name that is a typing error away from `word`, or begins with it; NULL: none is near. */
const char *cli_nearest(const char *word, const char *const *names, size_t count);

#endif
