/* SPDX-License-Identifier: MIT */
/* Any bytes as cbor, of which there is one form only. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_serializer("cbor", (pdict_slice){ data, size }, true);
    return 0;
}
