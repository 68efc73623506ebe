/* SPDX-License-Identifier: MIT */
/* The document of a run: context, rows, what was left out, warnings; kept and read as JSON. */
#include "report/report.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define MOST_BUCKETS 400 /* of a latency in the file: enough for a smooth curve */

static json_t *command_line(const struct invocation *in)
{
    json_t *words = json_array();

    for (int i = 0; i < in->argc; i++)
        json_array_append_new(words, json_string(in->argv[i]));
    return words;
}

json_t *report_new(const struct invocation *in, uint64_t seed)
{
    json_t *document = json_object();

    json_object_set_new(document, "schema_version", json_integer(REPORT_SCHEMA_VERSION));
    json_object_set_new(document, "tool", json_string("pdict-bench " PDICT_VERSION_STRING));
    json_object_set_new(document, "verb", json_string(in->verb->name));
    json_object_set_new(document, "command", command_line(in));
    json_object_set_new(document, "context", report_environment(in, seed));
    json_object_set_new(document, "rows", json_array());
    json_object_set_new(document, "skipped", json_array());
    json_object_set_new(document, "warnings", json_array());
    report_environment_warn(in, document);
    return document;
}

json_t *report_row(json_t *document, const char *kind, const char *id)
{
    json_t *row = json_object();

    json_object_set_new(row, "id", json_string(id));
    json_object_set_new(row, "kind", json_string(kind));
    json_array_append_new(json_object_get(document, "rows"), row);
    return row;
}

void report_skip(json_t *document, const char *what, const char *who, const char *reason)
{
    json_array_append_new(
        json_object_get(document, "skipped"),
        json_pack("{s:s,s:s,s:s}", "workload", what, "target", who, "reason", reason));
}

void report_warn(json_t *document, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_array_append_new(json_object_get(document, "warnings"), json_string(text));
}

/* A tenth of a nanosecond is more than can be known; shorter numbers make smaller files. */
static double rounded(double ns)
{
    return (double)(int64_t)(ns * 10 + 0.5) / 10;
}

void report_samples(json_t *row, const double *samples, size_t count)
{
    struct bench_summary summary;
    json_t *list = json_array();

    bench_summarise(samples, count, &summary);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_real(rounded(samples[i])));
    json_object_set_new(row, "samples_ns", list);
    json_object_set_new(row, "median_ns", json_real(rounded(summary.median)));
    json_object_set_new(row, "mad_ns", json_real(rounded(summary.mad)));
    json_object_set_new(row, "ci95_ns",
                        json_pack("[f,f]", rounded(summary.low), rounded(summary.high)));
    json_object_set_new(
        row, "outliers",
        json_pack("{s:i,s:i}", "mild", (int)summary.mild, "severe", (int)summary.severe));
}

/* Neighbouring buckets are joined until they are few enough to keep. */
static json_t *buckets(const struct bench_histogram *latency)
{
    json_t *list = json_array();
    size_t used = 0;
    size_t join;

    for (size_t i = 0; i < BENCH_BUCKETS; i++)
        used += latency->counts[i] > 0;
    join = used / MOST_BUCKETS + 1;
    for (size_t i = 0; i < BENCH_BUCKETS; i += join) {
        uint64_t count = 0;
        size_t last = i;

        for (size_t j = i; j < i + join && j < BENCH_BUCKETS; j++) {
            count += latency->counts[j];
            last = latency->counts[j] ? j : last;
        }
        if (count > 0)
            json_array_append_new(
                list, json_pack("[f,I]", rounded(bench_histogram_value(last)), (json_int_t)count));
    }
    return list;
}

void report_latency(json_t *row, const struct bench_histogram *latency)
{
    static const struct {
        const char *name;
        double share;
    } quantiles[] = {
        { "p50_ns", 0.5 }, { "p90_ns", 0.9 }, { "p99_ns", 0.99 }, { "p999_ns", 0.999 }
    };

    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++)
        json_object_set_new(
            row, quantiles[i].name,
            json_real(rounded(bench_histogram_quantile(latency, quantiles[i].share))));
    json_object_set_new(row, "max_ns", json_integer((json_int_t)latency->max));
    json_object_set_new(row, "latency", buckets(latency));
}

double report_number(const json_t *row, const char *name)
{
    return json_number_value(json_object_get(row, name));
}

const char *report_string(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));

    return text ? text : "";
}

