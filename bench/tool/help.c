/* SPDX-License-Identifier: MIT */
/* Help, made of the verb table, the option table and the table of exit codes. */
#include "tool/tool.h"

#include <string.h>

void bench_help(FILE *out)
{
    fputs("pdict-bench: which backend, which codec, which level, for your data, on this machine.\n"
          "\n"
          "Usage: pdict-bench VERB [OPTIONS]\n"
          "\n"
          "Verbs:\n",
          out);
    for (const struct verb *verb = bench_verbs; verb->name; verb++)
        fprintf(out, "  %-9s %s\n", verb->name, verb->summary);
    fputs("\n`pdict-bench VERB --help` explains a verb and its options.\n\nExit codes:\n", out);
#define PRINT_EXIT(name, code, meaning) fprintf(out, "  %3d  %s\n", code, meaning);
    BENCH_EXIT_MAP(PRINT_EXIT)
#undef PRINT_EXIT
    fputs("\nTry:\n"
          "  pdict-bench recommend --data /var/lib/dpkg/status --format deb822\n"
          "  pdict-bench codec --data samples/ --html report.html\n"
          "  pdict-bench kv --quick --target pdict:sqlite,raw:sqlite\n",
          out);
}

void bench_help_verb(FILE *out, const struct verb *verb)
{
    fprintf(out, "pdict-bench %s: %s\n\nUsage: pdict-bench %s%s%s [OPTIONS]\n\nOptions:\n",
            verb->name, verb->summary, verb->name, *verb->synopsis ? " " : "", verb->synopsis);
    cli_options_print(out, (struct cli_options){ bench_options, OPT_COUNT }, verb->options);
    if (verb->notes)
        fprintf(out, "\n%s", verb->notes);
}

int bench_help_run(struct invocation *in)
{
    if (in->n_args == 0) {
        bench_help(stdout);
        return PDICT_OK;
    }
    for (const struct verb *verb = bench_verbs; verb->name; verb++) {
        if (strcmp(verb->name, in->args[0]) == 0) {
            bench_help_verb(stdout, verb);
            return PDICT_OK;
        }
    }
    return pdict_fail(PDICT_INVAL, "there is no verb %s; `pdict-bench help` lists them",
                      in->args[0]);
}
