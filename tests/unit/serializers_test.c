/* SPDX-License-Identifier: MIT */
/* cbor and json to the letter of their standards, and what each of them refuses. */
#include <math.h>
#include <stdio.h>

#include <pdict/ext/register.h>

#include "test.h"

static const pdict_serializer *serializer(const char *name)
{
    const pdict_codec *codec = pdict_codec_find(name);

    if (!codec)
        SKIP("not in this build");
    return codec->serializer;
}

static pdict_tree *tree;

static pdict_tree *fresh(void)
{
    pdict_tree_free(tree);
    CHECK_OK(pdict_tree_new(NULL, &tree));
    return tree;
}

static int decode(const char *name, const void *data, size_t size, pdict_value **out)
{
    *out = NULL;
    return serializer(name)->decode((pdict_slice){ data, size }, fresh(), out);
}

static int check(const char *name, const void *data, size_t size)
{
    return serializer(name)->check((pdict_slice){ data, size });
}

static void check_encoded(const char *name, const pdict_value *value, const void *expected,
                          size_t size)
{
    unsigned char out[256];
    size_t out_size;

    CHECK_OK(serializer(name)->encode(value, out, sizeof(out), &out_size));
    CHECK_BYTES(out, out_size, expected, size);
}

static int encode_status(const char *name, const pdict_value *value)
{
    unsigned char out[256];
    size_t out_size;

    return serializer(name)->encode(value, out, sizeof(out), &out_size);
}

/* Bytes stand for one value and are the ones it is written as. */
static pdict_value *check_cbor(const void *bytes, size_t size)
{
    pdict_value *value;

    CHECK_OK(check("cbor", bytes, size));
    CHECK_OK(decode("cbor", bytes, size, &value));
    check_encoded("cbor", value, bytes, size);
    return value;
}

#define CBOR(text) check_cbor(text, sizeof(text) - 1)

/* Refused in a put, malformed in a store. */
static void check_refused(const char *name, const char *bytes, size_t size)
{
    pdict_value *value;

    CHECK_STATUS(check(name, bytes, size), PDICT_INVAL);
    CHECK(pdict_error_text()[0] != '\0');
    CHECK_STATUS(decode(name, bytes, size, &value), PDICT_FORMAT);
}

#define REFUSED(name, text) check_refused(name, text, sizeof(text) - 1)

/* ---- cbor: RFC 8949, appendix A ---- */

TEST(cbor, integers_are_those_of_the_standard)
{
    CHECK_INT(pdict_value_int(CBOR("\x00"), -1), 0);
    CHECK_INT(pdict_value_int(CBOR("\x17"), -1), 23);
    CHECK_INT(pdict_value_int(CBOR("\x18\x18"), -1), 24);
    CHECK_INT(pdict_value_int(CBOR("\x18\x64"), -1), 100);
    CHECK_INT(pdict_value_int(CBOR("\x19\x03\xe8"), -1), 1000);
    CHECK_INT(pdict_value_int(CBOR("\x1a\x00\x0f\x42\x40"), -1), 1000000);
    CHECK_INT(pdict_value_int(CBOR("\x1b\x00\x00\x00\xe8\xd4\xa5\x10\x00"), -1), 1000000000000);
    CHECK(pdict_value_uint(CBOR("\x1b\xff\xff\xff\xff\xff\xff\xff\xff"), 0) == UINT64_MAX);
    CHECK_INT(pdict_value_int(CBOR("\x20"), 0), -1);
    CHECK_INT(pdict_value_int(CBOR("\x38\x63"), 0), -100);
    CHECK_INT(pdict_value_int(CBOR("\x39\x03\xe7"), 0), -1000);
    CHECK_INT(pdict_value_int(CBOR("\x3b\x7f\xff\xff\xff\xff\xff\xff\xff"), 0), INT64_MIN);
}

