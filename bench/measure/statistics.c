/* SPDX-License-Identifier: MIT */
/* Robust statistics over few samples: median, MAD, bootstrap intervals, Mann-Whitney. */
#include "measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RESAMPLES 2000
#define MOST      1000 /* samples that are looked at; a run takes far fewer */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* A sorted copy, so that the order of the samples is kept for whoever draws them over time. */
static size_t sorted(const double *samples, size_t count, double *out)
{
    if (count > MOST)
        count = MOST;
    if (count == 0)
        return 0;
    memcpy(out, samples, count * sizeof *out);
    qsort(out, count, sizeof *out, by_value);
    return count;
}

/* Linear between neighbours (type 7 of Hyndman and Fan). */
static double quantile_of_sorted(const double *samples, size_t count, double share)
{
    double at = share * (double)(count - 1);
    size_t below = (size_t)at;
    size_t above = below + 1 < count ? below + 1 : below;

    return samples[below] + (at - (double)below) * (samples[above] - samples[below]);
}

double bench_quantile(const double *samples, size_t count, double share)
{
    double copy[MOST];

    count = sorted(samples, count, copy);
    return count ? quantile_of_sorted(copy, count, share) : 0;
}

double bench_median(const double *samples, size_t count)
{
    return bench_quantile(samples, count, 0.5);
}

static double median_of_resample(struct bench_rng *rng, const double *samples, size_t count)
{
    double drawn[MOST];

    for (size_t i = 0; i < count; i++)
        drawn[i] = samples[bench_rng_below(rng, count)];
    qsort(drawn, count, sizeof *drawn, by_value);
    return quantile_of_sorted(drawn, count, 0.5);
}

static void interval_of_median(const double *samples, size_t count, double *low, double *high)
{
    static const uint64_t seed = 20;
    double medians[RESAMPLES];
    struct bench_rng rng;

    bench_rng_seed(&rng, seed, count);
    for (size_t i = 0; i < RESAMPLES; i++)
        medians[i] = median_of_resample(&rng, samples, count);
    qsort(medians, RESAMPLES, sizeof *medians, by_value);
    *low = quantile_of_sorted(medians, RESAMPLES, 0.025);
    *high = quantile_of_sorted(medians, RESAMPLES, 0.975);
}

static void count_outliers(const double *samples, size_t count, struct bench_summary *out)
{
    double first = quantile_of_sorted(samples, count, 0.25);
    double third = quantile_of_sorted(samples, count, 0.75);
    double range = third - first;

    for (size_t i = 0; i < count; i++) {
        if (samples[i] < first - 3 * range || samples[i] > third + 3 * range)
            out->severe++;
        else if (samples[i] < first - 1.5 * range || samples[i] > third + 1.5 * range)
            out->mild++;
    }
}

void bench_summarise(const double *samples, size_t count, struct bench_summary *out)
{
    double copy[MOST];
    double distances[MOST];

    *out = (struct bench_summary){ 0 };
    if ((count = sorted(samples, count, copy)) == 0)
        return;
    out->median = quantile_of_sorted(copy, count, 0.5);
    for (size_t i = 0; i < count; i++)
        distances[i] = fabs(copy[i] - out->median);
    out->mad = bench_median(distances, count);
    interval_of_median(copy, count, &out->low, &out->high);
    count_outliers(copy, count, out);
}

/* ---- Before and after ---- */

struct ranked {
    double value;
    bool is_after;
};

static int by_ranked_value(const void *a, const void *b)
{
    const struct ranked *x = a;
    const struct ranked *y = b;

    return (x->value > y->value) - (x->value < y->value);
}

/* Mann and Whitney 1947, normal approximation with ties and continuity corrected. */
static double mann_whitney(const double *before, size_t n_before, const double *after,
                           size_t n_after)
{
    struct ranked all[2 * MOST];
    size_t n = 0;
    double rank_sum = 0;
    double ties = 0;
    double u, mean, variance, z;

    for (size_t i = 0; i < n_before; i++)
        all[n++] = (struct ranked){ before[i], false };
    for (size_t i = 0; i < n_after; i++)
        all[n++] = (struct ranked){ after[i], true };
    qsort(all, n, sizeof *all, by_ranked_value);
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && all[to].value <= all[from].value; to++)
            continue;
        for (size_t i = from; i < to; i++)
            rank_sum += all[i].is_after ? (double)(from + to + 1) / 2 : 0;
        ties += pow((double)(to - from), 3) - (double)(to - from);
    }
    u = rank_sum - (double)n_after * (double)(n_after + 1) / 2;
    mean = (double)n_before * (double)n_after / 2;
    variance = mean / 6 * ((double)(n + 1) - ties / ((double)n * (double)(n - 1)));
    if (variance <= 0)
        return 1;
    z = (fabs(u - mean) - 0.5) / sqrt(variance);
    return z <= 0 ? 1 : erfc(z / sqrt(2));
}

static void interval_of_ratio(const double *before, size_t n_before, const double *after,
                              size_t n_after, struct bench_comparison *out)
{
    double ratios[RESAMPLES];
    struct bench_rng rng;

    bench_rng_seed(&rng, n_before, n_after);
    for (size_t i = 0; i < RESAMPLES; i++)
        ratios[i] =
            median_of_resample(&rng, after, n_after) / median_of_resample(&rng, before, n_before);
    qsort(ratios, RESAMPLES, sizeof *ratios, by_value);
    out->low = quantile_of_sorted(ratios, RESAMPLES, 0.025);
    out->high = quantile_of_sorted(ratios, RESAMPLES, 0.975);
}

void bench_compare(const double *before, size_t n_before, const double *after, size_t n_after,
                   struct bench_comparison *out)
{
    double b[MOST];
    double a[MOST];

    *out = (struct bench_comparison){ .ratio = 1, .low = 1, .high = 1, .p = 1 };
    n_before = sorted(before, n_before, b);
    n_after = sorted(after, n_after, a);
    if (n_before < 2 || n_after < 2 || bench_median(b, n_before) <= 0)
        return;
    out->ratio = bench_median(a, n_after) / bench_median(b, n_before);
    interval_of_ratio(b, n_before, a, n_after, out);
    out->p = mann_whitney(b, n_before, a, n_after);
}
