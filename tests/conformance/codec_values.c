/* SPDX-License-Identifier: MIT */
/* Codec conformance: typed values through a serializer and back, and bytes that stand for none. */
#include <stdlib.h>

#include "codec_suite.h"

enum {
    ROOM = 8192,
    ROUNDS = 3000
};

static pdict_tree *tree_of_values(const pdict_codec *codec)
{
    pdict_tree *tree = NULL;

    if (codec->serializer->encode == NULL)
        suite_skip("it has no typed values");
    CHECK_OK(pdict_tree_new(NULL, &tree));
    return tree;
}

static const char *const texts[] = { "", "a", "some text", "\xC3\xA9\xF0\x9F\x97\x9D",
                                     "a line\n\"quoted\" \\ and more" };

static pdict_value *random_scalar(suite_random *random, pdict_tree *tree)
{
    switch (suite_random_below(random, 6)) {
    case 0:
        return pdict_tree_null(tree);
    case 1:
        return pdict_tree_bool(tree, suite_random_below(random, 2) != 0);
    case 2:
        return pdict_tree_int(
            tree, (int64_t)(suite_random_next(random) >> suite_random_below(random, 64)));
    case 3:
        return pdict_tree_int(tree, -1 - (int64_t)(suite_random_next(random) >>
                                                   (1 + suite_random_below(random, 63))));
    case 4:
        return pdict_tree_double(tree, (double)suite_random_next(random) / 4096.0);
    default:
        return pdict_tree_text(tree, texts[suite_random_below(random, COUNT_OF(texts))]);
    }
}

static pdict_value *random_value(suite_random *random, pdict_tree *tree, int depth)
{
    size_t count = suite_random_below(random, 6);
    pdict_value *many;

    if (depth == 0 || suite_random_below(random, 3) == 0)
        return random_scalar(random, tree);
    if (suite_random_below(random, 2) == 0) {
        many = pdict_tree_array(tree);
        for (size_t i = 0; i < count; i++)
            pdict_value_append(many, random_value(random, tree, depth - 1));
        return many;
    }
    many = pdict_tree_map(tree);
    for (size_t i = 0; i < count; i++)
        pdict_value_set(many, texts[i % COUNT_OF(texts)], random_value(random, tree, depth - 1));
    return many;
}

/* What this serializer does not have, PDICT_INVAL, is none of the case. */
static bool encode(const pdict_codec *codec, const pdict_value *value, void *out, size_t capacity,
                   size_t *size)
{
    int status = codec->serializer->encode(value, out, capacity, size);

    CHECK(status == PDICT_OK || status == PDICT_INVAL);
    CHECK(status == PDICT_OK || pdict_error_text()[0] != '\0');
    return status == PDICT_OK;
}

static void value_comes_back_equal_and_is_legal(const pdict_codec *codec)
{
    suite_random random = { 31 };
    unsigned char *out = malloc(ROOM);

    for (int round = 0; round < ROUNDS; round++) {
        pdict_tree *tree = tree_of_values(codec), *back_tree = tree_of_values(codec);
        const pdict_value *value = random_value(&random, tree, round % 5);
        pdict_value *back = NULL;
        size_t size;

        CHECK_OK(pdict_tree_status(tree));
        suite_note("round %d", round);
        if (encode(codec, value, out, ROOM, &size)) {
            CHECK(size <= ROOM);
            CHECK_OK(codec->serializer->decode(slice_of(out, size), back_tree, &back));
            CHECK(pdict_value_equal(value, back));
            if (codec->serializer->check != NULL)
                CHECK_OK(codec->serializer->check(slice_of(out, size)));
        }
        pdict_tree_free(tree);
        pdict_tree_free(back_tree);
    }
    free(out);
}

static void short_room_is_not_overrun_and_the_size_is_told(const pdict_codec *codec)
{
    suite_random random = { 32 };
    unsigned char *whole = malloc(ROOM);
    guarded g;

    guarded_open(&g, ROOM);
    for (int round = 0; round < 200; round++) {
        pdict_tree *tree = tree_of_values(codec);
        const pdict_value *value = random_value(&random, tree, 3);
        size_t size, again;

        if (encode(codec, value, whole, ROOM, &size)) {
            size_t room = suite_random_below(&random, size + 1);
            unsigned char *out = guarded_place(&g, room, GUARDED_HIGH);

            CHECK_OK(codec->serializer->encode(value, out, room, &again));
            CHECK(again == size);
            CHECK_OK(codec->serializer->encode(value, NULL, 0, &again));
            CHECK(again == size);
            out = guarded_place(&g, size, GUARDED_HIGH);
            CHECK_OK(codec->serializer->encode(value, out, size, &again));
            CHECK_BYTES(slice_of(out, again), slice_of(whole, size));
        }
        pdict_tree_free(tree);
    }
    guarded_close(&g);
    free(whole);
}

/* Damaged bytes are refused, or stand for a value that is written as it should be. */
static void damaged_bytes_do_no_harm(const pdict_codec *codec)
{
    suite_random random = { 33 };
    unsigned char *out = malloc(ROOM), *again = malloc(ROOM);
    guarded g;

    guarded_open(&g, ROOM);
    for (int round = 0; round < ROUNDS; round++) {
        pdict_tree *tree = tree_of_values(codec), *back_tree = tree_of_values(codec);
        const pdict_value *value = random_value(&random, tree, 3);
        pdict_value *back = NULL;
        size_t size, back_size;
        int status;

        if (encode(codec, value, out, ROOM, &size)) {
            for (size_t n = 1 + suite_random_below(&random, 3); n > 0 && size > 0; n--)
                out[suite_random_below(&random, size)] = (unsigned char)suite_random_next(&random);
            size = suite_random_below(&random, size + 1);
            status = codec->serializer->decode(
                slice_of(guarded_copy(&g, out, size, GUARDED_HIGH), size), back_tree, &back);
            CHECK(status == PDICT_OK || status == PDICT_FORMAT || status == PDICT_TOO_BIG);
            if (codec->serializer->check != NULL)
                CHECK((codec->serializer->check(slice_of(out, size)) == PDICT_OK) ==
                      (status == PDICT_OK));
            if (status == PDICT_OK)
                CHECK(encode(codec, back, again, ROOM, &back_size));
        }
        pdict_tree_free(tree);
        pdict_tree_free(back_tree);
    }
    guarded_close(&g);
    free(out);
    free(again);
}

const codec_test codec_value_tests[] = {
    { "value_comes_back_equal_and_is_legal", PDICT_SERIALIZER, NULL,
      value_comes_back_equal_and_is_legal },
    { "short_room_is_not_overrun_and_the_size_is_told", PDICT_SERIALIZER, NULL,
      short_room_is_not_overrun_and_the_size_is_told },
    { "damaged_bytes_do_no_harm", PDICT_SERIALIZER, NULL, damaged_bytes_do_no_harm },
    { NULL, 0, NULL, NULL },
};
