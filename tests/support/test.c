/* SPDX-License-Identifier: MIT */
/* The checks, the temporary directory and the main() of every test program. */
#include "test.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pdict/pdict.h>

#define EXIT_SKIP 77 /* what CTest is told to take for a skip */

struct owned {
    struct owned *next;
    max_align_t bytes[];
};

static struct test_case *cases;
static struct test_case **cases_end = &cases;
static void (*warm_up)(void);

/* State of the one test this process runs. */
static pid_t test_pid;
static pthread_t test_thread;
static char dir[PATH_MAX];
static struct owned *owned;
static pthread_mutex_t owned_lock = PTHREAD_MUTEX_INITIALIZER;

void test__register(struct test_case *c)
{
    *cases_end = c;
    cases_end = &c->next;
}

void test__register_warm_up(void (*body)(void))
{
    warm_up = body;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

/* Also at exit and on failure, so it may run twice; a forked child owns nothing here. */
static void remove_dir(void)
{
    if (dir[0] == '\0' || getpid() != test_pid)
        return;
    if (getenv("PDICT_KEEP") != NULL)
        fprintf(stderr, "kept %s\n", dir);
    else
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    dir[0] = '\0';
}

void test__begin(void)
{
    test_pid = getpid();
    test_thread = pthread_self();
    atexit(remove_dir);
}

#ifndef PDICT_PLAIN_RUNNER
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));
#endif

void test__end(void)
{
    remove_dir();
    while (owned != NULL) {
        struct owned *next = owned->next;

        free(owned);
        owned = next;
    }
#ifndef PDICT_PLAIN_RUNNER
    /* Criterion takes the verdict before the process ends, so a leak found at exit is only printed. */
    if (__lsan_do_recoverable_leak_check != NULL && __lsan_do_recoverable_leak_check() != 0)
        FAIL("memory was leaked");
#endif
}

void *test_alloc(size_t size)
{
    struct owned *o = malloc(sizeof(*o) + (size > 0 ? size : 1));

    if (o == NULL)
        FAIL("out of memory");
    pthread_mutex_lock(&owned_lock);
    o->next = owned;
    owned = o;
    pthread_mutex_unlock(&owned_lock);
    return o->bytes;
}

const char *test_dir(void)
{
    const char *base = getenv("TMPDIR");

    pthread_mutex_lock(&owned_lock);
    if (dir[0] == '\0') {
        snprintf(dir, sizeof(dir), "%s/pdict-test-XXXXXX",
                 base != NULL && base[0] != '\0' ? base : "/tmp");
        if (mkdtemp(dir) == NULL) {
            pthread_mutex_unlock(&owned_lock);
            FAIL("cannot make %s: %s", dir, strerror(errno));
        }
    }
    pthread_mutex_unlock(&owned_lock);
    return dir;
}

const char *test_path(const char *format, ...)
{
    char name[PATH_MAX];
    const char *base = test_dir();
    size_t size;
    char *path;
    va_list args;

    va_start(args, format);
    vsnprintf(name, sizeof(name), format, args);
    va_end(args);
    size = strlen(base) + 1 + strlen(name) + 1;
    path = test_alloc(size);
    snprintf(path, size, "%s/%s", base, name);
    return path;
}

char *test_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    long end;
    char *bytes;

    if (file == NULL)
        FAIL("cannot open %s: %s", path, strerror(errno));
    if (fseek(file, 0, SEEK_END) != 0 || (end = ftell(file)) < 0)
        FAIL("cannot seek in %s: %s", path, strerror(errno));
    rewind(file);
    bytes = test_alloc((size_t)end + 1);
    if (fread(bytes, 1, (size_t)end, file) != (size_t)end)
        FAIL("cannot read %s", path);
    fclose(file);
    bytes[end] = '\0';
    if (size != NULL)
        *size = (size_t)end;
    return bytes;
}

void test_write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    if (file == NULL)
        FAIL("cannot create %s: %s", path, strerror(errno));
    if ((size > 0 && fwrite(bytes, 1, size, file) != size) || fclose(file) != 0)
        FAIL("cannot write %s: %s", path, strerror(errno));
}

void test__check_status(const char *file, int line, const char *what, int actual, int expected)
{
    if (actual != expected)
        test__fail(file, line, "%s\n  is       %s (%d): %s\n  expected %s (%d)", what,
                   pdict_status_name(actual), actual, pdict_error_text(),
                   pdict_status_name(expected), expected);
}

void test__check_int(const char *file, int line, const char *what, intmax_t actual,
                     intmax_t expected)
{
    if (actual != expected)
        test__fail(file, line, "%s is %jd, expected %jd", what, actual, expected);
}

void test__check_str(const char *file, int line, const char *what, const char *actual,
                     const char *expected)
{
    if (actual == expected || (actual != NULL && expected != NULL && strcmp(actual, expected) == 0))
        return;
    test__fail(file, line, "%s\n  is       \"%s\"\n  expected \"%s\"", what,
               actual != NULL ? actual : "(NULL)", expected != NULL ? expected : "(NULL)");
}

