/* SPDX-License-Identifier: MIT */
/* model_test: does seeded operations on a map and on its model, and compares everything. */
#include "model.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const char usage[] =
    "usage: model_test [options]\n"
    "  --backend NAME  sqlite, or with a layer before it: trace+lmdb (default: memory)\n"
    "  --codecs LIST   as in a URI (default: raw)\n"
    "  --ops NUMBER    operations (default: 5000)\n"
    "  --seed NUMBER   of the stream (default: 1)\n"
    "  --list-setups   print the arguments of the usual setups of this build, and run none\n";

enum {
    EXIT_USAGE = 2
};

struct choice {
    const char *backend;
    const char *codecs;
    size_t ops;
    uint64_t seed;
    bool is_list;
};

static bool is_built(const char *name)
{
    pdict_info info = PDICT_INFO_INIT;
    size_t cursor = 0;

    while (pdict_info_next(&cursor, &info) == PDICT_OK) {
        if (strcmp(info.name, name) == 0)
            return true;
    }
    return false;
}

static bool has_codecs(const char *codecs)
{
    static const char *const names[] = { "zlib", "zstd", "xchacha20" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strstr(codecs, names[i]) && !is_built(names[i]))
            return false;
    }
    return true;
}

static int list_setups(void)
{
    static const char *const backends[] = { "memory", "sqlite", "lmdb" };
    static const char *const codecs[] = { "raw", "raw,zlib:6", "raw,zstd:3",
                                          "raw,zstd:3,xchacha20" };

    for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
        for (size_t k = 0; k < sizeof(codecs) / sizeof(codecs[0]); k++) {
            if (is_built(backends[i]) && has_codecs(codecs[k]))
                printf("--backend %s --codecs %s\n", backends[i], codecs[k]);
        }
    }
    return EXIT_SUCCESS;
}

static bool read_arguments(int argc, char **argv, struct choice *out)
{
    static const struct option options[] = {
        { "backend", required_argument, NULL, 'b' }, { "codecs", required_argument, NULL, 'c' },
        { "ops", required_argument, NULL, 'o' },     { "seed", required_argument, NULL, 's' },
        { "list-setups", no_argument, NULL, 'l' },   { NULL, 0, NULL, 0 },
    };
    int letter;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (letter) {
        case 'b':
            out->backend = optarg;
            break;
        case 'c':
            out->codecs = optarg;
            break;
        case 'o':
            out->ops = strtoull(optarg, NULL, 0);
            break;
        case 's':
            out->seed = strtoull(optarg, NULL, 0);
            break;
        case 'l':
            out->is_list = true;
            break;
        default:
            return false;
        }
    }
    return optind == argc && out->ops > 0;
}

static void *shared_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        abort();
    return memory;
}

static void explain(const struct setup *setup, struct op *ops, struct report *report)
{
    size_t count = report->at + 1;

    printf("operation %zu: %s\n", report->at, report->text);
    fflush(stdout);
    count = shrink(setup, ops, count, report);
    printf("%zu operations that still fail: %s\n\n", count, report->text);
    print_test(stdout, setup, ops, count);
}

static int run(const struct choice *choice)
{
    struct report *report = shared_memory(sizeof(*report));
    struct op *ops = calloc(choice->ops, sizeof(*ops));
    char backend[128];
    struct setup setup = { .backend = backend, .codecs = choice->codecs };
    bool is_failed;

    if (!ops)
        abort();
    snprintf(backend, sizeof(backend), "%s:", choice->backend);
    setup.is_persistent = strstr(choice->backend, "memory") == NULL;
    setup.is_sealed = strstr(choice->codecs, "xchacha20") != NULL;
    printf("backend %s, codecs %s, seed %llu, %zu operations\n", choice->backend, choice->codecs,
           (unsigned long long)choice->seed, choice->ops);
    stream_fill(choice->seed, ops, choice->ops);
    run_apart(&setup, ops, choice->ops, report);
    is_failed = report->is_failed;
    printf("%llu passed, %d failed, %llu skipped\n", (unsigned long long)report->passed, is_failed,
           (unsigned long long)report->skipped);
    if (is_failed)
        explain(&setup, ops, report);
    free(ops);
    munmap(report, sizeof(*report));
    return is_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct choice choice = { .backend = "memory", .codecs = "raw", .ops = 5000, .seed = 1 };

    if (!read_arguments(argc, argv, &choice)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (choice.is_list)
        return list_setups();
    bytes_init();
    return run(&choice);
}
