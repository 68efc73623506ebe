/* SPDX-License-Identifier: MIT */
/* Codec conformance: what a cipher seals only the same key, nonce and place open again. */
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#include "codec_suite.h"

#define LARGEST    (1u << 20)
#define SECRET_MAX 64

/** The cipher with keys and buffers that fault at one byte too many. */
typedef struct bench {
    const pdict_cipher *ops;
    guarded key_memory;
    guarded nonce_memory;
    guarded aad_memory;
    guarded memory;
    unsigned char *key;
    unsigned char *nonce;
} bench;

static void bench_open(bench *b, const pdict_codec *codec, size_t room)
{
    unsigned char bytes[SECRET_MAX];
    suite_random random = { 41 };

    b->ops = codec->cipher;
    CHECK_OK(b->ops->ready());
    guarded_open(&b->key_memory, SECRET_MAX);
    guarded_open(&b->nonce_memory, SECRET_MAX);
    guarded_open(&b->aad_memory, 256);
    guarded_open(&b->memory, room);
    suite_random_fill(&random, bytes, sizeof(bytes));
    b->key = guarded_copy(&b->key_memory, bytes, b->ops->key_size, GUARDED_HIGH);
    suite_random_fill(&random, bytes, sizeof(bytes));
    b->nonce = guarded_copy(&b->nonce_memory, bytes, b->ops->nonce_size, GUARDED_HIGH);
}

static void bench_close(bench *b)
{
    guarded_close(&b->key_memory);
    guarded_close(&b->nonce_memory);
    guarded_close(&b->aad_memory);
    guarded_close(&b->memory);
}

/** Seal into fresh memory; the result is malloc-ed. */
static unsigned char *seal(bench *b, pdict_slice aad, pdict_slice plain, size_t *size)
{
    unsigned char *sealed, *out;

    *size = plain.size + b->ops->tag_size;
    sealed = malloc(*size + 1);
    CHECK(sealed != NULL);
    out = guarded_place(&b->memory, *size, GUARDED_HIGH);
    CHECK_OK(b->ops->seal(b->key, b->nonce, aad, plain, out));
    guarded_check(&b->memory, out, *size);
    memcpy(sealed, out, *size);
    return sealed;
}

static void sizes_are_within_the_limits_of_the_contract(const pdict_codec *codec)
{
    CHECK(codec->cipher->key_size >= 16 && codec->cipher->key_size <= 64);
    CHECK(codec->cipher->nonce_size >= 16 && codec->cipher->nonce_size <= 32);
    CHECK(codec->cipher->tag_size >= 16 && codec->cipher->tag_size <= 32);
}

static void *call_ready(void *argument)
{
    const pdict_cipher *ops = argument;

    CHECK_OK(ops->ready());
    return NULL;
}

