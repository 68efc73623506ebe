/* SPDX-License-Identifier: MIT */
/* Which colour and which style a target has, the same in every picture of a report. */
#include "report/svg.h"

#include <string.h>

#define MOST 64

static char engines[MOST][128];
static size_t n_engines;

void series_reset(void)
{
    n_engines = 0;
}

/* A map and the engine below it share a colour; options make another series. */
int series_colour(const char *label)
{
    const char *engine = strchr(label, ':');
    size_t i = 0;

    engine = engine ? engine + 1 : label;
    while (i < n_engines && strcmp(engines[i], engine) != 0)
        i++;
    if (i == n_engines && n_engines < MOST)
        snprintf(engines[n_engines++], sizeof engines[0], "%.127s", engine);
    return (int)(i % SERIES_COLOURS);
}

const char *series_style(const char *label)
{
    if (strncmp(label, "raw:", 4) == 0)
        return "raw";
    return strncmp(label, "peer:", 5) == 0 ? "peer" : "own";
}

void series_legend(FILE *out, const json_t *rows)
{
    const json_t *row;
    const json_t *other;
    size_t i, j;

    fputs("<ul class=\"legend\">", out);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        const char *label = report_string(row, "target");

        json_array_foreach((json_t *)(uintptr_t)rows, j, other)
        {
            if (j >= i || strcmp(report_string(other, "target"), label) == 0)
                break;
        }
        if (j < i || !*label)
            continue;
        fprintf(out,
                "<li><svg viewBox=\"0 0 26 10\" aria-hidden=\"true\"><path class=\"line c%d %s\" "
                "d=\"M1 5H25\"/><circle class=\"dot c%d %s\" cx=\"13\" cy=\"5\" r=\"3.5\"/></svg>",
                series_colour(label), series_style(label), series_colour(label),
                series_style(label));
        svg_text(out, label);
        fputs("</li>", out);
    }
    fputs("</ul>\n", out);
}
