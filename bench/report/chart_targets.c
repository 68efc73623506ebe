/* SPDX-License-Identifier: MIT */
/* Pictures of workloads: medians, latency, throughput against threads, growth. */
#include "report/svg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_WIDTH 112.0
#define VALUE_WIDTH 62.0
#define ROW_HEIGHT  21.0

/* ---- Medians: one dot a target on a log axis, its 95 % interval as a bar ---- */

static int by_median(const void *a, const void *b)
{
    double x = report_number(*(json_t *const *)a, "median_ns");
    double y = report_number(*(json_t *const *)b, "median_ns");

    return (x > y) - (x < y);
}

static double interval(const json_t *row, size_t which)
{
    return json_number_value(json_array_get(json_object_get(row, "ci95_ns"), which));
}

static void cut_label(FILE *out, const char *label, size_t most)
{
    char text[64];

    snprintf(text, sizeof text, strlen(label) > most ? "%.*s\342\200\246" : "%.*s", (int)most,
             label);
    svg_text(out, text);
}

static void median_row(FILE *out, const json_t *row, const struct svg_axis *x, double y)
{
    const char *label = report_string(row, "target");
    int colour = series_colour(label);
    char texts[3][32];
    double median = report_number(row, "median_ns");

    fputs("<g><title>", out);
    svg_text(out, label);
    fprintf(out, ": median %s, 95%% %s to %s</title>", report_time_text(median, texts[0]),
            report_time_text(interval(row, 0), texts[1]),
            report_time_text(interval(row, 1), texts[2]));
    fprintf(out, "<text class=\"name\" x=\"0\" y=\"%.1f\">", y + 4);
    cut_label(out, label, 17);
    fprintf(out, "</text><path class=\"guide\" d=\"M%.1f %.1fH%.1f\"/>", x->from, y, x->to);
    fprintf(out, "<path class=\"range c%d\" d=\"M%.1f %.1fH%.1f\"/>", colour,
            svg_at(x, interval(row, 0)), y, svg_at(x, interval(row, 1)));
    fprintf(out, "<circle class=\"dot c%d %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>", colour,
            series_style(label), svg_at(x, median), y);
    fprintf(out, "<text class=\"value\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text></g>\n",
            SVG_WIDTH, y + 4, svg_time(median, texts[0]));
}

void chart_medians(FILE *out, const json_t *rows)
{
    size_t count = json_array_size(rows);
    const json_t **sorted = malloc((count + 1) * sizeof *sorted);
    double low = INFINITY;
    double high = 0;
    double bottom = 8 + ROW_HEIGHT * (double)count;
    struct svg_axis x;

    if (!sorted || count == 0) {
        free(sorted);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i] = json_array_get(rows, i);
        low = fmin(low, interval(sorted[i], 0));
        high = fmax(high, interval(sorted[i], 1));
    }
    qsort(sorted, count, sizeof *sorted, by_median);
    x = svg_axis(low, high, true, LABEL_WIDTH, SVG_WIDTH - VALUE_WIDTH);
    svg_begin(out, bottom + 34, "median time of an operation by target, log scale");
    svg_x_axis(out, &x, 4, bottom, svg_time, "median time of an operation");
    for (size_t i = 0; i < count; i++)
        median_row(out, sorted[i], &x, 4 + ROW_HEIGHT * ((double)i + 0.5));
    svg_end(out);
    free(sorted);
}

/* ---- Latency: share of operations that took no longer, the last percents drawn out ---- */

#define LATENCY_TOP    22.0
#define LATENCY_BOTTOM 190.0
#define LATENCY_LEFT   44.0
#define NINES          4.0 /* the axis ends at 99.99 % */

static double tail(double share)
{
    double nines = share < 1 ? -log10(1 - share) : NINES;

    return nines < NINES ? nines : NINES;
}

static double tail_at(double share)
{
    return LATENCY_BOTTOM - tail(share) / NINES * (LATENCY_BOTTOM - LATENCY_TOP);
}

static void latency_axis(FILE *out)
{
    static const struct {
        double share;
        const char *text;
    } marks[] = { { 0, "0" },       { 0.5, "50 %" },   { 0.9, "90 %" },
                  { 0.99, "99 %" }, { 0.999, "99.9" }, { 0.9999, "99.99" } };

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        fprintf(out,
                "<path class=\"grid\" d=\"M%.1f %.1fH%d\"/><text class=\"tick\" x=\"%.1f\" "
                "y=\"%.1f\" text-anchor=\"end\">%s</text>",
                LATENCY_LEFT, tail_at(marks[i].share), SVG_WIDTH - 6, LATENCY_LEFT - 6,
                tail_at(marks[i].share) + 3.5, marks[i].text);
    fputs("<text class=\"title\" x=\"0\" y=\"11\">share of operations no slower than</text>\n",
          out);
}