TEST(cbor, doubles_are_those_of_the_standard_in_their_shortest_form)
{
    CHECK(pdict_value_double(CBOR("\xf9\x00\x00"), 9) == 0.0);
    CHECK(signbit(pdict_value_double(CBOR("\xf9\x80\x00"), 9)));
    CHECK(pdict_value_double(CBOR("\xf9\x3c\x00"), 0) == 1.0);
    CHECK(pdict_value_double(CBOR("\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a"), 0) == 1.1);
    CHECK(pdict_value_double(CBOR("\xf9\x3e\x00"), 0) == 1.5);
    CHECK(pdict_value_double(CBOR("\xf9\x7b\xff"), 0) == 65504.0);
    CHECK(pdict_value_double(CBOR("\xfa\x47\xc3\x50\x00"), 0) == 100000.0);
    CHECK(pdict_value_double(CBOR("\xfa\x7f\x7f\xff\xff"), 0) == 3.4028234663852886e+38);
    CHECK(pdict_value_double(CBOR("\xfb\x7e\x37\xe4\x3c\x88\x00\x75\x9c"), 0) == 1.0e+300);
    CHECK(pdict_value_double(CBOR("\xf9\x00\x01"), 0) == 5.960464477539063e-8);
    CHECK(pdict_value_double(CBOR("\xf9\x04\x00"), 0) == 0.00006103515625);
    CHECK(pdict_value_double(CBOR("\xf9\xc4\x00"), 0) == -4.0);
    CHECK(isinf(pdict_value_double(CBOR("\xf9\x7c\x00"), 0)));
    CHECK(isinf(pdict_value_double(CBOR("\xf9\xfc\x00"), 0)));
    CHECK(isnan(pdict_value_double(CBOR("\xf9\x7e\x00"), 0)));
}

TEST(cbor, every_half_comes_back_as_itself)
{
    for (unsigned half = 0; half < 0x10000; half++) {
        const unsigned char bytes[] = { 0xF9, (unsigned char)(half >> 8), (unsigned char)half };

        if ((half & 0x7C00) == 0x7C00 && (half & 0x3FF) != 0 && half != 0x7E00)
            CHECK_STATUS(check("cbor", bytes, sizeof(bytes)), PDICT_INVAL);
        else
            check_cbor(bytes, sizeof(bytes));
    }
}

TEST(cbor, texts_bytes_arrays_and_maps_are_those_of_the_standard)
{
    pdict_value *value;

    CHECK_STR(pdict_value_text(CBOR("\x64\x49\x45\x54\x46")), "IETF");
    CHECK_STR(pdict_value_text(CBOR("\x62\xc3\xbc")), "\xc3\xbc");
    CHECK_INT(pdict_value_bytes(CBOR("\x44\x01\x02\x03\x04")).size, 4);
    CHECK_INT(pdict_value_count(CBOR("\x80")), 0);
    CHECK_INT(pdict_value_count(CBOR("\x83\x01\x02\x03")), 3);
    CHECK_INT(pdict_value_count(CBOR("\xa0")), 0);
    value = CBOR("\xa2\x61\x61\x01\x61\x62\x82\x02\x03");
    CHECK_INT(pdict_value_int(pdict_value_at(value, "b.1"), 0), 3);
    value = CBOR("\x82\x61\x61\xa1\x61\x62\x61\x63");
    CHECK_STR(pdict_value_text(pdict_value_at(value, "1.b")), "c");
    CHECK(!pdict_value_bool(CBOR("\xf4"), true));
    CHECK(pdict_value_bool(CBOR("\xf5"), false));
    CHECK_INT(pdict_value_type(CBOR("\xf6")), PDICT_VALUE_NULL);
}

TEST(cbor, members_are_written_in_the_order_of_their_encoded_keys)
{
    pdict_value *map = pdict_tree_map(fresh());
    static const char *const keys[] = { "bb", "z", "aaa", "a", "" };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        pdict_value_set(map, keys[i], pdict_tree_int(tree, (int64_t)i));
    check_encoded("cbor", map,
                  "\xa5\x60\x04\x61\x61\x03\x61z\x01\x62\x62\x62\x00\x63\x61\x61\x61\x02", 18);
}

