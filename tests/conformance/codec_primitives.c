/* SPDX-License-Identifier: MIT */
/* Codec conformance: the hash, key derivation, randomness and secret memory that ciphers bring. */
#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codec_suite.h"

static void hash_fills_exactly_its_output(const pdict_codec *codec)
{
    unsigned char key[64] = { 1 }, once[64], again[64];
    const pdict_cipher *ops = codec->cipher;
    guarded g;

    CHECK_OK(ops->ready());
    guarded_open(&g, 64);
    for (size_t key_size = 0; key_size <= 64; key_size += key_size == 0 ? 16 : 1)
        for (size_t size = 16; size <= 64; size++) {
            unsigned char *out = guarded_place(&g, size, (int)(size % GUARDED_EDGES));
            suite_note("%zu bytes, key of %zu", size, key_size);
            CHECK_OK(ops->hash(slice_of(key, key_size), slice_of_text("data"), out, size));
            guarded_check(&g, out, size);
            memcpy(once, out, size);
            memset(again, 0xFF, size);
            CHECK_OK(ops->hash(slice_of(key, key_size), slice_of_text("data"), again, size));
            CHECK_BYTES(slice_of(again, size), slice_of(once, size));
        }
    guarded_close(&g);
}

static void hash_depends_on_every_bit_of_key_and_data(const pdict_codec *codec)
{
    unsigned char key[32] = { 1 }, data[100] = { 2 }, first[32], other[32];
    const pdict_slice keys = slice_of(key, sizeof(key)), all = slice_of(data, sizeof(data));
    const pdict_cipher *ops = codec->cipher;

    CHECK_OK(ops->ready());
    CHECK_OK(ops->hash(keys, all, first, sizeof(first)));
    for (size_t bit = 0; bit < (sizeof(key) + sizeof(data)) * CHAR_BIT; bit++) {
        size_t byte = bit / CHAR_BIT;
        unsigned char *at = byte < sizeof(key) ? key + byte : data + byte - sizeof(key);
        *at ^= (unsigned char)(1u << bit % CHAR_BIT);
        CHECK_OK(ops->hash(keys, all, other, sizeof(other)));
        CHECK(memcmp(first, other, sizeof(first)) != 0);
        *at ^= (unsigned char)(1u << bit % CHAR_BIT);
    }
    CHECK_OK(ops->hash(slice_of(NULL, 0), all, other, sizeof(other)));
    CHECK(memcmp(first, other, sizeof(first)) != 0);
    CHECK_OK(ops->hash(keys, slice_of(NULL, 0), other, sizeof(other)));
}

static void derive_depends_on_password_salt_and_costs(const pdict_codec *codec)
{
    const pdict_kdf base = { .operations = 2, .memory_bytes = 65536, .salt = { 1, 2, 3 } };
    pdict_kdf kdfs[] = { base, base, base, base, base };
    const char *passwords[] = { "password", "passwore", "password", "password", "password" };
    unsigned char keys[COUNT_OF(kdfs)][64], again[64];

    kdfs[2].salt[15] ^= 1;
    kdfs[3].operations++;
    kdfs[4].memory_bytes *= 2;
    CHECK_OK(codec->cipher->ready());
    for (size_t i = 0; i < COUNT_OF(kdfs); i++) {
        CHECK_OK(
            codec->cipher->derive(&kdfs[i], slice_of_text(passwords[i]), keys[i], sizeof(keys[i])));
        for (size_t earlier = 0; earlier < i; earlier++)
            CHECK(memcmp(keys[i], keys[earlier], sizeof(keys[i])) != 0);
    }
    CHECK_OK(codec->cipher->derive(&base, slice_of_text("password"), again, sizeof(again)));
    CHECK_BYTES(slice_of(again, sizeof(again)), slice_of(keys[0], sizeof(keys[0])));
}

static void derive_fills_exactly_its_output(const pdict_codec *codec)
{
    const pdict_kdf kdf = { .operations = 1, .memory_bytes = 65536 };
    guarded g;

    CHECK_OK(codec->cipher->ready());
    guarded_open(&g, 64);
    for (size_t size = 16; size <= 64; size++) {
        unsigned char *out = guarded_place(&g, size, (int)(size % GUARDED_EDGES));
        CHECK_OK(codec->cipher->derive(&kdf, slice_of(NULL, 0), out, size));
        guarded_check(&g, out, size);
    }
    guarded_close(&g);
}

static void random_fills_exactly_its_output(const pdict_codec *codec)
{
    unsigned char seen[100];
    guarded g;

    CHECK_OK(codec->cipher->ready());
    guarded_open(&g, sizeof(seen));
    for (size_t size = 0; size <= sizeof(seen); size++) {
        /* a byte that never changes in 20 rounds was not written: 2^-160 by chance */
        memset(seen, 0, sizeof(seen));
        for (int round = 0; round < 20; round++) {
            unsigned char *out = guarded_place(&g, size, round % GUARDED_EDGES);
            unsigned char before = size != 0 ? out[0] : 0;
            codec->cipher->random(out, size);
            guarded_check(&g, out, size);
            for (size_t i = 0; i < size; i++)
                seen[i] |= out[i] != before;
        }
        for (size_t i = 0; i < size; i++)
            CHECK(seen[i]);
    }
    guarded_close(&g);
}

