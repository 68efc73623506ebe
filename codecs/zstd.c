/* SPDX-License-Identifier: MIT */
/* The zstd compressor: one Zstandard frame (RFC 8878) per value, contexts reused. */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <zdict.h>
/* Of the interface that libzstd calls experimental those functions are used that make contexts and
 * dictionaries in memory of ours, which is wiped; and only where the library that is found at run
 * time exports them. */
#define ZSTD_STATIC_LINKING_ONLY
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

#pragma weak ZSTD_createCCtx_advanced
#pragma weak ZSTD_createDCtx_advanced
#pragma weak ZSTD_createCDict_advanced
#pragma weak ZSTD_createDDict_advanced
#pragma weak ZSTD_getCParams

/* The size of values that ZSTD_createCDict() assumes when it chooses parameters for a level. */
#define ASSUMED_VALUE_SIZE 513

/* Before each piece of memory of a context or dictionary. */
typedef union piece_head {
    size_t size;
    max_align_t aligned;
} piece_head;

/* Each is made at its first use: many threads only ever read. */
typedef struct zstd_context {
    ZSTD_CCtx *encoder;
    ZSTD_DCtx *decoder;
    const ZSTD_CDict *referred; /* what the encoder refers to now */
} zstd_context;

/* One dictionary, digested for each direction. */
typedef struct zstd_dictionary {
    ZSTD_CDict *encoding;
    ZSTD_DDict *decoding;
} zstd_dictionary;

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

static void *piece_allocate(void *opaque, size_t size)
{
    const pdict_allocator *allocator = opaque;
    piece_head *head;

    if (size > SIZE_MAX - sizeof(*head))
        return NULL;
    head = allocator->allocate(allocator->ctx, sizeof(*head) + size);
    if (head == NULL)
        return NULL;
    head->size = size;
    return head + 1;
}

/** Parts of values lie in it: literals on their way, the window of a stream, a dictionary. */
static void piece_release(void *opaque, void *memory)
{
    const pdict_allocator *allocator = opaque;
    piece_head *head;

    if (memory == NULL)
        return;
    head = (piece_head *)memory - 1;
    explicit_bzero(memory, head->size);
    allocator->release(allocator->ctx, head);
}

static ZSTD_CCtx *encoder_create(zstd_shared *shared)
{
    ZSTD_customMem memory = { piece_allocate, piece_release, &shared->allocator };

    return ZSTD_createCCtx_advanced != NULL ? ZSTD_createCCtx_advanced(memory) : ZSTD_createCCtx();
}

