/* SPDX-License-Identifier: MIT */
/* What stays warm from call to call: opened compressors, and benches of scratch and contexts. */
#include "base/calls.h"
#include "value/pipeline.h"

/* A bench that came to hold more gives all its scratch back. */
#define MOST_SCRATCH ((size_t)1 << 20)

/* Growth in steps, so that a bench is warm after few values of different sizes. */
#define SCRATCH_STEP 4096

/* Threads begin their search at different places: alone a thread always finds its own bench. */
static atomic_uint next_home;
static _Thread_local unsigned home; /* 0: not given yet */

static unsigned home_of_thread(void)
{
    if (home == 0)
        home = atomic_fetch_add_explicit(&next_home, 1, memory_order_relaxed) % IDLE_BENCHES + 1;
    return home - 1;
}

/* ---- compressors ---- */

int pdict__compressor_open(struct pipeline *pipeline, const pdict_codec *codec,
                           const pdict_option_value *options, struct compressor **out)
{
    pdict_codec_args args = { .struct_size = sizeof(args),
                              .options = options,
                              .allocator = *pipeline->allocator };
    struct compressor *compressor = pdict__alloc(pipeline->allocator, sizeof(*compressor));
    int status;

    if (!compressor)
        return PDICT_NOMEM;
    *compressor = (struct compressor){ .codec = codec };
    if ((status = codec->compressor->open(&args, &compressor->self)) != PDICT_OK) {
        pdict__free(pipeline->allocator, compressor);
        return status;
    }
    compressor->next = atomic_load_explicit(&pipeline->compressors, memory_order_relaxed);
    atomic_store_explicit(&pipeline->compressors, compressor, memory_order_release);
    *out = compressor;
    return PDICT_OK;
}

static struct compressor *compressor_opened(struct pipeline *pipeline, uint8_t id)
{
    struct compressor *at = atomic_load_explicit(&pipeline->compressors, memory_order_acquire);

    while (at && at->codec->id != id)
        at = at->next;
    return at;
}

/* Decoding depends on no option, so a compressor of older records is opened with its defaults. */
static int open_for_reading(struct pipeline *pipeline, const pdict_codec *codec,
                            struct compressor **out)
{
    struct option_set defaults = { 0 };
    int status = pdict__options_init(&defaults, codec->options, pipeline->allocator);

    if (status == PDICT_OK)
        status = pdict__compressor_open(pipeline, codec, defaults.values, out);
    pdict__options_free(&defaults);
    return status;
}

int pdict__compressor_for_reading(struct pipeline *pipeline, uint8_t id, struct compressor **out)
{
    const pdict_codec *codec;
    int status = PDICT_OK;

    if ((*out = compressor_opened(pipeline, id)))
        return PDICT_OK;
    if (!(codec = pdict__codec_by_id(PDICT_COMPRESSOR, id)))
        return pdict_fail(PDICT_UNKNOWN_CODEC,
                          "the record is compressed by the codec with id %u, which this build does "
                          "not have; use a build that has it",
                          id);
    pthread_mutex_lock(&pipeline->opening);
    if (!(*out = compressor_opened(pipeline, id)))
        status = open_for_reading(pipeline, codec, out);
    pthread_mutex_unlock(&pipeline->opening);
    return status;
}

/* ---- benches ---- */

void pdict__pipeline_erase(const struct pipeline *pipeline, void *memory, size_t size)
{
    const pdict_cipher *wiper = pdict__wiper(pipeline);

    if (size == 0)
        return;
    if (wiper)
        wiper->wipe(memory, size);
    else
        memset(memory, 0, size);
}

int pdict__bench_room(const struct pipeline *pipeline, struct buf *buf, size_t size)
{
    int status;

    if (size >= buf->capacity) {
        /* Growing in place would leave a copy behind and keep content that nobody wants. */
        pdict__pipeline_erase(pipeline, buf->data, buf->size);
        pdict__buf_free(buf);
        if (size > SIZE_MAX - SCRATCH_STEP)
            return pdict__nomem(size);
        status = pdict__buf_reserve(buf, (size / SCRATCH_STEP + 1) * SCRATCH_STEP);
        if (status != PDICT_OK)
            return status;
    }
    if (buf->size < size)
        buf->size = size;
    return PDICT_OK;
}

void pdict__bench_erase(const struct pipeline *pipeline, struct workbench *bench)
{
    pdict__pipeline_erase(pipeline, bench->packed.data, bench->packed.size);
    pdict__pipeline_erase(pipeline, bench->value.data, bench->value.size);
    pdict__pipeline_erase(pipeline, bench->turned.data, bench->turned.size);
    bench->packed.size = bench->value.size = bench->turned.size = 0;
    bench->name = (pdict_slice){ 0 };
}

pdict_slice pdict__bench_name(const struct workbench *bench)
{
    return bench->name;
}

int pdict__bench_context(const struct pipeline *pipeline, struct workbench *bench,
                         const struct compressor *compressor, void **memory)
{
    const pdict_compressor *vtable = compressor->codec->compressor;
    struct context *context;
    int status;

    for (context = bench->contexts; context; context = context->next) {
        if (context->compressor == compressor) {
            *memory = context->memory;
            return PDICT_OK;
        }
    }
    if (!(context = pdict__alloc(pipeline->allocator, sizeof(*context))))
        return PDICT_NOMEM;
    if ((status = vtable->context_new(compressor->self, memory)) != PDICT_OK) {
        pdict__free(pipeline->allocator, context);
        return status;
    }
    *context =
        (struct context){ .compressor = compressor, .memory = *memory, .next = bench->contexts };
    bench->contexts = context;
    return PDICT_OK;
}

