/* SPDX-License-Identifier: MIT */
/* The progress line of a long verb: share, rate and time left, on a terminal only. */
#include "tool.h"

#include <inttypes.h>
#include <unistd.h>

enum {
    BAR_CELLS = 24
};

void tool_progress_begin(struct progress *progress, const struct invocation *in, const char *verb)
{
    bool is_shown = isatty(STDERR_FILENO) && !tool_has(in, OPT_QUIET) && !tool_has(in, OPT_JSON);

    progress->verb = is_shown ? verb : NULL;
    progress->began = tool_seconds();
    progress->shown = progress->began;
    progress->width = 0;
    progress->is_bytes = false;
}

static void bar(char out[BAR_CELLS + 1], uint64_t at, uint64_t of)
{
    int filled = of ? (int)((double)at / (double)of * BAR_CELLS) : 0;

    for (int i = 0; i < BAR_CELLS; i++)
        out[i] = i < filled ? '#' : '.';
    out[BAR_CELLS] = '\0';
}

static void time_left(char out[32], double elapsed, uint64_t at, uint64_t of)
{
    double seconds = at ? elapsed * ((double)of / (double)at - 1) : 0;
    unsigned long left = seconds > 0 ? (unsigned long)(seconds + 0.5) : 0;

    if (left < 3600)
        snprintf(out, 32, "%lu:%02lu", left / 60, left % 60);
    else
        snprintf(out, 32, "%lu:%02lu:%02lu", left / 3600, left / 60 % 60, left % 60);
}

static void rate_text(const struct progress *progress, char out[48], uint64_t count, double elapsed)
{
    uint64_t rate = elapsed > 0 ? (uint64_t)((double)count / elapsed) : 0;
    char number[32];

    if (progress->is_bytes)
        snprintf(out, 48, "%s/s", tool_size_text(rate, number));
    else
        snprintf(out, 48, "%s records/s", tool_grouped(rate, number));
}

/* Ten times a second at most. `of` 0: the end is not known, and only the count is shown. */
void tool_progress_show(struct progress *progress, uint64_t records, uint64_t at, uint64_t of)
{
    double now;
    double elapsed;
    int before = progress->width;
    char cells[BAR_CELLS + 1];
    char rate[48];
    char left[32];

    if (!progress->verb || (now = tool_seconds()) - progress->shown < 0.1)
        return;
    progress->shown = now;
    elapsed = now - progress->began;
    rate_text(progress, rate, records, elapsed);
    if (of > 0) {
        bar(cells, at, of);
        time_left(left, elapsed, at, of);
        progress->width = fprintf(stderr, "\r%s [%s] %3d %%  %s  %s left", progress->verb, cells,
                                  (int)((double)at / (double)of * 100), rate, left);
    } else {
        progress->width = fprintf(stderr, "\r%s %" PRIu64 "  %s", progress->verb, records, rate);
    }
    if (before > progress->width)
        fprintf(stderr, "%*s", before - progress->width, "");
}

/* Make room for a line of the verb's own. */
void tool_progress_clear(struct progress *progress)
{
    if (progress->verb && progress->width > 0)
        fprintf(stderr, "\r%*s\r", progress->width, "");
    progress->width = 0;
}

void tool_progress_end(struct progress *progress)
{
    tool_progress_clear(progress);
    progress->verb = NULL;
}
