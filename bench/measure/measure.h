/* SPDX-License-Identifier: MIT */
/* How things are measured: clock, reproducible randomness, latency histogram, statistics. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* clock.c */
uint64_t bench_now_ns(void); /**< monotonic */
uint64_t bench_cpu_ns(void); /**< of this process, all threads, user and system */
double bench_clock_cost_ns(void);
void bench_sleep_until(uint64_t ns);

/* ---- random.c -------------------------------------------------------------------------------- */

/** xoshiro256** (Blackman and Vigna 2018); one seed gives any number of independent streams. */
struct bench_rng {
    uint64_t state[4];
};

void bench_rng_seed(struct bench_rng *rng, uint64_t seed, uint64_t stream);
uint64_t bench_rng_next(struct bench_rng *rng);
uint64_t bench_rng_below(struct bench_rng *rng, uint64_t n); /**< n > 0 */
double bench_rng_unit(struct bench_rng *rng);                /**< in [0, 1) */
uint64_t bench_mix(uint64_t x);                              /**< a bijection that scatters bits */

/* ---- distribution.c -------------------------------------------------------------------------- */

enum bench_distribution {
    BENCH_UNIFORM,
    BENCH_ZIPF, /**< true Zipf over all keys, exponent 0.99, ranks scattered without collision */
    BENCH_YCSB_ZIPF, /**< as YCSB draws: from 10^10 items, hashed onto the keys; flatter */
    BENCH_LATEST,    /**< Zipf from the newest key backwards */
    BENCH_HOTSPOT,   /**< 80 % of the draws from the first 20 % of the keys */
    BENCH_DISTRIBUTIONS
};

extern const char *const bench_distribution_names[BENCH_DISTRIBUTIONS];

/** Draws places 0..n-1. Drawing costs the same whatever n is. */
struct bench_draw {
    enum bench_distribution kind;
    uint64_t n;
    double exponent;
    double h_first, h_last, cut; /**< Zipf */
    unsigned half_bits;          /**< scatter */
    uint64_t round_keys[4];
};

void bench_draw_init(struct bench_draw *draw, enum bench_distribution kind, uint64_t n,
                     uint64_t seed);
uint64_t bench_draw_next(const struct bench_draw *draw, struct bench_rng *rng);
uint64_t bench_draw_rank(const struct bench_draw *draw, struct bench_rng *rng);
uint64_t bench_scatter(const struct bench_draw *draw, uint64_t rank);

/* ---- histogram.c ----------------------------------------------------------------------------- */

#define BENCH_SUB_BITS 7
#define BENCH_SUB      (1u << BENCH_SUB_BITS)
#define BENCH_BUCKETS  ((64u - BENCH_SUB_BITS + 1u) * BENCH_SUB)

/** Counts by value; every value is known to better than 1 in 128. Fixed memory, adds up. */
struct bench_histogram {
    uint64_t total;
    uint64_t max;
    uint64_t counts[BENCH_BUCKETS];
};

void bench_histogram_clear(struct bench_histogram *histogram);
void bench_histogram_add(struct bench_histogram *histogram, uint64_t value);
void bench_histogram_merge(struct bench_histogram *into, const struct bench_histogram *from);
/** The value that `share` (0..1) of all values do not exceed; 0 of an empty histogram. */
double bench_histogram_quantile(const struct bench_histogram *histogram, double share);
/** The value in the middle of a bucket. */
double bench_histogram_value(size_t bucket);

/* ---- statistics.c ---------------------------------------------------------------------------- */

/** What is said about the samples of one row. */
struct bench_summary {
    double median;
    double mad; /**< median of the distances from the median */
    double low; /**< 95 % confidence interval of the median, by bootstrap */
    double high;
    size_t mild; /**< outliers beyond 1.5 and 3 interquartile ranges: counted, never dropped */
    size_t severe;
};

double bench_median(const double *samples, size_t count);
double bench_quantile(const double *samples, size_t count, double share);
void bench_summarise(const double *samples, size_t count, struct bench_summary *out);

/** Two sets of samples of the same thing, before and after. */
struct bench_comparison {
    double ratio; /**< of the medians, after / before */
    double low;   /**< 95 % confidence interval of the ratio, by bootstrap */
    double high;
    double p; /**< Mann-Whitney U, two-sided: how likely so much difference is by chance */
};

void bench_compare(const double *before, size_t n_before, const double *after, size_t n_after,
                   struct bench_comparison *out);

#endif
