/* SPDX-License-Identifier: MIT */
/* When an encrypted map is closed, nothing of its values is left in memory. */
#include <pdict/pdict.h>
#include <stdlib.h>

#include "mark_fixture.h"

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
