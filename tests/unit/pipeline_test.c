/* SPDX-License-Identifier: MIT */
/* The promises of core/value/encode.c and decode.c: values come back, in the records that are documented. */
#include "value/pipeline.h"
#include "value_fixture.h"

static void check_round_trip(struct pipeline *pipeline, pdict_slice value)
{
    struct workbench *bench = pdict__bench_take(pipeline);
    struct watched_sink watched = { 0 };
    pdict_slice record = encode_copy(pipeline, value), decoded;

    CHECK_OK(pdict__decode(pipeline, bench, &test_binding, record, NULL, &decoded));
    CHECK_SLICE(decoded, value);
    CHECK_OK(decode_into(pipeline, record, &watched));
    CHECK_BYTES(watched.memory, watched.size, value.data, value.size);
    CHECK_INT(watched.calls, 1);
    pdict__bench_give(pipeline, bench);
}

TEST(pipeline, every_value_comes_back_through_every_pipeline)
{
    need_all();
    for (size_t i = 0; i < PIPELINES; i++) {
        struct pipeline *pipeline = new_pipeline(pipelines[i]);

        for (size_t j = 0; j < SIZES; j++) {
            check_round_trip(pipeline, value_of(sizes[j], false));
            check_round_trip(pipeline, value_of(sizes[j], true));
        }
        pdict__pipeline_close(pipeline);
        CHECK_INT(memory.live, 0);
    }
}

TEST(pipeline, closing_nothing_is_fine)
{
    pdict__pipeline_close(NULL);
}

TEST(pipeline, plain_record_is_header_value_checksum)
{
    struct record_header header = { .serializer = 1, .checksum = CHECKSUM_XXH3, .plain_size = 5 };
    struct pipeline *pipeline = new_pipeline("raw");

    CHECK_SLICE(encode_copy(pipeline, slice_of("value")), forged(&header, slice_of("value")));
    pdict__pipeline_close(pipeline);
}

TEST(pipeline, sealed_record_has_nonce_and_tag_and_no_plaintext)
{
    struct pipeline *pipeline;
    struct record_header header;
    pdict_slice record;

    need_all();
    pipeline = new_pipeline("raw,xchacha20");
    record = encode_copy(pipeline, slice_of("value"));
    header = header_of(record);
    CHECK_INT(record.size, RECORD_HEADER_SIZE + 24 + 5 + 16);
    CHECK_INT(header.cipher, 1);
    CHECK_INT(header.key_epoch, 1);
    CHECK_INT(header.checksum, CHECKSUM_NONE);
    CHECK(memmem(record.data, record.size, "value", 5) == NULL);
    pdict__pipeline_close(pipeline);
}

TEST(pipeline, compressor_is_noted_only_where_the_value_shrank)
{
    struct pipeline *pipeline;
    struct record_header header;

    need_all();
    pipeline = new_pipeline("raw,zstd");
    header = header_of(encode_copy(pipeline, value_of(1000, false)));
    CHECK_INT(header.compressor, 2);
    CHECK_INT(header.flags, 0);
    header = header_of(encode_copy(pipeline, value_of(1000, true)));
    CHECK_INT(header.compressor, 0);
    CHECK_INT(header.flags, RECORD_NOT_COMPRESSED);
    CHECK_INT(header.plain_size, 1000);
    header = header_of(encode_copy(pipeline, value_of(31, false)));
    CHECK_INT(header.flags, RECORD_NOT_COMPRESSED);
    pdict__pipeline_close(pipeline);
}

/* Half of it shrinks to next to nothing. */
static bool is_compressed_by(const char *codecs, size_t size)
{
    struct pipeline *pipeline = new_pipeline(codecs);
    uint8_t *value = test_alloc(size);
    struct record_header header;

    memcpy(value, value_of(size / 2, true).data, size / 2);
    memcpy(value + size / 2, value_of(size / 2, false).data, size / 2);
    header = header_of(encode_copy(pipeline, (pdict_slice){ value, size }));
    pdict__pipeline_close(pipeline);
    CHECK_INT(header.compressor != 0, (header.flags & RECORD_NOT_COMPRESSED) == 0);
    return header.compressor != 0;
}

