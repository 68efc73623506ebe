/* SPDX-License-Identifier: MIT */
/* An extension made for an ABI to come. */
#include <pdict/ext/register.h>

const pdict_extension pdict_this_extension = {
    .struct_size = sizeof(pdict_extension),
    .abi_version = PDICT_EXT_ABI + 1,
    .name = "other",
    .version = "1.0",
};
