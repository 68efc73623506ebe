/* SPDX-License-Identifier: MIT */
/* The HTML report: one file, pictures inline, no scripts, nothing fetched. */
#include "report/style.h"
#include "report/svg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void tag(FILE *out, const char *open, const char *text, const char *close)
{
    fputs(open, out);
    svg_text(out, text);
    fputs(close, out);
}

/* ---- Rows that belong together; lists are owned by the caller ---- */

static bool is_operation(const json_t *row)
{
    return json_object_get(row, "samples_ns") && *report_string(row, "workload");
}

static json_t *rows_where(const json_t *rows, const char *member, const char *text)
{
    json_t *list = json_array();
    const json_t *row;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        if (strcmp(report_string(row, member), text) == 0)
            json_array_append(list, (json_t *)(uintptr_t)row);
    }
    return list;
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

/* The different texts or numbers of a member, in the order of their first coming. */
static json_t *different(const json_t *rows, const char *member)
{
    json_t *list = json_array();
    const json_t *row;
    size_t i, j;

    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        json_t *value = json_object_get(row, member);
        json_t *known;

        json_array_foreach(list, j, known)
        {
            if (json_equal(known, value))
                break;
        }
        if (value && j == json_array_size(list))
            json_array_append(list, value);
    }
    return list;
}

/* ---- Head ---- */

static void fact(FILE *out, const char *text)
{
    if (*text)
        tag(out, "<li>", text, "</li>");
}

static void facts(FILE *out, const json_t *document)
{
    const json_t *context = json_object_get(document, "context");
    char text[256];
    char number[32];

    fputs("<ul class=\"facts\">", out);
    snprintf(text, sizeof text, "%.0f \303\227 %s%s", report_number(context, "cores"),
             report_string(context, "cpu"),
             json_is_true(json_object_get(context, "virtual")) ? " (virtual)" : "");
    fact(out, text);
    fact(out, report_string(context, "kernel"));
    snprintf(text, sizeof text, "%s, a sync takes %s", report_string(context, "file_system"),
             svg_time(report_number(context, "sync_ns"), number));
    fact(out, text);
    fact(out, report_string(context, "build"));
    snprintf(text, sizeof text, "load %.1f", report_number(context, "load"));
    fact(out, text);
    snprintf(text, sizeof text, "seed %.0f", report_number(context, "seed"));
    fact(out, text);
    fact(out, report_string(context, "time"));
    fputs("</ul>\n", out);
}

static void command(FILE *out, const json_t *document)
{
    const json_t *word;
    size_t i;

    fputs("<p><code>pdict-bench", out);
    json_array_foreach(json_object_get(document, "command"), i, word)
    {
        if (i > 0)
            tag(out, " ", json_string_value(word), "");
    }
    fputs("</code></p>\n", out);
}

static void head(FILE *out, const json_t *document)
{
    const json_t *warning;
    size_t i;

    fputs("<header><h1>pdict-bench <b>", out);
    svg_text(out, report_string(document, "verb"));
    fputs("</b></h1>\n", out);
    command(out, document);
    facts(out, document);
    json_array_foreach(json_object_get(document, "warnings"), i, warning)
        tag(out, "<div class=\"warn\">", json_string_value(warning), "</div>\n");
    fputs("</header>\n", out);
}

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
        tag(out, "<th>", json_string_value(target), "</th>");
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
        tag(out, "<tr><td>", title, "</td>");
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

/* ---- Workloads ---- */

static void card_begin(FILE *out, const char *title, const char *note)
{
    fputs("<section class=\"card\">", out);
    tag(out, "<h3>", title, "</h3>");
    tag(out, "<p>", note, "</p>\n");
}

static void card_end(FILE *out)
{
    fputs("</section>\n", out);
}

typedef void (*chart_fn)(FILE *out, const json_t *rows);

