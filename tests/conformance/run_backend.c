/* SPDX-License-Identifier: MIT */
/* Runs the cases of the conformance suite on a backend, each in a process and a directory of its own. */
#include "conformance.h"
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CASE_SECONDS = 600
};

static const struct {
    const char *name;
    const struct test_case *cases;
} suites[] = {
    { "table", backend_table_cases },     { "open", backend_open_cases },
    { "memory", backend_memory_cases },   { "process", backend_process_cases },
    { "rows", backend_rows_cases },       { "apply", backend_apply_cases },
    { "reserve", backend_reserve_cases }, { "expiry", backend_expiry_cases },
    { "scan", backend_scan_cases },       { "order", backend_order_cases },
    { "maps", backend_maps_cases },       { "system", backend_system_cases },
    { "txn", backend_txn_cases },         { "threads", backend_threads_cases },
    { "log", backend_log_cases },         { "backup", backend_backup_cases },
    { "upkeep", backend_upkeep_cases },   { "compact", backend_compact_cases },
    { "times", backend_times_cases },     { "model", backend_model_cases },
};
enum {
    SUITES = sizeof(suites) / sizeof(suites[0])
};

struct candidate {
    pdict_backend table;
    const pdict_backend *below; /* of a layer */
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

static void fill_options(const pdict_backend *backend, pdict_option_value *out)
{
    for (size_t i = 0; backend->options != NULL && backend->options[i].name != NULL; i++) {
        if (i == MAX_OPTIONS)
            FAIL("a backend with more than %d options; raise MAX_OPTIONS", MAX_OPTIONS);
        out[i] = fallback_of(&backend->options[i]);
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
    if (needs & NEED_NEXT && (backend->watch == NULL || backend->is_next == NULL))
        return "no is_next: one commit cannot be told from two";
    if (needs & NEED_SAME && (backend->watch == NULL || backend->is_same == NULL))
        return "no is_same: a token that moves without a commit cannot be told";
    if (needs & NEED_LOG && (backend->log_bytes == NULL || backend->checkpoint == NULL))
        return "no log_bytes and checkpoint: the engine has no log";
    if (needs & NEED_SYNC && backend->sync == NULL)
        return "no sync: there is nothing to do";
    if (needs & NEED_CHECK && backend->check == NULL)
        return "no check: there is no more to look at than the rows";
    if (needs & NEED_BACKUP && backend->backup == NULL)
        return "no backup: the store has no file";
    if (needs & NEED_COMPACT && backend->compact == NULL)
        return "no compact: the file is always as small as it can be";
    if (needs & NEED_TRIM && backend->trim == NULL)
        return "no trim: there is no memory to give back";
    if (needs & NEED_BATCH && backend->batch_rows == 0)
        return "no batch_rows: any number of changes is fine in one transaction";
    if (needs & NEED_PROBE && backend->probe == NULL)
        return "no probe: never chosen by content";
    if (needs & NEED_ACCESS && backend->access_put == NULL)
        return "keeps no access times";
    if (needs & NEED_LIBRARY && backend->library == NULL)
        return "no library: the engine has no name of its own";
    if (needs & NEED_RESERVE && backend->reserve == NULL)
        return "no reserve: core makes all changes of an array in one transaction";
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

static int run_fresh(const struct settings *settings, const struct candidate *candidate,
                     const struct test_case *test)
{
    struct subject t = { .backend = &candidate->table,
                         .below = candidate->below,
                         .seed = settings->seed };
    int exit_code = EXIT_SUCCESS;

    t.allocator = (pdict_allocator){ .allocate = plain_allocate,
                                     .reallocate = plain_reallocate,
                                     .release = plain_release };
    fill_options(t.backend, t.options);
    if (t.below != NULL)
        fill_options(t.below, t.options_below);
    make_directory(&t);
    if (settings->is_forking)
        exit_code = run_forked(&t, test);
    else
        run_case(&t, test);
    nftw(t.directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return exit_code;
}

static void run_one(const struct settings *settings, const struct candidate *candidate,
                    const struct test_case *test, const char *name, struct tally *tally)
{
    const char *reason = missing(&candidate->table, test->needs);

    if (reason != NULL)
        report(EXIT_SKIPPED, name, reason, tally);
    else
        report(run_fresh(settings, candidate, test), name, NULL, tally);
}

/* ---- a backend, or a layer above one ---- */

/* As far as the contract goes a layer is the backend below it, and lacks what that one lacks. */
static void borrow_facts(pdict_backend *layer, const pdict_backend *below)
{
    layer->capabilities = below->capabilities;
    layer->file_in_directory = below->file_in_directory;
    layer->library = below->library;
    layer->probe = below->probe;
    layer->batch_rows = below->batch_rows;
    if (below->watch == NULL)
        layer->watch = NULL;
    if (below->watch_sees == NULL)
        layer->watch_sees = NULL;
    if (below->log_bytes == NULL)
        layer->log_bytes = NULL;
    if (below->checkpoint == NULL)
        layer->checkpoint = NULL;
    if (below->sync == NULL)
        layer->sync = NULL;
    if (below->reader_rest == NULL) {
        layer->reader_rest = NULL;
        layer->reader_resume = NULL;
    }
    if (below->check == NULL)
        layer->check = NULL;
    if (below->backup == NULL)
        layer->backup = NULL;
    if (below->compact == NULL)
        layer->compact = NULL;
    if (below->trim == NULL)
        layer->trim = NULL;
    if (below->access_put == NULL) {
        layer->access_put = NULL;
        layer->access_get = NULL;
    }
}

static const pdict_backend *find(const char *name, bool is_layer)
{
    const pdict_backend *backend = pdict_backend_find(name);

    if (backend == NULL || ((backend->capabilities & PDICT_CAP_LAYER) != 0) != is_layer)
        return NULL;
    return backend;
}

static bool find_candidate(const char *label, struct candidate *out)
{
    const char *plus = strchr(label, '+');
    const pdict_backend *backend;
    char name[64];

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(label, "+"), label);
    if ((backend = find(name, plus != NULL)) == NULL)
        return false;
    *out = (struct candidate){ .table = *backend };
    if (plus == NULL)
        return true;
    if ((out->below = find(plus + 1, false)) == NULL)
        return false;
    borrow_facts(&out->table, out->below);
    return true;
}

bool run_backend(const struct settings *settings, const char *label, struct tally *total)
{
    struct candidate candidate;
    struct tally tally = { 0 };
    char name[256];

    if (!find_candidate(label, &candidate))
        return false;
    for (size_t i = 0; i < SUITES; i++) {
        for (const struct test_case *test = suites[i].cases; test->name != NULL; test++) {
            snprintf(name, sizeof(name), "%s.%s.%s", label, suites[i].name, test->name);
            if (is_chosen(settings, name))
                run_one(settings, &candidate, test, name, &tally);
        }
    }
    sum_up(settings, label, &tally, total);
    return true;
}
