/* SPDX-License-Identifier: MIT */
/* What a trained dictionary brings on real records, and what the pipeline adds to the libraries. */
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

#include <pdict/pdict.h>

#define DEFAULT_FILE "/var/lib/dpkg/status"
#define ROUNDS       15
#define MOST_RECORDS 100000

static pdict_slice records[MOST_RECORDS];
static size_t n_records;
static uint64_t record_bytes;

static const unsigned char key_bytes[32] = "0123456789abcdef0123456789abcde";

static void stop(const char *what)
{
    fprintf(stderr, "pipeline: %s: %s\n", what, pdict_error_text());
    exit(1);
}

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Paragraphs between blank lines. */
static void read_records(const char *path)
{
    static char bytes[64 << 20];
    FILE *file = fopen(path, "rb");
    char *at = bytes, *end;

    if (!file || fread(bytes, 1, sizeof(bytes) - 1, file) == 0)
        stop(path);
    fclose(file);
    for (; *at && n_records < MOST_RECORDS; at = end + 2) {
        if (!(end = strstr(at, "\n\n")))
            break;
        records[n_records] = pdict_bytes(at, (size_t)(end + 1 - at));
        record_bytes += records[n_records++].size;
    }
}

/* ---- through pdict ---- */

static pdict *open_map(const char *codecs, int is_sealed)
{
    pdict_options options = PDICT_OPTIONS_INIT;
    char uri[128];
    pdict *d;

    if (is_sealed)
        options.key = pdict_bytes(key_bytes, sizeof(key_bytes));
    snprintf(uri, sizeof(uri), "memory:%s?codecs=%s&cache=off", codecs, codecs);
    if (pdict_open(uri, &options, &d) != PDICT_OK)
        stop(codecs);
    return d;
}

static void put_all(pdict *d)
{
    for (size_t i = 0; i < n_records; i++) {
        if (pdict_put(d, pdict_bytes(&i, sizeof(i)), records[i], NULL) != PDICT_OK)
            stop("put");
    }
}

static int ignore(void *ctx, const pdict_view *view)
{
    *(uint64_t *)ctx += view->size;
    return PDICT_OK;
}

static void get_all(pdict *d)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < n_records; i++) {
        if (pdict_get_with(d, pdict_bytes(&i, sizeof(i)), ignore, &bytes) != PDICT_OK)
            stop("get");
    }
    if (bytes != record_bytes)
        stop("other bytes came back");
}

static pdict_stats stats_of(pdict *d, unsigned flags)
{
    pdict_stats stats = PDICT_STATS_INIT;

    if (pdict_stats_get(d, flags, &stats) != PDICT_OK)
        stop("stats");
    return stats;
}

static double ns_each(const pdict_stage_stats *before, const pdict_stage_stats *after)
{
    return (double)(after->nanoseconds - before->nanoseconds) /
           (double)(after->timed - before->timed);
}

struct figures {
    double encode, decode;       /* the whole pipeline, ns a record, best round */
    double compress, decompress; /* of these, the compressor */
};

static double least(double a, double b)
{
    return a == 0 || b < a ? b : a;
}

static void measure_round(pdict *d, struct figures *best)
{
    pdict_stats before = stats_of(d, 0), after;

    put_all(d);
    get_all(d);
    after = stats_of(d, 0);
    best->encode = least(best->encode, ns_each(&before.encoded, &after.encoded));
    best->decode = least(best->decode, ns_each(&before.decoded, &after.decoded));
    best->compress = least(best->compress, ns_each(&before.compressed, &after.compressed));
    best->decompress = least(best->decompress, ns_each(&before.decompressed, &after.decompressed));
}

/* Payloads alone: 16 bytes of header and 8 of checksum, and 8 of key, are no matter of codecs. */
static double stored_each(pdict *d)
{
    pdict_stats stats = stats_of(d, PDICT_STATS_SIZES);

    return (double)stats.stored_bytes / (double)n_records - 8;
}

