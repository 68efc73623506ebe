/* SPDX-License-Identifier: MIT */
/* A sound extension: one serializer that takes digits only. */
#include <pdict/ext/register.h>

static int check(pdict_slice bytes)
{
    const unsigned char *byte = bytes.data;

    for (size_t i = 0; i < bytes.size; i++) {
        if (byte[i] < '0' || byte[i] > '9')
            return PDICT_INVAL;
    }
    return PDICT_OK;
}

static const pdict_serializer serializer = { .struct_size = sizeof(serializer), .check = check };

static const pdict_codec digits = {
    PDICT_EXT_HEAD(pdict_codec), .kind = PDICT_SERIALIZER,  .id = 210, .name = "digits",
    .summary = "decimal digits", .serializer = &serializer,
};

static const pdict_codec *const codecs[] = { &digits, NULL };

const pdict_extension pdict_this_extension = {
    PDICT_EXT_HEAD(pdict_extension),
    .name = "sound",
    .version = "1.0",
    .codecs = codecs,
};
