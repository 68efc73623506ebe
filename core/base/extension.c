/* SPDX-License-Identifier: MIT */
/* Which backends and codecs there are: the generated tables, and what was registered since. */
#include <pdict/ext/register.h>

#include "base/base.h"

extern const pdict_backend *const pdict__builtin_backends[];
extern const pdict_codec *const pdict__builtin_codecs[];

const pdict_backend *pdict__backend_at(size_t index)
{
    size_t n_builtin = 0;

    for (; pdict__builtin_backends[n_builtin]; n_builtin++) {
        if (n_builtin == index)
            return pdict__builtin_backends[index];
    }
    return pdict__registered_backend(index - n_builtin);
}

const pdict_codec *pdict__codec_at(size_t index)
{
    size_t n_builtin = 0;

    for (; pdict__builtin_codecs[n_builtin]; n_builtin++) {
        if (n_builtin == index)
            return pdict__builtin_codecs[index];
    }
    return pdict__registered_codec(index - n_builtin);
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

const pdict_backend *pdict_backend_find(const char *name)
{
    return pdict__backend_find(name);
}

const pdict_codec *pdict_codec_find(const char *name)
{
    return pdict__codec_find(name);
}
