/* SPDX-License-Identifier: MIT */
/* The pipeline as people write it, "raw,zstd:3,xchacha20": parsing, writing, comparing. */
#include "value/value.h"

#define NO_CODECS "none"

/* Behind a compressor: its dictionaries are trained by themselves. */
#define DICTIONARY "+dict"

/* The serializer of a pipeline that names none. */
#define DEFAULT_SERIALIZER "raw"

/* Measured: a compressor's own frame takes more than it can save on a value of less than 32 bytes. */
static const pdict_option_spec worth_options[] = {
    [WORTH_SMALLEST] = { .name = "smallest",
                         .type = PDICT_OPTION_SIZE,
                         .fallback = "32B",
                         .max = 1 << 30,
                         .help = "values below this size are stored as they are" },
    [WORTH_GAIN] = { .name = "gain",
                     .type = PDICT_OPTION_INT,
                     .fallback = "0",
                     .max = 99,
                     .help = "percent that a value has to shrink by, or it is stored as it is" },
    { .name = NULL },
};

/* In the order of a value's way into the store, which is the order of enum pdict_codec_kind. */
static struct codec_choice *stage_of(struct codecs *codecs, int kind)
{
    if (kind == PDICT_SERIALIZER)
        return &codecs->serializer;
    return kind == PDICT_COMPRESSOR ? &codecs->compressor : &codecs->cipher;
}

/* Cut the text at the first separator; the rest starts behind it, NULL when there was none. */
static char *cut(char *text, char separator)
{
    char *at = strchr(text, separator);

    if (!at)
        return NULL;
    *at = '\0';
    return at + 1;
}

static int unknown_codec(const char *name)
{
    enum {
        MOST = 64
    };
    const char *names[MOST + 1] = { NULL };
    const pdict_codec *codec;
    const char *near;

    for (size_t i = 0; i < MOST && (codec = pdict__codec_at(i)); i++)
        names[i] = codec->name;
    near = pdict__near_match(name, names);
    if (near)
        return pdict_fail(PDICT_UNKNOWN_CODEC,
                          "codecs: there is no codec '%s' in this build; did you mean '%s'?", name,
                          near);
    return pdict_fail(PDICT_UNKNOWN_CODEC,
                      "codecs: there is no codec '%s' in this build; `pdict info` lists those "
                      "there are",
                      name);
}

static int unknown_option(const struct codec_choice *choice, const char *name)
{
    enum {
        MOST = 32
    };
    const struct option_set *sets[] = { &choice->options, &choice->worth };
    const pdict_codec *codec = choice->codec;
    const char *names[MOST + 1] = { NULL };
    const char *near;
    size_t n = 0;

    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; n < MOST && j < sets[i]->count; j++)
            names[n++] = sets[i]->specs[j].name;
    }
    near = pdict__near_match(name, names);
    if (near)
        return pdict_fail(PDICT_UNKNOWN_OPTION, "%s has no option '%s'; did you mean '%s'?",
                          codec->name, name, near);
    return pdict_fail(PDICT_UNKNOWN_OPTION, "%s has no option '%s'; leave it out", codec->name,
                      name);
}

/* One of the parts behind the name: KEY=VALUE, or as the first VALUE alone. */
static int parse_option(struct codec_choice *choice, char *text, bool is_first)
{
    char *value = cut(text, '=');
    struct option_set *set = &choice->options;
    const char *name = text;
    int at;

    if (!value) {
        if (!is_first)
            return pdict_fail(PDICT_INVAL,
                              "codecs: '%s' of %s has no name; write name=value behind the first",
                              text, choice->codec->name);
        value = text;
        name = choice->options.count > 0 ? choice->options.specs[0].name : text;
    }
    at = pdict__options_find(set, name);
    if (at < 0) {
        set = &choice->worth;
        at = pdict__options_find(set, name);
    }
    if (at < 0)
        return unknown_option(choice, name);
    return pdict__options_set(set, (size_t)at, value, choice->codec->name);
}

static int choose(struct codec_choice *choice, const pdict_codec *codec,
                  const pdict_allocator *allocator)
{
    int status = pdict__options_init(&choice->options, codec->options, allocator);

    if (status == PDICT_OK && codec->kind == PDICT_COMPRESSOR)
        status = pdict__options_init(&choice->worth, worth_options, allocator);
    if (status == PDICT_OK)
        choice->codec = codec;
    return status;
}

/* Take "+dict" off the end of a stage, if it is there. */
static bool cut_dictionary(char *text)
{
    size_t size = strlen(text), ending = strlen(DICTIONARY);

    if (size < ending || strcmp(text + size - ending, DICTIONARY) != 0)
        return false;
    text[size - ending] = '\0';
    return true;
}

static int check_dictionary(const struct codec_choice *choice)
{
    const pdict_codec *codec = choice->codec;

    if (!choice->has_dictionary || (codec->compressor && codec->compressor->train))
        return PDICT_OK;
    return pdict_fail(PDICT_INVAL, "codecs: %s has no dictionaries; leave " DICTIONARY " out",
                      codec->name);
}

