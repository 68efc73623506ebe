/* SPDX-License-Identifier: MIT */
/* XXH3, the one hash of core that is not about secrets; the library is header-only. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/hash.h"

uint64_t pdict__hash64(const void *data, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(size > 0 ? data : "", size, seed);
}

uint64_t pdict__hash_keyed_any(const uint8_t *secret, const void *data, size_t size)
{
    return XXH3_64bits_withSecret(size > 0 ? data : "", size, secret, HASH_SECRET_SIZE);
}
