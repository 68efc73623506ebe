/* SPDX-License-Identifier: MIT */
/* Tests of how the bench measures: histogram, distributions, statistics, against exact answers. */
#include "test.h"

#include "measure/measure.h"

#include <math.h>
#include <stdlib.h>

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Values from one nanosecond to minutes, every magnitude alike. */
static uint64_t any_latency(struct bench_rng *rng)
{
    return bench_rng_next(rng) >> (28 + bench_rng_below(rng, 36));
}

TEST(measure, histogram_quantiles_are_within_one_percent_of_exact_ones)
{
    enum {
        N = 50000
    };
    static const double shares[] = { 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1 };
    struct bench_histogram *histogram = calloc(1, sizeof *histogram);
    uint64_t *values = malloc(N * sizeof *values);
    struct bench_rng rng;

    bench_rng_seed(&rng, 7, 0);
    for (size_t i = 0; i < N; i++) {
        values[i] = any_latency(&rng);
        bench_histogram_add(histogram, values[i]);
    }
    qsort(values, N, sizeof *values, by_number);
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        size_t at = (size_t)ceil(shares[i] * N) - 1;
        double exact = (double)values[at];
        double seen = bench_histogram_quantile(histogram, shares[i]);

        CHECK(fabs(seen - exact) <= exact / 100 + 0.5);
    }
    free(values);
    free(histogram);
}

TEST(measure, merged_histograms_equal_one_of_all_values)
{
    struct bench_histogram *parts = calloc(3, sizeof *parts);
    struct bench_rng rng;

    bench_rng_seed(&rng, 8, 0);
    for (size_t i = 0; i < 1000; i++) {
        uint64_t value = any_latency(&rng);

        bench_histogram_add(&parts[i % 2], value);
        bench_histogram_add(&parts[2], value);
    }
    bench_histogram_merge(&parts[0], &parts[1]);
    CHECK_BYTES(&parts[0], sizeof parts[0], &parts[2], sizeof parts[2]);
    free(parts);
}

TEST(measure, an_empty_histogram_has_quantile_zero)
{
    struct bench_histogram *histogram = calloc(1, sizeof *histogram);

    CHECK(bench_histogram_quantile(histogram, 0.5) <= 0);
    free(histogram);
}

TEST(measure, zipf_draws_each_rank_as_often_as_the_law_says)
{
    enum {
        N = 1000,
        DRAWS = 400000
    };
    struct bench_draw draw;
    struct bench_rng rng;
    static unsigned seen[N];
    double zeta = 0;

    bench_draw_init(&draw, BENCH_ZIPF, N, 1);
    bench_rng_seed(&rng, 9, 0);
    for (int i = 0; i < DRAWS; i++)
        seen[bench_draw_rank(&draw, &rng)]++;
    for (int i = 1; i <= N; i++)
        zeta += pow(i, -0.99);
    for (int rank = 1; rank <= 100; rank++) {
        double expected = DRAWS * pow(rank, -0.99) / zeta;

        CHECK(fabs(seen[rank - 1] - expected) < 5 * sqrt(expected) + 1);
    }
}

TEST(measure, ycsb_zipf_gives_its_hottest_key_near_four_percent)
{
    enum {
        N = 100000,
        DRAWS = 200000
    };
    static unsigned seen[N];
    struct bench_draw draw;
    struct bench_rng rng;
    unsigned most = 0;

    bench_draw_init(&draw, BENCH_YCSB_ZIPF, N, 1);
    bench_rng_seed(&rng, 10, 0);
    for (int i = 0; i < DRAWS; i++) {
        unsigned count = ++seen[bench_draw_next(&draw, &rng)];

        most = count > most ? count : most;
    }
    /* One in zeta(10^10) = 26.469 draws is the first item. */
    CHECK(fabs((double)most / DRAWS - 1 / 26.469) < 0.003);
}

TEST(measure, scattered_ranks_are_a_permutation)
{
    static const size_t sizes[] = { 1, 2, 3, 10, 1000, 4097 };

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i];
        bool *seen = calloc(n, sizeof *seen);
        struct bench_draw draw;

        bench_draw_init(&draw, BENCH_ZIPF, n, 5);
        for (size_t rank = 0; rank < n; rank++) {
            uint64_t place = bench_scatter(&draw, rank);

            CHECK(place < n);
            CHECK(!seen[place]);
            seen[place] = true;
        }
        free(seen);
    }
}

TEST(measure, every_distribution_stays_inside_the_keys)
{
    for (int kind = 0; kind < BENCH_DISTRIBUTIONS; kind++) {
        struct bench_draw draw;
        struct bench_rng rng;

        bench_draw_init(&draw, (enum bench_distribution)kind, 17, 5);
        bench_rng_seed(&rng, 11, 0);
        for (int i = 0; i < 20000; i++)
            CHECK(bench_draw_next(&draw, &rng) < 17);
    }
}

TEST(measure, the_same_seed_gives_the_same_numbers_and_another_stream_others)
{
    struct bench_rng a, b, c;

    bench_rng_seed(&a, 42, 1);
    bench_rng_seed(&b, 42, 1);
    bench_rng_seed(&c, 42, 2);
    for (int i = 0; i < 100; i++) {
        uint64_t number = bench_rng_next(&a);

        CHECK(number == bench_rng_next(&b));
        CHECK(number != bench_rng_next(&c));
    }
}

TEST(measure, median_mad_and_outliers_are_those_computed_by_hand)
{
    static const double samples[] = { 10, 12, 11, 13, 9, 11, 10, 12, 11, 100 };
    struct bench_summary summary;

    bench_summarise(samples, 10, &summary);
    CHECK(fabs(summary.median - 11) < 1e-9);
    CHECK(fabs(summary.mad - 1) < 1e-9);
    CHECK_INT(summary.severe, 1);
    CHECK_INT(summary.mild, 0);
    CHECK(summary.low >= 10 && summary.low <= 11);
    CHECK(summary.high >= 11 && summary.high <= 12.5);
}

TEST(measure, mann_whitney_agrees_with_a_published_example)
{
    /* Hollander and Wolfe, Nonparametric Statistical Methods, example 4.1: U = 35 of 50, exact
     * two-sided p 0.2544; by the normal approximation z = 9.5 / sqrt(50 * 16 / 12), p = 0.2446. */
    static const double at_term[] = { 0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46 };
    static const double early[] = { 1.15, 0.88, 0.90, 0.74, 1.21 };
    struct bench_comparison comparison;

    bench_compare(at_term, 10, early, 5, &comparison);
    CHECK(fabs(comparison.p - 0.2446) < 0.0005);
}

TEST(measure, a_clear_difference_is_seen_and_none_is_not)
{
    double before[12];
    double same[12];
    double slower[12];
    struct bench_comparison comparison;
    struct bench_rng rng;

    bench_rng_seed(&rng, 12, 0);
    for (int i = 0; i < 12; i++) {
        before[i] = 100 + bench_rng_unit(&rng);
        same[i] = 100 + bench_rng_unit(&rng);
        slower[i] = 120 + bench_rng_unit(&rng);
    }
    bench_compare(before, 12, slower, 12, &comparison);
    CHECK(comparison.p < 0.001);
    CHECK(comparison.low > 1.18 && comparison.high < 1.22);
    bench_compare(before, 12, same, 12, &comparison);
    CHECK(comparison.p > 0.01);
    CHECK(comparison.low > 0.98 && comparison.high < 1.02);
}
