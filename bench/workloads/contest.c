/* SPDX-License-Identifier: MIT */
/* A contest: all targets do the same slices in turn, in an order drawn anew for each. */
#include "report/report.h"
#include "workloads/run.h"

#include <stdlib.h>
#include <string.h>

#define SLICE_MOST ((size_t)1 << 20) /* operations of a slice, over all threads */
#define SLICE_NS   60                /* no slice has more than are done at so many each */

/* ---- Who takes part ---- */

static void contestant_out(struct contest *contest, struct contestant *one, const char *what)
{
    fprintf(stderr, "pdict-bench: %s: %s; it takes no further part\n", one->target.label,
            pdict_error_text());
    report_skip(contest->document, what, one->target.label, pdict_error_text());
    one->is_out = true;
}

static int name_directories(struct contest *contest)
{
    char name[32];
    int status = PDICT_OK;

    for (size_t i = 0; i < contest->count && status == PDICT_OK; i++) {
        struct contestant *one = &contest->contestants[i];

        snprintf(name, sizeof name, "%zu", i);
        status =
            bench_directory_sub(contest->directory, name, one->directory, sizeof one->directory);
    }
    return status;
}

int contest_open(struct contest *contest, const struct invocation *in, const char *kind,
                 const char *default_targets)
{
    struct target targets[RUN_TARGETS];
    char list[2048];
    int status;

    *contest = (struct contest){ .kind = kind };
    if ((status = run_settings_read(in, &contest->settings)) != PDICT_OK ||
        (status = target_list(bench_targets(in, default_targets, list, sizeof list), targets,
                              RUN_TARGETS, &contest->count)) != PDICT_OK)
        return status;
    if (!(contest->contestants = calloc(contest->count, sizeof *contest->contestants)))
        return driver_no_memory("--target");
    for (size_t i = 0; i < contest->count; i++) {
        struct target *target = &contest->contestants[i].target;

        *target = targets[i];
        if (*target->options)
            target->options = strchr(target->label, '?') + 1;
    }
    if ((status = run_data_make(&contest->settings, &contest->data)) != PDICT_OK ||
        (status = bench_directory_make(in, contest->directory, sizeof contest->directory)) ||
        (status = name_directories(contest)) != PDICT_OK)
        return status;
    contest->next_new = contest->settings.keys;
    contest->clock_ns = (uint64_t)bench_clock_cost_ns();
    contest->document = report_new(in, contest->settings.seed);
    bench_interrupt_catch();
    bench_progress_begin(in);
    return PDICT_OK;
}

void contest_close(struct contest *contest)
{
    bench_progress_end();
    for (size_t i = 0; i < contest->count && contest->contestants; i++)
        contestant_close(&contest->contestants[i]);
    bench_directory_remove(contest->directory);
    run_data_free(&contest->data);
    free(contest->contestants);
    json_decref(contest->document);
}

/* ---- Loading ---- */

static int fill_all(struct contest *contest)
{
    int status = PDICT_OK;

    for (size_t i = 0; i < contest->count && status == PDICT_OK; i++) {
        struct contestant *one = &contest->contestants[i];

        if (one->is_out || contest->is_loaded)
            continue;
        bench_progress("loading %s", one->target.label);
        if ((!one->store && contestant_open(contest, one, false) != PDICT_OK) ||
            contest_fill(contest, one) != PDICT_OK)
            contestant_out(contest, one, "load");
        status = bench_interrupted();
    }
    contest->is_loaded = true;
    return status;
}

/* ---- Rows ---- */

static void row_begin(struct contestant *one)
{
    one->n_samples = 0;
    one->ops = one->wall_ns = one->cpu_ns = 0;
    one->every = 16;
    bench_histogram_clear(&one->latency);
}

static void row_add(struct contestant *one, const struct pace *pace, uint64_t cpu_ns)
{
    if (pace->ops == 0 || one->n_samples == RUN_SAMPLES)
        return;
    one->samples[one->n_samples++] = (double)pace->wall_ns / (double)pace->ops;
    one->ops += pace->ops;
    one->wall_ns += pace->wall_ns;
    one->cpu_ns += cpu_ns;
}

static void row_curve(json_t *row, const struct contestant *one)
{
    json_t *curve = json_array();

    for (size_t i = 0; i < one->n_samples; i++)
        json_array_append_new(curve, json_pack("[f,f]", one->curve_keys[i], one->samples[i]));
    json_object_set_new(row, "curve", curve);
}

