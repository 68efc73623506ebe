/* SPDX-License-Identifier: MIT */
/* The goals in the HTML report: which are met, and by how much each row is beyond its bound or short
 * of it. */
#include "report/html.h"
#include "report/report.h"
#include "report/svg.h"

#include <math.h>
#include <string.h>

#define PLOT_WIDTH  200
#define PLOT_HEIGHT 20
#define OCTAVES     2 /* the bound in the middle, a quarter of it and four times it at the ends */

static bool is_floor(const json_t *row)
{
    return strcmp(report_string(row, "relation"), ">=") == 0;
}

/* Where a measured value lies; to the right of the middle is better than the bound. A bound of 0 has
 * no multiples: what is above it is as bad as can be. */
static double place(const json_t *row, double measured)
{
    double bound = report_number(row, "bound");
    double times = is_floor(row) ? measured / bound : bound / measured;
    double octaves = OCTAVES;

    if (bound <= 0)
        octaves = measured <= bound ? 0 : -OCTAVES;
    else if (measured > 0)
        octaves = fmax(-OCTAVES, fmin(OCTAVES, log2(times)));
    else if (is_floor(row))
        octaves = -OCTAVES;
    return PLOT_WIDTH / 2.0 + octaves / OCTAVES * (PLOT_WIDTH / 2.0 - 8);
}

static void plot(FILE *out, const json_t *row)
{
    const json_t *range = json_object_get(row, "ci95");
    double low = place(row, json_number_value(json_array_get(range, 0)));
    double high = place(row, json_number_value(json_array_get(range, 1)));
    double at = place(row, report_number(row, "measured"));
    double middle = PLOT_HEIGHT / 2.0;

    fprintf(out,
            "<td class=\"plot\"><svg viewBox=\"0 0 %d %d\" "
            "preserveAspectRatio=\"xMinYMid\" class=\"%s\" role=\"img\" "
            "aria-label=\"%s\"><rect class=\"side\" x=\"%d\" width=\"%d\" height=\"%d\"/>"
            "<path class=\"grid\" d=\"M0 %.1fH%d\"/><path class=\"bound\" d=\"M%d 0V%d\"/>",
            PLOT_WIDTH, PLOT_HEIGHT, json_is_true(json_object_get(row, "met")) ? "good" : "bad",
            json_is_true(json_object_get(row, "met")) ? "beyond the goal" : "short of the goal",
            PLOT_WIDTH / 2, PLOT_WIDTH / 2, PLOT_HEIGHT, middle, PLOT_WIDTH, PLOT_WIDTH / 2,
            PLOT_HEIGHT);
    fprintf(out,
            "<path class=\"range\" d=\"M%.1f %.1fH%.1f\"/>"
            "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/></svg></td>",
            fmin(low, high), middle, fmax(low, high), at, middle);
}

/* Nobody wants to read -0.00. */
static double end_of(const json_t *row, size_t at)
{
    double value = json_number_value(json_array_get(json_object_get(row, "ci95"), at));

    return fabs(value) < 0.005 ? 0 : value;
}

static bool is_same_goal(const json_t *a, const json_t *b)
{
    return a && b && strcmp(report_string(a, "goal"), report_string(b, "goal")) == 0;
}

/* As many digits as tell the measured value from its bound: 1.051 is over 1.05. */
static int digits(const json_t *row)
{
    return fabs(report_number(row, "measured") - report_number(row, "bound")) < 0.01 ? 3 : 2;
}

static void goal_row(FILE *out, const json_t *before, const json_t *row)
{
    const char *relation = is_floor(row) ? "\342\211\245" : "\342\211\244";
    bool is_met = json_is_true(json_object_get(row, "met"));

    /* Rows of one goal stand under one name. */
    fprintf(out, "<tr%s>", is_same_goal(before, row) ? "" : " class=\"first\"");
    html_tag(out, "<td>", is_same_goal(before, row) ? "" : report_string(row, "goal"), "</td>");
    html_tag(out, "<td class=\"text\">", report_string(row, "title"), "</td>");
    plot(out, row);
    fprintf(out,
            "<td class=\"value\">%.*f<small>%s %g</small></td><td>%s %g</td>"
            "<td>%.2f\342\200\223%.2f</td><td class=\"%s\">%s</td></tr>\n",
            digits(row), report_number(row, "measured"), relation, report_number(row, "bound"),
            relation, report_number(row, "bound"), end_of(row, 0), end_of(row, 1),
            is_met ? "met" : "missed", is_met ? "met" : "not met");
}

/* A goal is met when all of its rows are. */
static void overview(FILE *out, const json_t *rows)
{
    const json_t *row;
    size_t i;
    size_t n_met = 0;

    json_array_foreach((json_t *)(uintptr_t)rows, i, row) n_met +=
        json_is_true(json_object_get(row, "met"));
    fprintf(out, "<p>%zu of %zu rows met. ", n_met, json_array_size(rows));
    fputs(
        "All are ratios, or differences, within this run; the contestants take turns. The line in "
        "the middle of a row is its bound, its ends a quarter of it and four times it; the "
        "further right, the better. The pale bar is the 95 % interval.</p><ul class=\"facts\">\n",
        out);
    for (i = 0; i < json_array_size(rows);) {
        const json_t *first = json_array_get(rows, i);
        bool is_met = true;

        for (; is_same_goal(first, json_array_get(rows, i)); i++)
            is_met = is_met && json_is_true(json_object_get(json_array_get(rows, i), "met"));
        fprintf(out, "<li class=\"%s\">", is_met ? "met" : "missed");
        html_tag(out, "", report_string(first, "goal"), is_met ? " met</li>" : " not met</li>");
    }
    fputs("</ul>\n", out);
}

void html_goals(FILE *out, const json_t *rows)
{
    const json_t *row;
    size_t i;

    if (json_array_size(rows) == 0)
        return;
    fputs("<h2>Goals</h2>", out);
    overview(out, rows);
    fputs(
        "<div class=\"scroll\"><table class=\"goals\"><tr><th>goal</th><th class=\"text\">what</th>"
        "<th class=\"plot\">short of it \342\206\220 bound \342\206\222 beyond it</th>"
        "<th>measured</th><th>bound</th><th>95 %</th><th></th></tr>\n",
        out);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
        goal_row(out, i > 0 ? json_array_get(rows, i - 1) : NULL, row);
    fputs("</table></div>\n", out);
}
