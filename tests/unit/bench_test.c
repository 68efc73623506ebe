/* SPDX-License-Identifier: MIT */
/* The promises of core/value/bench.c: benches stay warm, are wiped, and serve many threads. */
#include <pthread.h>

#include "value/pipeline.h"
#include "value_fixture.h"

static void use(struct pipeline *pipeline, struct workbench *bench, pdict_slice value)
{
    pdict_slice record = encode_copy(pipeline, value), decoded;

    CHECK_OK(pdict__encode(pipeline, bench, &test_binding, value, &record));
    CHECK_OK(pdict__decode(pipeline, bench, &test_binding, record, NULL, &decoded));
    CHECK_SLICE(decoded, value);
}

static void take_use_give(struct pipeline *pipeline, pdict_slice value)
{
    struct workbench *bench = pdict__bench_take(pipeline);

    use(pipeline, bench, value);
    pdict__bench_give(pipeline, bench);
}

TEST(bench, given_bench_is_taken_again)
{
    struct pipeline *pipeline = new_pipeline("raw");
    struct workbench *bench = pdict__bench_take(pipeline);

    pdict__bench_give(pipeline, bench);
    CHECK(pdict__bench_take(pipeline) == bench);
    pdict__bench_give(pipeline, bench);
    pdict__pipeline_close(pipeline);
}

TEST(bench, more_benches_than_are_kept_may_be_taken)
{
    struct workbench *benches[3 * IDLE_BENCHES];
    struct pipeline *pipeline = new_pipeline("raw");

    for (size_t i = 0; i < 3 * IDLE_BENCHES; i++)
        benches[i] = pdict__bench_take(pipeline);
    for (size_t i = 0; i < 3 * IDLE_BENCHES; i++)
        pdict__bench_give(pipeline, benches[i]);
    CHECK(memory.live <= 2 + IDLE_BENCHES);
    pdict__pipeline_close(pipeline);
    CHECK_INT(memory.live, 0);
}

TEST(bench, trim_gives_back_all_idle_benches)
{
    struct pipeline *pipeline;
    long live;

    need_all();
    pipeline = new_pipeline("raw,zstd,xchacha20");
    live = memory.live;
    take_use_give(pipeline, value_of(1000, false));
    CHECK(memory.live > live);
    pdict__pipeline_trim(pipeline);
    CHECK_INT(memory.live, live);
    take_use_give(pipeline, value_of(1000, false));
    pdict__pipeline_close(pipeline);
    CHECK_INT(memory.live, 0);
}

TEST(bench, warm_bench_allocates_nothing)
{
    struct pipeline *pipeline;

    need_all();
    pipeline = new_pipeline("raw,zstd,xchacha20");
    take_use_give(pipeline, value_of(5000, false));
    take_use_give(pipeline, value_of(5000, true));
    memory_fail_at(1);
    for (size_t size = 0; size < 5000; size += 99) {
        take_use_give(pipeline, value_of(size, false));
        take_use_give(pipeline, value_of(size, true));
    }
    CHECK_INT(memory.calls, 0);
    pdict__pipeline_close(pipeline);
}

TEST(bench, scratch_over_a_mebibyte_is_given_back)
{
    struct pipeline *pipeline = new_pipeline("raw");
    struct workbench *bench = pdict__bench_take(pipeline);
    pdict_slice record;

    CHECK_OK(
        pdict__encode(pipeline, bench, &test_binding, value_of(TEST_MAX_VALUE, true), &record));
    pdict__bench_give(pipeline, bench);
    CHECK_INT(bench->record.capacity, 0);
    pdict__pipeline_close(pipeline);
}

static bool holds(const struct buf *buf, size_t size, const char *plaintext)
{
    return size > 0 && memmem(buf->data, size, plaintext, strlen(plaintext));
}

TEST(bench, plaintext_of_encrypted_maps_is_wiped)
{
    static const char *const codecs[] = { "raw,xchacha20", "raw,zstd,xchacha20" };

    need_all();
    for (size_t i = 0; i < 2; i++) {
        struct pipeline *pipeline = new_pipeline(codecs[i]);
        struct workbench *bench = pdict__bench_take(pipeline);
        size_t packed_size;

        use(pipeline, bench, value_of(3000, false));
        packed_size = bench->packed.size;
        CHECK_INT(packed_size > 0, i == 1);
        CHECK(holds(&bench->value, 3000, "abcdefgh"));
        use(pipeline, bench, slice_of("a secret"));
        CHECK(!holds(&bench->record, 3000, "abcdefgh"));
        CHECK(!holds(&bench->record, 3000, "a secret"));
        pdict__bench_give(pipeline, bench);
        CHECK(is_zero(bench->value.data, 3000));
        CHECK(is_zero(bench->packed.data, packed_size));
        pdict__pipeline_close(pipeline);
    }
}

/* ---- missing memory ---- */

