/* SPDX-License-Identifier: MIT */
/* pdict-bench recommend: profile, matrix, cost, rules, a short confirmation, and a URI to paste. */
#include "codecs/codec.h"
#include "report/report.h"

#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#define TIE 1.03 /* costs closer than this are a tie: the simpler one wins */

/* From the simplest on. */
static const char *const usual[] = { "zstd:1,3,-3,6,9,12", "lz4:1", "zlib:1,6",
                                     "zstd:1+dict,3+dict,9+dict", NULL };

enum goal {
    GOAL_BALANCED,
    GOAL_SIZE,
    GOAL_LATENCY,
    GOALS
};

static const char *const goal_names[GOALS] = { "balanced", "size", "latency" };

/* What a stored byte costs in nanoseconds: as through a pipe of 25 MB/s, 5 MB/s, 1 GB/s. */
static const double byte_ns[GOALS] = { 40, 200, 1 };

struct advice {
    struct records records;
    struct profile profile;
    struct candidate *compressors; /* CANDIDATES, then as many ciphers */
    struct codec_result *results;
    size_t count;
    double reads;
    int goal;
    bool is_secret;
    const struct codec_result *best;
    const struct codec_result *second;
    const char *backend;
    const char *reason; /* for the backend */
    char uri[256];
    char directory[512];
};

/* A record's, with its share in the dictionary, which is stored once for all. */
static double stored_bytes(const struct advice *advice, const struct codec_result *result)
{
    return (double)result->bytes_out / (double)result->records +
           (double)result->dictionary_bytes / (double)advice->records.count;
}

/* The fastest rounds: whatever disturbs a measurement makes it slower, and a choice should not
 * depend on who else was busy. */
static double cost(const struct advice *advice, const struct codec_result *result)
{
    double encode_ns = bench_quantile(result->encode, result->rounds, 0);
    double decode_ns = bench_quantile(result->decode, result->rounds, 0);

    return (1 - advice->reads) * encode_ns + advice->reads * decode_ns +
           stored_bytes(advice, result) * byte_ns[advice->goal];
}

/* ---- Codecs ---- */

/* Candidates stand in the order of their simplicity, so a tie goes to the earlier one. */
static void choose(struct advice *advice)
{
    for (size_t i = 0; i < advice->count; i++) {
        const struct codec_result *result = &advice->results[i];

        if (!advice->best || cost(advice, result) * TIE < cost(advice, advice->best))
            advice->best = result;
    }
    for (size_t i = 0; i < advice->count; i++) {
        const struct codec_result *result = &advice->results[i];

        if (result != advice->best &&
            (!advice->second || cost(advice, result) < cost(advice, advice->second)))
            advice->second = result;
    }
}

static void compare(FILE *out, const char *what, double best, double second)
{
    double times = second > best ? second / best : best / second;

    if (times < 1.02)
        fprintf(out, "%s the same", what);
    else
        fprintf(out, "%s %.2fx %s", what, times, second > best ? "more" : "less");
}

static void explain(const struct advice *advice, const struct codec_result *best,
                    const struct codec_result *second)
{
    char name[96];

    codec_name(second, name, sizeof name);
    printf("runner-up     %s: ", name);
    compare(stdout, "bytes", stored_bytes(advice, best), stored_bytes(advice, second));
    compare(stdout, ", encoding", codec_encode_ns(best), codec_encode_ns(second));
    compare(stdout, ", decoding", codec_decode_ns(best), codec_decode_ns(second));
    if (cost(advice, second) < cost(advice, best) * TIE)
        printf("; a tie, and %s is the simpler\n", best->compressor->name);
    else
        printf("; it costs %.0f %% more\n", 100 * (cost(advice, second) / cost(advice, best) - 1));
}

/* ---- Backend: rules, the first that holds ---- */

static bool is_network(const char *path)
{
    static const unsigned long numbers[] = { 0x6969, 0xFF534D42, 0x517B, 0xFE534D42, 0x65735546 };
    struct statfs facts;

    if (statfs(path, &facts) != 0)
        return false;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if ((unsigned long)facts.f_type == numbers[i])
            return true;
    }
    return false;
}

