/* SPDX-License-Identifier: MIT */
/* The sections of the HTML report on targets: ratios, medians, threads, growth, latency. */
#include "report/html.h"

#include <string.h>

/* ---- What maps cost beside their engines, in one sentence each ---- */

static size_t samples_of(const json_t *row, double *out, size_t room)
{
    const json_t *list = json_object_get(row, "samples_ns");
    size_t count = json_array_size(list) < room ? json_array_size(list) : room;

    for (size_t i = 0; i < count; i++)
        out[i] = json_number_value(json_array_get(list, i));
    return count;
}

static const json_t *raw_of(const json_t *rows, const json_t *row)
{
    const char *name = report_string(row, "target") + strlen("pdict:");
    const json_t *other;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)rows, i, other)
    {
        const char *label = report_string(other, "target");

        if (strncmp(label, "raw:", 4) == 0 && strlen(label + 4) == strcspn(name, "?") &&
            strncmp(label + 4, name, strlen(label + 4)) == 0 &&
            strcmp(report_string(other, "workload"), report_string(row, "workload")) == 0 &&
            json_equal(json_object_get(other, "threads"), json_object_get(row, "threads")))
            return other;
    }
    return NULL;
}

static const json_t *row_like(const json_t *rows, const json_t *like, const char *target)
{
    const json_t *row;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        if (strcmp(report_string(row, "target"), target) == 0 &&
            json_equal(json_object_get(row, "workload"), json_object_get(like, "workload")) &&
            json_equal(json_object_get(row, "threads"), json_object_get(like, "threads")))
            return row;
    }
    return NULL;
}

/* Time over that of the engine alone; coloured where the difference is hardly by chance. */
static void ratio_cell(FILE *out, const json_t *row, const json_t *raw)
{
    struct bench_comparison comparison;
    double before[1000];
    double after[1000];
    const char *style = "even";

    if (!row || !raw) {
        fputs("<td class=\"even\">\342\200\223</td>", out);
        return;
    }
    bench_compare(before, samples_of(raw, before, 1000), after, samples_of(row, after, 1000),
                  &comparison);
    if (comparison.p < 0.05 && (comparison.ratio < 0.97 || comparison.ratio > 1.03))
        style = comparison.ratio < 1 ? "up" : "down";
    fprintf(out,
            "<td class=\"%s\" title=\"Mann-Whitney p %.3f\"><b>%.2f\303\227</b> "
            "<small>%.2f\342\200\223%.2f"
            "</small></td>",
            style, comparison.p, comparison.ratio, comparison.low, comparison.high);
}

static void ratio_heading(FILE *out, const json_t *targets)
{
    const json_t *target;
    size_t i;

    fputs("<h2>Maps beside their engines</h2><p>Time of an operation as a multiple of what the "
          "engine alone takes for the same keys, values and order, in turns; with its 95 % "
          "interval. Below 1 is faster.</p><div class=\"scroll\"><table><tr><th>workload</th>",
          out);
    json_array_foreach((json_t *)(uintptr_t)targets, i, target)
        html_tag(out, "<th>", json_string_value(target), "</th>");
    fputs("</tr>\n", out);
}

static bool is_first_like(const json_t *rows, size_t at)
{
    const json_t *row = json_array_get(rows, at);

    for (size_t i = 0; i < at; i++) {
        const json_t *other = json_array_get(rows, i);

        if (json_equal(json_object_get(other, "workload"), json_object_get(row, "workload")) &&
            json_equal(json_object_get(other, "threads"), json_object_get(row, "threads")))
            return false;
    }
    return true;
}

static void workload_title(const json_t *row, char *out, size_t size)
{
    double threads = report_number(row, "threads");

    if (threads > 1)
        snprintf(out, size, "%s, %.0f threads", report_string(row, "workload"), threads);
    else
        snprintf(out, size, "%s", report_string(row, "workload"));
}

/* One line a workload, one column a map whose engine was measured too. */
static void ratios(FILE *out, const json_t *rows)
{
    json_t *targets = json_array();
    char title[96];
    const json_t *row, *target;
    size_t i, j;

    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        const char *label = report_string(row, "target");

        json_array_foreach(targets, j, target)
        {
            if (strcmp(json_string_value(target), label) == 0)
                break;
        }
        if (j == json_array_size(targets) && strncmp(label, "pdict:", 6) == 0 && raw_of(rows, row))
            json_array_append_new(targets, json_string(label));
    }
    if (json_array_size(targets) > 0)
        ratio_heading(out, targets);
    for (i = 0; i < json_array_size(rows) && json_array_size(targets) > 0; i++) {
        if (!is_first_like(rows, i))
            continue;
        row = json_array_get(rows, i);
        workload_title(row, title, sizeof title);
        html_tag(out, "<tr><td>", title, "</td>");
        json_array_foreach(targets, j, target)
        {
            const json_t *own = row_like(rows, row, json_string_value(target));

            ratio_cell(out, own, own ? raw_of(rows, own) : NULL);
        }
        fputs("</tr>\n", out);
    }
    if (json_array_size(targets) > 0)
        fputs("</table></div>\n", out);
    json_decref(targets);
}

static json_t *rows_with_threads(const json_t *rows, double threads)
{
    json_t *list = json_array();
    const json_t *row;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        if (report_number(row, "threads") <= threads && report_number(row, "threads") >= threads)
            json_array_append(list, (json_t *)(uintptr_t)row);
    }
    return list;
}

