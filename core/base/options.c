/* SPDX-License-Identifier: MIT */
/* Option specs: defaults, lookup by name, and parsing by type. */
#include <stdio.h>

#include "base/base.h"

static const pdict_option_spec no_specs[] = { { .name = NULL } };

static bool parse_flag(const char *text, int64_t *out)
{
    *out = strcmp(text, "on") == 0;
    return *out || strcmp(text, "off") == 0;
}

/* The place of `text` in "a|b|c". */
static bool parse_choice(const char *choices, const char *text, int64_t *out)
{
    size_t size = strlen(text);
    int64_t place = 0;

    for (;;) {
        size_t length = strcspn(choices, "|");

        if (length == size && memcmp(choices, text, size) == 0) {
            *out = place;
            return true;
        }
        if (!choices[length])
            return false;
        choices += length + 1;
        place++;
    }
}

static bool parse_value(const pdict_option_spec *spec, const char *text, int64_t *out)
{
    switch (spec->type) {
    case PDICT_OPTION_FLAG:
        return parse_flag(text, out);
    case PDICT_OPTION_INT:
        return pdict__parse_int(text, out) && *out >= spec->min && *out <= spec->max;
    case PDICT_OPTION_SIZE:
        return pdict__parse_size(text, out) && *out >= spec->min && *out <= spec->max;
    case PDICT_OPTION_DURATION:
        return pdict__parse_duration(text, out) && *out >= spec->min && *out <= spec->max;
    case PDICT_OPTION_CHOICE:
        return parse_choice(spec->choices, text, out);
    default:
        *out = 0;
        return true;
    }
}

/* What would have been legal, for the error text. */
static void describe(const pdict_option_spec *spec, char *out, size_t size)
{
    long long min = (long long)spec->min, max = (long long)spec->max;

    switch (spec->type) {
    case PDICT_OPTION_FLAG:
        snprintf(out, size, "on or off");
        break;
    case PDICT_OPTION_INT:
        snprintf(out, size, "a number from %lld to %lld", min, max);
        break;
    case PDICT_OPTION_SIZE:
        snprintf(out, size, "a size from %lld to %lld bytes, such as 64MiB", min, max);
        break;
    case PDICT_OPTION_DURATION:
        snprintf(out, size, "a duration from %lld to %lld ms, such as 10s", min, max);
        break;
    default:
        snprintf(out, size, "one of %s", spec->choices);
    }
}

int pdict__options_init(struct option_set *set, const pdict_option_spec *specs,
                        const pdict_allocator *allocator)
{
    *set = (struct option_set){ .allocator = allocator, .specs = specs ? specs : no_specs };
    while (set->specs[set->count].name)
        set->count++;
    set->values = pdict__calloc(allocator, set->count, sizeof(*set->values));
    if (!set->values)
        return PDICT_NOMEM;
    for (size_t i = 0; i < set->count; i++) {
        const char *fallback = set->specs[i].fallback;

        set->values[i].text = fallback;
        if (fallback)
            parse_value(&set->specs[i], fallback, &set->values[i].number);
    }
    return PDICT_OK;
}

int pdict__options_find(const struct option_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->specs[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

int pdict__options_set(struct option_set *set, size_t at, const char *text, const char *owner)
{
    const pdict_option_spec *spec = &set->specs[at];
    pdict_option_value *value = &set->values[at];
    char legal[128], *copy;
    int64_t number;

    if (!parse_value(spec, text, &number)) {
        describe(spec, legal, sizeof(legal));
        return pdict_fail(PDICT_INVAL, "%s: %s=%s is not %s", owner, spec->name, text, legal);
    }
    if (value->is_set && strcmp(value->text, text) != 0)
        return pdict_fail(PDICT_CONTRADICTION, "%s: %s=%s and %s=%s are both given; keep one",
                          owner, spec->name, value->text, spec->name, text);
    if (value->is_set)
        return PDICT_OK;
    copy = pdict__strdup(set->allocator, text, strlen(text));
    if (!copy)
        return PDICT_NOMEM;
    *value = (pdict_option_value){ .number = number, .text = copy, .is_set = true };
    return PDICT_OK;
}

void pdict__options_free(struct option_set *set)
{
    for (size_t i = 0; i < set->count && set->values; i++) {
        if (set->values[i].is_set)
            pdict__free(set->allocator, (void *)(uintptr_t)set->values[i].text);
    }
    if (set->allocator)
        pdict__free(set->allocator, set->values);
    *set = (struct option_set){ 0 };
}

bool pdict__option_is_sound(const pdict_option_spec *spec)
{
    int64_t number;

    if (!*spec->name || !spec->help || !*spec->help)
        return false;
    if (spec->type < PDICT_OPTION_FLAG || spec->type > PDICT_OPTION_TEXT || spec->min > spec->max)
        return false;
    if (spec->type == PDICT_OPTION_CHOICE && !spec->choices)
        return false;
    return !spec->fallback || parse_value(spec, spec->fallback, &number);
}
