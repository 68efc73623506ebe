/* SPDX-License-Identifier: MIT */
/* Codec conformance: which bytes a serializer takes, and how it refuses the others. */
#include <stdio.h>
#include <stdlib.h>

#include "codec_suite.h"

static int check(const pdict_codec *codec, const void *data, size_t size)
{
    if (codec->serializer->check == NULL)
        return PDICT_OK;
    return codec->serializer->check(slice_of(data, size));
}

static void check_reads_only_its_input(const pdict_codec *codec)
{
    suite_random random = { 21 };
    unsigned char data[300];
    guarded g;

    guarded_open(&g, sizeof(data));
    for (int round = 0; round < 20000; round++) {
        size_t size = suite_random_below(&random, sizeof(data));
        int edge = (int)suite_random_below(&random, GUARDED_EDGES), status;
        /* mostly ASCII with a wild byte here and there, else nothing gets past the first bytes */
        memset(data, 'a', size);
        for (size_t n = suite_random_below(&random, 4); n > 0 && size > 0; n--)
            data[suite_random_below(&random, size)] = (unsigned char)suite_random_next(&random);
        status = check(codec, guarded_copy(&g, data, size, edge), size);
        CHECK(status == PDICT_OK || status == PDICT_INVAL);
        CHECK(status == PDICT_OK || pdict_error_text()[0] != '\0');
        CHECK(check(codec, data, size) == status);
    }
    guarded_close(&g);
}

static void raw_takes_all_bytes(const pdict_codec *codec)
{
    static unsigned char data[1048576];

    CHECK_OK(check(codec, NULL, 0));
    for (int shape = 0; shape < SAMPLE_SHAPES; shape++)
        for (const size_t *size = sample_sizes; *size != SIZE_MAX; size++) {
            sample_fill(shape, data, *size);
            CHECK_OK(check(codec, data, *size));
        }
}

static size_t utf8_write(uint32_t point, unsigned char *out)
{
    static const unsigned char marks[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
    size_t size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

    for (size_t i = size; i > 1; i--, point >>= 6)
        out[i - 1] = (unsigned char)(0x80 | (point & 0x3F));
    out[0] = (unsigned char)(marks[size] | point);
    return size;
}

static bool is_surrogate(uint32_t point)
{
    return point >= 0xD800 && point <= 0xDFFF;
}

/** The slow definition: a character is what writing some code point gives. */
static size_t utf8_size(const unsigned char *in, size_t size)
{
    unsigned char again[4];

    for (size_t length = 1; length <= 4 && length <= size; length++) {
        uint32_t point = length == 1 ? in[0] : in[0] & (0x7Fu >> length);
        for (size_t i = 1; i < length; i++)
            point = point << 6 | (in[i] & 0x3F);
        if (point > 0x10FFFF || is_surrogate(point) || (length == 1 && point > 0x7F))
            continue;
        if (utf8_write(point, again) == length && memcmp(again, in, length) == 0)
            return length;
    }
    return 0;
}

static void str_takes_every_character(const pdict_codec *codec)
{
    unsigned char text[4];

    CHECK_OK(check(codec, NULL, 0));
    for (uint32_t point = 0; point <= 0x10FFFF; point++) {
        int expected = is_surrogate(point) ? PDICT_INVAL : PDICT_OK;
        int status = check(codec, text, utf8_write(point, text));
        if (status != expected)
            suite_note("U+%04X", (unsigned)point);
        CHECK_STATUS(status, expected);
    }
}

/* Every first and second byte, with third and fourth bytes on both sides of each limit. */
static void str_agrees_with_the_definition_on_all_heads(const pdict_codec *codec)
{
    static const unsigned char edges[] = { 0x00, 0x7F, 0x80, 0x8F, 0x90,
                                           0x9F, 0xA0, 0xBF, 0xC0, 0xFF };
    for (unsigned head = 0; head < 0x10000; head++)
        for (size_t tail = 0; tail < COUNT_OF(edges) * COUNT_OF(edges); tail++) {
            const unsigned char in[] = { (unsigned char)(head >> 8), (unsigned char)head,
                                         edges[tail / COUNT_OF(edges)],
                                         edges[tail % COUNT_OF(edges)] };
            size_t at = 0, length = 1;
            int status = check(codec, in, sizeof(in)), expected;
            while (at < sizeof(in) && (length = utf8_size(in + at, sizeof(in) - at)) != 0)
                at += length;
            expected = length != 0 ? PDICT_OK : PDICT_INVAL;
            if (status != expected)
                suite_note("%02x %02x %02x %02x", in[0], in[1], in[2], in[3]);
            CHECK_STATUS(status, expected);
        }
}

static void str_takes_text_of_every_length(const pdict_codec *codec)
{
    static unsigned char text[1048576];

    for (const size_t *size = sample_sizes; *size != SIZE_MAX; size++) {
        sample_fill(SAMPLE_RECORDS, text, *size);
        CHECK_OK(check(codec, text, *size));
    }
    memcpy(text, "\xF0\x9F\x97\x9D", 4);
    CHECK_OK(check(codec, text, sizeof(text)));
    CHECK_STATUS(check(codec, text, 3), PDICT_INVAL);
}

static void str_says_where_the_first_bad_byte_is(const pdict_codec *codec)
{
    static const char *const bad[] = { "\x80",         "\xC3",         "\xC0\xAF",
                                       "\xED\xA0\x80", "\xF0\x9F\x97", "\xF4\x90\x80\x80",
                                       "\xFF",         "\xE2\x82" };
    unsigned char text[64];
    char expected[32];

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        for (size_t at = 0; at < 40; at++) {
            memset(text, 'x', sizeof(text));
            memcpy(text + at, bad[i], strlen(bad[i]));
            suite_note("case %zu at byte %zu", i, at);
            CHECK_STATUS(check(codec, text, sizeof(text)), PDICT_INVAL);
            snprintf(expected, sizeof(expected), "byte %zu of", at);
            CHECK(strstr(pdict_error_text(), expected) != NULL);
            CHECK(strstr(pdict_error_text(), "xxx") == NULL);
            CHECK_STATUS(check(codec, text, at + strlen(bad[i])), PDICT_INVAL);
            CHECK_OK(check(codec, text, at));
        }
}

const codec_test codec_serializer_tests[] = {
    { "check_reads_only_its_input", PDICT_SERIALIZER, NULL, check_reads_only_its_input },
    { "raw_takes_all_bytes", PDICT_SERIALIZER, "raw", raw_takes_all_bytes },
    { "str_takes_every_character", PDICT_SERIALIZER, "str", str_takes_every_character },
    { "str_agrees_with_the_definition_on_all_heads", PDICT_SERIALIZER, "str",
      str_agrees_with_the_definition_on_all_heads },
    { "str_takes_text_of_every_length", PDICT_SERIALIZER, "str", str_takes_text_of_every_length },
    { "str_says_where_the_first_bad_byte_is", PDICT_SERIALIZER, "str",
      str_says_where_the_first_bad_byte_is },
    { NULL, 0, NULL, NULL },
};
