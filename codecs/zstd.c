/* SPDX-License-Identifier: MIT */
/* The zstd compressor: one Zstandard frame (RFC 8878) per value, contexts reused. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <pdict/ext/codec.h>

enum {
    ZSTD_OPTION_LEVEL
};

/* Frame header, RFC 8878 section 3.1.1: magic number, descriptor, then perhaps the window. */
enum {
    FRAME_DESCRIPTOR_AT = 4,
    FRAME_WINDOW_AT = 5,
    FRAME_HEADER_MIN = 6
};
#define FRAME_SINGLE_SEGMENT 0x20u

/* The window byte is (log - 10) << 3 plus eighths; a decoder may refuse any over 8 MiB. */
#define WINDOW_LOG_MAX  27
#define WINDOW_BYTE_MAX ((WINDOW_LOG_MAX - 10) << 3)

typedef struct zstd_shared {
    pdict_allocator allocator;
    int level;
} zstd_shared;

/* Each is made at its first use: many threads only ever read. */
typedef struct zstd_context {
    ZSTD_CCtx *encoder;
    ZSTD_DCtx *decoder;
} zstd_context;

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static char library_text[32];

static void library_init(void)
{
    snprintf(library_text, sizeof(library_text), "zstd %s", ZSTD_versionString());
}

static const char *zstd_library(void)
{
    pthread_once(&library_once, library_init);
    return library_text;
}

static int no_memory(const char *what)
{
    return pdict_fail(PDICT_NOMEM, "zstd: no memory for %s; free some and try again", what);
}

static bool is_out_of_memory(size_t result)
{
    return ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation;
}

static int encoder_configure(ZSTD_CCtx *encoder, int level)
{
    const struct {
        ZSTD_cParameter parameter;
        int value;
    } settings[] = {
        { ZSTD_c_compressionLevel, level },
        { ZSTD_c_contentSizeFlag, 1 },
        { ZSTD_c_checksumFlag, 0 }, /* the record has a checksum or a tag of its own */
        { ZSTD_c_dictIDFlag, 0 },
    };

    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        if (ZSTD_isError(ZSTD_CCtx_setParameter(encoder, settings[i].parameter, settings[i].value)))
            return pdict_fail(PDICT_UNSUPPORTED, "zstd: %s refuses level %d; choose another",
                              zstd_library(), level);
    return PDICT_OK;
}

static int encoder_need(const zstd_shared *shared, zstd_context *context)
{
    ZSTD_CCtx *encoder;
    int status;

    if (context->encoder != NULL)
        return PDICT_OK;
    if ((encoder = ZSTD_createCCtx()) == NULL)
        return no_memory("compression");
    if ((status = encoder_configure(encoder, shared->level)) != PDICT_OK) {
        ZSTD_freeCCtx(encoder);
        return status;
    }
    context->encoder = encoder;
    return PDICT_OK;
}

static int decoder_need(zstd_context *context)
{
    if (context->decoder == NULL)
        context->decoder = ZSTD_createDCtx();
    return context->decoder != NULL ? PDICT_OK : no_memory("decompression");
}

static int zstd_open(const pdict_codec_args *args, void **self)
{
    zstd_shared *shared = args->allocator.allocate(args->allocator.ctx, sizeof(*shared));

    if (shared == NULL)
        return no_memory("the codec");
    shared->allocator = args->allocator;
    shared->level = (int)args->options[ZSTD_OPTION_LEVEL].number;
    *self = shared;
    return PDICT_OK;
}

static void zstd_close(void *self)
{
    zstd_shared *shared = self;
    pdict_allocator allocator;

    if (shared == NULL)
        return;
    allocator = shared->allocator;
    allocator.release(allocator.ctx, shared);
}

static int zstd_context_new(void *self, void **context)
{
    zstd_shared *shared = self;
    zstd_context *made = shared->allocator.allocate(shared->allocator.ctx, sizeof(*made));

    if (made == NULL)
        return no_memory("a context");
    made->encoder = NULL;
    made->decoder = NULL;
    *context = made;
    return PDICT_OK;
}

static void zstd_context_free(void *self, void *context)
{
    zstd_shared *shared = self;
    zstd_context *old = context;

    if (old == NULL)
        return;
    ZSTD_freeCCtx(old->encoder);
    ZSTD_freeDCtx(old->decoder);
    shared->allocator.release(shared->allocator.ctx, old);
}

