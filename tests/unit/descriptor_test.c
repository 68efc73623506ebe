/* SPDX-License-Identifier: MIT */
/* The promises of core/value/descriptor.c: its text, and what is refused in it. */
#include "value_fixture.h"

static const char plain_body[] = "pdict-map 1\n"
                                 "id=61206d6170206f662074657374732100\n"
                                 "created_ms=1700000000000\n"
                                 "serializer=raw\n"
                                 "cipher=none\n"
                                 "checksum=xxh3\n"
                                 "max_value=67108864\n";

static struct descriptor sample(bool is_sealed)
{
    struct descriptor descriptor = { .created_ms = 1700000000000,
                                     .max_value = 64 << 20,
                                     .has_checksum = !is_sealed,
                                     .serializer = need_codec("raw"),
                                     .cipher = is_sealed ? need_codec("xchacha20") : NULL };

    memcpy(descriptor.map_id, test_map_id, MAP_ID_SIZE);
    return descriptor;
}

static struct keyring *sample_ring(void)
{
    struct secret secret = secret_key(TEST_KEY);

    return new_ring(test_map_id, &secret);
}

/* The text, freed at the end of the test, with a terminating zero. */
static char *text_of(const struct keyring *ring)
{
    struct descriptor descriptor = sample(ring != NULL);
    struct buf out = { .allocator = &test_allocator };
    char *text;

    CHECK_OK(pdict__descriptor_encode(&descriptor, ring, &out));
    text = test_alloc(out.size + 1);
    memcpy(text, out.data, out.size);
    text[out.size] = '\0';
    pdict__buf_free(&out);
    return text;
}

static int decode_status_of(pdict_slice text)
{
    static const struct descriptor zero;
    struct descriptor descriptor;
    int status = pdict__descriptor_decode(text, &descriptor);

    if (status != PDICT_OK) {
        CHECK(descriptor.serializer == NULL);
        CHECK_BYTES(descriptor.map_id, MAP_ID_SIZE, zero.map_id, MAP_ID_SIZE);
    }
    return status;
}

static int read_status(pdict_slice text, const struct keyring *ring)
{
    int status = decode_status_of(text);

    return status == PDICT_OK ? pdict__descriptor_verify(text, ring) : status;
}

/* Any body with a true check. */
static char *checked(const char *body)
{
    char *text = test_alloc(strlen(body) + 64);

    sprintf(text, "%scheck=%016llx\n", body,
            (unsigned long long)pdict__hash64(body, strlen(body), 0));
    return text;
}

/* The plain text with `old` replaced by `new`, and a true check. */
static int read_changed(const char *old, const char *new)
{
    char *body = test_alloc(sizeof(plain_body) + strlen(new));
    const char *at = strstr(plain_body, old);

    CHECK(at != NULL);
    sprintf(body, "%.*s%s%s", (int)(at - plain_body), plain_body, new, at + strlen(old));
    return read_status(slice_of(checked(body)), NULL);
}

TEST(descriptor, plain_text_is_written_as_documented)
{
    CHECK_STR(text_of(NULL), checked(plain_body));
}

TEST(descriptor, sealed_text_ends_with_the_mac_of_the_lines_above)
{
    struct keyring *ring = sample_ring();
    char *text = text_of(ring), *last = strstr(text, "mac=");
    uint8_t mac[KEYRING_MAC_SIZE];
    char hex[2 * KEYRING_MAC_SIZE + 1];

    CHECK(last != NULL);
    CHECK_OK(pdict__keyring_mac(ring, (pdict_slice){ text, (size_t)(last - text) }, mac));
    pdict__hex_encode(mac, sizeof(mac), hex);
    CHECK_BYTES(last + 4, strlen(last + 4) - 1, hex, strlen(hex));
    CHECK(strstr(text, "cipher=xchacha20\n") != NULL);
    pdict__keyring_free(ring);
}

