/* SPDX-License-Identifier: MIT */
/* What was once written stays readable: texts and records of version 1, kept as they were. */
#include "value_fixture.h"

static const char kept_keyring[] =
    "pdict-keyring 1\n"
    "slot 1 key salt=2780d9328be43d96ef48a1fa53ac055e"
    " commitment=1db7e570aa3a7057220d4a21986e510ca643c759b06e33cc201e6ca92ea63386"
    " nonce=b71069c21b74cd267fd8318ae33c95ee47a0f952ab045db6"
    " sealed="
    "bb6ab837054e0d4cf36aeaaaeaf69b10d840ab85184835549c083aaac41e69321d670f10df1919a743a6c4e5d070df"
    "bb"
    " check=3a2770fcb8fee017dfec77c89cce0d30\n"
    "epoch 1"
    " nonce=2f88e13a93ec459ef750a9025bb40d66bf1871ca237cd52e"
    " sealed="
    "edc2dc1c988b2c826dd56664ae457a237d42e8a5cf1a2681a3264ded4f6eec81ea554e2beb1f8fec5f73a6f905b714"
    "e8\n"
    "active=1\n"
    "mac=4ed960c3ec4b638ae3f684eef736434f80d56a7aced401f302b2e3a69bec62c5\n";

static const char kept_descriptor[] =
    "pdict-map 1\n"
    "id=61206d6170206f662074657374732100\n"
    "created_ms=1700000000000\n"
    "serializer=raw\n"
    "cipher=xchacha20\n"
    "checksum=none\n"
    "max_value=67108864\n"
    "mac=89e14c28cad70ef6d1abe8f3e62b8649d6a34e9e3ca7f7417b926507238c03bb\n";

static const char kept_sealed[] =
    "d701000001000100010000000500000087e03992eb449df64fa8015ab30c65be1770c9227bd42d86"
    "bb213157d325876150b40c396129b08df42e9c0221";

static const char kept_plain[] = "d7010000010000010000000005000000"
                                 "76616c75652b1a4a160312f102";

static struct keyring *open_kept(void)
{
    struct secret secret = secret_key(TEST_KEY);
    struct keyring *ring;

    CHECK_OK(pdict__keyring_open(need_codec("xchacha20"), test_map_id, slice_of(kept_keyring),
                                 &secret, &test_allocator, &ring));
    return ring;
}

/* The record in `hex` read by a map of these codecs gives "value". */
static void check_record(const char *hex, const char *text, struct keyring *ring)
{
    pdict_slice record = { test_alloc(strlen(hex) / 2), strlen(hex) / 2 }, value;
    struct pipeline_config config = { .ring = ring, .allocator = &test_allocator };
    struct descriptor descriptor;
    struct pipeline *pipeline;
    struct workbench *bench;
    struct codecs codecs;

    CHECK(pdict__hex_decode(slice_of(hex), (void *)(uintptr_t)record.data, record.size));
    CHECK_OK(pdict__codecs_parse(text, &test_allocator, &codecs));
    CHECK_OK(pdict__descriptor_decode(slice_of(kept_descriptor), &descriptor));
    descriptor.cipher = codecs.cipher.codec;
    config.descriptor = &descriptor;
    config.codecs = &codecs;
    CHECK_OK(pdict__pipeline_open(&config, &pipeline));
    bench = pdict__bench_take(pipeline);
    CHECK_OK(pdict__decode(pipeline, bench, &test_binding, record, NULL, &value));
    CHECK_SLICE(value, slice_of("value"));
    pdict__bench_give(pipeline, bench);
    pdict__pipeline_close(pipeline);
    pdict__codecs_free(&codecs);
}

TEST(format, keyring_of_version_1_opens)
{
    struct keyring *ring = open_kept();

    CHECK_INT(pdict__keyring_active_epoch(ring), 1);
    pdict__keyring_free(ring);
}

TEST(format, descriptor_of_version_1_is_believed)
{
    struct keyring *ring = open_kept();
    struct descriptor descriptor;

    CHECK_OK(pdict__descriptor_decode(slice_of(kept_descriptor), &descriptor));
    CHECK_OK(pdict__descriptor_verify(slice_of(kept_descriptor), ring));
    CHECK_BYTES(descriptor.map_id, MAP_ID_SIZE, test_map_id, MAP_ID_SIZE);
    pdict__keyring_free(ring);
}

TEST(format, sealed_record_of_version_1_is_read)
{
    check_record(kept_sealed, "raw,xchacha20", open_kept());
}

TEST(format, plain_record_of_version_1_is_read)
{
    need_codec("xchacha20"); /* named by the descriptor */
    check_record(kept_plain, "raw", NULL);
}
