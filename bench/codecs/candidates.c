/* SPDX-License-Identifier: MIT */
/* Which codecs to measure: a list with ranges of levels, such as "none,zlib:1-9,zstd:-3,1-12". */
#include "codecs/codec.h"

#include <stdlib.h>
#include <string.h>

static const pdict_codec *find(const char *name)
{
    const pdict_codec *codec = pdict_codec_find(name);

    return codec ? codec : baseline_find(name);
}

static int unknown(const char *name, int kind, const char *option)
{
    const char *names[64];
    pdict_info info = PDICT_INFO_INIT;
    const char *nearest;
    size_t cursor = 0;
    size_t count = 0;

    names[count++] = "none";
    while (pdict_info_next(&cursor, &info) == PDICT_OK && count < 64) {
        if (info.kind == (kind == PDICT_CIPHER ? PDICT_INFO_CIPHER : PDICT_INFO_COMPRESSOR))
            names[count++] = info.name;
    }
    nearest = cli_nearest(name, names, count);
    if (nearest)
        return pdict_fail(PDICT_UNKNOWN_CODEC, "--%s: there is no %s, did you mean %s?", option,
                          name, nearest);
    return pdict_fail(PDICT_UNKNOWN_CODEC, "--%s: there is no %s; `pdict-bench list` names them",
                      option, name);
}

/* Options by their fallbacks; only numbers and choices by place can be, others stay 0. */
static void set_fallbacks(struct candidate *candidate)
{
    const pdict_option_spec *spec = candidate->codec->options;

    for (size_t i = 0; spec && spec[i].name && i < 16; i++) {
        candidate->options[i].text = spec[i].fallback;
        candidate->options[i].number = spec[i].fallback ? strtoll(spec[i].fallback, NULL, 10) : 0;
    }
}

static int make_named(const char *name, int kind, const char *option, bool has_level, long level,
                      struct candidate *out)
{
    const pdict_option_spec *spec;

    *out = (struct candidate){ 0 };
    snprintf(out->name, sizeof out->name, "%s", name);
    if (strcmp(name, "none") == 0)
        return PDICT_OK;
    out->codec = find(name);
    if (!out->codec || out->codec->kind != kind)
        return unknown(name, kind, option);
    set_fallbacks(out);
    if (!has_level)
        return PDICT_OK;
    spec = out->codec->options;
    if (!spec || !spec->name || spec->type != PDICT_OPTION_INT)
        return pdict_fail(PDICT_INVAL, "--%s: %s has no levels", option, name);
    if (level < spec->min || level > spec->max)
        return pdict_fail(PDICT_INVAL, "--%s: %s:%ld is not a level; %lld to %lld are", option,
                          name, level, (long long)spec->min, (long long)spec->max);
    snprintf(out->name, sizeof out->name, "%.30s:%ld", name, level);
    snprintf(out->level, sizeof out->level, "%ld", level);
    out->options[0] = (pdict_option_value){ .number = level, .text = out->level, .is_set = true };
    return PDICT_OK;
}

/* What a word of the list says of all its levels. */
struct family {
    const char *name;
    int kind;
    const char *option;
    bool is_trained;
};

static int make(const struct family *family, bool has_level, long level, struct candidate *out)
{
    int status = make_named(family->name, family->kind, family->option, has_level, level, out);
    size_t size = strlen(out->name);

    if (status != PDICT_OK || !family->is_trained)
        return status;
    if (!out->codec || out->codec->kind != PDICT_COMPRESSOR || !out->codec->compressor->train)
        return pdict_fail(PDICT_UNSUPPORTED, "--%s: %s has no dictionaries, leave +dict out",
                          family->option, family->name);
    out->is_trained = true;
    snprintf(out->name + size, sizeof out->name - size, "+dict");
    return PDICT_OK;
}

/* "3" or "1-9" or "-3"; a minus at the beginning is a sign. */
static bool read_levels(const char *word, long *from, long *to)
{
    char *end;

    *from = *to = strtol(word, &end, 10);
    if (end == word)
        return false;
    if (*end == '-')
        *to = strtol(end + 1, &end, 10);
    return *end == '\0' && *to >= *from;
}

static int add_levels(const struct family *family, const char *levels, struct candidate *out,
                      size_t *count)
{
    const char *option = family->option;
    long from, to;
    int status = PDICT_OK;

    if (!read_levels(levels, &from, &to))
        return pdict_fail(PDICT_INVAL, "--%s: %s is not a level or a range such as 1-9", option,
                          levels);
    for (long level = from; level <= to && status == PDICT_OK; level++) {
        if (*count == CANDIDATES)
            return pdict_fail(PDICT_INVAL, "--%s: at most %d codecs in one run", option,
                              CANDIDATES);
        status = make(family, true, level, &out[(*count)++]);
        /* The text belongs to the struct, which has just been filled in place. */
        out[*count - 1].options[0].text = out[*count - 1].level;
    }
    return status;
}

static bool cut_suffix(char *word, const char *suffix)
{
    size_t size = strlen(word), cut = strlen(suffix);

    if (size < cut || strcmp(word + size - cut, suffix) != 0)
        return false;
    word[size - cut] = '\0';
    return true;
}

int candidates_parse(const char *text, int kind, const char *option, struct candidate *out,
                     size_t *count)
{
    char name[31] = "";
    int status = PDICT_OK;

    for (*count = 0; status == PDICT_OK && text;) {
        size_t size = strcspn(text, ",");
        char word[64];
        struct family family = { name, kind, option, false };
        char *colon;

        snprintf(word, sizeof word, "%.*s", (int)size, text);
        family.is_trained = cut_suffix(word, "+dict");
        colon = strchr(word, ':');
        if (*count == CANDIDATES)
            return pdict_fail(PDICT_INVAL, "--%s: at most %d codecs in one run", option,
                              CANDIDATES);
        if (colon) {
            *colon = '\0';
            snprintf(name, sizeof name, "%.30s", word);
            status = add_levels(&family, colon + 1, out, count);
        } else if (*name && strspn(word, "-0123456789") == strlen(word) && *word) {
            status = add_levels(&family, word, out, count);
        } else {
            snprintf(name, sizeof name, "%.30s", word);
            status = make(&family, false, 0, &out[(*count)++]);
        }
        text = text[size] ? text + size + 1 : NULL;
    }
    return status;
}

/* Add the words of a codec, if this build has it. */
static void append_known(const char *words, char *out, size_t size)
{
    size_t used = strlen(out);
    char name[31];

    snprintf(name, sizeof name, "%.*s", (int)strcspn(words, ":"), words);
    if (find(name))
        snprintf(out + used, size - used, ",%s", words);
}

int candidates_usual(const struct invocation *in, const char *const *usual, struct candidate *out,
                     size_t *count)
{
    char own[512] = "none";
    char list[1024];

    for (; *usual; usual++)
        append_known(*usual, own, sizeof own);
    return candidates_parse(bench_codecs(in, OPT_CODECS, own, list, sizeof list), PDICT_COMPRESSOR,
                            "codecs", out, count);
}

bool candidates_are_trained(const struct candidate *candidates, size_t count)
{
    bool are_trained = false;

    for (size_t i = 0; i < count; i++)
        are_trained = are_trained || candidates[i].is_trained;
    return are_trained;
}