TEST(descriptor, plain_descriptor_is_read_back)
{
    struct descriptor written = sample(false), descriptor;
    pdict_slice text = slice_of(text_of(NULL));

    CHECK_OK(pdict__descriptor_decode(text, &descriptor));
    CHECK_OK(pdict__descriptor_verify(text, NULL));
    CHECK_BYTES(descriptor.map_id, MAP_ID_SIZE, written.map_id, MAP_ID_SIZE);
    CHECK_INT(descriptor.created_ms, written.created_ms);
    CHECK_INT(descriptor.max_value, written.max_value);
    CHECK(descriptor.has_checksum);
    CHECK(descriptor.serializer == written.serializer);
    CHECK(descriptor.cipher == NULL);
}

TEST(descriptor, sealed_descriptor_is_read_back)
{
    struct keyring *ring = sample_ring();
    pdict_slice text = slice_of(text_of(ring));
    struct descriptor descriptor;

    CHECK_OK(pdict__descriptor_decode(text, &descriptor));
    CHECK_OK(pdict__descriptor_verify(text, ring));
    CHECK(descriptor.cipher == need_codec("xchacha20"));
    CHECK(!descriptor.has_checksum);
    pdict__keyring_free(ring);
}

static void check_every_flip_is_refused(char *text, const struct keyring *ring)
{
    size_t size = strlen(text);

    for (size_t bit = 0; bit < 8 * size; bit++) {
        int status;

        text[bit / 8] ^= (char)(1 << bit % 8);
        status = read_status((pdict_slice){ text, size }, ring);
        text[bit / 8] ^= (char)(1 << bit % 8);
        if (status != PDICT_DAMAGED && status != PDICT_NEWER_FORMAT &&
            status != PDICT_UNKNOWN_CODEC)
            FAIL("bit %zu gives %s", bit, pdict_status_name(status));
    }
    CHECK_OK(read_status((pdict_slice){ text, size }, ring));
}

TEST(descriptor, every_flipped_bit_is_refused)
{
    struct keyring *ring = sample_ring();

    check_every_flip_is_refused(text_of(NULL), NULL);
    check_every_flip_is_refused(text_of(ring), ring);
    pdict__keyring_free(ring);
}

TEST(descriptor, every_truncation_is_damage)
{
    char *text = text_of(NULL);

    for (size_t size = 0; size < strlen(text); size++) {
        CHECK_STATUS(decode_status_of((pdict_slice){ text, size }), PDICT_DAMAGED);
        CHECK_STATUS(pdict__descriptor_verify((pdict_slice){ text, size }, NULL), PDICT_DAMAGED);
    }
    CHECK_STATUS(decode_status_of((pdict_slice){ 0 }), PDICT_DAMAGED);
    CHECK_STATUS(pdict__descriptor_verify((pdict_slice){ 0 }, NULL), PDICT_DAMAGED);
}

TEST(descriptor, anything_behind_the_last_line_is_damage)
{
    char *text = text_of(NULL), *longer = test_alloc(strlen(text) + 2);

    sprintf(longer, "%s\n", text);
    CHECK_STATUS(decode_status_of(slice_of(longer)), PDICT_DAMAGED);
}

TEST(descriptor, huge_text_is_damage)
{
    char *text = test_alloc(8192);

    memset(text, 'x', 8192);
    CHECK_STATUS(decode_status_of((pdict_slice){ text, 8192 }), PDICT_DAMAGED);
    CHECK(error_mentions("too long"));
}

TEST(descriptor, later_versions_and_unknown_lines_are_a_newer_format)
{
    CHECK_STATUS(read_changed("pdict-map 1", "pdict-map 2"), PDICT_NEWER_FORMAT);
    CHECK_STATUS(read_changed("cipher=", "names=private\ncipher="), PDICT_NEWER_FORMAT);
    CHECK_STATUS(read_changed("67108864\n", "67108864\nttl=5\n"), PDICT_NEWER_FORMAT);
}

TEST(descriptor, names_are_hidden_only_with_a_cipher)
{
    CHECK_STATUS(read_changed("67108864\n", "67108864\nnames=hidden\n"), PDICT_DAMAGED);
    CHECK(error_mentions("cipher"));
    CHECK_STATUS(read_changed("67108864\n", "67108864\nnames=hidden \n"), PDICT_NEWER_FORMAT);
}

