/* SPDX-License-Identifier: MIT */
/* Guarded buffers, sample data, counted memory and open compressors for the codec tests. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "codec_suite.h"

#define GUARDED_PATTERN 0xA5

const size_t sample_sizes[] = { 0, 1, 2, 15, 16, 17, 100, 4096, 65537, 1048576, SIZE_MAX };

/* splitmix64, Steele, Lea and Flood 2014 */
uint64_t suite_random_next(suite_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

size_t suite_random_below(suite_random *random, size_t limit)
{
    return (size_t)(suite_random_next(random) % limit);
}

void suite_random_fill(suite_random *random, void *out, size_t size)
{
    unsigned char *bytes = out;

    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)suite_random_next(random);
}

static void fill_words(unsigned char *out, size_t size)
{
    static const char *const words[] = { "store",  "reader", "of",    "the",    "value", "and",
                                         "cursor", "page",   "write", "commit", "a",     "key" };
    suite_random random = { 7 };
    size_t at = 0;

    while (at < size) {
        const char *word = words[suite_random_below(&random, COUNT_OF(words))];
        while (*word != '\0' && at < size)
            out[at++] = (unsigned char)*word++;
        if (at < size)
            out[at++] = ' ';
    }
}

static void fill_records(unsigned char *out, size_t size)
{
    suite_random random = { 8 };
    char line[96];
    size_t at = 0;

    while (at < size) {
        int length = snprintf(
            line, sizeof(line), "{\"id\":%u,\"name\":\"user-%u\",\"active\":%s,\"score\":%u.%u}\n",
            (unsigned)at, (unsigned)suite_random_below(&random, 9999),
            suite_random_below(&random, 2) ? "true" : "false",
            (unsigned)suite_random_below(&random, 100), (unsigned)suite_random_below(&random, 10));
        size_t part = (size_t)length < size - at ? (size_t)length : size - at;
        memcpy(out + at, line, part);
        at += part;
    }
}

const char *sample_name(int shape)
{
    static const char *const names[] = { "zeros", "random", "text", "records" };

    return names[shape];
}

void sample_fill(int shape, void *out, size_t size)
{
    suite_random random = { 9 };

    if (shape == SAMPLE_ZEROS && size != 0)
        memset(out, 0, size);
    else if (shape == SAMPLE_RANDOM)
        suite_random_fill(&random, out, size);
    else if (shape == SAMPLE_TEXT)
        fill_words(out, size);
    else if (shape == SAMPLE_RECORDS)
        fill_records(out, size);
}

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static unsigned char *map_or_fail(size_t size, int protection)
{
    void *map = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (map == MAP_FAILED)
        suite_fail(__FILE__, __LINE__, "mmap of %zu bytes: %s", size, strerror(errno));
    return map;
}

void guarded_open(guarded *g, size_t room)
{
    size_t page = page_size();
    unsigned char *map;

    g->room = (room / page + 1) * page;
    map = map_or_fail(g->room + 2 * page, PROT_NONE);
    g->start = map + page;
    CHECK(mprotect(g->start, g->room, PROT_READ | PROT_WRITE) == 0);
    memset(g->start, GUARDED_PATTERN, g->room);
}

void guarded_close(guarded *g)
{
    size_t page = page_size();

    CHECK(munmap(g->start - page, g->room + 2 * page) == 0);
    g->start = NULL;
}

unsigned char *guarded_place(guarded *g, size_t size, int edge)
{
    CHECK(size <= g->room);
    memset(g->start, GUARDED_PATTERN, g->room);
    return edge == GUARDED_LOW ? g->start : g->start + (g->room - size);
}

unsigned char *guarded_copy(guarded *g, const void *data, size_t size, int edge)
{
    unsigned char *placed = guarded_place(g, size, edge);

    if (size != 0)
        memcpy(placed, data, size);
    return placed;
}

void guarded_check(const guarded *g, const unsigned char *data, size_t size)
{
    for (const unsigned char *at = g->start; at < g->start + g->room; at++)
        if (at == data && size != 0)
            at += size - 1;
        else if (*at != GUARDED_PATTERN)
            suite_fail(__FILE__, __LINE__, "a byte outside the buffer was written");
}

void *untouchable(size_t size)
{
    return map_or_fail(size, PROT_NONE);
}

