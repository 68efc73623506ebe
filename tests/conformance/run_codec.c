/* SPDX-License-Identifier: MIT */
/* Runs the cases of the conformance suite on a codec, each in a process of its own. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codec_suite.h"
#include "program.h"

static const codec_test *const suites[] = {
    codec_table_tests,      codec_serializer_tests, codec_value_tests,  codec_compressor_tests,
    codec_dictionary_tests, codec_hostile_tests,    codec_memory_tests, codec_cipher_tests,
    codec_primitive_tests,  codec_vector_tests,
};

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

static int run_test(const struct settings *settings, const codec_test *test,
                    const pdict_codec *codec)
{
    pid_t child;

    if (!settings->is_forking) {
        test->run(codec);
        return EXIT_SUCCESS;
    }
    fflush(NULL);
    child = fork();
    if (child == 0) {
        test->run(codec);
        exit(EXIT_SUCCESS);
    }
    return wait_for(child);
}

bool run_codec(const struct settings *settings, const char *label, struct tally *total)
{
    const pdict_codec *codec = pdict_codec_find(label);
    struct tally tally = { 0 };
    char name[256];

    if (codec == NULL)
        return false;
    for (size_t i = 0; i < COUNT_OF(suites); i++) {
        for (const codec_test *test = suites[i]; test->name != NULL; test++) {
            snprintf(name, sizeof(name), "%s.%s", label, test->name);
            if (is_about(test, codec) && is_chosen(settings, name))
                report(run_test(settings, test, codec), name, NULL, &tally);
        }
    }
    sum_up(settings, label, &tally, total);
    return true;
}
