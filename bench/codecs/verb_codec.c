/* SPDX-License-Identifier: MIT */
/* pdict-bench codec: compressors and ciphers on the user's own records. */
#include "codecs/codec.h"
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

/* Compared where nobody asks for others: of those in this build, from the quickest on. */
static const char *const usual[] = { "lz4:1,9", "zlib:1,6,9",
                                     "zstd:-5,-3,-1,1,3,6,9,12,1+dict,3+dict,9+dict", "libzstd:3",
                                     NULL };

/* `candidates` has room for the compressors, then for as many ciphers. */
static int read_plan(const struct invocation *in, struct candidate *candidates,
                     struct codec_plan *plan)
{
    struct candidate *ciphers = candidates + CANDIDATES;
    char list[512];
    int status;

    *plan = (struct codec_plan){ .compressors = candidates,
                                 .ciphers = ciphers,
                                 .time_ns = bench_has(in, OPT_QUICK) ? 50000000u : 500000000u,
                                 .rounds = 10,
                                 .seed = 42 };
    if ((status = bench_duration(in, OPT_TIME, &plan->time_ns)) == PDICT_OK &&
        (status = bench_number(in, OPT_SAMPLES, 10, 200, &plan->rounds)) == PDICT_OK &&
        (status = bench_number(in, OPT_SEED, 0, UINT64_C(1) << 53, &plan->seed)) == PDICT_OK &&
        (status = candidates_usual(in, usual, candidates, &plan->n_compressors)) == PDICT_OK)
        status = candidates_parse(bench_codecs(in, OPT_CIPHER, "none", list, sizeof list),
                                  PDICT_CIPHER, "cipher", ciphers, &plan->n_ciphers);
    return status;
}

static int measure(struct invocation *in, const struct codec_plan *plan)
{
    size_t count = plan->n_compressors * plan->n_ciphers;
    struct codec_result *results = calloc(count, sizeof *results);
    json_t *document = report_new(in, plan->seed);
    struct profile profile;
    int status;

    bench_interrupt_catch();
    bench_progress_begin(in);
    records_profile(plan->records, &profile);
    status =
        results ? codec_measure(plan, results) : pdict_fail(PDICT_NOMEM, "codec: out of memory");
    bench_progress_end();
    if (status != PDICT_OK)
        goto done;
    if (plan->records->offered > plan->records->count)
        report_warn(document, "the first %zu of %llu records were measured", plan->records->count,
                    (unsigned long long)plan->records->offered);
    codec_mark_pareto(results, count);
    codec_report(document, results, count);
    if (strcmp(bench_text(in, OPT_JSON, ""), "-") != 0)
        profile_print(stdout, &profile);
    status = report_finish(in, document);
done:
    codec_results_free(results, count);
    json_decref(document);
    return status;
}

int bench_codec(struct invocation *in)
{
    struct candidate *candidates = calloc(2 * CANDIDATES, sizeof *candidates);
    struct records records = { 0 };
    struct codec_plan plan;
    int status;

    if (!candidates)
        return pdict_fail(PDICT_NOMEM, "codec: out of memory");
    if ((status = read_plan(in, candidates, &plan)) == PDICT_OK &&
        (status = records_read(in, &records)) == PDICT_OK) {
        records_shuffle(&records, plan.seed);
        plan.records = &records;
        plan.to = records.count;
        /* Dictionaries are measured on records that they were not made of, and so is all beside. */
        if (candidates_are_trained(plan.compressors, plan.n_compressors))
            plan.from = (size_t)(TRAIN_SHARE * (double)records.count);
        status = measure(in, &plan);
    }
    records_free(&records);
    free(candidates);
    return status;
}
