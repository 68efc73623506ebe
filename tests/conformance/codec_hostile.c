/* SPDX-License-Identifier: MIT */
/* Codec conformance: a compressor given damaged or forged input refuses it and touches nothing. */
#include <limits.h>
#include <stdlib.h>

#include "codec_suite.h"

/** A compressor with a small valid frame to damage. */
typedef struct victim {
    engine e;
    guarded in;
    guarded out;
    unsigned char plain[400];
    unsigned char *packed;
    size_t packed_size;
} victim;

static void victim_open(victim *v, const pdict_codec *codec, int shape)
{
    engine_open(&v->e, codec, NULL, NULL);
    guarded_open(&v->in, 4096);
    guarded_open(&v->out, 8192);
    sample_fill(shape, v->plain, sizeof(v->plain));
    v->packed = engine_encode(&v->e, slice_of(v->plain, sizeof(v->plain)), &v->packed_size);
}

static void victim_close(victim *v)
{
    free(v->packed);
    guarded_close(&v->in);
    guarded_close(&v->out);
    engine_close(&v->e);
}

static int decode_once(victim *v, const unsigned char *in, size_t in_size, unsigned char *out,
                       size_t out_size)
{
    return v->e.ops->decode(v->e.self, v->e.context, slice_of(in, in_size), out, out_size);
}

/**
 * Decode what may be damaged. On success every byte must have been written: two runs over
 * different old contents then agree.
 */
static int decode(victim *v, const void *packed, size_t packed_size, size_t out_size, int edge)
{
    unsigned char *in = guarded_copy(&v->in, packed, packed_size, edge);
    unsigned char *out = guarded_place(&v->out, out_size, edge);
    unsigned char first[8192];
    int status = decode_once(v, in, packed_size, out, out_size);

    guarded_check(&v->out, out, out_size);
    CHECK_BYTES(slice_of(in, packed_size), slice_of(packed, packed_size));
    if (status != PDICT_OK) {
        CHECK_STATUS(status, PDICT_FORMAT);
        CHECK(pdict_error_text()[0] != '\0');
        return status;
    }
    if (out_size == 0)
        return status;
    memcpy(first, out, out_size);
    memset(out, 0x5A, out_size);
    CHECK_OK(decode_once(v, in, packed_size, out, out_size));
    CHECK_BYTES(slice_of(out, out_size), slice_of(first, out_size));
    return status;
}

static void still_decodes(victim *v)
{
    unsigned char *out = guarded_place(&v->out, sizeof(v->plain), GUARDED_HIGH);

    CHECK_OK(decode_once(v, v->packed, v->packed_size, out, sizeof(v->plain)));
    CHECK_BYTES(slice_of(out, sizeof(v->plain)), slice_of(v->plain, sizeof(v->plain)));
}

static void input_cut_short_is_refused(const pdict_codec *codec)
{
    victim v;

    for (int shape = 0; shape < SAMPLE_SHAPES; shape++) {
        victim_open(&v, codec, shape);
        for (size_t size = 0; size < v.packed_size; size++)
            for (int edge = 0; edge < GUARDED_EDGES; edge++) {
                suite_note("%s, first %zu of %zu bytes", sample_name(shape), size, v.packed_size);
                CHECK_STATUS(decode(&v, v.packed, size, sizeof(v.plain), edge), PDICT_FORMAT);
                CHECK_STATUS(
                    decode(&v, v.packed + v.packed_size - size, size, sizeof(v.plain), edge),
                    PDICT_FORMAT);
            }
        still_decodes(&v);
        victim_close(&v);
    }
}

static void input_followed_by_anything_is_refused(const pdict_codec *codec)
{
    unsigned char joined[4096];
    victim v;

    victim_open(&v, codec, SAMPLE_TEXT);
    memcpy(joined, v.packed, v.packed_size);
    for (unsigned byte = 0; byte <= UCHAR_MAX; byte++) {
        joined[v.packed_size] = (unsigned char)byte;
        CHECK_STATUS(decode(&v, joined, v.packed_size + 1, sizeof(v.plain), GUARDED_HIGH),
                     PDICT_FORMAT);
    }
    memcpy(joined + v.packed_size, v.packed, v.packed_size);
    CHECK_STATUS(decode(&v, joined, 2 * v.packed_size, sizeof(v.plain), GUARDED_HIGH),
                 PDICT_FORMAT);
    CHECK_STATUS(decode(&v, joined, 2 * v.packed_size, 2 * sizeof(v.plain), GUARDED_HIGH),
                 PDICT_FORMAT);
    still_decodes(&v);
    victim_close(&v);
}

