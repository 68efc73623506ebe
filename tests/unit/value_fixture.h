/* SPDX-License-Identifier: MIT */
/* What the tests of core/value share: an allocator that can fail, keyrings and pipelines. */
#ifndef PDICT_VALUE_FIXTURE_H
#define PDICT_VALUE_FIXTURE_H

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "test.h"
#include "value/value.h"

/* ---- memory: counted, and failing from the `fail_at`th allocation on ---- */

static struct {
    atomic_long calls;
    atomic_long live;
    long fail_at; /* 0: never */
} memory;

static inline bool memory_fails(void)
{
    long call = atomic_fetch_add(&memory.calls, 1) + 1;

    return memory.fail_at > 0 && call >= memory.fail_at;
}

static inline void *memory_allocate(void *ctx, size_t size)
{
    (void)ctx;
    if (memory_fails())
        return NULL;
    atomic_fetch_add(&memory.live, 1);
    return malloc(size);
}

static inline void *memory_reallocate(void *ctx, void *old, size_t size)
{
    (void)ctx;
    if (memory_fails())
        return NULL;
    if (!old)
        atomic_fetch_add(&memory.live, 1);
    return realloc(old, size);
}

static inline void memory_release(void *ctx, void *old)
{
    (void)ctx;
    if (old)
        atomic_fetch_sub(&memory.live, 1);
    free(old);
}

static const pdict_allocator test_allocator = { memory_allocate, memory_reallocate, memory_release,
                                                NULL };

static inline void memory_fail_at(long nth)
{
    atomic_store(&memory.calls, 0);
    memory.fail_at = nth;
}

/* ---- slices ---- */

static inline pdict_slice slice_of(const char *text)
{
    return (pdict_slice){ text, strlen(text) };
}

static inline pdict_slice slice_of_buf(const struct buf *buf)
{
    return (pdict_slice){ buf->data, buf->size };
}

#define CHECK_SLICE(actual, expected)                                                              \
    CHECK_BYTES((actual).data, (actual).size, (expected).data, (expected).size)

static inline bool error_mentions(const char *word)
{
    return strstr(pdict_error_text(), word) != NULL;
}

/* ---- codecs and keyrings ---- */

static const uint8_t test_map_id[MAP_ID_SIZE] = "a map of tests!";
static const pdict_kdf cheap_kdf = { .operations = 1, .memory_bytes = 8192 };

static inline const pdict_codec *need_codec(const char *name)
{
    const pdict_codec *codec = pdict__codec_find(name);

    if (!codec)
        SKIP("this build lacks a codec that the test needs");
    return codec;
}

static inline struct secret secret_key(const char *text32)
{
    return (struct secret){ .bytes = slice_of(text32) };
}

static inline struct secret secret_passphrase(const char *text)
{
    return (struct secret){ .bytes = slice_of(text), .is_passphrase = true };
}

#define TEST_KEY "0123456789abcdef0123456789abcdef"

static inline struct keyring *new_ring(const uint8_t *map_id, const struct secret *secret)
{
    struct keyring *ring;

    CHECK_OK(pdict__keyring_create(need_codec("xchacha20"), map_id, secret, &cheap_kdf,
                                   &test_allocator, &ring));
    return ring;
}

/* ---- values and pipelines ---- */

static inline void need_all(void)
{
    need_codec("zlib");
    need_codec("zstd");
    need_codec("xchacha20");
}

/* Bytes that shrink, or noise that does not; freed at the end of the test. */
static inline pdict_slice value_of(size_t size, bool is_noise)
{
    uint64_t state = size;
    uint8_t *bytes = test_alloc(size + 1);

    for (size_t i = 0; i < size; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = is_noise ? (uint8_t)(state >> 33) : (uint8_t) "abcdefgh"[i % 8];
    }
    return (pdict_slice){ bytes, size };
}

#define TEST_MAX_VALUE (1 << 20)

/* Takes the codecs over. */
static inline struct pipeline *new_pipeline_of(struct codecs *codecs, const uint8_t *map_id)
{
    struct descriptor descriptor = { .max_value = TEST_MAX_VALUE,
                                     .has_checksum = !codecs->cipher.codec,
                                     .serializer = codecs->serializer.codec,
                                     .cipher = codecs->cipher.codec };
    struct pipeline_config config = { .descriptor = &descriptor,
                                      .codecs = codecs,
                                      .allocator = &test_allocator };
    struct secret secret = secret_key(TEST_KEY);
    struct pipeline *pipeline;

    memcpy(descriptor.map_id, map_id, MAP_ID_SIZE);
    if (descriptor.cipher)
        config.ring = new_ring(map_id, &secret);
    CHECK_OK(pdict__pipeline_open(&config, &pipeline));
    pdict__codecs_free(codecs);
    return pipeline;
}