/* One stage, `NAME[:VALUE][:KEY=VALUE]...[+dict]`; `*last_kind` is the kind of the stage before it. */
static int parse_stage(struct codecs *out, char *text, const pdict_allocator *allocator,
                       int *last_kind)
{
    bool has_dictionary = cut_dictionary(text);
    char *option = cut(text, ':');
    const char *name = strcmp(text, NO_CODECS) == 0 ? DEFAULT_SERIALIZER : text;
    const pdict_codec *codec = pdict__codec_find(name);
    struct codec_choice *choice;
    int status;

    if (!*text)
        return pdict_fail(PDICT_INVAL, "codecs: a stage has no name; look for a lone comma");
    if (!codec)
        return unknown_codec(name);
    if (codec->kind <= *last_kind)
        return pdict_fail(PDICT_INVAL,
                          "codecs: '%s' is out of place; write serializer, compressor and cipher "
                          "in this order, each at most once",
                          text);
    *last_kind = codec->kind;
    choice = stage_of(out, codec->kind);
    if ((status = choose(choice, codec, allocator)) != PDICT_OK)
        return status;
    choice->has_dictionary = has_dictionary;
    if ((status = check_dictionary(choice)) != PDICT_OK)
        return status;
    for (bool is_first = true; option && status == PDICT_OK; is_first = false) {
        char *next = cut(option, ':');

        status = parse_option(choice, option, is_first);
        option = next;
    }
    return status;
}

static int parse_stages(struct codecs *out, char *text, const pdict_allocator *allocator)
{
    int last_kind = 0, status = PDICT_OK;

    while (text && status == PDICT_OK) {
        char *next = cut(text, ',');

        status = parse_stage(out, text, allocator, &last_kind);
        text = next;
    }
    return status;
}

static int choose_default(struct codecs *out, const pdict_allocator *allocator)
{
    const pdict_codec *codec = pdict__codec_find(DEFAULT_SERIALIZER);

    return codec ? choose(&out->serializer, codec, allocator) : unknown_codec(DEFAULT_SERIALIZER);
}

int pdict__codecs_parse(const char *text, const pdict_allocator *allocator, struct codecs *out)
{
    char *copy = NULL;
    int status = PDICT_OK;

    *out = (struct codecs){ 0 };
    if (*text) {
        copy = pdict__strdup(allocator, text, strlen(text));
        status = copy ? parse_stages(out, copy, allocator) : PDICT_NOMEM;
    }
    if (status == PDICT_OK && !out->serializer.codec)
        status = choose_default(out, allocator);
    pdict__free(allocator, copy);
    if (status != PDICT_OK)
        pdict__codecs_free(out);
    return status;
}

void pdict__codecs_free(struct codecs *codecs)
{
    pdict__options_free(&codecs->serializer.options);
    pdict__options_free(&codecs->compressor.options);
    pdict__options_free(&codecs->compressor.worth);
    pdict__options_free(&codecs->cipher.options);
    *codecs = (struct codecs){ 0 };
}

static int format_stage(const struct codec_choice *choice, const char *separator, struct buf *out)
{
    const struct option_set *set = &choice->options, *worth = &choice->worth;
    int status = pdict__buf_printf(out, "%s%s", separator, choice->codec->name);

    for (size_t i = 0; i < set->count && status == PDICT_OK; i++) {
        const char *text = set->values[i].text;

        if (!set->values[i].is_set)
            continue;
        /* A bare value with '=' inside would be read as a name and its value. */
        if (i == 0 && !strchr(text, '='))
            status = pdict__buf_printf(out, ":%s", text);
        else
            status = pdict__buf_printf(out, ":%s=%s", set->specs[i].name, text);
    }
    for (size_t i = 0; i < worth->count && status == PDICT_OK; i++) {
        if (worth->values[i].is_set)
            status = pdict__buf_printf(out, ":%s=%s", worth->specs[i].name, worth->values[i].text);
    }
    if (status == PDICT_OK && choice->has_dictionary)
        status = pdict__buf_printf(out, DICTIONARY);
    return status;
}

int pdict__codecs_format(const struct codecs *codecs, struct buf *out)
{
    const struct codec_choice *stages[] = { &codecs->serializer, &codecs->compressor,
                                            &codecs->cipher };
    const char *separator = "";

    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        int status;

        if (!stages[i]->codec)
            continue;
        if ((status = format_stage(stages[i], separator, out)) != PDICT_OK)
            return status;
        separator = ",";
    }
    return PDICT_OK;
}

static bool is_same_value(const pdict_option_spec *spec, const pdict_option_value *wanted,
                          const pdict_option_value *actual)
{
    if (spec->type != PDICT_OPTION_TEXT)
        return wanted->number == actual->number;
    return actual->text && strcmp(wanted->text, actual->text) == 0;
}

/* Is every option that was set in `wanted` the same in `actual`? */
static bool sets_agree(const struct option_set *wanted, const struct option_set *actual)
{
    for (size_t i = 0; i < wanted->count; i++) {
        const pdict_option_value *value = &wanted->values[i];

        if (value->is_set && !is_same_value(&wanted->specs[i], value, &actual->values[i]))
            return false;
    }
    return true;
}

static bool stages_agree(const struct codec_choice *wanted, const struct codec_choice *actual)
{
    if (wanted->codec != actual->codec || (wanted->has_dictionary && !actual->has_dictionary))
        return false;
    return sets_agree(&wanted->options, &actual->options) &&
           sets_agree(&wanted->worth, &actual->worth);
}

bool pdict__codecs_agree(const struct codecs *wanted, const struct codecs *actual)
{
    return stages_agree(&wanted->serializer, &actual->serializer) &&
           stages_agree(&wanted->compressor, &actual->compressor) &&
           stages_agree(&wanted->cipher, &actual->cipher);
}
