/* SPDX-License-Identifier: MIT */
/* The promises of core/value/codecs.c: how a pipeline is written, and what is refused. */
#include "value_fixture.h"

static struct codecs parsed(const char *text)
{
    struct codecs codecs;

    CHECK_OK(pdict__codecs_parse(text, &test_allocator, &codecs));
    return codecs;
}

/* A failed parse leaves nothing behind. */
static int refused(const char *text)
{
    static const struct codecs zero;
    struct codecs codecs;
    int status = pdict__codecs_parse(text, &test_allocator, &codecs);

    CHECK_INT(memcmp(&codecs, &zero, sizeof(codecs)), 0);
    CHECK_INT(memory.live, 0);
    return status;
}

static void check_format(const char *text, const char *expected)
{
    struct codecs codecs = parsed(text);
    struct buf out = { .allocator = &test_allocator };

    CHECK_OK(pdict__codecs_format(&codecs, &out));
    CHECK_BYTES(out.data, out.size, expected, strlen(expected));
    pdict__buf_free(&out);
    pdict__codecs_free(&codecs);
    CHECK_INT(memory.live, 0);
}

static void check_agree(const char *wanted_text, const char *actual_text, bool expected)
{
    struct codecs wanted = parsed(wanted_text), actual = parsed(actual_text);

    CHECK_INT(pdict__codecs_agree(&wanted, &actual), expected);
    pdict__codecs_free(&wanted);
    pdict__codecs_free(&actual);
}

TEST(codecs, nothing_none_and_raw_are_the_same)
{
    static const char *const texts[] = { "", "none", "raw" };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct codecs codecs = parsed(texts[i]);

        CHECK_STR(codecs.serializer.codec->name, "raw");
        CHECK(codecs.compressor.codec == NULL);
        CHECK(codecs.cipher.codec == NULL);
        pdict__codecs_free(&codecs);
    }
    CHECK_INT(memory.live, 0);
}

TEST(codecs, stages_are_told_apart_by_name)
{
    struct codecs codecs;

    need_codec("zstd");
    need_codec("xchacha20");
    codecs = parsed("raw,zstd:3,xchacha20");
    CHECK_STR(codecs.serializer.codec->name, "raw");
    CHECK_STR(codecs.compressor.codec->name, "zstd");
    CHECK_STR(codecs.cipher.codec->name, "xchacha20");
    CHECK_INT(codecs.compressor.options.values[0].number, 3);
    CHECK(codecs.compressor.options.values[0].is_set);
    pdict__codecs_free(&codecs);
}

TEST(codecs, each_stage_is_optional)
{
    struct codecs codecs;

    need_codec("xchacha20");
    codecs = parsed("xchacha20");
    CHECK_STR(codecs.serializer.codec->name, "raw");
    CHECK(codecs.compressor.codec == NULL);
    CHECK_STR(codecs.cipher.codec->name, "xchacha20");
    pdict__codecs_free(&codecs);
}

TEST(codecs, first_option_needs_no_name)
{
    need_codec("zstd");
    check_agree("zstd:5", "zstd:level=5", true);
    check_agree("zstd:level=5", "zstd:5", true);
}

TEST(codecs, options_not_given_stay_at_their_fallback)
{
    struct codecs codecs;

    need_codec("zstd");
    codecs = parsed("zstd");
    CHECK(!codecs.compressor.options.values[0].is_set);
    CHECK_INT(codecs.compressor.options.values[0].number, 3);
    pdict__codecs_free(&codecs);
}

TEST(codecs, unknown_codec_names_the_near_match)
{
    need_codec("zstd");
    CHECK_STATUS(refused("raw,zsdt:3"), PDICT_UNKNOWN_CODEC);
    CHECK(error_mentions("'zsdt'"));
    CHECK(error_mentions("'zstd'"));
}

TEST(codecs, unknown_codec_without_a_near_match_is_named)
{
    CHECK_STATUS(refused("quantumfoam"), PDICT_UNKNOWN_CODEC);
    CHECK(error_mentions("'quantumfoam'"));
}

TEST(codecs, unknown_option_names_the_near_match)
{
    need_codec("zstd");
    CHECK_STATUS(refused("zstd:levle=3"), PDICT_UNKNOWN_OPTION);
    CHECK(error_mentions("'level'"));
    CHECK(error_mentions("zstd"));
}

TEST(codecs, option_of_a_codec_without_options_is_unknown)
{
    CHECK_STATUS(refused("raw:3"), PDICT_UNKNOWN_OPTION);
    CHECK_STATUS(refused("none:x=1"), PDICT_UNKNOWN_OPTION);
}

TEST(codecs, option_out_of_range_is_refused)
{
    need_codec("zstd");
    CHECK_STATUS(refused("zstd:1000"), PDICT_INVAL);
    CHECK_STATUS(refused("zstd:level=fast"), PDICT_INVAL);
    CHECK_STATUS(refused("zstd:"), PDICT_INVAL);
}

TEST(codecs, same_option_twice_contradicts)
{
    need_codec("zstd");
    CHECK_STATUS(refused("zstd:3:level=4"), PDICT_CONTRADICTION);
}