TEST(cbor, what_is_not_in_the_shortest_form_is_refused)
{
    REFUSED("cbor", "\x18\x17");
    REFUSED("cbor", "\x19\x00\xff");
    REFUSED("cbor", "\x1a\x00\x00\xff\xff");
    REFUSED("cbor", "\x1b\x00\x00\x00\x00\xff\xff\xff\xff");
    REFUSED("cbor", "\x38\x17");
    REFUSED("cbor", "\x58\x01\x61");
    REFUSED("cbor", "\x78\x01\x61");
    REFUSED("cbor", "\x98\x00");
    REFUSED("cbor", "\xb8\x00");
    REFUSED("cbor", "\xfa\x3f\x80\x00\x00");
    REFUSED("cbor", "\xfb\x3f\xf0\x00\x00\x00\x00\x00\x00");
}

TEST(cbor, other_forms_of_nan_are_refused)
{
    REFUSED("cbor", "\xf9\x7e\x01");
    REFUSED("cbor", "\xf9\xfe\x00");
    REFUSED("cbor", "\xfa\x7f\xc0\x00\x00");
    REFUSED("cbor", "\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00");
}

TEST(cbor, indefinite_lengths_tags_and_undefined_are_refused)
{
    REFUSED("cbor", "\x5f\x41\x61\xff");
    REFUSED("cbor", "\x7f\x61\x61\xff");
    REFUSED("cbor", "\x9f\xff");
    REFUSED("cbor", "\xbf\xff");
    REFUSED("cbor", "\xc1\x00");
    REFUSED("cbor", "\xf7");
    REFUSED("cbor", "\xf0");
    REFUSED("cbor", "\xf8\xff");
    REFUSED("cbor", "\xff");
    REFUSED("cbor", "\x1c");
}

TEST(cbor, duplicate_keys_are_refused)
{
    REFUSED("cbor", "\xa2\x61\x61\x01\x61\x61\x02");
}

TEST(cbor, unsorted_keys_are_refused)
{
    REFUSED("cbor", "\xa2\x61\x62\x01\x61\x61\x02");
    REFUSED("cbor", "\xa2\x62\x61\x61\x01\x61\x62\x02");
}

TEST(cbor, keys_that_are_not_text_are_refused)
{
    REFUSED("cbor", "\xa1\x01\x01");
    REFUSED("cbor", "\xa1\x41\x61\x01");
}

TEST(cbor, text_that_is_not_utf8_is_refused)
{
    REFUSED("cbor", "\x61\xff");
    REFUSED("cbor", "\x63\xed\xa0\x80");
    REFUSED("cbor", "\xa1\x61\x80\x01");
}

TEST(cbor, integer_below_int64_is_refused)
{
    REFUSED("cbor", "\x3b\x80\x00\x00\x00\x00\x00\x00\x00");
}

