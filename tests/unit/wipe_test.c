/* SPDX-License-Identifier: MIT */
/* When an encrypted map is closed, nothing of its values is left in memory. */
#include <pdict/pdict.h>
#include <stdio.h>
#include <stdlib.h>

#include "test.h"
#include "value_fixture.h"

/* Sanitizers keep memory of their own, too much to search. */
#if defined(__SANITIZE_ADDRESS__)
#define TEST_UNDER_ASAN 1
#else
#define TEST_UNDER_ASAN 0
#endif

/* Compresses, and is found nowhere else; kept inverted, so that it is not found here either. */
#define MARK_SIZE 24

static unsigned char inverted[MARK_SIZE];

static void make_mark(void)
{
    if (TEST_UNDER_ASAN || TEST_IS_SLOW)
        SKIP("a sanitizer has memory of its own");
    CHECK_OK(pdict__random(inverted, sizeof(inverted)));
    /* Text-like bytes: what is random is stored by a compressor as it is, behind a value's buffer. */
    for (size_t i = 0; i < MARK_SIZE; i++)
        inverted[i] = (unsigned char)~('a' + inverted[i] % 26);
}

static void write_mark(unsigned char *out)
{
    for (size_t i = 0; i < MARK_SIZE; i++)
        out[i] = (unsigned char)~inverted[i];
}

static bool has_mark(const volatile unsigned char *at)
{
    for (size_t i = 0; i < MARK_SIZE; i++) {
        if ((unsigned char)~at[i] != inverted[i])
            return false;
    }
    return true;
}

/* All writable memory but the stack, which the kernel lists by name. */
static unsigned marks_in_memory(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned found = 0;
    char line[512], rights[5];
    unsigned long from, to;

    CHECK(maps != NULL);
    while (fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) != 3 || rights[0] != 'r' ||
            rights[1] != 'w' || strstr(line, "[stack]"))
            continue;
        for (; from + MARK_SIZE <= to; from++)
            found += has_mark((const volatile unsigned char *)from);
    }
    fclose(maps);
    return found;
}

/* A value of some size with the mark in many places, among words that repeat. */
static void put_marked(struct pipeline *pipeline, size_t size)
{
    unsigned char *value = malloc(size);
    struct workbench *bench = pdict__bench_take(pipeline);
    pdict_slice record, decoded;

    for (size_t i = 0; i < size; i++)
        value[i] = (unsigned char)("some words of text "[i % 19]);
    for (size_t i = 0; i + MARK_SIZE <= size; i += 997)
        write_mark(value + i);
    CHECK_OK(pdict__encode(pipeline, bench, &test_binding, pdict_bytes(value, size), &record));
    CHECK_OK(pdict__decode(pipeline, bench, &test_binding, record, NULL, &decoded));
    CHECK_BYTES(decoded.data, decoded.size, value, size);
    pdict__bench_give(pipeline, bench);
    explicit_bzero(value, size);
    free(value);
}

static void check_wiped(const char *codecs)
{
    static const size_t sizes_of_values[] = { 100, 1000, 10000, 100000, 1000000, 3000, 200 };
    struct pipeline *pipeline;

    need_all();
    make_mark();
    pipeline = new_pipeline(codecs);
    for (size_t i = 0; i < sizeof(sizes_of_values) / sizeof(sizes_of_values[0]); i++)
        put_marked(pipeline, sizes_of_values[i]);
    pdict__pipeline_close(pipeline);
    CHECK_INT(marks_in_memory(), 0);
}

TEST(wipe, the_search_finds_what_is_there)
{
    unsigned char *mark = malloc(MARK_SIZE);

    make_mark();
    CHECK_INT(marks_in_memory(), 0);
    write_mark(mark);
    CHECK_INT(marks_in_memory(), 1);
    free(mark);
}

TEST(wipe, zstd_leaves_nothing)
{
    check_wiped("raw,zstd:3,xchacha20");
    check_wiped("raw,zstd:19,xchacha20");
    check_wiped("raw,zstd:-3,xchacha20");
}

TEST(wipe, zlib_leaves_nothing)
{
    check_wiped("raw,zlib:6,xchacha20");
}

TEST(wipe, no_compressor_leaves_nothing)
{
    check_wiped("raw,xchacha20");
}
