/* SPDX-License-Identifier: MIT */
/* Numbers, sizes, durations and names as people write them; hex and UTF-8. */
#include <pdict/value.h>

#include "base/base.h"

struct suffix {
    const char *name;
    int64_t factor;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits at the front of `text`; the rest starts at *end. */
static bool leading_digits(const char *text, int64_t *out, const char **end)
{
    int64_t number = 0;

    if (!is_digit(*text))
        return false;
    for (; is_digit(*text); text++) {
        int digit = *text - '0';

        if (number > (INT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *out = number;
    *end = text;
    return true;
}

static bool parse_with_suffix(const char *text, const struct suffix *suffixes, int64_t *out)
{
    int64_t number;
    const char *end;

    if (!leading_digits(text, &number, &end))
        return false;
    for (; suffixes->name; suffixes++) {
        if (strcmp(end, suffixes->name) != 0)
            continue;
        if (number > INT64_MAX / suffixes->factor)
            return false;
        *out = number * suffixes->factor;
        return true;
    }
    return false;
}

bool pdict__parse_int(const char *text, int64_t *out)
{
    bool is_negative = *text == '-';
    const char *end;
    int64_t number;

    if (!leading_digits(text + is_negative, &number, &end) || *end)
        return false;
    *out = is_negative ? -number : number;
    return true;
}

bool pdict__parse_size(const char *text, int64_t *out)
{
    static const struct suffix suffixes[] = {
        { "", 1 },          { "B", 1 },         { "KiB", 1 << 10 },
        { "MiB", 1 << 20 }, { "GiB", 1 << 30 }, { "TiB", (int64_t)1 << 40 },
        { NULL, 0 },
    };

    return parse_with_suffix(text, suffixes, out);
}

bool pdict__parse_duration(const char *text, int64_t *out_ms)
{
    static const struct suffix suffixes[] = {
        { "ms", 1 },       { "s", 1000 },      { "m", 60000 }, { "h", 3600000 },
        { "d", 86400000 }, { "w", 604800000 }, { NULL, 0 },
    };

    /* A bare 0 needs no unit. */
    if (strcmp(text, "0") == 0) {
        *out_ms = 0;
        return true;
    }
    return parse_with_suffix(text, suffixes, out_ms);
}

/* Levenshtein distance of two short names; anything longer is far from everything. */
static size_t edit_distance(const char *a, const char *b)
{
    enum {
        LONGEST = 32
    };
    size_t row[LONGEST + 1], a_size = strlen(a), b_size = strlen(b);

    if (a_size > LONGEST || b_size > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= b_size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b_size];
}

const char *pdict__near_match(const char *wrong, const char *const *names)
{
    /* One slip in three letters is a slip; more is another word. */
    size_t nearest = strlen(wrong) / 3 + 1;
    const char *match = NULL;

    for (; *names; names++) {
        size_t distance = edit_distance(wrong, *names);

        if (distance < nearest || (distance == nearest && !match)) {
            nearest = distance;
            match = *names;
        }
    }
    return match;
}

void pdict__hex_encode(const void *data, size_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = data;

    for (size_t i = 0; i < size; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool pdict__hex_decode(pdict_slice text, void *out, size_t size)
{
    const char *digits = text.data;
    uint8_t *bytes = out;

    if (text.size / 2 != size || text.size % 2 != 0)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = hex_value(digits[2 * i]), low = hex_value(digits[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Length of the UTF-8 sequence at `p` with `left` bytes behind it, 0 if it is not legal.
 * Table 3-7 of the Unicode Standard, section 3.9. */
static size_t utf8_sequence(const uint8_t *p, size_t left)
{
    size_t length = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;

    if (length == 0 || p[0] > 0xF4 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    }
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
        (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return length;
}

bool pdict__is_utf8(pdict_slice bytes, size_t *bad_offset)
{
    const uint8_t *data = bytes.data;
    size_t at = 0;

    while (at < bytes.size) {
        size_t length = utf8_sequence(data + at, bytes.size - at);

        if (length == 0) {
            *bad_offset = at;
            return false;
        }
        at += length;
    }
    return true;
}

bool pdict_is_utf8(pdict_slice bytes, size_t *bad_offset)
{
    size_t ignored;

    return pdict__is_utf8(bytes, bad_offset ? bad_offset : &ignored);
}
