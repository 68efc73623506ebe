/* SPDX-License-Identifier: MIT */
/* Loaded extensions: what they brought stands in the lists that verbs measure by default. */
#include "tool/tool.h"

#include <pdict/ext/register.h>

#include <string.h>

#define KNOWN 256 /* backends and codecs before an extension is loaded; more are not told apart */

static size_t known_names(const char *names[KNOWN])
{
    pdict_info info = PDICT_INFO_INIT;
    size_t cursor = 0;
    size_t count = 0;

    while (count < KNOWN && pdict_info_next(&cursor, &info) == PDICT_OK)
        names[count++] = info.name;
    return count;
}

static bool is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

/* A layer keeps nothing itself, so there is nothing to measure of it alone. */
static bool is_measured(const pdict_info *info)
{
    const pdict_backend *backend = pdict_backend_find(info->name);

    return info->kind != PDICT_INFO_BACKEND || !(backend->capabilities & PDICT_CAP_LAYER);
}

int bench_extension_load(struct invocation *in, const char *path)
{
    const char *names[KNOWN];
    size_t count = known_names(names);
    pdict_info info = PDICT_INFO_INIT;
    size_t cursor = 0;
    int status = pdict_load_extension(path);

    if (status != PDICT_OK)
        return status;
    while (in->n_extended < BENCH_EXTENDED && pdict_info_next(&cursor, &info) == PDICT_OK) {
        if (!is_among(info.name, names, count) && is_measured(&info))
            in->extended[in->n_extended++] = (struct extended){ info.kind, info.name };
    }
    return PDICT_OK;
}

/* Add ",LEADname" for each of a kind. */
static void append(const struct invocation *in, int kind, const char *lead, char *out, size_t size)
{
    for (size_t i = 0; i < in->n_extended; i++) {
        size_t used = strlen(out);

        if (in->extended[i].kind == kind)
            snprintf(out + used, size - used, ",%s%s", lead, in->extended[i].name);
    }
}

const char *bench_targets(const struct invocation *in, const char *own, char *out, size_t size)
{
    if (bench_has(in, OPT_TARGET))
        return in->values[OPT_TARGET];
    snprintf(out, size, "%s", own);
    append(in, PDICT_INFO_BACKEND, "pdict:", out, size);
    append(in, PDICT_INFO_COMPRESSOR, "pdict:sqlite?codecs=raw,", out, size);
    return out;
}

const char *bench_codecs(const struct invocation *in, enum bench_option option, const char *own,
                         char *out, size_t size)
{
    if (bench_has(in, option))
        return in->values[option];
    snprintf(out, size, "%s", own);
    append(in, option == OPT_CIPHER ? PDICT_INFO_CIPHER : PDICT_INFO_COMPRESSOR, "", out, size);
    return out;
}
