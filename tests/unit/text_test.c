/* SPDX-License-Identifier: MIT */
/* Numbers, sizes, durations, near matches, hex and UTF-8. */
#include "base/base.h"
#include "test.h"

TEST(text, integers_are_decimal_and_do_not_wrap)
{
    int64_t n;

    CHECK(pdict__parse_int("0", &n) && n == 0);
    CHECK(pdict__parse_int("-7", &n) && n == -7);
    CHECK(pdict__parse_int("9223372036854775807", &n) && n == INT64_MAX);
    CHECK(!pdict__parse_int("9223372036854775808", &n));
    CHECK(!pdict__parse_int("", &n));
    CHECK(!pdict__parse_int("-", &n));
    CHECK(!pdict__parse_int("1x", &n));
    CHECK(!pdict__parse_int(" 1", &n));
}

TEST(text, sizes_have_binary_suffixes)
{
    int64_t n;

    CHECK(pdict__parse_size("512", &n) && n == 512);
    CHECK(pdict__parse_size("512B", &n) && n == 512);
    CHECK(pdict__parse_size("64MiB", &n) && n == 64 << 20);
    CHECK(pdict__parse_size("2TiB", &n) && n == (int64_t)2 << 40);
    CHECK(!pdict__parse_size("9000000TiB", &n));
    CHECK(!pdict__parse_size("64MB", &n));
    CHECK(!pdict__parse_size("MiB", &n));
    CHECK(!pdict__parse_size("-1", &n));
}

TEST(text, durations_need_a_unit_unless_zero)
{
    int64_t n;

    CHECK(pdict__parse_duration("0", &n) && n == 0);
    CHECK(pdict__parse_duration("250ms", &n) && n == 250);
    CHECK(pdict__parse_duration("10s", &n) && n == 10000);
    CHECK(pdict__parse_duration("7d", &n) && n == (int64_t)7 * 86400000);
    CHECK(pdict__parse_duration("2w", &n) && n == (int64_t)14 * 86400000);
    CHECK(!pdict__parse_duration("10", &n));
    CHECK(!pdict__parse_duration("1y", &n));
}

TEST(text, a_slip_finds_the_name_and_another_word_does_not)
{
    static const char *const names[] = { "timeout", "codecs", "mode", NULL };

    CHECK_STR(pdict__near_match("timout", names), "timeout");
    CHECK_STR(pdict__near_match("codec", names), "codecs");
    CHECK_STR(pdict__near_match("moed", names), "mode");
    CHECK_STR(pdict__near_match("compression", names), NULL);
    CHECK_STR(pdict__near_match("a-name-far-longer-than-any-option-of-ours", names), NULL);
}

TEST(text, hex_goes_both_ways_and_refuses_everything_else)
{
    const uint8_t bytes[] = { 0x00, 0x7f, 0xff };
    uint8_t back[3];
    char hex[7];

    pdict__hex_encode(bytes, 3, hex);
    CHECK_STR(hex, "007fff");
    CHECK(pdict__hex_decode((pdict_slice){ hex, 6 }, back, 3));
    CHECK_BYTES(back, 3, bytes, 3);
    CHECK(!pdict__hex_decode((pdict_slice){ hex, 5 }, back, 3));
    CHECK(!pdict__hex_decode((pdict_slice){ "007fFF", 6 }, back, 3));
    CHECK(!pdict__hex_decode((pdict_slice){ "00 fff", 6 }, back, 3));
}

static bool utf8(const char *text, size_t size, size_t *bad)
{
    return pdict__is_utf8((pdict_slice){ text, size }, bad);
}

TEST(text, utf8_is_checked_by_the_table_of_the_standard)
{
    static const char *const illegal[] = {
        "\x80",         "\xC0\x80",         "\xC1\xBF",         "\xE0\x9F\x80",
        "\xED\xA0\x80", "\xF0\x8F\x80\x80", "\xF5\x80\x80\x80", "\xF4\x90\x80\x80",
        "\xE2\x82",     "\xE2\x28\xA1"
    };
    size_t bad;

    CHECK(utf8("", 0, &bad));
    CHECK(utf8("a\0b", 3, &bad));
    CHECK(utf8("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xEF\xBF\xBF\xF4\x8F\xBF\xBF", 16, &bad));
    for (size_t i = 0; i < sizeof(illegal) / sizeof(illegal[0]); i++) {
        char text[8] = "ok";

        strcat(text, illegal[i]);
        bad = 99;
        CHECK(!utf8(text, strlen(text), &bad));
        CHECK_INT(bad, 2);
    }
}