static double latency_total(const json_t *buckets)
{
    double total = 0;

    for (size_t i = 0; i < json_array_size(buckets); i++)
        total += json_number_value(json_array_get(json_array_get(buckets, i), 1));
    return total;
}

static void latency_line(FILE *out, const json_t *row, const struct svg_axis *x)
{
    const json_t *buckets = json_object_get(row, "latency");
    const char *label = report_string(row, "target");
    double total = latency_total(buckets);
    double seen = 0;
    double last_x = -1;
    double last_y = -1;
    bool is_first = true;

    if (total <= 0)
        return;
    fprintf(out, "<path class=\"line c%d %s\" d=\"", series_colour(label), series_style(label));
    for (size_t i = 0; i < json_array_size(buckets); i++) {
        const json_t *bucket = json_array_get(buckets, i);
        double px = svg_at(x, json_number_value(json_array_get(bucket, 0)));
        double py;

        seen += json_number_value(json_array_get(bucket, 1));
        py = tail_at(seen / total);
        if (is_first)
            fprintf(out, "M%.1f %.1f", px, LATENCY_BOTTOM);
        /* Points closer than half a pixel would only make the file larger. */
        if (is_first || fabs(px - last_x) + fabs(py - last_y) > 0.5)
            fprintf(out, "L%.1f %.1f", last_x = px, last_y = py);
        is_first = false;
    }
    fputs("\"><title>", out);
    svg_text(out, label);
    fputs("</title></path>\n", out);
}

/* Where the axis begins: half the fastest of a thousand, so that clock noise does not stretch it. */
static void latency_bounds(const json_t *rows, double *low, double *high)
{
    const json_t *row;
    size_t i;

    *low = INFINITY;
    *high = 0;
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        if (!json_object_get(row, "latency"))
            continue;
        *low = fmin(*low, fmax(report_number(row, "p50_ns") / 3, 5));
        *high = fmax(*high, fmin(report_number(row, "max_ns"), report_number(row, "p999_ns") * 3));
    }
}

void chart_latency(FILE *out, const json_t *rows)
{
    struct svg_axis x;
    const json_t *row;
    double low, high;
    size_t i;

    latency_bounds(rows, &low, &high);
    if (high <= 0)
        return;
    x = svg_axis(low, high, true, LATENCY_LEFT, SVG_WIDTH - 6);
    svg_begin(out, LATENCY_BOTTOM + 34, "distribution of latencies by target");
    svg_x_axis(out, &x, LATENCY_TOP, LATENCY_BOTTOM, svg_time, "latency of an operation");
    latency_axis(out);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row) latency_line(out, row, &x);
    svg_end(out);
}

/* ---- Lines over numbers: threads, growth ---- */

#define LINES_TOP    24.0
#define LINES_BOTTOM 180.0
#define LINES_LEFT   44.0

struct point {
    double x;
    double y;
};

static int by_x(const void *a, const void *b)
{
    const struct point *p = a;
    const struct point *q = b;

    return (p->x > q->x) - (p->x < q->x);
}

static void draw_points(FILE *out, const char *label, struct point *points, size_t count,
                        const struct svg_axis *x, const struct svg_axis *y)
{
    int colour = series_colour(label);

    if (count == 0)
        return;
    qsort(points, count, sizeof *points, by_x);
    fprintf(out, "<path class=\"line c%d %s\" d=\"", colour, series_style(label));
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M', svg_at(x, points[i].x), svg_at(y, points[i].y));
    fputs("\"><title>", out);
    svg_text(out, label);
    fputs("</title></path>", out);
    for (size_t i = 0; i < count && count <= 12; i++)
        fprintf(out, "<circle class=\"dot c%d %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\"/>", colour,
                series_style(label), svg_at(x, points[i].x), svg_at(y, points[i].y));
    fputc('\n', out);
}

static bool is_first_of_target(const json_t *rows, size_t at)
{
    const char *label = report_string(json_array_get(rows, at), "target");

    for (size_t i = 0; i < at; i++) {
        if (strcmp(report_string(json_array_get(rows, i), "target"), label) == 0)
            return false;
    }
    return true;
}

