/* SPDX-License-Identifier: MIT */
/* What the codec conformance tests share: checks, guarded buffers, sample data, counted memory. */
#ifndef PDICT_CODEC_SUITE_H
#define PDICT_CODEC_SUITE_H

#include <stdatomic.h>
#include <string.h>

#include <pdict/ext/codec.h>

/** One promise. A table of them ends with an entry whose name is NULL. */
typedef struct codec_test {
    const char *name;
    int kind;         /**< enum pdict_codec_kind; 0: every kind */
    const char *only; /**< name of the one codec it is about; NULL: every codec of the kind */
    void (*run)(const pdict_codec *codec);
} codec_test;

extern const codec_test codec_table_tests[];
extern const codec_test codec_serializer_tests[];
extern const codec_test codec_value_tests[];
extern const codec_test codec_compressor_tests[];
extern const codec_test codec_dictionary_tests[];
extern const codec_test codec_hostile_tests[];
extern const codec_test codec_memory_tests[];
extern const codec_test codec_cipher_tests[];
extern const codec_test codec_primitive_tests[];
extern const codec_test codec_vector_tests[];

/* Each test runs in a process of its own: a failed check ends it, on any thread. */
_Noreturn void suite_fail(const char *file, int line, const char *format, ...) PDICT_PRINTF(3, 4);
_Noreturn void suite_skip(const char *reason);

/** Printed with a failure of this thread: which of many cases it was. */
void suite_note(const char *format, ...) PDICT_PRINTF(1, 2);

void suite_check_status(const char *file, int line, const char *what, int actual, int expected);
void suite_check_bytes(const char *file, int line, const char *what, pdict_slice actual,
                       pdict_slice expected);

#define CHECK(condition) ((condition) ? (void)0 : suite_fail(__FILE__, __LINE__, "%s", #condition))
#define CHECK_STATUS(call, expected)                                                               \
    suite_check_status(__FILE__, __LINE__, #call, (call), (expected))
#define CHECK_OK(call) CHECK_STATUS(call, PDICT_OK)
#define CHECK_BYTES(actual, expected)                                                              \
    suite_check_bytes(__FILE__, __LINE__, #actual, (actual), (expected))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static inline pdict_slice slice_of(const void *data, size_t size)
{
    return (pdict_slice){ .data = data, .size = size };
}

static inline pdict_slice slice_of_text(const char *text)
{
    return slice_of(text, strlen(text));
}

/** Numbers that look random and are the same in every run. */
typedef struct suite_random {
    uint64_t state;
} suite_random;

uint64_t suite_random_next(suite_random *random);
size_t suite_random_below(suite_random *random, size_t limit);
void suite_random_fill(suite_random *random, void *out, size_t size);

enum sample_shape {
    SAMPLE_ZEROS,
    SAMPLE_RANDOM,
    SAMPLE_TEXT,
    SAMPLE_RECORDS,
    SAMPLE_SHAPES
};

const char *sample_name(int shape);
void sample_fill(int shape, void *out, size_t size);

/** 0, 1, around 16, and up to 1 MiB; ends with SIZE_MAX. */
extern const size_t sample_sizes[];

enum guarded_edge {
    GUARDED_LOW,
    GUARDED_HIGH,
    GUARDED_EDGES
};

/**
 * Memory between two pages that fault. A buffer lies at one edge, so that one byte before the
 * first or after the last ends the test; the rest holds a pattern that guarded_check() looks at.
 */
typedef struct guarded {
    unsigned char *start;
    size_t room;
} guarded;

void guarded_open(guarded *g, size_t room);
void guarded_close(guarded *g);
unsigned char *guarded_place(guarded *g, size_t size, int edge);
unsigned char *guarded_copy(guarded *g, const void *data, size_t size, int edge);
void guarded_check(const guarded *g, const unsigned char *data, size_t size);

/** Memory that faults when it is touched; munmap-ed at the end of the process. */
void *untouchable(size_t size);

/** An allocator that counts and can fail; zero it to start. */
typedef struct counted_memory {
    atomic_long calls;
    atomic_long live;
    long fail_at;      /**< the call that gets NULL, from 1; 0: none */
    bool fails_onward; /**< and all calls after it */
} counted_memory;

pdict_allocator counted_allocator(counted_memory *memory);

#define CODEC_OPTIONS_MAX 32

/** The defaults of a codec's options, as core would parse them. */
void codec_defaults(const pdict_codec *codec, pdict_option_value *values);

/** An open compressor with one context. */
typedef struct engine {
    const pdict_compressor *ops;
    void *self;
    void *context;
} engine;

/** `memory` and `options` may be NULL: malloc, the defaults. */
void engine_open(engine *e, const pdict_codec *codec, counted_memory *memory,
                 const pdict_option_value *options);
void engine_close(engine *e);

/** Compress into memory that faults around it; the result is malloc-ed. */
unsigned char *engine_encode(engine *e, pdict_slice in, size_t *size);

#endif
