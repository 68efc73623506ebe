/* SPDX-License-Identifier: MIT */
/* The document as tables on a terminal, one for each workload, the best value marked. */
#include "report/report.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

const char *report_time_text(double ns, char out[32])
{
    if (ns < 999.5)
        snprintf(out, 32, ns < 99.95 ? "%.1f ns" : "%.0f ns", ns);
    else if (ns < 999.5e3)
        snprintf(out, 32, ns < 99.95e3 ? "%.2f us" : "%.0f us", ns / 1e3);
    else if (ns < 999.5e6)
        snprintf(out, 32, ns < 99.95e6 ? "%.2f ms" : "%.0f ms", ns / 1e6);
    else
        snprintf(out, 32, "%.2f s", ns / 1e9);
    return out;
}

const char *report_count_text(double number, char out[32])
{
    char digits[32];
    size_t size = (size_t)snprintf(digits, sizeof digits, "%.0f", number);
    size_t used = 0;

    for (size_t i = 0; i < size && used < 30; i++) {
        if (i > 0 && (size - i) % 3 == 0 && digits[i - 1] != '-')
            out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = '\0';
    return out;
}

static const char *bold(FILE *out, bool is_on)
{
    if (!isatty(fileno(out)))
        return "";
    return is_on ? "\033[1m" : "\033[0m";
}

/* Rows of one heading stand together; the first of them says it. */
static void heading_of(const json_t *row, char *out, size_t size)
{
    const char *unit = strcmp(report_string(row, "kind"), "procs") == 0 ? "process" : "thread";
    bool is_many = report_number(row, "threads") > 1;

    if (*report_string(row, "workload"))
        snprintf(out, size, "%s, %.0f %s%s, %s", report_string(row, "workload"),
                 report_number(row, "threads"), unit,
                 !is_many       ? ""
                 : *unit == 'p' ? "es"
                                : "s",
                 report_string(row, "kind"));
    else
        snprintf(out, size, "%s", report_string(row, "kind"));
}

static bool is_best(const json_t *rows, const json_t *row, const char *heading)
{
    char other[160];
    const json_t *at;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)rows, i, at)
    {
        heading_of(at, other, sizeof other);
        if (strcmp(other, heading) == 0 && strcmp(report_string(at, "target"), "raw:null") != 0 &&
            report_number(at, "median_ns") < report_number(row, "median_ns"))
            return false;
    }
    return strcmp(report_string(row, "target"), "raw:null") != 0;
}

static void operation_row(FILE *out, const json_t *row, bool is_marked)
{
    const json_t *interval = json_object_get(row, "ci95_ns");
    double low = json_number_value(json_array_get(interval, 0));
    double high = json_number_value(json_array_get(interval, 1));
    double median = report_number(row, "median_ns");
    char texts[4][32];

    fprintf(
        out, "%s%-34s %10s  +-%4.1f%% %12s %10s %10s  %s%s%s\n", is_marked ? bold(out, true) : "",
        report_string(row, "target"), report_time_text(median, texts[0]),
        median > 0 ? 50 * (high - low) / median : 0,
        report_count_text(report_number(row, "ops_per_s"), texts[1]),
        json_object_get(row, "p50_ns") ? report_time_text(report_number(row, "p50_ns"), texts[2])
                                       : "-",
        json_object_get(row, "p99_ns") ? report_time_text(report_number(row, "p99_ns"), texts[3])
                                       : "-",
        report_string(row, "durability"), is_marked ? " *" : "", is_marked ? bold(out, false) : "");
}

static void operation_heading(FILE *out, const char *heading)
{
    fprintf(out, "\n%s\n%-34s %10s  %7s %12s %10s %10s  %s\n", heading, "target", "median", "95%",
            "op/s", "p50", "p99", "durability");
}

static void codec_heading(FILE *out)
{
    fprintf(out, "\n  %-30s %8s %11s %11s %10s %10s %10s\n", "codec", "ratio", "encode", "decode",
            "enc MB/s", "dec MB/s", "p99 enc");
}

