/* SPDX-License-Identifier: MIT */
/* Libraries called directly, with nothing between: what codecs of the same library are held against. */
#include "codecs/codec.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* ---- libzstd: contexts are kept, as anybody in a hurry would ---- */

struct direct {
    int level;
};

struct direct_context {
    ZSTD_CCtx *encoder;
    ZSTD_DCtx *decoder;
};

static int direct_open(const pdict_codec_args *args, void **self)
{
    struct direct *direct = malloc(sizeof *direct);

    if (!direct)
        return pdict_fail(PDICT_NOMEM, "libzstd: out of memory");
    direct->level = (int)args->options[0].number;
    *self = direct;
    return PDICT_OK;
}

static void direct_context_free(void *self, void *context)
{
    struct direct_context *old = context;

    (void)self;
    if (!old)
        return;
    ZSTD_freeCCtx(old->encoder);
    ZSTD_freeDCtx(old->decoder);
    free(old);
}

static int direct_context_new(void *self, void **context)
{
    const struct direct *direct = self;
    struct direct_context *made = calloc(1, sizeof *made);

    if (made) {
        made->encoder = ZSTD_createCCtx();
        made->decoder = ZSTD_createDCtx();
    }
    if (!made || !made->encoder || !made->decoder) {
        direct_context_free(self, made);
        return pdict_fail(PDICT_NOMEM, "libzstd: out of memory");
    }
    ZSTD_CCtx_setParameter(made->encoder, ZSTD_c_compressionLevel, direct->level);
    ZSTD_CCtx_setParameter(made->encoder, ZSTD_c_dictIDFlag, 0);
    *context = made;
    return PDICT_OK;
}

static size_t direct_bound(void *self, size_t size)
{
    (void)self;
    return ZSTD_compressBound(size);
}

static int direct_encode(void *self, void *context, pdict_slice in, void *out, size_t capacity,
                         size_t *out_size)
{
    const struct direct_context *mine = context;
    size_t size = ZSTD_compress2(mine->encoder, out, capacity, in.data, in.size);

    (void)self;
    if (ZSTD_isError(size))
        return PDICT_SKIP;
    *out_size = size;
    return PDICT_OK;
}

static int direct_decode(void *self, void *context, pdict_slice in, void *out, size_t out_size)
{
    const struct direct_context *mine = context;

    (void)self;
    if (ZSTD_decompressDCtx(mine->decoder, out, out_size, in.data, in.size) != out_size)
        return pdict_fail(PDICT_FORMAT, "libzstd: a record cannot be decompressed");
    return PDICT_OK;
}

/* ---- libsodium ---- */

static int direct_ready(void)
{
    return sodium_init() < 0 ? pdict_fail(PDICT_UNSUPPORTED, "libsodium: it cannot start")
                             : PDICT_OK;
}

static int direct_seal(const void *key, const void *nonce, pdict_slice aad, pdict_slice plain,
                       void *out)
{
    crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, plain.data, plain.size, aad.data,
                                               aad.size, NULL, nonce, key);
    return PDICT_OK;
}

static int direct_unseal(const void *key, const void *nonce, pdict_slice aad, pdict_slice sealed,
                         void *out)
{
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.data, sealed.size,
                                                   aad.data, aad.size, nonce, key) != 0)
        return pdict_fail(PDICT_AUTH, "libsodium: a record cannot be opened");
    return PDICT_OK;
}

/* ---- As codecs; never registered, so no map can be made with them ---- */

static const pdict_compressor direct_zstd = {
    .struct_size = sizeof(pdict_compressor),
    .open = direct_open,
    .close = free,
    .context_new = direct_context_new,
    .context_free = direct_context_free,
    .bound = direct_bound,
    .encode = direct_encode,
    .decode = direct_decode,
};

static const pdict_cipher direct_sodium = {
    .struct_size = sizeof(pdict_cipher),
    .key_size = crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
    .nonce_size = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    .tag_size = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    .ready = direct_ready,
    .seal = direct_seal,
    .open = direct_unseal,
    .random = randombytes_buf,
};

static const pdict_option_spec direct_options[] = {
    { .name = "level", .type = PDICT_OPTION_INT, .fallback = "3", .min = -131072, .max = 22 },
    { .name = NULL },
};

static const pdict_codec baselines[] = {
    { PDICT_EXT_HEAD(pdict_codec), .kind = PDICT_COMPRESSOR, .name = "libzstd",
      .options = direct_options, .compressor = &direct_zstd },
    { PDICT_EXT_HEAD(pdict_codec), .kind = PDICT_CIPHER, .name = "libsodium",
      .cipher = &direct_sodium },
};

#define BASELINES (sizeof baselines / sizeof *baselines)

const pdict_codec *baseline_find(const char *name)
{
    for (size_t i = 0; i < BASELINES; i++) {
        if (strcmp(baselines[i].name, name) == 0)
            return &baselines[i];
    }
    return NULL;
}

bool is_baseline(const struct candidate *candidate)
{
    return candidate->codec && baseline_find(candidate->codec->name) == candidate->codec;
}
