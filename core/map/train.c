/* SPDX-License-Identifier: MIT */
/* Dictionaries out of the values of a map: a bounded sample, training, storing what came of it. */
#include "base/calls.h"
#include "map/map.h"

#define DEFAULT_SAMPLE_BYTES ((uint64_t)8 << 20)
#define DEFAULT_MOST_BYTES   ((uint64_t)256 << 10)
#define LEAST_MOST_BYTES     ((uint64_t)4 << 10)
#define MOST_MOST_BYTES      ((uint64_t)256 << 10)

/* Smaller values are not compressed, and much of a larger one is in itself. */
#define SMALLEST_SAMPLE 32
#define LARGEST_SAMPLE  ((size_t)64 << 10)

/* By itself a map looks at so many rows at most. */
#define MOST_ROWS 20000

/* A progress callback is asked each so many rows. */
#define STEPS 256

struct training {
    pdict *d;
    pdict_train_options options;
    uint64_t most_rows; /* UINT64_MAX: all */
    struct samples samples;
    uint64_t every; /* of so many values one is taken */
    uint64_t seen;
};

/* ---- the sample ---- */

/* Keep every second one: the others still stand for the whole. */
static void thin_out(struct samples *samples)
{
    size_t *sizes = (size_t *)(void *)samples->sizes.data;
    uint8_t *from = samples->bytes.data, *to = from;
    size_t kept = 0;

    for (size_t i = 0; i < samples->count; i++) {
        size_t size = sizes[i];

        if (i % 2 == 0) {
            memmove(to, from, size);
            to += size;
            sizes[kept++] = size;
        }
        from += size;
    }
    samples->count = kept;
    samples->bytes.size = (size_t)(to - samples->bytes.data);
    samples->sizes.size = kept * sizeof(*sizes);
}

static int take_sample(struct training *training, pdict_slice value)
{
    struct samples *samples = &training->samples;
    int status;

    if (value.size < SMALLEST_SAMPLE || value.size > LARGEST_SAMPLE ||
        training->seen++ % training->every != 0)
        return PDICT_OK;
    if ((status = pdict__buf_append(&samples->bytes, value.data, value.size)) != PDICT_OK)
        return status;
    if ((status = pdict__buf_append(&samples->sizes, &value.size, sizeof(value.size))) != PDICT_OK)
        return status;
    samples->count++;
    if (samples->bytes.size > training->options.sample_bytes) {
        thin_out(samples);
        training->every *= 2;
    }
    return PDICT_OK;
}

static int tell(const struct training *training, uint64_t done, uint64_t total)
{
    const pdict_train_options *options = &training->options;
    int answer = 0;

    if (options->progress) {
        pdict__callback_begin();
        answer = options->progress(options->progress_ctx, "sample", done, total);
        pdict__callback_end();
    }
    if (answer == 0)
        return PDICT_OK;
    return pdict_fail(PDICT_CANCELLED, "train: cancelled by the caller; nothing was stored");
}

/* A damaged record teaches nothing, and is none of this call's business. */
static int walk(struct training *training, pdict_iter *iter, uint64_t total)
{
    pdict_entry entry;
    int status = PDICT_OK;

    for (uint64_t row = 0; status == PDICT_OK && row < training->most_rows; row++) {
        if (row % STEPS == 0 && (status = tell(training, row, total)) != PDICT_OK)
            return status;
        status = pdict_iter_next(iter, &entry);
        if (status == PDICT_END)
            return tell(training, row, total);
        if (status == PDICT_OK)
            status = take_sample(training, entry.value);
        else if (status != PDICT_NOMEM && status != PDICT_IO && status != PDICT_BUSY)
            status = PDICT_OK;
    }
    return status;
}

static int gather(struct training *training)
{
    pdict_range range = PDICT_RANGE_INIT;
    pdict_iter *iter = NULL;
    uint64_t total;
    int status = pdict_count(training->d, &total);

    if (training->most_rows != UINT64_MAX)
        range.flags = PDICT_REVERSE;
    if (status == PDICT_OK)
        status = pdict_iter_open(training->d, &range, &iter);
    if (status == PDICT_OK)
        status = walk(training, iter, total);
    pdict_iter_close(iter);
    return status;
}

/* ---- storing ---- */

struct addition {
    const struct map *map;
    pdict_slice bytes;
    uint16_t number;
};

static int add_inside(void *ctx, struct store *store, void *txn)
{
    struct addition *addition = ctx;
    const struct map *map = addition->map;
    struct buf out = { .allocator = &store->allocator };
    pdict_slice stored = { 0 }, name = pdict_str(SYSTEM_DICTIONARIES);
    int status = store->backend->system_get(store->engine, txn, map->number, name, &stored);

    if (status == PDICT_NOTFOUND)
        stored = (pdict_slice){ 0 };
    else if (status != PDICT_OK)
        return status;
    status =
        pdict__dictionaries_add(map->pipeline, stored, addition->bytes, &out, &addition->number);
    if (status == PDICT_OK && addition->number != 0)
        status = store->backend->system_put(store->engine, txn, map->number, name,
                                            pdict_bytes(out.data, out.size));
    pdict__buf_free(&out);
    return status;
}

