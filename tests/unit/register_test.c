/* SPDX-License-Identifier: MIT */
/* Registering at run time: what is sound is used, what is not is refused with the reason. */
#include <pdict/ext/register.h>
#include <pthread.h>
#include <stdio.h>

#include "maps.h"

/* A backend that may be registered: the one in memory under another name. */
static pdict_backend backend_named(const char *name)
{
    pdict_backend backend = *pdict_backend_find("memory");

    backend.name = name;
    return backend;
}

static pdict_codec codec_named(const char *name, uint8_t id)
{
    pdict_codec codec = *pdict_codec_find("zlib");

    codec.name = name;
    codec.id = id;
    return codec;
}

static void refused(int status, int expected, const char *word)
{
    CHECK_STATUS(status, expected);
    if (!strstr(pdict_error_text(), word))
        FAIL("'%s' does not say '%s'", pdict_error_text(), word);
}

static void refuse_backend(const pdict_backend *backend, int expected, const char *word)
{
    refused(pdict_register_backend(backend), expected, word);
}

static void refuse_codec(const pdict_codec *codec, int expected, const char *word)
{
    refused(pdict_register_codec(codec), expected, word);
}

/* ---- backends ---- */

TEST(register, a_registered_backend_is_the_scheme_of_a_uri)
{
    static pdict_backend mine;
    pdict_stats stats = PDICT_STATS_INIT;
    pdict *d;

    mine = backend_named("mine");
    CHECK(pdict_backend_find("mine") == NULL);
    CHECK_OK(pdict_register_backend(&mine));
    CHECK_STR(pdict_backend_find("mine")->name, "mine");
    CHECK_OK(pdict_open("mine:x", NULL, &d));
    put(d, "key", "value");
    check_value(d, "key", "value");
    CHECK_OK(pdict_stats_get(d, 0, &stats));
    CHECK_STR(stats.backend, "mine");
    pdict_close(d);
}

TEST(register, what_is_registered_is_listed)
{
    static pdict_backend mine;
    static pdict_codec packer;
    pdict_info info = PDICT_INFO_INIT;
    size_t cursor = 0;
    int n = 0;

    mine = backend_named("mine");
    packer = codec_named("packer", 200);
    CHECK_OK(pdict_register_backend(&mine));
    CHECK_OK(pdict_register_codec(&packer));
    while (pdict_info_next(&cursor, &info) == PDICT_OK) {
        n += info.kind == PDICT_INFO_BACKEND && strcmp(info.name, "mine") == 0;
        n += info.kind == PDICT_INFO_COMPRESSOR && strcmp(info.name, "packer") == 0;
    }
    CHECK_INT(n, 2);
}

TEST(register, the_same_table_again_is_fine)
{
    static pdict_backend mine;

    mine = backend_named("mine");
    CHECK_OK(pdict_register_backend(&mine));
    CHECK_OK(pdict_register_backend(&mine));
}

TEST(register, a_taken_name_is_refused)
{
    static pdict_backend mine, other;

    mine = other = backend_named("mine");
    CHECK_OK(pdict_register_backend(&mine));
    refuse_backend(&other, PDICT_CONTRADICTION, "'mine'");
    other.name = "memory";
    refuse_backend(&other, PDICT_CONTRADICTION, "'memory'");
    CHECK_STR(pdict_backend_find("memory")->summary, mine.summary);
}

TEST(register, another_abi_is_refused)
{
    pdict_backend mine = backend_named("mine");

    refuse_backend(NULL, PDICT_INVAL, "NULL");
    mine.abi_version = PDICT_EXT_ABI + 1;
    refuse_backend(&mine, PDICT_UNSUPPORTED, "version 2");
    mine.abi_version = PDICT_EXT_ABI - 1;
    refuse_backend(&mine, PDICT_UNSUPPORTED, "version 0");
    CHECK(pdict_backend_find("mine") == NULL);
}

TEST(register, a_table_without_the_required_members_is_refused)
{
    pdict_backend mine = backend_named("mine");

    mine.struct_size = offsetof(pdict_backend, stat);
    refuse_backend(&mine, PDICT_UNSUPPORTED, "lacks required members");
    mine.struct_size = 0;
    refuse_backend(&mine, PDICT_UNSUPPORTED, "0 bytes");
    mine.struct_size = SIZE_MAX;
    refuse_backend(&mine, PDICT_INVAL, "struct_size");
    mine.struct_size = sizeof(mine) - 3;
    refuse_backend(&mine, PDICT_INVAL, "struct_size");
}