TEST(pipeline, what_is_worth_compressing_is_an_option)
{
    need_all();
    CHECK(is_compressed_by("raw,zstd", 2000));
    CHECK(is_compressed_by("raw,zstd:gain=40", 2000));
    CHECK(!is_compressed_by("raw,zstd:gain=60", 2000));
    CHECK(is_compressed_by("raw,zlib:smallest=2000", 2000));
    CHECK(!is_compressed_by("raw,zlib:smallest=2002", 2000));
    CHECK(is_compressed_by("raw,zstd:gain=40,xchacha20", 2000));
    CHECK(!is_compressed_by("raw,zstd:gain=60,xchacha20", 2000));
}

TEST(pipeline, value_that_does_not_shrink_costs_no_byte_more)
{
    struct pipeline *with, *without;
    pdict_slice value = value_of(1000, true);

    need_all();
    with = new_pipeline("raw,zlib");
    without = new_pipeline("raw");
    CHECK_INT(encode_copy(with, value).size, encode_copy(without, value).size);
    pdict__pipeline_close(with);
    pdict__pipeline_close(without);
}

TEST(pipeline, equal_values_are_sealed_differently)
{
    struct pipeline *pipeline;
    pdict_slice a, b;

    need_all();
    pipeline = new_pipeline("raw,xchacha20");
    a = encode_copy(pipeline, slice_of("value"));
    b = encode_copy(pipeline, slice_of("value"));
    CHECK(memcmp((const char *)a.data + 16, (const char *)b.data + 16, 24) != 0);
    CHECK(memcmp((const char *)a.data + 40, (const char *)b.data + 40, 5) != 0);
    pdict__pipeline_close(pipeline);
}

TEST(pipeline, untouched_value_is_borrowed_from_the_record)
{
    struct pipeline *pipeline = new_pipeline("raw");
    pdict_slice record = encode_copy(pipeline, slice_of("value")), value;
    struct workbench *bench = pdict__bench_take(pipeline);

    CHECK_OK(pdict__decode(pipeline, bench, &test_binding, record, NULL, &value));
    CHECK(value.data == (const uint8_t *)record.data + RECORD_HEADER_SIZE);
    pdict__bench_give(pipeline, bench);
    pdict__pipeline_close(pipeline);
}

TEST(pipeline, value_over_the_limit_is_too_big)
{
    struct pipeline *pipeline = new_pipeline("raw");
    struct workbench *bench = pdict__bench_take(pipeline);
    pdict_slice record;

    check_round_trip(pipeline, value_of(TEST_MAX_VALUE, false));
    CHECK_STATUS(
        pdict__encode(pipeline, bench, &test_binding, value_of(TEST_MAX_VALUE + 1, false), &record),
        PDICT_TOO_BIG);
    CHECK(record.data == NULL);
    pdict__bench_give(pipeline, bench);
    pdict__pipeline_close(pipeline);
}

TEST(pipeline, serializer_refuses_illegal_values)
{
    struct workbench *bench;
    struct pipeline *pipeline;
    pdict_slice record;

    need_codec("str");
    pipeline = new_pipeline("str");
    bench = pdict__bench_take(pipeline);
    CHECK_OK(
        pdict__encode(pipeline, bench, &test_binding, slice_of("gr\xC3\xBC\xC3\x9F"), &record));
    CHECK_STATUS(pdict__encode(pipeline, bench, &test_binding, slice_of("\xFF"), &record),
                 PDICT_INVAL);
    pdict__bench_give(pipeline, bench);
    pdict__pipeline_close(pipeline);
}

