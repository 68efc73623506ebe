/* SPDX-License-Identifier: MIT */
/* Reads a command line by a table, and says what the build has. */
#include "arguments.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pdict/pdict.h>

#define MOST_OPTIONS 32

static bool read_number(const char *text, uint64_t most, uint64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoull(text, &end, 0);
    return errno == 0 && end != text && *end == '\0' && text[0] != '-' && *out <= most;
}

static bool take(const struct argument *argument, const char *text)
{
    uint64_t number;

    if (argument->flag)
        *argument->flag = true;
    else if (argument->text)
        *argument->text = text;
    else if (!read_number(text, argument->number ? UINT64_MAX : UINT_MAX, &number))
        return false;
    else if (argument->number)
        *argument->number = number;
    else
        *argument->count = (unsigned)number;
    return true;
}

bool arguments_read(const struct argument *known, const char *usage, int argc, char **argv)
{
    struct option options[MOST_OPTIONS + 1] = { 0 };
    bool is_right = true;
    int at;

    for (at = 0; known[at].name && at < MOST_OPTIONS; at++)
        options[at] =
            (struct option){ known[at].name, known[at].flag ? no_argument : required_argument, NULL,
                             at + 1 };
    while (is_right && (at = getopt_long(argc, argv, "", options, NULL)) != -1)
        is_right = at != '?' && take(&known[at - 1], optarg);
    is_right = is_right && optind == argc;
    if (!is_right)
        fputs(usage, stderr);
    return is_right;
}

static bool is_built_slice(const char *name, size_t size)
{
    pdict_info info = PDICT_INFO_INIT;
    size_t cursor = 0;

    while (pdict_info_next(&cursor, &info) == PDICT_OK) {
        if (strlen(info.name) == size && memcmp(info.name, name, size) == 0)
            return true;
    }
    return false;
}

bool is_built(const char *name)
{
    return is_built_slice(name, strlen(name));
}

bool are_built(const char *codecs)
{
    for (;;) {
        size_t whole = strcspn(codecs, ",");
        size_t name = strcspn(codecs, ",:");

        if (!is_built_slice(codecs, name))
            return false;
        if (codecs[whole] == '\0')
            return true;
        codecs += whole + 1;
    }
}
