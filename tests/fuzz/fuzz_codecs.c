/* SPDX-License-Identifier: MIT */
/* Any text as codecs: refused, or written in a form that parses to the same and is final. */
#include "fuzz.h"
#include "value/value.h"

static pdict_allocator allocator;

static struct buf formatted(const struct codecs *codecs)
{
    struct buf out = { .allocator = &allocator };

    expect(pdict__codecs_format(codecs, &out) == PDICT_OK);
    expect(pdict__buf_append(&out, "", 1) == PDICT_OK);
    return out;
}

static void parse_again(const struct codecs *codecs)
{
    struct buf text = formatted(codecs), final;
    struct codecs again;

    expect(pdict__codecs_parse((const char *)text.data, &allocator, &again) == PDICT_OK);
    expect(pdict__codecs_agree(codecs, &again) && pdict__codecs_agree(&again, codecs));
    final = formatted(&again);
    expect(strcmp((const char *)text.data, (const char *) final.data) == 0);
    pdict__codecs_free(&again);
    pdict__buf_free(&text);
    pdict__buf_free(&final);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pdict_allocator none = { 0 };
    struct codecs codecs;
    char *text;

    expect(pdict__allocator_choose(&none, &allocator) == PDICT_OK);
    expect((text = pdict__strdup(&allocator, (const char *)data, size)) != NULL);
    if (pdict__codecs_parse(text, &allocator, &codecs) == PDICT_OK)
        parse_again(&codecs);
    else
        expect(codecs.serializer.codec == NULL);
    pdict__codecs_free(&codecs);
    pdict__free(&allocator, text);
    return 0;
}
