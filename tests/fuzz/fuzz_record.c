/* SPDX-License-Identifier: MIT */
/* Any bytes as a record of a plain, unchecked or encrypted map: refused, or decoded to one value. */
#include "fuzz.h"
#include "value/value.h"

#define MAX_VALUE 65536

static const uint8_t map_id[MAP_ID_SIZE] = "fuzz";
static pdict_allocator allocator;

enum {
    UNCHECKED, /* reaches the decompressors with what the fuzzer makes */
    CHECKED,
    SEALED,
    MAPS
};
static struct pipeline *maps[MAPS];

static struct pipeline *open_map(const char *text, bool has_checksum)
{
    struct secret secret = { .bytes = { "0123456789abcdef0123456789abcdef", 32 } };
    struct pipeline *pipeline;
    struct codecs codecs;

    expect(pdict__codecs_parse(text, &allocator, &codecs) == PDICT_OK);
    struct descriptor descriptor = { .max_value = MAX_VALUE,
                                     .has_checksum = has_checksum,
                                     .serializer = codecs.serializer.codec,
                                     .cipher = codecs.cipher.codec };
    struct pipeline_config config = { .descriptor = &descriptor,
                                      .codecs = &codecs,
                                      .allocator = &allocator };

    memcpy(descriptor.map_id, map_id, MAP_ID_SIZE);
    if (descriptor.cipher)
        expect(pdict__keyring_create(descriptor.cipher, map_id, &secret, NULL, &allocator,
                                     &config.ring) == PDICT_OK);
    expect(pdict__pipeline_open(&config, &pipeline) == PDICT_OK);
    pdict__codecs_free(&codecs);
    return pipeline;
}

static void open_maps(void)
{
    pdict_allocator none = { 0 };

    if (maps[UNCHECKED])
        return;
    expect(pdict__allocator_choose(&none, &allocator) == PDICT_OK);
    maps[UNCHECKED] = open_map("raw", false);
    maps[CHECKED] = open_map("raw", true);
    maps[SEALED] = pdict__codec_find("xchacha20") ? open_map("xchacha20", false) : maps[CHECKED];
}

static void *reserve(void *ctx, size_t size)
{
    void **out = ctx;

    expect(size <= MAX_VALUE);
    return *out = malloc(size + 1);
}

/* With and without a sink the outcome is the same. */
static void decode(struct pipeline *pipeline, const struct binding *binding, pdict_slice record)
{
    struct workbench *bench = pdict__bench_take(pipeline);
    void *memory = NULL;
    struct sink sink = { reserve, &memory };
    pdict_slice value, again;
    int status = pdict__decode(pipeline, bench, binding, record, NULL, &value);

    expect(pdict__decode(pipeline, bench, binding, record, &sink, &again) == status);
    if (status == PDICT_OK)
        expect(value.size <= MAX_VALUE && pdict__slice_equal(value, again));
    else
        expect(value.data == NULL && again.data == NULL);
    free(memory);
    pdict__bench_give(pipeline, bench);
}

/* The same bytes as a value come back. */
static void round_trip(struct pipeline *pipeline, const struct binding *binding, pdict_slice value)
{
    struct workbench *bench = pdict__bench_take(pipeline);
    pdict_slice record, decoded;

    if (value.size <= MAX_VALUE) {
        expect(pdict__encode(pipeline, bench, binding, value, &record) == PDICT_OK);
        expect(pdict__decode(pipeline, bench, binding, record, NULL, &decoded) == PDICT_OK);
        expect(pdict__slice_equal(value, decoded));
    }
    pdict__bench_give(pipeline, bench);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct binding binding = { .key = { "key", 3 }, .version = 1 };
    pdict_slice input = { data, size };

    open_maps();
    for (int i = 0; i < MAPS; i++) {
        decode(maps[i], &binding, input);
        round_trip(maps[i], &binding, input);
    }
    return 0;
}