static void scratch_free(struct workbench *bench)
{
    pdict__buf_free(&bench->bound);
    pdict__buf_free(&bench->record);
    pdict__buf_free(&bench->packed);
    pdict__buf_free(&bench->value);
    pdict__buf_free(&bench->turned);
}

static void enlist(struct pipeline *pipeline, struct workbench *bench)
{
    pthread_mutex_lock(&pipeline->benches_lock);
    bench->next = pipeline->benches;
    pipeline->benches = bench;
    pthread_mutex_unlock(&pipeline->benches_lock);
}

/* What it has counted is kept. */
static void delist(struct pipeline *pipeline, struct workbench *bench)
{
    struct workbench **link = &pipeline->benches;

    pthread_mutex_lock(&pipeline->benches_lock);
    while (*link != bench)
        link = &(*link)->next;
    *link = bench->next;
    pdict__counters_add(&bench->counters, pipeline->sums);
    pthread_mutex_unlock(&pipeline->benches_lock);
}

void pdict__pipeline_sums(struct pipeline *pipeline, struct stage_sum *sums)
{
    pthread_mutex_lock(&pipeline->benches_lock);
    memcpy(sums, pipeline->sums, sizeof(pipeline->sums));
    for (const struct workbench *bench = pipeline->benches; bench; bench = bench->next)
        pdict__counters_add(&bench->counters, sums);
    pthread_mutex_unlock(&pipeline->benches_lock);
}

static void bench_free(struct pipeline *pipeline, struct workbench *bench)
{
    delist(pipeline, bench);
    while (bench->contexts) {
        struct context *context = bench->contexts;
        const struct compressor *compressor = context->compressor;

        bench->contexts = context->next;
        compressor->codec->compressor->context_free(compressor->self, context->memory);
        pdict__free(pipeline->allocator, context);
    }
    scratch_free(bench);
    pdict__free(pipeline->allocator, bench);
}

static struct workbench *bench_new(struct pipeline *pipeline)
{
    struct workbench *bench = pdict__calloc(pipeline->allocator, 1, sizeof(*bench));

    if (!bench)
        return NULL;
    bench->bound.allocator = bench->record.allocator = bench->packed.allocator =
        bench->value.allocator = bench->turned.allocator = pipeline->allocator;
    enlist(pipeline, bench);
    return bench;
}

struct generation_ref pdict__bench_settings(const struct workbench *bench)
{
    return bench->settings;
}

void pdict__bench_keep_to(struct workbench *bench, struct generation_ref settings)
{
    bench->settings = settings;
}

void pdict__bench_renew(const struct pipeline *pipeline, struct workbench *bench)
{
    bench->settings = pdict__pipeline_settings(pipeline);
}

static struct workbench *take(struct pipeline *pipeline)
{
    unsigned first = home_of_thread();

    for (unsigned i = 0; i < IDLE_BENCHES; i++) {
        struct idle_place *place = &pipeline->idle[(first + i) % IDLE_BENCHES];
        struct workbench *bench;

        if (!atomic_load_explicit(&place->bench, memory_order_relaxed))
            continue;
        bench = atomic_exchange_explicit(&place->bench, NULL, memory_order_acquire);
        if (bench)
            return bench;
    }
    return bench_new(pipeline);
}

/* Who has a bench is inside a call: making one, and what is done on it, takes locks. */
struct workbench *pdict__bench_take(struct pipeline *pipeline)
{
    struct workbench *bench;

    pdict__call_begin();
    bench = take(pipeline);
    if (bench)
        pdict__bench_renew(pipeline, bench);
    else
        pdict__call_end();
    return bench;
}

static void give(struct pipeline *pipeline, struct workbench *bench)
{
    unsigned first = home_of_thread();

    if (pdict__wiper(pipeline))
        pdict__bench_erase(pipeline, bench);
    if (bench->bound.capacity + bench->record.capacity + bench->packed.capacity +
            bench->value.capacity + bench->turned.capacity >
        MOST_SCRATCH)
        scratch_free(bench);
    for (unsigned i = 0; i < IDLE_BENCHES; i++) {
        struct idle_place *place = &pipeline->idle[(first + i) % IDLE_BENCHES];
        struct workbench *none = NULL;

        if (!atomic_load_explicit(&place->bench, memory_order_relaxed) &&
            atomic_compare_exchange_strong_explicit(&place->bench, &none, bench,
                                                    memory_order_release, memory_order_relaxed))
            return;
    }
    bench_free(pipeline, bench);
}

void pdict__bench_give(struct pipeline *pipeline, struct workbench *bench)
{
    give(pipeline, bench);
    pdict__call_end();
}

void pdict__pipeline_trim(struct pipeline *pipeline)
{
    for (unsigned i = 0; i < IDLE_BENCHES; i++) {
        struct workbench *bench =
            atomic_exchange_explicit(&pipeline->idle[i].bench, NULL, memory_order_acquire);

        if (bench)
            bench_free(pipeline, bench);
    }
}
