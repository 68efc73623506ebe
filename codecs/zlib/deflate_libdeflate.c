/* SPDX-License-Identifier: MIT */
/* The zlib codec by libdeflate: the same format, in less time. */
#include <libdeflate.h>
#include <string.h>

#include "zlib_codec.h"

/* Each is made at its first use. Up to level 9 both hold numbers about the last value, and none
 * of its bytes. */
typedef struct zlib_context {
    struct libdeflate_compressor *deflater;
    struct libdeflate_decompressor *inflater;
} zlib_context;

const char *pdict__zlib_library(void)
{
    return "libdeflate " LIBDEFLATE_VERSION_STRING;
}

int pdict__zlib_context_new(void *self, void **context)
{
    return pdict__zlib_context_make(self, sizeof(zlib_context), context);
}

void pdict__zlib_context_free(void *self, void *context)
{
    zlib_shared *shared = self;
    zlib_context *old = context;

    if (old == NULL)
        return;
    libdeflate_free_compressor(old->deflater);
    libdeflate_free_decompressor(old->inflater);
    shared->allocator.release(shared->allocator.ctx, old);
}

size_t pdict__zlib_bound(void *self, size_t size)
{
    (void)self;
    return size > ZLIB_MAX_INPUT ? 0 : libdeflate_zlib_compress_bound(NULL, size);
}

int pdict__zlib_encode(void *self, void *context, pdict_slice in, void *out, size_t capacity,
                       size_t *out_size)
{
    const zlib_shared *shared = self;
    zlib_context *mine = context;

    if (in.size > ZLIB_MAX_INPUT || capacity == 0)
        return PDICT_SKIP;
    if (mine->deflater == NULL)
        mine->deflater = libdeflate_alloc_compressor(shared->level);
    if (mine->deflater == NULL)
        return pdict__zlib_no_memory("a compressor");
    *out_size = libdeflate_zlib_compress(mine->deflater, in.size != 0 ? in.data : "", in.size, out,
                                         capacity);
    return *out_size != 0 ? PDICT_OK : PDICT_SKIP;
}

static int inflate_exactly(struct libdeflate_decompressor *inflater, pdict_slice in, void *out,
                           size_t out_size)
{
    size_t taken = 0;
    enum libdeflate_result result =
        libdeflate_zlib_decompress_ex(inflater, in.data, in.size, out, out_size, &taken, NULL);

    if (result == LIBDEFLATE_SHORT_OUTPUT)
        return pdict__zlib_malformed("it holds less than declared");
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE)
        return pdict__zlib_malformed("it holds more than declared");
    if (result != LIBDEFLATE_SUCCESS)
        return pdict__zlib_malformed("not a zlib stream");
    return taken == in.size ? PDICT_OK : pdict__zlib_malformed("something follows its end");
}

int pdict__zlib_inflate(void *self, void *context, pdict_slice in, void *out, size_t out_size)
{
    zlib_context *mine = context;

    (void)self;
    if (mine->inflater == NULL)
        mine->inflater = libdeflate_alloc_decompressor();
    if (mine->inflater == NULL)
        return pdict__zlib_no_memory("a decompressor");
    return inflate_exactly(mine->inflater, in, out, out_size);
}
