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

/* As getopt_long() says what it does not know. */
static bool refuse(const char *program, const struct argument *argument, const char *text)
{
    if (argument)
        fprintf(stderr, "%s: --%s takes a number, not '%s'\n", program, argument->name, text);
    else
        fprintf(stderr, "%s: '%s' is no option\n", program, text);
    return false;
}

static bool read_all(const struct argument *known, const char *usage, int argc, char **argv)
{
    struct option options[MOST_OPTIONS + 2] = { 0 };
    int count, at;

    for (count = 0; known[count].name && count < MOST_OPTIONS; count++)
        options[count] =
            (struct option){ known[count].name, known[count].flag ? no_argument : required_argument,
                             NULL, count + 1 };
    options[count] = (struct option){ "help", no_argument, NULL, count + 1 };
    while ((at = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (at == count + 1) {
            fputs(usage, stdout);
            exit(EXIT_SUCCESS);
        }
        if (at == '?')
            return false;
        if (!take(&known[at - 1], optarg))
            return refuse(argv[0], &known[at - 1], optarg);
    }
    return optind == argc || refuse(argv[0], NULL, argv[optind]);
}

bool arguments_read(const struct argument *known, const char *usage, int argc, char **argv)
{
    bool is_right = read_all(known, usage, argc, argv);

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