TEST(cbor, what_ends_early_or_goes_on_is_refused)
{
    REFUSED("cbor", "");
    REFUSED("cbor", "\x82\x01");
    REFUSED("cbor", "\x64\x61");
    REFUSED("cbor", "\xa1\x61\x61");
    REFUSED("cbor", "\x01\x02");
    /* claims of 2^64 - 1 cost nothing before they are met */
    REFUSED("cbor", "\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    REFUSED("cbor", "\xbb\xff\xff\xff\xff\xff\xff\xff\xff");
    REFUSED("cbor", "\x7b\xff\xff\xff\xff\xff\xff\xff\xff");
    REFUSED("cbor", "\x5b\x7f\xff\xff\xff\xff\xff\xff\xff");
}

TEST(cbor, refusal_says_where_and_shows_nothing_of_the_value)
{
    CHECK_STATUS(check("cbor", "\x82\x66secret\xf7", 9), PDICT_INVAL);
    CHECK(strstr(pdict_error_text(), "byte 8 of 9") != NULL);
    CHECK(strstr(pdict_error_text(), "secret") == NULL);
}

static char *nested(const char *open, const char *leaf, const char *close, size_t levels)
{
    char *text = test_alloc(levels * 2 + 8), *at = text;

    for (size_t i = 1; i < levels; i++)
        *at++ = *open;
    at += sprintf(at, "%s", leaf);
    for (size_t i = 1; i < levels && close; i++)
        *at++ = *close;
    *at = '\0';
    return text;
}

TEST(cbor, deep_nesting_is_too_big)
{
    pdict_value *value;
    const char *text = nested("\x81", "\x01", NULL, 64);

    CHECK_OK(check("cbor", text, strlen(text)));
    CHECK_OK(decode("cbor", text, strlen(text), &value));
    text = nested("\x81", "\x01", NULL, 65);
    CHECK_STATUS(check("cbor", text, strlen(text)), PDICT_TOO_BIG);
    CHECK_STATUS(decode("cbor", text, strlen(text), &value), PDICT_TOO_BIG);
    text = nested("\x81", "\x01", NULL, 1000000);
    CHECK_STATUS(check("cbor", text, strlen(text)), PDICT_TOO_BIG);
}

TEST(cbor, too_many_values_are_too_big)
{
    size_t count = PDICT_VALUE_COUNT;
    unsigned char *bytes = test_alloc(count + 5);
    pdict_value *value;

    memset(bytes, 0, count + 5);
    memcpy(bytes, "\x9a\x00\x10\x00\x00", 5);
    CHECK_STATUS(check("cbor", bytes, count + 5), PDICT_TOO_BIG);
    CHECK_STATUS(decode("cbor", bytes, count + 5, &value), PDICT_TOO_BIG);
}

/* ---- json ---- */

static void check_json(const char *text, const char *expected)
{
    pdict_value *value;

    CHECK_OK(check("json", text, strlen(text)));
    CHECK_OK(decode("json", text, strlen(text), &value));
    check_encoded("json", value, expected, strlen(expected));
}

TEST(json, integers_are_exact)
{
    check_json("9007199254740993", "9007199254740993");
    check_json("9223372036854775807", "9223372036854775807");
    check_json("-9223372036854775808", "-9223372036854775808");
}

TEST(json, doubles_stay_doubles_and_come_back_bit_for_bit)
{
    static const double doubles[] = { 0.1, 1.0, -0.0, 5e-324, 1.7976931348623157e308, 1.0 / 3 };

    check_json("1.0", "1.0");
    check_json("1e3", "1000.0");
    for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) {
        unsigned char out[64];
        size_t size;
        pdict_value *value;
        double back;

        CHECK_OK(serializer("json")->encode(pdict_tree_double(fresh(), doubles[i]), out,
                                            sizeof(out), &size));
        CHECK_OK(decode("json", out, size, &value));
        CHECK_INT(pdict_value_type(value), PDICT_VALUE_DOUBLE);
        back = pdict_value_double(value, 0);
        CHECK_BYTES(&back, sizeof(back), &doubles[i], sizeof(back));
    }
}

TEST(json, members_keep_their_order_and_spaces_go)
{
    check_json(" { \"b\" : [ 1 , null ] , \"a\" : { } } ", "{\"b\":[1,null],\"a\":{}}");
    check_json("\"\\u0000\\ud83d\\uddDd\"", "\"\\u0000\xF0\x9F\x97\x9D\"");
    check_json("{\"\":true}", "{\"\":true}");
}

TEST(json, integer_over_64_bits_is_refused_and_not_rounded)
{
    REFUSED("json", "9223372036854775808");
    REFUSED("json", "-9223372036854775809");
    CHECK_STATUS(encode_status("json", pdict_tree_uint(fresh(), UINT64_MAX)), PDICT_INVAL);
}

TEST(json, nan_and_infinities_are_refused)
{
    REFUSED("json", "NaN");
    REFUSED("json", "Infinity");
    REFUSED("json", "1e999");
    CHECK_STATUS(encode_status("json", pdict_tree_double(fresh(), NAN)), PDICT_INVAL);
    CHECK_STATUS(encode_status("json", pdict_tree_double(fresh(), INFINITY)), PDICT_INVAL);
}