static void row_end(struct contest *contest, const struct workload *workload,
                    struct contestant *one, size_t n_threads)
{
    const struct run_settings *settings = &contest->settings;
    const char *durability = driver_durability_names[one->durability];
    char id[300];
    json_t *row;

    if (one->n_samples == 0)
        return;
    snprintf(id, sizeof id, "%s/%s/%s/%zu/%s", contest->kind, workload->name, one->target.label,
             n_threads, durability);
    row = report_row(contest->document, contest->kind, id);
    json_object_set_new(row, "workload", json_string(workload->name));
    json_object_set_new(row, "target", json_string(one->target.label));
    json_object_set_new(row, "threads", json_integer((json_int_t)n_threads));
    json_object_set_new(row, "keys", json_integer((json_int_t)settings->keys));
    json_object_set_new(row, "key_size", json_integer((json_int_t)settings->key_size));
    json_object_set_new(row, "value_size", json_integer((json_int_t)settings->value_size));
    json_object_set_new(row, "durability", json_string(durability));
    json_object_set_new(row, "cold", json_boolean(settings->is_cold));
    json_object_set_new(row, "ops", json_integer((json_int_t)one->ops));
    report_samples(row, one->samples, one->n_samples);
    /* Over everything that was done, slow slices included; the median is that of the slices. */
    json_object_set_new(row, "ops_per_s", json_real((double)one->ops * 1e9 / (double)one->wall_ns));
    json_object_set_new(row, "cpu_ns", json_real((double)one->cpu_ns / (double)one->ops));
    if (one->latency.total > 0)
        report_latency(row, &one->latency);
    json_object_set_new(row, "timed_every", json_integer(settings->rate ? 1 : one->every));
    json_object_set_new(row, "file_bytes",
                        json_integer((json_int_t)bench_directory_bytes(one->directory)));
    if (workload->phase == RUN_LOAD)
        row_curve(row, one);
}

/* ---- Who can do what ---- */

static const char *why_not(const struct workload *workload, const struct contestant *one,
                           size_t n_threads, bool is_cold)
{
    if (n_threads > 1 && !(one->target.flags & DRIVER_THREADS))
        return "it serves one thread only";
    if (workload->percent[RUN_SCAN] > 0 && !(one->target.flags & DRIVER_ORDERED))
        return "it has no ordered scan";
    if ((workload->phase == RUN_REOPEN || is_cold) && !(one->target.flags & DRIVER_PERSISTS))
        return "it does not persist";
    return NULL;
}

/* Sessions as the workload wants them; a store is opened anew when it must not cache. */
static int prepare(struct contest *contest, struct contestant *one, const struct workload *workload,
                   size_t n_threads)
{
    enum driver_durability durability = target_durability(
        &one->target,
        workload->is_durable ? DRIVER_FULL : (enum driver_durability)contest->settings.durability);
    int status = PDICT_OK;

    row_begin(one);
    if (one->store && one->is_uncached != workload->is_uncached &&
        (one->target.flags & DRIVER_PERSISTS))
        contestant_close(one);
    if (!one->store)
        status = contestant_open(contest, one, workload->is_uncached);
    if (status == PDICT_OK)
        status = contestant_sessions(one, n_threads, durability);
    return status;
}

/* Those that take part in a workload, in `out`. */
static size_t enter(struct contest *contest, const struct workload *workload, size_t n_threads,
                    struct contestant **out)
{
    size_t count = 0;

    for (size_t i = 0; i < contest->count; i++) {
        struct contestant *one = &contest->contestants[i];
        const char *reason;

        if (one->is_out)
            continue;
        if ((reason = why_not(workload, one, n_threads, contest->settings.is_cold)))
            report_skip(contest->document, workload->name, one->target.label, reason);
        else if (prepare(contest, one, workload, n_threads) != PDICT_OK)
            contestant_out(contest, one, workload->name);
        else
            out[count++] = one;
    }
    return count;
}

/* A new order for every slice, so that nobody always comes behind the same neighbour. */
static void shuffle(struct contestant **ones, size_t count, uint64_t seed, uint64_t turn)
{
    struct bench_rng rng;

    bench_rng_seed(&rng, seed, turn + 5000);
    for (size_t i = count; i > 1; i--) {
        size_t j = bench_rng_below(&rng, i);
        struct contestant *other = ones[i - 1];

        ones[i - 1] = ones[j];
        ones[j] = other;
    }
}

