/* SPDX-License-Identifier: MIT */
/* The way of a value out of its record: its tag or checksum first, unpacked then. */
#include "value/dictionary.h"
#include "value/pipeline.h"

static int malformed(const char *what)
{
    return pdict_fail(PDICT_FORMAT,
                      "malformed record: %s; restore the entry from a backup or delete it", what);
}

/* The map says which records may lie in it; what a record says of itself is hostile until its tag
 * or checksum was found right. */
static int check_policy(const struct pipeline *pipeline, const struct generation *generation,
                        const struct record_header *header)
{
    unsigned holds_key = header->flags & RECORD_HOLDS_KEY;

    if (header->cipher == 0 && !generation->takes_plain)
        return pdict_fail(PDICT_DOWNGRADE,
                          "a plain record lies in an encrypted map, somebody put it there; restore "
                          "the entry from a backup or delete it");
    if (header->cipher != 0 && header->cipher != generation->sealed_id)
        return malformed("it is sealed by another cipher than the map's");
    if (header->cipher == 0 && header->checksum == CHECKSUM_NONE && !generation->takes_unchecked)
        return malformed("it has no checksum, and all records of the map have one");
    if (holds_key != (generation->header.flags & RECORD_HOLDS_KEY))
        return malformed("it names its key in another way than the map");
    if (header->serializer != generation->header.serializer &&
        (header->serializer != generation->from_id || generation->from_id == 0))
        return malformed("it has another serializer than the map");
    if (header->plain_size > pipeline->max_value)
        return pdict_fail(PDICT_TOO_BIG,
                          "the record claims a value of %lu bytes, the map takes at most %llu "
                          "(max_value); restore the entry from a backup or delete it",
                          (unsigned long)header->plain_size,
                          (unsigned long long)pipeline->max_value);
    return PDICT_OK;
}

/* A record taken apart. */
struct parts {
    struct record_header header;
    const pdict_cipher *cipher; /* NULL: not sealed */
    const uint8_t *nonce;
    pdict_slice payload; /* without the tag */
    const uint8_t *trailer;
    struct compressor *compressor;       /* NULL: none */
    const struct dictionary *dictionary; /* NULL: none */
};

static int split(pdict_slice record, struct parts *parts)
{
    const struct record_header *header = &parts->header;
    size_t nonce_size = parts->cipher ? parts->cipher->nonce_size : 0;
    size_t trailer_size = header->checksum == CHECKSUM_XXH3 ? RECORD_CHECKSUM_SIZE : 0;
    size_t left = record.size - RECORD_HEADER_SIZE;

    if (parts->cipher)
        trailer_size = parts->cipher->tag_size;
    if (left < nonce_size + trailer_size)
        return malformed("it ends early");
    parts->nonce = (const uint8_t *)record.data + RECORD_HEADER_SIZE;
    parts->payload = (pdict_slice){ parts->nonce + nonce_size, left - nonce_size - trailer_size };
    parts->trailer = parts->nonce + nonce_size + parts->payload.size;
    /* Behind a key it can be told only when the seal is open. */
    if (header->flags & RECORD_HOLDS_KEY)
        return PDICT_OK;
    return pdict__record_check_sizes(header, parts->payload.size);
}

/* All that can be asked before tag or checksum. */
static int take_apart(struct pipeline *pipeline, const struct generation *generation,
                      pdict_slice record, struct parts *parts)
{
    int status;

    *parts = (struct parts){ 0 };
    if ((status = pdict__record_header_read(record, &parts->header)) != PDICT_OK)
        return status;
    if ((status = check_policy(pipeline, generation, &parts->header)) != PDICT_OK)
        return status;
    parts->cipher = parts->header.cipher != 0 ? generation->opener : NULL;
    if (parts->header.compressor != 0)
        status =
            pdict__compressor_for_reading(pipeline, parts->header.compressor, &parts->compressor);
    if (status == PDICT_OK && parts->header.dictionary != 0)
        status = pdict__dictionary_for_reading(pipeline, &parts->header, &parts->dictionary);
    return status == PDICT_OK ? split(record, parts) : status;
}

/* Where the value goes; NULL when there is no memory. */
static void *target(const struct pipeline *pipeline, struct workbench *bench,
                    const struct sink *sink, size_t size)
{
    if (sink)
        return sink->reserve(sink->ctx, size);
    return pdict__bench_room(pipeline, &bench->value, size) == PDICT_OK ? bench->value.data : NULL;
}