static void ready_may_be_called_often_and_on_any_thread(const pdict_codec *codec)
{
    pthread_t threads[4];

    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CHECK(pthread_create(&threads[i], NULL, call_ready, (void *)(uintptr_t)codec->cipher) == 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK_OK(codec->cipher->ready());
}

static void open_gives_back_what_was_sealed(const pdict_codec *codec)
{
    static unsigned char data[LARGEST], sealed[LARGEST + SECRET_MAX];
    bench b;

    bench_open(&b, codec, sizeof(sealed));
    for (const size_t *size = sample_sizes; *size != SIZE_MAX; size++)
        for (size_t aad_size = 0; aad_size <= 100; aad_size += 50) {
            size_t sealed_size = *size + b.ops->tag_size;
            int edge = aad_size == 50 ? GUARDED_LOW : GUARDED_HIGH;
            pdict_slice aad = slice_of(guarded_place(&b.aad_memory, aad_size, edge), aad_size);
            unsigned char *out = guarded_place(&b.memory, sealed_size, edge);
            sample_fill(SAMPLE_TEXT, data, *size);
            suite_note("%zu bytes, %zu beside them", *size, aad_size);
            CHECK_OK(b.ops->seal(b.key, b.nonce, aad, slice_of(data, *size), out));
            guarded_check(&b.memory, out, sealed_size);
            memcpy(sealed, out, sealed_size);
            out = guarded_place(&b.memory, *size, edge);
            CHECK_OK(b.ops->open(b.key, b.nonce, aad, slice_of(sealed, sealed_size), out));
            guarded_check(&b.memory, out, *size);
            CHECK_BYTES(slice_of(out, *size), slice_of(data, *size));
        }
    bench_close(&b);
}

static void seal_and_open_work_in_place(const pdict_codec *codec)
{
    static unsigned char data[LARGEST];
    const pdict_slice aad = slice_of_text("place");
    bench b;

    bench_open(&b, codec, sizeof(data) + codec->cipher->tag_size);
    for (const size_t *size = sample_sizes; *size != SIZE_MAX; size++) {
        size_t sealed_size = *size + b.ops->tag_size;
        unsigned char *at = guarded_place(&b.memory, sealed_size, GUARDED_HIGH);
        sample_fill(SAMPLE_RECORDS, data, *size);
        if (*size != 0)
            memcpy(at, data, *size);
        suite_note("%zu bytes", *size);
        CHECK_OK(b.ops->seal(b.key, b.nonce, aad, slice_of(at, *size), at));
        CHECK(*size < 16 || memcmp(at, data, *size) != 0);
        CHECK_OK(b.ops->open(b.key, b.nonce, aad, slice_of(at, sealed_size), at));
        CHECK_BYTES(slice_of(at, *size), slice_of(data, *size));
    }
    bench_close(&b);
}

static void empty_value_and_no_aad_need_no_address(const pdict_codec *codec)
{
    unsigned char sealed[SECRET_MAX];
    bench b;

    bench_open(&b, codec, 16);
    CHECK_OK(b.ops->seal(b.key, b.nonce, slice_of(NULL, 0), slice_of(NULL, 0), sealed));
    CHECK_OK(
        b.ops->open(b.key, b.nonce, slice_of(NULL, 0), slice_of(sealed, b.ops->tag_size), NULL));
    CHECK_STATUS(b.ops->open(b.key, b.nonce, slice_of(NULL, 0), slice_of(NULL, 0), NULL),
                 PDICT_AUTH);
    bench_close(&b);
}

/** Each bit of `bytes` once flipped: none of the results may open. */
static void flip_each_bit(bench *b, const char *what, unsigned char *bytes, size_t size,
                          pdict_slice aad, pdict_slice sealed)
{
    for (size_t bit = 0; bit < size * CHAR_BIT; bit++) {
        size_t out_size = sealed.size - b->ops->tag_size;
        unsigned char *out = guarded_place(&b->memory, out_size, GUARDED_HIGH);
        suite_note("%s, bit %zu", what, bit);
        bytes[bit / CHAR_BIT] ^= (unsigned char)(1u << bit % CHAR_BIT);
        CHECK_STATUS(b->ops->open(b->key, b->nonce, aad, sealed, out), PDICT_AUTH);
        CHECK(pdict_error_text()[0] != '\0');
        guarded_check(&b->memory, out, out_size);
        bytes[bit / CHAR_BIT] ^= (unsigned char)(1u << bit % CHAR_BIT);
    }
}

static void no_single_flipped_bit_opens(const pdict_codec *codec)
{
    unsigned char aad[40], plain[100];
    unsigned char *sealed;
    pdict_slice aad_slice = slice_of(aad, sizeof(aad));
    size_t size;
    bench b;

    bench_open(&b, codec, 256);
    sample_fill(SAMPLE_TEXT, aad, sizeof(aad));
    sample_fill(SAMPLE_RECORDS, plain, sizeof(plain));
    sealed = seal(&b, aad_slice, slice_of(plain, sizeof(plain)), &size);
    flip_each_bit(&b, "aad", aad, sizeof(aad), aad_slice, slice_of(sealed, size));
    flip_each_bit(&b, "key", b.key, b.ops->key_size, aad_slice, slice_of(sealed, size));
    flip_each_bit(&b, "nonce", b.nonce, b.ops->nonce_size, aad_slice, slice_of(sealed, size));
    flip_each_bit(&b, "sealed bytes and tag", sealed, size, aad_slice, slice_of(sealed, size));
    CHECK_OK(b.ops->open(b.key, b.nonce, aad_slice, slice_of(sealed, size), plain));
    free(sealed);
    bench_close(&b);
}

static void every_byte_of_a_large_value_is_protected(const pdict_codec *codec)
{
    static unsigned char plain[5000];
    unsigned char *sealed, *out;
    size_t size;
    bench b;

    bench_open(&b, codec, 8192);
    sealed = seal(&b, slice_of(NULL, 0), slice_of(plain, sizeof(plain)), &size);
    out = guarded_place(&b.memory, sizeof(plain), GUARDED_HIGH);
    for (size_t at = 0; at < size; at++) {
        suite_note("byte %zu", at);
        sealed[at] ^= 0xFF;
        CHECK_STATUS(b.ops->open(b.key, b.nonce, slice_of(NULL, 0), slice_of(sealed, size), out),
                     PDICT_AUTH);
        sealed[at] ^= 0xFF;
    }
    CHECK_OK(b.ops->open(b.key, b.nonce, slice_of(NULL, 0), slice_of(sealed, size), out));
    free(sealed);
    bench_close(&b);
}

static void other_lengths_do_not_open(const pdict_codec *codec)
{
    const char aad[] = "0123456789";
    unsigned char plain[64] = { 0 }, out[SECRET_MAX * 3];
    unsigned char *sealed, *cut;
    size_t size;
    bench b;

    bench_open(&b, codec, 256);
    sealed = seal(&b, slice_of(aad, 5), slice_of(plain, sizeof(plain)), &size);
    sealed[size] = 0;
    for (size_t length = 0; length <= size + 1; length++) {
        cut = guarded_copy(&b.memory, sealed, length, GUARDED_HIGH);
        suite_note("%zu of %zu bytes", length, size);
        CHECK_STATUS(b.ops->open(b.key, b.nonce, slice_of(aad, 5), slice_of(cut, length), out),
                     length == size ? PDICT_OK : PDICT_AUTH);
    }
    for (size_t length = 0; length < sizeof(aad); length++) {
        suite_note("%zu bytes of aad", length);
        CHECK_STATUS(
            b.ops->open(b.key, b.nonce, slice_of(aad, length), slice_of(sealed, size), out),
            length == 5 ? PDICT_OK : PDICT_AUTH);
    }
    free(sealed);
    bench_close(&b);
}

/* What is beside the value may not slide into it: the split is part of what is authenticated. */
static void moving_bytes_between_aad_and_value_does_not_open(const pdict_codec *codec)
{
    unsigned char joined[128], out[128];
    unsigned char *sealed;
    size_t size;
    bench b;

    bench_open(&b, codec, 256);
    memset(joined, 'a', sizeof(joined));
    sealed = seal(&b, slice_of(joined, 32), slice_of(joined, 32), &size);
    CHECK(32 + size <= sizeof(joined));
    memcpy(joined + 32, sealed, size);
    for (size_t split = 0; split <= 64; split++)
        CHECK_STATUS(b.ops->open(b.key, b.nonce, slice_of(joined, split),
                                 slice_of(joined + split, 32 + size - split), out),
                     split == 32 ? PDICT_OK : PDICT_AUTH);
    free(sealed);
    bench_close(&b);
}

static void another_nonce_gives_other_bytes(const pdict_codec *codec)
{
    unsigned char plain[64] = { 0 };
    unsigned char *first, *again, *other;
    size_t size;
    bench b;

    bench_open(&b, codec, 256);
    first = seal(&b, slice_of(NULL, 0), slice_of(plain, sizeof(plain)), &size);
    again = seal(&b, slice_of(NULL, 0), slice_of(plain, sizeof(plain)), &size);
    CHECK_BYTES(slice_of(again, size), slice_of(first, size));
    for (size_t at = 0; at < b.ops->nonce_size; at++) {
        b.nonce[at] ^= 1;
        other = seal(&b, slice_of(NULL, 0), slice_of(plain, sizeof(plain)), &size);
        suite_note("byte %zu of the nonce", at);
        for (size_t from = 0; from + 16 <= size; from += 16)
            CHECK(memcmp(other + from, first + from, 16) != 0);
        free(other);
        b.nonce[at] ^= 1;
    }
    free(first);
    free(again);
    bench_close(&b);
}

const codec_test codec_cipher_tests[] = {
    { "sizes_are_within_the_limits_of_the_contract", PDICT_CIPHER, NULL,
      sizes_are_within_the_limits_of_the_contract },
    { "ready_may_be_called_often_and_on_any_thread", PDICT_CIPHER, NULL,
      ready_may_be_called_often_and_on_any_thread },
    { "open_gives_back_what_was_sealed", PDICT_CIPHER, NULL, open_gives_back_what_was_sealed },
    { "seal_and_open_work_in_place", PDICT_CIPHER, NULL, seal_and_open_work_in_place },
    { "empty_value_and_no_aad_need_no_address", PDICT_CIPHER, NULL,
      empty_value_and_no_aad_need_no_address },
    { "no_single_flipped_bit_opens", PDICT_CIPHER, NULL, no_single_flipped_bit_opens },
    { "every_byte_of_a_large_value_is_protected", PDICT_CIPHER, NULL,
      every_byte_of_a_large_value_is_protected },
    { "other_lengths_do_not_open", PDICT_CIPHER, NULL, other_lengths_do_not_open },
    { "moving_bytes_between_aad_and_value_does_not_open", PDICT_CIPHER, NULL,
      moving_bytes_between_aad_and_value_does_not_open },
    { "another_nonce_gives_other_bytes", PDICT_CIPHER, NULL, another_nonce_gives_other_bytes },
    { NULL, 0, NULL, NULL },
};
