/* SPDX-License-Identifier: MIT */
/* Any bytes as the file of an LMDB store, which the preflight looks at before it is mapped. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_store("lmdb", "preflight=on&reserve=64MiB", (pdict_slice){ data, size });
    return 0;
}
