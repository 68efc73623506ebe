/* SPDX-License-Identifier: MIT */
/* What went wrong is counted for all processes, and the first of it printed. */
#include <stdarg.h>
#include <stdio.h>

#include "soak.h"

/* Of each process; the rest is only counted. */
#define LINES_PRINTED 20

static void print(const char *what, const char *text)
{
    static atomic_uint lines;

    if (atomic_fetch_add(&lines, 1) < LINES_PRINTED)
        fprintf(stderr, "%s: %s\n", what, text);
}

bool soak_ok(struct shared *shared, int status, const char *what)
{
    if (status == PDICT_OK)
        return true;
    atomic_fetch_add(status == PDICT_BUSY ? &shared->busy : &shared->errors, 1);
    print(what, *pdict_error_text() ? pdict_error_text() : pdict_status_name(status));
    return false;
}

void soak_check(struct shared *shared, bool is_so, const char *format, ...)
{
    char text[256];
    va_list args;

    if (is_so)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    atomic_fetch_add(&shared->violations, 1);
    print("violation", text);
}