static int decompress(struct pipeline *pipeline, struct workbench *bench, const struct parts *parts,
                      pdict_slice packed, void *out, size_t size)
{
    const struct compressor *compressor = parts->compressor;
    const pdict_compressor *vtable = compressor->codec->compressor;
    void *context;
    uint64_t began;
    int status = pdict__bench_context(pipeline, bench, compressor, &context);

    if (status != PDICT_OK)
        return status;
    began = pdict__stage_begin(&bench->counters);
    if (parts->dictionary)
        status = vtable->decode_with(compressor->self, context, parts->dictionary->opened, packed,
                                     out, size);
    else
        status = vtable->decode(compressor->self, context, packed, out, size);
    if (status == PDICT_OK)
        pdict__stage_end(&bench->counters, STAGE_DECOMPRESS, began, packed.size, size);
    return status;
}

static int open_sealed(struct workbench *bench, const struct parts *parts, pdict_slice bound,
                       void *out)
{
    uint64_t began = pdict__stage_begin(&bench->counters);
    const pdict_cipher *cipher = parts->cipher;
    const void *key =
        pdict__keyring_data_key(bench->settings.generation->ring, parts->header.key_epoch);
    pdict_slice sealed = { parts->payload.data, parts->payload.size + cipher->tag_size };
    int status;

    if (!key)
        return pdict_fail(PDICT_AUTH,
                          "the record is sealed under key epoch %u, which the keyring does not "
                          "hold; restore the entry from a backup or delete it",
                          parts->header.key_epoch);
    status = cipher->open(key, parts->nonce, bound, sealed, out);
    if (status == PDICT_OK)
        pdict__stage_end(&bench->counters, STAGE_OPEN, began, sealed.size, parts->payload.size);
    return status;
}

static int verify_checksum(struct workbench *bench, const struct parts *parts, pdict_slice bound)
{
    uint64_t began = pdict__stage_begin(&bench->counters);
    size_t size = parts->payload.size;

    if (parts->header.checksum == CHECKSUM_NONE ||
        pdict__get64(parts->trailer) == pdict__record_checksum(bound, parts->payload)) {
        pdict__stage_end(&bench->counters, STAGE_OPEN, began, size + RECORD_CHECKSUM_SIZE, size);
        return PDICT_OK;
    }
    return pdict_fail(PDICT_CHECKSUM, "the record does not match its checksum; restore the entry "
                                      "from a backup or delete it");
}

/* Decompress or copy what was checked to where the value goes. */
static int deliver(struct pipeline *pipeline, struct workbench *bench, const struct parts *parts,
                   pdict_slice payload, const struct sink *sink, pdict_slice *value)
{
    size_t size = parts->header.plain_size;
    void *out = target(pipeline, bench, sink, size);
    int status = PDICT_OK;

    if (!out)
        return PDICT_NOMEM;
    if (parts->compressor)
        status = decompress(pipeline, bench, parts, payload, out, size);
    else
        pdict__copy(out, payload.data, size);
    if (status == PDICT_OK)
        *value = (pdict_slice){ out, size };
    else
        pdict__pipeline_erase(pipeline, out, size);
    return status;
}

static int decode_plain(struct pipeline *pipeline, struct workbench *bench,
                        const struct parts *parts, pdict_slice bound, const struct sink *sink,
                        pdict_slice *value)
{
    int status = verify_checksum(bench, parts, bound);

    if (status != PDICT_OK)
        return status;
    if (parts->compressor || sink)
        return deliver(pipeline, bench, parts, parts->payload, sink, value);
    *value = parts->payload;
    return PDICT_OK;
}

/* To the bench first: what is opened is not yet the value. */
static int decode_behind(struct pipeline *pipeline, struct workbench *bench,
                         const struct parts *parts, pdict_slice key, pdict_slice bound,
                         const struct sink *sink, pdict_slice *value)
{
    size_t size = parts->payload.size;
    pdict_slice payload;
    int status;

    if ((status = pdict__bench_room(pipeline, &bench->packed, size)) != PDICT_OK)
        return status;
    if ((status = open_sealed(bench, parts, bound, bench->packed.data)) != PDICT_OK)
        return status;
    payload = (pdict_slice){ bench->packed.data, size };
    if (parts->header.flags & RECORD_HOLDS_KEY)
        status = pdict__name_read(pipeline, &parts->header, key, &payload, &bench->name);
    if (status != PDICT_OK)
        return status;
    if (parts->compressor || sink)
        return deliver(pipeline, bench, parts, payload, sink, value);
    *value = payload;
    return PDICT_OK;
}

