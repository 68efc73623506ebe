/* SPDX-License-Identifier: MIT */
/* The zlib codec by zlib: one stream reused per context. */
#define ZLIB_CONST
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "zlib_codec.h"

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

const char *pdict__zlib_library(void)
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
        return pdict__zlib_no_memory("a stream");
    return pdict_fail(
        PDICT_UNSUPPORTED,
        "zlib: %s refuses to start a stream (%d); this build was made for " ZLIB_VERSION,
        pdict__zlib_library(), result);
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
    /* The answers only say that a stream was left in the middle, as a refused value leaves it. */
    if (old->has_deflater)
        (void)deflateEnd(&old->deflater);
    if (old->has_inflater)
        (void)inflateEnd(&old->inflater);
    shared->allocator.release(shared->allocator.ctx, old);
}

size_t pdict__zlib_bound(void *self, size_t size)
{
    uLong bound;

    (void)self;
    if (size > UINT_MAX)
        return 0;
    bound = compressBound((uLong)size);
    return bound < size ? 0 : bound;
}

int pdict__zlib_encode(void *self, void *context, pdict_slice in, void *out, size_t capacity,
                       size_t *out_size)
{
    zlib_context *mine = context;
    z_stream *stream = &mine->deflater;
    uInt room = capacity > UINT_MAX ? UINT_MAX : (uInt)capacity;
    int status;

    if (in.size > ZLIB_MAX_INPUT)
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

static int inflate_exactly(z_stream *stream)
{
    int result = inflate(stream, Z_FINISH);

    if (result == Z_MEM_ERROR)
        return stream_failed(result);
    if (result == Z_NEED_DICT)
        return pdict__zlib_malformed("it asks for a dictionary");
    if (result == Z_BUF_ERROR)
        return pdict__zlib_malformed("its size is not the declared one, or it ends early");
    if (result != Z_STREAM_END)
        return pdict__zlib_malformed(stream->msg != NULL ? stream->msg : "not a zlib stream");
    if (stream->avail_out != 0)
        return pdict__zlib_malformed("it holds less than declared");
    if (stream->avail_in != 0)
        return pdict__zlib_malformed("something follows its end");
    return PDICT_OK;
}

int pdict__zlib_inflate(void *self, void *context, pdict_slice in, void *out, size_t out_size)
{
    zlib_context *mine = context;
    z_stream *stream = &mine->inflater;
    int status;

    if ((status = inflater_restart(self, mine)) != PDICT_OK)
        return status;
    stream->next_in = in.data;
    stream->avail_in = (uInt)in.size;
    stream->next_out = out;
    stream->avail_out = (uInt)out_size;
    return inflate_exactly(stream);
}
