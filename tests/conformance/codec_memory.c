/* SPDX-License-Identifier: MIT */
/* Codec conformance: compressors on several threads, and what they do without memory. */
#include <pthread.h>
#include <stdlib.h>

#include "codec_suite.h"

enum {
    THREADS = 4,
    ROUNDS = 100
};

typedef struct worker {
    const engine *shared;
    int shape;
} worker;

static void round_trips(const engine *e, int shape, int rounds)
{
    unsigned char data[2000], packed[4000], back[2000];
    size_t size;

    sample_fill(shape, data, sizeof(data));
    CHECK(e->ops->bound(e->self, sizeof(data)) <= sizeof(packed));
    for (int round = 0; round < rounds; round++) {
        size_t length = sizeof(data) - (size_t)round;
        CHECK_OK(e->ops->encode(e->self, e->context, slice_of(data, length), packed, sizeof(packed),
                                &size));
        CHECK_OK(e->ops->decode(e->self, e->context, slice_of(packed, size), back, length));
        CHECK_BYTES(slice_of(back, length), slice_of(data, length));
    }
}

static void *work(void *argument)
{
    const worker *mine = argument;
    engine e = *mine->shared;

    CHECK_OK(e.ops->context_new(e.self, &e.context));
    round_trips(&e, mine->shape, ROUNDS);
    e.ops->context_free(e.self, e.context);
    return NULL;
}

static void threads_with_their_own_contexts_do_not_meet(const pdict_codec *codec)
{
    pthread_t threads[THREADS];
    worker workers[THREADS];
    engine e;

    engine_open(&e, codec, NULL, NULL);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){ .shared = &e, .shape = i % SAMPLE_SHAPES };
        CHECK(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    engine_close(&e);
}

static void context_may_move_to_another_thread(const pdict_codec *codec)
{
    unsigned char data[500], back[500];
    unsigned char *packed;
    pthread_t thread;
    size_t size;
    engine e;

    engine_open(&e, codec, NULL, NULL);
    sample_fill(SAMPLE_TEXT, data, sizeof(data));
    packed = engine_encode(&e, slice_of(data, sizeof(data)), &size);
    CHECK(pthread_create(&thread, NULL, work, &(worker){ .shared = &e }) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(e.ops->decode(e.self, e.context, slice_of(packed, size), back, sizeof(back)));
    CHECK_BYTES(slice_of(back, sizeof(back)), slice_of(data, sizeof(data)));
    free(packed);
    engine_close(&e);
}

static void warm_context_allocates_nothing(const pdict_codec *codec)
{
    counted_memory memory = { 0 };
    long warm;
    engine e;

    engine_open(&e, codec, &memory, NULL);
    round_trips(&e, SAMPLE_RECORDS, 1);
    warm = memory.calls;
    round_trips(&e, SAMPLE_RECORDS, ROUNDS);
    CHECK(memory.calls == warm);
    engine_close(&e);
}

static void close_gives_all_memory_back(const pdict_codec *codec)
{
    counted_memory memory = { 0 };
    engine e;

    engine_open(&e, codec, &memory, NULL);
    round_trips(&e, SAMPLE_TEXT, 1);
    engine_close(&e);
    if (memory.calls == 0)
        suite_skip("it allocates nothing");
    CHECK(memory.live == 0);
    engine_open(&e, codec, &memory, NULL);
    engine_close(&e);
    CHECK(memory.live == 0);
}

/** Open, encode, decode, refuse, close; the first failure ends it. */
static int whole_life(const pdict_codec *codec, counted_memory *memory)
{
    pdict_option_value options[CODEC_OPTIONS_MAX] = { { 0 } };
    pdict_codec_args args = { .struct_size = sizeof(args),
                              .options = options,
                              .allocator = counted_allocator(memory) };
    const pdict_compressor *ops = codec->compressor;
    unsigned char data[500], packed[1000], back[500];
    void *self = NULL, *context = NULL;
    size_t size;
    int status;

    codec_defaults(codec, options);
    sample_fill(SAMPLE_TEXT, data, sizeof(data));
    if ((status = ops->open(&args, &self)) != PDICT_OK)
        return status;
    if ((status = ops->context_new(self, &context)) != PDICT_OK)
        goto done;
    if ((status = ops->encode(self, context, slice_of(data, sizeof(data)), packed, sizeof(packed),
                              &size)) != PDICT_OK)
        goto done;
    /* a value cut short makes some decoders keep what they have: one more allocation */
    status = ops->decode(self, context, slice_of(packed, size / 2), back, sizeof(back));
    if (status != PDICT_FORMAT)
        goto done;
    status = ops->decode(self, context, slice_of(packed, size), back, sizeof(back));
done:
    if (context != NULL)
        ops->context_free(self, context);
    ops->close(self);
    return status;
}

static void fail_each_allocation(const pdict_codec *codec, bool onward)
{
    int status = PDICT_NOMEM;

    for (long nth = 1; status != PDICT_OK; nth++) {
        counted_memory memory = { .fail_at = nth, .fails_onward = onward };
        suite_note("allocation %ld fails%s", nth, onward ? " and all after it" : "");
        status = whole_life(codec, &memory);
        CHECK(memory.live == 0);
        if (status == PDICT_OK)
            CHECK(memory.calls < nth);
        else
            CHECK_STATUS(status, PDICT_NOMEM);
        CHECK(status == PDICT_OK || pdict_error_text()[0] != '\0');
    }
}

static void every_failing_allocation_is_reported_and_leaks_nothing(const pdict_codec *codec)
{
    fail_each_allocation(codec, false);
    fail_each_allocation(codec, true);
}

static void context_works_again_once_there_is_memory(const pdict_codec *codec)
{
    counted_memory memory = { 0 };
    unsigned char data[500], packed[1000];
    int status = PDICT_NOMEM;
    size_t size;
    engine e;

    engine_open(&e, codec, &memory, NULL);
    sample_fill(SAMPLE_TEXT, data, sizeof(data));
    for (int tries = 0; status == PDICT_NOMEM; tries++) {
        CHECK(tries < 100);
        memory.fail_at = memory.calls + 1 + tries;
        status = e.ops->encode(e.self, e.context, slice_of(data, sizeof(data)), packed,
                               sizeof(packed), &size);
    }
    CHECK_OK(status);
    memory.fail_at = 0;
    round_trips(&e, SAMPLE_RECORDS, 2);
    engine_close(&e);
    CHECK(memory.live == 0);
}

const codec_test codec_memory_tests[] = {
    { "threads_with_their_own_contexts_do_not_meet", PDICT_COMPRESSOR, NULL,
      threads_with_their_own_contexts_do_not_meet },
    { "context_may_move_to_another_thread", PDICT_COMPRESSOR, NULL,
      context_may_move_to_another_thread },
    { "warm_context_allocates_nothing", PDICT_COMPRESSOR, NULL, warm_context_allocates_nothing },
    { "close_gives_all_memory_back", PDICT_COMPRESSOR, NULL, close_gives_all_memory_back },
    { "every_failing_allocation_is_reported_and_leaks_nothing", PDICT_COMPRESSOR, NULL,
      every_failing_allocation_is_reported_and_leaks_nothing },
    { "context_works_again_once_there_is_memory", PDICT_COMPRESSOR, NULL,
      context_works_again_once_there_is_memory },
    { NULL, 0, NULL, NULL },
};