static inline struct pipeline *new_pipeline_at(const char *text, const uint8_t *map_id)
{
    struct codecs codecs;

    CHECK_OK(pdict__codecs_parse(text, &test_allocator, &codecs));
    return new_pipeline_of(&codecs, map_id);
}

static inline struct pipeline *new_pipeline(const char *text)
{
    return new_pipeline_at(text, test_map_id);
}

static const struct binding test_binding = { .key = { "a key", 5 },
                                             .version = 0x1122334455667788,
                                             .expires_ms = 1700000000000 };

/* A copy of the record, freed at the end of the test. */
static inline pdict_slice encode_copy(struct pipeline *pipeline, pdict_slice value)
{
    struct workbench *bench = pdict__bench_take(pipeline);
    pdict_slice record;
    void *copy;

    CHECK_OK(pdict__encode(pipeline, bench, &test_binding, value, &record));
    copy = test_alloc(record.size);
    memcpy(copy, record.data, record.size);
    pdict__bench_give(pipeline, bench);
    return (pdict_slice){ copy, record.size };
}

/* Decode and compare; nothing is kept. */
static inline int decode_status(struct pipeline *pipeline, const struct binding *binding,
                                pdict_slice record)
{
    struct workbench *bench = pdict__bench_take(pipeline);
    pdict_slice value;
    int status = pdict__decode(pipeline, bench, binding, record, NULL, &value);

    if (status != PDICT_OK) {
        CHECK(value.data == NULL);
        CHECK_INT(value.size, 0);
    }
    pdict__bench_give(pipeline, bench);
    return status;
}

static const char *const pipelines[] = {
    "raw", "raw,zlib", "raw,zstd:3", "raw,xchacha20", "raw,zlib,xchacha20", "raw,zstd:3,xchacha20"
};
#define PIPELINES (sizeof(pipelines) / sizeof(pipelines[0]))

static const size_t sizes[] = { 0, 1, 31, 32, 33, 128, 1000, 70000 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static inline struct record_header header_of(pdict_slice record)
{
    struct record_header header;

    CHECK_OK(pdict__record_header_read(record, &header));
    return header;
}

/* A plain record with this header and payload, and a checksum that is right. */
static inline pdict_slice forged(const struct record_header *header, pdict_slice payload)
{
    uint8_t *record = test_alloc(RECORD_HEADER_SIZE + payload.size + RECORD_CHECKSUM_SIZE);
    struct buf bound = { .allocator = &test_allocator };

    pdict__record_header_write(header, record);
    pdict__copy(record + RECORD_HEADER_SIZE, payload.data, payload.size);
    CHECK_OK(pdict__record_bound(test_map_id, record, &test_binding, &bound));
    pdict__put64(record + RECORD_HEADER_SIZE + payload.size,
                 pdict__record_checksum(slice_of_buf(&bound), payload));
    pdict__buf_free(&bound);
    return (pdict_slice){ record, RECORD_HEADER_SIZE + payload.size + RECORD_CHECKSUM_SIZE };
}

static inline pdict_slice payload_of(pdict_slice record)
{
    return (pdict_slice){ (const uint8_t *)record.data + RECORD_HEADER_SIZE,
                          record.size - RECORD_HEADER_SIZE - RECORD_CHECKSUM_SIZE };
}

/* ---- a sink that tells what was done to it ---- */

struct watched_sink {
    uint8_t *memory;
    size_t size;
    int calls;
    bool has_no_memory;
};

static inline void *watched_reserve(void *ctx, size_t size)
{
    struct watched_sink *sink = ctx;

    sink->calls++;
    if (sink->has_no_memory) {
        pdict__nomem(size);
        return NULL;
    }
    sink->size = size;
    sink->memory = test_alloc(size + 1);
    memset(sink->memory, 0, size + 1);
    return sink->memory;
}

static inline int decode_into(struct pipeline *pipeline, pdict_slice record,
                              struct watched_sink *watched)
{
    struct sink sink = { watched_reserve, watched };
    struct workbench *bench = pdict__bench_take(pipeline);
    pdict_slice value;
    int status = pdict__decode(pipeline, bench, &test_binding, record, &sink, &value);

    pdict__bench_give(pipeline, bench);
    return status;
}

static inline bool is_zero(const void *data, size_t size)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

#endif
