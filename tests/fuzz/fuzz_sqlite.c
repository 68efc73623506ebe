/* SPDX-License-Identifier: MIT */
/* Any bytes as the file of an SQLite store. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_store("sqlite", "page_cache=64KiB", (pdict_slice){ data, size });
    return 0;
}
