/* SPDX-License-Identifier: MIT */
/* pdict-bench policies: hit ratio by policy and capacity, simulated. */
#include "policies/policy.h"
#include "report/report.h"

#define MOST_CAPACITIES 16

const struct policy policies[] = {
    { "fifo", fifo_create, fifo_access, fifo_destroy },
    { "lru", fifo_create, lru_access, fifo_destroy },
    { "sieve", fifo_create, sieve_access, fifo_destroy },
    { "s3-fifo", s3_create, s3_access, s3_destroy },
    { "w-tinylfu", tiny_create, tiny_access, tiny_destroy },
    { NULL, NULL, NULL, NULL },
};

#define N_POLICIES (sizeof policies / sizeof *policies - 1)

int policy_simulate(const struct trace *trace, const struct policy *policy, uint32_t capacity,
                    double *hit_ratio)
{
    void *cache = policy->create(trace->n_ids, capacity);
    size_t warm_up = trace->count / 5;
    size_t hits = 0;

    if (!cache)
        return pdict_fail(PDICT_NOMEM, "policies: out of memory");
    for (size_t i = 0; i < trace->count; i++) {
        bool is_hit = policy->access(cache, trace->ids[i]);

        hits += is_hit && i >= warm_up;
    }
    policy->destroy(cache);
    *hit_ratio = (double)hits / (double)(trace->count - warm_up);
    return PDICT_OK;
}

static void add_row(json_t *document, const struct trace *trace, const char *policy,
                    uint64_t capacity, double hit_ratio)
{
    char id[160];
    json_t *row;

    snprintf(id, sizeof id, "policy/%s/%s/%llu", trace->name, policy, (unsigned long long)capacity);
    row = report_row(document, "policy", id);
    json_object_set_new(row, "trace", json_string(trace->name));
    json_object_set_new(row, "policy", json_string(policy));
    json_object_set_new(row, "accesses", json_integer((json_int_t)trace->count));
    json_object_set_new(row, "keys", json_integer(trace->n_ids));
    json_object_set_new(row, "capacity", json_integer((json_int_t)capacity));
    json_object_set_new(row, "hit_ratio", json_real(hit_ratio));
}

static int run_trace(const struct invocation *in, json_t *document, const struct trace *trace)
{
    static const unsigned per_mille[] = { 10, 50, 100, 200 };
    const char *names[N_POLICIES];
    int chosen[N_POLICIES];
    uint64_t capacities[MOST_CAPACITIES];
    size_t n_chosen;
    size_t n_capacities = 0;
    int status;

    for (size_t i = 0; i < N_POLICIES; i++)
        names[i] = policies[i].name;
    for (size_t i = 0; i < 4; i++) {
        uint64_t capacity = (uint64_t)trace->n_ids * per_mille[i] / 1000;

        if (capacity > 0 && (n_capacities == 0 || capacities[n_capacities - 1] != capacity))
            capacities[n_capacities++] = capacity;
    }
    if ((status = bench_choices(in, OPT_POLICY, names, N_POLICIES, chosen, N_POLICIES,
                                &n_chosen)) != PDICT_OK ||
        (status = bench_numbers(in, OPT_CAPACITY, UINT32_MAX / 8, capacities, MOST_CAPACITIES,
                                &n_capacities)) != PDICT_OK)
        return status;
    for (size_t i = 0; i < n_capacities; i++) {
        for (size_t j = 0; j < n_chosen && status == PDICT_OK; j++) {
            const struct policy *policy = &policies[chosen[j]];
            double hit_ratio = 0;

            bench_progress("%s, %s, %llu entries", trace->name, policy->name,
                           (unsigned long long)capacities[i]);
            status = policy_simulate(trace, policy, (uint32_t)capacities[i], &hit_ratio);
            if (status == PDICT_OK)
                add_row(document, trace, policy->name, capacities[i], hit_ratio);
            if (status == PDICT_OK)
                status = bench_interrupted();
        }
    }
    return status;
}

int bench_policies(struct invocation *in)
{
    bool is_quick = bench_has(in, OPT_QUICK);
    uint64_t keys = is_quick ? 10000 : 100000;
    struct trace trace = { 0 };
    json_t *document = NULL;
    uint64_t seed = 42;
    int status;

    if ((status = bench_number(in, OPT_SEED, 0, UINT64_C(1) << 53, &seed)) != PDICT_OK ||
        (status = bench_number(in, OPT_KEYS, 100, 10000000, &keys)) != PDICT_OK)
        return status;
    document = report_new(in, seed);
    bench_interrupt_catch();
    bench_progress_begin(in);
    if (in->n_args > 0) {
        for (int i = 0; i < in->n_args && status == PDICT_OK; i++) {
            if ((status = trace_read(in->args[i], &trace)) == PDICT_OK)
                status = run_trace(in, document, &trace);
            trace_free(&trace);
        }
    } else {
        for (int has_scans = 0; has_scans < 2 && status == PDICT_OK; has_scans++) {
            if ((status = trace_make(keys, (size_t)keys * 20, seed, has_scans, &trace)) == PDICT_OK)
                status = run_trace(in, document, &trace);
            trace_free(&trace);
        }
    }
    bench_progress_end();
    if (status == PDICT_OK)
        status = report_finish(in, document);
    json_decref(document);
    return status;
}
