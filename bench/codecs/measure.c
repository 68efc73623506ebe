/* SPDX-License-Identifier: MIT */
/* Encoding and decoding every record with every candidate, in turns, round trip compared. */
#include "codecs/codec.h"
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

#define EVERY 4 /* one record in so many is timed by itself */

struct codec_run {
    struct codec_result *result;
    void *self;
    void *context;
    void *dictionary;      /* NULL: none */
    unsigned char *packed; /* compressed, then sealed */
    unsigned char *plain;
    unsigned char *sealed;
    unsigned char *kept; /* all encoded records, one behind the other */
    struct kept {
        size_t at, size;
        bool is_packed;
    } * places;
    unsigned char key[64];
    unsigned char nonce[32];
    uint64_t clock_ns;
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

static size_t tag_size(const struct codec_run *run)
{
    const pdict_codec *codec = run->result->cipher->codec;

    return codec ? codec->cipher->tag_size + codec->cipher->nonce_size : 0;
}

static int open_compressor(struct codec_run *run)
{
    const struct candidate *candidate = run->result->compressor;
    pdict_codec_args args = { .struct_size = sizeof args,
                              .options = candidate->options,
                              .allocator = { take, retake, give, NULL } };
    int status;

    if (!candidate->codec)
        return PDICT_OK;
    if ((status = candidate->codec->compressor->open(&args, &run->self)) == PDICT_OK)
        status = candidate->codec->compressor->context_new(run->self, &run->context);
    return status;
}

static int open_cipher(struct codec_run *run)
{
    const pdict_codec *codec = run->result->cipher->codec;
    int status = PDICT_OK;

    if (codec && (status = codec->cipher->ready()) == PDICT_OK) {
        codec->cipher->random(run->key, sizeof run->key);
        codec->cipher->random(run->nonce, sizeof run->nonce);
    }
    return status;
}

static void run_close(struct codec_run *run)
{
    const pdict_codec *codec = run->result ? run->result->compressor->codec : NULL;

    if (codec && run->self) {
        codec->compressor->context_free(run->self, run->context);
        if (run->dictionary)
            codec->compressor->dictionary_close(run->self, run->dictionary);
        codec->compressor->close(run->self);
    }
    free(run->packed);
    free(run->plain);
    free(run->sealed);
    free(run->kept);
    free(run->places);
}

static int run_open(struct codec_run *run, const struct codec_plan *plan)
{
    size_t most = 0;
    size_t total = 0;
    int status;

    for (size_t i = plan->from; i < plan->to; i++) {
        most = plan->records->places[i].size > most ? plan->records->places[i].size : most;
        total += plan->records->places[i].size + tag_size(run);
    }
    run->packed = malloc(most + 1);
    run->plain = malloc(most + 1);
    run->sealed = malloc(most + tag_size(run) + 1);
    run->kept = malloc(total + 1);
    run->places = malloc((plan->to - plan->from + 1) * sizeof *run->places);
    run->result->encode_latency = calloc(1, sizeof *run->result->encode_latency);
    run->result->decode_latency = calloc(1, sizeof *run->result->decode_latency);
    if (!run->packed || !run->plain || !run->sealed || !run->kept || !run->places ||
        !run->result->encode_latency || !run->result->decode_latency)
        return pdict_fail(PDICT_NOMEM, "--codecs: out of memory");
    if ((status = open_compressor(run)) == PDICT_OK)
        status = open_cipher(run);
    if (status == PDICT_OK && run->result->compressor->is_trained)
        status =
            dictionary_make(plan->records, plan->from, run->result->compressor->codec->compressor,
                            run->self, &run->dictionary, &run->result->dictionary_bytes);
    return status;
}

/* ---- One record ---- */

static int compress(struct codec_run *run, pdict_slice in, pdict_slice *out)
{
    const pdict_codec *codec = run->result->compressor->codec;
    size_t size = 0;
    int status = PDICT_SKIP;

    *out = in;
    if (codec && in.size > 1 && run->dictionary)
        status = codec->compressor->encode_with(run->self, run->context, run->dictionary, in,
                                                run->packed, in.size - 1, &size);
    else if (codec && in.size > 1)
        status =
            codec->compressor->encode(run->self, run->context, in, run->packed, in.size - 1, &size);
    if (status == PDICT_OK)
        *out = pdict_bytes(run->packed, size);
    return status == PDICT_SKIP ? PDICT_OK : status;
}

/* The nonce stands before the sealed bytes, as in a record; it differs from record to record. */
static int seal(struct codec_run *run, pdict_slice in, pdict_slice *out)
{
    const pdict_codec *codec = run->result->cipher->codec;
    size_t nonce_size;
    int status;

    *out = in;
    if (!codec)
        return PDICT_OK;
    nonce_size = codec->cipher->nonce_size;
    run->nonce[0]++;
    memcpy(run->sealed, run->nonce, nonce_size);
    status = codec->cipher->seal(run->key, run->nonce, pdict_bytes(NULL, 0), in,
                                 run->sealed + nonce_size);
    *out = pdict_bytes(run->sealed, in.size + tag_size(run));
    return status;
}

static int encode(struct codec_run *run, pdict_slice in, pdict_slice *out, bool *is_packed)
{
    pdict_slice packed;
    int status = compress(run, in, &packed);

    *is_packed = packed.data != in.data;
    if (status == PDICT_OK)
        status = seal(run, packed, out);
    return status;
}

/* Decoded bytes are always copied to a place of their own, as a reader of a map gets them. */
static int decode(struct codec_run *run, pdict_slice in, bool is_packed, size_t size)
{
    const pdict_codec *compressor = run->result->compressor->codec;
    const pdict_codec *cipher = run->result->cipher->codec;
    int status = PDICT_OK;

    if (cipher) {
        unsigned char *opened = is_packed ? run->packed : run->plain;
        size_t nonce_size = cipher->cipher->nonce_size;

        status = cipher->cipher->open(
            run->key, in.data, pdict_bytes(NULL, 0),
            pdict_bytes((const unsigned char *)in.data + nonce_size, in.size - nonce_size), opened);
        in = pdict_bytes(opened, in.size - tag_size(run));
    }
    if (status != PDICT_OK || (!is_packed && cipher))
        return status;
    if (is_packed && run->dictionary)
        return compressor->compressor->decode_with(run->self, run->context, run->dictionary, in,
                                                   run->plain, size);
    if (is_packed)
        return compressor->compressor->decode(run->self, run->context, in, run->plain, size);
    memcpy(run->plain, in.data, in.size);
    return PDICT_OK;
}

/* ---- Rounds ---- */

static void note(struct codec_run *run, struct bench_histogram *latency, uint64_t begun_ns)
{
    uint64_t took = bench_now_ns() - begun_ns;

    bench_histogram_add(latency, took > run->clock_ns ? took - run->clock_ns : 0);
}

/* All records once, kept: what decoding starts from, and the size. */
static int encode_all(struct codec_run *run, const struct codec_plan *plan)
{
    struct codec_result *result = run->result;
    size_t used = 0;

    result->bytes_in = result->bytes_out = 0;
    for (size_t i = plan->from; i < plan->to; i++) {
        struct kept *kept = &run->places[i - plan->from];
        pdict_slice in = records_value(plan->records, i);
        pdict_slice out;
        int status = encode(run, in, &out, &kept->is_packed);

        if (status != PDICT_OK)
            return status;
        memcpy(run->kept + used, out.data, out.size);
        kept->at = used;
        kept->size = out.size;
        used += out.size;
        result->bytes_in += in.size;
        result->bytes_out += out.size;
    }
    result->records = plan->to - plan->from;
    return PDICT_OK;
}

static int check_round_trip(struct codec_run *run, const struct codec_plan *plan)
{
    char name[96];

    codec_name(run->result, name, sizeof name);
    for (size_t i = plan->from; i < plan->to; i++) {
        const struct kept *kept = &run->places[i - plan->from];
        pdict_slice wanted = records_value(plan->records, i);
        int status = decode(run, pdict_bytes(run->kept + kept->at, kept->size), kept->is_packed,
                            wanted.size);

        if (status != PDICT_OK)
            return status;
        if (memcmp(run->plain, wanted.data, wanted.size) != 0)
            return pdict_fail(PDICT_DAMAGED, "%s: a record came back different", name);
    }
    return PDICT_OK;
}

static int encode_round(struct codec_run *run, const struct codec_plan *plan, uint64_t budget_ns)
{
    struct codec_result *result = run->result;
    uint64_t begun_ns = bench_now_ns();
    uint64_t took_ns = 0;
    size_t done = 0;
    int status = PDICT_OK;

    while (status == PDICT_OK && (done == 0 || took_ns < budget_ns)) {
        for (size_t i = plan->from; i < plan->to && status == PDICT_OK; i++, done++) {
            uint64_t one_ns = i % EVERY == 0 ? bench_now_ns() : 0;
            pdict_slice out;
            bool is_packed;

            status = encode(run, records_value(plan->records, i), &out, &is_packed);
            if (one_ns)
                note(run, result->encode_latency, one_ns);
        }
        took_ns = bench_now_ns() - begun_ns;
    }
    result->encode[result->rounds] = (double)took_ns / (double)done;
    return status;
}

static int decode_round(struct codec_run *run, const struct codec_plan *plan, uint64_t budget_ns)
{
    struct codec_result *result = run->result;
    uint64_t begun_ns = bench_now_ns();
    uint64_t took_ns = 0;
    size_t done = 0;
    int status = PDICT_OK;

    while (status == PDICT_OK && (done == 0 || took_ns < budget_ns)) {
        for (size_t i = plan->from; i < plan->to && status == PDICT_OK; i++, done++) {
            const struct kept *kept = &run->places[i - plan->from];
            uint64_t one_ns = i % EVERY == 0 ? bench_now_ns() : 0;

            status = decode(run, pdict_bytes(run->kept + kept->at, kept->size), kept->is_packed,
                            plan->records->places[i].size);
            if (one_ns)
                note(run, result->decode_latency, one_ns);
        }
        took_ns = bench_now_ns() - begun_ns;
    }
    result->decode[result->rounds] = (double)took_ns / (double)done;
    return status;
}

static int play_rounds(struct codec_run *runs, size_t count, const struct codec_plan *plan)
{
    uint64_t budget_ns = plan->time_ns / plan->rounds / 2;
    struct bench_rng rng;
    int status = PDICT_OK;

    bench_rng_seed(&rng, plan->seed, 13);
    for (uint64_t round = 0; round < plan->rounds && status == PDICT_OK; round++) {
        size_t first = bench_rng_below(&rng, count);

        for (size_t i = 0; i < count && status == PDICT_OK; i++) {
            struct codec_run *run = &runs[(first + i) % count];

            bench_progress("codecs, round %llu of %llu, %s", (unsigned long long)round + 1,
                           (unsigned long long)plan->rounds, run->result->compressor->name);
            if ((status = encode_round(run, plan, budget_ns)) == PDICT_OK)
                status = decode_round(run, plan, budget_ns);
            run->result->rounds++;
            if (status == PDICT_OK)
                status = bench_interrupted();
        }
    }
    return status;
}

int codec_measure(const struct codec_plan *plan, struct codec_result *results)
{
    size_t count = plan->n_compressors * plan->n_ciphers;
    struct codec_run *runs = calloc(count, sizeof *runs);
    uint64_t clock_ns = (uint64_t)bench_clock_cost_ns();
    int status = runs ? PDICT_OK : pdict_fail(PDICT_NOMEM, "--codecs: out of memory");

    for (size_t i = 0; i < count && status == PDICT_OK; i++) {
        results[i] = (struct codec_result){ .compressor = &plan->compressors[i / plan->n_ciphers],
                                            .cipher = &plan->ciphers[i % plan->n_ciphers] };
        runs[i].result = &results[i];
        runs[i].clock_ns = clock_ns;
        if ((status = run_open(&runs[i], plan)) == PDICT_OK &&
            (status = encode_all(&runs[i], plan)) == PDICT_OK)
            status = check_round_trip(&runs[i], plan);
    }
    if (status == PDICT_OK)
        status = play_rounds(runs, count, plan);
    for (size_t i = 0; i < count && runs; i++)
        run_close(&runs[i]);
    free(runs);
    return status;
}

void codec_results_free(struct codec_result *results, size_t count)
{
    for (size_t i = 0; i < count && results; i++) {
        free(results[i].encode_latency);
        free(results[i].decode_latency);
    }
    free(results);
}

/* ---- What came of it ---- */

double codec_ratio(const struct codec_result *result)
{
    return result->bytes_out ? (double)result->bytes_in / (double)result->bytes_out : 1;
}

double codec_encode_ns(const struct codec_result *result)
{
    return bench_median(result->encode, result->rounds);
}

double codec_decode_ns(const struct codec_result *result)
{
    return bench_median(result->decode, result->rounds);
}

static bool beats(const struct codec_result *a, const struct codec_result *b)
{
    double ratio = codec_ratio(a) - codec_ratio(b);
    double encode = codec_encode_ns(b) - codec_encode_ns(a);
    double decode = codec_decode_ns(b) - codec_decode_ns(a);

    return ratio >= 0 && encode >= 0 && decode >= 0 && ratio + encode + decode > 0;
}

static bool is_compared(const struct codec_result *result)
{
    return !is_baseline(result->compressor) && !is_baseline(result->cipher);
}

/* Those with a cipher compete with one another only: it is not there to save anything. */
void codec_mark_pareto(struct codec_result *results, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        results[i].is_pareto = is_compared(&results[i]);
        for (size_t j = 0; j < count; j++) {
            if (results[j].cipher == results[i].cipher && is_compared(&results[j]) &&
                beats(&results[j], &results[i]))
                results[i].is_pareto = false;
        }
    }
}

