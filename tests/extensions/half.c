/* SPDX-License-Identifier: MIT */
/* An extension whose first codec is sound and whose second is not. */
#include <pdict/ext/register.h>

static const pdict_serializer serializer = { .struct_size = sizeof(serializer) };

static const pdict_codec sound = {
    PDICT_EXT_HEAD(pdict_codec), .kind = PDICT_SERIALIZER,     .id = 220,
    .name = "firsthalf",         .summary = "takes any bytes", .serializer = &serializer,
};

static const pdict_codec clashing = {
    PDICT_EXT_HEAD(pdict_codec), .kind = PDICT_SERIALIZER,     .id = 220,
    .name = "secondhalf",        .summary = "takes any bytes", .serializer = &serializer,
};

static const pdict_codec *const codecs[] = { &sound, &clashing, NULL };

const pdict_extension pdict_this_extension = {
    PDICT_EXT_HEAD(pdict_extension),
    .name = "half",
    .version = "1.0",
    .codecs = codecs,
};