static void choose_backend(struct advice *advice, const char *path)
{
    bool has_lmdb = pdict_backend_find("lmdb") != NULL;

    advice->backend = "sqlite";
    if (!has_lmdb)
        advice->reason = "lmdb is not in this build";
    else if (is_network(path))
        advice->reason = "the file system may be a network's, where lmdb must not be used";
    else if (advice->reads < 0.8)
        advice->reason = "more than a fifth of the operations write, which a log makes cheap";
    else if (stored_bytes(advice, advice->best) > 2000)
        advice->reason = "large records: over half a page each, lmdb would round them up to pages";
    else {
        advice->backend = "lmdb";
        advice->reason = "mostly reads of small records on a local disk";
    }
}

static void make_uri(struct advice *advice)
{
    const char *compressor = advice->best->compressor->name;
    const char *cipher = advice->best->cipher->codec ? advice->best->cipher->name : NULL;
    bool is_packed = advice->best->compressor->codec != NULL;

    snprintf(advice->uri, sizeof advice->uri, "%s:%s?codecs=raw%s%s%s%s", advice->backend,
             strcmp(advice->backend, "lmdb") == 0 ? "app.lmdb" : "app.db", is_packed ? "," : "",
             is_packed ? compressor : "", cipher ? "," : "", cipher ? cipher : "");
}

/* ---- Confirmation: the records that nothing was chosen by, through a real map ---- */

static int open_map(const struct advice *advice, const char *path, const char *mode, pdict **out)
{
    static const unsigned char key[32] = "only for the confirmation run...";
    pdict_options options = PDICT_OPTIONS_INIT;
    const char *codecs = strchr(advice->uri, '?');
    char uri[1024];

    if (advice->is_secret)
        options.key = pdict_bytes(key, sizeof key);
    snprintf(uri, sizeof uri, "%s:%.700s%s&mode=%s", advice->backend, path, codecs, mode);
    return pdict_open(uri, &options, out);
}

