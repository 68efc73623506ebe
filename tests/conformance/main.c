/* SPDX-License-Identifier: MIT */
/* pdict-conformance: proves that a backend keeps its contract, one case at a time. */
#include "conformance.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern const pdict_backend *const pdict__builtin_backends[];

enum {
    EXIT_SKIPPED = 77,
    CASE_SECONDS = 600
};

static const struct {
    const char *name;
    const struct test_case *cases;
} suites[] = {
    { "table", backend_table_cases },     { "open", backend_open_cases },
    { "memory", backend_memory_cases },   { "process", backend_process_cases },
    { "rows", backend_rows_cases },       { "apply", backend_apply_cases },
    { "expiry", backend_expiry_cases },   { "scan", backend_scan_cases },
    { "order", backend_order_cases },     { "maps", backend_maps_cases },
    { "system", backend_system_cases },   { "txn", backend_txn_cases },
    { "threads", backend_threads_cases }, { "model", backend_model_cases },
};
enum {
    SUITES = sizeof(suites) / sizeof(suites[0])
};

static const char usage[] =
    "usage: pdict-conformance [options]\n"
    "  --backend NAME  only this backend (default: all built-in ones)\n"
    "  --filter TEXT   only cases whose suite.name contains TEXT\n"
    "  --list          print the names of the cases and run none\n"
    "  --seed NUMBER   of the random cases (default: 1)\n"
    "  --no-fork       run in this process and stop at the first failure, for a debugger\n";

struct settings {
    const char *backend;
    const char *filter;
    uint64_t seed;
    bool is_list;
    bool is_forking;
};

struct tally {
    unsigned passed, failed, skipped;
};

/* ---- a subject: options at their defaults, a directory, an allocator ---- */

static void *plain_allocate(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void *plain_reallocate(void *ctx, void *memory, size_t size)
{
    (void)ctx;
    return realloc(memory, size);
}

static void plain_release(void *ctx, void *memory)
{
    (void)ctx;
    free(memory);
}

/* How much one unit after a number means: bytes for SIZE, milliseconds for DURATION. */
static int64_t unit_of(const char *unit)
{
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = {
        { "KiB", 1ll << 10 }, { "MiB", 1ll << 20 }, { "GiB", 1ll << 30 },
        { "TiB", 1ll << 40 }, { "s", 1000 },        { "m", 60000 },
        { "h", 3600000 },     { "d", 86400000 },    { "w", 604800000 },
    };

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(unit, units[i].unit) == 0)
            return units[i].factor;
    }
    return 1;
}

static int64_t place_of(const char *choices, const char *choice)
{
    int64_t place = 0;
    size_t size = strlen(choice);

    for (const char *at = choices; at != NULL; place++) {
        if (strncmp(at, choice, size) == 0 && (at[size] == '|' || at[size] == '\0'))
            return place;
        at = strchr(at, '|');
        at = at != NULL ? at + 1 : NULL;
    }
    return -1;
}

static pdict_option_value fallback_of(const pdict_option_spec *spec)
{
    pdict_option_value value = { .text = spec->fallback };
    char *unit;

    if (spec->fallback == NULL || spec->type == PDICT_OPTION_TEXT)
        return value;
    if (spec->type == PDICT_OPTION_FLAG) {
        value.number = strcmp(spec->fallback, "on") == 0;
    } else if (spec->type == PDICT_OPTION_CHOICE) {
        value.number = place_of(spec->choices, spec->fallback);
    } else {
        value.number = strtoll(spec->fallback, &unit, 10);
        value.number *= unit_of(unit);
    }
    return value;
}

static void fill_options(struct subject *t)
{
    for (size_t i = 0; t->backend->options != NULL && t->backend->options[i].name != NULL; i++) {
        if (i == MAX_OPTIONS)
            FAIL("a backend with more than %d options; raise MAX_OPTIONS", MAX_OPTIONS);
        t->options[i] = fallback_of(&t->backend->options[i]);
    }
}

static void make_directory(struct subject *t)
{
    const char *parent = getenv("TMPDIR");
    char pattern[MAX_PATH];
    int file;

    snprintf(pattern, sizeof(pattern), "%s/pdict-conformance-XXXXXX",
             parent != NULL ? parent : "/tmp");
    if (mkdtemp(pattern) == NULL || realpath(pattern, t->directory) == NULL)
        FAIL("cannot make the directory %s: %s", pattern, strerror(errno));
    snprintf(t->path, sizeof(t->path), "%.1000s/store", t->directory);
    if (!(t->backend->capabilities & PDICT_CAP_FILE))
        return;
    file = open(t->path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (file < 0 || close(file) != 0)
        FAIL("cannot make the file %s: %s", t->path, strerror(errno));
}

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *place)
{
    (void)stat;
    (void)kind;
    (void)place;
    return remove(path);
}

/* ---- running ---- */

/* Why the backend cannot run a case, or NULL. */
static const char *missing(const pdict_backend *backend, unsigned needs)
{
    if (needs & NEED_FILE && !(backend->capabilities & PDICT_CAP_FILE))
        return "no PDICT_CAP_FILE: nothing outlives close";
    if (needs & NEED_MULTI_PROCESS && !(backend->capabilities & PDICT_CAP_MULTI_PROCESS))
        return "no PDICT_CAP_MULTI_PROCESS";
    if (needs & NEED_WATCH && backend->watch == NULL)
        return "no watch: the store keeps no change token";
    if (needs & NEED_LOG && (backend->log_bytes == NULL || backend->checkpoint == NULL))
        return "no log_bytes and checkpoint: the engine has no log";
    if (needs & NEED_SYNC && backend->sync == NULL)
        return "no sync: there is nothing to do";
    if (needs & NEED_PROBE && backend->probe == NULL)
        return "no probe: never chosen by content";
    if (needs & NEED_LIBRARY && backend->library == NULL)
        return "no library: the engine has no name of its own";
    return NULL;
}

