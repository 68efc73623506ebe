/* SPDX-License-Identifier: MIT */
/* What this build can do, as data. */
#include "open/open.h"

static const pdict_option_spec no_options[] = { { .name = NULL } };

static const pdict_info core_info = {
    .kind = PDICT_INFO_CORE,
    .name = "pdict",
    .summary = "options of every map, whatever its backend",
    .library = "pdict " PDICT_VERSION_STRING,
    .options = pdict__core_options,
};

static int info_kind(int codec_kind)
{
    switch (codec_kind) {
    case PDICT_SERIALIZER:
        return PDICT_INFO_SERIALIZER;
    case PDICT_COMPRESSOR:
        return PDICT_INFO_COMPRESSOR;
    default:
        return PDICT_INFO_CIPHER;
    }
}

static bool info_at(size_t at, pdict_info *info)
{
    const pdict_backend *backend;
    const pdict_codec *codec;

    if (at == 0) {
        *info = core_info;
        return true;
    }
    at--;
    if ((backend = pdict__backend_at(at))) {
        *info = (pdict_info){ .kind = PDICT_INFO_BACKEND,
                              .name = backend->name,
                              .summary = backend->summary,
                              .library = backend->library ? backend->library() : "",
                              .options = backend->options };
        return true;
    }
    for (size_t i = 0; pdict__backend_at(i); i++)
        at--;
    if ((codec = pdict__codec_at(at))) {
        *info = (pdict_info){ .kind = info_kind(codec->kind),
                              .id = codec->id,
                              .name = codec->name,
                              .summary = codec->summary,
                              .library = codec->library ? codec->library() : "",
                              .options = codec->options };
        return true;
    }
    return false;
}

int pdict_info_next(size_t *cursor, pdict_info *out)
{
    pdict_info info;
    size_t size = out->struct_size;

    if (size < sizeof(out->struct_size))
        return pdict_fail(PDICT_INVAL, "pdict_info: set struct_size, see PDICT_INFO_INIT");
    if (!info_at(*cursor, &info))
        return PDICT_END;
    if (!info.options)
        info.options = no_options;
    info.struct_size = size;
    memcpy(out, &info, size < sizeof(info) ? size : sizeof(info));
    ++*cursor;
    return PDICT_OK;
}
