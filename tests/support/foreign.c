/* SPDX-License-Identifier: MIT */
/* Under MemorySanitizer: what libcbor, libsodium and libzstd write, which it does not see, counts as
 * written. Each function here stands before the library's own of that name and calls it. A result that comes
 * by value needs nothing; so do the callbacks of libcbor, which get numbers and borrowed bytes.
 */
#include <dlfcn.h>
#include <stdlib.h>

#include <cbor.h>
#include <sanitizer/msan_interface.h>
#include <sodium.h>
#include <zdict.h>
#include <zstd.h>

/** The function that this one hides, as a pointer that converts to any. */
static void (*library_function(const char *name))(void)
{
    void (*function)(void);

    /* POSIX lets dlsym() return functions; ISO C has no cast for it. */
    *(void **)&function = dlsym(RTLD_NEXT, name);
    if (function == NULL)
        abort();
    return function;
}

#define LIBRARY(name) ((__typeof__(&name))library_function(#name))

struct cbor_decoder_result cbor_stream_decode(cbor_data source, size_t size,
                                              const struct cbor_callbacks *callbacks, void *context)
{
    struct cbor_decoder_result result =
        LIBRARY(cbor_stream_decode)(source, size, callbacks, context);

    __msan_unpoison(&result, sizeof(result));
    return result;
}

#define CBOR_ENCODER(name, type)                                                                   \
    size_t name(type value, unsigned char *out, size_t room)                                       \
    {                                                                                              \
        size_t size = LIBRARY(name)(value, out, room);                                             \
                                                                                                   \
        __msan_unpoison(out, size);                                                                \
        return size;                                                                               \
    }

CBOR_ENCODER(cbor_encode_uint, uint64_t)
CBOR_ENCODER(cbor_encode_negint, uint64_t)
CBOR_ENCODER(cbor_encode_string_start, size_t)
CBOR_ENCODER(cbor_encode_bytestring_start, size_t)
CBOR_ENCODER(cbor_encode_array_start, size_t)
CBOR_ENCODER(cbor_encode_map_start, size_t)
CBOR_ENCODER(cbor_encode_bool, bool)
CBOR_ENCODER(cbor_encode_single, float)
CBOR_ENCODER(cbor_encode_double, double)

size_t cbor_encode_null(unsigned char *out, size_t room)
{
    size_t size = LIBRARY(cbor_encode_null)(out, room);

    __msan_unpoison(out, size);
    return size;
}

void randombytes_buf(void *out, size_t size)
{
    LIBRARY(randombytes_buf)(out, size);
    __msan_unpoison(out, size);
}

int crypto_generichash_blake2b(unsigned char *out, size_t out_size, const unsigned char *in,
                               unsigned long long in_size, const unsigned char *key,
                               size_t key_size)
{
    int rc = LIBRARY(crypto_generichash_blake2b)(out, out_size, in, in_size, key, key_size);

    __msan_unpoison(out, out_size);
    return rc;
}

int crypto_pwhash_argon2id(unsigned char *out, unsigned long long out_size, const char *password,
                           unsigned long long password_size, const unsigned char *salt,
                           unsigned long long operations, size_t memory, int algorithm)
{
    int rc = LIBRARY(crypto_pwhash_argon2id)(out, out_size, password, password_size, salt,
                                             operations, memory, algorithm);

    if (rc == 0)
        __msan_unpoison(out, out_size);
    return rc;
}

int crypto_aead_xchacha20poly1305_ietf_encrypt(
    unsigned char *out, unsigned long long *out_size, const unsigned char *plain,
    unsigned long long plain_size, const unsigned char *bound, unsigned long long bound_size,
    const unsigned char *no_secret_nonce, const unsigned char *nonce, const unsigned char *key)
{
    int rc = LIBRARY(crypto_aead_xchacha20poly1305_ietf_encrypt)(
        out, out_size, plain, plain_size, bound, bound_size, no_secret_nonce, nonce, key);

    __msan_unpoison(out, plain_size + crypto_aead_xchacha20poly1305_ietf_ABYTES);
    return rc;
}

int crypto_aead_xchacha20poly1305_ietf_decrypt(
    unsigned char *out, unsigned long long *out_size, unsigned char *no_secret_nonce,
    const unsigned char *sealed, unsigned long long sealed_size, const unsigned char *bound,
    unsigned long long bound_size, const unsigned char *nonce, const unsigned char *key)
{
    int rc = LIBRARY(crypto_aead_xchacha20poly1305_ietf_decrypt)(
        out, out_size, no_secret_nonce, sealed, sealed_size, bound, bound_size, nonce, key);

    if (rc == 0)
        __msan_unpoison(out, sealed_size - crypto_aead_xchacha20poly1305_ietf_ABYTES);
    return rc;
}

static void zstd_wrote(void *out, size_t size)
{
    if (!ZSTD_isError(size))
        __msan_unpoison(out, size);
}

size_t ZSTD_compress2(ZSTD_CCtx *encoder, void *out, size_t capacity, const void *in,
                      size_t in_size)
{
    size_t size = LIBRARY(ZSTD_compress2)(encoder, out, capacity, in, in_size);

    zstd_wrote(out, size);
    return size;
}

size_t ZSTD_decompress_usingDDict(ZSTD_DCtx *decoder, void *out, size_t capacity, const void *in,
                                  size_t in_size, const ZSTD_DDict *dictionary)
{
    size_t size =
        LIBRARY(ZSTD_decompress_usingDDict)(decoder, out, capacity, in, in_size, dictionary);

    zstd_wrote(out, size);
    return size;
}

size_t ZDICT_trainFromBuffer(void *out, size_t capacity, const void *samples, const size_t *sizes,
                             unsigned count)
{
    size_t size = LIBRARY(ZDICT_trainFromBuffer)(out, capacity, samples, sizes, count);

    zstd_wrote(out, size);
    return size;
}
