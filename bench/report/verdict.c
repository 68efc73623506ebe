/* SPDX-License-Identifier: MIT */
/* Two runs compared row by row, in plain words. */
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

#define CERTAIN 0.05 /* a difference this likely by chance is not called one */

static const json_t *find_row(const json_t *document, const char *id)
{
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(document, "rows"), i, row)
    {
        if (strcmp(report_string(row, "id"), id) == 0)
            return row;
    }
    return NULL;
}

static size_t samples_of(const json_t *row, double *out, size_t room)
{
    const json_t *list = json_object_get(row, "samples_ns");
    size_t count = json_array_size(list);

    if (count > room)
        count = room;
    for (size_t i = 0; i < count; i++)
        out[i] = json_number_value(json_array_get(list, i));
    return count;
}

static const char *verdict(const struct bench_comparison *comparison, double noise)
{
    double low = 1 - noise / 100;
    double high = 1 + noise / 100;

    if (comparison->p < CERTAIN && comparison->low > high)
        return "slower";
    if (comparison->p < CERTAIN && comparison->high < low)
        return "faster";
    if (comparison->low >= low / (1 + noise / 100) && comparison->high <= high * (1 + noise / 100))
        return "same within noise";
    if (comparison->p < CERTAIN && (comparison->ratio > high || comparison->ratio < low))
        return comparison->ratio > 1 ? "slower, by how much is uncertain"
                                     : "faster, by how much is uncertain";
    return "too noisy to tell";
}

static void compare_row(FILE *out, const json_t *before, const json_t *after, double noise,
                        double percent, bool *worse)
{
    double old[1000];
    double new[1000];
    size_t n_old = samples_of(before, old, 1000);
    size_t n_new = samples_of(after, new, 1000);
    struct bench_comparison comparison;
    char texts[2][32];

    if (n_old < 2 || n_new < 2)
        return;
    bench_compare(old, n_old, new, n_new, &comparison);
    fprintf(out, "%-48s %10s %10s  %5.2fx (%.2f-%.2f)  p %.3f  %s\n", report_string(after, "id"),
            report_time_text(bench_median(old, n_old), texts[0]),
            report_time_text(bench_median(new, n_new), texts[1]), comparison.ratio, comparison.low,
            comparison.high, comparison.p, verdict(&comparison, noise));
    if (comparison.p < CERTAIN && comparison.low > 1 + percent / 100)
        *worse = true;
}

static void other_machine(FILE *out, const json_t *before, const json_t *after)
{
    static const char *const members[] = { "cpu", "kernel", "file_system", "build" };
    const json_t *old = json_object_get(before, "context");
    const json_t *new = json_object_get(after, "context");

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (strcmp(report_string(old, members[i]), report_string(new, members[i])) != 0)
            fprintf(out, "warning: %s differs: %s, then %s\n", members[i],
                    report_string(old, members[i]), report_string(new, members[i]));
    }
}

int report_compare(FILE *out, const json_t *before, const json_t *after, double noise,
                   double percent, bool *worse)
{
    size_t matched = 0;
    const json_t *row;
    size_t i;

    *worse = false;
    fprintf(out, "\n%-48s %10s %10s  %s\n", "time of an operation", "before", "after",
            "after/before (95%), Mann-Whitney p, verdict");
    json_array_foreach(json_object_get(after, "rows"), i, row)
    {
        const json_t *other = find_row(before, report_string(row, "id"));

        if (other) {
            matched++;
            compare_row(out, other, row, noise, percent, worse);
        }
    }
    if (matched == 0)
        return pdict_fail(PDICT_INVAL, "the two runs have no row in common; run the same verb with "
                                       "the same workloads and targets");
    other_machine(out, before, after);
    return PDICT_OK;
}

int bench_compare_runs(struct invocation *in)
{
    json_t *before = NULL;
    json_t *after = NULL;
    double noise = 3;
    double percent = 1e9;
    bool is_worse = false;
    int status;

    if ((status = bench_fraction(in, OPT_NOISE, 0, 100, &noise)) == PDICT_OK &&
        (status = bench_fraction(in, OPT_FAIL_ON_REGRESSION, 0, 1000, &percent)) == PDICT_OK &&
        (status = report_load(in->args[0], &before)) == PDICT_OK &&
        (status = report_load(in->args[1], &after)) == PDICT_OK)
        status = report_compare(stdout, before, after, noise, percent, &is_worse);
    in->is_missed = is_worse;
    json_decref(before);
    json_decref(after);
    return status;
}
