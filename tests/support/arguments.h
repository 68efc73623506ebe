/* SPDX-License-Identifier: MIT */
/* The command lines of test programs: a table of options, and where each goes. */
#ifndef PDICT_TEST_ARGUMENTS_H
#define PDICT_TEST_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

/** One option, --name; exactly one of the places is not NULL. */
struct argument {
    const char *name; /**< NULL ends the table */
    const char **text;
    uint64_t *number; /**< decimal, 0x hexadecimal, 0 octal */
    unsigned *count;  /**< the same */
    bool *flag;       /**< set; takes no value */
};

/** Fill in what the arguments say; prints `usage` on stderr, and false, when they are wrong. With
 * --help it is printed on stdout, and the program ends. */
bool arguments_read(const struct argument *known, const char *usage, int argc, char **argv);

/** Does this build have the backend or codec? */
bool is_built(const char *name);
/** Does it have all of a list as in a URI, "raw,zstd:3"? */
bool are_built(const char *codecs);

#endif