/* ---- Files ---- */

static int open_output(const char *path, FILE **out)
{
    *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    if (!*out)
        return pdict_fail(PDICT_IO, "%s: %s", path, strerror(errno));
    return PDICT_OK;
}

static int close_output(const char *path, FILE *out)
{
    bool is_bad = ferror(out) != 0;

    if ((out == stdout ? fflush(out) : fclose(out)) != 0 || is_bad)
        return pdict_fail(PDICT_IO, "%s: %s", path, strerror(errno ? errno : EIO));
    return PDICT_OK;
}

static int write_json(const char *path, const json_t *document)
{
    FILE *out;
    int status = open_output(path, &out);

    if (status != PDICT_OK)
        return status;
    json_dumpf(document, out, JSON_COMPACT | JSON_REAL_PRECISION(15));
    fputc('\n', out);
    return close_output(path, out);
}

static int write_csv(const char *path, const json_t *document)
{
    FILE *out;
    int status = open_output(path, &out);

    if (status != PDICT_OK)
        return status;
    report_csv(out, document);
    return close_output(path, out);
}

static int write_html(const char *path, json_t *document)
{
    FILE *out;
    int status = open_output(path, &out);

    if (status != PDICT_OK)
        return status;
    status = report_html(out, &document, 1);
    return status == PDICT_OK ? close_output(path, out) : status;
}

int report_load(const char *path, json_t **out)
{
    json_error_t error;

    *out = json_load_file(path, 0, &error);
    if (!*out)
        return pdict_fail(PDICT_INVAL, "%s: %s", path, error.text);
    if (json_integer_value(json_object_get(*out, "schema_version")) != REPORT_SCHEMA_VERSION ||
        !json_is_array(json_object_get(*out, "rows"))) {
        json_decref(*out);
        *out = NULL;
        return pdict_fail(PDICT_INVAL, "%s: not a run of pdict-bench with schema_version %d", path,
                          REPORT_SCHEMA_VERSION);
    }
    return PDICT_OK;
}

/* ---- Baselines: runs kept by name in the directory of the runs ---- */

int report_baseline_path(const struct invocation *in, const char *name, char *out, size_t size)
{
    if (!*name || strchr(name, '/') || *name == '.')
        return pdict_fail(PDICT_INVAL, "--save, --baseline: %s is not a name", name);
    if ((size_t)snprintf(out, size, "%s/pdict-bench-%s.json", bench_text(in, OPT_DIR, "."), name) >=
        size)
        return pdict_fail(PDICT_INVAL, "--dir: too long a path");
    return PDICT_OK;
}

static int save(const struct invocation *in, const json_t *document)
{
    char path[1024];
    int status = report_baseline_path(in, in->values[OPT_SAVE], path, sizeof path);

    return status == PDICT_OK ? write_json(path, document) : status;
}

static int against_baseline(struct invocation *in, const json_t *document)
{
    double noise = 3;
    char path[1024];
    json_t *before = NULL;
    bool is_worse;
    int status = report_baseline_path(in, in->values[OPT_BASELINE], path, sizeof path);

    if (status == PDICT_OK)
        status = report_load(path, &before);
    if (status == PDICT_OK)
        status = report_compare(stdout, before, document, noise, noise, &is_worse);
    json_decref(before);
    return status;
}

int report_finish(struct invocation *in, json_t *document)
{
    bool is_stdout_taken = strcmp(bench_text(in, OPT_JSON, ""), "-") == 0 ||
                           strcmp(bench_text(in, OPT_CSV, ""), "-") == 0 ||
                           strcmp(bench_text(in, OPT_HTML, ""), "-") == 0;
    int status = PDICT_OK;

    if (!is_stdout_taken)
        report_table(stdout, document);
    if (bench_has(in, OPT_JSON))
        status = write_json(in->values[OPT_JSON], document);
    if (status == PDICT_OK && bench_has(in, OPT_CSV))
        status = write_csv(in->values[OPT_CSV], document);
    if (status == PDICT_OK && bench_has(in, OPT_HTML))
        status = write_html(in->values[OPT_HTML], document);
    if (status == PDICT_OK && bench_has(in, OPT_SAVE))
        status = save(in, document);
    if (status == PDICT_OK && bench_has(in, OPT_BASELINE))
        status = against_baseline(in, document);
    return status;
}