TEST(codecs, wrong_order_is_refused)
{
    need_codec("zstd");
    need_codec("xchacha20");
    CHECK_STATUS(refused("zstd,raw"), PDICT_INVAL);
    CHECK_STATUS(refused("xchacha20,zstd"), PDICT_INVAL);
    CHECK_STATUS(refused("zstd,none"), PDICT_INVAL);
}

TEST(codecs, two_of_a_kind_are_refused)
{
    need_codec("zstd");
    need_codec("zlib");
    CHECK_STATUS(refused("raw,raw"), PDICT_INVAL);
    CHECK_STATUS(refused("zlib,zstd"), PDICT_INVAL);
}

TEST(codecs, lone_commas_and_unnamed_options_are_refused)
{
    need_codec("zstd");
    CHECK_STATUS(refused(","), PDICT_INVAL);
    CHECK_STATUS(refused("raw,"), PDICT_INVAL);
    CHECK_STATUS(refused("raw,,zstd"), PDICT_INVAL);
    CHECK_STATUS(refused("zstd:3:4"), PDICT_INVAL);
    CHECK_STATUS(refused(" raw"), PDICT_UNKNOWN_CODEC);
}

TEST(codecs, format_writes_options_only_where_they_were_set)
{
    need_codec("zstd");
    need_codec("xchacha20");
    check_format("", "raw");
    check_format("none", "raw");
    check_format("zstd", "raw,zstd");
    check_format("zstd:level=7", "raw,zstd:7");
    check_format("none,zstd:3,xchacha20", "raw,zstd:3,xchacha20");
}

TEST(codecs, format_parses_to_the_same)
{
    static const char *const texts[] = { "raw", "raw,zstd:-3", "raw,zlib:9", "raw,xchacha20",
                                         "str,zstd,xchacha20" };

    need_codec("zstd");
    need_codec("zlib");
    need_codec("str");
    need_codec("xchacha20");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        check_format(texts[i], texts[i]);
}

TEST(codecs, other_codecs_do_not_agree)
{
    need_codec("zstd");
    need_codec("zlib");
    check_agree("zlib", "zstd", false);
    check_agree("zstd", "raw", false);
    check_agree("raw", "zstd", false);
    check_agree("none", "", true);
}

TEST(codecs, only_options_set_in_wanted_must_be_equal)
{
    need_codec("zstd");
    check_agree("zstd", "zstd:9", true);
    check_agree("zstd:9", "zstd", false);
    check_agree("zstd:3", "zstd", true); /* 3 is the fallback */
    check_agree("zstd:9", "zstd:8", false);
    check_agree("zstd:9", "zstd:9", true);
}

TEST(codecs, missing_memory_leaves_nothing_behind)
{
    struct codecs codecs;
    int status = PDICT_NOMEM;

    need_codec("zstd");
    need_codec("xchacha20");
    for (long nth = 1; status != PDICT_OK; nth++) {
        memory_fail_at(nth);
        status = pdict__codecs_parse("raw,zstd:3,xchacha20", &test_allocator, &codecs);
        if (status == PDICT_OK)
            break;
        CHECK_STATUS(status, PDICT_NOMEM);
        CHECK_INT(memory.live, 0);
    }
    pdict__codecs_free(&codecs);
    CHECK_INT(memory.live, 0);
}

TEST(codecs, plus_dict_is_written_again_and_is_no_option)
{
    check_format("raw,zstd:3+dict", "raw,zstd:3+dict");
    check_format("zstd+dict", "raw,zstd+dict");
    check_agree("raw,zstd:3", "raw,zstd:3+dict", true);
    check_agree("raw,zstd:3+dict", "raw,zstd:3", false);
    CHECK_STATUS(refused("raw,zlib:6+dict"), PDICT_INVAL);
    CHECK_STATUS(refused("raw,zstd:3+dictionary"), PDICT_INVAL);
}

TEST(codecs, every_compressor_takes_what_is_worth_compressing)
{
    struct codecs codecs;

    need_codec("zstd");
    need_codec("zlib");
    check_format("zstd:3:gain=10:smallest=1KiB+dict", "raw,zstd:3:smallest=1KiB:gain=10+dict");
    check_format("raw,zlib:smallest=100", "raw,zlib:smallest=100");
    check_agree("raw,zstd:3", "raw,zstd:3:gain=10", true);
    check_agree("raw,zstd:gain=10", "raw,zstd:3", false);
    check_agree("raw,zstd:smallest=32", "raw,zstd:3", true);
    CHECK_STATUS(refused("raw,zstd:gain=100"), PDICT_INVAL);
    CHECK_STATUS(refused("raw:gain=1"), PDICT_UNKNOWN_OPTION);
    CHECK_STATUS(refused("raw,zstd:gian=1"), PDICT_UNKNOWN_OPTION);
    CHECK(error_mentions("'gain'"));
    codecs = parsed("zstd");
    CHECK_INT(codecs.compressor.worth.values[WORTH_SMALLEST].number, 32);
    CHECK_INT(codecs.compressor.worth.values[WORTH_GAIN].number, 0);
    pdict__codecs_free(&codecs);
}