static void codec_row(FILE *out, const json_t *row)
{
    bool is_front = json_is_true(json_object_get(row, "pareto"));
    double records = report_number(row, "records");
    double bytes = records > 0 ? report_number(row, "bytes_in") / records : 0;
    double encode = report_number(row, "encode_ns");
    double decode = report_number(row, "decode_ns");
    char name[96];
    char texts[3][32];

    snprintf(name, sizeof name, "%s%s%s", report_string(row, "codec"),
             strcmp(report_string(row, "cipher"), "none") ? " + " : "",
             strcmp(report_string(row, "cipher"), "none") ? report_string(row, "cipher") : "");
    fprintf(out, "%s%c %-30s %7.2fx %11s %11s %10.0f %10.0f %10s%s\n",
            is_front ? bold(out, true) : "", is_front ? '*' : ' ', name,
            report_number(row, "ratio"), report_time_text(encode, texts[0]),
            report_time_text(decode, texts[1]), encode > 0 ? bytes * 1e3 / encode : 0,
            decode > 0 ? bytes * 1e3 / decode : 0,
            report_time_text(report_number(row, "p99_encode_ns"), texts[2]),
            is_front ? bold(out, false) : "");
}

static void goal_row(FILE *out, const json_t *row)
{
    fprintf(out, "%-5s %-63s %5s %8.2f %9.3f  %s\n", report_string(row, "goal"),
            report_string(row, "title"), report_string(row, "relation"),
            report_number(row, "bound"), report_number(row, "measured"),
            json_is_true(json_object_get(row, "met")) ? "met" : "NOT MET");
}

static void policy_row(FILE *out, const json_t *row)
{
    fprintf(out, "%-22s %-12s %12.0f %11.2f%%\n", report_string(row, "trace"),
            report_string(row, "policy"), report_number(row, "capacity"),
            100 * report_number(row, "hit_ratio"));
}

static void print_row(FILE *out, const json_t *rows, const json_t *row, char *heading, size_t size)
{
    const char *kind = report_string(row, "kind");
    char mine[160];
    bool is_new;

    heading_of(row, mine, sizeof mine);
    is_new = strcmp(mine, heading) != 0;
    snprintf(heading, size, "%s", mine);
    if (strcmp(kind, "codec") == 0) {
        if (is_new)
            codec_heading(out);
        codec_row(out, row);
    } else if (strcmp(kind, "goal") == 0) {
        if (is_new)
            fprintf(out, "\n%-5s %-63s %14s %9s\n", "goal", "", "bound", "measured");
        goal_row(out, row);
    } else if (strcmp(kind, "policy") == 0) {
        if (is_new)
            fprintf(out, "\n%-22s %-12s %12s %12s\n", "trace", "policy", "capacity", "hit ratio");
        policy_row(out, row);
    } else {
        if (is_new)
            operation_heading(out, mine);
        operation_row(out, row, is_best(rows, row, mine));
    }
}

static void print_hits(FILE *out, const json_t *document)
{
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(document, "rows"), i, row)
    {
        if (strcmp(report_string(row, "kind"), "replay") == 0)
            fprintf(out, "hits  %s: %.2f%%\n", report_string(row, "target"),
                    100 * report_number(row, "hit_ratio"));
    }
}

static void print_notes(FILE *out, const json_t *document)
{
    const json_t *entry;
    size_t i;

    json_array_foreach(json_object_get(document, "skipped"), i, entry)
        fprintf(out, "%sn/a  %s, %s: %s\n", i == 0 ? "\n" : "", report_string(entry, "workload"),
                report_string(entry, "target"), report_string(entry, "reason"));
    json_array_foreach(json_object_get(document, "warnings"), i, entry)
        fprintf(out, "%swarning: %s\n", i == 0 ? "\n" : "", json_string_value(entry));
}

void report_table(FILE *out, const json_t *document)
{
    const json_t *rows = json_object_get(document, "rows");
    const json_t *context = json_object_get(document, "context");
    char heading[160] = "";
    char text[32];
    const json_t *row;
    size_t i;

    fprintf(out, "%s %s: %s, %.0f cores%s, %s, sync %s, load %.1f, seed %.0f\n",
            report_string(document, "tool"), report_string(document, "verb"),
            report_string(context, "cpu"), report_number(context, "cores"),
            json_is_true(json_object_get(context, "virtual")) ? " (virtual)" : "",
            report_string(context, "file_system"),
            report_time_text(report_number(context, "sync_ns"), text),
            report_number(context, "load"), report_number(context, "seed"));
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
        print_row(out, rows, row, heading, sizeof heading);
    print_hits(out, document);
    print_notes(out, document);
}