TEST(register, each_required_member_is_asked_for)
{
    size_t first = offsetof(pdict_backend, open), last = offsetof(pdict_backend, stat);

    for (size_t at = first; at <= last; at += sizeof(void *)) {
        pdict_backend mine = backend_named("mine");

        memset((char *)&mine + at, 0, sizeof(void *));
        refuse_backend(&mine, PDICT_INVAL, "lacks");
    }
}

TEST(register, members_beyond_an_older_table_read_as_null)
{
    static pdict_backend older;

    older = backend_named("older");
    CHECK(older.watch != NULL);
    older.struct_size = offsetof(pdict_backend, watch);
    CHECK_OK(pdict_register_backend(&older));
    CHECK(pdict_backend_find("older")->watch == NULL);
    CHECK(pdict_backend_find("older")->stat == older.stat);
}

TEST(register, members_beyond_our_table_are_ignored)
{
    static struct {
        pdict_backend known;
        void (*unknown)(void);
    } newer;

    newer.known = backend_named("newer");
    newer.known.struct_size = sizeof(newer);
    CHECK_OK(pdict_register_backend(&newer.known));
    CHECK_INT(pdict_backend_find("newer")->struct_size, sizeof(pdict_backend));
}

TEST(register, an_illegal_name_or_no_summary_is_refused)
{
    static const char *const names[] = { "", "Mine", "my-store", "a+b",
                                         "a0123456789a0123456789a012345678" };
    pdict_backend mine;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        mine = backend_named(names[i]);
        refuse_backend(&mine, PDICT_INVAL, "no name");
    }
    mine = backend_named(NULL);
    refuse_backend(&mine, PDICT_INVAL, "no name");
    mine = backend_named("mine");
    mine.summary = NULL;
    refuse_backend(&mine, PDICT_INVAL, "summary");
}

TEST(register, a_layer_is_refused)
{
    pdict_backend mine = backend_named("mine");

    mine.capabilities |= PDICT_CAP_LAYER;
    refuse_backend(&mine, PDICT_UNSUPPORTED, "layer");
}

static uint64_t no_log(void *self)
{
    (void)self;
    return 0;
}

TEST(register, functions_that_belong_together_come_together)
{
    pdict_backend mine = backend_named("halves");
    pdict_codec codec = codec_named("halves", 200);
    pdict_compressor compressor = *codec.compressor;

    mine.log_bytes = no_log;
    mine.checkpoint = NULL;
    refuse_backend(&mine, PDICT_INVAL, "log_bytes and checkpoint");
    mine = backend_named("halves");
    mine.access_get = NULL;
    refuse_backend(&mine, PDICT_INVAL, "access_put and access_get");
    compressor.train =
        pdict_codec_find("zstd") ? pdict_codec_find("zstd")->compressor->train : NULL;
    codec.compressor = &compressor;
    if (compressor.train)
        refuse_codec(&codec, PDICT_INVAL, "all five or none");
    compressor = *pdict_codec_find("zlib")->compressor;
    compressor.struct_size = 3;
    refuse_codec(&codec, PDICT_INVAL, "has no struct_size");
}

TEST(register, nothing_is_no_table)
{
    refuse_backend(NULL, PDICT_INVAL, "NULL");
    refuse_codec(NULL, PDICT_INVAL, "NULL");
}

TEST(register, malformed_options_are_refused)
{
    static const pdict_option_spec sound = { "a", PDICT_OPTION_INT, "1", 0, 9, NULL, "help" };
    pdict_backend mine = backend_named("mine");
    pdict_option_spec specs[3] = { sound };

    mine.options = specs;
    specs[1] = sound;
    refuse_backend(&mine, PDICT_INVAL, "'a'");
    specs[1].name = "b";
    specs[1].fallback = "10";
    refuse_backend(&mine, PDICT_INVAL, "'b'");
    specs[1].fallback = "9";
    specs[1].type = 7;
    refuse_backend(&mine, PDICT_INVAL, "'b'");
    specs[1].type = PDICT_OPTION_CHOICE;
    refuse_backend(&mine, PDICT_INVAL, "'b'");
    specs[1].type = PDICT_OPTION_INT;
    specs[1].help = NULL;
    refuse_backend(&mine, PDICT_INVAL, "'b'");
}

TEST(register, no_more_than_there_is_room_for)
{
    static pdict_backend many[65];
    static char names[65][16];

    for (int i = 0; i < 65; i++) {
        snprintf(names[i], sizeof(names[i]), "many%d", i);
        many[i] = backend_named(names[i]);
        if (i < 64)
            CHECK_OK(pdict_register_backend(&many[i]));
    }
    refuse_backend(&many[64], PDICT_TOO_BIG, "64");
    CHECK(pdict_backend_find("many63") != NULL);
}

