/* SPDX-License-Identifier: MIT */
/* pthread_mutex_clocklock() for builds with the thread sanitizer of GCC 12, which does not know it
 * and so takes the unlock that follows for one of an unlocked mutex. It knows timedlock. */
#include <pthread.h>
#include <time.h>

static struct timespec add(struct timespec a, struct timespec b, long sign)
{
    struct timespec sum = { .tv_sec = a.tv_sec + sign * b.tv_sec,
                            .tv_nsec = a.tv_nsec + sign * b.tv_nsec };

    if (sum.tv_nsec < 0 || sum.tv_nsec >= 1000000000) {
        long carry = sum.tv_nsec < 0 ? -1 : 1;

        sum.tv_sec += carry;
        sum.tv_nsec -= carry * 1000000000;
    }
    return sum;
}

/* The same moment by the clock that timedlock goes by. */
static struct timespec by_realtime(clockid_t clock, const struct timespec *until)
{
    struct timespec now, now_real;

    clock_gettime(clock, &now);
    clock_gettime(CLOCK_REALTIME, &now_real);
    return add(now_real, add(*until, now, -1), 1);
}

int pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until)
{
    struct timespec until_real = by_realtime(clock, until);

    return pthread_mutex_timedlock(mutex, &until_real);
}