static void compare_dictionary(void)
{
    pdict *plain = open_map("raw,zstd:3", 0), *trained = open_map("raw,zstd:3+dict", 0);
    pdict_train_result result = PDICT_TRAIN_RESULT_INIT;
    struct figures without = { 0 }, with = { 0 };

    put_all(trained);
    if (pdict_train(trained, NULL, &result) != PDICT_OK)
        stop("train");
    for (int round = 0; round < ROUNDS; round++) {
        measure_round(plain, &without);
        measure_round(trained, &with);
    }
    printf("dictionary of %llu bytes, not counted; held-out records %.2fx smaller with it\n",
           (unsigned long long)result.dictionary_bytes,
           (double)result.without_bytes / (double)result.with_bytes);
    printf("%-24s %10s %10s %10s\n", "", "bytes", "encode ns", "decode ns");
    printf("%-24s %10.1f %10.0f %10.0f\n", "zstd:3", stored_each(plain), without.encode,
           without.decode);
    printf("%-24s %10.1f %10.0f %10.0f\n", "zstd:3+dict", stored_each(trained), with.encode,
           with.decode);
    printf("%-24s %10.3f %10.3f %10.3f\n\n", "ratio", stored_each(trained) / stored_each(plain),
           with.encode / without.encode, with.decode / without.decode);
    pdict_close(plain);
    pdict_close(trained);
}

/* ---- the libraries alone ---- */

struct direct {
    ZSTD_CCtx *encoder;
    ZSTD_DCtx *decoder;
    unsigned char *packed, *sealed, *plain;
};

#define NONCE_SIZE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_SIZE   crypto_aead_xchacha20poly1305_ietf_ABYTES
#define AAD_SIZE   76 /* what a record with an eight-byte key is bound to */

/* One record: compress, draw a nonce, seal; then open and decompress. Each part timed alone. */
static void direct_record(struct direct *direct, pdict_slice record, double *encode, double *decode)
{
    static const unsigned char aad[AAD_SIZE];
    unsigned char nonce[NONCE_SIZE];
    double began = now_ns();
    size_t size;

    size = ZSTD_compress2(direct->encoder, direct->packed, ZSTD_compressBound(record.size),
                          record.data, record.size);
    randombytes_buf(nonce, sizeof(nonce));
    crypto_aead_xchacha20poly1305_ietf_encrypt(direct->sealed, NULL, direct->packed, size, aad,
                                               AAD_SIZE, NULL, nonce, key_bytes);
    *encode += now_ns() - began;
    began = now_ns();
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(direct->packed, NULL, NULL, direct->sealed,
                                                   size + TAG_SIZE, aad, AAD_SIZE, nonce,
                                                   key_bytes) != 0 ||
        ZSTD_decompressDCtx(direct->decoder, direct->plain, record.size, direct->packed, size) !=
            record.size)
        stop("the libraries alone");
    *decode += now_ns() - began;
}

static void direct_round(struct direct *direct, double *encode, double *decode)
{
    double all_encode = 0, all_decode = 0;

    for (size_t i = 0; i < n_records; i++)
        direct_record(direct, records[i], &all_encode, &all_decode);
    *encode = least(*encode, all_encode / (double)n_records);
    *decode = least(*decode, all_decode / (double)n_records);
}

static void compare_libraries(void)
{
    struct direct direct = { ZSTD_createCCtx(), ZSTD_createDCtx(), malloc(1 << 22), malloc(1 << 22),
                             malloc(1 << 22) };
    pdict *d = open_map("raw,zstd:3,xchacha20", 1);
    struct figures pipeline = { 0 };
    double encode = 0, decode = 0;

    ZSTD_CCtx_setParameter(direct.encoder, ZSTD_c_compressionLevel, 3);
    for (int round = 0; round < ROUNDS; round++) {
        direct_round(&direct, &encode, &decode);
        measure_round(d, &pipeline);
    }
    printf("%-24s %10s %10s %10s\n", "zstd:3,xchacha20", "", "encode ns", "decode ns");
    printf("%-24s %10s %10.0f %10.0f\n", "the libraries alone", "", encode, decode);
    printf("%-24s %10s %10.0f %10.0f\n", "the whole pipeline", "", pipeline.encode,
           pipeline.decode);
    printf("%-24s %10s %10.3f %10.3f\n", "ratio", "", pipeline.encode / encode,
           pipeline.decode / decode);
    pdict_close(d);
}

/* pipeline [FILE of deb822 paragraphs] */
int main(int argc, char **argv)
{
    if (sodium_init() < 0)
        return 1;
    read_records(argc > 1 ? argv[1] : DEFAULT_FILE);
    printf("%zu records, %.0f bytes each; best of %d rounds, one record of 32 timed\n\n", n_records,
           (double)record_bytes / (double)n_records, ROUNDS);
    compare_dictionary();
    compare_libraries();
    return 0;
}
