/* SPDX-License-Identifier: MIT */
/* What a run says: the document it is kept in, and its faces: table, JSON, CSV, HTML. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "measure/measure.h"
#include "tool/tool.h"

/*
 * The document is the JSON that --json writes; every other face is made from it, so a file that was
 * written earlier can be shown again. Readers ignore members they do not know; schema_version is
 * raised when the meaning of one changes.
 */
#define REPORT_SCHEMA_VERSION 1

/* document.c */
json_t *report_new(const struct invocation *in, uint64_t seed);
json_t *report_row(json_t *document, const char *kind, const char *id); /**< borrowed */
void report_skip(json_t *document, const char *what, const char *who, const char *reason);
void report_warn(json_t *document, const char *format, ...) PDICT_PRINTF(2, 3);
/** samples_ns, median_ns, mad_ns, ci95_ns, outliers. */
void report_samples(json_t *row, const double *samples, size_t count);
/** p50_ns, p99_ns, p999_ns, max_ns and latency, a list of [value, count]. */
void report_latency(json_t *row, const struct bench_histogram *latency);
/** All files and tables that were asked for. */
int report_finish(struct invocation *in, json_t *document);
int report_load(const char *path, json_t **out);
double report_number(const json_t *row, const char *name);
const char *report_string(const json_t *row, const char *name);

/* environment.c */
json_t *report_environment(const struct invocation *in, uint64_t seed);
void report_environment_warn(const struct invocation *in, json_t *document);

/* table.c, csv.c, html.c: from a document to a stream. */
void report_table(FILE *out, const json_t *document);
void report_csv(FILE *out, const json_t *document);
int report_html(FILE *out, json_t *const *documents, size_t count);
/** "1,234", "12.3 us": short for people. */
const char *report_time_text(double ns, char out[32]);
const char *report_count_text(double number, char out[32]);

/* verdict.c */
/** Print what changed; *worse: something is slower by more than `percent` for certain. */
int report_compare(FILE *out, const json_t *before, const json_t *after, double noise,
                   double percent, bool *worse);
int report_baseline_path(const struct invocation *in, const char *name, char *out, size_t size);

#endif