void codec_name(const struct codec_result *result, char *out, size_t size)
{
    bool is_sealed = result->cipher->codec != NULL;

    snprintf(out, size, "%s%s%s", result->compressor->name, is_sealed ? "+" : "",
             is_sealed ? result->cipher->name : "");
}

void codec_report(json_t *document, const struct codec_result *results, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct codec_result *result = &results[i];
        char id[128] = "codec/";
        json_t *row;

        codec_name(result, id + 6, sizeof id - 6);
        row = report_row(document, "codec", id);
        json_object_set_new(row, "codec", json_string(result->compressor->name));
        json_object_set_new(row, "cipher", json_string(result->cipher->name));
        json_object_set_new(row, "records", json_integer((json_int_t)result->records));
        json_object_set_new(row, "bytes_in", json_integer((json_int_t)result->bytes_in));
        json_object_set_new(row, "bytes_out", json_integer((json_int_t)result->bytes_out));
        json_object_set_new(row, "dictionary_bytes",
                            json_integer((json_int_t)result->dictionary_bytes));
        json_object_set_new(row, "ratio", json_real(codec_ratio(result)));
        json_object_set_new(row, "encode_ns", json_real(codec_encode_ns(result)));
        json_object_set_new(row, "decode_ns", json_real(codec_decode_ns(result)));
        json_object_set_new(row, "p50_encode_ns",
                            json_real(bench_histogram_quantile(result->encode_latency, 0.5)));
        json_object_set_new(row, "p99_encode_ns",
                            json_real(bench_histogram_quantile(result->encode_latency, 0.99)));
        json_object_set_new(row, "p50_decode_ns",
                            json_real(bench_histogram_quantile(result->decode_latency, 0.5)));
        json_object_set_new(row, "p99_decode_ns",
                            json_real(bench_histogram_quantile(result->decode_latency, 0.99)));
        report_samples(row, result->encode, result->rounds);
        json_object_set_new(row, "pareto", json_boolean(result->is_pareto));
        json_object_set_new(row, "baseline", json_boolean(!is_compared(result)));
    }
}
