/* SPDX-License-Identifier: MIT */
/* Any bytes as a keyring: refused, or opened to a ring that is written as exactly these bytes. */
#include "fuzz.h"
#include "value/value.h"

static const uint8_t map_id[MAP_ID_SIZE] = "fuzz";
static pdict_allocator allocator;

static pdict_cipher cheap_cipher, open_cipher;
static pdict_codec cheap, open_to_all;

/* A memory-hard derivation would cost the fuzzer all its speed, and is not ours to test. */
static int cheap_derive(const pdict_kdf *kdf, pdict_slice password, void *out, size_t out_size)
{
    expect(kdf->operations <= 16 && kdf->memory_bytes <= (uint64_t)1 << 30);
    return cheap_cipher.hash((pdict_slice){ 0 }, password, out, out_size);
}

/* Lets the fuzzer behind the commitment, the seals and the MAC. */
static bool always_equal(const void *a, const void *b, size_t size)
{
    (void)a;
    (void)b;
    (void)size;
    return true;
}

static int open_without_check(const void *key, const void *nonce, pdict_slice aad,
                              pdict_slice sealed, void *out)
{
    (void)key;
    (void)nonce;
    (void)aad;
    memcpy(out, sealed.data, sealed.size - open_cipher.tag_size);
    return PDICT_OK;
}

static void prepare(const pdict_codec *codec)
{
    pdict_allocator none = { 0 };

    expect(pdict__allocator_choose(&none, &allocator) == PDICT_OK);
    cheap = open_to_all = *codec;
    cheap_cipher = *codec->cipher;
    cheap_cipher.derive = cheap_derive;
    open_cipher = cheap_cipher;
    open_cipher.equal = always_equal;
    open_cipher.open = open_without_check;
    cheap.cipher = &cheap_cipher;
    open_to_all.cipher = &open_cipher;
}

static void open_as(const pdict_codec *codec, pdict_slice text, bool is_passphrase)
{
    struct secret secret = { .bytes = { "0123456789abcdef0123456789abcdef", 32 },
                             .is_passphrase = is_passphrase };
    struct buf again = { .allocator = &allocator };
    struct keyring *ring;
    int status = pdict__keyring_open(codec, map_id, text, &secret, &allocator, &ring);

    expect((status == PDICT_OK) == (ring != NULL));
    if (status != PDICT_OK)
        return;
    expect(pdict__keyring_data_key(ring, pdict__keyring_active_epoch(ring)) != NULL);
    expect(pdict__keyring_encode(ring, &again) == PDICT_OK);
    expect(again.size == text.size);
    /* Under the open cipher the MAC may be any. */
    if (codec == &cheap)
        expect(memcmp(again.data, text.data, text.size) == 0);
    pdict__buf_free(&again);
    pdict__keyring_free(ring);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const pdict_codec *codec = pdict__codec_find("xchacha20");
    pdict_slice text = { data, size };

    if (!codec)
        return 0;
    if (!cheap.cipher)
        prepare(codec);
    open_as(&cheap, text, false);
    open_as(&cheap, text, true);
    open_as(&open_to_all, text, false);
    open_as(&open_to_all, text, true);
    return 0;
}
