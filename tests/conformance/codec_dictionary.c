/* SPDX-License-Identifier: MIT */
/* Codec conformance: dictionaries, trained and hostile, and values through them. */
#include <stdio.h>
#include <stdlib.h>

#include "codec_suite.h"

enum {
    SAMPLES = 400,
    SAMPLE_ROOM = 256,
    MOST_SIZE = 8192
};

typedef struct trained {
    engine engine;
    unsigned char bytes[MOST_SIZE];
    size_t size;
    void *dictionary;
} trained;

static size_t sample_of(int i, unsigned char *out)
{
    return (size_t)snprintf((char *)out, SAMPLE_ROOM,
                            "{\"identity\":%d,\"name\":\"somebody-%d\",\"mail\":\"%d@example.org\","
                            "\"is_active\":%s,\"tags\":[\"first\",\"second\"]}",
                            i * 7919, i, i, i % 3 ? "true" : "false");
}

static void train(trained *t, const pdict_codec *codec)
{
    static unsigned char samples[SAMPLES * SAMPLE_ROOM];
    size_t sizes[SAMPLES], at = 0;

    if (codec->compressor->train == NULL)
        suite_skip("it has no dictionaries");
    engine_open(&t->engine, codec, NULL, NULL);
    for (int i = 0; i < SAMPLES; i++)
        at += sizes[i] = sample_of(i, samples + at);
    CHECK_OK(t->engine.ops->train(t->engine.self, samples, sizes, SAMPLES, t->bytes, MOST_SIZE,
                                  &t->size));
    CHECK(t->size > 0 && t->size <= MOST_SIZE);
    CHECK_OK(t->engine.ops->dictionary_open(t->engine.self, slice_of(t->bytes, t->size),
                                            &t->dictionary));
}

static void untrain(trained *t)
{
    t->engine.ops->context_free(t->engine.self, t->engine.context);
    t->engine.ops->dictionary_close(t->engine.self, t->dictionary);
    t->engine.ops->dictionary_close(t->engine.self, NULL);
    t->engine.ops->close(t->engine.self);
}

static size_t pack(trained *t, const void *dictionary, pdict_slice in, unsigned char *out,
                   size_t capacity)
{
    const engine *e = &t->engine;
    size_t size;

    if (dictionary != NULL)
        CHECK_OK(e->ops->encode_with(e->self, e->context, dictionary, in, out, capacity, &size));
    else
        CHECK_OK(e->ops->encode(e->self, e->context, in, out, capacity, &size));
    CHECK(size <= capacity);
    return size;
}

static void dictionary_makes_like_values_smaller_and_gives_them_back(const pdict_codec *codec)
{
    unsigned char in[SAMPLE_ROOM], out[4096], back[SAMPLE_ROOM];
    size_t with = 0, without = 0;
    trained t;

    train(&t, codec);
    for (int i = 1000; i < 1100; i++) {
        size_t size = sample_of(i, in), packed;

        without += pack(&t, NULL, slice_of(in, size), out, sizeof(out));
        CHECK_OK(t.engine.ops->decode(
            t.engine.self, t.engine.context,
            slice_of(out, pack(&t, NULL, slice_of(in, size), out, sizeof(out))), back, size));
        packed = pack(&t, t.dictionary, slice_of(in, size), out, sizeof(out));
        with += packed;
        CHECK_OK(t.engine.ops->decode_with(t.engine.self, t.engine.context, t.dictionary,
                                           slice_of(out, packed), back, size));
        CHECK_BYTES(slice_of(back, size), slice_of(in, size));
    }
    CHECK(with < without);
    untrain(&t);
}

static void same_value_gives_the_same_bytes_in_any_context(const pdict_codec *codec)
{
    unsigned char in[SAMPLE_ROOM], out[4096], again[4096];
    size_t size, packed;
    engine other;
    trained t;

    train(&t, codec);
    other = t.engine;
    size = sample_of(2000, in);
    packed = pack(&t, t.dictionary, slice_of(in, size), out, sizeof(out));
    CHECK_OK(other.ops->context_new(other.self, &other.context));
    CHECK_OK(other.ops->encode_with(other.self, other.context, t.dictionary, slice_of(in, size),
                                    again, sizeof(again), &size));
    CHECK_BYTES(slice_of(again, size), slice_of(out, packed));
    other.ops->context_free(other.self, other.context);
    untrain(&t);
}

static void too_little_room_is_a_skip_and_not_an_overrun(const pdict_codec *codec)
{
    unsigned char in[SAMPLE_ROOM], out[4096];
    size_t size, packed;
    guarded g;
    trained t;

    train(&t, codec);
    size = sample_of(3000, in);
    packed = pack(&t, t.dictionary, slice_of(in, size), out, sizeof(out));
    guarded_open(&g, packed);
    for (size_t room = 0; room < packed; room++) {
        unsigned char *place = guarded_place(&g, room, GUARDED_HIGH);

        CHECK_STATUS(t.engine.ops->encode_with(t.engine.self, t.engine.context, t.dictionary,
                                               slice_of(in, size), place, room, &(size_t){ 0 }),
                     PDICT_SKIP);
    }
    guarded_close(&g);
    untrain(&t);
}

