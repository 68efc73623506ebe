/* SPDX-License-Identifier: MIT */
/* How far a run is, on one line of a terminal, and the wish to stop it. */
#include "tool/tool.h"

#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

static bool is_shown;
static bool is_noted;
static bool is_dirty;
static volatile sig_atomic_t is_interrupted;

void bench_progress_begin(const struct invocation *in)
{
    is_noted = !bench_has(in, OPT_NO_PROGRESS);
    is_shown = is_noted && isatty(STDERR_FILENO);
}

void bench_progress(const char *format, ...)
{
    char line[160];
    va_list args;

    if (!is_shown)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    fprintf(stderr, "\r\033[K%.78s", line);
    is_dirty = true;
}

void bench_progress_end(void)
{
    if (is_dirty)
        fputs("\r\033[K", stderr);
    is_dirty = false;
}

void bench_progress_note(const char *format, ...)
{
    va_list args;

    if (!is_noted)
        return;
    bench_progress_end();
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* The second one kills. */
static void on_interrupt(int number)
{
    is_interrupted = 1;
    signal(number, SIG_DFL);
}

void bench_interrupt_catch(void)
{
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
}

int bench_interrupted(void)
{
    if (!is_interrupted)
        return PDICT_OK;
    return pdict_fail(PDICT_CANCELLED, "interrupted; nothing was kept of the run");
}