/* The smallest values too, the empty one among them, which an encoder may treat in ways of its own. */
static void an_encoding_is_never_empty_and_knows_its_end(const pdict_codec *codec)
{
    static const size_t sizes[] = { 0, 1, 2, 17, 100 };
    unsigned char joined[1024];
    victim v;

    victim_open(&v, codec, SAMPLE_RECORDS);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        size_t size;
        unsigned char *packed = engine_encode(&v.e, slice_of(v.plain, sizes[i]), &size);

        suite_note("%zu bytes, encoded as %zu", sizes[i], size);
        CHECK(0 < size && size < sizeof(joined));
        memcpy(joined, packed, size);
        joined[size] = 0;
        CHECK_STATUS(decode(&v, joined, size, sizes[i], GUARDED_HIGH), PDICT_OK);
        CHECK_STATUS(decode(&v, joined, size + 1, sizes[i], GUARDED_HIGH), PDICT_FORMAT);
        for (size_t cut = 0; cut < size; cut++)
            CHECK_STATUS(decode(&v, joined, cut, sizes[i], GUARDED_HIGH), PDICT_FORMAT);
        free(packed);
    }
    victim_close(&v);
}

static void wrong_declared_size_is_refused(const pdict_codec *codec)
{
    victim v;

    for (int shape = 0; shape < SAMPLE_SHAPES; shape++) {
        victim_open(&v, codec, shape);
        for (size_t size = 0; size <= 2 * sizeof(v.plain); size++) {
            suite_note("%s, %zu instead of %zu", sample_name(shape), size, sizeof(v.plain));
            CHECK_STATUS(decode(&v, v.packed, v.packed_size, size, (int)(size % GUARDED_EDGES)),
                         size == sizeof(v.plain) ? PDICT_OK : PDICT_FORMAT);
        }
        victim_close(&v);
    }
}

static void value_is_not_an_empty_one(const pdict_codec *codec)
{
    unsigned char empty[64];
    size_t empty_size;
    unsigned char *packed;
    victim v;

    victim_open(&v, codec, SAMPLE_TEXT);
    packed = engine_encode(&v.e, slice_of(NULL, 0), &empty_size);
    CHECK(empty_size <= sizeof(empty));
    memcpy(empty, packed, empty_size);
    CHECK_STATUS(decode(&v, empty, empty_size, 0, GUARDED_HIGH), PDICT_OK);
    CHECK_STATUS(decode(&v, empty, empty_size, 1, GUARDED_HIGH), PDICT_FORMAT);
    CHECK_STATUS(decode(&v, v.packed, v.packed_size, 0, GUARDED_HIGH), PDICT_FORMAT);
    free(packed);
    victim_close(&v);
}

static void no_single_flipped_bit_does_harm(const pdict_codec *codec)
{
    victim v;

    for (int shape = 0; shape < SAMPLE_SHAPES; shape++) {
        victim_open(&v, codec, shape);
        for (size_t bit = 0; bit < v.packed_size * CHAR_BIT; bit++) {
            v.packed[bit / CHAR_BIT] ^= (unsigned char)(1u << bit % CHAR_BIT);
            suite_note("%s, bit %zu", sample_name(shape), bit);
            (void)decode(&v, v.packed, v.packed_size, sizeof(v.plain), (int)(bit & 1));
            v.packed[bit / CHAR_BIT] ^= (unsigned char)(1u << bit % CHAR_BIT);
        }
        still_decodes(&v);
        victim_close(&v);
    }
}

static void random_input_does_no_harm(const pdict_codec *codec)
{
    suite_random random = { 31 };
    unsigned char garbage[1024];
    victim v;

    victim_open(&v, codec, SAMPLE_RECORDS);
    for (int round = 0; round < 5000; round++) {
        size_t size = suite_random_below(&random, sizeof(garbage));
        suite_random_fill(&random, garbage, size);
        suite_note("round %d", round);
        (void)decode(&v, garbage, size, suite_random_below(&random, 4096), round & 1);
    }
    still_decodes(&v);
    victim_close(&v);
}

