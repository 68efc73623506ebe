/* SPDX-License-Identifier: MIT */
/* The zlib compressor: deflate in the zlib format (RFC 1950), one stream reused per context. */
#define ZLIB_CONST
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include <pdict/ext/codec.h>

enum {
    ZLIB_OPTION_LEVEL
};

/** Deflate cannot expand more than this, see "Maximum Compression Factor" at zlib.net. */
#define ZLIB_MAX_EXPANSION   1032u
#define ZLIB_EXPANSION_SLACK 64u

typedef struct zlib_shared {
    pdict_allocator allocator;
    int level;
} zlib_shared;

/* Each stream is made at its first use: a reader never pays for the larger one, the deflater. */
typedef struct zlib_context {
    z_stream deflater;
    z_stream inflater;
    bool has_deflater;
    bool has_inflater;
} zlib_context;

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static char library_text[32];

static void library_init(void)
{
    snprintf(library_text, sizeof(library_text), "zlib %s", zlibVersion());
}

static const char *zlib_library(void)
{
    pthread_once(&library_once, library_init);
    return library_text;
}

/* Before each piece of memory of a stream. */
typedef union piece_head {
    size_t size;
    max_align_t aligned;
} piece_head;

static voidpf stream_allocate(voidpf opaque, uInt items, uInt size)
{
    const pdict_allocator *allocator = opaque;
    piece_head *head;

    if (size != 0 && items > (SIZE_MAX - sizeof(*head)) / size)
        return Z_NULL;
    head = allocator->allocate(allocator->ctx, sizeof(*head) + (size_t)items * size);
    if (head == NULL)
        return Z_NULL;
    head->size = (size_t)items * size;
    return head + 1;
}

/** The window of a stream is its last values. */
static void stream_release(voidpf opaque, voidpf memory)
{
    const pdict_allocator *allocator = opaque;
    piece_head *head;

    if (memory == Z_NULL)
        return;
    head = (piece_head *)memory - 1;
    explicit_bzero(memory, head->size);
    allocator->release(allocator->ctx, head);
}

static void stream_prepare(z_stream *stream, zlib_shared *shared)
{
    memset(stream, 0, sizeof(*stream));
    stream->zalloc = stream_allocate;
    stream->zfree = stream_release;
    stream->opaque = &shared->allocator;
}

static int stream_failed(int result)
{
    if (result == Z_MEM_ERROR)
        return pdict_fail(PDICT_NOMEM, "zlib: no memory for a stream; free some and try again");
    return pdict_fail(
        PDICT_UNSUPPORTED,
        "zlib: %s refuses to start a stream (%d); this build was made for " ZLIB_VERSION,
        zlib_library(), result);
}

static int deflater_restart(zlib_shared *shared, zlib_context *context)
{
    int result;

    if (context->has_deflater) {
        result = deflateReset(&context->deflater);
    } else {
        stream_prepare(&context->deflater, shared);
        result = deflateInit(&context->deflater, shared->level);
        context->has_deflater = result == Z_OK;
    }
    return result == Z_OK ? PDICT_OK : stream_failed(result);
}

static int inflater_restart(zlib_shared *shared, zlib_context *context)
{
    int result;

    if (context->has_inflater) {
        result = inflateReset(&context->inflater);
    } else {
        stream_prepare(&context->inflater, shared);
        result = inflateInit(&context->inflater);
        context->has_inflater = result == Z_OK;
    }
    return result == Z_OK ? PDICT_OK : stream_failed(result);
}

static int zlib_open(const pdict_codec_args *args, void **self)
{
    zlib_shared *shared = args->allocator.allocate(args->allocator.ctx, sizeof(*shared));

    if (shared == NULL)
        return pdict_fail(PDICT_NOMEM, "zlib: no memory to open the codec");
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
        return pdict_fail(PDICT_NOMEM, "zlib: no memory for a context; free some and try again");
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
    /* The answers only say that a stream was left in the middle, as a refused value leaves it. */
    if (old->has_deflater)
        (void)deflateEnd(&old->deflater);
    if (old->has_inflater)
        (void)inflateEnd(&old->inflater);
    shared->allocator.release(shared->allocator.ctx, old);
}

static size_t zlib_bound(void *self, size_t size)
{
    uLong bound;

    (void)self;
    if (size > UINT_MAX)
        return 0;
    bound = compressBound((uLong)size);
    return bound < size ? 0 : bound;
}

static int zlib_encode(void *self, void *context, pdict_slice in, void *out, size_t capacity,
                       size_t *out_size)
{
    zlib_context *mine = context;
    z_stream *stream = &mine->deflater;
    uInt room = capacity > UINT_MAX ? UINT_MAX : (uInt)capacity;
    int status;

    if (in.size > UINT_MAX)
        return PDICT_SKIP;
    if ((status = deflater_restart(self, mine)) != PDICT_OK)
        return status;
    stream->next_in = in.data;
    stream->avail_in = (uInt)in.size;
    stream->next_out = out;
    stream->avail_out = room;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END)
        return PDICT_SKIP;
    *out_size = room - stream->avail_out;
    return PDICT_OK;
}

/** Could `in_size` bytes of deflate hold `out_size` bytes at all? */
static bool is_plausible(size_t in_size, size_t out_size)
{
    return in_size <= UINT_MAX && out_size <= UINT_MAX &&
           out_size <= (uint64_t)in_size * ZLIB_MAX_EXPANSION + ZLIB_EXPANSION_SLACK;
}

static int malformed(const char *reason)
{
    return pdict_fail(PDICT_FORMAT,
                      "zlib: the compressed value is malformed (%s); check the store for damage",
                      reason);
}

static int inflate_exactly(z_stream *stream)
{
    int result = inflate(stream, Z_FINISH);

    if (result == Z_MEM_ERROR)
        return stream_failed(result);
    if (result == Z_NEED_DICT)
        return malformed("it asks for a dictionary");
    if (result == Z_BUF_ERROR)
        return malformed("its size is not the declared one, or it ends early");
    if (result != Z_STREAM_END)
        return malformed(stream->msg != NULL ? stream->msg : "not a zlib stream");
    if (stream->avail_out != 0)
        return malformed("it holds less than declared");
    if (stream->avail_in != 0)
        return malformed("something follows its end");
    return PDICT_OK;
}

static int zlib_decode(void *self, void *context, pdict_slice in, void *out, size_t out_size)
{
    zlib_context *mine = context;
    z_stream *stream = &mine->inflater;
    unsigned char nothing;
    int status;

    if (!is_plausible(in.size, out_size))
        return malformed("it cannot hold the declared size");
    if (in.size == 0)
        return malformed("it is empty");
    if ((status = inflater_restart(self, mine)) != PDICT_OK)
        return status;
    stream->next_in = in.data;
    stream->avail_in = (uInt)in.size;
    /* inflate refuses a null pointer even with no room behind it */
    stream->next_out = out_size != 0 ? out : &nothing;
    stream->avail_out = (uInt)out_size;
    return inflate_exactly(stream);
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
