/* SPDX-License-Identifier: MIT */
/* The HTML report: one file, pictures inline, no scripts, nothing fetched. */
#include "report/html.h"
#include "report/style.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Head ---- */

static void fact(FILE *out, const char *text)
{
    if (*text)
        html_tag(out, "<li>", text, "</li>");
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
            html_tag(out, " ", json_string_value(word), "");
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
        html_tag(out, "<div class=\"warn\">", json_string_value(warning), "</div>\n");
    fputs("</header>\n", out);
}

/* ---- Codecs ---- */

/* Is there a row whose member is neither 0 nor "none"? */
static bool is_anywhere(const json_t *rows, const char *member)
{
    const json_t *row;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        const char *text = report_string(row, member);

        if (report_number(row, member) > 0 || (*text && strcmp(text, "none") != 0))
            return true;
    }
    return false;
}

static void cell_bytes(FILE *out, double bytes)
{
    char text[32];

    html_tag(out, "<td>", bytes > 0 ? svg_bytes(bytes, text) : "", "</td>");
}

static void codec_table(FILE *out, const json_t *rows)
{
    bool has_ciphers = is_anywhere(rows, "cipher");
    bool has_dictionaries = is_anywhere(rows, "dictionary_bytes");
    const json_t *row;
    size_t i;

    fprintf(out,
            "<div class=\"scroll\"><table><tr><th>codec</th>%s<th>ratio</th><th>encode</th>"
            "<th>decode</th><th>p99 encode</th><th>encode MB/s</th><th>decode MB/s</th>%s</tr>\n",
            has_ciphers ? "<th class=\"text\">cipher</th>" : "",
            has_dictionaries ? "<th>dictionary</th>" : "");
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        double bytes = report_number(row, "bytes_in") / report_number(row, "records");
        double encode = report_number(row, "encode_ns");
        double decode = report_number(row, "decode_ns");

        fputs(json_is_true(json_object_get(row, "pareto")) ? "<tr class=\"front\">" : "<tr>", out);
        html_tag(out, "<td>", report_string(row, "codec"), "</td>");
        if (has_ciphers)
            html_tag(out, "<td class=\"text\">", report_string(row, "cipher"), "</td>");
        fprintf(out, "<td>%.2f\303\227</td>", report_number(row, "ratio"));
        html_cell_time(out, row, "encode_ns");
        html_cell_time(out, row, "decode_ns");
        html_cell_time(out, row, "p99_encode_ns");
        fprintf(out, "<td>%.0f</td><td>%.0f</td>", encode > 0 ? bytes * 1e3 / encode : 0,
                decode > 0 ? bytes * 1e3 / decode : 0);
        if (has_dictionaries)
            cell_bytes(out, report_number(row, "dictionary_bytes"));
        fputs("</tr>\n", out);
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
    html_card_begin(out, "Writing", "a record encoded");
    chart_codecs(out, rows, "encode_ns", "time to encode a record");
    html_card_end(out);
    html_card_begin(out, "Reading", "a record decoded");
    chart_codecs(out, rows, "decode_ns", "time to decode a record");
    html_card_end(out);
    fputs("</div>\n", out);
    codec_table(out, rows);
}

/* What `recommend` came to: the URI to paste, and why. */
static void recommendation(FILE *out, const json_t *document)
{
    const json_t *advice = json_object_get(document, "recommendation");
    const json_t *confirmation = json_object_get(document, "confirmation");
    char texts[2][32];

    if (!advice)
        return;
    html_tag(out, "<h2>Recommended</h2><pre>", report_string(advice, "uri"), "</pre>");
    html_tag(out, "<p>", report_string(advice, "backend"), ": ");
    html_tag(out, "", report_string(advice, "reason"), ".</p>");
    if (confirmation)
        fprintf(out,
                "<p>Confirmed with %.0f records that nothing was chosen by: put in %s, read in %s "
                "each, %.2f\303\227 smaller with keys and headers, all the same.</p>\n",
                report_number(confirmation, "records"),
                svg_time(report_number(confirmation, "put_ns"), texts[0]),
                svg_time(report_number(confirmation, "get_ns"), texts[1]),
                report_number(confirmation, "logical_bytes") /
                    report_number(confirmation, "stored_bytes"));
}

/* ---- Policies, notes ---- */

static void policies(FILE *out, const json_t *rows)
{
    json_t *traces = html_different(rows, "trace");
    const json_t *trace;
    size_t i;

    if (json_array_size(rows) > 0)
        fputs("<h2>Cache policies</h2><div class=\"grid-of two\">\n", out);
    json_array_foreach(traces, i, trace)
    {
        json_t *some = html_rows_where(rows, "trace", json_string_value(trace));

        html_card_begin(out, json_string_value(trace), "share of reads that a cache answers");
        chart_policies(out, some);
        html_card_end(out);
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
        html_tag(out, "<tr><td>", report_string(entry, "workload"), "</td>");
        html_tag(out, "<td class=\"text\">", report_string(entry, "target"), "</td>");
        html_tag(out, "<td class=\"text\">", report_string(entry, "reason"), "</td></tr>\n");
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
        html_tag(out, "<li>", name, ": ");
        html_tag(out, "", json_string_value(version), "</li>");
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

static bool is_operation(const json_t *row)
{
    return json_object_get(row, "samples_ns") && *report_string(row, "workload");
}

static int body(FILE *out, const json_t *document)
{
    const json_t *rows = json_object_get(document, "rows");
    json_t *of_kind[3] = { html_rows_where(rows, "kind", "codec"),
                           html_rows_where(rows, "kind", "goal"),
                           html_rows_where(rows, "kind", "policy") };
    json_t *rest = json_array();
    const json_t *row;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        if (is_operation(row) && strcmp(report_string(row, "target"), "raw:null") != 0)
            json_array_append(rest, (json_t *)(uintptr_t)row);
    }
    head(out, document);
    recommendation(out, document);
    html_goals(out, of_kind[1]);
    codecs(out, of_kind[0]);
    policies(out, of_kind[2]);
    html_operations(out, rest);
    html_overhead(out, document);
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