static int decode_sealed(struct pipeline *pipeline, struct workbench *bench,
                         const struct parts *parts, pdict_slice key, pdict_slice bound,
                         const struct sink *sink, pdict_slice *value)
{
    size_t size = parts->payload.size;
    void *out;
    int status;

    if (parts->compressor || (parts->header.flags & RECORD_HOLDS_KEY))
        return decode_behind(pipeline, bench, parts, key, bound, sink, value);
    if (!(out = target(pipeline, bench, sink, size)))
        return PDICT_NOMEM;
    if ((status = open_sealed(bench, parts, bound, out)) != PDICT_OK)
        pdict__pipeline_erase(pipeline, out, size);
    else
        *value = (pdict_slice){ out, size };
    return status;
}

static int decode_parts(struct pipeline *pipeline, struct workbench *bench,
                        const struct parts *parts, pdict_slice key, pdict_slice bound,
                        const struct sink *sink, pdict_slice *value)
{
    return parts->cipher ? decode_sealed(pipeline, bench, parts, key, bound, sink, value)
                         : decode_plain(pipeline, bench, parts, bound, sink, value);
}

/* A map that is being converted: its values are seen as they will be. */
static int decode_turned(struct pipeline *pipeline, struct workbench *bench,
                         const struct parts *parts, pdict_slice key, pdict_slice bound,
                         const struct sink *sink, pdict_slice *value)
{
    const struct generation *generation = bench->settings.generation;
    pdict_slice bytes;
    void *out;
    int status = decode_parts(pipeline, bench, parts, key, bound, NULL, &bytes);

    if (status == PDICT_OK)
        status = pdict__turn(pipeline, bench, generation->from_serializer, generation->serializer,
                             bytes, value);
    if (status != PDICT_OK || !sink)
        return status;
    if (!(out = sink->reserve(sink->ctx, value->size)))
        return PDICT_NOMEM;
    pdict__copy(out, value->data, value->size);
    value->data = out;
    return PDICT_OK;
}

static int decode(struct pipeline *pipeline, struct workbench *bench, const struct binding *binding,
                  pdict_slice record, const struct sink *sink, pdict_slice *value)
{
    const struct generation *generation = bench->settings.generation;
    struct parts parts;
    pdict_slice bound;
    uint64_t began;
    int status;

    *value = bench->name = (pdict_slice){ 0 };
    pdict__counters_turn(&bench->counters);
    began = pdict__stage_begin(&bench->counters);
    if ((status = take_apart(pipeline, generation, record, &parts)) != PDICT_OK)
        return status;
    if ((status = pdict__bound_bytes(pipeline, bench, record.data, binding, &bound)) != PDICT_OK)
        return status;
    if (parts.header.serializer == generation->header.serializer)
        status = decode_parts(pipeline, bench, &parts, binding->key, bound, sink, value);
    else
        status = decode_turned(pipeline, bench, &parts, binding->key, bound, sink, value);
    if (status == PDICT_OK)
        pdict__stage_end(&bench->counters, STAGE_DECODE, began, record.size, value->size);
    else
        pdict__bench_erase(pipeline, bench);
    return status;
}

/* What a record under other settings than the bench's may look like. */
static bool may_be_of_other_settings(int status)
{
    return status == PDICT_AUTH || status == PDICT_DOWNGRADE || status == PDICT_FORMAT ||
           status == PDICT_DAMAGED;
}

/* By those that came after the bench's, the newest last, so that failing is told as it is now. */
static int decode_later(struct pipeline *pipeline, struct workbench *bench,
                        const struct binding *binding, pdict_slice record, const struct sink *sink,
                        struct generation_ref newest, pdict_slice *value)
{
    const struct generation *before = bench->settings.generation;
    struct generation_ref at;
    int status;

    do {
        at = newest;
        while (at.generation->before != before)
            at.generation = at.generation->before;
        before = at.generation;
        if (at.generation != newest.generation)
            at.number = atomic_load_explicit(&at.generation->number, memory_order_acquire);
        bench->settings = at;
        status = decode(pipeline, bench, binding, record, sink, value);
    } while (may_be_of_other_settings(status) && at.generation != newest.generation);
    return status;
}

int pdict__decode(struct pipeline *pipeline, struct workbench *bench, const struct binding *binding,
                  pdict_slice record, const struct sink *sink, pdict_slice *value)
{
    int status = decode(pipeline, bench, binding, record, sink, value), refreshed;
    struct generation_ref newest;

    if (!may_be_of_other_settings(status) || !pipeline->refresh)
        return status;
    if ((refreshed = pipeline->refresh(pipeline->ctx)) != PDICT_OK)
        return refreshed;
    newest = pdict__pipeline_settings(pipeline);
    if (newest.generation == bench->settings.generation)
        return status;
    return decode_later(pipeline, bench, binding, record, sink, newest, value);
}
