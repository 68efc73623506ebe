/* SPDX-License-Identifier: MIT */
/* Codec conformance: what goes into a compressor comes out again, within the room it was given. */
#include <stdlib.h>

#include "codec_suite.h"

#define LARGEST (1u << 20)

/** Encode and decode with both buffers of each call at the given edges of guarded memory. */
static void round_trip(engine *e, pdict_slice plain, guarded g[2], int edge)
{
    size_t bound = e->ops->bound(e->self, plain.size), size = SIZE_MAX;
    unsigned char *in = guarded_copy(&g[0], plain.data, plain.size, edge);
    unsigned char *out = guarded_place(&g[1], bound, edge);

    CHECK(bound != 0);
    CHECK_OK(e->ops->encode(e->self, e->context, slice_of(in, plain.size), out, bound, &size));
    CHECK(size <= bound);
    CHECK_BYTES(slice_of(in, plain.size), plain);
    guarded_check(&g[1], out, bound);

    /* Both swap places; memory next to the input of decode faults, too. */
    memmove(edge == GUARDED_LOW ? g[1].start : g[1].start + g[1].room - size, out, size);
    out = edge == GUARDED_LOW ? g[1].start : g[1].start + g[1].room - size;
    in = guarded_place(&g[0], plain.size, edge);
    CHECK_OK(e->ops->decode(e->self, e->context, slice_of(out, size), in, plain.size));
    CHECK_BYTES(slice_of(in, plain.size), plain);
    guarded_check(&g[0], in, plain.size);
}

static void guards_open(const engine *e, guarded g[2], size_t largest)
{
    guarded_open(&g[0], largest);
    guarded_open(&g[1], e->ops->bound(e->self, largest));
}

static void guards_close(guarded g[2])
{
    guarded_close(&g[0]);
    guarded_close(&g[1]);
}

static void round_trip_gives_the_same_bytes(const pdict_codec *codec)
{
    static unsigned char data[LARGEST];
    guarded g[2];
    engine e;

    engine_open(&e, codec, NULL, NULL);
    guards_open(&e, g, sizeof(data));
    for (int shape = 0; shape < SAMPLE_SHAPES; shape++)
        for (const size_t *size = sample_sizes; *size != SIZE_MAX; size++)
            for (int edge = 0; edge < GUARDED_EDGES; edge++) {
                suite_note("%zu bytes of %s, edge %d", *size, sample_name(shape), edge);
                sample_fill(shape, data, *size);
                round_trip(&e, slice_of(data, *size), g, edge);
            }
    guards_close(g);
    engine_close(&e);
}

static void every_small_size_round_trips_within_its_bound(const pdict_codec *codec)
{
    unsigned char data[600];
    guarded g[2];
    engine e;

    engine_open(&e, codec, NULL, NULL);
    guards_open(&e, g, sizeof(data));
    for (int shape = 0; shape < SAMPLE_SHAPES; shape++)
        for (size_t size = 0; size <= sizeof(data); size++) {
            suite_note("%zu bytes of %s", size, sample_name(shape));
            sample_fill(shape, data, size);
            round_trip(&e, slice_of(data, size), g, GUARDED_HIGH);
        }
    guards_close(g);
    engine_close(&e);
}

static void values_of_option(const pdict_codec *codec, size_t option, guarded g[2])
{
    unsigned char data[3000];
    pdict_option_value values[CODEC_OPTIONS_MAX] = { { 0 } };
    const pdict_option_spec *spec = &codec->options[option];
    int64_t step = spec->max - spec->min > 32 ? spec->max - spec->min : 1;
    engine e;

    codec_defaults(codec, values);
    for (int64_t number = spec->min; number <= spec->max; number += step) {
        values[option].number = number;
        engine_open(&e, codec, NULL, values);
        for (int shape = 0; shape < SAMPLE_SHAPES; shape++) {
            suite_note("%s=%lld, %s", spec->name, (long long)number, sample_name(shape));
            sample_fill(shape, data, sizeof(data));
            round_trip(&e, slice_of(data, sizeof(data)), g, GUARDED_HIGH);
            round_trip(&e, slice_of(data, 0), g, GUARDED_HIGH);
        }
        engine_close(&e);
    }
}

