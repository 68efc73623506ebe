/* SPDX-License-Identifier: MIT */
/* Reproducible randomness: xoshiro256**, seeded through SplitMix64. */
#include "measure.h"

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

/* The finaliser of SplitMix64 (Stafford's mix 13). */
uint64_t bench_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void bench_rng_seed(struct bench_rng *rng, uint64_t seed, uint64_t stream)
{
    uint64_t x = seed ^ bench_mix(stream + 1);

    for (int i = 0; i < 4; i++)
        rng->state[i] = bench_mix(x += UINT64_C(0x9e3779b97f4a7c15));
}

uint64_t bench_rng_next(struct bench_rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

/* Rejection of the uneven rest keeps every place equally likely. */
uint64_t bench_rng_below(struct bench_rng *rng, uint64_t n)
{
    uint64_t rest = (UINT64_MAX % n + 1) % n;
    uint64_t x;

    do
        x = bench_rng_next(rng);
    while (x > UINT64_MAX - rest);
    return x % n;
}

double bench_rng_unit(struct bench_rng *rng)
{
    return (double)(bench_rng_next(rng) >> 11) * 0x1p-53;
}