/* ---- Workloads of operations ---- */

/* Rarely enough that the clock costs less than 2 %. */
static unsigned every_for(const struct pace *pace)
{
    double ns = pace->ops ? (double)pace->wall_ns / (double)pace->ops : 0;

    return ns > 3000 ? 1 : ns > 300 ? 8 : 64;
}

static int chill(struct contest *contest, struct contestant *one)
{
    size_t n_sessions = one->n_sessions;
    enum driver_durability durability = one->durability;
    int status;

    contestant_close(one);
    bench_directory_chill(one->directory);
    if ((status = contestant_open(contest, one, one->is_uncached)) == PDICT_OK)
        status = contestant_sessions(one, n_sessions, durability);
    return status;
}

static int play(struct contest *contest, struct contestant *one, const struct slice *slice,
                bool is_warm_up)
{
    const struct run_settings *settings = &contest->settings;
    struct pace pace = {
        .budget_ns = settings->time_ns / settings->samples,
        .rate = settings->rate / slice->n_threads,
        .every = one->every,
        .clock_ns = contest->clock_ns,
        .latency = is_warm_up ? NULL : &one->latency,
    };
    uint64_t cpu_ns;
    int status;

    if (settings->is_cold && (status = chill(contest, one)) != PDICT_OK)
        return status;
    cpu_ns = bench_cpu_ns();
    if ((status = pace_run(slice, &one->target, one->sessions, &pace)) != PDICT_OK)
        return status;
    if (is_warm_up)
        one->every = every_for(&pace);
    else
        row_add(one, &pace, bench_cpu_ns() - cpu_ns);
    return PDICT_OK;
}

static int play_all(struct contest *contest, const struct slice *slice, struct contestant **ones,
                    size_t count, bool is_warm_up)
{
    int status = PDICT_OK;

    shuffle(ones, count, contest->settings.seed, slice->number);
    for (size_t i = 0; i < count && status == PDICT_OK; i++) {
        if (ones[i]->is_out)
            continue;
        bench_progress("%s, %zu threads, sample %llu, %s", slice->workload->name, slice->n_threads,
                       (unsigned long long)slice->number, ones[i]->target.label);
        if (play(contest, ones[i], slice, is_warm_up) != PDICT_OK) {
            ones[i]->n_samples = 0;
            contestant_out(contest, ones[i], slice->workload->name);
        }
        status = bench_interrupted();
    }
    return status;
}

static size_t slice_room(const struct run_settings *settings, size_t n_threads)
{
    uint64_t room = settings->time_ns / settings->samples / SLICE_NS;

    room = room < SLICE_MOST ? room : SLICE_MOST;
    return (room > 1024 ? (size_t)room : 1024) / n_threads + 1;
}

/* Slice 0 warms up and is not counted. */
static int play_slices(struct contest *contest, const struct workload *workload,
                       struct contestant **ones, size_t count, size_t n_threads)
{
    uint64_t samples = contest->settings.samples;
    size_t room = slice_room(&contest->settings, n_threads);
    struct slice slice;
    int status = slice_make(&slice, workload, &contest->data, n_threads, room);

    if (status != PDICT_OK)
        return status;
    for (uint64_t i = 0; i <= samples && status == PDICT_OK; i++) {
        slice_draw(&slice, &contest->settings, i, samples + 1, contest->next_new);
        contest->next_new += room * n_threads;
        status = play_all(contest, &slice, ones, count, i == 0);
    }
    slice_free(&slice);
    if (status == PDICT_OK && workload->percent[RUN_DELETE] > 0)
        contest->is_loaded = false;
    return status;
}

/* ---- Loads ---- */

static int load_part(struct contest *contest, struct contestant *one, uint64_t part)
{
    uint64_t samples = contest->settings.samples;
    size_t from = (size_t)(contest->data.n_keys * part / samples);
    size_t to = (size_t)(contest->data.n_keys * (part + 1) / samples);
    struct pace pace = { .ops = to - from };
    uint64_t cpu_ns = bench_cpu_ns();
    uint64_t begun_ns = bench_now_ns();
    int status = contestant_put(contest, one, from, to, RUN_LOAD_BATCH);

    pace.wall_ns = bench_now_ns() - begun_ns;
    one->curve_keys[one->n_samples] = (double)to;
    one->every = RUN_LOAD_BATCH;
    row_add(one, &pace, bench_cpu_ns() - cpu_ns);
    return status;
}

