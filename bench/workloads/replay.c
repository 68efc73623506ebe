/* SPDX-License-Identifier: MIT */
/* pdict-bench replay: a recorded trace against targets used as a cache: hits and latency. */
#include "report/report.h"
#include "workloads/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST_VALUE ((json_int_t)64 << 20)

enum replay_kind {
    REPLAY_GET,
    REPLAY_PUT,
    REPLAY_DEL,
    REPLAY_KINDS
};

struct replay_op {
    char *key; /* owned; ends with a zero byte */
    size_t key_size;
    size_t size;
    int64_t ttl_ms;
    int kind;
};

struct replay {
    struct replay_op *ops;
    size_t count;
    size_t room;
    size_t most; /* the largest value */
    unsigned char *bytes;
};

/* ---- The trace: {"op":"get","key":"a"} or {"op":"put","key":"a","size":100,"ttl":60000} ---- */

static int malformed(const char *path, size_t line, const char *why)
{
    return pdict_fail(PDICT_INVAL, "%s: line %zu: %s", path, line, why);
}

static int read_op(const char *path, size_t line, const json_t *object, struct replay_op *op)
{
    static const char *const kinds[REPLAY_KINDS] = { "get", "put", "del" };
    const char *kind = json_string_value(json_object_get(object, "op"));
    const json_t *key = json_object_get(object, "key");
    json_int_t size = json_integer_value(json_object_get(object, "size"));

    if (!kind || !json_is_string(key))
        return malformed(path, line, "an operation has \"op\" and \"key\"");
    for (op->kind = 0; op->kind < REPLAY_KINDS && strcmp(kinds[op->kind], kind) != 0;)
        op->kind++;
    if (op->kind == REPLAY_KINDS)
        return malformed(path, line, "\"op\" is none of get, put, del");
    if (size < 0 || size > MOST_VALUE)
        return malformed(path, line, "\"size\" is not from 0 to 64 MiB");
    op->size = size > 0 ? (size_t)size : 100;
    op->ttl_ms = json_integer_value(json_object_get(object, "ttl"));
    op->key_size = json_string_length(key);
    if (!(op->key = strdup(json_string_value(key))))
        return driver_no_memory("the trace");
    return PDICT_OK;
}

static int add_op(struct replay *replay, const char *path, size_t line, const char *text)
{
    json_t *object;
    int status;

    if (replay->count == replay->room) {
        size_t room = replay->room ? replay->room * 2 : 1024;
        struct replay_op *grown = realloc(replay->ops, room * sizeof *grown);

        if (!grown)
            return driver_no_memory("the trace");
        replay->ops = grown;
        replay->room = room;
    }
    if (!(object = json_loads(text, 0, NULL)))
        return malformed(path, line, "not a JSON object");
    replay->ops[replay->count] = (struct replay_op){ 0 };
    status = read_op(path, line, object, &replay->ops[replay->count]);
    json_decref(object);
    if (status != PDICT_OK)
        return status;
    if (replay->ops[replay->count].size > replay->most)
        replay->most = replay->ops[replay->count].size;
    replay->count++;
    return PDICT_OK;
}

static void replay_free(struct replay *replay)
{
    for (size_t i = 0; i < replay->count; i++)
        free(replay->ops[i].key);
    free(replay->ops);
    free(replay->bytes);
}

static int replay_read(const char *path, uint64_t seed, struct replay *out)
{
    FILE *file = fopen(path, "r");
    struct bench_rng rng;
    char *text = NULL;
    size_t room = 0;
    size_t line = 0;
    int status = PDICT_OK;

    if (!file)
        return pdict_fail(PDICT_INVAL, "%s: %s", path, strerror(errno));
    while (status == PDICT_OK && getline(&text, &room, file) > 0) {
        line++;
        if (*text != '\n')
            status = add_op(out, path, line, text);
    }
    free(text);
    fclose(file);
    if (status == PDICT_OK && out->count < 10)
        status = pdict_fail(PDICT_INVAL, "%s: a trace has ten operations at least", path);
    if (status == PDICT_OK && !(out->bytes = malloc(out->most)))
        status = driver_no_memory("the trace");
    if (status == PDICT_OK) {
        bench_rng_seed(&rng, seed, 41);
        run_fill(&rng, out->bytes, out->most, 0.5);
    }
    return status;
}

/* ---- Playing ---- */

