/* SPDX-License-Identifier: MIT */
/* The settings of a pipeline: made, replaced while it is used, kept until it is closed. */
#include "value/dictionary.h"
#include "value/pipeline.h"

/* ---- one generation ---- */

static void describe_records(struct generation *generation, const struct pipeline_config *config)
{
    const struct descriptor *descriptor = config->descriptor;

    generation->serializer = descriptor->serializer->serializer;
    generation->header.serializer = descriptor->serializer->id;
    generation->payload_at = RECORD_HEADER_SIZE;
    if (descriptor->cipher) {
        generation->cipher = descriptor->cipher->cipher;
        generation->header.cipher = descriptor->cipher->id;
        generation->header.key_epoch = pdict__keyring_active_epoch(config->ring);
        generation->payload_at += generation->cipher->nonce_size;
        generation->trailer_size = generation->cipher->tag_size;
        if (descriptor->hides_names)
            generation->header.flags = RECORD_HOLDS_KEY;
    } else if (descriptor->has_checksum) {
        generation->header.checksum = CHECKSUM_XXH3;
        generation->trailer_size = RECORD_CHECKSUM_SIZE;
    }
}

static void describe_taken(struct generation *generation, const struct descriptor *descriptor)
{
    const pdict_codec *cipher = pdict__descriptor_cipher(descriptor);

    generation->takes_unchecked = !descriptor->has_checksum;
    generation->takes_plain =
        !descriptor->cipher || (descriptor->is_converting && !descriptor->from_cipher);
    if (cipher) {
        generation->sealed_id = cipher->id;
        generation->opener = cipher->cipher;
    }
    if (descriptor->is_converting && descriptor->from_serializer != descriptor->serializer) {
        generation->from_id = descriptor->from_serializer->id;
        generation->from_serializer = descriptor->from_serializer->serializer;
    }
}

static uint64_t hash_set(const struct option_set *set, uint64_t hash)
{
    for (size_t i = 0; i < set->count; i++) {
        const pdict_option_value *value = &set->values[i];

        hash = pdict__hash64(&value->number, sizeof(value->number), hash);
        if (value->text)
            hash = pdict__hash64(value->text, strlen(value->text), hash);
    }
    return hash;
}

static uint64_t hash_options(const struct codec_choice *choice)
{
    return hash_set(&choice->worth, hash_set(&choice->options, 0));
}

/* Settings that come again find the compressor that they had. */
static int find_writer(struct pipeline *pipeline, const struct codec_choice *choice,
                       struct compressor **out)
{
    uint64_t hash = hash_options(choice);
    int status;

    for (*out = atomic_load_explicit(&pipeline->compressors, memory_order_acquire); *out;
         *out = (*out)->next) {
        if ((*out)->codec == choice->codec && (*out)->options_hash == hash)
            return PDICT_OK;
    }
    pthread_mutex_lock(&pipeline->opening);
    status = pdict__compressor_open(pipeline, choice->codec, choice->options.values, out);
    if (status == PDICT_OK) {
        (*out)->options_hash = hash;
        (*out)->smallest = (size_t)choice->worth.values[WORTH_SMALLEST].number;
        (*out)->gain = (unsigned)choice->worth.values[WORTH_GAIN].number;
    }
    pthread_mutex_unlock(&pipeline->opening);
    return status;
}

static int generation_new(struct pipeline *pipeline, const struct pipeline_config *config,
                          struct generation **out)
{
    const struct codec_choice *choice = &config->codecs->compressor;
    struct generation *generation = pdict__calloc(pipeline->allocator, 1, sizeof(*generation));
    int status;

    if (!generation)
        return PDICT_NOMEM;
    describe_records(generation, config);
    describe_taken(generation, config->descriptor);
    atomic_init(&generation->number, config->number);
    if (choice->codec &&
        (status = find_writer(pipeline, choice, &generation->writer)) != PDICT_OK) {
        pdict__free(pipeline->allocator, generation);
        return status;
    }
    generation->ring = config->ring;
    *out = generation;
    return PDICT_OK;
}

/* ---- of a pipeline ---- */

int pdict__pipeline_renew(struct pipeline *pipeline, const struct pipeline_config *config)
{
    struct generation *generation;
    int status = generation_new(pipeline, config, &generation);

    if (status != PDICT_OK)
        return status;
    generation->before = pdict__generation_of(pipeline);
    if (generation->opener)
        atomic_store_explicit(&pipeline->wiper, generation->opener, memory_order_release);
    atomic_store_explicit(&pipeline->current, generation, memory_order_release);
    return PDICT_OK;
}

void pdict__pipeline_renumber(struct pipeline *pipeline, uint64_t number)
{
    atomic_store_explicit(&pdict__generation_of(pipeline)->number, number, memory_order_release);
}

/* Its number may grow meanwhile, so it is noted now. */
struct generation_ref pdict__pipeline_settings(const struct pipeline *pipeline)
{
    struct generation *generation = pdict__generation_of(pipeline);

    return (struct generation_ref){ generation, atomic_load_explicit(&generation->number,
                                                                     memory_order_acquire) };
}

const struct keyring *pdict__pipeline_ring(const struct pipeline *pipeline)
{
    return pdict__generation_of(pipeline)->ring;
}

static void generations_free(struct pipeline *pipeline)
{
    struct generation *at = pdict__generation_of(pipeline);

    while (at) {
        struct generation *before = at->before;

        pdict__keyring_free(at->ring);
        pdict__free(pipeline->allocator, at);
        at = before;
    }
}

int pdict__pipeline_open(const struct pipeline_config *config, struct pipeline **out)
{
    const struct descriptor *descriptor = config->descriptor;
    struct pipeline *pipeline = pdict__calloc(config->allocator, 1, sizeof(*pipeline));
    int status;

    *out = NULL;
    if (!pipeline)
        return PDICT_NOMEM;
    pipeline->allocator = config->allocator;
    if (pthread_mutex_init(&pipeline->opening, NULL) != 0 ||
        pthread_mutex_init(&pipeline->benches_lock, NULL) != 0) {
        pdict__free(config->allocator, pipeline);
        return pdict__nomem(sizeof(pipeline->opening));
    }
    memcpy(pipeline->map_id, descriptor->map_id, MAP_ID_SIZE);
    pipeline->max_value =
        descriptor->max_value < UINT32_MAX ? descriptor->max_value : (uint64_t)UINT32_MAX;
    pipeline->read_dictionaries = config->read_dictionaries;
    pipeline->refresh = config->refresh;
    pipeline->ctx = config->ctx;
    if ((status = pdict__pipeline_renew(pipeline, config)) == PDICT_OK)
        *out = pipeline;
    else
        pdict__pipeline_close(pipeline);
    return status;
}

void pdict__pipeline_close(struct pipeline *pipeline)
{
    struct compressor *at;

    if (!pipeline)
        return;
    pdict__pipeline_trim(pipeline);
    pdict__dictionaries_free(pipeline,
                             atomic_load_explicit(&pipeline->dictionaries, memory_order_acquire));
    at = atomic_load_explicit(&pipeline->compressors, memory_order_acquire);
    while (at) {
        struct compressor *next = at->next;

        at->codec->compressor->close(at->self);
        pdict__free(pipeline->allocator, at);
        at = next;
    }
    generations_free(pipeline);
    pthread_mutex_destroy(&pipeline->benches_lock);
    pthread_mutex_destroy(&pipeline->opening);
    pdict__free(pipeline->allocator, pipeline);
}
