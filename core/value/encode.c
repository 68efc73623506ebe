/* SPDX-License-Identifier: MIT */
/* The way of a value into its record: checked, compressed and sealed. */
#include "value/dictionary.h"
#include "value/pipeline.h"

int pdict__value_too_big(const struct pipeline *pipeline, size_t size)
{
    return pdict_fail(PDICT_TOO_BIG,
                      "the value has %zu bytes, the map takes at most %llu (max_value); store "
                      "it in parts or in a map with a larger max_value",
                      size, (unsigned long long)pipeline->max_value);
}

static int check_value(const struct pipeline *pipeline, const pdict_serializer *serializer,
                       pdict_slice value)
{
    if (value.size > pipeline->max_value)
        return pdict__value_too_big(pipeline, value.size);
    return serializer->check ? serializer->check(value) : PDICT_OK;
}

/* The most that a value may be compressed to; 0: it is stored as it is in any case. */
static size_t most_packed(const struct compressor *writer, size_t size)
{
    size_t most;

    if (size == 0 || size < writer->smallest ||
        writer->codec->compressor->bound(writer->self, size) == 0)
        return 0;
    most = (size_t)((uint64_t)size * (100 - writer->gain) / 100);
    return most < size ? most : size - 1;
}

/* Compress to `out`, which has room for `capacity` bytes; *packed_size 0: it did not shrink. */
static int compress_with(struct pipeline *pipeline, struct workbench *bench,
                         const struct dictionary *dictionary, pdict_slice value, uint8_t *out,
                         size_t capacity, size_t *packed_size)
{
    const struct compressor *writer = bench->settings.generation->writer;
    const pdict_compressor *vtable = writer->codec->compressor;
    size_t size = 0;
    uint64_t began;
    void *context;
    int status;

    if ((status = pdict__bench_context(pipeline, bench, writer, &context)) != PDICT_OK)
        return status;
    began = pdict__stage_begin(&bench->counters);
    if (dictionary)
        status = vtable->encode_with(writer->self, context, dictionary->opened, value, out,
                                     capacity, &size);
    else
        status = vtable->encode(writer->self, context, value, out, capacity, &size);
    if (status == PDICT_SKIP || status == PDICT_OK)
        pdict__stage_end(&bench->counters, STAGE_COMPRESS, began, value.size,
                         status == PDICT_OK ? size : value.size);
    if (status == PDICT_SKIP)
        return PDICT_OK;
    if (status != PDICT_OK)
        return status;
    /* Behind its result a compressor may leave plaintext, and nothing would cover it. */
    if (bench->settings.generation->cipher)
        bench->settings.generation->cipher->wipe(out + size, capacity - size);
    *packed_size = size;
    return PDICT_OK;
}

static int compress(struct pipeline *pipeline, struct workbench *bench, pdict_slice value,
                    uint8_t *out, size_t *packed_size, uint16_t *number)
{
    struct compressor *writer = bench->settings.generation->writer;
    size_t capacity = writer ? most_packed(writer, value.size) : 0;
    const struct dictionary *dictionary;
    int status;

    *packed_size = 0;
    *number = 0;
    if (capacity == 0)
        return PDICT_OK;
    if ((status = pdict__dictionary_for_writing(pipeline, writer, &dictionary)) != PDICT_OK)
        return status;
    status = compress_with(pipeline, bench, dictionary, value, out, capacity, packed_size);
    if (dictionary && *packed_size > 0)
        *number = dictionary->number;
    return status;
}

/* `payload` may lie where it goes. */
static int seal(const struct generation *generation, uint8_t *record, pdict_slice bound,
                pdict_slice payload)
{
    const pdict_cipher *cipher = generation->cipher;
    uint8_t *nonce = record + RECORD_HEADER_SIZE;
    const void *key = pdict__keyring_data_key(generation->ring, generation->header.key_epoch);

    cipher->random(nonce, cipher->nonce_size);
    return cipher->seal(key, nonce, bound, payload, record + generation->payload_at);
}

