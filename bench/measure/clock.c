/* SPDX-License-Identifier: MIT */
/* Time: monotonic nanoseconds, CPU time, and what reading the clock costs. */
#include "measure.h"

#include <errno.h>
#include <time.h>

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

uint64_t bench_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t bench_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* The least of many: whatever disturbs makes it more. */
double bench_clock_cost_ns(void)
{
    double least = 1e9;

    for (int round = 0; round < 20; round++) {
        uint64_t start = bench_now_ns();
        uint64_t end = start;

        for (int i = 0; i < 100; i++)
            end = bench_now_ns();
        if ((double)(end - start) / 100 < least)
            least = (double)(end - start) / 100;
    }
    return least;
}

void bench_sleep_until(uint64_t ns)
{
    struct timespec t = { .tv_sec = (time_t)(ns / 1000000000u),
                          .tv_nsec = (long)(ns % 1000000000u) };

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        continue;
}