static bool must_fail(counted_memory *memory)
{
    long call = atomic_fetch_add(&memory->calls, 1) + 1;

    if (memory->fail_at == 0)
        return false;
    return memory->fails_onward ? call >= memory->fail_at : call == memory->fail_at;
}

static void *counted_reallocate(void *ctx, void *old, size_t size)
{
    counted_memory *memory = ctx;
    void *made = must_fail(memory) ? NULL : realloc(old, size != 0 ? size : 1);

    if (made != NULL && old == NULL)
        atomic_fetch_add(&memory->live, 1);
    return made;
}

static void *counted_allocate(void *ctx, size_t size)
{
    return counted_reallocate(ctx, NULL, size);
}

static void counted_release(void *ctx, void *old)
{
    counted_memory *memory = ctx;

    if (old != NULL)
        atomic_fetch_sub(&memory->live, 1);
    free(old);
}

pdict_allocator counted_allocator(counted_memory *memory)
{
    return (pdict_allocator){ .allocate = counted_allocate,
                              .reallocate = counted_reallocate,
                              .release = counted_release,
                              .ctx = memory };
}

/** How much one unit of a size or duration is; 1 for none. */
static int64_t unit_factor(const char *unit)
{
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = { { "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 }, { "s", 1000 },
                  { "m", 60000 },     { "h", 3600000 },   { "d", 86400000 },  { "w", 604800000 } };

    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (strcmp(unit, units[i].unit) == 0)
            return units[i].factor;
    return 1;
}

static int64_t choice_place(const char *choices, const char *text)
{
    size_t length = strlen(text);

    for (int64_t place = 0; choices != NULL; place++) {
        const char *end = strchr(choices, '|');
        size_t size = end != NULL ? (size_t)(end - choices) : strlen(choices);
        if (size == length && memcmp(choices, text, length) == 0)
            return place;
        choices = end != NULL ? end + 1 : NULL;
    }
    suite_fail(__FILE__, __LINE__, "%s is none of the choices", text);
}

static int64_t option_number(const pdict_option_spec *spec)
{
    char *unit;
    int64_t number;

    if (spec->fallback == NULL || spec->type == PDICT_OPTION_TEXT)
        return 0;
    if (spec->type == PDICT_OPTION_FLAG)
        return strcmp(spec->fallback, "on") == 0;
    if (spec->type == PDICT_OPTION_CHOICE)
        return choice_place(spec->choices, spec->fallback);
    number = strtoll(spec->fallback, &unit, 10);
    return number * unit_factor(unit);
}

void codec_defaults(const pdict_codec *codec, pdict_option_value *values)
{
    const pdict_option_spec *spec = codec->options;

    for (size_t i = 0; spec != NULL && spec[i].name != NULL; i++) {
        CHECK(i < CODEC_OPTIONS_MAX);
        values[i] =
            (pdict_option_value){ .number = option_number(&spec[i]), .text = spec[i].fallback };
    }
}

void engine_open(engine *e, const pdict_codec *codec, counted_memory *memory,
                 const pdict_option_value *options)
{
    static counted_memory plain;
    pdict_option_value defaults[CODEC_OPTIONS_MAX] = { { 0 } };
    pdict_codec_args args = { .struct_size = sizeof(args),
                              .options = options != NULL ? options : defaults,
                              .allocator = counted_allocator(memory != NULL ? memory : &plain) };

    codec_defaults(codec, defaults);
    e->ops = codec->compressor;
    CHECK_OK(e->ops->open(&args, &e->self));
    CHECK_OK(e->ops->context_new(e->self, &e->context));
}

void engine_close(engine *e)
{
    e->ops->context_free(e->self, e->context);
    e->ops->close(e->self);
}

unsigned char *engine_encode(engine *e, pdict_slice in, size_t *size)
{
    size_t bound = e->ops->bound(e->self, in.size);
    unsigned char *kept = malloc(bound != 0 ? bound : 1);
    unsigned char *out;
    guarded g;

    CHECK(bound != 0 && kept != NULL);
    guarded_open(&g, bound);
    out = guarded_place(&g, bound, GUARDED_HIGH);
    CHECK_OK(e->ops->encode(e->self, e->context, in, out, bound, size));
    CHECK(*size <= bound);
    memcpy(kept, out, *size);
    guarded_close(&g);
    return kept;
}
