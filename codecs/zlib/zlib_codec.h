/* SPDX-License-Identifier: MIT */
/* The zlib codec and the library that does its work: one of the two deflate_*.c is in a build. */
#ifndef PDICT_CODEC_ZLIB_H
#define PDICT_CODEC_ZLIB_H

#include <pdict/ext/codec.h>

/** Larger values are stored as they are, in either build. */
#define ZLIB_MAX_INPUT UINT32_MAX

typedef struct zlib_shared {
    pdict_allocator allocator;
    int level;
} zlib_shared;

/* ---- zlib.c ---- */

int pdict__zlib_malformed(const char *reason);
int pdict__zlib_no_memory(const char *what);
/* A context of so many bytes, all zero. */
int pdict__zlib_context_make(zlib_shared *shared, size_t size, void **context);

/* ---- deflate_*.c: members of the vtable, `self` being a zlib_shared ---- */

const char *pdict__zlib_library(void);
int pdict__zlib_context_new(void *self, void **context);
void pdict__zlib_context_free(void *self, void *context);
size_t pdict__zlib_bound(void *self, size_t size);
int pdict__zlib_encode(void *self, void *context, pdict_slice in, void *out, size_t capacity,
                       size_t *out_size);
/* `in` is not empty, could hold so much, and `out` is not NULL. */
int pdict__zlib_inflate(void *self, void *context, pdict_slice in, void *out, size_t out_size);

#endif