static void every_value_of_a_number_option_round_trips(const pdict_codec *codec)
{
    guarded g[2];

    if (codec->options == NULL)
        suite_skip("it has no options");
    guarded_open(&g[0], 4096);
    guarded_open(&g[1], 65536);
    for (size_t i = 0; codec->options[i].name != NULL; i++)
        if (codec->options[i].type == PDICT_OPTION_INT)
            values_of_option(codec, i, g);
    guards_close(g);
}

static void empty_value_needs_no_address(const pdict_codec *codec)
{
    size_t size;
    unsigned char *packed;
    engine e;

    engine_open(&e, codec, NULL, NULL);
    packed = engine_encode(&e, slice_of(NULL, 0), &size);
    CHECK_OK(e.ops->decode(e.self, e.context, slice_of(packed, size), NULL, 0));
    CHECK_STATUS(e.ops->decode(e.self, e.context, slice_of(NULL, 0), NULL, 0), PDICT_FORMAT);
    CHECK_STATUS(e.ops->encode(e.self, e.context, slice_of(NULL, 0), NULL, 0, &size), PDICT_SKIP);
    free(packed);
    engine_close(&e);
}

/** Encode into exactly `capacity` bytes; what is said to fit must decode again. */
static int encode_within(engine *e, guarded *g, pdict_slice in, size_t capacity, int edge)
{
    unsigned char *out = guarded_place(g, capacity, edge), *back = malloc(in.size + 1);
    size_t size = SIZE_MAX;
    int status = e->ops->encode(e->self, e->context, in, out, capacity, &size);

    CHECK(back != NULL);
    guarded_check(g, out, capacity);
    if (status == PDICT_OK) {
        CHECK(size <= capacity);
        CHECK_OK(e->ops->decode(e->self, e->context, slice_of(out, size), back, in.size));
        CHECK_BYTES(slice_of(back, in.size), in);
    }
    free(back);
    return status;
}

static void encode_fits_the_capacity_or_skips(const pdict_codec *codec)
{
    static const size_t sizes[] = { 0, 1, 16, 100, 700 };
    unsigned char data[700];
    guarded g;
    engine e;

    engine_open(&e, codec, NULL, NULL);
    guarded_open(&g, 4096);
    for (size_t i = 0; i < COUNT_OF(sizes) * SAMPLE_SHAPES; i++) {
        size_t size = sizes[i / SAMPLE_SHAPES], bound = e.ops->bound(e.self, size);
        sample_fill((int)(i % SAMPLE_SHAPES), data, size);
        for (size_t capacity = 0; capacity <= bound + 8; capacity++) {
            int status = encode_within(&e, &g, slice_of(data, size), capacity,
                                       (int)(capacity % GUARDED_EDGES));
            suite_note("%zu bytes of %s into %zu", size, sample_name((int)(i % SAMPLE_SHAPES)),
                       capacity);
            CHECK(status == PDICT_OK || status == PDICT_SKIP);
            CHECK(status == PDICT_OK || capacity < bound);
            CHECK(status == PDICT_SKIP || capacity > 0);
        }
    }
    guarded_close(&g);
    engine_close(&e);
}