static int put_some(const struct records *records, size_t from, size_t to, pdict *map,
                    bool is_numbered)
{
    size_t count = to - from;
    pdict_pair *pairs = malloc(count * sizeof *pairs);
    size_t *numbers = malloc(count * sizeof *numbers);
    int status;

    if (!pairs || !numbers) {
        free(pairs);
        free(numbers);
        return pdict_fail(PDICT_NOMEM, "recommend: out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        numbers[i] = from + i;
        pairs[i] = (pdict_pair){ is_numbered ? pdict_bytes(&numbers[i], sizeof numbers[i])
                                             : records_key(records, from + i),
                                 records_value(records, from + i) };
    }
    status = pdict_put_many(map, pairs, count, NULL, NULL);
    free(pairs);
    free(numbers);
    return status;
}

/* A map that trains by itself does so in the background, when it has had enough to learn from. */
static int learn(const struct advice *advice, size_t from, pdict *map)
{
    int status = put_some(&advice->records, 0, from, map, true);

    if (status == PDICT_OK)
        status = pdict_train(map, NULL, NULL);
    return status == PDICT_OK ? pdict_clear(map, PDICT_CLEAR_EVERYTHING) : status;
}

static int get_all(const struct records *records, size_t from, pdict *map)
{
    for (size_t i = from; i < records->count; i++) {
        pdict_slice wanted = records_value(records, i);
        pdict_view view;
        int status = pdict_get(map, pdict_bytes(&i, sizeof i), &view);
        bool is_same;

        if (status != PDICT_OK)
            return status == PDICT_NOTFOUND
                       ? pdict_fail(PDICT_DAMAGED, "recommend: a record is gone")
                       : status;
        is_same = view.size == wanted.size && memcmp(view.data, wanted.data, wanted.size) == 0;
        pdict_view_release(&view);
        if (!is_same)
            return pdict_fail(PDICT_DAMAGED, "recommend: a record came back different");
    }
    return PDICT_OK;
}

static int confirm(struct advice *advice, size_t from, json_t *document)
{
    pdict_stats stats = PDICT_STATS_INIT;
    size_t count = advice->records.count - from;
    uint64_t begun_ns, put_ns, get_ns;
    pdict *map = NULL;
    char path[600];
    int status;

    snprintf(path, sizeof path, "%s/confirm", advice->directory);
    if ((status = open_map(advice, path, "rwc", &map)) != PDICT_OK)
        return status;
    if (advice->best->compressor->is_trained)
        status = learn(advice, from, map);
    begun_ns = bench_now_ns();
    if (status == PDICT_OK)
        status = put_some(&advice->records, from, advice->records.count, map, true);
    put_ns = bench_now_ns() - begun_ns;
    begun_ns = bench_now_ns();
    if (status == PDICT_OK)
        status = get_all(&advice->records, from, map);
    get_ns = bench_now_ns() - begun_ns;
    if (status == PDICT_OK)
        status = pdict_stats_get(map, PDICT_STATS_SIZES, &stats);
    pdict_close(map);
    if (status != PDICT_OK)
        return status;
    json_object_set_new(document, "confirmation",
                        json_pack("{s:I,s:f,s:f,s:I,s:I}", "records", (json_int_t)count, "put_ns",
                                  (double)put_ns / (double)count, "get_ns",
                                  (double)get_ns / (double)count, "logical_bytes",
                                  (json_int_t)stats.logical_bytes, "stored_bytes",
                                  (json_int_t)stats.stored_bytes));
    return PDICT_OK;
}

/* ---- Applying ---- */

static int apply(const struct advice *advice, const char *path)
{
    pdict *map = NULL;
    char uri[1024];
    int status;

    if (advice->is_secret)
        return pdict_fail(
            PDICT_UNSUPPORTED,
            "--apply: an encrypted map needs your secret; make it with: pdict init %s "
            "--codecs %s",
            path, strchr(advice->uri, '=') + 1);
    snprintf(uri, sizeof uri, "%s:%.700s%s", advice->backend, path, strchr(advice->uri, '?'));
    if ((status = pdict_open(uri, NULL, &map)) == PDICT_OK)
        status = put_some(&advice->records, 0, advice->records.count, map, false);
    /* Records from before a dictionary do not use it. */
    if (status == PDICT_OK && advice->best->compressor->is_trained &&
        (status = pdict_train(map, NULL, NULL)) == PDICT_OK)
        status = put_some(&advice->records, 0, advice->records.count, map, false);
    pdict_close(map);
    if (status == PDICT_OK)
        printf("applied       %zu records are in %s\n", advice->records.count, path);
    return status;
}

/* ---- The verb ---- */

/* Nothing can be stored with a baseline, so it cannot be recommended. */
static int refuse_baselines(const struct candidate *candidates, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is_baseline(&candidates[i]))
            return pdict_fail(PDICT_UNSUPPORTED,
                              "--codecs: %s is a library called directly, which only `codec` "
                              "measures; leave it out",
                              candidates[i].name);
    }
    return PDICT_OK;
}

static int measure(struct advice *advice, const struct invocation *in, uint64_t seed, size_t from)
{
    uint64_t time_ns = bench_has(in, OPT_QUICK) ? 50000000u : 600000000u;
    struct candidate *ciphers = advice->compressors + CANDIDATES;
    size_t n_compressors = 0, n_ciphers = 0;
    int status;

    if ((status = bench_duration(in, OPT_TIME, &time_ns)) != PDICT_OK ||
        (status = candidates_usual(in, usual, advice->compressors, &n_compressors)) != PDICT_OK ||
        (status = refuse_baselines(advice->compressors, n_compressors)) != PDICT_OK ||
        (status = candidates_parse(advice->is_secret ? "xchacha20" : "none", PDICT_CIPHER, "secret",
                                   ciphers, &n_ciphers)) != PDICT_OK)
        return status;
    advice->count = n_compressors * n_ciphers;
    if (!(advice->results = calloc(advice->count, sizeof *advice->results)))
        return pdict_fail(PDICT_NOMEM, "recommend: out of memory");
    status = codec_measure(&(struct codec_plan){ .records = &advice->records,
                                                 .from = from,
                                                 .to = advice->records.count,
                                                 .compressors = advice->compressors,
                                                 .n_compressors = n_compressors,
                                                 .ciphers = ciphers,
                                                 .n_ciphers = n_ciphers,
                                                 .time_ns = time_ns,
                                                 .rounds = 10,
                                                 .seed = seed },
                           advice->results);
    bench_progress_end();
    return status;
}