/* Damage behind a valid beginning reaches the parts of a decoder that garbage never sees. */
static void damaged_values_do_no_harm(const pdict_codec *codec)
{
    suite_random random = { 32 };
    unsigned char damaged[4096];
    victim v;

    for (int shape = 0; shape < SAMPLE_SHAPES; shape++) {
        victim_open(&v, codec, shape);
        for (int round = 0; round < 5000; round++) {
            size_t from = suite_random_below(&random, v.packed_size);
            size_t count = 1 + suite_random_below(&random, v.packed_size - from);
            memcpy(damaged, v.packed, v.packed_size);
            if (round % 2 == 0)
                suite_random_fill(&random, damaged + from, count < 4 ? count : 4);
            else
                memmove(damaged + suite_random_below(&random, v.packed_size - count + 1),
                        v.packed + from, count);
            suite_note("%s, round %d", sample_name(shape), round);
            (void)decode(&v, damaged, v.packed_size, sizeof(v.plain), round & 1);
        }
        still_decodes(&v);
        victim_close(&v);
    }
}

static void zlib_refuses_impossible_sizes_untouched(const pdict_codec *codec)
{
    const size_t size = 1024, huge = (size_t)UINT_MAX + 1;
    unsigned char *forbidden = untouchable(huge);
    size_t out_size;
    engine e;

    engine_open(&e, codec, NULL, NULL);
    CHECK_STATUS(
        e.ops->decode(e.self, e.context, slice_of(forbidden, size), forbidden, 1032 * size + 65),
        PDICT_FORMAT);
    CHECK_STATUS(e.ops->decode(e.self, e.context, slice_of(forbidden, huge), forbidden, 1),
                 PDICT_FORMAT);
    CHECK_STATUS(e.ops->decode(e.self, e.context, slice_of(forbidden, huge), forbidden, huge),
                 PDICT_FORMAT);
    CHECK(e.ops->bound(e.self, huge) == 0);
    CHECK_STATUS(
        e.ops->encode(e.self, e.context, slice_of(forbidden, huge), forbidden, huge, &out_size),
        PDICT_SKIP);
    engine_close(&e);
}

/* The densest stream that a library makes, zlib 1029 times and libdeflate 988 times as small, must
 * pass the check of the one above. */
static void zlib_takes_the_highest_expansion(const pdict_codec *codec)
{
    const size_t plain_size = 16u << 20;
    unsigned char *plain = calloc(1, plain_size);
    pdict_option_value level[] = { { .number = 9 } };
    unsigned char *packed;
    size_t size;
    engine e;

    CHECK(plain != NULL);
    engine_open(&e, codec, NULL, level);
    packed = engine_encode(&e, slice_of(plain, plain_size), &size);
    CHECK(plain_size / size > 980);
    CHECK_OK(e.ops->decode(e.self, e.context, slice_of(packed, size), plain, plain_size));
    free(packed);
    free(plain);
    engine_close(&e);
}

static void zlib_refuses_gzip_raw_deflate_and_dictionaries(const pdict_codec *codec)
{
    /* "a" in the other two containers of deflate, and a zlib header that asks for a dictionary */
    static const unsigned char gzip[] = { 0x1F, 0x8B, 8,    0,    0,    0,    0, 0, 0, 3, 0x4B,
                                          4,    0,    0x43, 0xBE, 0xB7, 0xE8, 1, 0, 0, 0 };
    static const unsigned char raw[] = { 0x4B, 4, 0 };
    static const unsigned char dictionary[] = { 0x78, 0xBB, 0, 0, 0, 1, 0x4B, 4, 0 };
    static const unsigned char plain[] = { 0x78, 0x9C, 0x4B, 4, 0, 0, 0x62, 0, 0x62 };
    victim v;

    victim_open(&v, codec, SAMPLE_TEXT);
    CHECK_OK(decode(&v, plain, sizeof(plain), 1, GUARDED_HIGH));
    CHECK_STATUS(decode(&v, gzip, sizeof(gzip), 1, GUARDED_HIGH), PDICT_FORMAT);
    CHECK_STATUS(decode(&v, raw, sizeof(raw), 1, GUARDED_HIGH), PDICT_FORMAT);
    CHECK_STATUS(decode(&v, dictionary, sizeof(dictionary), 1, GUARDED_HIGH), PDICT_FORMAT);
    victim_close(&v);
}

/*
 * Frames by hand, RFC 8878: magic number, descriptor, window or dictionary, content size, and one
 * last raw block of the byte 'a'.
 */
