/* SPDX-License-Identifier: MIT */
/* The lz4 compressor: LZ4 blocks, fast or by the slower search of LZ4 HC. */
#include <limits.h>
#include <lz4.h>
#include <lz4hc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <pdict/ext/codec.h>

enum {
    LZ4_OPTION_LEVEL
};

/* From here on LZ4 HC does the work; below it the fast search, the faster the lower the level. */
#define FIRST_HIGH_LEVEL LZ4HC_CLEVEL_MIN

/* A byte of a block stands for at most 255 bytes of the value. */
#define LZ4_MAX_EXPANSION   255u
#define LZ4_EXPANSION_SLACK 64u

typedef struct lz4_shared {
    pdict_allocator allocator;
    int level;
} lz4_shared;

/* The tables are made at the first use: a reader never pays for them. They hold places in the value
 * that was compressed last, and none of its bytes. */
typedef struct lz4_context {
    void *tables;
} lz4_context;

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static char library_text[32];

static void library_init(void)
{
    snprintf(library_text, sizeof(library_text), "lz4 %s", LZ4_versionString());
}

static const char *lz4_library(void)
{
    pthread_once(&library_once, library_init);
    return library_text;
}

static int lz4_open(const pdict_codec_args *args, void **self)
{
    lz4_shared *shared = args->allocator.allocate(args->allocator.ctx, sizeof(*shared));

    if (shared == NULL)
        return pdict_fail(PDICT_NOMEM, "lz4: no memory to open the codec");
    shared->allocator = args->allocator;
    shared->level = (int)args->options[LZ4_OPTION_LEVEL].number;
    *self = shared;
    return PDICT_OK;
}

static void lz4_close(void *self)
{
    lz4_shared *shared = self;
    pdict_allocator allocator;

    if (shared == NULL)
        return;
    allocator = shared->allocator;
    allocator.release(allocator.ctx, shared);
}

static bool is_high(const lz4_shared *shared)
{
    return shared->level >= FIRST_HIGH_LEVEL;
}

static int lz4_context_new(void *self, void **context)
{
    lz4_shared *shared = self;
    lz4_context *made = shared->allocator.allocate(shared->allocator.ctx, sizeof(*made));

    if (made == NULL)
        return pdict_fail(PDICT_NOMEM, "lz4: no memory for a context; free some and try again");
    memset(made, 0, sizeof(*made));
    *context = made;
    return PDICT_OK;
}

static void lz4_context_free(void *self, void *context)
{
    lz4_shared *shared = self;
    lz4_context *old = context;

    if (old == NULL)
        return;
    shared->allocator.release(shared->allocator.ctx, old->tables);
    shared->allocator.release(shared->allocator.ctx, old);
}

static int tables_make(const lz4_shared *shared, lz4_context *context)
{
    int size = is_high(shared) ? LZ4_sizeofStateHC() : LZ4_sizeofState();

    if (context->tables == NULL)
        context->tables = shared->allocator.allocate(shared->allocator.ctx, (size_t)size);
    if (context->tables == NULL)
        return pdict_fail(PDICT_NOMEM, "lz4: no memory for a context; free some and try again");
    return PDICT_OK;
}

static size_t lz4_bound(void *self, size_t size)
{
    (void)self;
    return size > LZ4_MAX_INPUT_SIZE ? 0 : (size_t)LZ4_compressBound((int)size);
}

static int lz4_encode(void *self, void *context, pdict_slice in, void *out, size_t capacity,
                      size_t *out_size)
{
    const lz4_shared *shared = self;
    lz4_context *mine = context;
    int room = capacity > INT_MAX ? INT_MAX : (int)capacity;
    int status, made;

    if (in.size > LZ4_MAX_INPUT_SIZE)
        return PDICT_SKIP;
    if ((status = tables_make(shared, mine)) != PDICT_OK)
        return status;
    /* Both clear the tables first; without that, what came before would show in the output. */
    if (is_high(shared))
        made = LZ4_compress_HC_extStateHC(mine->tables, in.data, out, (int)in.size, room,
                                          shared->level);
    else
        made = LZ4_compress_fast_extState(mine->tables, in.data, out, (int)in.size, room,
                                          shared->level < 0 ? -shared->level : 1);
    if (made <= 0)
        return PDICT_SKIP;
    *out_size = (size_t)made;
    return PDICT_OK;
}

static int malformed(const char *reason)
{
    return pdict_fail(PDICT_FORMAT,
                      "lz4: the compressed value is malformed (%s); check the store for damage",
                      reason);
}

/** Could a block of `in_size` bytes hold `out_size` bytes at all? */
static bool is_plausible(size_t in_size, size_t out_size)
{
    return in_size <= INT_MAX && out_size <= LZ4_MAX_INPUT_SIZE &&
           out_size <= (uint64_t)in_size * LZ4_MAX_EXPANSION + LZ4_EXPANSION_SLACK;
}

/* A block has no end of its own: cut short at a seam it gives less, with more behind it, more. */
static int lz4_decode(void *self, void *context, pdict_slice in, void *out, size_t out_size)
{
    int made;

    (void)self;
    (void)context;
    if (!is_plausible(in.size, out_size))
        return malformed("it cannot hold the declared size");
    if (in.size == 0)
        return malformed("it is empty");
    made = LZ4_decompress_safe(in.data, out, (int)in.size, (int)out_size);
    if (made < 0)
        return malformed("it is no LZ4 block of the declared size");
    return (size_t)made == out_size ? PDICT_OK : malformed("it holds less than declared");
}

static const pdict_option_spec lz4_options[] = {
    [LZ4_OPTION_LEVEL] = { .name = "level",
                           .type = PDICT_OPTION_INT,
                           .fallback = "1",
                           .min = -1000,
                           .max = LZ4HC_CLEVEL_MAX,
                           .help = "1 is fast, less is faster; 3 to 12 take their time and make "
                                   "smaller values" },
    { .name = NULL },
};

static const pdict_compressor lz4_compressor = {
    .struct_size = sizeof(pdict_compressor),
    .open = lz4_open,
    .close = lz4_close,
    .context_new = lz4_context_new,
    .context_free = lz4_context_free,
    .bound = lz4_bound,
    .encode = lz4_encode,
    .decode = lz4_decode,
};

const pdict_codec pdict__codec_lz4 = {
    PDICT_EXT_HEAD(pdict_codec),
    .kind = PDICT_COMPRESSOR,
    .id = 3, /* in every record: never changes */
    .name = "lz4",
    .summary = "LZ4 blocks, the fastest to read",
    .options = lz4_options,
    .library = lz4_library,
    .compressor = &lz4_compressor,
};