TEST(json, bytes_are_refused)
{
    CHECK_STATUS(encode_status("json", pdict_tree_bytes(fresh(), "x", 1)), PDICT_INVAL);
}

TEST(json, duplicate_keys_are_refused)
{
    REFUSED("json", "{\"a\":1,\"a\":2}");
    REFUSED("json", "{\"a\":1,\"\\u0061\":2}");
}

TEST(json, text_that_is_not_utf8_is_refused)
{
    REFUSED("json", "\"\xff\"");
    REFUSED("json", "\"\xed\xa0\x80\"");
    REFUSED("json", "\"\\ud800\"");
}

TEST(json, zero_in_a_key_is_refused_both_ways)
{
    pdict_value *map = pdict_tree_map(fresh());

    pdict_value_set_n(map, "a\0", 2, pdict_tree_null(tree));
    CHECK_STATUS(encode_status("json", map), PDICT_INVAL);
    REFUSED("json", "{\"a\\u0000\":1}");
}

TEST(json, what_is_no_json_is_refused)
{
    REFUSED("json", "");
    REFUSED("json", "{");
    REFUSED("json", "[1,]");
    REFUSED("json", "01");
    REFUSED("json", "1 2");
    REFUSED("json", "'a'");
    REFUSED("json", "\xef\xbb\xbf"
                    "1");
    REFUSED("json", "\"\\");
}

TEST(json, refusal_says_where_and_shows_nothing_of_the_value)
{
    CHECK_STATUS(check("json", "[\"secret\" \"secret\"]", 19), PDICT_INVAL);
    CHECK(strstr(pdict_error_text(), "of 19") != NULL);
    CHECK(strstr(pdict_error_text(), "secret") == NULL);
}

TEST(json, deep_nesting_is_too_big)
{
    pdict_value *value;
    const char *text = nested("[", "1", "]", 64);

    CHECK_OK(check("json", text, strlen(text)));
    CHECK_OK(decode("json", text, strlen(text), &value));
    text = nested("[", "1", "]", 65);
    CHECK_STATUS(check("json", text, strlen(text)), PDICT_TOO_BIG);
    CHECK_STATUS(decode("json", text, strlen(text), &value), PDICT_TOO_BIG);
    text = nested("[", "1", "]", 1000000);
    CHECK_STATUS(check("json", text, strlen(text)), PDICT_TOO_BIG);
}

TEST(json, brackets_in_texts_are_not_levels)
{
    char text[256];

    memset(text, '[', sizeof(text));
    memcpy(text, "\"\\\"", 3);
    text[sizeof(text) - 1] = '"';
    CHECK_OK(check("json", text, sizeof(text)));
}

TEST(json, too_many_values_are_too_big)
{
    size_t size = 2 * (size_t)PDICT_VALUE_COUNT + 1;
    char *text = test_alloc(size);

    for (size_t i = 0; i < size; i++)
        text[i] = i % 2 ? '1' : ',';
    text[0] = '[';
    text[size - 1] = ']';
    CHECK_STATUS(check("json", text, size), PDICT_TOO_BIG);
}

/* ---- the others ---- */

TEST(serializers, raw_has_bytes_only_and_str_text_only)
{
    pdict_value *value;

    CHECK_OK(decode("raw", "\xff", 1, &value));
    CHECK_INT(pdict_value_type(value), PDICT_VALUE_BYTES);
    check_encoded("raw", value, "\xff", 1);
    CHECK_STATUS(encode_status("str", value), PDICT_INVAL);
    CHECK_OK(decode("str", "ab", 2, &value));
    CHECK_STR(pdict_value_text(value), "ab");
    check_encoded("str", value, "ab", 2);
    CHECK_STATUS(encode_status("raw", value), PDICT_INVAL);
    CHECK_STATUS(decode("str", "\xff", 1, &value), PDICT_FORMAT);
}