static int open_and_use(pdict_slice value)
{
    struct keyring *ring = NULL;
    struct secret secret = secret_key(TEST_KEY);
    struct pipeline *pipeline = NULL;
    struct workbench *bench = NULL;
    struct codecs codecs = { 0 };
    struct descriptor descriptor = { .max_value = TEST_MAX_VALUE };
    struct pipeline_config config = { .allocator = &test_allocator };
    pdict_slice record, decoded;
    int status;

    if ((status = pdict__codecs_parse("raw,zstd,xchacha20", &test_allocator, &codecs)) != PDICT_OK)
        goto done;
    descriptor.serializer = codecs.serializer.codec;
    descriptor.cipher = codecs.cipher.codec;
    status = pdict__keyring_create(descriptor.cipher, descriptor.map_id, &secret, &cheap_kdf,
                                   &test_allocator, &ring);
    if (status != PDICT_OK)
        goto done;
    config.descriptor = &descriptor;
    config.codecs = &codecs;
    config.ring = ring;
    if ((status = pdict__pipeline_open(&config, &pipeline)) != PDICT_OK)
        goto done;
    ring = NULL; /* now the pipeline's */
    status = PDICT_NOMEM;
    if (!(bench = pdict__bench_take(pipeline)))
        goto done;
    if ((status = pdict__encode(pipeline, bench, &test_binding, value, &record)) != PDICT_OK)
        goto done;
    status = pdict__decode(pipeline, bench, &test_binding, record, NULL, &decoded);
done:
    if (bench)
        pdict__bench_give(pipeline, bench);
    pdict__pipeline_close(pipeline);
    pdict__keyring_free(ring);
    pdict__codecs_free(&codecs);
    return status;
}

TEST(bench, missing_memory_at_any_moment_leaves_nothing_behind)
{
    pdict_slice value = value_of(10000, false);
    int status = PDICT_NOMEM;

    need_all();
    for (long nth = 1; status != PDICT_OK; nth++) {
        memory_fail_at(nth);
        status = open_and_use(value);
        if (status != PDICT_OK)
            CHECK_STATUS(status, PDICT_NOMEM);
        CHECK_INT(memory.live, 0);
    }
}

TEST(bench, bench_works_again_after_missing_memory)
{
    struct pipeline *pipeline;
    struct workbench *bench;
    pdict_slice value = value_of(10000, false), record;
    int status = PDICT_NOMEM;

    need_all();
    pipeline = new_pipeline("raw,zlib,xchacha20");
    bench = pdict__bench_take(pipeline);
    for (long nth = 1; status != PDICT_OK; nth++) {
        memory_fail_at(nth);
        status = pdict__encode(pipeline, bench, &test_binding, value, &record);
        memory_fail_at(0);
        if (status != PDICT_OK)
            CHECK_STATUS(status, PDICT_NOMEM);
    }
    CHECK_OK(decode_status(pipeline, &test_binding, record));
    pdict__bench_give(pipeline, bench);
    pdict__pipeline_close(pipeline);
}

/* ---- threads ---- */

struct crowd {
    struct pipeline *pipeline;
    pdict_slice other; /* a record of another compressor, to be opened at its first decode */
};

static void *work(void *arg)
{
    struct crowd *crowd = arg;
    char text[64];

    for (int i = 0; i < 300; i++) {
        struct workbench *bench = pdict__bench_take(crowd->pipeline);
        pdict_slice record, value;

        memset(text, 'a' + i % 26, sizeof(text));
        CHECK_OK(pdict__encode(crowd->pipeline, bench, &test_binding,
                               (pdict_slice){ text, sizeof(text) }, &record));
        CHECK_OK(pdict__decode(crowd->pipeline, bench, &test_binding, record, NULL, &value));
        CHECK_BYTES(value.data, value.size, text, sizeof(text));
        CHECK_OK(pdict__decode(crowd->pipeline, bench, &test_binding, crowd->other, NULL, &value));
        CHECK_INT(value.size, 1000);
        pdict__bench_give(crowd->pipeline, bench);
        if (i % 50 == 0)
            pdict__pipeline_trim(crowd->pipeline);
    }
    return NULL;
}

static void check_crowd(const char *codecs, pdict_slice other)
{
    struct crowd crowd = { .pipeline = new_pipeline(codecs), .other = other };
    pthread_t threads[4];

    for (size_t i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, work, &crowd), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    pdict__pipeline_close(crowd.pipeline);
    CHECK_INT(memory.live, 0);
}

TEST(bench, threads_share_one_pipeline)
{
    struct pipeline *zlib;
    pdict_slice other;

    need_all();
    zlib = new_pipeline("raw,zlib");
    other = encode_copy(zlib, value_of(1000, false));
    pdict__pipeline_close(zlib);
    check_crowd("raw,zstd", other);
    check_crowd("raw", other);
}
