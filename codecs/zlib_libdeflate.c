/* SPDX-License-Identifier: MIT */
/* The zlib compressor, its work done by libdeflate: the same format and options, in less time. */
#include <libdeflate.h>
#include <pthread.h>
#include <string.h>

#include <pdict/ext/codec.h>

enum {
    ZLIB_OPTION_LEVEL
};

/** Deflate cannot expand more than this, see "Maximum Compression Factor" at zlib.net. */
#define ZLIB_MAX_EXPANSION   1032u
#define ZLIB_EXPANSION_SLACK 64u

/** That of the other build, so that both store the same values compressed. */
#define ZLIB_MAX_INPUT UINT32_MAX

typedef struct zlib_shared {
    pdict_allocator allocator;
    int level;
} zlib_shared;

/* Each is made at its first use. Up to level 9 both hold numbers about the last value, and none
 * of its bytes. */
typedef struct zlib_context {
    struct libdeflate_compressor *deflater;
    struct libdeflate_decompressor *inflater;
} zlib_context;

static const char *zlib_library(void)
{
    return "libdeflate " LIBDEFLATE_VERSION_STRING;
}

static int no_memory(const char *what)
{
    return pdict_fail(PDICT_NOMEM, "zlib: no memory for %s; free some and try again", what);
}

static int zlib_open(const pdict_codec_args *args, void **self)
{
    zlib_shared *shared = args->allocator.allocate(args->allocator.ctx, sizeof(*shared));

    if (shared == NULL)
        return no_memory("the codec");
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

static int zlib_context_new(void *self, void **context)
{
    zlib_shared *shared = self;
    zlib_context *made = shared->allocator.allocate(shared->allocator.ctx, sizeof(*made));

    if (made == NULL)
        return no_memory("a context");
    memset(made, 0, sizeof(*made));
    *context = made;
    return PDICT_OK;
}

static void zlib_context_free(void *self, void *context)
{
    zlib_shared *shared = self;
    zlib_context *old = context;

    if (old == NULL)
        return;
    libdeflate_free_compressor(old->deflater);
    libdeflate_free_decompressor(old->inflater);
    shared->allocator.release(shared->allocator.ctx, old);
}

static size_t zlib_bound(void *self, size_t size)
{
    (void)self;
    return size > ZLIB_MAX_INPUT ? 0 : libdeflate_zlib_compress_bound(NULL, size);
}

static int zlib_encode(void *self, void *context, pdict_slice in, void *out, size_t capacity,
                       size_t *out_size)
{
    const zlib_shared *shared = self;
    zlib_context *mine = context;

    if (in.size > ZLIB_MAX_INPUT || capacity == 0)
        return PDICT_SKIP;
    if (mine->deflater == NULL)
        mine->deflater = libdeflate_alloc_compressor(shared->level);
    if (mine->deflater == NULL)
        return no_memory("a compressor");
    *out_size = libdeflate_zlib_compress(mine->deflater, in.size != 0 ? in.data : "", in.size, out,
                                         capacity);
    return *out_size != 0 ? PDICT_OK : PDICT_SKIP;
}

/** Could `in_size` bytes of deflate hold `out_size` bytes at all? */
static bool is_plausible(size_t in_size, size_t out_size)
{
    return in_size <= ZLIB_MAX_INPUT && out_size <= ZLIB_MAX_INPUT &&
           out_size <= (uint64_t)in_size * ZLIB_MAX_EXPANSION + ZLIB_EXPANSION_SLACK;
}

static int malformed(const char *reason)
{
    return pdict_fail(PDICT_FORMAT,
                      "zlib: the compressed value is malformed (%s); check the store for damage",
                      reason);
}

static int inflate_exactly(struct libdeflate_decompressor *inflater, pdict_slice in, void *out,
                           size_t out_size)
{
    size_t taken = 0;
    enum libdeflate_result result =
        libdeflate_zlib_decompress_ex(inflater, in.data, in.size, out, out_size, &taken, NULL);

    if (result == LIBDEFLATE_SHORT_OUTPUT)
        return malformed("it holds less than declared");
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE)
        return malformed("it holds more than declared");
    if (result != LIBDEFLATE_SUCCESS)
        return malformed("not a zlib stream");
    return taken == in.size ? PDICT_OK : malformed("something follows its end");
}

static int zlib_decode(void *self, void *context, pdict_slice in, void *out, size_t out_size)
{
    zlib_context *mine = context;
    unsigned char nothing;

    (void)self;
    if (!is_plausible(in.size, out_size))
        return malformed("it cannot hold the declared size");
    if (in.size == 0)
        return malformed("it is empty");
    if (mine->inflater == NULL)
        mine->inflater = libdeflate_alloc_decompressor();
    if (mine->inflater == NULL)
        return no_memory("a decompressor");
    return inflate_exactly(mine->inflater, in, out_size != 0 ? out : &nothing, out_size);
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
    .context_new = zlib_context_new,
    .context_free = zlib_context_free,
    .bound = zlib_bound,
    .encode = zlib_encode,
    .decode = zlib_decode,
};

const pdict_codec pdict__codec_zlib = {
    PDICT_EXT_HEAD(pdict_codec),
    .kind = PDICT_COMPRESSOR,
    .id = 1, /* in every record: never changes */
    .name = "zlib",
    .summary = "deflate, the most widely readable compression",
    .options = zlib_options,
    .library = zlib_library,
    .compressor = &zlib_compressor,
};