static bool is_extended(const struct invocation *in, const struct candidate *candidate)
{
    for (size_t i = 0; candidate->codec && i < in->n_extended; i++) {
        if (strcmp(in->extended[i].name, candidate->codec->name) == 0)
            return true;
    }
    return false;
}

static void print_advice(const struct invocation *in, const struct advice *advice,
                         const json_t *confirmation)
{
    const struct codec_result *best = advice->best;
    char name[96];
    char texts[2][32];

    codec_name(best, name, sizeof name);
    printf("\nrecommended   %s\n", advice->uri);
    printf("codecs        %s: %.2fx smaller, %s to encode, %s to decode a record\n", name,
           codec_ratio(best), report_time_text(codec_encode_ns(best), texts[0]),
           report_time_text(codec_decode_ns(best), texts[1]));
    printf("backend       %s: %s\n", advice->backend, advice->reason);
    printf("cost          %.0f %% reads, a stored byte counted as %.0f ns (--goal %s)\n",
           100 * advice->reads, byte_ns[advice->goal], goal_names[advice->goal]);
    if (advice->second)
        explain(advice, best, advice->second);
    printf("confirmed     %.0f held-out records through a map: put %s, get %s each, stored %.2fx "
           "smaller with keys and headers, all read back the same\n",
           report_number(confirmation, "records"),
           report_time_text(report_number(confirmation, "put_ns"), texts[0]),
           report_time_text(report_number(confirmation, "get_ns"), texts[1]),
           report_number(confirmation, "logical_bytes") /
               report_number(confirmation, "stored_bytes"));
    if (is_extended(in, best->compressor))
        printf(
            "note          %s is your own: whoever opens the store loads it first, as --extension "
            "did\n",
            best->compressor->codec->name);
    if (best->compressor->codec && best->cipher->codec)
        printf("note          lengths of compressed values tell something of their content where "
               "others choose parts of them\n");
}

static int read_settings(struct advice *advice, const struct invocation *in, uint64_t *seed)
{
    int status;

    advice->reads = 0.9;
    advice->is_secret = bench_has(in, OPT_SECRET);
    if ((status = bench_fraction(in, OPT_READS, 0, 1, &advice->reads)) == PDICT_OK &&
        (status = bench_choice(in, OPT_GOAL, goal_names, GOALS, &advice->goal)) == PDICT_OK &&
        (status = bench_number(in, OPT_SEED, 0, UINT64_C(1) << 53, seed)) == PDICT_OK)
        status = records_read(in, &advice->records);
    return status;
}

int bench_recommend(struct invocation *in)
{
    struct advice advice = { .directory = "" };
    json_t *document = NULL;
    uint64_t seed = 42;
    size_t from;
    int status;

    if (!(advice.compressors = calloc(2 * CANDIDATES, sizeof *advice.compressors)))
        return pdict_fail(PDICT_NOMEM, "recommend: out of memory");
    if ((status = read_settings(&advice, in, &seed)) != PDICT_OK)
        goto done;
    records_shuffle(&advice.records, seed);
    records_profile(&advice.records, &advice.profile);
    from = (size_t)(TRAIN_SHARE * (double)advice.records.count);
    document = report_new(in, seed);
    bench_interrupt_catch();
    bench_progress_begin(in);
    profile_print(stdout, &advice.profile);
    if ((status = bench_directory_make(in, advice.directory, sizeof advice.directory)) ||
        (status = measure(&advice, in, seed, from)) != PDICT_OK)
        goto done;
    choose(&advice);
    choose_backend(&advice, advice.directory);
    make_uri(&advice);
    codec_mark_pareto(advice.results, advice.count);
    codec_report(document, advice.results, advice.count);
    json_object_set_new(document, "recommendation",
                        json_pack("{s:s,s:s,s:s}", "uri", advice.uri, "backend", advice.backend,
                                  "reason", advice.reason));
    if ((status = confirm(&advice, from, document)) != PDICT_OK ||
        (status = report_finish(in, document)) != PDICT_OK)
        goto done;
    print_advice(in, &advice, json_object_get(document, "confirmation"));
    if (bench_has(in, OPT_APPLY))
        status = apply(&advice, in->values[OPT_APPLY]);
done:
    bench_directory_remove(advice.directory);
    codec_results_free(advice.results, advice.count);
    records_free(&advice.records);
    json_decref(document);
    free(advice.compressors);
    return status;
}
