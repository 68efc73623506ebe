/* SPDX-License-Identifier: MIT */
/* The zlib compressor: deflate in the zlib format (RFC 1950); its options, and what is refused. */
#include <string.h>

#include "zlib_codec.h"

enum {
    ZLIB_OPTION_LEVEL
};

/** Deflate cannot expand more than this, see "Maximum Compression Factor" at zlib.net. */
#define ZLIB_MAX_EXPANSION   1032u
#define ZLIB_EXPANSION_SLACK 64u

int pdict__zlib_malformed(const char *reason)
{
    return pdict_fail(PDICT_FORMAT,
                      "zlib: the compressed value is malformed (%s); check the store for damage",
                      reason);
}

int pdict__zlib_no_memory(const char *what)
{
    return pdict_fail(PDICT_NOMEM, "zlib: no memory for %s; free some and try again", what);
}

int pdict__zlib_context_make(zlib_shared *shared, size_t size, void **context)
{
    void *made = shared->allocator.allocate(shared->allocator.ctx, size);

    if (made == NULL)
        return pdict__zlib_no_memory("a context");
    memset(made, 0, size);
    *context = made;
    return PDICT_OK;
}

static int zlib_open(const pdict_codec_args *args, void **self)
{
    zlib_shared *shared = args->allocator.allocate(args->allocator.ctx, sizeof(*shared));

    if (shared == NULL)
        return pdict__zlib_no_memory("the codec");
    shared->allocator = args->allocator;
    shared->level = (int)args->options[ZLIB_OPTION_LEVEL].number;
    *self = shared;
    return PDICT_OK;
}

static void zlib_close(void *self)
{
    zlib_shared *shared = self;
    pdict_allocator allocator;

    if (shared == NULL)
        return;
    allocator = shared->allocator;
    allocator.release(allocator.ctx, shared);
}

/** Could `in_size` bytes of deflate hold `out_size` bytes at all? */
static bool is_plausible(size_t in_size, size_t out_size)
{
    return in_size <= ZLIB_MAX_INPUT && out_size <= ZLIB_MAX_INPUT &&
           out_size <= (uint64_t)in_size * ZLIB_MAX_EXPANSION + ZLIB_EXPANSION_SLACK;
}

static int zlib_decode(void *self, void *context, pdict_slice in, void *out, size_t out_size)
{
    unsigned char nothing;

    if (!is_plausible(in.size, out_size))
        return pdict__zlib_malformed("it cannot hold the declared size");
    if (in.size == 0)
        return pdict__zlib_malformed("it is empty");
    /* Neither library takes a null pointer, even with no room behind it. */
    return pdict__zlib_inflate(self, context, in, out_size != 0 ? out : &nothing, out_size);
}

static const pdict_option_spec zlib_options[] = {
    [ZLIB_OPTION_LEVEL] = { .name = "level",
                            .type = PDICT_OPTION_INT,
                            .fallback = "6",
                            .min = 1,
                            .max = 9,
                            .help = "1 is the fastest, 9 makes the smallest values" },
    { .name = NULL },
};

static const pdict_compressor zlib_compressor = {
    .struct_size = sizeof(pdict_compressor),
    .open = zlib_open,
    .close = zlib_close,
    .context_new = pdict__zlib_context_new,
    .context_free = pdict__zlib_context_free,
    .bound = pdict__zlib_bound,
    .encode = pdict__zlib_encode,
    .decode = zlib_decode,
};

const pdict_codec pdict__codec_zlib = {
    PDICT_EXT_HEAD(pdict_codec),
    .kind = PDICT_COMPRESSOR,
    .id = 1, /* in every record: never changes */
    .name = "zlib",
    .summary = "deflate, the most widely readable compression",
    .options = zlib_options,
    .library = pdict__zlib_library,
    .compressor = &zlib_compressor,
};
