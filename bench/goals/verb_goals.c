/* SPDX-License-Identifier: MIT */
/* pdict-bench goals: every row of the table measured, the verdict as the exit code. */
#include "goals/goal.h"
#include "report/report.h"

#include <string.h>

static bool is_met(const struct goal *goal, double measured)
{
    return goal->is_floor ? measured >= goal->bound : measured <= goal->bound;
}

static void add_row(json_t *document, const struct goal *goal, const struct goal_samples *samples,
                    double seconds)
{
    struct bench_summary summary;
    json_t *list = json_array();
    char id[128];
    json_t *row;

    snprintf(id, sizeof id, "goal/%s/%s", goal->id, goal->title);
    row = report_row(document, "goal", id);
    bench_summarise(samples->values, samples->count, &summary);
    for (size_t i = 0; i < samples->count; i++)
        json_array_append_new(list, json_real(samples->values[i]));
    json_object_set_new(row, "goal", json_string(goal->id));
    json_object_set_new(row, "title", json_string(goal->title));
    json_object_set_new(row, "relation", json_string(goal->is_floor ? ">=" : "<="));
    json_object_set_new(row, "bound", json_real(goal->bound));
    json_object_set_new(row, "measured", json_real(summary.median));
    json_object_set_new(row, "ci95", json_pack("[f,f]", summary.low, summary.high));
    json_object_set_new(row, "samples", list);
    json_object_set_new(row, "met", json_boolean(is_met(goal, summary.median)));
    json_object_set_new(row, "seconds", json_real(seconds));
    bench_progress_note("%-4s %-63s %8.3f  %-7s %4.0f s", goal->id, goal->title, summary.median,
                        is_met(goal, summary.median) ? "met" : "not met", seconds);
}

/* Is the id among the words of --only? Unknown words are errors, so that a typing error does not
 * pass for success. */
static bool is_wanted(const char *only, const char *id)
{
    size_t size = strlen(id);

    for (; only; only = strchr(only, ',') ? strchr(only, ',') + 1 : NULL) {
        if (strncmp(only, id, size) == 0 && (only[size] == ',' || only[size] == '\0'))
            return true;
    }
    return false;
}

static int check_only(const struct invocation *in)
{
    const char *names[64];
    int chosen[64];
    size_t count = 0;
    size_t n_chosen;

    for (const struct goal *goal = goals; goal->id; goal++) {
        if (count == 0 || strcmp(names[count - 1], goal->id) != 0)
            names[count++] = goal->id;
    }
    return bench_choices(in, OPT_ONLY, names, count, chosen, 64, &n_chosen);
}

/* Goals are set against an engine used raw or a library called directly. */
static void skip_extended(const struct invocation *in, json_t *document)
{
    for (size_t i = 0; i < in->n_extended; i++)
        report_skip(document, "goals", in->extended[i].name,
                    "an extension brings nothing to be held against; kv and codec measure it");
}

static void warn_of_few(const struct goal_run *run, json_t *document)
{
    if (run->settings.keys < GOAL_KEYS)
        report_warn(
            document,
            "the goals are set for %d keys: with %llu a run shows how they are measured, and "
            "not whether they are met",
            GOAL_KEYS, (unsigned long long)run->settings.keys);
}

static int run_open(struct invocation *in, struct goal_run *run)
{
    bool is_quick = bench_has(in, OPT_QUICK);
    uint64_t rounds = is_quick ? 5 : 9;
    int status;

    *run = (struct goal_run){ .in = in };
    if ((status = run_settings_read(in, &run->settings)) != PDICT_OK ||
        (status = bench_number(in, OPT_ROUNDS, 5, GOAL_ROUNDS, &rounds)) != PDICT_OK)
        return status;
    if (!bench_has(in, OPT_KEYS))
        run->settings.keys = is_quick ? 20000 : GOAL_KEYS;
    run->rounds = rounds;
    run->round_ns = is_quick ? 20000000u : 300000000u;
    return bench_directory_make(in, run->directory, sizeof run->directory);
}

static int measure_all(struct invocation *in, struct goal_run *run, json_t *document)
{
    int status = PDICT_OK;

    for (const struct goal *goal = goals; goal->id && status == PDICT_OK; goal++) {
        struct goal_samples samples = { .count = 0 };
        uint64_t begun_ns = bench_now_ns();

        if (bench_has(in, OPT_ONLY) && !is_wanted(in->values[OPT_ONLY], goal->id))
            continue;
        bench_progress("%s %s", goal->id, goal->title);
        status = goal->measure(run, goal->argument, &samples);
        if (status != PDICT_OK)
            break;
        add_row(document, goal, &samples, (double)(bench_now_ns() - begun_ns) / 1e9);
        if (!is_met(goal, bench_median(samples.values, samples.count)))
            in->is_missed = true;
    }
    return status;
}

int bench_goals(struct invocation *in)
{
    struct goal_run run = { .directory = "" };
    json_t *document = NULL;
    int status;

    if ((status = check_only(in)) != PDICT_OK || (status = run_open(in, &run)) != PDICT_OK)
        goto done;
    document = report_new(in, run.settings.seed);
    skip_extended(in, document);
    warn_of_few(&run, document);
    bench_interrupt_catch();
    bench_progress_begin(in);
    status = measure_all(in, &run, document);
    bench_progress_end();
    if (status == PDICT_OK)
        status = report_finish(in, document);
done:
    bench_directory_remove(run.directory);
    json_decref(document);
    return status;
}
