/* SPDX-License-Identifier: MIT */
/* Loading shared objects: all of an extension or nothing, and a reason for each refusal. */
#include <pdict/ext/register.h>
#include <stdio.h>

#include "maps.h"

/* EXTENSIONS is the folder that the build puts the modules into. */
static const char *module(const char *name)
{
    static char path[1024];

    snprintf(path, sizeof(path), "%s/%s.so", EXTENSIONS, name);
    return path;
}

static void refused(const char *path, int expected, const char *word)
{
    CHECK_STATUS(pdict_load_extension(path), expected);
    if (!strstr(pdict_error_text(), word))
        FAIL("'%s' does not say '%s'", pdict_error_text(), word);
}

TEST(load, what_an_extension_brings_is_used)
{
    pdict *d;

    CHECK_STATUS(pdict_open("memory:?codecs=digits", NULL, &d), PDICT_UNKNOWN_CODEC);
    CHECK_OK(pdict_load_extension(module("sound")));
    CHECK_OK(pdict_open("memory:?codecs=digits", NULL, &d));
    CHECK_OK(pdict_put(d, pdict_str("key"), pdict_str("123"), NULL));
    CHECK_STATUS(pdict_put(d, pdict_str("key"), pdict_str("12x"), NULL), PDICT_INVAL);
    pdict_close(d);
}

TEST(load, loading_it_twice_is_fine)
{
    CHECK_OK(pdict_load_extension(module("sound")));
    CHECK_OK(pdict_load_extension(module("sound")));
    CHECK(pdict_codec_find("digits") != NULL);
}

TEST(load, one_made_for_another_abi_is_refused)
{
    refused(module("other_abi"), PDICT_UNSUPPORTED, "version 2");
}

TEST(load, of_an_unsound_one_nothing_is_registered)
{
    refused(module("half"), PDICT_CONTRADICTION, "secondhalf");
    CHECK(pdict_codec_find("firsthalf") == NULL);
    CHECK_OK(pdict_load_extension(module("sound")));
    CHECK(pdict_codec_find("firsthalf") == NULL);
}

TEST(load, what_is_no_extension_is_refused)
{
    test_write_file(test_path("text.so"), "text", 4);
    refused(module("stranger"), PDICT_UNSUPPORTED, "pdict_this_extension");
    refused(test_path("text.so"), PDICT_UNSUPPORTED, "text.so");
    refused(test_path("absent.so"), PDICT_UNSUPPORTED, "absent.so");
}

TEST(load, no_directory_is_searched)
{
    refused("sound.so", PDICT_INVAL, "./sound.so");
    refused(NULL, PDICT_INVAL, "slash");
}