/* There are no halves of threads. */
static const char *whole(double number, char out[32])
{
    return number == floor(number) ? svg_plain(number, out) : "";
}

void chart_threads(FILE *out, const json_t *rows)
{
    size_t count = json_array_size(rows);
    double most_threads = 1;
    double most_ops = 0;
    struct point points[64];
    struct svg_axis x, y;

    for (size_t i = 0; i < count; i++) {
        most_threads = fmax(most_threads, report_number(json_array_get(rows, i), "threads"));
        if (strcmp(report_string(json_array_get(rows, i), "target"), "raw:null") != 0)
            most_ops = fmax(most_ops, report_number(json_array_get(rows, i), "ops_per_s"));
    }
    x = svg_axis(0, most_threads, false, LINES_LEFT, SVG_WIDTH - 14);
    y = svg_axis(0, most_ops, false, LINES_BOTTOM, LINES_TOP);
    svg_begin(out, LINES_BOTTOM + 34, "operations a second against threads");
    svg_x_axis(out, &x, LINES_TOP, LINES_BOTTOM, whole, "threads");
    svg_y_axis(out, &y, LINES_LEFT, SVG_WIDTH - 6, svg_count, "operations a second");
    for (size_t i = 0; i < count; i++) {
        const char *label = report_string(json_array_get(rows, i), "target");
        size_t n = 0;

        if (!is_first_of_target(rows, i) || strcmp(label, "raw:null") == 0)
            continue;
        for (size_t j = i; j < count && n < 64; j++) {
            const json_t *row = json_array_get(rows, j);

            if (strcmp(report_string(row, "target"), label) == 0)
                points[n++] = (struct point){ report_number(row, "threads"),
                                              report_number(row, "ops_per_s") };
        }
        draw_points(out, label, points, n, &x, &y);
    }
    svg_end(out);
}

/* The points of a member that is a list of pairs. */
static size_t points_of(const json_t *row, const char *member, struct point *out, size_t room)
{
    const json_t *pairs = json_object_get(row, member);
    size_t count = json_array_size(pairs);

    if (count > room || strcmp(report_string(row, "target"), "raw:null") == 0)
        count = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(pairs, i);

        out[i] = (struct point){ json_number_value(json_array_get(pair, 0)),
                                 json_number_value(json_array_get(pair, 1)) };
    }
    return count;
}

struct curve_texts {
    const char *member;
    const char *description;
    const char *x_title;
    const char *y_title;
    svg_label_fn y_label;
    bool is_log;
};

static void curves(FILE *out, const json_t *rows, const struct curve_texts *texts)
{
    struct point points[256];
    double low = INFINITY;
    double high = 0;
    double most = 0;
    struct svg_axis x, y;
    const json_t *row;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        size_t n = points_of(row, texts->member, points, 256);

        for (size_t j = 0; j < n; j++) {
            low = fmin(low, points[j].y);
            high = fmax(high, points[j].y);
            most = fmax(most, points[j].x);
        }
    }
    if (high <= 0)
        return;
    x = svg_axis(0, most, false, LINES_LEFT, SVG_WIDTH - 14);
    y = svg_axis(texts->is_log ? low : 0, high, texts->is_log, LINES_BOTTOM, LINES_TOP);
    svg_begin(out, LINES_BOTTOM + 34, texts->description);
    svg_x_axis(out, &x, LINES_TOP, LINES_BOTTOM, svg_count, texts->x_title);
    svg_y_axis(out, &y, LINES_LEFT, SVG_WIDTH - 6, texts->y_label, texts->y_title);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
        draw_points(out, report_string(row, "target"), points,
                    points_of(row, texts->member, points, 256), &x, &y);
    svg_end(out);
}

void chart_curve(FILE *out, const json_t *rows)
{
    static const struct curve_texts texts = { "curve",
                                              "time of an insert while the store grows",
                                              "keys in the store",
                                              "time of one insert",
                                              svg_time,
                                              true };

    curves(out, rows, &texts);
}

void chart_sizes(FILE *out, const json_t *rows)
{
    static const struct curve_texts texts = { "sizes",
                                              "bytes of the files after each round",
                                              "rounds, an entry lives for four",
                                              "bytes of all files",
                                              svg_bytes,
                                              false };

    curves(out, rows, &texts);
}
