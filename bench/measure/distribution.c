/* SPDX-License-Identifier: MIT */
/* Which key comes next: uniform, Zipf, YCSB's own Zipf, latest, hotspot. */
#include "measure.h"

#include <math.h>

#define EXPONENT 0.99

const char *const bench_distribution_names[BENCH_DISTRIBUTIONS] = {
    [BENCH_UNIFORM] = "uniform", [BENCH_ZIPF] = "zipf",       [BENCH_YCSB_ZIPF] = "ycsb-zipf",
    [BENCH_LATEST] = "latest",   [BENCH_HOTSPOT] = "hotspot",
};

/* ---- Zipf by rejection-inversion (Hormann and Derflinger, ACM TOMACS 6(3), 1996) ---- */

static double density(double x, double exponent)
{
    return exp(-exponent * log(x));
}

/* The integral of the density; log1p and expm1 keep it exact for exponents near 1. */
static double integral(double x, double exponent)
{
    double t = (1 - exponent) * log(x);

    return fabs(t) > 1e-8 ? log(x) * expm1(t) / t : log(x) * (1 + t / 2);
}

static double integral_inverse(double y, double exponent)
{
    double t = y * (1 - exponent);

    if (t < -1)
        t = -1;
    return exp(fabs(t) > 1e-8 ? y * log1p(t) / t : y * (1 - t / 2));
}

static uint64_t zipf_rank(const struct bench_draw *draw, struct bench_rng *rng)
{
    for (;;) {
        double u = draw->h_last + bench_rng_unit(rng) * (draw->h_first - draw->h_last);
        double x = integral_inverse(u, draw->exponent);
        double k = floor(x + 0.5);

        if (k < 1)
            k = 1;
        if (k > (double)draw->n)
            k = (double)draw->n;
        if (k - x <= draw->cut ||
            u >= integral(k + 0.5, draw->exponent) - density(k, draw->exponent))
            return (uint64_t)k - 1;
    }
}

/* ---- As YCSB's ScrambledZipfianGenerator draws, its constants included ---- */

#define YCSB_ITEMS 1e10
#define YCSB_ZETA  26.46902820178302

static uint64_t ycsb_item(struct bench_rng *rng)
{
    double zeta_two = 1 + pow(0.5, EXPONENT);
    double eta = (1 - pow(2 / YCSB_ITEMS, 1 - EXPONENT)) / (1 - zeta_two / YCSB_ZETA);
    double u = bench_rng_unit(rng);

    if (u * YCSB_ZETA < 1)
        return 0;
    if (u * YCSB_ZETA < zeta_two)
        return 1;
    return (uint64_t)(YCSB_ITEMS * pow(eta * u - eta + 1, 1 / (1 - EXPONENT)));
}

/* FNV-1a over eight octets, read as a signed number made positive. */
static uint64_t ycsb_hash(uint64_t item)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (int i = 0; i < 8; i++, item >>= 8) {
        hash ^= item & 0xff;
        hash *= UINT64_C(1099511628211);
    }
    return hash >> 63 ? ~hash + 1 : hash;
}

/* ---- Ranks scattered over the keys: four Feistel rounds, walked until inside 0..n-1 ---- */

static uint64_t feistel(const struct bench_draw *draw, uint64_t x)
{
    uint64_t mask = (UINT64_C(1) << draw->half_bits) - 1;
    uint64_t left = x >> draw->half_bits;
    uint64_t right = x & mask;

    for (int i = 0; i < 4; i++) {
        uint64_t next = left ^ (bench_mix(right ^ draw->round_keys[i]) & mask);

        left = right;
        right = next;
    }
    return left << draw->half_bits | right;
}

uint64_t bench_scatter(const struct bench_draw *draw, uint64_t rank)
{
    do
        rank = feistel(draw, rank);
    while (rank >= draw->n);
    return rank;
}

void bench_draw_init(struct bench_draw *draw, enum bench_distribution kind, uint64_t n,
                     uint64_t seed)
{
    struct bench_rng rng;

    *draw = (struct bench_draw){ .kind = kind, .n = n, .exponent = EXPONENT, .half_bits = 1 };
    draw->h_first = integral(1.5, EXPONENT) - 1;
    draw->h_last = integral((double)n + 0.5, EXPONENT);
    draw->cut = 2 - integral_inverse(integral(2.5, EXPONENT) - density(2, EXPONENT), EXPONENT);
    while (draw->half_bits < 31 && UINT64_C(1) << (2 * draw->half_bits) < n)
        draw->half_bits++;
    bench_rng_seed(&rng, seed, 0x5ca77e5);
    for (int i = 0; i < 4; i++)
        draw->round_keys[i] = bench_rng_next(&rng);
}

uint64_t bench_draw_rank(const struct bench_draw *draw, struct bench_rng *rng)
{
    return zipf_rank(draw, rng);
}

static uint64_t hotspot(const struct bench_draw *draw, struct bench_rng *rng)
{
    uint64_t hot = draw->n / 5 ? draw->n / 5 : 1;

    if (bench_rng_below(rng, 100) < 80 || hot == draw->n)
        return bench_rng_below(rng, hot);
    return hot + bench_rng_below(rng, draw->n - hot);
}

uint64_t bench_draw_next(const struct bench_draw *draw, struct bench_rng *rng)
{
    switch (draw->kind) {
    case BENCH_ZIPF:
        return bench_scatter(draw, zipf_rank(draw, rng));
    case BENCH_YCSB_ZIPF:
        return ycsb_hash(ycsb_item(rng)) % draw->n;
    case BENCH_LATEST:
        return draw->n - 1 - zipf_rank(draw, rng);
    case BENCH_HOTSPOT:
        return hotspot(draw, rng);
    default:
        return bench_rng_below(rng, draw->n);
    }
}
