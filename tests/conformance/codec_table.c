/* SPDX-License-Identifier: MIT */
/* Codec conformance: the table itself says what core and people need to know. */
#include "codec_suite.h"

static void exactly_one_kind_is_filled_in(const pdict_codec *codec)
{
    CHECK((codec->serializer != NULL) == (codec->kind == PDICT_SERIALIZER));
    CHECK((codec->compressor != NULL) == (codec->kind == PDICT_COMPRESSOR));
    CHECK((codec->cipher != NULL) == (codec->kind == PDICT_CIPHER));
    CHECK(codec->struct_size >= sizeof(size_t) + sizeof(uint32_t));
    CHECK(codec->abi_version == PDICT_EXT_ABI);
}

static void has_an_id_a_name_and_a_summary(const pdict_codec *codec)
{
    CHECK(codec->id != 0);
    CHECK(codec->name != NULL && codec->name[0] != '\0');
    CHECK(strspn(codec->name, "abcdefghijklmnopqrstuvwxyz0123456789") == strlen(codec->name));
    CHECK(codec->summary != NULL && codec->summary[0] != '\0');
    CHECK(strchr(codec->summary, '\n') == NULL);
}

static void options_have_defaults_within_their_limits(const pdict_codec *codec)
{
    pdict_option_value values[CODEC_OPTIONS_MAX] = { { 0 } };
    const pdict_option_spec *spec = codec->options;

    codec_defaults(codec, values);
    for (size_t i = 0; spec != NULL && spec[i].name != NULL; i++) {
        suite_note("option %s", spec[i].name);
        CHECK(spec[i].help != NULL && spec[i].help[0] != '\0');
        CHECK(spec[i].type >= PDICT_OPTION_FLAG && spec[i].type <= PDICT_OPTION_TEXT);
        if (spec[i].type == PDICT_OPTION_INT || spec[i].type == PDICT_OPTION_SIZE ||
            spec[i].type == PDICT_OPTION_DURATION)
            CHECK(values[i].number >= spec[i].min && values[i].number <= spec[i].max);
    }
}

static void library_names_itself_the_same_way_each_time(const pdict_codec *codec)
{
    const char *text;

    if (codec->library == NULL)
        suite_skip("it uses no library");
    text = codec->library();
    CHECK(text != NULL && strchr(text, ' ') != NULL);
    CHECK(strcmp(text, codec->library()) == 0);
}

const codec_test codec_table_tests[] = {
    { "exactly_one_kind_is_filled_in", 0, NULL, exactly_one_kind_is_filled_in },
    { "has_an_id_a_name_and_a_summary", 0, NULL, has_an_id_a_name_and_a_summary },
    { "options_have_defaults_within_their_limits", 0, NULL,
      options_have_defaults_within_their_limits },
    { "library_names_itself_the_same_way_each_time", 0, NULL,
      library_names_itself_the_same_way_each_time },
    { NULL, 0, NULL, NULL },
};
