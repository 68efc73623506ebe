/* SPDX-License-Identifier: MIT */
/* The promises of core/value/decode.c to hostile records: they come to nothing. */
#include "value_fixture.h"

static void check_flips(struct pipeline *pipeline, pdict_slice record)
{
    uint8_t *bytes = (uint8_t *)(uintptr_t)record.data;
    /* Of a long record the ends and every 97th byte; the rest is alike. Which bit it is makes no
     * difference to the way through the code. */
    size_t step = record.size > 400 ? 97 : 1;
    size_t near_ends = TEST_UNDER_VALGRIND ? 29 : TEST_IS_SLOW ? 17 : 1;
    int bits = TEST_UNDER_VALGRIND ? 1 : 8;

    if (TEST_UNDER_VALGRIND)
        step = record.size > 400 ? 9973 : 13;
    for (size_t at = 0; at < record.size;
         at += at < 64 || at + 64 > record.size ? near_ends : step) {
        for (int bit = 0; bit < bits; bit++) {
            struct watched_sink watched = { 0 };

            bytes[at] ^= (uint8_t)(1 << bit);
            if (decode_status(pipeline, &test_binding, record) == PDICT_OK)
                FAIL("bit %d of byte %zu of %zu is not noticed", bit, at, record.size);
            CHECK(decode_into(pipeline, record, &watched) != PDICT_OK);
            CHECK(watched.calls <= 1 && watched.size <= TEST_MAX_VALUE);
            CHECK(is_zero(watched.memory, watched.size));
            bytes[at] ^= (uint8_t)(1 << bit);
        }
    }
    CHECK_OK(decode_status(pipeline, &test_binding, record));
}

TEST(hostile, every_flipped_bit_is_refused_and_leaves_nothing)
{
    if (TEST_UNDER_TSAN)
        SKIP("one thread, and minutes of it: there is no race to find");
    need_all();
    for (size_t i = 0; i < PIPELINES; i++) {
        struct pipeline *pipeline = new_pipeline(pipelines[i]);

        for (size_t j = 0; j < SIZES; j++) {
            check_flips(pipeline, encode_copy(pipeline, value_of(sizes[j], false)));
            check_flips(pipeline, encode_copy(pipeline, value_of(sizes[j], true)));
        }
        pdict__pipeline_close(pipeline);
    }
}

TEST(hostile, record_cut_or_lengthened_anywhere_is_refused)
{
    need_all();
    for (size_t i = 0; i < PIPELINES; i++) {
        struct pipeline *pipeline = new_pipeline(pipelines[i]);
        pdict_slice record = encode_copy(pipeline, value_of(300, false));
        uint8_t *longer = test_alloc(record.size + 1);

        memcpy(longer, record.data, record.size);
        longer[record.size] = 0;
        for (size_t size = 0; size <= record.size + 1; size++) {
            uint8_t *exact = malloc(size + 1);

            memcpy(exact, longer, size);
            CHECK_INT(decode_status(pipeline, &test_binding, (pdict_slice){ exact, size }) ==
                          PDICT_OK,
                      size == record.size);
            free(exact);
        }
        pdict__pipeline_close(pipeline);
    }
}

static void check_bound(const char *codecs, int expected)
{
    struct pipeline *pipeline = new_pipeline(codecs);
    struct pipeline *elsewhere = new_pipeline_at(codecs, (const uint8_t *)"some other map..");
    pdict_slice record = encode_copy(pipeline, value_of(100, false));
    struct binding other_key = test_binding, shorter_key = test_binding;
    struct binding other_version = test_binding, other_expiry = test_binding;

    other_key.key.data = "b key";
    shorter_key.key.size = 4;
    other_version.version ^= 1;
    other_expiry.expires_ms ^= 1;
    CHECK_OK(decode_status(pipeline, &test_binding, record));
    CHECK_STATUS(decode_status(pipeline, &other_key, record), expected);
    CHECK_STATUS(decode_status(pipeline, &shorter_key, record), expected);
    CHECK_STATUS(decode_status(pipeline, &other_version, record), expected);
    CHECK_STATUS(decode_status(pipeline, &other_expiry, record), expected);
    CHECK_STATUS(decode_status(elsewhere, &test_binding, record), expected);
    pdict__pipeline_close(pipeline);
    pdict__pipeline_close(elsewhere);
}

TEST(hostile, record_is_refused_under_another_key_version_expiry_or_map)
{
    need_all();
    check_bound("raw", PDICT_CHECKSUM);
    check_bound("raw,zstd", PDICT_CHECKSUM);
    check_bound("raw,xchacha20", PDICT_AUTH);
    check_bound("raw,zlib,xchacha20", PDICT_AUTH);
}

TEST(hostile, plain_record_in_an_encrypted_map_is_a_downgrade)
{
    struct pipeline *plain, *sealed;

    need_all();
    plain = new_pipeline("raw");
    sealed = new_pipeline("raw,xchacha20");
    CHECK_STATUS(decode_status(sealed, &test_binding, encode_copy(plain, slice_of("value"))),
                 PDICT_DOWNGRADE);
    CHECK_STATUS(decode_status(plain, &test_binding, encode_copy(sealed, slice_of("value"))),
                 PDICT_FORMAT);
    pdict__pipeline_close(plain);
    pdict__pipeline_close(sealed);
}

