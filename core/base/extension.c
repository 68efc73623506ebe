/* SPDX-License-Identifier: MIT */
/* Which backends and codecs this build has: the generated tables, the only place with names. */
#include "base/base.h"

extern const pdict_backend *const pdict__builtin_backends[];
extern const pdict_codec *const pdict__builtin_codecs[];

const pdict_backend *pdict__backend_at(size_t index)
{
    for (size_t i = 0; pdict__builtin_backends[i]; i++) {
        if (i == index)
            return pdict__builtin_backends[i];
    }
    return NULL;
}

const pdict_codec *pdict__codec_at(size_t index)
{
    for (size_t i = 0; pdict__builtin_codecs[i]; i++) {
        if (i == index)
            return pdict__builtin_codecs[i];
    }
    return NULL;
}

const pdict_backend *pdict__backend_find(const char *name)
{
    const pdict_backend *backend;

    for (size_t i = 0; (backend = pdict__backend_at(i)); i++) {
        if (strcmp(backend->name, name) == 0)
            return backend;
    }
    return NULL;
}

const pdict_codec *pdict__codec_find(const char *name)
{
    const pdict_codec *codec;

    for (size_t i = 0; (codec = pdict__codec_at(i)); i++) {
        if (strcmp(codec->name, name) == 0)
            return codec;
    }
    return NULL;
}

const pdict_codec *pdict__codec_by_id(int kind, uint8_t id)
{
    const pdict_codec *codec;

    for (size_t i = 0; (codec = pdict__codec_at(i)); i++) {
        if (codec->kind == kind && codec->id == id)
            return codec;
    }
    return NULL;
}
