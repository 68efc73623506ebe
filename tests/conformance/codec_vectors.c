/* SPDX-License-Identifier: MIT */
/* Codec conformance: published and independently computed results of xchacha20's primitives. */
#include "codec_suite.h"

static unsigned hex_digit(char digit)
{
    return (unsigned)(strchr("0123456789abcdef", digit) - "0123456789abcdef");
}

static pdict_slice from_hex(const char *hex, unsigned char *out)
{
    size_t size = strlen(hex) / 2;

    for (size_t i = 0; i < size; i++)
        out[i] = (unsigned char)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
    return slice_of(out, size);
}

static void count_up(unsigned char *out, size_t size, unsigned from)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (unsigned char)(from + i);
}

/* draft-irtf-cfrg-xchacha-03, appendix A.3.1 */
static void seal_matches_the_published_vector(const pdict_codec *codec)
{
    const pdict_slice plain = slice_of_text(
        "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
        "future, sunscreen would be it.");
    unsigned char key[32], nonce[24], aad_bytes[16], expected_bytes[160], out[160], back[160];
    pdict_slice aad = from_hex("50515253c0c1c2c3c4c5c6c7", aad_bytes);
    pdict_slice expected = from_hex(
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f"
        "4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f"
        "76b2383565d3fff921f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49",
        expected_bytes);

    CHECK_OK(codec->cipher->ready());
    count_up(key, sizeof(key), 0x80);
    count_up(nonce, sizeof(nonce), 0x40);
    CHECK_OK(codec->cipher->seal(key, nonce, aad, plain, out));
    CHECK_BYTES(slice_of(out, plain.size + codec->cipher->tag_size), expected);
    CHECK_OK(codec->cipher->open(key, nonce, aad, expected, back));
    CHECK_BYTES(slice_of(back, plain.size), plain);

    /* Computed with HChaCha20 by hand and the ChaCha20-Poly1305 of another library. */
    expected = from_hex("1dac8f73146d1e9da796cb7f7221a5df", expected_bytes);
    CHECK_OK(codec->cipher->seal(key, nonce, slice_of(NULL, 0), slice_of(NULL, 0), out));
    CHECK_BYTES(slice_of(out, codec->cipher->tag_size), expected);
}

static void check_hash(const pdict_codec *codec, pdict_slice key, pdict_slice data, const char *hex)
{
    unsigned char expected_bytes[64], out[64];
    pdict_slice expected = from_hex(hex, expected_bytes);

    CHECK_OK(codec->cipher->ready());
    CHECK_OK(codec->cipher->hash(key, data, out, expected.size));
    CHECK_BYTES(slice_of(out, expected.size), expected);
}

/* BLAKE2b: RFC 7693 appendix A, and the last keyed vector of the reference implementation;
 * the others computed with another library. */
static void hash_matches_the_published_vectors(const pdict_codec *codec)
{
    unsigned char key[64], data[256];

    count_up(key, sizeof(key), 0);
    count_up(data, sizeof(data), 0);
    check_hash(codec, slice_of(NULL, 0), slice_of_text("abc"),
               "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
               "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
    check_hash(codec, slice_of(NULL, 0), slice_of(NULL, 0),
               "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
    check_hash(codec, slice_of(key, 32), slice_of_text("abc"), "1a64be47e4729d951c302ee543f97cf3");
    check_hash(codec, slice_of(key, 64), slice_of(data, 255),
               "142709d62e28fcccd0af97fad0f8465b971e82201dc51070faa0372aa43e9248"
               "4be1c1e73ba10906d5d1853db6a4106e0a7bf9800d373d6dee2d46d62ef2a461");
}

/* Argon2id 1.3 with one lane, salt 00..0f; computed with another library. */
static void derive_matches_another_library(const pdict_codec *codec)
{
    static const struct {
        const char *password;
        uint64_t operations;
        uint64_t memory_bytes;
        const char *key;
    } cases[] = {
        { "password", 1, 65536,
          "9c493022877348e034719bce110c99301e5d4d16acacc6a829000ff2044b1b0c" },
        { "", 3, 262144,
          "ce58d2ca1f00bdd00d071ad112d87bd6d67c8e4e5ecfe07e81e3d533236d1509"
          "1118b8e8367dc1fa184143dab9de7ed172401b1a46998ff96597db47155cf922" },
        { "correct horse battery staple", 2, 1048576, "17d9e5f46b434e171b661cd3db48cd25" },
    };
    unsigned char expected_bytes[64], out[64];

    CHECK_OK(codec->cipher->ready());
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        pdict_kdf kdf = { .operations = cases[i].operations,
                          .memory_bytes = cases[i].memory_bytes };
        pdict_slice expected = from_hex(cases[i].key, expected_bytes);
        count_up(kdf.salt, sizeof(kdf.salt), 0);
        suite_note("case %zu", i);
        CHECK_OK(codec->cipher->derive(&kdf, slice_of_text(cases[i].password), out, expected.size));
        CHECK_BYTES(slice_of(out, expected.size), expected);
    }
}

static void parameters_out_of_range_are_refused(const pdict_codec *codec)
{
    static const struct {
        uint64_t operations;
        uint64_t memory_bytes;
        size_t out_size;
    } bad[] = { { 0, 65536, 32 },      { UINT64_MAX, 65536, 32 }, { 1, 8191, 32 },
                { 1, UINT64_MAX, 32 }, { 1, 65536, 15 },          { 1, 65536, 0 } };
    unsigned char bytes[128] = { 0 }, out[128];

    CHECK_OK(codec->cipher->ready());
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        pdict_kdf kdf = { .operations = bad[i].operations, .memory_bytes = bad[i].memory_bytes };
        suite_note("case %zu", i);
        CHECK_STATUS(codec->cipher->derive(&kdf, slice_of_text("x"), out, bad[i].out_size),
                     PDICT_INVAL);
    }
    for (size_t size = 0; size <= 100; size++) {
        bool is_legal = size >= 16 && size <= 64;
        suite_note("size %zu", size);
        CHECK_STATUS(codec->cipher->hash(slice_of(NULL, 0), slice_of_text("x"), out, size),
                     is_legal ? PDICT_OK : PDICT_INVAL);
        CHECK_STATUS(codec->cipher->hash(slice_of(bytes, size), slice_of_text("x"), out, 32),
                     is_legal || size == 0 ? PDICT_OK : PDICT_INVAL);
    }
}

const codec_test codec_vector_tests[] = {
    { "seal_matches_the_published_vector", PDICT_CIPHER, "xchacha20",
      seal_matches_the_published_vector },
    { "hash_matches_the_published_vectors", PDICT_CIPHER, "xchacha20",
      hash_matches_the_published_vectors },
    { "derive_matches_another_library", PDICT_CIPHER, "xchacha20", derive_matches_another_library },
    { "parameters_out_of_range_are_refused", PDICT_CIPHER, "xchacha20",
      parameters_out_of_range_are_refused },
    { NULL, 0, NULL, NULL },
};