/* A large value fills the codec's own buffers many times before it meets the end of the room. */
static void large_value_fits_the_capacity_or_skips(const pdict_codec *codec)
{
    static unsigned char data[200000];
    size_t size;
    guarded g;
    engine e;

    engine_open(&e, codec, NULL, NULL);
    guarded_open(&g, e.ops->bound(e.self, sizeof(data)));
    for (int shape = 0; shape < SAMPLE_SHAPES; shape++) {
        sample_fill(shape, data, sizeof(data));
        free(engine_encode(&e, slice_of(data, sizeof(data)), &size));
        for (size_t capacity = size > 20 ? size - 20 : 0; capacity < size + 20; capacity++) {
            int status =
                encode_within(&e, &g, slice_of(data, sizeof(data)), capacity, GUARDED_HIGH);
            suite_note("%s into %zu, needs %zu", sample_name(shape), capacity, size);
            CHECK(status == PDICT_OK || status == PDICT_SKIP);
        }
        CHECK_STATUS(encode_within(&e, &g, slice_of(data, sizeof(data)), size / 2, GUARDED_HIGH),
                     PDICT_SKIP);
    }
    guarded_close(&g);
    engine_close(&e);
}

static void only_what_shrinks_is_kept(const pdict_codec *codec)
{
    unsigned char data[4096], out[4096];
    size_t size;
    engine e;

    engine_open(&e, codec, NULL, NULL);
    for (int shape = 0; shape < SAMPLE_SHAPES; shape++) {
        int status;
        sample_fill(shape, data, sizeof(data));
        status = e.ops->encode(e.self, e.context, slice_of(data, sizeof(data)), out,
                               sizeof(out) - 1, &size);
        suite_note("%s", sample_name(shape));
        /* In between lies what one compressor finds something in and another does not. */
        CHECK(status == PDICT_OK || status == PDICT_SKIP);
        if (shape == SAMPLE_RANDOM || shape == SAMPLE_ZEROS)
            CHECK_STATUS(status, shape == SAMPLE_RANDOM ? PDICT_SKIP : PDICT_OK);
    }
    engine_close(&e);
}

static void size_over_every_limit_has_no_bound(const pdict_codec *codec)
{
    engine e;

    engine_open(&e, codec, NULL, NULL);
    CHECK(e.ops->bound(e.self, SIZE_MAX) == 0);
    CHECK(e.ops->bound(e.self, SIZE_MAX - 64) == 0);
    CHECK(e.ops->bound(e.self, LARGEST) > 0);
    engine_close(&e);
}

static void same_input_gives_the_same_output_in_every_context(const pdict_codec *codec)
{
    static unsigned char data[LARGEST / 4];
    engine used, fresh;

    engine_open(&used, codec, NULL, NULL);
    for (int shape = 0; shape < SAMPLE_SHAPES; shape++)
        for (const size_t *size = sample_sizes; *size <= sizeof(data); size++) {
            size_t used_size, fresh_size;
            unsigned char *by_used, *by_fresh;
            sample_fill(shape, data, *size);
            suite_note("%zu bytes of %s", *size, sample_name(shape));
            engine_open(&fresh, codec, NULL, NULL);
            by_used = engine_encode(&used, slice_of(data, *size), &used_size);
            by_fresh = engine_encode(&fresh, slice_of(data, *size), &fresh_size);
            CHECK_BYTES(slice_of(by_used, used_size), slice_of(by_fresh, fresh_size));
            free(by_used);
            free(by_fresh);
            engine_close(&fresh);
        }
    engine_close(&used);
}

/* The lowest and the highest level write the same format. */
static void one_setting_reads_what_another_wrote(const pdict_codec *codec)
{
    pdict_option_value values[CODEC_OPTIONS_MAX] = { { 0 } };
    unsigned char data[5000], back[5000];
    const pdict_option_spec *spec = codec->options;
    size_t size;
    engine low, high;

    if (spec == NULL || spec[0].type != PDICT_OPTION_INT)
        suite_skip("its first option is no number");
    codec_defaults(codec, values);
    values[0].number = spec[0].min;
    engine_open(&low, codec, NULL, values);
    values[0].number = spec[0].max;
    engine_open(&high, codec, NULL, values);
    for (int shape = 0; shape < SAMPLE_SHAPES; shape++) {
        unsigned char *packed;
        sample_fill(shape, data, sizeof(data));
        packed = engine_encode(&high, slice_of(data, sizeof(data)), &size);
        CHECK_OK(
            low.ops->decode(low.self, low.context, slice_of(packed, size), back, sizeof(back)));
        CHECK_BYTES(slice_of(back, sizeof(back)), slice_of(data, sizeof(data)));
        free(packed);
    }
    engine_close(&low);
    engine_close(&high);
}

