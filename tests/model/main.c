/* SPDX-License-Identifier: MIT */
/* model_test: does seeded operations on a map and on its model, and compares everything. */
#include "model.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "arguments.h"

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
    uint64_t ops;
    uint64_t seed;
    bool is_list;
};

static int list_setups(void)
{
    static const char *const backends[] = { "memory", "sqlite", "lmdb" };
    static const char *const codecs[] = { "raw", "raw,zlib:6", "raw,zstd:3",
                                          "raw,zstd:3,xchacha20" };

    for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
        for (size_t k = 0; k < sizeof(codecs) / sizeof(codecs[0]); k++) {
            if (is_built(backends[i]) && are_built(codecs[k]))
                printf("--backend %s --codecs %s\n", backends[i], codecs[k]);
        }
    }
    return EXIT_SUCCESS;
}

static bool read_arguments(int argc, char **argv, struct choice *out)
{
    const struct argument known[] = {
        { "backend", .text = &out->backend },     { "codecs", .text = &out->codecs },
        { "ops", .number = &out->ops },           { "seed", .number = &out->seed },
        { "list-setups", .flag = &out->is_list }, { 0 },
    };

    return arguments_read(known, usage, argc, argv) && out->ops > 0;
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

    if (!read_arguments(argc, argv, &choice))
        return EXIT_USAGE;
    if (choice.is_list)
        return list_setups();
    bytes_init();
    return run(&choice);
}