TEST(pipeline, sink_without_memory_is_reported)
{
    need_all();
    for (size_t i = 0; i < PIPELINES; i++) {
        struct pipeline *pipeline = new_pipeline(pipelines[i]);
        struct watched_sink watched = { .has_no_memory = true };

        CHECK_STATUS(decode_into(pipeline, encode_copy(pipeline, value_of(1000, false)), &watched),
                     PDICT_NOMEM);
        CHECK_INT(watched.calls, 1);
        pdict__pipeline_close(pipeline);
    }
}

TEST(pipeline, records_of_other_compressors_stay_readable)
{
    struct pipeline *zlib, *zstd, *raw;
    pdict_slice value = value_of(1000, false), record;

    need_all();
    zlib = new_pipeline("raw,zlib:9");
    zstd = new_pipeline("raw,zstd");
    raw = new_pipeline("raw");
    record = encode_copy(zlib, value);
    CHECK_INT(header_of(record).compressor, 1);
    CHECK_OK(decode_status(zstd, &test_binding, record));
    CHECK_OK(decode_status(raw, &test_binding, record));
    CHECK_OK(decode_status(raw, &test_binding, encode_copy(zstd, value)));
    pdict__pipeline_close(zlib);
    pdict__pipeline_close(zstd);
    pdict__pipeline_close(raw);
}

/* ---- a compressor that writes all it may, and needs ten bytes of it ---- */

static size_t sloppy_capacity;
static int sloppy_status;

static int sloppy_open(const pdict_codec_args *args, void **self)
{
    (void)args;
    *self = &sloppy_capacity;
    return PDICT_OK;
}

static void sloppy_close(void *self)
{
    (void)self;
}

static int sloppy_context_new(void *self, void **context)
{
    *context = self;
    return PDICT_OK;
}

static void sloppy_context_free(void *self, void *context)
{
    (void)self;
    (void)context;
}

static size_t sloppy_bound(void *self, size_t size)
{
    (void)self;
    return size;
}

static int sloppy_encode(void *self, void *context, pdict_slice in, void *out, size_t capacity,
                         size_t *out_size)
{
    (void)self;
    (void)context;
    sloppy_capacity = capacity;
    memcpy(out, in.data, capacity);
    *out_size = 10;
    return sloppy_status;
}

static const pdict_compressor sloppy_compressor = {
    .struct_size = sizeof(pdict_compressor),
    .open = sloppy_open,
    .close = sloppy_close,
    .context_new = sloppy_context_new,
    .context_free = sloppy_context_free,
    .bound = sloppy_bound,
    .encode = sloppy_encode,
};

static const pdict_codec sloppy_codec = {
    PDICT_EXT_HEAD(pdict_codec),
    .kind = PDICT_COMPRESSOR,
    .id = 200,
    .name = "sloppy",
    .summary = "leaves plaintext behind its result",
    .compressor = &sloppy_compressor,
};

/* Does the bench hold plaintext after an encode with the sloppy compressor? */
static bool leaves_plaintext(int compressor_status, int expected)
{
    struct pipeline *pipeline;
    struct workbench *bench;
    struct codecs codecs;
    pdict_slice record;
    bool is_found;

    need_all();
    CHECK_OK(pdict__codecs_parse("zlib,xchacha20", &test_allocator, &codecs));
    codecs.compressor.codec = &sloppy_codec;
    pipeline = new_pipeline_of(&codecs, test_map_id);
    bench = pdict__bench_take(pipeline);
    sloppy_status = compressor_status;
    CHECK_STATUS(pdict__encode(pipeline, bench, &test_binding, value_of(1000, false), &record),
                 expected);
    /* Header, nonce, and what the compressor was given to write to. */
    is_found = memmem(bench->record.data, 16 + 24 + sloppy_capacity, "abcdefgh", 8) != NULL;
    pdict__bench_give(pipeline, bench);
    pdict__pipeline_close(pipeline);
    return is_found;
}

TEST(pipeline, compressor_must_gain_a_byte)
{
    leaves_plaintext(PDICT_OK, PDICT_OK);
    CHECK_INT(sloppy_capacity, 999);
}