/* ---- Workloads ---- */

typedef void (*chart_fn)(FILE *out, const json_t *rows);

/* A card for every workload at every number of threads. */
static void cards_of_workloads(FILE *out, const json_t *rows, chart_fn chart, const char *member)
{
    json_t *workloads = html_different(rows, "workload");
    const json_t *workload, *threads;
    size_t i, j;

    fputs("<div class=\"grid-of\">\n", out);
    json_array_foreach(workloads, i, workload)
    {
        json_t *some = html_rows_where(rows, "workload", json_string_value(workload));
        json_t *counts = html_different(some, "threads");

        json_array_foreach(counts, j, threads)
        {
            json_t *same = rows_with_threads(some, json_number_value(threads));
            const json_t *first = json_array_get(same, 0);
            char title[96];
            char note[96];

            workload_title(first, title, sizeof title);
            snprintf(note, sizeof note, "%.0f keys, values of %.0f bytes",
                     report_number(first, "keys"), report_number(first, "value_size"));
            if (json_object_get(first, member)) {
                html_card_begin(out, title, note);
                chart(out, same);
                html_card_end(out);
            }
            json_decref(same);
        }
        json_decref(counts);
        json_decref(some);
    }
    json_decref(workloads);
    fputs("</div>\n", out);
}

/* Workloads that ran with several numbers of threads. */
static void scaling(FILE *out, const json_t *rows)
{
    json_t *workloads = html_different(rows, "workload");
    const json_t *workload;
    bool is_any = false;
    size_t i;

    json_array_foreach(workloads, i, workload)
    {
        json_t *some = html_rows_where(rows, "workload", json_string_value(workload));
        json_t *counts = html_different(some, "threads");

        if (json_array_size(counts) > 1) {
            if (!is_any)
                fputs("<h2>Throughput against threads</h2><div class=\"grid-of\">\n", out);
            is_any = true;
            html_card_begin(out, json_string_value(workload), "all threads together");
            chart_threads(out, some);
            html_card_end(out);
        }
        json_decref(counts);
        json_decref(some);
    }
    if (is_any)
        fputs("</div>\n", out);
    json_decref(workloads);
}

static void operation_table(FILE *out, const json_t *rows)
{
    const json_t *row;
    char text[32];
    char title[96];
    size_t i;

    fputs("<details><summary>All figures</summary><div class=\"scroll\"><table><tr><th>workload"
          "</th><th class=\"text\">target</th><th>median</th><th>op/s</th><th>p50</th><th>p99</th>"
          "<th>p99.9</th><th>largest</th><th>CPU</th><th>files</th><th>durability</th></tr>\n",
          out);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        workload_title(row, title, sizeof title);
        html_tag(out, "<tr><td>", title, "</td>");
        html_tag(out, "<td class=\"text\">", report_string(row, "target"), "</td>");
        html_cell_time(out, row, "median_ns");
        html_tag(out, "<td>", report_count_text(report_number(row, "ops_per_s"), text), "</td>");
        html_cell_time(out, row, "p50_ns");
        html_cell_time(out, row, "p99_ns");
        html_cell_time(out, row, "p999_ns");
        html_cell_time(out, row, "max_ns");
        html_cell_time(out, row, "cpu_ns");
        fprintf(out, "<td>%.1f MiB</td>", report_number(row, "file_bytes") / 1048576);
        html_tag(out, "<td>", report_string(row, "durability"), "</td></tr>\n");
    }
    fputs("</table></div></details>\n", out);
}

/* What the harness adds to every figure, measured on a target that does nothing. */
void html_overhead(FILE *out, const json_t *document)
{
    json_t *nothing = html_rows_where(json_object_get(document, "rows"), "target", "raw:null");
    double samples[64];
    char text[32];
    size_t count = 0;

    for (size_t i = 0; i < json_array_size(nothing) && count < 64; i++)
        samples[count++] = report_number(json_array_get(nothing, i), "median_ns");
    if (count > 0)
        fprintf(out, "<p>The harness itself adds %s to each (median of raw:null).</p>\n",
                svg_time(bench_median(samples, count), text));
    json_decref(nothing);
}

static void growth(FILE *out, const json_t *rows, const char *workload, const char *title,
                   chart_fn chart, const char *member)
{
    json_t *some = html_rows_where(rows, "workload", workload);

    if (json_array_size(some) > 0) {
        html_tag(out, "<h2>", title, "</h2>");
        cards_of_workloads(out, some, chart, member);
    }
    json_decref(some);
}

void html_operations(FILE *out, const json_t *rows)
{
    if (json_array_size(rows) == 0)
        return;
    ratios(out, rows);
    fputs("<h2>Time of an operation</h2><p>Median of the samples on a log axis, fastest first; the "
          "bar is its 95 % interval. Filled: maps of pdict. Hollow: the engine alone, and peers."
          "</p>\n",
          out);
    series_legend(out, rows);
    cards_of_workloads(out, rows, chart_medians, "median_ns");
    scaling(out, rows);
    growth(out, rows, "load", "Growth", chart_curve, "curve");
    growth(out, rows, "churn", "Size of the files", chart_sizes, "sizes");
    fputs("<h2>Latency</h2><p>How many of the operations took no longer. The upper half of each "
          "picture is the slowest percent. Dashed: the engine alone. Dotted: peers.</p>\n",
          out);
    series_legend(out, rows);
    cards_of_workloads(out, rows, chart_latency, "latency");
    operation_table(out, rows);
}
