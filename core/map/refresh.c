/* SPDX-License-Identifier: MIT */
/* Early refresh: a natural logarithm without libm, and the choice that needs it. */
#include "map/compute.h"

#define LN_2      0.69314718055994531
#define LOG2_BITS 24

/* -log2((random + 1) / 2^64): the exponent by shifting, the fraction bit by bit by squaring. */
static double minus_log2(uint64_t random)
{
    uint64_t mantissa = random, square;
    double fraction = 0, bit = 1;
    unsigned exponent = 0;

    if (random == 0)
        return 64;
    for (; !(mantissa >> 63); mantissa <<= 1)
        exponent++;
    mantissa >>= 32; /* 1.31 bits, from 1 to below 2 */
    for (int i = 0; i < LOG2_BITS; i++) {
        square = mantissa * mantissa; /* 2.62 bits */
        bit /= 2;
        if (square >> 63)
            fraction += bit;
        mantissa = square >> (square >> 63 ? 32 : 31);
    }
    return 1 + exponent - fraction;
}

bool pdict__refresh_is_due(int64_t left_ms, uint64_t cost_ms, double early, uint64_t random)
{
    return (double)cost_ms * early * LN_2 * minus_log2(random) >= (double)left_ms;
}
