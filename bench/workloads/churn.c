/* SPDX-License-Identifier: MIT */
/* pdict-bench churn: entries that come and expire, and what becomes of the file's size. */
#include "report/report.h"
#include "workloads/run.h"

#include <string.h>

#define ROUNDS_A_LIFE 4 /* an entry lives through so many rounds */

/* One round: a share of all keys put with their lifetime, new keys every round. */
static int put_round(struct contest *contest, struct contestant *one, uint64_t round,
                     uint64_t count, uint64_t ttl_ns)
{
    char key[512];
    int status = PDICT_OK;

    for (uint64_t i = 0; i < count && status == PDICT_OK; i++) {
        uint64_t before_ns = bench_now_ns();

        run_data_key(&contest->data, round * count + i, key);
        status =
            one->target.driver->put_ttl(one->sessions[0], run_key(&contest->data, key),
                                        run_value(&contest->data, i), (int64_t)(ttl_ns / 1000000));
        bench_histogram_add(&one->latency, bench_now_ns() - before_ns);
    }
    return status;
}

static int churn(struct contest *contest, struct contestant *one, uint64_t rounds, uint64_t ttl_ns,
                 json_t *sizes)
{
    uint64_t count = contest->settings.keys / ROUNDS_A_LIFE;
    uint64_t begun_ns = bench_now_ns();
    int status;

    bench_histogram_clear(&one->latency);
    if ((status = contestant_open(contest, one, false)) != PDICT_OK ||
        (status = contestant_sessions(one, 1, target_durability(&one->target, DRIVER_CRASH))))
        return status;
    for (uint64_t round = 0; round < rounds && status == PDICT_OK; round++) {
        uint64_t round_ns = bench_now_ns();

        bench_progress("churn, round %llu of %llu, %s", (unsigned long long)round + 1,
                       (unsigned long long)rounds, one->target.label);
        status = put_round(contest, one, round, count, ttl_ns);
        one->samples[one->n_samples++] = (double)(bench_now_ns() - round_ns) / (double)count;
        one->ops += count;
        json_array_append_new(sizes, json_pack("[I,I]", (json_int_t)round + 1,
                                               (json_int_t)bench_directory_bytes(one->directory)));
        bench_sleep_until(begun_ns + (round + 1) * ttl_ns / ROUNDS_A_LIFE);
        if (status == PDICT_OK)
            status = bench_interrupted();
    }
    return status;
}

static void add_row(struct contest *contest, struct contestant *one, json_t *sizes)
{
    char id[200];
    json_t *row;

    snprintf(id, sizeof id, "churn/%s", one->target.label);
    row = report_row(contest->document, "churn", id);
    json_object_set_new(row, "workload", json_string("churn"));
    json_object_set_new(row, "target", json_string(one->target.label));
    json_object_set_new(row, "threads", json_integer(1));
    json_object_set_new(row, "keys", json_integer((json_int_t)contest->settings.keys));
    json_object_set_new(row, "value_size", json_integer((json_int_t)contest->settings.value_size));
    json_object_set_new(
        row, "durability",
        json_string(driver_durability_names[target_durability(&one->target, DRIVER_CRASH)]));
    json_object_set_new(row, "ops", json_integer((json_int_t)one->ops));
    report_samples(row, one->samples, one->n_samples);
    json_object_set_new(row, "ops_per_s",
                        json_real(1e9 / bench_median(one->samples, one->n_samples)));
    report_latency(row, &one->latency);
    json_object_set_new(
        row, "file_bytes",
        json_incref(json_array_get(json_array_get(sizes, json_array_size(sizes) - 1), 1)));
    json_object_set(row, "sizes", sizes);
}

int bench_churn(struct invocation *in)
{
    bool is_quick = bench_has(in, OPT_QUICK);
    uint64_t ttl_ns = is_quick ? 200000000u : 2000000000u;
    uint64_t rounds = is_quick ? 12 : 40;
    struct contest contest = { 0 };
    int status;

    if ((status = bench_duration(in, OPT_TTL, &ttl_ns)) != PDICT_OK ||
        (status = bench_number(in, OPT_ROUNDS, 10, RUN_SAMPLES, &rounds)) != PDICT_OK ||
        (status = contest_open(&contest, in, "churn", "pdict:sqlite,pdict:lmdb")) != PDICT_OK)
        goto done;
    for (size_t i = 0; i < contest.count && status == PDICT_OK; i++) {
        struct contestant *one = &contest.contestants[i];
        json_t *sizes;

        if (!(one->target.flags & DRIVER_TTL)) {
            report_skip(contest.document, "churn", one->target.label, "it has no expiry");
            continue;
        }
        sizes = json_array();
        if ((status = churn(&contest, one, rounds, ttl_ns, sizes)) == PDICT_OK)
            add_row(&contest, one, sizes);
        json_decref(sizes);
    }
    bench_progress_end();
    if (status == PDICT_OK)
        status = report_finish(in, contest.document);
done:
    contest_close(&contest);
    return status;
}
