/* SPDX-License-Identifier: MIT */
/* The xchacha20 cipher: XChaCha20-Poly1305-IETF, Argon2id and BLAKE2b, all from libsodium. */
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>

#include <pdict/ext/codec.h>

#define KEY_SIZE   crypto_aead_xchacha20poly1305_ietf_KEYBYTES
#define NONCE_SIZE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_SIZE   crypto_aead_xchacha20poly1305_ietf_ABYTES

_Static_assert(crypto_pwhash_argon2id_SALTBYTES == sizeof(((pdict_kdf *)0)->salt),
               "Argon2id takes the salt of the contract");

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static char library_text[32];

static void library_init(void)
{
    snprintf(library_text, sizeof(library_text), "libsodium %s", sodium_version_string());
}

static const char *xchacha20_library(void)
{
    pthread_once(&library_once, library_init);
    return library_text;
}

static int xchacha20_ready(void)
{
    if (sodium_init() < 0)
        return pdict_fail(PDICT_UNSUPPORTED,
                          "xchacha20: %s cannot start; make sure /dev/urandom is readable",
                          xchacha20_library());
    return PDICT_OK;
}

static int xchacha20_seal(const void *key, const void *nonce, pdict_slice aad, pdict_slice plain,
                          void *out)
{
    /* libsodium ends the process on more */
    if (plain.size > crypto_aead_xchacha20poly1305_ietf_MESSAGEBYTES_MAX)
        return pdict_fail(PDICT_TOO_BIG, "xchacha20: a value of %zu bytes is over 256 GiB",
                          plain.size);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, plain.data, plain.size, aad.data,
                                                     aad.size, NULL, nonce, key);
    return PDICT_OK;
}

static int xchacha20_open(const void *key, const void *nonce, pdict_slice aad, pdict_slice sealed,
                          void *out)
{
    if (sealed.size >= TAG_SIZE &&
        sealed.size - TAG_SIZE <= crypto_aead_xchacha20poly1305_ietf_MESSAGEBYTES_MAX &&
        crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.data, sealed.size,
                                                   aad.data, aad.size, nonce, key) == 0)
        return PDICT_OK;
    /* One text for every cause: which check failed is nobody's business. */
    return pdict_fail(PDICT_AUTH, "xchacha20: the sealed bytes do not belong to this key and "
                                  "place; check the key, then the store for damage");
}

static bool are_costs_legal(const pdict_kdf *kdf)
{
    return kdf->operations >= crypto_pwhash_argon2id_OPSLIMIT_MIN &&
           kdf->operations <= crypto_pwhash_argon2id_OPSLIMIT_MAX &&
           kdf->memory_bytes >= crypto_pwhash_argon2id_MEMLIMIT_MIN &&
           kdf->memory_bytes <= crypto_pwhash_argon2id_MEMLIMIT_MAX;
}

static int xchacha20_derive(const pdict_kdf *kdf, pdict_slice password, void *out, size_t out_size)
{
    if (!are_costs_legal(kdf) || out_size < crypto_pwhash_argon2id_BYTES_MIN ||
        out_size > crypto_pwhash_argon2id_BYTES_MAX)
        return pdict_fail(PDICT_INVAL,
                          "xchacha20: Argon2id takes no %llu operations over %llu bytes for a key "
                          "of %zu bytes; it needs at least 1 over 8192 for 16",
                          (unsigned long long)kdf->operations,
                          (unsigned long long)kdf->memory_bytes, out_size);
    if (password.size > crypto_pwhash_argon2id_PASSWD_MAX)
        return pdict_fail(PDICT_TOO_BIG, "xchacha20: the password is over 4 GiB");
    /* libsodium declares the password as never null, even when it is empty */
    if (crypto_pwhash_argon2id(out, out_size, password.size != 0 ? password.data : "",
                               password.size, kdf->salt, kdf->operations, (size_t)kdf->memory_bytes,
                               crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0)
        return pdict_fail(PDICT_NOMEM,
                          "xchacha20: no %llu bytes of memory to turn the password into a key; "
                          "free some and try again",
                          (unsigned long long)kdf->memory_bytes);
    return PDICT_OK;
}

static int xchacha20_hash(pdict_slice key, pdict_slice data, void *out, size_t out_size)
{
    if (out_size < crypto_generichash_blake2b_BYTES_MIN ||
        out_size > crypto_generichash_blake2b_BYTES_MAX)
        return pdict_fail(PDICT_INVAL, "xchacha20: a hash has 16 to 64 bytes, not %zu", out_size);
    if (key.size != 0 && (key.size < crypto_generichash_blake2b_KEYBYTES_MIN ||
                          key.size > crypto_generichash_blake2b_KEYBYTES_MAX))
        return pdict_fail(PDICT_INVAL, "xchacha20: a hash key has 16 to 64 bytes, not %zu",
                          key.size);
    (void)crypto_generichash_blake2b(out, out_size, data.data, data.size, key.data, key.size);
    return PDICT_OK;
}

static bool xchacha20_equal(const void *a, const void *b, size_t size)
{
    return sodium_memcmp(a, b, size) == 0;
}

static const pdict_cipher xchacha20_cipher = {
    .struct_size = sizeof(pdict_cipher),
    .key_size = KEY_SIZE,
    .nonce_size = NONCE_SIZE,
    .tag_size = TAG_SIZE,
    .ready = xchacha20_ready,
    .seal = xchacha20_seal,
    .open = xchacha20_open,
    .derive = xchacha20_derive,
    .hash = xchacha20_hash,
    .random = randombytes_buf,
    .equal = xchacha20_equal,
    .wipe = sodium_memzero,
    .secret_alloc = sodium_malloc,
    .secret_free = sodium_free,
};

const pdict_codec pdict__codec_xchacha20 = {
    PDICT_EXT_HEAD(pdict_codec),
    .kind = PDICT_CIPHER,
    .id = 1, /* in every record: never changes */
    .name = "xchacha20",
    .summary = "XChaCha20-Poly1305 with random nonces, Argon2id for passwords",
    .library = xchacha20_library,
    .cipher = &xchacha20_cipher,
};