void test__check_bytes(const char *file, int line, const char *what, const void *actual,
                       size_t actual_size, const void *expected, size_t expected_size)
{
    const unsigned char *a = actual;
    const unsigned char *e = expected;
    size_t i;

    for (i = 0; i < actual_size && i < expected_size; i++) {
        if (a[i] != e[i])
            test__fail(file, line, "%s: byte %zu is 0x%02x, expected 0x%02x (sizes %zu and %zu)",
                       what, i, a[i], e[i], actual_size, expected_size);
    }
    if (actual_size != expected_size)
        test__fail(file, line, "%s has %zu bytes, expected %zu", what, actual_size, expected_size);
}

/* --- the two runners ------------------------------------------------------------------------ */

static bool in_test_thread(void)
{
    return getpid() == test_pid && pthread_equal(pthread_self(), test_thread);
}

static _Noreturn void leave(int status)
{
    remove_dir();
    fflush(NULL);
    /* Not exit(): other threads may still run, and a test that stopped half way has leaks. */
    _exit(status);
}

void test__fail(const char *file, int line, const char *format, ...)
{
    char text[4096];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fprintf(stderr, "%s:%d: %s\n", file, line, text);
#ifndef PDICT_PLAIN_RUNNER
    if (in_test_thread())
        cr_assert_fail("%s:%d: %s", file, line, text);
#endif
    leave(EXIT_FAILURE);
}

void test__skip(const char *reason)
{
    fprintf(stderr, "SKIP: %s\n", reason);
#ifndef PDICT_PLAIN_RUNNER
    if (in_test_thread())
        cr_skip_test("%s", reason);
#endif
    leave(in_test_thread() ? EXIT_SKIP : EXIT_FAILURE);
}

static void list_all(void)
{
    const struct test_case *c;

    for (c = cases; c != NULL; c = c->next)
        printf("%s/%s\n", c->suite, c->name);
}

#ifdef PDICT_PLAIN_RUNNER

struct totals {
    int passed;
    int failed;
    int skipped;
};

static void run_here(void (*body)(void))
{
    test__begin();
    body();
    test__end();
}

static double cpu_seconds(const struct rusage *used)
{
    return (double)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) +
           (double)(used->ru_utime.tv_usec + used->ru_stime.tv_usec) / 1e6;
}

static void run_in_child(const struct test_case *c, struct totals *totals)
{
    struct rusage used;
    int status = 0;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        run_here(c->body);
        exit(EXIT_SUCCESS);
    }
    if (pid < 0 || wait4(pid, &status, 0, &used) != pid) {
        perror("fork");
        exit(EXIT_FAILURE);
    }
    if (status == 0) {
        totals->passed++;
        printf("pass  %s/%s, %.2f s of CPU time\n", c->suite, c->name, cpu_seconds(&used));
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP) {
        totals->skipped++;
        printf("skip  %s/%s\n", c->suite, c->name);
    } else {
        totals->failed++;
        printf("FAIL  %s/%s (%s %d)\n", c->suite, c->name, WIFSIGNALED(status) ? "signal" : "exit",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
}

static int run_all(void)
{
    struct totals totals = { 0, 0, 0 };
    const struct test_case *c;

    if (TEST_UNDER_VALGRIND && warm_up != NULL)
        run_here(warm_up);
    for (c = cases; c != NULL; c = c->next)
        run_in_child(c, &totals);
    printf("%d passed, %d failed, %d skipped\n", totals.passed, totals.failed, totals.skipped);
    if (totals.failed > 0)
        return EXIT_FAILURE;
    return totals.passed == 0 && totals.skipped > 0 ? EXIT_SKIP : EXIT_SUCCESS;
}

static int run_tests(const char *wanted)
{
    const struct test_case *c;
    char name[512];

    if (wanted == NULL)
        return run_all();
    for (c = cases; c != NULL; c = c->next) {
        snprintf(name, sizeof(name), "%s/%s", c->suite, c->name);
        if (strcmp(wanted, name) == 0) {
            run_here(c->body); /* in this process, where a debugger is */
            return EXIT_SUCCESS;
        }
    }
    fprintf(stderr, "no test %s; --list shows them\n", wanted);
    return EXIT_FAILURE;
}

#else

#include <criterion/hooks.h>
#include <criterion/options.h>

static size_t run_count, skip_count;

ReportHook(POST_TEST)(struct criterion_test_stats *stats)
{
    run_count++;
    if (stats->test_status == CR_STATUS_SKIPPED)
        skip_count++;
}

static int run_tests(const char *wanted)
{
    struct criterion_test_set *set = criterion_initialize();
    bool all_passed;

    criterion_options.jobs = 1;
    criterion_options.pattern = wanted;
    all_passed = criterion_run_all_tests(set) != 0;
    criterion_finalize(set);
    if (wanted != NULL && run_count == 0) {
        fprintf(stderr, "no test %s; --list shows them\n", wanted);
        return EXIT_FAILURE;
    }
    if (!all_passed)
        return EXIT_FAILURE;
    return run_count == skip_count ? EXIT_SKIP : EXIT_SUCCESS;
}

#endif

/* prog            run every test, each in a child process
 * prog SUITE/NAME run one
 * prog --list     print their names */
int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        list_all();
        return EXIT_SUCCESS;
    }
    if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
        fprintf(stderr, "usage: %s [--list | SUITE/NAME]\n", argv[0]);
        return 2;
    }
    return run_tests(argc == 2 ? argv[1] : NULL);
}
