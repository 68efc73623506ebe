/* SPDX-License-Identifier: MIT */
/* The small tools without opinions that every room of core uses; knows no other room. */
#ifndef PDICT_BASE_BASE_H
#define PDICT_BASE_BASE_H

#include <pdict/ext/backend.h>
#include <pdict/ext/codec.h>
#include <string.h>

/* ---- alloc.c: memory through the hooks of a store ---- */

/* The user's hooks if all are given, else malloc. PDICT_INVAL when only some are given. */
int pdict__allocator_choose(const pdict_allocator *wanted, pdict_allocator *out);
bool pdict__allocator_same(const pdict_allocator *a, const pdict_allocator *b);
bool pdict__allocator_is_system(const pdict_allocator *allocator); /* malloc, not the user's */
/* NULL when there is no memory, with the error text set; size 0 gives a valid pointer. */
void *pdict__alloc(const pdict_allocator *allocator, size_t size);
void *pdict__calloc(const pdict_allocator *allocator, size_t count, size_t size);
void pdict__free(const pdict_allocator *allocator, void *memory);
/* A copy with a terminating zero; NULL when there is no memory. */
char *pdict__strdup(const pdict_allocator *allocator, const char *text, size_t size);
/* Set the out-of-memory text and return PDICT_NOMEM. */
int pdict__nomem(size_t size);

/* ---- buf.c: bytes that grow ---- */

struct buf {
    const pdict_allocator *allocator; /* outlives the buffer */
    uint8_t *data;
    size_t size;
    size_t capacity;
    void (*wipe)(void *memory, size_t size); /* NULL: what was in it may stay in freed memory */
};

/* Room for `size` bytes in all, the old content kept. */
int pdict__buf_reserve(struct buf *buf, size_t size);
int pdict__buf_append(struct buf *buf, const void *data, size_t size);
int pdict__buf_printf(struct buf *buf, const char *format, ...) PDICT_PRINTF(2, 3);
void pdict__buf_free(struct buf *buf);

static inline pdict_slice pdict__buf_slice(const struct buf *buf)
{
    return (pdict_slice){ buf->data, buf->size };
}

/* ---- text.c: numbers and names as people write them ---- */

/* Decimal digits with a suffix; false when malformed or over INT64_MAX. */
bool pdict__parse_int(const char *text, int64_t *out);
bool pdict__parse_size(const char *text, int64_t *out);
bool pdict__parse_duration(const char *text, int64_t *out_ms);
/* Of the NULL-terminated names, the one a person most likely meant; NULL when none is near. */
const char *pdict__near_match(const char *wrong, const char *const *names);
void pdict__hex_encode(const void *data, size_t size, char *out); /* 2 * size + 1 bytes */
/* False unless text is exactly 2 * size lower-case hex digits. */
bool pdict__hex_decode(pdict_slice text, void *out, size_t size);
bool pdict__is_utf8(pdict_slice bytes, size_t *bad_offset);

/* ---- options.c: option specs and the values parsed from them ---- */

struct option_set {
    const pdict_allocator *allocator;
    const pdict_option_spec *specs; /* never NULL */
    pdict_option_value *values;     /* parallel to specs; their texts are owned */
    size_t count;
};

/* Every value at its fallback. `specs` NULL: none. */
int pdict__options_init(struct option_set *set, const pdict_option_spec *specs,
                        const pdict_allocator *allocator);
/* The place of an option, or -1. */
int pdict__options_find(const struct option_set *set, const char *name);
/* Set one; `owner` names the backend or codec in error texts. A second, different text for the
 * same option is PDICT_CONTRADICTION. */
int pdict__options_set(struct option_set *set, size_t at, const char *text, const char *owner);
void pdict__options_free(struct option_set *set);
/* Has it a name, a type, limits in order, help, and a default that it accepts itself? */
bool pdict__option_is_sound(const pdict_option_spec *spec);

/* ---- extension.c: which backends and codecs there are; found without a lock ---- */

const pdict_backend *pdict__backend_find(const char *name); /* NULL: none */
const pdict_backend *pdict__backend_at(size_t index);       /* NULL: behind the last */
const pdict_codec *pdict__codec_find(const char *name);
const pdict_codec *pdict__codec_by_id(int kind, uint8_t id);
const pdict_codec *pdict__codec_at(size_t index);

/* ---- register.c: those of them that came at run time ---- */

