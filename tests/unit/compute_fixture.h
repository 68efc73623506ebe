/* SPDX-License-Identifier: MIT */
/* A computation for tests that tells how often it was called. */
#ifndef PDICT_TESTS_COMPUTE_FIXTURE_H
#define PDICT_TESTS_COMPUTE_FIXTURE_H

#include <stdio.h>

#include "maps.h"

/* A computation that tells how often it was called, and what it was given. */
struct source {
    const char *value; /* NULL: status says why */
    int status;
    int64_t ttl_ms; /* -2: that of the options */
    int calls;
    char old[32];                             /* what it was given; "" when nothing */
    void (*meanwhile)(struct source *source); /* NULL, or what happens during the computation */
    pdict *d;
};

static inline int find(void *ctx, const pdict_view *old, pdict_computed *out)
{
    struct source *source = ctx;

    source->calls++;
    snprintf(source->old, sizeof(source->old), "%.*s", old ? (int)old->size : 0,
             old ? (const char *)old->data : "");
    if (source->meanwhile)
        source->meanwhile(source);
    if (!source->value)
        return source->status;
    out->value = pdict_str(source->value);
    if (source->ttl_ms != -2)
        out->ttl_ms = source->ttl_ms;
    return PDICT_OK;
}

static inline struct source source_of(pdict *d, const char *value)
{
    return (struct source){ .d = d, .value = value, .ttl_ms = -2 };
}

static inline struct source failing(pdict *d, int status)
{
    return (struct source){ .d = d, .status = status };
}

/* The call, and where its value came from. */
static inline unsigned compute(struct source *source, pdict_compute_options how,
                               const char *expected)
{
    unsigned origin = 99;
    pdict_view view;

    how.struct_size = sizeof(how);
    how.source_out = &origin;
    CHECK_OK(pdict_get_or_compute(source->d, pdict_str("k"), find, source, &how, &view));
    CHECK_BYTES(view.data, view.size, expected, strlen(expected));
    pdict_view_release(&view);
    return origin;
}

static inline void check_fails(struct source *source, pdict_compute_options how, int expected)
{
    unsigned origin = 99;
    pdict_view view;

    how.struct_size = sizeof(how);
    how.source_out = &origin;
    CHECK_STATUS(pdict_get_or_compute(source->d, pdict_str("k"), find, source, &how, &view),
                 expected);
    CHECK(view.data == NULL && view.pin == NULL);
    CHECK_INT(origin, 0);
}

static const pdict_compute_options plain;

#endif