/* A card for every workload at every number of threads. */
static void cards_of_workloads(FILE *out, const json_t *rows, chart_fn chart, const char *member)
{
    json_t *workloads = different(rows, "workload");
    const json_t *workload, *threads;
    size_t i, j;

    fputs("<div class=\"grid-of\">\n", out);
    json_array_foreach(workloads, i, workload)
    {
        json_t *some = rows_where(rows, "workload", json_string_value(workload));
        json_t *counts = different(some, "threads");

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
                card_begin(out, title, note);
                chart(out, same);
                card_end(out);
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
    json_t *workloads = different(rows, "workload");
    const json_t *workload;
    bool is_any = false;
    size_t i;

    json_array_foreach(workloads, i, workload)
    {
        json_t *some = rows_where(rows, "workload", json_string_value(workload));
        json_t *counts = different(some, "threads");

        if (json_array_size(counts) > 1) {
            if (!is_any)
                fputs("<h2>Throughput against threads</h2><div class=\"grid-of\">\n", out);
            is_any = true;
            card_begin(out, json_string_value(workload), "all threads together");
            chart_threads(out, some);
            card_end(out);
        }
        json_decref(counts);
        json_decref(some);
    }
    if (is_any)
        fputs("</div>\n", out);
    json_decref(workloads);
}

static void cell_time(FILE *out, const json_t *row, const char *member)
{
    char text[32];

    if (json_object_get(row, member))
        tag(out, "<td>", svg_time(report_number(row, member), text), "</td>");
    else
        fputs("<td>\342\200\223</td>", out);
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
        tag(out, "<tr><td>", title, "</td>");
        tag(out, "<td class=\"text\">", report_string(row, "target"), "</td>");
        cell_time(out, row, "median_ns");
        tag(out, "<td>", report_count_text(report_number(row, "ops_per_s"), text), "</td>");
        cell_time(out, row, "p50_ns");
        cell_time(out, row, "p99_ns");
        cell_time(out, row, "p999_ns");
        cell_time(out, row, "max_ns");
        cell_time(out, row, "cpu_ns");
        fprintf(out, "<td>%.1f MiB</td>", report_number(row, "file_bytes") / 1048576);
        tag(out, "<td>", report_string(row, "durability"), "</td></tr>\n");
    }
    fputs("</table></div></details>\n", out);
}

/* What the harness adds to every figure, measured on a target that does nothing. */
static void overhead(FILE *out, const json_t *document)
{
    json_t *nothing = rows_where(json_object_get(document, "rows"), "target", "raw:null");
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

static void operations(FILE *out, const json_t *rows)
{
    json_t *loads;

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
    loads = rows_where(rows, "workload", "load");
    if (json_array_size(loads) > 0) {
        fputs("<h2>Growth</h2>", out);
        cards_of_workloads(out, loads, chart_curve, "curve");
    }
    json_decref(loads);
    fputs("<h2>Latency</h2><p>How many of the operations took no longer. The upper half of each "
          "picture is the slowest percent. Dashed: the engine alone. Dotted: peers.</p>\n",
          out);
    series_legend(out, rows);
    cards_of_workloads(out, rows, chart_latency, "latency");
    operation_table(out, rows);
}

/* ---- Codecs ---- */

static void codec_table(FILE *out, const json_t *rows)
{
    const json_t *row;
    size_t i;

    fputs("<div class=\"scroll\"><table><tr><th>codec</th><th class=\"text\">cipher</th><th>ratio"
          "</th><th>encode</th><th>decode</th><th>p99 encode</th><th>encode MB/s</th>"
          "<th>decode MB/s</th></tr>\n",
          out);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        double bytes = report_number(row, "bytes_in") / report_number(row, "records");
        double encode = report_number(row, "encode_ns");
        double decode = report_number(row, "decode_ns");

        fputs(json_is_true(json_object_get(row, "pareto")) ? "<tr class=\"front\">" : "<tr>", out);
        tag(out, "<td>", report_string(row, "codec"), "</td>");
        tag(out, "<td class=\"text\">", report_string(row, "cipher"), "</td>");
        fprintf(out, "<td>%.2f\303\227</td>", report_number(row, "ratio"));
        cell_time(out, row, "encode_ns");
        cell_time(out, row, "decode_ns");
        cell_time(out, row, "p99_encode_ns");
        fprintf(out, "<td>%.0f</td><td>%.0f</td></tr>\n", encode > 0 ? bytes * 1e3 / encode : 0,
                decode > 0 ? bytes * 1e3 / decode : 0);
    }
    fputs("</table></div>\n", out);
}

