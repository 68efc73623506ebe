/* SPDX-License-Identifier: MIT */
/* Help, made of the verb table, the option table and the table of exit codes. */
#include "tool.h"

#include <string.h>

static const char *const environment[][2] = {
    { "PDICT_PASSPHRASE_FILE", "file with the passphrase, for maps that need one" },
    { "PDICT_PASSPHRASE", "the passphrase itself; weaker: your other programs see it" },
    { "TMPDIR", "where load keeps standard input until it is checked (default: /var/tmp)" },
};

static void exit_codes(FILE *out)
{
    fputs("\nExit codes:\n", out);
#define PRINT_EXIT(name, code, meaning) fprintf(out, "  %3d  %s\n", code, meaning);
    TOOL_EXIT_MAP(PRINT_EXIT)
#undef PRINT_EXIT
}

void tool_help(FILE *out)
{
    fputs("pdict: a dictionary in a file, its storage engine and codecs chosen when it is made.\n"
          "\n"
          "Usage: pdict VERB STORE [ARGS] [OPTIONS]\n"
          "\n"
          "Verbs:\n",
          out);
    for (const struct verb *verb = tool_verbs; verb->name; verb++)
        fprintf(out, "  %-8s %s\n", verb->name, verb->summary);
    fputs("\n"
          "STORE is a path, or a URI such as 'sqlite:app.db?map=users&timeout=2s'.\n"
          "`pdict VERB --help` explains a verb and its options. Only init and load create.\n"
          "\n"
          "A secret is taken from --key-file, --passphrase-file, --passphrase-fd or\n"
          "--passphrase-command; else, when the map needs one, from the environment; else it is\n"
          "asked for on the terminal. It cannot be given on the command line.\n",
          out);
    exit_codes(out);
    fputs("\nEnvironment:\n", out);
    for (size_t i = 0; i < sizeof environment / sizeof *environment; i++)
        fprintf(out, "  %-22s %s\n", environment[i][0], environment[i][1]);
    fputs("\nTry:\n"
          "  pdict init app.db --codecs zstd:3\n"
          "  pdict set app.db user:1 Ada --ttl 7d\n"
          "  pdict get app.db user:1\n"
          "  pdict ls app.db 'user:*' -l\n",
          out);
}

void tool_help_verb(FILE *out, const struct verb *verb)
{
    fprintf(out, "pdict %s: %s\n\nUsage: pdict %s%s%s [OPTIONS]\n\nOptions:\n", verb->name,
            verb->summary, verb->name, *verb->synopsis ? " " : "", verb->synopsis);
    cli_options_print(out, (struct cli_options){ tool_options, OPT_COUNT }, verb->options);
    if (verb->notes)
        fprintf(out, "\n%s", verb->notes);
}

int tool_help_run(struct invocation *in)
{
    if (in->n_args == 0) {
        tool_help(stdout);
        return TOOL_OK;
    }
    for (const struct verb *verb = tool_verbs; verb->name; verb++) {
        if (strcmp(verb->name, in->args[0]) == 0) {
            tool_help_verb(stdout, verb);
            return TOOL_OK;
        }
    }
    return tool_fail(in, TOOL_USAGE, "there is no verb %s, `pdict help` lists them", in->args[0]);
}