static ZSTD_DCtx *decoder_create(zstd_shared *shared)
{
    ZSTD_customMem memory = { piece_allocate, piece_release, &shared->allocator };

    return ZSTD_createDCtx_advanced != NULL ? ZSTD_createDCtx_advanced(memory) : ZSTD_createDCtx();
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

static int encoder_need(zstd_shared *shared, zstd_context *context)
{
    ZSTD_CCtx *encoder;
    int status;

    if (context->encoder != NULL)
        return PDICT_OK;
    if ((encoder = encoder_create(shared)) == NULL)
        return no_memory("compression");
    if ((status = encoder_configure(encoder, shared->level)) != PDICT_OK) {
        ZSTD_freeCCtx(encoder);
        return status;
    }
    context->encoder = encoder;
    return PDICT_OK;
}

static int decoder_need(zstd_shared *shared, zstd_context *context)
{
    if (context->decoder == NULL)
        context->decoder = decoder_create(shared);
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
    made->referred = NULL;
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

/** The reference lasts from call to call, so values of one map set it once. */
static int refer(zstd_context *context, const ZSTD_CDict *dictionary)
{
    size_t result;

    if (context->referred == dictionary)
        return PDICT_OK;
    /* A value that did not fit leaves the encoder in the middle of a frame. */
    ZSTD_CCtx_reset(context->encoder, ZSTD_reset_session_only);
    result = ZSTD_CCtx_refCDict(context->encoder, dictionary);
    if (ZSTD_isError(result))
        return no_memory("a dictionary");
    context->referred = dictionary;
    return PDICT_OK;
}

static int encode_by(void *self, void *context, const ZSTD_CDict *dictionary, pdict_slice in,
                     void *out, size_t capacity, size_t *out_size)
{
    zstd_context *mine = context;
    size_t result;
    int status;

    if (capacity == 0)
        return PDICT_SKIP;
    if ((status = encoder_need(self, mine)) != PDICT_OK)
        return status;
    if ((status = refer(mine, dictionary)) != PDICT_OK)
        return status;
    result = ZSTD_compress2(mine->encoder, out, capacity, in.data, in.size);
    if (is_out_of_memory(result))
        return no_memory("compression");
    if (ZSTD_isError(result))
        return PDICT_SKIP;
    *out_size = result;
    return PDICT_OK;
}

static int zstd_encode(void *self, void *context, pdict_slice in, void *out, size_t capacity,
                       size_t *out_size)
{
    return encode_by(self, context, NULL, in, out, capacity, out_size);
}

static int zstd_encode_with(void *self, void *context, const void *dictionary, pdict_slice in,
                            void *out, size_t capacity, size_t *out_size)
{
    const zstd_dictionary *mine = dictionary;

    return encode_by(self, context, mine->encoding, in, out, capacity, out_size);
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

static int decode_by(void *self, void *context, const ZSTD_DDict *dictionary, pdict_slice in,
                     void *out, size_t out_size)
{
    zstd_context *mine = context;
    size_t result;
    int status;

    if ((status = frame_check(in, out_size)) != PDICT_OK)
        return status;
    if ((status = decoder_need(self, mine)) != PDICT_OK)
        return status;
    result = ZSTD_decompress_usingDDict(mine->decoder, out, out_size, in.data, in.size, dictionary);
    if (is_out_of_memory(result))
        return no_memory("decompression");
    if (ZSTD_isError(result))
        return malformed(ZSTD_getErrorName(result));
    return result == out_size ? PDICT_OK : malformed("it holds less than declared");
}

static int zstd_decode(void *self, void *context, pdict_slice in, void *out, size_t out_size)
{
    return decode_by(self, context, NULL, in, out, out_size);
}

static int zstd_decode_with(void *self, void *context, const void *dictionary, pdict_slice in,
                            void *out, size_t out_size)
{
    const zstd_dictionary *mine = dictionary;

    return decode_by(self, context, mine->decoding, in, out, out_size);
}

static int zstd_train(void *self, const void *samples, const size_t *sizes, size_t count, void *out,
                      size_t capacity, size_t *out_size)
{
    size_t result;

    (void)self;
    if (count > UINT_MAX)
        return PDICT_SKIP;
    result = ZDICT_trainFromBuffer(out, capacity, samples, sizes, (unsigned)count);
    if (ZDICT_isError(result))
        return is_out_of_memory(result) ? no_memory("training") : PDICT_SKIP;
    *out_size = result;
    return PDICT_OK;
}

static void zstd_dictionary_close(void *self, void *dictionary)
{
    zstd_shared *shared = self;
    zstd_dictionary *old = dictionary;

    if (old == NULL)
        return;
    ZSTD_freeCDict(old->encoding);
    ZSTD_freeDDict(old->decoding);
    shared->allocator.release(shared->allocator.ctx, old);
}

static ZSTD_CDict *encoding_create(zstd_shared *shared, pdict_slice bytes)
{
    ZSTD_customMem memory = { piece_allocate, piece_release, &shared->allocator };

    if (ZSTD_createCDict_advanced == NULL || ZSTD_getCParams == NULL)
        return ZSTD_createCDict(bytes.data, bytes.size, shared->level);
    return ZSTD_createCDict_advanced(bytes.data, bytes.size, ZSTD_dlm_byCopy, ZSTD_dct_auto,
                                     ZSTD_getCParams(shared->level, ASSUMED_VALUE_SIZE, bytes.size),
                                     memory);
}

static ZSTD_DDict *decoding_create(zstd_shared *shared, pdict_slice bytes)
{
    ZSTD_customMem memory = { piece_allocate, piece_release, &shared->allocator };

    if (ZSTD_createDDict_advanced == NULL)
        return ZSTD_createDDict(bytes.data, bytes.size);
    return ZSTD_createDDict_advanced(bytes.data, bytes.size, ZSTD_dlm_byCopy, ZSTD_dct_auto,
                                     memory);
}

static int zstd_dictionary_open(void *self, pdict_slice bytes, void **dictionary)
{
    zstd_shared *shared = self;
    zstd_dictionary *made = shared->allocator.allocate(shared->allocator.ctx, sizeof(*made));

    if (made == NULL)
        return no_memory("a dictionary");
    made->encoding = encoding_create(shared, bytes);
    made->decoding = decoding_create(shared, bytes);
    if (made->encoding == NULL || made->decoding == NULL) {
        zstd_dictionary_close(self, made);
        return no_memory("a dictionary");
    }
    *dictionary = made;
    return PDICT_OK;
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
    .train = zstd_train,
    .dictionary_open = zstd_dictionary_open,
    .dictionary_close = zstd_dictionary_close,
    .encode_with = zstd_encode_with,
    .decode_with = zstd_decode_with,
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