/* ---- codecs ---- */

TEST(register, a_registered_codec_is_a_stage_of_a_pipeline)
{
    static pdict_codec packer;
    const char *uri;
    pdict *d;

    packer = codec_named("packer", 200);
    CHECK_OK(pdict_register_codec(&packer));
    uri = test_path("a.db");
    CHECK_OK(pdict_open(uri,
                        &(pdict_options){ .struct_size = sizeof(pdict_options),
                                          .settings = &(pdict_setting){ "codecs", "packer" },
                                          .n_settings = 1 },
                        &d));
    put(d, "key", "much much much much much much much much much much much much much much");
    pdict_close(d);
    CHECK_OK(pdict_open(uri, NULL, &d));
    check_value(d, "key", "much much much much much much much much much much much much much much");
    pdict_close(d);
}

TEST(register, an_id_of_this_project_or_of_another_codec_is_refused)
{
    static pdict_codec one, two;

    one = codec_named("one", 127);
    refuse_codec(&one, PDICT_INVAL, "128 to 255");
    one.id = 200;
    CHECK_OK(pdict_register_codec(&one));
    two = codec_named("two", 200);
    refuse_codec(&two, PDICT_CONTRADICTION, "that of one");
    two = codec_named("one", 201);
    refuse_codec(&two, PDICT_CONTRADICTION, "'one'");
    two = codec_named("none", 201);
    refuse_codec(&two, PDICT_INVAL, "'none'");
}

TEST(register, a_codec_has_exactly_the_table_of_its_kind)
{
    pdict_codec codec = codec_named("mine", 200);
    pdict_codec cipher = *pdict_codec_find("xchacha20");

    codec.cipher = cipher.cipher;
    refuse_codec(&codec, PDICT_INVAL, "exactly the table");
    codec.compressor = NULL;
    refuse_codec(&codec, PDICT_INVAL, "exactly the table");
    codec.cipher = NULL;
    refuse_codec(&codec, PDICT_INVAL, "exactly the table");
    codec = codec_named("mine", 200);
    codec.kind = 4;
    refuse_codec(&codec, PDICT_INVAL, "kind 4");
}

TEST(register, each_member_of_a_compressor_is_asked_for)
{
    size_t first = offsetof(pdict_compressor, open), last = offsetof(pdict_compressor, decode);

    for (size_t at = first; at <= last; at += sizeof(void *)) {
        pdict_codec codec = codec_named("mine", 200);
        pdict_compressor compressor = *codec.compressor;

        memset((char *)&compressor + at, 0, sizeof(void *));
        codec.compressor = &compressor;
        refuse_codec(&codec, PDICT_INVAL, "lacks");
        compressor = *codec_named("mine", 200).compressor;
        compressor.struct_size = at;
        refuse_codec(&codec, PDICT_INVAL, "lacks");
    }
}

TEST(register, each_member_of_a_cipher_is_asked_for)
{
    size_t first = offsetof(pdict_cipher, ready), last = offsetof(pdict_cipher, secret_free);
    pdict_codec codec = *pdict_codec_find("xchacha20");
    pdict_cipher sound = *codec.cipher, cipher;

    codec.name = "mine";
    codec.id = 200;
    codec.cipher = &cipher;
    for (size_t at = first; at <= last; at += sizeof(void *)) {
        cipher = sound;
        memset((char *)&cipher + at, 0, sizeof(void *));
        refuse_codec(&codec, PDICT_INVAL, "lacks");
    }
    cipher = sound;
    cipher.key_size = 65;
    refuse_codec(&codec, PDICT_INVAL, "64");
    cipher = sound;
    CHECK_OK(pdict_register_codec(&codec));
}

/* ---- threads ---- */

static void *register_one(void *name)
{
    pdict_backend *mine = test_alloc(sizeof(*mine));

    *mine = backend_named(name);
    CHECK_OK(pdict_register_backend(mine));
    return NULL;
}

static void *look_up(void *name)
{
    const pdict_backend *backend;

    while (!(backend = pdict_backend_find(name)))
        ;
    CHECK_STR(backend->name, name);
    CHECK(backend->stat != NULL);
    return NULL;
}

TEST(register, threads_register_and_look_up_at_once)
{
    static char names[4][8] = { "one", "two", "three", "four" };
    pthread_t threads[8];

    for (int i = 0; i < 4; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, look_up, names[i]), 0);
        CHECK_INT(pthread_create(&threads[4 + i], NULL, register_one, names[i]), 0);
    }
    for (int i = 0; i < 8; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
}