/* A dictionary after a value that did not fit, and none after another. */
static void value_that_did_not_fit_leaves_the_context_as_it_was(const pdict_codec *codec)
{
    unsigned char in[SAMPLE_ROOM], out[4096], first[4096];
    size_t size, plain, packed;
    trained t;

    train(&t, codec);
    size = sample_of(3500, in);
    plain = pack(&t, NULL, slice_of(in, size), first, sizeof(first));
    CHECK_STATUS(t.engine.ops->encode(t.engine.self, t.engine.context, slice_of(in, size), out,
                                      plain - 1, &packed),
                 PDICT_SKIP);
    packed = pack(&t, t.dictionary, slice_of(in, size), out, sizeof(out));
    CHECK_STATUS(t.engine.ops->encode_with(t.engine.self, t.engine.context, t.dictionary,
                                           slice_of(in, size), out, packed - 1, &packed),
                 PDICT_SKIP);
    packed = pack(&t, NULL, slice_of(in, size), out, sizeof(out));
    CHECK_BYTES(slice_of(out, packed), slice_of(first, plain));
    untrain(&t);
}

static void damaged_values_and_other_dictionaries_do_no_harm(const pdict_codec *codec)
{
    unsigned char in[SAMPLE_ROOM], out[4096], *place;
    suite_random random = { 41 };
    size_t size, packed;
    guarded g;
    trained t;

    train(&t, codec);
    size = sample_of(4000, in);
    packed = pack(&t, t.dictionary, slice_of(in, size), out, sizeof(out));
    guarded_open(&g, size);
    place = guarded_place(&g, size, GUARDED_HIGH);
    for (int round = 0; round < 3000; round++) {
        unsigned char bad[4096];
        size_t length = 1 + suite_random_below(&random, packed);
        int status;

        memcpy(bad, out, packed);
        bad[suite_random_below(&random, packed)] = (unsigned char)suite_random_next(&random);
        status = t.engine.ops->decode_with(t.engine.self, t.engine.context, t.dictionary,
                                           slice_of(bad, round % 2 ? packed : length), place, size);
        CHECK(status == PDICT_OK || status == PDICT_FORMAT);
        status = t.engine.ops->decode(t.engine.self, t.engine.context, slice_of(bad, packed), place,
                                      size);
        CHECK(status == PDICT_OK || status == PDICT_FORMAT);
    }
    guarded_close(&g);
    untrain(&t);
}

static void hostile_dictionaries_do_no_harm(const pdict_codec *codec)
{
    unsigned char in[SAMPLE_ROOM], out[4096], back[SAMPLE_ROOM];
    suite_random random = { 42 };
    size_t size, packed;
    trained t;

    train(&t, codec);
    size = sample_of(5000, in);
    for (int round = 0; round < 200; round++) {
        unsigned char bad[MOST_SIZE];
        engine e = t.engine;
        void *dictionary = NULL;
        int status;

        memcpy(bad, t.bytes, t.size);
        for (int n = 0; n < 8; n++)
            bad[suite_random_below(&random, t.size)] = (unsigned char)suite_random_next(&random);
        status = e.ops->dictionary_open(
            e.self, slice_of(bad, 1 + suite_random_below(&random, t.size)), &dictionary);
        if (status != PDICT_OK)
            continue;
        CHECK_OK(e.ops->context_new(e.self, &e.context));
        if (e.ops->encode_with(e.self, e.context, dictionary, slice_of(in, size), out, sizeof(out),
                               &packed) == PDICT_OK &&
            e.ops->decode_with(e.self, e.context, dictionary, slice_of(out, packed), back, size) ==
                PDICT_OK)
            CHECK_BYTES(slice_of(back, size), slice_of(in, size));
        e.ops->context_free(e.self, e.context);
        e.ops->dictionary_close(e.self, dictionary);
    }
    untrain(&t);
}

static void nothing_to_learn_from_is_a_skip(const pdict_codec *codec)
{
    unsigned char out[MOST_SIZE];
    size_t sizes[] = { 1 }, size;
    engine e;

    if (codec->compressor->train == NULL)
        suite_skip("it has no dictionaries");
    engine_open(&e, codec, NULL, NULL);
    CHECK_STATUS(e.ops->train(e.self, "", sizes, 0, out, sizeof(out), &size), PDICT_SKIP);
    CHECK_STATUS(e.ops->train(e.self, "a", sizes, 1, out, sizeof(out), &size), PDICT_SKIP);
    engine_close(&e);
}

const codec_test codec_dictionary_tests[] = {
    { "dictionary_makes_like_values_smaller_and_gives_them_back", PDICT_COMPRESSOR, NULL,
      dictionary_makes_like_values_smaller_and_gives_them_back },
    { "same_value_gives_the_same_bytes_in_any_context", PDICT_COMPRESSOR, NULL,
      same_value_gives_the_same_bytes_in_any_context },
    { "too_little_room_is_a_skip_and_not_an_overrun", PDICT_COMPRESSOR, NULL,
      too_little_room_is_a_skip_and_not_an_overrun },
    { "value_that_did_not_fit_leaves_the_context_as_it_was", PDICT_COMPRESSOR, NULL,
      value_that_did_not_fit_leaves_the_context_as_it_was },
    { "damaged_values_and_other_dictionaries_do_no_harm", PDICT_COMPRESSOR, NULL,
      damaged_values_and_other_dictionaries_do_no_harm },
    { "hostile_dictionaries_do_no_harm", PDICT_COMPRESSOR, NULL, hostile_dictionaries_do_no_harm },
    { "nothing_to_learn_from_is_a_skip", PDICT_COMPRESSOR, NULL, nothing_to_learn_from_is_a_skip },
    { NULL, 0, NULL, NULL },
};
