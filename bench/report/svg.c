/* SPDX-License-Identifier: MIT */
/* Axes, ticks and escaped text of the pictures. */
#include "report/svg.h"

#include <math.h>

void svg_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

static const char *with_unit(double value, const char *unit, char out[32])
{
    if (value < 10 && fabs(value - round(value)) > 0.001)
        snprintf(out, 32, "%.1f%s", value, unit);
    else
        snprintf(out, 32, "%.0f%s", value, unit);
    return out;
}

const char *svg_time(double ns, char out[32])
{
    if (ns < 1e3)
        return with_unit(ns, " ns", out);
    if (ns < 1e6)
        return with_unit(ns / 1e3, " \302\265s", out);
    if (ns < 1e9)
        return with_unit(ns / 1e6, " ms", out);
    return with_unit(ns / 1e9, " s", out);
}

const char *svg_count(double count, char out[32])
{
    if (count < 1e3)
        return with_unit(count, "", out);
    if (count < 1e6)
        return with_unit(count / 1e3, "k", out);
    return with_unit(count / 1e6, "M", out);
}

const char *svg_bytes(double bytes, char out[32])
{
    if (bytes < 1e6)
        return with_unit(bytes / 1e3, " kB", out);
    return with_unit(bytes / 1e6, " MB", out);
}

const char *svg_plain(double number, char out[32])
{
    snprintf(out, 32, "%.3g", number);
    return out;
}

double svg_at(const struct svg_axis *axis, double value)
{
    double low = axis->is_log ? log10(axis->low) : axis->low;
    double high = axis->is_log ? log10(axis->high) : axis->high;
    double at = axis->is_log ? log10(value > axis->low ? value : axis->low) : value;

    if (at > high)
        at = high;
    return axis->from + (at - low) / (high - low) * (axis->to - axis->from);
}

/* 1, 2 or 5 times a power of ten: about `count` steps over the span. */
static double round_step(double span, int count)
{
    double power = pow(10, floor(log10(span / count)));
    double times = span / count / power;

    return power * (times < 1.5 ? 1 : times < 3.5 ? 2 : times < 7.5 ? 5 : 10);
}

struct svg_axis svg_axis(double low, double high, bool is_log, double from, double to)
{
    struct svg_axis axis = { low, high, is_log, from, to };

    if (is_log) {
        if (axis.low <= 0)
            axis.low = 0.1;
        if (axis.high < axis.low * 2)
            axis.high = axis.low * 2;
        axis.low *= 0.8;
        axis.high *= 1.25;
    } else {
        double step;

        if (axis.high <= axis.low)
            axis.high = axis.low + 1;
        step = round_step(axis.high - axis.low, 4);
        axis.high = ceil(axis.high / step - 1e-9) * step;
        axis.low = floor(axis.low / step + 1e-9) * step;
    }
    return axis;
}

/* Decades, with 2 and 5 where there are few of them; thinned out where there are many. */
static size_t log_ticks(const struct svg_axis *axis, double *out, size_t room)
{
    static const double all[] = { 1, 2, 5 };
    double decades = log10(axis->high / axis->low);
    double pixels = fabs(axis->to - axis->from);
    size_t parts = decades * 130 < pixels ? 3 : 1;
    int stride = decades * 18 > pixels ? 3 : decades * 36 > pixels ? 2 : 1;
    size_t count = 0;

    for (int power = (int)floor(log10(axis->low)); power < 15; power += stride) {
        for (size_t i = 0; i < parts && count < room; i++) {
            double tick = all[i] * pow(10, power);

            if (tick > axis->high)
                return count;
            if (tick >= axis->low)
                out[count++] = tick;
        }
    }
    return count;
}

static size_t linear_ticks(const struct svg_axis *axis, double *out, size_t room)
{
    double step = round_step(axis->high - axis->low, 4);
    size_t count = 0;

    for (double tick = axis->low; tick <= axis->high + step / 1000 && count < room; tick += step)
        out[count++] = tick;
    return count;
}

static size_t ticks(const struct svg_axis *axis, double *out, size_t room)
{
    return axis->is_log ? log_ticks(axis, out, room) : linear_ticks(axis, out, room);
}

void svg_x_axis(FILE *out, const struct svg_axis *axis, double top, double bottom,
                svg_label_fn label, const char *title)
{
    double at[24];
    size_t count = ticks(axis, at, 24);
    char text[32];

    for (size_t i = 0; i < count; i++) {
        double x = svg_at(axis, at[i]);

        fprintf(out, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>", x, top, bottom);
        fprintf(out, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", x,
                bottom + 14);
        svg_text(out, label(at[i], text));
        fputs("</text>", out);
    }
    fprintf(out, "<text class=\"title\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", axis->to,
            bottom + 30);
    svg_text(out, title);
    fputs("</text>\n", out);
}

void svg_y_axis(FILE *out, const struct svg_axis *axis, double left, double right,
                svg_label_fn label, const char *title)
{
    double at[24];
    size_t count = ticks(axis, at, 24);
    char text[32];

    for (size_t i = 0; i < count; i++) {
        double y = svg_at(axis, at[i]);

        fprintf(out, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>", left, y, right);
        fprintf(out, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", left - 6,
                y + 3.5);
        svg_text(out, label(at[i], text));
        fputs("</text>", out);
    }
    fprintf(out, "<text class=\"title\" x=\"0\" y=\"%.1f\">", axis->to - 10);
    svg_text(out, title);
    fputs("</text>\n", out);
}

void svg_begin(FILE *out, double height, const char *description)
{
    fprintf(out, "<svg viewBox=\"0 0 %d %.0f\" role=\"img\" aria-label=\"", SVG_WIDTH, height);
    svg_text(out, description);
    fputs("\">\n", out);
}

void svg_end(FILE *out)
{
    fputs("</svg>\n", out);
}