static void codecs(FILE *out, const json_t *rows)
{
    if (json_array_size(rows) == 0)
        return;
    fputs("<h2>Codecs</h2><p>Each dot is a codec at a level, measured on records it has not been "
          "trained on: the higher, the smaller the values; the further left, the faster. On the "
          "line nothing is both smaller and faster.</p><div class=\"grid-of two\">\n",
          out);
    card_begin(out, "Writing", "a record encoded");
    chart_codecs(out, rows, "encode_ns", "time to encode a record");
    card_end(out);
    card_begin(out, "Reading", "a record decoded");
    chart_codecs(out, rows, "decode_ns", "time to decode a record");
    card_end(out);
    fputs("</div>\n", out);
    codec_table(out, rows);
}

/* ---- Goals, policies, notes ---- */

static void goals(FILE *out, const json_t *rows)
{
    const json_t *row;
    size_t i;

    if (json_array_size(rows) == 0)
        return;
    fputs("<h2>Goals</h2><p>Ratios within this run; the contestants take turns.</p>"
          "<div class=\"scroll\"><table><tr><th>goal</th><th class=\"text\">what</th><th>bound</th>"
          "<th>measured</th><th>95 %</th><th></th></tr>\n",
          out);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        const json_t *range = json_object_get(row, "ci95");
        bool is_met = json_is_true(json_object_get(row, "met"));

        tag(out, "<tr><td>", report_string(row, "goal"), "</td>");
        tag(out, "<td class=\"text\">", report_string(row, "title"), "</td>");
        tag(out, "<td>", report_string(row, "relation"), " ");
        fprintf(
            out,
            "%.2f</td><td>%.2f</td><td>%.2f\342\200\223%.2f</td><td class=\"%s\">%s</td></tr>\n",
            report_number(row, "bound"), report_number(row, "measured"),
            json_number_value(json_array_get(range, 0)),
            json_number_value(json_array_get(range, 1)), is_met ? "met" : "missed",
            is_met ? "met" : "not met");
    }
    fputs("</table></div>\n", out);
}

static void policies(FILE *out, const json_t *rows)
{
    json_t *traces = different(rows, "trace");
    const json_t *trace;
    size_t i;

    if (json_array_size(rows) > 0)
        fputs("<h2>Cache policies</h2><div class=\"grid-of two\">\n", out);
    json_array_foreach(traces, i, trace)
    {
        json_t *some = rows_where(rows, "trace", json_string_value(trace));

        card_begin(out, json_string_value(trace), "share of reads that a cache answers");
        chart_policies(out, some);
        card_end(out);
        json_decref(some);
    }
    if (json_array_size(rows) > 0)
        fputs("</div>\n", out);
    json_decref(traces);
}

static void skipped(FILE *out, const json_t *document)
{
    const json_t *list = json_object_get(document, "skipped");
    const json_t *entry;
    size_t i;

    if (json_array_size(list) == 0)
        return;
    fputs("<details><summary>Not measured</summary><div class=\"scroll\"><table><tr><th>workload"
          "</th><th class=\"text\">target</th><th class=\"text\">why</th></tr>\n",
          out);
    json_array_foreach((json_t *)(uintptr_t)list, i, entry)
    {
        tag(out, "<tr><td>", report_string(entry, "workload"), "</td>");
        tag(out, "<td class=\"text\">", report_string(entry, "target"), "</td>");
        tag(out, "<td class=\"text\">", report_string(entry, "reason"), "</td></tr>\n");
    }
    fputs("</table></div></details>\n", out);
}

