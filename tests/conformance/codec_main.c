/* SPDX-License-Identifier: MIT */
/* Runs the codec conformance tests against every built-in codec, each test in its own process. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codec_suite.h"

#define EXIT_SKIPPED 77

extern const pdict_codec *const pdict__builtin_codecs[];

static const codec_test *const suites[] = {
    codec_table_tests,  codec_serializer_tests, codec_compressor_tests, codec_hostile_tests,
    codec_memory_tests, codec_cipher_tests,     codec_primitive_tests,  codec_vector_tests,
};

typedef struct selection {
    const char *codec; /* NULL: all */
    const char *test;  /* NULL: all */
    bool only_list;
} selection;

typedef struct tally {
    int passed;
    int failed;
    int skipped;
} tally;

static _Thread_local char note[160];

void suite_note(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(note, sizeof(note), format, args);
    va_end(args);
}

void suite_fail(const char *file, int line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, args);
    fprintf(stderr, note[0] != '\0' ? " (%s)\n" : "%s\n", note);
    va_end(args);
    _exit(EXIT_FAILURE);
}

void suite_skip(const char *reason)
{
    fprintf(stderr, "skipped: %s\n", reason);
    exit(EXIT_SKIPPED);
}

void suite_check_status(const char *file, int line, const char *what, int actual, int expected)
{
    if (actual != expected)
        suite_fail(file, line, "%s is %s, not %s; last error text: \"%s\"", what,
                   pdict_status_name(actual), pdict_status_name(expected), pdict_error_text());
}

void suite_check_bytes(const char *file, int line, const char *what, pdict_slice actual,
                       pdict_slice expected)
{
    const unsigned char *a = actual.data, *b = expected.data;
    size_t shorter = actual.size < expected.size ? actual.size : expected.size;

    for (size_t i = 0; i < shorter; i++)
        if (a[i] != b[i])
            suite_fail(file, line, "%s: byte %zu is %02x, not %02x", what, i, a[i], b[i]);
    if (actual.size != expected.size)
        suite_fail(file, line, "%s: %zu bytes, not %zu", what, actual.size, expected.size);
}

static bool is_about(const codec_test *test, const pdict_codec *codec)
{
    return (test->kind == 0 || test->kind == codec->kind) &&
           (test->only == NULL || strcmp(test->only, codec->name) == 0);
}

static int wait_for(pid_t child)
{
    int state;

    if (child < 0 || waitpid(child, &state, 0) != child)
        return EXIT_FAILURE;
    if (WIFSIGNALED(state)) {
        fprintf(stderr, "ended by signal %d (%s)\n", WTERMSIG(state), strsignal(WTERMSIG(state)));
        return EXIT_FAILURE;
    }
    return WEXITSTATUS(state);
}

static void run_one(const codec_test *test, const pdict_codec *codec, tally *sum)
{
    pid_t child;
    int code;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        test->run(codec);
        exit(EXIT_SUCCESS);
    }
    code = wait_for(child);
    if (code == EXIT_SUCCESS)
        sum->passed++;
    else if (code == EXIT_SKIPPED)
        sum->skipped++;
    else
        sum->failed++;
    printf("%s %s.%s\n",
           code == EXIT_SUCCESS   ? "pass"
           : code == EXIT_SKIPPED ? "skip"
                                  : "FAIL",
           codec->name, test->name);
}

static void visit_codec(const pdict_codec *codec, const selection *chosen, tally *sum)
{
    for (size_t i = 0; i < COUNT_OF(suites); i++)
        for (const codec_test *test = suites[i]; test->name != NULL; test++) {
            if (!is_about(test, codec))
                continue;
            if (chosen->test != NULL && strcmp(chosen->test, test->name) != 0)
                continue;
            if (chosen->only_list)
                printf("%s.%s\n", codec->name, test->name);
            else
                run_one(test, codec, sum);
        }
}

static int usage(const char *program)
{
    fprintf(stderr, "usage: %s [--codec NAME] [--test NAME] [--list]\n", program);
    return 2;
}

static bool parse(int argc, char **argv, selection *chosen)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0)
            chosen->only_list = true;
        else if (strcmp(argv[i], "--codec") == 0 && i + 1 < argc)
            chosen->codec = argv[++i];
        else if (strcmp(argv[i], "--test") == 0 && i + 1 < argc)
            chosen->test = argv[++i];
        else
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    selection chosen = { 0 };
    tally sum = { 0 };

    if (!parse(argc, argv, &chosen))
        return usage(argv[0]);
    for (const pdict_codec *const *codec = pdict__builtin_codecs; *codec != NULL; codec++)
        if (chosen.codec == NULL || strcmp(chosen.codec, (*codec)->name) == 0)
            visit_codec(*codec, &chosen, &sum);
    if (chosen.only_list)
        return EXIT_SUCCESS;
    printf("%d passed, %d failed, %d skipped\n", sum.passed, sum.failed, sum.skipped);
    if (sum.passed + sum.failed + sum.skipped == 0)
        return usage(argv[0]);
    if (sum.failed != 0)
        return EXIT_FAILURE;
    return sum.passed == 0 ? EXIT_SKIPPED : EXIT_SUCCESS;
}
