/* SPDX-License-Identifier: MIT */
/* Codecs by themselves: records, candidates, measurement. */
#ifndef BENCH_CODEC_H
#define BENCH_CODEC_H

#include "measure/measure.h"
#include "tool/tool.h"

#include <pdict/ext/register.h>

/* ---- records.c, read_*.c --------------------------------------------------------------------- */

/** Records of the user, in RAM; a bounded sample of them. */
struct records {
    unsigned char *bytes; /**< owned */
    size_t size;
    size_t room;
    struct record_place {
        size_t key_at, key_size;
        size_t at, size;
    } * places; /**< owned */
    size_t count;
    size_t places_room;
    uint64_t offered; /**< how many there were, taken or not */
};

#define RECORDS_BYTES ((size_t)64 << 20) /* no more is taken */
#define RECORDS_MOST  ((size_t)200000)

int records_read(const struct invocation *in, struct records *out);
int records_add(struct records *records, pdict_slice key, pdict_slice value);
void records_free(struct records *records);
pdict_slice records_value(const struct records *records, size_t at);
pdict_slice records_key(const struct records *records, size_t at);
/** Put the records into a random order, so that any part of them is a fair sample. */
void records_shuffle(struct records *records, uint64_t seed);

/** What the records are like. */
struct profile {
    size_t count;
    double least, median, p90, most, mean; /**< bytes of a value */
    double entropy;                        /**< bits a byte, order 0 */
    double text;                           /**< share of values that are text */
    double packed;                         /**< share that begin like compressed data */
    double twins;                          /**< share of values that were there before */
};

void records_profile(const struct records *records, struct profile *out);
void profile_print(FILE *out, const struct profile *profile);

/* ---- candidates.c ---------------------------------------------------------------------------- */

/** One codec at one setting. */
struct candidate {
    char name[48];                  /**< "zstd:3", "zstd:3+dict"; "none" */
    const pdict_codec *codec;       /**< NULL: none */
    pdict_option_value options[16]; /**< parallel to the codec's specs */
    char level[24];                 /**< text of the first option */
    bool is_trained;                /**< "+dict": with a dictionary of the records before `from` */
};

#define CANDIDATES 64

/** "none,zlib:1-9,zstd:-3,1-12,3+dict": after a name, a bare number is another level of it. */
int candidates_parse(const char *text, int kind, const char *option, struct candidate *out,
                     size_t *count);
/** --codecs; not given: "none", those of `usual` (ends with NULL; each begins with the name of a
 * codec) that this build has, and what extensions brought. */
int candidates_usual(const struct invocation *in, const char *const *usual, struct candidate *out,
                     size_t *count);
bool candidates_are_trained(const struct candidate *candidates, size_t count);

/* ---- direct.c -------------------------------------------------------------------------------- */

/** "libzstd" or "libsodium": a library called directly; NULL: no such baseline. */
const pdict_codec *baseline_find(const char *name);
bool is_baseline(const struct candidate *candidate);

/* ---- dictionary.c ---------------------------------------------------------------------------- */

/**
 * Make a dictionary for a compressor, its size searched on records that it was not made of.
 *
 * @param records  Learnt from are those before `count`.
 * @param[out] out Owned: dictionary_close() it; NULL: nothing is gained by one.
 */
int dictionary_make(const struct records *records, size_t count, const pdict_compressor *compressor,
                    void *self, void **out, uint64_t *out_size);

/* ---- measure.c ------------------------------------------------------------------------------- */

/** What a candidate made of the records. */
struct codec_result {
    const struct candidate *compressor;
    const struct candidate *cipher;
    size_t records;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t dictionary_bytes; /**< 0: none */
    double encode[200];        /**< nanoseconds a record, one a round */
    double decode[200];
    size_t rounds;
    struct bench_histogram *encode_latency; /**< owned */
    struct bench_histogram *decode_latency;
    bool is_pareto;
};

/** The records that codecs may learn from; what is measured is the rest. */
#define TRAIN_SHARE 0.7

/** What to measure: all pairs of compressor and cipher on records from..to, in turns. */
struct codec_plan {
    const struct records *records;
    size_t from; /**< dictionaries are made of those before */
    size_t to;
    const struct candidate *compressors;
    size_t n_compressors;
    const struct candidate *ciphers;
    size_t n_ciphers;
    uint64_t time_ns; /**< of a pair, encoding and decoding together */
    uint64_t rounds;
    uint64_t seed;
};

/** `results` has room for every pair; codec_results_free() frees them, also after a failure. */
int codec_measure(const struct codec_plan *plan, struct codec_result *results);
void codec_results_free(struct codec_result *results, size_t count);
double codec_ratio(const struct codec_result *result);
double codec_encode_ns(const struct codec_result *result);
double codec_decode_ns(const struct codec_result *result);
/** Mark those that none beats in ratio, encoding and decoding at once; baselines take no part. */
void codec_mark_pareto(struct codec_result *results, size_t count);
void codec_report(json_t *document, const struct codec_result *results, size_t count);
void codec_name(const struct codec_result *result, char *out, size_t size);

#endif
