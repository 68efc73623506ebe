/* SPDX-License-Identifier: MIT */
/* Trained dictionaries in memory, shared by keeping (dictionary.c) and making them (train.c). */
#ifndef PDICT_VALUE_DICTIONARY_H
#define PDICT_VALUE_DICTIONARY_H

#include "value/pipeline.h"

/* Never more in a map: numbers are not reused, and records may need any of them. */
#define DICTIONARIES_MOST 16

/* More would cost each process that opens the map more than it saves. */
#define DICTIONARY_MOST_SIZE ((size_t)256 << 10)

struct dictionary {
    uint16_t number; /* as in records, from 1 */
    uint8_t compressor_id;
    uint64_t hash; /* of the bytes */
    uint8_t *bytes;
    size_t size;
    struct compressor *compressor; /* set before `opened` */
    _Atomic(void *) opened;        /* NULL: not used yet */
    struct dictionary *next;
};

/* As they are stored, sealed when the map is encrypted; `list` by growing numbers. */
int pdict__dictionaries_encode(const struct pipeline *pipeline, const struct dictionary *list,
                               struct buf *out);
/* PDICT_DAMAGED. Nothing stored is none. */
int pdict__dictionaries_decode(const struct pipeline *pipeline, pdict_slice stored,
                               struct dictionary **out);
int pdict__dictionary_new(const struct pipeline *pipeline, uint8_t compressor_id, pdict_slice bytes,
                          struct dictionary **out);
void pdict__dictionaries_free(const struct pipeline *pipeline, struct dictionary *list);

/* The newest for a compressor of new records, ready; NULL: none. */
int pdict__dictionary_for_writing(struct pipeline *pipeline, struct compressor *writer,
                                  const struct dictionary **out);
/* The one a record names, ready. PDICT_FORMAT: the map does not have it. */
int pdict__dictionary_for_reading(struct pipeline *pipeline, const struct record_header *header,
                                  const struct dictionary **out);

#endif