static size_t zstd_bound(void *self, size_t size)
{
    size_t bound = ZSTD_compressBound(size);

    (void)self;
    return ZSTD_isError(bound) ? 0 : bound;
}

static int zstd_encode(void *self, void *context, pdict_slice in, void *out, size_t capacity,
                       size_t *out_size)
{
    zstd_context *mine = context;
    size_t result;
    int status;

    if (capacity == 0)
        return PDICT_SKIP;
    if ((status = encoder_need(self, mine)) != PDICT_OK)
        return status;
    result = ZSTD_compress2(mine->encoder, out, capacity, in.data, in.size);
    if (is_out_of_memory(result))
        return no_memory("compression");
    if (ZSTD_isError(result))
        return PDICT_SKIP;
    *out_size = result;
    return PDICT_OK;
}

static int malformed(const char *reason)
{
    return pdict_fail(PDICT_FORMAT,
                      "zstd: the compressed value is malformed (%s); check the store for damage",
                      reason);
}

/** Is the window of the frame at `head` within the limit? Decoding in one go does not look. */
static bool is_window_allowed(const unsigned char *head)
{
    return (head[FRAME_DESCRIPTOR_AT] & FRAME_SINGLE_SEGMENT) != 0 ||
           head[FRAME_WINDOW_AT] <= WINDOW_BYTE_MAX;
}

/** One frame of exactly these bytes that says it holds `out_size`? Reads headers only. */
static int frame_check(pdict_slice in, size_t out_size)
{
    static const unsigned char magic[4] = { 0x28, 0xB5, 0x2F, 0xFD };
    unsigned long long content_size;

    /* Also turns away skippable and pre-1.0 frames, which have magic numbers of their own. */
    if (in.size < FRAME_HEADER_MIN || memcmp(in.data, magic, sizeof(magic)) != 0)
        return malformed("not a Zstandard frame");
    if (!is_window_allowed(in.data))
        return malformed("its window is over the limit");
    content_size = ZSTD_getFrameContentSize(in.data, in.size);
    if (content_size == ZSTD_CONTENTSIZE_UNKNOWN || content_size == ZSTD_CONTENTSIZE_ERROR)
        return malformed("it does not state its size");
    if (content_size != out_size)
        return malformed("its size is not the declared one");
    if (ZSTD_findFrameCompressedSize(in.data, in.size) != in.size)
        return malformed("it ends early or something follows its end");
    return PDICT_OK;
}

static int zstd_decode(void *self, void *context, pdict_slice in, void *out, size_t out_size)
{
    zstd_context *mine = context;
    size_t result;
    int status;

    (void)self;
    if ((status = frame_check(in, out_size)) != PDICT_OK)
        return status;
    if ((status = decoder_need(mine)) != PDICT_OK)
        return status;
    result = ZSTD_decompressDCtx(mine->decoder, out, out_size, in.data, in.size);
    if (is_out_of_memory(result))
        return no_memory("decompression");
    if (ZSTD_isError(result))
        return malformed(ZSTD_getErrorName(result));
    return result == out_size ? PDICT_OK : malformed("it holds less than declared");
}

static const pdict_option_spec zstd_options[] = {
    [ZSTD_OPTION_LEVEL] = { .name = "level",
                            .type = PDICT_OPTION_INT,
                            .fallback = "3",
                            .min = -7,
                            .max = 19,
                            .help = "-7 is the fastest, 19 makes the smallest values" },
    { .name = NULL },
};

static const pdict_compressor zstd_compressor = {
    .struct_size = sizeof(pdict_compressor),
    .open = zstd_open,
    .close = zstd_close,
    .context_new = zstd_context_new,
    .context_free = zstd_context_free,
    .bound = zstd_bound,
    .encode = zstd_encode,
    .decode = zstd_decode,
};

const pdict_codec pdict__codec_zstd = {
    PDICT_EXT_HEAD(pdict_codec),
    .kind = PDICT_COMPRESSOR,
    .id = 2, /* in every record: never changes */
    .name = "zstd",
    .summary = "Zstandard, fast with a good ratio",
    .options = zstd_options,
    .library = zstd_library,
    .compressor = &zstd_compressor,
};
