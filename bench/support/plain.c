/* SPDX-License-Identifier: MIT */
/* Errors end a benchmark program; its clock. */
#include "plain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "measure/measure.h"

void plain_die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, why);
    exit(EXIT_FAILURE);
}

void plain_check(int status)
{
    if (status != PDICT_OK)
        plain_die(pdict_status_name(status), pdict_error_text());
}

void *plain_need(size_t size)
{
    void *memory = malloc(size);

    if (!memory)
        plain_die("malloc", "out of memory");
    return memory;
}

double plain_now_s(void)
{
    return (double)bench_now_ns() / 1e9;
}
