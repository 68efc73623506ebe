/* SPDX-License-Identifier: MIT */
/* XXH3, the one hash of core that is not about secrets; the library is header-only. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/base.h"

uint64_t pdict__hash64(const void *data, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(size > 0 ? data : "", size, seed);
}
