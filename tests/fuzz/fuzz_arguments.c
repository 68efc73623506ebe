/* SPDX-License-Identifier: MIT */
/* Any lines as the arguments of `pdict`: refused with its exit code, or taken apart; nothing is run. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "tool.h"

#define MOST 64

/* The verb by name, or by the first letter: without one there is nothing to parse. */
static const struct verb *verb_of(const char *name)
{
    unsigned count = 0;

    for (; tool_verbs[count].name; count++) {
        if (strcmp(tool_verbs[count].name, name) == 0)
            return &tool_verbs[count];
    }
    return &tool_verbs[(unsigned char)name[0] % count];
}

/* The lines of a text, which they end with; the first is the verb. */
static int split(char *text, char *argv[MOST + 1])
{
    int argc = 0;

    while (argc < MOST) {
        argv[argc++] = text;
        text += strcspn(text, "\n");
        if (!*text)
            break;
        *text++ = '\0';
    }
    argv[argc] = NULL;
    return argc;
}

static void read_options(const struct invocation *in)
{
    for (int i = 0; i < OPT_COUNT; i++) {
        uint64_t number = 0;
        int64_t ms = 1;

        expect(!tool_has(in, i) || in->verb->options >> i & 1);
        if (tool_number(in, i, &number) == PDICT_OK)
            expect(number <= INT64_MAX);
        if (tool_duration(in, i, &ms) == PDICT_OK)
            expect(ms > 0);
    }
}

static void read_arguments(const struct invocation *in)
{
    struct selection selection;
    struct tool_buf key = { 0 };

    for (int i = 0; i < in->n_args; i++) {
        (void)tool_select(in, in->args[i], &selection);
        if (tool_key(in, in->args[i], &key) == PDICT_OK)
            expect(key.size <= strlen(in->args[i]));
    }
    free(key.data);
}

static void parse(int argc, char **argv)
{
    struct invocation in = { .verb = verb_of(argv[0]) };
    int code;

    optind = 0; /* getopt_long() begins anew */
    code = tool_parse(&in, argc, argv);
    expect(code == TOOL_OK || code == TOOL_USAGE);
    if (code == TOOL_OK) {
        expect(in.n_args >= in.verb->min_args || tool_has(&in, OPT_HELP));
        read_options(&in);
        read_arguments(&in);
    }
    free(in.settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *nowhere;
    char *argv[MOST + 1];
    char *text = malloc(size + 1);

    expect(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    /* Each refusal is a line there; what a sanitizer has to say goes past it. */
    if (!nowhere)
        expect((stderr = nowhere = fopen("/dev/null", "w")) != NULL);
    parse(split(text, argv), argv);
    free(text);
    return 0;
}
