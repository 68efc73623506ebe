/* SPDX-License-Identifier: MIT */
/* Wall time for what is stored, steady time for deadlines. */
#include <time.h>

#include "base/base.h"

static int64_t read_ms(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The coarse clock costs 5 ns instead of 24 and steps by one tick (1-4 ms). One clock sets and
 * tests every expiry, so nothing outlives its time to live by the difference of two clocks. */
int64_t pdict__system_now_ms(void *ctx)
{
    (void)ctx;
    return read_ms(CLOCK_REALTIME_COARSE);
}

int64_t pdict__time_add(int64_t base_ms, int64_t delta_ms)
{
    return base_ms > 0 && delta_ms > INT64_MAX - base_ms ? INT64_MAX : base_ms + delta_ms;
}

int64_t pdict__steady_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

int64_t pdict__steady_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t pdict__steady_coarse_ms(void)
{
    return read_ms(CLOCK_MONOTONIC_COARSE);
}

int64_t pdict__boot_ms(void)
{
    return read_ms(CLOCK_BOOTTIME);
}