static void append_checksum(const struct generation *generation, uint8_t *record, pdict_slice bound,
                            pdict_slice payload)
{
    uint8_t *at = record + generation->payload_at;

    if (payload.data != at)
        pdict__copy(at, payload.data, payload.size);
    payload.data = at;
    if (generation->trailer_size > 0)
        pdict__put64(at + payload.size, pdict__record_checksum(bound, payload));
}

/* The name in front of the value, which moves behind it unless it was compressed to there. */
static pdict_slice put_name(const struct pipeline *pipeline, pdict_slice name, pdict_slice value,
                            uint8_t *at)
{
    size_t named = pdict__name_room(pipeline, name);

    if (value.data != at + named)
        pdict__copy(at + named, value.data, value.size);
    pdict__name_write(name, at);
    return (pdict_slice){ at, named + value.size };
}

static int build(struct pipeline *pipeline, struct workbench *bench, const struct binding *binding,
                 pdict_slice name, pdict_slice value, size_t *record_size)
{
    const struct generation *generation = bench->settings.generation;
    size_t named = pdict__name_room(pipeline, name), packed_size;
    uint8_t *record = bench->record.data;
    uint8_t *value_at = record + generation->payload_at + named;
    struct record_header header = generation->header;
    pdict_slice payload = value, bound;
    uint64_t began;
    int status;

    status = compress(pipeline, bench, value, value_at, &packed_size, &header.dictionary);
    if (status != PDICT_OK)
        return status;
    header.plain_size = (uint32_t)value.size;
    if (packed_size > 0) {
        header.compressor = generation->writer->codec->id;
        payload = (pdict_slice){ value_at, packed_size };
    } else if (generation->writer) {
        header.flags |= RECORD_NOT_COMPRESSED;
    }
    if (named > 0)
        payload = put_name(pipeline, name, payload, record + generation->payload_at);
    pdict__record_header_write(&header, record);
    if ((status = pdict__bound_bytes(pipeline, bench, record, binding, &bound)) != PDICT_OK)
        return status;
    began = pdict__stage_begin(&bench->counters);
    if (generation->cipher)
        status = seal(generation, record, bound, payload);
    else
        append_checksum(generation, record, bound, payload);
    *record_size = generation->payload_at + payload.size + generation->trailer_size;
    pdict__stage_end(&bench->counters, STAGE_SEAL, began, payload.size, *record_size);
    return status;
}

int pdict__encode_named(struct pipeline *pipeline, struct workbench *bench,
                        const struct binding *binding, pdict_slice name, pdict_slice value,
                        pdict_slice *record)
{
    const struct generation *generation = bench->settings.generation;
    size_t most, size = 0;
    uint64_t began;
    int status;

    *record = (pdict_slice){ 0 };
    pdict__counters_turn(&bench->counters);
    began = pdict__stage_begin(&bench->counters);
    if ((status = check_value(pipeline, generation->serializer, value)) != PDICT_OK)
        return status;
    pdict__stage_end(&bench->counters, STAGE_CHECK, began, value.size, value.size);
    most = generation->payload_at + pdict__name_room(pipeline, name) + value.size +
           generation->trailer_size;
    if ((status = pdict__bench_room(pipeline, &bench->record, most)) != PDICT_OK)
        return status;
    if ((status = build(pipeline, bench, binding, name, value, &size)) != PDICT_OK)
        pdict__pipeline_erase(pipeline, bench->record.data, most);
    else
        *record = (pdict_slice){ bench->record.data, size };
    if (status == PDICT_OK)
        pdict__stage_end(&bench->counters, STAGE_ENCODE, began, value.size, size);
    return status;
}

int pdict__encode(struct pipeline *pipeline, struct workbench *bench, const struct binding *binding,
                  pdict_slice value, pdict_slice *record)
{
    if (pdict__hides_names(pipeline))
        return pdict_fail(PDICT_UNSUPPORTED, "the map hides its keys, so its records can only be "
                                             "made by who has them; dump the map and load it");
    return pdict__encode_named(pipeline, bench, binding, (pdict_slice){ 0 }, value, record);
}
