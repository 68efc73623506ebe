/* SPDX-License-Identifier: MIT */
/* Pictures of codecs, ratio against time with the Pareto front, and of cache policies. */
#include "report/svg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TOP    24.0
#define BOTTOM 250.0
#define LEFT   40.0
#define RIGHT  (SVG_WIDTH - 10.0)

struct dot {
    double x; /* pixels */
    double y;
    const json_t *row;
    bool is_front;
};

struct box {
    double left, top, right, bottom;
};

static bool overlap(const struct box *a, const struct box *b)
{
    return a->left < b->right && b->left < a->right && a->top < b->bottom && b->top < a->bottom;
}

static void full_name(const json_t *row, char *out, size_t size)
{
    const char *cipher = report_string(row, "cipher");
    bool is_sealed = *cipher && strcmp(cipher, "none") != 0;

    snprintf(out, size, "%s%s%s", report_string(row, "codec"), is_sealed ? "+" : "",
             is_sealed ? cipher : "");
}

/* No point of those given has both more ratio and less time. */
static bool is_front(const json_t *rows, const json_t *row, const char *member)
{
    const json_t *other;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)rows, i, other)
    {
        bool is_smaller = report_number(other, "ratio") > report_number(row, "ratio");
        bool is_faster = report_number(other, member) < report_number(row, member);

        if ((is_smaller && report_number(other, member) <= report_number(row, member)) ||
            (is_faster && report_number(other, "ratio") >= report_number(row, "ratio")))
            return false;
    }
    return true;
}

static int by_pixel(const void *a, const void *b)
{
    const struct dot *p = a;
    const struct dot *q = b;

    return (p->x > q->x) - (p->x < q->x);
}

static void draw_front(FILE *out, const struct dot *dots, size_t count)
{
    bool is_first = true;

    fputs("<path class=\"front\" d=\"", out);
    for (size_t i = 0; i < count; i++) {
        if (!dots[i].is_front)
            continue;
        fprintf(out, is_first ? "M%.1f %.1f" : "H%.1fV%.1f", dots[i].x, dots[i].y);
        is_first = false;
    }
    fputs("\"/>\n", out);
}

static void draw_dot(FILE *out, const struct dot *dot, const char *member)
{
    char name[96];
    char text[32];
    char family[32];

    full_name(dot->row, name, sizeof name);
    snprintf(family, sizeof family, "%.*s", (int)strcspn(name, ":+"), name);
    fprintf(out, "<circle class=\"dot c%d %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\"><title>",
            series_colour(family), dot->is_front ? "own" : "faint", dot->x, dot->y,
            dot->is_front ? "5" : "3.5");
    svg_text(out, name);
    fprintf(out, ": %.2fx, %s</title></circle>\n", report_number(dot->row, "ratio"),
            report_time_text(report_number(dot->row, member), text));
}

/* A label goes where it covers neither a dot nor an earlier label, or nowhere. */
static void draw_label(FILE *out, const struct dot *dot, struct box *taken, size_t *n_taken)
{
    char name[96];
    double width;

    full_name(dot->row, name, sizeof name);
    width = 5.9 * (double)strlen(name);
    for (int place = 0; place < 8; place++) {
        static const double dx[] = { 0, -8, -8, 8, 8, 0, 8, -8 };
        static const double dy[] = { -9, -7, 4, -7, 15, 17, 4, 15 };
        double x = dot->x + dx[place];
        double left = dx[place] > 0 ? x : dx[place] < 0 ? x - width : x - width / 2;
        struct box box = { left, dot->y + dy[place] - 9, left + width, dot->y + dy[place] + 2 };
        bool is_free = box.left > LEFT - 6 && box.right < SVG_WIDTH && box.top > 14;

        for (size_t i = 0; i < *n_taken && is_free; i++)
            is_free = !overlap(&box, &taken[i]);
        if (!is_free)
            continue;
        taken[(*n_taken)++] = box;
        fprintf(out, "<text class=\"point\" x=\"%.1f\" y=\"%.1f\">", left, dot->y + dy[place]);
        svg_text(out, name);
        fputs("</text>\n", out);
        return;
    }
}

static void draw_all(FILE *out, struct dot *dots, size_t count, const char *member)
{
    struct box *taken = calloc(2 * count + 1, sizeof *taken);
    size_t n_taken = 0;

    qsort(dots, count, sizeof *dots, by_pixel);
    draw_front(out, dots, count);
    for (size_t i = 0; i < count && taken; i++)
        taken[n_taken++] =
            (struct box){ dots[i].x - 4, dots[i].y - 4, dots[i].x + 4, dots[i].y + 4 };
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < count; i++) {
            if (dots[i].is_front == (pass == 1))
                draw_dot(out, &dots[i], member);
        }
    }
    for (int pass = 0; pass < 2 && taken; pass++) {
        for (size_t i = 0; i < count; i++) {
            if (dots[i].is_front == (pass == 0) && (pass == 0 || count <= 12))
                draw_label(out, &dots[i], taken, &n_taken);
        }
    }
    free(taken);
}