TEST(pipeline, no_plaintext_stays_behind_what_a_compressor_wrote)
{
    CHECK(!leaves_plaintext(PDICT_OK, PDICT_OK));
    CHECK(!leaves_plaintext(PDICT_SKIP, PDICT_OK));
    CHECK(!leaves_plaintext(PDICT_NOMEM, PDICT_NOMEM));
}

/* ---- hidden names ---- */

static struct pipeline *new_hiding_pipeline(void)
{
    struct descriptor descriptor = { .max_value = TEST_MAX_VALUE, .hides_names = true };
    struct pipeline_config config = { .descriptor = &descriptor, .allocator = &test_allocator };
    struct secret secret = secret_key(TEST_KEY);
    struct pipeline *pipeline;
    struct codecs codecs;

    need_all();
    CHECK_OK(pdict__codecs_parse("raw,zstd,xchacha20", &test_allocator, &codecs));
    memcpy(descriptor.map_id, test_map_id, MAP_ID_SIZE);
    descriptor.serializer = codecs.serializer.codec;
    descriptor.cipher = codecs.cipher.codec;
    config.codecs = &codecs;
    config.ring = new_ring(test_map_id, &secret);
    CHECK_OK(pdict__pipeline_open(&config, &pipeline));
    pdict__codecs_free(&codecs);
    return pipeline;
}

/* Sealed with one name in the row of another, or of the same. */
static int status_in_row(struct pipeline *pipeline, const char *name, const char *row_of,
                         pdict_slice value)
{
    struct workbench *bench = pdict__bench_take(pipeline);
    struct hidden_key row;
    struct binding binding = { .version = 1 };
    pdict_slice record, found;
    int status;

    CHECK_OK(pdict__hidden_key(pipeline, slice_of(row_of), &row));
    binding.key = (pdict_slice){ row.bytes, sizeof(row.bytes) };
    CHECK_OK(pdict__encode_named(pipeline, bench, &binding, slice_of(name), value, &record));
    CHECK(memmem(record.data, record.size, name, strlen(name)) == NULL);
    status = pdict__decode(pipeline, bench, &binding, record, NULL, &found);
    if (status == PDICT_OK) {
        CHECK_SLICE(found, value);
        CHECK_SLICE(pdict__bench_name(bench), slice_of(name));
    } else {
        CHECK_INT(pdict__bench_name(bench).size, 0);
    }
    pdict__bench_give(pipeline, bench);
    return status;
}

TEST(pipeline, a_hidden_name_comes_back_and_belongs_to_its_row)
{
    struct pipeline *pipeline = new_hiding_pipeline();

    for (size_t i = 0; i < SIZES; i++) {
        for (int is_noise = 0; is_noise < 2; is_noise++) {
            pdict_slice value = value_of(sizes[i], is_noise);

            CHECK_OK(status_in_row(pipeline, "the name", "the name", value));
            CHECK_STATUS(status_in_row(pipeline, "the name", "another", value), PDICT_FORMAT);
        }
    }
    pdict__pipeline_close(pipeline);
    CHECK_INT(memory.live, 0);
}

TEST(pipeline, records_with_and_without_hidden_names_do_not_mix)
{
    struct pipeline *hiding = new_hiding_pipeline(), *plain = new_pipeline("raw,zstd,xchacha20");
    struct workbench *bench = pdict__bench_take(hiding);
    pdict_slice record = encode_copy(plain, slice_of("value"));

    CHECK_STATUS(decode_status(hiding, &test_binding, record), PDICT_FORMAT);
    CHECK_STATUS(pdict__encode(hiding, bench, &test_binding, slice_of("value"), &record),
                 PDICT_UNSUPPORTED);
    CHECK_OK(pdict__encode_named(hiding, bench, &test_binding, slice_of("name"), slice_of("value"),
                                 &record));
    CHECK_STATUS(decode_status(plain, &test_binding, record), PDICT_FORMAT);
    pdict__bench_give(hiding, bench);
    pdict__pipeline_close(hiding);
    pdict__pipeline_close(plain);
}
