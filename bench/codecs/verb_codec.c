/* SPDX-License-Identifier: MIT */
/* pdict-bench codec: compressors and ciphers on the user's own records. */
#include "codecs/codec.h"
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_CODECS "none,zlib:1,6,9,zstd:-5,-3,1,3,6,9,12"

/* All of this build, where the default list names one that it lacks. */
static const char *default_codecs(void)
{
    return pdict_codec_find("zstd") && pdict_codec_find("zlib") ? DEFAULT_CODECS : "none";
}

int bench_codec(struct invocation *in)
{
    struct candidate *compressors = calloc(2 * CANDIDATES, sizeof *compressors);
    struct candidate *ciphers = compressors + CANDIDATES;
    struct codec_result *results = NULL;
    uint64_t time_ns = bench_has(in, OPT_QUICK) ? 50000000u : 500000000u;
    uint64_t rounds = 10;
    uint64_t seed = 42;
    struct records records = { 0 };
    struct profile profile;
    size_t n_compressors = 0, n_ciphers = 0;
    json_t *document = NULL;
    int status = compressors ? PDICT_OK : pdict_fail(PDICT_NOMEM, "codec: out of memory");

    if (status != PDICT_OK || (status = bench_duration(in, OPT_TIME, &time_ns)) != PDICT_OK ||
        (status = bench_number(in, OPT_SAMPLES, 10, 200, &rounds)) != PDICT_OK ||
        (status = bench_number(in, OPT_SEED, 0, UINT64_C(1) << 53, &seed)) != PDICT_OK ||
        (status = candidates_parse(bench_text(in, OPT_CODECS, default_codecs()), PDICT_COMPRESSOR,
                                   "codecs", compressors, &n_compressors)) != PDICT_OK ||
        (status = candidates_parse(bench_text(in, OPT_CIPHER, "none"), PDICT_CIPHER, "cipher",
                                   ciphers, &n_ciphers)) != PDICT_OK ||
        (status = records_read(in, &records)) != PDICT_OK)
        goto done;
    records_shuffle(&records, seed);
    records_profile(&records, &profile);
    document = report_new(in, seed);
    bench_interrupt_catch();
    bench_progress_begin(in);
    if (!(results = calloc(n_compressors * n_ciphers, sizeof *results)))
        status = pdict_fail(PDICT_NOMEM, "codec: out of memory");
    else
        status = codec_measure(&records, 0, records.count, compressors, n_compressors, ciphers,
                               n_ciphers, time_ns, rounds, seed, results);
    bench_progress_end();
    if (status != PDICT_OK)
        goto done;
    if (records.offered > records.count)
        report_warn(document, "the first %zu of %llu records were measured", records.count,
                    (unsigned long long)records.offered);
    codec_mark_pareto(results, n_compressors * n_ciphers);
    codec_report(document, results, n_compressors * n_ciphers);
    if (strcmp(bench_text(in, OPT_JSON, ""), "-") != 0)
        profile_print(stdout, &profile);
    status = report_finish(in, document);
done:
    codec_results_free(results, n_compressors * n_ciphers);
    json_decref(document);
    records_free(&records);
    free(compressors);
    return status;
}
