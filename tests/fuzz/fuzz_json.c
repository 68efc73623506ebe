/* SPDX-License-Identifier: MIT */
/* Any bytes as json. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_serializer("json", (pdict_slice){ data, size }, false);
    return 0;
}
