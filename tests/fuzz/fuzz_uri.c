/* SPDX-License-Identifier: MIT */
/* Any text as a URI and its options: refused, or parts that make a URI of the same parts. */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "open/open.h"

static pdict_allocator allocator;

/* Every byte escaped. */
static void add_escaped(struct buf *out, const char *text)
{
    char escape[4];

    for (; *text; text++) {
        snprintf(escape, sizeof(escape), "%%%02x", (unsigned char)*text);
        expect(pdict__buf_append(out, escape, 3) == PDICT_OK);
    }
}

static void add(struct buf *out, const char *text)
{
    expect(pdict__buf_append(out, text, strlen(text)) == PDICT_OK);
}

static void check_same(const struct uri *a, const struct uri *b)
{
    expect(strcmp(a->scheme, b->scheme) == 0 && strcmp(a->path, b->path) == 0);
    expect(a->n_options == b->n_options);
    for (size_t i = 0; i < a->n_options; i++) {
        expect(strcmp(a->options[i].name, b->options[i].name) == 0);
        expect(strcmp(a->options[i].value, b->options[i].value) == 0);
    }
}

static void parse_again(const struct uri *uri)
{
    struct buf text = { .allocator = &allocator };
    struct uri again;

    add(&text, uri->scheme);
    add(&text, ":");
    add_escaped(&text, uri->path);
    for (size_t i = 0; i < uri->n_options; i++) {
        add(&text, i == 0 ? "?" : "&");
        add_escaped(&text, uri->options[i].name);
        add(&text, "=");
        add_escaped(&text, uri->options[i].value);
    }
    expect(pdict__buf_append(&text, "", 1) == PDICT_OK);
    expect(pdict__uri_parse((const char *)text.data, &allocator, &again) == PDICT_OK);
    check_same(uri, &again);
    pdict__uri_free(&again);
    pdict__buf_free(&text);
}

/* What is accepted is within the bounds of its spec. */
static void check_values(const struct option_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const pdict_option_spec *spec = &set->specs[i];
        int64_t number = set->values[i].number;

        if (spec->type == PDICT_OPTION_INT || spec->type == PDICT_OPTION_SIZE ||
            spec->type == PDICT_OPTION_DURATION)
            expect(number >= spec->min && number <= spec->max);
    }
}

static void read_settings(const struct option_set *set)
{
    struct cache_wish wish;
    int64_t within_ms;
    int durability;

    check_values(set);
    if (pdict__settings_durability(set->values[OPTION_DURABILITY].text, &durability, &within_ms) ==
        PDICT_OK)
        expect(durability != 0 && within_ms > 0);
    (void)pdict__settings_cache(set, &wish);
}

static void read_options(const struct uri *uri)
{
    pdict_options none = PDICT_OPTIONS_INIT;
    struct option_set settings;
    struct stack stack;

    if (pdict__stack_parse(uri->scheme ? uri->scheme : "sqlite", &allocator, &stack) != PDICT_OK)
        return;
    if (pdict__settings_read(uri, &none, &stack, &allocator, &settings) == PDICT_OK) {
        read_settings(&settings);
        for (size_t i = 0; i < stack.count; i++)
            check_values(&stack.options[i]);
        pdict__options_free(&settings);
    }
    pdict__stack_free(&stack);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pdict_allocator none = { 0 };
    struct uri uri;
    char *text;

    expect(pdict__allocator_choose(&none, &allocator) == PDICT_OK);
    expect((text = pdict__strdup(&allocator, (const char *)data, size)) != NULL);
    if (pdict__uri_parse(text, &allocator, &uri) == PDICT_OK) {
        if (uri.scheme)
            parse_again(&uri);
        read_options(&uri);
        pdict__uri_free(&uri);
    }
    pdict__free(&allocator, text);
    return 0;
}