static void random_never_repeats(const pdict_codec *codec)
{
    static unsigned char nonces[256][24];

    CHECK_OK(codec->cipher->ready());
    for (size_t i = 0; i < COUNT_OF(nonces); i++) {
        codec->cipher->random(nonces[i], sizeof(nonces[i]));
        for (size_t earlier = 0; earlier < i; earlier++)
            CHECK(memcmp(nonces[i], nonces[earlier], sizeof(nonces[i])) != 0);
    }
}

static void child_of_a_fork_draws_other_random_bytes(const pdict_codec *codec)
{
    unsigned char mine[32], theirs[32];
    int ends[2];
    pid_t child;

    CHECK_OK(codec->cipher->ready());
    codec->cipher->random(mine, sizeof(mine));
    CHECK(pipe(ends) == 0);
    child = fork();
    CHECK(child >= 0);
    codec->cipher->random(mine, sizeof(mine));
    if (child == 0)
        _exit(write(ends[1], mine, sizeof(mine)) == (ssize_t)sizeof(mine) ? 0 : 1);
    CHECK(read(ends[0], theirs, sizeof(theirs)) == (ssize_t)sizeof(theirs));
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK(memcmp(mine, theirs, sizeof(mine)) != 0);
}

static void equal_sees_every_bit(const pdict_codec *codec)
{
    unsigned char a[32] = { 3 }, b[32] = { 3 };

    CHECK(codec->cipher->equal(a, b, sizeof(a)));
    CHECK(codec->cipher->equal(a, b, 0));
    for (size_t bit = 0; bit < sizeof(a) * CHAR_BIT; bit++) {
        b[bit / CHAR_BIT] ^= (unsigned char)(1u << bit % CHAR_BIT);
        CHECK(!codec->cipher->equal(a, b, sizeof(a)));
        CHECK(codec->cipher->equal(a, b, bit / CHAR_BIT));
        b[bit / CHAR_BIT] ^= (unsigned char)(1u << bit % CHAR_BIT);
    }
}

static void wipe_zeroes_exactly_its_range(const pdict_codec *codec)
{
    guarded g;

    guarded_open(&g, 256);
    for (size_t size = 0; size <= 256; size++) {
        unsigned char *at = guarded_place(&g, size, (int)(size % GUARDED_EDGES));
        codec->cipher->wipe(at, size);
        guarded_check(&g, at, size);
        for (size_t i = 0; i < size; i++)
            CHECK(at[i] == 0);
    }
    guarded_close(&g);
}

static void secret_memory_can_be_used_to_its_last_byte(const pdict_codec *codec)
{
    static const size_t sizes[] = { 1, 31, 32, 64, 4096, 5000 };

    CHECK_OK(codec->cipher->ready());
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        unsigned char *secret = codec->cipher->secret_alloc(sizes[i]);
        CHECK(secret != NULL);
        memset(secret, 0x77, sizes[i]);
        codec->cipher->secret_free(secret);
    }
    codec->cipher->secret_free(NULL);
    CHECK(codec->cipher->secret_alloc(SIZE_MAX - 100) == NULL);
}

static void secret_memory_faults_one_byte_further(const pdict_codec *codec)
{
    volatile unsigned char *secret;
    int state;
    pid_t child;

    CHECK_OK(codec->cipher->ready());
    secret = codec->cipher->secret_alloc(32);
    CHECK(secret != NULL);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        close(STDERR_FILENO); /* a sanitizer would report the fault that is wanted here */
        secret[32] = 1;
        _exit(0);
    }
    CHECK(waitpid(child, &state, 0) == child);
    CHECK(WIFSIGNALED(state) || WEXITSTATUS(state) != 0);
    codec->cipher->secret_free((void *)(uintptr_t)secret);
}

const codec_test codec_primitive_tests[] = {
    { "hash_fills_exactly_its_output", PDICT_CIPHER, NULL, hash_fills_exactly_its_output },
    { "hash_depends_on_every_bit_of_key_and_data", PDICT_CIPHER, NULL,
      hash_depends_on_every_bit_of_key_and_data },
    { "derive_depends_on_password_salt_and_costs", PDICT_CIPHER, NULL,
      derive_depends_on_password_salt_and_costs },
    { "derive_fills_exactly_its_output", PDICT_CIPHER, NULL, derive_fills_exactly_its_output },
    { "random_fills_exactly_its_output", PDICT_CIPHER, NULL, random_fills_exactly_its_output },
    { "random_never_repeats", PDICT_CIPHER, NULL, random_never_repeats },
    { "child_of_a_fork_draws_other_random_bytes", PDICT_CIPHER, NULL,
      child_of_a_fork_draws_other_random_bytes },
    { "equal_sees_every_bit", PDICT_CIPHER, NULL, equal_sees_every_bit },
    { "wipe_zeroes_exactly_its_range", PDICT_CIPHER, NULL, wipe_zeroes_exactly_its_range },
    { "secret_memory_can_be_used_to_its_last_byte", PDICT_CIPHER, NULL,
      secret_memory_can_be_used_to_its_last_byte },
    { "secret_memory_faults_one_byte_further", PDICT_CIPHER, NULL,
      secret_memory_faults_one_byte_further },
    { NULL, 0, NULL, NULL },
};
