/* SPDX-License-Identifier: MIT */
/* What writing (encode.c) and reading (decode.c) CBOR share. */
#ifndef PDICT_CODEC_CBOR_H
#define PDICT_CODEC_CBOR_H

#include <pdict/ext/codec.h>

/* The longest head of a data item: its type and eight bytes. */
#define CBOR_HEAD_MOST 9

/* The shortest form of a double, which is its only one; at most CBOR_HEAD_MOST bytes. */
size_t pdict__cbor_double(double value, unsigned char *out);

/* The order of encoded keys: their heads make the shorter one come first. */
int pdict__cbor_compare_keys(pdict_slice a, pdict_slice b);

/* The member of the table. */
int pdict__cbor_encode(const pdict_value *value, void *out, size_t capacity, size_t *out_size);

#endif
