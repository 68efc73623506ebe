/* SPDX-License-Identifier: MIT */
/* What the fuzz targets share. */
#ifndef PDICT_FUZZ_H
#define PDICT_FUZZ_H

#include <pdict/ext/codec.h>
#include <stdlib.h>

/* What has to hold for any input. */
static inline void expect(bool condition)
{
    if (!condition)
        abort();
}

/*
 * serializer.c: bytes that a serializer refuses the same way in check and decode, or a value that
 * is written and read back; with `is_canonical` as the bytes that it was read from.
 */
void fuzz_serializer(const char *name, pdict_slice bytes, bool is_canonical);

/*
 * store.c: the bytes are a store of this backend: refused, or all of it is read, verified and
 * written to.
 */
void fuzz_store(const char *backend, const char *options, pdict_slice bytes);

#endif
