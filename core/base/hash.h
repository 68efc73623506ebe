/* SPDX-License-Identifier: MIT */
/* XXH3 with a secret, inlined for keys of the usual length. */
#ifndef PDICT_BASE_HASH_H
#define PDICT_BASE_HASH_H

#include "base/base.h"

#define HASH_SECRET_SIZE 192

/* XXH3_64bits_withSecret(), for any size. */
uint64_t pdict__hash_keyed_any(const uint8_t *secret, const void *data, size_t size);

static inline uint64_t pdict__load64(const uint8_t *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

/* Keys of these sizes are hashed without a call. */
#define HASH_NEAR_LEAST 17
#define HASH_NEAR_MOST  32

#if defined(__SIZEOF_INT128__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

static inline uint64_t pdict__hash_mix(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The same value as pdict__hash_keyed_any(). */
static inline uint64_t pdict__hash_keyed(const uint8_t *secret, const void *data, size_t size)
{
    const uint8_t *at = data;
    uint64_t hash;

    if (size - HASH_NEAR_LEAST > HASH_NEAR_MOST - HASH_NEAR_LEAST)
        return pdict__hash_keyed_any(secret, data, size);
    hash = size * 0x9E3779B185EBCA87U;
    hash += pdict__hash_mix(pdict__load64(at) ^ pdict__load64(secret),
                            pdict__load64(at + 8) ^ pdict__load64(secret + 8));
    hash += pdict__hash_mix(pdict__load64(at + size - 16) ^ pdict__load64(secret + 16),
                            pdict__load64(at + size - 8) ^ pdict__load64(secret + 24));
    hash ^= hash >> 37;
    hash *= 0x165667919E3779F9U;
    return hash ^ hash >> 32;
}

#else

static inline uint64_t pdict__hash_keyed(const uint8_t *secret, const void *data, size_t size)
{
    return pdict__hash_keyed_any(secret, data, size);
}

#endif
#endif
