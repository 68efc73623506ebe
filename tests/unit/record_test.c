/* SPDX-License-Identifier: MIT */
/* The promises of core/value/record.c: the envelope's bytes, and what is refused in them. */
#include "value_fixture.h"

static const struct record_header sample = { .flags = 0,
                                             .serializer = 1,
                                             .compressor = 2,
                                             .cipher = 3,
                                             .checksum = CHECKSUM_NONE,
                                             .key_epoch = 0x0405,
                                             .dictionary = 0x0607,
                                             .plain_size = 0x08090A0B };
static const uint8_t sample_bytes[RECORD_HEADER_SIZE] = { 0xD7, 1,    0,    0,    1,    2,
                                                          3,    0,    0x05, 0x04, 0x07, 0x06,
                                                          0x0B, 0x0A, 0x09, 0x08 };

static int read_bytes(const uint8_t *bytes, size_t size)
{
    struct record_header header;

    return pdict__record_header_read((pdict_slice){ bytes, size }, &header);
}

static int read_back(const struct record_header *header)
{
    uint8_t bytes[RECORD_HEADER_SIZE];

    pdict__record_header_write(header, bytes);
    return read_bytes(bytes, sizeof(bytes));
}

/* The sample with one byte changed. */
static int read_with(size_t at, uint8_t byte)
{
    uint8_t bytes[RECORD_HEADER_SIZE];

    memcpy(bytes, sample_bytes, sizeof(bytes));
    bytes[at] = byte;
    return read_bytes(bytes, sizeof(bytes));
}

TEST(record, header_is_laid_out_as_documented)
{
    uint8_t bytes[RECORD_HEADER_SIZE];

    pdict__record_header_write(&sample, bytes);
    CHECK_BYTES(bytes, sizeof(bytes), sample_bytes, sizeof(sample_bytes));
}

TEST(record, header_is_read_back)
{
    struct record_header header;

    CHECK_OK(pdict__record_header_read((pdict_slice){ sample_bytes, 16 }, &header));
    CHECK_INT(header.flags, sample.flags);
    CHECK_INT(header.serializer, sample.serializer);
    CHECK_INT(header.compressor, sample.compressor);
    CHECK_INT(header.cipher, sample.cipher);
    CHECK_INT(header.checksum, sample.checksum);
    CHECK_INT(header.key_epoch, sample.key_epoch);
    CHECK_INT(header.dictionary, sample.dictionary);
    CHECK_INT(header.plain_size, sample.plain_size);
}

TEST(record, anything_shorter_than_a_header_is_malformed)
{
    for (size_t size = 0; size < RECORD_HEADER_SIZE; size++) {
        uint8_t *bytes = malloc(size + 1);

        memcpy(bytes, sample_bytes, size);
        CHECK_STATUS(read_bytes(bytes, size), PDICT_FORMAT);
        free(bytes);
    }
    CHECK_STATUS(read_bytes(NULL, 0), PDICT_FORMAT);
}

TEST(record, wrong_magic_is_malformed)
{
    CHECK_STATUS(read_with(0, 0xD6), PDICT_FORMAT);
}

TEST(record, later_version_is_a_newer_format)
{
    CHECK_STATUS(read_with(1, 2), PDICT_NEWER_FORMAT);
    CHECK(error_mentions("version 2"));
    CHECK_STATUS(read_with(1, 255), PDICT_NEWER_FORMAT);
}

TEST(record, version_zero_is_malformed)
{
    CHECK_STATUS(read_with(1, 0), PDICT_FORMAT);
}

TEST(record, unknown_flags_are_malformed)
{
    CHECK_STATUS(read_with(2, 4), PDICT_FORMAT);
    CHECK_STATUS(read_with(3, 1), PDICT_FORMAT);
}

TEST(record, failed_read_leaves_a_zeroed_header)
{
    static const struct record_header zero;
    struct record_header header = sample;

    CHECK_STATUS(pdict__record_header_read((pdict_slice){ "x", 1 }, &header), PDICT_FORMAT);
    CHECK_INT(memcmp(&header, &zero, sizeof(header)), 0);
}