TEST(descriptor, unknown_codec_is_named)
{
    CHECK_STATUS(read_changed("serializer=raw", "serializer=morse"), PDICT_UNKNOWN_CODEC);
    CHECK(error_mentions("'morse'"));
}

TEST(descriptor, codec_of_the_wrong_kind_is_damage)
{
    need_codec("zstd");
    CHECK_STATUS(read_changed("serializer=raw", "serializer=zstd"), PDICT_DAMAGED);
    CHECK_STATUS(read_changed("cipher=none", "cipher=raw"), PDICT_DAMAGED);
}

TEST(descriptor, lines_out_of_order_or_twice_are_damage)
{
    CHECK_STATUS(read_changed("cipher=none\nchecksum=xxh3", "checksum=xxh3\ncipher=none"),
                 PDICT_DAMAGED);
    CHECK_STATUS(read_changed("serializer=raw\n", "serializer=raw\nserializer=raw\n"),
                 PDICT_DAMAGED);
    CHECK_STATUS(read_changed("cipher=none\n", ""), PDICT_DAMAGED);
}

TEST(descriptor, second_forms_of_one_value_are_damage)
{
    static const char *const changes[][2] = {
        { "pdict-map 1", "pdict-map 01" },
        { "pdict-map 1", "pdict-map 0" },
        { "id=61", "id=6" },
        { "id=61206d", "id=61206D" },
        { "created_ms=1", "created_ms=01" },
        { "created_ms=1", "created_ms=-1" },
        { "created_ms=", "created_ms= " },
        { "=1700000000000", "=9223372036854775808" },
        { "=67108864", "=4294967296" },
        { "=67108864", "=" },
        { "checksum=xxh3", "checksum=xxh32" },
        { "checksum=xxh3", "checksum=on" },

        { "serializer=raw", "serializer=" },
        { "serializer=raw", "serializer=RAW" },
        { "raw", "rawrawrawrawrawrawrawrawrawrawraw" },
    };

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        if (read_changed(changes[i][0], changes[i][1]) != PDICT_DAMAGED)
            FAIL("'%s' is not refused", changes[i][1]);
    }
}

TEST(descriptor, encrypted_map_is_not_believed_without_its_mac)
{
    struct keyring *ring = sample_ring();

    CHECK_STATUS(pdict__descriptor_verify(slice_of(checked(plain_body)), ring), PDICT_DAMAGED);
    CHECK_STATUS(read_changed("cipher=none", "cipher=xchacha20"), PDICT_DAMAGED);
    pdict__keyring_free(ring);
}

TEST(descriptor, mac_of_another_ring_is_damage)
{
    struct keyring *ring = sample_ring(), *other = sample_ring();

    CHECK_STATUS(pdict__descriptor_verify(slice_of(text_of(ring)), other), PDICT_DAMAGED);
    pdict__keyring_free(ring);
    pdict__keyring_free(other);
}

TEST(descriptor, what_could_not_be_read_is_not_written)
{
    struct descriptor early = sample(false), large = sample(false);
    struct buf out = { .allocator = &test_allocator };

    early.created_ms = -1;
    large.max_value = (uint64_t)UINT32_MAX + 1;
    CHECK_STATUS(pdict__descriptor_encode(&early, NULL, &out), PDICT_INVAL);
    CHECK_STATUS(pdict__descriptor_encode(&large, NULL, &out), PDICT_TOO_BIG);
    pdict__buf_free(&out);
}

TEST(descriptor, missing_memory_is_reported)
{
    struct descriptor descriptor = sample(false);
    int status = PDICT_NOMEM;

    for (long nth = 1; status != PDICT_OK; nth++) {
        struct buf out = { .allocator = &test_allocator };

        memory_fail_at(nth);
        status = pdict__descriptor_encode(&descriptor, NULL, &out);
        if (status != PDICT_OK)
            CHECK_STATUS(status, PDICT_NOMEM);
        pdict__buf_free(&out);
        CHECK_INT(memory.live, 0);
    }
}
