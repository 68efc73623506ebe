/* SPDX-License-Identifier: MIT */
/* Drawing for the HTML report: axes, escaped text, series colours, charts. */
#ifndef BENCH_SVG_H
#define BENCH_SVG_H

#include "report/report.h"

/* Every picture is as wide as a phone; wide screens set several side by side. */
#define SVG_WIDTH 360

/** From values to pixels. */
struct svg_axis {
    double low;
    double high;
    bool is_log;
    double from; /**< pixels of low and high; from > to for an axis that points up */
    double to;
};

/* svg.c */
void svg_text(FILE *out, const char *text); /**< escaped, for HTML and SVG alike */
double svg_at(const struct svg_axis *axis, double value);
/** An axis that holds the values from `low` to `high` with round ends. */
struct svg_axis svg_axis(double low, double high, bool is_log, double from, double to);
typedef const char *(*svg_label_fn)(double value, char out[32]);
void svg_x_axis(FILE *out, const struct svg_axis *axis, double top, double bottom,
                svg_label_fn label, const char *title);
void svg_y_axis(FILE *out, const struct svg_axis *axis, double left, double right,
                svg_label_fn label, const char *title);
void svg_begin(FILE *out, double height, const char *description);
void svg_end(FILE *out);
const char *svg_time(double ns, char out[32]);     /**< shortest: "10 us" */
const char *svg_count(double count, char out[32]); /**< shortest: "10k" */
const char *svg_bytes(double bytes, char out[32]);
const char *svg_plain(double number, char out[32]);

/* series.c: one colour for each engine, one style for each family, throughout a report. */
#define SERIES_COLOURS 10

void series_reset(void);
/** Number of the colour of a target, "raw:sqlite" and "pdict:sqlite" alike. */
int series_colour(const char *label);
/** "own", "raw" or "peer". */
const char *series_style(const char *label);
void series_legend(FILE *out, const json_t *rows);

/* chart_targets.c: pictures of rows that share a workload; `rows` is a list of them. */
void chart_medians(FILE *out, const json_t *rows);
void chart_latency(FILE *out, const json_t *rows);
void chart_threads(FILE *out, const json_t *rows);
void chart_curve(FILE *out, const json_t *rows);
void chart_sizes(FILE *out, const json_t *rows);

/* chart_codecs.c */
void chart_codecs(FILE *out, const json_t *rows, const char *member, const char *title);
void chart_policies(FILE *out, const json_t *rows);

#endif