static int try_to_add(pdict *d, struct addition *addition)
{
    struct commit commit = { .durability = PDICT_FULL_SYNC,
                             .timeout_ms = d->timeout_ms,
                             .generation = atomic_load(&pdict__settings(d->map)->number),
                             .work = add_inside,
                             .changes_settings = true,
                             .keeps_rows = true,
                             .ctx = addition };

    return pdict__commit(d->map->store, &commit);
}

/* Committed before it is used: no record ever names one that is not there. */
static int add(pdict *d, struct addition *addition)
{
    int status = COMMIT_STALE;

    while (status == COMMIT_STALE && (status = pdict__settings_check(d)) == PDICT_OK)
        status = try_to_add(d, addition);
    return status == PDICT_OK ? pdict__dictionaries_load(d->map->pipeline) : status;
}

/* ---- training ---- */

/* It may take seconds, which a fork need not wait for. */
static int make(const struct training *training, struct trained *trained)
{
    bool is_away = pdict__call_pause();
    int status = pdict__train(training->d->map->pipeline, &training->samples,
                              (size_t)training->options.most_bytes, trained);

    if (is_away)
        pdict__call_resume();
    return status;
}

static int train(struct training *training, pdict_train_result *result)
{
    pdict *d = training->d;
    const pdict_allocator *allocator = &d->map->store->allocator;
    const pdict_codec *cipher = pdict__descriptor_cipher(&pdict__settings(d->map)->descriptor);
    void (*wipe)(void *, size_t) = cipher ? cipher->cipher->wipe : NULL;
    struct trained trained = { .bytes = { .allocator = allocator, .wipe = wipe } };
    struct addition addition = { .map = d->map };
    int status;

    training->every = 1;
    training->samples.bytes.allocator = training->samples.sizes.allocator = allocator;
    training->samples.bytes.wipe = wipe;
    status = gather(training);
    if (status == PDICT_OK)
        status = make(training, &trained);
    addition.bytes = pdict_bytes(trained.bytes.data, trained.bytes.size);
    if (status == PDICT_OK && trained.bytes.size > 0)
        status = add(d, &addition);
    *result = (pdict_train_result){
        .number = addition.number,
        .dictionary_bytes = trained.bytes.size,
        .samples = training->samples.count,
        .sample_bytes = training->samples.bytes.size,
        .held_out_bytes = trained.held_out,
        .without_bytes = trained.without,
        .with_bytes = trained.with,
    };
    pdict__train_free(&training->samples, &trained);
    return status;
}

static int take_options(const pdict_train_options *given, pdict_train_options *out)
{
    *out = (pdict_train_options)PDICT_TRAIN_OPTIONS_INIT;
    if (given && given->struct_size < sizeof(given->struct_size))
        return pdict_fail(PDICT_INVAL, "train: set struct_size, see PDICT_TRAIN_OPTIONS_INIT");
    if (given)
        memcpy(out, given, given->struct_size < sizeof(*out) ? given->struct_size : sizeof(*out));
    if (out->sample_bytes == 0)
        out->sample_bytes = DEFAULT_SAMPLE_BYTES;
    if (out->most_bytes == 0)
        out->most_bytes = DEFAULT_MOST_BYTES;
    if (out->most_bytes < LEAST_MOST_BYTES || out->most_bytes > MOST_MOST_BYTES)
        return pdict_fail(PDICT_INVAL, "train: a dictionary has at most 4 KiB to 256 KiB");
    return PDICT_OK;
}

int pdict_train(pdict *d, const pdict_train_options *options, pdict_train_result *out)
{
    struct training training = { .d = d, .most_rows = UINT64_MAX };
    pdict_train_result result;
    size_t known;
    int status = pdict__not_inside(d, "pdict_train");

    if (status == PDICT_OK)
        status = take_options(options, &training.options);
    if (status == PDICT_OK && d->is_read_only)
        status = pdict_fail(PDICT_READ_ONLY, "%s: this handle was opened with mode=ro",
                            d->map->store->path);
    if (status == PDICT_OK)
        status = train(&training, &result);
    if (status != PDICT_OK || !out)
        return status;
    known = out->struct_size < sizeof(result) ? out->struct_size : sizeof(result);
    result.struct_size = out->struct_size;
    memcpy(out, &result, known);
    return PDICT_OK;
}

/* The newest rows say what is to come. */
int pdict__train_newest(pdict *d, pdict_train_result *result)
{
    struct training training = { .d = d, .most_rows = MOST_ROWS };
    int status = take_options(NULL, &training.options);

    return status == PDICT_OK ? train(&training, result) : status;
}