const pdict_backend *pdict__registered_backend(size_t index); /* NULL: behind the last */
const pdict_codec *pdict__registered_codec(size_t index);

/* ---- check.c: tables from outside; `who` is named in error texts ---- */

/* Of any table: PDICT_UNSUPPORTED for another ABI or less than `least` bytes. */
int pdict__table_check_head(const char *who, const void *table, size_t least);
/* PDICT_INVAL says what is wrong. */
int pdict__backend_check(const char *who, const pdict_backend *backend);
/* All but the table of its kind, of which only struct_size is looked at. */
int pdict__codec_check(const char *who, const pdict_codec *codec);
int pdict__compressor_check(const char *who, const char *name, const pdict_compressor *compressor);
int pdict__cipher_check(const char *who, const char *name, const pdict_cipher *cipher);

/* ---- hash.c: XXH3 ---- */

uint64_t pdict__hash64(const void *data, size_t size, uint64_t seed);

/* ---- random.c: numbers that never repeat, across threads and forks ---- */

int pdict__random(void *out, size_t size);
/* A version: 63 random bits, never 0. */
int pdict__random_version(uint64_t *out);

/* ---- fork.c: whether this process is still the one that opened something ---- */

/* From 1; grows by one in the child of each fork that ran the handlers (fork.h), and is 0 in one that
 * did not. */
unsigned pdict__fork_count(void);

/* ---- log.c ---- */

void pdict__log(const pdict_logger *logger, int level, const char *component, int status,
                const char *format, ...) PDICT_PRINTF(5, 6);

/* ---- clock.c: time comes from here only ---- */

struct clock {
    int64_t (*now_ms)(void *ctx);
    void *ctx;
};

int64_t pdict__system_now_ms(void *ctx);
/* base + delta without wrapping; delta >= 0. */
int64_t pdict__time_add(int64_t base_ms, int64_t delta_ms);
/* A steady clock for deadlines, from an arbitrary origin. */
int64_t pdict__steady_ms(void);
/* The same in microseconds. */
int64_t pdict__steady_us(void);
/* The same by its last tick, 1-4 ms ago, for a fifth of the cost. */
int64_t pdict__steady_coarse_ms(void);
/* Time since the boot, also while the machine sleeps; nobody can set it. */
int64_t pdict__boot_ms(void);

static inline int64_t pdict__now(const struct clock *clock)
{
    return clock->now_ms(clock->ctx);
}

static inline bool pdict__expired(int64_t expires_ms, int64_t now_ms)
{
    return expires_ms != 0 && now_ms >= expires_ms;
}

/* ---- little-endian fields of what is stored ---- */

static inline void pdict__put16(uint8_t *out, uint16_t v)
{
    out[0] = (uint8_t)v;
    out[1] = (uint8_t)(v >> 8);
}

static inline void pdict__put32(uint8_t *out, uint32_t v)
{
    pdict__put16(out, (uint16_t)v);
    pdict__put16(out + 2, (uint16_t)(v >> 16));
}

static inline void pdict__put64(uint8_t *out, uint64_t v)
{
    pdict__put32(out, (uint32_t)v);
    pdict__put32(out + 4, (uint32_t)(v >> 32));
}

static inline uint16_t pdict__get16(const uint8_t *in)
{
    return (uint16_t)(in[0] | in[1] << 8);
}

static inline uint32_t pdict__get32(const uint8_t *in)
{
    return pdict__get16(in) | (uint32_t)pdict__get16(in + 2) << 16;
}

static inline uint64_t pdict__get64(const uint8_t *in)
{
    return pdict__get32(in) | (uint64_t)pdict__get32(in + 4) << 32;
}

/* memcmp and memcpy that take the NULL of an empty slice. */
static inline bool pdict__slice_equal(pdict_slice a, pdict_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* As memcmp(), byte by byte; what another begins with comes before it. */
static inline int pdict__slice_compare(pdict_slice a, pdict_slice b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* The first bytes, which decide most comparisons without touching the others. */
static inline uint64_t pdict__slice_head(pdict_slice slice)
{
    const uint8_t *bytes = slice.data;
    uint64_t head = 0;

    for (size_t i = 0; i < 8; i++)
        head = head << 8 | (i < slice.size ? bytes[i] : 0);
    return head;
}

static inline void pdict__copy(void *out, const void *in, size_t size)
{
    if (size > 0)
        memcpy(out, in, size);
}

#endif