static void libraries(FILE *out, const json_t *document)
{
    json_t *list = json_object_get(json_object_get(document, "context"), "libraries");
    const char *name;
    json_t *version;

    fputs("<details><summary>Libraries</summary><ul class=\"facts\">", out);
    json_object_foreach(list, name, version)
    {
        tag(out, "<li>", name, ": ");
        tag(out, "", json_string_value(version), "</li>");
    }
    fputs("</ul></details>\n", out);
}

/* Inside a script element only "</" could end it early; JSON may write it "<\/". */
static int embed(FILE *out, const json_t *document)
{
    char *text = json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(15));

    if (!text)
        return pdict_fail(PDICT_NOMEM, "--html: out of memory");
    fputs("<script type=\"application/json\">", out);
    for (const char *at = text; *at; at++) {
        fputc(*at, out);
        if (at[0] == '<' && at[1] == '/')
            fputc('\\', out);
    }
    fputs("</script>\n", out);
    free(text);
    return PDICT_OK;
}

static int body(FILE *out, const json_t *document)
{
    const json_t *rows = json_object_get(document, "rows");
    json_t *of_kind[3] = { rows_where(rows, "kind", "codec"), rows_where(rows, "kind", "goal"),
                           rows_where(rows, "kind", "policy") };
    json_t *rest = json_array();
    const json_t *row;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        if (is_operation(row) && strcmp(report_string(row, "target"), "raw:null") != 0)
            json_array_append(rest, (json_t *)(uintptr_t)row);
    }
    head(out, document);
    goals(out, of_kind[1]);
    codecs(out, of_kind[0]);
    policies(out, of_kind[2]);
    operations(out, rest);
    overhead(out, document);
    skipped(out, document);
    libraries(out, document);
    for (i = 0; i < 3; i++)
        json_decref(of_kind[i]);
    json_decref(rest);
    return embed(out, document);
}

int report_html(FILE *out, json_t *const *documents, size_t count)
{
    int status = PDICT_OK;

    series_reset();
    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
          "<title>pdict-bench ",
          out);
    svg_text(out, report_string(documents[0], "verb"));
    fputs("</title><style>", out);
    for (size_t i = 0; i < sizeof report_style / sizeof *report_style; i++)
        fputs(report_style[i], out);
    fputs("</style></head><body><main>\n", out);
    for (size_t i = 0; i < count && status == PDICT_OK; i++)
        status = body(out, documents[i]);
    fputs("<footer>Made by pdict-bench. The figures are in this file as JSON.</footer>"
          "</main></body></html>\n",
          out);
    return status;
}

int bench_report(struct invocation *in)
{
    const char *path = bench_text(in, OPT_OUTPUT, "report.html");
    json_t **documents = calloc((size_t)in->n_args, sizeof(json_t *));
    FILE *out = NULL;
    int status = documents ? PDICT_OK : pdict_fail(PDICT_NOMEM, "report: out of memory");

    for (int i = 0; i < in->n_args && status == PDICT_OK; i++)
        status = report_load(in->args[i], &documents[i]);
    if (status == PDICT_OK && !(out = fopen(path, "w")))
        status = pdict_fail(PDICT_IO, "%s: %s", path, strerror(errno));
    if (status == PDICT_OK)
        status = report_html(out, documents, (size_t)in->n_args);
    if (out && fclose(out) != 0 && status == PDICT_OK)
        status = pdict_fail(PDICT_IO, "%s: %s", path, strerror(errno));
    if (status == PDICT_OK)
        printf("wrote %s\n", path);
    for (int i = 0; i < in->n_args && documents; i++)
        json_decref(documents[i]);
    free(documents);
    return status;
}
