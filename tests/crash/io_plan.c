/* SPDX-License-Identifier: MIT */
/* The plan by which file calls are counted, failed, or their process ended. */
#include "io_parts.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static struct io_plan plan;
static atomic_bool is_armed;
static _Atomic uint64_t count, hits;

void io_arm(const struct io_plan *wanted)
{
    plan = *wanted;
    atomic_store(&count, 0);
    atomic_store(&hits, 0);
    atomic_store(&is_armed, true);
}

void io_disarm(void)
{
    atomic_store(&is_armed, false);
}

uint64_t io_count(void)
{
    return atomic_load(&count);
}

uint64_t io_hits(void)
{
    return atomic_load(&hits);
}

void io_end_by(int signal)
{
    kill(getpid(), signal);
    for (;;)
        pause();
}

enum io_action io_judge(enum io_call call)
{
    uint64_t number;

    if (!atomic_load(&is_armed) || !(plan.calls >> call & 1))
        return IO_PASS;
    number = atomic_fetch_add(&count, 1) + 1;
    if (plan.at == 0 || number < plan.at || (number > plan.at && !plan.is_onward))
        return IO_PASS;
    atomic_fetch_add(&hits, 1);
    if (plan.action == IO_KILL || (plan.action == IO_KILL_HALF && call != IO_WRITE))
        io_end_by(SIGKILL);
    if (plan.action == IO_STOP)
        io_end_by(SIGSTOP);
    if (plan.action == IO_FAIL)
        errno = plan.error;
    return plan.action;
}

bool io_refuses(enum io_call call)
{
    return io_judge(call) == IO_FAIL;
}