/* A get that misses is followed by the put that would fill the cache. */
static int play_op(const struct replay *replay, struct contestant *one, const struct replay_op *op,
                   uint64_t *gets, uint64_t *hits)
{
    const struct driver *driver = one->target.driver;
    pdict_slice key = pdict_bytes(op->key, op->key_size);
    pdict_slice value = pdict_bytes(replay->bytes, op->size);
    pdict_slice found;
    int status;

    if (op->kind == REPLAY_DEL) {
        status = driver->del(one->sessions[0], key);
        return status == PDICT_NOTFOUND ? PDICT_OK : status;
    }
    if (op->kind == REPLAY_GET) {
        ++*gets;
        status = driver->get(one->sessions[0], key, &found);
        *hits += status == PDICT_OK;
        if (status != PDICT_NOTFOUND)
            return status;
    }
    if (op->ttl_ms > 0 && driver->put_ttl)
        return driver->put_ttl(one->sessions[0], key, value, op->ttl_ms);
    return driver->put(one->sessions[0], key, value);
}

static int play(const struct replay *replay, struct contest *contest, struct contestant *one,
                double *hit_ratio)
{
    size_t part = replay->count / 10;
    uint64_t gets = 0, hits = 0;
    uint64_t part_ns = bench_now_ns();
    int status = PDICT_OK;

    bench_histogram_clear(&one->latency);
    for (size_t i = 0; i < replay->count && status == PDICT_OK; i++) {
        uint64_t before_ns = bench_now_ns();
        uint64_t after_ns;

        status = play_op(replay, one, &replay->ops[i], &gets, &hits);
        after_ns = bench_now_ns();
        bench_histogram_add(&one->latency, after_ns - before_ns > contest->clock_ns
                                               ? after_ns - before_ns - contest->clock_ns
                                               : 0);
        if ((i + 1) % part == 0 && one->n_samples < RUN_SAMPLES) {
            one->samples[one->n_samples++] = (double)(after_ns - part_ns) / (double)part;
            part_ns = after_ns;
        }
    }
    one->ops = replay->count;
    *hit_ratio = gets ? (double)hits / (double)gets : 0;
    return status;
}

static void add_row(struct contest *contest, struct contestant *one, double hit_ratio)
{
    enum driver_durability durability = target_durability(&one->target, DRIVER_CRASH);
    char id[200];
    json_t *row;

    snprintf(id, sizeof id, "replay/%s", one->target.label);
    row = report_row(contest->document, "replay", id);
    json_object_set_new(row, "workload", json_string("replay"));
    json_object_set_new(row, "target", json_string(one->target.label));
    json_object_set_new(row, "threads", json_integer(1));
    json_object_set_new(row, "durability", json_string(driver_durability_names[durability]));
    json_object_set_new(row, "ops", json_integer((json_int_t)one->ops));
    json_object_set_new(row, "hit_ratio", json_real(hit_ratio));
    report_samples(row, one->samples, one->n_samples);
    json_object_set_new(row, "ops_per_s",
                        json_real(1e9 / bench_median(one->samples, one->n_samples)));
    report_latency(row, &one->latency);
    json_object_set_new(row, "file_bytes",
                        json_integer((json_int_t)bench_directory_bytes(one->directory)));
}

int bench_replay(struct invocation *in)
{
    struct contest contest = { 0 };
    struct replay replay = { 0 };
    int status;

    if ((status = contest_open(&contest, in, "replay", "pdict:sqlite,pdict:lmdb,pdict:memory")) !=
            PDICT_OK ||
        (status = replay_read(in->args[0], contest.settings.seed, &replay)) != PDICT_OK)
        goto done;
    for (size_t i = 0; i < contest.count && status == PDICT_OK; i++) {
        struct contestant *one = &contest.contestants[i];
        double hit_ratio;

        bench_progress("replay, %s", one->target.label);
        if ((status = contestant_open(&contest, one, false)) == PDICT_OK &&
            (status = contestant_sessions(one, 1, target_durability(&one->target, DRIVER_CRASH))) ==
                PDICT_OK &&
            (status = play(&replay, &contest, one, &hit_ratio)) == PDICT_OK)
            add_row(&contest, one, hit_ratio);
        contestant_close(one);
        if (status == PDICT_OK)
            status = bench_interrupted();
    }
    bench_progress_end();
    if (status == PDICT_OK)
        status = report_finish(in, contest.document);
done:
    replay_free(&replay);
    contest_close(&contest);
    return status;
}
