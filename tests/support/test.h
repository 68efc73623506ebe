/* SPDX-License-Identifier: MIT */
/* How tests are written here; the same source runs under Criterion and under the plain runner.
 *
 *     TEST(record, flipped_bit_is_refused)
 *     {
 *         CHECK_OK(pdict_open(test_path("a.db"), NULL, &d));
 *         CHECK_STATUS(pdict_get(d, key, &view), PDICT_CHECKSUM);
 *     }
 *
 * is the CTest test unit.record.flipped_bit_is_refused, in a process of its own. A failed CHECK
 * ends the test, from any thread; in a child made by fork() it ends the child with status 1.
 */
#ifndef PDICT_TEST_H
#define PDICT_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SANITIZE_THREAD__)
#define TEST_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TEST_UNDER_TSAN 1
#endif
#endif
#ifndef TEST_UNDER_TSAN
#define TEST_UNDER_TSAN 0
#endif

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#define TEST_UNDER_MSAN 1
#endif
#endif
#ifndef TEST_UNDER_MSAN
#define TEST_UNDER_MSAN 0
#endif

#ifndef TEST_UNDER_VALGRIND
#define TEST_UNDER_VALGRIND 0
#endif

/* Under these everything takes 3 to 50 times as long: long loops of one thread take a sample. */
#define TEST_IS_SLOW (TEST_UNDER_TSAN || TEST_UNDER_MSAN || TEST_UNDER_VALGRIND)

struct test_case {
    const char *suite;
    const char *name;
    void (*body)(void);
    struct test_case *next;
};

void test__register(struct test_case *c);
void test__register_warm_up(void (*body)(void));
void test__begin(void);
void test__end(void);
_Noreturn void test__skip(const char *reason);
_Noreturn void test__fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void test__check_status(const char *file, int line, const char *what, int actual, int expected);
void test__check_int(const char *file, int line, const char *what, intmax_t actual,
                     intmax_t expected);
void test__check_str(const char *file, int line, const char *what, const char *actual,
                     const char *expected);
void test__check_bytes(const char *file, int line, const char *what, const void *actual,
                       size_t actual_size, const void *expected, size_t expected_size);

#ifdef PDICT_PLAIN_RUNNER
#define TEST__CRITERION(suite_, name_)
#else
#include <criterion/criterion.h>
#define TEST__CRITERION(suite_, name_)                                                             \
    Test(suite_, name_)                                                                            \
    {                                                                                              \
        test__begin();                                                                             \
        test__body_##suite_##_##name_();                                                           \
        test__end();                                                                               \
    }
#endif

/* One test; the names say what is promised: TEST(record, flipped_bit_is_refused). */
#define TEST(suite_, name_)                                                                        \
    static void test__body_##suite_##_##name_(void);                                               \
    __attribute__((constructor)) static void test__register_##suite_##_##name_(void)               \
    {                                                                                              \
        static struct test_case c = { #suite_, #name_, test__body_##suite_##_##name_, NULL };      \
        test__register(&c);                                                                        \
    }                                                                                              \
    TEST__CRITERION(suite_, name_)                                                                 \
    static void test__body_##suite_##_##name_(void)

/* What most tests of the program begin with, WARM_UP(), at most one in a program. Valgrind translates
 * code as it comes, in each child anew, and that takes longer than a small test does; what the
 * parent has run, its children find translated. It is run only there, before the first test. */
#define WARM_UP()                                                                                  \
    static void test__warm_up_body(void);                                                          \
    __attribute__((constructor)) static void test__warm_up_constructor(void)                       \
    {                                                                                              \
        test__register_warm_up(test__warm_up_body);                                                \
    }                                                                                              \
    static void test__warm_up_body(void)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            test__fail(__FILE__, __LINE__, "CHECK(%s)", #condition);                               \
    } while (0)

/* A status; on a mismatch both names and pdict_error_text() are printed. */
#define CHECK_STATUS(expression, expected)                                                         \
    test__check_status(__FILE__, __LINE__, #expression, (expression), (expected))
#define CHECK_OK(expression) CHECK_STATUS(expression, 0)

/* Integers of any kind up to 64 bits. */
#define CHECK_INT(actual, expected)                                                                \
    test__check_int(__FILE__, __LINE__, #actual, (intmax_t)(actual), (intmax_t)(expected))

/* Strings; NULL equals only NULL. */
#define CHECK_STR(actual, expected)                                                                \
    test__check_str(__FILE__, __LINE__, #actual, (actual), (expected))

/* Byte ranges; the first difference is shown. */
#define CHECK_BYTES(actual, actual_size, expected, expected_size)                                  \
    test__check_bytes(__FILE__, __LINE__, #actual, (actual), (actual_size), (expected),            \
                      (expected_size))

/* Fail with a message of your own. */
#define FAIL(...) test__fail(__FILE__, __LINE__, __VA_ARGS__)

/* End the test here and report it as skipped, with the reason. */
#define SKIP(reason) test__skip(reason)

/* A directory of this test alone, made on first use under $TMPDIR and removed with all its contents
 * when the test ends, unless PDICT_KEEP is set. Valid until the end of the test. */
const char *test_dir(void);

/* A path inside test_dir(), printf-like: test_path("%d.db", i). Valid until the end of the test. */
const char *test_path(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A whole file, with a NUL after its last byte; size may be NULL. Valid until the end of the test;
 * fails the test when it cannot be read. */
char *test_file(const char *path, size_t *size);

/* Make or replace a file; fails the test when it cannot be written. */
void test_write_file(const char *path, const void *bytes, size_t size);

/* malloc, freed for you at the end of the test. */
void *test_alloc(size_t size);

#endif
