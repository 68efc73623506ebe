/* SPDX-License-Identifier: MIT */
/* A slice: the operations of all threads for one sample, drawn before the clock starts. */
#include "workloads/run.h"

#include <stdlib.h>

static bool makes_keys(const struct workload *workload)
{
    return workload->percent[RUN_INSERT] > 0 || workload->percent[RUN_MISS] > 0;
}

static int thread_make(struct slice_thread *thread, const struct slice *slice)
{
    thread->keys = malloc(slice->room * sizeof *thread->keys);
    thread->operations = malloc(slice->room);
    if (makes_keys(slice->workload))
        thread->new_keys = malloc(slice->room * slice->data->stride);
    if (!thread->keys || !thread->operations || (makes_keys(slice->workload) && !thread->new_keys))
        return driver_no_memory("operations");
    return PDICT_OK;
}

int slice_make(struct slice *slice, const struct workload *workload, const struct run_data *data,
               size_t n_threads, size_t room)
{
    int status = PDICT_OK;

    *slice =
        (struct slice){ .workload = workload, .data = data, .n_threads = n_threads, .room = room };
    for (size_t i = 0; i < n_threads && status == PDICT_OK; i++)
        status = thread_make(&slice->threads[i], slice);
    if (status != PDICT_OK)
        slice_free(slice);
    return status;
}

void slice_free(struct slice *slice)
{
    for (size_t i = 0; i < slice->n_threads; i++) {
        free(slice->threads[i].keys);
        free(slice->threads[i].operations);
        free(slice->threads[i].new_keys);
    }
    slice->n_threads = 0;
}

static int draw_operation(const struct workload *workload, struct bench_rng *rng)
{
    unsigned at = (unsigned)bench_rng_below(rng, 100);
    unsigned sum = 0;

    for (int i = 0; i < RUN_OPERATIONS; i++) {
        sum += workload->percent[i];
        if (at < sum)
            return i;
    }
    return RUN_GET;
}

/* Everything that the drawing of one thread needs. */
struct drawing {
    const struct slice *slice;
    struct slice_thread *thread;
    struct bench_draw draw;
    struct bench_rng rng;
    uint64_t next_new;    /* number of the next new key */
    size_t n_new;         /* made so far in this slice */
    uint64_t next_victim; /* place of the next key to delete */
};

static const char *make_key(struct drawing *at, uint64_t number)
{
    char *bytes = at->thread->new_keys + at->n_new * at->slice->data->stride;

    run_data_key(at->slice->data, number, bytes);
    at->n_new++;
    return bytes;
}

static const char *loaded_key(const struct drawing *at, uint64_t place)
{
    return at->slice->data->keys + place * at->slice->data->stride;
}

/* The latest are the inserts of this slice that come before, then the loaded keys backwards. */
static const char *latest_key(struct drawing *at)
{
    uint64_t age = bench_draw_rank(&at->draw, &at->rng);

    if (age < at->n_new)
        return at->thread->new_keys + (at->n_new - 1 - age) * at->slice->data->stride;
    return loaded_key(at, at->slice->data->n_keys - 1 - (age - at->n_new));
}

static const char *draw_key(struct drawing *at, int operation)
{
    switch (operation) {
    case RUN_INSERT:
        return make_key(at, at->next_new++);
    case RUN_MISS: /* numbers so high that no insert comes there */
        return make_key(at, (UINT64_C(1) << 39) + bench_rng_below(&at->rng, UINT64_C(1) << 38));
    case RUN_DELETE:
        return loaded_key(at, at->next_victim++);
    default:
        if (at->draw.kind == BENCH_LATEST)
            return latest_key(at);
        return loaded_key(at, bench_draw_next(&at->draw, &at->rng));
    }
}

static void draw_thread(struct drawing *at, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int operation = draw_operation(at->slice->workload, &at->rng);

        at->thread->operations[i] = (unsigned char)operation;
        at->thread->keys[i] = draw_key(at, operation);
    }
    at->thread->count = count;
}

void slice_draw(struct slice *slice, const struct run_settings *settings, uint64_t number,
                uint64_t of, uint64_t first_new)
{
    const struct workload *workload = slice->workload;
    int kind = settings->distribution >= 0 ? settings->distribution : workload->distribution;
    size_t n = slice->data->n_keys;
    size_t victims = n / (of * slice->n_threads);
    size_t count = slice->room;

    if (workload->hot_keys && workload->hot_keys < n)
        n = workload->hot_keys;
    if (workload->percent[RUN_DELETE] > 0 && victims < count)
        count = victims;
    slice->number = number;
    for (size_t i = 0; i < slice->n_threads; i++) {
        struct drawing at = { .slice = slice, .thread = &slice->threads[i] };

        bench_draw_init(&at.draw, (enum bench_distribution)kind, n, settings->seed);
        bench_rng_seed(&at.rng, settings->seed, number * RUN_THREADS + i + 100);
        at.next_new = first_new + i * slice->room;
        at.next_victim = (number * slice->n_threads + i) * victims;
        at.thread->seed = bench_rng_next(&at.rng);
        draw_thread(&at, count);
    }
}
