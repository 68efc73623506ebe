/* SPDX-License-Identifier: MIT */
/* A log-linear histogram: 128 buckets to each power of two, exact below 128. */
#include "measure.h"

#include <string.h>

static unsigned highest_bit(uint64_t value)
{
    unsigned bit = 0;

    for (unsigned step = 32; step > 0; step /= 2) {
        if (value >> step) {
            value >>= step;
            bit += step;
        }
    }
    return bit;
}

static size_t bucket_of(uint64_t value)
{
    unsigned shift;

    if (value < BENCH_SUB)
        return (size_t)value;
    shift = highest_bit(value) - BENCH_SUB_BITS;
    return (size_t)(shift + 1) * BENCH_SUB + (size_t)((value >> shift) - BENCH_SUB);
}

double bench_histogram_value(size_t bucket)
{
    unsigned shift;

    if (bucket < BENCH_SUB)
        return (double)bucket;
    shift = (unsigned)(bucket / BENCH_SUB) - 1;
    return ((double)(bucket % BENCH_SUB + BENCH_SUB) + 0.5) * (double)(UINT64_C(1) << shift) - 0.5;
}

void bench_histogram_clear(struct bench_histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
}

void bench_histogram_add(struct bench_histogram *histogram, uint64_t value)
{
    histogram->counts[bucket_of(value)]++;
    histogram->total++;
    if (value > histogram->max)
        histogram->max = value;
}

void bench_histogram_merge(struct bench_histogram *into, const struct bench_histogram *from)
{
    for (size_t i = 0; i < BENCH_BUCKETS; i++)
        into->counts[i] += from->counts[i];
    into->total += from->total;
    if (from->max > into->max)
        into->max = from->max;
}

double bench_histogram_quantile(const struct bench_histogram *histogram, double share)
{
    double wanted = share * (double)histogram->total;
    uint64_t seen = 0;

    for (size_t i = 0; i < BENCH_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (histogram->counts[i] && (double)seen >= wanted) {
            double value = bench_histogram_value(i);

            return value < (double)histogram->max ? value : (double)histogram->max;
        }
    }
    return 0;
}