static void run_case(struct subject *t, const struct test_case *test)
{
    if (!(test->needs & NEED_CLOSED))
        open_store(t, PDICT_BACKEND_CREATE);
    test->run(t);
    close_store(t);
}

/* Returns the exit code of the case; a crash counts as EXIT_FAILURE. */
static int run_forked(struct subject *t, const struct test_case *test)
{
    int wait_status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child < 0)
        FAIL("fork: %s", strerror(errno));
    if (child == 0) {
        alarm(CASE_SECONDS);
        run_case(t, test);
        exit(EXIT_SUCCESS);
    }
    while (waitpid(child, &wait_status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(wait_status)) {
        printf("    killed by signal %d%s\n", WTERMSIG(wait_status),
               WTERMSIG(wait_status) == SIGALRM ? " (it took too long)" : "");
        return EXIT_FAILURE;
    }
    return WEXITSTATUS(wait_status);
}

static int run_fresh(const struct settings *settings, const pdict_backend *backend,
                     const struct test_case *test)
{
    struct subject t = { .backend = backend, .seed = settings->seed };
    int exit_code = EXIT_SUCCESS;

    t.allocator = (pdict_allocator){ .allocate = plain_allocate,
                                     .reallocate = plain_reallocate,
                                     .release = plain_release };
    fill_options(&t);
    make_directory(&t);
    if (settings->is_forking)
        exit_code = run_forked(&t, test);
    else
        run_case(&t, test);
    nftw(t.directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return exit_code;
}

static void run_one(const struct settings *settings, const pdict_backend *backend,
                    const char *suite, const struct test_case *test, struct tally *tally)
{
    const char *reason = missing(backend, test->needs);
    int exit_code;

    if (reason != NULL) {
        printf("skip %s.%s.%s\n    %s\n", backend->name, suite, test->name, reason);
        tally->skipped++;
        return;
    }
    exit_code = run_fresh(settings, backend, test);
    printf("%s %s.%s.%s\n",
           exit_code == EXIT_SUCCESS   ? "ok  "
           : exit_code == EXIT_SKIPPED ? "skip"
                                       : "FAIL",
           backend->name, suite, test->name);
    tally->passed += exit_code == EXIT_SUCCESS;
    tally->skipped += exit_code == EXIT_SKIPPED;
    tally->failed += exit_code != EXIT_SUCCESS && exit_code != EXIT_SKIPPED;
}

static bool is_wanted(const struct settings *settings, const char *suite, const char *name)
{
    char full[256];

    snprintf(full, sizeof(full), "%s.%s", suite, name);
    return settings->filter == NULL || strstr(full, settings->filter) != NULL;
}

static void run_backend(const struct settings *settings, const pdict_backend *backend,
                        struct tally *total)
{
    struct tally tally = { 0 };

    for (size_t i = 0; i < SUITES; i++) {
        for (const struct test_case *test = suites[i].cases; test->name != NULL; test++) {
            if (!is_wanted(settings, suites[i].name, test->name))
                continue;
            if (settings->is_list)
                printf("%s.%s.%s\n", backend->name, suites[i].name, test->name);
            else
                run_one(settings, backend, suites[i].name, test, &tally);
        }
    }
    if (!settings->is_list)
        printf("%s, seed %llu: %u passed, %u failed, %u skipped\n", backend->name,
               (unsigned long long)settings->seed, tally.passed, tally.failed, tally.skipped);
    total->passed += tally.passed;
    total->failed += tally.failed;
    total->skipped += tally.skipped;
}

static bool read_settings(int argc, char **argv, struct settings *settings)
{
    static const struct option long_options[] = {
        { "backend", required_argument, NULL, 'b' }, { "filter", required_argument, NULL, 'f' },
        { "list", no_argument, NULL, 'l' },          { "seed", required_argument, NULL, 's' },
        { "no-fork", no_argument, NULL, 'n' },       { NULL, 0, NULL, 0 },
    };
    int letter;

    while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (letter) {
        case 'b':
            settings->backend = optarg;
            break;
        case 'f':
            settings->filter = optarg;
            break;
        case 'l':
            settings->is_list = true;
            break;
        case 's':
            settings->seed = strtoull(optarg, NULL, 0);
            break;
        case 'n':
            settings->is_forking = false;
            break;
        default:
            return false;
        }
    }
    return optind == argc;
}

int main(int argc, char **argv)
{
    struct settings settings = { .seed = 1, .is_forking = true };
    struct tally total = { 0 };
    unsigned backends = 0;

    if (!read_settings(argc, argv, &settings)) {
        fputs(usage, stderr);
        return 2;
    }
    for (size_t i = 0; pdict__builtin_backends[i] != NULL; i++) {
        const pdict_backend *backend = pdict__builtin_backends[i];

        if (backend->capabilities & PDICT_CAP_LAYER)
            continue;
        if (settings.backend != NULL && strcmp(settings.backend, backend->name) != 0)
            continue;
        run_backend(&settings, backend, &total);
        backends++;
    }
    if (backends == 0) {
        fprintf(stderr, "pdict-conformance: no backend %s in this build\n",
                settings.backend != NULL ? settings.backend : "at all");
        return 2;
    }
    if (total.failed > 0)
        return EXIT_FAILURE;
    return total.passed == 0 && total.skipped > 0 ? EXIT_SKIPPED : EXIT_SUCCESS;
}