static void zstd_takes_one_plain_frame_only(const pdict_codec *codec)
{
    static const struct {
        const char *what;
        int status;
        size_t size;
        unsigned char bytes[24];
    } frames[] = {
        { "single segment", PDICT_OK, 10, { 0x28, 0xB5, 0x2F, 0xFD, 0x20, 1, 9, 0, 0, 'a' } },
        { "window 2^27",
          PDICT_OK,
          14,
          { 0x28, 0xB5, 0x2F, 0xFD, 0x80, 0x88, 1, 0, 0, 0, 9, 0, 0, 'a' } },
        { "window over 2^27",
          PDICT_FORMAT,
          14,
          { 0x28, 0xB5, 0x2F, 0xFD, 0x80, 0x89, 1, 0, 0, 0, 9, 0, 0, 'a' } },
        { "no content size",
          PDICT_FORMAT,
          10,
          { 0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x50, 9, 0, 0, 'a' } },
        { "dictionary 5", PDICT_FORMAT, 11, { 0x28, 0xB5, 0x2F, 0xFD, 0x21, 5, 1, 9, 0, 0, 'a' } },
        { "skippable", PDICT_FORMAT, 9, { 0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 'a' } },
        { "skippable in front",
          PDICT_FORMAT,
          18,
          { 0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0, 0x28, 0xB5, 0x2F, 0xFD, 0x20, 1, 9, 0, 0, 'a' } },
        { "skippable behind",
          PDICT_FORMAT,
          18,
          { 0x28, 0xB5, 0x2F, 0xFD, 0x20, 1, 9, 0, 0, 'a', 0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0 } },
        { "zstd 0.7", PDICT_FORMAT, 10, { 0x27, 0xB5, 0x2F, 0xFD, 0x20, 1, 9, 0, 0, 'a' } },
    };
    victim v;

    victim_open(&v, codec, SAMPLE_TEXT);
    for (size_t i = 0; i < COUNT_OF(frames); i++) {
        suite_note("%s", frames[i].what);
        CHECK_STATUS(decode(&v, frames[i].bytes, frames[i].size, 1, GUARDED_HIGH),
                     frames[i].status);
    }
    victim_close(&v);
}

/* zstd itself takes a skippable frame for an empty value. */
static void zstd_takes_no_skippable_frame_for_an_empty_value(const pdict_codec *codec)
{
    static const unsigned char skippable[] = { 0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 'a' };
    victim v;

    victim_open(&v, codec, SAMPLE_TEXT);
    CHECK_STATUS(decode(&v, skippable, sizeof(skippable), 0, GUARDED_HIGH), PDICT_FORMAT);
    victim_close(&v);
}

static void zstd_refuses_another_size_untouched(const pdict_codec *codec)
{
    unsigned char *forbidden = untouchable(8192);
    victim v;

    victim_open(&v, codec, SAMPLE_TEXT);
    CHECK_STATUS(decode_once(&v, v.packed, v.packed_size, forbidden, 8192), PDICT_FORMAT);
    victim_close(&v);
}

const codec_test codec_hostile_tests[] = {
    { "input_cut_short_is_refused", PDICT_COMPRESSOR, NULL, input_cut_short_is_refused },
    { "input_followed_by_anything_is_refused", PDICT_COMPRESSOR, NULL,
      input_followed_by_anything_is_refused },
    { "an_encoding_is_never_empty_and_knows_its_end", PDICT_COMPRESSOR, NULL,
      an_encoding_is_never_empty_and_knows_its_end },
    { "wrong_declared_size_is_refused", PDICT_COMPRESSOR, NULL, wrong_declared_size_is_refused },
    { "value_is_not_an_empty_one", PDICT_COMPRESSOR, NULL, value_is_not_an_empty_one },
    { "no_single_flipped_bit_does_harm", PDICT_COMPRESSOR, NULL, no_single_flipped_bit_does_harm },
    { "random_input_does_no_harm", PDICT_COMPRESSOR, NULL, random_input_does_no_harm },
    { "damaged_values_do_no_harm", PDICT_COMPRESSOR, NULL, damaged_values_do_no_harm },
    { "zlib_refuses_impossible_sizes_untouched", PDICT_COMPRESSOR, "zlib",
      zlib_refuses_impossible_sizes_untouched },
    { "zlib_takes_the_highest_expansion", PDICT_COMPRESSOR, "zlib",
      zlib_takes_the_highest_expansion },
    { "zlib_refuses_gzip_raw_deflate_and_dictionaries", PDICT_COMPRESSOR, "zlib",
      zlib_refuses_gzip_raw_deflate_and_dictionaries },
    { "zstd_takes_one_plain_frame_only", PDICT_COMPRESSOR, "zstd",
      zstd_takes_one_plain_frame_only },
    { "zstd_takes_no_skippable_frame_for_an_empty_value", PDICT_COMPRESSOR, "zstd",
      zstd_takes_no_skippable_frame_for_an_empty_value },
    { "zstd_refuses_another_size_untouched", PDICT_COMPRESSOR, "zstd",
      zstd_refuses_another_size_untouched },
    { NULL, 0, NULL, NULL },
};