TEST(record, contradicting_fields_are_malformed)
{
    static const struct record_header contradictions[] = {
        { .serializer = 0 },
        { .serializer = 1, .checksum = 2 },
        { .serializer = 1, .cipher = 1, .key_epoch = 1, .checksum = CHECKSUM_XXH3 },
        { .serializer = 1, .cipher = 1, .key_epoch = 0 },
        { .serializer = 1, .cipher = 0, .key_epoch = 1 },
        { .serializer = 1, .compressor = 1, .plain_size = 9, .flags = RECORD_NOT_COMPRESSED },
        { .serializer = 1, .compressor = 1, .plain_size = 0 },
        { .serializer = 1, .compressor = 0, .dictionary = 1 },
    };

    for (size_t i = 0; i < sizeof(contradictions) / sizeof(contradictions[0]); i++)
        CHECK_STATUS(read_back(&contradictions[i]), PDICT_FORMAT);
}

TEST(record, consistent_fields_are_read)
{
    static const struct record_header consistent[] = {
        { .serializer = 1 },
        { .serializer = 255, .checksum = CHECKSUM_XXH3, .plain_size = UINT32_MAX },
        { .serializer = 1, .cipher = 1, .key_epoch = 65535 },
        { .serializer = 1, .flags = RECORD_NOT_COMPRESSED, .plain_size = 5 },
        { .serializer = 1, .compressor = 1, .dictionary = 1, .plain_size = 1 },
    };

    for (size_t i = 0; i < sizeof(consistent) / sizeof(consistent[0]); i++)
        CHECK_OK(read_back(&consistent[i]));
}

static struct buf bound_of(const uint8_t *map_id, const uint8_t *header, struct binding binding)
{
    struct buf out = { .allocator = &test_allocator };

    CHECK_OK(pdict__record_bound(map_id, header, &binding, &out));
    return out;
}

TEST(record, bound_bytes_are_laid_out_as_documented)
{
    static const uint8_t fixed[] = "pdict/record/1\0\0"
                                   "a map of tests!\0"
                                   "\xD7\x01\0\0\x01\x02\x03\0\x05\x04\x07\x06\x0B\x0A\x09\x08"
                                   "\x08\x07\x06\x05\x04\x03\x02\x01"
                                   "\x88\x77\x66\x55\x44\x33\x22\x11"
                                   "\x05\0\0\0"
                                   "a key";
    struct binding binding = { .key = { "a key", 5 },
                               .version = 0x1122334455667788,
                               .expires_ms = 0x0102030405060708 };
    struct buf out = bound_of(test_map_id, sample_bytes, binding);

    CHECK_BYTES(out.data, out.size, fixed, sizeof(fixed) - 1);
    pdict__buf_free(&out);
}

TEST(record, bound_bytes_of_the_empty_key_end_with_its_size)
{
    struct buf out = bound_of(test_map_id, sample_bytes, (struct binding){ .version = 1 });

    CHECK_INT(out.size, 68);
    CHECK_BYTES(out.data + 64, 4, "\0\0\0\0", 4);
    pdict__buf_free(&out);
}

TEST(record, key_over_four_gibibytes_is_too_big)
{
    struct buf out = { .allocator = &test_allocator };
    struct binding binding = { .key = { "", SIZE_MAX } };

    if (SIZE_MAX == UINT32_MAX)
        SKIP("sizes have 32 bits here");
    CHECK_STATUS(pdict__record_bound(test_map_id, sample_bytes, &binding, &out), PDICT_TOO_BIG);
    CHECK_INT(out.size, 0);
}

TEST(record, bound_bytes_report_missing_memory)
{
    struct buf out = { .allocator = &test_allocator };

    memory_fail_at(1);
    CHECK_STATUS(pdict__record_bound(test_map_id, sample_bytes, &test_binding, &out), PDICT_NOMEM);
}

TEST(record, checksum_is_the_payload_seeded_by_the_bound_bytes)
{
    pdict_slice bound = slice_of("bound"), payload = slice_of("payload");

    CHECK(pdict__record_checksum(bound, payload) ==
          pdict__hash64("payload", 7, pdict__hash64("bound", 5, 0)));
    CHECK(pdict__record_checksum(bound, (pdict_slice){ 0 }) !=
          pdict__record_checksum(payload, (pdict_slice){ 0 }));
}

TEST(record, every_bound_byte_changes_the_checksum)
{
    struct buf out = bound_of(test_map_id, sample_bytes, test_binding);
    pdict_slice payload = slice_of("payload");
    uint64_t checksum = pdict__record_checksum(slice_of_buf(&out), payload);

    for (size_t i = 0; i < out.size; i++) {
        out.data[i] ^= 1;
        CHECK(pdict__record_checksum(slice_of_buf(&out), payload) != checksum);
        out.data[i] ^= 1;
    }
    pdict__buf_free(&out);
}