/* Everybody loads the first part, then everybody the second: a disturbance hits all alike. */
static int play_load(struct contest *contest, struct contestant **ones, size_t count)
{
    int status = PDICT_OK;

    for (uint64_t part = 0; part < contest->settings.samples; part++) {
        shuffle(ones, count, contest->settings.seed, part);
        for (size_t i = 0; i < count && status == PDICT_OK; i++) {
            bench_progress("load, part %llu, %s", (unsigned long long)part + 1,
                           ones[i]->target.label);
            if (!ones[i]->is_out && load_part(contest, ones[i], part) != PDICT_OK)
                contestant_out(contest, ones[i], "load");
            status = bench_interrupted();
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!ones[i]->is_out && contestant_verify(contest, ones[i]) != PDICT_OK)
            contestant_out(contest, ones[i], "load");
    }
    contest->is_loaded = true;
    return status;
}

/* ---- Reopening ---- */

static int reopen_once(struct contest *contest, struct contestant *one, struct pace *pace)
{
    const struct run_data *data = &contest->data;
    enum driver_durability durability = one->durability;
    uint64_t begun_ns = bench_now_ns();
    pdict_slice value;
    int status;

    contestant_close(one);
    if (contest->settings.is_cold) {
        bench_directory_chill(one->directory);
        begun_ns = bench_now_ns();
    }
    if ((status = contestant_open(contest, one, false)) != PDICT_OK ||
        (status = contestant_sessions(one, 1, durability)) != PDICT_OK ||
        (status = one->target.driver->get(one->sessions[0], run_key(data, data->keys), &value)))
        return status == PDICT_NOTFOUND
                   ? pdict_fail(PDICT_DAMAGED, "%s: a key is gone after it was opened again",
                                one->target.label)
                   : status;
    pace->wall_ns = bench_now_ns() - begun_ns;
    pace->ops = 1;
    bench_histogram_add(&one->latency, pace->wall_ns);
    return PDICT_OK;
}

static int play_reopen(struct contest *contest, struct contestant **ones, size_t count)
{
    int status = PDICT_OK;

    for (uint64_t i = 0; i <= contest->settings.samples && status == PDICT_OK; i++) {
        shuffle(ones, count, contest->settings.seed, i);
        for (size_t j = 0; j < count && status == PDICT_OK; j++) {
            struct pace pace = { 0 };
            uint64_t cpu_ns = bench_cpu_ns();

            if (ones[j]->is_out)
                continue;
            bench_progress("reopen, sample %llu, %s", (unsigned long long)i, ones[j]->target.label);
            if (reopen_once(contest, ones[j], &pace) != PDICT_OK)
                contestant_out(contest, ones[j], "reopen");
            else if (i > 0)
                row_add(ones[j], &pace, bench_cpu_ns() - cpu_ns);
            status = bench_interrupted();
        }
    }
    return status;
}

/* ---- A workload ---- */

static int contest_threads(struct contest *contest, const struct workload *workload,
                           size_t n_threads)
{
    struct contestant *ones[RUN_TARGETS];
    size_t count;
    int status = PDICT_OK;

    if (workload->phase != RUN_LOAD)
        status = fill_all(contest);
    if (status != PDICT_OK)
        return status;
    count = enter(contest, workload, n_threads, ones);
    if (workload->phase == RUN_LOAD)
        status = play_load(contest, ones, count);
    else if (workload->phase == RUN_REOPEN)
        status = play_reopen(contest, ones, count);
    else
        status = play_slices(contest, workload, ones, count, n_threads);
    for (size_t i = 0; i < contest->count && status == PDICT_OK; i++) {
        for (size_t j = 0; j < count; j++) {
            if (ones[j] == &contest->contestants[i] && !ones[j]->is_out)
                row_end(contest, workload, ones[j], n_threads);
        }
    }
    return status;
}

int contest_run(struct contest *contest, const struct workload *workload)
{
    const struct run_settings *settings = &contest->settings;
    int status = PDICT_OK;

    if (workload->phase != RUN_PLAIN || settings->n_threads == 0 || workload->threads > 1)
        return contest_threads(contest, workload, workload->threads);
    for (size_t i = 0; i < settings->n_threads && status == PDICT_OK; i++)
        status = contest_threads(contest, workload, settings->threads[i]);
    return status;
}