static size_t size_at_level(const pdict_codec *codec, int64_t level, pdict_slice plain)
{
    pdict_option_value values[CODEC_OPTIONS_MAX] = { { .number = level } };
    size_t size;
    engine e;

    engine_open(&e, codec, NULL, values);
    free(engine_encode(&e, plain, &size));
    engine_close(&e);
    return size;
}

static void highest_level_makes_smaller_values_than_the_lowest(const pdict_codec *codec)
{
    static unsigned char data[65537];
    const pdict_option_spec *spec = codec->options;
    const pdict_slice plain = slice_of(data, sizeof(data));

    if (spec == NULL || spec[0].name == NULL || strcmp(spec[0].name, "level") != 0)
        suite_skip("its first option is not a level");
    sample_fill(SAMPLE_RECORDS, data, sizeof(data));
    CHECK(size_at_level(codec, spec[0].max, plain) < size_at_level(codec, spec[0].min, plain));
}

/* RFC 8878 section 3.1.1.1: bits 6-7 or 5 promise a size, 2 is the checksum, 0-1 a dictionary. */
static void zstd_writes_the_size_and_no_checksum(const pdict_codec *codec)
{
    static unsigned char data[LARGEST];
    engine e;

    engine_open(&e, codec, NULL, NULL);
    for (const size_t *size = sample_sizes; *size != SIZE_MAX; size++) {
        size_t packed_size;
        unsigned char *packed = engine_encode(&e, slice_of(data, *size), &packed_size);
        suite_note("%zu bytes", *size);
        CHECK((packed[4] & 0xE0) != 0);
        CHECK((packed[4] & 0x07) == 0);
        free(packed);
    }
    engine_close(&e);
}

const codec_test codec_compressor_tests[] = {
    { "round_trip_gives_the_same_bytes", PDICT_COMPRESSOR, NULL, round_trip_gives_the_same_bytes },
    { "every_small_size_round_trips_within_its_bound", PDICT_COMPRESSOR, NULL,
      every_small_size_round_trips_within_its_bound },
    { "every_value_of_a_number_option_round_trips", PDICT_COMPRESSOR, NULL,
      every_value_of_a_number_option_round_trips },
    { "empty_value_needs_no_address", PDICT_COMPRESSOR, NULL, empty_value_needs_no_address },
    { "encode_fits_the_capacity_or_skips", PDICT_COMPRESSOR, NULL,
      encode_fits_the_capacity_or_skips },
    { "large_value_fits_the_capacity_or_skips", PDICT_COMPRESSOR, NULL,
      large_value_fits_the_capacity_or_skips },
    { "only_what_shrinks_is_kept", PDICT_COMPRESSOR, NULL, only_what_shrinks_is_kept },
    { "size_over_every_limit_has_no_bound", PDICT_COMPRESSOR, NULL,
      size_over_every_limit_has_no_bound },
    { "same_input_gives_the_same_output_in_every_context", PDICT_COMPRESSOR, NULL,
      same_input_gives_the_same_output_in_every_context },
    { "one_setting_reads_what_another_wrote", PDICT_COMPRESSOR, NULL,
      one_setting_reads_what_another_wrote },
    { "highest_level_makes_smaller_values_than_the_lowest", PDICT_COMPRESSOR, NULL,
      highest_level_makes_smaller_values_than_the_lowest },
    { "zstd_writes_the_size_and_no_checksum", PDICT_COMPRESSOR, "zstd",
      zstd_writes_the_size_and_no_checksum },
    { NULL, 0, NULL, NULL },
};