TEST(hostile, unknown_key_epoch_is_named)
{
    struct pipeline *pipeline;
    pdict_slice record;

    need_all();
    pipeline = new_pipeline("raw,xchacha20");
    record = encode_copy(pipeline, slice_of("value"));
    pdict__put16((uint8_t *)(uintptr_t)record.data + 8, 7);
    CHECK_STATUS(decode_status(pipeline, &test_binding, record), PDICT_AUTH);
    CHECK(error_mentions("epoch 7"));
    pdict__pipeline_close(pipeline);
}

static void check_forged(struct record_header header, pdict_slice payload, int expected)
{
    struct pipeline *pipeline = new_pipeline("raw");
    struct watched_sink watched = { 0 };
    pdict_slice record = forged(&header, payload);

    CHECK_STATUS(decode_status(pipeline, &test_binding, record), expected);
    CHECK_STATUS(decode_into(pipeline, record, &watched), expected);
    CHECK(watched.size <= TEST_MAX_VALUE);
    CHECK(is_zero(watched.memory, watched.size));
    pdict__pipeline_close(pipeline);
}

TEST(hostile, records_the_map_does_not_allow_are_refused)
{
    struct record_header good = { .serializer = 1, .checksum = CHECKSUM_XXH3, .plain_size = 5 };
    struct record_header other_serializer = good, no_checksum = good, wrong_size = good;
    struct record_header unknown = good, dictionary = good, not_smaller = good;

    need_codec("zstd");
    other_serializer.serializer = 2;
    no_checksum.checksum = CHECKSUM_NONE;
    no_checksum.plain_size = 5 + RECORD_CHECKSUM_SIZE; /* the checksum passes for payload */
    wrong_size.plain_size = 6;
    unknown.compressor = 99;
    dictionary.compressor = not_smaller.compressor = 2;
    dictionary.dictionary = 1;
    check_forged(other_serializer, slice_of("value"), PDICT_FORMAT);
    CHECK(error_mentions("serializer"));
    check_forged(no_checksum, slice_of("value"), PDICT_FORMAT);
    CHECK(error_mentions("checksum"));
    check_forged(wrong_size, slice_of("value"), PDICT_FORMAT);
    check_forged(unknown, slice_of("val"), PDICT_UNKNOWN_CODEC);
    CHECK(error_mentions("99"));
    check_forged(dictionary, slice_of("val"), PDICT_FORMAT);
    CHECK(error_mentions("dictionary"));
    check_forged(not_smaller, slice_of("value"), PDICT_FORMAT);
    CHECK(error_mentions("more than its value"));
    check_forged(not_smaller, slice_of("val"), PDICT_FORMAT);
}

/* What a record of a map with this compressor holds, compressed. */
static pdict_slice packed(const char *codecs, pdict_slice value)
{
    struct pipeline *pipeline = new_pipeline(codecs);
    pdict_slice payload = payload_of(encode_copy(pipeline, value));

    pdict__pipeline_close(pipeline);
    return payload;
}

TEST(hostile, bombs_come_to_nothing)
{
    static const char *const compressors[] = { "zlib", "zstd" };

    need_all();
    for (size_t i = 0; i < 2; i++) {
        pdict_slice bomb = packed(compressors[i], value_of(TEST_MAX_VALUE, false));
        struct record_header header = { .serializer = 1,
                                        .compressor = need_codec(compressors[i])->id,
                                        .checksum = CHECKSUM_XXH3 };

        header.plain_size = TEST_MAX_VALUE + 1; /* declared */
        check_forged(header, bomb, PDICT_TOO_BIG);
        header.plain_size = UINT32_MAX;
        check_forged(header, bomb, PDICT_TOO_BIG);
        header.plain_size = (uint32_t)bomb.size + 1; /* undeclared */
        check_forged(header, bomb, PDICT_FORMAT);
        header.plain_size = TEST_MAX_VALUE - 1;
        check_forged(header, bomb, PDICT_FORMAT);
    }
}

TEST(hostile, value_smaller_than_stated_is_refused)
{
    struct record_header header = { .serializer = 1, .compressor = 2, .checksum = CHECKSUM_XXH3 };

    need_all();
    header.plain_size = 1001;
    check_forged(header, packed("zstd", value_of(1000, false)), PDICT_FORMAT);
    header.compressor = 1;
    check_forged(header, packed("zlib", value_of(1000, false)), PDICT_FORMAT);
}

TEST(hostile, compressed_value_reaches_the_sink_only_after_tag_or_checksum)
{
    static const char *const codecs[] = { "raw,zstd", "raw,zstd,xchacha20" };

    need_all();
    for (size_t i = 0; i < 2; i++) {
        struct pipeline *pipeline = new_pipeline(codecs[i]);
        pdict_slice record = encode_copy(pipeline, value_of(1000, false));
        struct watched_sink watched = { 0 };

        ((uint8_t *)(uintptr_t)record.data)[record.size - 1] ^= 1;
        CHECK(decode_into(pipeline, record, &watched) != PDICT_OK);
        CHECK_INT(watched.calls, 0);
        pdict__pipeline_close(pipeline);
    }
}
