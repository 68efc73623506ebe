/* SPDX-License-Identifier: MIT */
/* The raw serializer: a value is whatever bytes it is. */
#include <pdict/ext/codec.h>

static const pdict_serializer raw_serializer = {
    .struct_size = sizeof(pdict_serializer), .check = NULL, /* all bytes are legal */
};

const pdict_codec pdict__codec_raw = {
    PDICT_EXT_HEAD(pdict_codec),
    .kind = PDICT_SERIALIZER,
    .id = 1, /* in every record: never changes */
    .name = "raw",
    .summary = "any bytes",
    .serializer = &raw_serializer,
};
