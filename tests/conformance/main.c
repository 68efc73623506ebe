/* SPDX-License-Identifier: MIT */
/* pdict-conformance: proves that backends and codecs keep their contracts, one case at a time. */
#include <pdict/pdict.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

static const char usage[] =
    "usage: pdict-conformance [options]\n"
    "  --extension PATH  load a shared object first; may be given more than once\n"
    "  --backend NAME    this backend, or LAYER+NAME, and nothing else\n"
    "  --codec NAME      this codec and nothing else\n"
    "                    (without these two: all that is built in, each layer above memory)\n"
    "  --filter TEXT     only cases whose full name contains TEXT\n"
    "  --only NAME       only the case of this full name\n"
    "  --list            print the full names of the cases and run none\n"
    "  --seed NUMBER     of the random cases (default: 1)\n"
    "  --no-fork         run in this process and stop at the first failure, for a debugger\n";

enum {
    EXIT_USAGE = 2
};

struct choice {
    struct settings settings;
    const char *backend;
    const char *codec;
};

/* ---- results ---- */

bool is_chosen(const struct settings *settings, const char *name)
{
    if (settings->only != NULL && strcmp(settings->only, name) != 0)
        return false;
    if (settings->filter != NULL && strstr(name, settings->filter) == NULL)
        return false;
    if (settings->is_list)
        printf("%s\n", name);
    return !settings->is_list;
}

void report(int exit_code, const char *name, const char *reason, struct tally *tally)
{
    bool is_passed = exit_code == EXIT_SUCCESS, is_skipped = exit_code == EXIT_SKIPPED;

    printf("%s %s\n", is_passed ? "ok  " : is_skipped ? "skip" : "FAIL", name);
    if (reason != NULL)
        printf("    %s\n", reason);
    tally->passed += is_passed;
    tally->skipped += is_skipped;
    tally->failed += !is_passed && !is_skipped;
}

void sum_up(const struct settings *settings, const char *label, const struct tally *tally,
            struct tally *total)
{
    if (tally->passed + tally->failed + tally->skipped > 0)
        printf("%s, seed %llu: %u passed, %u failed, %u skipped\n", label,
               (unsigned long long)settings->seed, tally->passed, tally->failed, tally->skipped);
    total->passed += tally->passed;
    total->failed += tally->failed;
    total->skipped += tally->skipped;
}

/* ---- what to run ---- */

/* A layer keeps nothing itself, so it is tried above the backend that is always there. */
static void run_built_in_backend(const struct settings *settings, const char *name,
                                 struct tally *total)
{
    bool is_layer = (pdict_backend_find(name)->capabilities & PDICT_CAP_LAYER) != 0;
    char label[64];

    snprintf(label, sizeof(label), "%s%s", name, is_layer ? "+memory" : "");
    run_backend(settings, label, total);
}

static void run_all(const struct settings *settings, struct tally *total)
{
    pdict_info info = PDICT_INFO_INIT;
    size_t cursor = 0;

    while (pdict_info_next(&cursor, &info) == PDICT_OK) {
        if (info.kind == PDICT_INFO_BACKEND)
            run_built_in_backend(settings, info.name, total);
        else if (info.kind != PDICT_INFO_CORE)
            run_codec(settings, info.name, total);
    }
}

static bool run_chosen(const struct choice *choice, struct tally *total)
{
    if (choice->backend != NULL && !run_backend(&choice->settings, choice->backend, total)) {
        fprintf(stderr, "pdict-conformance: there is no backend %s\n", choice->backend);
        return false;
    }
    if (choice->codec != NULL && !run_codec(&choice->settings, choice->codec, total)) {
        fprintf(stderr, "pdict-conformance: there is no codec %s\n", choice->codec);
        return false;
    }
    if (choice->backend == NULL && choice->codec == NULL)
        run_all(&choice->settings, total);
    return true;
}

static bool load(const char *path)
{
    if (pdict_load_extension(path) == PDICT_OK)
        return true;
    fprintf(stderr, "pdict-conformance: %s\n", pdict_error_text());
    return false;
}

/* Extensions are loaded as they come. */
static bool read_arguments(int argc, char **argv, struct choice *out)
{
    static const struct option options[] = {
        { "extension", required_argument, NULL, 'e' },
        { "backend", required_argument, NULL, 'b' },
        { "codec", required_argument, NULL, 'c' },
        { "filter", required_argument, NULL, 'f' },
        { "only", required_argument, NULL, 'o' },
        { "list", no_argument, NULL, 'l' },
        { "seed", required_argument, NULL, 's' },
        { "no-fork", no_argument, NULL, 'n' },
        { NULL, 0, NULL, 0 },
    };
    bool is_fine = true;
    int letter;

    while (is_fine && (letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (letter) {
        case 'e':
            is_fine = load(optarg);
            break;
        case 'b':
            out->backend = optarg;
            break;
        case 'c':
            out->codec = optarg;
            break;
        case 'f':
            out->settings.filter = optarg;
            break;
        case 'o':
            out->settings.only = optarg;
            break;
        case 'l':
            out->settings.is_list = true;
            break;
        case 's':
            out->settings.seed = strtoull(optarg, NULL, 0);
            break;
        case 'n':
            out->settings.is_forking = false;
            break;
        default:
            fputs(usage, stderr);
            is_fine = false;
        }
    }
    return is_fine && optind == argc;
}

int main(int argc, char **argv)
{
    struct choice choice = { .settings = { .seed = 1, .is_forking = true } };
    struct tally total = { 0 };

    if (!read_arguments(argc, argv, &choice) || !run_chosen(&choice, &total))
        return EXIT_USAGE;
    if (choice.settings.is_list)
        return EXIT_SUCCESS;
    if (total.passed + total.failed + total.skipped == 0) {
        fprintf(stderr, "pdict-conformance: no case has such a name; see --list\n");
        return EXIT_USAGE;
    }
    if (total.failed > 0)
        return EXIT_FAILURE;
    return total.passed > 0 ? EXIT_SUCCESS : EXIT_SKIPPED;
}