void chart_codecs(FILE *out, const json_t *rows, const char *member, const char *title)
{
    size_t count = json_array_size(rows);
    struct dot *dots = calloc(count + 1, sizeof *dots);
    double low = INFINITY, high = 0, most = 1, least = 1;
    struct svg_axis x, y;

    for (size_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(rows, i);

        low = fmin(low, fmax(report_number(row, member), 1));
        high = fmax(high, report_number(row, member));
        most = fmax(most, report_number(row, "ratio"));
        least = fmin(least, report_number(row, "ratio"));
    }
    if (!dots || count == 0) {
        free(dots);
        return;
    }
    x = svg_axis(low, high, true, LEFT, RIGHT);
    y = svg_axis(least, most * 1.08, false, BOTTOM, TOP);
    svg_begin(out, BOTTOM + 34, title);
    svg_x_axis(out, &x, TOP, BOTTOM, svg_time, title);
    svg_y_axis(out, &y, LEFT, RIGHT, svg_plain, "times smaller");
    for (size_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(rows, i);

        dots[i] = (struct dot){ svg_at(&x, report_number(row, member)),
                                svg_at(&y, report_number(row, "ratio")), row,
                                is_front(rows, row, member) };
    }
    draw_all(out, dots, count, member);
    svg_end(out);
    free(dots);
}

/* ---- Cache policies: hit ratio against capacity, one line a policy ---- */

static const char *percent(double share, char out[32])
{
    snprintf(out, 32, "%.0f %%", 100 * share);
    return out;
}

static bool is_first_of_policy(const json_t *rows, size_t at)
{
    const char *policy = report_string(json_array_get(rows, at), "policy");

    for (size_t i = 0; i < at; i++) {
        if (strcmp(report_string(json_array_get(rows, i), "policy"), policy) == 0)
            return false;
    }
    return true;
}

static void policy_line(FILE *out, const json_t *rows, const char *policy, const struct svg_axis *x,
                        const struct svg_axis *y)
{
    int colour = series_colour(policy);
    double last_x = 0, last_y = 0;
    char command = 'M';
    const json_t *row;
    size_t i;

    fprintf(out, "<path class=\"line c%d own\" d=\"", colour);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        if (strcmp(report_string(row, "policy"), policy) != 0)
            continue;
        last_x = svg_at(x, report_number(row, "capacity"));
        last_y = svg_at(y, report_number(row, "hit_ratio"));
        fprintf(out, "%c%.1f %.1f", command, last_x, last_y);
        command = 'L';
    }
    fputs("\"><title>", out);
    svg_text(out, policy);
    fprintf(out,
            "</title></path><circle class=\"dot c%d own\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>\n",
            colour, last_x, last_y);
}

void chart_policies(FILE *out, const json_t *rows)
{
    double least = INFINITY, most = 0, low = 1, high = 0;
    struct svg_axis x, y;
    const json_t *row;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        least = fmin(least, report_number(row, "capacity"));
        most = fmax(most, report_number(row, "capacity"));
        low = fmin(low, report_number(row, "hit_ratio"));
        high = fmax(high, report_number(row, "hit_ratio"));
    }
    x = svg_axis(least, most, true, LEFT, RIGHT);
    y = svg_axis(low, high, false, BOTTOM - 40, TOP);
    svg_begin(out, BOTTOM - 6, "hit ratio against capacity by policy");
    svg_x_axis(out, &x, TOP, BOTTOM - 40, svg_count, "entries in the cache");
    svg_y_axis(out, &y, LEFT, RIGHT, percent, "hits");
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        if (is_first_of_policy(rows, i))
            policy_line(out, rows, report_string(row, "policy"), &x, &y);
    }
    svg_end(out);
    fputs("<ul class=\"legend\">", out);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        if (!is_first_of_policy(rows, i))
            continue;
        fprintf(out,
                "<li><svg viewBox=\"0 0 26 10\" aria-hidden=\"true\"><path class=\"line c%d own\" "
                "d=\"M1 5H25\"/></svg>",
                series_colour(report_string(row, "policy")));
        svg_text(out, report_string(row, "policy"));
        fputs("</li>", out);
    }
    fputs("</ul>\n", out);
}
