/* SPDX-License-Identifier: MIT */
/* Goals on codecs: what the tables of this library add to their libraries called directly. */
#include "codecs/codec.h"
#include "goals/goal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define RECORDS 512
#define RECORD  900 /* bytes; what records of Debian's package list are like */

/* Records, and what each side made of them. */
struct codec_work {
    unsigned char plain[RECORDS][RECORD];
    unsigned char packed[RECORDS][RECORD + 64];
    size_t packed_size[RECORDS];
    unsigned char out[2 * RECORD];
    unsigned char key[64];
    unsigned char nonce[32];
    struct candidate candidate;
    void *self;
    void *context;
    ZSTD_CCtx *encoder;
    ZSTD_DCtx *decoder;
};

static void *take(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void *retake(void *ctx, void *memory, size_t size)
{
    (void)ctx;
    return realloc(memory, size);
}

static void give(void *ctx, void *memory)
{
    (void)ctx;
    free(memory);
}

static bool zstd_encode_directly(struct codec_work *work, size_t i)
{
    return !ZSTD_isError(
        ZSTD_compress2(work->encoder, work->out, RECORD - 1, work->plain[i], RECORD));
}

static bool zstd_encode_by_table(struct codec_work *work, size_t i)
{
    size_t size;

    return work->candidate.codec->compressor->encode(work->self, work->context,
                                                     pdict_bytes(work->plain[i], RECORD), work->out,
                                                     RECORD - 1, &size) == PDICT_OK;
}

static bool zstd_decode_directly(struct codec_work *work, size_t i)
{
    return ZSTD_decompressDCtx(work->decoder, work->out, RECORD, work->packed[i],
                               work->packed_size[i]) == RECORD;
}

static bool zstd_decode_by_table(struct codec_work *work, size_t i)
{
    return work->candidate.codec->compressor->decode(
               work->self, work->context, pdict_bytes(work->packed[i], work->packed_size[i]),
               work->out, RECORD) == PDICT_OK;
}

static bool seal_directly(struct codec_work *work, size_t i)
{
    return crypto_aead_xchacha20poly1305_ietf_encrypt(work->out, NULL, work->plain[i], RECORD, NULL,
                                                      0, NULL, work->nonce, work->key) == 0;
}

static bool seal_by_table(struct codec_work *work, size_t i)
{
    return work->candidate.codec->cipher->seal(work->key, work->nonce, pdict_bytes(NULL, 0),
                                               pdict_bytes(work->plain[i], RECORD),
                                               work->out) == PDICT_OK;
}

static bool open_directly(struct codec_work *work, size_t i)
{
    return crypto_aead_xchacha20poly1305_ietf_decrypt(work->out, NULL, NULL, work->packed[i],
                                                      work->packed_size[i], NULL, 0, work->nonce,
                                                      work->key) == 0;
}

static bool open_by_table(struct codec_work *work, size_t i)
{
    return work->candidate.codec->cipher->open(work->key, work->nonce, pdict_bytes(NULL, 0),
                                               pdict_bytes(work->packed[i], work->packed_size[i]),
                                               work->out) == PDICT_OK;
}

typedef bool (*one_record)(struct codec_work *work, size_t i);

static const struct {
    const char *name;
    one_record by_table, directly;
} contests[] = {
    { "zstd encode", zstd_encode_by_table, zstd_encode_directly },
    { "zstd decode", zstd_decode_by_table, zstd_decode_directly },
    { "xchacha20 encode", seal_by_table, seal_directly },
    { "xchacha20 decode", open_by_table, open_directly },
};

static int prepare(struct codec_work *work, const char *name, uint64_t seed)
{
    pdict_codec_args args = { .struct_size = sizeof args,
                              .options = work->candidate.options,
                              .allocator = { take, retake, give, NULL } };
    bool is_cipher = strcmp(name, "xchacha20") == 0;
    size_t count;
    struct bench_rng rng;
    int status;

    bench_rng_seed(&rng, seed, 21);
    for (size_t i = 0; i < RECORDS; i++)
        run_fill(&rng, work->plain[i], RECORD, 0.75);
    status = candidates_parse(is_cipher ? "xchacha20" : "zstd:3",
                              is_cipher ? PDICT_CIPHER : PDICT_COMPRESSOR, "goals",
                              &work->candidate, &count);
    if (status != PDICT_OK || is_cipher)
        return status == PDICT_OK ? work->candidate.codec->cipher->ready() : status;
    work->encoder = ZSTD_createCCtx();
    work->decoder = ZSTD_createDCtx();
    ZSTD_CCtx_setParameter(work->encoder, ZSTD_c_compressionLevel, 3);
    ZSTD_CCtx_setParameter(work->encoder, ZSTD_c_dictIDFlag, 0);
    if ((status = work->candidate.codec->compressor->open(&args, &work->self)) == PDICT_OK)
        status = work->candidate.codec->compressor->context_new(work->self, &work->context);
    return status;
}

static void pack_all(struct codec_work *work, bool is_cipher)
{
    for (size_t i = 0; i < RECORDS; i++) {
        unsigned long long size = 0;

        if (is_cipher)
            crypto_aead_xchacha20poly1305_ietf_encrypt(work->packed[i], &size, work->plain[i],
                                                       RECORD, NULL, 0, NULL, work->nonce,
                                                       work->key);
        else
            size =
                ZSTD_compress2(work->encoder, work->packed[i], RECORD + 64, work->plain[i], RECORD);
        work->packed_size[i] = (size_t)size;
    }
}

static void finish(struct codec_work *work)
{
    if (!work)
        return;
    if (work->self) {
        work->candidate.codec->compressor->context_free(work->self, work->context);
        work->candidate.codec->compressor->close(work->self);
    }
    ZSTD_freeCCtx(work->encoder);
    ZSTD_freeDCtx(work->decoder);
    free(work);
}

/* The fastest pass of a round: anything that disturbs only adds. */
static int fastest_pass(struct codec_work *work, one_record fn, double *ns)
{
    uint64_t begun_ns = bench_now_ns();

    for (size_t i = 0; i < RECORDS; i++) {
        if (!fn(work, i))
            return pdict_fail(PDICT_DAMAGED, "goals: a record cannot be encoded or decoded");
    }
    if ((double)(bench_now_ns() - begun_ns) < *ns)
        *ns = (double)(bench_now_ns() - begun_ns);
    return PDICT_OK;
}

int goal_codec(struct goal_run *run, const char *which, struct goal_samples *out)
{
    struct codec_work *work = calloc(1, sizeof *work);
    char name[32];
    size_t at = 0;
    int status;

    snprintf(name, sizeof name, "%.*s", (int)strcspn(which, " "), which);
    if (!work)
        return driver_no_memory("goals");
    if ((status = prepare(work, name, run->settings.seed)) == PDICT_OK)
        pack_all(work, strcmp(name, "xchacha20") == 0);
    while (strcmp(contests[at].name, which) != 0)
        at++;
    for (size_t round = 0; round < run->rounds && status == PDICT_OK; round++) {
        double ours = 1e18;
        double direct = 1e18;
        uint64_t begun_ns = bench_now_ns();

        while (status == PDICT_OK && bench_now_ns() - begun_ns < run->round_ns) {
            if ((status = fastest_pass(work, contests[at].by_table, &ours)) == PDICT_OK)
                status = fastest_pass(work, contests[at].directly, &direct);
        }
        out->values[out->count++] = ours / direct;
    }
    finish(work);
    return status;
}
